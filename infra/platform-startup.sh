#!/bin/bash
# Follows worker-startup.sh on the platform's VM, in the same shell: runs the platform's container, and the project's own
# mock upstream beside it. The container shares the machine's network, so that no proxy of Docker's is measured with it.
# shellcheck disable=SC2154 # the folders are named there

start_platform() {
  local image
  image=$(attribute archestra-platform-image)
  start_mock
  command -v docker >/dev/null || {
    publish stage "installing Docker"
    # Without apparmor, which is only recommended, no container starts where the kernel has it.
    install_packages docker.io apparmor ca-certificates
  }
  publish stage "fetching and starting the container $image"
  (umask 0077 && attribute archestra-platform-env >"$settings/platform.env")
  docker rm --force archestra-platform >/dev/null 2>&1 || true
  fetch_image "$image"
  docker run --detach --restart on-failure --name archestra-platform --network host \
    --env-file "$settings/platform.env" "$image" 2>"$folder/problem" ||
    fail "the container $image does not start ($(tail -n 1 "$folder/problem"))"
  publish stage "the container runs"
}

# A registry may stumble, or want a pause.
fetch_image() {
  local tried=1
  until docker pull --quiet "$1" 2>"$folder/problem"; do
    cat "$folder/problem" >&2
    ((tried < 5)) || fail "the image $1 cannot be fetched ($(tail -n 1 "$folder/problem"))"
    sleep $((tried * 3))
    tried=$((tried + 1))
  done
}

# The small stand-alone worker has no mock; a platform in its own mock mode needs none.
start_mock() {
  local port
  [[ $(cat "$folder/version") == "archestra-bench "* ]] || return 0
  port=$(attribute archestra-mock-port)
  write_service archestra-bench-mock "the mock upstream of archestra-bench" \
    "$folder/worker mock --listen 0.0.0.0:$port" ""
  systemctl daemon-reload
  systemctl restart archestra-bench-mock
}

start_platform

#!/bin/bash
# Runs as root when a VM starts: fetches the worker's binary, checks that it is the right one, and has systemd run it
# without any rights. The worker makes its own key; only its certificate leaves the machine, as a guest attribute, for
# the coordinator to pin. Everything that is needed to know comes from the instance's metadata.
# A trap on errors is for functions as well.
set -Eeuo pipefail

readonly instance=http://metadata.google.internal/computeMetadata/v1/instance
readonly folder=/opt/archestra-bench
readonly settings=/etc/archestra-bench

# What fails in a subshell fails the shell too, unless somebody there has thought of it.
trap '((BASH_SUBSHELL > 0)) || fail "line $LINENO of the startup script failed: ${BASH_COMMAND:0:80}"' ERR

start_worker() {
  mkdir -p "$folder" "$settings"
  command -v curl >/dev/null || install_packages curl ca-certificates
  publish stage "fetching the worker's binary"
  attribute archestra-coordinator-ca >"$settings/coordinator-ca.pem"
  fetch_worker
  publish stage "starting the worker"
  write_certificate_publisher
  write_worker_service
  systemctl daemon-reload
  systemctl restart archestra-bench-worker
}

# A value of the instance's metadata.
attribute() {
  curl --silent --show-error --fail --retry 5 --retry-connrefused --header 'Metadata-Flavor: Google' \
    "$instance/attributes/$1"
}

# Says something of this machine that the coordinator can read.
publish() {
  curl --silent --show-error --fail --retry 5 --retry-connrefused --request PUT --data-binary "$2" \
    --header 'Metadata-Flavor: Google' "$instance/guest-attributes/archestra-bench/$1" >/dev/null
}

fail() {
  trap - ERR
  echo "archestra-bench: $1" >&2
  publish stage "failed: $1" || true
  exit 1
}

fetch_worker() {
  local url sha256 sum
  url=$(attribute archestra-worker-url)
  sha256=$(attribute archestra-worker-sha256)
  # The script runs at every boot.
  [[ $(sum_of "$folder/worker") != "$sha256" ]] || return 0
  if [[ $url == ssh ]]; then receive "$sha256"; else download_patiently "$url"; fi
  sum=$(sum_of "$folder/worker.new")
  [[ $sum == "$sha256" ]] ||
    fail "the worker's binary has the wrong checksum: $sum came, $sha256 was expected"
  chmod 0755 "$folder/worker.new"
  "$folder/worker.new" --version 2>"$folder/problem" >"$folder/version" ||
    fail "the worker's binary does not run on this machine ($(head -n 1 "$folder/problem"))"
  mv "$folder/worker.new" "$folder/worker"
}

sum_of() {
  local sum=none
  [[ ! -f $1 ]] || sum=$(sha256sum "$1")
  echo "${sum%% *}"
}

# Whoever may log in can put a file there, so what counts is what the copy that nobody else can write adds up to.
receive() {
  local carried=/tmp/archestra-bench-worker-$1
  publish stage "waiting for the worker's binary to come by ssh"
  until [[ -f $carried ]]; do
    sleep 0.5
  done
  publish stage "checking the worker's binary"
  cp "$carried" "$folder/worker.new"
  rm -f "$carried"
}

# The right to read a bucket that was just granted takes a while to arrive.
download_patiently() {
  local deadline=$((SECONDS + 240))
  until download "$1"; do
    ((SECONDS < deadline)) || fail "the worker's binary cannot be fetched from ${1%%\?*} ($(cat "$folder/problem"))"
    sleep 2
  done
}

# The token goes to curl by its standard input: command lines can be read by everybody on the machine.
download() {
  local token=
  if [[ $(attribute archestra-worker-authorization) == service-account ]]; then
    token=$(curl --silent --show-error --fail --header 'Metadata-Flavor: Google' \
      "$instance/service-accounts/default/token" 2>"$folder/problem") || return 1
    token=$(sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p' <<<"$token")
  fi
  {
    [[ -z $token ]] || printf 'header = "Authorization: Bearer %s"\n' "$token"
    printf 'url = "%s"\n' "$1"
  } | curl --config - --silent --show-error --fail --location --max-time 120 --output "$folder/worker.new" \
    2>"$folder/problem"
}

# Each time that the worker starts it has another key, and so another certificate.
write_certificate_publisher() {
  cat >"$folder/publish-certificate" <<'SCRIPT'
#!/bin/bash
set -euo pipefail
certificate=/run/archestra-bench/certificate.pem
for _ in {1..300}; do
  [[ ! -s $certificate ]] || break
  sleep 0.1
done
exec curl --silent --show-error --fail --retry 5 --retry-connrefused --request PUT --data-binary "@$certificate" \
  --header 'Metadata-Flavor: Google' --output /dev/null \
  http://metadata.google.internal/computeMetadata/v1/instance/guest-attributes/archestra-bench/certificate
SCRIPT
  chmod 0755 "$folder/publish-certificate"
}

write_worker_service() {
  local port role=
  port=$(attribute archestra-worker-port)
  # One binary plays every role and must be told which; the other plays this one only.
  [[ $(cat "$folder/version") != "archestra-bench "* ]] || role=worker
  write_service archestra-bench-worker "a load worker of archestra-bench" \
    "$folder/worker $role --listen 0.0.0.0:$port --coordinator-ca $settings/coordinator-ca.pem \
--certificate-out /run/archestra-bench/certificate.pem" \
    "RuntimeDirectory=archestra-bench
ExecStartPost=$folder/publish-certificate"
}

# A service that may talk to the network and little else.
write_service() {
  cat >"/etc/systemd/system/$1.service" <<UNIT
[Unit]
Description=$2
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=$3
$4
Restart=on-failure
RestartSec=1
LimitNOFILE=1048576
DynamicUser=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
UMask=0077

[Install]
WantedBy=multi-user.target
UNIT
}

# At its first boot a machine may be busy with packages of its own for minutes, and a mirror may stumble.
install_packages() {
  local deadline=$((SECONDS + 300))
  until try_to_install "$@" 2>"$folder/problem"; do
    cat "$folder/problem" >&2
    ((SECONDS < deadline)) || fail "apt-get does not install $* ($(grep -m 1 '^E:' "$folder/problem" || echo 'see the serial log'))"
    sleep 2
  done
}

try_to_install() {
  local options=(--quiet --quiet --option DPkg::Lock::Timeout=120 --option Acquire::Retries=3)
  apt-get update "${options[@]}" --option APT::Update::Error-Mode=any &&
    DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" --yes --no-install-recommends "$@"
}

start_worker

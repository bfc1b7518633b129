#!/usr/bin/env bash
# Makes the root filesystem of the test's VMs: `rootfs.sh OUT`. A small Debian 12 with systemd and what a startup script
# of Google's images finds there too.
#
# OUT appears when it is whole, or not at all. Where this machine's apt has Debian's packages from, and through which
# proxy, is where mmdebstrap gets them from.
set -euo pipefail

readonly suite=bookworm keyring=/usr/share/keyrings/debian-archive-keyring.gpg
readonly packages=systemd,systemd-sysv,curl,ca-certificates,iproute2,procps

main() {
  local out=$1
  # For the cleanup at the end of the shell.
  making=$out.making.$$
  trap 'rm -rf "$making"' EXIT
  mkdir -p "$making"
  apt-config dump Acquire >"$making/apt.conf"
  sources >"$making/sources.list"
  mmdebstrap --quiet --mode=root --variant=essential --include="$packages" --keyring="$keyring" \
    --aptopt="$making/apt.conf" --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$making/root" "$making/sources.list"
  furnish "$making/root"
  mv --no-target-directory "$making/root" "$out"
}

# The mirrors of Debian that this machine uses, without repositories of others; Debian's own when it knows none.
sources() {
  local found mirror
  found=$(apt-get indextargets --format "\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' 'Origin: Debian' |
    grep " ${suite}[^ ]* main$" | sort -u || true)
  while read -r mirror; do
    echo "deb [signed-by=$keyring] $mirror"
  done <<<"${found:-http://deb.debian.org/debian/ $suite main}"
}

# A runner of startup scripts as Google's images have one, and no services that only cost time.
furnish() {
  local root=$1
  : >"$root/etc/machine-id"
  rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
  cat >"$root/usr/local/sbin/run-startup-script" <<'EOF'
#!/bin/bash
# White space before the first word is dropped, the rest is run as root, and the console gets what it writes.
script=$(mktemp /tmp/startup-script.XXXXXX)
curl --silent --fail --retry 5 --retry-connrefused --header 'Metadata-Flavor: Google' \
  http://metadata.google.internal/computeMetadata/v1/instance/attributes/startup-script |
  sed -z 's/^[[:space:]]*//' >"$script"
if [ ! -s "$script" ]; then
  echo 'No startup script.'
  exit 0
fi
chmod 0755 "$script"
/bin/bash -c "$script" 2>&1
code=$?
echo "startup-script exit status $code"
exit "$code"
EOF
  chmod 0755 "$root/usr/local/sbin/run-startup-script"
  cat >"$root/etc/systemd/system/google-startup-scripts.service" <<'EOF'
[Unit]
Description=Runs the startup script of the instance's metadata

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/run-startup-script
StandardOutput=tty
StandardError=tty
# As Google's unit has it: what the script starts in the background stays.
KillMode=process
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
EOF
  stand_in_for_docker "$root"
  mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
  ln -s ../google-startup-scripts.service "$root/etc/systemd/system/multi-user.target.wants/"
  local unit
  for unit in systemd-resolved systemd-timesyncd systemd-networkd getty@tty1 console-getty apt-daily.timer e2scrub_reap \
    systemd-networkd.socket systemd-firstboot.service; do
    [[ $unit == *.* ]] || unit=$unit.service
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
}

# There is no registry that a VM of a test could fetch an image from. Whatever image is run is the mock upstream, on the
# port that the container's environment names (STAND_IN_PORT), and its environment is kept for the test to see. One whose
# name says so does not start.
stand_in_for_docker() {
  cat >"$1/usr/local/bin/docker" <<'EOF'
#!/bin/bash
set -euo pipefail
[[ $1 == run ]] || exit 0
[[ ${*: -1} != *does-not-start* ]] || { echo "docker: Error response from daemon: no such command." >&2; exit 127; }
while [[ $1 != --env-file ]]; do shift; done
port=$(sed -n 's/^STAND_IN_PORT=//p' "$2")
echo "docker stands in for ${*: -1} with: $(tr '\n' ' ' <"$2")"
exec systemd-run --quiet --unit=archestra-platform /opt/archestra-bench/worker mock --listen "0.0.0.0:${port:-9000}"
EOF
  chmod 0755 "$1/usr/local/bin/docker"
}

main "$@"

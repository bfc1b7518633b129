#!/usr/bin/env bash
# What the load engine costs and how true its clock is, beside other load generators doing the same work.
#
#   worker/benches/bench.sh [--cases "keep-alive tls"] [--rounds 11] [--seconds 1] [--write]
#
# Servers have core 1, clients core 0. Clients take turns within each round, so that a machine whose speed drifts treats
# them alike, and ratios are taken within a round; many short rounds tell more than few long ones. A sample is (user + system time of the client) ÷ (requests that it
# completed). What is not installed is installed where that can be done, or else skipped by name. Figures come with
# the goals that they are held to. --write puts all of it into RESULTS.md too. A case is a file in cases/, which says what it
# measures.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

rounds=11 seconds=1 write=no
cases=(keep-alive connections tls http2 events scaling memory stalls lag floor)

main() {
  read_arguments "$@"
  scratch=$(mktemp -d)
  trap clean_up EXIT
  # shellcheck source=worker/benches/peers.sh
  . "$here/peers.sh"
  # shellcheck source=worker/benches/measure.sh
  . "$here/measure.sh"
  # shellcheck source=worker/benches/goals.sh
  . "$here/goals.sh"
  prepare
  {
    # A shell of its own, behind the pipe: whatever ends it ends its server too.
    trap stop_server EXIT
    echo "# What the engine costs"
    echo
    echo "Median (lowest–highest) of $rounds interleaved rounds of $seconds s each; ratios are taken within a round."
    local name
    for name in "${cases[@]}"; do
      note "== $name"
      # shellcheck disable=SC1090 # one of cases/
      . "$here/cases/$name.sh"
      echo
      "case_${name//-/_}"
    done
    goals
    echo
    echo "## Where and with what"
    echo
    machine
  } | tee "$scratch/report.md"
  if [ "$write" = yes ]; then cp "$scratch/report.md" "$here/RESULTS.md"; fi
}

read_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --rounds) rounds=${2:?--rounds needs a number} && shift 2 ;;
      --seconds) seconds=${2:?--seconds needs a number} && shift 2 ;;
      --cases) read -ra cases <<<"${2:?--cases needs a list such as \"keep-alive tls\"}" && shift 2 ;;
      --write) write=yes && shift ;;
      *) fail "unknown argument $1: see the head of $0" ;;
    esac
  done
  local name
  for name in "${cases[@]}"; do
    [ -f "$here/cases/$name.sh" ] || fail "there is no case $name: there are $(cd "$here/cases" && echo *.sh)"
  done
}

prepare() {
  have taskset || fail "taskset is missing: it comes with util-linux"
  [ "$(nproc)" -ge 2 ] || fail "this needs two cores, one for the client and one for the server"
  (cd "$root" && cargo build --quiet --release --package archestra-bench-worker --bins --examples)
  install_peers
  # Some clients need a descriptor for each connection.
  ulimit -n "$(ulimit -Hn)"
  local bytes
  for bytes in 300 500 1500; do write_request "$bytes"; done
}

machine() {
  echo "- Date: $(date --utc '+%Y-%m-%d %H:%M UTC')"
  echo "- Machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, Linux $(uname -r)"
  echo "- Load when it ended: $(cut -d ' ' -f 1-3 /proc/loadavg)"
  # The benchmarks alone make two.
  if awk -v cores="$(nproc)" '{ exit !($1 > cores + 1) }' /proc/loadavg; then
    echo "- Other work disturbed them: waits (send lag, stalls, threads, TLS against nginx) tell more of that than of the engine"
  fi
  echo "- Commit: $(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown); $(rustc --version)"
  peer_versions
  echo
  echo "Taken by worker/benches/bench.sh."
}

have() {
  command -v "$1" >/dev/null
}

note() {
  echo "$1" >&2
}

fail() {
  echo "bench.sh: $1" >&2
  exit 1
}

clean_up() {
  rm -rf "$scratch"
}

main "$@"

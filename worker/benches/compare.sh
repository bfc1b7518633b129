#!/usr/bin/env bash
# CPU time per request of the load engine, beside wrk and ab, against a bare responder that does as little as can be.
#
#   worker/benches/compare.sh [--rounds 5] [--seconds 2] [--connections "10 64 256 1000"] [--write]
#
# The responder has core 1, the client core 0. The clients take turns within each round, so that a machine whose speed
# drifts treats them alike, and ratios are taken within a round. A sample is (user + system time of the client) ÷ (requests
# that it completed). --write puts the result into RESULTS.md too.
#
# ENGINE names another engine to measure: a command that is called with URL CONNECTIONS SECONDS BODY_FILE, posts the body
# over that many connections for so long, and prints `requests: N`, the answers it got. RESPONDER names another responder:
# called with an address, it prints `listening on URL`.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
readonly responder_core=1 client_core=0

rounds=5 seconds=2 connections="10 64 256 1000" write=no
clients=()

main() {
  read_arguments "$@"
  scratch=$(mktemp -d)
  trap clean_up EXIT
  build
  choose_clients
  raise_open_files_limit
  write_request
  start_responder
  measure
  report | tee "$scratch/report.md"
  if [ "$write" = yes ]; then cp "$scratch/report.md" "$here/RESULTS.md"; fi
}

read_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --rounds) rounds=${2:?--rounds needs a number} && shift 2 ;;
      --seconds) seconds=${2:?--seconds needs a number} && shift 2 ;;
      --connections) connections=${2:?--connections needs a list such as \"10 64\"} && shift 2 ;;
      --write) write=yes && shift ;;
      *) fail "unknown argument $1: see the head of $0" ;;
    esac
  done
}

build() {
  have taskset || fail "taskset is missing: it comes with util-linux"
  [ "$(nproc)" -ge 2 ] || fail "this needs two cores, one for the client and one for the responder"
  local examples=()
  [ -n "${RESPONDER:-}" ] || examples+=(--example responder)
  if [ -z "${ENGINE:-}" ] && [ -f "$root/worker/examples/load.rs" ]; then examples+=(--example load); fi
  if [ ${#examples[@]} -gt 0 ]; then
    (cd "$root" && cargo build --quiet --release --package archestra-bench-worker "${examples[@]}")
  fi
  engine=${ENGINE:-$target/release/examples/load}
  responder=${RESPONDER:-$target/release/examples/responder}
}

choose_clients() {
  if [ -n "${ENGINE:-}" ] || [ -f "$root/worker/examples/load.rs" ]; then
    clients+=(engine)
  else
    note "engine skipped: there is no worker/examples/load.rs, and ENGINE names no other"
  fi
  if have wrk; then clients+=(wrk); else note "wrk skipped: install the package wrk"; fi
  if have ab; then clients+=(ab); else note "ab skipped: install the package apache2-utils"; fi
  [ ${#clients[@]} -gt 0 ] || fail "there is nothing to measure"
}

raise_open_files_limit() {
  ulimit -n "$(ulimit -Hn)"
}

# A chat request of 500 bytes, as a file for ab and the engine and as a script for wrk.
write_request() {
  local before='{"model":"gpt-4o","messages":[{"role":"user","content":"' after='"}]}'
  local filling=$((500 - ${#before} - ${#after}))
  printf '%s%s%s' "$before" "$(printf '%*s' "$filling" '' | tr ' ' x)" "$after" >"$scratch/body.json"
  cat >"$scratch/post.lua" <<LUA
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open("$scratch/body.json"):read("*a")
LUA
}

start_responder() {
  taskset --cpu-list "$responder_core" "$responder" 127.0.0.1:0 >"$scratch/responder" &
  responder_process=$!
  for _ in $(seq 50); do
    url=$(sed -n 's/^listening on //p' "$scratch/responder")
    [ -z "$url" ] || return 0
    sleep 0.1
  done
  fail "the responder $responder did not start"
}

measure() {
  local round count client
  for ((round = 1; round <= rounds; round++)); do
    for count in $connections; do
      for client in "${clients[@]}"; do
        note "round $round of $rounds: $client, $count connections"
        sample "$client" "$count" >>"$scratch/$client.$count"
      done
    done
  done
}

# One sample: microseconds of CPU time per request.
sample() {
  local client=$1 count=$2 TIMEFORMAT='%U %S' command requests
  command_of "$client" "$count"
  # The shell's own timing counts the client alone, to the millisecond.
  { time timeout $((seconds * 5 + 10)) taskset --cpu-list "$client_core" "${command[@]}" \
    >"$scratch/out" 2>"$scratch/errors"; } 2>"$scratch/times" ||
    fail "$client failed with $count connections: $(tail -n 1 "$scratch/errors")"
  ! grep -E '^ *(Socket errors|Non-2xx)|^Failed requests: *[1-9]' "$scratch/out" >&2 ||
    fail "$client met errors with $count connections, so its figure would mean nothing"
  requests=$(requests_of "$client")
  [ "${requests:-0}" -gt 0 ] || fail "$client completed no request with $count connections"
  awk -v requests="$requests" '{ printf "%.4f\n", ($1 + $2) * 1e6 / requests }' "$scratch/times"
}

# Sets `command`. ab ends after a number of requests too, which must be more than it can send.
command_of() {
  local client=$1 count=$2
  case $client in
    engine) read -ra command <<<"$engine" && command+=("$url" "$count" "$seconds" "$scratch/body.json") ;;
    wrk) command=(wrk -t1 "-c$count" "-d${seconds}s" -s "$scratch/post.lua" "$url/v1/chat/completions") ;;
    ab) command=(ab -q -k -t "$seconds" -n $((seconds * 1000000)) -c "$count" -T application/json -p "$scratch/body.json"
      "$url/v1/chat/completions") ;;
  esac
}

requests_of() {
  case $1 in
    engine) sed -n 's/^requests: \([0-9]*\).*/\1/p' "$scratch/out" ;;
    wrk) sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' "$scratch/out" ;;
    ab) sed -n 's/^Complete requests: *\([0-9]*\)$/\1/p' "$scratch/out" ;;
  esac
}

report() {
  echo "# CPU time per request"
  echo
  echo "Microseconds of user and system time of the client, keep-alive, POST of 500 bytes, answer of 600 bytes:"
  echo "median (lowest–highest) of $rounds interleaved rounds of $seconds s. Ratios are taken within a round."
  echo
  table
  echo
  machine
  echo
  echo "Taken by worker/benches/compare.sh."
}

table() {
  local count client cells
  cells="| Connections |"
  for client in "${clients[@]}"; do cells+=" $(title "$client") |"; done
  for client in "${clients[@]}"; do
    if compares_to_wrk "$client"; then cells+=" $(title "$client") ÷ wrk |"; fi
  done
  echo "$cells"
  tr -c -s '|\n' '-' <<<"$cells" | sed 's/-/ ---: /g'
  for count in $connections; do
    cells="| $count |"
    for client in "${clients[@]}"; do cells+=" $(spread <"$scratch/$client.$count") |"; done
    for client in "${clients[@]}"; do
      if compares_to_wrk "$client"; then
        cells+=" $(paste "$scratch/$client.$count" "$scratch/wrk.$count" | awk '{ print $1 / $2 }' | spread) |"
      fi
    done
    echo "$cells"
  done
}

title() {
  if [ "$1" = ab ]; then echo "ab -k"; else echo "$1"; fi
}

compares_to_wrk() {
  [ "$1" != wrk ] && [[ " ${clients[*]} " == *" wrk "* ]]
}

# The median, lowest and highest of the numbers on standard input.
spread() {
  sort -n | awk '
    { number[NR] = $1 }
    END {
      middle = (number[int((NR + 1) / 2)] + number[int(NR / 2) + 1]) / 2
      printf "%.2f (%.2f–%.2f)", middle, number[1], number[NR]
    }'
}

machine() {
  echo "- Date: $(date --utc '+%Y-%m-%d %H:%M UTC')"
  echo "- Machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, Linux $(uname -r)"
  echo "- Load when it ended: $(cut -d ' ' -f 1-3 /proc/loadavg)"
  echo "- Commit: $(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown); $(rustc --version)"
  if have wrk; then echo "- $({ wrk --version || true; } 2>&1 | sed -n 's/ Copyright.*//p' | head -n 1)"; fi
  if have ab; then echo "- $(ab -V | sed -n 's/^This is \(.*\) <.*/\1/p')"; fi
}

have() {
  command -v "$1" >/dev/null
}

note() {
  echo "$1" >&2
}

fail() {
  echo "compare.sh: $1" >&2
  exit 1
}

clean_up() {
  [ -z "${responder_process:-}" ] || kill "$responder_process" 2>/dev/null || true
  rm -rf "$scratch"
}

main "$@"

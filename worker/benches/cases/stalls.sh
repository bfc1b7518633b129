# shellcheck shell=bash
# Whether an open loop tells what requests waited: the server does nothing for 200 ms in every 2 s, so that with a rate R
# and a capacity C a fraction f = 0.1 ÷ (1 − R ÷ C) waits, evenly over 0 to 200 ms: Pq = 200 ms × (1 − (1 − q) ÷ f).
# shellcheck disable=SC2034,SC2154 # scratch, target, seconds and url are bench.sh's and measure.sh's

case_stalls() {
  local rate capacity body=$scratch/body.500 seconds=20
  # The capacity between stalls: as much as a closed loop gets of the same server.
  start_server responder 127.0.0.1:0
  command=("$target/release/examples/load" "$url/" "$body" 3 connections=64)
  cpu_of >/dev/null
  capacity=$(($(figure requests) / 3))
  stop_server
  echo "## A server that stalls"
  echo
  echo "Open loop, constant arrivals, 64 connections, $seconds s; the server does nothing for 200 ms in every 2 s and could"
  echo "answer $capacity requests a second otherwise. Response time from due times in ms: measured, and computed on paper."
  echo
  echo "| | P50 | P99 | P99 on paper | P99.9 | P99.9 on paper |"
  echo "| ---: | ---: | ---: | ---: | ---: | ---: |"
  for rate in 2000 5000 20000; do
    start_server responder 127.0.0.1:0 stall 2000 200
    command=("$target/release/examples/load" "$url/" "$body" "$seconds" connections=64 "rate=$rate")
    cpu_of >/dev/null
    awk -v rate="$rate" -v capacity="$capacity" -v p50="$(figure "response time P50")" \
      -v p99="$(figure "response time P99")" -v p999="$(figure "response time P99.9")" 'BEGIN {
        f = 0.1 / (1 - rate / capacity)
        printf "| %d/s | %.3f | %.1f | %.1f | %.1f | %.1f |\n", rate, p50 / 1e3, p99 / 1e3, 200 * (1 - 0.01 / f),
          p999 / 1e3, 200 * (1 - 0.001 / f)
      }' | tee -a "$scratch/stalls"
    stop_server
  done
  # How far off beyond 100 µs, in per cent of the value on paper.
  off() { awk -F '[|/]' -v of="$1" '{ off = $(of) - $(of + 1); off = (off < 0 ? -off : off) - 0.1
    printf "%.2f %s/s\n", (off > 0 ? off : 0) / $(of + 1) * 100, $2 + 0 }' "$scratch/stalls"; }
  off 5 | goal "Stalls: P99 off the value on paper by more than 100 µs, per cent" "<=" 1.00
  off 7 | goal "Stalls: P99.9, the same" "<=" 1.00
}

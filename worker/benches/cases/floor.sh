# shellcheck shell=bash
# What the instrument adds to what it reports: the response time of a bare server that the engine sees, less what a bare
# loop sees.
# shellcheck disable=SC2034,SC2154 # scratch, target, rounds, seconds and url are bench.sh's and measure.sh's

case_floor() {
  local round body=$scratch/body.500
  start_server responder 127.0.0.1:0
  for ((round = 1; round <= rounds; round++)); do
    command=("$target/release/examples/load" "$url/" "$body" "$seconds" connections=1)
    cpu_of >/dev/null
    figure "response time P50" >>"$scratch/floor.engine"
    command=("$target/release/examples/floor" "$url/" 1 "$seconds" "$body" timed)
    cpu_of >/dev/null
    sed -n 's/^P50 \([0-9.]*\) us/\1/p' "$scratch/out" >>"$scratch/floor.bare"
  done
  stop_server
  echo "$(paste "$scratch/floor.engine" "$scratch/floor.bare" | awk '{ print $1 - $2 }' | spread | cut -d ' ' -f 1) one connection" |
    goal "Response time over a bare loop's, P50, µs" "<=" 2
  echo "## The instrument's own floor"
  echo
  echo "P50 of the response time over one connection in µs, as the engine and as a bare loop see it."
  echo
  echo "| engine | bare loop | difference |"
  echo "| ---: | ---: | ---: |"
  echo "| $(spread <"$scratch/floor.engine") | $(spread <"$scratch/floor.bare") |" \
    "$(paste "$scratch/floor.engine" "$scratch/floor.bare" | awk '{ print $1 - $2 }' | spread) |"
}

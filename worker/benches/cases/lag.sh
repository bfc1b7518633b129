# shellcheck shell=bash
# How late requests leave in an open loop on an idle core, and what that takes; `floor` is a bare loop that keeps the same
# schedule and sleeps in between.
# shellcheck disable=SC2034,SC2154 # scratch, target, rounds and url are bench.sh's and measure.sh's

case_lag() {
  local rate round cpu body=$scratch/body.500 seconds=5
  start_server responder 127.0.0.1:0
  echo "## Send lag"
  echo
  echo "Open loop, constant arrivals, 64 connections, $seconds s a round: from due to sent in µs, and the share of a core,"
  echo "beside that of a bare loop which sends at the same times and sleeps in between."
  echo
  echo "| | P50 | P99 | share of a core | a bare loop's |"
  echo "| ---: | ---: | ---: | ---: | ---: |"
  for rate in 2000 20000; do
    for ((round = 1; round <= rounds; round++)); do
      command=("$target/release/examples/load" "$url/" "$body" "$seconds" connections=64 "rate=$rate")
      cpu=$(cpu_of)
      figure "send lag P50" >>"$scratch/lag.$rate.P50"
      figure "send lag P99" >>"$scratch/lag.$rate.P99"
      awk -v cpu="$cpu" -v seconds="$seconds" 'BEGIN { print cpu / seconds / 1e6 }' >>"$scratch/lag.$rate.cpu"
      command=("$target/release/examples/floor" "$url/" 64 "$seconds" "$body" "rate=$rate")
      cpu=$(cpu_of)
      awk -v cpu="$cpu" -v seconds="$seconds" 'BEGIN { print cpu / seconds / 1e6 }' >>"$scratch/lag.$rate.floor"
      note "lag at $rate/s, round $round of $rounds: $(tail -n 1 "$scratch/lag.$rate.P50") us"
    done
    echo "| $rate/s | $(spread <"$scratch/lag.$rate.P50") | $(spread <"$scratch/lag.$rate.P99") |" \
      "$(spread <"$scratch/lag.$rate.cpu") | $(spread <"$scratch/lag.$rate.floor") |"
  done
  stop_server
  for rate in 2000 20000; do echo "$(median_of "$scratch/lag.$rate.P50") $rate/s"; done | goal "Send lag, P50, µs" "<=" 20
  for rate in 2000 20000; do echo "$(median_of "$scratch/lag.$rate.P99") $rate/s"; done | goal "Send lag, P99, µs" "<=" 60
  echo "$(median_of "$scratch/lag.20000.cpu") 20000/s" | goal "Share of a core at 20,000/s" "<=" 0.45
}

# shellcheck shell=bash
# CPU time per server-sent event: one each 20 ms on every stream, every event timed.
# shellcheck disable=SC2034,SC2154 # scratch, target, seconds and url are bench.sh's and measure.sh's

case_events() {
  local count client round cpu events body=$scratch/body.500 rows=() clients=(engine floor)
  start_server streamer 127.0.0.1:0 20 100
  for count in 200 1000; do
    rows+=("${count}_streams")
    for ((round = 1; round <= rounds; round++)); do
      for client in "${clients[@]}"; do
        case $client in
          engine) command=("$target/release/examples/load" "$url/" "$body" "$((seconds * 2))" "connections=$count" stream) ;;
          floor) command=("$target/release/examples/floor" "$url/" "$count" "$((seconds * 2))" "$body" stream) ;;
        esac
        cpu=$(cpu_of)
        events=$(figure events)
        [ -z "$(errors_of)" ] || fail "$client met errors, so its figure would mean nothing: $(errors_of)"
        awk -v cpu="$cpu" -v events="$events" 'BEGIN { printf "%.4f\n", cpu / events }' >>"$scratch/${rows[-1]}.$client"
        note "${rows[-1]}, round $round of $rounds: $client $(tail -n 1 "$scratch/${rows[-1]}.$client") us"
      done
    done
  done
  stop_server
  goal_of_ratio "Events ÷ a loop that times them" 1.15 floor "${rows[@]}"
  echo "## Server-sent events"
  echo
  echo "CPU time per event in µs; an event each 20 ms on every stream, each timed. \`floor\` finds the ends of events, takes"
  echo "the time of each, and does nothing else."
  echo
  table "" "${rows[@]}" -- "${clients[@]}"
}

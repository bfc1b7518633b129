# shellcheck shell=bash
# The most memory that a client held, by its connections.
# shellcheck disable=SC2034,SC2154 # scratch, target, seconds and url are bench.sh's and measure.sh's

case_memory() {
  local count client clients
  mapfile -t clients < <(available engine wrk oha)
  start_server responder 127.0.0.1:0
  echo "## Memory"
  echo
  echo "Most resident memory in MiB, connections kept; one reading each. The engine's is the whole worker's process."
  echo
  echo "| |$(printf ' %s |' "${clients[@]}")"
  echo "| ---: |$(printf ' ---: |%.0s' "${clients[@]}")"
  for count in 1000 5000 10000; do
    printf '| %s connections |' "$count"
    for client in "${clients[@]}"; do
      if [ "$client" = engine ]; then printf ' %s |' "$(memory_of_a_worker "$count")"; else
        command_of "$client" "$url" "$count" 500
        printf ' %s |' "$(memory_of "${command[@]}")"
      fi
    done
    echo
  done
  stop_server
}

# Looks again and again, since what was most is not kept for those who come late.
memory_of() {
  "$@" >/dev/null 2>&1 &
  local process=$! most=0 now
  while now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$process/status" 2>/dev/null) && [ -n "$now" ]; do
    most=$now
    sleep 0.1
  done
  wait "$process" || true
  awk -v most="$most" 'BEGIN { printf "%.1f", most / 1024 }'
}

# A worker as a run has it, as its own host readings have it.
memory_of_a_worker() {
  local results=$scratch/memory.$1
  "$target/release/archestra-bench" run --target "$url" --scenario simple_chat --workers 1 --concurrency "$1" \
    --duration "$((seconds + 2))s" --results-dir "$results" >/dev/null 2>&1 || true
  sed -n 's/.*"resident_bytes": *\([0-9]*\).*/\1/p' "$results"/*/intervals.jsonl | sort -n | tail -n 1 |
    awk '{ printf "%.1f", $1 / 1048576 }'
}

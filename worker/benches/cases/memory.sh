# shellcheck shell=bash
# The most memory that a client held, by its connections. The worker's is its whole process: its engine, and what it talks
# to its coordinator with. There is the worker's own program, for machines that carry load alone, and the one program that
# plays every role, of which more is mapped.
# shellcheck disable=SC2034,SC2154 # scratch, target, root, seconds and url are bench.sh's and measure.sh's

case_memory() {
  local count client clients small whole
  local -A most_mb=([1000]=12 [5000]=16 [10000]=24)
  mapfile -t clients < <(available wrk oha)
  (cd "$root" && cargo build --quiet --release --package archestra-bench)
  start_server responder 127.0.0.1:0
  echo "## Memory"
  echo
  echo "Most resident memory in MiB, connections kept; one reading each. Of a worker in brackets: what is its own, apart from"
  echo "the pages of program files, which processes share."
  echo
  echo "| | archestra-bench-worker | archestra-bench worker |$(printf ' %s |' "${clients[@]}")"
  echo "| ---: | ---: | ---: |$(printf ' ---: |%.0s' "${clients[@]}")"
  for count in 1000 5000 10000; do
    small=$(memory_of_a_worker "$count" "$target/release/archestra-bench-worker")
    whole=$(memory_of_a_worker "$count" "$target/release/archestra-bench" worker)
    printf '%s\n' "${small% *} archestra-bench-worker" "${whole% *} archestra-bench worker" | in_megabytes |
      goal "Memory at $count connections, MB" "<=" "${most_mb[$count]}"
    printf '| %s connections | %s | %s |' "$count" "$small" "$whole"
    for client in "${clients[@]}"; do
      command_of "$client" "$url" "$count" 500
      printf ' %s |' "$(memory_of "${command[@]}")"
    done
    echo
  done
  stop_server
}

in_megabytes() {
  awk '{ $1 = sprintf("%.1f", $1 * 1.048576); print }'
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

# A worker that carries a run: the most of the readings.
memory_of_a_worker() {
  local count=$1 said=$scratch/worker worker coordinator address='' most=0 own=0 now
  shift
  : >"$said"
  "$@" --listen 127.0.0.1:0 >"$said" 2>/dev/null &
  worker=$!
  for _ in $(seq 50); do
    address=$(sed -n 's,^listening on [a-z]*://,,p' "$said")
    [ -z "$address" ] || break
    sleep 0.1
  done
  [ -n "$address" ] || fail "the worker $1 did not start"
  "$target/release/archestra-bench" run --target "$url" --scenario simple_chat --fleet addresses --plaintext \
    --worker-address "$address" --concurrency "$count" --duration "$((seconds + 2))s" \
    --results-dir "$scratch/memory" >"$scratch/out" 2>&1 &
  coordinator=$!
  while kill -0 "$coordinator" 2>/dev/null; do
    now=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$worker/status")
    if [ "${now:-0}" -gt "$most" ]; then
      most=$now
      own=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$worker/status")
    fi
    sleep 0.1
  done
  wait "$coordinator" || fail "the run over $count connections failed: $(tail -n 1 "$scratch/out")"
  kill "$worker"
  wait "$worker" 2>/dev/null || true
  awk -v most="$most" -v own="$own" 'BEGIN { printf "%.1f (%.1f)", most / 1024, own / 1024 }'
}

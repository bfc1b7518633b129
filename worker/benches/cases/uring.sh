# shellcheck shell=bash
# Whether io_uring would make the engine cheaper: a bare loop over it beside the bare loop over epoll, same work. Not among
# the cases that run unasked, since its package brings a dependency that nothing else has.
# shellcheck disable=SC2034,SC2154 # scratch, target, root, rounds, seconds and url are bench.sh's and measure.sh's

case_uring() {
  local count client round cpu body=$scratch/body.500 clients=(uring floor)
  (cd "$root/worker/benches/uring" && cargo build --quiet --release --locked --target-dir "$target/uring")
  start_server responder 127.0.0.1:0
  echo "## io_uring"
  echo
  echo "CPU time per request in µs of loops that send and receive and do nothing else, POST of 500 bytes."
  echo
  echo "| | io_uring | epoll | io_uring ÷ epoll |"
  echo "| ---: | ---: | ---: | ---: |"
  for count in 10 64 256 1000; do
    for ((round = 1; round <= rounds; round++)); do
      for client in "${clients[@]}"; do
        case $client in
          uring) command=("$target/uring/release/uring-floor" "${url#http://}" "$count" "$seconds" "$body") ;;
          floor) command_of floor "$url" "$count" 500 ;;
        esac
        cpu=$(cpu_of)
        awk -v cpu="$cpu" -v requests="$(figure requests)" 'BEGIN { printf "%.4f\n", cpu / requests }' \
          >>"$scratch/uring.$count.$client"
        note "$count connections, round $round of $rounds: $client $(tail -n 1 "$scratch/uring.$count.$client") us"
      done
    done
    echo "| $count connections | $(spread <"$scratch/uring.$count.uring") | $(spread <"$scratch/uring.$count.floor") |" \
      "$(ratio "$scratch/uring.$count.uring" "$scratch/uring.$count.floor") |"
  done
  stop_server
}

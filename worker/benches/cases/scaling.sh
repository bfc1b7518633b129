# shellcheck shell=bash
# Whether more threads carry more. There are two cores here, and the server needs one of them, so the throughput of two
# threads says nothing. What a request costs them does, beside two processes of one thread each, which share nothing, in the
# same place: where it costs as much, nothing that the threads share holds them up, and on cores of their own they carry
# twice what one carries.
# shellcheck disable=SC2034,SC2154 # scratch, target, rounds, seconds, url and client_cores are bench.sh's and measure.sh's

case_scaling() {
  local count threads round cpu requests body=$scratch/body.500 load=$target/release/examples/load
  start_server responder 127.0.0.1:0
  client_cores=0,1
  echo "## Threads"
  echo
  echo "CPU time per request in µs, HTTP/1.1, connections kept, of one process with two threads and of two processes with one"
  echo "thread and half the connections each, both on cores 0 and 1, of which the server has one too; and how many times the"
  echo "load of one thread two carry on cores of their own, which is 2 × the cost with processes ÷ the cost with threads."
  echo
  echo "| | two processes | two threads | two carry |"
  echo "| ---: | ---: | ---: | ---: |"
  for count in 64 256; do
    for ((round = 1; round <= rounds; round++)); do
      for threads in 1 2; do
        command=("$load" "$url/" "$body" "$seconds" "connections=$((count * threads / 2))" "threads=$threads")
        # shellcheck disable=SC2016 # for the other shell
        if [ "$threads" = 1 ]; then command=(bash -c '"$@" & "$@" & wait' twice "${command[@]}"); fi
        cpu=$(cpu_of)
        requests=$(figure requests | awk '{ sum += $1 } END { print sum }')
        [ -z "$(errors_of)" ] || fail "the engine met errors, so its figure would mean nothing: $(errors_of)"
        awk -v cpu="$cpu" -v requests="$requests" 'BEGIN { printf "%.4f\n", cpu / requests }' \
          >>"$scratch/scaling.$count.$threads"
        note "$count connections, round $round of $rounds: $threads threads $(tail -n 1 "$scratch/scaling.$count.$threads") us"
      done
    done
    echo "| $count connections | $(spread <"$scratch/scaling.$count.1") | $(spread <"$scratch/scaling.$count.2") |" \
      "$(paste "$scratch/scaling.$count.1" "$scratch/scaling.$count.2" | awk '{ print 2 * $1 / $2 }' | spread) |"
  done
  for count in 64 256; do
    echo "$(paste "$scratch/scaling.$count.1" "$scratch/scaling.$count.2" | awk '{ print 2 * $1 / $2 }' | spread |
      cut -d ' ' -f 1) $count connections"
  done | goal "Two threads carry, times one" ">=" 1.90
  client_cores=0
  stop_server
}

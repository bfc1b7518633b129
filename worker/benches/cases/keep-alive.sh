# shellcheck shell=bash
# CPU time per request over connections that are kept, with everything on in the engine: a deadline per request, all
# histograms, due times, the check of the answer. `floor` sends and receives and does nothing else.
# shellcheck disable=SC2034,SC2154 # row_requests is read, and url set, by measure.sh

case_keep_alive() {
  local clients count bytes rows=() row_requests=()
  mapfile -t clients < <(available engine wrk ab oha floor)
  start_server responder 127.0.0.1:0
  for bytes in 300 1500; do
    for count in 10 64 256 1000; do
      add_row "${count}_connections,_${bytes}_bytes" "$url" "$count" "$bytes"
    done
  done
  sample_rows "${clients[@]}"
  stop_server
  goal_of_ratio "Kept connections, 10 of them ÷ wrk" 0.76 wrk "${rows[0]}" "${rows[4]}"
  goal_of_ratio "Kept connections, more of them ÷ wrk" 0.80 wrk "${rows[@]:1:3}" "${rows[@]:5:3}"
  goal_of_ratio "Kept connections ÷ \`ab -k\`" 0.95 ab "${rows[@]}"
  goal_of_ratio "Kept connections ÷ oha" 0.60 oha "${rows[@]}"
  goal_of_ratio "Kept connections ÷ a bare loop" 1.08 floor "${rows[@]}"
  echo "## Connections that are kept"
  echo
  echo "CPU time per request in µs, HTTP/1.1, JSON POST, answers of 600 bytes, against a bare responder. \`ab\` with -k."
  echo
  table "" "${rows[@]}" -- "${clients[@]}"
}

# shellcheck shell=bash
# CPU time per request where each has a connection of its own.
# shellcheck disable=SC2034,SC2154 # row_requests is read, and url set, by measure.sh

case_connections() {
  local clients count rows=() row_requests=()
  mapfile -t clients < <(available engine ab)
  start_server responder 127.0.0.1:0
  for count in 10 64; do
    add_row "${count}_at_a_time" "$url" "$count" 500 no-keep-alive
  done
  sample_rows "${clients[@]}"
  stop_server
  goal_of_ratio "A connection for each request ÷ \`ab\`" 1.00 ab "${rows[@]}"
  echo "## A connection for each request"
  echo
  echo "CPU time per request in µs, POST of 500 bytes, answers of 600 bytes. \`ab\` without -k."
  echo
  table "" "${rows[@]}" -- "${clients[@]}"
}

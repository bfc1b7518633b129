# shellcheck shell=bash
# CPU time per request over HTTP/2 by prior knowledge, 100 requests at once on 4 connections, against nginx.
# shellcheck disable=SC2034 # row_requests is read by measure.sh

case_http2() {
  local clients rows=() row_requests=() port=19480
  mapfile -t clients < <(available engine h2load oha)
  start_nginx "listen 127.0.0.1:$port http2;"
  add_row "100_streams_on_4_connections" "http://127.0.0.1:$port" 100 500 streams=25
  sample_rows "${clients[@]}"
  stop_server
  goal_of_ratio "HTTP/2 ÷ h2load" 1.50 h2load "${rows[@]}"
  goal_of_ratio "HTTP/2 ÷ oha" 0.70 oha "${rows[@]}"
  echo "## HTTP/2"
  echo
  echo "CPU time per request in µs, plain text, POST of 500 bytes, answers of 600 bytes, against nginx."
  echo
  table "" "${rows[@]}" -- "${clients[@]}"
}

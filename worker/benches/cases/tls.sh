# shellcheck shell=bash
# CPU time per request over TLS 1.3, connections kept, against nginx.
# shellcheck disable=SC2034,SC2154 # row_requests is read by measure.sh; scratch is bench.sh's

case_tls() {
  local clients count rows=() row_requests=() port=19443
  mapfile -t clients < <(available engine wrk ab oha)
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$scratch/key.pem" -out "$scratch/certificate.pem" 2>/dev/null
  start_nginx "listen 127.0.0.1:$port ssl; ssl_protocols TLSv1.3;
    ssl_certificate $scratch/certificate.pem; ssl_certificate_key $scratch/key.pem;"
  for count in 10 64; do
    add_row "${count}_connections,_TLS" "https://127.0.0.1:$port" "$count" 500
  done
  sample_rows "${clients[@]}"
  stop_server
  goal_of_ratio "TLS 1.3 ÷ wrk" 0.85 wrk "${rows[@]}"
  echo "## TLS 1.3"
  echo
  echo "CPU time per request in µs, connections kept, POST of 500 bytes, answers of 600 bytes, against nginx."
  echo
  table "" "${rows[@]}" -- "${clients[@]}"
}

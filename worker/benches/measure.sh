# shellcheck shell=bash
# Servers, samples and tables for the cases. Sourced by bench.sh.
# shellcheck disable=SC2154 # rows and row_requests are a case's; scratch, target, rounds and seconds are bench.sh's

readonly server_core=1
# A case may give its clients more.
client_cores=0
server_process=

# Starts an example as the server; sets `url`.
start_server() {
  local example=$1 && shift
  : >"$scratch/server"
  taskset --cpu-list "$server_core" "$target/release/examples/$example" "$@" >"$scratch/server" &
  server_process=$!
  for _ in $(seq 50); do
    url=$(sed -n 's/^listening on //p' "$scratch/server")
    [ -z "$url" ] || return 0
    sleep 0.1
  done
  fail "the server $example did not start"
}

# Starts nginx with more lines for its one server; sets nothing. Answers are 600 bytes, as the responder's are.
start_nginx() {
  local lines=$1 folder=$scratch/nginx
  rm -rf "$folder" && mkdir -p "$folder"
  cat >"$folder/nginx.conf" <<CONF
daemon off;
pid $folder/pid;
error_log $folder/error.log;
worker_processes 1;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  server {
    $lines
    location / {
      default_type application/json;
      return 200 '$(answer)';
    }
  }
}
CONF
  taskset --cpu-list "$server_core" nginx -p "$folder" -c "$folder/nginx.conf" 2>"$folder/start.log" &
  server_process=$!
  for _ in $(seq 50); do
    [ ! -s "$folder/pid" ] || return 0
    sleep 0.1
  done
  fail "nginx did not start: $(tail -n 1 "$folder/start.log")"
}

answer() {
  local before='{"id":"chatcmpl-0","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"'
  local after='"},"finish_reason":"stop"}]}'
  printf '%s%s%s' "$before" "$(printf '%*s' $((600 - ${#before} - ${#after})) '' | tr ' ' x)" "$after"
}

stop_server() {
  [ -z "$server_process" ] || { kill "$server_process" 2>/dev/null && wait "$server_process" 2>/dev/null; } || true
  server_process=
}

# Runs `command` on the client's cores, its output in `$scratch/out`; prints its CPU time in microseconds. The shell's own
# timing counts the client alone, to the millisecond.
cpu_of() {
  local TIMEFORMAT='%U %S'
  { time timeout $((seconds * 5 + 20)) taskset --cpu-list "$client_cores" "${command[@]}" \
    >"$scratch/out" 2>"$scratch/errors"; } 2>"$scratch/times" ||
    fail "${command[*]} failed: $(tail -n 1 "$scratch/errors")"
  awk '{ printf "%.0f\n", ($1 + $2) * 1e6 }' "$scratch/times"
}

# One more row of the case: `add_row ROW URL CONNECTIONS BODY_BYTES [no-keep-alive|streams=N]`.
add_row() {
  rows+=("$1")
  row_requests+=("${*:2}")
}

# Rounds of all clients in all rows that were added: `sample_rows CLIENTS`. The samples of a client, CPU microseconds per
# request, are in `$scratch/ROW.CLIENT`. A round goes through every row, so that whatever disturbs the machine for a while
# does not fall on one row alone, and the first round, in which machine and server warm up, is not kept.
sample_rows() {
  local row how client round index requests cpu
  for ((round = 0; round <= rounds; round++)); do
    for index in "${!rows[@]}"; do
      row=${rows[index]}
      read -ra how <<<"${row_requests[index]}"
      for client in "$@"; do
        command_of "$client" "${how[@]}"
        cpu=$(cpu_of)
        requests=$(requests_of "$client")
        [ -z "$(errors_of)" ] || fail "$client met errors, so its figure would mean nothing: $(errors_of)"
        [ "${requests:-0}" -gt 0 ] || fail "$client completed no request: ${command[*]}"
        [ "$round" -gt 0 ] || continue
        awk -v cpu="$cpu" -v requests="$requests" 'BEGIN { printf "%.4f\n", cpu / requests }' >>"$scratch/$row.$client"
        note "$row, round $round of $rounds: $client $(tail -n 1 "$scratch/$row.$client") us"
      done
    done
  done
}

# A table of rows that were sampled: `table FIRST_COLUMN ROWS -- CLIENTS`. The engine's ratio to each other client follows.
table() {
  local first=$1 && shift
  local rows=() row client cells
  while [ "$1" != -- ]; do rows+=("$1") && shift; done
  shift
  cells="| $first |"
  for client in "$@"; do cells+=" $client |"; done
  for client in "$@"; do [ "$client" = engine ] || cells+=" engine ÷ $client |"; done
  echo "$cells"
  tr -c -s '|\n' '-' <<<"$cells" | sed 's/-/ ---: /g'
  for row in "${rows[@]}"; do
    cells="| ${row//_/ } |"
    for client in "$@"; do cells+=" $(spread <"$scratch/$row.$client") |"; done
    for client in "$@"; do
      [ "$client" = engine ] || cells+=" $(ratio "$scratch/$row.engine" "$scratch/$row.$client") |"
    done
    echo "$cells"
  done
}

ratio() {
  paste "$1" "$2" | awk '{ print $1 / $2 }' | spread
}

# The median, lowest and highest of the numbers on standard input.
spread() {
  sort -n | awk '
    { number[NR] = $1 }
    END {
      middle = (number[int((NR + 1) / 2)] + number[int(NR / 2) + 1]) / 2
      printf "%.2f (%.2f–%.2f)", middle, number[1], number[NR]
    }'
}

# Of these clients, those that can be had.
available() {
  local client
  for client in "$@"; do
    if is_there "$client"; then echo "$client"; fi
  done
}

# A figure that a program printed as `NAME: FIGURE`.
figure() {
  sed -n "s/^$1: \([0-9.]*\).*/\1/p" "$scratch/out"
}

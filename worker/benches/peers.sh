# shellcheck shell=bash
# The clients that are compared: how each is had, started, and asked what it did. Sourced by bench.sh.
# shellcheck disable=SC2154 # scratch, target and seconds are bench.sh's

readonly oha_version=1.16.0

# Debian's packages and one crate; what cannot be had is skipped by name.
install_peers() {
  local missing=()
  have wrk || missing+=(wrk)
  have ab || missing+=(apache2-utils)
  have h2load || missing+=(nghttp2-client)
  have nginx || missing+=(nginx-light)
  have openssl || missing+=(openssl)
  if [ ${#missing[@]} -gt 0 ]; then
    { apt-get update --quiet --quiet &&
      DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends "${missing[@]}"; } \
      >&2 || note "could not install ${missing[*]}"
  fi
  if ! oha=$(oha_path); then
    note "building oha $oha_version, which takes minutes"
    cargo install --quiet --locked --root "$target/tools" "oha@$oha_version" >&2 || note "could not build oha"
    oha=$(oha_path) || oha=
  fi
}

oha_path() {
  if [ -x "$target/tools/bin/oha" ]; then echo "$target/tools/bin/oha"; else command -v oha; fi
}

peer_versions() {
  if have wrk; then echo "- $({ wrk --version || true; } 2>&1 | sed -n 's/ Copyright.*//p' | head -n 1)"; fi
  if have ab; then echo "- $(ab -V | sed -n 's/^This is \(.*\) <.*/\1/p')"; fi
  if have h2load; then echo "- $(h2load --version)"; fi
  if [ -n "$oha" ]; then echo "- $("$oha" --version)"; fi
  if have nginx; then echo "- $(nginx -v 2>&1)"; fi
}

# Whether a client can be had; says so where not.
is_there() {
  case $1 in
    engine | floor) return 0 ;;
    oha) [ -n "$oha" ] || { note "oha skipped" && return 1; } ;;
    *) have "$1" || { note "$1 skipped: it is not installed" && return 1; } ;;
  esac
}

# A chat request of so many bytes, as a file, and as a script for wrk.
write_request() {
  local bytes=$1 before='{"model":"gpt-4o","messages":[{"role":"user","content":"' after='"}]}'
  local filling=$((bytes - ${#before} - ${#after}))
  printf '%s%s%s' "$before" "$(printf '%*s' "$filling" '' | tr ' ' x)" "$after" >"$scratch/body.$bytes"
  cat >"$scratch/post.$bytes.lua" <<LUA
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open("$scratch/body.$bytes"):read("*a")
LUA
}

# Sets `command` for a client: `command_of CLIENT URL AT_ONCE BODY_BYTES [no-keep-alive|streams=N]`. With N streams, which
# are HTTP/2's, so many of the requests at once share a connection. ab ends after a number of requests too, which must be
# more than it can send.
command_of() {
  local client=$1 url=$2/v1/chat/completions count=$3 bytes=$4 manner=${5:-}
  local body=$scratch/body.$bytes many=$((seconds * 1000000)) streams=
  if [ "${manner#streams=}" != "$manner" ]; then streams=${manner#streams=}; fi
  case $client in
    engine)
      command=("$target/release/examples/load" "$url" "$body" "$seconds" "connections=$count")
      [ -z "$manner" ] || command+=("$manner")
      ;;
    floor) command=("$target/release/examples/floor" "$url" "$count" "$seconds" "$body") ;;
    wrk) command=(wrk -t1 "-c$count" "-d${seconds}s" -s "$scratch/post.$bytes.lua" "$url") ;;
    ab)
      command=(ab -q -t "$seconds" -n "$many" -c "$count" -T application/json -p "$body")
      [ -n "$manner" ] || command+=(-k)
      command+=("$url")
      ;;
    h2load)
      command=(h2load --threads=1 "--clients=$((count / streams))" "--max-concurrent-streams=$streams"
        "--duration=$seconds" "--data=$body" --header="content-type: application/json" "$url")
      ;;
    oha)
      command=("$oha" --no-tui --output-format json --insecure -z "${seconds}s" -m POST -T application/json -D "$body")
      if [ -n "$streams" ]; then command+=(--http2 -c "$((count / streams))" -p "$streams"); else command+=(-c "$count"); fi
      command+=("$url")
      ;;
  esac
}

# How many requests the client says that it completed, of the output in `$scratch/out`.
requests_of() {
  case $1 in
    engine | floor) sed -n 's/^requests: \([0-9]*\).*/\1/p' "$scratch/out" ;;
    wrk) sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' "$scratch/out" ;;
    ab) sed -n 's/^Complete requests: *\([0-9]*\)$/\1/p' "$scratch/out" ;;
    oha) sed -n '/"statusCodeDistribution"/,/}/s/^ *"200": *\([0-9]*\).*/\1/p' "$scratch/out" ;;
    h2load) sed -n 's/^requests: .* \([0-9]*\) succeeded.*/\1/p' "$scratch/out" ;;
  esac
}

# The line in which a client admits errors, if it does.
errors_of() {
  grep -E '^ *(Socket errors|Non-2xx)|^Failed requests: *[1-9]|^failed: [1-9]|succeeded, [1-9][0-9]* failed' "$scratch/out" || true
}

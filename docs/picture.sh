#!/usr/bin/env bash
# Makes docs/images/report.png and the outputs in README.md anew, from two runs on this machine's loopback: one without any
# configuration, and one through a stand-in for a gateway, which passes on each request 3 ms late, to a mock upstream that
# answers after 5 ms.
#
#     docs/picture.sh [PROGRAM]
#
# Takes python3, chromium, and free ports 9000 and 9100. A run whose verdict is not `valid` is made again, three times at most:
# a busy machine gives no picture.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-target/release/archestra-bench}")
folder=$(mktemp -d)
readonly program folder

main() {
  trap end EXIT
  measure first run
  "$program" mock --listen 127.0.0.1:9100 --latency 5ms >/dev/null &
  gateway >/dev/null &
  wait_for 9100
  wait_for 9000
  measure both run --target http://127.0.0.1:9000 --direct http://127.0.0.1:9100 --rate 200 --duration 6s \
    --scenario simple_chat
  picture
  table both '| Test Scenario | Load | Added mean' | between overhead
  { echo '```markdown'; sed -n '/^# /,/^| chat_with_tools/p' "$folder/first/summary.md"; echo '```'; } | between summary
}

# Runs it until its verdict is `valid`, and keeps summary and results under a name.
measure() {
  local name=$1 && shift
  for _ in 1 2 3; do
    "$program" "$@" --quiet --results-dir "$folder/$name/results" >"$folder/$name.md"
    mkdir -p "$folder/$name" && mv "$folder/$name.md" "$folder/$name/summary.md"
    grep -q '^\*\*Verdict: valid\*\*' "$folder/$name/summary.md" && return
    sed -n '/^\*\*Verdict/,/^- \*\*Date/p' "$folder/$name/summary.md" >&2
  done
  echo "no run came to the verdict valid: try again on a quieter machine" >&2
  exit 1
}

# Bytes go on as they come; those towards the upstream 3 ms late.
gateway() {
  exec python3 -c '
import asyncio

async def hand_on(source, sink, late):
    while data := await source.read(65536):
        if late:
            await asyncio.sleep(0.003)
        sink.write(data)
    sink.close()

async def connection(reader, writer):
    from_upstream, to_upstream = await asyncio.open_connection("127.0.0.1", 9100)
    await asyncio.gather(hand_on(reader, to_upstream, True), hand_on(from_upstream, writer, False))

async def main():
    async with await asyncio.start_server(connection, "127.0.0.1", 9000) as server:
        await server.serve_forever()

asyncio.run(main())'
}

picture() {
  local page
  page=$(echo "$folder"/both/results/2*/report.html | tr ' ' '\n' | tail -n 1)
  mkdir -p docs/images
  chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --force-color-profile=srgb \
    --user-data-dir="$folder/chromium" --window-size=1280,950 --screenshot="$PWD/docs/images/report.png" \
    "file://$page" >/dev/null 2>&1
}

# A table of a summary, by the beginning of its first line.
table() {
  awk -v head="$2" 'index($0, head) == 1 { inside = 1 } inside && !/^\|/ { exit } inside' "$folder/$1/summary.md"
}

# Puts what it reads between two comments of README.md.
between() {
  local text
  text=$(cat)
  NAME=$1 TEXT=$text python3 -c '
import os, re
name, text = os.environ["NAME"], os.environ["TEXT"]
readme = open("README.md").read()
marks = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
assert marks.search(readme) and text.strip(), name
open("README.md", "w").write(marks.sub(lambda marks: f"{marks[1]}{text}\n{marks[2]}", readme))'
}

wait_for() {
  until (echo >"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do sleep 0.05; done
}

end() {
  # shellcheck disable=SC2046 # several numbers
  kill $(jobs -p) 2>/dev/null || true
  rm -rf "$folder"
}

main

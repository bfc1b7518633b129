# shellcheck shell=bash
# The goals, beside what was measured. Sourced by bench.sh; a case holds its own goals to its samples when it has them.
# shellcheck disable=SC2154 # scratch is bench.sh's

# Medians count: `goal TEXT RELATION LIMIT`, with a line for each row on standard input, `MEDIAN ROW`. RELATION is `<=` or
# `>=`.
goal() {
  awk -v text="$1" -v relation="$2" -v limit="$3" '
    {
      value = $1
      sub(/^[^ ]* */, "")
      if (NR == 1 || value + 0 < low + 0) low = value
      if (NR == 1 || value + 0 > high + 0) high = value
      # As it is shown, so that what looks met is met.
      if (relation == "<=" ? value + 0 > limit + 0 : value + 0 < limit + 0) {
        missed = missed (missed == "" ? "" : ", ") $0 " (" value ")"
      }
    }
    END {
      if (NR == 0) exit
      measured = low == high ? low : low "–" high
      sign = relation == "<=" ? "≤" : "≥"
      printf "| %s | %s %s | %s | %s |\n", text, sign, limit, measured, missed == "" ? "met" : "missed: " missed
    }' >>"$scratch/goals"
}

# The same for the engine's ratio to another client in sampled rows: `goal_of_ratio TEXT LIMIT CLIENT ROWS`. Nothing is said
# of a client that is not there.
goal_of_ratio() {
  local text=$1 limit=$2 client=$3 row
  shift 3
  for row in "$@"; do
    [ -f "$scratch/$row.$client" ] || continue
    echo "$(ratio "$scratch/$row.engine" "$scratch/$row.$client" | cut -d ' ' -f 1) ${row//_/ }"
  done | goal "$text" "<=" "$limit"
}

# The median of a file of numbers.
median_of() {
  spread <"$1" | cut -d ' ' -f 1
}

goals() {
  [ -s "$scratch/goals" ] || return 0
  echo
  echo "## Against the goals"
  echo
  echo "Of medians, the lowest and the highest of all rows, and which miss the goal."
  echo
  echo "| | Goal | Measured | |"
  echo "| --- | --- | --- | --- |"
  cat "$scratch/goals"
}

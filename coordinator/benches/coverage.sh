#!/bin/sh
# How often intervals hold the truth: a table over simulated runs, some minutes on two cores.
# Usage: coverage.sh [SEEDS] [--seed FIRST]
# Runs follow from the seeds FIRST (0) to FIRST + SEEDS - 1; others are another sample of the same.
set -eu
cd "$(dirname "$0")/../.."
cargo run --quiet --release --package archestra-bench --example coverage -- "$@"
exec cargo run --quiet --release --package archestra-bench --example comparisons -- "$@"

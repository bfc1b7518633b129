#!/bin/bash
# The old script's name for `archestra-bench run`, which loads the platform; it takes that command's flags.
exec cargo run --quiet --release --manifest-path "$(dirname "${BASH_SOURCE[0]}")/../Cargo.toml" -- run "$@"

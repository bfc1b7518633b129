# The tasks of this repository.

# List them
[private]
default:
    @just --list --unsorted

# Everything that CI checks, the cheapest first
check: format scripts dependencies lints test

# Is the code formatted?
format:
    @.ci/step "format" cargo fmt --all --check

# Are the shell scripts sound?
scripts:
    @.ci/step "scripts" sh -c 'git ls-files -z ".ci/*" "*.sh" ":!*.txt" | xargs -0 shellcheck'

# Advisories are left out: their database is one more download, which cannot be had offline.
# Are the dependencies such as deny.toml allows?
dependencies:
    @.ci/step "dependencies" cargo deny --log-level error check bans licenses sources

# Is clippy content?
lints:
    @.ci/step "lints" cargo clippy --workspace --all-targets --locked -- -D warnings

# The README's test command; not a timed step, so that the test runner has the last word
test:
    @echo "== test"
    @cargo test --workspace

# What the engine costs beside other load generators, such as `just bench --rounds 1 --cases "tls events"`
bench *arguments:
    worker/benches/bench.sh {{ arguments }}

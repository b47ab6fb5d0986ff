# The commands of this repository. `just` lists them; each is one line that can also be typed.

# Lists the commands.
default:
    @just --list --unsorted

# Runs the first scenario: deploy, load, judge, report.
demo:
    cargo run --release -- run scenarios/quickstart

# Checks format and lints.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Runs all tests.
test:
    cargo test --workspace --locked

# Does what CI does.
ci:
    .ci/run

# Runs the tests against real services, after installing these (slow).
real:
    scripts/real/run

# Runs the benches, and shows that memory does not grow with the number of requests and how often verdicts are right.
bench:
    cargo bench --package plimsoll-benches
    benches/memory
    benches/queueing
    benches/coverage

# Checks licences, banned crates and sources (needs cargo-deny).
deny:
    cargo deny check licenses bans sources

#!/usr/bin/env bash
# What has to pass before a change is done: formatting, lints, tests, documentation, licences. CI runs the same.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

# The database of advisories comes over the network, which not every machine has.
deny() {
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "cargo-deny is not installed: licences, bans, sources and advisories were NOT checked"
        echo "(cargo install cargo-deny --locked)"
    elif timeout 120 cargo deny fetch db >/dev/null 2>&1; then
        step cargo deny check
    else
        step cargo deny check licenses bans sources
        echo "the database of advisories cannot be reached: advisories were NOT checked"
    fi
}

step cargo fmt --check
step cargo clippy --all-targets -- -D warnings
step cargo test
RUSTDOCFLAGS="-D warnings" step cargo doc --no-deps
deny
printf '\nall checks passed\n'

#!/usr/bin/env bash
# Rewrites what is generated: the example of the settings, and the golden files of the tests. Then read the diff;
# every line of it is a change that somebody will notice.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --bin auth-service
example="$(mktemp)"
trap 'rm -f "$example"' EXIT
"${CARGO_TARGET_DIR:-target}/debug/auth-service" config example >"$example"
cat "$example" >data/config.example.toml

AUTH_BLESS=1 cargo test
git diff --stat

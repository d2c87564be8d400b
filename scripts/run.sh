#!/usr/bin/env bash
# Builds the server and runs it on a data directory that is gone afterwards, with an administrator who can log in.
# Arguments go to the server: scripts/run.sh --listen 127.0.0.1:8001
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --bin auth-service
binary="${CARGO_TARGET_DIR:-target}/debug/auth-service"
data="$(mktemp -d)"
trap 'rm -rf "$data"' EXIT

password="$(head -c 15 /dev/urandom | base64)"
"$binary" --data-dir "$data" user create --username admin --email admin@example.org --superuser \
    --password-stdin <<<"$password" >/dev/null

printf '\n  User name: admin\n  Password:  %s\n\n' "$password"
"$binary" --data-dir "$data" "$@"

#!/usr/bin/env bash
# Kills the release binary under load, again and again, and looks for anything that it had promised and lost.
# scripts/kill.sh [ROUNDS], 20 by default.
set -euo pipefail
cd "$(dirname "$0")/.."

binary="${CARGO_TARGET_DIR:-target}/release/auth-service"
[[ -x $binary ]] || cargo build --release --bin auth-service
exec python3 scripts/kill.py --binary "$binary" --rounds "${1:-20}"

#!/usr/bin/env bash
# The proxies under scripts/proxies, run as Debian has them before a small application: with nobody, with a key, with a session,
# with what is forged, and in a browser. Proxies that the machine does not have are named and passed over. Ends at the first
# surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

binary="${AUTH_BINARY:-${CARGO_TARGET_DIR:-target}/release/auth-service}"
[[ -x $binary ]] || cargo build --release --bin auth-service
exec python3 scripts/proxies.py "$binary"

#!/usr/bin/env bash
# A real browser with a virtual authenticator makes a passkey on the page of the release binary, logs in with it, and has it
# filled in by itself. Ends at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

binary="${AUTH_BINARY:-${CARGO_TARGET_DIR:-target}/release/auth-service}"
[[ -x $binary ]] || cargo build --release --bin auth-service
for program in chromium chromedriver; do
    if ! command -v "$program" >/dev/null; then
        echo "notice: $program is not installed: passkeys were NOT tried in a browser"
        exit 0
    fi
done
exec python3 scripts/passkey.py "$binary"

#!/usr/bin/env bash
# A real browser goes through the pages of the binary: makes an account, signs in with a code of an app and with a passkey,
# agrees, is not asked again for a second client, and signs out; without JavaScript where the pages promise that. Pictures of
# what it has seen lie in the directory that is named, or in none. Ends at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

binary="${AUTH_BINARY:-${CARGO_TARGET_DIR:-target}/release/auth-service}"
[[ -x $binary ]] || cargo build --release --bin auth-service
for program in chromium chromedriver; do
    if ! command -v "$program" >/dev/null; then
        echo "notice: $program is not installed: the pages were NOT tried in a browser"
        exit 0
    fi
done
exec python3 scripts/browser.py "$binary" "$@"

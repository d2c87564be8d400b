#!/usr/bin/env bash
# The release binary sends its mails to a real mail server (aiosmtpd, with STARTTLS and a login): addresses are verified and
# changed, passwords reset, and a mail server that goes away loses nothing. Ends at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

binary="${AUTH_BINARY:-${CARGO_TARGET_DIR:-target}/release/auth-service}"
[[ -x $binary ]] || cargo build --release --bin auth-service
# A distribution's package is for the distribution's Python.
for python in python3 /usr/bin/python3; do
    if "$python" -c "import aiosmtpd" 2>/dev/null && command -v openssl >/dev/null; then
        exec "$python" scripts/mail.py "$binary"
    fi
done
echo "notice: aiosmtpd or openssl is not installed: mails were NOT tried with a mail server"

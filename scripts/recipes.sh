#!/usr/bin/env bash
# Every recipe under scripts/recipes, run against the release binary: a command-line client, a single-page app in a browser, an
# application on a server, and Apache. What they need is installed into a directory of its own; programs that
# the machine does not have are named and passed over. Ends at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

binary="$(realpath -m "${AUTH_BINARY:-${CARGO_TARGET_DIR:-target}/release/auth-service}")"
[[ -x $binary ]] || cargo build --release --bin auth-service
tools="$(realpath -m "${CARGO_TARGET_DIR:-target}/oidc-clients")"
mkdir -p "$tools"

skip() {
    echo "notice: $1: the recipes were NOT run"
    exit 0
}

if [[ ! -x $tools/python/bin/python ]]; then
    python3 -m venv "$tools/python" || skip "python3 has no venv"
fi
"$tools/python/bin/python" -c "import authlib, flask, joserfc, requests" 2>/dev/null ||
    "$tools/python/bin/pip" install --quiet "authlib>=1.6,<2" "flask>=3,<4" joserfc "requests>=2.32,<3" ||
    skip "Flask and Authlib could not be installed"

exec "$tools/python/bin/python" scripts/recipes.py "$binary"

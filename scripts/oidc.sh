#!/usr/bin/env bash
# The release binary as an OpenID Connect provider for clients that others have written: openid-client (npm), whose author has
# had it certified, and Authlib (PyPI). Both are installed into a directory of their own. Ends at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

binary="$(realpath -m "${AUTH_BINARY:-${CARGO_TARGET_DIR:-target}/release/auth-service}")"
[[ -x $binary ]] || cargo build --release --bin auth-service
tools="$(realpath -m "${CARGO_TARGET_DIR:-target}/oidc-clients")"
mkdir -p "$tools"

skip() {
    echo "notice: $1: the provider was NOT tried with clients of others"
    exit 0
}

if [[ ! -x $tools/python/bin/python ]]; then
    python3 -m venv "$tools/python" || skip "python3 has no venv"
fi
"$tools/python/bin/python" -c "import authlib, joserfc, requests" 2>/dev/null ||
    "$tools/python/bin/pip" install --quiet "authlib>=1.6,<2" joserfc "requests>=2.32,<3" || skip "Authlib could not be installed"
command -v npm >/dev/null || skip "npm is not installed"
[[ -d $tools/node_modules/openid-client ]] ||
    npm install --silent --no-fund --no-audit --prefix "$tools" openid-client@6 || skip "openid-client could not be installed"

exec "$tools/python/bin/python" scripts/oidc.py "$binary" "$tools"

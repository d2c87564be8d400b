#!/usr/bin/env bash
# An MCP server behind Auth Service, and a client that has never heard of either: it finds both by their metadata, registers itself,
# logs its user in, and calls a tool. See README.md beside this file. Ends at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/../.."

binary="$(realpath -m "${AUTH_BINARY:-${CARGO_TARGET_DIR:-target}/release/auth-service}")"
[[ -x $binary ]] || cargo build --release --bin auth-service
tools="$(realpath -m "${CARGO_TARGET_DIR:-target}/oidc-clients")"
mkdir -p "$tools"

skip() {
    echo "notice: $1: the recipe of the MCP server was NOT tried"
    exit 0
}

if [[ ! -x $tools/python/bin/python ]]; then
    python3 -m venv "$tools/python" || skip "python3 has no venv"
fi
"$tools/python/bin/python" -c "import authlib, joserfc, requests" 2>/dev/null ||
    "$tools/python/bin/pip" install --quiet "authlib>=1.6,<2" joserfc "requests>=2.32,<3" || skip "Authlib could not be installed"

exec "$tools/python/bin/python" scripts/recipes/mcp.py "$binary"

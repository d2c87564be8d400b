#!/usr/bin/env bash
# The release binary as an OpenID Connect provider for clients that others have written: openid-client (npm), whose author has
# had it certified, and Authlib (PyPI). Both are installed into a directory of their own. Ends at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

untried="the provider was NOT tried with clients of others"
source scripts/clients.sh
command -v npm >/dev/null || skip "npm is not installed"
[[ -d $tools/node_modules/openid-client ]] ||
    npm install --silent --no-fund --no-audit --prefix "$tools" openid-client@6 || skip "openid-client could not be installed"

exec "$python" scripts/oidc.py "$binary" "$tools"

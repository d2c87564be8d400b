#!/usr/bin/env bash
# The recipes under scripts/recipes, run against the release binary: a command-line client, a single-page app in a browser, an
# application on a server, and Apache. What they need is installed into a directory of its own; programs that
# the machine does not have are named and passed over. Ends at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

untried="the recipes were NOT run"
source scripts/clients.sh
exec "$python" scripts/recipes.py "$binary"

#!/usr/bin/env bash
# An MCP server behind Auth Service, and a client that has never heard of either: it finds both by their metadata, registers itself,
# logs its user in, and calls a tool. See README.md beside this file. Ends at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/../.."

untried="the recipe of the MCP server was NOT run"
source scripts/clients.sh
exec "$python" scripts/recipes/mcp.py "$binary"

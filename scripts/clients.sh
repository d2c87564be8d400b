# shellcheck shell=bash
# For the scripts that try clients of others; they source it in the project's folder, with `untried` saying what a machine leaves
# out that cannot have them. It gives `binary`, the release binary; `tools`, a directory for what others have written; and `python`,
# which has the libraries of PyPI that any of the scripts needs.
binary="$(realpath -m "${AUTH_BINARY:-${CARGO_TARGET_DIR:-target}/release/auth-service}")"
[[ -x $binary ]] || cargo build --release --bin auth-service
tools="$(realpath -m "${CARGO_TARGET_DIR:-target}/oidc-clients")"
python="$tools/python/bin/python"
mkdir -p "$tools"

skip() {
    echo "notice: $1: ${untried:?}"
    exit 0
}

[[ -x $python ]] || python3 -m venv "$tools/python" || skip "python3 has no venv"
"$python" -c "import authlib, flask, joserfc, requests" 2>/dev/null ||
    "$python" -m pip install --quiet "authlib>=1.6,<2" "flask>=3,<4" joserfc "requests>=2.32,<3" ||
    skip "Authlib and Flask could not be installed"

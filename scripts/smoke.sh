#!/usr/bin/env bash
# Drives the release binary with curl from the first start to the last stop, and ends at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

binary="${CARGO_TARGET_DIR:-target}/release/auth-service"
[[ -x $binary ]] || cargo build --release --bin auth-service
work="$(mktemp -d)"
server=
finish() {
    [[ -z $server ]] || kill -9 "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

surprise() {
    echo "surprise: $*" >&2
    sed 's/^/  log: /' "$work/log" >&2 || true
    exit 1
}

# call STATUS METHOD PATH [arguments of curl]: one request; its answer is in $body and $work/head.
call() {
    local expected=$1 method=$2 path=$3
    shift 3
    body="$(curl -sS --max-time 30 -X "$method" -D "$work/head" -w '\n%{http_code}' "$@" "$url$path")" ||
        surprise "$method $path: no answer"
    local status="${body##*$'\n'}"
    body="${body%$'\n'*}"
    [[ $status == "$expected" ]] || surprise "$method $path: $status instead of $expected: $body"
    printf '%s %-6s %s\n' "$status" "$method" "$path"
}

# As a program calls: with a bearer token.
bearer() {
    call "$@" -H "Authorization: Bearer $access"
}

# As a page calls: with the cookies of the browser, and what proves that it can read them.
page() {
    call "$@" -b "$work/jar" -c "$work/jar" -H "X-CSRF-Token: $(cookie csrf_access_token)"
}

cookie() {
    awk -v name="$1" '$6 == name { print $7 }' "$work/jar"
}

holds() {
    [[ $body == *"$1"* ]] || surprise "the answer does not hold $1: $body"
}

header() {
    grep -qi "^$1" "$work/head" || surprise "there is no header $1: $(cat "$work/head")"
}

# fails STATUS CODE METHOD PATH [arguments of curl]: an error, in its envelope.
fails() {
    local status=$1 code=$2
    shift 2
    call "$status" "$@"
    holds "{\"error\":{\"code\":\"$code\",\"message\":"
    holds "\"request_id\":\"$(awk 'tolower($1) == "x-request-id:" { print $2 }' "$work/head" | tr -d '\r')\""
}

start() {
    "$binary" --data-dir "$work/data" --listen 127.0.0.1:0 >"$work/out" 2>"$work/log" &
    server=$!
    for _ in {1..200}; do
        grep -q 'listens on' "$work/out" && break
        kill -0 "$server" 2>/dev/null || surprise "the server ended"
        sleep 0.05
    done
    url="http://$(sed -n 's/.*listens on \([^;]*\);.*/\1/p' "$work/out")"
}

stop() {
    kill -TERM "$server"
    wait "$server" || surprise "the server ended with $?"
    server=
}

admin() {
    "$binary" --data-dir "$work/data" "$@" || surprise "auth-service $*: $?"
}

readonly FIRST="correct horse 81 battery" SECOND="another staple 82 battery"
readonly JSON="Content-Type: application/json"

register_and_log_in() {
    call 201 POST /auth/register -H "$JSON" \
        -d '{"username": "ann", "email": "ann@example.com", "password": "'"$FIRST"'"}'
    holds '{"id":2,"username":"ann","email":"ann@example.com","first_name":null,"last_name":null,"is_active":true,"is_superuser":false}'
    call 200 POST /auth/token -c "$work/jar" -H "$JSON" -d '{"username": "ann", "password": "'"$FIRST"'"}'
    holds '"token_type":"bearer","refresh_token":null}'
    header 'cache-control: no-store'
    access="$(cookie access_token_cookie)"
    call 200 POST /auth/login --data-urlencode username=ANN@example.com --data-urlencode "password=$FIRST"
}

stay_logged_in() {
    bearer 200 GET /auth/me
    holds '"username":"ann"'
    header 'ratelimit: '
    page 200 POST /auth/token/refresh
    access="$(cookie access_token_cookie)"
    bearer 200 GET /auth/sessions
    holds '"current":true'
    holds '"next_cursor":null'
    page 200 PATCH /auth/me -H "$JSON" -d '{"first_name": "Ann"}'
    holds '"first_name":"Ann"'
}

change_password_and_log_out() {
    page 204 POST /auth/password/change -H "$JSON" \
        -d '{"current_password": "'"$FIRST"'", "new_password": "'"$SECOND"'"}'
    bearer 200 GET /auth/sessions
    [[ $(grep -o '"id"' <<<"$body" | wc -l) == 1 ]] || surprise "the other session goes on: $body"
    local refresh csrf
    refresh="$(cookie refresh_token_cookie)" csrf="$(cookie csrf_access_token)"
    page 200 POST /auth/logout
    holds '{"message":"Logout successful"}'
    fails 401 TOKEN_REVOKED GET /auth/me -H "Authorization: Bearer $access"
    header 'www-authenticate: Bearer '
    fails 401 TOKEN_REVOKED POST /auth/token/refresh -H "Cookie: refresh_token_cookie=$refresh" \
        -H "X-CSRF-Token: $csrf"
}

errors() {
    fails 401 UNAUTHORIZED GET /auth/me
    fails 401 INVALID_TOKEN GET /auth/me -H "Authorization: Bearer nonsense"
    fails 401 INVALID_CREDENTIALS POST /auth/token -H "$JSON" \
        -d '{"username": "ann", "password": "'"$FIRST"'"}'
    fails 400 VALIDATION_ERROR POST /auth/register -H "$JSON" \
        -d '{"username": "bob", "email": "bob@example.com", "password": "short"}'
    holds '"field":"password"'
    fails 400 MALFORMED_REQUEST POST /auth/token -H "$JSON" -d '{'
    fails 404 NOT_FOUND GET /nowhere
    fails 405 METHOD_NOT_ALLOWED DELETE /auth/token
    header 'allow: '
    fails 415 UNSUPPORTED_MEDIA_TYPE POST /auth/token -H "Content-Type: text/plain" -d 'x'
    head -c 1100000 /dev/zero >"$work/large"
    fails 413 PAYLOAD_TOO_LARGE POST /auth/token -H "$JSON" -H "Expect:" \
        --data-binary "@$work/large"
    call 200 POST /auth/token -c "$work/jar" -H "$JSON" -d '{"username": "ann", "password": "'"$SECOND"'"}'
    fails 403 CSRF_FAILED POST /auth/logout -b "$work/jar"
}

documents() {
    call 200 GET /health
    holds '{"status":"healthy","service":"auth_service","version":"2.1.0","uptime":"'
    holds '"dependencies":{"database":"connected","redis":"connected"}}'
    call 200 GET /health/live
    call 200 GET /health/ready
    call 200 GET /docs
    header 'content-type: text/html'
    call 200 GET /docs/viewer.js
    call 200 GET /openapi.json
    holds '"openapi":"3.'
    holds '"/auth/token/refresh"'
    call 200 GET /oauth2/jwks
    holds '"kid"'
}

# A program with a key: made, used, verified by another, revoked; and the trail of it.
programs() {
    admin service-account create invoicer >/dev/null
    admin role create reader --permissions users:read,api-keys:verify >/dev/null
    admin service-account set-roles invoicer reader >/dev/null
    made="$(admin --json api-key create --service-account invoicer --name night --unrestricted)"
    key="$(sed -n 's/.*"key": "\(.*\)",/\1/p' <<<"$made")"
    id="$(sed -n 's/.*"id": "\(.*\)",/\1/p' <<<"$made")"
    call 200 GET /users -H "X-API-Key: $key"
    fails 403 FORBIDDEN GET /roles -H "X-API-Key: $key"
    fails 401 INVALID_TOKEN GET /users -H "X-API-Key: ${key}0"
    call 200 POST /auth/api-keys/verify -H "X-API-Key: $key" -H "$JSON" -d '{"key": "'"$key"'"}'
    holds '"valid":true'
    admin api-key revoke --service-account invoicer "$id" >/dev/null
    fails 401 TOKEN_REVOKED GET /users -H "X-API-Key: $key"
    admin audit list --action api_key. >/dev/null
    admin audit verify
}

# The code of an authenticator app with a secret, now or in so many steps (RFC 6238).
totp() {
    python3 - "$1" "${2:-0}" <<'EOF'
import base64, hashlib, hmac, struct, sys, time
step = int(time.time()) // 30 + int(sys.argv[2])
tag = hmac.new(base64.b32decode(sys.argv[1]), struct.pack(">Q", step), hashlib.sha1).digest()
at = tag[-1] & 15
print("%06d" % ((struct.unpack(">I", tag[at:at + 4])[0] & 0x7FFFFFFF) % 10**6))
EOF
}

# A person with an authenticator app: set up, asked for, a recovery code, a trusted device, and back in by the host.
second_factor() {
    call 201 POST /auth/register -H "$JSON" -d '{"username": "max", "email": "max@example.com", "password": "'"$FIRST"'"}'
    call 200 POST /auth/token -H "$JSON" -d '{"username": "max", "password": "'"$FIRST"'"}'
    access="$(member access_token)"
    bearer 200 POST /auth/mfa/setup
    secret="$(member secret)"
    bearer 200 POST /auth/mfa/enable -H "$JSON" -d '{"code": "'"$(totp "$secret")"'"}'
    access="$(member access_token)"
    recovery="$(sed -n 's/.*"recovery_codes":\["\([^"]*\)".*/\1/p' <<<"$body")"
    fails 401 MFA_REQUIRED POST /auth/token -H "$JSON" -d '{"username": "max", "password": "'"$FIRST"'"}'
    token="$(member mfa_token)"
    fails 401 INVALID_MFA_CODE POST /auth/mfa/verify -H "$JSON" -d '{"mfa_token": "'"$token"'", "code": "nothing"}'
    call 200 POST /auth/mfa/verify -c "$work/trusted" -H "$JSON" \
        -d '{"mfa_token": "'"$token"'", "code": "'"$(totp "$secret" 1)"'", "trust_device_days": 7}'
    call 200 POST /auth/token -b "$work/trusted" -H "$JSON" -d '{"username": "max", "password": "'"$FIRST"'"}'
    call 200 POST /auth/login -H "$JSON" \
        -d '{"username": "max", "password": "'"$FIRST"'", "mfa_code": "'"$recovery"'"}'
    bearer 200 GET /auth/mfa/status
    holds '"recovery_codes_left":9'
    back="$(admin --json user recover max | sed -n 's/.*"token": "\(.*\)".*/\1/p')"
    call 200 POST /auth/recover -H "$JSON" -d '{"token": "'"$back"'"}'
    access="$(member access_token)"
    bearer 204 POST /auth/mfa/disable
    for _ in {1..11}; do
        curl -sS -o /dev/null "$url/auth/token" -d username=max -d password=wrong
    done
    fails 429 TOO_MANY_ATTEMPTS POST /auth/token -d username=max -d password=wrong
    header 'retry-after'
}

member() {
    sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' <<<"$body"
}

start
admin user create --username admin --email admin@example.org --superuser --password-stdin <<<"$FIRST" >/dev/null
documents
register_and_log_in
stay_logged_in
change_password_and_log_out
errors
programs
second_factor
admin user list
stop
admin check
start
fails 401 INVALID_CREDENTIALS POST /auth/token -d username=ann -d "password=$FIRST"
call 200 POST /auth/token -d username=ann -d "password=$SECOND"
admin health
stop
echo "no surprises"

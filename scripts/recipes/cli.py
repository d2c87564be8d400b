#!/usr/bin/env python3
"""A command-line client that logs its user in on another device (RFC 8628): cli.py ISSUER CLIENT_ID

Nothing but Python's standard library. The client is public (`token_endpoint_auth_method` none) and has the grant types
`urn:ietf:params:oauth:grant-type:device_code` and `refresh_token`.
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


def ask(url, fields=None, token=None):
    """One request; the status and the JSON of its answer."""
    body = urllib.parse.urlencode(fields).encode() if fields else None
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def log_in(about, client_id):
    """Shows a code, and waits until somebody has typed it in and agreed."""
    fields = {"client_id": client_id, "scope": "openid profile email offline_access"}
    status, begun = ask(about["device_authorization_endpoint"], fields)
    if status != 200:
        sys.exit(f"{begun['error']}: {begun['error_description']}")
    print(f"Open {begun['verification_uri']} and enter {begun['user_code']}", flush=True)
    print(f"or open {begun['verification_uri_complete']}", flush=True)
    wait = begun.get("interval", 5)
    fields = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": begun["device_code"],
        "client_id": client_id,
    }
    while True:
        time.sleep(wait)
        status, tokens = ask(about["token_endpoint"], fields)
        if status == 200:
            return tokens
        if tokens["error"] == "slow_down":
            wait += 5
        elif tokens["error"] != "authorization_pending":
            sys.exit(f"{tokens['error']}: {tokens['error_description']}")


def main():
    issuer, client_id = sys.argv[1:]
    _, about = ask(f"{issuer}/.well-known/openid-configuration")
    tokens = log_in(about, client_id)
    # A real client keeps the refresh token where only its user can read it, and uses it next time.
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": client_id}
    _, tokens = ask(about["token_endpoint"], fields)
    _, user = ask(about["userinfo_endpoint"], token=tokens["access_token"])
    print(f"Logged in as {user['preferred_username']} <{user['email']}>", flush=True)


if __name__ == "__main__":
    main()

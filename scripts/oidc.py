"""The provider, and clients of others that log a user in with it; see oidc.sh."""

import html
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from passkey import free_port  # noqa: E402

PASSWORD = "correct horse 81 battery"
REDIRECT = "https://app.example/callback"
SIGNED_OUT = "https://app.example/signed-out"
SCOPE = "openid profile email offline_access"


def check(what, holds, seen=""):
    if not holds:
        raise SystemExit(f"surprise: {what}: {seen}")
    print(f"ok   {what}")


class Browser:
    """Follows redirects on the provider, fills in its forms, and stops where the client is."""

    def __init__(self, base):
        self.base = base
        self.session = requests.Session()

    def go(self, url):
        """Opens a URL; returns where the client gets its answer."""
        answer = self.session.get(url, allow_redirects=False, timeout=30)
        for _ in range(10):
            if answer.status_code == 303:
                place = urllib.parse.urljoin(self.base, answer.headers["location"])
                if not place.startswith(self.base):
                    return place
                answer = self.session.get(place, allow_redirects=False, timeout=30)
            else:
                answer = self.fill_in(answer)
        raise SystemExit("surprise: the pages lead in a circle")

    def fill_in(self, page):
        text = page.text
        action = re.search(r'<form method="post" action="([^"]+)"', text)
        check("a page has a form that can be sent", page.status_code == 200 and action, text[:500])
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
        fields = {name: html.unescape(value) for name, value in hidden}
        if 'id="password"' in text:
            fields |= {"username": "ann", "password": PASSWORD}
        elif 'id="agree"' in text:
            fields |= {"answer": "agree"}
        url = urllib.parse.urljoin(self.base, html.unescape(action[1]))
        return self.session.post(url, data=fields, allow_redirects=False, timeout=30)


def start(binary, data_dir):
    port = free_port()
    base = f"http://localhost:{port}"
    arguments = ["--data-dir", data_dir, "--listen", f"127.0.0.1:{port}", "--public-url", base]
    # The server's own settings are none of this script's.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")}
    silent = subprocess.DEVNULL
    process = subprocess.Popen([binary, *arguments], env=clean, stdout=subprocess.PIPE, stderr=silent, text=True)
    check("the server listens", "listens on" in process.stdout.readline())
    user = ["user", "create", "--username", "ann", "--email", "ann@example.com", "--superuser", "--password-stdin"]
    command = [binary, "--data-dir", data_dir, *user]
    made = subprocess.run(command, env=clean, input=PASSWORD, text=True, capture_output=True)
    check("a user is made", made.returncode == 0, made.stderr)
    return process, base


def register(base, **metadata):
    login = requests.post(f"{base}/auth/token", json={"username": "ann", "password": PASSWORD}, timeout=30).json()
    bearer = {"Authorization": f"Bearer {login['access_token']}"}
    body = {
        "redirect_uris": [REDIRECT],
        "post_logout_redirect_uris": [SIGNED_OUT],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": SCOPE,
        **metadata,
    }
    answer = requests.post(f"{base}/oauth-clients", json=body, headers=bearer, timeout=30)
    check(f"the client {metadata['client_name']} is registered", answer.status_code == 201, answer.text)
    return answer.json()


def authlib(base, browser):
    """Code with PKCE, ID token, userinfo, refresh and revocation with Authlib."""
    about = requests.get(f"{base}/.well-known/openid-configuration", timeout=30).json()
    client = register(base, client_name="Authlib", id_token_signed_response_alg="ES256")
    session = OAuth2Session(
        client["client_id"], client["client_secret"], scope=SCOPE, redirect_uri=REDIRECT, code_challenge_method="S256"
    )
    verifier = "a-verifier-of-forty-three-letters-and-some-more"
    url, state = session.create_authorization_url(about["authorization_endpoint"], code_verifier=verifier, nonce="n-1")
    place = browser.go(url)
    check("Authlib: the browser comes back", place.startswith(REDIRECT) and f"state={state}" in place, place)
    token = session.fetch_token(about["token_endpoint"], authorization_response=place, code_verifier=verifier)
    keys = KeySet.import_key_set(requests.get(about["jwks_uri"], timeout=30).json())
    claims = jwt.decode(token["id_token"], keys, algorithms=["ES256"]).claims
    same = (claims["iss"], claims["aud"], claims["nonce"]) == (base, client["client_id"], "n-1")
    check("Authlib: the ID token is for this login", same, claims)
    info = session.get(about["userinfo_endpoint"]).json()
    check("Authlib: userinfo is about the same user", info["sub"] == claims["sub"] and info["email"] == "ann@example.com", info)
    fresh = session.refresh_token(about["token_endpoint"], refresh_token=token["refresh_token"])
    check("Authlib: a refresh gives other tokens", fresh["access_token"] != token["access_token"])
    session.revoke_token(about["revocation_endpoint"], token=fresh["refresh_token"])
    gone = requests.get(about["userinfo_endpoint"], headers={"Authorization": f"Bearer {fresh['access_token']}"}, timeout=30)
    check("Authlib: what was given back is good for nothing", gone.status_code == 401, gone.text)


class Node:
    """oidc.mjs: says where to send the browser, and is told where it came out."""

    def __init__(self, tools, base, client):
        script = pathlib.Path(__file__).with_name("oidc.mjs")
        shutil.copy(script, pathlib.Path(tools) / "oidc.mjs")
        about = json.dumps({"issuer": base, "redirect": REDIRECT, "signedOut": SIGNED_OUT, "scope": SCOPE, **client})
        self.process = subprocess.Popen(
            ["node", "oidc.mjs", about], cwd=tools, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, browser):
        for line in self.process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "go":
                self.process.stdin.write(browser.go(rest) + "\n")
                self.process.stdin.flush()
            else:
                print(line.rstrip())
        check("openid-client came to its end", self.process.wait(timeout=30) == 0)


def main():
    binary, tools = sys.argv[1:]
    with tempfile.TemporaryDirectory() as data_dir:
        process, base = start(binary, data_dir)
        try:
            browser = Browser(base)
            authlib(base, browser)
            client = register(base, client_name="openid-client", introspect=True)
            machine = register(
                base,
                client_name="machine",
                redirect_uris=[],
                grant_types=["client_credentials"],
                token_endpoint_auth_method="client_secret_post",
            )
            # The same browser: nobody types a password a second time.
            Node(tools, base, {"client": client, "machine": machine}).run(browser)
        finally:
            process.kill()
    print("ok   all of it")


if __name__ == "__main__":
    main()

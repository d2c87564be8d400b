"""The provider, and clients of others that log a user in with it; see oidc.sh."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import requests
from authlib.common.urls import add_params_to_uri
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from provider import Browser, check, running  # noqa: E402

REDIRECT = "https://app.example/callback"
SIGNED_OUT = "https://app.example/signed-out"
SCOPE = "openid profile email offline_access"


def register(provider, **metadata):
    """A client that logs users in."""
    login = {
        "redirect_uris": [REDIRECT],
        "post_logout_redirect_uris": [SIGNED_OUT],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": SCOPE,
    }
    return provider.register(**{**login, **metadata})


def authlib(provider, browser):
    """Code with PKCE, ID token, userinfo, refresh, revocation and logout with Authlib."""
    base = provider.base
    about = requests.get(f"{base}/.well-known/openid-configuration", timeout=30).json()
    client = register(provider, client_name="Authlib", id_token_signed_response_alg="ES256")
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
    bye = {"id_token_hint": token["id_token"], "post_logout_redirect_uri": SIGNED_OUT, "state": "bye"}
    place = browser.go(add_params_to_uri(about["end_session_endpoint"], bye.items()))
    check("Authlib: the browser is signed out and comes back", place == f"{SIGNED_OUT}?state=bye", place)


class Node:
    """oidc.mjs: says where to send the browser, and is told where it came out."""

    def __init__(self, tools, base, client):
        script = pathlib.Path(__file__).with_name("oidc.mjs")
        shutil.copy(script, pathlib.Path(tools) / "oidc.mjs")
        about = json.dumps({"issuer": base, "redirect": REDIRECT, "signedOut": SIGNED_OUT, "scope": SCOPE, **client})
        self.process = subprocess.Popen(
            ["node", "oidc.mjs", about], cwd=tools, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def run(self, browser):
        for line in self.process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "go":
                self.say(browser.go(rest))
            elif word == "device":
                browser.let_device_in(*rest.split())
                self.say("done")
            else:
                print(line.rstrip())
        check("openid-client came to its end", self.process.wait(timeout=30) == 0)


def main():
    binary, tools = sys.argv[1:]
    with tempfile.TemporaryDirectory() as data_dir, running(binary, data_dir) as provider:
        browser = Browser(provider.base)
        authlib(provider, browser)
        client = register(provider, client_name="openid-client", introspect=True)
        machine = register(
            provider,
            client_name="machine",
            redirect_uris=[],
            grant_types=["client_credentials"],
            token_endpoint_auth_method="client_secret_post",
        )
        key = ECKey.generate_key("P-256", {"kid": "first"})
        signed = register(
            provider,
            client_name="strict",
            token_endpoint_auth_method="private_key_jwt",
            jwks={"keys": [key.as_dict(private=False)]},
            require_pushed_authorization_requests=True,
            dpop_bound_access_tokens=True,
            id_token_signed_response_alg="ES256",
        )
        device = register(
            provider,
            client_name="device",
            redirect_uris=[],
            grant_types=["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
            token_endpoint_auth_method="none",
        )
        signed["key"] = key.as_dict(private=True)
        about = {"client": client, "machine": machine, "signed": signed, "device": device}
        Node(tools, provider.base, about).run(browser)
    print("ok   all of it")


if __name__ == "__main__":
    main()

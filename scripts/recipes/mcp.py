"""A client of an MCP server that knows nothing but its URL, and the servers that it meets; see mcp.sh."""

import base64
import hashlib
import pathlib
import re
import secrets
import sys
import tempfile
import threading
import urllib.parse

import requests

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
sys.dont_write_bytecode = True

import mcp_server  # noqa: E402
from provider import Browser, check, running  # noqa: E402
from passkey import free_port  # noqa: E402

CALLBACK = "http://127.0.0.1/callback"


def well_known(url, name):
    """Where the metadata of a URL is (RFC 8414 section 3.1, RFC 9728 section 3.1)."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path.rstrip('/')}"


def call(resource, method, token=None, **params):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return requests.post(resource, json=body, headers=headers, timeout=30)


def discover(resource):
    """From a 401 of the MCP server to the metadata of who gives tokens for it."""
    refused = call(resource, "initialize")
    found = re.search(r'resource_metadata="([^"]+)"', refused.headers.get("www-authenticate", ""))
    check("the MCP server says where its metadata is", refused.status_code == 401 and found, refused.headers)
    about = requests.get(found[1], timeout=30).json()
    check("the metadata is that of the resource", about["resource"] == resource, about)
    issuer = about["authorization_servers"][0]
    provider = requests.get(well_known(issuer, "oauth-authorization-server"), timeout=30).json()
    check("the provider's metadata is its own", provider["issuer"] == issuer, provider)
    check("the provider takes PKCE with S256", "S256" in provider["code_challenge_methods_supported"], provider)
    return provider


def register(provider):
    body = {
        "client_name": "Recipe client",
        "application_type": "native",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    }
    answer = requests.post(provider["registration_endpoint"], json=body, timeout=30)
    check("the client registers itself", answer.status_code == 201, answer.text)
    return answer.json()


def log_in(provider, client, browser, port, resource=None):
    """Code with PKCE, for tokens that are good at `resource`."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    digest = hashlib.sha256(verifier.encode()).digest()
    redirect = CALLBACK.replace("127.0.0.1", f"127.0.0.1:{port}")
    target = {"resource": resource} if resource else {}
    fields = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": redirect,
        "scope": "openid offline_access",
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        **target,
    }
    place = browser.go(f"{provider['authorization_endpoint']}?{urllib.parse.urlencode(fields)}")
    came = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(place).query))
    same = (came.get("state"), came.get("iss")) == (state, provider["issuer"])
    check("the browser brings an answer of this provider", place.startswith(redirect) and same, place)
    body = {
        "grant_type": "authorization_code",
        "code": came["code"],
        "redirect_uri": redirect,
        "client_id": client["client_id"],
        "code_verifier": verifier,
        **target,
    }
    answer = requests.post(provider["token_endpoint"], data=body, timeout=30)
    check("the code is good for tokens", answer.status_code == 200, answer.text)
    return answer.json()


def refresh(provider, client, tokens, resource):
    body = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": client["client_id"],
        "resource": resource,
    }
    answer = requests.post(provider["token_endpoint"], data=body, timeout=30)
    check("the tokens are refreshed", answer.status_code == 200, answer.text)
    return answer.json()


def run(resource, browser):
    provider = discover(resource)
    client = register(provider)
    tokens = log_in(provider, client, browser, free_port(), resource)
    for token in (tokens, refresh(provider, client, tokens, resource)):
        tools = call(resource, "tools/list", token["access_token"])
        check("the MCP server lists its tools", tools.status_code == 200 and "whoami" in tools.text, tools.text)
    said = call(resource, "tools/call", token["access_token"], name="whoami")
    check("a tool knows who it is", client["client_id"] in said.text, said.text)
    # What is not for the MCP server is good for nothing there, and neither is what nobody has signed.
    other = log_in(provider, client, browser, free_port())
    refused = call(resource, "tools/list", other["access_token"])
    check("a token for somebody else is refused", refused.status_code == 401, refused.text)
    refused = call(resource, "tools/list", token["id_token"] if "id_token" in token else tokens["id_token"])
    check("an ID token is no access token", refused.status_code == 401, refused.text)
    refused = call(resource, "tools/list", token["access_token"][:-4] + "AAAA")
    check("a forged token is refused", refused.status_code == 401, refused.text)
    own = {"Authorization": f"Bearer {client['registration_access_token']}"}
    gone = requests.delete(client["registration_client_uri"], headers=own, timeout=30)
    check("the client deletes itself", gone.status_code == 204, gone.text)


def main():
    binary = sys.argv[1]
    resource = f"http://localhost:{free_port()}/mcp"
    # Anybody registers a client, which may ask for tokens for the MCP server.
    settings = {"AUTH_CLIENT_REGISTRATION__STATE": "open", "AUTH_CLIENT_REGISTRATION__RESOURCES": resource}
    with tempfile.TemporaryDirectory() as data_dir, running(binary, data_dir, **settings) as provider:
        server = mcp_server.serve(resource, provider.base)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            run(resource, Browser(provider.base))
        finally:
            server.shutdown()
    print("ok   all of it")


if __name__ == "__main__":
    main()

"""An MCP server whose tools are for those who are logged in: what it takes beside the tools themselves.

    python mcp_server.py http://localhost:9000/mcp https://id.example.org

It publishes who gives tokens for it (RFC 9728), says so beside each 401, and checks each token by itself: signature, kind, issuer,
time, and that it was made for this server and no other (RFC 9068 section 4). It never hands a token on.
"""

import http.server
import json
import sys
import urllib.parse
import urllib.request

from joserfc import errors, jwt
from joserfc.jwk import KeySet

ALGORITHMS = ["ES256", "RS256", "EdDSA", "PS256"]
TOOLS = [{"name": "whoami", "description": "Who is logged in", "inputSchema": {"type": "object"}}]


class Tokens:
    """Checks access tokens for one resource of one issuer."""

    def __init__(self, resource, issuer):
        self.resource, self.issuer = resource, issuer
        self.keys = None

    def fetch_keys(self):
        with urllib.request.urlopen(f"{self.issuer}/.well-known/oauth-authorization-server", timeout=10) as answer:
            about = json.load(answer)
        if about["issuer"] != self.issuer:
            raise ValueError("the metadata is another issuer's")
        with urllib.request.urlopen(about["jwks_uri"], timeout=10) as answer:
            self.keys = KeySet.import_key_set(json.load(answer))

    def check(self, text):
        """The claims of a token that is good here; raises for any other."""
        if self.keys is None:
            self.fetch_keys()
        token = jwt.decode(text, self.keys, algorithms=ALGORITHMS)
        if token.header.get("typ") not in ("at+jwt", "application/at+jwt"):
            raise ValueError("no access token")
        claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.resource},
            exp={"essential": True},
            sub={"essential": True},
        )
        claims.validate(token.claims)
        return token.claims


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == self.server.metadata_path:
            self.answer(200, self.server.metadata)
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise ValueError("no token")
            claims = self.server.tokens.check(token)
        except (ValueError, KeyError, errors.JoseError) as why:
            challenge = f'Bearer resource_metadata="{self.server.metadata_url}"'
            challenge += ', error="invalid_token"' if token else ""
            self.answer(401, {"error": str(why)}, {"WWW-Authenticate": challenge})
            return
        asked = json.loads(body)
        self.answer(200, {"jsonrpc": "2.0", "id": asked.get("id"), "result": self.result(asked, claims)})

    def result(self, asked, claims):
        if asked["method"] == "initialize":
            about = {"name": "recipe", "version": "1"}
            return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": about}
        if asked["method"] == "tools/list":
            return {"tools": TOOLS}
        text = f"user {claims['sub']} by the client {claims['client_id']}"
        return {"content": [{"type": "text", "text": text}]}

    def answer(self, status, body, headers=()):
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """A request line may hold what nobody is to read."""


def serve(resource, issuer):
    """A server for a resource, which is the URL that clients know it by."""
    url = urllib.parse.urlsplit(resource)
    server = http.server.ThreadingHTTPServer((url.hostname, url.port), Handler)
    # The well-known part stands between the host and the path (RFC 9728 section 3.1).
    server.metadata_path = f"/.well-known/oauth-protected-resource{url.path}"
    server.metadata_url = f"{url.scheme}://{url.netloc}{server.metadata_path}"
    server.metadata = {
        "resource": resource,
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": "The recipe's tools",
    }
    server.tokens = Tokens(resource, issuer)
    return server


if __name__ == "__main__":
    serve(*sys.argv[1:]).serve_forever()

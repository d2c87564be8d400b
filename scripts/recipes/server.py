#!/usr/bin/env python3
"""A web application on a server, with Flask and Authlib: server.py ISSUER CLIENT_ID PORT, and its secret in CLIENT_SECRET

The client is confidential (`client_secret_basic`), with the redirect URI http://…/callback. Who it is stays in the session of
the application; the tokens never reach the browser.
"""

import os
import secrets
import sys

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session, url_for

ISSUER, CLIENT_ID, PORT = sys.argv[1:]

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)
oauth = OAuth(app)
oauth.register(
    "id",
    client_id=CLIENT_ID,
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
)


@app.get("/")
def home():
    user = session.get("user")
    return f"Hello {user['preferred_username']}" if user else redirect(url_for("login"))


@app.get("/login")
def login():
    # State, nonce and verifier are made, kept and checked by the library.
    return oauth.id.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    token = oauth.id.authorize_access_token()
    # A session of its own for whoever has come (the ID token was checked: issuer, audience, nonce, signature).
    session.clear()
    session["user"] = oauth.id.userinfo(token=token)
    session["id_token"] = token["id_token"]
    return redirect(url_for("home"))


@app.get("/logout")
def logout():
    hint = session.pop("id_token", "")
    session.clear()
    return redirect(f"{oauth.id.load_server_metadata()['end_session_endpoint']}?id_token_hint={hint}")


if __name__ == "__main__":
    app.run(port=int(PORT))

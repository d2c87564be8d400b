"""A browser on the pages of the provider, and two clients that it comes from; see browser.sh."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from passkey import PASSWORD, Browser, answers, ask, free_port, running, step, until, without_offers  # noqa: E402

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
VERIFIER = "a-verifier-of-forty-three-letters-and-some-more"


def expect(what, holds, seen=""):
    if not holds:
        raise SystemExit(f"surprise: {what}: {seen}")


def code_of(secret):
    """What an authenticator app shows now (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


class Landing(http.server.BaseHTTPRequestHandler):
    """Where clients have their users come back to."""

    def do_GET(self):
        body = b"<!doctype html><title>the client</title><p id=\"landed\">here"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Client:
    """An application that has its users sign in."""

    def __init__(self, public, bearer, name, landing):
        self.public, self.redirect = public, f"{landing}/{urllib.parse.quote(name)}"
        body = {
            "client_name": name,
            "redirect_uris": [self.redirect],
            "post_logout_redirect_uris": [self.redirect],
            "token_endpoint_auth_method": "none",
            "id_token_signed_response_alg": "ES256",
        }
        self.id = ask("POST", f"{public}/oauth-clients", body, bearer)["client_id"]

    def begins(self, **more):
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
        fields = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": self.redirect,
            "scope": "openid profile email",
            "state": "here & back",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
        return f"{self.public}/oauth2/authorize?{urllib.parse.urlencode(fields)}"

    def ends(self, browser):
        """What the browser has brought, redeemed."""
        until(lambda: f"the browser is at the client; it is at {browser.get('url')}", lambda: browser.get("url").startswith(self.redirect))
        answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(browser.get("url")).query))
        expect("a code and the same state come back", answer.get("code") and answer.get("state") == "here & back", answer)
        fields = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": self.redirect,
            "client_id": self.id,
            "code_verifier": VERIFIER,
        }
        request = urllib.request.Request(f"{self.public}/oauth2/token", urllib.parse.urlencode(fields).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())


class Television:
    """A client without a browser, that shows a code for one (RFC 8628)."""

    def __init__(self, public, bearer):
        body = {
            "client_name": "Television",
            "grant_types": [DEVICE_GRANT, "refresh_token"],
            "token_endpoint_auth_method": "none",
            "id_token_signed_response_alg": "ES256",
        }
        self.public, self.id = public, ask("POST", f"{public}/oauth-clients", body, bearer)["client_id"]

    def form(self, path, **fields):
        data = urllib.parse.urlencode({"client_id": self.id, **fields}).encode()
        with urllib.request.urlopen(f"{self.public}/oauth2/{path}", data, timeout=30) as answer:
            return json.loads(answer.read())

    def begins(self):
        return self.form("device_authorization", scope="openid profile")

    def ends(self, begun):
        return self.form("token", grant_type=DEVICE_GRANT, device_code=begun["device_code"])


class Walker(Browser):
    """A browser that takes pictures, and that can do without JavaScript."""

    def __init__(self, driver, pictures, scripts=True):
        self.pictures, self.scripts = pictures, scripts
        super().__init__(driver)

    def capabilities(self):
        options = super().capabilities()
        if not self.scripts:
            options["goog:chromeOptions"]["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        return options

    def open(self, url):
        self.post("url", {"url": url})

    def there(self, selector):
        """Whether the page has it: asked without JavaScript."""
        return bool(self.post("elements", {"using": "css selector", "value": selector}))

    def wait(self, selector):
        until(lambda: f"{selector} on {self.get('url')}: {self.get('source')[:3000]}", lambda: self.there(selector))

    def fill_in(self, **fields):
        for name, text in fields.items():
            element = self.element(f"#{name}")
            self.post(f"element/{element}/clear", {})
            self.post(f"element/{element}/value", {"text": text})

    def picture(self, name):
        if self.pictures is None:
            return
        shapes = {"desk": (1100, 900, False), "phone": (390, 780, True)}
        for shape, (width, height, is_phone) in shapes.items():
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
            self.devtools("Emulation.setDeviceMetricsOverride", size)
            for scheme in ("light", "dark"):
                feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
                self.devtools("Emulation.setEmulatedMedia", feature)
                data = base64.b64decode(self.get("screenshot"))
                (self.pictures / f"{name}-{shape}-{scheme}.png").write_bytes(data)
        self.devtools("Emulation.setEmulatedMedia", {"features": []})
        self.devtools("Emulation.clearDeviceMetricsOverride", {})


def no_script(driver, public, pictures, clients, television, secret):
    """Everything that pages promise to do without JavaScript."""
    photos, notes = clients
    with contextlib.closing(Walker(driver, pictures, scripts=False)) as browser:
        browser.open(photos.begins())
        browser.wait("#sign-in")
        browser.picture("sign-in")
        browser.fill_in(username="ann", password="wrong horse")
        browser.click("#submit")
        browser.wait(".alert")
        browser.picture("sign-in-wrong")
        browser.fill_in(username="ann", password=PASSWORD)
        browser.click("#submit")
        browser.wait("#second-factor")
        browser.picture("second-factor")
        browser.fill_in(code=code_of(secret))
        browser.click("#submit")
        browser.wait("#consent")
        browser.picture("consent")
        browser.click("#agree")
        token = photos.ends(browser)
        step("signed in with a password and the code of an app, and agreed")
        browser.open(notes.begins())
        browser.wait("#consent")
        browser.click("#agree")
        notes.ends(browser)
        step("a second client asks for no password")
        browser.open(photos.begins())
        photos.ends(browser)
        step("the first client asks for nothing any more")
        browser.open(photos.begins(prompt="select_account"))
        browser.wait("#select-account")
        browser.picture("select-account")
        browser.click("#this-account")
        photos.ends(browser)
        step("chose the account that is there")
        device(browser, television)
        browser.open(f"{public}/oauth2/logout?{urllib.parse.urlencode({'client_id': photos.id})}")
        browser.wait("#sign-out")
        browser.picture("sign-out")
        browser.click("#sign-out-button")
        browser.wait("h1")
        until("the browser is signed out", lambda: not browser.there("#sign-out"))
        browser.picture("signed-out")
        browser.open(photos.begins())
        browser.wait("#sign-in")
        step("signed out, and has to sign in again")
        expect("the ID token is there", "id_token" in token)
        register(browser, public, photos)


def device(browser, television):
    """Of the one who is signed in already: the code that the device shows is typed in, and agreed to."""
    begun = television.begins()
    browser.open(begun["verification_uri"])
    browser.wait("#device")
    browser.picture("device")
    browser.fill_in(user_code="BBBB-BBBB")
    browser.click("#submit")
    browser.wait("#user_code-error")
    browser.fill_in(user_code=begun["user_code"].lower())
    browser.click("#submit")
    browser.wait("#device-confirm")
    browser.picture("device-confirm")
    browser.click("#agree")
    until("the page says that it is done", lambda: not browser.there("#device-confirm"))
    browser.picture("device-done")
    expect("the device has an ID token", "id_token" in television.ends(begun))
    step("typed in the code of a device, and agreed")


def register(browser, public, photos):
    browser.click("#register")
    browser.wait("#username-hint")
    browser.picture("register")
    browser.fill_in(username="b b", email="bob@example.com", password=PASSWORD)
    browser.click("#submit")
    browser.wait("#username-error")
    browser.picture("register-wrong")
    browser.fill_in(username="bob", password=PASSWORD)
    browser.click("#submit")
    browser.wait("#consent")
    browser.click("#refuse")
    until("the browser is at the client", lambda: "error=access_denied" in browser.get("url"))
    step("made an account on the way to a client, and did not agree")
    browser.open(f"{public}/oauth2/authorize?client_id=nobody")
    browser.wait(".alert")
    browser.picture("error")
    for page in ("reset-password", "verify-email"):
        browser.open(f"{public}/account/{page}#token=x")
        browser.wait("#token")
        browser.picture(page)
        browser.fill_in(token="x", **({"new_password": PASSWORD + " 9"} if page == "reset-password" else {}))
        browser.click("#submit")
        browser.wait("#token-error")
    step("a mailed page takes its token by hand")


def with_script(driver, public, pictures, clients):
    """What takes JavaScript: passkeys, and the token behind the # of a link."""
    photos, _ = clients
    with contextlib.closing(Walker(driver, pictures)) as browser:
        # Without offers: the authenticator takes each one at once, and the form to sign in would be gone again before it is seen.
        with without_offers(browser):
            browser.open(f"{public}/account/passkeys")
            browser.wait_for("#sign-in")
            browser.picture("passkeys")
            browser.type("#username", "carl")
            browser.type("#password", PASSWORD)
            browser.click("#password-form button")
            browser.wait_for("#mine")
            browser.click("#add-form button")
            browser.wait_for("#list li")
            browser.picture("passkeys-mine")
            browser.click("#sign-out")
            browser.wait_for("#sign-in")
        # The browser offers it in the form by itself, and the page goes on to the client.
        browser.open(photos.begins())
        until("the consent page, or the client", lambda: browser.there("#consent") or browser.get("url").startswith(photos.redirect))
        if browser.there("#consent"):
            browser.click("#agree")
        claims = photos.ends(browser)["id_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        expect("the ID token says that it was a passkey", claims["acr"] == "aal2" and "user" in claims["amr"], claims)
        step("signed in with a passkey that the browser offers in the form")
        browser.open(f"{public}/account/reset-password#token=asp_x")
        until("the token is out of the address", lambda: browser.get("url").endswith("/account/reset-password"))
        expect("and in the form", browser.run("return document.getElementById('token').value;") == "asp_x")
        expect("its field is not seen", not browser.shows("#token"))
        browser.picture("reset-password-link")
        step("a link in a mail fills the form in, and its token leaves the address")


def main(binary, pictures=None):
    with contextlib.ExitStack() as stack:
        work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port, driver_port, landing_port = free_port(), free_port(), free_port()
        public = f"http://localhost:{port}"
        landing = http.server.ThreadingHTTPServer(("127.0.0.1", landing_port), Landing)
        stack.callback(landing.shutdown)
        threading.Thread(target=landing.serve_forever, daemon=True).start()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")}
        environment |= {"AUTH_RATE_LIMIT__REQUESTS_PER_HOUR": "0"}
        (work / "data").mkdir(mode=0o700)
        binary = str(pathlib.Path(binary).resolve())
        arguments = [binary, "--data-dir", str(work / "data"), "--listen", f"127.0.0.1:{port}", "--public-url", public]
        log = work / "log"
        stack.enter_context(running(arguments, log, environment))
        until("the server listens", lambda: answers(f"{public}/health"))
        user = ["user", "create", "--username", "root", "--email", "root@example.com", "--superuser", "--password-stdin"]
        subprocess.run([binary, "--data-dir", work / "data", *user], env=environment, input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL)
        stack.enter_context(running([shutil.which("chromedriver"), f"--port={driver_port}"], work / "driver.log"))
        driver = f"http://127.0.0.1:{driver_port}"
        until("the driver listens", lambda: answers(f"{driver}/status"))
        tokens = {}
        for name in ("root", "ann", "carl"):
            if name != "root":
                account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
                ask("POST", f"{public}/auth/register", account)
            login = ask("POST", f"{public}/auth/token", {"username": name, "password": PASSWORD})
            tokens[name] = {"Authorization": f"Bearer {login['access_token']}"}
        there = f"http://localhost:{landing_port}"
        clients = [Client(public, tokens["root"], name, there) for name in ("Photo album", "Notes")]
        television = Television(public, tokens["root"])
        secret = ask("POST", f"{public}/auth/mfa/setup", {}, tokens["ann"])["secret"]
        ask("POST", f"{public}/auth/mfa/enable", {"code": code_of(secret)}, tokens["ann"])
        # Its code is used: the next one comes with the next half minute.
        time.sleep(30 - time.time() % 30 + 0.5)
        if pictures is not None:
            pictures = pathlib.Path(pictures)
            pictures.mkdir(parents=True, exist_ok=True)
        try:
            no_script(driver, public, pictures, clients, television, secret)
            with_script(driver, public, pictures, clients)
        except (SystemExit, urllib.error.URLError):
            sys.stderr.write(log.read_text(errors="replace")[-4000:])
            raise
    print("ok all of it")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A browser with a virtual authenticator against the page /account/passkeys; see passkey.sh."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PASSWORD = "correct horse 81 battery"
PATIENCE = 30
# How WebDriver names an element (W3C WebDriver section 12).
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(method, url, body=None, headers=None):
    """One request; what it answers as JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"surprise: {method} {url}: {error.code} {error.read().decode()[:2000]}") from None
    return json.loads(text) if text else None


def until(what, check):
    """Waits for something that comes soon."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.05)
    raise SystemExit(f"surprise: not within {PATIENCE} seconds: {what() if callable(what) else what}")


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def running(arguments, log, environment=None):
    """A program for as long as it is needed, with all that it has started."""
    with open(log, "ab") as out:
        process = subprocess.Popen(arguments, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Browser:
    """A session of WebDriver, with a virtual authenticator (WebAuthn section 11)."""

    def __init__(self, driver):
        made = ask("POST", f"{driver}/session", {"capabilities": {"alwaysMatch": self.capabilities()}})["value"]
        self.url = f"{driver}/session/{made['sessionId']}"
        self.version = made["capabilities"]["browserVersion"]
        authenticator = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserConsenting": True,
            "isUserVerified": True,
        }
        self.authenticator = self.post("webauthn/authenticator", authenticator)

    def capabilities(self):
        arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        options = {"args": arguments, "binary": shutil.which("chromium")}
        return {"browserName": "chrome", "goog:chromeOptions": options, "webauthn:virtualAuthenticators": True}

    def post(self, path, body):
        return ask("POST", f"{self.url}/{path}", body)["value"]

    def get(self, path):
        return ask("GET", f"{self.url}/{path}")["value"]

    def close(self):
        ask("DELETE", self.url)

    def credentials(self):
        return self.get(f"webauthn/authenticator/{self.authenticator}/credentials")

    def verifies(self, is_verified):
        self.post(f"webauthn/authenticator/{self.authenticator}/uv", {"isUserVerified": is_verified})

    def run(self, script, *arguments):
        return self.post("execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command, parameters):
        return self.post("goog/cdp/execute", {"cmd": command, "params": parameters})

    def element(self, selector):
        return self.post("element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.post(f"element/{self.element(selector)}/click", {})

    def type(self, selector, text):
        self.post(f"element/{self.element(selector)}/value", {"text": text})

    def shows(self, selector):
        script = "const found = document.querySelector(arguments[0]); return !!found && found.checkVisibility();"
        return self.run(script, selector)

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.textContent ?? '';", selector)

    def wait_for(self, selector):
        what = lambda: f"{selector} is seen; the page says {self.text('#message')!r}"
        until(what, lambda: self.shows(selector))


def step(text):
    print(f"ok {text}", flush=True)


@contextlib.contextmanager
def without_offers(browser):
    """Meanwhile pages find that the browser offers no passkeys in forms, so that a click is what signs in."""
    source = "PublicKeyCredential.isConditionalMediationAvailable = async () => false;"
    added = browser.devtools("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    yield
    browser.devtools("Page.removeScriptToEvaluateOnNewDocument", {"identifier": added["identifier"]})


def sign_out(browser):
    browser.click("#sign-out")
    browser.wait_for("#sign-in")


def walk(browser, public):
    """From a password to a passkey, and from there without one."""
    account = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
    ask("POST", f"{public}/auth/register", account)
    page = f"{public}/account/passkeys"
    with without_offers(browser):
        browser.post("url", {"url": page})
        sign_in_with_password(browser)
        register(browser)
        sign_in_with_a_click(browser)
        refuse_without_verification(browser)
    fill_in(browser, page)
    remove(browser)


def sign_in_with_password(browser):
    browser.wait_for("#sign-in")
    browser.type("#username", "ann")
    browser.type("#password", PASSWORD)
    browser.click("#password-form button")
    browser.wait_for("#mine")
    step("signed in with a password")


def register(browser):
    browser.type("#name", "Virtual")
    browser.click("#add-form button")
    browser.wait_for("#list li")
    made = browser.credentials()
    if len(made) != 1 or not made[0]["isResidentCredential"] or made[0]["rpId"] != "localhost":
        raise SystemExit(f"surprise: the authenticator holds {made}")
    step("registered a passkey that the authenticator finds by itself")


def signed_in_as_ann(browser):
    browser.wait_for("#mine")
    if browser.text("#mine p strong") != "ann":
        raise SystemExit(f"surprise: signed in as {browser.text('#who')!r}")


def sign_in_with_a_click(browser):
    sign_out(browser)
    browser.click("#sign-in-with-passkey")
    signed_in_as_ann(browser)
    step("signed in with the passkey, without a name")


def refuse_without_verification(browser):
    sign_out(browser)
    browser.verifies(False)
    browser.click("#sign-in-with-passkey")
    until("a refusal", lambda: browser.text("#message"))
    if browser.shows("#mine"):
        raise SystemExit("surprise: signed in without having been verified")
    browser.verifies(True)
    step("not signed in when the authenticator does not verify its user")


def fill_in(browser, page):
    browser.post("url", {"url": page})
    if not browser.run("return PublicKeyCredential.isConditionalMediationAvailable();"):
        raise SystemExit("surprise: this browser offers no passkeys in forms")
    signed_in_as_ann(browser)
    step("signed in by what the browser offers in the form (mediation: conditional)")


def remove(browser):
    browser.click("#list li button")
    until("an empty list", lambda: browser.shows("#mine") and not browser.shows("#list li"))
    until("an authenticator that has forgotten it", lambda: not browser.credentials())
    step("removed the passkey, and the authenticator has forgotten it")


def main(binary):
    log = None
    with contextlib.ExitStack() as stack:
        work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = work / "log"
        port, driver_port = free_port(), free_port()
        public = f"http://localhost:{port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")}
        arguments = [str(pathlib.Path(binary).resolve()), "--data-dir", str(work / "data"), "--listen", f"127.0.0.1:{port}"]
        (work / "data").mkdir(mode=0o700)
        stack.enter_context(running(arguments, log, environment))
        until("the server listens", lambda: answers(f"{public}/health"))
        stack.enter_context(running([shutil.which("chromedriver"), f"--port={driver_port}"], work / "driver.log"))
        until("the driver listens", lambda: answers(f"http://127.0.0.1:{driver_port}/status"))
        browser = Browser(f"http://127.0.0.1:{driver_port}")
        stack.callback(browser.close)
        print(f"chromium {browser.version}, {public}")
        try:
            walk(browser, public)
        except SystemExit:
            sys.stderr.write(log.read_text(errors="replace")[-4000:])
            raise


if __name__ == "__main__":
    main(sys.argv[1])

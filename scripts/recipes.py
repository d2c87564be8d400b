"""Runs the recipes as their readers would; see recipes.sh."""

import contextlib
import functools
import http.server
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import requests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import passkey  # noqa: E402
from provider import PASSWORD, Browser, check, running  # noqa: E402

RECIPES = pathlib.Path(__file__).with_name("recipes")
APACHE_MODULES = pathlib.Path("/usr/lib/apache2/modules")
SCOPE = "openid profile email"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


def command_line(provider, _):
    """cli.py shows a code; Ann types it in on another device."""
    client = provider.register(
        client_name="Command line",
        grant_types=[DEVICE_CODE, "refresh_token"],
        token_endpoint_auth_method="none",
        scope=f"{SCOPE} offline_access",
    )
    arguments = [sys.executable, RECIPES / "cli.py", provider.base, client["client_id"]]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        typed = re.fullmatch(r"Open (\S+) and enter (\S+)\n", said)
        check("cli.py shows a code", typed, said)
        Browser(provider.base).let_device_in(*typed.groups())
        rest = process.stdout.read()
    check("cli.py knows who has logged in", "Logged in as ann <ann@example.com>" in rest, rest)


def single_page(provider, scratch):
    """The page and its script, in Chromium, served from another origin than the provider's."""
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        print("notice: there is no chromium with its driver: the single-page app was NOT run")
        return
    folder = pathlib.Path(scratch) / "spa"
    shutil.copytree(RECIPES / "spa", folder)
    with served(folder) as origin:
        client = provider.register(
            client_name="Single page",
            redirect_uris=[f"{origin}/"],
            post_logout_redirect_uris=[f"{origin}/"],
            grant_types=["authorization_code", "refresh_token"],
            token_endpoint_auth_method="none",
            scope=SCOPE,
        )
        page = folder / "index.html"
        text = page.read_text().replace("{{issuer}}", provider.base).replace("{{client_id}}", client["client_id"])
        page.write_text(text)
        port = passkey.free_port()
        driver = f"http://127.0.0.1:{port}"
        with passkey.running(["chromedriver", f"--port={port}"], f"{scratch}/driver.log"):
            passkey.until("chromedriver answers", lambda: passkey.answers(f"{driver}/status"))
            browser = passkey.Browser(driver)
            try:
                walk(browser, origin)
            finally:
                browser.close()


def walk(browser, origin):
    """In, once more, and out."""
    browser.post("url", {"url": f"{origin}/"})
    browser.wait_for("[data-ready]")
    browser.click("#sign-in")
    browser.wait_for("#sign-in #password, #password")
    browser.type("#username", "ann")
    browser.type("#password", PASSWORD)
    browser.click("#sign-in button")
    browser.wait_for("#agree")
    browser.click("#agree")
    browser.wait_for("#refresh")
    check("the single-page app knows who it is", browser.text("#who") == "Signed in as ann", browser.text("#who"))
    browser.click("#refresh")
    passkey.until("it has refreshed", lambda: browser.text("#who") == "Signed in as ann, refreshed")
    check("the single-page app refreshes", True)
    browser.click("#sign-out")
    browser.wait_for("[data-ready] #sign-in")
    check("the single-page app signs out and is back", browser.text("#who") == "Nobody is signed in.")


@contextlib.contextmanager
def served(folder):
    """A folder, as any server of files would serve it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()


def behind(provider, name, url, **metadata):
    """A client of a server with pages at a URL."""
    return provider.register(
        client_name=name,
        redirect_uris=[f"{url}/callback"],
        grant_types=["authorization_code"],
        scope=SCOPE,
        **metadata,
    )


def guarded(provider, name, url):
    """What Ann gets at the door of an application, once she has signed in."""
    browser = Browser(provider.base)
    first = browser.session.get(url, allow_redirects=False, timeout=30)
    check(f"{name} asks strangers to sign in", first.status_code in (302, 303), first.text[:500])
    for _ in range(5):
        place = requests.compat.urljoin(url, first.headers["location"])
        if place.startswith(provider.base):
            place = browser.go(place)
        first = browser.session.get(place, allow_redirects=False, timeout=30)
        if first.status_code == 200:
            return browser, first.text
    raise SystemExit(f"surprise: {name} leads in a circle")


def on_a_server(provider, scratch):
    """server.py, as it would run behind a front end."""
    port = passkey.free_port()
    url = f"http://localhost:{port}"
    client = behind(provider, "On a server", url)
    arguments = [sys.executable, str(RECIPES / "server.py"), provider.base, client["client_id"], str(port)]
    environment = {**os.environ, "CLIENT_SECRET": client["client_secret"]}
    with passkey.running(arguments, f"{scratch}/server.log", environment):
        passkey.until("server.py answers", lambda: listens(port))
        browser, text = guarded(provider, "server.py", f"{url}/")
        check("server.py knows who it is", text == "Hello ann", text)
        out = browser.session.get(f"{url}/logout", timeout=30)
        check("server.py signs out", out.status_code == 200 and out.url.startswith(provider.base), out.url)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def apache(provider, scratch):
    """Debian's Apache with mod_auth_openidc, and a page that only Ann sees."""
    if not (APACHE_MODULES / "mod_auth_openidc.so").exists() or not shutil.which("apache2"):
        print("notice: there is no Apache with mod_auth_openidc: its recipe was NOT run")
        return
    port = passkey.free_port()
    url = f"http://localhost:{port}"
    client = behind(provider, "Apache", url)
    root = pathlib.Path(scratch) / "apache"
    (root / "pages").mkdir(parents=True)
    (root / "pages" / "index.html").write_text("what only users see\n")
    wanted = ["mpm_event", "authn_core", "authz_core", "authz_user", "dir"]
    lines = [f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so" for name in wanted]
    lines += [
        f'ServerRoot "{root}"',
        f"Listen 127.0.0.1:{port}",
        "ServerName localhost",
        f'PidFile "{root}/pid"',
        f'ErrorLog "{root}/error.log"',
        f'DocumentRoot "{root}/pages"',
        f'Include "{RECIPES / "apache.conf"}"',
    ]
    # Who runs this as root has Apache give that up.
    if os.geteuid() == 0:
        lines += ["User www-data", "Group www-data"]
    (root / "main.conf").write_text("\n".join(lines) + "\n")
    os.chmod(scratch, 0o755)
    environment = {
        **os.environ,
        "MODULES": str(APACHE_MODULES),
        "ISSUER": provider.base,
        "CLIENT_ID": client["client_id"],
        "CLIENT_SECRET": client["client_secret"],
        "PAGE": url,
        "PASSPHRASE": secrets.token_hex(32),
    }
    arguments = ["apache2", "-D", "FOREGROUND", "-f", str(root / "main.conf")]
    with passkey.running(arguments, f"{scratch}/apache.log", environment):
        passkey.until("Apache answers", lambda: listens(port))
        _, text = guarded(provider, "Apache", f"{url}/")
        check("Apache shows the page to Ann", text == "what only users see\n", text)


def main():
    (binary,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch, running(binary, f"{scratch}/data") as provider:
        for recipe in (single_page, on_a_server, apache, command_line):
            recipe(provider, scratch)
    print("ok   all of it")


if __name__ == "__main__":
    main()

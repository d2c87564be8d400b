"""A provider on a port of its own, and a browser without JavaScript, for scripts that try clients of others."""

import contextlib
import html
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse

import requests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from passkey import free_port  # noqa: E402

PASSWORD = "correct horse 81 battery"


def check(what, holds, seen=""):
    if not holds:
        raise SystemExit(f"surprise: {what}: {seen}")
    print(f"ok   {what}", flush=True)


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

    def let_device_in(self, page, code):
        """Types in the code that a device shows, signs in, and agrees."""
        answer = self.session.get(page, timeout=30)
        for _ in range(6):
            if "<form" not in answer.text:
                return
            answer = self.fill_in(answer, user_code=code)
            if answer.status_code == 303:
                place = urllib.parse.urljoin(page, answer.headers["location"])
                answer = self.session.get(place, timeout=30)
        raise SystemExit("surprise: the pages for devices lead in a circle")

    def fill_in(self, page, **typed):
        """Sends the form of a page as Ann would."""
        text = page.text
        action = re.search(r'<form method="post" action="([^"]+)"', text)
        check("a page has a form that can be sent", page.status_code == 200 and action, text[:500])
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
        fields = {name: html.unescape(value) for name, value in hidden}
        fields |= {name: value for name, value in typed.items() if f'name="{name}"' in text}
        if 'id="password"' in text:
            fields |= {"username": "ann", "password": PASSWORD}
        elif 'id="agree"' in text:
            fields |= {"answer": "agree"}
        url = urllib.parse.urljoin(self.base, html.unescape(action[1]))
        return self.session.post(url, data=fields, allow_redirects=False, timeout=30)


class Provider:
    """The server, with Ann, who may do everything."""

    def __init__(self, binary, data_dir, **settings):
        self.binary, self.data_dir = binary, data_dir
        port = free_port()
        self.base = f"http://localhost:{port}"
        # The server's own settings are none of a script's.
        self.clean = {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")}
        own = ["--data-dir", data_dir, "--listen", f"127.0.0.1:{port}", "--public-url", self.base]
        self.process = subprocess.Popen(
            [binary, *own], env={**self.clean, **settings}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        check("the server listens", "listens on" in self.process.stdout.readline())
        ann = ["user", "create", "--username", "ann", "--email", "ann@example.com", "--superuser", "--password-stdin"]
        self.command(*ann, given=PASSWORD)

    def command(self, *words, given=None):
        """What the command line says."""
        made = subprocess.run(
            [self.binary, "--data-dir", self.data_dir, *words], env=self.clean, input=given, text=True, capture_output=True
        )
        check(" ".join(words[:2]), made.returncode == 0, made.stderr)
        return made.stdout

    def register(self, **metadata):
        """A client, as the API makes it."""
        body = {"username": "ann", "password": PASSWORD}
        login = requests.post(f"{self.base}/auth/token", json=body, timeout=30).json()
        bearer = {"Authorization": f"Bearer {login['access_token']}"}
        answer = requests.post(f"{self.base}/oauth-clients", json=metadata, headers=bearer, timeout=30)
        check(f"the client {metadata['client_name']} is registered", answer.status_code == 201, answer.text)
        return answer.json()


@contextlib.contextmanager
def running(binary, data_dir, **settings):
    """A provider for as long as it is needed, with settings as its environment has them."""
    provider = Provider(binary, data_dir, **settings)
    try:
        yield provider
    finally:
        provider.process.kill()
        provider.process.wait()

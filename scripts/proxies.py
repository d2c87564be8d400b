"""Proxies that guard an application by asking the service; see proxies.sh."""

import base64
import contextlib
import hashlib
import http.client
import http.cookiejar
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import passkey  # noqa: E402
from passkey import PASSWORD, answers, ask, free_port, running, until  # noqa: E402

PROXIES = pathlib.Path(__file__).with_name("proxies")
MODULES = pathlib.Path("/usr/lib/apache2/modules")
LUA_SOCKET = pathlib.Path("/usr/share/lua/5.3/socket/http.lua")
HOST = "wiki.example.org"
LARGE = 20 << 20
FORGED = {"Remote-User": "root", "Remote-Groups": "superuser", "Remote_User": "root", "REMOTE-EMAIL": "root@example.org"}
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
RULES = [
    {"host": HOST, "paths": ["/public/**"], "access": "public"},
    {"host": HOST, "paths": ["/admin/**"], "access": "nobody"},
    {"host": HOST},
    {"host": "open.example.org", "access": "public"},
]


def check(what, holds, seen=""):
    if not holds:
        raise SystemExit(f"surprise: {what}: {seen}")
    print(f"ok   {what}", flush=True)


class Application(http.server.BaseHTTPRequestHandler):
    """Says what has come to it, and speaks back over a WebSocket."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.echo()
        length = int(self.headers.get("Content-Length") or 0)
        received = 0
        while received < length and (part := self.rfile.read(min(1 << 16, length - received))):
            received += len(part)
        said = {"path": self.path, "headers": [[name.lower(), value] for name, value in self.headers.items()], "body": received}
        body = f"<!doctype html><title>the wiki</title><pre id=\"said\">{json.dumps(said)}</pre>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def echo(self):
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        # RFC 6455 section 4.2.2
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        self.wfile.write(self.connection.recv(100))
        self.close_connection = True

    def log_message(self, *_):
        pass


class Served(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A proxy that hangs up is no surprise."""


class Answer:
    def __init__(self, answer):
        self.status, self.headers, self.text = answer.status, answer.headers, answer.read().decode()

    def said(self):
        """What has come to the application; nothing if nothing has."""
        found = re.search(r'<pre id="said">(.*)</pre>', self.text)
        return json.loads(found[1]) if found else None


class Guarded:
    """An application behind a proxy."""

    def __init__(self, name, port, service):
        self.name, self.port, self.service = name, port, service
        self.url = f"http://{HOST}:{port}"

    def get(self, path, headers=None, method="GET", body=None, host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Host": host or f"{HOST}:{self.port}", **(headers or {})})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def check(self, what, holds, seen=""):
        check(f"{self.name}: {what}", holds, seen)


def strangers(guarded):
    answer = guarded.get("/page")
    guarded.check("a program without credentials gets 401", answer.status == 401 and not answer.said(), answer.status)
    answer = guarded.get("/page?a=b&c=d", HTML)
    back = urllib.parse.quote(f"{guarded.url}/page?a=b&c=d", safe="")
    place = answer.headers.get("Location", "")
    wanted = f"{guarded.service.public}/auth/forward/sign-in?return_to={back}"
    guarded.check("a browser is led to the sign-in", (answer.status, place) == (302, wanted), f"{answer.status} {place}")
    for path in ("/admin", "/admin/users", "/%61dmin", "//admin", "/admin;x", "/x/..;/admin", "/x/%2e%2e/admin"):
        answer = guarded.get(path, {"X-API-Key": guarded.service.key})
        if answer.said() or answer.status < 400:
            raise SystemExit(f"surprise: {guarded.name}: {path} got through: {answer.status}")
    guarded.check("nobody gets to what is shut, however it is written", True)
    answer = guarded.get("/admin", {"X-API-Key": guarded.service.key})
    guarded.check("a rule says no with 403", answer.status == 403, answer.status)


def forgeries(guarded):
    forged = {
        **FORGED,
        "X-Forwarded-Uri": "/public/x",
        "X-Forwarded-Host": "open.example.org",
        "X-Forwarded-Method": "OPTIONS",
        "X-Original-URL": "http://open.example.org/",
        "X-Original-Method": "GET",
        "X-Rewrite-URL": "/public/x",
    }
    answer = guarded.get("/page", forged)
    guarded.check("what a client says of another request counts for nothing", answer.status == 401, answer.status)
    answer = guarded.get("http://wiki.example.org/page", host="open.example.org")
    guarded.check("two hosts in one request open nothing", answer.status >= 400 and not answer.said(), answer.status)
    said = guarded.get("/public/x", forged).said()
    theirs = [pair for pair in said["headers"] if pair[0].replace("_", "-").startswith("remote-") and pair[1]]
    guarded.check("identity headers of a client are taken away", not theirs, theirs)
    paths = [pair for pair in said["headers"] if pair[0] in ("x-original-url", "x-rewrite-url")]
    guarded.check("and what some applications take for a path", not paths, paths)


def machines(guarded):
    key = guarded.service.key
    answer = guarded.get("/page", {"X-API-Key": key, "Cookie": "mine=1; forward_cookie=x; also=2", **FORGED})
    headers = answer.said()["headers"]
    told = [value for name, value in headers if name.replace("_", "-") == "remote-user"]
    guarded.check("the application is told who comes with a key", told == ["ann"], headers)
    names = {name for name, _ in headers}
    cookies = " ".join(value for name, value in headers if name == "cookie")
    kept = "x-api-key" not in names and "forward_cookie" not in cookies and "mine=1" in cookies and "also=2" in cookies
    guarded.check("and nothing of how, but its own cookies", kept, headers)
    basic = base64.b64encode(f"ann:{key}".encode()).decode()
    answer = guarded.get("/page", {"Authorization": f"Basic {basic}"})
    guarded.check("a key does as a password", answer.status == 200 and answer.said(), answer.status)
    answer = guarded.get("/page", {"X-API-Key": key[:-1] + ("0" if key[-1] != "0" else "1")})
    guarded.check("a wrong key does not", answer.status == 401, answer.status)
    answer = guarded.get("/upload", {"X-API-Key": key}, "POST", b"x" * LARGE)
    guarded.check("a large body comes through", answer.said() and answer.said()["body"] == LARGE, answer.status)
    for headers, wanted in (({"X-API-Key": key}, 101), ({}, 401)):
        status, echoed = web_socket(guarded, headers)
        right = status == wanted and (wanted != 101 or echoed == b"hello")
        guarded.check(f"a WebSocket gets {wanted}", right, f"{status} {echoed}")


def web_socket(guarded, headers):
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=30) as stream:
        lines = ["GET /socket HTTP/1.1", f"Host: {HOST}:{guarded.port}", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        stream.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head and (part := stream.recv(4096)):
            head += part
        status = int(head.split()[1])
        if status != 101:
            return status, b""
        stream.sendall(b"hello")
        return status, head.split(b"\r\n\r\n", 1)[1] or stream.recv(100)


def sessions(guarded):
    """In by the pages, through, and shut out by the next request once the session was ended."""
    service = guarded.service
    cookie = service.sign_in(f"{guarded.url}/page")
    page = guarded.get("/page", {"Cookie": cookie})
    guarded.check("a session passes", page.status == 200 and ["remote-user", "ann"] in page.said()["headers"], page.status)
    service.end_sessions()
    page = guarded.get("/page", {"Cookie": cookie})
    guarded.check("its end shuts the next request", page.status == 401 and not page.said(), page.status)


def in_a_browser(guarded, driver):
    browser = Walker(driver)
    try:
        page = f"{guarded.url}/page?a=b&c=d"
        browser.post("url", {"url": page})
        browser.wait_for("#password")
        browser.type("#username", "ann")
        browser.type("#password", PASSWORD)
        browser.click("#submit")
        browser.wait_for("#said")
        guarded.check("Chromium signs in and is back at the page", browser.get("url") == page, browser.get("url"))
        said = json.loads(browser.text("#said"))
        guarded.check("which knows who it is", ["remote-user", "ann"] in said["headers"], said)
        guarded.service.end_sessions()
        browser.post("url", {"url": page})
        browser.wait_for("#password")
        guarded.check("and asks again when the session was ended", True)
    finally:
        browser.close()


class Walker(passkey.Browser):
    """A browser that finds every host of example.org here."""

    def capabilities(self):
        options = super().capabilities()
        options["goog:chromeOptions"]["args"].append("--host-resolver-rules=MAP *.example.org 127.0.0.1")
        return options


class Service:
    """The service, and Ann's account at it."""

    def __init__(self, port):
        self.public = f"http://id.example.org:{port}"
        self.local = f"http://127.0.0.1:{port}"

    def meet(self):
        body = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
        ask("POST", f"{self.local}/auth/register", body)
        made = ask("POST", f"{self.local}/auth/api-keys", {"name": "proxies", "unrestricted": True}, self.bearer())
        self.key = made["key"]

    def bearer(self):
        token = ask("POST", f"{self.local}/auth/token", {"username": "ann", "password": PASSWORD})["access_token"]
        return {"Authorization": f"Bearer {token}"}

    def end_sessions(self):
        request = urllib.request.Request(f"{self.local}/auth/sessions", method="DELETE", headers=self.bearer())
        urllib.request.urlopen(request, timeout=30).close()

    def sign_in(self, page):
        """Goes through the pages as a browser without JavaScript does; gives the cookie that proxies are shown."""
        connection = http.client.HTTPConnection("127.0.0.1", urllib.parse.urlsplit(self.local).port, timeout=30)
        cookies = {}
        place, method, body = f"/auth/forward/sign-in?{urllib.parse.urlencode({'return_to': page})}", "GET", None
        for _ in range(8):
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
            if body:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, place, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            for made in answer.headers.get_all("Set-Cookie", []):
                name, value = made.split(";")[0].split("=", 1)
                cookies[name] = value
            if answer.status == 303:
                place, method, body = answer.headers["Location"], "GET", None
                if place.startswith("http"):
                    check("the sign-in leads back to the page", place == page, place)
                    return f"forward_cookie={cookies['forward_cookie']}"
                continue
            hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text))
            hidden = {name: value.replace("&amp;", "&").replace("&#x2f;", "/").replace("&#x3d;", "=") for name, value in hidden.items()}
            body = urllib.parse.urlencode({**hidden, "username": "ann", "password": PASSWORD})
            place, method = "/oauth2/sign-in", "POST"
        raise SystemExit("surprise: the sign-in leads in a circle")


def recipe(name, folder, ports):
    """A file of proxies/, with the ports of this run."""
    auth, application, port = ports
    text = (PROXIES / name).read_text()
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{auth}").replace("127.0.0.1:8080", f"127.0.0.1:{application}")
    for before in ("listen 80;", "example.org:80 {", "bind 127.0.0.1:80\n", "<VirtualHost *:80>"):
        after = before.replace("listen 80", f"listen 127.0.0.1:{port}").replace(":80 {", f":{port} {{")
        after = after.replace(":80\n", f":{port}\n").replace("*:80>", f"*:{port}>")
        text = text.replace(before, after)
    place = pathlib.Path(folder) / name
    place.write_text(text)
    return place


def nginx(folder, ports):
    recipe("nginx.conf", folder, ports)
    main = pathlib.Path(folder) / "main.conf"
    paths = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {paths} include {folder}/nginx.conf; }}\n"
    )
    return ["nginx", "-c", str(main), "-e", f"{folder}/error.log"], None


def caddy(folder, ports):
    place = recipe("Caddyfile", folder, ports)
    place.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + place.read_text())
    environment = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(place)], environment


def haproxy(folder, ports):
    place = recipe("haproxy.cfg", folder, ports)
    script = recipe("forward.lua", folder, ports)
    place.write_text(place.read_text().replace("lua-load forward.lua", f"lua-load {script}"))
    return ["haproxy", "-db", "-f", str(place)], None


def apache(folder, ports):
    recipe("apache.conf", folder, ports)
    recipe("forward_apache.lua", folder, ports)
    lines = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in ("mpm_event", "authn_core", "authz_core")]
    lines += [f'ServerRoot "{folder}"', f"Listen 127.0.0.1:{ports[2]}", "ServerName localhost"]
    lines += [f'PidFile "{folder}/pid"', f'ErrorLog "{folder}/error.log"', f'Include "{folder}/apache.conf"']
    if os.geteuid() == 0:
        lines += ["User www-data", "Group www-data"]
    main = pathlib.Path(folder) / "main.conf"
    main.write_text("\n".join(lines) + "\n")
    environment = {**os.environ, "MODULES": str(MODULES), "RECIPE": str(folder)}
    return ["apache2", "-D", "FOREGROUND", "-f", str(main)], environment


ALL = {"nginx": nginx, "caddy": caddy, "haproxy": haproxy, "apache2": apache}


def there(name):
    """Whether the machine has a proxy, and what it takes."""
    is_there = shutil.which(name) and (name != "apache2" or (MODULES / "mod_lua.so").exists() and LUA_SOCKET.exists())
    if not is_there:
        print(f"notice: there is no {name}, or not all that its recipe takes: it was NOT run")
    return is_there


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(name, service, driver, scratch, ports):
    folder = pathlib.Path(scratch) / name
    folder.mkdir()
    arguments, environment = ALL[name](folder, ports)
    log = f"{scratch}/{name}.log"
    with running(arguments, log, environment):
        try:
            until(f"{name} listens", lambda: listens(ports[2]))
            guarded = Guarded(name, ports[2], service)
            for part in (strangers, forgeries, machines, sessions):
                part(guarded)
            if driver:
                in_a_browser(guarded, driver)
        except SystemExit:
            for file in (log, folder / "error.log"):
                with contextlib.suppress(OSError):
                    sys.stderr.write(pathlib.Path(file).read_text(errors="replace")[-3000:])
            raise


def main(binary):
    with contextlib.ExitStack() as stack:
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scratch.chmod(0o755)
        application = Served(("127.0.0.1", 0), Application)
        stack.callback(application.shutdown)
        threading.Thread(target=application.serve_forever, daemon=True).start()
        names = [name for name in ALL if there(name)]
        ports = {name: free_port() for name in names}
        auth = free_port()
        service = Service(auth)
        (scratch / "data").mkdir(mode=0o700)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")}
        environment |= {
            "AUTH_TRUSTED_PROXIES": "127.0.0.1",
            "AUTH_FORWARD__COOKIE_DOMAIN": "example.org",
            "AUTH_FORWARD__PORTS": ",".join(map(str, ports.values())),
            "AUTH_FORWARD__RULES": json.dumps(RULES),
            "AUTH_PASSWORD__MEMORY_KIB": "8",
            "AUTH_PASSWORD__ITERATIONS": "1",
        }
        arguments = [str(pathlib.Path(binary).resolve()), "--data-dir", str(scratch / "data")]
        arguments += ["--listen", f"127.0.0.1:{auth}", "--public-url", service.public]
        stack.enter_context(running(arguments, f"{scratch}/log", environment))
        until("the service answers", lambda: answers(f"{service.local}/health"))
        service.meet()
        driver = None
        if shutil.which("chromium") and shutil.which("chromedriver"):
            port = free_port()
            driver = f"http://127.0.0.1:{port}"
            stack.enter_context(running(["chromedriver", f"--port={port}"], f"{scratch}/driver.log"))
            until("chromedriver answers", lambda: answers(f"{driver}/status"))
        else:
            print("notice: there is no chromium with its driver: the proxies were NOT tried in a browser")
        for name in names:
            run(name, service, driver, scratch, (auth, application.server_port, ports[name]))
    print("ok   all of it")


if __name__ == "__main__":
    main(sys.argv[1])

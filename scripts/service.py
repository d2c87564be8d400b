"""A server of the release binary on a data directory of one's own, and HTTP with it: for kill.py and hostile."""

import asyncio
import base64
import json
import os
import pathlib
import signal
import subprocess
import time

PASSWORD = "correct horse 81 battery"
PUBLIC_URL = "http://id.test"
# Cheap hashes, and no limit on how often one client may ask: neither is what these scripts look at.
SETTINGS = {
    "AUTH_PASSWORD__MEMORY_KIB": "8",
    "AUTH_PASSWORD__ITERATIONS": "1",
    "AUTH_RATE_LIMIT__REQUESTS_PER_HOUR": "1000000000",
    "AUTH_LOG__LEVEL": "warn",
}


class Server:
    """The process, its data directory and its address."""

    def __init__(self, binary, data_dir, settings=SETTINGS):
        self.binary = str(pathlib.Path(binary).resolve())
        self.data_dir = pathlib.Path(data_dir)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")}
        self.environment = {**inherited, **settings}
        self.process = None
        self.address = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Whatever went wrong, the process does not outlive the script."""
        if self.process is not None:
            self.kill()

    def start(self, before=None):
        """Starts it; `before` runs in the new process first. Returns the seconds until it listened."""
        begun = time.perf_counter()
        self.process = self.launch(before)
        line = self.process.stdout.readline()
        took = time.perf_counter() - begun
        if "listens on " not in line:
            raise SystemExit(f"the server did not start: {line}{self.log()}")
        host, port = line.split("listens on ")[1].split(";")[0].rsplit(":", 1)
        self.address = (host, int(port))
        return took

    def launch(self, before=None):
        arguments = ["--data-dir", self.data_dir, "--listen", "127.0.0.1:0", "--public-url", PUBLIC_URL]
        with open(self.log_file(), "a") as log:
            return subprocess.Popen(
                [self.binary, *arguments],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=before,
            )

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends it in good order. Returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def command(self, *arguments, given=None):
        """Runs a command of the program on the data directory. Returns its exit code and output."""
        command = [self.binary, "--data-dir", self.data_dir, *arguments]
        done = subprocess.run(command, env=self.environment, input=given, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def log_file(self):
        return f"{self.data_dir}.log"

    def log(self):
        return pathlib.Path(self.log_file()).read_text()

    def cpu_seconds(self):
        """User and system time that the process has used."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        """Resident memory now, and the most that there ever was."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        lines = dict(line.split(":", 1) for line in status.splitlines())
        return tuple(int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))


class Lost(Exception):
    """The connection ended before the whole answer was there; `status` if its first line was."""

    def __init__(self, status=None):
        super().__init__(status)
        self.status = status


class Answer:
    """A status, headers in lower case (cookies apart), and a body."""

    def __init__(self, status):
        self.status = status
        self.headers = {}
        self.cookies = {}
        self.body = b""

    def json(self):
        return json.loads(self.body)


class Connection:
    """One connection, opened at the first request and again after a loss."""

    def __init__(self, address):
        self.address = address
        self.streams = None

    async def request(self, method, path, headers=(), body=None):
        """Sends a request and reads its answer. Raises Lost when the server goes away."""
        status = None
        try:
            if self.streams is None:
                self.streams = await asyncio.open_connection(*self.address)
            reader, writer = self.streams
            writer.write(encode(method, path, headers, body))
            line = await reader.readline()
            if not line.endswith(b"\n"):
                raise Lost
            status = int(line.split()[1])
            return await self.rest(reader, status)
        except (Lost, OSError, asyncio.IncompleteReadError):
            self.close()
            raise Lost(status) from None

    async def rest(self, reader, status):
        answer = Answer(status)
        while (line := await reader.readuntil(b"\n")) != b"\r\n":
            name, value = line.decode("latin-1").strip().split(": ", 1)
            if name == "set-cookie":
                cookie, text = value.split(";", 1)[0].split("=", 1)
                answer.cookies[cookie] = text
            else:
                answer.headers[name] = value
        answer.body = await reader.readexactly(int(answer.headers.get("content-length", 0)))
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    def close(self):
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


def encode(method, path, headers=(), body=None):
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: id.test", *(f"{name}: {value}" for name, value in headers)]
    content = b""
    if body is not None:
        content = json.dumps(body).encode()
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


def claims(token):
    """What an access token says."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))

"""The release binary against a real mail server: aiosmtpd, which speaks STARTTLS and asks for a login; see mail.sh.

Everything is on loopback; the data directory and the certificate are thrown away.
"""

import email
import email.policy
import json
import logging
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

PASSWORD = "correct horse 81 battery"
NEW_PASSWORD = "staple 17 of the donkey"
SMTP_PASSWORD = "only-for-the-mail-server"
# Seconds after which a mail that was tried once is tried again, at the latest.
LONGEST_FIRST_WAIT = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(directory):
    """A certificate for localhost, and its key."""
    files = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    arguments = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    names += ["-addext", "basicConstraints=critical,CA:FALSE"]
    command = ["openssl", "req", "-x509", *arguments, *names, "-out", files[0], "-keyout", files[1]]
    subprocess.run(command, check=True, capture_output=True)
    return files


class Inbox:
    """What the mail server was given."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        assert session.ssl is not None, "the mail came without TLS"
        assert session.authenticated, "the mail came without a login"
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 taken"

    def wait(self, to, words, seconds=30):
        end = time.time() + seconds
        while time.time() < end:
            for mail in self.mails:
                if mail["To"] == to and words in mail["Subject"]:
                    self.mails.remove(mail)
                    return mail
            time.sleep(0.05)
        sys.exit(f"no mail «{words}» to {to}; there are {[(m['To'], m['Subject']) for m in self.mails]}")


def authenticate(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and data.login == b"auth" and data.password == SMTP_PASSWORD.encode()
    return AuthResult(success=right)


def start_mail_server(inbox, port, directory, files=None):
    cert_file, key_file = files or certificate(directory)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert_file, key_file)
    controller = Controller(
        inbox,
        hostname="localhost",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    controller.start()
    return controller, (cert_file, key_file)


class Service:
    def __init__(self, program, directory, smtp_port, cert_file):
        self.port = free_port()
        password_file = os.path.join(directory, "smtp-password")
        with open(os.open(password_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(SMTP_PASSWORD + "\n")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")}
        self.environment = dict(
            inherited,
            AUTH_DATA_DIR=os.path.join(directory, "data"),
            AUTH_LISTEN=f"127.0.0.1:{self.port}",
            AUTH_LOG__FORMAT="json",
            AUTH_MAIL__SINK="smtp",
            AUTH_MAIL__FROM="Accounts <accounts@id.example>",
            AUTH_MAIL__SMTP_HOST="localhost",
            AUTH_MAIL__SMTP_PORT=str(smtp_port),
            AUTH_MAIL__SMTP_SECURITY="starttls",
            AUTH_MAIL__SMTP_USERNAME="auth",
            AUTH_MAIL__SMTP_PASSWORD_FILE=password_file,
            AUTH_MAIL__SMTP_CA_FILE=cert_file,
            AUTH_MAIL__SMTP_TIMEOUT_SECS="5",
            AUTH_MAIL__SIGN_IN="true",
        )
        self.log = os.path.join(directory, "log")
        self.program = program
        self.root = None
        self.process = subprocess.Popen(
            [program], env=self.environment, stdout=subprocess.DEVNULL, stderr=open(self.log, "wb")
        )
        for _ in range(200):
            try:
                self.ask("GET", "/health")
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("the server did not start:\n" + open(self.log).read())

    def ask(self, method, path, body=None, token=None, device="Laptop"):
        headers = {"Content-Type": "application/json", "User-Agent": device}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as answer:
            return answer.code, json.loads(answer.read())

    def command(self, *arguments, given=None):
        command = [self.program, *arguments]
        done = subprocess.run(command, env=self.environment, input=given, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{arguments}: {done.stderr}")
        return done.stdout

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def text_of(mail):
    return mail.get_body(("plain",)).get_content().replace("\r\n", "\n")


def token(mail, prefix):
    text = text_of(mail)
    found = re.findall(rf"^{prefix}\S+$", text, re.M)
    assert len(found) == 1, text
    assert f"#token={found[0]}" in text
    assert found[0] in mail.get_body(("html",)).get_content()
    return found[0]


def expect(answer, status, what):
    if answer[0] != status:
        sys.exit(f"{what}: {answer}")
    print(f"ok: {what}")
    return answer[1]


def main():
    # It tells of a field of its own that nobody here reads.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        inbox, smtp_port = Inbox(), free_port()
        controller, (cert_file, key_file) = start_mail_server(inbox, smtp_port, directory)
        service = Service(program, directory, smtp_port, cert_file)
        try:
            files = (cert_file, key_file)
            drive(service, inbox, controller, lambda: start_mail_server(inbox, smtp_port, directory, files))
        finally:
            service.stop()
        log = open(service.log).read()
        for secret in ("asp_", "asv_", "ase_", "asm_", SMTP_PASSWORD, PASSWORD, NEW_PASSWORD):
            assert secret not in log, f"{secret} is in the log"
        print("ok: no secret is in the log")


def drive(service, inbox, controller, start_again):
    root = ["user", "create", "--username", "root", "--email", "root@example.com", "--superuser", "--password-stdin"]
    service.command(*root, given=PASSWORD)
    ann = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
    expect(service.ask("POST", "/auth/register", ann), 201, "register")
    mail = inbox.wait(ann["email"], "Confirm your e-mail address")
    expect(service.ask("POST", "/auth/email/verify", {"token": token(mail, "asv_")}), 204, "verify the address")

    expect(service.ask("POST", "/auth/password/forgot", {"email": ann["email"]}), 202, "forget the password")
    reset = token(inbox.wait(ann["email"], "Choose another password"), "asp_")
    body = {"token": reset, "new_password": NEW_PASSWORD}
    expect(service.ask("POST", "/auth/password/reset", body), 204, "choose another one")
    inbox.wait(ann["email"], "password was changed")
    expect(service.ask("POST", "/auth/password/reset", body), 400, "the link is good once")

    expect(service.ask("POST", "/auth/email-login/start", {"email": ann["email"]}), 202, "ask to sign in by mail")
    code = re.findall(r"^\d{8}$", text_of(inbox.wait(ann["email"], "Sign in")), re.M)[0]
    body = {"email": ann["email"], "code": code}
    expect(service.ask("POST", "/auth/email-login/finish", body), 200, "sign in with the code")

    body = {"username": "ann", "password": NEW_PASSWORD}
    answer = service.ask("POST", "/auth/token", body, device="Phone")
    bearer = expect(answer, 200, "log in on another device")["access_token"]
    assert "Phone" in text_of(inbox.wait(ann["email"], "new device"))
    wanted = {"email": "new@example.com", "current_password": NEW_PASSWORD}
    shown = expect(service.ask("PATCH", "/auth/me", wanted, bearer), 200, "ask for another address")
    assert shown["email"] == ann["email"]
    inbox.wait(ann["email"], "about to change")
    confirm = token(inbox.wait("new@example.com", "Confirm your new"), "ase_")
    expect(service.ask("POST", "/auth/email/confirm", {"token": confirm}), 204, "confirm it")
    inbox.wait(ann["email"], "was changed")

    without_a_mail_server(service, inbox, controller, start_again)


def without_a_mail_server(service, inbox, controller, start_again):
    """Nothing fails, the mails wait, and leave when it is back: one by hand, the other by itself."""
    assert mail_health(service)["status"] == "ok", mail_health(service)
    print("ok: mail is well")
    controller.stop()
    bob = {"username": "bob", "email": "bob@example.com", "password": PASSWORD}
    expect(service.ask("POST", "/auth/register", bob), 201, "register without a mail server")
    expect(service.ask("POST", "/auth/password/forgot", {"email": "new@example.com"}), 202, "forget without one")
    degraded = lambda: [health for health in [mail_health(service)] if health["status"] == "degraded"]
    found = until("mail is degraded", degraded)[0]
    assert found["waiting"] == 2 and found["trouble"], found
    assert expect(service.ask("GET", "/health"), 200, "the service is well")["status"] == "healthy"
    tried = lambda: [mail for mail in waiting(service) if mail["attempts"] > 0]
    until("both were tried", lambda: len(tried()) == 2)
    print("ok: two mails wait:", found["trouble"])
    start_again()
    [reset] = [mail for mail in tried() if mail["kind"] == "reset_password"]
    service.command("mail", "retry", reset["id"])
    inbox.wait("new@example.com", "Choose another password", 10)
    print("ok: one leaves at once when somebody says so")
    link = token(inbox.wait(bob["email"], "Confirm your e-mail address", LONGEST_FIRST_WAIT), "asv_")
    print("ok: the other leaves by itself")
    expect(service.ask("POST", "/auth/email/verify", {"token": link}), 204, "verify the address")
    until("mail is well again", lambda: mail_health(service)["status"] == "ok" and not waiting(service))


def waiting(service):
    return json.loads(service.command("--json", "mail", "list"))["items"]


def mail_health(service):
    """What an administrator is told."""
    if service.root is None:
        login = {"username": "root", "password": PASSWORD}
        service.root = service.ask("POST", "/auth/token", login)[1]["access_token"]
    return service.ask("GET", "/health?verbose=true", None, service.root)[1]["details"]["mail"]


def until(what, check, seconds=30):
    """Waits for something that comes soon."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := check():
            print(f"ok: {what}")
            return value
        time.sleep(0.2)
    sys.exit(f"not within {seconds} seconds: {what}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Drives a built auth-service against a real SMTP server: aiosmtpd, which speaks STARTTLS and asks for a login.

    python3 -m venv /some/where && /some/where/bin/pip install aiosmtpd cryptography
    cargo build --release
    /some/where/bin/python scripts/mail.py target/release/auth-service

Everything is on loopback; the data directory and the certificate are thrown away. Nothing of this is needed by `cargo test`.
"""
import datetime
import email
import email.policy
import json
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
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "correct horse 81 battery"
NEW_PASSWORD = "staple 17 of the donkey"
SMTP_PASSWORD = "only-for-the-mail-server"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(directory):
    """A certificate for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    with open(cert_file, "wb") as file:
        file.write(made.public_bytes(serialization.Encoding.PEM))
    with open(key_file, "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return cert_file, key_file


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
        self.environment = dict(
            os.environ,
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
            AUTH_MAIL__SIGN_IN="true",
        )
        self.log = os.path.join(directory, "log")
        self.program = program
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

    def ask(self, method, path, body=None, token=None):
        headers = {"Content-Type": "application/json"}
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

    def command(self, *arguments):
        done = subprocess.run(
            [self.program, *arguments], env=self.environment, capture_output=True, text=True, check=True
        )
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
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/auth-service")
    with tempfile.TemporaryDirectory() as directory:
        inbox, smtp_port = Inbox(), free_port()
        controller, (cert_file, key_file) = start_mail_server(inbox, smtp_port, directory)
        service = Service(program, directory, smtp_port, cert_file)
        try:
            drive(service, inbox, controller, lambda: start_mail_server(inbox, smtp_port, directory, (cert_file, key_file)))
        finally:
            service.stop()
        log = open(service.log).read()
        for secret in ("asp_", "asv_", "ase_", "asm_", SMTP_PASSWORD, PASSWORD, NEW_PASSWORD):
            assert secret not in log, f"{secret} is in the log"
        print("ok: no secret is in the log")


def drive(service, inbox, controller, start_again):
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
    bearer = expect(service.ask("POST", "/auth/token", body), 200, "log in")["access_token"]
    wanted = {"email": "new@example.com", "current_password": NEW_PASSWORD}
    shown = expect(service.ask("PATCH", "/auth/me", wanted, bearer), 200, "ask for another address")
    assert shown["email"] == ann["email"]
    inbox.wait(ann["email"], "about to change")
    confirm = token(inbox.wait("new@example.com", "Confirm your new"), "ase_")
    expect(service.ask("POST", "/auth/email/confirm", {"token": confirm}), 204, "confirm it")
    inbox.wait(ann["email"], "was changed")

    # The mail server goes away: nothing fails, the mail waits, and leaves when it is back.
    controller.stop()
    expect(service.ask("POST", "/auth/password/forgot", {"email": "new@example.com"}), 202, "forget without a server")
    for _ in range(100):
        waiting = json.loads(service.command("--json", "mail", "list"))["items"]
        if waiting and waiting[0]["attempts"] > 0:
            break
        time.sleep(0.1)
    assert waiting[0]["kind"] == "reset_password" and waiting[0]["trouble"], waiting
    print("ok: the mail waits:", waiting[0]["trouble"])
    start_again()
    service.command("mail", "retry", waiting[0]["id"])
    inbox.wait("new@example.com", "Choose another password")
    print("ok: it leaves when the mail server is back")


if __name__ == "__main__":
    main()

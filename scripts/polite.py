"""A polite client: asks /health and /auth/me now and then, and measures how long each answer takes.

A process of its own, with blocking sockets, so that nothing but the server and the machine is in what it measures.
It asks from the start and begins to measure when a line comes on standard input.
"""

import json
import select
import socket
import sys
import time

PAUSE = 0.003
TIMEOUT = 10


class Client:
    """Asks over one connection that stays open, or over a new one each time."""

    def __init__(self, address, request, keeps):
        self.address = address
        self.request = request
        self.keeps = keeps
        self.stream = None
        self.times = []
        self.failures = []
        # How often a connection that was kept had been closed meanwhile, as a server may do at any time.
        self.stale = 0

    def ask(self):
        begun = time.perf_counter()
        try:
            head = self.exchange()
            if not head.startswith(b"HTTP/1.1 200 "):
                raise OSError(head.split(b"\r\n")[0].decode("latin-1"))
        except OSError as cause:
            self.failures.append(f"{type(cause).__name__} {cause}")
            self.close()
        else:
            self.times.append(time.perf_counter() - begun)
        if not self.keeps:
            self.close()

    def exchange(self):
        """Sends the request; once more over a new connection if the old one turns out to be closed."""
        if self.stream is not None:
            try:
                self.stream.sendall(self.request)
                return self.answer()
            except ConnectionError:
                self.stale += 1
                self.close()
        self.stream = socket.create_connection(self.address, TIMEOUT)
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream.sendall(self.request)
        return self.answer()

    def answer(self):
        """Reads one whole answer."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.more()
        head, body = got.split(b"\r\n\r\n", 1)
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        missing = int(length.split(b":")[1]) - len(body)
        while missing > 0:
            missing -= len(self.more())
        return head

    def more(self):
        got = self.stream.recv(65536)
        if not got:
            raise ConnectionError("the connection was closed")
        return got

    def close(self):
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def report(self):
        times = sorted(self.times) or [TIMEOUT]
        at = lambda share: round(times[min(len(times) - 1, int(len(times) * share))] * 1000, 3)
        figures = {"count": len(self.times), "p50": at(0.5), "p99": at(0.99)}
        return {**figures, "stale": self.stale, "failures": self.failures}


def ask_until(clients, is_over):
    while not is_over():
        for client in clients.values():
            client.ask()
        time.sleep(PAUSE)


def main(host, port, token, seconds):
    address = (host, int(port))
    health = b"GET /health HTTP/1.1\r\nHost: id.test\r\n\r\n"
    me = f"GET /auth/me HTTP/1.1\r\nHost: id.test\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    clients = {
        "health": Client(address, health, True),
        "me": Client(address, me, True),
        "health, new": Client(address, health, False),
        "me, new": Client(address, me, False),
    }
    ask_until(clients, lambda: select.select([sys.stdin], [], [], 0)[0])
    for client in clients.values():
        client.times.clear()
        client.stale = 0
    end = time.perf_counter() + float(seconds)
    ask_until(clients, lambda: time.perf_counter() >= end)
    print(json.dumps({name: client.report() for name, client in clients.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What hostile lets loose: each attack says when it is under way, goes on until its standard input ends, and then
prints, as JSON, what came of it.

python3 attackers.py ATTACK HOST PORT TOKEN
"""

import asyncio
import collections
import contextlib
import itertools
import json
import logging
import os
import resource
import sys
import time

from service import encode

SOURCES = [f"127.0.0.{last}" for last in range(2, 34)]
READY = "ready"


class Attack:
    """The target, whether it goes on, and a count of what happened."""

    def __init__(self, address, token):
        self.address = address
        self.token = token
        self.over = asyncio.Event()
        self.sources = itertools.cycle(SOURCES)
        self.seen = collections.Counter()
        self.longest = collections.defaultdict(float)

    def goes_on(self):
        return not self.over.is_set()

    async def run(self, name):
        """Runs an attack until somebody closes the standard input."""
        end = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        end.add_done_callback(lambda _: self.over.set())
        attacking = asyncio.create_task(globals()[name](self))
        await self.over.wait()
        attacking.cancel()

    async def connect(self):
        return await asyncio.open_connection(*self.address, local_addr=(next(self.sources), 0))

    async def many(self, count, work):
        """Runs `work` on so many connections at a time."""

        async def worker():
            while self.goes_on():
                try:
                    await work()
                except (OSError, EOFError) as cause:
                    self.seen[type(cause).__name__] += 1
                    await asyncio.sleep(0.01)

        await asyncio.gather(*(worker() for _ in range(count)))

    def report(self):
        longest = {name: round(seconds, 1) for name, seconds in self.longest.items()}
        return {"seen": dict(self.seen), "longest": longest}


class Idler(asyncio.Protocol):
    """A connection that does nothing after its first bytes."""

    def __init__(self, crowd, first):
        self.crowd = crowd
        self.first = first

    def connection_made(self, transport):
        self.crowd.add(transport)
        self.transport = transport
        transport.write(self.first)

    def connection_lost(self, _):
        self.crowd.discard(self.transport)


async def idle(attack, count=10_000):
    """Holds connections open; those that the server closes are opened again. The first ones have begun a body,
    so that they are busy; of the rest some have asked for something, and some have said nothing at all.
    """
    loop = asyncio.get_running_loop()
    crowd = set()
    body = encode("POST", "/auth/token", [("Content-Type", "application/json"), ("Content-Length", "99")])
    greeting = encode("GET", "/health/live")
    first = itertools.chain([body] * 100, itertools.cycle([greeting, greeting, greeting, b""]))
    room = asyncio.Semaphore(100)

    async def join():
        async with room:
            with contextlib.suppress(OSError):
                make = lambda: Idler(crowd, next(first))
                source = (next(attack.sources), 0)
                await loop.create_connection(make, *attack.address, local_addr=source)
                attack.seen["opened"] += 1

    while attack.goes_on():
        await asyncio.gather(*(join() for _ in range(count - len(crowd))))
        if not attack.seen["held"]:
            print(READY, flush=True)
        attack.seen["held"] = max(attack.seen["held"], len(crowd))
        await asyncio.sleep(0.2)


async def few_idle(attack):
    """As many as a server with few file descriptors cannot hold."""
    await idle(attack, 400)


async def slow(attack):
    """Sends a byte every 400 ms, of a head or of a body, and measures how long the server puts up with it."""
    head = b"GET /health HTTP/1.1\r\nHost: id.test\r\nX-Slow: "
    body = encode("POST", "/auth/token", [("Content-Type", "application/json"), ("Content-Length", "9999")])

    async def drip(kind, beginning):
        reader, writer = await attack.connect()
        begun = time.monotonic()
        ended = asyncio.create_task(reader.read(9999))
        with contextlib.suppress(OSError):
            writer.write(beginning)
            while not ended.done():
                await asyncio.wait([ended], timeout=0.4)
                writer.write(b"a")
                await writer.drain()
        with contextlib.suppress(OSError):
            first = (await ended).split(b"\r\n")[0].decode()
            attack.seen[f"{kind}: {first or 'closed'}"] += 1
        attack.longest[kind] = max(attack.longest[kind], time.monotonic() - begun)
        writer.close()

    await asyncio.gather(
        attack.many(100, lambda: drip("heads", head)),
        attack.many(100, lambda: drip("bodies", body)),
    )


async def endless(attack):
    """Sends chunks without end, as fast as they are taken."""
    head = encode("POST", "/auth/token", [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"

    async def pour():
        reader, writer = await attack.connect()
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            writer.write(head)
            while not writer.is_closing() and attack.goes_on() and not reader._buffer:
                writer.write(chunk)
                attack.seen["MiB sent"] += len(chunk) / (1 << 20)
                await writer.drain()
        with contextlib.suppress(OSError):
            first = (await asyncio.wait_for(reader.read(9999), 5)).split(b"\r\n")[0].decode()
            attack.seen[first or "closed"] += 1
        attack.longest["body"] = max(attack.longest["body"], time.monotonic() - begun)
        writer.close()

    await attack.many(50, pour)


async def hoard(attack):
    """Sends nearly the whole of the largest body that is taken, and waits: the server has to keep it so long."""
    body = encode("POST", "/auth/token", [("Content-Type", "application/json"), ("Content-Length", "1048576")])

    async def fill():
        reader, writer = await attack.connect()
        writer.write(body + b"a" * 1_048_000)
        await writer.drain()
        attack.seen["held"] += 1
        first = (await reader.read(9999)).split(b"\r\n")[0].decode()
        attack.seen[first or "closed"] += 1
        writer.close()

    await attack.many(500, fill)


async def deaf(attack):
    """Asks for large answers and never reads them."""
    ask = encode("GET", "/docs/viewer.js") + encode("GET", "/openapi.json") * 20

    async def turn_away():
        _, writer = await attack.connect()
        writer.transport.pause_reading()
        writer.write(ask)
        attack.seen["held"] += 1
        await attack.over.wait()
        writer.close()

    await attack.many(500, turn_away)


async def garbage(attack):
    """Sends bytes that are no HTTP."""

    async def throw():
        reader, writer = await attack.connect()
        writer.write(os.urandom(2048))
        attack.seen["sent"] += 1
        await reader.read(9999)
        writer.close()

    await attack.many(32, throw)


async def connect(attack):
    """Opens connections and closes them again."""

    async def knock():
        _, writer = await attack.connect()
        attack.seen["opened"] += 1
        writer.close()
        await writer.wait_closed()

    await attack.many(32, knock)


def frame(kind, flags, stream, payload=b""):
    """A frame of HTTP/2 (RFC 9113 section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


async def reset(attack):
    """Opens streams of HTTP/2 and resets each at once."""
    hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
    # GET http /, all from the static table, and the authority.
    head = bytes([0x82, 0x86, 0x84, 0x01, 7]) + b"id.test"

    async def open_and_reset():
        _, writer = await attack.connect()
        writer.write(hello)
        for stream in range(1, 20_001, 2):
            writer.write(frame(1, 5, stream, head) + frame(3, 0, stream, bytes([0, 0, 0, 8])))
            if stream % 20 == 1:
                await writer.drain()
                attack.seen["streams"] += 10
        writer.close()

    await attack.many(16, open_and_reset)


async def ask_with(attack, token):
    reader, writer = await attack.connect()
    while attack.goes_on():
        writer.write(encode("GET", "/auth/me", [("Authorization", f"Bearer {token()}")]))
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))
        attack.seen[head.split(b"\r\n")[0].decode()] += 1


async def tokens(attack):
    """Asks with tokens that are not even tokens."""
    await attack.many(32, lambda: ask_with(attack, lambda: os.urandom(200).hex()))


async def forged(attack):
    """Asks with tokens whose header names our key and whose signature is wrong."""
    signed, _ = attack.token.rsplit(".", 1)
    await attack.many(32, lambda: ask_with(attack, lambda: f"{signed}.{os.urandom(64).hex()[:86]}"))


def main(name, host, port, token):
    # Attackers have machines of their own: here they get what nobody else wants, and are interrupted at once.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    # That the server closes connections is what is wanted, and nothing to write about.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    attack = Attack((host, int(port)), token)
    if "idle" not in name:
        print(READY, flush=True)
    asyncio.run(attack.run(name))
    print(json.dumps(attack.report()), flush=True)
    # What is open is closed by the system, faster than one by one.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])

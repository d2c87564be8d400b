#!/usr/bin/env python3
"""Kills a server under load, again and again, on one data directory, and looks for anything that it had promised.

Clients write down what was acknowledged: an answer counts once its status line is there. After each restart
nothing of that may be gone: users exist, sessions go on with the last refresh token that arrived (also when the
answer to a later refresh was lost), no token of a session that was ended is taken again, API keys are good until they
were revoked and never after, and the audit trail has no gap.
"""

import argparse
import asyncio
import collections
import json
import random
import statistics
import sys
import tempfile
import time

from service import PASSWORD, Connection, Lost, Server, bearer, claims

CLIENTS = 24
VERIFIERS = 12
# Sessions of one client that go on at a time.
OPEN_SESSIONS = 12
# Of the sessions that have ended, how many of the last ones and of the others are tried in each round.
LAST_ENDED = 400
OLD_ENDED = 200
LOAD_SECONDS = (0.2, 1.5)


class Session:
    """A login: the last tokens that arrived, and what is known of it."""

    def __init__(self, user, answer):
        self.user = user
        # "open"; "ended"; "unsure" while the answer to what ends it is outstanding (or lost).
        self.state = "open"
        # A refresh was sent whose answer has not arrived.
        self.refreshing = False
        self.take(answer)
        self.id = claims(self.access)["sid"]

    def take(self, answer):
        self.access = answer.cookies["access_token_cookie"]
        self.refresh = answer.cookies["refresh_token_cookie"]
        self.csrf = answer.cookies["csrf_access_token"]
        self.refreshing = False


class Key:
    """An API key, and whether it is "open", "revoked", or "unsure" while the answer that revokes it is outstanding."""

    def __init__(self, made):
        self.text = made["key"]
        self.id = made["api_key"]["id"]
        self.state = "open"

    @property
    def header(self):
        return [("X-API-Key", self.text)]


class Journal:
    """What was promised, over all rounds, and what was not kept."""

    def __init__(self):
        self.users = set()
        self.unsure_users = set()
        self.sessions = []
        self.keys = []
        self.promises = collections.Counter()
        self.killing = False
        self.surprises = []

    def surprise(self, text):
        self.surprises.append(text)
        print(f"SURPRISE: {text}", flush=True)

    def expect(self, answer, status, what):
        """Notes an answer that is another one than `status`. Returns whether it is the right one."""
        if answer.status == status:
            return True
        self.surprise(f"{what}: {answer.status} instead of {status}: {answer.body.decode()}")
        return False


class Client:
    """One of those who make the load; its users and sessions are its own, round after round."""

    def __init__(self, number, journal):
        self.number = number
        self.journal = journal
        self.users = []
        self.sessions = []
        self.keys = []
        self.made = 0
        self.wire = None

    async def run(self, address):
        """Does one thing after the other until the server is gone."""
        self.wire = Connection(address)
        try:
            while True:
                await self.step()
        except Lost as lost:
            if not self.journal.killing:
                self.journal.surprise(f"a connection was lost without a kill ({lost.status})")
        finally:
            self.wire.close()

    async def step(self):
        self.sessions = [session for session in self.sessions if session.state != "ended"]
        sessions = [session for session in self.sessions if session.state == "open"]
        choices = [(self.register, 3 if self.users else 1)]
        if self.users and len(sessions) < OPEN_SESSIONS:
            choices.append((self.log_in, 5))
        if sessions:
            choices += [(self.refresh, 8), (self.log_out, 2), (self.revoke, 2), (self.revoke_others, 1)]
            choices += [(self.make_key, 1), (self.revoke_key, 1)]
        actions, weights = zip(*choices)
        await random.choices(actions, weights)[0](sessions)

    async def ask(self, method, path, headers=(), body=None, *, promise):
        """A request whose success is a promise."""
        answer = await self.wire.request(method, path, headers, body)
        if 200 <= answer.status < 300:
            self.journal.promises[promise] += 1
        return answer

    async def register(self, _):
        self.made += 1
        name = f"u{self.number}-{self.made}"
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        self.journal.unsure_users.add(name)
        try:
            answer = await self.ask("POST", "/auth/register", body=body, promise="registered")
        except Lost as lost:
            if lost.status == 201:
                self.promised_user(name)
            raise
        if self.journal.expect(answer, 201, f"register {name}"):
            self.promised_user(name)

    def promised_user(self, name):
        self.journal.unsure_users.discard(name)
        self.journal.users.add(name)
        self.users.append(name)

    async def log_in(self, _):
        name = random.choice(self.users[-20:])
        body = {"username": name, "password": PASSWORD}
        answer = await self.ask("POST", "/auth/token", body=body, promise="logged in")
        if self.journal.expect(answer, 200, f"log in {name}"):
            self.sessions.append(Session(name, answer))
            self.journal.sessions.append(self.sessions[-1])

    async def refresh(self, sessions):
        session = random.choice(sessions)
        session.refreshing = True
        answer = await self.ask(*refresh_of(session), promise="refreshed")
        if self.journal.expect(answer, 200, f"refresh {session.id}"):
            session.take(answer)

    async def log_out(self, sessions):
        session = random.choice(sessions)
        await self.end([session], "POST", "/auth/logout", session, 200, "logged out")

    async def revoke(self, sessions):
        session = random.choice(sessions)
        victim = random.choice([one for one in sessions if one.user == session.user])
        await self.end([victim], "DELETE", f"/auth/sessions/{victim.id}", session, 204, "revoked")

    async def make_key(self, sessions):
        session = random.choice(sessions)
        body = {"name": "one", "permissions": ["account:read", "account:keys"]}
        answer = await self.ask("POST", "/auth/api-keys", bearer(session.access), body, promise="key made")
        # The 201st key of one user is refused.
        if answer.status != 400 and self.journal.expect(answer, 201, f"key of {session.user}"):
            self.keys.append(Key(json.loads(answer.body)))
            self.journal.keys.append(self.keys[-1])

    async def revoke_key(self, _):
        keys = [key for key in self.keys if key.state == "open"]
        if not keys:
            return
        key = random.choice(keys)
        key.state = "unsure"
        path = f"/auth/api-keys/{key.id}/revoke"
        try:
            # With the key itself: the answer is the last thing that it gets.
            answer = await self.ask("POST", path, key.header, promise="key revoked")
        except Lost as lost:
            if lost.status == 200:
                key.state = "revoked"
            raise
        if self.journal.expect(answer, 200, f"revoke key {key.id}"):
            key.state = "revoked"
            answer = await self.wire.request("GET", "/auth/me", key.header)
            self.journal.expect(answer, 401, f"key revoked a moment ago {key.id}")

    async def revoke_others(self, sessions):
        session = random.choice(sessions)
        victims = [one for one in sessions if one.user == session.user and one is not session]
        await self.end(victims, "DELETE", "/auth/sessions", session, 200, "revoked all others")

    async def end(self, victims, method, path, caller, status, promise):
        """Ends sessions, and now and then looks at once whether a token of theirs is still taken."""
        for victim in victims:
            victim.state = "unsure"
        try:
            answer = await self.ask(method, path, bearer(caller.access), promise=promise)
        except Lost as lost:
            if lost.status == status:
                settle(victims)
            raise
        if not self.journal.expect(answer, status, f"{promise} {caller.id}"):
            return
        settle(victims)
        if victims and random.random() < 0.3:
            token = victims[0].access
            answer = await self.wire.request("GET", "/auth/me", bearer(token))
            self.journal.expect(answer, 401, f"{promise} a moment ago {victims[0].id}")


def settle(victims):
    for victim in victims:
        victim.state = "ended"


def refresh_of(session):
    cookie = ("Cookie", f"refresh_token_cookie={session.refresh}")
    return "POST", "/auth/token/refresh", [cookie, ("X-CSRF-Token", session.csrf)]


class Verifier:
    """Looks after a restart whether every promise is kept."""

    def __init__(self, server, journal):
        self.server = server
        self.journal = journal
        self.seen = collections.Counter()

    async def run(self):
        by_state = collections.defaultdict(list)
        for session in self.journal.sessions:
            by_state[session.state].append(session)
        # Lost answers first: they can be asked for again for half a minute.
        by_state["open"].sort(key=lambda session: not session.refreshing)
        self.seen["lost refreshes"] = sum(session.refreshing for session in by_state["open"])
        for kind, items, look in [
            ("open", by_state["open"], self.goes_on),
            ("unsure", by_state["unsure"], self.is_settled),
            ("ended", some_of(by_state["ended"]), self.stays_ended),
            ("unsure users", sorted(self.journal.unsure_users), self.is_whole_or_not_there),
            ("keys", some_of(self.journal.keys), self.key_is_as_said),
        ]:
            self.seen[kind] = len(items)
            await self.each(items, look)
        self.users_are_there()
        self.check("with the server running")

    async def each(self, items, look):
        """Looks at all of them, over several connections."""
        left = iter(items)

        async def work():
            wire = Connection(self.server.address)
            for item in left:
                await look(wire, item)
            wire.close()

        await asyncio.gather(*(work() for _ in range(VERIFIERS)))

    async def goes_on(self, wire, session):
        what = f"session {session.id} of {session.user} (refreshing: {session.refreshing})"
        if claims(session.access)["exp"] > time.time() + 5:
            answer = await wire.request("GET", "/auth/me", bearer(session.access))
            self.journal.expect(answer, 200, f"access token of {what}")
        answer = await wire.request(*refresh_of(session))
        if not self.journal.expect(answer, 200, f"last refresh token of {what}"):
            session.state = "ended"
            return
        session.take(answer)
        answer = await wire.request("GET", "/auth/me", bearer(session.access))
        self.journal.expect(answer, 200, f"new access token of {what}")

    async def is_settled(self, wire, session):
        """Whether it ended is open, but not that it either did or goes on."""
        answer = await wire.request(*refresh_of(session))
        if answer.status == 200:
            session.take(answer)
            session.state = "open"
        elif self.journal.expect(answer, 401, f"session {session.id}, which perhaps ended"):
            session.state = "ended"
            await self.stays_ended(wire, session)

    async def stays_ended(self, wire, session):
        answer = await wire.request("GET", "/auth/me", bearer(session.access))
        self.journal.expect(answer, 401, f"access token of the ended session {session.id}")
        answer = await wire.request(*refresh_of(session))
        self.journal.expect(answer, 401, f"refresh token of the ended session {session.id}")

    async def key_is_as_said(self, wire, key):
        answer = await wire.request("GET", "/auth/me", key.header)
        if key.state == "unsure":
            key.state = "open" if answer.status == 200 else "revoked"
        self.journal.expect(answer, 200 if key.state == "open" else 401, f"key {key.id} ({key.state})")

    async def is_whole_or_not_there(self, wire, name):
        body = {"username": name, "password": PASSWORD}
        there = (await wire.request("POST", "/auth/token", body=body)).status == 200
        body["email"] = f"{name}@example.com"
        answer = await wire.request("POST", "/auth/register", body=body)
        self.journal.expect(answer, 400 if there else 201, f"user {name}, who perhaps registered")
        self.journal.unsure_users.discard(name)
        self.journal.users.add(name)

    def users_are_there(self):
        found, cursor = set(), []
        while cursor is not None:
            code, text = self.server.command("--json", "user", "list", "--limit", "200", *cursor)
            if code != 0:
                self.journal.surprise(f"user list: {code} {text}")
                return
            page = json.loads(text)
            found.update(user["username"] for user in page["items"])
            cursor = ["--cursor", page["next_cursor"]] if page["next_cursor"] else None
        self.seen["users"] = len(found)
        for name in self.journal.users - found:
            self.journal.surprise(f"user {name} is gone")

    def check(self, when):
        code, text = self.server.command("check")
        if code != 0 or not text.endswith("\n0 problems\n"):
            self.journal.surprise(f"check {when}: {code} {text}")
        code, text = self.server.command("audit", "verify")
        if code != 0 or not text.startswith("intact"):
            self.journal.surprise(f"audit verify {when}: {code} {text}")


def some_of(ended):
    """The last ones, and some of those before."""
    last, before = ended[-LAST_ENDED:], ended[:-LAST_ENDED]
    return last + random.sample(before, min(len(before), OLD_ENDED))


async def load(server, clients, journal):
    """Lets the clients loose for a while, then kills the server under them."""
    journal.killing = False
    running = [asyncio.create_task(client.run(server.address)) for client in clients]
    await asyncio.sleep(random.uniform(*LOAD_SECONDS))
    journal.killing = True
    server.kill()
    await asyncio.gather(*running)


def kill_while_starting(server):
    server.process = server.launch()
    time.sleep(random.uniform(0, 0.03))
    server.kill()


def one_round(number, server, clients, journal):
    """Load, kill, restart, verify. Returns the seconds that the restart took."""
    before = sum(journal.promises.values())
    asyncio.run(load(server, clients, journal))
    verifier = Verifier(server, journal)
    if number % 4 == 0:
        verifier.check("right after a kill")
    for _ in range(random.choice([0, 0, 1, 3])):
        kill_while_starting(server)
    took = server.start()
    asyncio.run(verifier.run())
    promises = sum(journal.promises.values()) - before
    seen = ", ".join(f"{count} {kind}" for kind, count in verifier.seen.items())
    print(f"round {number}: {promises} promises; restart {took * 1000:.0f} ms; looked at {seen}", flush=True)
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/auth-service")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    random.seed(options.seed)
    journal = Journal()
    clients = [Client(number, journal) for number in range(CLIENTS)]
    with tempfile.TemporaryDirectory() as directory, Server(options.binary, f"{directory}/data") as server:
        server.start()
        took = [one_round(number, server, clients, journal) for number in range(1, options.rounds + 1)]
        if (code := server.stop()) != 0:
            journal.surprise(f"the server ended with {code}")
        Verifier(server, journal).check("at the end")
        if "panicked" in server.log():
            journal.surprise(f"a panic: {server.log()}")
    print(f"seed {options.seed}; promises: {dict(journal.promises)}")
    print(f"restarts: median {statistics.median(took) * 1000:.0f} ms, longest {max(took) * 1000:.0f} ms")
    print(f"{len(journal.surprises)} surprises in {options.rounds} rounds")
    return 1 if journal.surprises else 0


if __name__ == "__main__":
    sys.exit(main())

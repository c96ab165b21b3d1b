"""Many phones on three nodes: `python tests/bench/bench_nodes.py [PHONES] [--hooks] [calm|redis|kill ...]`.

Three gateways behind HAProxy share PostgreSQL and Redis; Dovecot has the mail. 3,000 phones of 1,000 users wait, while
20 mails a second are put into inboxes by IMAP APPEND for half a minute. Printed is how long after the end of the APPEND
a phone has the answer of its Ping, what was missed and what came twice, and what the nodes cost.

Without `--hooks` Dovecot tells by NOTIFY (it gathers for half a second before it does); with it by our Lua script, and
nobody listens. Three rounds, one after the other: `calm`; `redis`, in which Redis is killed after a third of the time
and started again three seconds later; `kill`, in which a node is killed by SIGKILL after a third of the time. Target:
p95 under 500 ms, nothing missed, nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from fleet import WaitingPhone, tally
from load import BarePhone, at, machine, verdict
from standing import (
    HOOK_TOKEN,
    Dovecot,
    Flavour,
    Haproxy,
    Login,
    Postgresql,
    RedisServer,
    Server,
    Sink,
    backend,
    toml,
)

PHONES, DEVICES_OF_USER, NODES = 3000, 3, 3
MAILS_A_SECOND, SECONDS, PUSH_MS = 20, 30, 500
#: Users who get mail; all others only wait.
BUSY_USERS = 150
#: Phones that are set up at the same time.
AT_ONCE = 12
#: Connections from one address.
PORTS = 5000
#: How long after the last mail it may take until all have it.
AFTER_SECONDS = 60
REDIS_AWAY_SECONDS = 3.0
#: Until all users are watched, everybody has looked once more, and it is noted who asked.
ARMING_SECONDS = 60.0
ROUNDS = ("calm", "redis", "kill")
#: A process for each session, as Dovecot comes: in one that serves several, a session of a user that ends makes the
#: others of the same user deaf. Each that listens takes one of the kernel's inotify instances
#: (fs.inotify.max_user_instances).
DOVECOT = """
default_client_limit = 20000
service imap {
  process_limit = 5000
}
service auth {
  client_limit = 20000
}
service imap-login {
  process_limit = 4
  client_limit = 5000
}
mail_max_userip_connections = 100
"""


Phones = Sequence[tuple[str, WaitingPhone]]


@dataclass(slots=True)
class Postman:
    """Puts mail into one mailbox by IMAP, on a connection that stays."""

    login: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    free: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def of(cls, dovecot: Dovecot, user: Login) -> Postman:
        reader, writer = await asyncio.open_connection("127.0.0.1", dovecot.imap_port)
        await reader.readline()
        made = cls(user[0], reader, writer)
        await made._say(b"a AUTHENTICATE PLAIN " + b64encode(b"\0%s\0%s" % (user[0].encode(), user[1].encode())))
        return made

    async def append(self, subject: str) -> float:
        """When the server had it."""
        message = f"From: Load <load@example.com>\r\nTo: {self.login}\r\nSubject: {subject}\r\n" \
                  f"Message-ID: <{subject}@example.com>\r\n\r\nA line of text.\r\n".encode()
        async with self.free:
            await self._say(b"a APPEND INBOX {%d+}\r\n%s" % (len(message), message))
            return time.perf_counter()

    async def _say(self, line: bytes) -> None:
        self.writer.write(line + b"\r\n")
        while not (said := await self.reader.readline()).startswith(b"a "):
            assert said, "the server has closed the connection"
        assert said.startswith(b"a OK"), said


@dataclass(slots=True, kw_only=True)
class Site:
    dovecot: Dovecot
    redis: RedisServer
    postgresql: Postgresql
    database: str
    proxy: Haproxy
    nodes: list[Server]

    def connections(self) -> int:
        said = self.postgresql.run("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        return int(said) - 1


def site(stack: ExitStack, hooks: bool) -> Site:
    home = Path(tempfile.mkdtemp(prefix="eas-bench-"))
    stack.callback(shutil.rmtree, home, ignore_errors=True)
    nodes = [Server(data=home / f"node{number}") for number in range(NODES)]
    dovecot = Dovecot(more=DOVECOT, flavour=Flavour.LUA if hooks else Flavour.FULL, hook_port=nodes[0].port)
    sink, redis, postgresql = Sink(), RedisServer(), Postgresql()
    for server in (dovecot, sink, redis, postgresql):
        stack.callback(server.stop)
        server.start()
    database = postgresql.new_database(name="nodes")
    office = backend(dovecot, sink)
    office["imap"] |= {"port": dovecot.imap_port, "security": "none", "connections": 1000}
    office |= {"changes": "hooks"} if hooks else {}
    settings = {
        "database": database, "redis": {"url": redis.url}, "hooks": {"token": HOOK_TOKEN},
        "log": {"level": "warning", "format": "json"}, "trusted_proxies": ["127.0.0.1"], "backends": {"office": office},
    }
    (home / "eas.toml").write_text(toml(settings))
    for node in nodes:
        node.data.mkdir()
        node.arguments = ("--config", str(home / "eas.toml"))
        stack.enter_context(node)
    proxy = Haproxy(nodes=[node.port for node in nodes], plain=True, most=8000)
    stack.callback(proxy.stop)
    proxy.start()
    return Site(
        dovecot=dovecot, redis=redis, postgresql=postgresql, database=database, proxy=proxy, nodes=nodes,
    )


async def settle(place: Site, phones: int) -> list[tuple[str, WaitingPhone]]:
    users = [place.dovecot.new_user() for _ in range(phones // DEVICES_OF_USER)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> tuple[str, WaitingPhone]:
        login, password = users[number % len(users)]
        bare = BarePhone(
            port=place.proxy.port, user=login, password=password, device=f"fleet{number}",
            source=f"127.0.1.{1 + number // PORTS}",
        )
        phone = WaitingPhone(phone=bare, ports=(place.proxy.port,))
        async with gate:
            await phone.settle()
        return login, phone

    return list(await asyncio.gather(*(one(number) for number in range(phones))))


async def deliver(place: Site, users: list[Login], label: str) -> dict[str, dict[str, float]]:
    """At an even pace; user -> subject -> when it was there."""
    postmen = [await Postman.of(place.dovecot, user) for user in users]
    sent: dict[str, dict[str, float]] = {user[0]: {} for user in users}
    chosen, under_way = random.Random(1), set[asyncio.Task[None]]()

    async def one(postman: Postman, subject: str) -> None:
        sent[postman.login][subject] = await postman.append(subject)

    began = time.perf_counter()
    for number in range(MAILS_A_SECOND * SECONDS):
        await asyncio.sleep(max(0.0, began + number / MAILS_A_SECOND - time.perf_counter()))
        task = asyncio.create_task(one(chosen.choice(postmen), f"{label}-{number:05}"))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    for postman in postmen:
        postman.writer.close()
    return sent


async def fault(place: Site, label: str) -> None:
    await asyncio.sleep(SECONDS / 3)
    if label == "kill":
        place.nodes[-1].kill()
    if label == "redis":
        await asyncio.to_thread(place.redis.kill)
        await asyncio.sleep(REDIS_AWAY_SECONDS)
        await asyncio.to_thread(place.redis.start)


async def waiting(phones: Phones) -> None:
    """Until all of them wait; at most a while."""
    for _ in range(2 * AFTER_SECONDS):
        if all(phone.waits for _, phone in phones):
            return
        await asyncio.sleep(0.5)


def troubles_of(phones: Phones) -> str:
    """Since they were last asked for."""
    troubles = sum((phone.troubles for _, phone in phones), Counter[str]())
    for _, phone in phones:
        phone.troubles.clear()
    return str(dict(troubles.most_common())) if troubles else "none"


def complaints_of(place: Site) -> str:
    """What the nodes have written in their logs since they were last asked, by what it was."""
    lines = [line for node in place.nodes for line in node.log.read_text(errors="replace").splitlines()]
    for node in place.nodes:
        os.truncate(node.log, 0)
    events = Counter(json.loads(line)["event"] if line.startswith("{") else line for line in lines)
    if unheard := place.dovecot.log().count("eas-push: "):
        events["hooks that Dovecot gave up, since the beginning"] = unheard
    return str(dict(events.most_common(10))) if events else "nothing"


async def idle(place: Site, phones: Phones) -> None:
    await asyncio.sleep(ARMING_SECONDS)
    print(f"all have begun to wait; troubles {troubles_of(phones)}; in the logs {complaints_of(place)}")
    cpu, began = [node.cpu_seconds() for node in place.nodes], time.perf_counter()
    await asyncio.sleep(10.0)
    spent = sum(node.cpu_seconds() - before for node, before in zip(place.nodes, cpu, strict=True))
    print(f"{len(phones):,} phones wait; database connections {place.connections()}, memory "
          + ", ".join(f"{node.memory() / 1e6:.0f} MB" for node in place.nodes)
          + f"; the nodes together {spent / (time.perf_counter() - began):.1%} of a core while nothing happens")


async def one_round(place: Site, phones: Phones, label: str) -> None:
    await waiting(phones)
    alive = place.nodes if label != "kill" else place.nodes[:-1]
    cpu, began = [node.cpu_seconds() for node in alive], time.perf_counter()
    passwords = {user: phone.phone.password for user, phone in phones}
    sent, _ = await asyncio.gather(
        deliver(place, list(passwords.items())[:BUSY_USERS], label), fault(place, label)
    )
    for _ in range(2 * AFTER_SECONDS):
        if not tally(phones, sent).missed:
            break
        await asyncio.sleep(0.5)
    seconds = time.perf_counter() - began
    spent = sum(node.cpu_seconds() - before for node, before in zip(alive, cpu, strict=True))
    await asyncio.sleep(3.0)
    told = tally(phones, sent)
    mails = sum(map(len, sent.values()))
    print(f"-- {label}: {mails} mails, {len(told.took):,} answers in {seconds:.0f} s; nodes {spent / seconds:.0%} of a "
          f"core; p50 {1000 * at(told.took, 50):.0f} ms, p99 {1000 * at(told.took, 99):.0f} ms, "
          f"longest {1000 * max(told.took):.0f} ms; troubles {troubles_of(phones)}; in the logs {complaints_of(place)}")
    p95 = 1000 * at(told.took, 95)
    print(verdict("push p95 ms", f"{p95:.0f}", f"{PUSH_MS}", p95 < PUSH_MS))
    print(verdict("missed", str(told.missed), "0", not told.missed))
    print(verdict("doubled", str(told.doubled), "0", not told.doubled))
    print(machine(), flush=True)


async def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    rounds = [word for word in sys.argv[1:] if word in ROUNDS] or ROUNDS
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    with ExitStack() as stack:
        place = site(stack, "--hooks" in sys.argv)
        began = time.perf_counter()
        phones = await settle(place, numbers[0] if numbers else PHONES)
        print(f"set up in {time.perf_counter() - began:.0f} s", flush=True)
        lives = [asyncio.create_task(phone.live()) for _, phone in phones]
        await waiting(phones)
        await idle(place, phones)
        for label in rounds:
            await one_round(place, phones, label)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        for _, phone in phones:
            phone.phone.close()


if __name__ == "__main__":
    asyncio.run(main())

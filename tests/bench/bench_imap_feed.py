"""The mail feed over Dovecot by itself: `python tests/bench/bench_imap_feed.py`.

What a delta without news costs, and one with a new message or flag together with the look and the fetch that follow, in
a mailbox of 100 and in one of 50,000: milliseconds of the clock (p50), of our own processor time, and IMAP commands.
Then the first listing and 10,000 messages of HTML through `fetch`, beside a bare client that fetches the same parts.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "backends"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupware.dovecot import Dovecot
from letters import letter
from standing import fill
from worlds import EmbeddedWorld, template

from eas.backends.imap.connection import Connection
from eas.backends.imap.feed import ImapFeed
from eas.backends.imap.pool import ImapPool
from eas.backends.standards import registry
from eas.backends.standards.ports import Account, Numbered, Place
from eas.backends.standards.tenant import ImapServer, Security, Tenant
from eas.engine.model import FolderType, Secret
from eas.engine.ports import Delta, Horizon
from eas.items.body import BodyPreference, BodyType, Wanted

SIZES, ROUNDS, MESSAGES = (100, 50_000), 150, 10_000
WANTED = Wanted(preferences=(BodyPreference(type=BodyType.HTML, truncation_size=4096),))
ALL = Horizon()


class Counted:
    """Commands that were begun on any connection."""

    def __init__(self) -> None:
        self.commands = 0
        begin = Connection.begin

        def counting(connection: Connection, *args: Any) -> bytes:
            self.commands += 1
            return begin(connection, *args)

        Connection.begin = counting  # type: ignore[method-assign]


class Subject:
    def __init__(self, account: Account, pool: ImapPool, at: Numbered) -> None:
        self.account, self.pool, self.at = account, pool, at

    def feed(self) -> ImapFeed:
        async def resolve(id: str) -> Numbered | None:
            return None

        return ImapFeed(self.account, self.pool, self.at, resolve)

    async def sync(self, token: str | None, horizon: Horizon) -> Delta:
        """As the engine does it: another feed fetches."""
        feed = self.feed()
        delta = await feed.delta(token, horizon)
        if delta.touched and not delta.complete:
            await feed.look(delta.touched, horizon)
            [mail async for mail in self.feed().fetch(list(delta.touched), WANTED)]
        return delta


@asynccontextmanager
async def subject(server: Dovecot, size: int) -> AsyncIterator[Subject]:
    folder = Path(tempfile.mkdtemp(prefix="eas-bench-"))
    world = await EmbeddedWorld.make(await asyncio.to_thread(template, folder / "template.db"), folder)
    login, password = server.new_user()
    for at in range(0, size, 5000):
        letters = [letter(n, bodies=size == MESSAGES) for n in range(at, min(size, at + 5000))]
        await asyncio.to_thread(fill, server, (login, password), letters)
    imap = ImapServer(host=server.host, port=server.imap_port, security=Security.NONE)
    account = Account(
        user=replace(world.users["anna"], secret=Secret(password)), login=login, secret=Secret(password),
        tenant=Tenant(name="bench", imap=imap), ground=world.embedded.groupware,
    )
    inbox = Place(locator="INBOX", parent="", name="Inbox", type=FolderType.INBOX, item_class="Email")
    [at] = await registry.numbered(account.ground, account.user.id, "imap", [inbox])
    pool = ImapPool()
    try:
        yield Subject(account, pool, at)
    finally:
        await pool.close()
        await world.close()
        shutil.rmtree(folder, ignore_errors=True)


async def news(server: Dovecot, counted: Counted, size: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    async with subject(server, size) as one:
        horizon = Horizon(edge=one.account.ground.now().replace(year=2020))
        token = (await one.sync(None, horizon)).token
        with server.imap(one.account.login, "INBOX") as other:
            async def none(number: int) -> None:
                pass

            async def message(number: int) -> None:
                other.append("INBOX", "", None, letter(1_000_000 + number))  # type: ignore[arg-type]

            async def flag(number: int) -> None:
                other.uid("STORE", "7", f"{'+-'[number % 2]}FLAGS", "(\\Seen)")

            for name, change in (("no change", none), ("one message", message), ("one flag", flag)):
                times, cpu, commands = [], 0.0, 0
                for number in range(ROUNDS):
                    await change(number)
                    before, began, used = counted.commands, time.perf_counter(), time.process_time()
                    delta = await one.sync(token, horizon)
                    times.append(time.perf_counter() - began)
                    cpu += time.process_time() - used
                    commands = max(commands, counted.commands - before)
                    if len(delta.touched) != (change is not none):
                        raise SystemExit(f"{name}: {len(delta.touched)} told")
                    token = delta.token
                figures[name] = 1000 * median(times)
                print(f"{size:>7,} {name:<12} p50 {figures[name]:6.2f} ms, cpu {1000 * cpu / ROUNDS:5.2f} ms, "
                      f"at most {commands} commands")
    return figures


def bare(server: Dovecot, login: str) -> float:
    with server.imap(login, "INBOX") as client:
        began = time.perf_counter()
        client.uid("FETCH", "1:*", "(FLAGS)")
        for first in range(1, MESSAGES + 1, 100):
            client.uid(
                "FETCH", f"{first}:{first + 99}",
                "(FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE BODY.PEEK[HEADER] BODY.PEEK[1]<0.12288>)",
            )
        return time.perf_counter() - began


async def first(server: Dovecot) -> None:
    async with subject(server, MESSAGES) as one:
        login = one.account.login
        await asyncio.to_thread(bare, server, login)  # what Dovecot parses of a message it parses once
        alone = await asyncio.to_thread(bare, server, login)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, used = time.perf_counter(), time.process_time()
        feed = one.feed()
        ids = sorted((await feed.delta(None, ALL)).touched, reverse=True)
        listed = time.perf_counter() - began
        got = 0
        for at in range(0, len(ids), 100):
            async for _ in one.feed().fetch(ids[at : at + 100], WANTED):
                got += 1
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        rise = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"first: {got:,} messages in {seconds:.2f} s (listing {1000 * listed:.0f} ms), cpu {cpu:.2f} s; bare "
              f"client {alone:.2f} s: {seconds / alone:.2f} times; rise {rise:.1f} MiB")


async def main() -> None:
    server = Dovecot()
    await asyncio.to_thread(server.start)
    try:
        counted = Counted()
        small, large = [await news(server, counted, size) for size in SIZES]
        for name, value in small.items():
            print(f"{name}: {SIZES[1]:,} over {SIZES[0]:,}: {large[name] / value:.2f} (target 1.3)")
        await first(server)
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())

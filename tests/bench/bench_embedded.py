"""The embedded groupware by itself: `python tests/bench/bench_embedded.py [MESSAGES ...]`.

For folders of 100, 10,000 and 50,000 messages (text and 4 KiB of HTML each): storing one, a listing of all, a delta
that finds nothing, one that finds a changed flag, and loading 100 messages as a first Sync does. Medians in
milliseconds, of the clock and of the processor: on a busy machine believe the latter.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import select

from eas.backends.embedded import items as writes
from eas.backends.embedded import open_embedded, prepare
from eas.backends.embedded.accounts import load_user
from eas.backends.embedded.codec import millis
from eas.backends.embedded.groupware import Writing
from eas.backends.embedded.tables import UserRow
from eas.db import Base, Database
from eas.db.transactions import transactions
from eas.engine.model import FolderType
from eas.engine.ports import Chosen, Feed, Horizon
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.native import MailFlags

SIZES = (100, 10_000, 50_000)
#: What the project asks for, in milliseconds.
TARGETS = {"listing": 150.0, "fetch 100": 15.0}
HTML = Wanted(preferences=(BodyPreference(type=BodyType.HTML, truncation_size=200_000),))
_AT_ONCE = 500


def letter(number: int) -> bytes:
    html = "<html><body>" + "<p>All work and no play makes Jack a dull boy.</p>\r\n" * 80 + "</body></html>"
    head = (
        "Received: from a.example.net by mx.example.com; Mon, 5 Jan 2026 08:00:00 +0000\r\n"
        f"From: Person {number % 97} <person{number % 97}@example.net>\r\nTo: anna@example.com\r\n"
        f"Subject: number {number}\r\nDate: Mon, 5 Jan 2026 08:00:00 +0000\r\nMessage-ID: <{number}@example.net>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    )
    text = "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nwork and no play\r\n"
    return f"{head}{text}--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--b--\r\n".encode()


async def timed(times: int, do: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """The medians of some runs, in milliseconds: of the clock, and of the processor."""
    clock, processor = [], []
    for _ in range(times):
        began, used = time.perf_counter(), time.process_time()
        await do()
        clock.append((time.perf_counter() - began) * 1000)
        processor.append((time.process_time() - used) * 1000)
    return median(clock), median(processor)


async def fetched(feed: Feed, ids: list[int]) -> None:
    assert len([item async for item in feed.fetch(ids, HTML)]) == len(ids)


async def flags_of(feed: Feed, ids: list[int]) -> None:
    assert len([item async for item in feed.fetch(ids, None)]) == len(ids)


async def bench(count: int, folder: Path) -> None:
    path = folder / f"bench-{count}.db"
    database = Database(f"sqlite+aiosqlite:///{path}")
    async with database.write() as connection:
        await connection.run_sync(Base.metadata.create_all)
    run = transactions(database)
    embedded = open_embedded(run, domain="example.com")
    await embedded.admin.add_user("anna@example.com", "password")
    [user_id] = await run.read(lambda c: list(c.execute(select(UserRow.id)).scalars()))
    user = await run.read(lambda c: load_user(c, user_id))
    assert user is not None
    mailbox = embedded.accounts.open(user)[0]
    inbox = next(f for f in await mailbox.folders() if f.type is FolderType.INBOX)
    feed, now = mailbox.feed(inbox), embedded.groupware.now()

    def fill(tx: Writing, first: int) -> None:
        for number in range(first, min(first + _AT_ONCE, count)):
            received = now - timedelta(minutes=count - number)
            prepared = prepare.message(letter(number), received)
            writes.create(tx, int(inbox.id), prepared, None, received=millis(received))

    began = time.perf_counter()
    for first in range(0, count, _AT_ONCE):
        await embedded.groupware.write(lambda tx, first=first: fill(tx, first))  # type: ignore[misc]
    filled = (time.perf_counter() - began) * 1000 / count

    listing = await feed.delta(None, Horizon())
    assert len(listing.touched) == count
    ids = sorted(listing.touched)
    edge = Horizon(edge=now - timedelta(minutes=count / 2))
    numbers = iter(range(10**6))
    results = {
        "store one": await timed(20, lambda: feed.create(letter(0), Chosen(name=f"new {next(numbers)}"))),
        "listing": await timed(5, lambda: feed.delta(None, Horizon())),
        "listing of half": await timed(5, lambda: feed.delta(None, edge)),
    }
    before = (await feed.delta(None, edge)).token
    await feed.set_flags(ids[2], MailFlags(read=True))
    after = (await feed.delta(before, Horizon())).token
    results |= {
        "nothing new": await timed(200, lambda: feed.delta(after, Horizon())),
        "one flag": await timed(100, lambda: feed.delta(before, Horizon())),
        "fetch 100": await timed(20, lambda: fetched(feed, ids[-100:])),
        "fetch 1 flags": await timed(50, lambda: flags_of(feed, ids[:1])),
    }
    print(f"\n{count:,} messages, {path.stat().st_size / 1e6:,.0f} MB; filled in {filled:.2f} ms a message")
    for name, (clock, processor) in results.items():
        target = TARGETS.get(name)
        verdict = "" if target is None else f"   (target {target:.0f}: {'met' if processor < target else 'MISSED'})"
        print(f"  {name:16} {clock:9.3f} ms, {processor:9.3f} ms of the processor{verdict}")
    await run.close()
    await database.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for count in [int(text) for text in sys.argv[1:]] or SIZES:
            asyncio.run(bench(count, Path(folder)))


if __name__ == "__main__":
    main()

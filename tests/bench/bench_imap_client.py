"""The IMAP client by itself against a Dovecot on the same machine: `python tests/bench/bench_imap_client.py`.

Prints for each of a client's large tasks the best of several runs: milliseconds of our own processor time (which the
server's do not count in), of the clock, and microseconds of the former for each message. Then the rise of memory while
a message of 31 MB goes through `stream`, and what it costs to connect and to take a connection out of the pool.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupware.dovecot import Dovecot
from letters import letter

from eas.backends.imap.login import enter, identity
from eas.backends.imap.model import Resync
from eas.backends.imap.session import ImapSession
from eas.backends.standards.tenant import ImapServer, Security
from eas.engine.model import Secret

MANY, SOME = 50_000, 2_000
RUNS = 7
_WIDTH = 44
_PRINT = ["INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID SUBJECT)]"]


async def _fill(session: ImapSession) -> None:
    await session.create("some")
    await session.create("many")
    for number in range(SOME):
        await session.append("some", letter(number, bodies=True), ["\\Seen"] if number % 3 else [])
    await session.select("some")
    for _ in range(MANY // SOME):
        await session.copy(((1, SOME),), "many")


async def _report(name: str, work: Callable[[], Awaitable[int]]) -> None:
    best_cpu = best_clock = float("inf")
    count = 0
    for _ in range(RUNS):
        cpu, clock = time.process_time(), time.perf_counter()
        count = await work()
        best_cpu = min(best_cpu, time.process_time() - cpu)
        best_clock = min(best_clock, time.perf_counter() - clock)
    each = best_cpu / max(count, 1) * 1e6
    print(f"{name:<{_WIDTH}}{count:>8}{best_cpu * 1000:>10.1f}{best_clock * 1000:>10.1f}{each:>10.1f}")


async def _fetched(session: ImapSession, items: list[str], **more: Any) -> int:
    count = 0
    async for _ in session.fetch(((1, 1_000_000),), items, **more):
        count += 1
    return count


async def _mailboxes(session: ImapSession) -> None:
    print(f"{'':<{_WIDTH}}{'count':>8}{'cpu ms':>10}{'clock ms':>10}{'cpu us':>10}")
    await session.select("many")
    await _report("UID, FLAGS", lambda: _fetched(session, ["FLAGS"]))
    await _report("UID, FLAGS, MODSEQ", lambda: _fetched(session, ["FLAGS", "MODSEQ"]))
    await _report("UID, FLAGS, INTERNALDATE", lambda: _fetched(session, ["FLAGS", "INTERNALDATE"]))

    async def search() -> int:
        found = await session.search(["UNSEEN"])
        return sum(last - first + 1 for first, last in found)

    await _report("SEARCH UNSEEN", search)
    modseq = session.selected.highest_modseq if session.selected else 0
    await session.store(((100, 2099),), "+FLAGS", ["\\Flagged"])
    await _report("CHANGEDSINCE", lambda: _fetched(session, ["FLAGS"], changed_since=modseq, vanished=True))
    known = Resync(uid_validity=session.selected.uid_validity if session.selected else 0, modseq=modseq)

    async def resync() -> int:
        return len((await session.select("many", known)).changed)

    await _report("SELECT (QRESYNC)", resync)
    await session.select("some")
    items = ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODYSTRUCTURE", "BODY.PEEK[HEADER]"]
    await _report("BODYSTRUCTURE", lambda: _fetched(session, ["BODYSTRUCTURE"]))
    await _report("HEADER.FIELDS, date, size", lambda: _fetched(session, _PRINT))
    await _report("BODYSTRUCTURE, HEADER, flags, date, size", lambda: _fetched(session, items))
    await _report("... and 4 KB of body", lambda: _fetched(session, [*items, "BODY.PEEK[1]<0.4096>"]))


async def _large(session: ImapSession) -> None:
    content = (b"\r\n" + b"x" * 76) * 400_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await session.append("INBOX", content)
    rise = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{len(content) / 1e6:.0f} MB appended: peak memory rises by {rise} KB")
    await session.select("INBOX")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu, octets = time.process_time(), 0
    async for piece in session.stream(1, ""):
        octets += len(piece)
    rise = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{octets / 1e6:.0f} MB streamed: {(time.process_time() - cpu) * 1000:.0f} ms of cpu, "
          f"peak memory rises by {rise} KB")


async def _run(dovecot: Dovecot) -> None:
    login, password = dovecot.new_user()
    server = ImapServer(host="127.0.0.1", port=dovecot.imap_port, security=Security.NONE)
    who = identity(server, login, Secret(value=password))
    session = await enter(server, who)
    # First, since a peak of memory that was reached before would hide what this takes.
    await _large(session)
    await _fill(session)
    await _mailboxes(session)

    async def connected() -> int:
        await (await enter(server, who)).close()
        return 1

    await _report("connect, log in, close", connected)
    await session.close()


def main() -> None:
    dovecot = Dovecot()
    try:
        dovecot.start()
        asyncio.run(_run(dovecot))
    finally:
        dovecot.stop()


if __name__ == "__main__":
    main()

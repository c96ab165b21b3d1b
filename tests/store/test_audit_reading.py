"""The audit log in a database: read by filters, verified as it stands, trimmed, written by many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update
from store_kit import make_tables

from eas.db import Database
from eas.db.transactions import Transactions, transactions
from eas.store.audit import AuditLog, Entry
from eas.store.audit_chain import NOTHING, Mark
from eas.store.audit_reading import AuditBook, Filter
from eas.store.tables import audit_head, audit_log

NOW = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)


def entry(number: int, **values: Any) -> Entry:
    said: dict[str, Any] = {
        "at": NOW + timedelta(hours=number), "actor": "eva", "role": "admin", "face": "page", "address": "192.0.2.7",
        "action": "device.wipe", "about_user": "anna@example.com", "about_device": f"PHONE{number}",
        "details": {"note": 'Grüße, "Eva"'},
    }
    return Entry(**{**said, **values})


async def filled(run: Transactions, count: int = 6, **values: Any) -> AuditBook:
    log = AuditLog(run)
    for number in range(1, count + 1):
        await log.append(entry(number, **values))
    return AuditBook(run)


async def test_what_was_written_is_whole(run: Transactions) -> None:
    book = AuditBook(run)
    assert await book.head() == NOTHING
    assert (await book.verify()).broken == 0
    book = await filled(run)
    found = await book.verify()
    assert (found.rows, found.broken, found.head) == (6, 0, await book.head())
    assert (await book.verify(found.head)).broken == 0


async def test_a_name_that_no_database_takes_does_not_escape_the_log(run: Transactions) -> None:
    book = await filled(run, 1, about_device="PHONE\0\ud800X", details={"note": "a\0b\ud800"})
    (found,), total = await book.page(Filter())
    assert (found.about_device, total) == ("PHONEX", 1)
    assert (await book.verify()).broken == 0


WHICH = audit_log.c.number
TAMPERED: dict[str, tuple[Callable[[Connection], Any], int]] = {
    "a field": (lambda c: c.execute(update(audit_log).where(WHICH == 3).values(actor="ben")), 3),
    "a moment": (
        lambda c: c.execute(update(audit_log).where(WHICH == 3).values(at=NOW + timedelta(hours=3, microseconds=1))), 3
    ),
    "blanks in the details": (
        lambda c: c.execute(update(audit_log).where(WHICH == 4).values(details=audit_log.c.details + " ")), 4
    ),
    "a hash": (lambda c: c.execute(update(audit_log).where(WHICH == 2).values(hash="0" * 64)), 2),
    "a number": (lambda c: c.execute(update(audit_log).where(WHICH == 6).values(number=9)), 6),
    "a row": (lambda c: c.execute(delete(audit_log).where(WHICH == 1)), 1),
    "some rows": (lambda c: c.execute(delete(audit_log).where(WHICH.in_((2, 3)))), 2),
    "the end": (lambda c: c.execute(delete(audit_log).where(WHICH > 4)), 5),
    "all rows": (lambda c: c.execute(delete(audit_log)), 1),
    "the head": (lambda c: c.execute(delete(audit_head)), 1),
    "the head's number": (lambda c: c.execute(update(audit_head).values(number=5)), 6),
    "the head's hash": (lambda c: c.execute(update(audit_head).values(hash="0" * 64)), 6),
    "a row more": (lambda c: c.execute(insert(audit_log).from_select(
        [column.name for column in audit_log.c],
        select(*[(WHICH + 6) if c.name == "number" else c for c in audit_log.c]).where(WHICH == 1),
    )), 7),
}


@pytest.mark.parametrize("database", ["memory"], indirect=True)
@pytest.mark.parametrize("what", TAMPERED)
async def test_what_was_tampered_with_is_found(run: Transactions, what: str) -> None:
    book = await filled(run)
    do, broken = TAMPERED[what]
    await run.write(do)
    found = await book.verify()
    assert found.broken == broken, found
    assert found.problem


async def test_what_was_noted_is_not_forgotten(run: Transactions) -> None:
    """Whoever cuts the log off and makes the head fit is found by the head that was noted elsewhere."""
    book = await filled(run)
    noted = await book.head()

    def cut(connection: Connection) -> None:
        connection.execute(delete(audit_log).where(WHICH > 4))
        kept = connection.execute(select(audit_log.c.hash).where(WHICH == 4)).scalar_one()
        connection.execute(update(audit_head).values(number=4, hash=kept))

    await run.write(cut)
    assert (await book.verify()).broken == 0
    assert (await book.verify(noted)).broken == 5
    for number in range(3):
        await AuditLog(run).append(entry(number))
    assert (await book.verify()).broken == 0
    assert (await book.verify(noted)).broken == 6


async def test_what_is_too_old_is_removed_and_sealed(run: Transactions) -> None:
    book = await filled(run, 6)
    before = NOW + timedelta(hours=4)
    assert await book.trim(before) == 0  # not before it is worth an entry
    before += timedelta(days=2)
    old = await filled(run, 3, at=before + timedelta(hours=1))
    noted = await old.head()
    assert await book.trim(before) == 6
    found = await book.verify(noted)
    assert (found.broken, found.sealed, found.rows) == (0, 6, 4)
    (seal, *_), total = await book.page(Filter())
    assert (seal.action, seal.actor, seal.details["through"], total) == ("audit.trim", "server", 6, 4)
    assert "older" in (await book.verify(Mark(2, "0" * 64))).unchecked
    assert await book.trim(before) == 0
    # And all of it once more: what is left is the seal alone.
    assert await book.trim(datetime.now(UTC) + timedelta(days=365 * 50)) == 4
    found = await book.verify()
    assert (found.broken, found.sealed, found.rows) == (0, 10, 1)
    await AuditLog(run).append(entry(1))
    assert (await book.verify()).broken == 0
    await run.write(lambda c: c.execute(delete(audit_log).where(WHICH == 11)))
    assert (await book.verify()).broken == 1


async def test_it_is_read_by_what_was_done_to_whom(run: Transactions) -> None:
    log = AuditLog(run)
    for number, values in enumerate((
        {}, {"actor": "Fred"}, {"action": "wipe.done", "face": "server", "actor": "server"},
        {"action": "wipes"}, {"about_user": "ben_x@example.com", "outcome": "refused: no"}, {"address": "2001:db8::1"},
    ), 1):
        await log.append(entry(number, **values))
    book = AuditBook(run)

    async def numbers(**wanted: Any) -> list[int]:
        return [found.number for found in (await book.page(Filter(**wanted)))[0]]

    assert await numbers() == [6, 5, 4, 3, 2, 1]
    assert await numbers(actor="fred") == [2]
    assert await numbers(user="BEN_") == [5]
    assert await numbers(user="%") == []
    assert await numbers(device="phone3") == [3]
    assert await numbers(action="wipe") == [3]
    assert await numbers(action="wipes") == [4]
    assert await numbers(face="server") == [3]
    assert await numbers(outcome="done", since=NOW + timedelta(hours=4)) == [6, 4]
    assert await numbers(outcome="other") == [5]
    assert await numbers(until=NOW + timedelta(hours=2)) == [1]
    assert await numbers(address="2001:") == [6]
    page, total = await book.page(Filter(user="anna"), skip=1, most=2)
    assert ([found.number for found in page], total) == ([4, 3], 5)
    assert await book.actions() == ["device.wipe", "wipe.done", "wipes"]
    whole = [found.number async for batch in book.all(Filter(role="admin")) for found in batch]
    assert whole == [1, 2, 3, 4, 5, 6]


async def test_processes_that_write_at_once_make_one_chain(shared_url: str) -> None:
    """On PostgreSQL as on SQLite, from the first row on."""
    opened = [Database(shared_url) for _ in range(3)]
    await make_tables(opened[0])
    runs = [transactions(one) for one in opened]
    try:
        await asyncio.gather(*[
            AuditLog(run).append(entry(number, actor=f"node{at}"))
            for at, run in enumerate(runs) for number in range(15)
        ])
        found = await AuditBook(runs[0]).verify()
        assert (found.rows, found.broken) == (45, 0)
    finally:
        for run, one in zip(runs, opened, strict=True):
            await run.close()
            await one.close()

"""What devices did: gathered, written in batches, read again, cut off and forgotten; on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from store_kit import make_tables

from eas.db import Database
from eas.db.transactions import Transactions, transactions
from eas.engine.activity import KEPT_EVENTS, Event, FolderNote
from eas.engine.errors import Unavailable
from eas.engine.model import Device
from eas.store import ActivityStore, Keep, SqlStateStore
from eas.store import activity as gathering
from eas.store.activity_rows import amiss, last_good, synced, totals
from eas.store.activity_tables import device_answer, device_day, device_event, login_failure, site_hour

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC).timestamp()
PHONE = ("ann", "phone")


def event(at: float = 0.0, command: str = "Sync", **more: Any) -> Event:
    """`at` in seconds after noon."""
    given: dict[str, Any] = {
        "version": "16.1", "http": 200, "status": "", "sent": 0, "taken": 0, "bytes_in": 10, "bytes_out": 20, "ms": 1.0,
        "waited": 0.0, "how": "", "node": "",
    }
    return Event(at=NOON + at, command=command, **{**given, **more})


def folder(status: int = 1, **more: Any) -> tuple[FolderNote, ...]:
    return (FolderNote("5", status, **more),)


@pytest.fixture
async def activity(run: Transactions) -> ActivityStore:
    return ActivityStore(run, node="n1", now=lambda: NOON)


async def device_of(run: Transactions, id: str = "phone", **more: Any) -> None:
    await SqlStateStore(run).add_device(Device(user_id="ann", id=id, type="T", **more))


async def count(run: Transactions, table: Any) -> int:
    return int(await run.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one()))


async def test_what_is_noted_is_read_again_the_newest_first(activity: ActivityStore) -> None:
    one = event(folders=folder(sent=3, more=True, begun="again"), sent=3, items=(("Email", "to_device", 3),))
    two = event(1.0, "Ping", status="2", waited=60.0, how="news")
    activity.note(*PHONE, one)
    activity.note(*PHONE, two)
    assert await activity.events(*PHONE) == [two, one._replace(items=())]
    assert await activity.events("ann", "other") == []
    (day,) = await activity.days(*PHONE, 7)
    assert {name: value for name, value in day.items() if value} == {
        "user_id": "ann", "device_id": "phone", "day": "2026-05-04", "version": "16.1", "requests": 2, "bytes_in": 20,
        "bytes_out": 40, "wakeups": 1, "waits": 1, "waits_held": 1, "waited_seconds": 60, "starts": 1, "email_out": 3,
    }


async def test_the_last_answer_counts_how_often_it_was_given(activity: ActivityStore) -> None:
    """Over batches as within one."""
    for at, status in enumerate((1, 5, 5)):
        activity.note(*PHONE, event(at, folders=folder(status)))
    await activity.flush()
    activity.note(*PHONE, event(10, folders=folder(5)))
    found = {(row["kind"], row["name"]): row for row in await activity.answers(*PHONE)}
    row = found["folder", "5"]
    assert (row["status"], row["times"], row["fine"]) == ("5", 3, False)
    assert row["since"] == datetime.fromtimestamp(NOON + 1, UTC)
    assert row["ok_at"] == datetime.fromtimestamp(NOON, UTC)
    assert found["command", "Sync"]["times"] == 4
    activity.note(*PHONE, event(20, folders=folder(1)))
    row = next(row for row in await activity.answers(*PHONE) if row["kind"] == "folder")
    assert (row["status"], row["times"], row["fine"]) == ("1", 1, True)


async def test_keys_that_are_repeated_count_until_one_is_not(activity: ActivityStore) -> None:
    async def again() -> int:
        return next(int(row["again"]) for row in await activity.answers(*PHONE) if row["kind"] == "folder")

    for at in range(3):
        activity.note(*PHONE, event(at, folders=folder(again=True)))
    assert await again() == 3
    activity.note(*PHONE, event(4, folders=folder(again=True)))
    assert await again() == 4
    activity.note(*PHONE, event(5, folders=folder()))
    activity.note(*PHONE, event(6, folders=folder(again=True)))
    assert await again() == 1


async def test_folders_that_a_device_makes_up_are_one(activity: ActivityStore) -> None:
    activity.note(*PHONE, event(folders=tuple(FolderNote(f"made up {n}", 12) for n in range(50))))
    assert [row["name"] for row in await activity.answers(*PHONE) if row["kind"] == "folder"] == ["?"]


async def test_what_is_well_is_written_by_the_clock_and_trouble_soon(run: Transactions) -> None:
    now = [NOON]
    activity = ActivityStore(run, node="n1", write_seconds=300, now=lambda: now[0])
    activity.note(*PHONE, event())
    activity.note("ben", "tablet", event(folders=folder(5)))
    await activity.flush(NOON + 20)
    assert await count(run, device_event) == 1, "the one in trouble"
    await activity.flush(NOON + 301)
    assert await count(run, device_event) == 2
    assert activity.waiting == 0


async def test_of_what_has_no_room_the_number_is_known(run: Transactions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_WAITING", 5)
    activity = ActivityStore(run, now=lambda: NOON)
    for at in range(8):
        activity.note(*PHONE, event(at))
    assert (activity.waiting, activity.dropped) == (5, 3)
    assert len(await activity.events(*PHONE)) == 5


async def test_nothing_is_lost_while_the_database_does_not_take_it(tmp_path: Path) -> None:
    """Somebody else holds the lock for longer than we wait for it."""
    base = Database(f"sqlite+aiosqlite:///{tmp_path}/eas.db")
    await make_tables(base)
    run = transactions(base)
    activity = ActivityStore(run, now=lambda: NOON)
    activity.note(*PHONE, event())
    activity.refused("ann", "phone", NOON)
    activity.pushed(0.02, NOON)
    with closing(sqlite3.connect(tmp_path / "eas.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await activity.flush()
        activity.note(*PHONE, event(1))
        other.execute("ROLLBACK")
    await activity.flush()
    assert len(await activity.events(*PHONE)) == 2
    assert await count(run, login_failure) == 1
    hours = {name: value for _, name, _, value in await activity.hours(1)}
    assert hours == {"requests": 2.0, "push": 1.0, "errors": 1.0}
    await run.close()
    await base.close()


async def test_only_the_last_events_stay(run: Transactions, activity: ActivityStore) -> None:
    await device_of(run)
    for batch in range(30):
        for number in range(10):
            activity.note(*PHONE, event(batch * 10 + number))
        await activity.flush()
    assert await count(run, device_event) == 30
    found = await activity.events(*PHONE)
    assert len(found) == KEPT_EVENTS
    assert found[0].at == NOON + 299
    tidied = await SqlStateStore(run, now=lambda: datetime.fromtimestamp(NOON, UTC)).tidy(Keep(activity_days=90))
    assert tidied.notes == 10
    assert await activity.events(*PHONE) == found


async def test_a_loud_device_is_cut_off_at_once(run: Transactions, activity: ActivityStore) -> None:
    for batch in range(6):
        for number in range(60):
            activity.note(*PHONE, event(batch * 60 + number))
        await activity.flush()
    assert await count(run, device_event) == 4, "240, of which 200 are shown"


async def test_what_is_old_or_nobodys_goes(run: Transactions, activity: ActivityStore) -> None:
    await device_of(run)
    activity.note(*PHONE, event())
    activity.note("ann", "gone", event())
    activity.refused("ann", "phone", NOON)
    await activity.flush()
    later = datetime.fromtimestamp(NOON, UTC)
    assert (await SqlStateStore(run, now=lambda: later).tidy(Keep())).notes == 3
    assert await count(run, device_answer) == 1
    later += timedelta(days=91)
    assert (await SqlStateStore(run, now=lambda: later).tidy(Keep(), dry_run=True)).notes >= 4
    await SqlStateStore(run, now=lambda: later).tidy(Keep())
    assert [await count(run, table) for table in (device_event, device_answer, device_day, site_hour)] == [0] * 4


async def test_a_device_that_is_removed_takes_all_along(run: Transactions, activity: ActivityStore) -> None:
    await device_of(run)
    activity.note(*PHONE, event())
    activity.refused("ann", "phone", NOON)
    await activity.flush()
    await SqlStateStore(run).remove_device("ann", "phone")
    tables = (device_event, device_answer, device_day, login_failure)
    assert [await count(run, table) for table in tables] == [0] * 4


async def test_wrong_passwords_in_a_row_begin_anew_once_one_was_right(
    run: Transactions, activity: ActivityStore
) -> None:
    await device_of(run, last_seen=datetime.fromtimestamp(NOON - 100, UTC))

    async def row() -> Any:
        await activity.flush()
        return await run.read(lambda c: c.execute(select(login_failure).order_by("device_id")).all())

    for at in (0, 1, 2):
        activity.refused("ann", "phone", NOON + at)
    activity.refused("ann", "made up", NOON)
    unknown, mine = await row()
    assert (unknown.device_id, mine.times) == ("", 3)
    activity.refused("ann", "phone", NOON + 3)
    assert [one.times for one in await row()] == [1, 4]
    await SqlStateStore(run).alter_device("ann", "phone", lambda found: replace(
        found, last_seen=datetime.fromtimestamp(NOON + 10, UTC)
    ))
    activity.refused("ann", "phone", NOON + 20)
    mine = (await row())[1]
    assert (mine.times, mine.since) == (1, datetime.fromtimestamp(NOON + 20, UTC))


async def test_logins_of_nobody_leave_nothing(run: Transactions) -> None:
    async def whose(login: str) -> str:
        return "ann" if login == "ann@example.com" else ""

    activity = ActivityStore(run, whose=whose, now=lambda: NOON)
    for number in range(gathering.MOST_LOGINS + 10):
        activity.refused(f"guess{number}", "", NOON)
    await activity.flush()
    activity.refused("ann@example.com", "", NOON)
    await activity.flush()
    assert await count(run, login_failure) == 1
    assert activity.dropped == 10


async def test_two_nodes_write_of_one_device(shared_url: str) -> None:
    """At the same moment, each what it saw."""
    bases = [Database(shared_url), Database(shared_url)]
    await make_tables(bases[0])
    runs = [transactions(base) for base in bases]
    nodes = [ActivityStore(run, node=f"n{number}", now=lambda: NOON) for number, run in enumerate(runs)]
    try:
        for round in range(5):
            for number, node in enumerate(nodes):
                for device in ("a", "b", "c"):
                    node.note("ann", device, event(round * 10 + number, folders=folder(5), node=f"n{number}"))
            await asyncio.gather(*(node.flush() for node in nodes))
        (day,) = await nodes[0].days("ann", "a", 1)
        assert day["requests"] == 10
        found = await nodes[0].events("ann", "a")
        assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)
        assert {one.node for one in found} == {"n0", "n1"}
        hours = {(name, label): value for _, name, label, value in await nodes[1].hours(1)}
        assert hours["requests", "Sync"] == 30
    finally:
        for run, base in zip(runs, bases, strict=True):
            await run.close()
            await base.close()


async def test_summaries_of_all_devices(run: Transactions, activity: ActivityStore) -> None:
    activity.note(*PHONE, event(folders=folder(again=True), how="gone", waited=3.0))
    activity.note("ben", "tablet", event(folders=folder(4), status="4"))
    await activity.flush()
    found = await run.read(lambda c: amiss(c, "2026-05-04", 1, 1))
    assert {(row["device_id"], row["kind"], row["name"]) for row in found} == {
        ("phone", "folder", "5"), ("tablet", "folder", "5"), ("tablet", "command", "Sync"),
    }
    assert await run.read(synced) == {PHONE}
    owners = [PHONE, ("ben", "tablet")]
    assert await run.read(lambda c: last_good(c, owners)) == {PHONE: datetime.fromtimestamp(NOON, UTC)}
    counted = await run.read(lambda c: totals(c, "2026-05-03"))
    assert (counted[PHONE].waits, counted[PHONE].waits_cut) == (1, 1)


async def test_processes_of_a_site_tell_each_other_how_they_look(
    run: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "TICK_SECONDS", 0.02)
    node = ActivityStore(run, node="n1")
    other = ActivityStore(run, node="n2")
    node.start(lambda: {"node": "n1", "waiting": 3}, tell=True)
    for _ in range(600):
        if found := await other.looks():
            break
        await asyncio.sleep(0.05)
    assert [(look["node"], look["waiting"]) for look in found] == [("n1", 3)]
    held = [value for _, name, _, value in await node.hours(1) if name == "held"]
    assert set(held) == {3}
    await node.close()
    assert await other.looks() == [], "gone, and said so"

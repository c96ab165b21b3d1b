"""Partnerships: kept by compare-and-swap, listed, noted, wiped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select
from store_kit import NOW, OWNER, head, open_store, step

from eas.db import Database
from eas.db.transactions import Transactions
from eas.engine.errors import Contended
from eas.engine.model import Access, Admission, Device, Level, Storm, Suspension, WaitBound, Wipe
from eas.engine.partnership import revise
from eas.engine.ports import Chosen, Intent
from eas.store import SqlStateStore
from eas.store.tables import device as table

PHONE = Device(user_id="ann", id="phone", type="iPhone")
Nodes = Callable[[], Awaitable[SqlStateStore]]

texts = st.text(max_size=12)
moments = st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(UTC))
devices = st.builds(
    Device,
    user_id=st.just("ann"), id=texts, type=texts, agent=texts, version=texts,
    first_seen=st.none() | moments, last_seen=st.none() | moments,
    information=st.dictionaries(texts, texts, max_size=3),
    policy_key=texts, policy_digest=texts, offered_key=texts, offered_digest=texts, recovery_password=texts,
    wipe=st.sampled_from(Wipe), wipe_at=st.none() | moments, access=st.sampled_from(Access),
    ping_folders=st.lists(st.tuples(texts, texts), max_size=3).map(tuple), ping_heartbeat=st.integers(0, 3540),
    remembered_sync=st.binary(max_size=40),
    wait_bound=st.none() | st.builds(
        WaitBound, seconds=st.integers(1, 3540), cut_seconds=st.integers(1, 3540), at=moments, told=st.integers(0, 2)
    ),
    access_until=st.none() | moments, access_reason=texts, listed=st.none() | st.booleans(),
    suspended=st.none() | st.builds(Suspension, reason=texts, since=moments, until=moments),
    admission=st.none() | st.builds(
        Admission, level=st.sampled_from(Level), by=texts, why=texts, since=moments,
        quarantined=st.none() | moments, told=st.booleans(),
    ),
    storm=st.none() | st.builds(
        Storm, command=texts, since=moments, last=moments, count=st.integers(0), refused=st.booleans()
    ),
)


def test_every_field_has_its_column() -> None:
    """But for the revisions of policies and access rules, which are read along."""
    read_along = {"policy_revision", "rules"}
    assert {f.name for f in fields(Device)} - read_along | {"number"} == {column.name for column in table.c}


def test_devices_come_back_as_they_were() -> None:
    @settings(max_examples=15, deadline=None)
    @given(first=devices, second=devices)
    def check(first: Device, second: Device) -> None:
        async def work() -> None:
            async with open_store("sqlite+aiosqlite://", tables=True) as store:
                assert await store.add_device(first) == replace(first, row=1)
                assert await store.device("ann", first.id) == replace(first, row=1)
                # A save takes over everything; what `seen` writes is never set back.
                last = max([m for m in (first.last_seen, second.last_seen) if m], default=None)
                changed = replace(second, id=first.id, row=1, last_seen=last)
                assert await store.save_device(changed)
                assert await store.device("ann", first.id) == replace(changed, row=2)

        asyncio.run(work())

    check()


async def test_bounds_and_storms_come_back_and_go(store: SqlStateStore) -> None:
    noted = replace(
        PHONE, wait_bound=WaitBound(seconds=270, cut_seconds=300, at=NOW, told=1),
        storm=Storm(command="Sync", since=NOW, last=NOW, count=3, refused=True),
    )
    added = await store.add_device(noted)
    assert await store.device("ann", "phone") == replace(noted, row=1)
    assert await store.save_device(replace(added, wait_bound=None, storm=None))
    assert await store.device("ann", "phone") == replace(PHONE, row=2)


async def test_an_unknown_device_is_none(store: SqlStateStore) -> None:
    assert await store.device("ann", "phone") is None


async def test_a_device_that_is_there_already_is_given_instead(store: SqlStateStore) -> None:
    first = await store.add_device(PHONE)
    assert await store.add_device(replace(PHONE, type="other")) == first


async def test_devices_of_other_users_are_apart(store: SqlStateStore) -> None:
    await store.add_device(PHONE)
    await store.add_device(replace(PHONE, user_id="bob", type="other"))
    found = await store.device("ann", "phone")
    assert found is not None
    assert found.type == "iPhone"


async def test_a_save_over_a_newer_row_is_refused(store: SqlStateStore) -> None:
    old = await store.add_device(PHONE)
    assert await store.save_device(replace(old, policy_key="1"))
    assert not await store.save_device(replace(old, policy_key="2"))
    assert await store.device("ann", "phone") == replace(old, policy_key="1", row=2)


async def test_a_device_that_was_never_added_is_not_saved(store: SqlStateStore) -> None:
    assert not await store.save_device(PHONE)
    assert not await store.save_device(replace(PHONE, row=1))


async def test_times_in_other_zones_are_kept_as_utc(store: SqlStateStore) -> None:
    at = datetime(2026, 5, 4, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    await store.add_device(replace(PHONE, first_seen=at))
    found = await store.device("ann", "phone")
    assert found is not None
    assert found.first_seen == NOW
    assert found.first_seen.tzinfo is UTC


async def test_all_devices_or_one_users_are_listed_in_order(store: SqlStateStore) -> None:
    for user, id in (("bob", "b"), ("ann", "z"), ("ann", "a")):
        await store.add_device(Device(user_id=user, id=id, type="t"))
    assert [(d.user_id, d.id) for d in await store.devices()] == [("ann", "a"), ("ann", "z"), ("bob", "b")]
    assert [d.id for d in await store.devices("ann")] == ["a", "z"]
    assert await store.devices("eve") == []


async def test_a_removed_device_leaves_nothing(store: SqlStateStore) -> None:
    await store.add_device(PHONE)
    assert await store.commit(OWNER, 0, step(head("a")))
    await store.intend(OWNER, Intent(verb="Add", client_id="1", server_id="", digest="", chosen=Chosen(name="n")))
    await store.seen("ann", "phone", "a", "16.1", NOW)
    assert await store.remove_device("ann", "phone")
    assert await store.device("ann", "phone") is None
    assert await store.load(OWNER) is None
    assert await store.intents(OWNER) == []
    assert not await store.remove_device("ann", "phone")


# -- notes of requests


async def test_requests_are_noted_without_a_write_each(store: SqlStateStore, database: Database) -> None:
    await store.add_device(PHONE)
    for second in range(50):
        await store.seen("ann", "phone", f"agent {second}", "16.1", NOW + timedelta(seconds=second))
    assert await _last_seen(database) is None
    await store.flush()
    assert await _last_seen(database) == NOW + timedelta(seconds=49)


async def test_a_note_shows_before_it_is_written(store: SqlStateStore) -> None:
    added = await store.add_device(PHONE)
    await store.seen("ann", "phone", "agent", "16.1", NOW)
    wanted = replace(added, agent="agent", version="16.1", last_seen=NOW)
    assert await store.device("ann", "phone") == wanted
    assert await store.devices() == [wanted]


@pytest.mark.parametrize("database", ["file"], indirect=True)  # looked at while the store writes
async def test_notes_are_written_after_some_seconds(run: Transactions, database: Database) -> None:
    store = SqlStateStore(run, seen_seconds=0.01)
    await store.add_device(PHONE)
    await store.seen("ann", "phone", "agent", "16.1", NOW)
    await _until_last_seen(database, NOW)
    await store.seen("ann", "phone", "agent", "16.1", NOW + timedelta(hours=1))
    await _until_last_seen(database, NOW + timedelta(hours=1))
    await store.close()


async def test_notes_are_written_at_close(run: Transactions, database: Database) -> None:
    store = SqlStateStore(run)
    await store.add_device(PHONE)
    await store.seen("ann", "phone", "agent", "16.1", NOW)
    await store.close()
    assert await _last_seen(database) == NOW


async def test_an_older_note_does_not_undo_a_newer_one(store: SqlStateStore, database: Database) -> None:
    """Two nodes flush when they like."""
    await store.add_device(PHONE)
    await store.seen("ann", "phone", "new", "16.1", NOW)
    await store.seen("ann", "phone", "old", "16.0", NOW - timedelta(hours=1))
    await store.flush()
    await store.seen("ann", "phone", "old", "16.0", NOW - timedelta(hours=1))
    await store.flush()
    found = await store.device("ann", "phone")
    assert found is not None
    assert (found.agent, found.last_seen) == ("new", NOW)


async def test_a_note_neither_undercuts_a_change_nor_is_undone_by_it(store: SqlStateStore) -> None:
    before = await store.add_device(PHONE)
    await store.seen("ann", "phone", "agent", "16.1", NOW)
    await store.flush()
    assert await store.save_device(replace(before, policy_key="7"))
    wanted = replace(before, policy_key="7", row=2, agent="agent", version="16.1", last_seen=NOW)
    assert await store.device("ann", "phone") == wanted


async def test_notes_of_unknown_devices_are_dropped(store: SqlStateStore, database: Database) -> None:
    await store.seen("ann", "phone", "agent", "16.1", NOW)
    await store.flush()
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(table)) == 0


async def _last_seen(database: Database) -> datetime | None:
    async with database.read() as connection:
        return (await connection.execute(select(table.c.last_seen))).scalar_one()


async def _until_last_seen(database: Database, at: datetime) -> None:
    for _ in range(500):
        if await _last_seen(database) == at:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("never written")


# -- changes by an admin


async def test_a_change_is_made_on_top_of_what_others_changed(store: SqlStateStore) -> None:
    await store.add_device(PHONE)
    asked = 0

    def block(found: Device) -> Device:
        nonlocal asked
        asked += 1
        return replace(found, access=Access.BLOCKED)

    original = store.save_device

    async def undercut(changed: Device) -> bool:
        if asked == 1:
            now = await store.device("ann", "phone")
            assert now is not None
            assert await original(replace(now, policy_key="5"))
        return await original(changed)

    store.save_device = undercut  # type: ignore[method-assign]
    done = await store.alter_device("ann", "phone", block)
    assert asked == 2
    assert done is not None
    assert (done.access, done.policy_key) == (Access.BLOCKED, "5")
    assert await store.device("ann", "phone") == done


async def test_a_change_that_is_always_undercut_gives_up(store: SqlStateStore) -> None:
    await store.add_device(PHONE)

    async def lose(changed: Device) -> bool:
        return False

    store.save_device = lose  # type: ignore[method-assign]
    with pytest.raises(Contended):
        await store.set_access("ann", "phone", Access.BLOCKED)


async def test_a_change_that_changes_nothing_writes_nothing(store: SqlStateStore, database: Database) -> None:
    added = await store.add_device(PHONE)
    assert await store.set_access("ann", "phone", Access.NONE) == added
    assert await store.device("ann", "phone") == added


async def test_a_wipe_is_asked_for_once_and_may_be_cancelled(store: SqlStateStore) -> None:
    await store.add_device(PHONE)
    asked = await store.request_wipe("ann", "phone")
    assert asked is not None
    assert (asked.wipe, asked.wipe_at) == (Wipe.REQUESTED, NOW)
    sent = await store.alter_device("ann", "phone", lambda d: replace(d, wipe=Wipe.SENT))
    assert await store.request_wipe("ann", "phone") == sent
    cancelled = await store.cancel_wipe("ann", "phone")
    assert cancelled is not None
    assert (cancelled.wipe, cancelled.wipe_at) == (Wipe.NONE, None)
    assert await store.device("ann", "phone") == cancelled


async def test_a_device_may_be_wiped_again(store: SqlStateStore) -> None:
    await store.add_device(replace(PHONE, wipe=Wipe.DONE))
    asked = await store.request_wipe("ann", "phone")
    assert asked is not None
    assert asked.wipe is Wipe.REQUESTED


async def test_an_unknown_device_is_not_changed(store: SqlStateStore) -> None:
    assert await store.request_wipe("ann", "phone") is None
    assert await store.cancel_wipe("ann", "phone") is None
    assert await store.set_access("ann", "phone", Access.BLOCKED) is None


# -- several processes


async def test_one_of_two_nodes_adds_a_device(nodes: Nodes) -> None:
    stores = [await nodes(), await nodes()]
    added = await asyncio.gather(*[s.add_device(replace(PHONE, type=str(n))) for n, s in enumerate(stores * 4)])
    assert len({device.type for device in added}) == 1
    assert {device.row for device in added} == {1}


async def test_one_of_two_nodes_saves_a_device(nodes: Nodes) -> None:
    stores = [await nodes(), await nodes()]
    added = await stores[0].add_device(PHONE)
    for row in range(1, 6):
        saves = [s.save_device(replace(added, row=row, policy_key=f"{row}/{n}")) for n, s in enumerate(stores * 3)]
        assert sorted(await asyncio.gather(*saves)) == [False] * 5 + [True]


async def test_no_change_of_many_at_once_is_lost(nodes: Nodes) -> None:
    """The engine's own loop over `save_device`, from two processes."""
    stores = [await nodes(), await nodes()]
    added = await stores[0].add_device(PHONE)

    def more(found: Device) -> Device:
        return replace(found, ping_heartbeat=found.ping_heartbeat + 1)

    await asyncio.gather(*[revise(s, added, more) for s in stores * 3])
    found = await stores[1].device("ann", "phone")
    assert found is not None
    assert (found.ping_heartbeat, found.row) == (6, 7)


@pytest.mark.parametrize("database", ["memory"], indirect=True)
async def test_notes_of_many_devices_are_one_transaction(store: SqlStateStore, database: Database) -> None:
    begun = 0
    engine = database.engine.sync_engine

    def count(connection: object) -> None:
        nonlocal begun
        begun += 1

    for n in range(30):
        await store.add_device(replace(PHONE, id=str(n)))
        await store.seen("ann", str(n), "agent", "16.1", NOW)
    event.listen(engine, "begin", count)
    await store.flush()
    event.remove(engine, "begin", count)
    assert begun == 1
    assert {d.last_seen for d in await store.devices()} == {NOW}

"""What the clean-up removes, and what it leaves: by the settings, in small steps, by one process at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from store_kit import NOW, head, step

from eas.db import Database
from eas.db.serving import TIDYING
from eas.db.transactions import Transactions
from eas.engine.model import Access, Device, Wipe
from eas.engine.ports import Chosen, Intent, Owner
from eas.store import Keep, SqlStateStore, tidying
from eas.store.tables import sync_state

ADD = Intent(verb="Add", client_id="1", server_id="", digest="d", chosen=Chosen(name="n"))


def owner(device: str, collection: str = "5") -> Owner:
    return Owner(user_id="ann", device_id=device, collection_id=collection)


async def silent_for(store: SqlStateStore, name: str, days: float, **values: object) -> Device:
    """A device that holds a folder, and was last heard of then."""
    made = Device(user_id="ann", id=name, type="t", last_seen=NOW - timedelta(days=days))
    await store.add_device(replace(made, **values))  # type: ignore[arg-type]
    assert await store.commit(owner(name), 0, step(head("a"), generations={"a": b"body"}))
    return made


async def names(store: SqlStateStore) -> set[str]:
    return {device.id for device in await store.devices()}


async def test_unused_devices_go_but_for_those_that_are_kept_out_or_to_be_wiped(store: SqlStateStore) -> None:
    await silent_for(store, "old", 91)
    await silent_for(store, "young", 89)
    await silent_for(store, "blocked", 91, access=Access.BLOCKED)
    for wipe in (Wipe.REQUESTED, Wipe.SENT, Wipe.DONE, Wipe.FAILED):
        await silent_for(store, wipe.value, 91, wipe=wipe)
    everyone = await names(store)
    assert (await store.tidy(Keep(device_days=0))).devices == 0
    assert (await store.tidy(Keep(device_days=90), dry_run=True)).devices == 1
    assert await names(store) == everyone
    assert (await store.tidy(Keep(device_days=90))).devices == 1
    assert await names(store) == everyone - {"old"}
    assert await store.load(owner("old")) is None
    assert await store.load(owner("young")) is not None


async def test_one_that_is_only_known_since_then_is_not_unused(store: SqlStateStore) -> None:
    await silent_for(store, "new", 0, last_seen=None, first_seen=NOW - timedelta(days=1))
    await silent_for(store, "odd", 0, last_seen=None)
    await store.tidy(Keep(device_days=90))
    assert await names(store) == {"new", "odd"}


async def test_states_of_silent_devices_are_dropped_and_their_effects_remembered(store: SqlStateStore) -> None:
    """Such a device begins anew (Status 3), and what it sends again is not done again."""
    await silent_for(store, "old", 181)
    await silent_for(store, "young", 179)
    done = await store.intend(owner("old"), ADD)
    await store.settle(owner("old"), done, "17")
    tidied = await store.tidy(Keep(state_days=180, intent_days=1))
    assert (tidied.states, tidied.intents, tidied.devices) == (1, 0, 0)
    assert await store.load(owner("old")) is None
    assert await store.load(owner("young")) is not None
    assert [one.result for one in await store.intents(owner("old"))] == ["17"]


async def test_many_rows_go_in_several_transactions(
    store: SqlStateStore, run: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(205):
        assert await store.commit(owner("gone", str(number)), 0, step(head("a")))
    seen: list[int] = []
    do = tidying.Cleaning.do

    def counted(self: tidying.Cleaning, connection: object) -> int:
        seen.append(do(self, connection))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(tidying.Cleaning, "do", counted)
    assert (await store.tidy()).states == 205
    assert [number for number in seen if number] == [100, 100, 5]
    assert await run.read(lambda c: c.execute(select(func.count()).select_from(sync_state)).scalar_one()) == 0


@pytest.mark.server
async def test_one_process_at_a_time(
    nodes: Callable[[], Awaitable[SqlStateStore]], shared_url: str
) -> None:
    """Whoever finds another at it leaves the rest for later."""
    if not shared_url.startswith("postgresql"):
        pytest.skip("SQLite has one writer anyway")
    one, other = await nodes(), await nodes()
    assert await one.commit(owner("gone"), 0, step(head("a")))

    database = Database(shared_url)
    async with database.write() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": TIDYING})
        assert (await other.tidy()).states == 0
    await database.close()
    assert (await other.tidy()).states == 1

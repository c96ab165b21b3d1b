"""What went out degraded is listed until it goes out whole, or goes."""

from __future__ import annotations

from dataclasses import replace

from store_kit import NOW, OWNER, head, step

from eas.engine.ports import Owner
from eas.store import SqlStateStore

FIRST = step(head("a"))


async def listed(store: SqlStateStore) -> dict[int, str]:
    return {found.id: found.reason for found in await store.degraded()}


async def test_degraded_items_are_listed_with_reason_and_release(store: SqlStateStore) -> None:
    assert await store.commit(OWNER, 0, replace(FIRST, degraded={1: "", 2: "no structure", 3: "too deep"}))
    found = await store.degraded()
    assert [(one.owner, one.id, one.reason, one.at) for one in found] == [
        (OWNER, 2, "no structure", NOW), (OWNER, 3, "too deep", NOW)
    ]
    assert {one.release for one in found} == {"1.2"}


async def test_a_later_reason_replaces_an_earlier_one(store: SqlStateStore) -> None:
    assert await store.commit(OWNER, 0, replace(FIRST, degraded={2: "one", 3: "other"}))
    assert await store.commit(OWNER, 1, replace(FIRST, degraded={2: "two"}))
    assert await listed(store) == {2: "two", 3: "other"}


async def test_what_goes_out_whole_or_goes_is_listed_no_more(store: SqlStateStore) -> None:
    assert await store.commit(OWNER, 0, replace(FIRST, degraded={2: "one", 3: "other"}))
    assert await store.commit(OWNER, 1, replace(FIRST, degraded={2: ""}))
    assert await listed(store) == {3: "other"}


async def test_a_lost_race_lists_nothing(store: SqlStateStore) -> None:
    assert await store.commit(OWNER, 0, FIRST)
    assert not await store.commit(OWNER, 7, replace(FIRST, degraded={2: "one"}))
    assert await listed(store) == {}


async def test_of_one_device(store: SqlStateStore) -> None:
    other = Owner(user_id=OWNER.user_id, device_id="tablet", collection_id=OWNER.collection_id)
    for owner in (OWNER, other):
        assert await store.commit(owner, 0, replace(FIRST, degraded={2: owner.device_id}))
    assert [one.reason for one in await store.degraded(OWNER.user_id, "tablet")] == ["tablet"]
    await store.drop_degraded(OWNER, [2])
    assert await listed(store) == {2: "tablet"}


async def test_they_go_with_the_state_of_their_collection(store: SqlStateStore) -> None:
    assert await store.commit(OWNER, 0, replace(FIRST, degraded={2: "one"}))
    await store.forget(OWNER.user_id, OWNER.device_id, OWNER.collection_id)
    assert await listed(store) == {}

"""What a device holds of a collection: committed by compare-and-swap, read back as it was."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from store_kit import OWNER, head, step

from eas.db import Database
from eas.engine.keys import Head, Held, LostTime
from eas.engine.model import Device
from eas.engine.ports import Chosen, Intent, Owner, Step, StoredBody
from eas.store import SqlStateStore
from eas.store.states import dump_heads, load_heads
from eas.store.tables import sync_blob, sync_generation

texts = st.text(max_size=12)
numbers = st.integers(0, 2**40)
heads = st.builds(
    Head, key=texts, parent=texts, request=texts, token=texts, edge=texts, options=texts, pending=st.booleans(),
    answers=st.booleans(), base=numbers, listing=numbers, cursor=numbers, doubt=texts, top=numbers, line=texts,
)
losts = st.builds(LostTime, after=numbers, before=numbers, elsewhere=st.booleans(), first=numbers, prefix=texts)
helds = st.builds(
    Held, row=numbers, proven=st.none() | heads, issued=st.lists(heads, max_size=4).map(tuple), named=texts,
    lost=st.none() | losts,
)


@given(helds)
def test_heads_come_back_from_json_as_they_were(held: Held) -> None:
    assert load_heads(dump_heads(held), held.row) == held


def test_heads_of_a_newer_version_of_the_program_are_understood() -> None:
    text = '{"issued":[{"key":"k","parent":"0","tomorrow":1}],"future":2}'
    assert load_heads(text, 3) == Held(row=3, issued=(head("k"),))


def test_what_has_its_default_takes_no_room() -> None:
    assert dump_heads(Held(issued=(head("k"),))) == '{"issued":[{"key":"k","parent":"0"}]}'


async def test_nothing_is_held_at_first(store: SqlStateStore) -> None:
    assert await store.load(OWNER) is None
    assert await store.body(OWNER, "k", 1, 2) == StoredBody()


async def test_a_commit_is_read_back_whole(store: SqlStateStore) -> None:
    issued = head("a", base=2, listing=3, cursor=7, token="t", pending=True)
    wanted = step(issued, generations={"a": b"body"}, blobs={2: b"base", 3: b"listing"})
    assert await store.commit(OWNER, 0, wanted)
    assert await store.load(OWNER) == replace(wanted.held, row=1)
    assert await store.body(OWNER, "a", 2, 3) == StoredBody(base=b"base", listing=b"listing", generation=b"body")


async def test_parts_that_were_never_written_are_empty(store: SqlStateStore) -> None:
    assert await store.commit(OWNER, 0, step(head("a", base=2), blobs={2: b"base"}))
    assert await store.body(OWNER, "a", 2, 0) == StoredBody(base=b"base")
    assert await store.body(OWNER, "a", 0, 2) == StoredBody(listing=b"base")
    assert await store.body(OWNER, "b", 0, 0) == StoredBody()


async def test_a_commit_on_an_old_row_does_nothing(store: SqlStateStore) -> None:
    """docs/design.md, "Concurrency": truth is a compare-and-swap, the loser throws its answer away."""
    intent = await store.intend(OWNER, _intent("c"))
    assert await store.commit(OWNER, 0, step(head("a"), generations={"a": b"1"}))
    assert await store.commit(OWNER, 1, step(head("b"), generations={"b": b"2"}))
    late = step(head("c"), generations={"c": b"3"}, blobs={9: b"x"}, settled={intent.id: ("r", "c")})
    for row in (0, 1, 3):
        assert not await store.commit(OWNER, row, late)
    assert await store.load(OWNER) == Held(row=2, issued=(head("b"),))
    assert await store.body(OWNER, "b", 0, 9) == StoredBody(generation=b"2")
    assert (await store.intents(OWNER))[0].result == ""


async def test_a_commit_without_a_row_does_nothing(store: SqlStateStore) -> None:
    assert not await store.commit(OWNER, 4, step(head("a")))
    assert await store.load(OWNER) is None


async def test_what_no_head_refers_to_is_deleted(store: SqlStateStore, database: Database) -> None:
    old, kept = head("old", base=2, listing=3), head("kept", base=2, listing=5)
    first = step(old, kept, generations={"old": b"o", "kept": b"k"}, blobs={2: b"b", 3: b"l", 5: b"m"})
    assert await store.commit(OWNER, 0, first)
    assert await store.commit(OWNER, 1, step(head("new", listing=5), proven=kept, generations={"new": b"n"}))
    assert await _rows(database) == ({"kept", "new"}, {2, 5})
    assert await store.commit(OWNER, 2, step(proven=head("new")))
    assert await _rows(database) == ({"new"}, set())


async def test_new_parts_that_no_head_refers_to_are_not_stored(store: SqlStateStore, database: Database) -> None:
    assert await store.commit(OWNER, 0, step(head("a"), generations={"a": b"1", "b": b"2"}, blobs={4: b"x"}))
    assert await _rows(database) == ({"a"}, set())


async def test_a_body_may_be_replaced_under_its_key(store: SqlStateStore) -> None:
    """What is not visible to the device moves on without a new key."""
    assert await store.commit(OWNER, 0, step(head("a", base=2), generations={"a": b"1"}, blobs={2: b"x"}))
    moved = step(head("a", base=2, token="t"), generations={"a": b"2"}, blobs={2: b"y"})
    assert await store.commit(OWNER, 1, moved)
    assert await store.body(OWNER, "a", 2, 0) == StoredBody(base=b"y", generation=b"2")


async def test_bodies_stay_when_only_heads_move(store: SqlStateStore) -> None:
    assert await store.commit(OWNER, 0, step(head("a", base=2), generations={"a": b"1"}, blobs={2: b"x"}))
    assert await store.commit(OWNER, 1, step(head("a", base=2, token="t")))
    assert await store.body(OWNER, "a", 2, 0) == StoredBody(base=b"x", generation=b"1")


async def test_intents_are_settled_and_forgotten_with_the_commit(store: SqlStateStore) -> None:
    one, two, three = [await store.intend(OWNER, _intent(name)) for name in ("1", "2", "3")]
    assert await store.commit(OWNER, 0, step(head("a"), settled={one.id: ("17", "a")}, forgotten=[two.id]))
    assert await store.intents(OWNER) == [replace(one, result="17", settled_key="a"), three]


async def test_a_commit_touches_no_intent_of_another_collection(store: SqlStateStore) -> None:
    other = replace(OWNER, collection_id="6")
    theirs = await store.intend(other, _intent("1"))
    assert await store.commit(OWNER, 0, step(head("a"), settled={theirs.id: ("x", "a")}, forgotten=[theirs.id]))
    assert await store.intents(other) == [theirs]


async def test_collections_devices_and_users_are_apart(store: SqlStateStore) -> None:
    owners = [
        OWNER, replace(OWNER, collection_id="6"), replace(OWNER, device_id="tablet"), replace(OWNER, user_id="bob"),
    ]
    for number, owner in enumerate(owners):
        assert await store.commit(owner, 0, step(head("k"), generations={"k": str(number).encode()}))
    for number, owner in enumerate(owners):
        assert (await store.body(owner, "k", 0, 0)).generation == str(number).encode()


async def test_several_are_read_at_once_as_one_by_one(store: SqlStateStore) -> None:
    calendar, hierarchy = replace(OWNER, collection_id="6"), replace(OWNER, collection_id="0")
    others = [replace(calendar, device_id="tablet"), replace(OWNER, user_id="bob"), replace(OWNER, collection_id="7")]
    for number, owner in enumerate((OWNER, calendar, *others)):
        assert await store.commit(owner, 0, step(head(f"k{number}")))
    asked = [OWNER, calendar, hierarchy]
    found = await store.load_several(OWNER.user_id, OWNER.device_id, [owner.collection_id for owner in asked])
    assert found.keys() == {OWNER.collection_id, "6"}
    assert [found.get(owner.collection_id) for owner in asked] == [await store.load(owner) for owner in asked]
    assert await store.load_several(OWNER.user_id, OWNER.device_id, []) == {}


async def test_forget_drops_one_collection_or_all_of_a_device(store: SqlStateStore, database: Database) -> None:
    calendar, tablet = replace(OWNER, collection_id="6"), replace(OWNER, device_id="tablet")
    for owner in (OWNER, calendar, tablet):
        assert await store.commit(owner, 0, step(head(owner.device_id), generations={owner.device_id: b"1"}))
    await store.forget("ann", "phone", "5")
    assert await store.load(OWNER) is None
    assert await store.load(calendar) is not None
    await store.forget("ann", "phone")
    assert await store.load(calendar) is None
    assert await store.load(tablet) is not None
    assert await _rows(database) == ({"tablet"}, set())


async def test_a_state_that_was_forgotten_does_not_come_back(store: SqlStateStore) -> None:
    assert await store.commit(OWNER, 0, step(head("a")))
    await store.forget("ann", "phone", "5")
    assert not await store.commit(OWNER, 1, step(head("b")))
    assert await store.commit(OWNER, 0, step(head("c"), generations={"c": b"1"}))
    assert await store.load(OWNER) == Held(row=1, issued=(head("c"),))


async def test_effects_outlive_the_state(store: SqlStateStore) -> None:
    """docs/design.md: the row answers one repeat also after key 0, so a resync must not forget it."""
    intent = await store.intend(OWNER, _intent("1"))
    assert await store.commit(OWNER, 0, step(head("a"), settled={intent.id: ("17", "a")}))
    await store.forget("ann", "phone")
    assert [i.result for i in await store.intents(OWNER)] == ["17"]


async def test_clean_up_drops_the_states_of_removed_devices(store: SqlStateStore) -> None:
    await store.add_device(Device(user_id="ann", id="phone", type="t"))
    gone = Owner(user_id="ann", device_id="gone", collection_id="5")
    for owner in (OWNER, gone):
        assert await store.commit(owner, 0, step(head("a")))
    assert (await store.tidy()).states == 1
    assert await store.load(gone) is None
    assert await store.load(OWNER) is not None


async def test_large_bodies_come_back(store: SqlStateStore) -> None:
    data = bytes(range(256)) * 4096
    assert await store.commit(OWNER, 0, step(head("a", base=2), generations={"a": data}, blobs={2: data[::-1]}))
    assert await store.body(OWNER, "a", 2, 0) == StoredBody(base=data[::-1], generation=data)


async def test_an_empty_held_may_be_stored(store: SqlStateStore) -> None:
    assert await store.commit(OWNER, 0, Step(held=Held()))
    assert await store.load(OWNER) == Held(row=1)


def _intent(client_id: str) -> Intent:
    return Intent(verb="Add", client_id=client_id, server_id="", digest="d", chosen=Chosen(name="n", note="7"))


async def _rows(database: Database) -> tuple[set[str], set[int]]:
    async with database.read() as connection:
        generations = list(await connection.scalars(select(sync_generation.c.key)))
        blobs = list(await connection.scalars(select(sync_blob.c.blob)))
    return set(generations), set(blobs)

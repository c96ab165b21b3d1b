"""Effects are written down before they are done, once each, and found again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from store_kit import NOW, OWNER, head, open_store, step

from eas.db.transactions import Transactions
from eas.engine.model import Device
from eas.engine.ports import Chosen, Intent, Owner
from eas.store import SqlStateStore
from eas.store.sql import INTENT_DAYS

ADD = Intent(verb="Add", client_id="c1", server_id="", digest="d1", chosen=Chosen(name="first", note="7"))
Nodes = Callable[[], Awaitable[SqlStateStore]]

texts = st.text(max_size=12)


def test_intents_come_back_as_they_were() -> None:
    intents = st.builds(
        Intent, verb=texts, client_id=texts, server_id=texts, digest=texts, result=texts, settled_key=texts,
        chosen=st.builds(Chosen, name=texts, note=texts),
    )

    @settings(max_examples=15, deadline=None)
    @given(st.lists(intents, max_size=4, unique_by=lambda i: (i.verb, i.client_id, i.server_id, i.digest)))
    def check(wanted: list[Intent]) -> None:
        async def work() -> None:
            async with open_store("sqlite+aiosqlite://", tables=True) as store:
                written = [await store.intend(OWNER, intent) for intent in wanted]
                assert [replace(intent, id=0) for intent in written] == wanted
                assert await store.intents(OWNER) == written

        asyncio.run(work())

    check()


async def test_an_equal_intent_gives_the_one_that_is_there(store: SqlStateStore) -> None:
    """After a crash the object is looked up by the name that was chosen first."""
    first = await store.intend(OWNER, ADD)
    assert first.id
    again = await store.intend(OWNER, replace(ADD, chosen=Chosen(name="second")))
    assert again == first


async def test_a_settled_intent_answers_with_its_result(store: SqlStateStore) -> None:
    first = await store.intend(OWNER, ADD)
    await store.settle(OWNER, first, "17")
    assert await store.intend(OWNER, ADD) == replace(first, result="17")


async def test_what_was_settled_with_a_proven_key_is_over(store: SqlStateStore) -> None:
    first = await store.intend(OWNER, ADD)
    assert await store.commit(OWNER, 0, step(head("a"), settled={first.id: ("17", "a")}))
    for key in ("", "b"):
        assert (await store.intend(OWNER, ADD, proven=key)).result == "17"
    anew = await store.intend(OWNER, replace(ADD, chosen=Chosen(name="second")), proven="a")
    assert (anew.id != first.id, anew.result, anew.chosen.name) == (True, "", "second")
    assert await store.intend(OWNER, ADD, proven="a") == anew
    assert await store.intents(OWNER) == [anew]


async def test_each_part_of_the_identity_counts(store: SqlStateStore) -> None:
    others = [
        replace(ADD, verb="Change"), replace(ADD, client_id="c2"), replace(ADD, server_id="5:1"),
        replace(ADD, digest="d2"),
    ]
    written = [await store.intend(OWNER, intent) for intent in (ADD, *others)]
    assert len({intent.id for intent in written}) == 5
    for owner in (replace(OWNER, user_id="b"), replace(OWNER, device_id="b"), replace(OWNER, collection_id="b")):
        assert (await store.intend(owner, ADD)).id not in {intent.id for intent in written}


async def test_only_the_owners_intent_is_settled(store: SqlStateStore) -> None:
    first = await store.intend(OWNER, ADD)
    await store.settle(replace(OWNER, user_id="eve"), first, "17")
    assert await store.intents(OWNER) == [first]


async def test_an_id_is_not_used_again(store: SqlStateStore) -> None:
    first = await store.intend(OWNER, ADD)
    assert await store.commit(OWNER, 0, step(head("a"), forgotten=[first.id]))
    assert (await store.intend(OWNER, ADD)).id != first.id


async def test_one_of_many_at_once_is_written(nodes: Nodes) -> None:
    stores = [await nodes(), await nodes()]
    asked = [s.intend(OWNER, replace(ADD, chosen=Chosen(name=str(n)))) for n, s in enumerate(stores * 4)]
    assert len(set(await asyncio.gather(*asked))) == 1


# -- clean-up


async def _aged(run: Transactions, days: float) -> SqlStateStore:
    """A store whose intents are that old."""
    store = SqlStateStore(run, now=lambda: NOW - timedelta(days=days))
    await store.add_device(Device(user_id=OWNER.user_id, id=OWNER.device_id, type="t"))
    return store


async def test_old_intents_are_dropped_and_young_ones_are_not(store: SqlStateStore, run: Transactions) -> None:
    old, young = await _aged(run, INTENT_DAYS + 0.1), await _aged(run, INTENT_DAYS - 0.1)
    await old.intend(OWNER, ADD)
    kept = await young.intend(OWNER, replace(ADD, client_id="young"))
    assert (await store.tidy()).intents == 1
    assert await store.intents(OWNER) == [kept]
    await old.close()
    await young.close()


async def test_an_effect_whose_answer_may_be_lost_is_kept(store: SqlStateStore, run: Transactions) -> None:
    """A device that lay in a drawer for a month may still send its Add again."""
    old = await _aged(run, 30)
    intent = await old.intend(OWNER, ADD)
    settled = {intent.id: ("17", "k")}
    assert await store.commit(OWNER, 0, step(head("k"), generations={"k": b"1"}, settled=settled))
    assert (await store.tidy()).intents == 0
    assert await store.commit(OWNER, 1, step(head("l"), generations={"l": b"1"}))
    assert (await store.tidy()).intents == 1
    await old.close()


async def test_intents_of_removed_devices_are_dropped(store: SqlStateStore) -> None:
    await store.intend(Owner(user_id="ann", device_id="gone", collection_id="5"), ADD)
    assert (await store.tidy()).intents == 1

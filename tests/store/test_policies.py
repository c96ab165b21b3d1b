"""Whose policy: the user's own, a group's, the default."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_kit import NOW, open_store

from eas.db.transactions import Transactions
from eas.engine.model import Device, Policy
from eas.engine.policybook import Override, PolicyError, Roll, Step
from eas.store import DEFAULT_POLICY, Assignee, Assignment, SqlStateStore
from eas.store.tables import policy as table

STRICT = Policy(name="strict", settings={"DevicePasswordEnabled": "1"}, enforced=True, allow_partial=False)
LAX = Policy(name="lax", settings={"AllowCamera": "0"})
Nodes = Callable[[], Awaitable[SqlStateStore]]


async def groups(user_id: str) -> Sequence[str]:
    return {"ann": ("staff", "sales"), "bob": ("sales",)}.get(user_id, ())


@pytest.fixture
async def grouped(run: Transactions) -> AsyncIterator[SqlStateStore]:
    made = SqlStateStore(run, groups)
    yield made
    await made.close()


def test_every_field_has_its_column() -> None:
    assert {f.name for f in fields(Policy)} - {"origins"} == {column.name for column in table.c}


def test_policies_come_back_as_they_were() -> None:
    texts = st.text(max_size=12)
    policies = st.builds(
        Policy, name=texts, settings=st.dictionaries(texts, texts, max_size=4), enforced=st.booleans(),
        allow_partial=st.booleans(), allow_external=st.booleans(), allow_password_recovery=st.booleans(),
    )

    @settings(max_examples=10, deadline=None)
    @given(policies)
    def check(wanted: Policy) -> None:
        async def work() -> None:
            async with open_store("sqlite+aiosqlite://", tables=True) as store:
                await store.set_policy(Assignee.USER, "ann", wanted)
                assert await store.policy("ann") == wanted
                assert wanted in await store.policies()

        asyncio.run(work())

    check()


async def test_there_is_always_a_policy_and_it_asks_for_nothing(store: SqlStateStore) -> None:
    """Field note: to some clients "no policy" is an error."""
    assert await store.policy("ann") == DEFAULT_POLICY
    assert not DEFAULT_POLICY.settings
    assert not DEFAULT_POLICY.enforced
    assert await store.policies() == [DEFAULT_POLICY]


async def test_the_users_policy_comes_before_a_groups(grouped: SqlStateStore) -> None:
    await grouped.set_policy(Assignee.GROUP, "staff", LAX)
    await grouped.set_policy(Assignee.USER, "ann", STRICT)
    assert await grouped.policy("ann") == STRICT
    await grouped.clear_policy(Assignee.USER, "ann")
    assert await grouped.policy("ann") == LAX


async def test_the_first_group_that_has_one_decides(grouped: SqlStateStore) -> None:
    await grouped.set_policy(Assignee.GROUP, "sales", LAX)
    assert await grouped.policy("ann") == LAX
    await grouped.set_policy(Assignee.GROUP, "staff", STRICT)
    assert await grouped.policy("ann") == STRICT
    assert await grouped.policy("bob") == LAX
    assert await grouped.policy("eve") == DEFAULT_POLICY


async def test_a_group_that_is_named_like_a_user_is_another(grouped: SqlStateStore) -> None:
    await grouped.set_policy(Assignee.GROUP, "ann", STRICT)
    await grouped.set_policy(Assignee.USER, "sales", STRICT)
    assert await grouped.policy("ann") == DEFAULT_POLICY


async def test_a_stored_default_takes_the_place_of_the_built_in_one(grouped: SqlStateStore) -> None:
    stored = replace(STRICT, name="default")
    await grouped.save_policy(stored)
    assert await grouped.policy("eve") == stored
    assert await grouped.policies() == [stored]
    await grouped.set_policy(Assignee.GROUP, "sales", LAX)
    assert await grouped.policy("bob") == LAX
    assert await grouped.remove_policy("default")
    assert await grouped.policy("eve") == DEFAULT_POLICY


async def test_a_policy_is_changed_for_all_who_have_it(grouped: SqlStateStore) -> None:
    await grouped.set_policy(Assignee.USER, "ann", STRICT)
    await grouped.set_policy(Assignee.GROUP, "sales", STRICT)
    changed = replace(STRICT, settings={"DevicePasswordEnabled": "0"})
    await grouped.save_policy(changed)
    assert await grouped.policy("ann") == changed
    assert await grouped.policy("bob") == changed


async def test_an_assignment_is_replaced(grouped: SqlStateStore) -> None:
    await grouped.set_policy(Assignee.USER, "ann", STRICT)
    await grouped.set_policy(Assignee.USER, "ann", LAX)
    assert await grouped.assignments() == [Assignment(assignee=Assignee.USER, subject="ann", policy="lax")]
    assert await grouped.policies() == [DEFAULT_POLICY, LAX, STRICT]


async def test_a_removed_policy_takes_its_assignments_along(grouped: SqlStateStore) -> None:
    await grouped.set_policy(Assignee.USER, "ann", STRICT)
    assert await grouped.remove_policy("strict")
    assert not await grouped.remove_policy("strict")
    assert await grouped.assignments() == []
    assert await grouped.policy("ann") == DEFAULT_POLICY


async def test_two_nodes_may_store_the_same_policy_at_once(nodes: Nodes) -> None:
    stores = [await nodes(), await nodes()]
    await asyncio.gather(*[s.set_policy(Assignee.USER, "ann", STRICT) for s in stores * 3])
    assert await stores[0].policy("ann") == STRICT
    assert len(await stores[1].assignments()) == 1


# -- for one device, and in stages


async def test_a_roll_out_and_a_devices_own_policy_come_back_as_they_were(store: SqlStateStore) -> None:
    policing = store.policing
    await store.save_policy(STRICT)
    until = NOW + timedelta(days=1)
    await policing.override("ann", "phone", "strict", until)
    roll = Roll(
        policy="strict", candidate=replace(LAX, name="strict", based_on="default", inherits=("enforced",)),
        assignment=Assignment(assignee=Assignee.GROUP, subject="sales", policy="strict", rank=3), percent=10,
        groups=("pilots",), steps=(Step(at=until, percent=50),), paused=True, reason="too many", fail_percent=5,
        started=NOW, moved=NOW,
    )
    await policing.roll("strict", lambda book, there: roll)
    book = await policing.book()
    assert (list(book.rolls), dict(book.devices)) == (
        [roll], {("ann", "phone"): Override(user_id="ann", device_id="phone", policy="strict", until=until)}
    )
    assert await policing.claim(60)
    assert not await policing.claim(60)
    assert await policing.finish("strict")
    assert not await policing.finish("strict")
    assert await store.assignments() == [roll.assignment]
    assert roll.candidate in await store.policies()


async def test_a_circle_or_a_missing_parent_leaves_everything_as_it_was(store: SqlStateStore) -> None:
    await store.save_policy(STRICT)
    await store.save_policy(replace(LAX, based_on="strict"))
    for wrong in (replace(STRICT, based_on="lax"), replace(STRICT, based_on="none")):
        with pytest.raises(PolicyError):
            await store.save_policy(wrong)
    with pytest.raises(PolicyError):
        await store.remove_policy("strict")
    assert STRICT in await store.policies()


async def test_another_process_hears_of_a_change_with_the_devices_row(nodes: Nodes) -> None:
    here, there = await nodes(), await nodes()
    await here.add_device(Device(user_id="ann", id="phone", type="t"))
    device = await here.device("ann", "phone")
    assert await here.policy("ann", device) == DEFAULT_POLICY
    for changed in (STRICT, LAX):
        await there.set_policy(Assignee.USER, "ann", changed)
        assert await here.policy("ann", await here.device("ann", "phone")) == changed
    await there.remove_device("ann", "phone")
    assert await here.policy("ann") == LAX


async def test_what_is_removed_with_a_device_counts_no_more_for_one_of_its_name(nodes: Nodes) -> None:
    here, there = await nodes(), await nodes()
    await here.add_device(Device(user_id="ann", id="phone", type="t"))
    await here.save_policy(STRICT)
    await here.policing.override("ann", "phone", "strict")
    assert await there.policy("ann", await there.device("ann", "phone")) == STRICT
    await here.remove_device("ann", "phone")
    await here.add_device(Device(user_id="ann", id="phone", type="t"))
    assert await there.policy("ann", await there.device("ann", "phone")) == DEFAULT_POLICY

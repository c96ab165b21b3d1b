"""Whose policy: the user's own, a group's, the default."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_kit import open_store

from eas.db.transactions import Transactions
from eas.engine.model import Policy
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

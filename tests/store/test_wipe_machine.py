"""Wipes as a state machine over a real store: people who ask, agree, decline, cancel and allow again, an owner, time,
and a phone that comes, reports, is removed and comes back. Whatever happens, the partnership and the orders say the
same, nothing is wiped to which nobody agreed, and what was wiped stays out until somebody allows it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from store_kit import NOW, make_tables

from eas.db import Database
from eas.db.transactions import transactions
from eas.engine.model import Device, Wipe
from eas.engine.partnership import PENDING, wiped
from eas.engine.wipes import IN_FORCE, OPEN, UNDER_WAY, WIPE_OF, NoSuchTurn, Order, Rules, Stage, Turn, may_approve
from eas.store import SqlStateStore
from eas.store.wipes import wanted

R = TypeVar("R")
USER, ID = "ann", "phone"
#: A fixed sample in the usual run.
TIMES = int(os.environ.get("EAS_FUZZ_EXAMPLES", "1"))
STAFF = ("eva", "fred", "Eva")
RULES = Rules(two_persons=True, approval=timedelta(hours=2))


class WipeMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = NOW
        self.database = Database("sqlite+aiosqlite://")
        self.run(make_tables(self.database))
        self.transactions = transactions(self.database)
        self.store = SqlStateStore(self.transactions, now=lambda: self.now)
        self.run(self.store.add_device(Device(user_id=USER, id=ID, type="t", policy_key="1")))
        #: What the phone was told and has not answered yet, and orders to which somebody has agreed, or had to.
        self.told: Device | None = None
        self.agreed: set[int] = set()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.run(self.transactions.close())
        self.run(self.database.close())
        self.loop.close()

    def device(self) -> Device | None:
        return self.run(self.store.device(USER, ID))

    def orders(self, *among: Stage) -> list[Order]:
        return list(self.run(self.store.wipes.orders(USER, ID, among or tuple(Stage))))

    def ask(self, by: str, account_only: bool, by_owner: bool) -> Order:
        expires = RULES.waits_until(self.now, by_owner=by_owner)
        role = "owner" if by_owner else "admin"
        return self.run(self.store.wipes.ask(
            wanted(USER, ID, account_only, self.now, by=by, role=role, expires=expires)
        ))

    # -- people

    @rule(by=st.sampled_from(STAFF), account_only=st.booleans())
    def staff_asks(self, by: str, account_only: bool) -> None:
        under_way = self.orders(*UNDER_WAY)
        order = self.ask(by, account_only, False)
        assert order.stage in UNDER_WAY or order.stands(self.now) is Stage.WAITING
        if order.stage in UNDER_WAY:
            assert order.id in {one.id for one in under_way}
            assert order.account_only is account_only

    @rule(account_only=st.booleans())
    def owner_asks(self, account_only: bool) -> None:
        order = self.ask("ann", account_only, True)
        assert order.stage in UNDER_WAY
        self.agreed.add(order.id)
        assert not self.orders(Stage.WAITING)

    @rule(by=st.sampled_from(STAFF), turn=st.sampled_from((Turn.APPROVE, Turn.DECLINE)))
    def staff_decides(self, by: str, turn: Turn) -> None:
        for order in self.orders(Stage.WAITING):
            if turn is Turn.APPROVE and not may_approve(order, by):
                continue  # the action refuses it
            try:
                decided = self.run(self.store.wipes.decide(order.id, turn, by))
            except NoSuchTurn:
                assert order.stands(self.now) is Stage.EXPIRED
            else:
                assert decided is not None
                assert decided.decided_by == by
                if turn is Turn.APPROVE:
                    assert by.casefold() != decided.asked_by.casefold()
                    self.agreed.add(order.id)

    @rule()
    def somebody_cancels(self) -> None:
        self.run(self.store.wipes.release(USER, ID, Turn.CANCEL, "eva"))
        assert not self.orders(*OPEN)

    @rule()
    def somebody_allows_it_again(self) -> None:
        self.run(self.store.wipes.release(USER, ID, Turn.READMIT, "eva"))
        device = self.device()
        assert device is None or device.wipe is not Wipe.DONE

    @rule(hours=st.integers(1, 3))
    def time_goes_by(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        for order in self.run(self.store.wipes.expire()):
            assert order.asked + RULES.approval <= self.now

    # -- the phone

    @precondition(lambda self: self.device() is not None)
    @rule()
    def phone_comes(self) -> None:
        """As the Provision command does it."""
        device = self.device()
        assert device is not None
        if device.wipe in PENDING:
            self.store_device(replace(device, wipe=Wipe.SENT, wipe_at=self.now))
            self.told = self.device()

    @precondition(lambda self: self.told is not None)
    @rule(done=st.booleans())
    def phone_reports(self, done: bool) -> None:
        """Maybe late: the wipe was cancelled, or another one asked for."""
        device, told, self.told = self.device(), self.told, None
        assert told is not None
        if device is None or device.wipe not in PENDING or device.wipe_account_only is not told.wipe_account_only:
            return
        self.store_device(wiped(device, self.now) if done else replace(device, wipe=Wipe.FAILED, wipe_at=self.now))

    @rule()
    def partnership_is_removed(self) -> None:
        self.run(self.store.remove_device(USER, ID))

    @precondition(lambda self: self.device() is None)
    @rule()
    def phone_is_set_up_again(self) -> None:
        in_force = self.orders(*IN_FORCE)
        made = self.run(self.store.add_device(Device(user_id=USER, id=ID, type="t")))
        assert made.wipe is (WIPE_OF[in_force[0].stage] if in_force else Wipe.NONE)
        assert self.device() == made

    def store_device(self, device: Device) -> None:
        assert self.run(self.store.save_device(device))

    # -- what always holds

    @invariant()
    def both_say_the_same(self) -> None:
        device = self.device()
        in_force = self.orders(*IN_FORCE)
        if device is None:
            return
        if device.wipe is Wipe.NONE:
            assert not in_force
        else:
            assert in_force
            assert (device.wipe, device.wipe_account_only) == (WIPE_OF[in_force[0].stage], in_force[0].account_only)

    @invariant()
    def what_was_wiped_stays_out(self) -> None:
        device = self.device()
        if device is not None and self.orders(Stage.DONE):
            assert device.wipe is not Wipe.NONE

    @invariant()
    def nobody_is_wiped_without_two(self) -> None:
        for order in self.orders(Stage.REQUESTED, Stage.SENT, Stage.FAILED, Stage.DONE, Stage.READMITTED):
            assert order.id in self.agreed

    @invariant()
    def one_at_a_time(self) -> None:
        assert len(self.orders(*UNDER_WAY)) <= 1
        assert len(self.orders(Stage.WAITING)) <= 1


WipeMachine.TestCase.settings = settings(
    max_examples=8 * TIMES, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.long
class TestWipes(WipeMachine.TestCase):  # type: ignore[misc, name-defined]
    pass


async def test_what_was_wiped_stays_out_though_another_wipe_is_cancelled(store: SqlStateStore) -> None:
    await store.add_device(Device(user_id=USER, id=ID, type="t"))
    await ask(store, "eva", NOW)
    await store.alter_device(USER, ID, lambda d: wiped(d, NOW))
    await ask(store, "eva", NOW)
    await store.wipes.release(USER, ID, Turn.CANCEL, "eva")
    assert (await store.device(USER, ID)).wipe is Wipe.DONE  # type: ignore[union-attr]
    await store.wipes.release(USER, ID, Turn.READMIT, "eva")
    assert (await store.device(USER, ID)).wipe is Wipe.NONE  # type: ignore[union-attr]


async def ask(store: SqlStateStore, by: str, at: datetime, expires: datetime | None = None) -> Order:
    return await store.wipes.ask(wanted(USER, ID, False, at, by=by, role="admin", expires=expires))


async def test_many_who_ask_at_once_ask_for_one(nodes: Any) -> None:
    """From several processes, on PostgreSQL as on SQLite."""
    stores = [await nodes() for _ in range(3)]
    await stores[0].add_device(Device(user_id=USER, id=ID, type="t"))
    orders = await asyncio.gather(*[ask(store, f"name{n}", NOW) for n in range(4) for store in stores])
    assert len({order.id for order in orders}) == 1
    device = await stores[1].device(USER, ID)
    assert device is not None
    assert device.wipe is Wipe.REQUESTED


async def test_a_yes_and_a_no_at_once_are_one_of_them(nodes: Any) -> None:
    stores = [await nodes() for _ in range(3)]
    await stores[0].add_device(Device(user_id=USER, id=ID, type="t"))
    order = await ask(stores[0], "eva", NOW, NOW + timedelta(hours=1))
    turns = [Turn.APPROVE, Turn.DECLINE, Turn.APPROVE, Turn.DECLINE, Turn.APPROVE, Turn.DECLINE]
    found = await asyncio.gather(
        *[stores[n % 3].wipes.decide(order.id, turn, f"name{n}") for n, turn in enumerate(turns)],
        return_exceptions=True,
    )
    (decided,) = [one for one in found if isinstance(one, Order)]
    assert all(isinstance(one, NoSuchTurn | Order) for one in found)
    device = await stores[2].device(USER, ID)
    assert device is not None
    assert (device.wipe is Wipe.REQUESTED) is (decided.stage is Stage.REQUESTED)


async def test_reports_and_cancels_at_once_leave_one_truth(nodes: Any) -> None:
    """The phone says that it is done while somebody cancels: either, but the order and the partnership agree."""
    stores = [await nodes() for _ in range(2)]
    for number in range(8):
        id = f"phone{number}"
        await stores[0].add_device(Device(user_id=USER, id=id, type="t"))
        await stores[0].wipes.ask(wanted(USER, id, False, NOW, by="eva", role="admin"))
        await asyncio.gather(
            stores[0].alter_device(USER, id, lambda d: wiped(d, NOW) if d.wipe in PENDING else d),
            stores[1].wipes.release(USER, id, Turn.CANCEL, "eva"),
        )
        device = await stores[1].device(USER, id)
        (order,) = await stores[1].wipes.orders(USER, id)
        assert device is not None
        assert (device.wipe, order.stage) in ((Wipe.DONE, Stage.DONE), (Wipe.NONE, Stage.CANCELLED))


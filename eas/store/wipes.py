"""Orders to wipe devices, and the partnerships that carry them. Functions of a connection inside a transaction, and the
store of them.

An order that is in force and its partnership are changed together, in one transaction; where the partnership has been
removed meanwhile the order goes on alone, and binds whatever comes back under its id (`inherited`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, insert, select, update

from eas.db.transactions import Transactions
from eas.engine.errors import Contended
from eas.engine.model import Device, Wipe
from eas.engine.wipes import IN_FORCE, OPEN, STAGE_OF, UNDER_WAY, WIPE_OF, NoSuchTurn, Order, Stage, Turn, turned

from . import device_passwords, devices
from .reaching import reachable
from .tables import device as partnership
from .tables import wipe_order as table

R = TypeVar("R")

#: How often a change that a request of the device undercut is tried again.
TRIES = 8

_COLUMNS = [table.c[one.name] for one in fields(Order)]
_NEWEST = select(*_COLUMNS).order_by(table.c.id.desc())

#: Which column notes when an order came to a stage.
_MOMENT_OF: Mapping[Stage, str] = {
    Stage.SENT: "sent", Stage.DONE: "ended", Stage.CANCELLED: "ended", Stage.DECLINED: "ended", Stage.EXPIRED: "ended",
}


class Lost(Exception):
    """A request of the device was quicker; nothing was changed."""


# Reading ------------------------------------------------------------------------------------------------------------


def one(connection: Connection, id: int) -> Order | None:
    row = connection.execute(select(*_COLUMNS).where(table.c.id == id)).one_or_none()
    return None if row is None else _order(row)


def newest(connection: Connection, user_id: str, device_id: str) -> Order | None:
    """That is in force."""
    statement = _NEWEST.where(*_of(user_id, device_id), table.c.stage.in_(IN_FORCE)).limit(1)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _order(row)


def listed(
    connection: Connection, user_id: str | None, device_id: str | None, among: Collection[Stage], most: int
) -> Sequence[Order]:
    statement = _NEWEST.where(table.c.stage.in_(among)).limit(most)
    if user_id is not None:
        statement = statement.where(table.c.user_id == user_id)
    if device_id is not None:
        statement = statement.where(table.c.device_id == device_id)
    return [_order(row) for row in connection.execute(statement)]


def inherited(connection: Connection, new: Device) -> Device:
    """A new partnership with what is in force for its id."""
    order = newest(connection, new.user_id, new.id)
    return new if order is None else _in_force(new, order)


# Changing -----------------------------------------------------------------------------------------------------------


def add(connection: Connection, order: Order) -> Order:
    """`order.id` is given out here. Locks what else is known of the device: one order at a time is open."""
    values = {one.name: getattr(order, one.name) for one in fields(Order) if one.name != "id"}
    id = connection.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
    return replace(order, id=int(id))


def move(connection: Connection, order: Order, turn: Turn, at: datetime, by: str = "") -> Order:
    """Along `engine.wipes.NEXT`. Raises NoSuchTurn, Lost."""
    stage = turned(order.stage, turn)
    values: dict[str, Any] = {"stage": stage.value}
    if (moment := _MOMENT_OF.get(stage)) is not None:
        values[moment] = at
    if turn in (Turn.APPROVE, Turn.DECLINE):
        values |= {"decided_by": by, "decided": at}
    elif by:
        values["ended_by"] = by
    where = (table.c.id == order.id, table.c.stage == order.stage.value)
    if connection.execute(update(table).where(*where).values(**values)).rowcount == 0:
        raise Lost
    return replace(order, **{**values, "stage": stage})


def saved(connection: Connection, device: Device) -> bool:
    """A partnership, and what its order says with it, where it has to do with a wipe; one that was wiped loses the
    passwords that were its own. False as devices.save."""
    if not devices.save(connection, device):
        return False
    stage = STAGE_OF.get(device.wipe)
    if stage in (Stage.SENT, Stage.FAILED, Stage.DONE):
        values: dict[str, Any] = {"stage": stage.value}
        if (moment := _MOMENT_OF.get(stage)) is not None:
            values[moment] = device.wipe_at
        before = [other.value for other in UNDER_WAY if other is not stage]
        where = (*_of(device.user_id, device.id), table.c.account_only == device.wipe_account_only)
        connection.execute(update(table).where(*where, table.c.stage.in_(before)).values(**values))
    if stage is Stage.DONE:
        device_passwords.forget_device(connection, device.user_id, device.id)
    return True


def left_behind(connection: Connection, user_id: str, device_id: str, at: datetime) -> bool:
    """A partnership is removed: what was said of it without an order (by an import, or an older release) gets one.
    Whether it has a wipe to carry out yet."""
    device = devices.one(connection, user_id, device_id)
    stage = None if device is None else STAGE_OF.get(device.wipe)
    if device is None or stage is None:
        return False
    if newest(connection, user_id, device_id) is None:
        add(connection, Order(
            id=0, user_id=user_id, device_id=device_id, account_only=device.wipe_account_only, stage=stage,
            asked_by="", asked_role="", asked=device.wipe_at or at,
            ended=device.wipe_at if stage is Stage.DONE else None,
        ))
    return stage in UNDER_WAY


def _of(user_id: str, device_id: str) -> tuple[Any, ...]:
    return (table.c.user_id == user_id, table.c.device_id == device_id)


def _order(row: Row[Any]) -> Order:
    return Order(**{**row._mapping, "stage": Stage(row.stage)})


def _as_ordered(device: Device, order: Order, at: datetime) -> Device:
    """What the partnership says of an order in force."""
    return replace(device, wipe=WIPE_OF[order.stage], wipe_at=at, wipe_account_only=order.account_only)


def _in_force(device: Device, order: Order | None) -> Device:
    if order is None:
        return replace(device, wipe=Wipe.NONE, wipe_at=None, wipe_account_only=False)
    return _as_ordered(device, order, order.ended or order.sent or order.asked)


def _put(connection: Connection, user_id: str, device_id: str, change: Callable[[Device], Device]) -> Device | None:
    """None where there is no such partnership. Raises Lost."""
    found = devices.one(connection, user_id, device_id)
    if found is None:
        return None
    changed = change(found)
    if changed == found:
        return found
    if not devices.save(connection, changed):
        raise Lost
    return replace(changed, row=found.row + 1)


def wanted(
    user_id: str, device_id: str, account_only: bool, at: datetime, *, by: str = "", role: str = "", note: str = "",
    expires: datetime | None = None,
) -> Order:
    """A new order; with `expires` it waits for a second person until then."""
    return Order(
        id=0, user_id=user_id, device_id=device_id, account_only=account_only, asked_by=by, asked_role=role, asked=at,
        note=note, expires=expires, stage=Stage.REQUESTED if expires is None else Stage.WAITING,
    )


def _lock(connection: Connection, user_id: str, device_id: str) -> None:
    """Until the end of the transaction nobody else changes what is wanted of the device."""
    this = (partnership.c.user_id == user_id, partnership.c.id == device_id)
    connection.execute(select(partnership.c.number).where(*this).with_for_update())


def ask(connection: Connection, order: Order) -> Order:
    """The order that is open afterwards: this one, or one of the same kind that was open already. What it takes the
    place of is cancelled by its asker. Raises Lost."""
    user_id, device_id, at = order.user_id, order.device_id, order.asked
    _lock(connection, user_id, device_id)
    for other in listed(connection, user_id, device_id, OPEN, 10):
        same = other.account_only is order.account_only
        if same and (other.stage in UNDER_WAY or other.stands(at) is order.stage):
            return other
        # An order that waits for somebody takes nothing away from one that is under way.
        if other.stands(at) is Stage.WAITING or order.stage is not Stage.WAITING:
            turn = Turn.EXPIRE if other.stands(at) is Stage.EXPIRED else Turn.CANCEL
            move(connection, other, turn, at, order.asked_by)
    made = add(connection, order)
    if made.stage in UNDER_WAY:
        _put(connection, user_id, device_id, lambda device: _as_ordered(device, made, at))
    return made


def approve(connection: Connection, order: Order, by: str, at: datetime) -> Order:
    """Raises NoSuchTurn, Lost."""
    _lock(connection, order.user_id, order.device_id)
    approved = move(connection, order, Turn.APPROVE, at, by)
    for other in listed(connection, order.user_id, order.device_id, UNDER_WAY, 10):
        if other.id != order.id:
            move(connection, other, Turn.CANCEL, at, by)
    _put(connection, order.user_id, order.device_id, lambda device: _as_ordered(device, approved, at))
    return approved


def release(connection: Connection, user_id: str, device_id: str, turn: Turn, by: str, at: datetime) -> Order | None:
    """CANCEL whatever is open, or READMIT. The partnership is free afterwards, unless it was wiped before and has not
    been let in since. The order that was meant, None where there was none but in the partnership. Raises Lost."""
    _lock(connection, user_id, device_id)
    among = OPEN if turn is Turn.CANCEL else (Stage.DONE,)
    told: Order | None = None
    for order in listed(connection, user_id, device_id, among, 10):
        moved = move(connection, order, turn, at, by)
        told = told or moved
    wipes = {WIPE_OF[stage] for stage in among if stage in WIPE_OF}
    left = newest(connection, user_id, device_id)
    _put(connection, user_id, device_id, lambda device: _in_force(device, left) if device.wipe in wipes else device)
    return told


# The store ----------------------------------------------------------------------------------------------------------


class WipeStore:
    """Raises Unavailable and Contended."""

    def __init__(self, run: Transactions, now: Callable[[], datetime]) -> None:
        self._run, self._now = run, now

    async def ask(self, order: Order) -> Order:
        return await self._change(lambda c: ask(c, order))

    async def decide(self, id: int, turn: Turn, by: str) -> Order | None:
        """APPROVE or DECLINE. None if there is no such order; raises NoSuchTurn if it does not wait (any more)."""
        def work(connection: Connection) -> Order | None:
            order, at = one(connection, id), self._now()
            if order is None:
                return None
            if order.stands(at) is not Stage.WAITING:
                raise NoSuchTurn(f"{turn} of a wipe that is {order.stands(at)}")
            return approve(connection, order, by, at) if turn is Turn.APPROVE else move(connection, order, turn, at, by)

        return await self._change(work)

    async def release(self, user_id: str, device_id: str, turn: Turn, by: str) -> Order | None:
        return await self._change(lambda c: release(c, user_id, device_id, turn, by, self._now()))

    async def expire(self) -> Sequence[Order]:
        """End those that nobody agreed to in time; which they were."""
        def work(connection: Connection) -> list[Order]:
            now = self._now()
            waiting = listed(connection, None, None, (Stage.WAITING,), 1000)
            return [
                move(connection, order, Turn.EXPIRE, now) for order in waiting if order.stands(now) is Stage.EXPIRED
            ]

        return await self._change(work)

    async def one(self, id: int) -> Order | None:
        with reachable():
            return await self._run.read(lambda c: one(c, id))

    async def orders(
        self, user_id: str | None = None, device_id: str | None = None, among: Collection[Stage] = tuple(Stage),
        most: int = 200,
    ) -> Sequence[Order]:
        """Newest first."""
        with reachable():
            return await self._run.read(lambda c: listed(c, user_id, device_id, among, most))

    async def _change(self, work: Callable[[Connection], R]) -> R:
        for _ in range(TRIES):
            try:
                with reachable():
                    return await self._run.write(work)
            except Lost:
                continue
        raise Contended("a wipe is changed by too many at once")

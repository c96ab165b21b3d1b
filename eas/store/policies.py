"""Policies, whose they are, and roll-outs under way. Functions of a connection inside a transaction.

Every change raises the revision of the book before anything is read, so that two changes never pass each other and what
a change is checked against (`eas.engine.policybook.check`) is what stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select, update

from eas.engine.model import Device, Policy
from eas.engine.policybook import (
    DEFAULT_POLICY,
    Assignee,
    Assignment,
    Book,
    Override,
    PolicyError,
    Roll,
    Step,
    check,
    children,
)

from .tables import device, policy, policy_assignment, policy_book, policy_override, policy_roll

_ASSIGNED, _OVERRIDE, _ROLL = policy_assignment.c, policy_override.c, policy_roll.c
_THIS = (_ASSIGNED.assignee == bindparam("kind"), _ASSIGNED.subject == bindparam("whose"))
_STORED = policy.c.name == bindparam("stored")
_REPLACE = update(policy).where(_STORED)
_ADD, _REMOVE = insert(policy), delete(policy).where(_STORED)
_ALL = select(policy).order_by(policy.c.name)
_ASSIGN, _RELEASE = insert(policy_assignment), delete(policy_assignment).where(*_THIS)
_ASSIGNMENTS = select(policy_assignment).order_by(_ASSIGNED.assignee, _ASSIGNED.subject)
_DEVICE = (_OVERRIDE.user_id == bindparam("user"), _OVERRIDE.device_id == bindparam("device"))
_REVISION = select(policy_book.c.revision).where(policy_book.c.id == 1)
_RAISE = update(policy_book).where(policy_book.c.id == 1).values(revision=policy_book.c.revision + 1)
#: The columns of a policy that are tuples.
_LISTS = ("inherits", "insist")


def revision(connection: Connection) -> int:
    return int(connection.execute(_REVISION).scalar() or 0)


def raise_revision(connection: Connection) -> None:
    """First of all in every change. Raises IntegrityError where two are the first change ever."""
    if not connection.execute(_RAISE).rowcount:
        connection.execute(insert(policy_book).values(id=1, revision=1))


def book(connection: Connection) -> Book:
    assigned = assignments(connection)
    return Book(
        revision=revision(connection), documents={one.name: one for one in _stored(connection)},
        users={one.subject: one for one in assigned if one.assignee is Assignee.USER},
        groups={one.subject: one for one in assigned if one.assignee is Assignee.GROUP},
        devices={(one.user_id, one.device_id): one for one in overrides(connection)}, rolls=rolls(connection),
    )


# Documents ------------------------------------------------------------------------------------------------------------


def _stored(connection: Connection) -> list[Policy]:
    return [_policy(row._mapping) for row in connection.execute(_ALL)]


def everything(connection: Connection) -> Sequence[Policy]:
    """All as they are stored, by name, and the built-in default if none is stored in its place."""
    stored = _stored(connection)
    if all(found.name != DEFAULT_POLICY.name for found in stored):
        stored.append(DEFAULT_POLICY)
    return sorted(stored, key=lambda found: found.name)


def save(connection: Connection, value: Policy) -> None:
    """Add it, or replace the one of its name. Raises PolicyError where it cannot be based on what it names."""
    documents = {one.name: one for one in _stored(connection)}
    check({**documents, value.name: value}, value.name)
    values = as_row(value)
    if not connection.execute(_REPLACE.values(values), {"stored": value.name}).rowcount:
        connection.execute(_ADD, values)


def remove(connection: Connection, name: str) -> bool:
    """With its assignments and its roll-out. Raises PolicyError where others are based on it."""
    documents = {one.name: one for one in _stored(connection)}
    held = children(documents, name)
    if held and name != DEFAULT_POLICY.name:
        raise PolicyError(f"{', '.join(held)} {'is' if len(held) == 1 else 'are'} based on {name}")
    connection.execute(delete(policy_roll).where(_ROLL.policy == name))
    return connection.execute(_REMOVE, {"stored": name}).rowcount == 1


def as_row(value: Policy) -> dict[str, Any]:
    values = {column.name: getattr(value, column.name) for column in policy.c}
    return {**values, "settings": dict(value.settings), **{name: list(values[name]) for name in _LISTS}}


def _policy(row: Any) -> Policy:
    values = {column.name: row[column.name] for column in policy.c}
    return Policy(**{**values, **{name: tuple(values[name]) for name in _LISTS}})


# Whose they are -------------------------------------------------------------------------------------------------------


def assign(connection: Connection, assignee: Assignee, subject: str, name: str | None, rank: int = 0) -> None:
    """Raises IntegrityError if there is no such policy."""
    connection.execute(_RELEASE, {"kind": assignee.value, "whose": subject})
    if name is not None:
        values = {"assignee": assignee.value, "subject": subject, "policy": name, "rank": rank}
        connection.execute(_ASSIGN, values)


def assignments(connection: Connection) -> Sequence[Assignment]:
    return [
        Assignment(assignee=Assignee(row.assignee), subject=row.subject, policy=row.policy, rank=row.rank)
        for row in connection.execute(_ASSIGNMENTS)
    ]


def overrides(connection: Connection) -> Sequence[Override]:
    rows = connection.execute(select(policy_override).order_by(_OVERRIDE.user_id, _OVERRIDE.device_id))
    return [
        Override(user_id=row.user_id, device_id=row.device_id, policy=row.policy, until=row.until) for row in rows
    ]


def override(
    connection: Connection, user_id: str, device_id: str, name: str | None, until: datetime | None = None
) -> bool:
    """Give one device a policy of its own, or (None) take it back: False if there was none. Raises IntegrityError if
    there is no such policy."""
    there = connection.execute(delete(policy_override).where(*_DEVICE), {"user": user_id, "device": device_id})
    if name is not None:
        values = {"user_id": user_id, "device_id": device_id, "policy": name, "until": until}
        connection.execute(insert(policy_override), values)
    return there.rowcount > 0


def forget_device(connection: Connection, user_id: str, device_id: str) -> None:
    """One of that name which comes later is another."""
    if override(connection, user_id, device_id, None):
        raise_revision(connection)


# Roll-outs ------------------------------------------------------------------------------------------------------------


def rolls(connection: Connection) -> Sequence[Roll]:
    return [_roll(row) for row in connection.execute(select(policy_roll).order_by(_ROLL.policy))]


def put_roll(connection: Connection, roll: Roll) -> None:
    """Begin it, or replace the one of its policy."""
    drop_roll(connection, roll.policy)
    given = roll.assignment
    connection.execute(insert(policy_roll), {
        "policy": roll.policy, "candidate": None if roll.candidate is None else as_row(roll.candidate),
        "assignee": given.assignee.value if given else "", "subject": given.subject if given else "",
        "rank": given.rank if given else 0, "percent": roll.percent, "groups": list(roll.groups),
        "steps": [[step.at.isoformat(), step.percent] for step in roll.steps], "paused": roll.paused,
        "reason": roll.reason, "fail_percent": roll.fail_percent, "started": roll.started, "moved": roll.moved,
    })


def drop_roll(connection: Connection, name: str) -> bool:
    return connection.execute(delete(policy_roll).where(_ROLL.policy == name)).rowcount == 1


def claim(connection: Connection, now: datetime, seconds: float) -> bool:
    """Whether nobody has looked after the roll-outs for so long; then nobody else may for as long."""
    stale = or_(_ROLL.looked.is_(None), _ROLL.looked < now - timedelta(seconds=seconds))
    return connection.execute(update(policy_roll).where(stale).values(looked=now)).rowcount > 0


def _roll(row: Row[Any]) -> Roll:
    given = Assignment(
        assignee=Assignee(row.assignee), subject=row.subject, policy=row.policy, rank=row.rank
    ) if row.subject else None
    return Roll(
        policy=row.policy, candidate=None if row.candidate is None else _policy(row.candidate), assignment=given,
        percent=row.percent, groups=tuple(row.groups),
        steps=tuple(Step(at=datetime.fromisoformat(at), percent=percent) for at, percent in row.steps),
        paused=row.paused, reason=row.reason, fail_percent=row.fail_percent, started=row.started, moved=row.moved,
    )


# Devices --------------------------------------------------------------------------------------------------------------

#: What decides of a policy, and no more: the rest of a row is large, and there are thousands.
_DECIDES = (
    "user_id", "id", "type", "agent", "version", "last_seen", "information", "quirks", "policy_key", "policy_digest",
    "policy_answer", "offered_key", "offered_digest",
)
_FLEET = select(*(device.c[name] for name in _DECIDES)).order_by(device.c.user_id, device.c.id)


def fleet(connection: Connection) -> Sequence[Device]:
    """All devices as far as policies are concerned, by user and id; what else there is of them is left out."""
    return [Device(**dict(zip(_DECIDES, row, strict=True))) for row in connection.execute(_FLEET)]

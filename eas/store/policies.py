"""Which policy is whose. Functions of a connection inside a transaction.

A user's own policy comes first, then that of the first of the user's groups that has one, then the policy named
"default", which is built in until the admin stores another under that name: there is always one to hand out, since
some clients take "no policy" for an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    insert,
    null,
    or_,
    select,
    union_all,
    update,
)

from eas.engine.model import Policy

from .tables import policy, policy_assignment

#: Asks for nothing; offered, not enforced.
DEFAULT_POLICY = Policy()


class Assignee(StrEnum):
    USER = "user"
    GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """`subject` is a user's id or a group's name, `policy` a policy's name."""

    assignee: Assignee
    subject: str
    policy: str


_ASSIGNED = policy_assignment.c


def _candidates(condition: ColumnElement[bool]) -> CompoundSelect[Any]:
    """Policies that are assigned so, and the default one."""
    return union_all(
        select(_ASSIGNED.assignee, _ASSIGNED.subject, *policy.c)
        .join_from(policy_assignment, policy)
        .where(condition),
        select(null(), null(), *policy.c).where(policy.c.name == DEFAULT_POLICY.name),
    )


_OF_USER = and_(_ASSIGNED.assignee == "user", _ASSIGNED.subject == bindparam("user"))
_OF_GROUPS = and_(_ASSIGNED.assignee == "group", _ASSIGNED.subject.in_(bindparam("groups", expanding=True)))
#: A list as a parameter is put together anew each time, so who is in no group, as most, has a statement without.
_CANDIDATES_ALONE, _CANDIDATES = _candidates(_OF_USER), _candidates(or_(_OF_USER, _OF_GROUPS))
_THIS = (_ASSIGNED.assignee == bindparam("kind"), _ASSIGNED.subject == bindparam("whose"))
_STORED = policy.c.name == bindparam("stored")
_REPLACE = update(policy).where(_STORED)
_ADD, _REMOVE = insert(policy), delete(policy).where(_STORED)
_ALL = select(policy).order_by(policy.c.name)
_ASSIGN, _RELEASE = insert(policy_assignment), delete(policy_assignment).where(*_THIS)
_ASSIGNMENTS = select(policy_assignment).order_by(_ASSIGNED.assignee, _ASSIGNED.subject)


def of_user(connection: Connection, user_id: str, groups: Sequence[str]) -> Policy:
    """`groups`: the user's, the most important first."""
    if groups:
        rows = connection.execute(_CANDIDATES, {"user": user_id, "groups": list(groups)})
    else:
        rows = connection.execute(_CANDIDATES_ALONE, {"user": user_id})
    found = {(row.assignee, row.subject): row for row in rows}
    order = [(Assignee.USER.value, user_id), *[(Assignee.GROUP.value, name) for name in groups], (None, None)]
    row = next((found[key] for key in order if key in found), None)
    return DEFAULT_POLICY if row is None else _policy(row)


def everything(connection: Connection) -> Sequence[Policy]:
    """All stored ones, by name, and the built-in default if none is stored in its place."""
    stored = [_policy(row) for row in connection.execute(_ALL)]
    if all(found.name != DEFAULT_POLICY.name for found in stored):
        stored.append(DEFAULT_POLICY)
    return sorted(stored, key=lambda found: found.name)


def save(connection: Connection, value: Policy) -> None:
    """Add it, or replace the one of its name."""
    values = {**_values(value), "settings": dict(value.settings)}
    if not connection.execute(_REPLACE.values(values), {"stored": value.name}).rowcount:
        connection.execute(_ADD, values)


def remove(connection: Connection, name: str) -> bool:
    """With its assignments."""
    return connection.execute(_REMOVE, {"stored": name}).rowcount == 1


def assign(connection: Connection, assignee: Assignee, subject: str, name: str | None) -> None:
    """Raises IntegrityError if there is no such policy."""
    connection.execute(_RELEASE, {"kind": assignee.value, "whose": subject})
    if name is not None:
        connection.execute(_ASSIGN, {"assignee": assignee.value, "subject": subject, "policy": name})


def assignments(connection: Connection) -> Sequence[Assignment]:
    return [
        Assignment(assignee=Assignee(row.assignee), subject=row.subject, policy=row.policy)
        for row in connection.execute(_ASSIGNMENTS)
    ]


def _values(value: Policy) -> dict[str, Any]:
    return {column.name: getattr(value, column.name) for column in policy.c}


def _policy(row: Row[Any]) -> Policy:
    return Policy(**{column.name: getattr(row, column.name) for column in policy.c})

"""Who there is, by name alone: for lists of many, which need no pictures, groups or sizes of mailboxes."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from .tables import UserRow


class Enrolled(NamedTuple):
    id: str
    login: str
    domain: str
    address: str
    name: str
    enabled: bool
    activesync: bool


_ALL = select(*(getattr(UserRow, name) for name in Enrolled._fields))


def roll(connection: Connection) -> dict[str, Enrolled]:
    """By id."""
    return {row.id: Enrolled._make(row) for row in connection.execute(_ALL)}

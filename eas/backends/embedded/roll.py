"""Who there is, by name alone: for lists of many, which need no pictures, groups or sizes of mailboxes."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from .tables import AddressRow, GroupMemberRow, GroupRow, UserRow


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


_MEMBERS = (
    select(GroupMemberRow.user_id, GroupRow.name).join(GroupRow, GroupMemberRow.group_id == GroupRow.id)
    .where(GroupMemberRow.user_id.is_not(None)).order_by(GroupRow.name)
)


def memberships(connection: Connection) -> dict[str, list[str]]:
    """The names of the groups of each user who is in any, by the user's id; by name, as `Admin.groups_of` has them."""
    found: dict[str, list[str]] = {}
    for user_id, name in connection.execute(_MEMBERS):
        if user_id is not None:
            found.setdefault(user_id, []).append(name)
    return found


def addresses(connection: Connection) -> dict[str, list[str]]:
    """All addresses of each user, folded, by the user's id."""
    found: dict[str, list[str]] = {}
    statement = select(AddressRow.user_id, AddressRow.address).where(AddressRow.user_id.is_not(None))
    for user_id, address in connection.execute(statement):
        if user_id is not None:
            found.setdefault(user_id, []).append(address)
    return found

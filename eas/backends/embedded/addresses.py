"""Whom an address reaches here: a user by the address, an alias or a tag behind "+"; the members of a group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, exists, select

from eas.engine.model import FolderType

from .prepare import folded
from .tables import AddressRow, FolderRow, GroupMemberRow, UserRow

#: Groups within groups. More is a circle, or nobody knows any longer whom a message reaches.
MAX_NESTED = 8


@dataclass(slots=True)
class Reached:
    """`users` are ids, each once, in order. `elsewhere` are addresses of other domains, `unknown` such of ours that
    nobody has."""

    users: dict[str, None] = field(default_factory=dict)
    elsewhere: dict[str, None] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def reach(connection: Connection, addresses: Iterable[str], default_domain: str) -> Reached:
    reached, seen = Reached(), set[str]()
    for address in addresses:
        _add(connection, address, default_domain, reached, seen, 0)
    return reached


def _add(
    connection: Connection, address: str, default_domain: str, reached: Reached, seen: set[str], depth: int
) -> None:
    entry = find(connection, address)
    if entry is None:
        domain = folded(address.rpartition("@")[2])
        if not is_local(connection, domain, default_domain):
            reached.elsewhere[address] = None
        elif depth == 0:  # a member that is gone does not keep a message from the others
            reached.unknown.append(address)
    elif entry.user_id is not None:
        _add_user(connection, entry.user_id, address, reached)
    elif entry.group_id is not None and entry.group_id not in seen and depth < MAX_NESTED:
        seen.add(entry.group_id)
        members = connection.execute(
            select(GroupMemberRow.member, GroupMemberRow.user_id)
            .where(GroupMemberRow.group_id == entry.group_id).order_by(GroupMemberRow.member)
        )
        for member, user_id in members.all():
            if user_id is not None:
                primary = connection.execute(select(UserRow.address).where(UserRow.id == user_id)).scalar_one()
                _add_user(connection, user_id, primary, reached)
            else:
                _add(connection, member, default_domain, reached, seen, depth + 1)


def _add_user(connection: Connection, user_id: str, address: str, reached: Reached) -> None:
    """Somebody whose mail is on another server has no inbox here, and is reached there."""
    inbox = exists().where(FolderRow.owner == user_id, FolderRow.type == int(FolderType.INBOX))
    if connection.execute(select(inbox)).scalar_one():
        reached.users[user_id] = None
    else:
        reached.elsewhere[address] = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Exactly one of them is set."""

    user_id: str | None
    group_id: str | None


def find(connection: Connection, address: str) -> Entry | None:
    """Who has an address; `anna+books@` is `anna@` unless somebody has just that."""
    local, at, domain = folded(address).rpartition("@")
    tagged = local.partition("+")[0]
    for name in dict.fromkeys((local, tagged)):
        found = connection.execute(
            select(AddressRow.user_id, AddressRow.group_id).where(AddressRow.address == f"{name}{at}{domain}")
        ).one_or_none()
        if found is not None:
            return Entry(found.user_id, found.group_id)
    return None


def is_local(connection: Connection, domain: str, default_domain: str) -> bool:
    """Whether a domain (folded) is one of ours: the default one, or that of some user."""
    if domain == folded(default_domain):
        return True
    return bool(connection.execute(select(exists().where(UserRow.domain == domain))).scalar_one())

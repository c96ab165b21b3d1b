"""Removing a user with all that is known, and giving one another name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, or_, select, update

from eas.backends.embedded.prepare import folded
from eas.backends.embedded.tables import AutoRepliedRow, GroupMemberRow
from eas.backends.standards.logins import named
from eas.backends.standards.tables import MemberRow
from eas.db import Base

from .actions import _end_waits, _people
from .errors import Refused
from .site import Site

#: Columns in which a user's id stands. Others refer to rows that have one.
_IDS = frozenset({"user_id", "owner", "principal", "entry", "subject", "member"})


async def remove_user(site: Site, who: str, *, dry_run: bool = False) -> dict[str, int]:
    """With everything that is known; rows by table. What others have is theirs: mails, and cards of the user."""
    async with _people(site) as people:
        account = await people.user(who)
    addresses = [folded(address) for address in (account.address, *account.aliases)]
    if dry_run:
        return await site.groupware.read(lambda c: _counted(c, account.id, addresses))
    rows = await site.groupware.read(lambda c: _counted(c, account.id, addresses))
    await _end_waits(site, account.id)
    async with _people(site) as people:
        await people.remove_user(account.id)
    await site.groupware.write(lambda tx: _remove(tx.connection, account.id, addresses))
    return rows


def _of(table: Table, user_id: str, addresses: list[str]) -> ColumnElement[bool]:
    """Which rows are the user's: those with the id, and those that hang on a row of the user's."""
    own: list[ColumnElement[bool]] = [table.c[name] == user_id for name in sorted(_IDS & set(table.c.keys()))]
    if table.name == "gw_user":
        own.append(table.c.id == user_id)
    if table is AutoRepliedRow.__table__:
        own.append(table.c.sender.in_(addresses))
    if table is GroupMemberRow.__table__:  # somebody of before who was known by address alone
        own.append(func.lower(table.c.member).in_(addresses))
    for key in table.foreign_keys:
        parent = key.column.table
        if parent.name not in ("gw_user", "gw_group", "policy"):
            own.append(key.parent.in_(select(key.column).where(_of(parent, user_id, addresses))))
    return or_(False, *own)


def _counted(connection: Connection, user_id: str, addresses: list[str]) -> dict[str, int]:
    counts = {
        table.name: int(connection.execute(
            select(func.count()).select_from(table).where(_of(table, user_id, addresses))
        ).scalar_one())
        for table in Base.metadata.sorted_tables
    }
    return {name: count for name, count in counts.items() if count}


def _remove(connection: Connection, user_id: str, addresses: list[str]) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        connection.execute(delete(table).where(_of(table, user_id, addresses)))


async def rename_user(site: Site, who: str, new: str) -> dict[str, Any]:
    """Another login, and another address if `new` is one; the old address stays as an alias. All else hangs on an id
    that nobody sees, so phones that log in under the new name go on."""
    async with _people(site) as people:
        account = await people.user(who)
        member = await site.groupware.read(lambda c: _member(c, account.id))
        login = _server_login(site, member[0], new) if member is not None else ""
        if member is not None and await site.groupware.read(lambda c: _is_taken(c, account.id, member[0], login)):
            raise Refused(f"{login} is somebody else on the servers of {member[0]}")
        renamed = await people.rename_user(account.id, new)
    if login:
        await site.groupware.write(lambda tx: tx.connection.execute(
            update(MemberRow).where(MemberRow.user_id == account.id).values(login=folded(login))
        ))
    await _end_waits(site, account.id)
    return {"login": renamed.login, "domain": renamed.domain, "address": renamed.address}


def _member(connection: Connection, user_id: str) -> tuple[str, str] | None:
    row = connection.execute(
        select(MemberRow.tenant, MemberRow.login).where(MemberRow.user_id == user_id)
    ).one_or_none()
    return None if row is None else (row.tenant, row.login)


def _is_taken(connection: Connection, user_id: str, backend: str, login: str) -> bool:
    statement = select(MemberRow.user_id).where(
        MemberRow.tenant == backend, MemberRow.login == folded(login), MemberRow.user_id != user_id
    )
    return connection.execute(statement).first() is not None


def _server_login(site: Site, backend: str, new: str) -> str:
    """What the servers are entered with under the new name. Raises Refused."""
    meant = named(new, site.tenants, site.domain)
    if meant is None or meant.tenant.name != backend:
        raise Refused(f"{new} is not of the backend {backend}")
    return meant.login

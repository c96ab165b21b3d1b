"""Removing a user with all that is known, giving one another name, moving one to other servers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, or_, select, update

from eas.backends.embedded import folders
from eas.backends.embedded.groupware import Writing
from eas.backends.embedded.prepare import folded
from eas.backends.embedded.tables import AutoRepliedRow, GroupMemberRow, UserRow
from eas.backends.standards.logins import named
from eas.backends.standards.tables import KeptRow, MemberRow, PlaceRow
from eas.db import Base

from .acting import Permission, action
from .actions import _end_waits, _people
from .errors import Refused
from .site import Site

#: Columns in which a user's id stands. Others refer to rows that have one.
_IDS = frozenset({"user_id", "owner", "principal", "entry", "subject", "member"})


@action("user.remove", Permission.RULE)
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


@action("user.rename", Permission.RULE)
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


#: Names the gateway itself among the backends.
OWN = "embedded"
_ALL_TYPES = frozenset(type for _, type in folders.SPECIAL)


@action("user.move", Permission.RULE)
async def move_user(site: Site, who: str, backend: str) -> dict[str, Any]:
    """Groupware on another backend of the settings, or in the gateway itself (OWN). Devices, policies, wipes and rights
    stay; the folders are other ones, which phones fetch by themselves. Nothing is copied from server to server."""
    async with _people(site) as people:
        account = await people.user(who)
    member = await site.groupware.read(lambda c: _member(c, account.id))
    before = member[0] if member is not None else OWN
    if backend not in (OWN, *(tenant.name for tenant in site.tenants)):
        raise Refused(f"no backend {backend}")
    if backend == before:
        raise Refused(f"{who} is of {backend} already")
    login = _login_on(site, backend, account.address)
    if await site.groupware.read(lambda c: _is_taken(c, account.id, backend, login)):
        raise Refused(f"{login} is somebody else on the servers of {backend}")
    await site.groupware.write(lambda tx: _move(tx, account.id, backend, login))
    if OWN in (before, backend):
        # Numbers of folders here and on servers have nothing to do with each other: all is fetched anew.
        for device in await site.store.devices(account.id):
            await site.store.forget(account.id, device.id)
    await _end_waits(site, account.id)
    return {"login": login, "address": account.address, "backend": backend, "before": before}


def _login_on(site: Site, backend: str, address: str) -> str:
    """What the servers are entered with. Raises Refused where who logs in with this address is of another backend."""
    meant = named(address, site.tenants, site.domain)
    if (meant.tenant.name if meant is not None else OWN) != backend:
        raise Refused(f"{address} is of the backend {meant.tenant.name if meant is not None else OWN}, by its domain")
    return meant.login if meant is not None else address


def _move(tx: Writing, user_id: str, backend: str, login: str) -> None:
    tx.one_at_a_time(user_id)
    for table in (PlaceRow, KeptRow, MemberRow):
        tx.connection.execute(delete(table).where(table.user_id == user_id))
    if backend == OWN:
        folders.ensure(tx, user_id, _ALL_TYPES)
    else:
        # Here nobody logs in with the old password any more.
        tx.connection.execute(update(UserRow).where(UserRow.id == user_id).values(password=""))
        tx.connection.execute(insert(MemberRow).values(user_id=user_id, tenant=backend, login=folded(login)))
    tx.raise_hierarchy(user_id)


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

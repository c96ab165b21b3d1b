"""What an admin may do with users, groups, rights and folders of the embedded groupware. Values in, values out.

Users are named by id, address, alias or login; groups by id, address or name. Errors are `AdminError`s, with a text
for people.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import Any, TypeVar
from zoneinfo import available_timezones

from cryptography import x509
from sqlalchemy import Connection, delete, func, insert, or_, select, update

from eas.engine.errors import BackendError
from eas.engine.model import Folder, FolderType, OutOfOffice, Right

from . import folders
from .access import all_seen, folder_number
from .accounts import find_login
from .addresses import find
from .codec import dump_out_of_office, load_out_of_office, millis, moment
from .groupware import AnyRow, Groupware, Writing
from .passwords import hash_password
from .prepare import folded, terms
from .tables import (
    AddressRow,
    ContentRow,
    FolderRow,
    GroupMemberRow,
    GroupRow,
    ItemRow,
    RightRow,
    TermRow,
    UserRow,
)

R = TypeVar("R")


class AdminError(Exception):
    """Base; the text is for people."""


class NotThere(AdminError):
    """No such user, group or folder."""


class AlreadyThere(AdminError):
    """The login or address is taken."""


class Invalid(AdminError):
    """A value that cannot be."""


#: What the address list shows, and may be changed as text.
PROFILE = (
    "name", "alias", "first_name", "last_name", "title", "company", "department", "office", "phone", "home_phone",
    "mobile_phone",
)
#: A picture in the address list: phones ask for some kilobytes, Exchange keeps at most 100 KB.
MAX_PICTURE = 100 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user as the admin sees it. `quota` and `used` in octets, quota 0 for none. `certificates` are DER."""

    id: str
    login: str
    domain: str
    address: str
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    profile: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True
    activesync: bool = True
    hidden: bool = False
    zone: str = "UTC"
    quota: int = 0
    used: int = 0
    picture: bytes = b""
    certificates: tuple[bytes, ...] = ()
    created: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """`members` are addresses."""

    id: str
    address: str
    name: str
    hidden: bool = False
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """`principal` is the address of a user or group."""

    principal: str
    right: Right


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderInfo:
    folder: Folder
    items: int
    octets: int
    grants: tuple[Grant, ...] = ()


class Admin:
    def __init__(self, groupware: Groupware) -> None:
        self._groupware = groupware

    # -- users

    async def add_user(
        self, address: str, password: str, *, login: str = "", aliases: Sequence[str] = (), zone: str = "UTC",
        quota: int = 0, **profile: str,
    ) -> Account:
        """With the usual folders. `login` is the part before the @ if it is not told. Raises AlreadyThere, Invalid."""
        address = _address(address)
        local, _, domain = address.rpartition("@")
        row = {
            "id": token_hex(12), "login": folded(login or local), "domain": folded(domain), "address": address,
            "zone": _zone(zone), "quota": quota, "password": await _hashed(password),
            "created": millis(self._groupware.now()), **_profile(profile),
        }

        def work(tx: Writing) -> Account:
            taken = select(UserRow.id).where(UserRow.login == row["login"], UserRow.domain == row["domain"])
            if tx.connection.execute(taken).first() is not None:
                raise AlreadyThere(f"there is a user {row['login']} in {domain} already")
            tx.connection.execute(insert(UserRow).values(**row))
            for taking in (address, *aliases):
                _take_address(tx, _address(taking), user_id=str(row["id"]))
            folders.create_special(tx, str(row["id"]))
            _index_user(tx, str(row["id"]))
            return _account(tx.connection, str(row["id"]))

        return await self._groupware.write(work)

    async def user(self, who: str) -> Account:
        """Raises NotThere."""
        return await self._groupware.read(lambda c: _account(c, _user_id(c, who, self._groupware.domain)))

    async def users(self) -> list[Account]:
        """All, by address."""
        def work(connection: Connection) -> list[Account]:
            ids = connection.execute(select(UserRow.id).order_by(UserRow.address)).scalars().all()
            return [_account(connection, id) for id in ids]

        return await self._groupware.read(work)

    async def change_user(self, who: str, **values: Any) -> Account:
        """Any of: the profile's fields, enabled, activesync, hidden, zone, quota, picture, certificates (DER, each),
        out_of_office. Raises NotThere, Invalid."""
        row = {name: _CHANGES[name](value) if name in _CHANGES else None for name, value in values.items()}
        if unknown := sorted(values.keys() - _CHANGES.keys()):
            raise Invalid(f"no such setting: {', '.join(unknown)}")

        def work(tx: Writing) -> Account:
            user_id = _user_id(tx.connection, who, self._groupware.domain)
            if row:
                tx.connection.execute(update(UserRow).where(UserRow.id == user_id).values(**row))
            _index_user(tx, user_id)
            if "name" in row:
                # Those who share the user's folders see the name in theirs.
                tx.raise_hierarchy(user_id, _folder_ids(tx.connection, user_id))
            return _account(tx.connection, user_id)

        return await self._groupware.write(work)

    async def set_password(self, who: str, password: str) -> None:
        """Raises NotThere, Invalid."""
        hashed = await _hashed(password)

        def work(tx: Writing) -> None:
            user_id = _user_id(tx.connection, who, self._groupware.domain)
            tx.connection.execute(update(UserRow).where(UserRow.id == user_id).values(password=hashed))

        await self._groupware.write(work)

    async def set_aliases(self, who: str, aliases: Sequence[str]) -> Account:
        """All addresses beside the primary one. Raises NotThere, AlreadyThere, Invalid."""
        def work(tx: Writing) -> Account:
            user_id = _user_id(tx.connection, who, self._groupware.domain)
            primary = _account(tx.connection, user_id).address
            tx.connection.execute(delete(AddressRow).where(AddressRow.user_id == user_id))
            for address in dict.fromkeys([primary, *[_address(alias) for alias in aliases]]):
                _take_address(tx, address, user_id=user_id)
            _index_user(tx, user_id)
            return _account(tx.connection, user_id)

        return await self._groupware.write(work)

    async def set_address(self, who: str, address: str) -> Account:
        """Another primary address; the old one becomes an alias. Raises NotThere, AlreadyThere, Invalid."""
        address = _address(address)

        def work(tx: Writing) -> Account:
            user_id = _user_id(tx.connection, who, self._groupware.domain)
            there = find(tx.connection, address)
            if there is None or there.user_id != user_id or folded(address) not in _addresses(tx.connection, user_id):
                _take_address(tx, address, user_id=user_id)
            tx.connection.execute(update(UserRow).where(UserRow.id == user_id).values(address=address))
            _index_user(tx, user_id)
            return _account(tx.connection, user_id)

        return await self._groupware.write(work)

    async def rename_user(self, who: str, new: str) -> Account:
        """Another login; with an address also that domain and that primary address, and the old one becomes an alias.
        Raises NotThere, AlreadyThere, Invalid."""
        address = _address(new) if "@" in new else ""
        login, _, domain = new.partition("@") if not address else address.rpartition("@")

        def work(tx: Writing) -> Account:
            user_id = _user_id(tx.connection, who, self._groupware.domain)
            before = _account(tx.connection, user_id)
            row = {"login": folded(login), "domain": folded(domain) if address else before.domain}
            there = select(UserRow.id).filter_by(**row).where(UserRow.id != user_id)
            if not row["login"] or tx.connection.execute(there).first() is not None:
                raise AlreadyThere(f"there is a user {login} in {row['domain']} already" if login else "an empty login")
            if address and folded(address) not in _addresses(tx.connection, user_id):
                _take_address(tx, address, user_id=user_id)
            values = row | ({"address": address} if address else {})
            tx.connection.execute(update(UserRow).where(UserRow.id == user_id).values(**values))
            _index_user(tx, user_id)
            return _account(tx.connection, user_id)

        return await self._groupware.write(work)

    async def remove_user(self, who: str) -> None:
        """With all that the user has. Raises NotThere."""
        def work(tx: Writing) -> None:
            user_id = _user_id(tx.connection, who, self._groupware.domain)
            tx.raise_hierarchy(user_id, _folder_ids(tx.connection, user_id))
            tx.connection.execute(delete(ContentRow).where(ContentRow.user_id == user_id))
            tx.connection.execute(delete(FolderRow).where(FolderRow.owner == user_id))
            tx.connection.execute(delete(RightRow).where(RightRow.principal == user_id))
            tx.connection.execute(delete(TermRow).where(TermRow.entry == user_id))
            tx.connection.execute(delete(UserRow).where(UserRow.id == user_id))

        await self._groupware.write(work)

    async def out_of_office(self, who: str) -> OutOfOffice:
        """Raises NotThere."""
        def work(connection: Connection) -> OutOfOffice:
            user_id = _user_id(connection, who, self._groupware.domain)
            stored = connection.execute(select(UserRow.out_of_office).where(UserRow.id == user_id)).scalar_one()
            return load_out_of_office(stored)

        return await self._groupware.read(work)

    # -- groups

    async def add_group(self, address: str, name: str = "", members: Sequence[str] = (), hidden: bool = False) -> Group:
        """`members` are users in any form, or addresses elsewhere. Raises AlreadyThere, NotThere, Invalid."""
        address, id = _address(address), token_hex(12)

        def work(tx: Writing) -> Group:
            row = {"id": id, "address": address, "name": name or address, "hidden": hidden}
            tx.connection.execute(insert(GroupRow).values(**row))
            _take_address(tx, address, group_id=id)
            self._set_members(tx, id, members)
            # By this every process knows that those who are in it are in another group than before.
            tx.raise_hierarchy_of(_users_of(tx.connection, id))
            _index(tx, id, terms(name, address))
            return _group(tx.connection, id)

        return await self._groupware.write(work)

    async def groups(self) -> list[Group]:
        """All, by address."""
        def work(connection: Connection) -> list[Group]:
            ids = connection.execute(select(GroupRow.id).order_by(GroupRow.address)).scalars().all()
            return [_group(connection, id) for id in ids]

        return await self._groupware.read(work)

    async def groups_of(self, user_id: str) -> list[str]:
        """The names of the groups in which a user is, by name."""
        statement = (
            select(GroupRow.name).join(GroupMemberRow, GroupMemberRow.group_id == GroupRow.id)
            .where(GroupMemberRow.user_id == user_id).order_by(GroupRow.name)
        )
        return await self._groupware.read(lambda c: list(c.execute(statement).scalars()))

    async def set_members(self, group: str, members: Sequence[str]) -> Group:
        """Raises NotThere, Invalid."""
        def work(tx: Writing) -> Group:
            id = _group_id(tx.connection, group)
            before = _users_of(tx.connection, id)
            tx.connection.execute(delete(GroupMemberRow).where(GroupMemberRow.group_id == id))
            self._set_members(tx, id, members)
            # Folders may have come or gone for those who joined or left.
            tx.raise_hierarchy_of(before ^ _users_of(tx.connection, id))
            return _group(tx.connection, id)

        return await self._groupware.write(work)

    async def remove_group(self, group: str) -> None:
        """Raises NotThere."""
        def work(tx: Writing) -> None:
            id = _group_id(tx.connection, group)
            tx.raise_hierarchy_of(_users_of(tx.connection, id))
            tx.connection.execute(delete(RightRow).where(RightRow.principal == id))
            tx.connection.execute(delete(TermRow).where(TermRow.entry == id))
            tx.connection.execute(delete(GroupRow).where(GroupRow.id == id))

        await self._groupware.write(work)

    def _set_members(self, tx: Writing, group_id: str, members: Sequence[str]) -> None:
        rows: dict[str, dict[str, str | None]] = {}
        for member in members:
            user_id = _lookup(tx.connection, member, self._groupware.domain)
            name = user_id or _address(member)
            rows[name] = {"group_id": group_id, "member": name, "user_id": user_id}
        if rows:
            tx.connection.execute(insert(GroupMemberRow), list(rows.values()))

    # -- folders and rights

    async def folders(self, who: str) -> list[FolderInfo]:
        """The user's own, with what is in them and who else may see them. Raises NotThere."""
        def work(connection: Connection) -> list[FolderInfo]:
            user_id = _user_id(connection, who, self._groupware.domain)
            return [_info(connection, seen.folder) for seen in all_seen(connection, user_id) if seen.own]

        return await self._groupware.read(work)

    async def add_folder(self, who: str, name: str, type: FolderType, parent: str = "0") -> Folder:
        """Raises NotThere, Invalid."""
        def work(tx: Writing) -> Folder:
            user_id = _user_id(tx.connection, who, self._groupware.domain)
            return folders.create(tx, user_id, parent, name, type, None)

        return await self._in_words(work)

    async def remove_folder(self, who: str, folder: str) -> None:
        """Raises NotThere, Invalid."""
        def work(tx: Writing) -> None:
            folders.remove(tx, _user_id(tx.connection, who, self._groupware.domain), folder)

        await self._in_words(work)

    async def set_right(self, who: str, folder: str, principal: str, right: Right | None) -> None:
        """What a user or group may do with a folder of `who`; None takes back what was said, NONE forbids even what
        colleagues may (free/busy). Raises NotThere."""
        def work(tx: Writing) -> None:
            user_id = _user_id(tx.connection, who, self._groupware.domain)
            number = folder_number(folder)
            if number is None or number not in _folder_ids(tx.connection, user_id):
                raise NotThere(f"{who} has no folder {folder}")
            id = _lookup(tx.connection, principal, self._groupware.domain) or _group_id(tx.connection, principal)
            tx.raise_hierarchy(user_id, [number])
            key = (RightRow.folder_id == number, RightRow.principal == id)
            tx.connection.execute(delete(RightRow).where(*key))
            if right is not None:
                tx.connection.execute(insert(RightRow).values(folder_id=number, principal=id, right=int(right)))
            tx.raise_hierarchy(user_id, [number])

        await self._groupware.write(work)

    async def _in_words(self, work: Callable[[Writing], R]) -> R:
        try:
            return await self._groupware.write(work)
        except BackendError as error:
            raise Invalid(f"{type(error).__name__}: {error}") from error


# --- Values -----------------------------------------------------------------------------------------------------------


def _address(text: str) -> str:
    text = text.strip()
    local, _, domain = text.rpartition("@")
    if not local or not domain or len(text) > 254 or any(c.isspace() or c in "<>,;\"" for c in text):
        raise Invalid(f"not an address: {text[:80]!r}")
    return text


async def _hashed(password: str) -> str:
    if not password:
        raise Invalid("an empty password")
    return await asyncio.to_thread(hash_password, password)


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise Invalid(f"not a time zone: {name[:80]!r} (Europe/Berlin, say)")
    return name


def _profile(values: Mapping[str, str]) -> dict[str, str]:
    if unknown := sorted(values.keys() - set(PROFILE)):
        raise Invalid(f"not in a profile: {', '.join(unknown)}")
    return {name: _text(value) for name, value in values.items()}


def _text(value: str) -> str:
    value = " ".join(value.split())
    if len(value) > 128:
        raise Invalid("at most 128 characters")
    return value


def _picture(value: bytes) -> bytes:
    if len(value) > MAX_PICTURE:
        raise Invalid(f"a picture of more than {MAX_PICTURE >> 10} KB")
    if value and not value.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8")):
        raise Invalid("a picture is JPEG, PNG or GIF")
    return value


def _certificates(values: Sequence[bytes]) -> str:
    for value in values:
        try:
            x509.load_der_x509_certificate(value)
        except ValueError as error:
            raise Invalid("not a certificate in DER") from error
    return json.dumps([b64encode(value).decode() for value in values])


def _quota(value: int) -> int:
    if value < 0:
        raise Invalid("a quota is 0 (none) or octets")
    return value


_CHANGES: Mapping[str, Any] = {
    **dict.fromkeys(PROFILE, _text), "enabled": bool, "activesync": bool, "hidden": bool, "zone": _zone,
    "quota": _quota, "picture": _picture, "certificates": _certificates, "out_of_office": dump_out_of_office,
}


# --- Looking up -------------------------------------------------------------------------------------------------------


def _lookup(connection: Connection, who: str, default_domain: str) -> str | None:
    """The id of a user."""
    found = connection.execute(select(UserRow.id).where(UserRow.id == who)).scalar_one_or_none()
    row = None if found else find_login(connection, who, default_domain)
    return found or (row.id if row is not None else None)


def _user_id(connection: Connection, who: str, default_domain: str) -> str:
    user_id = _lookup(connection, who, default_domain)
    if user_id is None:
        raise NotThere(f"no user {who}")
    return user_id


def _group_id(connection: Connection, who: str) -> str:
    entry = find(connection, who)
    if entry is not None and entry.group_id is not None:
        return entry.group_id
    found = connection.execute(
        select(GroupRow.id).where(or_(GroupRow.id == who, func.lower(GroupRow.name) == who.lower()))
    ).scalars().all()
    if len(found) != 1:
        raise NotThere(f"no group {who}")
    return found[0]


def _addresses(connection: Connection, user_id: str) -> list[str]:
    statement = select(AddressRow.address).where(AddressRow.user_id == user_id).order_by(AddressRow.address)
    return list(connection.execute(statement).scalars())


def _users_of(connection: Connection, group_id: str) -> set[str]:
    statement = select(GroupMemberRow.user_id).where(
        GroupMemberRow.group_id == group_id, GroupMemberRow.user_id.is_not(None)
    )
    return {user_id for user_id in connection.execute(statement).scalars() if user_id is not None}


def _folder_ids(connection: Connection, user_id: str) -> list[int]:
    return list(connection.execute(select(FolderRow.id).where(FolderRow.owner == user_id)).scalars())


def _account(connection: Connection, user_id: str) -> Account:
    row: AnyRow = connection.execute(select(UserRow.__table__).where(UserRow.id == user_id)).one()
    used = connection.execute(select(func.sum(ContentRow.size)).where(ContentRow.user_id == user_id)).scalar_one()
    groups = connection.execute(
        select(GroupRow.address).join(GroupMemberRow, GroupMemberRow.group_id == GroupRow.id)
        .where(GroupMemberRow.user_id == user_id).order_by(GroupRow.address)
    ).scalars()
    return Account(
        id=row.id, login=row.login, domain=row.domain, address=row.address,
        aliases=tuple(a for a in _addresses(connection, user_id) if a != folded(row.address)), groups=tuple(groups),
        profile={name: getattr(row, name) for name in PROFILE}, enabled=row.enabled, activesync=row.activesync,
        hidden=row.hidden, zone=row.zone, quota=row.quota, used=int(used or 0), picture=row.picture,
        certificates=tuple(b64decode(text) for text in json.loads(row.certificates)), created=moment(row.created),
    )


def _group(connection: Connection, id: str) -> Group:
    row = connection.execute(select(GroupRow.address, GroupRow.name, GroupRow.hidden).where(GroupRow.id == id)).one()
    members = connection.execute(
        select(GroupMemberRow.member, UserRow.address).outerjoin(UserRow, UserRow.id == GroupMemberRow.user_id)
        .where(GroupMemberRow.group_id == id)
    ).all()
    return Group(
        id=id, address=row.address, name=row.name, hidden=row.hidden,
        members=tuple(sorted(address or member for member, address in members)),
    )


def _info(connection: Connection, folder: Folder) -> FolderInfo:
    number = int(folder.id)
    items, octets = connection.execute(
        select(func.count(), func.sum(ContentRow.size)).select_from(ItemRow)
        .join(ContentRow, ContentRow.id == ItemRow.content_id).where(ItemRow.folder_id == number)
    ).one()
    given = connection.execute(
        select(RightRow.right, UserRow.address, GroupRow.address)
        .outerjoin(UserRow, UserRow.id == RightRow.principal).outerjoin(GroupRow, GroupRow.id == RightRow.principal)
        .where(RightRow.folder_id == number)
    ).all()
    grants = sorted(
        (Grant(principal=user or group or "", right=Right(right)) for right, user, group in given),
        key=lambda grant: grant.principal,
    )
    return FolderInfo(folder=folder, items=items, octets=int(octets or 0), grants=tuple(grants))


# --- Writing ----------------------------------------------------------------------------------------------------------


def _take_address(tx: Writing, address: str, user_id: str | None = None, group_id: str | None = None) -> None:
    """Raises AlreadyThere."""
    key = folded(address)
    if tx.connection.execute(select(AddressRow.address).where(AddressRow.address == key)).first() is not None:
        raise AlreadyThere(f"{address} is taken")
    tx.connection.execute(insert(AddressRow).values(address=key, user_id=user_id, group_id=group_id))


def _index_user(tx: Writing, user_id: str) -> None:
    """What the user is found by in the address list."""
    columns = [getattr(UserRow, name) for name in PROFILE]
    row = tx.connection.execute(select(UserRow.address, *columns).where(UserRow.id == user_id)).one()
    phones = (row.phone, row.home_phone, row.mobile_phone)
    texts = [getattr(row, name) for name in PROFILE if "phone" not in name]
    _index(tx, user_id, terms(row.address, *_addresses(tx.connection, user_id), *texts, phones=phones))


def _index(tx: Writing, entry: str, found_by: set[str]) -> None:
    tx.connection.execute(delete(TermRow).where(TermRow.entry == entry))
    if found_by:
        tx.connection.execute(insert(TermRow), [{"term": term, "entry": entry} for term in found_by])

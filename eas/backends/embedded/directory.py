"""The address list as one user sees it: the users and groups of the user's domain, and the user's own contacts.

Terms (`prepare.terms`) are ranges of an index, so a search costs what it finds.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from eas.engine.model import FolderType, Person, Right, User
from eas.items import contacts
from eas.items.freebusy import BusyPeriod, busy_periods
from eas.items.native import Unreadable
from eas.items.timezone import zone_or_utc

from .access import shared_right
from .addresses import find
from .codec import millis
from .groupware import AnyRow, Groupware
from .prepare import folded, searched_terms
from .tables import (
    ContactRow,
    ContactTermRow,
    ContentRow,
    FolderRow,
    GroupMemberRow,
    GroupRow,
    ItemRow,
    TermRow,
    UserRow,
)

#: Entries that a search finds at most: nobody pages further, and "a" finds half a company.
MAX_FOUND = 1000
#: Members of a group that are named.
MAX_MEMBERS = 500

_PLAIN = (
    "name", "alias", "first_name", "last_name", "title", "company", "office", "phone", "home_phone", "mobile_phone",
)
_CONTACT = tuple(name for name in _PLAIN if name != "alias")


class EmbeddedDirectory:
    def __init__(self, groupware: Groupware, user: User) -> None:
        self._groupware, self._user = groupware, user

    async def search(
        self, text: str, start: int, count: int, *, pictures: bool = True
    ) -> tuple[Sequence[Person], int]:
        """The address list alone, by display name."""
        def work(connection: Connection) -> tuple[list[Person], int]:
            found = sorted(_entries(connection, text), key=lambda entry: (folded(entry[0]), entry[1]))
            page = [id for _, id in found[start : start + count]]
            return _people(connection, page), len(found)

        return await self._groupware.read(work)

    async def resolve(self, text: str, limit: int, *, pictures: bool = True) -> Sequence[Person]:
        def work(connection: Connection) -> list[Person]:
            text_ = text.strip()
            exact = _exact(connection, self._user.id, text_) if "@" in text_ else []
            if exact:
                return exact[:limit]
            found = sorted(_entries(connection, text_), key=lambda entry: (folded(entry[0]), entry[1]))
            people = _people(connection, [id for _, id in found[:limit]])
            addresses = {folded(person.address) for person in people}
            rows = [r for r in _contacts(connection, self._user.id, text_) if folded(r.address) not in addresses]
            return people + _as_people(connection, rows[: limit - len(people)])

        return await self._groupware.read(work)

    async def busy(self, address: str, start: datetime, end: datetime) -> Sequence[BusyPeriod] | None:
        return await self._groupware.read(lambda c: _busy(c, self._user, address, start, end))


class EmbeddedPeople:
    """The address list of one domain, or several, for those whose groupware is elsewhere."""

    def __init__(self, groupware: Groupware, domains: Collection[str]) -> None:
        self._groupware, self._domains = groupware, frozenset(map(folded, domains))

    async def search(self, text: str, limit: int) -> Sequence[Person]:
        return (await self.page(text, 0, limit))[0]

    async def page(self, text: str, start: int, count: int) -> tuple[Sequence[Person], int]:
        def work(connection: Connection) -> tuple[list[Person], int]:
            found = _entries(connection, text, self._domains)
            found.sort(key=lambda entry: (folded(entry[0]), entry[1]))
            return _people(connection, [id for _, id in found[start : start + count]]), len(found)

        return await self._groupware.read(work)

    async def by_address(self, address: str) -> Person | None:
        def work(connection: Connection) -> Person | None:
            entry = find(connection, address)
            found = _people(connection, [entry.user_id or entry.group_id or ""]) if entry is not None else []
            return next(filter(self._shows, found), None)

        return await self._groupware.read(work)

    async def whole(self, people: Sequence[Person]) -> Sequence[Person]:
        return people

    def _shows(self, person: Person) -> bool:
        return folded(person.address).rpartition("@")[2] in self._domains


class EmbeddedContacts:
    """The user's own contacts alone."""

    def __init__(self, groupware: Groupware, user: User) -> None:
        self._groupware, self._user = groupware, user

    async def search(self, text: str, limit: int) -> Sequence[Person]:
        return await self._groupware.read(
            lambda c: _as_people(c, _contacts(c, self._user.id, text)[:limit])
        )

    async def by_address(self, address: str) -> Person | None:
        found = await self._groupware.read(lambda c: _exact_contact(c, self._user.id, address))
        return found[0] if found else None


# --- The address list -------------------------------------------------------------------------------------------------


def _begins(column: ColumnElement[str], texts: Sequence[str]) -> ColumnElement[bool]:
    """Ranges of the index; the last code point stands for whatever follows."""
    return or_(*[and_(column >= text, column < text + "\U0010ffff") for text in texts])


def _entries(connection: Connection, text: str, domains: Collection[str] = ()) -> list[tuple[str, str]]:
    """(name, id) of the users and groups found; of some folded domains, or of all."""
    texts = searched_terms(text)
    if not texts:
        return []
    ids = select(TermRow.entry).where(_begins(TermRow.term, texts))  # type: ignore[arg-type]
    users = select(UserRow.name, UserRow.id).where(UserRow.id.in_(ids), UserRow.hidden.is_(False), UserRow.enabled)
    groups = select(GroupRow.name, GroupRow.id).where(GroupRow.id.in_(ids), GroupRow.hidden.is_(False))
    if domains:
        users = users.where(UserRow.domain.in_(domains))
        lower = func.lower(GroupRow.address)
        groups = groups.where(or_(*[lower.endswith(f"@{domain}", autoescape=True) for domain in domains]))
    found: list[tuple[str, str]] = []
    for statement in (users, groups):
        found += connection.execute(statement.limit(MAX_FOUND)).all()
    return found[:MAX_FOUND]


def _people(connection: Connection, ids: Sequence[str]) -> list[Person]:
    """In the order of the ids."""
    columns = [getattr(UserRow, name) for name in _PLAIN]
    users = connection.execute(
        select(UserRow.id, UserRow.address, UserRow.picture, UserRow.certificates, *columns).where(UserRow.id.in_(ids))
    )
    people: dict[str, Person] = {row.id: _person(row) for row in users}
    for group in connection.execute(select(GroupRow.id, GroupRow.address, GroupRow.name).where(GroupRow.id.in_(ids))):
        people[group.id] = Person(
            address=group.address, name=group.name, alias=group.address.partition("@")[0],
            members=_members(connection, group.id),
        )
    return [people[id] for id in ids if id in people]


def _person(row: AnyRow) -> Person:
    values = {name: getattr(row, name) for name in _PLAIN}
    values["name"] = values["name"] or row.address
    values["alias"] = values["alias"] or row.address.partition("@")[0]
    certificates = tuple(b64decode(text) for text in json.loads(row.certificates))
    return Person(address=row.address, picture=row.picture, certificates=certificates, **values)


def _members(connection: Connection, group: str) -> tuple[str, ...]:
    rows = connection.execute(
        select(GroupMemberRow.member, UserRow.address)
        .outerjoin(UserRow, UserRow.id == GroupMemberRow.user_id)
        .where(GroupMemberRow.group_id == group).order_by(GroupMemberRow.member).limit(MAX_MEMBERS)
    )
    return tuple(address or member for member, address in rows.all())


def _exact(connection: Connection, user_id: str, address: str) -> list[Person]:
    entry = find(connection, address)
    if entry is not None:
        return _people(connection, [entry.user_id or entry.group_id or ""])
    return _exact_contact(connection, user_id, address)


def _exact_contact(connection: Connection, user_id: str, address: str) -> list[Person]:
    statement = select(ContactRow.__table__).where(
        ContactRow.user_id == user_id, ContactRow.address_key == folded(address.strip())
    )
    return _as_people(connection, connection.execute(statement.limit(1)).all())


# --- Contacts ---------------------------------------------------------------------------------------------------------


def _contacts(connection: Connection, user_id: str, text: str) -> list[AnyRow]:
    """Rows of ContactRow, by name."""
    texts = searched_terms(text)
    if not texts:
        return []
    ids = select(ContactTermRow.content_id).where(
        ContactTermRow.user_id == user_id, _begins(ContactTermRow.term, texts)  # type: ignore[arg-type]
    )
    statement = select(ContactRow.__table__).where(ContactRow.content_id.in_(ids), ContactRow.address != "")
    rows = connection.execute(statement.order_by(ContactRow.content_id, ContactRow.n).limit(MAX_FOUND)).all()
    return sorted(rows, key=lambda row: folded(row.name or row.address))


def _as_people(connection: Connection, rows: Sequence[AnyRow]) -> list[Person]:
    """With the photos and certificates, which stand in the cards alone."""
    cards = connection.execute(
        select(ContentRow.id, ContentRow.data).where(ContentRow.id.in_({row.content_id for row in rows}))
    )
    enclosed = {row.id: contacts.enclosed(row.data or b"") for row in cards}
    people = []
    for row in rows:
        picture, certificates = enclosed.get(row.content_id, (b"", ()))
        values = {name: getattr(row, name) for name in _CONTACT}
        values["name"] = values["name"] or row.address
        people.append(
            Person(address=row.address, contact=True, picture=picture, certificates=certificates, **values)
        )
    return people


# --- Free and busy ----------------------------------------------------------------------------------------------------


def _busy(
    connection: Connection, user: User, address: str, start: datetime, end: datetime
) -> list[BusyPeriod] | None:
    entry = find(connection, address)
    if entry is None or entry.user_id is None:
        return None
    owner = connection.execute(
        select(UserRow.domain, UserRow.zone, UserRow.enabled).where(UserRow.id == entry.user_id)
    ).one()
    calendars = connection.execute(
        select(FolderRow.id, FolderRow.type)
        .where(FolderRow.owner == entry.user_id, FolderRow.item_class == "Calendar")
    ).all()
    allowed = [
        id for id, type in calendars
        if type == FolderType.CALENDAR and _may_know(connection, user, entry.user_id, owner.domain, id)
    ]
    if not allowed:
        return None
    # What ends before the asked time is left out by the index; what begins after it, by the expansion.
    rows = connection.execute(
        select(ContentRow.data).join(ItemRow, ItemRow.content_id == ContentRow.id)
        .where(ItemRow.folder_id.in_(allowed), ItemRow.until >= millis(start))
    )
    zone = zone_or_utc(owner.zone)
    periods: list[BusyPeriod] = []
    for data in rows.scalars():
        try:
            periods += busy_periods(data or b"", start, end, zone)
        except Unreadable:
            continue
    return sorted(periods, key=lambda period: (period.start, period.end))


def _may_know(connection: Connection, user: User, owner: str, domain: str, folder: int) -> bool:
    """Colleagues may, unless the folder says otherwise to them; others only if it says so. A right of NONE that was
    given hides what a colleague would see."""
    if owner == user.id:
        return True
    given, explicit = shared_right(connection, user.id, folder)
    if explicit:
        return given >= Right.FREE_BUSY
    own = connection.execute(select(UserRow.domain).where(UserRow.id == user.id)).scalar_one_or_none()
    return own == domain

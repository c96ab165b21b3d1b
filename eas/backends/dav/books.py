"""The company's address book: one collection of cards on a CardDAV server, read by all, as an address list.

All cards are read once and then by what changes (sync-collection, or the ETags), and kept in memory as an index; photos
stay at the server until somebody is shown. A user who may not read the collection sees nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import structlog

from eas.backends.embedded import prepare
from eas.backends.standards.enclosed import Enclosed, EnclosedCache
from eas.backends.standards.people_index import Listed, PeopleIndex, shortened
from eas.backends.standards.ports import Account
from eas.backends.standards.scopes import Scope, Scopes
from eas.engine.errors import BackendError, NotAllowed, Unavailable
from eas.engine.model import Person
from eas.items import contacts
from eas.items.contentline import parse
from eas.items.native import Unreadable

from .client import DavClient, DavClients
from .errors import translated
from .hrefs import canonical, split
from .model import Object

log = structlog.get_logger("eas.dav")

#: Seconds for which the index counts as fresh, and for which somebody who may read the collection may still.
FRESH_SECONDS = 300.0
#: Cards of one book: the first reading of so many takes a minute.
MAX_CARDS = 50_000
#: Cards read at a time; they are parsed in a thread, a third of a millisecond each.
BATCH = 250
#: Readers remembered.
MAX_READERS = 20_000
#: Members of a group that are named.
MAX_MEMBERS = 500

_KIND = "addressbook"
_MEMBERS = ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER")


@dataclass(frozen=True, slots=True)
class _Known:
    """What was last read, beside its index: the sync-token, and the ETags by canonical href."""

    token: str = ""
    etags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class CompanyBooks:
    """All books in use. Used in one event loop."""

    clients: DavClients
    monotonic: Callable[[], float] = time.monotonic
    _scopes: Scopes = field(init=False)
    _readers: OrderedDict[object, float] = field(default_factory=OrderedDict)
    _enclosed: EnclosedCache = field(default_factory=EnclosedCache)

    def __post_init__(self) -> None:
        self._scopes = Scopes(self.monotonic)

    def of(self, account: Account) -> BookList:
        """The account's tenant has a `dav` whose `addressbook_url` names the collection."""
        client = self.clients.of(account)
        origin, path = split(client.company)
        href = client.company if origin and origin != split(client.start)[0] else path
        return BookList(self, client, href, (account.tenant.name, canonical(client.company)), account.login)

    async def close(self) -> None:
        await self._scopes.close()

    # --- For BookList

    async def index(self, book: BookList) -> PeopleIndex:
        """Raises Unavailable; NotAllowed for a user who may not read the collection."""
        await self._admitted(book)
        scope = self._scopes.get(book.key, lambda: self._build(book), FRESH_SECONDS)
        return await scope.ready()

    async def _admitted(self, book: BookList) -> None:
        key, now = (book.key, book.login), self.monotonic()
        if book.client.as_other or now < self._readers.get(key, 0.0):
            return
        with translated(NotAllowed):
            await book.client.state(book.href)
        self._readers[key] = now + FRESH_SECONDS
        self._readers.move_to_end(key)
        if len(self._readers) > MAX_READERS:
            self._readers.popitem(last=False)

    async def _build(self, book: BookList) -> PeopleIndex:
        with _unavailable(), translated():
            return await self._read(book)

    async def _read(self, book: BookList) -> PeopleIndex:
        began = time.perf_counter()
        scope = self._scopes.kept(book.key) or Scope()
        known = scope.memo if isinstance(scope.memo, _Known) and scope.index is not None else _Known()
        old = scope.index or PeopleIndex.of(())
        changes = await book.client.changes(book.href, known.token, kind=_KIND)
        present = {} if changes.complete else dict(known.etags)
        hrefs = {canonical(href): href for href in changes.changed}
        present |= {canonical(href): etag for href, etag in changes.changed.items()}
        for href in changes.gone:
            present.pop(canonical(href), None)
        if len(present) > MAX_CARDS:
            raise Unavailable(f"the company's address book has more than {MAX_CARDS} cards")
        unchanged = {key for key, etag in known.etags.items() if etag and present.get(key) == etag}
        wanted = [href for key, href in hrefs.items() if key not in unchanged]
        stale = {canonical(href) for href in wanted} | (known.etags.keys() - present.keys())
        if scope.index is not None and not stale:
            scope.memo = _Known(changes.token, present)
            return scope.index
        entries = [one for one in old.entries() if canonical(one.locator) not in stale]
        for at in range(0, len(wanted), BATCH):
            cards = await book.client.multiget(book.href, wanted[at : at + BATCH], kind=_KIND)
            entries += await asyncio.to_thread(_listed_all, cards)
        index = await asyncio.to_thread(PeopleIndex.of, entries)
        scope.memo = _Known(changes.token, present)
        log.info("address book of the company read", href=book.href, cards=len(present), read=len(wanted),
                 octets=index.size, seconds=round(time.perf_counter() - began, 2))
        return index

    async def enclosed(self, book: BookList, hrefs: Sequence[str]) -> dict[str, Enclosed]:
        now = self.monotonic()
        kept = {href: self._enclosed.get((book.key, href), now) for href in hrefs}
        known = {href: one for href, one in kept.items() if one is not None}
        missing = [href for href in hrefs if href not in known]
        if missing:
            with _unavailable(), translated():
                cards = await book.client.multiget(book.href, missing, kind=_KIND)
            read = {canonical(card.href): _enclosed(card.data) for card in cards}
            for href in missing:
                known[href] = read.get(canonical(href), Enclosed())
                self._enclosed.keep((book.key, href), known[href], now + FRESH_SECONDS)
        return known


@contextmanager
def _unavailable() -> Iterator[None]:
    """Whatever is wrong with the book, its list is away."""
    try:
        yield
    except BackendError as error:
        raise Unavailable(f"the company's address book: {error}") from error


# --- Cards ------------------------------------------------------------------------------------------------------------


def _listed_all(cards: Iterable[Object]) -> list[Listed]:
    return [one for one in map(_listed, cards) if one is not None]


def _listed(card: Object) -> Listed | None:
    """None for what cannot be read, and for whom nobody can reach."""
    prepared = prepare.record("Contacts", card.data)
    entries = prepared.entries
    if not entries or not (entries[0].address or entries[0].phone or entries[0].mobile_phone):
        return None
    first = entries[0]
    person = Person(
        address=first.address, name=first.name or first.address, alias=first.address.partition("@")[0],
        first_name=first.first_name, last_name=first.last_name, title=first.title, company=first.company,
        office=first.office, phone=first.phone, home_phone=first.home_phone, mobile_phone=first.mobile_phone,
    )
    picture, certificates = contacts.enclosed(card.data)
    return Listed(
        locator=card.href, person=person, addresses=tuple(entry.address for entry in entries if entry.address),
        keys=tuple(_uid_key(uid) for uid in _texts(card.data, ("UID",))),
        enclosed=bool(picture or certificates) or contacts.is_group(card.data),
    )


def _enclosed(data: bytes) -> Enclosed:
    picture, certificates = contacts.enclosed(data)
    members = tuple(_texts(data, _MEMBERS))[:MAX_MEMBERS] if contacts.is_group(data) else ()
    return Enclosed(picture=picture, certificates=certificates, members=members)


def _texts(data: bytes, names: Iterable[str]) -> Iterator[str]:
    try:
        card = parse(data)
    except Unreadable:
        return
    for name in names:
        for line in card.find(name):
            yield line.text(card.version)


def _uid_key(uid: str) -> str:
    """RFC 6350 6.6.5: members are named by urn:uuid:... of their UID, which may be the bare one."""
    return "uid:" + shortened(uid).casefold().removeprefix("urn:uuid:")


# --- For one request --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BookList:
    """The book as one user may see it. All raise Unavailable."""

    _books: CompanyBooks
    client: DavClient
    href: str
    key: tuple[str, str]
    login: str

    async def search(self, text: str, limit: int) -> Sequence[Person]:
        return (await self.page(text, 0, limit))[0]

    async def page(self, text: str, start: int, count: int) -> tuple[Sequence[Person], int]:
        index = await self._index()
        found, total = index.find(text, start, count)
        return [one.person for one in found], total

    async def by_address(self, address: str) -> Person | None:
        found = (await self._index()).by_address(address)
        return (await self._whole([found]))[0] if found is not None else None

    async def whole(self, people: Sequence[Person]) -> Sequence[Person]:
        index = await self._index()
        entries = [index.by_address(person.address) if person.address else None for person in people]
        there = iter(await self._whole([entry for entry in entries if entry is not None]))
        return [
            person if entry is None else replace(next(there), address=person.address)
            for person, entry in zip(people, entries, strict=True)
        ]

    async def _index(self) -> PeopleIndex:
        try:
            return await self._books.index(self)
        except NotAllowed:
            return _NOBODY

    async def _whole(self, entries: Sequence[Listed]) -> list[Person]:
        read = await self._books.enclosed(self, [entry.locator for entry in entries if entry.enclosed])
        index = await self._index()
        people = []
        for entry in entries:
            more = read.get(entry.locator, Enclosed())
            members = dict.fromkeys(filter(None, (_address_of(member, index) for member in more.members)))
            people.append(replace(
                entry.person, picture=more.picture, certificates=more.certificates, members=tuple(members)
            ))
        return people


_NOBODY = PeopleIndex.of(())


def _address_of(member: str, index: PeopleIndex) -> str:
    if member.lower().startswith("mailto:"):
        return member[7:]
    found = index.by_key(_uid_key(member))
    return found.person.address if found is not None else ""

"""The user's own contacts as a list of people: looked up in our rows, shown with what only the cards have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, or_, select

from eas.backends.embedded.prepare import folded, searched_terms
from eas.backends.standards.ports import Account, Numbered, Place
from eas.backends.standards.tables import ObjectRow, PlaceRow
from eas.engine.errors import BackendError
from eas.engine.model import FolderType, Person
from eas.items import contacts

from .errors import translated
from .index import Index, freshen
from .model import Collections
from .rows import Known

#: Contacts that a search finds at most: nobody pages further.
MAX_FOUND = 1000
#: Seconds that our rows may be behind when somebody is looked up: a device asks at every letter that is typed.
FRESH_SECONDS = 60.0
#: And that somebody waits for the server, once for our rows and once for photos.
PATIENCE_SECONDS = 5.0


class DavContacts:
    """`standards.ports.AddressList` over address books; None for all in which anybody is known. A server that is away
    leaves what is known, without photos."""

    def __init__(self, account: Account, client: Collections, numbers: Sequence[Numbered] | None = None) -> None:
        self._account, self._client, self._numbers = account, client, numbers

    async def search(self, text: str, limit: int) -> Sequence[Person]:
        texts = searched_terms(text)
        if not texts or limit <= 0:
            return ()
        indexes = await self._indexes()
        found = await self._found(indexes, or_(*[_has(f"\n{text}") for text in texts]))
        shown = [entry for entry in found if entry[1].get("address")]
        shown.sort(key=lambda entry: folded(entry[1].get("name") or entry[1]["address"]))
        return await self._people(indexes, shown[:limit])

    async def by_address(self, address: str) -> Person | None:
        key = folded(address.strip())
        texts = searched_terms(key)
        if not texts:
            return None
        # A long address is found by its beginning; whose it is, is seen in the entry.
        indexes = await self._indexes()
        found = await self._found(indexes, _has(f"\n{texts[0]}"))
        exact = [entry for entry in found if folded(entry[1].get("address", "")) == key]
        people = await self._people(indexes, exact[:1])
        return people[0] if people else None

    async def _indexes(self) -> Mapping[int, Index]:
        numbers = self._numbers
        if numbers is None:
            numbers = await self._account.ground.read(partial(_with_people, user_id=self._account.user.id))
        books = [at for at in numbers if at.place.item_class == "Contacts"]
        return {at.number: Index(self._account, self._client, at) for at in books}

    async def _found(self, indexes: Mapping[int, Index], which: ColumnElement[bool]) -> list[_Entry]:
        await freshen(indexes.values(), older=FRESH_SECONDS, patience=PATIENCE_SECONDS)
        return await self._account.ground.read(partial(self._rows, numbers=list(indexes), which=which))

    def _rows(self, connection: Connection, numbers: list[int], which: ColumnElement[bool]) -> list[_Entry]:
        statement = (
            select(ObjectRow.number, ObjectRow.id, ObjectRow.href, ObjectRow.etag, ObjectRow.version, ObjectRow.entries)
            .join(PlaceRow, PlaceRow.number == ObjectRow.number)
            .where(
                ObjectRow.number.in_(numbers), PlaceRow.user_id == self._account.user.id,
                PlaceRow.present.is_(True), ObjectRow.entries != "", which,
            )
            .order_by(ObjectRow.number, ObjectRow.id).limit(MAX_FOUND)
        )
        return [
            ((row.number, Known(id=row.id, name=row.href, etag=row.etag, version=row.version)), entry)
            for row in connection.execute(statement) for entry in json.loads(row.entries)["shown"]
        ]

    async def _people(self, indexes: Mapping[int, Index], entries: Sequence[_Entry]) -> list[Person]:
        """With photos and certificates, which stand in the cards alone."""
        cards = await _cards(indexes, [of for of, _ in entries])
        people = []
        for (number, known), values in entries:
            picture, certificates = contacts.enclosed(cards.get((number, known.id), b""))
            named = values | {"name": values.get("name") or values["address"]}
            people.append(Person(contact=True, picture=picture, certificates=certificates, **named))
        return people


#: Where it stands, and what the directory shows: fields of `Person` that are not empty.
_Entry = tuple[tuple[int, Known], dict[str, Any]]


def _has(text: str) -> ColumnElement[bool]:
    """A text in the JSON of `rows.entries`, as it is written there."""
    return ObjectRow.entries.contains(json.dumps(text)[1:-1], autoescape=True)


async def _cards(
    indexes: Mapping[int, Index], wanted: Sequence[tuple[int, Known]]
) -> dict[tuple[int, int], bytes]:
    """By place and id; from the cache as far as they are there."""
    found: dict[tuple[int, int], bytes] = {}
    missing: dict[int, dict[str, Known]] = {}
    for number, known in wanted:
        index = indexes[number]
        if (data := index.kept(known.name, known.etag)) is not None:
            found[number, known.id] = data
        else:
            missing.setdefault(number, {})[index.href(known.name)] = known
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for number, hrefs in missing.items():
                index = indexes[number]
                with translated():
                    loaded = await index.client.multiget(index.collection, list(hrefs), kind=index.kind)
                for one in loaded:
                    known = hrefs[one.href]
                    index.keep(known.name, one.etag, one.data)
                    found[number, known.id] = one.data
    except (BackendError, TimeoutError):
        return found
    return found


_BOOKS = select(PlaceRow.number, PlaceRow.locator).where(
    PlaceRow.user_id == bindparam("user"), PlaceRow.present.is_(True), PlaceRow.source == "dav",
    exists().where(ObjectRow.number == PlaceRow.number, ObjectRow.entries != ""),
)


def _with_people(connection: Connection, user_id: str) -> list[Numbered]:
    """The address books that have an entry."""
    return [
        Numbered(number=row.number, place=Place(
            locator=row.locator, parent="", name="", type=FolderType.USER_CONTACTS, item_class="Contacts",
        ))
        for row in connection.execute(_BOOKS, {"user": user_id})
    ]

"""A collection of a CalDAV or CardDAV server as a feed of records; the writes are in `writing`.

A token is the counter of our rows (`index`), which follow the server whenever a delta is asked for: nothing new costs
one look at our row and one probe of the server. Contents are the server's alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Connection, Select, select

from eas.backends.embedded.codec import millis
from eas.backends.embedded.prepare import uid_key
from eas.backends.standards.ports import Account, Numbered
from eas.backends.standards.tables import GoneRow, ObjectRow
from eas.engine.errors import ItemGone, NotAllowed
from eas.engine.model import CollectionId
from eas.engine.ports import Chosen, Delta, Horizon, ItemVersion, Look, Token, Written
from eas.items.body import Wanted
from eas.items.native import Item, ItemId, MailFlags, Record

from . import rows
from .errors import translated
from .index import Index, Resolve
from .model import Collections, Refused
from .objects import version_of
from .rows import Known
from .writing import Writer

#: Items handed over together: a window.
_LOAD = 100


class DavFeed:
    """`engine.ports.Feed` over one collection, as one user sees it."""

    def __init__(self, account: Account, client: Collections, at: Numbered, resolve: Resolve) -> None:
        self._index = Index(account, client, at)
        self._writer = Writer(self._index, resolve)
        self._ground, self._at = account.ground, self._index.at
        self._class = at.place.item_class

    # -- what has changed

    async def delta(self, since: Token | None, horizon: Horizon) -> Delta:
        self._index.require_readable()
        await self._index.refresh()
        if since is not None and since == str((await self._index.standing()).counter):
            return Delta(token=since)
        return await self._ground.read(partial(self._delta, since=since, horizon=horizon))

    def _delta(self, connection: Connection, since: Token | None, horizon: Horizon) -> Delta:
        standing = rows.standing(connection, self._at)
        token = str(standing.counter)
        seen = int(since) if since and since.isascii() and since.isdigit() and len(since) <= 18 else None
        # One from the future belongs to a database that was put back to an older state.
        if seen is None or not standing.floor <= seen <= standing.counter or 1 < seen < rows.COUNTED_FROM:
            listed = connection.execute(self._items().where(*_within(horizon)))
            return Delta(token=token, touched={row.id: row.version for row in listed}, complete=True)
        changed = connection.execute(self._items().where(ObjectRow.modseq > seen))
        touched, outside = _divided(changed.all(), horizon)
        gone = select(GoneRow.id).where(GoneRow.number == self._at.number, GoneRow.modseq > seen)
        return Delta(
            token=token, touched=touched, outside=outside, gone=frozenset(connection.execute(gone).scalars())
        )

    def _items(self) -> Select[int, str, int]:
        return select(ObjectRow.id, ObjectRow.version, ObjectRow.until).where(
            ObjectRow.number == self._at.number, ObjectRow.version != ""
        )

    async def look(self, ids: Collection[ItemId], horizon: Horizon) -> Look:
        self._index.require_readable()

        def work(connection: Connection) -> Look:
            rows.standing(connection, self._at)
            found: list[tuple[int, str, int]] = []
            for batch in rows.batches(list(ids), rows.BATCH):
                found += connection.execute(self._items().where(ObjectRow.id.in_(batch))).all()
            versions, outside = _divided(found, horizon)
            return Look(versions=versions, outside=frozenset(outside))

        return await self._ground.read(work)

    async def crossed(self, old: datetime, new: datetime) -> Collection[ItemId]:
        self._index.require_readable()
        between = (ObjectRow.until > millis(old), ObjectRow.until <= millis(new))

        def work(connection: Connection) -> frozenset[ItemId]:
            rows.standing(connection, self._at)
            return frozenset(row.id for row in connection.execute(self._items().where(*between)))

        return await self._ground.read(work)

    # -- the items

    async def fetch(self, ids: Sequence[ItemId], wanted: Wanted | None) -> AsyncIterator[Item]:
        self._index.require_readable()
        for batch in rows.batches(list(ids), _LOAD):
            known = await self._ground.read(partial(rows.known_by_id, at=self._at, ids=batch))
            records = await self._records(known.values())
            for id in batch:
                if (record := records.get(id)) is not None:
                    yield record

    async def _records(self, known: Collection[Known]) -> dict[ItemId, Record]:
        """What was changed meanwhile has the version of what was read."""
        found = {
            one.id: Record(id=one.id, version=one.version, data=data)
            for one in known if (data := self._index.kept(one.name, one.etag)) is not None
        }
        asked = {self._index.href(one.name): one for one in known if one.id not in found}
        if not asked:
            return found
        with translated():
            loaded = await self._index.client.multiget(self._index.collection, list(asked), kind=self._index.kind)
        for item in loaded:
            one = asked.pop(item.href)
            self._index.keep(one.name, item.etag, item.data)
            found[one.id] = Record(id=one.id, version=version_of(item.etag, item.data), data=item.data)
        for one in asked.values():
            await self._bury_if_gone(one)
        return found

    async def _bury_if_gone(self, known: Known) -> None:
        """Our rows have an object that the server did not give: if it is not there, they need not be told so first."""
        with translated():
            try:
                await self._index.client.get(self._index.href(known.name))
            except Refused as error:
                if error.status in (404, 410):
                    await self._ground.write(partial(rows.bury, at=self._at, known=known))

    async def part(self, id: ItemId, section: str) -> AsyncIterator[bytes]:
        found = [item async for item in self.fetch([id], None)]
        if section or not found or not isinstance(found[0], Record):
            raise ItemGone(f"{id}: no part {section[:40]!r}")
        yield found[0].data

    async def by_uid(self, uid: str) -> ItemId | None:
        self._index.require_readable()
        if self._class != "Calendar":
            return None
        await self._index.refresh()
        statement = self._items().where(ObjectRow.uid == uid_key(uid)).order_by(ObjectRow.id).limit(1)
        found = await self._ground.read(lambda connection: connection.execute(statement).one_or_none())
        return None if found is None else found.id

    # -- writes

    async def mark(self) -> str:
        """Nothing needs remembering: an object is found again by its chosen name."""
        return ""

    async def create(self, content: bytes, chosen: Chosen, flags: MailFlags | None = None) -> Written:
        with translated():
            return await self._writer.create(content, chosen)

    async def update(
        self, id: ItemId, content: bytes, if_version: ItemVersion | None, flags: MailFlags | None = None
    ) -> Written:
        with translated():
            return await self._writer.update(id, content, if_version)

    async def set_flags(self, id: ItemId, flags: MailFlags, if_version: ItemVersion | None = None) -> Written:
        raise NotAllowed("only mail has flags")

    async def delete(self, id: ItemId, if_version: ItemVersion | None = None) -> None:
        with translated():
            await self._writer.delete(id, if_version)

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        with translated():
            return await self._writer.move(id, to, chosen)


def _within(horizon: Horizon) -> tuple[ColumnElement[bool], ...]:
    return () if horizon.edge is None else (ObjectRow.until > millis(horizon.edge),)


def _divided(found: Sequence[tuple[int, str, int]], horizon: Horizon) -> tuple[dict[int, str], list[int]]:
    """Within the horizon, and outside it."""
    if horizon.edge is None:
        return {id: version for id, version, _ in found}, []
    edge = millis(horizon.edge)
    within = {id: version for id, version, until in found if until > edge}
    return within, [id for id, _, until in found if until <= edge]

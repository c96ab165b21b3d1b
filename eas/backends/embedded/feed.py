"""One folder as a feed: what has changed, and the items as far as they are wanted; the writes are in `items`.

A token is the folder's change counter. Nothing new costs one look at the folder's row; a listing reads one index.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import ColumnExpressionArgument, Connection, Row, Select, bindparam, select

from eas.engine.errors import FolderGone, ItemGone, NotAllowed, TooLarge
from eas.engine.model import CollectionId, Folder, Right
from eas.engine.ports import Chosen, Delta, Horizon, ItemVersion, Look, Token, Written
from eas.items.body import Wanted
from eas.items.mime import part_at, sections_wanted
from eas.items.native import Item, ItemId, Mail, MailFlags, Part, Record

from . import drawn, items, prepare
from .access import folder_number, require
from .codec import load_flags, load_structure, millis, moment
from .content import BATCH, Span, load_chunks, stream
from .groupware import AnyRow, Groupware, Writing
from .prepare import Prepared, uid_key
from .tables import ContentRow, FolderRow, ItemRow, TombstoneRow

R = TypeVar("R")

#: Items loaded together, so that a hundred cost two statements.
_LOAD = 100
#: Octets of bodies loaded together; a group of items ends before it is passed.
_LOAD_OCTETS = 8 << 20
#: From this size on a message is parsed in a thread: smaller ones take a millisecond or two.
_IN_THREAD = 128 << 10


#: What every probe asks. Made once: to put it together costs more than SQLite takes to answer it.
_ROW = select(FolderRow.modseq, FolderRow.floor, FolderRow.owner).where(FolderRow.id == bindparam("folder"))


class EmbeddedFeed:
    """A folder as one user sees it. Raises FolderGone from anything once the user may no longer read it. `stood`: its
    counter as it was read just now, if it is the user's own."""

    def __init__(self, groupware: Groupware, user_id: str, folder: Folder, stood: Token | None = None) -> None:
        self._groupware, self._user, self._stood = groupware, user_id, stood
        self._class = folder.item_class
        self._number = folder_number(folder.id) or -1  # no row has that number

    # -- what has changed

    async def delta(self, since: Token | None, horizon: Horizon) -> Delta:
        if since is not None and await self._still_at(since):
            return Delta(token=since)
        return await self._groupware.read(lambda c: self._delta(c, since, horizon))

    async def _still_at(self, token: Token) -> bool:
        stood, self._stood = self._stood, None
        if stood is not None:
            return stood == token
        return await self._groupware.look(lambda c: self._stands_at(c, token))

    def _stands_at(self, connection: Connection, token: Token) -> bool:
        """Whether nothing has happened since. One row; for a folder of somebody else it is not answered here, as the
        right to read takes more."""
        row = self._row(connection)
        return row.owner == self._user and str(row.modseq) == token

    def _row(self, connection: Connection) -> Row[int, int, str]:
        row = connection.execute(_ROW, {"folder": self._number}).one_or_none()
        if row is None:
            raise FolderGone(str(self._number))
        return row

    def _readable(self, connection: Connection) -> Row[int, int, str]:
        """Raises FolderGone where the user may not read."""
        row = self._row(connection)
        if row.owner != self._user:
            require(connection, self._user, self._number, Right.READ)
        return row

    def _delta(self, connection: Connection, since: Token | None, horizon: Horizon) -> Delta:
        row = self._readable(connection)
        token = str(row.modseq)
        seen = int(since) if since and since.isascii() and since.isdigit() and len(since) <= 18 else None
        # One from the future belongs to a database that was put back to an older state.
        # Of some of the best, any change may move others in or out; there are few.
        if seen is None or not row.floor <= seen <= row.modseq or (horizon.most is not None and seen != row.modseq):
            return self._listing(connection, token, horizon)
        return self._changes(connection, token, seen, horizon)

    def _listing(self, connection: Connection, token: Token, horizon: Horizon) -> Delta:
        statement = select(ItemRow.id, ItemRow.version).where(ItemRow.folder_id == self._number)
        if horizon.edge is not None and horizon.conversations:
            statement = drawn.listed(self._number, millis(horizon.edge))
        elif horizon.edge is not None:
            statement = statement.where(ItemRow.until > millis(horizon.edge))
        elif horizon.most is not None:
            statement = self._best(horizon.most)
        touched: dict[ItemId, ItemVersion] = dict(connection.execute(statement).all())
        return Delta(token=token, touched=touched, complete=True)

    def _best(self, most: int) -> Select[int, str]:
        """Of the recipient information cache, where `until` is the rank."""
        statement = select(ItemRow.id, ItemRow.version).where(ItemRow.folder_id == self._number)
        return statement.order_by(ItemRow.until.desc(), ItemRow.id.desc()).limit(most)

    def _changes(self, connection: Connection, token: Token, since: int, horizon: Horizon) -> Delta:
        changed = connection.execute(
            select(ItemRow.id, ItemRow.version, ItemRow.until)
            .where(ItemRow.folder_id == self._number, ItemRow.modseq > since)
        )
        touched, outside = _divided(changed.all(), horizon)
        if horizon.edge is not None and horizon.conversations:
            edge = millis(horizon.edge)
            touched |= drawn.siblings(connection, self._number, touched, edge)
            outside = [id for id in outside if id not in touched]
        gone = connection.execute(
            select(TombstoneRow.id).where(TombstoneRow.folder_id == self._number, TombstoneRow.modseq > since)
        )
        return Delta(token=token, touched=touched, outside=outside, gone=frozenset(gone.scalars()))

    async def look(self, ids: Collection[ItemId], horizon: Horizon) -> Look:
        def work(connection: Connection) -> Look:
            self._readable(connection)
            rows: list[tuple[int, str, int]] = []
            for batch in _batches(list(ids), BATCH):
                found = connection.execute(
                    select(ItemRow.id, ItemRow.version, ItemRow.until)
                    .where(ItemRow.folder_id == self._number, ItemRow.id.in_(batch))
                )
                rows += found.all()
            versions, outside = _divided(rows, horizon)
            if horizon.most is not None:
                best = {row.id for row in connection.execute(self._best(horizon.most))}
                outside, versions = [id for id in versions if id not in best], {
                    id: version for id, version in versions.items() if id in best
                }
            if horizon.edge is None or not horizon.conversations or not outside:
                return Look(versions=versions, outside=frozenset(outside))
            wanted = drawn.drawn_in(connection, self._number, outside, millis(horizon.edge))
            versions |= {id: version for id, version, _ in rows if id in wanted}
            return Look(versions=versions, outside=frozenset(outside) - wanted, drawn=wanted)

        return await self._groupware.read(work)

    async def crossed(self, old: datetime, new: datetime) -> Collection[ItemId]:
        statement = select(ItemRow.id).where(
            ItemRow.folder_id == self._number, ItemRow.until > millis(old), ItemRow.until <= millis(new)
        )

        def work(connection: Connection) -> frozenset[ItemId]:
            self._readable(connection)
            return frozenset(connection.execute(statement).scalars())

        return await self._groupware.read(work)

    # -- the items

    async def fetch(self, ids: Sequence[ItemId], wanted: Wanted | None) -> AsyncIterator[Item]:
        for batch in _batches(list(ids), _LOAD):
            if self._class != "Email":
                for record in await self._groupware.read(partial(self._records, ids=batch)):
                    yield record
            elif wanted is None:
                for mail in await self._groupware.read(partial(self._flags, ids=batch)):
                    yield mail
            else:
                async for mail in self._mails(batch, wanted):
                    yield mail

    def _rows(
        self, connection: Connection, ids: list[ItemId], *columns: ColumnExpressionArgument[Any]
    ) -> list[AnyRow]:
        """In the order of the ids."""
        self._readable(connection)
        statement = (
            select(ItemRow.id, ItemRow.version, ItemRow.flags, ItemRow.received, *columns)
            .join(ContentRow, ContentRow.id == ItemRow.content_id)
            .where(ItemRow.folder_id == self._number, ItemRow.id.in_(ids))
        )
        found = {row.id: row for row in connection.execute(statement)}
        return [found[id] for id in ids if id in found]

    def _records(self, connection: Connection, ids: list[ItemId]) -> list[Record]:
        rows = self._rows(connection, ids, ContentRow.data)
        return [Record(id=row.id, version=row.version, data=row.data or b"") for row in rows]

    def _flags(self, connection: Connection, ids: list[ItemId]) -> list[Mail]:
        return [
            Mail(
                id=row.id, version=row.version, flags=load_flags(row.flags), received=moment(row.received),
                size=row.size, header=b"", structure=None,
            )
            for row in self._rows(connection, ids, ContentRow.size)
        ]

    async def _mails(self, ids: list[ItemId], wanted: Wanted) -> AsyncIterator[Mail]:
        groups, chunks = await self._groupware.read(partial(self._planned, ids=ids, wanted=wanted))
        for number, group in enumerate(groups):
            if number:
                chunks = await self._groupware.read(partial(load_chunks, spans=list(_spans(group))))
            for plan in group:
                yield plan.mail(chunks)

    def _planned(
        self, connection: Connection, ids: list[ItemId], wanted: Wanted
    ) -> tuple[list[list[_Plan]], dict[tuple[int, int], bytes]]:
        """The messages in groups, and the chunks of the first group: a usual page of mail is one."""
        columns = (ContentRow.id.label("content_id"), ContentRow.size, ContentRow.header, ContentRow.structure)
        groups = list(_groups([_plan(row, wanted) for row in self._rows(connection, ids, *columns)]))
        return groups, load_chunks(connection, _spans(groups[0])) if groups else {}

    async def part(self, id: ItemId, section: str) -> AsyncIterator[bytes]:
        columns = (ContentRow.id.label("content_id"), ContentRow.size, ContentRow.structure, ContentRow.data)
        rows = await self._groupware.read(lambda connection: self._rows(connection, [id], *columns))
        if not rows:
            raise ItemGone(str(id))
        row = rows[0]
        start, length = 0, row.size
        if section:
            part = part_at(load_structure(row.structure), section) if row.structure else None
            if part is None or part.offset < 0:
                raise ItemGone(f"{id}: no part {section[:40]!r}")
            start, length = part.offset, part.size
        if row.data is not None:
            yield row.data
            return
        async for piece in stream(self._groupware, row.content_id, start, length):
            yield piece

    async def by_uid(self, uid: str) -> ItemId | None:
        statement = (
            select(ItemRow.id).join(ContentRow, ContentRow.id == ItemRow.content_id)
            .where(ItemRow.folder_id == self._number, ContentRow.uid == uid_key(uid)).order_by(ItemRow.id).limit(1)
        )

        def work(connection: Connection) -> ItemId | None:
            row = self._readable(connection)
            return connection.execute(statement.where(ContentRow.user_id == row.owner)).scalar_one_or_none()

        return await self._groupware.read(work)

    # -- writes

    async def mark(self) -> str:
        """Nothing needs remembering: an item is found again by its chosen name."""
        return ""

    async def create(self, content: bytes, chosen: Chosen, flags: MailFlags | None = None) -> Written:
        prepared = await self._prepare(content)
        return await self._write(lambda tx: items.create(tx, self._number, prepared, chosen.name, flags))

    async def update(
        self, id: ItemId, content: bytes, if_version: ItemVersion | None, flags: MailFlags | None = None
    ) -> Written:
        if self._class == "Email" and flags is None:
            raise NotAllowed("a message does not change")
        prepared = await self._prepare(content)
        if flags is not None:
            return await self._write(
                lambda tx: items.update_draft(tx, self._number, id, prepared, flags, if_version)
            )
        return await self._write(lambda tx: items.update_record(tx, self._number, id, prepared, if_version))

    async def set_flags(self, id: ItemId, flags: MailFlags, if_version: ItemVersion | None = None) -> Written:
        return await self._write(lambda tx: items.set_flags(tx, self._number, id, flags, if_version))

    async def delete(self, id: ItemId, if_version: ItemVersion | None = None) -> None:
        await self._write(lambda tx: items.delete_item(tx, self._number, id, if_version))

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        destination = folder_number(to)
        if destination is None:
            raise FolderGone(to)

        def work(tx: Writing) -> Written:
            require(tx.connection, self._user, destination, Right.EDIT)
            return items.move(tx, self._number, id, destination, chosen.name)

        return await self._write(work)

    async def _write(self, do: Callable[[Writing], R]) -> R:
        """Raises FolderGone, NotAllowed by what the user may do here now, whatever was so when the feed was opened."""
        self._stood = None

        def work(tx: Writing) -> R:
            require(tx.connection, self._user, self._number, Right.EDIT)
            return do(tx)

        return await self._groupware.write(work)

    async def _prepare(self, content: bytes) -> Prepared:
        """Raises TooLarge."""
        limits = self._groupware.limits
        if len(content) > (limits.message if self._class == "Email" else limits.record):
            raise TooLarge(f"{len(content)} octets")
        if self._class != "Email":
            return prepare.record(self._class, content)
        return await prepared_message(content, self._groupware.now())


async def prepared_message(raw: bytes, received: datetime) -> Prepared:
    """`prepare.message`, in a thread where it would hold up others."""
    if len(raw) < _IN_THREAD:
        return prepare.message(raw, received)
    return await asyncio.to_thread(prepare.message, raw, received)


# --- Loading mail -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    """A message, and where its wanted sections lie."""

    row: AnyRow
    structure: Part | None
    spans: Mapping[str, Span]

    @property
    def octets(self) -> int:
        return sum(span.length for span in self.spans.values())

    def mail(self, chunks: Mapping[tuple[int, int], bytes]) -> Mail:
        row = self.row
        return Mail(
            id=row.id, version=row.version, flags=load_flags(row.flags), received=moment(row.received), size=row.size,
            header=row.header, structure=self.structure,
            sections={section: span.cut(chunks) for section, span in self.spans.items()},
        )


def _plan(row: AnyRow, wanted: Wanted) -> _Plan:
    if row.structure is None:
        return _Plan(row, None, {})
    structure = load_structure(row.structure)
    spans: dict[str, Span] = {}
    for section, limit in sections_wanted(structure, wanted).items():
        start, length = 0, row.size
        if section:
            part = part_at(structure, section)
            if part is None or part.offset < 0:
                continue
            start, length = part.offset, part.size
        spans[section] = Span(row.content_id, start, length if limit is None else min(length, limit))
    return _Plan(row, structure, spans)


def _groups(plans: Sequence[_Plan]) -> Iterator[list[_Plan]]:
    group: list[_Plan] = []
    octets = 0
    for plan in plans:
        if group and octets + plan.octets > _LOAD_OCTETS:
            yield group
            group, octets = [], 0
        group.append(plan)
        octets += plan.octets
    if group:
        yield group


def _spans(plans: Sequence[_Plan]) -> Iterator[Span]:
    for plan in plans:
        yield from plan.spans.values()


def _divided(rows: Sequence[tuple[int, str, int]], horizon: Horizon) -> tuple[dict[int, str], list[int]]:
    """Within the horizon, and outside it."""
    if horizon.edge is None:
        return {id: version for id, version, _ in rows}, []
    edge = millis(horizon.edge)
    within = {id: version for id, version, until in rows if until > edge}
    return within, [id for id, _, until in rows if until <= edge]


def _batches(ids: list[ItemId], size: int) -> Iterator[list[ItemId]]:
    for at in range(0, len(ids), size):
        yield ids[at : at + size]

"""One mailbox as a feed: what changed (`delta`), messages as far as they are wanted (`loading`), writes (`writing`).

Made for one request; what it heard in a delta is not asked again by the look that follows.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from datetime import datetime

from eas.backends.standards.ports import Account, Numbered
from eas.engine.errors import ItemGone
from eas.engine.model import CollectionId
from eas.engine.ports import Chosen, Delta, Horizon, ItemVersion, Look, Token, Written
from eas.items import mime
from eas.items.body import Wanted
from eas.items.native import Item, ItemId, Mail, MailFlags

from . import days, drawn, kept, loading, prints, puts, rows, spans
from .delta import DeltaReader, Heard, unchanged
from .flags import Versions
from .loading import Loaded
from .model import Fetched, Pool, Session, Status
from .reach import Reach, twice
from .rows import State
from .writing import MailWriter

Resolve = Callable[[CollectionId], Awaitable[Numbered | None]]

#: Octets of one piece of a streamed part; between two of them the connection is free for others.
PIECE = 1 << 20
#: Sections that can be: a client may name anything. RFC 3501 6.4.5.
_SECTION = re.compile(r"(?:[1-9][0-9]{0,4}(?:\.[1-9][0-9]{0,4}){0,70}(?:\.TEXT)?)?")


class ImapFeed:
    """Implements `engine.ports.Feed` for mail."""

    def __init__(self, account: Account, pool: Pool, at: Numbered, resolve: Resolve) -> None:
        self._reach = Reach(account=account, pool=pool, at=at)
        self._writer = MailWriter(self._reach, resolve)
        self._ground = account.ground
        self._heard: Heard | None = None
        #: How the mailbox stood here, and what STATUS told just before that, for the next delta.
        self.foreseen: tuple[State, Status] | None = None

    # -- what has changed

    async def delta(self, since: Token | None, horizon: Horizon) -> Delta:
        foreseen, self.foreseen = self.foreseen, None

        async def work() -> Heard:
            if foreseen is not None:
                stood, status = foreseen
                # With rules there may be something to be done before it is said how the mailbox stands.
                state = await self._state() if stood.ruled else stood
                if (heard := unchanged(state, status, since, horizon)) is not None:
                    return heard
            state = await self._state()
            async with self._reach.session() as session:
                return await DeltaReader(self._reach, session, state, horizon).read(since)

        heard = await twice(work)
        self._heard = heard
        return heard.delta

    async def _state(self) -> State:
        return await self._reach.state()

    async def look(self, ids: Collection[ItemId], horizon: Horizon) -> Look:
        heard, wanted = self._heard, list(ids)
        known = Look(versions={})
        if heard is not None and heard.horizon == horizon:
            here = heard.look
            known = Look(
                versions={id: here.versions[id] for id in wanted if id in here.versions},
                outside=here.outside.intersection(wanted), drawn=here.drawn.intersection(wanted),
            )
            wanted = [id for id in wanted if id not in known.versions and id not in known.outside]
        if not wanted:
            return known
        fresh = await twice(lambda: self._look(wanted, horizon))
        return Look(
            versions={**known.versions, **fresh.versions}, outside=known.outside | fresh.outside,
            drawn=known.drawn | fresh.drawn,
        )

    async def _look(self, ids: Sequence[ItemId], horizon: Horizon) -> Look:
        items = ("FLAGS", "INTERNALDATE") if horizon.edge is not None else ("FLAGS",)
        async with self._reach.selected() as (session, state):
            names = await self._names(state, ids)
            uid_of = {id: uid for id in ids if (uid := names.uid(id)) is not None}
            found: dict[int, Fetched] = {}
            for again in (False, True):
                missing = spans.of(uid for uid in uid_of.values() if uid not in found)
                if again and missing:
                    await self._reach.sync(session)
                if missing:
                    async for one in session.fetch(missing, items):
                        if one.flags is not None and (horizon.edge is None or one.internal_date is not None):
                            found[one.uid] = one
            there = {id: found[uid] for id, uid in uid_of.items() if uid in found}
            flags = {id: one.flags for id, one in there.items() if one.flags is not None}
            versions = Versions(await kept.notes(self._reach, session, flags, uid_of, noted=state.noted))
            every = {id: versions.of(id, some, names.content(id)) for id, some in flags.items()}
            edge = horizon.edge
            if edge is None:
                return Look(versions=every)
            outside = {
                id for id, one in there.items() if one.internal_date is not None and one.internal_date <= edge
            }
            wanted = frozenset[ItemId]()
            if horizon.conversations and outside:
                asked = frozenset(uid_of[id] for id in outside)
                uids = await drawn.siblings(self._reach, session, state, edge, asked=asked)
                wanted = frozenset(id for id in outside if uid_of[id] in uids)
            outside -= wanted
            within = {id: version for id, version in every.items() if id not in outside}
            return Look(versions=within, outside=frozenset(outside), drawn=wanted)

    async def crossed(self, old: datetime, new: datetime) -> Collection[ItemId]:
        async def work() -> frozenset[ItemId]:
            async with self._reach.selected() as (session, state):
                uids = await days.between(session, old, new)
                names = await self._ground.read(
                    lambda c: rows.names(c, self._reach.number, state, uids=uids)
                )
                return frozenset(id for uid in uids if (id := names.id(uid)) is not None)

        return await twice(work)

    async def _names(self, state: State, ids: Collection[ItemId]) -> rows.Names:
        if not state.aliased and not state.open:
            return rows.Names(epoch=state.epoch)
        return await self._ground.read(lambda c: rows.names(c, self._reach.number, state, ids=ids))

    # -- the messages

    async def fetch(self, ids: Sequence[ItemId], wanted: Wanted | None) -> AsyncIterator[Item]:
        # No connection is held while what was loaded is turned into what devices see.
        for batch in _batches(list(ids), loading.BATCH):
            async with self._reach.selected() as (session, state):
                names = await self._names(state, batch)
                groups = await self._begin(session, names, batch, wanted)
                mails = await self._mails(session, groups[0], names, state.noted) if groups else []
            for mail in mails:
                yield mail
            for group in groups[1:]:
                async with self._reach.selected(fresh=False) as (session, state):
                    same = state.epoch == names.epoch
                    mails = await self._mails(session, group, names, state.noted) if same else []
                for mail in mails:
                    yield mail

    async def _begin(
        self, session: Session, names: rows.Names, ids: Sequence[ItemId], wanted: Wanted | None
    ) -> list[list[Loaded]]:
        uids = [uid for id in ids if (uid := names.uid(id)) is not None]
        loaded = await loading.begin(session, uids, wanted, lambda: self._reach.sync(session)) if uids else []
        if wanted is not None:
            await self._print(names.epoch, loaded)
        return list(loading.groups(loaded))

    async def _mails(
        self, session: Session, group: Sequence[Loaded], names: rows.Names, noted: bool
    ) -> list[Mail]:
        await loading.complete(session, group)
        id_of = {one.fetched.uid: id for one in group if (id := names.id(one.fetched.uid)) is not None}
        group = [one for one in group if one.fetched.uid in id_of]
        flags = {id_of[one.fetched.uid]: one.fetched.flags or frozenset() for one in group}
        uid_of = {id: uid for uid, id in id_of.items()}
        versions = Versions(await kept.notes(self._reach, session, flags, uid_of, noted=noted))
        mails = []
        for one in group:
            id, at = id_of[one.fetched.uid], one.fetched.internal_date
            assert at is not None
            mails.append(Mail(
                id=id, version=versions.of(id, flags[id], names.content(id)), flags=versions.flags(id, flags[id]),
                received=at, size=one.size, header=one.header, structure=one.structure, sections=one.sections,
            ))
        return mails

    async def _print(self, epoch: int, group: Sequence[Loaded]) -> None:
        """Keep by what the messages that are handed out will be recognised."""
        number = self._reach.number
        lacking = await self._ground.look(
            lambda c: prints.missing(c, number, epoch, [one.fetched.uid for one in group])
        )
        made = [one.print for one in group if one.fetched.uid in lacking and one.header]
        fresh = [one for one in made if one is not None]
        if fresh:
            await self._reach.keep_prints(epoch, fresh)

    async def part(self, id: ItemId, section: str) -> AsyncIterator[bytes]:
        if not _SECTION.fullmatch(section):
            raise ItemGone(f"{id}: no part {section[:40]!r}")
        at = 0
        while True:
            piece = await self._piece(id, section, at)
            if piece:
                yield piece
            if len(piece) < PIECE:
                return
            at += len(piece)

    async def _piece(self, id: ItemId, section: str, at: int) -> bytes:
        """Raises ItemGone if there is no such message or part."""
        async with self._reach.selected(fresh=False) as (session, state):
            uid = (await self._names(state, [id])).uid(id)
            if uid is None:
                raise ItemGone(str(id))
            items = [f"BODY.PEEK[{section}]<{at}.{PIECE}>"]
            if not at:
                items.append("BODYSTRUCTURE")
            found = await _one(session, uid, items)
            if found is None:
                await self._reach.sync(session)
                found = await _one(session, uid, items)
        if found is None:
            raise ItemGone(str(id))
        if not at and section and found.structure is not None and mime.part_at(found.structure, section) is None:
            raise ItemGone(f"{id}: no part {section!r}")
        piece = found.sections.get(section)
        if piece is None:
            raise ItemGone(f"{id}: no part {section!r}")
        return piece

    async def by_uid(self, uid: str) -> ItemId | None:
        """Messages are no iCalendar objects."""
        return None

    # -- writes

    async def mark(self) -> str:
        async with self._reach.session() as session:
            return await puts.mark(self._reach, session)

    async def create(self, content: bytes, chosen: Chosen, flags: MailFlags | None = None) -> Written:
        self._heard = None
        return await self._writer.create(content, chosen, flags)

    async def update(
        self, id: ItemId, content: bytes, if_version: ItemVersion | None, flags: MailFlags | None = None
    ) -> Written:
        self._heard = None
        return await self._writer.update(id, content, if_version, flags)

    async def set_flags(self, id: ItemId, flags: MailFlags, if_version: ItemVersion | None = None) -> Written:
        self._heard = None
        return await self._writer.set_flags(id, flags, if_version)

    async def delete(self, id: ItemId, if_version: ItemVersion | None = None) -> None:
        self._heard = None
        await self._writer.delete(id, if_version)

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        self._heard = None
        return await self._writer.move(id, to, chosen)


async def _one(session: Session, uid: int, items: Sequence[str]) -> Fetched | None:
    found = None
    async for one in session.fetch(((uid, uid),), items):
        if one.uid == uid and (one.sections or (one.structure is not None and found is None)):
            found = one
    return found


def _batches(ids: list[ItemId], size: int) -> Iterator[list[ItemId]]:
    for at in range(0, len(ids), size):
        yield ids[at : at + size]



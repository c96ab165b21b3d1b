"""What a device in quarantine is shown of its user's mailbox: the folders, and in the inbox one notice.

As in Exchange: the device may connect, and what it adds is kept; nothing is told to it of what is in the mailbox,
nothing is sent for it, nobody is looked up. What it held before it was put into quarantine stays on it as it is. To
the engine this is a mailbox like any other, whose feeds say little and give no token: so every read after the release
takes in the whole listing and compares it with what the device holds, and the notice, which no listing names, goes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from eas.items import mime, notice
from eas.items.body import Wanted
from eas.items.freebusy import BusyPeriod
from eas.items.native import Item, ItemId, Mail, MailFlags, Viewer

from .errors import ItemGone, NotAllowed, Refusal, Undeliverable
from .ids import NOTICE_ID
from .model import CollectionId, Folder, FolderType, OutOfOffice, Person
from .ports import (
    Chosen,
    Delta,
    Feed,
    Filters,
    Found,
    Horizon,
    ItemVersion,
    Look,
    Mailbox,
    MailQuery,
    Token,
    Written,
)

#: A token that no feed takes for one: what comes after it is read as a whole.
NOTHING_READ: Token = ""
UNREAD: ItemVersion = "u"

WHY = "the device is in quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The notice that the device is shown."""

    subject: str = "Your phone is waiting to be approved"
    text: str = (
        "Your mail, calendar and contacts will come to this phone as soon as an administrator has approved it. You need"
        " not do anything on the phone; it goes on by itself. If it takes long, ask your administrator."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Mailbox of a device that is let in and shown nothing. `words` None: not even a notice. `since`: when that began,
    which is the date of the notice."""

    mailbox: Mailbox
    words: Words | None
    viewer: Viewer
    since: datetime
    #: What the device has added with this request, which it is told of with the answer.
    added: set[tuple[CollectionId, ItemId]] = field(default_factory=set)

    async def hierarchy_token(self, *, fresh: bool = False) -> Token:
        return await self.mailbox.hierarchy_token(fresh=fresh)

    async def folders(self) -> Sequence[Folder]:
        return await self.mailbox.folders()

    async def folder(self, id: CollectionId) -> Folder | None:
        return await self.mailbox.folder(id)

    async def some(self, ids: Collection[CollectionId]) -> Mapping[CollectionId, Folder]:
        return await self.mailbox.some(ids)

    async def create_folder(self, parent: CollectionId, name: str, type: FolderType, chosen: Chosen) -> Folder:
        raise NotAllowed(WHY)

    async def update_folder(self, id: CollectionId, parent: CollectionId, name: str) -> None:
        raise NotAllowed(WHY)

    async def delete_folder(self, id: CollectionId) -> None:
        raise NotAllowed(WHY)

    async def empty_folder(self, id: CollectionId, subfolders: bool) -> None:
        raise NotAllowed(WHY)

    async def move_conversation(self, conversation: bytes, to: CollectionId, always: bool) -> int:
        raise NotAllowed(WHY)

    def feed(self, folder: Folder) -> Feed:
        shows = folder.type is FolderType.INBOX and folder.own and self.words is not None
        return QuarantinedFeed(self.mailbox.feed(folder), folder, self._notice() if shows else None, self.added)

    async def foresee(self, ids: Collection[CollectionId]) -> None:
        pass

    async def search(self, query: MailQuery, start: int, count: int) -> Found:
        return Found(hits=(), total=0)

    async def out_of_office(self) -> OutOfOffice:
        return OutOfOffice()

    async def set_out_of_office(self, value: OutOfOffice) -> None:
        raise NotAllowed(WHY)

    async def filters(self) -> Filters:
        raise NotAllowed(WHY)

    def _notice(self) -> Mail:
        assert self.words is not None
        text = "\r\n".join(self.words.text.splitlines()) + "\r\n"
        name = f"quarantine-{int(self.since.timestamp())}"
        raw = notice.written(self.words.subject, text, name, self.viewer)
        root = mime.structure(raw)
        # Every way in which it may be asked for: it is short.
        sections = {"": raw, **{part.section: mime.cut_from(raw, part) for part in mime.walk(root)}}
        return Mail(
            id=NOTICE_ID, version=UNREAD, flags=MailFlags(), received=self.since, size=len(raw),
            header=raw[: mime.header_end(raw)], structure=root, sections=sections,
        )


class QuarantinedFeed:
    """One folder. `notice` is the only item that it shows, None in all folders but the inbox."""

    def __init__(
        self, feed: Feed, folder: Folder, notice: Mail | None, added: set[tuple[CollectionId, ItemId]]
    ) -> None:
        self._feed, self._folder, self._notice, self._added = feed, folder, notice, added

    async def delta(self, since: Token | None, horizon: Horizon) -> Delta:
        """Not even a complete one: what the device holds already is not taken from it."""
        touched = {NOTICE_ID: UNREAD} if self._notice is not None else {}
        return Delta(token=NOTHING_READ, touched=touched)

    async def look(self, ids: Collection[ItemId], horizon: Horizon) -> Look:
        others = [id for id in ids if id != NOTICE_ID]
        found = await self._feed.look(others, horizon) if others else Look(versions={})
        shown = {NOTICE_ID: UNREAD} if self._notice is not None and NOTICE_ID in ids else {}
        return Look(versions={**found.versions, **shown}, outside=found.outside, drawn=found.drawn)

    async def crossed(self, old: datetime, new: datetime) -> Collection[ItemId]:
        return ()

    async def fetch(self, ids: Sequence[ItemId], wanted: Wanted | None) -> AsyncIterator[Item]:
        """The content of the notice, and of what the device itself has just added. Without `wanted` it is for the
        engine's own use (flags, a record that is to be written), or for flags alone."""
        if self._notice is not None and NOTICE_ID in ids:
            yield self._notice
        given = [
            id for id in ids if id != NOTICE_ID and (wanted is None or (self._folder.id, id) in self._added)
        ]
        if given:
            async for item in self._feed.fetch(given, wanted):
                yield item

    async def part(self, id: ItemId, section: str) -> AsyncIterator[bytes]:
        if self._notice is None or id != NOTICE_ID or section not in self._notice.sections:
            raise ItemGone(str(id))
        yield self._notice.sections[section]

    async def by_uid(self, uid: str) -> ItemId | None:
        return await self._feed.by_uid(uid)

    async def mark(self) -> str:
        return await self._feed.mark()

    async def create(self, content: bytes, chosen: Chosen, flags: MailFlags | None = None) -> Written:
        written = await self._feed.create(content, chosen, flags)
        self._added.add((self._folder.id, written.id))
        return written

    async def update(
        self, id: ItemId, content: bytes, if_version: ItemVersion | None, flags: MailFlags | None = None
    ) -> Written:
        raise NotAllowed(WHY)

    async def set_flags(self, id: ItemId, flags: MailFlags, if_version: ItemVersion | None = None) -> Written:
        """The notice is read by whoever reads it, and nobody else shows it."""
        if self._notice is None or id != NOTICE_ID:
            raise NotAllowed(WHY)
        return Written(id=id, version=UNREAD)

    async def delete(self, id: ItemId, if_version: ItemVersion | None = None) -> None:
        raise self._away(id)

    async def move(self, id: ItemId, to: CollectionId, chosen: Chosen) -> Written:
        raise self._away(id)

    def _away(self, id: ItemId) -> ItemGone | NotAllowed:
        """The notice may be put away, and comes again as long as it is true."""
        return ItemGone(str(id)) if id == NOTICE_ID else NotAllowed(WHY)


class NoDirectory:
    """Directory: nobody is in it."""

    async def search(
        self, text: str, start: int, count: int, *, pictures: bool = True
    ) -> tuple[Sequence[Person], int]:
        return (), 0

    async def resolve(self, text: str, limit: int, *, pictures: bool = True) -> Sequence[Person]:
        return ()

    async def busy(self, address: str, start: datetime, end: datetime) -> Sequence[BusyPeriod] | None:
        return None


class NoOutbox:
    """Outbox: nothing is sent; the device keeps what it wanted to send."""

    async def submit(self, outgoing: object) -> None:
        raise Undeliverable(Refusal.SENDER, WHY)

"""The mailbox that a session assumes, made through the groupware's own port; and while it is played, what happened.

    stage = await prepared(mailbox, viewer, file, binding, clock=..., force=False)
    play(exchanges, line, Manner(stage=stage))

Two readings of the file, one exchange at a time: for what the session has of bodies and attachments, and for what is
there and what happens (`assumed`). What is to happen later waits in a temporary file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from eas.engine.classes import EMAIL
from eas.engine.errors import BackendError
from eas.engine.model import Folder as Live
from eas.engine.model import FolderType
from eas.engine.ports import Chosen, Feed, Horizon, Mailbox, Written
from eas.items.body import Wanted
from eas.items.native import ItemId, Mail, Record, Viewer
from eas.protocol.wbxml import Element, decode, encode
from eas.replay.format.model import SessionError
from eas.replay.format.reading import open_session
from eas.replay.playing.binding import Binding
from eas.replay.playing.folders import ROOT, Folder, Folders
from eas.replay.playing.learning import text
from eas.replay.playing.moments import instant
from eas.replay.playing.rewriting import moved_document

from .assumed import Event, What, assumed
from .contents import Contents
from .mailing import message_of
from .records import NotMade, record_of
from .whose import Whose

#: Calls with the moment at which the next item is received; where the groupware has no such clock, nothing.
Clock = Callable[[datetime | None], None]


class NotEmpty(SessionError):
    """There is something in the mailbox."""


@dataclass(frozen=True, slots=True)
class _Later:
    """An event whose data waits in the spool."""

    event: Event
    start: int
    length: int


@dataclass(slots=True)
class Prepared:
    """A Stage. `lacks` says what could not be made as it was; `items` counts what was put there at the beginning."""

    mailbox: Mailbox
    viewer: Viewer
    binding: Binding
    clock: Clock
    contents: Contents
    spool: IO[bytes]
    items: int = 0
    lacks: list[str] = field(default_factory=list)
    _folders: Folders = field(default_factory=Folders)
    _feeds: dict[str, tuple[Live, Feed]] = field(default_factory=dict)
    _ids: dict[tuple[str, str], ItemId] = field(default_factory=dict)
    _later: dict[tuple[int, bool], list[_Later]] = field(default_factory=dict)

    # -- the beginning

    async def begin(self, file: Path, force: bool) -> None:
        """Raises NotEmpty, SessionError, OSError, BackendError."""
        if not force:
            await self._refuse_content()
        with open_session(file) as session:
            self.contents.read(session.exchanges)
        first: list[tuple[tuple[int, float, int], _Later]] = []
        whose = Whose(self.viewer)
        with open_session(file) as session:
            for number, event in enumerate(assumed(session.exchanges)):
                if event.what is What.FOLDER and not event.at:
                    assert event.made is not None
                    self._folders.recorded[event.folder] = event.made
                    continue
                whose.learn(event.data)
                later = self._spooled(event)
                if event.at:
                    self._later.setdefault((event.at, event.waiting), []).append(later)
                else:
                    first.append((_order(event, number), later))
        await self._make_folders()
        self.lacks += whose.lacks()
        for _, later in sorted(first, key=lambda one: one[0]):
            self.lacks += await self._happens(later)
            self.items += 1

    async def _refuse_content(self) -> None:
        for folder in await self.mailbox.folders():
            if (await self.mailbox.feed(folder).delta(None, Horizon())).touched:
                raise NotEmpty(f"the mailbox is not empty: there is something in {folder.name!r} (--force fills it)")

    def _spooled(self, event: Event) -> _Later:
        data = encode(event.data) if event.data.tag else b""
        start = self.spool.seek(0, 2)
        self.spool.write(data)
        light = Event(what=event.what, folder=event.folder, id=event.id, made=event.made, at=event.at,
                      waiting=event.waiting, version=event.version)
        return _Later(light, start, len(data))

    async def _make_folders(self) -> None:
        await self._know()
        for id, folder in sorted(self._folders.recorded.items(), key=lambda one: self._depth(one[1])):
            if id not in self._folders.live_of:
                self.lacks += await self._make(id, folder)

    def _depth(self, folder: Folder, most: int = 50) -> int:
        above = self._folders.recorded.get(folder.parent)
        return 0 if above is None or not most else 1 + self._depth(above, most - 1)

    async def _know(self) -> None:
        self._folders.live = {
            one.id: Folder(one.name, str(int(one.type)), one.parent) for one in await self.mailbox.folders()
        }
        self._folders.pair()

    async def _make(self, id: str, folder: Folder) -> list[str]:
        parent = self._folders.live_of.get(folder.parent, ROOT) if folder.parent != ROOT else ROOT
        kind = FolderType(int(folder.type)) if folder.type in {str(int(one)) for one in FolderType} else None
        if kind is None or kind in (FolderType.RECIPIENT_CACHE, FolderType.UNKNOWN):
            return [f"folder {folder.name!r}: of a type that is not made"]
        try:
            made = await self.mailbox.create_folder(parent, folder.name, kind, Chosen(name=_name(id, folder.name)))
        except BackendError as error:
            return [f"folder {folder.name!r}: {error or type(error).__name__}"]
        self._folders.live[made.id] = Folder(folder.name, folder.type, parent)
        self._folders.live_of[id] = made.id
        return []

    # -- as a stage

    def causes(self, number: int) -> bool:
        return (number, True) in self._later

    async def before(self, number: int) -> tuple[str, ...]:
        return await self._at(number, False)

    async def during(self, number: int) -> tuple[str, ...]:
        return await self._at(number, True)

    async def _at(self, number: int, waiting: bool) -> tuple[str, ...]:
        said: list[str] = []
        for later in self._later.pop((number, waiting), ()):
            said += [f"on the server: {lack}" for lack in await self._happens(later)]
        return tuple(said)

    # -- events

    async def _happens(self, later: _Later) -> list[str]:
        """What could not be done, in words."""
        event = later.event
        self.spool.seek(later.start)
        raw = self.spool.read(later.length)
        data = moved_document(decode(raw), self.binding) if raw else Element("AirSync:ApplicationData")
        try:
            if event.what is What.FOLDER:
                return await self._new_folder(event)
            feed = await self._feed(event.folder)
            if feed is None:
                return [f"the folder of item {event.id} is not there"]
            return await _HOW[event.what](self, event, *feed, data)
        except (BackendError, NotMade) as error:
            return [f"{event.what.name.lower()} {_called(data) or event.id!r}: {error or type(error).__name__}"]

    async def _feed(self, folder: str) -> tuple[Live, Feed] | None:
        if folder not in self._feeds:
            id = self._folders.live_of.get(folder)
            live = await self.mailbox.folder(id) if id is not None else None
            if live is None:
                return None
            self._feeds[folder] = live, self.mailbox.feed(live)
        return self._feeds[folder]

    async def _new_folder(self, event: Event) -> list[str]:
        assert event.made is not None
        self._folders.recorded[event.folder] = event.made
        await self._know()
        return [] if event.folder in self._folders.live_of else await self._make(event.folder, event.made)

    async def _new_item(self, event: Event, folder: Live, feed: Feed, data: Element) -> list[str]:
        name = _name(event.folder, event.id)
        if folder.item_class == EMAIL:
            if (body := self.contents.item(event.folder, event.id)) is not None:
                data = _with_body(data, moved_document(body, self.binding))
            made = await asyncio.to_thread(message_of, data, event.version, self.contents.file)
            self.clock(made.received)
            try:
                written = await feed.create(made.mime, Chosen(name=name), made.flags)
            finally:
                self.clock(None)
            lacks = [f"mail {made.subject!r}: {lack}" for lack in made.lacks]
        else:
            octets = record_of(folder.item_class, data, event.version, self.viewer, name)
            uid = text(data, "Calendar:UID")
            there = await feed.by_uid(uid) if uid else None  # an invitation may have brought it
            if there is not None:
                self._ids[event.folder, event.id] = there
                return []
            suffix = ".vcf" if folder.item_class == "Contacts" else ".ics"
            written, lacks = await feed.create(octets, Chosen(name=name + suffix)), []
        self._ids[event.folder, event.id] = written.id
        return lacks

    async def _changed(self, event: Event, folder: Live, feed: Feed, data: Element) -> list[str]:
        id = self._ids.get((event.folder, event.id))
        if id is None:
            return []  # the device's own: it is not known here where that went
        async for item in feed.fetch([id], Wanted()):
            if isinstance(item, Mail):
                await self._new_flags(feed, item, event, data)
            else:
                await self._new_version(feed, item, folder, event, data)
        return []

    async def _new_flags(self, feed: Feed, item: Mail, event: Event, data: Element) -> Written:
        told = message_of(data, event.version, self.contents.file).flags
        tags = {child.tag for child in data.elements}
        flags = replace(
            item.flags, read=told.read if "Email:Read" in tags else item.flags.read,
            follow_up=told.follow_up if "Email:Flag" in tags else item.flags.follow_up,
            categories=told.categories if "Email:Categories" in tags else item.flags.categories,
        )
        return await feed.set_flags(item.id, flags)

    async def _new_version(
        self, feed: Feed, item: Record, folder: Live, event: Event, data: Element
    ) -> Written:
        octets = record_of(folder.item_class, data, event.version, self.viewer, "", item.data)
        return await feed.update(item.id, octets, None)

    async def _gone(self, event: Event, folder: Live, feed: Feed, data: Element) -> list[str]:
        id = self._ids.pop((event.folder, event.id), None)
        if id is not None:
            await feed.delete(id)
        return []


_HOW = {What.ITEM: Prepared._new_item, What.CHANGED: Prepared._changed, What.GONE: Prepared._gone}


def _order(event: Event, number: int) -> tuple[int, float, int]:
    """Mail in the order in which it came, other items the last one first: servers tell of the newest first."""
    received = instant(text(event.data, "Email:DateReceived"))
    return (0, received.timestamp(), -number) if received is not None else (1, 0.0, -number)


def _name(*of: str) -> str:
    return blake2b("\0".join(of).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _called(data: Element) -> str:
    found = next((child.text for child in data.elements if child.tag.endswith((":Subject", ":FileAs"))), "")
    return repr(found) if found else ""


def _with_body(data: Element, body: Element) -> Element:
    return Element(data.tag, (*(one for one in data.elements if one.tag != body.tag), body))


@asynccontextmanager
async def prepared(
    mailbox: Mailbox, viewer: Viewer, file: Path, binding: Binding, *, clock: Clock = lambda at: None,
    force: bool = False,
) -> AsyncIterator[Prepared]:
    """The mailbox as the session assumes it. Raises NotEmpty, SessionError, OSError, BackendError."""
    with Contents() as contents, TemporaryFile() as spool:
        stage = Prepared(mailbox, viewer, binding, clock, contents, spool)
        await stage.begin(file, force)
        yield stage

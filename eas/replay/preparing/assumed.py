"""What a session takes for granted, read off it: the mailbox as it was at the beginning, and what happened there later.

A device is told everything: the folders by its first FolderSync, the items by the first windows of each collection.
What comes after that, and is not the effect of what the device itself did, has happened on the server: each such event
belongs to the exchange before which, or during whose wait, it happened. Pure, and one exchange at a time; of an item
only what it is known by is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.parser import BytesHeaderParser
from email.policy import default as modern
from email.utils import parseaddr
from enum import Enum, auto

from eas.protocol.query import QueryError, complete, parse
from eas.protocol.version import Version
from eas.protocol.wbxml import Element
from eas.replay.format.model import Exchange, Text
from eas.replay.playing.folders import ROOT, Folder
from eas.replay.playing.learning import NOTHING, collection_id, document_of, text, within
from eas.replay.playing.moments import instant
from eas.replay.playing.play import in_order
from eas.replay.playing.traits import traits
from eas.replay.playing.waits import ended_by_change, is_wait


class What(Enum):
    FOLDER = auto()
    ITEM = auto()
    CHANGED = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that is in the mailbox, or happens there. `at` is the exchange before which it happens, 0: it was there
    at the beginning; `waiting`: while that exchange waits. `folder` is the recorded id, of a FOLDER its own."""

    what: What
    folder: str
    id: str = ""
    data: Element = NOTHING
    made: Folder | None = None
    at: int = 0
    waiting: bool = False
    version: Version = Version.V14_1


#: Types of folders. [MS-ASCMD] Type (FolderSync).
INBOX, DELETED, SENT = "2", "4", "5"
_COLLECTIONS = ("AirSync:Collections", "AirSync:Collection")
_SENDING = ("ComposeMail:SendMail", "ComposeMail:SmartReply", "ComposeMail:SmartForward")


@dataclass(slots=True)
class _Collection:
    """`filled`: the first windows have all come. `items`: id -> what the item is known by. `touched`: the device has
    done something to these, so that changes of them are the server's echo. `coming`: what it has moved here, which it
    has not been told of yet. `pinged`: the wait that told of news."""

    filled: bool = False
    begun: bool = False
    items: dict[str, str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    coming: dict[str, str] = field(default_factory=dict)
    pinged: tuple[int, bool] | None = None


def assumed(exchanges: Iterable[Exchange]) -> Iterator[Event]:
    """The events, as the session tells of them."""
    reading = _Reading()
    for exchange, _ in in_order(exchanges):
        yield from reading.read(exchange)


@dataclass(slots=True)
class _Reading:
    folders: dict[str, Folder] = field(default_factory=dict)
    collections: dict[str, _Collection] = field(default_factory=dict)
    version: Version = Version.V14_1
    began: datetime | None = None
    #: What the device's own doing will bring into a folder: (folder or "", what it is known by).
    expected: Counter[tuple[str, str]] = field(default_factory=Counter)
    own_folders: set[str] = field(default_factory=set)
    #: Collections of the last Sync, for those that have no body.
    asked: tuple[Element, ...] = ()

    def read(self, exchange: Exchange) -> Iterator[Event]:
        self.began = self.began or exchange.time
        if exchange.answer.status != 200:
            return
        self._version(exchange)
        request, answer = document_of(exchange.request.body), document_of(exchange.answer.body)
        self._own_mail(exchange, request)
        told = answer if answer is not None else request
        if told is None:
            return
        if told.tag in ("FolderHierarchy:FolderSync", "FolderHierarchy:Folders"):
            yield from self._hierarchy(exchange, request or NOTHING, answer or NOTHING)
        elif told.tag == "AirSync:Sync":
            yield from self._sync(exchange, request, answer or NOTHING)
        elif told.tag == "Ping:Ping" and answer is not None:
            self._ping(exchange, answer)
        else:
            self._done(request or NOTHING, answer or NOTHING)

    def _version(self, exchange: Exchange) -> None:
        try:
            headers = {name.lower(): value for name, value in exchange.request.headers}
            found = complete(parse(exchange.request.query), headers).version
        except QueryError:
            found = None
        self.version = found or self.version

    # -- folders

    def _hierarchy(self, exchange: Exchange, request: Element, answer: Element) -> Iterator[Event]:
        first = text(request, "FolderHierarchy:SyncKey") in ("", ROOT)
        changes = answer.child("FolderHierarchy:Changes") or answer
        for change in changes.elements:
            id, kind = text(change, "FolderHierarchy:ServerId"), change.tag.partition(":")[2]
            if kind in ("Add", "Folder") and id not in self.folders:
                made = Folder(text(change, "FolderHierarchy:DisplayName"), text(change, "FolderHierarchy:Type"),
                              text(change, "FolderHierarchy:ParentId"))
                self.folders[id] = made
                if id not in self.own_folders:
                    yield Event(what=What.FOLDER, folder=id, made=made, at=0 if first else exchange.number)

    # -- items

    def _sync(self, exchange: Exchange, request: Element | None, answer: Element) -> Iterator[Event]:
        if request is not None and request.child("AirSync:Collections") is not None:
            self.asked = tuple(within(request, *_COLLECTIONS))
        asked = {collection_id(one): one for one in self.asked}
        held = is_wait(exchange.request) and ended_by_change(exchange.answer)
        for id, collection in asked.items():
            self._own_commands(id, collection)
        answered = {collection_id(one): one for one in within(answer, *_COLLECTIONS)}
        for id, told in answered.items():
            yield from self._collection(exchange, id, asked.get(id, NOTHING), told, held)
        for id in asked.keys() - answered.keys():  # nothing new: all of it has come
            if text(asked[id], "AirSync:SyncKey") != ROOT:
                self.collections[id].filled = True

    def _collection(
        self, exchange: Exchange, id: str, asked: Element, told: Element, held: bool
    ) -> Iterator[Event]:
        known = self.collections.setdefault(id, _Collection())
        key = text(asked, "AirSync:SyncKey")
        if key == ROOT:
            known.begun, known.filled = True, False
        at, waiting = known.pinged or (exchange.number, held)
        known.pinged = None
        self._confirmed(known, told)
        for commands in told.children("AirSync:Commands"):
            for command in commands.elements:
                yield from self._command(known, id, command, at, waiting)
        if key != ROOT and told.child("AirSync:MoreAvailable") is None:
            known.filled = True

    def _command(
        self, known: _Collection, folder: str, command: Element, at: int, waiting: bool
    ) -> Iterator[Event]:
        id, data = text(command, "AirSync:ServerId"), command.child("AirSync:ApplicationData") or NOTHING
        kind = command.tag.partition(":")[2]
        if kind == "Add":
            if id not in known.items:
                key = known.items[id] = _key(id, data)
                if not self._expected(folder, key, data, known.filled):
                    first = (known.begun and not known.filled) or self._earlier(data)
                    yield self._event(What.ITEM, folder, id, data, 0 if first else at, waiting and not first)
        elif kind == "Change":
            if id in known.touched:
                known.touched.discard(id)
            elif id in known.items:
                yield self._event(What.CHANGED, folder, id, data, at, waiting)
        elif kind == "Delete":
            if known.items.pop(id, None) is not None and id not in known.left:
                yield self._event(What.GONE, folder, id, NOTHING, at, waiting)
            known.left.discard(id)

    def _event(self, what: What, folder: str, id: str, data: Element, at: int, waiting: bool) -> Event:
        return Event(what=what, folder=folder, id=id, data=data, at=at, waiting=waiting, version=self.version)

    def _earlier(self, data: Element) -> bool:
        """Mail that had come before the session began was there, whenever the device is told of it."""
        received = instant(text(data, "Email:DateReceived"))
        return received is not None and self.began is not None and received < self.began

    def _expected(self, folder: str, key: str, data: Element, filled: bool) -> bool:
        """Whether the device's own doing has put this into the folder."""
        for where in (folder, self._type(folder)):
            if self.expected[where, key] > 0:
                self.expected[where, key] -= 1
                return True
        subject = _words(text(data, "Email:Subject"))
        if filled or self.expected:
            for where in (self._type(folder), "own"):
                if self.expected[where, f"sent {subject}"] > 0 and (where == SENT or self._from_self(data)):
                    self.expected[where, f"sent {subject}"] -= 1
                    return True
        return False

    def _type(self, folder: str) -> str:
        found = self.folders.get(folder)
        return f"type {found.type}" if found is not None and found.type != SENT else SENT

    def _from_self(self, data: Element) -> bool:
        sender = parseaddr(text(data, "Email:From"))[1].casefold()
        return bool(sender) and self.expected["from", sender] > 0

    def _confirmed(self, known: _Collection, told: Element) -> None:
        for added in within(told, "AirSync:Responses", "AirSync:Add"):
            if id := text(added, "AirSync:ServerId"):
                known.items[id] = id
                known.touched.add(id)

    # -- what the device does itself

    def _own_commands(self, id: str, collection: Element) -> None:
        known = self.collections.setdefault(id, _Collection())
        for commands in collection.children("AirSync:Commands"):
            for command in commands.elements:
                item = text(command, "AirSync:ServerId")
                if command.tag == "AirSync:Delete" and command.child("AirSyncBase:InstanceId") is None:
                    self._leaves(id, item, f"type {DELETED}")
                elif command.tag in ("AirSync:Change", "AirSync:Delete"):
                    known.touched.add(item)
                if command.child("Email2:Send") is not None:
                    self._sends(text(command, "AirSync:ApplicationData", "Email:Subject"), "")

    def _leaves(self, folder: str, item: str, to: str) -> str:
        """What the item is known by, "" where nothing was said of it."""
        known = self.collections.setdefault(folder, _Collection())
        key, coming = known.items.pop(item, ""), known.coming.pop(item, "")
        known.left.add(item)
        if not key and coming:  # moved on before the device was told of it
            self.expected[folder, coming] -= 1
            key = coming
        if key:
            self.expected[to, key] += 1
        return key

    def _done(self, request: Element, answer: Element) -> None:
        keys: dict[str, str] = {}
        for move in request.children("Move:Move"):
            item = text(move, "Move:SrcMsgId")
            keys[item] = self._leaves(text(move, "Move:SrcFldId"), item, text(move, "Move:DstFldId"))
        to = {text(move, "Move:SrcMsgId"): text(move, "Move:DstFldId") for move in request.children("Move:Move")}
        for moved in answer.children("Move:Response"):
            folder = self.collections.setdefault(to.get(text(moved, "Move:SrcMsgId"), ""), _Collection())
            if id := text(moved, "Move:DstMsgId"):
                folder.touched.add(id)
                folder.coming[id] = keys.get(text(moved, "Move:SrcMsgId"), "")
        for asked in request.children("MeetingResponse:Request"):
            folder_id = text(asked, "MeetingResponse:CollectionId")
            self._leaves(folder_id, text(asked, "MeetingResponse:RequestId"), f"type {DELETED}")
        for result in answer.children("MeetingResponse:Result"):
            for folder in self.collections.values():
                if id := text(result, "MeetingResponse:CalendarId"):
                    folder.items.setdefault(id, id)
                    folder.touched.add(id)
        for emptied in request.children("ItemOperations:EmptyFolderContents"):
            known = self.collections.setdefault(text(emptied, "AirSync:CollectionId"), _Collection())
            known.left |= set(known.items)
        for moved in request.children("ItemOperations:Move"):
            for known in self.collections.values():
                for id, key in known.items.items():
                    self.expected[text(moved, "ItemOperations:DstFldId"), key] += 1
                    known.left.add(id)
        if request.tag == "FolderHierarchy:FolderCreate" and (id := text(answer, "FolderHierarchy:ServerId")):
            self.own_folders.add(id)
            self.folders[id] = Folder(text(request, "FolderHierarchy:DisplayName"),
                                      text(request, "FolderHierarchy:Type"), text(request, "FolderHierarchy:ParentId"))

    def _ping(self, exchange: Exchange, answer: Element) -> None:
        waited = ended_by_change(exchange.answer)
        for folder in within(answer, "Ping:Folders", "Ping:Folder"):
            self.collections.setdefault(folder.text, _Collection()).pinged = exchange.number, waited

    def _own_mail(self, exchange: Exchange, request: Element | None) -> None:
        body = exchange.request.body
        if isinstance(body, Text) and body.kind == "mime":
            mime = body.data
        elif request is not None and request.tag in _SENDING:
            found = request.child("ComposeMail:Mime")
            mime = found.content if found is not None and isinstance(found.content, bytes) else b""
        else:
            return
        head = BytesHeaderParser(policy=modern).parsebytes(mime)
        self._sends(str(head.get("Subject", "")), str(head.get("From", "")))
        source = request.child("ComposeMail:Source") if request is not None else None
        item = text(source, "ComposeMail:ItemId") if source is not None else ""
        with suppress(QueryError):
            item = item or parse(exchange.request.query).item_id or ""
        for known in self.collections.values():
            if item in known.items:
                known.touched.add(item)

    def _sends(self, subject: str, sender: str) -> None:
        for where in (SENT, "own"):
            self.expected[where, f"sent {_words(subject)}"] += 1
        if address := parseaddr(sender)[1].casefold():
            self.expected["from", address] = 1


def _key(id: str, data: Element) -> str:
    known = traits(id, data).known_by
    return next((one for one in known if one), id)


def _words(subject: str) -> str:
    return " ".join(subject.split()).casefold()


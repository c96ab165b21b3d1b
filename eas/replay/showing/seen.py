"""An exchange as whoever reads a session sees it: who asked for what, for which folders, and what was answered.

Made of an Exchange without I/O and without a look at others. `show`, `explain` and `stats` stand on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from eas.protocol import query as queries
from eas.protocol.version import Version
from eas.protocol.wbxml import Element
from eas.replay.format import body as bodies
from eas.replay.format.model import Body, Document, Exchange, Meta, Parts, header

#: What stands for the folders themselves among the folders that are synchronised.
HIERARCHY = "(folders)"
#: Code pages whose Status says how it went; in others it is content, as the status of a flag.
_SPEAKS = frozenset({
    "AirSync", "Ping", "FolderHierarchy", "GetItemEstimate", "Move", "Search", "Settings", "ItemOperations",
    "Provision", "ResolveRecipients", "ValidateCert", "MeetingResponse", "ComposeMail", "Find",
})
#: Elements in which no Status is an answer.
_CONTENT = frozenset({
    "AirSync:ApplicationData", "ItemOperations:Properties", "Search:Properties", "Find:Properties",
    "Provision:EASProvisionDoc", "FolderHierarchy:Changes",
})
#: Tags of what may be done with an item in a Sync, either way.
UP = ("Add", "Change", "Delete", "Fetch")
DOWN = ("Add", "Change", "Delete", "SoftDelete")


@dataclass(frozen=True, slots=True)
class Said:
    """One Status: `within` is the tag of the element it stands in; `folder` the collection, "" outside of any."""

    within: str
    value: str
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One folder in one exchange, or the HIERARCHY: from `key` to `next_key`; "" where a side said nothing of it."""

    folder: str
    key: str = ""
    next_key: str = ""
    status: str = ""
    asked: Element | None = None
    told: Element | None = None

    def up(self) -> Iterator[Element]:
        """What the device did: Add, Change, Delete, Fetch."""
        return _commands(self.asked, "AirSync:Commands")

    def down(self) -> Iterator[Element]:
        """What the server told of."""
        return _commands(self.told, "AirSync:Commands")

    def responses(self) -> Iterator[Element]:
        """What became of what the device did."""
        return _commands(self.told, "AirSync:Responses")

    @property
    def more(self) -> bool:
        return self.told is not None and self.told.child("AirSync:MoreAvailable") is not None


def _commands(collection: Element | None, tag: str) -> Iterator[Element]:
    commands = collection.child(tag) if collection is not None else None
    return iter(commands.elements if commands is not None else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`command` is that of the query, or `OPTIONS`, `Autodiscover`, else the method. `stated` is the version as the
    device wrote it, `version` None where it is none that exists. Sizes in bytes, -1 where they are not known."""

    exchange: Exchange
    command: str
    device: str
    user: str
    agent: str
    device_type: str
    stated: str
    version: Version | None
    asked: Element | None
    told: Element | None
    asked_bytes: int
    told_bytes: int
    steps: tuple[Step, ...]

    @property
    def number(self) -> int:
        return self.exchange.number

    @property
    def time(self) -> datetime:
        return self.exchange.time

    @property
    def seconds(self) -> float:
        return self.exchange.answer.seconds

    @property
    def end(self) -> datetime:
        return self.time + timedelta(seconds=min(self.seconds, 1e9))

    @property
    def http(self) -> int | None:
        return self.exchange.answer.status

    def heartbeat(self) -> int | None:
        """Seconds that it asked to wait for news; 0 for a request in full without a wait, None where it did not say."""
        if self.asked is None:
            return None
        for tag, unit in (("Ping:HeartbeatInterval", 1), ("AirSync:HeartbeatInterval", 1), ("AirSync:Wait", 60)):
            found = self.asked.child(tag)
            if found is not None and found.text.strip().isdecimal() and len(found.text) < 10:
                return int(found.text) * unit
        return 0 if self.command == "Sync" else None

    def status(self) -> str:
        """The Status of the whole answer, "" without one."""
        return _text(self.told, f"{self.told.tag.partition(':')[0]}:Status") if self.told is not None else ""

    def statuses(self) -> Iterator[Said]:
        if self.told is not None:
            yield from _statuses(self.told, "")


def seen(exchange: Exchange, meta: Meta) -> Seen:
    """The head of the session says what the exchange leaves out: OPTIONS names no device."""
    headers = {name.lower(): value for name, value in exchange.request.headers}
    query, command = _query(exchange, headers)
    asked, told = root_of(exchange.request.body), root_of(exchange.answer.body)
    stated = query.version.text if query is not None and query.version is not None else ""
    stated = stated or headers.get("ms-asprotocolversion", "").strip()
    return Seen(
        exchange=exchange, command=command, stated=stated, version=_version(stated),
        device=(query.device_id if query is not None else "") or meta.get("device"),
        user=(query.user if query is not None else "") or meta.get("user"),
        agent=headers.get("user-agent", "") or meta.get("client"),
        device_type=(query.device_type if query is not None else "") or meta.get("device type"),
        asked=asked, told=told, asked_bytes=bodies.length(exchange.request.body),
        told_bytes=bodies.length(exchange.answer.body), steps=_steps(command, asked, told),
    )


def root_of(body: Body) -> Element | None:
    """The document of a message, also of one in parts."""
    if isinstance(body, Parts) and body.parts:
        body = body.parts[0]
    return body.root if isinstance(body, Document) else None


def _query(exchange: Exchange, headers: dict[str, str]) -> tuple[queries.Query | None, str]:
    request = exchange.request
    if "autodiscover" in request.path.lower():
        return None, "Autodiscover"
    if not request.query:
        return None, request.method
    try:
        query = queries.parse(request.query)
    except queries.QueryError as error:
        return None, error.command or request.method
    return query, "OPTIONS" if request.method == "OPTIONS" else query.command


def _version(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except ValueError:
        return None


def _statuses(element: Element, folder: str) -> Iterator[Said]:
    folder = _text(element, "AirSync:CollectionId") or folder
    for child in element.elements:
        space, _, name = child.tag.partition(":")
        if name == "Status" and space in _SPEAKS:
            yield Said(element.tag, child.text.strip(), folder)
        elif child.elements and child.tag not in _CONTENT:
            yield from _statuses(child, folder)


# Folders -------------------------------------------------------------------------------------------------------------


def _steps(command: str, asked: Element | None, told: Element | None) -> tuple[Step, ...]:
    if command == "FolderSync":
        return (Step(
            folder=HIERARCHY, key=_text(asked, "FolderHierarchy:SyncKey"),
            next_key=_text(told, "FolderHierarchy:SyncKey"), status=_text(told, "FolderHierarchy:Status"), asked=asked,
            told=told,
        ),)
    if command != "Sync":
        return ()
    wanted, given = _collections(asked), _collections(told)
    return tuple(_step(folder, wanted.get(folder), given.get(folder)) for folder in {**wanted, **given})


def _step(folder: str, asked: Element | None, told: Element | None) -> Step:
    return Step(
        folder=folder, key=_text(asked, "AirSync:SyncKey"), next_key=_text(told, "AirSync:SyncKey"),
        status=_text(told, "AirSync:Status"), asked=asked, told=told,
    )


def _collections(root: Element | None) -> dict[str, Element]:
    """By id; by class where 2.5 leaves the id out."""
    collections = root.child("AirSync:Collections") if root is not None else None
    if collections is None:
        return {}
    return {
        _text(one, "AirSync:CollectionId") or _text(one, "AirSync:Class"): one
        for one in collections.children("AirSync:Collection")
    }


def _text(element: Element | None, tag: str) -> str:
    child = element.child(tag) if element is not None else None
    return child.text.strip() if child is not None else ""


def retry_after(one: Seen) -> float:
    """Seconds of an answer's Retry-After; 0 without one that is a number."""
    text = header(one.exchange.answer.headers, "Retry-After").strip()
    return float(text) if text.isdecimal() and len(text) < 8 else 0.0


class Folders:
    """The names of a device's folders, as it learned them; at most MOST."""

    MOST = 20_000

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def learn(self, one: Seen) -> None:
        if one.told is None or not one.told.tag.startswith("FolderHierarchy:"):
            return
        changes = one.told.child("FolderHierarchy:Changes")
        for change in changes.elements if changes is not None else ():
            self._take(_text(change, "FolderHierarchy:ServerId"), _text(change, "FolderHierarchy:DisplayName"))
        made = _text(one.told, "FolderHierarchy:ServerId")
        if one.command == "FolderCreate" and made:
            self._take(made, _text(one.asked, "FolderHierarchy:DisplayName"))

    def _take(self, folder: str, name: str) -> None:
        if folder and name and len(self._names) < self.MOST:
            self._names[folder] = name

    def name(self, folder: str) -> str:
        """Its name, else its id."""
        return self._names.get(folder, folder)

    def fits(self, folder: str, wanted: str) -> bool:
        """Whether somebody who says `wanted` means that folder: its id, or its name in any case."""
        return wanted == folder or self.name(folder).casefold() == wanted.casefold()

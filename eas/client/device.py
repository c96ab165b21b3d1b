"""What a device knows: its folders, their keys, their items, and what it has changed and not yet told the server.

All of it is one JSON file, written whole and put in place by a rename, so that a device that dies at any moment goes on
from where it was. The password is not in it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from eas.engine.model import FolderType
from eas.protocol.schema import load
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

M = TypeVar("M")

#: The key with which a collection begins. [MS-ASCMD] SyncKey.
ZERO = "0"
#: Of the file; another one is refused rather than misread.
FORMAT = 1
APPLICATION_DATA = "AirSync:ApplicationData"

#: The class of a folder, by its type. [MS-ASCMD] Type (FolderSync).
CLASS_OF_TYPE: Mapping[FolderType, str] = {
    **dict.fromkeys(FolderType, "Email"),
    **dict.fromkeys((FolderType.TASKS, FolderType.USER_TASKS), "Tasks"),
    **dict.fromkeys((FolderType.CALENDAR, FolderType.USER_CALENDAR), "Calendar"),
    **dict.fromkeys((FolderType.CONTACTS, FolderType.USER_CONTACTS, FolderType.RECIPIENT_CACHE), "Contacts"),
    **dict.fromkeys((FolderType.NOTES, FolderType.USER_NOTES), "Notes"),
}
#: Folders that have nothing to synchronise on a phone.
NOT_SYNCHRONISED = frozenset(
    {FolderType.OUTBOX, FolderType.JOURNAL, FolderType.USER_JOURNAL, FolderType.UNKNOWN, FolderType.RECIPIENT_CACHE}
)


class StateFileError(ValueError):
    """The state file cannot be read."""


@dataclass(slots=True, kw_only=True)
class Item:
    """One item as the server sent it: `data` is its ApplicationData."""

    server_id: str
    data: Element

    def read(self, cls: type[M], version: Version) -> M:
        """The item as a message of `eas.items`. Raises SchemaError."""
        return load(cls, self.data, version)

    def text(self, *tags: str) -> str:
        """The text at the end of a path of tags, "" where there is none."""
        at: Element | None = self.data
        for tag in tags:
            at = at.child(tag) if at is not None else None
        return at.text if at is not None else ""


class Kind(StrEnum):
    """What a device can ask of an item within a Sync."""

    ADD = "Add"
    CHANGE = "Change"
    DELETE = "Delete"
    FETCH = "Fetch"


@dataclass(slots=True, kw_only=True)
class Pending:
    """A change made here that the server has not confirmed. An Add has a `client_id`, the others a `server_id`."""

    kind: Kind
    client_id: str = ""
    server_id: str = ""
    data: Element = field(default_factory=lambda: Element(APPLICATION_DATA))


@dataclass(slots=True, kw_only=True)
class Folder:
    """`more`: the server has said that there is more to come."""

    id: str
    parent: str
    name: str
    type: FolderType
    sync_key: str = ZERO
    more: bool = False
    items: dict[str, Item] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)

    @property
    def item_class(self) -> str:
        return CLASS_OF_TYPE[self.type]

    @property
    def synchronised(self) -> bool:
        return self.type not in NOT_SYNCHRONISED

    def current(self, server_id: str) -> Item:
        """The item with what was changed here and is not confirmed yet. Raises KeyError."""
        item = self.items[server_id]
        for change in self.pending:
            if change.kind is Kind.CHANGE and change.server_id == server_id:
                item = Item(server_id=server_id, data=merged(self.item_class, item.data, change.data))
        return item


@dataclass(slots=True, kw_only=True)
class DeviceState:
    """`unanswered` is a Sync request whose answer never came: it is sent again, as it was, before anything else."""

    device_id: str
    url: str = ""
    user: str = ""
    version: Version | None = None
    policy_key: int | None = None
    folder_key: str = ZERO
    folders: dict[str, Folder] = field(default_factory=dict)
    unanswered: Element | None = None
    wiped: bool = False
    _numbers: int = 0

    @classmethod
    def new(cls, device_id: str = "") -> DeviceState:
        return cls(device_id=device_id or "phone" + secrets.token_hex(8))

    def client_id(self) -> str:
        """A new ClientId, unique on this device; at most 40 characters, as SendMail wants. [MS-ASCMD] ClientId."""
        self._numbers += 1
        return f"{secrets.token_hex(8)}-{self._numbers}"

    def folder(self, name: str | FolderType) -> Folder:
        """By id, type, or name (in this order). Raises KeyError."""
        if isinstance(name, FolderType):
            found = next((f for f in self.folders.values() if f.type is name), None)
        else:
            found = self.folders.get(name) or next(
                (f for f in self.folders.values() if f.name.casefold() == name.casefold()), None
            )
        if found is None:
            raise KeyError(f"no folder {name}")
        return found

    def of_class(self, item_class: str) -> Iterator[Folder]:
        return (f for f in self.folders.values() if f.item_class == item_class and f.synchronised)

    def forget(self) -> None:
        """Drop all that came from the server, as a wipe does."""
        self.folder_key, self.policy_key, self.unanswered = ZERO, None, None
        self.folders.clear()

    # -- the file ------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        raw = json.dumps(_dump_state(self), ensure_ascii=False, separators=(",", ":"))
        spare = path.with_name(f"{path.name}.{os.getpid()}.new")
        handle = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        spare.replace(path)

    @classmethod
    def load(cls, path: Path) -> DeviceState:
        """Raises StateFileError for a file that is none, FileNotFoundError if there is none."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if raw["format"] != FORMAT:
                raise StateFileError(f"{path} is of format {raw['format']}, not {FORMAT}")
            return _load_state(raw)
        except StateFileError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateFileError(f"{path} is not the state of a device: {error}") from error


# Elements of items --------------------------------------------------------------------------------------------------

#: What a device may change of a mail. [MS-ASCMD] Change (Sync).
MAIL_CHANGEABLE = ("Email:Flag", "Email:Read", "Email:Categories")
#: What the server alone says of an item.
READ_ONLY = frozenset(
    {
        "AirSyncBase:NativeBodyType", "Calendar:ResponseType", "Calendar:AppointmentReplyTime",
        "Calendar:OnlineMeetingConfLink", "Calendar:OnlineMeetingExternalLink",
    }
)
#: What stays as it was when a Change leaves it out. [MS-ASCMD] Change (Sync).
KEPT = READ_ONLY | {"AirSyncBase:Body", "Contacts:Picture", "Calendar:Exceptions", "Calendar:UID", "Calendar:DtStamp",
                    "Tasks:Importance", "Tasks:ReminderSet", "Notes:MessageClass", "Notes:LastModifiedDate"}


def merged(item_class: str, old: Element, change: Element) -> Element:
    """An item after a change: a mail keeps all that is not named, other items what the protocol says."""
    named = {e.tag for e in change.elements}
    kept = [e for e in old.elements if e.tag not in named and (item_class == "Email" or e.tag in KEPT)]
    return Element(APPLICATION_DATA, (*kept, *(e for e in change.elements if e.content)))


def updated(old: Element, change: Element) -> Element:
    """A mail after a Change from the server, which may say only what is new."""
    named = {e.tag for e in change.elements}
    return Element(APPLICATION_DATA, (*(e for e in old.elements if e.tag not in named), *change.elements))


def sendable(data: Iterable[Element]) -> tuple[Element, ...]:
    """The elements of an item as a device may send them back: without what is the server's to say, the body as type and
    data alone, and without a body of which only a part is here."""
    out: list[Element] = []
    for child in data:
        if child.tag in READ_ONLY or child.tag == "Calendar:Exceptions":
            continue
        if child.tag == "AirSyncBase:Body":
            truncated = child.child("AirSyncBase:Truncated")
            if truncated is not None and truncated.text != "0":
                continue
            parts = tuple(e for e in child.elements if e.tag in ("AirSyncBase:Type", "AirSyncBase:Data"))
            child = Element(child.tag, parts)
        out.append(child)
    return tuple(out)


# JSON ---------------------------------------------------------------------------------------------------------------


def element_to_json(element: Element) -> list[Any]:
    """["Tag", "text"], ["Tag", [children]], ["Tag", {"base64": ...}] or, when empty, ["Tag"]."""
    match element.content:
        case bytes() as raw:
            return [element.tag, {"base64": base64.b64encode(raw).decode("ascii")}]
        case str() as text:
            return [element.tag, text]
        case ():
            return [element.tag]
        case children:
            return [element.tag, [element_to_json(child) for child in children]]


def element_from_json(raw: Any) -> Element:
    """Raises ValueError."""
    match raw:
        case [str() as tag]:
            return Element(tag)
        case [str() as tag, str() as text]:
            return Element(tag, text)
        case [str() as tag, {"base64": str() as encoded}]:
            try:
                return Element(tag, base64.b64decode(encoded, validate=True))
            except binascii.Error as error:
                raise ValueError("not base64") from error
        case [str() as tag, list() as children]:
            return Element(tag, tuple(element_from_json(child) for child in children))
    raise ValueError(f"not an element: {str(raw)[:40]}")


def _dump_state(state: DeviceState) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "device_id": state.device_id,
        "url": state.url,
        "user": state.user,
        "version": state.version.text if state.version else None,
        "policy_key": state.policy_key,
        "folder_key": state.folder_key,
        "numbers": state._numbers,
        "wiped": state.wiped,
        "unanswered": element_to_json(state.unanswered) if state.unanswered else None,
        "folders": [
            {
                "id": f.id, "parent": f.parent, "name": f.name, "type": int(f.type), "sync_key": f.sync_key,
                "more": f.more,
                "items": {sid: element_to_json(item.data) for sid, item in f.items.items()},
                "pending": [[p.kind, p.client_id, p.server_id, element_to_json(p.data)] for p in f.pending],
            }
            for f in state.folders.values()
        ],
    }


def _load_state(raw: Mapping[str, Any]) -> DeviceState:
    folders = [
        Folder(
            id=f["id"], parent=f["parent"], name=f["name"], type=FolderType(f["type"]), sync_key=f["sync_key"],
            more=f["more"],
            items={sid: Item(server_id=sid, data=element_from_json(e)) for sid, e in f["items"].items()},
            pending=[
                Pending(kind=Kind(kind), client_id=client_id, server_id=server_id, data=element_from_json(data))
                for kind, client_id, server_id, data in f["pending"]
            ],
        )
        for f in raw["folders"]
    ]
    return DeviceState(
        device_id=raw["device_id"], url=raw["url"], user=raw["user"],
        version=Version.parse(raw["version"]) if raw["version"] else None, policy_key=raw["policy_key"],
        folder_key=raw["folder_key"], folders={f.id: f for f in folders},
        unanswered=element_from_json(raw["unanswered"]) if raw["unanswered"] else None, wiped=raw["wiped"],
        _numbers=raw["numbers"],
    )

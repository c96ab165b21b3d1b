"""The messages of Sync: what is asked of collections, and what is told of them.

[MS-ASCMD] Sync; the elements in the order in which Exchange writes them. eas.commands.sync handles them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.items.body import BodyPreference
from eas.protocol import schema
from eas.protocol.schema import (
    ELEMENT,
    FLAG,
    INT,
    PRESENCE,
    Codec,
    SchemaError,
    choices,
    element,
    elements,
    enum,
    message,
)
from eas.protocol.version import COLLECTION_CLASS, DEFAULT_COLLECTIONS, EMPTY_SYNC, Version
from eas.protocol.wbxml import Element


class Status(IntEnum):
    """Of the request or of a collection; those of items are eas.engine.apply.ItemStatus."""

    SUCCESS = 1
    INVALID_SYNC_KEY = 3
    PROTOCOL_ERROR = 4
    SERVER_ERROR = 5
    HIERARCHY_CHANGED = 12
    INCOMPLETE_REQUEST = 13
    INVALID_WAIT = 14
    TOO_MANY_COLLECTIONS = 15
    RETRY = 16


# -- The request


PREFERENCE_ORDER = tuple(
    f"AirSyncBase:{name}" for name in ("Type", "TruncationSize", "AllOrNone", "Preview")
)


def _preference(element: Element, version: Version) -> BodyPreference:
    """A BodyPreference whose children stand in another order is malformed. [MS-ASAIRS] BodyPreference."""
    order = [PREFERENCE_ORDER.index(e.tag) for e in element.elements if e.tag in PREFERENCE_ORDER]
    if order != sorted(set(order)):
        raise SchemaError("children of BodyPreference are out of order", element.tag)
    preference = schema.load(BodyPreference, element, version)
    if min(preference.truncation_size or 0, preference.preview or 0) < 0:
        raise SchemaError("a size below 0", element.tag)
    return preference


PREFERENCE = Codec(_preference, message(BodyPreference).dump)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    filter_type: int | None = element("AirSync:FilterType", INT, default=None)
    item_class: str | None = element("AirSync:Class", default=None)
    preferences: tuple[BodyPreference, ...] = elements("AirSyncBase:BodyPreference", PREFERENCE)
    part_preference: BodyPreference | None = element(
        "AirSyncBase:BodyPartPreference", PREFERENCE, since=Version.V14_1, default=None
    )
    conflict: int | None = element("AirSync:Conflict", INT, default=None)
    truncation: int | None = element("AirSync:Truncation", INT, until=Version.V12_1, default=None)
    rtf_truncation: int | None = element("AirSync:RTFTruncation", INT, until=Version.V12_1, default=None)
    mime_support: int | None = element("AirSync:MIMESupport", INT, default=None)
    mime_truncation: int | None = element("AirSync:MIMETruncation", INT, default=None)
    max_items: int | None = element("AirSync:MaxItems", INT, since=Version.V14_0, default=None)
    #: Read so that what is no boolean is malformed; a server without rights management has nothing to add to it.
    rights_management: bool | None = element(
        "RightsManagement:RightsManagementSupport", FLAG, since=Version.V14_1, default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCommand:
    item_class: str | None = element("AirSync:Class", default=None)
    client_id: str = element("AirSync:ClientId")
    data: Element = element("AirSync:ApplicationData", ELEMENT)
    send: bool | None = element("Email2:Send", PRESENCE, since=Version.V16_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCommand:
    item_class: str | None = element("AirSync:Class", default=None)
    server_id: str = element("AirSync:ServerId")
    instance: str | None = element("AirSyncBase:InstanceId", since=Version.V16_0, default=None)
    data: Element = element("AirSync:ApplicationData", ELEMENT)
    send: bool | None = element("Email2:Send", PRESENCE, since=Version.V16_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCommand:
    item_class: str | None = element("AirSync:Class", default=None)
    server_id: str = element("AirSync:ServerId")
    instance: str | None = element("AirSyncBase:InstanceId", since=Version.V16_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchCommand:
    server_id: str = element("AirSync:ServerId")


DEVICE_COMMANDS = {
    "AirSync:Add": AddCommand, "AirSync:Change": ChangeCommand,
    "AirSync:Delete": DeleteCommand, "AirSync:Fetch": FetchCommand,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """`supported` is the element itself: absent, empty and with children are three things. `collection_id` is "" for
    the default folder of the class, which version 2.5 may leave out."""

    item_class: str | None = element("AirSync:Class", default=None)
    sync_key: str = element("AirSync:SyncKey")
    collection_id: str = element("AirSync:CollectionId", default="")
    supported: Element | None = element("AirSync:Supported", ELEMENT, default=None)
    deletes_as_moves: bool | None = element("AirSync:DeletesAsMoves", FLAG, default=None)
    get_changes: bool | None = element("AirSync:GetChanges", FLAG, default=None)
    window: int | None = element("AirSync:WindowSize", INT, default=None)
    conversation_mode: bool | None = element("AirSync:ConversationMode", FLAG, since=Version.V14_0, default=None)
    options: tuple[Options, ...] = elements("AirSync:Options", message(Options))
    commands: tuple[AddCommand | ChangeCommand | DeleteCommand | FetchCommand, ...] = choices(
        DEVICE_COMMANDS, within="AirSync:Commands"
    )


def _collection(element: Element, version: Version) -> Collection:
    """Devices mix the order of the children; only a Supported before the CollectionId is refused. R4546"""
    tags = [child.tag for child in element.elements]
    if "AirSync:Supported" in tags and "AirSync:CollectionId" in tags[tags.index("AirSync:Supported"):]:
        raise SchemaError("children of Collection are out of order", "AirSync:Supported")
    collection = schema.load(Collection, element, version)
    if not collection.collection_id and not (version in DEFAULT_COLLECTIONS and collection.item_class):
        raise SchemaError("a Collection without CollectionId", "AirSync:CollectionId")  # R4545
    return collection


COLLECTION = Codec(_collection, message(Collection).dump)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`wait` in minutes, `heartbeat` in seconds. No collections at all: as the request before. What comes with empty
    requests, in 12.1, is passed over in older versions."""

    collections: tuple[Collection, ...] = elements(
        "AirSync:Collection", COLLECTION, within="AirSync:Collections"
    )
    wait: int | None = element("AirSync:Wait", INT, since=EMPTY_SYNC.since, default=None)
    heartbeat: int | None = element("AirSync:HeartbeatInterval", INT, since=Version.V14_0, default=None)
    window: int | None = element("AirSync:WindowSize", INT, since=EMPTY_SYNC.since, default=None)
    partial: bool | None = element("AirSync:Partial", PRESENCE, since=EMPTY_SYNC.since, default=None)


# -- The answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An Add or Change to the device."""

    server_id: str = element("AirSync:ServerId")
    data: Element = element("AirSync:ApplicationData", ELEMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Item):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    server_id: str = element("AirSync:ServerId")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftDeleted:
    server_id: str = element("AirSync:ServerId")


SERVER_COMMANDS = {
    "AirSync:Add": Item, "AirSync:Change": Changed, "AirSync:Delete": Deleted, "AirSync:SoftDelete": SoftDeleted,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    client_id: str = element("AirSync:ClientId")
    server_id: str | None = element("AirSync:ServerId", default=None)
    status: int = element("AirSync:Status", INT)
    data: Element | None = element("AirSync:ApplicationData", ELEMENT, since=Version.V16_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredChange:
    server_id: str = element("AirSync:ServerId")
    instance: str | None = element("AirSyncBase:InstanceId", since=Version.V16_0, default=None)
    status: int = element("AirSync:Status", INT)
    data: Element | None = element("AirSync:ApplicationData", ELEMENT, since=Version.V16_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDeleted:
    server_id: str = element("AirSync:ServerId")
    instance: str | None = element("AirSyncBase:InstanceId", since=Version.V16_0, default=None)
    status: int = element("AirSync:Status", INT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    server_id: str = element("AirSync:ServerId")
    status: int = element("AirSync:Status", INT)
    data: Element | None = element("AirSync:ApplicationData", ELEMENT, default=None)


RESULTS = {
    "AirSync:Add": Added, "AirSync:Change": AnsweredChange, "AirSync:Delete": NotDeleted, "AirSync:Fetch": Fetched,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionResponse:
    item_class: str | None = element("AirSync:Class", until=COLLECTION_CLASS.until, default=None)
    sync_key: str = element("AirSync:SyncKey")
    collection_id: str = element("AirSync:CollectionId")
    status: Status = element("AirSync:Status", enum(Status))
    more_available: bool | None = element("AirSync:MoreAvailable", PRESENCE, default=None)
    commands: tuple[Item | Changed | Deleted | SoftDeleted, ...] = choices(SERVER_COMMANDS, within="AirSync:Commands")
    responses: tuple[Added | AnsweredChange | NotDeleted | Fetched, ...] = choices(RESULTS, within="AirSync:Responses")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status | None = element("AirSync:Status", enum(Status), default=None)
    limit: int | None = element("AirSync:Limit", INT, default=None)
    collections: tuple[CollectionResponse, ...] = elements(
        "AirSync:Collection", message(CollectionResponse), within="AirSync:Collections"
    )

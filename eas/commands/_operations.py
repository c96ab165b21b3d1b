"""What ItemOperations asks and answers, and its statuses. [MS-ASCMD] ItemOperations; Status (ItemOperations)
R4151-R4173."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.items.body import BodyPreference
from eas.protocol.schema import (
    ELEMENT,
    INT,
    OPAQUE,
    PRESENCE,
    Codec,
    SchemaError,
    choices,
    element,
    elements,
    enum,
    message,
)
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from ._sync_messages import PREFERENCE


class Status(IntEnum):
    SUCCESS = 1
    PROTOCOL_ERROR = 2
    SERVER_ERROR = 3
    BAD_LINK = 4
    ACCESS_DENIED = 5
    NOT_FOUND = 6
    UNREACHABLE = 7
    INVALID_RANGE = 8
    UNKNOWN_STORE = 9
    EMPTY_FILE = 10
    TOO_LARGE = 11
    FAILED_DOWNLOAD = 12
    CONVERSION_FAILED = 14
    INVALID_ATTACHMENT = 15
    ATTACHMENT_DENIED = 16
    PARTIAL_SUCCESS = 17
    CREDENTIALS_REQUIRED = 18
    INVALID_COMBINATION_OF_IDS = 105  # [MS-ASCON] R262
    MOVE_ALWAYS_MISSING = 155         # R3475
    DESTINATION_NOT_MAIL = 156        # R4173


class Failed(Exception):
    """One operation fails with this status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    schema: Element | None = element("ItemOperations:Schema", ELEMENT, default=None)
    range: str | None = element("ItemOperations:Range", default=None)
    user: str | None = element("ItemOperations:UserName", default=None)
    password: str | None = element("ItemOperations:Password", default=None)
    mime_support: int | None = element("AirSync:MIMESupport", INT, default=None)
    mime_truncation: int | None = element("AirSync:MIMETruncation", INT, default=None)
    preferences: tuple[BodyPreference, ...] = elements("AirSyncBase:BodyPreference", PREFERENCE)
    part_preference: BodyPreference | None = element(
        "AirSyncBase:BodyPartPreference", PREFERENCE, since=Version.V14_1, default=None
    )

    @property
    def fits_attachment(self) -> bool:
        """Range is all that may be said of an attachment, R3573, R3878."""
        return FetchOptions(range=self.range, user=self.user, password=self.password) == self


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyOptions:
    delete_subfolders: bool | None = element("ItemOperations:DeleteSubFolders", PRESENCE, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOptions:
    always: bool | None = element("ItemOperations:MoveAlways", PRESENCE, default=None)


#: Options of one operation that stand in another are a protocol error, R3547.
OF_EMPTYING = frozenset(("ItemOperations:DeleteSubFolders",))
OF_FETCHING = frozenset(f"ItemOperations:{name}" for name in ("Schema", "Range", "UserName", "Password"))
OF_MOVING = frozenset(("ItemOperations:MoveAlways",))


def _options(cls: type, foreign: frozenset[str]) -> Codec:
    usual = message(cls)

    def load(element: Element, version: Version) -> object:
        for child in element.elements:
            if child.tag in foreign:
                raise SchemaError(f"{child.tag} is no option here", child.tag)
        return usual.load(element, version)

    return Codec(load, usual.dump)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """An item by its CollectionId and ServerId or by its LongId, an attachment by one FileReference (R765), or a
    document by its LinkId. RemoveRightsManagementProtection has nothing to remove here."""

    store: str = element("ItemOperations:Store")
    collection_id: str | None = element("AirSync:CollectionId", default=None)
    server_id: str | None = element("AirSync:ServerId", default=None)
    long_id: str | None = element("Search:LongId", default=None)
    file_references: tuple[str, ...] = elements("AirSyncBase:FileReference")
    link_id: str | None = element("DocumentLibrary:LinkId", default=None)
    options: FetchOptions = element(
        "ItemOperations:Options", _options(FetchOptions, OF_EMPTYING | OF_MOVING), default=FetchOptions()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyFolderContents:
    collection_id: str = element("AirSync:CollectionId")
    options: EmptyOptions = element(
        "ItemOperations:Options", _options(EmptyOptions, OF_FETCHING | OF_MOVING), default=EmptyOptions()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A conversation, to a folder; from 14.0 on."""

    conversation: bytes = element("ItemOperations:ConversationId", OPAQUE)
    destination: str = element("ItemOperations:DstFldId")
    options: MoveOptions = element(
        "ItemOperations:Options", _options(MoveOptions, OF_FETCHING | OF_EMPTYING), default=MoveOptions()
    )


Operation = Fetch | EmptyFolderContents | Move


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    operations: tuple[Operation, ...] = choices(
        {
            "ItemOperations:Fetch": Fetch, "ItemOperations:EmptyFolderContents": EmptyFolderContents,
            "ItemOperations:Move": Move,
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    status: Status = element("ItemOperations:Status", enum(Status))
    conversation: bytes = element("ItemOperations:ConversationId", OPAQUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    status: Status = element("ItemOperations:Status", enum(Status))
    collection_id: str = element("AirSync:CollectionId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    status: Status = element("ItemOperations:Status", enum(Status))
    collection_id: str | None = element("AirSync:CollectionId", default=None)
    server_id: str | None = element("AirSync:ServerId", default=None)
    long_id: str | None = element("Search:LongId", default=None)
    item_class: str | None = element("AirSync:Class", default=None)
    link_id: str | None = element("DocumentLibrary:LinkId", default=None)
    file_reference: str | None = element("AirSyncBase:FileReference", default=None)
    properties: Element | None = element("ItemOperations:Properties", ELEMENT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The operations are executed in the order asked for, and answered by kind, as the schema has it."""

    status: Status = element("ItemOperations:Status", enum(Status))
    moved: tuple[Moved, ...] = elements("ItemOperations:Move", message(Moved), within="ItemOperations:Response")
    emptied: tuple[Emptied, ...] = elements(
        "ItemOperations:EmptyFolderContents", message(Emptied), within="ItemOperations:Response"
    )
    fetched: tuple[Fetched, ...] = elements(
        "ItemOperations:Fetch", message(Fetched), within="ItemOperations:Response"
    )

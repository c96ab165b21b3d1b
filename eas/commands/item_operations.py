"""ItemOperations: fetch items and attachments, empty a folder; in one answer or as parts beside it.

[MS-ASCMD] ItemOperations; Status (ItemOperations) R4153-R4173; Fetch, Range, Schema, EmptyFolderContents.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, replace
from enum import IntEnum

from eas.engine import errors
from eas.engine.classes import shown
from eas.engine.ids import MAX_LENGTH, parse_server_id
from eas.engine.model import CollectionId, Folder, FolderType
from eas.engine.options import MIME_CHARACTERS, CollectionOptions
from eas.engine.parts import load_attachment
from eas.engine.render import Rendered, render_items
from eas.engine.session import Session
from eas.items.body import BodyPreference, BodyType
from eas.items.native import ItemId
from eas.protocol.schema import (
    ELEMENT,
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
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

from ._registry import CommonFault, Multipart, command
from ._sync_messages import PREFERENCE

#: Operations in one request. [MS-ASCMD] Limiting Size of Command Requests.
MAX_OPERATIONS = 100

#: Characters of a LongId. [MS-ASCMD] LongId (ItemOperations) R3236.
MAX_LONG_ID = 256


class Status(IntEnum):
    SUCCESS = 1
    PROTOCOL_ERROR = 2
    SERVER_ERROR = 3
    ACCESS_DENIED = 5
    NOT_FOUND = 6
    INVALID_RANGE = 8
    UNKNOWN_STORE = 9
    TOO_LARGE = 11
    CONVERSION_FAILED = 14
    INVALID_ATTACHMENT = 15
    ATTACHMENT_DENIED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    schema: Element | None = element("ItemOperations:Schema", ELEMENT, default=None)
    range: str | None = element("ItemOperations:Range", default=None)
    mime_support: int | None = element("AirSync:MIMESupport", INT, default=None)
    mime_truncation: int | None = element("AirSync:MIMETruncation", INT, default=None)
    preferences: tuple[BodyPreference, ...] = elements("AirSyncBase:BodyPreference", PREFERENCE)
    part_preference: BodyPreference | None = element(
        "AirSyncBase:BodyPartPreference", PREFERENCE, since=Version.V14_1, default=None
    )


    @property
    def fits_attachment(self) -> bool:
        """Range is all that may be said of an attachment, R3573, R3878."""
        return replace(self, range=None) == FetchOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyOptions:
    delete_subfolders: bool | None = element("ItemOperations:DeleteSubFolders", PRESENCE, default=None)


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
    store: str = element("ItemOperations:Store")
    collection_id: str | None = element("AirSync:CollectionId", default=None)
    server_id: str | None = element("AirSync:ServerId", default=None)
    long_id: str | None = element("Search:LongId", default=None)
    file_reference: str | None = element("AirSyncBase:FileReference", default=None)
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
class Request:
    operations: tuple[Fetch | EmptyFolderContents, ...] = choices(
        {"ItemOperations:Fetch": Fetch, "ItemOperations:EmptyFolderContents": EmptyFolderContents}
    )


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
    emptied: tuple[Emptied, ...] = elements(
        "ItemOperations:EmptyFolderContents", message(Emptied), within="ItemOperations:Response"
    )
    fetched: tuple[Fetched, ...] = elements(
        "ItemOperations:Fetch", message(Fetched), within="ItemOperations:Response"
    )


@command(
    "ItemOperations", "ItemOperations:ItemOperations", Request, spoken=Spoken(since=Version.V12_0),
    malformed=Status.PROTOCOL_ERROR,
)
async def item_operations(request: Request, session: Session) -> Response | Multipart:
    if not request.operations:
        return Response(status=Status.PROTOCOL_ERROR)
    if len(request.operations) > MAX_OPERATIONS:
        return Response(status=Status.TOO_LARGE)
    if any(isinstance(one, Fetch) and not _of_html(one.options.part_preference) for one in request.operations):
        raise CommonFault(CommonStatus.BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED)  # R5412
    emptied: list[Emptied] = []
    fetched: list[Fetched] = []
    parts = _Parts(session.query.accept_multipart)
    for operation in request.operations:
        if isinstance(operation, EmptyFolderContents):
            emptied.append(await _empty(operation, session))
        else:
            fetched.append(await _fetch(operation, session, parts))
    response = Response(status=Status.SUCCESS, emptied=tuple(emptied), fetched=tuple(fetched))
    return Multipart(response, tuple(parts.data)) if parts.wanted else response


def _of_html(preference: BodyPreference | None) -> bool:
    return preference is None or preference.type is BodyType.HTML


class _Parts:
    """Collects what goes beside the document of a multipart answer."""

    def __init__(self, wanted: bool) -> None:
        self.wanted, self.data = wanted, list[bytes]()

    def add(self, data: bytes) -> Element:
        """The element that stands for it. Part 0 is the document itself."""
        self.data.append(data)
        return Element("ItemOperations:Part", str(len(self.data)))


async def _empty(asked: EmptyFolderContents, session: Session) -> Emptied:
    folder = await session.mailbox.folder(asked.collection_id)
    status = Status.SUCCESS
    if folder is None or folder.type is FolderType.RECIPIENT_CACHE:  # R196
        status = Status.NOT_FOUND
    else:
        try:
            await session.mailbox.empty_folder(folder.id, bool(asked.options.delete_subfolders))
        except errors.FolderGone:
            status = Status.NOT_FOUND
        except errors.NotAllowed:
            status = Status.ACCESS_DENIED
    return Emptied(status=status, collection_id=asked.collection_id[:MAX_LENGTH])


async def _fetch(asked: Fetch, session: Session, parts: _Parts) -> Fetched:
    answer = Fetched(
        status=Status.SUCCESS, collection_id=_repeated(asked.collection_id, MAX_LENGTH),
        server_id=_repeated(asked.server_id, MAX_LENGTH), long_id=_repeated(asked.long_id, MAX_LONG_ID) or None,
        link_id=asked.link_id, file_reference=asked.file_reference,
    )
    if asked.store.lower() not in ("mailbox", "documentlibrary"):
        return replace(answer, status=Status.UNKNOWN_STORE)
    if asked.store.lower() == "documentlibrary" or asked.link_id is not None:
        return replace(answer, status=Status.ACCESS_DENIED)
    try:
        if asked.file_reference is not None:
            return replace(answer, properties=await _attachment(asked, session, parts))
        return await _item(asked, answer, session, parts)
    except _Failed as failed:
        return replace(answer, status=failed.status)


def _repeated(id: str | None, limit: int) -> str | None:
    """An id as it stands in the answer. One that is longer than any was not given out, and may not stand there."""
    return id if id is not None and len(id) <= limit else None


class _Failed(Exception):
    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


async def _item(asked: Fetch, answer: Fetched, session: Session, parts: _Parts) -> Fetched:
    folder, id = await _named(asked, session)
    options = asked.options
    types = [preference.type for preference in options.preferences]
    if (
        (options.mime_truncation is not None and options.mime_truncation not in MIME_CHARACTERS)
        or options.mime_support not in (None, 0, 1, 2)
        or len(set(types)) < len(types)
    ):
        raise _Failed(Status.PROTOCOL_ERROR)
    wanted = CollectionOptions(
        mime_support=options.mime_support or 0, mime_truncation=options.mime_truncation,
        preferences=options.preferences, part_preference=options.part_preference,
    ).wanted()
    async for item in render_items(session, folder, [id], wanted):
        return replace(answer, item_class=folder.item_class, properties=_properties(item, options.schema, parts))
    raise _Failed(Status.NOT_FOUND)


async def _named(asked: Fetch, session: Session) -> tuple[Folder, ItemId]:
    """The item by CollectionId and ServerId, or by LongId. A LongId excludes the others."""
    if asked.long_id is not None and (asked.collection_id is not None or asked.server_id is not None):
        raise _Failed(Status.PROTOCOL_ERROR)
    text = asked.long_id if asked.long_id is not None else asked.server_id
    if text is None:
        raise _Failed(Status.PROTOCOL_ERROR)
    parsed: tuple[CollectionId, ItemId] | None = parse_server_id(text)
    if parsed is None or (asked.collection_id or parsed[0]) != parsed[0]:
        raise _Failed(Status.NOT_FOUND)
    folder = await session.mailbox.folder(parsed[0])
    if folder is None or not shown(folder.item_class, session.version):  # R6274
        raise _Failed(Status.NOT_FOUND)
    return folder, parsed[1]


def _properties(item: Rendered, schema: Element | None, parts: _Parts) -> Element:
    """All properties, or those that Schema names; a body's data goes into a part where these are wanted."""
    named = None if schema is None else {e.tag for e in schema.elements}
    content = [e for e in item.content if named is None or e.tag in named]
    if parts.wanted:
        content = [_body_apart(e, parts) if e.tag == "AirSyncBase:Body" else e for e in content]
    return Element("ItemOperations:Properties", tuple(content))


def _body_apart(body: Element, parts: _Parts) -> Element:
    data = body.child("AirSyncBase:Data")
    if data is None:
        return body
    rest = tuple(e for e in body.elements if e is not data)
    return Element(body.tag, (*rest, parts.add(data.text.encode())))


_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)


async def _attachment(asked: Fetch, session: Session, parts: _Parts) -> Element:
    if not asked.options.fits_attachment:
        raise _Failed(Status.PROTOCOL_ERROR)
    try:
        attachment = await load_attachment(session, asked.file_reference or "")
    except (errors.ItemGone, errors.FolderGone):
        raise _Failed(Status.INVALID_ATTACHMENT) from None
    except errors.NotAllowed:
        raise _Failed(Status.ATTACHMENT_DENIED) from None
    except errors.TooLarge:
        raise _Failed(Status.TOO_LARGE) from None
    content = [Element("AirSyncBase:ContentType", attachment.content_type)]
    data = attachment.data
    # iOS takes an answer amiss that has a Range where it asked for none.
    if asked.options.range is not None:
        first, last = _range(asked.options.range, len(data))
        content += [
            Element("ItemOperations:Range", f"{first}-{last}"), Element("ItemOperations:Total", str(len(data))),
        ]
        data = data[first : last + 1]
    if parts.wanted:
        content.append(parts.add(data))
    else:
        content.append(Element("ItemOperations:Data", b64encode(data).decode("ascii")))
    return Element("ItemOperations:Properties", tuple(content))


def _range(text: str, total: int) -> tuple[int, int]:
    """First and last octet, as far as there are so many; of an empty attachment 0 and 0."""
    found = _RANGE.fullmatch(text.strip())
    first, last = (int(found[1]), int(found[2])) if found else (1, 0)
    if first > last or first >= max(total, 1):
        raise _Failed(Status.INVALID_RANGE)
    return first, max(min(last, total - 1), 0)

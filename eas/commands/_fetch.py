"""Fetch in ItemOperations: items, attachments and documents, in the answer or as parts beside it.

[MS-ASCMD] Fetch (ItemOperations); Delivery of Content Requested by Fetch; Range (ItemOperations) R3711-R3716; Schema;
Version R5919; airsyncbase:FileReference R765.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from functools import partial

from eas.engine import errors
from eas.engine.classes import EMAIL, shown
from eas.engine.ids import MAX_LENGTH, parse_server_id
from eas.engine.model import CollectionId, Folder, FolderType
from eas.engine.options import MIME_CHARACTERS, NO_BOUNDS, CollectionOptions, bounds_of
from eas.engine.parts import load_attachment
from eas.engine.render import Rendered, render_items
from eas.engine.session import Session
from eas.items.documents import MAX_LINK
from eas.items.native import ItemId
from eas.protocol.schema import DASHED
from eas.protocol.wbxml import Element, Later

from ._documents import login_of
from ._operations import Failed, Fetch, Fetched, FetchOptions, Status

#: Characters of a LongId. [MS-ASCMD] LongId (ItemOperations) R3236.
MAX_LONG_ID = 256


class Parts:
    """Collects what goes beside the document of a multipart answer."""

    def __init__(self, wanted: bool) -> None:
        self.wanted, self.data = wanted, list[bytes | Later]()

    def add(self, data: bytes | Later) -> Element:
        """The element that stands for it. Part 0 is the document itself."""
        self.data.append(data)
        return Element("ItemOperations:Part", str(len(self.data)))

    def put(self, data: bytes | Later) -> Element:
        """Octets: beside the document, or in it."""
        if self.wanted:
            return self.add(data)
        text = data if isinstance(data, Later) else b64encode(data).decode("ascii")
        return Element("ItemOperations:Data", text)


async def fetch(asked: Fetch, session: Session, parts: Parts) -> Fetched:
    """The answer has the ids of the request, as far as they can be any."""
    reference = asked.file_references[0] if asked.file_references else None
    answer = Fetched(
        status=Status.SUCCESS, collection_id=_repeated(asked.collection_id, MAX_LENGTH),
        server_id=_repeated(asked.server_id, MAX_LENGTH), long_id=_repeated(asked.long_id, MAX_LONG_ID) or None,
        link_id=_repeated(asked.link_id, MAX_LINK), file_reference=reference,
    )
    store = asked.store.strip().lower()
    try:
        if store == "documentlibrary":
            return replace(answer, properties=await _document(asked, session, parts))
        if store != "mailbox":
            raise Failed(Status.UNKNOWN_STORE)
        if asked.link_id is not None or len(asked.file_references) > 1:  # R765
            raise Failed(Status.PROTOCOL_ERROR)
        if reference is not None:
            return replace(answer, properties=await _attachment(reference, asked.options, session, parts))
        return await _item(asked, answer, session, parts)
    except Failed as failed:
        return replace(answer, status=failed.status)


def _repeated(id: str | None, limit: int) -> str | None:
    """An id as it stands in the answer. One that is longer than any was not given out, and may not stand there."""
    return id if id is not None and len(id) <= limit else None


async def _item(asked: Fetch, answer: Fetched, session: Session, parts: Parts) -> Fetched:
    folder, id = await _named(asked, session)
    options = asked.options
    types = [preference.type for preference in options.preferences]
    if (
        (options.mime_truncation is not None and options.mime_truncation not in MIME_CHARACTERS)
        or options.mime_support not in (None, 0, 1, 2)
        or len(set(types)) < len(types)
    ):
        raise Failed(Status.PROTOCOL_ERROR)
    wanted = CollectionOptions(
        mime_support=options.mime_support or 0, mime_truncation=options.mime_truncation,
        preferences=options.preferences, part_preference=options.part_preference,
    ).wanted(bounds_of(session.policy) if folder.item_class == EMAIL else NO_BOUNDS)
    async for item in render_items(session, folder, [id], wanted):
        return replace(answer, item_class=folder.item_class, properties=_properties(item, options.schema, parts))
    raise Failed(Status.NOT_FOUND)


async def _named(asked: Fetch, session: Session) -> tuple[Folder, ItemId]:
    """The item by CollectionId and ServerId, or by LongId. A LongId excludes the others."""
    if asked.long_id is not None and (asked.collection_id is not None or asked.server_id is not None):
        raise Failed(Status.PROTOCOL_ERROR)
    text = asked.long_id if asked.long_id is not None else asked.server_id
    if text is None:
        raise Failed(Status.PROTOCOL_ERROR)
    parsed: tuple[CollectionId, ItemId] | None = parse_server_id(text)
    if parsed is None or (asked.collection_id or parsed[0]) != parsed[0]:
        raise Failed(Status.NOT_FOUND)
    folder = await session.mailbox.folder(parsed[0])
    if folder is None or not shown(folder.item_class, session.version):  # R6274
        raise Failed(Status.NOT_FOUND)
    if folder.type is FolderType.RECIPIENT_CACHE:  # R196
        raise Failed(Status.NOT_FOUND)
    return folder, parsed[1]


def _properties(item: Rendered, schema: Element | None, parts: Parts) -> Element:
    """All properties, or those that Schema names; a body's data goes into a part where these are wanted."""
    named = None if schema is None else {e.tag for e in schema.elements}
    content = [e for e in item.content if named is None or e.tag in named]
    if parts.wanted:
        content = [_body_apart(e, parts) if e.tag == "AirSyncBase:Body" else e for e in content]
    return Element("ItemOperations:Properties", tuple(content))


def _body_apart(body: Element, parts: Parts) -> Element:
    data = body.child("AirSyncBase:Data")
    if data is None:
        return body
    rest = tuple(e for e in body.elements if e is not data)
    return Element(body.tag, (*rest, parts.add(data.text.encode())))


_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)


async def _attachment(reference: str, options: FetchOptions, session: Session, parts: Parts) -> Element:
    if not options.fits_attachment:
        raise Failed(Status.PROTOCOL_ERROR)
    try:
        attachment = await load_attachment(session, reference)
    except (errors.ItemGone, errors.FolderGone):
        raise Failed(Status.INVALID_ATTACHMENT) from None
    except errors.NotAllowed:
        raise Failed(Status.ATTACHMENT_DENIED) from None
    except errors.TooLarge:
        raise Failed(Status.TOO_LARGE) from None
    content = [Element("AirSyncBase:ContentType", attachment.content_type)]
    first, last = 0, attachment.size - 1
    # iOS takes an answer amiss that has a Range where it asked for none.
    if options.range is not None:
        first, last = _range(options.range, attachment.size)
        content += [
            Element("ItemOperations:Range", f"{first}-{last}"),
            Element("ItemOperations:Total", str(attachment.size)),
        ]
    data: bytes | Later
    if attachment.data is not None:
        data = attachment.data[first : last + 1]
    else:
        data = Later(last + 1 - first, partial(attachment.pieces, first, last))
    return Element("ItemOperations:Properties", (*content, parts.put(data)))


def _bounds(text: str) -> tuple[int, int]:
    """First and last octet. Raises Failed."""
    found = _RANGE.fullmatch(text.strip())
    if not found or int(found[1]) > int(found[2]):
        raise Failed(Status.INVALID_RANGE)
    return int(found[1]), int(found[2])


def _range(text: str, total: int) -> tuple[int, int]:
    """First and last octet, as far as there are so many; of an empty attachment 0 and 0."""
    first, last = _bounds(text)
    if first >= max(total, 1):
        raise Failed(Status.INVALID_RANGE)
    return first, max(min(last, total - 1), 0)


STATUS_OF_DOCUMENT: dict[type[errors.BackendError], Status] = {
    errors.BadLink: Status.BAD_LINK,
    errors.NotAllowed: Status.ACCESS_DENIED,
    errors.Blocked: Status.ACCESS_DENIED,
    errors.ItemGone: Status.NOT_FOUND,
    errors.Unreachable: Status.UNREACHABLE,
    errors.TooLarge: Status.TOO_LARGE,
    errors.TimedOut: Status.FAILED_DOWNLOAD,
    errors.Unavailable: Status.FAILED_DOWNLOAD,
    errors.CredentialsRequired: Status.CREDENTIALS_REQUIRED,
}


async def _document(asked: Fetch, session: Session, parts: Parts) -> Element:
    """The octets of a document, and the time of its last change as its version. [MS-ASDOC] R98, R106, R107, R120"""
    options = asked.options
    if not asked.link_id or asked.server_id or asked.long_id or asked.file_references:
        raise Failed(Status.PROTOCOL_ERROR)
    first, last = _bounds(options.range) if options.range is not None else (0, None)
    try:
        login = login_of(options.user, options.password)
    except ValueError:
        raise Failed(Status.PROTOCOL_ERROR) from None
    if session.documents is None:
        raise Failed(Status.ACCESS_DENIED)
    try:
        found = await session.documents.read(asked.link_id.strip(), login, first, last)
    except tuple(STATUS_OF_DOCUMENT) as error:
        raise Failed(STATUS_OF_DOCUMENT[type(error)]) from error
    if not found.total:
        raise Failed(Status.EMPTY_FILE)
    content = []
    if options.range is not None:
        if not found.data:
            raise Failed(Status.INVALID_RANGE)
        content = [
            Element("ItemOperations:Range", f"{found.first}-{found.first + len(found.data) - 1}"),
            Element("ItemOperations:Total", str(found.total)),
        ]
    version = Element("ItemOperations:Version", DASHED.dump(found.modified, session.version))
    return Element("ItemOperations:Properties", (*content, parts.put(found.data), version))

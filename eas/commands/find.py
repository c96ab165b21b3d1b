"""Find: messages by a query in the Keyword Query Language, and people; 16.1.

What a search is about stands in its first request; later pages ask again under the same SearchId. The server looks up
anew each time, so all that it keeps of a search is that its first page was asked for.

[MS-ASCMD] Find; SearchId; Range (Find); Status (Find); Properties (Find); Preview; HasAttachments; DisplayCc;
DisplayBcc; Class (Find); CollectionId (Find); DeepTraversal (Find).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from hashlib import blake2b

from eas.engine.classes import EMAIL
from eas.engine.errors import BackendError
from eas.engine.ids import server_id
from eas.engine.model import CollectionId
from eas.engine.ports import Chosen, Intent, MailQuery, Owner
from eas.engine.quirks import Quirk
from eas.engine.render import render_item
from eas.engine.session import Session
from eas.items import headers, kql
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.native import ItemId, Mail
from eas.items.timezone import zone_or_utc
from eas.protocol import schema
from eas.protocol.schema import DASHED, ELEMENT, FLAG, INT, PRESENCE, element, elements, enum, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

from ._people import Pictures, entry_of
from ._registry import CommonFault, Counted, command


class Status(IntEnum):
    """Of the request and, but for 3, of the response in it. R72172508-R72172519"""

    SUCCESS = 1
    INVALID_REQUEST = 2
    FOLDER_SYNC_REQUIRED = 3
    START_WITH_RANGE_ZERO = 4


#: Results that one answer has at most, and those that it has without a Range. R3707101815, R37071816
MAX_RESULTS = 100
#: The last index of a Range. R37071812
MAX_INDEX = 999
#: Characters of a preview. R6978101702
MAX_PREVIEW = 255
#: Octets of a text from which a preview is made: four of UTF-8 a character, and blanks that fall away.
_PREVIEW_OCTETS = 2048

#: Of a rendered message, what a result shows as it is.
_SHOWN = ("Email:Subject", "Email:DateReceived", "Email:DisplayTo", "Email:Importance", "Email:Read", "Email2:IsDraft",
          "Email:From")


# Messages -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    free_text: str = element("Find:FreeText", default="")
    item_class: str | None = element("AirSync:Class", default=None)
    collection_id: str | None = element("AirSync:CollectionId", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    max_size: int | None = element("Find:MaxSize", INT, default=None)
    max_pictures: int | None = element("Find:MaxPictures", INT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    range: str | None = element("Find:Range", default=None)
    deep: bool | None = element("Find:DeepTraversal", PRESENCE, default=None)
    picture: PictureOptions | None = element("Find:Picture", message(PictureOptions), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCriterion:
    query: Query = element("Find:Query", message(Query))
    options: Options = element("Find:Options", message(Options), default=Options())


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleCriterion:
    query: str = element("Find:Query")
    options: Options = element("Find:Options", message(Options), default=Options())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    search_id: str = element("Find:SearchId")
    mail: MailCriterion | None = element(
        "Find:MailBoxSearchCriterion", message(MailCriterion), within="Find:ExecuteSearch", default=None
    )
    people: PeopleCriterion | None = element(
        "Find:GalSearchCriterion", message(PeopleCriterion), within="Find:ExecuteSearch", default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProperties:
    """What a list of results shows of a message. R36841704"""

    subject: str | None = element("Email:Subject", default=None)
    received: datetime | None = element("Email:DateReceived", DASHED, default=None)
    display_to: str | None = element("Email:DisplayTo", default=None)
    display_cc: str | None = element("Find:DisplayCc", default=None)
    display_bcc: str | None = element("Find:DisplayBcc", default=None)
    importance: int | None = element("Email:Importance", INT, default=None)
    read: bool | None = element("Email:Read", FLAG, default=None)
    is_draft: bool | None = element("Email2:IsDraft", FLAG, default=None)
    preview: str | None = element("Find:Preview", default=None)
    has_attachments: bool | None = element("Find:HasAttachments", FLAG, default=None)
    sender_from: str | None = element("Email:From", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A message; of a person only the properties."""

    item_class: str | None = element("AirSync:Class", default=None)
    server_id: str | None = element("AirSync:ServerId", default=None)
    collection_id: str | None = element("AirSync:CollectionId", default=None)
    properties: Element = element("Find:Properties", ELEMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`store` is "Mailbox" whatever is looked for (R45251807)."""

    store: str = element("ItemOperations:Store", default="Mailbox")
    status: Status = element("Find:Status", enum(Status))
    results: tuple[Result, ...] = elements("Find:Result", message(Result))
    range: str | None = element("Find:Range", default=None)
    total: int | None = element("Find:Total", INT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status = element("Find:Status", enum(Status))
    found: Found | None = element("Find:Response", message(Found), default=None)


# Handler --------------------------------------------------------------------------------------------------------------


class _Refused(Exception):
    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


@command(
    "Find", "Find:Find", Request, spoken=Spoken(since=Version.V16_1), malformed=Status.INVALID_REQUEST,
)
async def find(request: Request, session: Session) -> Counted:
    try:
        criterion = request.people or request.mail
        # Exactly one of the two says what is looked for.
        if criterion is None or (request.people and request.mail) or not request.search_id.strip():
            raise _Refused(Status.INVALID_REQUEST)
        start, count = _window(criterion.options.range)
        await _continued(request, start, session)
        if isinstance(criterion, PeopleCriterion):
            results, total = await _people(criterion, start, count, session)
        else:
            results, total = await _messages(criterion, start, count, session)
    except _Refused as refusal:
        return Counted(_refused(refusal.status), 0)
    except BackendError as error:
        raise CommonFault(CommonStatus.SERVER_ERROR_RETRY_LATER) from error
    found = Found(
        status=Status.SUCCESS, results=tuple(results), total=total,
        range=f"{start}-{start + len(results) - 1}" if results else None,
    )
    return Counted(Response(status=Status.SUCCESS, found=found), len(results))


def _refused(status: Status) -> Response:
    """The folders are the whole request's business, the beginning of the range the response's, what is invalid both's:
    R72172512, R72172515, R72172518, R72172521."""
    if status is Status.FOLDER_SYNC_REQUIRED:
        return Response(status=status)
    whole = Status.SUCCESS if status is Status.START_WITH_RANGE_ZERO else status
    return Response(status=whole, found=Found(status=status))


_RANGE = re.compile(r"([0-9]{1,3})-([0-9]{1,3})")


def _window(text: str | None) -> tuple[int, int]:
    """Where to begin, and how many to give: perhaps fewer than asked for. Raises _Refused. R37071811, R37071812"""
    if text is None:
        return 0, MAX_RESULTS
    found = _RANGE.fullmatch(text.strip())
    if not found or int(found[1]) > int(found[2]):
        raise _Refused(Status.INVALID_REQUEST)
    return int(found[1]), min(int(found[2]) - int(found[1]) + 1, MAX_RESULTS)


async def _continued(request: Request, start: int, session: Session) -> None:
    """The first request of a search begins with 0, and is noted; others may go on from there. Raises _Refused.

    The note goes when a day has passed that nobody needs it, with those of other effects (`StateStore.intend`).
    """
    owner = Owner(user_id=session.user.id, device_id=session.device.id, collection_id="find")
    digest = blake2b(request.search_id.strip().encode(), digest_size=16).hexdigest()
    if start == 0:
        chosen = Chosen(name=digest)
        note = await session.store.intend(
            owner, Intent(verb="Find", client_id="", server_id="", digest=digest, chosen=chosen)
        )
        if not note.result:
            await session.store.settle(owner, note, "begun")
    elif all(note.digest != digest for note in await session.store.intents(owner)):
        raise _Refused(Status.START_WITH_RANGE_ZERO)


async def _people(
    criterion: PeopleCriterion, start: int, count: int, session: Session
) -> tuple[list[Result], int]:
    text = criterion.query.strip()
    if not text:
        raise _Refused(Status.INVALID_REQUEST)
    asked = criterion.options.picture
    people, total = await session.directory.search(text, start, count, pictures=asked is not None)
    pictures = Pictures(asked.max_size, asked.max_pictures) if asked else None
    return [
        Result(properties=schema.dump("Find:Properties", entry_of(person, pictures), session.version))
        for person in people
    ], total


async def _messages(
    criterion: MailCriterion, start: int, count: int, session: Session
) -> tuple[list[Result], int]:
    query = criterion.query
    if query.item_class not in (None, EMAIL) or not query.free_text.strip():  # R901100613
        raise _Refused(Status.INVALID_REQUEST)
    collections = await _collections(query.collection_id, session)
    zone = zone_or_utc(session.user.zone)
    found = await session.mailbox.search(
        MailQuery(
            matching=kql.parse(query.free_text, session.clock.now(), zone), classes=(EMAIL,), collections=collections,
            deep=criterion.options.deep is True,
        ), start, count,
    )
    return await _results(found.hits, session), found.total


async def _collections(asked: str | None, session: Session) -> tuple[CollectionId, ...]:
    """The folder to look into; () for all. Raises _Refused for one that there is not."""
    if not asked:
        return ()
    if await session.mailbox.folder(asked) is not None:
        return (asked,)
    if Quirk.FIND_IN_UNKNOWN_FOLDER in session.quirks:
        return ()
    raise _Refused(Status.FOLDER_SYNC_REQUIRED)


async def _results(hits: Sequence[tuple[CollectionId, ItemId]], session: Session) -> list[Result]:
    """In the order of the hits; what has gone since is left out."""
    ids: dict[CollectionId, list[ItemId]] = {}
    for collection, item in hits:
        ids.setdefault(collection, []).append(item)
    found: dict[tuple[CollectionId, ItemId], Result] = {}
    for collection, items in ids.items():
        found |= await _of_folder(collection, items, session)
    return [found[hit] for hit in hits if hit in found]


_WANTED = Wanted(preferences=(BodyPreference(type=BodyType.TEXT, truncation_size=_PREVIEW_OCTETS),))


async def _of_folder(
    collection: CollectionId, items: Collection[ItemId], session: Session
) -> Mapping[tuple[CollectionId, ItemId], Result]:
    folder = await session.mailbox.folder(collection)
    if folder is None:
        return {}
    results = {}
    async for mail in session.mailbox.feed(folder).fetch(list(items), _WANTED):
        assert isinstance(mail, Mail)
        content = render_item(session, folder, mail, _WANTED).content
        properties = schema.dump("Find:Properties", _properties(mail, content, session.version), session.version)
        results[collection, mail.id] = Result(
            item_class=EMAIL, server_id=server_id(collection, mail.id), collection_id=collection,
            properties=properties,
        )
    return results


def _properties(mail: Mail, content: tuple[Element, ...], version: Version) -> MailProperties:
    """`content` is the message as a Sync would show it."""
    shown = schema.load(
        MailProperties, Element("Find:Properties", tuple(e for e in content if e.tag in _SHOWN)), version
    )
    fields = headers.parse(mail.header)
    body = next((e for e in content if e.tag == "AirSyncBase:Body"), None)
    data = body.child("AirSyncBase:Data") if body is not None else None
    attachments = [e for part in content if part.tag == "AirSyncBase:Attachments" for e in part.elements]
    return MailProperties(
        subject=shown.subject, received=shown.received, display_to=shown.display_to,
        display_cc=_names(fields.get(b"cc", b"")), display_bcc=_names(fields.get(b"bcc", b"")),
        importance=shown.importance, read=shown.read, is_draft=shown.is_draft,
        preview=" ".join(data.text.split())[:MAX_PREVIEW] if data is not None else None,
        has_attachments=any(not _is_inline(one) for one in attachments), sender_from=shown.sender_from,
    )


def _is_inline(attachment: Element) -> bool:
    flag = attachment.child("AirSyncBase:IsInline")
    return flag is not None and flag.text != "0"


#: Characters of a list of names: a newsletter's thousands are nobody's list of results.
_MAX_NAMES = 1024


def _names(value: bytes) -> str | None:
    names: list[str] = []
    left = _MAX_NAMES
    for box in headers.addresses(value):
        left -= len(box.display) + 2
        if left < 0:
            break
        names.append(box.display)
    return "; ".join(names) or None

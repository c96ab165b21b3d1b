"""Search: the Global Address List, and the items of the mailbox. Document libraries are refused.

Results are always looked up anew, so RebuildResults has nothing to do; a LongId is the item's ServerId, which stays
the same and is looked up within the user's own mailbox when it comes back.

[MS-ASCMD] Search R375-R437; And; Class (Search) R920-R923; CollectionId (Search) R2031, R2032; DeepTraversal (Search);
FreeText (Search) R3105; GreaterThan; LessThan; Range (Search) R3729-R3736; Result (Search) R3846-R3862;
Status (Search) R4316-R4376; Total (Search) R4638.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from eas.engine.errors import BackendError
from eas.engine.ids import server_id
from eas.engine.model import CollectionId, Person
from eas.engine.ports import MailQuery
from eas.engine.render import render_items
from eas.engine.session import Session
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.native import ItemId
from eas.protocol import schema
from eas.protocol.schema import DASHED, ELEMENT, INT, OPAQUE, PRESENCE, SchemaError, element, elements, enum, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import NOTES, Version
from eas.protocol.wbxml import Element

from ._people import Pictures, PictureStatus
from ._registry import CommonFault, Counted, command


class Status(IntEnum):
    """Of the whole request."""

    SUCCESS = 1       # R4322
    SERVER_ERROR = 3  # R4323


class StoreStatus(IntEnum):
    SUCCESS = 1                # R4327
    INVALID_REQUEST = 2        # R4329
    SERVER_ERROR = 3           # R4332
    TOO_COMPLEX = 8            # R4350
    FOLDER_SYNC_REQUIRED = 11  # R4358
    END_OF_RANGE = 12          # R4361, R3736
    ACCESS_BLOCKED = 13        # R4364


#: Entries that one answer has at most, and those that it has without a Range. R3733, R3735
MAX_RESULTS = 100

#: The classes that can be asked for. R920, R6288, R6289
CLASSES = ("Email", "Calendar", "Contacts", "Tasks", "Notes", "SMS")

#: Elements of items that have no place among a search result's properties. [MS-ASCMD] Search response schema.
NOT_IN_RESULTS = frozenset(
    (
        "Calendar:Categories", "Calendar:OnlineMeetingConfLink", "Calendar:OnlineMeetingExternalLink",
        "Tasks:OrdinalDate", "Tasks:SubOrdinalDate",
    )
)


# Messages -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    max_size: int | None = element("Search:MaxSize", INT, default=None)
    max_pictures: int | None = element("Search:MaxPictures", INT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Of either store; what does not belong to a store is passed over, as are UserName and Password."""

    range: str | None = element("Search:Range", default=None)
    deep: bool | None = element("Search:DeepTraversal", PRESENCE, default=None)
    mime_support: int | None = element("AirSync:MIMESupport", INT, default=None)
    preferences: tuple[BodyPreference, ...] = elements("AirSyncBase:BodyPreference", message(BodyPreference))
    part_preference: BodyPreference | None = element(
        "AirSyncBase:BodyPartPreference", message(BodyPreference), since=Version.V14_1, default=None
    )
    picture: PictureOptions | None = element(
        "Search:Picture", message(PictureOptions), since=Version.V14_1, default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """`query` is text for the address list, and elements for the mailbox."""

    name: str = element("Search:Name", default="")
    query: Element = element("Search:Query", ELEMENT, default=Element("Search:Query"))
    options: Options = element("Search:Options", message(Options), default=Options())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    store: Store = element("Search:Store", message(Store), default=Store())


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """GreaterThan and LessThan; only the date of receipt can be compared."""

    received: bool = element("Email:DateReceived", PRESENCE)
    value: datetime | None = element("Search:Value", DASHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    """What must hold all together. [MS-ASCMD] And"""

    classes: tuple[str, ...] = elements("AirSync:Class")
    collections: tuple[CollectionId, ...] = elements("AirSync:CollectionId")
    free_text: str | None = element("Search:FreeText", default=None)
    conversation: bytes | None = element(
        "Search:ConversationId", OPAQUE, since=Version.V14_0, default=None
    )
    after: Comparison | None = element("Search:GreaterThan", message(Comparison), default=None)
    before: Comparison | None = element("Search:LessThan", message(Comparison), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    status: PictureStatus = element("GAL:Status", enum(PictureStatus))
    data: bytes | None = element("GAL:Data", OPAQUE, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the address list. [MS-ASCMD] Properties (Search) R3691: empty ones are left out."""

    name: str = element("GAL:DisplayName")
    phone: str | None = element("GAL:Phone", default=None)
    office: str | None = element("GAL:Office", default=None)
    title: str | None = element("GAL:Title", default=None)
    company: str | None = element("GAL:Company", default=None)
    alias: str = element("GAL:Alias")
    first_name: str | None = element("GAL:FirstName", default=None)
    last_name: str | None = element("GAL:LastName", default=None)
    home_phone: str | None = element("GAL:HomePhone", default=None)
    mobile_phone: str | None = element("GAL:MobilePhone", default=None)
    address: str | None = element("GAL:EmailAddress", default=None)
    picture: Picture | None = element("GAL:Picture", message(Picture), since=Version.V14_1, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An item or entry; all absent where nothing in the mailbox matches (R3850)."""

    item_class: str | None = element("AirSync:Class", default=None)
    long_id: str | None = element("Search:LongId", default=None)
    collection_id: str | None = element("AirSync:CollectionId", default=None)
    properties: Element | None = element("Search:Properties", ELEMENT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreResponse:
    status: StoreStatus = element("Search:Status", enum(StoreStatus))
    results: tuple[Result, ...] = elements("Search:Result", message(Result))
    range: str | None = element("Search:Range", default=None)
    total: int | None = element("Search:Total", INT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status = element("Search:Status", enum(Status))
    store: StoreResponse | None = element(
        "Search:Store", message(StoreResponse), within="Search:Response", default=None
    )


# Handler --------------------------------------------------------------------------------------------------------------


class _Refused(Exception):
    """The search fails with this status of the store."""

    def __init__(self, status: StoreStatus) -> None:
        super().__init__(status.name)
        self.status = status


@command("Search", "Search:Search", Request)
async def search(request: Request, session: Session) -> Counted:
    store = request.store
    part = store.options.part_preference
    if part is not None and part.type is not BodyType.HTML:
        raise CommonFault(CommonStatus.BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED)  # R5412
    try:
        if store.name.upper() == "GAL":
            found = await _search_people(store, session)
        elif store.name.upper() == "MAILBOX" and session.version >= Version.V12_0:
            found = await _search_items(store, session)
        elif store.name.upper() == "DOCUMENTLIBRARY":
            raise _Refused(StoreStatus.ACCESS_BLOCKED)
        else:
            raise _Refused(StoreStatus.INVALID_REQUEST)
    except _Refused as refusal:
        found = StoreResponse(status=refusal.status)
    except BackendError:
        found = StoreResponse(status=StoreStatus.SERVER_ERROR)
    return Counted(Response(status=Status.SUCCESS, store=found), len(found.results))


_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


def _window(text: str | None) -> tuple[int, int]:
    """Where to begin, and how many to give at most. Raises _Refused."""
    if text is None:
        return 0, MAX_RESULTS
    found = _RANGE.fullmatch(text.strip())
    if not found or int(found[2]) < int(found[1]):
        raise _Refused(StoreStatus.INVALID_REQUEST)
    start, count = int(found[1]), int(found[2]) - int(found[1]) + 1
    if count > MAX_RESULTS:
        raise _Refused(StoreStatus.END_OF_RANGE)  # R3736
    return start, count


def _shown(results: Sequence[Result], start: int, total: int, nothing: tuple[Result, ...]) -> StoreResponse:
    """Results with their range; `nothing` stands where there are none. A start beyond the last is Status 12 (R4361)."""
    if not results:
        status = StoreStatus.END_OF_RANGE if total and start >= total else StoreStatus.SUCCESS
        return StoreResponse(status=status, results=nothing, total=total)
    shown = f"{start}-{start + len(results) - 1}"
    return StoreResponse(status=StoreStatus.SUCCESS, results=tuple(results), range=shown, total=total)


async def _search_people(store: Store, session: Session) -> StoreResponse:
    text = store.query.text.strip()
    if not text:
        raise _Refused(StoreStatus.INVALID_REQUEST)
    start, count = _window(store.options.range)
    people, total = await session.directory.search(text, start, count)
    asked = store.options.picture
    pictures = Pictures(asked.max_size, asked.max_pictures) if asked else None
    results = [Result(properties=_properties(_entry(person, pictures), session)) for person in people]
    return _shown(results, start, total, nothing=())  # R3847


def _entry(person: Person, pictures: Pictures | None) -> Entry:
    picture = None
    if pictures is not None:
        status, data = pictures.of(person)
        picture = Picture(status=status, data=data)
    return Entry(
        name=person.name or person.address, phone=person.phone or None, office=person.office or None,
        title=person.title or None, company=person.company or None,
        alias=person.alias or person.address.partition("@")[0], first_name=person.first_name or None,
        last_name=person.last_name or None, home_phone=person.home_phone or None,
        mobile_phone=person.mobile_phone or None, address=person.address or None, picture=picture,
    )


def _properties(entry: Entry, session: Session) -> Element:
    return schema.dump("Search:Properties", entry, session.version)


async def _search_items(store: Store, session: Session) -> StoreResponse:
    query = await _query(store, session)
    start, count = _window(store.options.range)
    if query is None:
        return _shown((), start, 0, nothing=(Result(),))
    found = await session.mailbox.search(query, start, count)
    results = await _results(found.hits, store.options, session)
    return _shown(results, start, found.total, nothing=(Result(),))  # R3850


async def _query(store: Store, session: Session) -> MailQuery | None:
    """The search in the backend's words; None for one that nothing can match (SMS only). Raises _Refused."""
    asked = _and(store.query, session.version)
    known = tuple(c for c in CLASSES if c != "Notes" or session.version in NOTES)
    if not set(asked.classes) <= set(known) or (store.options.part_preference and asked.conversation is None):
        raise _Refused(StoreStatus.INVALID_REQUEST)
    for collection in asked.collections:
        if await session.mailbox.folder(collection) is None:
            raise _Refused(StoreStatus.FOLDER_SYNC_REQUIRED)
    classes = tuple(c for c in asked.classes or known if c != "SMS")
    return MailQuery(
        text=(asked.free_text or "").strip(), classes=classes, collections=asked.collections,
        deep=store.options.deep is True, conversation=asked.conversation,
        since=asked.after.value if asked.after else None, before=asked.before.value if asked.before else None,
    ) if classes else None


def _and(query: Element, version: Version) -> And:
    """The one And of a query. Anything beside it, and an And or Or within, is too complex (R772, R923, R3105)."""
    joined = [child for child in query.elements if child.tag == "Search:And"]
    inner = joined[0].elements if joined else ()
    if len(joined) != 1 or len(query.elements) != 1 or any(e.tag in ("Search:And", "Search:Or") for e in inner):
        raise _Refused(StoreStatus.TOO_COMPLEX if query.elements else StoreStatus.INVALID_REQUEST)
    if any(e.tag not in _KNOWN for e in inner):
        raise _Refused(StoreStatus.INVALID_REQUEST)
    try:
        asked = schema.load(And, joined[0], version)
    except SchemaError:
        raise _Refused(StoreStatus.INVALID_REQUEST) from None
    criteria = (asked.free_text and asked.free_text.strip(), asked.conversation, asked.after, asked.before)
    if not any(criteria) and not asked.classes and not asked.collections:
        raise _Refused(StoreStatus.INVALID_REQUEST)
    return asked


_KNOWN = frozenset(
    (
        "AirSync:Class", "AirSync:CollectionId", "Search:FreeText", "Search:ConversationId", "Search:GreaterThan",
        "Search:LessThan",
    )
)


async def _results(
    hits: Sequence[tuple[CollectionId, ItemId]], options: Options, session: Session
) -> list[Result]:
    """The items in the order of the hits; what has gone since is left out (R3757)."""
    ids: dict[CollectionId, list[ItemId]] = {}
    for collection, item in hits:
        ids.setdefault(collection, []).append(item)
    found: dict[tuple[CollectionId, ItemId], Result] = {}
    for collection, items in ids.items():
        found |= await _rendered(collection, items, options, session)
    return [found[hit] for hit in hits if hit in found]


async def _rendered(
    collection: CollectionId, items: Sequence[ItemId], options: Options, session: Session
) -> Mapping[tuple[CollectionId, ItemId], Result]:
    folder = await session.mailbox.folder(collection)
    if folder is None:
        return {}
    wanted = Wanted(
        preferences=options.preferences, part_preference=options.part_preference,
        mime_support=options.mime_support or 0,
    )
    results = {}
    async for rendered in render_items(session, folder, items, wanted):
        content = tuple(e for e in rendered.content if e.tag not in NOT_IN_RESULTS)
        results[collection, rendered.id] = Result(
            item_class=folder.item_class, long_id=server_id(collection, rendered.id), collection_id=collection,
            properties=Element("Search:Properties", content),
        )
    return results

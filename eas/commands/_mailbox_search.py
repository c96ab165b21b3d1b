"""Search in the mailbox.

Results are always looked up anew, so RebuildResults has nothing to do; a LongId is the item's ServerId, which stays the
same and is looked up within the user's own mailbox when it comes back.

[MS-ASCMD] And R772; Class (Search) R920-R923; CollectionId (Search) R2031, R2032; ConversationId (Search) R2086,
R5815; DeepTraversal (Search); FreeText (Search) R3105; GreaterThan R3143; LessThan R3220; Result (Search) R3849-R3851.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from eas.engine.ids import server_id
from eas.engine.model import CollectionId
from eas.engine.ports import MailQuery
from eas.engine.render import render_items
from eas.engine.session import Session
from eas.items.body import Wanted
from eas.items.native import ItemId
from eas.protocol import schema
from eas.protocol.schema import DASHED, OPAQUE, PRESENCE, SchemaError, element, elements, message
from eas.protocol.version import NOTES, Spoken, Version
from eas.protocol.wbxml import Element

from ._search_messages import Options, Refused, Result, Store, StoreResponse, StoreStatus, shown, window

#: Items that one answer has at most, and those that it has without a Range. R3733
MAX_RESULTS = 100

#: The classes that can be asked for, and since when. R920, R6288, R6289
CLASSES: Mapping[str, Spoken] = {
    **dict.fromkeys(("Email", "Calendar", "Contacts", "Tasks"), Spoken(since=Version.V12_0)), "Notes": NOTES,
    "SMS": NOTES,
}

#: Elements of items that have no place among a search result's properties. [MS-ASCMD] Search response schema.
NOT_IN_RESULTS = frozenset(
    (
        "Calendar:Categories", "Calendar:OnlineMeetingConfLink", "Calendar:OnlineMeetingExternalLink",
        "Tasks:OrdinalDate", "Tasks:SubOrdinalDate",
    )
)


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
    conversations: tuple[bytes, ...] = elements("Search:ConversationId", OPAQUE, since=Version.V14_0)
    after: Comparison | None = element("Search:GreaterThan", message(Comparison), default=None)
    before: Comparison | None = element("Search:LessThan", message(Comparison), default=None)


_KNOWN = frozenset(
    (
        "AirSync:Class", "AirSync:CollectionId", "Search:FreeText", "Search:ConversationId", "Search:GreaterThan",
        "Search:LessThan",
    )
)


async def search_items(store: Store, session: Session) -> StoreResponse:
    """Raises Refused, BackendError."""
    query = await _query(store, session)
    start, count = window(store.options.range, MAX_RESULTS)
    if query is None:
        return shown((), start, 0, nothing=(Result(),))
    found = await session.mailbox.search(query, start, count)
    results = await _results(found.hits, store.options, session)
    return shown(results, start, found.total, nothing=(Result(),))  # R3850


async def _query(store: Store, session: Session) -> MailQuery | None:
    """The search in the backend's words; None for one that nothing can match (SMS only). Raises Refused."""
    asked = _and(store.query, session.version)
    known = tuple(name for name, spoken in CLASSES.items() if session.version in spoken)
    conversation = asked.conversations[0] if asked.conversations else None
    if (
        not set(asked.classes) <= set(known)
        or (store.options.part_preference and conversation is None)
        or len(asked.conversations) > 1  # R5815
    ):
        raise Refused(StoreStatus.INVALID_REQUEST)
    for collection in asked.collections:
        if await session.mailbox.folder(collection) is None:
            raise Refused(StoreStatus.FOLDER_SYNC_REQUIRED)
    classes = tuple(c for c in asked.classes or known if c != "SMS")
    return MailQuery(
        text=(asked.free_text or "").strip(), classes=classes, collections=asked.collections,
        deep=store.options.deep is True, conversation=conversation,
        since=asked.after.value if asked.after else None, before=asked.before.value if asked.before else None,
    ) if classes else None


def _and(query: Element, version: Version) -> And:
    """The one And of a query. Anything beside it, Or in its place, and an And or Or within, is too complex (R772, R923,
    R3105)."""
    joined = [child for child in query.elements if child.tag == "Search:And"]
    inner = joined[0].elements if joined else ()
    if len(joined) != 1 or len(query.elements) != 1 or any(e.tag in ("Search:And", "Search:Or") for e in inner):
        raise Refused(StoreStatus.TOO_COMPLEX if query.elements else StoreStatus.INVALID_REQUEST)
    if any(e.tag not in _KNOWN for e in inner):
        raise Refused(StoreStatus.INVALID_REQUEST)
    try:
        asked = schema.load(And, joined[0], version)
    except SchemaError:
        raise Refused(StoreStatus.INVALID_REQUEST) from None
    criteria = (asked.free_text and asked.free_text.strip(), asked.conversations, asked.after, asked.before)
    if not any(criteria) and not asked.classes and not asked.collections:
        raise Refused(StoreStatus.INVALID_REQUEST)
    return asked


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

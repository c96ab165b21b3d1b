"""GetItemEstimate: how many changes a Sync with the same key would bring.

[MS-ASCMD] GetItemEstimate; Status (GetItemEstimate) R4129-R4147; Class (GetItemEstimate) R6253-R6264.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.engine import errors
from eas.engine.collection import estimate, open_folder
from eas.engine.keys import ZERO
from eas.engine.model import Folder, FolderType
from eas.engine.options import CollectionOptions, valid_filter
from eas.engine.session import Session
from eas.protocol.schema import FLAG, INT, element, elements, enum, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import COLLECTION_CLASS, DEFAULT_COLLECTIONS, Version

from ._default_folders import default_folder
from ._registry import CommonFault, command
from .sync import BESIDE

#: Collections in one request. [MS-ASCMD] Limiting Size of Command Requests.
MAX_COLLECTIONS = 1000


class Status(IntEnum):
    SUCCESS = 1             # R4133
    INVALID_COLLECTION = 2  # R4135
    NOT_PRIMED = 3          # R4139
    INVALID_SYNC_KEY = 4    # R4142


STATUS_OF: dict[type[errors.SyncError], Status] = {
    errors.CollectionGone: Status.INVALID_COLLECTION,
    errors.NotPrimed: Status.NOT_PRIMED,
    errors.StaleKey: Status.INVALID_SYNC_KEY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    filter_type: int | None = element("AirSync:FilterType", INT, default=None)
    item_class: str | None = element("AirSync:Class", default=None)
    max_items: int | None = element("AirSync:MaxItems", INT, since=Version.V14_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Up to 12.1 the FilterType stands in the collection, from 14.0 in its options (R6260-R6264); both are read in all
    versions, since devices mix them up. `collection_id` is None for the default folder of the class (2.5)."""

    sync_key: str = element("AirSync:SyncKey", default="")
    item_class: str | None = element("GetItemEstimate:Class", default=None)
    collection_id: str | None = element("GetItemEstimate:CollectionId", default=None)
    filter_type: int | None = element("AirSync:FilterType", INT, default=None)
    conversation_mode: bool | None = element("AirSync:ConversationMode", FLAG, since=Version.V14_0, default=None)
    options: tuple[Options, ...] = elements("AirSync:Options", message(Options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    collections: tuple[Collection, ...] = elements(
        "GetItemEstimate:Collection", message(Collection), within="GetItemEstimate:Collections"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    item_class: str | None = element("GetItemEstimate:Class", until=COLLECTION_CLASS.until, default=None)
    collection_id: str = element("GetItemEstimate:CollectionId")
    estimate: int = element("GetItemEstimate:Estimate", INT)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionResponse:
    status: Status = element("GetItemEstimate:Status", enum(Status))
    collection: Estimated | None = element("GetItemEstimate:Collection", message(Estimated), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    responses: tuple[CollectionResponse, ...] = elements("GetItemEstimate:Response", message(CollectionResponse))


@command("GetItemEstimate", "GetItemEstimate:GetItemEstimate", Request)
async def get_item_estimate(request: Request, session: Session) -> Response:
    if not 0 < len(request.collections) <= MAX_COLLECTIONS:
        raise CommonFault(CommonStatus.INVALID_XML)
    for collection in request.collections:
        if collection.collection_id is None and not (session.version in DEFAULT_COLLECTIONS and collection.item_class):
            raise CommonFault(CommonStatus.INVALID_XML)
    return Response(responses=tuple([await _estimate(c, session) for c in request.collections]))


async def _estimate(asked: Collection, session: Session) -> CollectionResponse:
    id = asked.collection_id
    if id is None:
        id = await default_folder(session, asked.item_class) or ""
    try:
        folder = await open_folder(session, id)
        options = _options(asked, folder)
        if asked.sync_key in ("", ZERO):
            raise errors.NotPrimed
        count = await estimate(session, id, asked.sync_key, options, asked.conversation_mode)
    except tuple(STATUS_OF) as error:
        return CollectionResponse(status=STATUS_OF[type(error)])
    found = Estimated(item_class=folder.item_class, collection_id=id, estimate=count)
    return CollectionResponse(status=Status.SUCCESS, collection=found)


def _options(asked: Collection, folder: Folder) -> CollectionOptions | None:
    """None: those of the last Sync. Raises CommonFault, as the status table has it."""
    item_class = folder.item_class
    if asked.conversation_mode is not None and item_class != "Email":
        raise CommonFault(CommonStatus.INVALID_XML)
    classes = [o.item_class or item_class for o in asked.options]
    if len(set(classes)) < len(classes) or not BESIDE.get(item_class, frozenset((item_class,))).issuperset(classes):
        raise errors.StaleKey  # R908: the status that a Sync has for it; this table has no other
    filters = [o.filter_type for o in asked.options if o.item_class in (item_class, None)]
    max_items = next((o.max_items for o in asked.options if o.max_items is not None), None)
    if max_items is not None and (folder.type is not FolderType.RECIPIENT_CACHE or max_items < 1):
        raise errors.CollectionGone
    filter_type = next((f for f in (*filters, asked.filter_type) if f is not None), None)
    if filter_type is None:
        return CollectionOptions(max_items=max_items) if filters else None
    if not 0 <= filter_type <= 8:
        raise CommonFault(CommonStatus.INVALID_XML)
    if not valid_filter(item_class, filter_type):
        raise CommonFault(CommonStatus.SERVER_ERROR)
    return CollectionOptions(filter_type=filter_type, max_items=max_items)

"""Search: the Global Address List, the items of the mailbox (`_mailbox_search`), and documents (`_documents`).

[MS-ASCMD] Search R375-R437; Name (Search); Range (Search) R3729-R3736; Status (Search) R4316-R4376; Total (Search)
R4638.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from eas.engine.errors import BackendError
from eas.engine.session import Session
from eas.items.body import BodyType
from eas.protocol import schema
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Spoken, Version

from ._documents import search_documents
from ._mailbox_search import search_items
from ._people import Pictures, entry_of
from ._registry import CommonFault, Counted, command
from ._search_messages import (
    Refused,
    Request,
    Response,
    Result,
    Status,
    Store,
    StoreResponse,
    StoreStatus,
    shown,
    window,
)

#: Entries that one answer has at most, and those that it has without a Range. R3735
MAX_PEOPLE = 100


async def _search_people(store: Store, session: Session) -> StoreResponse:
    text = store.query.text.strip()
    if not text:
        raise Refused(StoreStatus.INVALID_REQUEST)
    start, count = window(store.options.range, MAX_PEOPLE)
    asked = store.options.picture
    people, total = await session.directory.search(text, start, count, pictures=asked is not None)
    pictures = Pictures(asked.max_size, asked.max_pictures) if asked else None
    results = [
        Result(properties=schema.dump("Search:Properties", entry_of(person, pictures), session.version))
        for person in people
    ]
    return shown(results, start, total)  # R3847


#: The stores by their folded names. 2.5 has the address list alone.
STORES: Mapping[str, tuple[Spoken, Callable[[Store, Session], Awaitable[StoreResponse]]]] = {
    "gal": (Spoken(), _search_people),
    "mailbox": (Spoken(since=Version.V12_0), search_items),
    "documentlibrary": (Spoken(since=Version.V12_0), search_documents),
}


@command("Search", "Search:Search", Request)
async def search(request: Request, session: Session) -> Counted:
    store = request.store
    part = store.options.part_preference
    if part is not None and part.type is not BodyType.HTML:
        raise CommonFault(CommonStatus.BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED)  # R5412
    spoken, look = STORES.get(store.name.strip().lower(), (None, None))
    try:
        if spoken is None or look is None or session.version not in spoken:
            raise Refused(StoreStatus.INVALID_REQUEST)
        found = await look(store, session)
    except Refused as refusal:
        found = StoreResponse(status=refusal.status)
    except BackendError:
        found = StoreResponse(status=StoreStatus.SERVER_ERROR)
    return Counted(Response(status=Status.SUCCESS, store=found), len(found.results))

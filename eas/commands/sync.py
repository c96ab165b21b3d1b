"""Sync: changes of one or more collections, both ways; also as a wait (hanging Sync).

[MS-ASCMD] Sync; Status (Sync); Empty Sync Request, Empty Sync Response. What is decided about a collection stands in
eas.engine.collection; this file says how it is asked and told.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

import structlog

from eas.engine import errors
from eas.engine.apply import DeviceCommand, Done, ItemStatus, Result
from eas.engine.choose import Said
from eas.engine.collection import CollectionAnswer, CollectionRequest, open_folder, open_folders, synchronise
from eas.engine.diff import Verb
from eas.engine.hierarchy import hierarchy_key
from eas.engine.ids import server_id
from eas.engine.keys import ZERO, Held
from eas.engine.model import Folder, FolderType
from eas.engine.moves import lease_of
from eas.engine.options import MIME_CHARACTERS, TRUNCATION_CHARACTERS, CollectionOptions, valid_filter
from eas.engine.quirks import Quirk
from eas.engine.remembered import forget_commands, recall, remember
from eas.engine.session import Session
from eas.engine.waiting import granted, longest, wait_for_news
from eas.items.body import BodyType
from eas.protocol import schema, wbxml
from eas.protocol.schema import SchemaError
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import DEFAULT_COLLECTIONS, EMPTY_SYNC, Version
from eas.protocol.wbxml import Element

from ._default_folders import default_folder
from ._registry import CommonFault, Counted, command
from ._sync_figures import figures, notes
from ._sync_messages import (
    AddCommand,
    Added,
    AnsweredChange,
    ChangeCommand,
    Changed,
    Collection,
    CollectionResponse,
    DeleteCommand,
    Deleted,
    FetchCommand,
    Fetched,
    Item,
    NotDeleted,
    Options,
    Request,
    Response,
    SoftDeleted,
    Status,
)

log = structlog.get_logger("eas.sync")

#: WindowSize without a word of the device, and the most. [MS-ASCMD] WindowSize.
DEFAULT_WINDOW, MAX_WINDOW = 100, 512


STATUS_OF: dict[type[Exception], Status] = {
    errors.CollectionGone: Status.HIERARCHY_CHANGED,
    errors.FolderGone: Status.HIERARCHY_CHANGED,
    errors.HierarchyChanged: Status.HIERARCHY_CHANGED,
    errors.NotPrimed: Status.INVALID_SYNC_KEY,
    errors.StaleKey: Status.INVALID_SYNC_KEY,
    errors.Contended: Status.RETRY,
    errors.BackendError: Status.SERVER_ERROR,
}

#: How often a wait that was ended by news which then turned out to be none is taken up again.
ROUNDS = 8


class ProtocolError(Exception):
    """The request is against the rules; `status` says how, `limit` what would have been allowed."""

    def __init__(self, status: Status, limit: int | None = None) -> None:
        super().__init__(status.name)
        self.status, self.limit = status, limit


# -- The handler


@command("Sync", "AirSync:Sync", Request, malformed=Status.PROTOCOL_ERROR, when_empty=Request)
async def sync(request: Request, session: Session) -> Counted:
    session.bell.end(session.user.id, session.device.id)
    try:
        request, recalled = await _effective(request, session)
        seconds = await _wait_seconds(request, session)
        request = await _resolved(request, session)
        await _check(request, session)
    except errors.NotRemembered:
        return _refused(Status.INCOMPLETE_REQUEST)
    except ProtocolError as error:
        return _refused(error.status, error.limit)
    if session.version in EMPTY_SYNC:
        await remember(session, schema.dump("AirSync:Sync", forget_commands(request), session.version), request)
    try:
        answers = await _answers(request, session, recalled)
        if seconds and not any(_told(answer) for answer in answers):
            answers = await _wait(request, session, recalled, answers, seconds)
    except errors.NotRemembered:
        return _refused(Status.INCOMPLETE_REQUEST)
    except errors.HierarchyChanged:
        return _refused(Status.HIERARCHY_CHANGED)
    return _response(answers, session)


def _refused(status: Status, limit: int | None = None) -> Counted:
    return Counted(Response(status=status, limit=limit), 0, {("failures", str(int(status))): 1})


async def _effective(request: Request, session: Session) -> tuple[Request, Names[str]]:
    """The request with what it leaves to the one before, and the ids of the collections that were so recalled.

    Raises NotRemembered. [MS-ASCMD] Empty Sync Request, Partial.
    """
    if request.collections and not request.partial:
        return request, ()
    if session.version not in EMPTY_SYNC:
        raise ProtocolError(Status.PROTOCOL_ERROR)
    if request.partial and not (request.collections or request.wait or request.heartbeat or request.window):
        raise ProtocolError(Status.PROTOCOL_ERROR)
    if not request.partial and (request.wait or request.heartbeat or request.window):
        raise ProtocolError(Status.PROTOCOL_ERROR)  # R3643
    before = _recalled(request, session)
    if not request.partial:
        return before, {c.collection_id for c in before.collections}
    named = {c.collection_id for c in request.collections}
    rest = tuple(c for c in before.collections if c.collection_id not in named)
    states_wait = request.wait is not None or request.heartbeat is not None
    merged = replace(
        request, partial=None, collections=(*request.collections, *rest),
        wait=request.wait if states_wait else before.wait,
        heartbeat=request.heartbeat if states_wait else before.heartbeat,
        window=before.window if request.window is None else request.window,
    )
    return merged, {c.collection_id for c in rest}


def _recalled(request: Request, session: Session) -> Request:
    """Raises NotRemembered."""
    whole = recall(session, also_with_commands=bool(request.partial))
    try:
        return schema.load(Request, whole, session.version)
    except SchemaError as error:  # written by another release, or in another version of the protocol
        raise errors.NotRemembered from error


async def _wait_seconds(request: Request, session: Session) -> int:
    """0 for none. Out of bounds is Status 14 with the nearest bound, in the unit that was used."""
    if request.wait is not None and request.heartbeat is not None:
        raise ProtocolError(Status.PROTOCOL_ERROR)
    asked, unit = (request.heartbeat, 1) if request.wait is None else (request.wait, 60)
    if asked is None:
        return 0
    low, high = session.limits.heartbeat_min_seconds, session.limits.heartbeat_max_seconds
    if not low <= asked * unit <= high:
        bound = min(max(asked * unit, low), longest(session))
        raise ProtocolError(Status.INVALID_WAIT, max(1, bound // unit))
    seconds, limit = await granted(session, asked, unit)
    if limit is not None:
        raise ProtocolError(Status.INVALID_WAIT, limit)
    return seconds


async def _resolved(request: Request, session: Session) -> Request:
    """With a CollectionId in each collection that version 2.5 named by its class alone."""
    if session.version not in DEFAULT_COLLECTIONS or all(c.collection_id for c in request.collections):
        return request
    resolved = []
    for collection in request.collections:
        id = collection.collection_id or await default_folder(session, collection.item_class)
        if id is None:
            raise ProtocolError(Status.PROTOCOL_ERROR)
        resolved.append(replace(collection, collection_id=id))
    return replace(request, collections=tuple(resolved))


async def _check(request: Request, session: Session) -> None:
    """What makes the whole request fail. Raises ProtocolError."""
    if len(request.collections) > session.limits.max_collections:
        raise ProtocolError(Status.TOO_MANY_COLLECTIONS, session.limits.max_collections)
    if sum(len(c.commands) for c in request.collections) > session.limits.max_commands:
        raise ProtocolError(Status.PROTOCOL_ERROR)
    ids = [c.collection_id for c in request.collections]
    if len(set(ids)) < len(ids):
        raise ProtocolError(Status.PROTOCOL_ERROR)
    for collection in request.collections:
        if any(isinstance(given, AddCommand) for given in collection.commands):
            folder = await session.mailbox.folder(collection.collection_id)
            if folder is not None and folder.type is FolderType.RECIPIENT_CACHE:
                raise ProtocolError(Status.PROTOCOL_ERROR)  # R756


def _told(answer: CollectionAnswer | CollectionResponse) -> bool:
    return isinstance(answer, CollectionResponse) or answer.news


async def _answers(
    request: Request, session: Session, recalled: Names[str]
) -> list[CollectionAnswer | CollectionResponse]:
    """One for each collection, in order; a failure of one does not touch the others."""
    room = _window(request.window) if request.window is not None else None
    found: list[CollectionAnswer | CollectionResponse] = []
    names = [lease_of(session, c.collection_id) for c in request.collections]
    async with session.leases.hold(names):
        folders, held = await _together(request, session)
        for collection in request.collections:
            id = collection.collection_id
            answer = await _one(collection, session, room, id in recalled, folders.get(id), held.get(id))
            if room is not None and isinstance(answer, CollectionAnswer):
                room = max(0, room - len(answer.said))
            found.append(answer)
    return found


async def _together(request: Request, session: Session) -> tuple[Mapping[str, Folder], Mapping[str, Held]]:
    """The folders and what the device holds of them, by collection, read at once. Nothing where the device has
    commands, by which other collections may change meanwhile, or where it fails: each collection asks for itself then,
    and fails for itself."""
    if any(collection.commands for collection in request.collections):
        return {}, {}
    ids = [collection.collection_id for collection in request.collections]
    try:
        held = await session.store.load_several(session.user.id, session.device.id, ids)
        return await open_folders(session, ids), held
    except Exception as error:  # whatever it is, it comes again where a collection is asked for by itself
        log.warning("collections could not be read together", reason=repr(error))
        return {}, {}


async def _one(
    collection: Collection, session: Session, room: int | None, recalled: bool, folder: Folder | None,
    held: Held | None,
) -> CollectionAnswer | CollectionResponse:
    try:
        folder = folder or await open_folder(session, collection.collection_id)
        asked = _request(collection, folder, room, recalled, session.quirks)
        answer = await synchronise(session, asked, folder=folder, held=held)
        session.insisting.found(session.user.id, session.device.id, collection.collection_id)
        return answer
    except ProtocolError as error:
        status = error.status
    except (errors.NotRemembered, CommonFault):
        raise
    except tuple(STATUS_OF) as error:
        status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
        if status is Status.HIERARCHY_CHANGED and await _insists(session, collection.collection_id):
            status = Status.INVALID_SYNC_KEY
        log.info("collection failed", collection=collection.collection_id, reason=repr(error), status=int(status))
    except Exception as error:  # our own fault: it must not keep the other folders from the device
        log.error("collection failed", collection=collection.collection_id, exc_info=error)
        status = Status.SERVER_ERROR
    key = ZERO if status is Status.INVALID_SYNC_KEY else collection.sync_key
    return CollectionResponse(
        item_class=collection.item_class, sync_key=key, collection_id=collection.collection_id, status=status
    )


async def _insists(session: Session, collection_id: str) -> bool:
    """Whether the device goes on asking for a folder that is not there, however often it was told."""
    hierarchy = await hierarchy_key(session)
    return session.insisting.asks(session.user.id, session.device.id, hierarchy, collection_id)


def _request(
    collection: Collection, folder: Folder, room: int | None, recalled: bool, quirks: frozenset[Quirk]
) -> CollectionRequest:
    """Raises ProtocolError for what the rules of the command forbid in a collection."""
    first, item_class = collection.sync_key == ZERO, folder.item_class
    if first and collection.get_changes and Quirk.GET_CHANGES_WITH_KEY_0 not in quirks:
        raise ProtocolError(Status.PROTOCOL_ERROR)  # R3128 R5838
    if collection.supported is not None and item_class == "Notes":
        raise ProtocolError(Status.PROTOCOL_ERROR)  # [MS-ASNOTE] R114
    if collection.conversation_mode is not None and item_class != "Email":
        raise ProtocolError(Status.PROTOCOL_ERROR)
    window = _window(collection.window)
    return CollectionRequest(
        collection_id=collection.collection_id, key=collection.sync_key, digest=_digest(collection),
        options=_options(collection.options, folder), conversations=collection.conversation_mode,
        supported=_supported(collection.supported) if first else None,
        get_changes=collection.get_changes is not False,
        deletes_as_moves=collection.deletes_as_moves is not False,
        window=window if room is None else min(window, room),
        commands=() if first else tuple(map(_device_command, collection.commands)),
        remembered=recalled,
    )


def _window(asked: int | None) -> int:
    """0 and what is above the most mean the most. [MS-ASCMD] WindowSize R5004 ff."""
    if asked is None:
        return DEFAULT_WINDOW
    return asked if 0 < asked <= MAX_WINDOW else MAX_WINDOW


def _supported(given: Element | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(e.tag for e in given.elements)


def _digest(collection: Collection) -> str:
    """Of all that makes a request the same one when it is repeated. Written in one version, since it is not sent."""
    written = wbxml.encode(schema.dump("AirSync:Collection", collection, Version.V16_1))
    return blake2b(written, digest_size=12).hexdigest()


#: The classes whose Options may stand in a folder of a class, where they are more than its own. SMS are not kept
#: (eas.engine.sms): what is asked of them counts for nothing. [MS-ASCMD] Class (Sync) R934
BESIDE = {"Email": frozenset(("Email", "SMS"))}


def _options(stated: Sequence[Options], folder: Folder) -> CollectionOptions | None:
    """The block that counts for the class of the folder: the one that names it, else the one that names none."""
    if not stated:
        return None
    item_class = folder.item_class
    classes = [o.item_class or item_class for o in stated]
    if len(set(classes)) < len(classes) or not BESIDE.get(item_class, frozenset((item_class,))).issuperset(classes):
        raise ProtocolError(Status.PROTOCOL_ERROR)  # R930, R935
    of_folder = [o for o, stated_class in zip(stated, classes, strict=True) if stated_class == item_class]
    if not of_folder:
        return None
    options = of_folder[0]
    _check_options(options, folder)
    if options.part_preference is not None and options.part_preference.type is not BodyType.HTML:
        raise CommonFault(CommonStatus.BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED)
    return CollectionOptions(
        filter_type=options.filter_type or 0, client_wins=options.conflict == 0,
        mime_support=options.mime_support or 0, mime_truncation=options.mime_truncation,
        preferences=options.preferences, part_preference=options.part_preference, truncation=options.truncation,
        max_items=options.max_items,
    )


def _check_options(options: Options, folder: Folder) -> None:
    """Raises ProtocolError for values that an option does not have, and options that are not for this folder."""
    types = [preference.type for preference in options.preferences]
    of_cache = folder.type is FolderType.RECIPIENT_CACHE
    if (
        not valid_filter(folder.item_class, options.filter_type or 0)
        or len(set(types)) < len(types)
        or options.conflict not in (None, 0, 1)
        or options.mime_support not in (None, 0, 1, 2)
        or (options.mime_truncation is not None and options.mime_truncation not in MIME_CHARACTERS)
        or any(t is not None and t not in TRUNCATION_CHARACTERS for t in (options.truncation, options.rtf_truncation))
        or (options.max_items is not None and not (of_cache and options.max_items > 0))
    ):
        raise ProtocolError(Status.PROTOCOL_ERROR)


def _device_command(given: AddCommand | ChangeCommand | DeleteCommand | FetchCommand) -> DeviceCommand:
    match given:
        case AddCommand():
            return DeviceCommand(
                verb=Done.ADD, named=given.client_id, data=given.data, item_class=given.item_class,
                send=bool(given.send),
            )
        case ChangeCommand():
            return DeviceCommand(
                verb=Done.CHANGE, named=given.server_id, data=given.data, item_class=given.item_class,
                instance=given.instance, send=bool(given.send),
            )
        case DeleteCommand():
            return DeviceCommand(
                verb=Done.DELETE, named=given.server_id, item_class=given.item_class, instance=given.instance
            )
        case FetchCommand():
            return DeviceCommand(verb=Done.FETCH, named=given.server_id)


async def _wait(
    request: Request, session: Session, recalled: Names[str],
    answers: list[CollectionAnswer | CollectionResponse], seconds: int,
) -> list[CollectionAnswer | CollectionResponse]:
    """Hold the answer until there is news. Raises HierarchyChanged and NotRemembered."""
    deadline = session.clock.monotonic() + seconds
    # A collection without GetChanges is told nothing, whatever happens in it.
    watched = [c.collection_id for c in request.collections if c.get_changes is not False]
    for _ in range(ROUNDS):
        waited = await wait_for_news(session, watched, deadline - session.clock.monotonic())
        if waited.hierarchy:
            raise errors.HierarchyChanged
        if not waited.changed:
            return answers
        answers = await _answers(request, session, recalled)
        if any(_told(answer) for answer in answers):
            break
    return answers


def _response(answers: Sequence[CollectionAnswer | CollectionResponse], session: Session) -> Counted:
    """The response is None for an empty answer."""
    empty = session.version in EMPTY_SYNC and Quirk.NO_EMPTY_ANSWERS not in session.quirks
    told = [a for a in answers if not empty or _told(a) or (isinstance(a, CollectionAnswer) and a.more)]
    if not told:
        return Counted(None, 0, folders=notes(answers))
    items = sum(len(a.said) for a in told if isinstance(a, CollectionAnswer))
    return Counted(Response(collections=tuple(
        a if isinstance(a, CollectionResponse) else _collection_response(a) for a in told
    )), items, figures(told), notes(answers))


def _collection_response(answer: CollectionAnswer) -> CollectionResponse:
    return CollectionResponse(
        item_class=answer.item_class, sync_key=answer.key, collection_id=answer.collection_id,
        status=Status.SUCCESS, more_available=True if answer.more else None,
        commands=tuple(_said(said, answer.collection_id) for said in answer.said),
        responses=tuple(
            response for result, content in answer.results if (response := _result(result, content)) is not None
        ),
    )


def _said(said: Said, collection_id: str) -> Item | Changed | Deleted | SoftDeleted:
    named = server_id(collection_id, said.id)
    data = Element("AirSync:ApplicationData", said.content)
    match said.verb:
        case Verb.ADD:
            return Item(server_id=named, data=data)
        case Verb.CHANGE:
            return Changed(server_id=named, data=data)
        case Verb.DELETE:
            return Deleted(server_id=named)
        case Verb.SOFT_DELETE:
            return SoftDeleted(server_id=named)


def _result(result: Result, content: tuple[Element, ...]) -> Added | AnsweredChange | NotDeleted | Fetched | None:
    """Successful changes and deletions are not answered, unless there is something to tell. [MS-ASCMD] Responses."""
    ok = result.status == ItemStatus.SUCCESS
    data = Element("AirSync:ApplicationData", content) if ok and content else None
    match result.verb:
        case Done.ADD:
            return Added(
                client_id=result.named, server_id=result.server_id or None, status=result.status, data=data
            )
        case Done.FETCH:
            whole = Element("AirSync:ApplicationData", content) if ok else None
            return Fetched(server_id=result.named, status=result.status, data=whole)
        case Done.CHANGE:
            if ok and not content and result.instance is None:
                return None
            return AnsweredChange(
                server_id=result.named, instance=result.instance, status=result.status, data=data
            )
        case Done.DELETE:
            return None if ok else NotDeleted(
                server_id=result.named, instance=result.instance, status=result.status
            )

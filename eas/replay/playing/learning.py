"""Pairs of answers -> Binding: what the live server has called what the recorded one called otherwise.

One function a root tag. Each is given the recorded request, the recorded answer and the live answer, as documents; the
live one is None where nothing usable came: then keys stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import zip_longest

from eas.protocol.wbxml import Element
from eas.replay.format.model import Body, Document, Parts

from .binding import Binding, Missing, Unknown
from .folders import ROOT, Folder
from .roles import Kind
from .traits import Traits, files, named_pairs, traits

NOTHING = Element("")


def learn(binding: Binding, request: Element | None, recorded: Element | None, live: Element | None) -> None:
    """`request` is the recorded one; None for what has no document. `recorded` None: an empty answer."""
    told = recorded or live
    root = told.tag if told is not None else request.tag if request is not None else ""
    if recorded is not None and live is not None and recorded.tag != live.tag:
        live = None
    if (how := LEARNERS.get(root)) is not None:
        how(binding, request or NOTHING, recorded or NOTHING, live or NOTHING)


# Reading -------------------------------------------------------------------------------------------------------------


def document_of(body: Body) -> Element | None:
    """The document of a body, or of its first part."""
    match body:
        case Document(root, _) | Parts((Document(root, _), *_)):
            return root
    return None


def text(element: Element, *path: str) -> str:
    """The text at the end of a path of tags, "" where there is none."""
    at: Element | None = element
    for tag in path:
        at = at.child(tag) if at is not None else None
    return at.text if at is not None else ""


def within(element: Element, *path: str) -> Iterator[Element]:
    """All elements at the end of a path of tags."""
    at: Iterable[Element] = (element,)
    for tag in path:
        at = [child for one in at for child in one.children(tag)]
    yield from at


def collection_id(collection: Element) -> str:
    """What a collection is known by: its id, or its class where 2.5 leaves the id out."""
    space = collection.tag.partition(":")[0]
    return text(collection, f"{space}:CollectionId") or f"class:{text(collection, f'{space}:Class')}"


# Folders -------------------------------------------------------------------------------------------------------------


def _folder_sync(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    asked = text(request, "FolderHierarchy:SyncKey")
    binding.asked_with("", asked)
    for table, answer in ((binding.folders.recorded, recorded), (binding.folders.live, live)):
        changes = answer.child("FolderHierarchy:Changes")
        if changes is not None:
            if asked == ROOT:
                table.clear()
            _hear(table, changes)
    binding.folders.pair()
    binding.keys("", text(recorded, "FolderHierarchy:SyncKey"), text(live, "FolderHierarchy:SyncKey"))


def _hear(table: dict[str, Folder], changes: Element) -> None:
    for change in changes.elements:
        id = text(change, "FolderHierarchy:ServerId")
        kind = change.tag.partition(":")[2]
        if kind in ("Add", "Update", "Folder"):
            table[id] = Folder(
                text(change, "FolderHierarchy:DisplayName"), text(change, "FolderHierarchy:Type"),
                text(change, "FolderHierarchy:ParentId"),
            )
        elif kind == "Delete":
            table.pop(id, None)


def _hierarchy(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    _hear(binding.folders.recorded, recorded)
    _hear(binding.folders.live, live)
    binding.folders.pair()


def _folder_create(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    _folder_key(binding, request, recorded, live)
    ours, theirs = text(recorded, "FolderHierarchy:ServerId"), text(live, "FolderHierarchy:ServerId")
    made = Folder(text(request, "FolderHierarchy:DisplayName"), text(request, "FolderHierarchy:Type"),
                  text(request, "FolderHierarchy:ParentId"))
    if ours:
        binding.folders.recorded[ours] = made
    if theirs:
        parent = binding.folders.live_of.get(made.parent, made.parent)
        binding.folders.live[theirs] = Folder(made.name, made.type, parent)
    if ours and theirs:
        binding.folders.live_of[ours] = theirs


def _folder_key(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    binding.asked_with("", text(request, "FolderHierarchy:SyncKey"))
    binding.keys("", text(recorded, "FolderHierarchy:SyncKey"), text(live, "FolderHierarchy:SyncKey"))


# Sync ----------------------------------------------------------------------------------------------------------------

_COLLECTIONS = ("AirSync:Collections", "AirSync:Collection")


def _sync(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    for asked in within(request, *_COLLECTIONS):
        binding.asked_with(collection_id(asked), text(asked, "AirSync:SyncKey"))
    theirs = {collection_id(one): one for one in within(live, *_COLLECTIONS)}
    for ours in within(recorded, *_COLLECTIONS):
        holder = collection_id(ours)
        _collection(binding, holder, ours, theirs.pop(binding.folders.live_of.get(holder, holder), NOTHING))
    for id, other in theirs.items():  # of which the recorded server had nothing to say
        holder = binding.folders.recorded_of(id) or id
        _collection(binding, holder, NOTHING, other)


def _collection(binding: Binding, holder: str, ours: Element, theirs: Element) -> None:
    binding.keys(holder, text(ours, "AirSync:SyncKey"), text(theirs, "AirSync:SyncKey"))
    _confirmed(binding, holder, ours, theirs)
    more = any(one.child("AirSync:MoreAvailable") is not None for one in (ours, theirs))
    binding.items(holder, _told(ours, binding), _told(theirs), sure=more)
    binding.gone(holder, _gone(ours), _gone(theirs))
    _attachments(binding, holder, ours, theirs)


def _told(collection: Element, binding: Binding | None = None) -> Iterator[Traits]:
    """The items that a server has added; those of the recorded side with their dates moved."""
    by = {"by": binding.by} if binding is not None else {}
    for added in within(collection, "AirSync:Commands", "AirSync:Add"):
        data = added.child("AirSync:ApplicationData")
        yield traits(text(added, "AirSync:ServerId"), data or NOTHING, **by)


def _gone(collection: Element) -> Iterator[str]:
    for commands in collection.children("AirSync:Commands"):
        for command in commands.elements:
            if command.tag in ("AirSync:Delete", "AirSync:SoftDelete"):
                yield text(command, "AirSync:ServerId")


def _confirmed(binding: Binding, holder: str, ours: Element, theirs: Element) -> None:
    """Items of the device: by its ClientIds."""
    path = ("AirSync:Responses", "AirSync:Add")
    given = {text(one, "AirSync:ClientId"): one for one in within(theirs, *path)}
    for one in within(ours, *path):
        id, other = text(one, "AirSync:ServerId"), given.get(text(one, "AirSync:ClientId"))
        if id and other is None:
            binding.items(holder, [Traits(id, ())], [])
        elif id and other is not None and (theirs_id := text(other, "AirSync:ServerId")):
            binding.put(Kind.ITEM, id, theirs_id, holder)
            _files(binding, one.child("AirSync:ApplicationData"), other.child("AirSync:ApplicationData"))
        elif id:
            binding.items(holder, [Traits(id, ())], [])


def _attachments(binding: Binding, holder: str, ours: Element, theirs: Element) -> None:
    """Of items that were changed or fetched, which are known by now."""
    for part, command in (("Commands", "Change"), ("Responses", "Fetch"), ("Responses", "Change")):
        path = (f"AirSync:{part}", f"AirSync:{command}")
        given = {text(one, "AirSync:ServerId"): one for one in within(theirs, *path)}
        for one in within(ours, *path):
            try:
                live = binding.live(Kind.ITEM, text(one, "AirSync:ServerId"), holder)
            except (Missing, Unknown):
                continue
            other = given.get(str(live), NOTHING)
            _files(binding, one.child("AirSync:ApplicationData"), other.child("AirSync:ApplicationData"))


def _files(binding: Binding, ours: Element | None, theirs: Element | None) -> None:
    if ours is None or theirs is None:
        return
    for reference, live in named_pairs(files(ours), files(theirs)):
        binding.put(Kind.FILE, reference, live)
    mine, other = (one.child("Email2:ConversationId") or NOTHING for one in (ours, theirs))
    if isinstance(mine.content, bytes) and isinstance(other.content, bytes):
        binding.put(Kind.CONVERSATION, mine.content, other.content)


# The other commands --------------------------------------------------------------------------------------------------


def _provision(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    path = ("Provision:Policies", "Provision:Policy", "Provision:PolicyKey")
    binding.put(Kind.POLICY, text(recorded, *path), text(live, *path))


def _move(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    """Answers stand in the order of what was asked; the live one may lack some. [MS-ASCMD] MoveItems."""
    to = {text(one, "Move:SrcMsgId"): text(one, "Move:DstFldId") for one in request.children("Move:Move")}
    given = {text(one, "Move:SrcMsgId"): text(one, "Move:DstMsgId") for one in live.children("Move:Response")}
    froms = {text(one, "Move:SrcMsgId"): text(one, "Move:SrcFldId") for one in request.children("Move:Move")}
    for one in recorded.children("Move:Response"):
        source, moved = text(one, "Move:SrcMsgId"), text(one, "Move:DstMsgId")
        try:
            asked = str(binding.live(Kind.ITEM, source, froms.get(source, "")))
        except (Missing, Unknown):
            asked = source
        binding.put(Kind.ITEM, moved, given.get(asked, ""), to.get(source, ""))


def _meeting_response(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    path = ("MeetingResponse:Result",)
    for ours, theirs in zip(within(recorded, *path), within(live, *path), strict=False):
        binding.put(Kind.ITEM, text(ours, "MeetingResponse:CalendarId"), text(theirs, "MeetingResponse:CalendarId"))


def _search(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    path = ("Search:Response", "Search:Store", "Search:Result")
    binding.results(
        Kind.LONG, list(_results(within(recorded, *path), "Search:LongId", "Search:Properties", binding)),
        list(_results(within(live, *path), "Search:LongId", "Search:Properties")),
    )


def _find(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    path = ("Find:Response", "Find:Result")
    binding.results(
        Kind.ITEM, list(_results(within(recorded, *path), "AirSync:ServerId", "Find:Properties", binding)),
        list(_results(within(live, *path), "AirSync:ServerId", "Find:Properties")),
    )


def _results(
    found: Iterable[Element], id: str, properties: str, binding: Binding | None = None
) -> Iterator[Traits]:
    by = {"by": binding.by} if binding is not None else {}
    for one in found:
        if named := text(one, id):
            yield traits(named, one.child(properties) or NOTHING, **by)


def _operations(binding: Binding, request: Element, recorded: Element, live: Element) -> None:
    """Fetches are answered in the order in which they were asked."""
    path = ("ItemOperations:Response", "ItemOperations:Fetch")
    for ours, theirs in zip_longest(within(recorded, *path), within(live, *path)):
        if ours is not None and theirs is not None:
            _files(binding, ours.child("ItemOperations:Properties"), theirs.child("ItemOperations:Properties"))


Learner = Callable[[Binding, Element, Element, Element], None]

#: Root tag of the answer (or of the request, where the answer is empty) -> what is learned.
LEARNERS: Mapping[str, Learner] = {
    "FolderHierarchy:FolderSync": _folder_sync,
    "FolderHierarchy:Folders": _hierarchy,
    "FolderHierarchy:FolderCreate": _folder_create,
    "FolderHierarchy:FolderDelete": _folder_key,
    "FolderHierarchy:FolderUpdate": _folder_key,
    "AirSync:Sync": _sync,
    "Provision:Provision": _provision,
    "Move:MoveItems": _move,
    "MeetingResponse:MeetingResponse": _meeting_response,
    "Search:Search": _search,
    "Find:Find": _find,
    "ItemOperations:ItemOperations": _operations,
}

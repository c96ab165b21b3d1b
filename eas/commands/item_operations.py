"""ItemOperations: fetch items (`_fetch`), empty a folder, move a conversation.

[MS-ASCMD] ItemOperations R193-R201; EmptyFolderContents; DeleteSubFolders R2167; Move (ItemOperations); MoveAlways;
Status (ItemOperations) R4153-R4173. [MS-ASCON] Ignoring a Conversation R213; Always Moving a Conversation R215.
"""

from __future__ import annotations

from eas.engine import errors
from eas.engine.ids import MAX_LENGTH
from eas.engine.model import FolderType
from eas.engine.session import Session
from eas.items.body import BodyPreference, BodyType
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import CONVERSATIONS, Spoken, Version

from ._fetch import Parts, fetch
from ._operations import Emptied, EmptyFolderContents, Fetch, Fetched, Move, Moved, Request, Response, Status
from ._registry import CommonFault, Multipart, command

#: Operations in one request. [MS-ASCMD] Limiting Size of Command Requests.
MAX_OPERATIONS = 100


@command(
    "ItemOperations", "ItemOperations:ItemOperations", Request, spoken=Spoken(since=Version.V12_0),
    malformed=Status.PROTOCOL_ERROR,
)
async def item_operations(request: Request, session: Session) -> Response | Multipart:
    operations = request.operations
    if session.version not in CONVERSATIONS and any(isinstance(one, Move) for one in operations):
        return Response(status=Status.PROTOCOL_ERROR)  # R7244
    if not operations:
        return Response(status=Status.PROTOCOL_ERROR)
    if len(operations) > MAX_OPERATIONS:
        return Response(status=Status.TOO_LARGE)
    if any(isinstance(one, Fetch) and not _of_html(one.options.part_preference) for one in operations):
        raise CommonFault(CommonStatus.BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED)  # R5412
    moved: list[Moved] = []
    emptied: list[Emptied] = []
    fetched: list[Fetched] = []
    parts = Parts(session.query.accept_multipart)
    for operation in operations:
        match operation:
            case Move():
                moved.append(await _move(operation, session))
            case EmptyFolderContents():
                emptied.append(await _empty(operation, session))
            case Fetch():
                fetched.append(await fetch(operation, session, parts))
    response = Response(status=Status.SUCCESS, moved=tuple(moved), emptied=tuple(emptied), fetched=tuple(fetched))
    return Multipart(response, tuple(parts.data)) if parts.wanted else response


def _of_html(preference: BodyPreference | None) -> bool:
    return preference is None or preference.type is BodyType.HTML


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


async def _move(asked: Move, session: Session) -> Moved:
    return Moved(status=await _moving(asked, session), conversation=asked.conversation)


async def _moving(asked: Move, session: Session) -> Status:
    """A destination in the recipient information cache is told apart from one that is no folder of mail, and that from
    one that there is not: [MS-ASCON] R262, R317, R338."""
    if not asked.conversation:
        return Status.PROTOCOL_ERROR
    if asked.options.always is None:
        return Status.MOVE_ALWAYS_MISSING  # R3475
    folder = await session.mailbox.folder(asked.destination)
    if folder is None:
        return Status.NOT_FOUND
    if folder.type is FolderType.RECIPIENT_CACHE:
        return Status.INVALID_COMBINATION_OF_IDS
    if folder.item_class != "Email":
        return Status.DESTINATION_NOT_MAIL
    try:
        await session.mailbox.move_conversation(asked.conversation, folder.id, always=True)
    except (errors.ItemGone, errors.FolderGone, errors.NotAllowed):
        return Status.NOT_FOUND
    except errors.BackendError:
        return Status.SERVER_ERROR  # [MS-ASCON] R145
    return Status.SUCCESS

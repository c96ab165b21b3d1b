"""FolderCreate: a new folder. [MS-ASCMD] FolderCreate; Status (FolderCreate) R4004-R4040."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.engine import errors
from eas.engine.hierarchy import ROOT, create_folder
from eas.engine.model import FolderType
from eas.engine.session import Session
from eas.protocol.schema import INT, element, enum
from eas.protocol.version import COMMON_STATUS, NOTES

from ._registry import command


class Status(IntEnum):
    SUCCESS = 1
    EXISTS = 2
    SPECIAL_PARENT = 3
    NO_PARENT = 5
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    BAD_REQUEST = 10


#: What a device may create. [MS-ASCMD] Type (FolderCreate).
CREATABLE = frozenset((
    FolderType.GENERIC, FolderType.USER_MAIL, FolderType.USER_CALENDAR, FolderType.USER_CONTACTS,
    FolderType.USER_TASKS, FolderType.USER_NOTES,
))

#: Longest DisplayName. [MS-ASCMD] DisplayName (FolderCreate).
MAX_NAME = 256

STATUS_OF: dict[type[Exception], Status] = {
    errors.NotPrimed: Status.INVALID_SYNC_KEY,
    errors.StaleKey: Status.INVALID_SYNC_KEY,
    errors.FolderExists: Status.EXISTS,
    errors.FolderGone: Status.NO_PARENT,
    errors.NotAllowed: Status.SPECIAL_PARENT,
    errors.Contended: Status.SERVER_ERROR,
    errors.NoSpace: Status.SERVER_ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    sync_key: str = element("FolderHierarchy:SyncKey")
    parent_id: str = element("FolderHierarchy:ParentId")
    name: str = element("FolderHierarchy:DisplayName")
    type: int = element("FolderHierarchy:Type", INT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status = element("FolderHierarchy:Status", enum(Status))
    sync_key: str | None = element("FolderHierarchy:SyncKey", default=None)
    server_id: str | None = element("FolderHierarchy:ServerId", default=None)


@command("FolderCreate", "FolderHierarchy:FolderCreate", Request, malformed=Status.BAD_REQUEST)
async def folder_create(request: Request, session: Session) -> Response:
    name = request.name.strip()
    notes_unknown = request.type == FolderType.USER_NOTES and session.version not in NOTES
    if request.type == FolderType.RECIPIENT_CACHE and session.version in COMMON_STATUS:
        return Response(status=Status.SPECIAL_PARENT)  # R81: versions before 14.0 do not know the type
    if request.type not in CREATABLE or notes_unknown or not 0 < len(name) <= MAX_NAME:
        return Response(status=Status.BAD_REQUEST)
    try:
        parent = None if request.parent_id == ROOT else await session.mailbox.folder(request.parent_id)
        if request.parent_id != ROOT and parent is None:
            return Response(status=Status.NO_PARENT)
        if parent is not None and parent.type is FolderType.RECIPIENT_CACHE:
            return Response(status=Status.SPECIAL_PARENT)
        key, id = await create_folder(
            session, request.sync_key, request.parent_id, name, FolderType(request.type)
        )
    except tuple(STATUS_OF) as error:
        return Response(status=STATUS_OF[type(error)])
    return Response(status=Status.SUCCESS, sync_key=key, server_id=id)

"""FolderUpdate: rename or move a folder. [MS-ASCMD] FolderUpdate; Status (FolderUpdate) R4096-R4126."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.engine import errors
from eas.engine.hierarchy import ROOT, SPECIAL, update_folder
from eas.engine.model import FolderType
from eas.engine.session import Session
from eas.protocol.schema import element, enum

from ._registry import command
from .folder_create import MAX_NAME


class Status(IntEnum):
    SUCCESS = 1
    EXISTS_OR_SPECIAL = 2
    RECIPIENT_CACHE = 3
    NOT_FOUND = 4
    NO_PARENT = 5
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    BAD_REQUEST = 10


STATUS_OF: dict[type[Exception], Status] = {
    errors.NotPrimed: Status.INVALID_SYNC_KEY,
    errors.StaleKey: Status.INVALID_SYNC_KEY,
    errors.FolderExists: Status.EXISTS_OR_SPECIAL,
    errors.FolderGone: Status.NOT_FOUND,
    errors.NotAllowed: Status.EXISTS_OR_SPECIAL,
    errors.Contended: Status.SERVER_ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    sync_key: str = element("FolderHierarchy:SyncKey")
    server_id: str = element("FolderHierarchy:ServerId")
    parent_id: str = element("FolderHierarchy:ParentId")
    name: str = element("FolderHierarchy:DisplayName")
    #: Of answers; a request that has one is malformed (R3102).
    status: str | None = element("FolderHierarchy:Status", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status = element("FolderHierarchy:Status", enum(Status))
    sync_key: str | None = element("FolderHierarchy:SyncKey", default=None)


@command("FolderUpdate", "FolderHierarchy:FolderUpdate", Request, malformed=Status.BAD_REQUEST)
async def folder_update(request: Request, session: Session) -> Response:
    name = request.name.strip()
    if request.status is not None or not 0 < len(name) <= MAX_NAME:
        return Response(status=Status.BAD_REQUEST)
    try:
        refused = await _refusal(request, session)
        if refused is not None:
            return Response(status=refused)
        key = await update_folder(session, request.sync_key, request.server_id, request.parent_id, name)
    except tuple(STATUS_OF) as error:
        return Response(status=STATUS_OF[type(error)])
    return Response(status=Status.SUCCESS, sync_key=key)


async def _refusal(request: Request, session: Session) -> Status | None:
    folder = await session.mailbox.folder(request.server_id)
    if folder is None:
        return Status.NOT_FOUND
    if folder.type is FolderType.RECIPIENT_CACHE:
        return Status.RECIPIENT_CACHE
    if folder.type in SPECIAL:
        return Status.EXISTS_OR_SPECIAL
    if request.parent_id == ROOT:
        return None
    parent = await session.mailbox.folder(request.parent_id)
    if parent is None:
        return Status.NO_PARENT
    return Status.RECIPIENT_CACHE if parent.type is FolderType.RECIPIENT_CACHE else None  # R142

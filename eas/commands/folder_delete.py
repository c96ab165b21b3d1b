"""FolderDelete: remove a folder with all that is in it. [MS-ASCMD] FolderDelete; Status (FolderDelete) R4043-R4064."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.engine import errors
from eas.engine.hierarchy import SPECIAL, delete_folder
from eas.engine.session import Session
from eas.protocol.schema import element, enum

from ._registry import command


class Status(IntEnum):
    SUCCESS = 1
    SPECIAL = 3
    NOT_FOUND = 4
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    BAD_REQUEST = 10


STATUS_OF: dict[type[Exception], Status] = {
    errors.NotPrimed: Status.INVALID_SYNC_KEY,
    errors.StaleKey: Status.INVALID_SYNC_KEY,
    errors.FolderGone: Status.NOT_FOUND,
    errors.NotAllowed: Status.SPECIAL,
    errors.Contended: Status.SERVER_ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    sync_key: str = element("FolderHierarchy:SyncKey")
    server_id: str = element("FolderHierarchy:ServerId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status = element("FolderHierarchy:Status", enum(Status))
    sync_key: str | None = element("FolderHierarchy:SyncKey", default=None)


@command("FolderDelete", "FolderHierarchy:FolderDelete", Request, malformed=Status.BAD_REQUEST)
async def folder_delete(request: Request, session: Session) -> Response:
    try:
        folder = await session.mailbox.folder(request.server_id)
        if folder is not None and folder.type in SPECIAL:
            return Response(status=Status.SPECIAL)
        key = await delete_folder(session, request.sync_key, request.server_id)
    except tuple(STATUS_OF) as error:
        return Response(status=STATUS_OF[type(error)])
    return Response(status=Status.SUCCESS, sync_key=key)

"""FolderSync: the changes of the folder hierarchy since a key.

[MS-ASCMD] FolderSync; Status (FolderSync) R4066-R4093.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.engine.errors import Contended, NotPrimed, StaleKey
from eas.engine.hierarchy import FolderChanges, folder_changes
from eas.engine.repair_folders import Entries
from eas.engine.session import Session
from eas.protocol.schema import INT, element, elements, enum, message

from ._registry import command


class Status(IntEnum):
    SUCCESS = 1           # R4073
    SERVER_ERROR = 6      # R4075
    INVALID_SYNC_KEY = 9  # R4082: the client starts again from key 0
    BAD_REQUEST = 10      # R4085


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    sync_key: str = element("FolderHierarchy:SyncKey")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderEntry:
    server_id: str = element("FolderHierarchy:ServerId")
    parent_id: str = element("FolderHierarchy:ParentId")
    name: str = element("FolderHierarchy:DisplayName")
    type: int = element("FolderHierarchy:Type", INT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    server_id: str = element("FolderHierarchy:ServerId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    count: int = element("FolderHierarchy:Count", INT)
    updated: tuple[FolderEntry, ...] = elements("FolderHierarchy:Update", message(FolderEntry))
    deleted: tuple[Deleted, ...] = elements("FolderHierarchy:Delete", message(Deleted))
    added: tuple[FolderEntry, ...] = elements("FolderHierarchy:Add", message(FolderEntry))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status = element("FolderHierarchy:Status", enum(Status))
    sync_key: str | None = element("FolderHierarchy:SyncKey", default=None)
    changes: Changes | None = element("FolderHierarchy:Changes", message(Changes), default=None)


@command("FolderSync", "FolderHierarchy:FolderSync", Request, malformed=Status.BAD_REQUEST)
async def folder_sync(request: Request, session: Session) -> Response:
    try:
        found = await folder_changes(session, request.sync_key)
    except (NotPrimed, StaleKey):
        return Response(status=Status.INVALID_SYNC_KEY)
    except Contended:
        return Response(status=Status.SERVER_ERROR)
    session.insisting.listed(session.user.id, session.device.id)
    return Response(status=Status.SUCCESS, sync_key=found.key, changes=_changes(found))


def _changes(found: FolderChanges) -> Changes:
    return Changes(
        count=len(found.added) + len(found.updated) + len(found.deleted),
        added=_entries(found.added), updated=_entries(found.updated),
        deleted=tuple(Deleted(server_id=id) for id in found.deleted),
    )


def _entries(entries: Entries) -> tuple[FolderEntry, ...]:
    return tuple(
        FolderEntry(server_id=id, parent_id=entry.parent, name=entry.name, type=entry.type)
        for id, entry in entries.items()
    )

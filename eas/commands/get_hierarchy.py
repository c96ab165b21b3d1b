"""GetHierarchy: the folders of mail as they are now, up to 12.1. [MS-ASCMD] GetHierarchy R6024-R6051.

It has no key and leaves no trace: FolderSync, which came with 2.5, knows nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from eas.engine.classes import EMAIL
from eas.engine.hierarchy import ROOT
from eas.engine.model import FolderType
from eas.engine.session import Session
from eas.protocol.query import Query
from eas.protocol.schema import INT, element, elements, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Spoken, Version

from ._registry import CommonFault, command

#: The last version of the command and of its elements.
LAST = Version.V12_1

#: Types that the answer may name; every other folder is one that the user made. [MS-ASCMD] Type (GetHierarchy) R7388.
NAMED = frozenset(range(FolderType.GENERIC, FolderType.OUTBOX + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """There is no body."""

    @classmethod
    def of(cls, query: Query) -> Request:
        return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    name: str = element("FolderHierarchy:DisplayName", until=LAST)
    server_id: str = element("FolderHierarchy:ServerId", until=LAST)
    type: int = element("FolderHierarchy:Type", INT, until=LAST)
    parent_id: str = element("FolderHierarchy:ParentId", until=LAST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The root is Folders: there is no element that is called as the command (R6046, R6047)."""

    folders: tuple[Folder, ...] = elements("FolderHierarchy:Folder", message(Folder), until=LAST)


@command("GetHierarchy", "FolderHierarchy:Folders", Request, spoken=Spoken(until=LAST), bare=Request.of)
async def get_hierarchy(request: Request, session: Session) -> Response:
    """Folders of mail only (R6026). One whose parent is none hangs from the root, where the device can draw it."""
    present = {folder.id: folder for folder in await session.mailbox.folders() if folder.item_class == EMAIL}
    if not present:
        raise CommonFault(CommonStatus.SERVER_ERROR, "no folder of mail")  # R6033; R6572: at least one Folder
    return Response(folders=tuple(
        Folder(
            name=folder.name, server_id=folder.id, parent_id=folder.parent if folder.parent in present else ROOT,
            type=int(folder.type) if folder.type in NAMED else int(FolderType.GENERIC),
        )
        for folder in present.values()
    ))

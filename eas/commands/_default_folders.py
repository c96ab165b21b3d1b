"""Collections that a device names by their class alone, as version 2.5 may. [MS-ASCMD] Class (Sync), CollectionId."""

from __future__ import annotations

from eas.engine.model import CollectionId, FolderType
from eas.engine.session import Session

DEFAULT_FOLDERS = {
    "Email": FolderType.INBOX, "Calendar": FolderType.CALENDAR, "Contacts": FolderType.CONTACTS,
    "Tasks": FolderType.TASKS,
}


async def default_folder(session: Session, item_class: str | None) -> CollectionId | None:
    """The id of the user's own default folder of a class; None if there is none."""
    kind = DEFAULT_FOLDERS.get(item_class or "")
    folders = await session.mailbox.folders() if kind is not None else ()
    return next((folder.id for folder in folders if folder.own and folder.type is kind), None)

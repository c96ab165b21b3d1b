"""Messages from the server to its own user, put into the inbox: what a device could not be told otherwise."""

from __future__ import annotations

from hashlib import blake2b

import structlog

from eas.items import notice
from eas.items.contentline import glimpse
from eas.items.native import ItemId
from eas.protocol.wbxml import Element

from .errors import BackendError, Unavailable
from .model import Folder, FolderType
from .ports import Chosen, Feed
from .session import Session

log = structlog.get_logger("eas.notices")

#: What people know an item by: elements, and properties of its native form.
_TITLES = ("Calendar:Subject", "Tasks:Subject", "Notes:Subject", "Contacts:FileAs", "Contacts:Email1Address")
_PROPERTIES = ("SUMMARY", "FN")


async def put(session: Session, message: bytes, name: str) -> None:
    """Into the user's own inbox, once under a name. Raises Unavailable; whatever else goes wrong is logged."""
    for folder in await session.mailbox.folders():
        if folder.type is FolderType.INBOX and folder.own:
            try:
                await session.mailbox.feed(folder).create(message, Chosen(name=name))
            except Unavailable:
                raise
            except BackendError as error:
                log.warning("a notice was not kept", name=name, reason=type(error).__name__)
            return


async def say_not_kept(session: Session, folder: Folder, named: str, data: Element | None, id: ItemId | None) -> None:
    """That what a device did to an item of a folder was not kept, as its user may only read there. Once a day for an
    item: a device that tries for ever makes no flood."""
    viewer = session.viewer
    day = f"{viewer.now:%Y-%m-%d}"
    name = blake2b(f"{session.user.id}\0{folder.id}\0{named}\0{day}".encode(), digest_size=16).hexdigest()
    title = _title(data) or await _stored_title(session.mailbox.feed(folder), id)
    await put(session, notice.not_kept(title, folder.name, f"notice-{name}", viewer), f"notice-{name}")


def _title(data: Element | None) -> str:
    for tag in _TITLES if data is not None else ():
        child = data.child(tag) if data is not None else None
        if child is not None and child.text:
            return child.text
    return ""


async def _stored_title(feed: Feed, id: ItemId | None) -> str:
    if id is None:
        return ""
    try:
        async for record in feed.fetch([id], None):
            native = getattr(record, "data", b"")
            return next((title for name in _PROPERTIES if (title := glimpse(native, name))), "")
    except BackendError:
        pass  # the notice comes without
    return ""

"""Answering an invitation: the user's calendar takes it as accepted or tentative, or loses it.

The invitation is a message with an iCalendar part, or the appointment itself. Which of the two the device names does
not matter: the appointment is found by its UID, so that one meeting is in the calendar once.

[MS-ASCMD] MeetingResponse; [MS-ASCAL] for what is stored.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

import structlog

from eas.items import meeting, mime
from eas.items.native import ItemId, Mail, Part, Record, Refused

from . import errors
from .apply import move_item
from .classes import EMAIL
from .ids import server_id
from .model import Folder, FolderType
from .parts import STRUCTURE_ONLY
from .ports import Chosen, Intent, Owner
from .session import Session

log = structlog.get_logger("eas.meetings")

DECLINED = 3

#: How often a conditional write is tried again.
ATTEMPTS = 4


async def respond(
    session: Session, folder: Folder, id: ItemId, response: int, instance: datetime | None
) -> str:
    """Answer the invitation; the ServerId of the appointment, "" if it was declined. The same answer again gives the
    same.

    `response`: 1 accept, 2 tentative, 3 decline. Raises ItemGone, Refused (no invitation to this user), NotAllowed.
    """
    named = server_id(folder.id, id)
    owner = Owner(user_id=session.user.id, device_id=session.device.id, collection_id=folder.id)
    intent = await session.store.intend(owner, Intent(
        verb="MeetingResponse", client_id="", server_id=named,
        digest=f"{response} {instance.isoformat() if instance else ''}", chosen=Chosen(name=session.entropy.key()),
    ))
    try:
        result = await _answer(session, folder, id, response, instance)
    except errors.ItemGone:
        if not intent.result:
            raise
        # The same answer once more; the invitation was put away (or the appointment removed) when it came first.
        return intent.result.removeprefix("=")
    await session.store.settle(owner, intent, f"={result}")
    if folder.item_class == EMAIL:
        await _put_away(session, folder, id)
    return result


async def _answer(session: Session, folder: Folder, id: ItemId, response: int, instance: datetime | None) -> str:
    """Done again it changes nothing: a user who accepts, declines and accepts again means the last."""
    calendar = await _calendar(session, folder)
    if folder.item_class == EMAIL:
        ics = await _invitation(session, folder, id)
        found = await _from_mail(session, calendar, ics, response, instance)
    else:
        found = await _update(session, folder, id, response, instance)
    return "" if found is None else server_id(calendar.id, found)


async def _calendar(session: Session, folder: Folder) -> Folder:
    if folder.item_class == "Calendar":
        return folder
    for other in await session.mailbox.folders():
        if other.type is FolderType.CALENDAR:
            return other
    raise errors.FolderGone("no calendar")


async def _invitation(session: Session, folder: Folder, id: ItemId) -> bytes:
    feed = session.mailbox.feed(folder)
    async for mail in feed.fetch([id], STRUCTURE_ONLY):
        assert isinstance(mail, Mail)
        part = _calendar_part(mail.structure) if mail.structure else None
        if part is None:
            raise Refused("not an invitation")
        raw = b"".join([piece async for piece in feed.part(id, part.section)])
        return mime.decode_section(part, raw)
    raise errors.ItemGone


def _calendar_part(part: Part) -> Part | None:
    if part.type == "text/calendar":
        return part
    return next((found for child in part.children if (found := _calendar_part(child)) is not None), None)


async def _from_mail(
    session: Session, calendar: Folder, ics: bytes, response: int, instance: datetime | None
) -> ItemId | None:
    _check_instance(ics, instance)
    answered = meeting.respond(ics, response, session.viewer, instance)
    uid = meeting.uid_of(ics)
    feed = session.mailbox.feed(calendar)
    found = await feed.by_uid(uid)
    if found is not None:
        return await _update(session, calendar, found, response, instance)
    if answered is None:
        return None
    name = f"m{blake2b(uid.encode(), digest_size=12).hexdigest()}.ics"
    return (await feed.create(answered, Chosen(name=name, note=await feed.mark()))).id


async def _update(
    session: Session, calendar: Folder, id: ItemId, response: int, instance: datetime | None
) -> ItemId | None:
    """Write the answer into the stored appointment; a declined one goes, unless it is one instance of a series."""
    feed = session.mailbox.feed(calendar)
    for _ in range(ATTEMPTS):
        async for record in feed.fetch([id], None):
            assert isinstance(record, Record)
            _check_instance(record.data, instance)
            answered = meeting.apply_response(record.data, response, session.viewer, instance)
            try:
                if response == DECLINED and instance is None:
                    await feed.delete(id, record.version)
                    return None
                await feed.update(id, answered, record.version)
            except errors.VersionConflict:
                break
            return None if response == DECLINED else id
        else:
            raise errors.ItemGone
    raise errors.VersionConflict


def _check_instance(ics: bytes, instance: datetime | None) -> None:
    if instance is not None and not meeting.recurs(ics):
        raise errors.NoRecurrence


async def _put_away(session: Session, folder: Folder, id: ItemId) -> None:
    """An answered invitation goes to Deleted Items, as Exchange does it. The answer stands, whether that can be or
    not."""
    if folder.type is FolderType.DELETED_ITEMS:
        return
    for other in await session.mailbox.folders():
        if other.type is FolderType.DELETED_ITEMS:
            try:
                await move_item(session, folder, id, other)
            except (errors.ItemGone, errors.FolderGone, errors.NotAllowed, errors.NoSpace) as error:
                log.info("an answered invitation stays where it is", reason=type(error).__name__)
            return

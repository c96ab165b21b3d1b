"""Answering an invitation: the user's calendar takes it as accepted or tentative, or loses it.

The invitation is a message with an iCalendar part, or the appointment itself. Which of the two the device names does
not matter: the appointment is found by its UID, so that one meeting is in the calendar once. A message about one
occurrence of a series answers that occurrence alone.

[MS-ASCMD] MeetingResponse; Receiving and Accepting Meeting Requests R5071-R5072; [MS-ASCAL] for what is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import structlog

from eas.items import headers, meeting, mime
from eas.items.native import ItemId, Mail, Record, Refused, Unreadable

from . import errors
from .apply import move_item
from .classes import EMAIL
from .ids import server_id
from .model import Folder, FolderType, Right
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

    `response`: 1 accept, 2 tentative, 3 decline. Raises ItemGone, Refused (no invitation to this user), NoRecurrence,
    NotAllowed, and what a write raises.
    """
    owner = Owner(user_id=session.user.id, device_id=session.device.id, collection_id=folder.id)
    chosen = Chosen(name=session.entropy.key())
    intent = await session.store.intend(owner, Intent(
        verb="MeetingResponse", client_id="", server_id=server_id(folder.id, id),
        digest=f"{response} {instance.isoformat() if instance else ''}", chosen=chosen,
    ))
    try:
        result = await _answer(session, folder, id, response, instance)
    except errors.ItemGone:
        # The same answer once more; the invitation was put away when it came first, or the appointment removed (and
        # then the result may have been lost with the process).
        begun = intent.chosen != chosen and response == DECLINED and folder.item_class != EMAIL
        if not intent.result and not begun:
            raise
        return intent.result.removeprefix("=")
    await session.store.settle(owner, intent, f"={result}")
    if folder.item_class == EMAIL:
        await _put_away(session, folder, id)
    return result


def calendar_text(raw: bytes) -> bytes | None:
    """The iCalendar object of a whole message, as UTF-8; None if it has none. Raises Unreadable."""
    part = mime.layout(mime.structure(raw)).calendar
    return None if part is None else mime.text_of(part, mime.cut_from(raw, part)).encode()


async def _answer(session: Session, folder: Folder, id: ItemId, response: int, instance: datetime | None) -> str:
    """Done again it changes nothing: a user who accepts, declines and accepts again means the last."""
    if folder.item_class == EMAIL:
        return await _from_mail(session, await _invitation(session, folder, id), response)
    return await _update(session, folder, id, response, instance)


# -- Invitations by mail


@dataclass(frozen=True, slots=True, kw_only=True)
class _Invitation:
    """`authors` are the addresses in From and Sender, lower case."""

    ics: bytes
    authors: frozenset[str]


async def _invitation(session: Session, folder: Folder, id: ItemId) -> _Invitation:
    feed = session.mailbox.feed(folder)
    async for mail in feed.fetch([id], STRUCTURE_ONLY):
        assert isinstance(mail, Mail)
        part = mime.layout(mail.structure).calendar if mail.structure else None
        if part is None:
            raise Refused("not an invitation")
        raw = b"".join([piece async for piece in feed.part(id, part.section)])
        fields = headers.parse(mail.header)
        authors = (box for name in (b"from", b"sender") for box in headers.addresses(fields.get(name, b"")))
        return _Invitation(
            ics=mime.text_of(part, raw).encode(), authors=frozenset(box.address.lower() for box in authors)
        )
    raise errors.ItemGone


async def _from_mail(session: Session, invitation: _Invitation, response: int) -> str:
    answered = meeting.respond(invitation.ics, response, session.viewer, None)
    uid = meeting.uid_of(invitation.ics)
    calendars = await _calendars(session)
    for calendar in calendars:
        found = await session.mailbox.feed(calendar).by_uid(uid)
        if found is not None:
            instance = meeting.instance_of(invitation.ics)
            return await _update(session, calendar, found, response, instance, invitation)
    if answered is None:
        return ""
    if not calendars:
        raise errors.FolderGone("no calendar")
    feed = session.mailbox.feed(calendars[0])
    name = f"m{blake2b(uid.encode(), digest_size=12).hexdigest()}.ics"
    written = await feed.create(answered, Chosen(name=name, note=await feed.mark()))
    return server_id(calendars[0].id, written.id)


async def _calendars(session: Session) -> list[Folder]:
    """The user's own, the default one first."""
    own = [f for f in await session.mailbox.folders() if f.item_class == "Calendar" and f.own and f.right >= Right.EDIT]
    return sorted(own, key=lambda folder: folder.type is not FolderType.CALENDAR)


# -- The appointment


async def _update(
    session: Session, calendar: Folder, id: ItemId, response: int, instance: datetime | None,
    invitation: _Invitation | None = None,
) -> str:
    """Write the answer into the stored appointment, after what a newer `invitation` says; a declined one goes."""
    feed = session.mailbox.feed(calendar)
    for _ in range(ATTEMPTS):
        record = await _stored(session, calendar, id)
        data = record.data if invitation is None else _updated(record.data, invitation, session)
        lone = meeting.instance_of(data)
        if instance is not None and not meeting.recurs(data):
            raise errors.NoRecurrence
        answered = meeting.apply_response(data, response, session.viewer, instance)
        try:
            if response == DECLINED and (instance is None or lone is not None):
                await feed.delete(id, record.version)
            elif answered != record.data:
                await feed.update(id, answered, record.version)
        except errors.VersionConflict:
            continue
        return "" if response == DECLINED else server_id(calendar.id, id)
    raise errors.VersionConflict


async def _stored(session: Session, calendar: Folder, id: ItemId) -> Record:
    async for record in session.mailbox.feed(calendar).fetch([id], None):
        assert isinstance(record, Record)
        return record
    raise errors.ItemGone


def _updated(stored: bytes, invitation: _Invitation, session: Session) -> bytes:
    """The stored appointment as a newer invitation has it, if that comes from the organizer himself: others who have
    heard of a UID do not move meetings."""
    if meeting.organizer_of(stored).lower() not in invitation.authors:
        return stored
    try:
        return meeting.apply_request(stored, invitation.ics, session.viewer)
    except Unreadable as error:
        raise Refused(str(error)) from error


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

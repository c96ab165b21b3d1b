"""SmartReply and SmartForward: a message that the server completes with the one it answers or passes on.

They differ in how the original is added (a function of eas.items.compose) and in what is noted on it.
[MS-ASCMD] SmartForward, SmartReply, Source, ReplaceMime.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from eas.engine.classes import EMAIL
from eas.engine.meetings import calendar_text
from eas.engine.model import Folder
from eas.engine.sending import Sending, mark_answered, send_once
from eas.engine.session import Session
from eas.items import meeting
from eas.items.compose import Outgoing, prepare
from eas.items.native import ItemId, Unreadable
from eas.protocol.query import Query
from eas.protocol.schema import OPAQUE, PRESENCE, element, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Version

from ._instance import dashed, instance_moment
from ._registry import CommonFault
from ._sending import (
    check_account,
    check_client_id,
    check_template,
    faults_of_sending,
    find_source,
    load_source,
    source_id,
)
from .send_mail import MIME_BODIES

#: (the device's message, the original's bytes, its item class, the instance) -> the whole message.
Merge = Callable[[bytes, bytes, str, datetime | None], bytes]
#: (the message that goes out, the original) -> LastVerbExecuted.
VerbOf = Callable[[Outgoing, bytes], int]

#: What can be answered and passed on.
CLASSES = (EMAIL, "Calendar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    folder_id: str | None = element("ComposeMail:FolderId", default=None)
    item_id: str | None = element("ComposeMail:ItemId", default=None)
    long_id: str | None = element("ComposeMail:LongId", default=None)
    instance_id: str | None = element("ComposeMail:InstanceId", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    client_id: str = element("ComposeMail:ClientId")
    source: Source = element("ComposeMail:Source", message(Source))
    account_id: str | None = element("ComposeMail:AccountId", since=Version.V14_1, default=None)
    save: bool | None = element("ComposeMail:SaveInSentItems", PRESENCE, default=None)
    replace: bool | None = element("ComposeMail:ReplaceMime", PRESENCE, default=None)
    mime: bytes = element("ComposeMail:Mime", OPAQUE)
    template_id: str | None = element("RightsManagement:TemplateID", since=Version.V14_1, default=None)

    @classmethod
    def from_mime(cls, body: bytes, query: Query) -> Request:
        source = Source(
            folder_id=query.collection_id, item_id=query.item_id, long_id=query.long_id,
            instance_id=dashed(query.occurrence),
        )
        return cls(client_id="", source=source, save=query.save_in_sent or None, mime=body)


async def smart(request: Request, session: Session, *, verb: str, verb_of: VerbOf, merge: Merge) -> None:
    """Send the request's message with the original merged in, unless ReplaceMime says that it is complete."""
    check_client_id(request.client_id, session)
    check_account(request.account_id)
    check_template(request.template_id)
    source = request.source
    named, instance = checked_source(source)
    # The original is looked up only if the message has not been sent yet: after a lost answer it may be gone.
    found: list[Original] = []

    async def build(message_id: str) -> Outgoing:
        original = await original_of(session, source.folder_id, named, instance)
        mime = request.mime
        if not request.replace:
            try:
                mime = merge(mime, original.data, original.folder.item_class, instance)
            except Unreadable as error:
                raise CommonFault(CommonStatus.MESSAGE_REPLY_FAILED, str(error)) from error
        outgoing = prepare(mime, session.viewer, message_id=message_id)
        original.verb = verb_of(outgoing, original.data)
        found[:] = [original]
        return outgoing

    async def after() -> None:
        for original in found:
            if original.folder.item_class == EMAIL:
                await mark_answered(session, original.folder, original.id, original.verb)

    identity = f"{named[0]}:{named[1]}:{source.instance_id or ''}\n".encode() + request.mime
    with faults_of_sending():
        sending = await send_once(
            session, verb=verb, client_id=request.client_id, content=identity, save=bool(request.save),
            build=build, after=after,
        )
    if sending is Sending.BEFORE and session.version not in MIME_BODIES:
        raise CommonFault(CommonStatus.MESSAGE_PREVIOUSLY_SENT)


def checked_source(source: Source) -> tuple[tuple[str, ItemId], datetime | None]:
    """The item that is meant, and the occurrence of it. Raises CommonFault."""
    if source.long_id and source.instance_id:
        raise CommonFault(CommonStatus.INVALID_COMBINATION_OF_IDS)  # R3243
    named = source_id(source.folder_id, source.item_id, source.long_id)
    instance = instance_moment(source.instance_id) if source.instance_id else None
    if source.instance_id and instance is None:
        raise CommonFault(CommonStatus.INVALID_DATE_TIME)  # R541, R578
    return named, instance


def meeting_of(original: Original) -> bytes | None:
    """The iCalendar object of an appointment, or of an invitation by mail; None for other messages."""
    if original.folder.item_class != EMAIL:
        return original.data
    try:
        return calendar_text(original.data)
    except Unreadable:
        return None


@dataclass(slots=True, kw_only=True)
class Original:
    """`verb` is what will be noted on it."""

    folder: Folder
    id: ItemId
    data: bytes
    verb: int = 0


async def original_of(
    session: Session, folder_id: str | None, named: tuple[str, ItemId], instance: datetime | None
) -> Original:
    folder = await find_source(session, folder_id, named)
    if folder.item_class not in CLASSES:
        raise CommonFault(CommonStatus.UNEXPECTED_ITEM_CLASS, folder.item_class)
    original = Original(folder=folder, id=named[1], data=await load_source(session, folder, named[1]))
    if instance is not None:
        _check_instance(original, instance, session)
    return original


def _check_instance(original: Original, instance: datetime, session: Session) -> None:
    """Raises CommonFault where there is no series (R4919), or no such occurrence of it (R4930)."""
    is_mail = original.folder.item_class == EMAIL
    ics = calendar_text(original.data) if is_mail else original.data
    try:
        if ics is None or not meeting.recurs(ics):
            raise CommonFault(CommonStatus.NO_RECURRENCE_IN_CALENDAR)
        there = meeting.has_occurrence(ics, instance, session.viewer)
    except Unreadable as error:
        raise CommonFault(CommonStatus.NO_RECURRENCE_IN_CALENDAR, str(error)) from error
    if not there:
        raise CommonFault(CommonStatus.ITEM_NOT_FOUND, "no such occurrence")

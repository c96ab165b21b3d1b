"""SmartReply and SmartForward: a message that the server completes with the one it answers or passes on.

They differ in how the original is added (a function of eas.items.compose) and in what is noted on it.
[MS-ASCMD] SmartForward, SmartReply, Source, ReplaceMime.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from eas.engine.classes import EMAIL
from eas.engine.sending import Sending, mark_answered, send_once
from eas.engine.session import Session
from eas.items.compose import Outgoing, prepare
from eas.items.native import Unreadable
from eas.protocol.query import Query
from eas.protocol.schema import DASHED, OPAQUE, PRESENCE, SchemaError, element, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from ._registry import CommonFault
from ._sending import MAX_CLIENT_ID, faults_of_sending, find_source, load_source
from .send_mail import MIME_BODIES

#: (the device's message, the original's bytes, its item class, the instance) -> the whole message.
Merge = Callable[[bytes, bytes, str, datetime | None], bytes]


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

    @classmethod
    def from_mime(cls, body: bytes, query: Query) -> Request:
        source = Source(
            folder_id=query.collection_id, item_id=query.item_id, long_id=query.long_id, instance_id=query.occurrence
        )
        return cls(client_id="", source=source, save=query.save_in_sent or None, mime=body)


async def smart(request: Request, session: Session, *, verb: str, last_verb: int, merge: Merge) -> None:
    """Send the request's message with the original merged in, unless ReplaceMime says that it is complete."""
    old = session.version in MIME_BODIES
    if not old and not 0 < len(request.client_id) <= MAX_CLIENT_ID:
        raise CommonFault(CommonStatus.INVALID_XML, "ClientId")
    if request.account_id:
        raise CommonFault(CommonStatus.INVALID_ACCOUNT_ID)
    source = request.source
    if source.long_id and source.instance_id:
        raise CommonFault(CommonStatus.INVALID_COMBINATION_OF_IDS)
    instance = _instance(source.instance_id)
    folder, id = await find_source(session, source.folder_id, source.item_id, source.long_id)
    original = await load_source(session, folder, id)
    if instance is not None and folder.item_class != EMAIL and b"RRULE" not in original.upper():
        raise CommonFault(CommonStatus.NO_RECURRENCE_IN_CALENDAR)

    async def build(message_id: str) -> Outgoing:
        mime = request.mime
        if not request.replace:
            try:
                mime = merge(mime, original, folder.item_class, instance)
            except Unreadable as error:
                raise CommonFault(CommonStatus.MESSAGE_REPLY_FAILED, str(error)) from error
        return prepare(mime, session.viewer, message_id=message_id)

    async def after() -> None:
        if folder.item_class == EMAIL:
            await mark_answered(session, folder, id, last_verb)

    identity = f"{folder.id}:{id}:{source.instance_id or ''}\n".encode() + request.mime
    with faults_of_sending():
        sending = await send_once(
            session, verb=verb, client_id=request.client_id, content=identity, save=bool(request.save),
            build=build, after=after,
        )
    if sending is Sending.BEFORE and not old:
        raise CommonFault(CommonStatus.MESSAGE_PREVIOUSLY_SENT)


def _instance(text: str | None) -> datetime | None:
    """An InstanceId that is no date is 104. [MS-ASCMD] InstanceId (SmartForward, SmartReply)."""
    if not text:
        return None
    try:
        moment = DASHED.load(Element("ComposeMail:InstanceId", text), Version.V14_1)
    except SchemaError as error:
        raise CommonFault(CommonStatus.INVALID_DATE_TIME) from error
    assert moment is None or isinstance(moment, datetime)
    return moment

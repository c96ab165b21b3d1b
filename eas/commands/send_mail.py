"""SendMail: send a message, once. [MS-ASCMD] SendMail; Common Status Codes."""

from __future__ import annotations

from dataclasses import dataclass

from eas.engine.sending import Sending, send_once
from eas.engine.session import Session
from eas.items.compose import Outgoing, prepare
from eas.protocol.query import Query
from eas.protocol.schema import INT, OPAQUE, PRESENCE, element
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Spoken, Version

from ._registry import CommonFault, command
from ._sending import check_account, check_client_id, check_template, faults_of_sending

#: In these versions the message is the body of the request. [MS-ASCMD] SendMail.
MIME_BODIES = Spoken(until=Version.V12_1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    client_id: str = element("ComposeMail:ClientId")
    account_id: str | None = element("ComposeMail:AccountId", since=Version.V14_1, default=None)
    save: bool | None = element("ComposeMail:SaveInSentItems", PRESENCE, default=None)
    mime: bytes = element("ComposeMail:Mime", OPAQUE)
    template_id: str | None = element("RightsManagement:TemplateID", since=Version.V14_1, default=None)

    @classmethod
    def from_mime(cls, body: bytes, query: Query) -> Request:
        return cls(client_id="", save=query.save_in_sent or None, mime=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Only failures are answered."""

    status: int = element("ComposeMail:Status", INT)


@command("SendMail", "ComposeMail:SendMail", Request, from_mime=Request.from_mime, mime=MIME_BODIES, spooled=True)
async def send_mail(request: Request, session: Session) -> None:
    check_client_id(request.client_id, session)
    check_account(request.account_id)
    check_template(request.template_id)

    async def build(message_id: str) -> Outgoing:
        return prepare(request.mime, session.viewer, message_id=message_id)

    with faults_of_sending():
        sending = await send_once(
            session, verb="SendMail", client_id=request.client_id, content=request.mime, save=bool(request.save),
            build=build,
        )
    if sending is Sending.BEFORE and session.version not in MIME_BODIES:
        raise CommonFault(CommonStatus.MESSAGE_PREVIOUSLY_SENT)

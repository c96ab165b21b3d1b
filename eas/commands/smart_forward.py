"""SmartForward: pass a message on; the original, with its attachments, is added here.

From 16.0 a meeting is passed on by naming to whom: the server invites them. [MS-ASCMD] SmartForward, Forwardees.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from eas.engine.errors import ItemGone, VersionConflict
from eas.engine.forwarding import Forward, forward_meeting
from eas.engine.sending import Sending
from eas.engine.session import Session
from eas.items.body import Body, BodyType, Source, body_html, body_text
from eas.items.compose import forward
from eas.items.headers import Address
from eas.items.meeting import Forwardee
from eas.items.native import Refused, Unreadable
from eas.protocol.query import Query
from eas.protocol.schema import OPAQUE, element, elements, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Version

from . import _smart
from ._registry import CommonFault, command
from ._sending import check_account, check_client_id, faults_of_sending
from .send_mail import MIME_BODIES, Response

__all__ = ["Request", "Response", "smart_forward"]

#: [MS-ASEMAIL] LastVerbExecuted R518.
FORWARDED = 3

#: Forwardees of one request. Invitations to more people are rather made than passed on.
MAX_FORWARDEES = 100
_ADDRESS = re.compile(r"[^\s<>,;:()\"\\\x00-\x1f\x7f@]{1,128}@[^\s<>,;:()\"\\\x00-\x1f\x7f@]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwardees:
    all: tuple[Forwardee, ...] = elements("ComposeMail:Forwardee", message(Forwardee))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(_smart.Request):
    """Without Mime where Forwardees or Body stand (R7176)."""

    mime: bytes | None = element("ComposeMail:Mime", OPAQUE, default=None)  # type: ignore[assignment]
    forwardees: Forwardees | None = element(
        "ComposeMail:Forwardees", message(Forwardees), since=Version.V16_0, default=None
    )
    body: Body | None = element("AirSyncBase:Body", message(Body), since=Version.V16_0, default=None)

    @classmethod
    def from_mime(cls, body: bytes, query: Query) -> Request:
        made = _smart.Request.from_mime(body, query)
        return cls(client_id="", source=made.source, save=made.save, mime=made.mime)


@command("SmartForward", "ComposeMail:SmartForward", Request, from_mime=Request.from_mime, mime=MIME_BODIES)
async def smart_forward(request: Request, session: Session) -> None:
    if request.forwardees is not None or request.body is not None:
        await _pass_on(request, session)
        return
    if request.mime is None:
        raise CommonFault(CommonStatus.INVALID_XML, "SmartForward without Mime")
    await _smart.smart(
        request, session, verb="SmartForward", verb_of=lambda outgoing, original: FORWARDED, merge=forward
    )


async def _pass_on(request: Request, session: Session) -> None:
    if any(value is not None for value in (request.mime, request.save, request.replace, request.template_id)):
        raise CommonFault(CommonStatus.INVALID_MIME_BODY_COMBINATION)  # R7467, R7468
    check_client_id(request.client_id, session)
    check_account(request.account_id)
    named, instance = _smart.checked_source(request.source)
    to = _addresses(request.forwardees)
    original = await _smart.original_of(session, request.source.folder_id, named, instance)
    ics = _smart.meeting_of(original)
    if ics is None:
        raise CommonFault(CommonStatus.INVALID_SMART_FORWARD_PARAMETERS, "not a meeting")  # R7177
    asked = Forward(to=to, instance=instance, body=_words(request.body))
    try:
        with faults_of_sending():
            sending = await forward_meeting(
                session, original.folder, original.id, ics, asked, client_id=request.client_id,
                named=f"{named[0]}:{named[1]}",
            )
    except (Refused, Unreadable) as error:
        raise CommonFault(CommonStatus.INVALID_SMART_FORWARD_PARAMETERS, str(error)) from error
    except ItemGone:
        raise CommonFault(CommonStatus.ITEM_NOT_FOUND) from None
    except VersionConflict:
        raise CommonFault(CommonStatus.SERVER_ERROR_RETRY_LATER) from None
    if sending is Sending.BEFORE:
        raise CommonFault(CommonStatus.MESSAGE_PREVIOUSLY_SENT)


def _addresses(forwardees: Forwardees | None) -> tuple[Address, ...]:
    """Each once. Raises CommonFault for none, and for what is no address (R7470)."""
    found: dict[str, Address] = {}
    for one in forwardees.all[: MAX_FORWARDEES + 1] if forwardees else ():
        address = (one.email or "").strip()
        if not _ADDRESS.fullmatch(address):
            raise CommonFault(CommonStatus.INVALID_SMART_FORWARD_PARAMETERS, "Email")
        found.setdefault(address.lower(), Address((one.name or "").strip(), address))
    if not 0 < len(found) <= MAX_FORWARDEES:
        raise CommonFault(CommonStatus.INVALID_SMART_FORWARD_PARAMETERS, "Forwardees")
    return tuple(found.values())


def _words(body: Body | None) -> Source | None:
    if body is None or not body.data:
        return None
    try:
        return Source(text=body_text(body), html=body_html(body) if body.type is not BodyType.TEXT else None)
    except ValueError as error:  # RTF that is none
        raise CommonFault(CommonStatus.INVALID_SMART_FORWARD_PARAMETERS, "Body") from error

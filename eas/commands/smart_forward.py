"""SmartForward: pass a message on; the original, with its attachments, is added here. [MS-ASCMD] SmartForward."""

from __future__ import annotations

from eas.engine.session import Session
from eas.items.compose import forward

from ._registry import command
from ._smart import Request, smart
from .send_mail import MIME_BODIES, Response

__all__ = ["Request", "Response", "smart_forward"]

#: [MS-ASEMAIL] LastVerbExecuted R518.
FORWARDED = 3


@command("SmartForward", "ComposeMail:SmartForward", Request, from_mime=Request.from_mime, mime=MIME_BODIES)
async def smart_forward(request: Request, session: Session) -> None:
    await smart(
        request, session, verb="SmartForward", verb_of=lambda outgoing, original: FORWARDED, merge=forward
    )

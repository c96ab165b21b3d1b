"""SmartReply: a reply; the original's text is added here. [MS-ASCMD] SmartReply."""

from __future__ import annotations

from eas.engine.session import Session
from eas.items.compose import Outgoing, answers_all, reply

from ._registry import command
from ._smart import Request, smart
from .send_mail import MIME_BODIES, Response

__all__ = ["Request", "Response", "smart_reply"]

#: [MS-ASEMAIL] LastVerbExecuted R516, R517.
REPLIED, REPLIED_TO_ALL = 1, 2


@command("SmartReply", "ComposeMail:SmartReply", Request, from_mime=Request.from_mime, mime=MIME_BODIES)
async def smart_reply(request: Request, session: Session) -> None:
    def verb_of(outgoing: Outgoing, original: bytes) -> int:
        return REPLIED_TO_ALL if answers_all(outgoing, original, session.viewer) else REPLIED

    await smart(request, session, verb="SmartReply", verb_of=verb_of, merge=reply)

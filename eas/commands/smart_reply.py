"""SmartReply: a reply; the original's text is added here. [MS-ASCMD] SmartReply."""

from __future__ import annotations

from eas.engine.session import Session
from eas.items.compose import reply

from ._registry import command
from ._smart import Request, smart
from .send_mail import MIME_BODIES, Response

__all__ = ["Request", "Response", "smart_reply"]

#: LastVerbExecuted for a reply; to how many it went is not told by the command. [MS-ASEMAIL] LastVerbExecuted.
REPLIED = 1


@command("SmartReply", "ComposeMail:SmartReply", Request, from_mime=Request.from_mime, mime=MIME_BODIES)
async def smart_reply(request: Request, session: Session) -> None:
    await smart(request, session, verb="SmartReply", last_verb=REPLIED, merge=reply)

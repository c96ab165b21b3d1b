"""Parts of a message by FileReference: attachments, inline images, a whole message that arrived degraded.

Every reference is resolved within the user's own mailbox. [MS-ASAIRS] FileReference.
"""

from __future__ import annotations

from dataclasses import dataclass

from eas.items import mime
from eas.items.body import Wanted
from eas.items.native import Mail, Part

from .classes import EMAIL
from .errors import ItemGone
from .ids import parse_file_reference
from .session import Session

#: Enough of a message to know its parts, and no more of its text than need be.
STRUCTURE_ONLY = Wanted(limit_text=0, limit_html=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    content_type: str
    data: bytes


async def load_attachment(session: Session, reference: str, max_bytes: int | None = None) -> Attachment | None:
    """The decoded content; None if it is larger than `max_bytes`. Raises ItemGone for any reference that leads
    nowhere."""
    parsed = parse_file_reference(reference)
    folder = await session.mailbox.folder(parsed[0]) if parsed else None
    if parsed is None or folder is None or folder.item_class != EMAIL:
        raise ItemGone
    _, id, section = parsed
    feed = session.mailbox.feed(folder)
    async for mail in feed.fetch([id], STRUCTURE_ONLY):
        assert isinstance(mail, Mail)
        if not section:
            part = None
        elif mail.structure is None or (part := _find(mail.structure, section)) is None:
            raise ItemGone
        if max_bytes is not None and (part.size if part else mail.size) > max_bytes * 3 // 2:
            return None
        raw = b"".join([piece async for piece in feed.part(id, section)])
        if part is None:
            return Attachment(content_type="message/rfc822", data=raw)
        data = mime.decode_section(part, raw)
        if max_bytes is not None and len(data) > max_bytes:
            return None
        return Attachment(content_type=part.type or "application/octet-stream", data=data)
    raise ItemGone


def _find(part: Part, section: str) -> Part | None:
    if part.section == section:
        return part
    return next((found for child in part.children if (found := _find(child, section)) is not None), None)

"""Parts of an item by FileReference: attachments, inline images, a whole message that arrived degraded; from 16.0 the
attachments of a calendar item (`enclosed.find` resolves what the reference ends in).

Every reference is resolved within the user's own mailbox, and what the user's policy keeps from devices is kept back
here. [MS-ASAIRS] FileReference; [MS-ASPROV] AttachmentsEnabled, MaxAttachmentSize.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from eas.items import attachments, draft, enclosed, mime
from eas.items.body import Wanted
from eas.items.native import ItemId, Mail, Part, Record, Unreadable

from .classes import EMAIL
from .errors import ItemGone, NotAllowed, TooLarge
from .ids import parse_file_reference
from .instances import CALENDAR
from .model import Policy
from .ports import Feed
from .session import Session

#: Enough of a message to know its parts, and no more of its text than need be.
STRUCTURE_ONLY = Wanted(limit_text=0, limit_html=0)

#: A section that no message has.
_NOWHERE = "-"

#: Encoded octets that one decoded one takes at most (quoted-printable: three, and line breaks): a part that is larger
#: than the limit by more than that is not read at all.
_ENCODED_MOST = 4


#: Encoded octets from which on a part is not loaded as a whole, but read while it is sent (and once before, to know its
#: length): a few of them at a time would be felt.
STREAMED_FROM = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """The decoded content: `size` octets in all, `data` whole, or None if it is read from `pieces(first, last)`, last
    included, None for the end. What `pieces` gives may break off with a BackendError."""

    content_type: str
    size: int
    data: bytes | None
    pieces: Callable[[int, int | None], AsyncIterator[bytes]]

    @classmethod
    def whole(cls, content_type: str, data: bytes) -> Attachment:
        async def pieces(first: int, last: int | None) -> AsyncIterator[bytes]:
            yield data[first:] if last is None else data[first : last + 1]

        return cls(content_type=content_type, size=len(data), data=data, pieces=pieces)


async def load_attachment(session: Session, reference: str) -> Attachment:
    """Raises ItemGone for any reference that leads nowhere, NotAllowed and TooLarge for what the policy keeps back."""
    policy = session.policy
    if policy.settings.get("AttachmentsEnabled") == "0":
        raise NotAllowed("the policy allows no attachments")
    limit = _limit(policy)
    parsed = parse_file_reference(reference)
    folder = await session.mailbox.folder(parsed[0]) if parsed else None
    if parsed is None or folder is None or folder.item_class not in (EMAIL, CALENDAR):
        raise ItemGone
    _, id, section = parsed
    feed = session.mailbox.feed(folder)
    if folder.item_class == CALENDAR:
        return await _of_event(feed, id, section, limit)
    async for mail in feed.fetch([id], STRUCTURE_ONLY):
        assert isinstance(mail, Mail)
        if "-" in section and mail.structure is not None:
            section = draft.referred(mail.structure, section) or _NOWHERE
        part = attachments.find(mail.structure, section)
        if part is None:
            raise ItemGone
        size = mail.size if part.size < 0 else part.size
        if limit is not None and size > limit * _ENCODED_MOST:
            raise TooLarge(f"{size} octets, encoded")
        found = await _read(feed, id, section, part, size)
        if limit is not None and found.size > limit:
            raise TooLarge(f"{found.size} octets")
        return found
    raise ItemGone


async def _read(feed: Feed, id: ItemId, section: str, part: Part, size: int) -> Attachment:
    content_type = attachments.content_type(part)
    if size < STREAMED_FROM or part.encoding in mime.WHOLE_ONLY:
        raw = b"".join([piece async for piece in feed.part(id, section)])
        return Attachment.whole(content_type, attachments.decode_range(part, raw))

    async def pieces(first: int, last: int | None) -> AsyncIterator[bytes]:
        decoder, cut = attachments.Decoder(part), attachments.Cut(first, last)
        async for piece in feed.part(id, section):
            if wanted := cut.of(decoder.feed(piece)):
                yield wanted
            if cut.done:
                return
        if wanted := cut.of(decoder.end()):
            yield wanted

    octets = 0
    async for piece in pieces(0, None):
        octets += len(piece)
    return Attachment(content_type=content_type, size=octets, data=None, pieces=pieces)


async def _of_event(feed: Feed, id: ItemId, section: str, limit: int | None) -> Attachment:
    async for record in feed.fetch([id], None):
        assert isinstance(record, Record)
        try:
            found = enclosed.find(record.data, section)
        except Unreadable:
            found = None
        if found is None:
            raise ItemGone
        if limit is not None and len(found[1]) > limit:
            raise TooLarge(f"{len(found[1])} octets")
        return Attachment.whole(found[0], found[1])
    raise ItemGone


def _limit(policy: Policy) -> int | None:
    """Octets of an attachment; None for no limit."""
    stated = policy.settings.get("MaxAttachmentSize", "")
    return int(stated) if stated.isascii() and stated.isdigit() else None

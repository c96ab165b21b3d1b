"""Invitations that a newer one has overtaken are told as such: MeetingMessageType 4. [MS-ASEMAIL] MeetingMessageType
R1070; what a device was told before stands (R531), as the state of a message is that of its flags.
"""

from __future__ import annotations

from eas.items import itip, meeting, mime
from eas.items.native import Mail, Record, Unreadable
from eas.protocol.wbxml import Element

from .model import Right
from .session import Session

_REQUEST, _TYPE = "Email:MeetingRequest", "Email2:MeetingMessageType"
OUTDATED = str(int(meeting.MeetingMessageType.OUTDATED))
#: What can be overtaken.
_CURRENT = frozenset(str(int(kind)) for kind in (
    meeting.MeetingMessageType.INITIAL, meeting.MeetingMessageType.FULL_UPDATE
))  # fmt: skip


async def checked(session: Session, mail: Mail, content: tuple[Element, ...]) -> tuple[Element, ...]:
    """The message as it was rendered, with the type of a meeting request as it is now. Only invitations cost a look
    into the calendar."""
    request = next((child for child in content if child.tag == _REQUEST), None)
    told = request.child(_TYPE) if request is not None else None
    if request is None or told is None or told.text not in _CURRENT or not await _overtaken(session, mail):
        return content
    outdated = Element(_TYPE, OUTDATED)
    changed = Element(_REQUEST, tuple(outdated if child is told else child for child in request.elements))
    return tuple(changed if child is request else child for child in content)


async def _overtaken(session: Session, mail: Mail) -> bool:
    part = mime.layout(mail.structure).calendar if mail.structure else None
    data = mail.sections.get(part.section) if part is not None else None
    if part is None or not data:
        return False
    try:
        ics = mime.text_of(part, data).encode("utf-8", "replace")
        uid = meeting.uid_of(ics)
        for folder in await session.mailbox.folders():
            if folder.item_class == "Calendar" and folder.own and folder.right >= Right.READ:
                feed = session.mailbox.feed(folder)
                found = await feed.by_uid(uid)
                if found is None:
                    continue
                async for record in feed.fetch([found], None):
                    assert isinstance(record, Record)
                    return itip.overtaken(ics, record.data)
    except Unreadable:
        pass
    return False

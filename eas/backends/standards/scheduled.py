"""Mail that a groupware sends itself: invitations, cancellations and answers for meetings in its scheduling calendars.

Devices up to 14.1 write the appointment and mail the invitation (SendMail); from 16.0 the server does that. Where a
CalDAV server tells attendees as soon as the appointment is written (RFC 6638 3), the device's own message would be the
second one. It is not submitted then; the copy among what was sent stays. RFC 5546, RFC 6047.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from eas.engine.ports import Outbox
from eas.items import mime, participants
from eas.items.compose import Outgoing
from eas.items.contentline import Component, parse
from eas.items.native import Unreadable

log = structlog.get_logger("eas.standards")

#: What servers send by themselves. COUNTER, DECLINECOUNTER and REFRESH say what no calendar does, so they go by mail.
#: RFC 6638 3.2, RFC 5546 3.2
_METHODS = frozenset({"REQUEST", "ADD", "CANCEL", "REPLY"})


class ScheduledOutbox:
    """`schedules(uid)`: the appointment of this UID stands, or stood lately, in one of the user's calendars that the
    server schedules."""

    def __init__(self, inner: Outbox, schedules: Callable[[str], Awaitable[bool]]) -> None:
        self._inner, self._schedules = inner, schedules

    async def submit(self, outgoing: Outgoing) -> None:
        uid = uid_that_is_told(outgoing)
        if uid and await self._schedules(uid):
            log.info("the groupware tells of this meeting itself", message_id=outgoing.message_id)
            return
        await self._inner.submit(outgoing)


def uid_that_is_told(outgoing: Outgoing) -> str:
    """The UID of the meeting if this is a message that a scheduling server sends of its own accord, to these very
    people; "" for any other. Somebody else than the invitees (an invitation forwarded) does not hear of the server."""
    try:
        part = mime.layout(mime.structure(outgoing.mime)).calendar
        if part is None:
            return ""
        calendar = parse(mime.text_of(part, mime.cut_from(outgoing.mime, part)).encode())
    except Unreadable:
        return ""
    method = calendar.first("METHOD")
    if method is None or method.value.strip().upper() not in _METHODS:
        return ""
    events = [one for one in calendar.components() if one.name in ("VEVENT", "VTODO")]
    uids = {line.value.strip() for one in events if (line := one.first("UID"))}
    if len(uids) != 1 or not {one.lower() for one in outgoing.recipients} <= _concerned(events):
        return ""
    return uids.pop()


def _concerned(events: list[Component]) -> set[str]:
    """The addresses of organizer and attendees, lower case."""
    lines = [line for one in events for name in ("ORGANIZER", "ATTENDEE") for line in one.find(name)]
    return {participants.address_of(line).lower() for line in lines}

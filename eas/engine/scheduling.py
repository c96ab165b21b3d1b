"""Telling others of a meeting: invitations, updates, cancellations and answers that the server mails for its user.

Which messages these are is decided in eas.items.announce; here each goes out once, however often a request comes: what
is sent is written down before, with the moment that stands in it, so that a repeat makes the same messages, which the
outbox takes once.

[MS-ASCMD] Creating a Meeting or Appointment R7478; SendResponse R7113-R7115; docs/design.md "Effects outside our
database".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b

import structlog

from eas.items import announce as decide
from eas.items import imip
from eas.items.body import Source
from eas.items.itip_build import Notice
from eas.items.native import Unreadable, Viewer

from .errors import Refusal, Undeliverable
from .notices import put
from .ports import Chosen, Intent, Owner
from .quirks import Quirk
from .sending import OUTBOX, SENT
from .session import Session

log = structlog.get_logger("eas.scheduling")

VERB = "Announce"
#: One unknown recipient must not keep the others from hearing: then each is told apart.
_OF_ONE = frozenset({Refusal.UNKNOWN_RECIPIENT, Refusal.REJECTED, Refusal.NO_RECIPIENT})


async def announce(session: Session, before: bytes | None, after: bytes | None, *, owner: Owner, name: str) -> None:
    """Tell those concerned that the user's appointment `before` has become `after` (iCalendar objects as they are
    stored; None: there was, or is, none).

    What is stored should have gone through `eas.items.announce.restated` first, so that SEQUENCE tells the states
    apart. `name` identifies the effect (the command that caused it): under the same name the same change is told once.
    Nothing that goes wrong with a message undoes the write: the user finds a notice in the inbox. Raises Unavailable;
    then the same call goes on where it ended.
    """
    if before == after or Quirk.MAILS_MEETINGS_ITSELF in session.quirks:
        return
    try:
        if not decide.notices(before, after, session.viewer):
            return
    except Unreadable as error:
        log.warning("a meeting that cannot be read is not announced", reason=str(error))
        return
    content = b"\0".join((b"-" if data is None else b"+" + data) for data in (before, after))

    def notices(viewer: Viewer) -> Sequence[Notice]:
        return decide.notices(before, after, viewer)

    await _once(session, owner, name, content, notices, None)


async def tell(
    session: Session, make: Callable[[Viewer], Notice | None], *, owner: Owner, name: str, body: Source | None = None
) -> None:
    """Send one message that was asked for (an answer to an invitation), once. `body` are the words that go with it,
    None: those of the meeting. Raises Unavailable, Unreadable."""
    notice = make(session.viewer)
    if notice is None:
        return
    words = b"" if body is None else b"%s\0%s" % ((body.text or "").encode(), (body.html or "").encode())

    def notices(viewer: Viewer) -> Sequence[Notice]:
        made = make(viewer)
        return [made] if made else []

    await _once(session, owner, name, _timeless(notice) + words, notices, body)


def _timeless(notice: Notice) -> bytes:
    """The object without the moment at which it was made."""
    lines = [line for line in notice.calendar.split(b"\r\n") if not line.startswith(b"DTSTAMP")]
    return notice.method.encode() + b"\r\n".join(lines)


async def _once(
    session: Session, owner: Owner, name: str, content: bytes, notices: Callable[[Viewer], Sequence[Notice]],
    body: Source | None,
) -> None:
    """Under one intent: what `notices` makes for a viewer of that moment."""
    if not session.viewer.addresses:
        return
    told = replace(owner, collection_id=OUTBOX)
    digest = blake2b(content, digest_size=16).hexdigest()
    intent = await session.store.intend(told, Intent(
        verb=VERB, client_id="", server_id=name, digest=digest,
        chosen=Chosen(name=session.entropy.key(), note=session.clock.now().isoformat(timespec="seconds")),
    ))
    if intent.result == SENT:
        return
    viewer = replace(session.viewer, now=datetime.fromisoformat(intent.chosen.note))
    stem = blake2b(f"{owner.user_id}\0{name}\0{digest}".encode(), digest_size=16).hexdigest()
    for number, notice in enumerate(notices(viewer)):
        await _send(session, notice, f"meeting-{stem}-{number}", viewer, body)
    await session.store.settle(told, intent, SENT)


async def _send(session: Session, notice: Notice, name: str, viewer: Viewer, body: Source | None) -> None:
    try:
        await session.outbox.submit(imip.mail_of(notice, name, viewer, body=body))
    except Undeliverable as error:
        if error.reason not in _OF_ONE or len(notice.recipients) == 1:
            await _say_failed(session, notice, name, viewer, error)
            return
        for number, box in enumerate(notice.recipients):
            await _send(session, replace(notice, recipients=(box,)), f"{name}-{number}", viewer, body)


async def _say_failed(session: Session, notice: Notice, name: str, viewer: Viewer, error: Undeliverable) -> None:
    """A notice in the user's own inbox: the device that made the meeting has its answer already."""
    log.warning("a meeting message could not be sent", method=notice.method, reason=str(error))
    message = imip.undelivered(notice, f"{name}-failed", viewer, error.reason.name.replace("_", " ").lower())
    await put(session, message, f"{name}-failed")

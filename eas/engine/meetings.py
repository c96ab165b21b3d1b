"""Answering an invitation: the user's calendar takes it as accepted or tentative, or loses it; the organizer hears of
it if the device wants that, or does not mail it itself.

The invitation is a message with an iCalendar part, or the appointment itself. Which of the two the device names does
not matter: the appointment is found by its UID, so that one meeting is in the calendar once. A message about one
occurrence of a series answers that occurrence alone.

[MS-ASCMD] MeetingResponse; Receiving and Accepting Meeting Requests R5071-R5072; [MS-ASCAL] for what is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import structlog

from eas.items import headers, itip, meeting, mime
from eas.items.body import Source
from eas.items.itip_build import Notice
from eas.items.native import ItemId, Mail, Record, Refused, Unreadable, Viewer

from . import errors
from .classes import EMAIL
from .ids import server_id
from .model import Folder, FolderType, Right
from .moves import move_item
from .parts import STRUCTURE_ONLY
from .ports import Chosen, Intent, Owner
from .scheduling import tell
from .session import Session

log = structlog.get_logger("eas.meetings")

DECLINED = 3

#: How often a conditional write is tried again.
ATTEMPTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a device answers. `response`: 1 accept, 2 tentative, 3 decline; `instance` is the start of one occurrence.

    `send`: the organizer is to hear of it, in the words of `body` (None: in none). `proposed` are the times that the
    user would like better.
    """

    response: int
    instance: datetime | None = None
    send: bool = False
    body: Source | None = None
    proposed: tuple[datetime, datetime] | None = None

    @property
    def digest(self) -> str:
        told = [f"{self.response} {self.instance.isoformat() if self.instance else ''}"]
        if self.send:
            words = repr((self.body and (self.body.text, self.body.html), self.proposed)).encode()
            told.append(blake2b(words, digest_size=12).hexdigest())
        return " ".join(told)


async def respond(session: Session, folder: Folder, id: ItemId, answer: Answer) -> str:
    """Answer the invitation; the ServerId of the appointment, "" if it was declined. The same answer again gives the
    same, and nobody is told twice.

    Raises ItemGone, Refused (no invitation to this user), NoRecurrence, NotAllowed, and what a write raises.
    """
    owner = Owner(user_id=session.user.id, device_id=session.device.id, collection_id=folder.id)
    chosen = Chosen(name=session.entropy.key())
    intent = await session.store.intend(owner, Intent(
        verb="MeetingResponse", client_id="", server_id=server_id(folder.id, id), digest=answer.digest, chosen=chosen,
    ))
    at_work = _Answering(session=session, folder=folder, id=id, answer=answer, owner=owner, intent=intent)
    try:
        result = await at_work.run()
    except errors.ItemGone:
        # The same answer once more; the invitation was put away when it came first, or the appointment removed (and
        # then the result may have been lost with the process).
        begun = intent.chosen != chosen and answer.response == DECLINED and folder.item_class != EMAIL
        if not intent.result.startswith(_DONE) and not begun:
            raise
        return intent.result.removeprefix(_DONE).partition(" ")[0] if intent.result.startswith(_DONE) else ""
    await session.store.settle(owner, intent, f"{_DONE}{result} {at_work.state}")
    if folder.item_class == EMAIL:
        await _put_away(session, folder, id)
    return result


#: What an intent's result begins with: the answer was given; it is about to be, and to be told. After it stand the id
#: of the appointment (of what was given) and the state of the appointment that was answered.
_DONE, _BEGUN = "=", "~"
#: The state of an appointment that there is not.
_NONE = "none"


def calendar_text(raw: bytes) -> bytes | None:
    """The iCalendar object of a whole message, as UTF-8; None if it has none. Raises Unreadable."""
    part = mime.layout(mime.structure(raw)).calendar
    return None if part is None else mime.text_of(part, mime.cut_from(raw, part)).encode()


# -- Invitations by mail


@dataclass(frozen=True, slots=True, kw_only=True)
class _Invitation:
    """`authors` are the addresses in From and Sender, lower case."""

    ics: bytes
    authors: frozenset[str]


async def _invitation(session: Session, folder: Folder, id: ItemId) -> _Invitation:
    feed = session.mailbox.feed(folder)
    async for mail in feed.fetch([id], STRUCTURE_ONLY):
        assert isinstance(mail, Mail)
        part = mime.layout(mail.structure).calendar if mail.structure else None
        if part is None:
            raise Refused("not an invitation")
        raw = b"".join([piece async for piece in feed.part(id, part.section)])
        fields = headers.parse(mail.header)
        authors = (box for name in (b"from", b"sender") for box in headers.addresses(fields.get(name, b"")))
        return _Invitation(
            ics=mime.text_of(part, raw).encode(), authors=frozenset(box.address.lower() for box in authors)
        )
    raise errors.ItemGone


async def _calendars(session: Session) -> list[Folder]:
    """The user's own, the default one first."""
    own = [f for f in await session.mailbox.folders() if f.item_class == "Calendar" and f.own and f.right >= Right.EDIT]
    return sorted(own, key=lambda folder: folder.type is not FolderType.CALENDAR)


# -- The answer


@dataclass(slots=True, kw_only=True)
class _Answering:
    """One answer at work. Done again it changes nothing: a user who accepts, declines and accepts again means the last.

    `state` names the appointment as it was when it was answered: the message to the organizer goes out once for it.
    """

    session: Session
    folder: Folder
    id: ItemId
    answer: Answer
    owner: Owner
    intent: Intent
    state: str = ""

    async def run(self) -> str:
        if self.folder.item_class == EMAIL:
            return await self._from_mail(await _invitation(self.session, self.folder, self.id))
        return await self._update(self.folder, self.id, self.answer.instance)

    async def _from_mail(self, invitation: _Invitation) -> str:
        answered = meeting.respond(invitation.ics, self.answer.response, self.session.viewer, None)
        uid = meeting.uid_of(invitation.ics)
        calendars = await _calendars(self.session)
        for calendar in calendars:
            found = await self.session.mailbox.feed(calendar).by_uid(uid)
            if found is not None:
                return await self._update(calendar, found, meeting.instance_of(invitation.ics), invitation)
        self._check_proposal(invitation.ics)
        if answered is not None and not calendars:
            raise errors.FolderGone("no calendar")
        # What is written nowhere (declined before it stood in a calendar) no groupware answers.
        await self._tell(invitation.ics, None, _NONE, scheduled=answered is not None and calendars[0].schedules)
        if answered is None:
            return ""
        feed = self.session.mailbox.feed(calendars[0])
        name = f"m{blake2b(uid.encode(), digest_size=12).hexdigest()}.ics"
        written = await feed.create(answered, Chosen(name=name, note=await feed.mark()))
        return server_id(calendars[0].id, written.id)

    async def _update(
        self, calendar: Folder, id: ItemId, instance: datetime | None, invitation: _Invitation | None = None
    ) -> str:
        """Write the answer into the stored appointment, after what a newer `invitation` says; a declined one goes."""
        session, response = self.session, self.answer.response
        feed = session.mailbox.feed(calendar)
        for _ in range(ATTEMPTS):
            record = await _stored(session, calendar, id)
            data = record.data if invitation is None else _updated(record.data, invitation, session)
            lone = meeting.instance_of(data)
            if instance is not None and not meeting.recurs(data):
                raise errors.NoRecurrence
            answered = meeting.apply_response(data, response, session.viewer, instance)
            self._check_proposal(data)
            if calendar.right < Right.EDIT:
                raise errors.NotAllowed
            # The organizer hears of it first: if the process dies in between, the answer is given again, and told once.
            await self._tell(data, instance, record.version, scheduled=calendar.schedules)
            try:
                if response == DECLINED and (instance is None or lone is not None):
                    await feed.delete(id, record.version)
                elif answered != record.data:
                    await feed.update(id, answered, record.version)
            except errors.VersionConflict:
                continue
            return "" if response == DECLINED else server_id(calendar.id, id)
        raise errors.VersionConflict

    def _check_proposal(self, ics: bytes) -> None:
        """[MS-ASCAL] DisallowNewTimeProposal R21111. Raises Refused."""
        if self.answer.proposed is not None and not meeting.takes_proposals(ics):
            raise Refused("the organizer takes no proposals")

    async def _tell(self, ics: bytes, instance: datetime | None, state: str, *, scheduled: bool) -> None:
        """Mail the answer to the organizer. `state` is that of the appointment before it. A groupware that schedules
        answers by itself when the appointment is written (RFC 6638 3.2.2), but proposes no other times."""
        answer, session = self.answer, self.session
        if self.state:  # somebody else wrote in between, and it is told already
            return
        known, open_ = self.intent.result.partition(" ")[2], self.intent.result.startswith(_BEGUN)
        gone = state == _NONE and answer.response == DECLINED
        repeated = known and (open_ or gone or itip.is_answered(ics, answer.response, session.viewer, instance))
        self.state = known if repeated else state
        if not answer.send or (scheduled and answer.proposed is None):
            return
        if not repeated:
            await session.store.settle(self.owner, self.intent, f"{_BEGUN} {self.state}")

        def make(viewer: Viewer) -> Notice | None:
            return itip.answer_of(ics, answer.response, viewer, instance, answer.body, answer.proposed)

        name = f"{self.intent.server_id} {self.intent.digest} {self.state}"
        await tell(session, make, owner=self.owner, name=name, body=answer.body or Source())


async def _stored(session: Session, calendar: Folder, id: ItemId) -> Record:
    async for record in session.mailbox.feed(calendar).fetch([id], None):
        assert isinstance(record, Record)
        return record
    raise errors.ItemGone


def _updated(stored: bytes, invitation: _Invitation, session: Session) -> bytes:
    """The stored appointment as a newer invitation has it, if that comes from the organizer himself: others who have
    heard of a UID do not move meetings."""
    if meeting.organizer_of(stored).lower() not in invitation.authors:
        return stored
    try:
        return meeting.apply_request(stored, invitation.ics, session.viewer)
    except Unreadable as error:
        raise Refused(str(error)) from error


async def _put_away(session: Session, folder: Folder, id: ItemId) -> None:
    """An answered invitation goes to Deleted Items, as Exchange does it. The answer stands, whether that can be or
    not."""
    if folder.type is FolderType.DELETED_ITEMS:
        return
    for other in await session.mailbox.folders():
        if other.type is FolderType.DELETED_ITEMS:
            try:
                await move_item(session, folder, id, other)
            except (errors.ItemGone, errors.FolderGone, errors.NotAllowed, errors.NoSpace) as error:
                log.info("an answered invitation stays where it is", reason=type(error).__name__)
            return

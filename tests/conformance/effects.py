"""Requests of 16.x that have effects on several mailboxes, each with what it must have come to, however often it was
asked for and wherever it was cut off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from boxes_kit import local
from calendar_kit import c, compact, zone
from effects_kit import Desk, Request, address
from mail_cases_kit import add_draft, attach, attachments, body, change_draft
from wire import Got, e

from eas.engine.model import FolderType
from eas.engine.ports import Horizon
from eas.items import recipients
from eas.items.native import Record
from eas.protocol.wbxml import Element

DRAFTS, CALENDAR, INBOX = FolderType.DRAFTS, FolderType.CALENDAR, FolderType.INBOX
DELETED, SENT = FolderType.DELETED_ITEMS, FolderType.SENT_ITEMS
#: A Monday far enough ahead.
MONDAY = datetime(2031, 3, 3, 10, tzinfo=UTC)


@dataclass(kw_only=True)
class Stage:
    """`word` is in all that one run makes."""

    anna: Desk
    ben: Desk
    word: str = ""
    number: int = 0

    def next(self) -> None:
        self.number += 1
        self.word = f"word-{self.number}-x"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`expected`: lines of the tally. `types`: collections that agree with the store afterwards. `good`: the first
    number is the status of an undisturbed answer, all are those of a repeated one ("" for no body)."""

    desk: Desk
    request: Request
    expected: dict[str, int]
    types: Sequence[FolderType] = ()
    status: Callable[[Got], str]
    good: tuple[str, ...] = ("1",)
    check: Callable[[], Awaitable[None]] | None = field(default=None)


def of_sync(got: Got) -> str:
    """The worst status in a Sync's answer; "3" (a key that is not known) too."""
    found = got.all("Collections", "Collection", "Status")
    for verb in ("Add", "Change", "Delete"):
        found += got.all("Collections", "Collection", "Responses", verb, "Status")
    return max((one.text for one in found), default="1")


def of_whole(got: Got) -> str:
    return got.status if got.body else ""


def of_result(got: Got) -> str:
    (found,) = got.all("Result", "Status")
    return found.text


def of_operation(got: Got) -> str:
    (found,) = [one for kind in ("Move", "EmptyFolderContents") for one in got.all("Response", kind, "Status")]
    return found.text


def _synced(
    desk: Desk, type: FolderType, expected: dict[str, int], *given: Element, types: Sequence[FolderType] = ()
) -> Plan:
    return Plan(
        desk=desk, request=desk.sync(type, *given), expected=expected, types=(type, *types), status=of_sync
    )


# Drafts -------------------------------------------------------------------------------------------------------------

FILE = attachments(attach("a", "a.txt", b"Once."))


def _letter(stage: Stage) -> tuple[Element, ...]:
    to = ", ".join((address("ben"), address("cleo")))
    return (e("Email:To", to), e("Email:Subject", stage.word), body("Once, and to each."), FILE)


SENT_ONCE = {"anna SENT_ITEMS mail": 1, "ben INBOX mail": 1, "cleo INBOX mail": 1}


async def draft_sent_at_once(stage: Stage) -> Plan:
    return _synced(stage.anna, DRAFTS, SENT_ONCE, add_draft("n", *_letter(stage), send=True), types=(SENT,))


async def draft_sent(stage: Stage) -> Plan:
    id = await stage.anna.add(DRAFTS, add_draft("n", *_letter(stage)))
    return _synced(
        stage.anna, DRAFTS, SENT_ONCE, change_draft(id, body("Said better."), send=True), types=(SENT,)
    )


async def draft_sent_as_it_is(stage: Stage) -> Plan:
    """Change with Send and nothing else to say."""
    id = await stage.anna.add(DRAFTS, add_draft("n", *_letter(stage)))
    return _synced(stage.anna, DRAFTS, SENT_ONCE, change_draft(id, send=True), types=(SENT,))


async def draft_deleted(stage: Stage) -> Plan:
    id = await stage.anna.add(DRAFTS, add_draft("n", *_letter(stage)))
    return _synced(
        stage.anna, DRAFTS, {"anna DELETED_ITEMS mail": 1}, e("AirSync:Delete", e("ServerId", id)), types=(DELETED,)
    )


async def several_at_once(stage: Stage) -> Plan:
    """One Sync that adds, changes, sends and deletes."""
    desk = stage.anna
    ids = [await desk.add(DRAFTS, add_draft("n", *_letter(stage), e("Email:Cc", "x@elsewhere.test"))) for _ in range(2)]
    ids.append(await desk.add(DRAFTS, add_draft("n", *_letter(stage))))
    return _synced(
        desk, DRAFTS, {**SENT_ONCE, "anna DRAFTS mail": 2, "anna DELETED_ITEMS mail": 1},
        add_draft("m", *_letter(stage)), change_draft(ids[0], body("Other words."), FILE),
        change_draft(ids[2], body("Go."), send=True), e("AirSync:Delete", e("ServerId", ids[1])), types=(SENT, DELETED),
    )


# Meetings -----------------------------------------------------------------------------------------------------------


def _guests(*logins: str) -> Element:
    return c("Attendees", *(
        c("Attendee", c("Email", address(login)), c("Name", login), c("AttendeeType", "1")) for login in logins
    ))


def _meeting(stage: Stage, *logins: str, weekly: bool = False) -> Element:
    rule = (c("Recurrence", c("Type", "1"), c("Interval", "1"), c("Occurrences", "5"), c("DayOfWeek", "2")),)
    return e(
        "AirSync:Add", e("ClientId", "c1"),
        e("ApplicationData", c("Timezone", zone()), c("AllDayEvent", "0"), c("StartTime", compact(MONDAY)),
          c("EndTime", compact(MONDAY + timedelta(hours=1))), c("Subject", stage.word),
          c("MeetingStatus", "1"), _guests(*logins), *(rule if weekly else ())),
    )


def _heard(method: str, *logins: str, count: int = 1) -> dict[str, int]:
    return {f"{login} INBOX {method}": count for login in logins}


def _held(line: str, *logins: str) -> dict[str, int]:
    return {f"{login} CALENDAR meeting {line}": 1 for login in logins}


def _change(id: str, *fields: Element, instance: str = "") -> Element:
    named = (e("AirSyncBase:InstanceId", instance),) if instance else ()
    return e("AirSync:Change", e("ServerId", id), *named, e("ApplicationData", *fields))


BOTH = ("ben", "cleo")
EVERYBODY = ("anna", *BOTH)
SECOND = compact(MONDAY + timedelta(weeks=1))


async def meeting_made(stage: Stage) -> Plan:
    return _synced(
        stage.anna, CALENDAR, _heard("REQUEST", *BOTH) | _held("s0 g2", *EVERYBODY), _meeting(stage, *BOTH)
    )


async def meeting_moved(stage: Stage) -> Plan:
    id = await stage.anna.add(CALENDAR, _meeting(stage, *BOTH))
    later = MONDAY + timedelta(hours=3)
    times = (c("StartTime", compact(later)), c("EndTime", compact(later + timedelta(hours=1))))
    return _synced(
        stage.anna, CALENDAR, _heard("REQUEST", *BOTH, count=2) | _held("s1 g2", *EVERYBODY), _change(id, *times)
    )


async def guest_exchanged(stage: Stage) -> Plan:
    """Ben is no longer asked, cleo is."""
    id = await stage.anna.add(CALENDAR, _meeting(stage, "ben"))
    expected = {
        **_heard("REQUEST", *BOTH), **_heard("CANCEL", "ben"), **_held("s0 g1", *EVERYBODY)
    }
    return _synced(stage.anna, CALENDAR, expected, _change(id, _guests("cleo")))


async def meeting_deleted(stage: Stage) -> Plan:
    id = await stage.anna.add(CALENDAR, _meeting(stage, *BOTH))
    expected = _heard("REQUEST", *BOTH) | _heard("CANCEL", *BOTH) | _held("s1 g2", *BOTH)
    return _synced(stage.anna, CALENDAR, expected, e("AirSync:Delete", e("ServerId", id)))


async def occurrence_moved(stage: Stage) -> Plan:
    id = await stage.anna.add(CALENDAR, _meeting(stage, *BOTH, weekly=True))
    later = MONDAY + timedelta(weeks=1, hours=3)
    times = (c("StartTime", compact(later)), c("EndTime", compact(later + timedelta(hours=1))))
    return _synced(
        stage.anna, CALENDAR, _heard("REQUEST", *BOTH, count=2) | _held("s0 g2 apart1", *EVERYBODY),
        _change(id, *times, instance=SECOND),
    )


async def occurrence_deleted(stage: Stage) -> Plan:
    id = await stage.anna.add(CALENDAR, _meeting(stage, *BOTH, weekly=True))
    given = e("AirSync:Delete", e("ServerId", id), e("AirSyncBase:InstanceId", SECOND))
    expected = {
        **_heard("REQUEST", *BOTH), **_heard("CANCEL", *BOTH), **_held("s1 g2 gone1", "anna"),
        **_held("s0 g2 apart1", *BOTH),
    }
    return _synced(stage.anna, CALENDAR, expected, given)


async def several_meetings(stage: Stage) -> Plan:
    """One Sync that makes one, moves one, deletes one, and one occurrence of one."""
    desk = stage.anna
    ids = [await desk.add(CALENDAR, _meeting(stage, "ben")) for _ in range(2)]
    ids.append(await desk.add(CALENDAR, _meeting(stage, "ben", weekly=True)))
    later = MONDAY + timedelta(hours=3)
    times = (c("StartTime", compact(later)), c("EndTime", compact(later + timedelta(hours=1))))
    expected = {
        "ben INBOX REQUEST": 5, "ben INBOX CANCEL": 2, "anna CALENDAR meeting s0 g1": 1,
        "anna CALENDAR meeting s1 g1": 1, "anna CALENDAR meeting s1 g1 gone1": 1, "ben CALENDAR meeting s0 g1": 1,
        "ben CALENDAR meeting s1 g1": 2, "ben CALENDAR meeting s0 g1 apart1": 1,
    }
    return _synced(
        desk, CALENDAR, expected, _meeting(stage, "ben"), _change(ids[0], *times),
        e("AirSync:Delete", e("ServerId", ids[1])),
        e("AirSync:Delete", e("ServerId", ids[2]), e("AirSyncBase:InstanceId", SECOND)),
    )


# Answers and forwards -----------------------------------------------------------------------------------------------


async def _respond(stage: Stage, type: FolderType, response: str, expected: dict[str, int], *send: Element) -> Plan:
    await stage.anna.add(CALENDAR, _meeting(stage, "ben"))
    id = await stage.ben.named(type, stage.word)
    asked = e("MeetingResponse:MeetingResponse", e(
        "Request", e("UserResponse", response), e("CollectionId", stage.ben.folders[type]), e("RequestId", id),
        e("SendResponse", *send),
    ))
    return Plan(
        desk=stage.ben, request=Request(command="MeetingResponse", body=asked), status=of_result, expected=expected,
        types=(INBOX, CALENDAR),
    )


WORDS = body("I shall see.")
PUT_AWAY = {"ben DELETED_ITEMS REQUEST": 1, "anna INBOX REPLY": 1, "anna CALENDAR meeting s0 g1": 1}


async def accepted_by_mail(stage: Stage) -> Plan:
    return await _respond(stage, INBOX, "1", PUT_AWAY | _held("s0 g1", "ben"), WORDS)


async def declined_by_mail(stage: Stage) -> Plan:
    return await _respond(stage, INBOX, "3", PUT_AWAY, WORDS)


async def accepted_in_calendar(stage: Stage) -> Plan:
    kept = _held("s0 g1", "anna", "ben") | {"ben INBOX REQUEST": 1, "anna INBOX REPLY": 1}
    return await _respond(stage, CALENDAR, "1", kept)


async def declined_in_calendar(stage: Stage) -> Plan:
    kept = _held("s0 g1", "anna") | {"ben INBOX REQUEST": 1, "anna INBOX REPLY": 1}
    return await _respond(stage, CALENDAR, "3", kept)


async def countered(stage: Stage) -> Plan:
    later = MONDAY + timedelta(hours=5)
    times = (
        e("MeetingResponse:ProposedStartTime", compact(later)),
        e("MeetingResponse:ProposedEndTime", compact(later + timedelta(hours=1))),
    )
    kept = _held("s0 g1", "anna", "ben") | {"ben DELETED_ITEMS REQUEST": 1, "anna INBOX COUNTER": 1}
    return await _respond(stage, INBOX, "2", kept, WORDS, *times)


async def _forward(stage: Stage, desk: Desk, id: str, expected: dict[str, int], *logins: str) -> Plan:
    people = (e("Forwardee", e("Name", login), e("Email", address(login))) for login in logins)
    asked = e(
        "ComposeMail:SmartForward", e("ClientId", f"forward-{stage.number}"),
        e("Source", e("FolderId", desk.folders[CALENDAR]), e("ItemId", id)), e("Forwardees", *people), WORDS,
    )
    return Plan(
        desk=desk, request=Request(command="SmartForward", body=asked), status=of_whole, good=("", "118"),
        expected=expected, types=(CALENDAR,),
    )


async def forwarded_by_organizer(stage: Stage) -> Plan:
    id = await stage.anna.add(CALENDAR, _meeting(stage, "ben"))
    expected = _heard("REQUEST", *BOTH) | _held("s0 g2", "anna", "cleo") | _held("s0 g1", "ben")
    return await _forward(stage, stage.anna, id, expected, "cleo")


async def forwarded_by_guest(stage: Stage) -> Plan:
    await stage.anna.add(CALENDAR, _meeting(stage, "ben"))
    id = await stage.ben.named(CALENDAR, stage.word)
    expected = {
        **_heard("REQUEST", *BOTH), "anna INBOX X-FORWARD": 1, **_held("s0 g2", "anna", "cleo"), **_held("s0 g1", "ben")
    }
    return await _forward(stage, stage.ben, id, expected, "cleo")


# The mailbox --------------------------------------------------------------------------------------------------------


async def _deliver(stage: Stage, count: int) -> list[str]:
    for number in range(count):
        thread = f"References: <{stage.word}@elsewhere.test>\r\n"
        mime = (
            f"From: x@elsewhere.test\r\nTo: {address('anna')}\r\nSubject: Re: {stage.word}\r\n"
            f"Message-ID: <{number}.{stage.word}@elsewhere.test>\r\n{thread}\r\nHello.\r\n"
        )
        await stage.anna.scene.premises.deliver("anna", mime.encode())
    await stage.anna.pull(INBOX)
    return [id for id, item in stage.anna.known(INBOX).items() if stage.word in str(item)]


async def conversation_moved(stage: Stage) -> Plan:
    (id, *_) = await _deliver(stage, 3)
    data = next(one for one in stage.anna.known(INBOX)[id].elements if local(one) == "ApplicationData")
    known = next(one.content for one in data.elements if one.tag == "Email2:ConversationId")
    asked = e("ItemOperations:ItemOperations", e(
        "Move", Element("ItemOperations:ConversationId", known), e("DstFldId", stage.anna.folders[DELETED]),
        e("Options", e("MoveAlways")),
    ))

    return Plan(
        desk=stage.anna, request=Request(command="ItemOperations", body=asked), status=of_operation,
        expected={"anna DELETED_ITEMS mail": 3}, types=(INBOX, DELETED),
    )


async def emptied(stage: Stage) -> Plan:
    ids = await _deliver(stage, 2)
    await stage.anna.go(INBOX, *(e("AirSync:Delete", e("ServerId", id)) for id in ids))
    asked = e("ItemOperations:ItemOperations", e(
        "EmptyFolderContents", Element("AirSync:CollectionId", stage.anna.folders[DELETED]),
    ))
    return Plan(
        desk=stage.anna, request=Request(command="ItemOperations", body=asked), status=of_operation, expected={},
        types=(DELETED,),
    )


async def _counted(desk: Desk, login: str) -> int:
    """How often the user has written to somebody, all of it just now: the rank in the recipient information cache is
    the logarithm of that."""
    mailbox = await desk.scene.premises.mailbox(desk.person.login)
    (folder,) = [one for one in await mailbox.folders() if one.type is FolderType.RECIPIENT_CACHE]
    feed = mailbox.feed(folder)
    records = [item async for item in feed.fetch(sorted((await feed.delta(None, Horizon())).touched), None)]
    entries = [recipients.read(item.data) for item in records if isinstance(item, Record)]
    ranks = [entry.rank for entry in entries if entry.address == address(login)]
    assert len(ranks) <= 1
    first = recipients.written_to(None, address(login), "", datetime.now(UTC)).rank
    return round(2 ** ((ranks[0] - first) / 1000)) if ranks else 0


async def mail_sent(stage: Stage) -> Plan:
    """Who is written to is counted once, too."""
    mime = (
        f"From: {address('anna')}\r\nTo: {address('ben')}\r\nSubject: {stage.word}\r\n\r\nHello.\r\n"
    ).encode()
    before = await _counted(stage.anna, "ben")

    async def check() -> None:
        # It is counted after all else: who dies right before that has not counted.
        assert await _counted(stage.anna, "ben") - before in (0, 1)

    asked = e(
        "ComposeMail:SendMail", e("ClientId", stage.word), e("SaveInSentItems"), e("Mime", mime)
    )
    return Plan(
        desk=stage.anna, request=Request(command="SendMail", body=asked), status=of_whole, good=("", "118"),
        expected={"anna SENT_ITEMS mail": 1, "ben INBOX mail": 1}, types=(SENT,), check=check,
    )


async def out_of_office(stage: Stage) -> Plan:
    said = (e("Enabled", "0"), e("ReplyMessage", stage.word), e("BodyType", "Text"))
    reply = e("OofMessage", e("AppliesToInternal"), *said)
    asked = e("Settings:Settings", e("Oof", e("Set", e("OofState", "0"), reply)))

    async def check() -> None:
        kept = await (await stage.anna.scene.premises.mailbox("anna")).out_of_office()
        assert str(kept).count(stage.word) == 1

    return Plan(
        desk=stage.anna, request=Request(command="Settings", body=asked), status=of_whole, expected={}, check=check
    )


async def text_messages(stage: Stage) -> Plan:
    """Taken and not kept; the answer has an id for each."""
    given = [
        e("AirSync:Add", e("Class", "SMS"), e("ClientId", f"sms{number}"), e(
            "ApplicationData", e("Email:To", "+15550100"), e("Email:From", "+15550101"), body(stage.word),
        ))
        for number in range(2)
    ]
    return Plan(
        desk=stage.anna, request=stage.anna.sync(INBOX, *given), status=of_sync, expected={}, types=(),
    )


EFFECTS: tuple[Callable[[Stage], Awaitable[Plan]], ...] = (
    draft_sent_at_once, draft_sent, draft_sent_as_it_is, draft_deleted, several_at_once,
    meeting_made, meeting_moved, guest_exchanged, meeting_deleted, occurrence_moved, occurrence_deleted,
    several_meetings,
    accepted_by_mail, declined_by_mail, accepted_in_calendar, declined_in_calendar, countered,
    forwarded_by_organizer, forwarded_by_guest,
    mail_sent, conversation_moved, emptied, out_of_office, text_messages,
)

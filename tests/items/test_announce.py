"""Who is told of a change of a meeting, and what. RFC 5546; [MS-ASCMD] R7478."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items import announce, imip, itip, participants
from eas.items.announce import notices, restated
from eas.items.contentline import parse
from eas.items.itip_build import Notice, sequence
from eas.items.meeting import message_class
from eas.items.native import Viewer

NOW = datetime(2027, 1, 1, 9, 0, tzinfo=UTC)
ANNA = Viewer(addresses=("anna@example.com", "a@example.com"), name="Anna", zone="Europe/Berlin", now=NOW)
BEN = Viewer(addresses=("ben@example.com",), name="Ben", zone="UTC", now=NOW)

WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=5"
SECOND = "20270309T100000Z"
BEN_AND_CARLA = ("ben@example.com", "carla@example.com")


def vevent(
    *more: str, to: tuple[str, ...] = BEN_AND_CARLA, start: str = "20270302T100000Z", end: str = "20270302T110000Z",
    seq: int = 0, title: str = "Budget", host: str = "anna@example.com", status: str = "NEEDS-ACTION",
) -> str:
    lines = [
        "BEGIN:VEVENT", "UID:m1", "DTSTAMP:20270101T080000Z", f"SEQUENCE:{seq}", f"DTSTART:{start}", f"DTEND:{end}",
        f"SUMMARY:{title}", *([f"ORGANIZER;CN=Host:mailto:{host}"] if host else []),
        *(f"ATTENDEE;PARTSTAT={status};CN=X:mailto:{who}" for who in to), *more, "END:VEVENT",
    ]
    return "".join(line + "\r\n" for line in lines)


def ics(*events: str) -> bytes:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\n{''.join(events)}END:VCALENDAR\r\n".encode()


def occurrence(*more: str, **values: object) -> str:
    return vevent(
        f"RECURRENCE-ID:{SECOND}", *more,
        **{"start": SECOND, "end": "20270309T110000Z", **values},  # type: ignore[arg-type]
    )


ALARM = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT10M", "DESCRIPTION:x", "END:VALARM")
ONE = ics(vevent())
SERIES = ics(vevent(WEEKLY))
NOBODY = ics(vevent(to=()))
BEN_, CARLA, DORA = "ben@example.com", "carla@example.com", "dora@example.com"

#: What happens, before, after, and what is told: method, to whom, of which occurrence ("" the whole).
TABLE = [
    ("a meeting is made", None, ONE, [("REQUEST", {BEN_, CARLA}, "")]),
    ("an appointment is made", None, ics(vevent(to=(), host="")), []),
    ("a meeting without invitees", None, NOBODY, []),
    ("nothing changes", ONE, ONE, []),
    ("it is moved", ONE, ics(vevent(start="20270302T120000Z", end="20270302T130000Z")),
     [("REQUEST", {BEN_, CARLA}, "")]),
    ("another title", ONE, ics(vevent(title="Plan")), [("REQUEST", {BEN_, CARLA}, "")]),
    ("another place", ONE, ics(vevent("LOCATION:Roof")), [("REQUEST", {BEN_, CARLA}, "")]),
    ("another text", ONE, ics(vevent("DESCRIPTION:Bring money")), [("REQUEST", {BEN_, CARLA}, "")]),
    ("a reminder", ONE, ics(vevent(*ALARM)), []),
    ("a category", ONE, ics(vevent("CATEGORIES:Work")), []),
    ("how the time is shown", ONE, ics(vevent("X-MICROSOFT-CDO-BUSYSTATUS:OOF")), []),
    ("who has answered", ONE, ics(vevent(status="ACCEPTED")), []),
    ("a stamp", ONE, ics(vevent("LAST-MODIFIED:20270101T090000Z")), []),
    ("somebody more", ONE, ics(vevent(to=(*BEN_AND_CARLA, DORA))), [("REQUEST", {DORA}, "")]),
    ("somebody less", ONE, ics(vevent(to=(BEN_,))), [("CANCEL", {CARLA}, "")]),
    ("one for another", ONE, ics(vevent(to=(BEN_, DORA))), [("CANCEL", {CARLA}, ""), ("REQUEST", {DORA}, "")]),
    ("nobody is left", ONE, ics(vevent(to=(), host="")), [("CANCEL", {BEN_, CARLA}, "")]),
    ("moved, and one less", ONE, ics(vevent(to=(BEN_,), start="20270302T090000Z")),
     [("CANCEL", {CARLA}, ""), ("REQUEST", {BEN_}, "")]),
    ("it is called off", ONE, ics(vevent("STATUS:CANCELLED")), [("CANCEL", {BEN_, CARLA}, "")]),
    ("it is deleted", ONE, None, [("CANCEL", {BEN_, CARLA}, "")]),
    ("deleted after it was called off", ics(vevent("STATUS:CANCELLED")), None, []),
    ("on again", ics(vevent("STATUS:CANCELLED")), ONE, [("REQUEST", {BEN_, CARLA}, "")]),
    ("an appointment is deleted", ics(vevent(to=(), host="")), None, []),
    ("an old meeting is deleted", ics(vevent(start="20261202T100000Z", end="20261202T110000Z")), None, []),
    ("a running series is deleted", ics(vevent(WEEKLY, start="20261228T100000Z", end="20261228T110000Z")), None,
     [("CANCEL", {BEN_, CARLA}, "")]),
    ("it recurs", ONE, SERIES, [("REQUEST", {BEN_, CARLA}, "")]),
    ("one occurrence goes", SERIES, ics(vevent(WEEKLY, f"EXDATE:{SECOND}")), [("CANCEL", {BEN_, CARLA}, SECOND)]),
    ("an old occurrence goes", ics(vevent(WEEKLY, start="20261215T100000Z", end="20261215T110000Z")),
     ics(vevent(WEEKLY, "EXDATE:20261222T100000Z", start="20261215T100000Z", end="20261215T110000Z")), []),
    ("one occurrence is called off", SERIES, ics(vevent(WEEKLY), occurrence("STATUS:CANCELLED")),
     [("CANCEL", {BEN_, CARLA}, SECOND)]),
    ("one moves", SERIES, ics(vevent(WEEKLY), occurrence(start="20270309T120000Z", end="20270309T130000Z")),
     [("REQUEST", {BEN_, CARLA}, SECOND)]),
    ("one has another reminder", SERIES, ics(vevent(WEEKLY), occurrence(*ALARM)), []),
    ("one has another title", SERIES, ics(vevent(WEEKLY), occurrence(title="Plan")),
     [("REQUEST", {BEN_, CARLA}, SECOND)]),
    ("one more at one", SERIES, ics(vevent(WEEKLY), occurrence(to=(*BEN_AND_CARLA, DORA))),
     [("REQUEST", {DORA}, SECOND)]),
    ("one less at one", SERIES, ics(vevent(WEEKLY), occurrence(to=(BEN_,))), [("CANCEL", {CARLA}, SECOND)]),
    ("the guest of one is told when all is off", ics(vevent(WEEKLY), occurrence(to=(DORA,))), None,
     [("CANCEL", {BEN_, CARLA, DORA}, "")]),
    ("an occurrence is back", ics(vevent(WEEKLY, f"EXDATE:{SECOND}")), SERIES, [("REQUEST", {BEN_, CARLA}, "")]),
    ("another's meeting is edited", ics(vevent(host=DORA, to=("anna@example.com",))),
     ics(vevent("LOCATION:Roof", host=DORA, to=("anna@example.com",))), []),
    ("another's meeting is deleted", ics(vevent(host=DORA, to=("anna@example.com",))), None, [("REPLY", {DORA}, "")]),
    ("a declined meeting is deleted", ics(vevent(host=DORA, to=("anna@example.com",), status="DECLINED")), None, []),
    ("a cancelled meeting is deleted", ics(vevent("STATUS:CANCELLED", host=DORA, to=("anna@example.com",))), None, []),
    ("a meeting that one was not invited to", ics(vevent(host=DORA)), None, []),
    ("one occurrence of another's", ics(vevent(WEEKLY, host=DORA, to=("a@example.com",))),
     ics(vevent(WEEKLY, f"EXDATE:{SECOND}", host=DORA, to=("a@example.com",))), [("REPLY", {DORA}, SECOND)]),
    ("another's meeting is taken over", ics(vevent(host=DORA, to=("anna@example.com", BEN_))),
     ics(vevent(to=(BEN_, CARLA), start="20270302T150000Z")), []),
    ("who is told by others", None,
     ics(vevent(to=()).replace("END:", f"ATTENDEE;SCHEDULE-AGENT=NONE:mailto:{BEN_}\r\nEND:")), []),
]  # fmt: skip


def told(made: tuple[Notice, ...]) -> list[tuple[str, set[str], str]]:
    out = []
    for notice in made:
        event = parse(notice.calendar).components("VEVENT")[0]
        line = event.first("RECURRENCE-ID")
        out.append((notice.method, {box.address for box in notice.recipients}, line.value if line else ""))
    return out


@pytest.mark.parametrize(("what", "before", "after", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_who_is_told(
    what: str, before: bytes | None, after: bytes | None, expected: list[tuple[str, set[str], str]]
) -> None:
    made = notices(before, after, ANNA)
    assert told(made) == expected
    for notice in made:
        calendar = parse(notice.calendar)
        assert itip.method_of(calendar) == notice.method
        mail = imip.mail_of(notice, "n", ANNA)
        assert mail == imip.mail_of(notice, "n", ANNA)
        assert set(mail.recipients) == {box.address for box in notice.recipients}
        assert message_class(notice.calendar) != "IPM.Note"


@pytest.mark.parametrize(("what", "before", "after", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_the_invitees_calendar_follows(
    what: str, before: bytes | None, after: bytes | None, expected: list[tuple[str, set[str], str]]
) -> None:
    """Ben's copy, made of the first invitation, takes what is sent to him of a later change."""
    if before is None or after is None or not any(BEN_ in who for _, who, _ in expected):
        return
    stored = restated(before, after, ANNA)
    copy = next(iter(notices(None, before, ANNA)), None)
    if copy is None:
        return
    held = copy.calendar
    for notice in notices(before, stored, ANNA):
        if BEN_ in {box.address for box in notice.recipients}:
            apply = itip.apply_cancel if notice.method == "CANCEL" else itip.apply_request
            changed = apply(held, notice.calendar, BEN)
            assert changed != held
            held = changed


def test_a_deleted_meeting_is_newer_than_it_was() -> None:
    """RFC 5546 2.1.4, 3.2.5"""
    (notice,) = notices(ics(vevent(seq=3)), None, ANNA)
    (event,) = parse(notice.calendar).components("VEVENT")
    assert sequence(event) == 4
    assert event.first("STATUS") == parse(b"BEGIN:A\r\nSTATUS:CANCELLED\r\nEND:A\r\n").first("STATUS")


def test_what_leaves_and_what_does_not() -> None:
    private = ("CATEGORIES:Secret", "X-MICROSOFT-CDO-BUSYSTATUS:OOF", "X-EAS-TYPE:1", "X-MICROSOFT-CDO-REPLYTIME:1")
    (notice,) = notices(None, ics(vevent(*private, *ALARM, "DESCRIPTION:Words")), ANNA)
    for word in (b"Secret", b"BUSYSTATUS:OOF", b"X-EAS", b"REPLYTIME"):
        assert word not in notice.calendar
    assert b"X-MICROSOFT-CDO-INTENDEDSTATUS:OOF" in notice.calendar
    assert notice.calendar.count(b"RSVP=TRUE") == 2
    assert b"DTSTAMP:20270101T090000Z" in notice.calendar
    assert b"TRIGGER:-PT10M" in notice.calendar


#: before, after, the SEQUENCE of the series and of the occurrence (None: it has no component) that is stored.
RAISED = [
    (ONE, ics(vevent(start="20270302T090000Z")), 1, None),
    (ONE, ics(vevent(start="20270302T090000Z", seq=1)), 1, None),
    (ONE, ics(vevent(title="Plan")), 0, None),
    (ONE, ics(vevent("STATUS:CANCELLED")), 1, None),
    (SERIES, ics(vevent(WEEKLY, f"EXDATE:{SECOND}")), 1, None),
    (SERIES, ics(vevent(WEEKLY), occurrence(start="20270309T120000Z", end="20270309T130000Z")), 0, 1),
    (SERIES, ics(vevent(WEEKLY), occurrence(title="Plan")), 0, 0),
    (ics(vevent(seq=4)), ics(vevent("RRULE:FREQ=DAILY", seq=4)), 5, None),
]


@pytest.mark.parametrize(("before", "after", "series", "one"), RAISED)
def test_the_sequence_that_is_stored(before: bytes, after: bytes, series: int, one: int | None) -> None:
    events = parse(restated(before, after, ANNA)).components("VEVENT")
    assert sequence(events[0]) == series
    assert [sequence(event) for event in events[1:]] == ([] if one is None else [one])


def test_who_has_answered_is_asked_anew_when_it_moves() -> None:
    before = ics(vevent(status="ACCEPTED"))
    moved = restated(before, ics(vevent(status="ACCEPTED", start="20270302T090000Z")), ANNA)
    assert moved.count(b"PARTSTAT=NEEDS-ACTION") == 2
    told_ = restated(before, ics(vevent(status="ACCEPTED", title="Plan")), ANNA)
    assert told_.count(b"PARTSTAT=ACCEPTED") == 2


def test_an_answer_says_who_and_what() -> None:
    held = ics(vevent("X-SECRET:1", host=DORA, to=("anna@example.com", BEN_)))
    (notice,) = notices(held, None, ANNA)
    (event,) = parse(notice.calendar).components("VEVENT")
    lines = event.find("ATTENDEE")
    assert [participants.address_of(line) for line in lines] == ["anna@example.com"]
    assert lines[0].param("PARTSTAT") == "DECLINED"
    assert event.first("X-SECRET") is None
    assert message_class(notice.calendar) == "IPM.Schedule.Meeting.Resp.Neg"
    assert imip.mail_of(notice, "n", ANNA).subject == "Declined: Budget"


addresses = st.lists(st.sampled_from(["anna@example.com", BEN_, CARLA, DORA]), unique=True, max_size=4).map(tuple)
events = st.builds(
    lambda to, hour, title, host, off: ics(vevent(
        *(["STATUS:CANCELLED"] if off else []), to=to, title=title, host=host, start=f"20270302T{hour:02}0000Z",
        end=f"20270302T{hour:02}3000Z",
    )),
    addresses, st.integers(8, 10), st.sampled_from(["a", "b"]), st.sampled_from(["anna@example.com", DORA]),
    st.booleans(),
)


@settings(max_examples=150)
@given(st.none() | events, st.none() | events)
def test_nobody_is_told_twice_and_nobody_tells_themselves(before: bytes | None, after: bytes | None) -> None:
    made = notices(before, after, ANNA)
    everybody = [box.address for notice in made for box in notice.recipients]
    assert len(everybody) == len(set(everybody))
    assert "anna@example.com" not in everybody
    organizes = any(b"ORGANIZER;CN=Host:mailto:anna" in data for data in (before, after) if data)
    assert not made or organizes or {notice.method for notice in made} == {"REPLY"}


@settings(max_examples=100)
@given(events, events)
def test_restating_twice_is_restating_once(before: bytes, after: bytes) -> None:
    once = restated(before, after, ANNA)
    assert restated(before, once, ANNA) == once
    assert announce.notices(once, once, ANNA) == ()


def test_who_is_invited_by_an_alias_answers_by_it() -> None:
    """Else the organizer would not know the answer for theirs."""
    (notice,) = notices(ics(vevent(host=DORA, to=("A@example.com",))), None, ANNA)
    assert imip.mail_of(notice, "n", ANNA).sender == "a@example.com"
    (asked,) = notices(None, ics(vevent(host="a@example.com")), ANNA)
    assert imip.mail_of(asked, "n", ANNA).sender == "a@example.com"

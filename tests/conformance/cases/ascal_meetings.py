"""[MS-ASCAL] What a device is told of a meeting in its calendar: who takes part, who has answered, whose it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lab import ALL, BEFORE_14, BEFORE_16, FROM_12, FROM_14, FROM_14_1, FROM_16, Lab, case
from meeting_kit import (
    ACCEPT,
    TENTATIVE,
    Person,
    attendee_status,
    compact,
    dashed,
    find,
    local,
    needs_looking_after,
    soon,
    text,
)
from wire import e

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

FROM_12_BEFORE_16 = Spoken(since=Version.V12_0, until=Version.V14_1)
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=4\r\n"


def people(item: Element) -> list[Element]:
    found = find(item, "Attendees")
    return [] if found is None else list(found.elements)


async def guest(lab: Lab, word: str, *, lines: str = "") -> tuple[Person, Person, str, str]:
    """Ben, invited by Anna by mail: both, the subject, and the ServerId of Ben's appointment."""
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject = lab.unique(word)
    await anna.mail("REQUEST", subject, lab.unique("uid"), soon(), [ben.login.address], host=anna.login.address,
                    lines=lines)
    ((entry, _),) = (await ben.calendar.awaited(subject)).items()
    return anna, ben, subject, entry


async def shown_elsewhere(lab: Lab, person: Person, subject: str) -> Element:
    """The item on another device of the same user."""
    other = await Person.of(lab, person.login)
    (item,) = (await other.calendar.awaited(subject)).values()
    return item


@case("MS-ASCAL", "R98011 R99 R100 R101 R10411 R225 R22811 R329 R33211")
async def who_takes_part(lab: Lab) -> None:
    anna, subject = await Person.of(lab, lab.me), lab.unique("people")
    await anna.invite(subject, lab.other, start=soon())
    item = await shown_elsewhere(lab, anna, subject)
    (one,) = people(item)
    assert local(one) == "Attendee"
    names = [local(child) for child in one.elements]
    assert names.count("Email") == names.count("Name") == 1
    assert text(one, "Email") == lab.other.address


@case("MS-ASCAL", "R11911 R121 R122 R123 R573 R574 R575", FROM_12)
async def the_types_of_attendees(lab: Lab) -> None:
    anna, subject = await Person.of(lab, lab.me), lab.unique("types")
    attendees = [
        e("Attendee", e("Email", f"a{kind}@{lab.me.address.partition('@')[2]}"), e("Name", "x"),
          e("AttendeeType", kind)) for kind in ("1", "2", "3")
    ]
    await _stored(anna, subject, e("Calendar:Attendees", *attendees), mine=True)
    item = await shown_elsewhere(lab, anna, subject)
    assert {(text(one, "Email") or "")[:2]: text(one, "AttendeeType") for one in people(item)} == {
        "a1": "1", "a2": "2", "a3": "3"
    }


async def _stored(anna: Person, subject: str, *fields: Element, mine: bool = False) -> None:
    """An appointment of Anna's. From 16.0 invitations to nobody come back, which is no matter here."""
    start, old = soon(), anna.mails_itself
    status = (e("Calendar:MeetingStatus", "1"),) if mine else ()
    stamp = (e("Calendar:UID", subject), e("Calendar:DtStamp", compact(start))) if old else ()
    data = Element("AirSync:ApplicationData", (
        *stamp, e("Calendar:StartTime", compact(start)), e("Calendar:EndTime", compact(start + timedelta(hours=1))),
        e("Calendar:Subject", subject), *status, *fields,
    ))
    got = await anna.calendar.send(e("AirSync:Add", e("ClientId", "c1"), data))
    assert got.text("Collections", "Collection", "Responses", "Add", "Status") == "1", got.root


@case("MS-ASCAL", "R568 R572", FROM_12_BEFORE_16)
async def attendees_who_have_not_answered(lab: Lab) -> None:
    """As the organizer's device says."""
    anna, subject = await Person.of(lab, lab.me), lab.unique("unanswered")
    host = lab.me.address.partition("@")[2]
    attendees = [
        e("Attendee", e("Email", f"s{status}@{host}"), e("Name", "x"), e("AttendeeStatus", status))
        for status in ("0", "5")
    ]
    await _stored(anna, subject, e("Calendar:Attendees", *attendees), mine=True)
    item = await shown_elsewhere(lab, anna, subject)
    assert {(text(one, "Email") or "")[:2]: text(one, "AttendeeStatus") for one in people(item)} == {
        "s0": "0", "s5": "5"
    }


@case("MS-ASCAL", "R11311 R116 R117 R118 R569 R570 R571", FROM_12)
async def how_attendees_have_answered(lab: Lab) -> None:
    """By the answers that came in by mail."""
    await needs_looking_after(lab)
    anna, ben, start = await Person.of(lab, lab.me), await Person.of(lab, lab.other), soon()
    subject = lab.unique("answers")
    await anna.invite(subject, ben.login, start=start)
    mine = await shown_elsewhere(lab, anna, subject)
    assert attendee_status(mine, ben.login) in ("0", "5")
    for number, (partstat, status) in enumerate((("TENTATIVE", "2"), ("ACCEPTED", "3"), ("DECLINED", "4"))):
        await ben.mail(
            "REPLY", f"{number} {subject}", text(mine, "UID") or "", start, [anna.login.address],
            host=anna.login.address, partstat=partstat, guests=[ben.login.address],
        )
        await anna.inbox.awaited(subject, number + 1)
        (item,) = (await anna.calendar.awaited(subject)).values()
        assert attendee_status(item, ben.login) == status


@case("MS-ASCAL", "R30311 R308 R309 R310 R311 R36211 R364 R36711 R369")
async def whose_meeting_it_is(lab: Lab) -> None:
    anna = await Person.of(lab, lab.me)
    alone, meeting = lab.unique("alone"), lab.unique("mine")
    await _stored(anna, alone)
    await anna.invite(meeting, lab.other, start=soon())
    assert text(await shown_elsewhere(lab, anna, alone), "MeetingStatus") == "0"
    item = await shown_elsewhere(lab, anna, meeting)
    assert text(item, "MeetingStatus") == "1"
    assert text(item, "OrganizerEmail") == lab.me.address
    assert text(item, "OrganizerName")


@case("MS-ASCAL", "R312 R314 R13111 R13812", FROM_12)
async def a_meeting_of_somebody_else(lab: Lab) -> None:
    anna, ben, subject, entry = await guest(lab, "received")
    item = ben.calendar.items[entry]
    assert text(item, "MeetingStatus") == "3"
    assert text(item, "OrganizerEmail") == anna.login.address
    assert text(item, "BusyStatus") == "1"
    await anna.mail(
        "CANCEL", f"Canceled: {subject}", text(item, "UID") or "", soon(), [ben.login.address],
        host=anna.login.address, sequence=1,
    )
    await ben.inbox.awaited(subject, 2)
    (item,) = (await ben.calendar.awaited(subject)).values()
    assert text(item, "MeetingStatus") == "7"


@case("MS-ASCAL", "R313", BEFORE_16)
async def a_meeting_that_its_organizer_has_called_off(lab: Lab) -> None:
    anna, subject = await Person.of(lab, lab.me), lab.unique("off")
    people_ = e("Calendar:Attendees", e("Attendee", e("Email", lab.other.address), e("Name", "x")))
    await _stored(anna, subject, e("Calendar:MeetingStatus", "5"), people_)
    assert text(await shown_elsewhere(lab, anna, subject), "MeetingStatus") == "5"


@case("MS-ASCAL", "R40111 R405 R40611 R407 R410 R412 R414 R418 R88011 R91 R566 R52522", FROM_14_1)
async def what_the_user_has_answered(lab: Lab) -> None:
    """AppointmentReplyTime is there once there is an answer."""
    anna, ben, subject, entry = await guest(lab, "answered")
    mine = lab.unique("organized")
    await anna.invite(mine, ben.login, start=soon())
    assert text(await shown_elsewhere(lab, anna, mine), "ResponseType") == "1"
    item = ben.calendar.items[entry]
    assert text(item, "ResponseType") == "5"
    assert find(item, "AppointmentReplyTime") is None
    for response, kind in ((TENTATIVE, "2"), (ACCEPT, "3")):
        assert text(await ben.respond(ben.calendar, entry, response), "Status") == "1"
        await ben.calendar.read()
        (item,) = ben.calendar.named(subject).values()
        assert text(item, "ResponseType") == kind
        at = datetime.strptime(text(item, "AppointmentReplyTime") or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert abs(at - datetime.now(UTC)) < timedelta(hours=1)
        names = [local(child) for child in item.elements]
        assert names.count("ResponseType") == names.count("AppointmentReplyTime") == 1


@case("MS-ASCAL", "R89011 R40211 R402 R40511 R567 R525221 R52522111", FROM_14_1)
async def what_the_user_has_answered_of_one_occurrence(lab: Lab) -> None:
    _, ben, subject, entry = await guest(lab, "one", lines=WEEKLY)
    start = datetime.strptime(text(ben.calendar.items[entry], "StartTime") or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    second = start + timedelta(days=7)
    result = await ben.respond(ben.calendar, entry, ACCEPT, instance=dashed(second))
    assert text(result, "Status") == "1"
    await ben.calendar.read()
    (item,) = ben.calendar.named(subject).values()
    assert find(item, "AppointmentReplyTime") is None
    exceptions = find(item, "Exceptions")
    assert exceptions is not None
    (one,) = exceptions.elements
    assert text(one, "ResponseType") == "3"
    assert text(one, "AppointmentReplyTime")
    names = [local(child) for child in one.elements]
    assert names.count("ResponseType") == names.count("AppointmentReplyTime") == 1


@case("MS-ASCAL", "R10611 R10711 R30511", FROM_14)
async def an_exception_keeps_its_attendees(lab: Lab) -> None:
    """One more at one occurrence, by an update for it alone."""
    anna, ben, subject, entry = await guest(lab, "exception", lines=WEEKLY)
    item = ben.calendar.items[entry]
    start = datetime.strptime(text(item, "StartTime") or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    second = start + timedelta(days=7)
    third = f"third@{lab.me.address.partition('@')[2]}"
    await anna.mail(
        "REQUEST", f"more {subject}", text(item, "UID") or "", second, [ben.login.address], host=anna.login.address,
        lines=f"RECURRENCE-ID:{compact(second)}\r\n", sequence=1, guests=[ben.login.address, third],
    )
    await ben.inbox.awaited(subject, 2)
    (item,) = (await ben.calendar.awaited(subject)).values()
    assert [text(one, "Email") for one in people(item)] == [ben.login.address]
    exceptions = find(item, "Exceptions")
    assert exceptions is not None
    (one,) = exceptions.elements
    assert sorted(text(who, "Email") or "" for who in people(one)) == sorted([ben.login.address, third])
    assert [local(child) for child in one.elements].count("Attendees") == 1
    assert text(one, "MeetingStatus") in (None, "3")


@case("MS-ASCAL", "R2023", BEFORE_14)
async def exceptions_have_attendees_from_14(lab: Lab) -> None:
    anna, ben, subject, entry = await guest(lab, "no-exception", lines=WEEKLY)
    item = ben.calendar.items[entry]
    start = datetime.strptime(text(item, "StartTime") or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    second = start + timedelta(days=7)
    await anna.mail(
        "REQUEST", f"more {subject}", text(item, "UID") or "", second, [ben.login.address], host=anna.login.address,
        lines=f"RECURRENCE-ID:{compact(second)}\r\n", sequence=1, guests=[ben.login.address, "x@example.com"],
    )
    await ben.inbox.awaited(subject, 2)
    (item,) = (await ben.calendar.awaited(subject)).values()
    exceptions = find(item, "Exceptions")
    assert exceptions is not None
    assert all(find(one, "Attendees") is None for one in exceptions.elements)


@case("MS-ASCAL", "R396 R39611 R398", FROM_14)
async def whether_an_answer_is_wanted(lab: Lab) -> None:
    anna = await Person.of(lab, lab.me)
    ben = await Person.of(lab, lab.other)
    for rsvp, value in (("TRUE", "1"), ("FALSE", "0")):
        subject = lab.unique("rsvp")
        await anna.mail("REQUEST", subject, lab.unique("uid"), soon(), [ben.login.address], host=anna.login.address,
                        rsvp=rsvp)
        (item,) = (await ben.calendar.awaited(subject)).values()
        assert text(item, "ResponseRequested") == value


@case("MS-ASCAL", "R2169 R2169001 R2175 R2175001 R2223", FROM_16)
async def the_organizer_is_who_makes_it(lab: Lab) -> None:
    anna, subject = await Person.of(lab, lab.me), lab.unique("made")
    await anna.invite(subject, lab.other, start=soon())
    item = await shown_elsewhere(lab, anna, subject)
    assert text(item, "OrganizerEmail") == lab.me.address
    assert text(item, "OrganizerName")
    assert text(item, "UID")


@case("MS-ASCAL", "R46011 R462 R463", ALL)
async def one_meeting_has_one_uid_everywhere(lab: Lab) -> None:
    anna, ben, subject = await Person.of(lab, lab.me), await Person.of(lab, lab.other), lab.unique("uid")
    await anna.invite(subject, ben.login, start=soon())
    (theirs,) = (await ben.calendar.awaited(subject)).values()
    mine = await shown_elsewhere(lab, anna, subject)
    assert text(mine, "UID") == text(theirs, "UID")
    assert 0 < len(text(mine, "UID") or "") <= 300

"""Meetings from end to end: [MS-ASCMD] Creating a Meeting or Appointment, Receiving and Accepting Meeting Requests."""

from __future__ import annotations

from datetime import datetime, timedelta

from lab import FROM_12_1, FROM_14_1, FROM_16, FROM_16_1, Lab, case
from meeting_kit import (
    ACCEPT,
    DECLINE,
    TENTATIVE,
    Person,
    attendee_status,
    compact,
    dashed,
    find,
    looks_after_calendars,
    needs_looking_after,
    soon,
    text,
)
from wire import e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

REQUEST = "IPM.Schedule.Meeting.Request"
SEND = e("MeetingResponse:SendResponse")


def weekly(start: datetime) -> Element:
    """Four times, on the weekday of the start. [MS-ASCAL] DayOfWeek: Sunday is 1, Monday 2."""
    on = 1 << (start.weekday() + 1) % 7
    return e("Calendar:Recurrence", e("Type", "1"), e("Interval", "1"), e("DayOfWeek", str(on)), e("Occurrences", "4"))


@case(
    "MS-ASCMD",
    "R5068 R5828 R5082 R5085 R7480 R7481 R5071 R830 R834 R5089 R3843 R3807 R5374 R5094 R4180 R5723 "
    "MS-ASEMAIL:R16 MS-ASEMAIL:R17 MS-ASEMAIL:R1074",
)
async def an_invitation_is_accepted(lab: Lab) -> None:
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject, start = lab.unique("accepted"), soon()
    await anna.invite(subject, ben.login, start=start)
    ((id, mail),) = (await ben.inbox.awaited(subject)).items()
    assert text(mail, "MessageClass") == REQUEST
    request = find(mail, "MeetingRequest")
    assert request is not None
    assert text(request, "StartTime") == dashed(start)
    ((entry, tentative),) = (await ben.calendar.awaited(subject)).items()
    assert text(tentative, "MeetingStatus") == "3"
    assert text(tentative, "BusyStatus") == "1"
    result = await ben.respond(ben.inbox, id, ACCEPT)
    assert (text(result, "Status"), text(result, "RequestId")) == ("1", id)
    assert text(result, "CalendarId") == entry
    await ben.calendar.read()
    assert text(ben.calendar.items[entry], "BusyStatus") == "2"
    assert len(ben.calendar.named(subject)) == 1


@case("MS-ASCMD", "R5072 R4180 R5725")
async def a_declined_meeting_leaves_the_calendar(lab: Lab) -> None:
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject = lab.unique("declined")
    await anna.invite(subject, ben.login, start=soon())
    ((id, _),) = (await ben.inbox.awaited(subject)).items()
    await ben.calendar.awaited(subject)
    result = await ben.respond(ben.inbox, id, DECLINE)
    assert text(result, "Status") == "1"
    assert find(result, "CalendarId") is None
    await ben.calendar.awaited(subject, 0)


@case("MS-ASCMD", "R5790 R5707 R5708 R5724", FROM_14_1)
async def a_meeting_is_accepted_tentatively_from_the_calendar(lab: Lab) -> None:
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject = lab.unique("tentative")
    await anna.invite(subject, ben.login, start=soon())
    ((entry, _),) = (await ben.calendar.awaited(subject)).items()
    result = await ben.respond(ben.calendar, entry, TENTATIVE)
    assert (text(result, "Status"), text(result, "CalendarId")) == ("1", entry)
    await ben.calendar.read()
    assert text(ben.calendar.items[entry], "ResponseType") == "2"
    ((mail, _),) = (await ben.inbox.awaited(subject)).items()
    assert text(await ben.respond(ben.inbox, mail, TENTATIVE), "CalendarId") == entry
    assert text(await ben.respond(ben.calendar, entry, ACCEPT), "CalendarId") == entry


@case("MS-ASCMD", "R7478 R7480 R7481", FROM_16)
async def the_server_invites(lab: Lab) -> None:
    """Once, whoever of the guests it is, and the organizer not at all."""
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject = lab.unique("once")
    await anna.invite(subject, ben.login, start=soon())
    await ben.inbox.awaited(subject)
    await ben.inbox.none_more(subject, 1)
    await anna.inbox.none_more(subject, 0)


@case("MS-ASCMD", "R6062 R7113 R7114 R7115", FROM_16)
async def an_answer_is_mailed_if_the_device_asks_for_it(lab: Lab) -> None:
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    silent, plain, worded = (lab.unique(word) for word in ("silent", "plain", "worded"))
    words = e("MeetingResponse:SendResponse",
              e("AirSyncBase:Body", e("Type", "1"), e("Data", "I bring the cake.")))
    for subject, send in ((silent, None), (plain, SEND), (worded, words)):
        await anna.invite(subject, ben.login, start=soon())
        ((id, _),) = (await ben.inbox.awaited(subject)).items()
        await ben.calendar.awaited(subject)
        assert text(await ben.respond(ben.inbox, id, ACCEPT, send=send), "Status") == "1"
    await anna.inbox.none_more(silent, 0)
    for subject, said in ((plain, ""), (worded, "I bring the cake.")):
        (mail,) = (await anna.inbox.awaited(subject)).values()
        assert text(mail, "MessageClass") == "IPM.Schedule.Meeting.Resp.Pos"
        assert (text(mail, "Body", "Data") or "").strip() == said
        (entry,) = (await anna.calendar.awaited(subject)).values()
        assert attendee_status(entry, ben.login) == "3"
        await anna.inbox.none_more(subject, 1)


@case("MS-ASCMD", "R7116 R7117 R7118 R268 R5091", FROM_12_1)
async def before_16_the_device_mails_its_answer(lab: Lab) -> None:
    """And SendResponse asks for nothing."""
    if lab.version >= Version.V16_0:
        anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other, Version.V14_1)
    else:
        anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject, start = lab.unique("by-device"), soon()
    await anna.invite(subject, ben.login, start=start)
    ((id, _),) = (await ben.inbox.awaited(subject)).items()
    await ben.respond(ben.inbox, id, ACCEPT, send=SEND)
    await anna.inbox.none_more(subject, 0)
    (mine,) = (await anna.calendar.awaited(subject)).values()
    await ben.mail(
        "REPLY", f"Accepted: {subject}", text(mine, "UID") or "", start, [anna.login.address], host=anna.login.address,
        partstat="ACCEPTED", guests=[ben.login.address],
    )
    (mail,) = (await anna.inbox.awaited(subject)).values()
    assert text(mail, "MessageClass") == "IPM.Schedule.Meeting.Resp.Pos"
    await needs_looking_after(lab)
    await anna.calendar.read()
    (mine,) = anna.calendar.named(subject).values()
    assert attendee_status(mine, ben.login) == "3"


@case("MS-ASCMD", "R69901710 R69901712 R69901714 R69901716 R69901731 R69901733 R69901735 R69901737", FROM_16_1)
async def another_time_is_proposed(lab: Lab) -> None:
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject, start = lab.unique("proposed"), soon()
    better = (start + timedelta(hours=3), start + timedelta(hours=4))
    await anna.invite(subject, ben.login, start=start)
    ((id, _),) = (await ben.inbox.awaited(subject)).items()
    await ben.calendar.awaited(subject)
    send = e("MeetingResponse:SendResponse", e("ProposedStartTime", compact(better[0])),
             e("ProposedEndTime", compact(better[1])))
    assert text(await ben.respond(ben.inbox, id, TENTATIVE, send=send), "Status") == "1"
    (mail,) = (await anna.inbox.awaited(subject)).values()
    request = find(mail, "MeetingRequest")
    assert text(request, "ProposedStartTime") == compact(better[0])
    assert text(request, "ProposedEndTime") == compact(better[1])
    assert text(request, "StartTime") == dashed(start)
    await anna.calendar.read()
    ((entry, mine),) = anna.calendar.named(subject).items()
    assert text(mine, "StartTime") == compact(start)
    (guest,) = (find(mine, "Attendees") or mine).elements
    assert text(guest, "ProposedStartTime") == compact(better[0])
    assert text(guest, "ProposedEndTime") == compact(better[1])
    # The organizer agrees: the meeting moves, and the proposal is done with.
    await anna.change(entry, e("Calendar:StartTime", compact(better[0])), e("Calendar:EndTime", compact(better[1])))
    await ben.inbox.awaited(subject, 1)
    await ben.calendar.read()
    (theirs,) = ben.calendar.named(subject).values()
    assert text(theirs, "StartTime") == compact(better[0])


@case("MS-ASCMD", "R69901704 R69901725 R4182", FROM_16_1)
async def one_time_alone_is_no_proposal(lab: Lab) -> None:
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject, start = lab.unique("half"), soon()
    await anna.invite(subject, ben.login, start=start)
    ((id, _),) = (await ben.inbox.awaited(subject)).items()
    for name in ("ProposedStartTime", "ProposedEndTime"):
        send = e("MeetingResponse:SendResponse", e(name, compact(start)))
        assert text(await ben.respond(ben.inbox, id, TENTATIVE, send=send), "Status") != "1"
    await anna.inbox.none_more(subject, 0)


@case("MS-ASCMD", "R7478", FROM_16)
async def a_meeting_moves_and_is_called_off(lab: Lab) -> None:
    """Each guest has one mail for each of the three."""
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject, start = lab.unique("moves"), soon()
    id = await anna.invite(subject, ben.login, start=start)
    await ben.inbox.awaited(subject)
    later = start + timedelta(hours=2)
    await anna.change(
        id, e("Calendar:StartTime", compact(later)), e("Calendar:EndTime", compact(later + timedelta(hours=1)))
    )
    await ben.inbox.awaited(subject, 2)
    (theirs,) = (await ben.calendar.awaited(subject)).values()
    assert text(theirs, "StartTime") == compact(later)
    await anna.change(id, e("Calendar:Reminder", "30"))
    await ben.inbox.none_more(subject, 2)
    await anna.delete(id)
    mails = (await ben.inbox.awaited(subject, 3)).values()
    classes = sorted(text(mail, "MessageClass") or "" for mail in mails)
    assert classes == ["IPM.Schedule.Meeting.Canceled", REQUEST, REQUEST]
    await ben.calendar.read()
    (theirs,) = ben.calendar.named(subject).values()
    assert text(theirs, "MeetingStatus") == "7"
    await ben.inbox.none_more(subject, 3)
    await anna.inbox.none_more(subject, 0)


@case("MS-ASCMD", "R7478", FROM_16)
async def one_occurrence_moves_and_another_goes(lab: Lab) -> None:
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject, start = lab.unique("series"), soon()
    id = await anna.invite(subject, ben.login, start=start, more=(weekly(start),))
    await ben.inbox.awaited(subject)
    second, third = start + timedelta(days=7), start + timedelta(days=14)
    moved = second + timedelta(hours=2)
    await anna.change(
        id, e("Calendar:StartTime", compact(moved)), e("Calendar:EndTime", compact(moved + timedelta(hours=1))),
        instance=dashed(second),
    )
    mails = (await ben.inbox.awaited(subject, 2)).values()
    told = [text(mail, "MeetingRequest", "RecurrenceId") for mail in mails]
    assert sorted(filter(None, told)) == [dashed(second)]
    await anna.delete(id, instance=dashed(third))
    await ben.inbox.awaited(subject, 3)
    await needs_looking_after(lab)
    await ben.calendar.read()
    (theirs,) = ben.calendar.named(subject).values()
    assert text(theirs, "MeetingStatus") == "3"
    exceptions = (find(theirs, "Exceptions") or theirs).elements
    assert compact(moved) in [text(one, "StartTime") for one in exceptions]
    await ben.inbox.none_more(subject, 3)


@case("MS-ASCMD", "R7478", FROM_16)
async def a_guest_who_deletes_the_meeting_declines_it(lab: Lab) -> None:
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject = lab.unique("deleted")
    await anna.invite(subject, ben.login, start=soon())
    ((entry, _),) = (await ben.calendar.awaited(subject)).items()
    await ben.delete(entry)
    (mail,) = (await anna.inbox.awaited(subject)).values()
    assert text(mail, "MessageClass") == "IPM.Schedule.Meeting.Resp.Neg"
    (mine,) = (await anna.calendar.awaited(subject)).values()
    assert attendee_status(mine, ben.login) == "4"


@case("MS-ASCMD", "R7478 R5071 R5094", FROM_12_1)
async def versions_meet(lab: Lab) -> None:
    """Whoever invites in this version is answered in any other, with one mail each way."""
    for other in (Version.V12_1, Version.V14_1, Version.V16_1):
        anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other, other)
        subject, start = lab.unique(f"mixed-{other.value}"), soon()
        await anna.invite(subject, ben.login, start=start)
        ((id, mail),) = (await ben.inbox.awaited(subject)).items()
        assert text(mail, "MessageClass") == REQUEST
        result = await ben.respond(ben.inbox, id, ACCEPT, send=SEND)
        (mine,) = (await anna.calendar.awaited(subject)).values()
        assert text(result, "CalendarId") in await ben.calendar.awaited(subject)
        if ben.mails_itself:
            await ben.mail(
                "REPLY", f"Accepted: {subject}", text(mine, "UID") or "", start, [anna.login.address],
                host=anna.login.address, partstat="ACCEPTED", guests=[ben.login.address],
            )
        await anna.inbox.awaited(subject)
        await anna.inbox.none_more(subject, 1)
        if await looks_after_calendars(lab):
            await anna.calendar.read()
            (mine,) = anna.calendar.named(subject).values()
            assert attendee_status(mine, ben.login) == "3"

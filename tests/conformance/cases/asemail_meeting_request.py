"""[MS-ASEMAIL] MeetingRequest: what a device is told of an invitation, element by element; and the classes of meeting
messages."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from lab import ALL, BEFORE_16, FROM_14, FROM_14_1, FROM_16, Lab, case
from meeting_kit import Person, compact, dashed, find, local, needs_looking_after, text

from eas.protocol.wbxml import Element

#: A Tuesday, the third of its month.
START = datetime(2031, 4, 15, 10, tzinfo=UTC)
ALARM = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n"
#: The beginning of every GlobalObjId.
CLASS_ID = bytes.fromhex("040000008200E00074C5B7101A82E008")


class Post:
    """Anna writes, Ben reads: each message under a subject of its own."""

    def __init__(self, lab: Lab, anna: Person, ben: Person) -> None:
        self.lab, self.anna, self.ben = lab, anna, ben

    @classmethod
    async def between(cls, lab: Lab) -> Post:
        return cls(lab, await Person.of(lab, lab.me), await Person.of(lab, lab.other))

    async def item(
        self, lines: str = "", *, method: str = "REQUEST", uid: str = "", sequence: int = 0, times: str = "",
        rsvp: str = "TRUE", partstat: str = "NEEDS-ACTION",
    ) -> Element:
        """What Ben's device is told of the message."""
        subject = self.lab.unique("element")
        host = self.anna.login.address if method in ("REQUEST", "CANCEL") else self.ben.login.address
        guests = [self.ben.login.address if method in ("REQUEST", "CANCEL") else self.anna.login.address]
        await self.anna.mail(
            method, subject, uid or self.lab.unique("uid"), START, [self.ben.login.address], host=host, lines=lines,
            sequence=sequence, times=times, rsvp=rsvp, guests=guests, partstat=partstat,
        )
        (item,) = (await self.ben.inbox.awaited(subject)).values()
        return item

    async def request(self, lines: str = "", **more: str | int) -> Element:
        found = find(await self.item(lines, **more), "MeetingRequest")  # type: ignore[arg-type]
        assert found is not None
        return found


@case("MS-ASEMAIL", "R541 R546 R896 R897 R898 R899 R908 R401 R781 R635 R236")
async def a_plain_invitation(lab: Lab) -> None:
    request = await (await Post.between(lab)).request()
    assert text(request, "StartTime") == dashed(START)
    assert text(request, "EndTime") == dashed(START + timedelta(hours=1))
    assert text(request, "AllDayEvent") == "0"
    assert text(request, "InstanceType") == "0"
    assert lab.me.address in (text(request, "Organizer") or "")
    assert find(request, "Recurrences") is None
    stamp = text(request, "DtStamp") or ""
    assert abs(datetime.fromisoformat(stamp) - datetime.now(UTC)) < timedelta(hours=1)
    assert len(base64.b64decode(text(request, "TimeZone") or "")) == 172
    once = [local(child) for child in request.elements]
    assert len(once) == len(set(once))


#: Lines of the invitation -> an element and its value.
SIMPLE = [
    (ALARM, "Reminder", "900"),
    ("CLASS:PUBLIC\r\n", "Sensitivity", "0"),
    ("CLASS:X-PERSONAL\r\n", "Sensitivity", "1"),
    ("CLASS:PRIVATE\r\n", "Sensitivity", "2"),
    ("CLASS:CONFIDENTIAL\r\n", "Sensitivity", "3"),
    ("X-MICROSOFT-CDO-INTENDEDSTATUS:FREE\r\n", "BusyStatus", "0"),
    ("X-MICROSOFT-CDO-INTENDEDSTATUS:TENTATIVE\r\n", "BusyStatus", "1"),
    ("X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY\r\n", "BusyStatus", "2"),
    ("X-MICROSOFT-CDO-INTENDEDSTATUS:OOF\r\n", "BusyStatus", "3"),
]


@case("MS-ASEMAIL", "R687 R727 R729 R730 R264 R265")
async def simple_elements(lab: Lab) -> None:
    post = await Post.between(lab)
    for lines, name, value in SIMPLE:
        assert text(await post.request(lines), name) == value, lines


@case("MS-ASEMAIL", "R1150 R1151 R1152 R1153 R1154", BEFORE_16)
async def working_elsewhere_is_told_from_16(lab: Lab) -> None:
    request = await (await Post.between(lab)).request("X-MICROSOFT-CDO-INTENDEDSTATUS:WORKINGELSEWHERE\r\n")
    assert text(request, "BusyStatus") in ("0", "1", "2", "3")


@case("MS-ASEMAIL", "R714 R715 R716")
async def whether_an_answer_is_wanted(lab: Lab) -> None:
    post = await Post.between(lab)
    assert text(await post.request(rsvp="TRUE"), "ResponseRequested") == "1"
    assert text(await post.request(rsvp="FALSE"), "ResponseRequested") == "0"


@case("MS-ASEMAIL", "R389 R390 R391", FROM_14)
async def whether_other_times_may_be_proposed(lab: Lab) -> None:
    post = await Post.between(lab)
    assert text(await post.request(), "DisallowNewTimeProposal") in (None, "0")
    assert text(await post.request("X-MICROSOFT-DISALLOW-COUNTER:TRUE\r\n"), "DisallowNewTimeProposal") == "1"


@case("MS-ASEMAIL", "R234 R235")
async def an_all_day_meeting(lab: Lab) -> None:
    times = "DTSTART;VALUE=DATE:20310415\r\nDTEND;VALUE=DATE:20310416\r\n"
    assert text(await (await Post.between(lab)).request(times=times), "AllDayEvent") == "1"


@case("MS-ASEMAIL", "R528 R530 R532 R535 R911", FROM_14_1)
async def the_kind_of_message(lab: Lab) -> None:
    post, uid = await Post.between(lab), lab.unique("uid")
    assert text(await post.request(uid=uid), "MeetingMessageType") == "1"
    assert text(await post.request(uid=uid, sequence=1), "MeetingMessageType") == "2"


@case("MS-ASEMAIL", "R531", FROM_14_1)
async def the_kind_of_message_is_not_tracked(lab: Lab) -> None:
    """What has been told of an invitation stands, when a newer one comes."""
    post, uid = await Post.between(lab), lab.unique("uid")
    await post.request(uid=uid)
    inbox = post.ben.inbox
    before = dict(inbox.items)
    await post.request(uid=uid, sequence=1)
    assert {id: inbox.items[id] for id in before} == before


@case("MS-ASEMAIL", "R1070", FROM_14_1)
async def an_invitation_that_was_overtaken(lab: Lab) -> None:
    """On a device that sees the older one after the newer one came: which is newer is seen in the calendar."""
    await needs_looking_after(lab)
    post, uid = await Post.between(lab), lab.unique("uid")
    first = text(await post.item(uid=uid), "Subject") or ""
    second = text(await post.item(uid=uid, sequence=1), "Subject") or ""
    late = await Person.of(lab, post.ben.login)
    for subject, kind in ((first, "4"), (second, "2")):
        (item,) = (await late.inbox.awaited(subject)).values()
        assert text(item, "MeetingRequest", "MeetingMessageType") == kind


#: The rule of a series -> what Recurrence has, beside Type.
RULES = [
    ("FREQ=DAILY;INTERVAL=2;COUNT=3", "0", {"Interval": "2", "Occurrences": "3"}),
    ("FREQ=WEEKLY;BYDAY=TU,TH;COUNT=4", "1", {"Interval": "1", "DayOfWeek": "20", "Occurrences": "4"}),
    ("FREQ=MONTHLY;BYMONTHDAY=15;COUNT=3", "2", {"DayOfMonth": "15"}),
    ("FREQ=MONTHLY;BYDAY=3TU;COUNT=3", "3", {"WeekOfMonth": "3", "DayOfWeek": "4"}),
    ("FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=15;COUNT=3", "5", {"MonthOfYear": "4", "DayOfMonth": "15"}),
    ("FREQ=YEARLY;BYMONTH=4;BYDAY=3TU;COUNT=3", "6", {"MonthOfYear": "4", "WeekOfMonth": "3", "DayOfWeek": "4"}),
]


@case(
    "MS-ASEMAIL",
    "R650 R1067 R652 R653 R880 R912 R681 R682 R684 R789 R791 R792 R499 R501 R365 R367 R374 R376 R377 R619 R620 R625 "
    "R870 R872 R873",
    ALL,
)
async def a_series(lab: Lab) -> None:
    post = await Post.between(lab)
    for rule, kind, expected in RULES:
        request = await post.request(f"RRULE:{rule}\r\n")
        assert text(request, "InstanceType") == "1", rule
        outer = find(request, "Recurrences")
        assert outer is not None, rule
        assert [local(child) for child in outer.elements] == ["Recurrence"], rule
        found = outer.elements[0]
        assert text(found, "Type") == kind, rule
        assert text(found, "Interval") is not None, rule
        assert {name: text(found, name) for name in expected} == expected, rule


CALENDAR_TYPES = {*range(13), 14, 15, 20}


@case("MS-ASEMAIL", "R291 R294 R295", FROM_14)
async def a_series_names_its_calendar(lab: Lab) -> None:
    post = await Post.between(lab)
    for rule, kind, _ in RULES:
        if kind in ("2", "3", "5", "6"):
            found = find(await post.request(f"RRULE:{rule}\r\n"), "Recurrences", "Recurrence")
            assert int(text(found, "CalendarType") or "-1") in CALENDAR_TYPES, rule


@case("MS-ASEMAIL", "R935 R936 R679 R680 R1493 R490 R491")
async def one_occurrence(lab: Lab) -> None:
    post, uid = await Post.between(lab), lab.unique("uid")
    series = await post.request("RRULE:FREQ=WEEKLY;COUNT=4\r\n", uid=uid)
    assert find(series, "RecurrenceId") is None
    second = START + timedelta(days=7)
    moved = second + timedelta(hours=3)
    times = f"DTSTART:{compact(moved)}\r\nDTEND:{compact(moved + timedelta(hours=1))}\r\n"
    request = await post.request(f"RECURRENCE-ID:{compact(second)}\r\n", uid=uid, sequence=1, times=times)
    assert text(request, "RecurrenceId") == dashed(second)
    assert text(request, "StartTime") == dashed(moved)
    assert text(request, "InstanceType") in ("2", "3")


@case("MS-ASEMAIL", "R478 R909 R121 R20000 R20001 R1000 R1001 R20013 R20016 R20018 R20019 R20021", BEFORE_16)
async def the_global_object_id(lab: Lab) -> None:
    post = await Post.between(lab)
    for uid in (lab.unique("uid"), f"{lab.unique('uid')}@example.com"):
        octets = base64.b64decode(text(await post.request(uid=uid), "GlobalObjId") or "", validate=True)
        assert octets[:16] == CLASS_ID
        assert octets[16:20] == bytes(4)
        assert octets[28:36] == bytes(8)
        data = octets[40:]
        assert int.from_bytes(octets[36:40], "little") == len(data)
        assert data == b"vCal-Uid\x01\0\0\0" + uid.encode() + b"\0"


@case("MS-ASEMAIL", "R20001 R20003 R20005 R20007 R20009", BEFORE_16)
async def the_global_object_id_of_an_occurrence(lab: Lab) -> None:
    """INSTDATE is the day of the occurrence."""
    request = await (await Post.between(lab)).request(f"RECURRENCE-ID:{compact(START)}\r\n")
    octets = base64.b64decode(text(request, "GlobalObjId") or "", validate=True)
    assert (int.from_bytes(octets[16:18], "big"), octets[18], octets[19]) == (2031, 4, 15)


@case("MS-ASEMAIL", "R13001 R13002 R1310 R1311 R13110 R13111", FROM_16)
async def the_place_is_a_structure(lab: Lab) -> None:
    request = await (await Post.between(lab)).request("LOCATION:Room 7\r\n")
    (place,) = [child for child in request.elements if local(child) == "Location"]
    assert place.tag == "AirSyncBase:Location"
    assert text(place, "DisplayName") == "Room 7"
    assert find(request, "UID") is not None
    assert find(request, "GlobalObjId") is None


@case("MS-ASEMAIL", "R1355 R13550", FROM_16)
async def an_occurrence_without_its_series(lab: Lab) -> None:
    request = await (await Post.between(lab)).request(f"RECURRENCE-ID:{compact(START)}\r\n")
    assert text(request, "RecurrenceId") == dashed(START)


@case("MS-ASEMAIL", "R847")
async def a_series_that_ends_on_a_day(lab: Lab) -> None:
    request = await (await Post.between(lab)).request("RRULE:FREQ=DAILY;UNTIL=20310420T100000Z\r\n")
    found = find(request, "Recurrences", "Recurrence")
    assert (text(found, "Until") or "").replace("-", "").replace(":", "").startswith("20310420T100000")
    assert find(found, "Occurrences") is None


@case("MS-ASEMAIL", "R1253 R12540 R1305", FROM_16)
async def the_uid_takes_its_place(lab: Lab) -> None:
    uid = lab.unique("uid")
    request = await (await Post.between(lab)).request(uid=uid)
    assert text(request, "UID") == uid
    assert find(request, "GlobalObjId") is None


#: Method and answer -> MessageClass.
CLASSES = [
    ("REQUEST", "NEEDS-ACTION", "IPM.Schedule.Meeting.Request"),
    ("CANCEL", "NEEDS-ACTION", "IPM.Schedule.Meeting.Canceled"),
    ("REPLY", "ACCEPTED", "IPM.Schedule.Meeting.Resp.Pos"),
    ("REPLY", "TENTATIVE", "IPM.Schedule.Meeting.Resp.Tent"),
    ("REPLY", "DECLINED", "IPM.Schedule.Meeting.Resp.Neg"),
    ("COUNTER", "TENTATIVE", "IPM.Schedule.Meeting.Resp.Tent"),
    ("PUBLISH", "NEEDS-ACTION", "IPM.Note"),
]


@case("MS-ASEMAIL", "R584 R588")
async def the_classes_of_meeting_messages(lab: Lab) -> None:
    post = await Post.between(lab)
    for method, partstat, expected in CLASSES:
        assert text(await post.item(method=method, partstat=partstat), "MessageClass") == expected, (method, partstat)

"""[MS-ASCMD] MeetingResponse: what is refused, and with which status, malformed forms first."""

from __future__ import annotations

from lab import BEFORE_14, FROM_12, FROM_14, FROM_14_1, Lab, case
from meeting_kit import ACCEPT, DECLINE, TENTATIVE, Person, dashed, find, local, soon, text
from wire import e

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

BEFORE_14_1 = Spoken(until=Version.V14_0)
#: Requests in one command.
LIMIT = 100
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=4\r\n"


def punctuated(stamp: str) -> str:
    """A compact date as InstanceId has it."""
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T{stamp[9:11]}:{stamp[11:13]}:{stamp[13:15]}.000Z"


async def invited(lab: Lab, word: str, *, lines: str = "") -> tuple[Person, str, str, str]:
    """Ben, invited by Anna by mail: the subject, the message and the appointment."""
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject = lab.unique(word)
    await anna.mail("REQUEST", subject, lab.unique("uid"), soon(), [ben.login.address], host=anna.login.address,
                    lines=lines)
    ((mail, _),) = (await ben.inbox.awaited(subject)).items()
    ((entry, _),) = (await ben.calendar.awaited(subject)).items()
    return ben, subject, mail, entry


@case("MS-ASCMD", "R5650", FROM_14)
async def more_requests_than_allowed(lab: Lab) -> None:
    ben = await Person.of(lab, lab.other)
    one = e("Request", e("UserResponse", "1"), e("CollectionId", ben.inbox.id), e("RequestId", f"{ben.inbox.id}:1"))
    asked = e("MeetingResponse:MeetingResponse", *[one] * (LIMIT + 1))
    assert (await ben.talker.post("MeetingResponse", asked)).text("Result", "Status") == "103"


@case("MS-ASCMD", "R5650", BEFORE_14)
async def more_requests_than_allowed_before_14(lab: Lab) -> None:
    """R7461: there are no common statuses, but HTTP's."""
    ben = await Person.of(lab, lab.other)
    one = e("Request", e("UserResponse", "1"), e("CollectionId", ben.inbox.id), e("RequestId", f"{ben.inbox.id}:1"))
    got = await ben.talker.post("MeetingResponse", e("MeetingResponse:MeetingResponse", *[one] * (LIMIT + 1)))
    assert got.http == 400


@case("MS-ASCMD", "R4182 R4183 R7036 R2733 R2734 R2731 R4175 R2510 R2511")
async def what_is_no_invitation(lab: Lab) -> None:
    """Each request has its result, with a Status and without a CalendarId."""
    ben, subject, mail, _ = await invited(lab, "malformed")
    inbox = ben.inbox.id
    response, folder = e("UserResponse", "1"), e("CollectionId", inbox)
    requests: list[tuple[Element, ...]] = [
        (response, folder, e("RequestId", f"{inbox}:999999999")),
        (response, folder, e("RequestId", "no id at all")),
        (response, folder, e("RequestId", "")),
        (response, e("CollectionId", ben.calendar.id), e("RequestId", mail)),
        (response, folder, e("RequestId", mail), e("Search:LongId", mail)),
        (e("UserResponse", "4"), folder, e("RequestId", mail)),
        (e("UserResponse", "0"), folder, e("RequestId", mail)),
        (response, folder),
        (folder, e("RequestId", mail)),
    ]
    asked = e("MeetingResponse:MeetingResponse", *(e("Request", *inside) for inside in requests))
    got = await ben.talker.post("MeetingResponse", asked)
    found = got.all("Result")
    assert [text(one, "Status") for one in found] == ["2"] * len(requests), got.root
    assert all(find(one, "CalendarId") is None for one in found)
    assert all(sum(local(child) == "Status" for child in one.elements) == 1 for one in found)
    await ben.calendar.read()
    (entry,) = ben.calendar.named(subject).values()
    assert text(entry, "BusyStatus") == "1"


@case("MS-ASCMD", "R4183", FROM_12)
async def a_message_that_invites_to_nothing(lab: Lab) -> None:
    """A cancellation of a meeting that nobody knows, and an answer."""
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    for method in ("CANCEL", "REPLY"):
        subject = lab.unique("nothing")
        await anna.mail(method, subject, lab.unique("uid"), soon(), [ben.login.address], host=anna.login.address)
        ((mail, _),) = (await ben.inbox.awaited(subject)).items()
        result = await ben.respond(ben.inbox, mail, ACCEPT)
        assert text(result, "Status") == "2"
        await ben.calendar.awaited(subject, 0)


@case("MS-ASCMD", "R4184", FROM_14_1)
async def ones_own_meeting(lab: Lab) -> None:
    anna = await Person.of(lab, lab.me)
    id = await anna.invite(lab.unique("own"), lab.other, start=soon())
    assert text(await anna.respond(anna.calendar, id, ACCEPT), "Status") == "2"


@case("MS-ASCMD", "R3195 R3196 R4185 R4186", FROM_14_1)
async def instances_that_are_none(lab: Lab) -> None:
    ben, _, mail, series = await invited(lab, "instances", lines=WEEKLY)
    start = text(ben.calendar.items[series], "StartTime") or ""
    right = punctuated(start)
    for instance, status in (
        ("tomorrow", "104"), (start, "104"), (right.replace("Z", ""), "104"), (right[:10], "104"),
        (right.replace("T", "U"), "104"), ("1999-01-01T00:00:00.000Z", "2"),
    ):
        result = await ben.respond(ben.calendar, series, DECLINE, instance=instance)
        assert text(result, "Status") == status, instance
        assert text(result, "RequestId") == series
    null = (e("UserResponse", DECLINE), e("CollectionId", ben.calendar.id), e("RequestId", series), e("InstanceId", ""))
    assert text(await ben.respond_with(*null), "Status") == "2"
    assert text(await ben.respond(ben.inbox, mail, DECLINE, instance=right), "Status") == "2"
    other, _, _, single = await invited(lab, "single")
    when = punctuated(text(other.calendar.items[single], "StartTime") or "")
    assert text(await other.respond(other.calendar, single, DECLINE, instance=when), "Status") == "146"


@case("MS-ASCMD", "R6712 R6714 R6715", BEFORE_14_1)
async def an_instance_before_there_were_any(lab: Lab) -> None:
    """Least of all is the series answered instead."""
    ben, subject, mail, _ = await invited(lab, "too-early", lines=WEEKLY)
    inside = (e("UserResponse", DECLINE), e("CollectionId", ben.inbox.id), e("RequestId", mail),
              e("InstanceId", dashed(soon())))
    got = await ben.talker.post("MeetingResponse", e("MeetingResponse:MeetingResponse", e("Request", *inside)))
    assert got.http == 400 or got.text("Result", "Status") == "2"
    await ben.calendar.awaited(subject, 1)


@case("MS-ASCMD", "R5709 R6708 R6710 R6711", FROM_14_1)
async def one_occurrence_is_declined(lab: Lab) -> None:
    ben, subject, _, series = await invited(lab, "one-of", lines=WEEKLY)
    start = text(ben.calendar.items[series], "StartTime") or ""
    right = punctuated(start)
    result = await ben.respond(ben.calendar, series, DECLINE, instance=right)
    assert text(result, "Status") == "1"
    assert text(result, "InstanceId") == right
    await ben.calendar.read()
    (item,) = ben.calendar.named(subject).values()
    gone = [one for one in (find(item, "Exceptions") or item).elements if text(one, "Deleted") == "1"]
    assert len(gone) == 1


@case("MS-ASCMD", "R3191 R5709", FROM_14_1)
async def the_whole_series_is_declined(lab: Lab) -> None:
    ben, subject, _, series = await invited(lab, "series", lines=WEEKLY)
    result = await ben.respond(ben.calendar, series, DECLINE)
    assert text(result, "Status") == "1"
    assert find(result, "CalendarId") is None
    await ben.calendar.awaited(subject, 0)


@case("MS-ASCMD", "R5374 R2467 R2470 R1107 R1110 R4177 R3312 R1889")
async def a_long_id_takes_the_place_of_a_request_id(lab: Lab) -> None:
    """RequestId is answered only where it was sent."""
    ben, subject, mail, entry = await invited(lab, "long-id")
    result = await ben.respond(ben.inbox, mail, TENTATIVE)
    assert [local(child) for child in result.elements] == ["RequestId", "Status", "CalendarId"]
    assert text(result, "CalendarId") == entry
    got = await ben.talker.post("MeetingResponse", e("MeetingResponse:MeetingResponse", e(
        "Request", e("UserResponse", "1"), e("Search:LongId", mail))))
    assert got.root.tag == "MeetingResponse:MeetingResponse"
    assert find(got.all("Result")[0], "RequestId") is None
    await ben.calendar.awaited(subject, 1)


@case("MS-ASCMD", "R6068 R7508 R7509 R7510", BEFORE_14_1)
async def before_14_1_not_in_the_calendar(lab: Lab) -> None:
    ben, _, _, entry = await invited(lab, "in-calendar")
    assert text(await ben.respond(ben.calendar, entry, ACCEPT), "Status") == "2"

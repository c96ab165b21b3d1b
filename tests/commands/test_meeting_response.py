"""MeetingResponse: invitations answered from the inbox and from the calendar. [MS-ASCMD] MeetingResponse."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from mail_kit import RICH, Mailroom, invitation, is_sent, send
from wire import Got, Wire, e

from eas.engine.errors import Unavailable
from eas.engine.model import FolderType, Right
from eas.engine.ports import Chosen
from eas.items.appointment import Attendee, AttendeeStatus, AttendeeType
from eas.items.calendar import Appointment
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

VERSIONS = ("2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1")
#: One that answers in the calendar in any version, and mails its answer itself.
IPHONE = "Apple-iPhone6C1/1208.321"

CALENDAR, INBOX, DELETED = FolderType.CALENDAR, FolderType.INBOX, FolderType.DELETED_ITEMS
ACCEPT, TENTATIVE, DECLINE = "1", "2", "3"
SERIES = "RRULE:FREQ=DAILY;COUNT=5\r\n"
#: The third of the series.
THIRD = "2027-03-04T10:00:00.000Z"

OWN = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:own\r\nDTSTAMP:20260302T100000Z\r\n"
    b"DTSTART:20270302T100000Z\r\nDTEND:20270302T110000Z\r\nSUMMARY:Mine\r\nORGANIZER:mailto:anna@example.com\r\n"
    b"ATTENDEE:mailto:ben@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nN:Doe;Jo;;;\r\nFN:Jo Doe\r\nEND:VCARD\r\n"


def request(
    item: str | None = None, response: str | None = ACCEPT, *, collection: str | None = None, long: str | None = None,
    instance: str | None = None,
) -> Element:
    collection = item.partition(":")[0] if item and collection is None else collection
    named = [
        ("UserResponse", response), ("CollectionId", collection), ("RequestId", item), ("Search:LongId", long),
        ("InstanceId", instance),
    ]
    return e("MeetingResponse:Request", *(e(tag, text) for tag, text in named if text is not None))


async def answer(device: Wire, *requests: Element) -> Got:
    return await device.post("MeetingResponse", Element("MeetingResponse:MeetingResponse", requests))


def results(got: Got) -> list[dict[str, str]]:
    return [{c.tag.partition(":")[2]: c.text for c in one.elements} for one in got.all("Result")]


async def respond(device: Wire, item: str, response: str, instance: str | None = None) -> dict[str, str]:
    """The one result."""
    got = await answer(device, request(item, response, instance=instance))
    assert got.http == 200
    (result,) = results(got)
    return result


def partstat(record: str, who: str = "anna@example.com") -> list[str]:
    """What somebody has answered, in each component in which the attendee stands."""
    lines = [line for line in record.split("\r\n") if line.startswith("ATTENDEE") and f"mailto:{who}" in line]
    return [m[1] if (m := re.search(r"PARTSTAT=([A-Z-]+)", line)) else "" for line in lines]


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_request_that_does_not_fit(wire: Wires, room: Mailroom, version: str) -> None:
    """R5650: more than 100; R4817."""
    mine = await room.deliver("anna", invitation(), "carla@example.com")
    requests: tuple[tuple[Element, ...], ...] = ((), (request(mine, "yes"),), tuple(request(mine) for _ in range(101)))
    for some in requests:
        got = await answer(wire(version=version, agent=IPHONE), *some)
        if version in ("2.5", "12.0", "12.1"):
            assert got.http == 400
        else:
            assert (got.http, results(got)) == (200, [{"Status": "103"}])
    (stored,) = await room.records("anna", CALENDAR)
    assert partstat(stored) == ["NEEDS-ACTION"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_cannot_be_answered(wire: Wires, room: Mailroom, version: str) -> None:
    """R4182, R4183: nothing of the kind, or not an invitation; R4184: one's own meeting. Each has its result (2)
    beside the others."""
    mine = await room.deliver("anna", invitation(), "carla@example.com")
    plain = await room.deliver("anna", RICH)
    cancel = await room.deliver("anna", invitation("other", method="CANCEL"), "carla@example.com")
    reply = await room.deliver("anna", invitation("other", method="REPLY"), "carla@example.com")
    to_herself = await room.deliver("anna", invitation("self", sender="anna@example.com"))
    broken = await room.deliver("anna", invitation(start="yesterday"), "carla@example.com")
    own = await room.put("anna", CALENDAR, OWN)
    card = await room.put("anna", FolderType.CONTACTS, CARD)
    foreign = await room.deliver("ben", invitation(invited=("ben@example.com",)), "carla@example.com")
    appointment = (await room.ids("ben", CALENDAR))[0]
    requests = [
        request(plain), request(cancel), request(reply), request(to_herself), request(broken), request(own),
        request(card), request(foreign), request(appointment), request(None, long=foreign), request("99:1"),
        request(mine.partition(":")[0] + ":99"), request("no id"), request(""), request("1" * 65),
        request(mine, collection=card.partition(":")[0]), request(mine, long=mine), request(), request(mine, "0"),
        request(mine, "4"), request(mine, ""), request(mine, None),
    ]
    got = await answer(wire(version=version, agent=IPHONE), *requests)
    assert [result["Status"] for result in results(got)] == ["2"] * len(requests)
    named = [one.child("MeetingResponse:RequestId") for one in requests]
    assert [result.get("RequestId") for result in results(got)] == [
        None if id is None or len(id.text) > 64 else id.text for id in named
    ]
    assert all("CalendarId" not in result for result in results(got))
    assert partstat((await room.records("ben", CALENDAR))[0], "ben@example.com") == ["NEEDS-ACTION"]
    assert await room.messages("anna", DELETED) == []


@pytest.mark.parametrize("version", ["14.1"])
async def test_instances_that_are_none(wire: Wires, room: Mailroom, version: str) -> None:
    """R3195 (104), R3196 (146), R4185 and R4186 (2)."""
    mail = await room.deliver("anna", invitation("s", lines=SERIES), "carla@example.com")
    (series,) = await room.ids("anna", CALENDAR)
    await room.deliver("anna", invitation("single"), "carla@example.com")
    (single,) = [id for id in await room.ids("anna", CALENDAR) if id != series]
    for item, instance, status in (
        (series, "2027-03-04", "104"),
        (series, "20270304T100000Z", "104"),
        (series, "2027-02-30T10:00:00.000Z", "104"),
        (series, "", "2"),
        (series, "2027-03-04T11:00:00.000Z", "2"),
        (series, "2027-04-04T10:00:00.000Z", "2"),
        (single, "2027-03-02T10:00:00.000Z", "146"),
        (mail, THIRD, "2"),
    ):
        result = await respond(wire(version=version, agent=IPHONE), item, DECLINE, instance)
        assert result == {"RequestId": item, "Status": status}, (item, instance)
    for record in await room.records("anna", CALENDAR):
        assert partstat(record) == ["NEEDS-ACTION"]
        assert "EXDATE" not in record


@pytest.mark.parametrize("version", ["2.5", "12.1", "14.0"])
async def test_before_14_1_no_instance_is_answered(wire: Wires, room: Mailroom, version: str) -> None:
    """R6712, R6714, R6715; least of all the whole series instead of it."""
    await room.deliver("anna", invitation(lines=SERIES), "carla@example.com")
    (series,) = await room.ids("anna", CALENDAR)
    assert (await respond(wire(version=version, agent=IPHONE), series, DECLINE, THIRD))["Status"] == "2"
    assert partstat((await room.records("anna", CALENDAR))[0]) == ["NEEDS-ACTION"]


@pytest.mark.parametrize("version", ["2.5", "12.0", "12.1", "14.0"])
async def test_before_14_1_meetings_are_answered_in_the_inbox(wire: Wires, room: Mailroom, version: str) -> None:
    """[MS-ASCMD] R6068, R7508, R7509, R7510"""
    await room.deliver("anna", invitation(), "carla@example.com")
    (appointment,) = await room.ids("anna", CALENDAR)
    assert (await respond(wire(version=version), appointment, ACCEPT))["Status"] == "2"
    assert partstat((await room.records("anna", CALENDAR))[0]) == ["NEEDS-ACTION"]


# Answers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("where", ["inbox", "calendar", "long id"])
@pytest.mark.parametrize(
    ("response", "word", "busy"), [(ACCEPT, "ACCEPTED", "BUSY"), (TENTATIVE, "TENTATIVE", "TENTATIVE")]
)
async def test_an_accepted_meeting_stands_in_the_calendar(
    wire: Wires, room: Mailroom, version: str, where: str, response: str, word: str, busy: str
) -> None:
    """R266, R5707, R5708; R830, R831, R5678, R3807, R3843, R5071, R5790: one appointment, whose id is told, with the
    answer; the request mail goes to Deleted Items. R5374: with a LongId there is no RequestId."""
    mail = await room.deliver("anna", invitation(), "carla@example.com")
    (appointment,) = await room.ids("anna", CALENDAR)
    device = wire(version=version, agent=IPHONE)
    if where == "long id":
        result = results(await answer(device, request(response=response, long=mail)))[0]
        assert result == {"Status": "1", "CalendarId": appointment}
    else:
        named = mail if where == "inbox" else appointment
        result = await respond(device, named, response)
        assert result == {"RequestId": named, "Status": "1", "CalendarId": appointment}
    assert await room.ids("anna", CALENDAR) == [appointment]
    (stored,) = await room.records("anna", CALENDAR)
    assert partstat(stored) == [word]
    assert f"X-MICROSOFT-CDO-BUSYSTATUS:{busy}\r\n" in stored
    assert len(await room.messages("anna", DELETED)) == (where != "calendar")
    assert len(await room.messages("anna", INBOX)) == (where == "calendar")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("where", ["inbox", "calendar"])
async def test_a_declined_meeting_is_gone(wire: Wires, room: Mailroom, version: str, where: str) -> None:
    """R5706, R5709, R837, R5072"""
    mail = await room.deliver("anna", invitation(lines=SERIES), "carla@example.com")
    (appointment,) = await room.ids("anna", CALENDAR)
    named = mail if where == "inbox" else appointment
    assert await respond(wire(version=version, agent=IPHONE), named, DECLINE) == {"RequestId": named, "Status": "1"}
    assert await room.ids("anna", CALENDAR) == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_answer_makes_the_appointment_if_there_is_none(wire: Wires, room: Mailroom, version: str) -> None:
    """R831: it was deleted, or the invitation never entered into the calendar. Declining makes none."""
    device = wire(version=version, agent=IPHONE)
    first = await room.deliver("anna", invitation("one"), "carla@example.com")
    second = await room.deliver("anna", invitation("two"), "carla@example.com")
    feed = await room.feed("anna", CALENDAR)
    for id in await room.ids("anna", CALENDAR):
        await feed.delete(int(id.partition(":")[2]))
    assert (await respond(device, second, DECLINE)) == {"RequestId": second, "Status": "1"}
    result = await respond(device, first, ACCEPT)
    assert await room.ids("anna", CALENDAR) == [result["CalendarId"]]
    (stored,) = await room.records("anna", CALENDAR)
    assert partstat(stored) == ["ACCEPTED"]
    assert "METHOD" not in stored


@pytest.mark.parametrize("version", VERSIONS)
async def test_another_mind(wire: Wires, room: Mailroom, version: str) -> None:
    """The last answer counts, also that from the mail which lies in Deleted Items."""
    mail = await room.deliver("anna", invitation(), "carla@example.com")
    device = wire(version=version, agent=IPHONE)
    accepted = (await respond(device, mail, ACCEPT))["CalendarId"]
    assert (await respond(device, accepted, TENTATIVE))["CalendarId"] == accepted
    assert partstat((await room.records("anna", CALENDAR))[0]) == ["TENTATIVE"]
    assert (await respond(device, accepted, DECLINE))["Status"] == "1"
    assert await room.records("anna", CALENDAR) == []
    (put_away,) = await room.ids("anna", DELETED)
    assert (await respond(device, put_away, ACCEPT))["Status"] == "1"
    assert partstat((await room.records("anna", CALENDAR))[0]) == ["ACCEPTED"]
    assert await room.ids("anna", DELETED) == [put_away]


@pytest.mark.parametrize("version", VERSIONS)
async def test_several_requests_have_results_in_their_order(wire: Wires, room: Mailroom, version: str) -> None:
    """R3807"""
    mails = [await room.deliver("anna", invitation(uid), "carla@example.com") for uid in ("a", "b", "c")]
    requests = [request(mails[2], DECLINE), request("99:1"), request(mails[0], ACCEPT), request(mails[1], TENTATIVE)]
    got = results(await answer(wire(version=version, agent=IPHONE), *requests))
    assert [result["RequestId"] for result in got] == [mails[2], "99:1", mails[0], mails[1]]
    assert [result["Status"] for result in got] == ["1", "2", "1", "1"]
    found = {result["CalendarId"] for result in got if "CalendarId" in result}
    assert found == set(await room.ids("anna", CALENDAR))
    assert len(found) == 2


# Series -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("response", [ACCEPT, TENTATIVE, DECLINE])
@pytest.mark.parametrize("by", ["ids", "long id"])
async def test_one_occurrence_is_answered_alone(wire: Wires, room: Mailroom, response: str, by: str) -> None:
    """R3191-R3193"""
    await room.deliver("anna", invitation(lines=SERIES), "carla@example.com")
    (series,) = await room.ids("anna", CALENDAR)
    asked = request(series, response, instance=THIRD) if by == "ids" else request(
        response=response, long=series, instance=THIRD
    )
    (result,) = results(await answer(wire(version="14.1"), asked))
    told = {"RequestId": series} if by == "ids" else {}
    told |= {} if response == DECLINE else {"CalendarId": series}
    assert result == {**told, "Status": "1", "InstanceId": THIRD}
    (stored,) = await room.records("anna", CALENDAR)
    if response == DECLINE:
        assert "EXDATE:20270304T100000Z\r\n" in stored
        assert partstat(stored) == ["NEEDS-ACTION"]
    else:
        assert "RECURRENCE-ID:20270304T100000Z\r\n" in stored
        assert sorted(partstat(stored)) == sorted(["NEEDS-ACTION", "ACCEPTED" if response == ACCEPT else "TENTATIVE"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("response", [ACCEPT, DECLINE])
async def test_an_invitation_to_one_occurrence_does_not_answer_the_series(
    wire: Wires, room: Mailroom, version: str, response: str
) -> None:
    """The organizer has moved one occurrence, and asks for that one again."""
    series = await room.deliver("anna", invitation(lines=SERIES), "carla@example.com")
    device = wire(version=version, agent=IPHONE)
    appointment = (await respond(device, series, ACCEPT))["CalendarId"]
    moved = invitation(
        lines="RECURRENCE-ID:20270304T100000Z\r\n", sequence=1, start="20270304T150000Z", end="20270304T160000Z"
    )
    mail = await room.deliver("anna", moved, "carla@example.com")
    assert (await respond(device, mail, response))["Status"] == "1"
    assert await room.ids("anna", CALENDAR) == [appointment]
    (stored,) = await room.records("anna", CALENDAR)
    assert "RRULE:FREQ=DAILY;COUNT=5\r\n" in stored
    if response == DECLINE:
        assert "EXDATE:20270304T100000Z\r\n" in stored
        assert partstat(stored) == ["ACCEPTED"]
    else:
        assert "DTSTART:20270304T150000Z\r\n" in stored
        assert partstat(stored) == ["ACCEPTED", "ACCEPTED"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("response", [ACCEPT, DECLINE])
async def test_one_who_was_invited_to_one_occurrence_only(
    wire: Wires, room: Mailroom, version: str, response: str
) -> None:
    alone = invitation(lines="RECURRENCE-ID:20270304T100000Z\r\n", start="20270304T100000Z", end="20270304T110000Z")
    mail = await room.deliver("anna", alone, "carla@example.com")
    assert (await respond(wire(version=version, agent=IPHONE), mail, response))["Status"] == "1"
    stored = await room.records("anna", CALENDAR)
    assert [partstat(one) for one in stored] == ([["ACCEPTED"]] if response == ACCEPT else [])


# Updates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_update_changes_the_appointment_that_is_there(wire: Wires, room: Mailroom, version: str) -> None:
    device = wire(version=version, agent=IPHONE)
    first = await room.deliver("anna", invitation(), "carla@example.com")
    appointment = (await respond(device, first, ACCEPT))["CalendarId"]
    update = invitation(sequence=1, start="20270302T140000Z", end="20270302T150000Z", subject="Budget again")
    second = await room.deliver("anna", update, "carla@example.com")
    (stored,) = await room.records("anna", CALENDAR)
    assert "DTSTART:20270302T140000Z\r\n" in stored
    assert partstat(stored) == ["NEEDS-ACTION"], "another time asks for another answer"
    assert (await respond(device, second, TENTATIVE))["CalendarId"] == appointment
    (stored,) = await room.records("anna", CALENDAR)
    assert partstat(stored) == ["TENTATIVE"]
    assert "SUMMARY:Budget again\r\n" in stored


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("sender", "moved"), [("carla@example.com", True), ("mallory@elsewhere.test", False)])
async def test_an_update_that_was_not_entered_is_with_the_answer(
    wire: Wires, room: Mailroom, version: str, sender: str, moved: bool
) -> None:
    """A groupware may enter nothing by itself. A stranger moves no meeting, whatever is answered to him."""
    device = wire(version=version, agent=IPHONE)
    first = await room.deliver("anna", invitation(), "carla@example.com")
    appointment = (await respond(device, first, ACCEPT))["CalendarId"]
    update = invitation(
        sender=sender, organizer="carla@example.com", sequence=1, start="20270302T140000Z", end="20270302T150000Z"
    )
    room.world.app.embedded.office.follow.clear()
    second = await room.deliver("anna", update, sender)
    assert (await respond(device, second, ACCEPT))["CalendarId"] == appointment
    (stored,) = await room.records("anna", CALENDAR)
    assert ("DTSTART:20270302T140000Z\r\n" in stored) is moved
    assert partstat(stored) == ["ACCEPTED"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_appointment_in_another_calendar_is_found(
    wire: Wires, room: Mailroom, world: Any, version: str
) -> None:
    mail = await room.deliver("anna", invitation(), "carla@example.com")
    other = await world.admin.add_folder("anna@example.com", "Projects", FolderType.USER_CALENDAR)
    (appointment,) = await room.ids("anna", CALENDAR)
    await (await room.feed("anna", CALENDAR)).move(int(appointment.partition(":")[2]), other.id, Chosen(name="moved"))
    result = await respond(wire(version=version, agent=IPHONE), mail, ACCEPT)
    assert result["CalendarId"].startswith(f"{other.id}:")
    assert await room.ids("anna", CALENDAR) == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_colleagues_calendar_is_his(wire: Wires, room: Mailroom, world: Any, version: str) -> None:
    """He was invited, too, and anna may write into his calendar: her answer goes into her own."""
    his = (await room.folder("ben", CALENDAR)).id
    await world.admin.set_right("ben@example.com", his, "anna@example.com", Right.EDIT)
    both = invitation(invited=("anna@example.com", "ben@example.com"))
    await room.deliver("ben", both, "carla@example.com")
    mail = await room.deliver("anna", both, "carla@example.com")
    (appointment,) = await room.ids("anna", CALENDAR)
    await (await room.feed("anna", CALENDAR)).delete(int(appointment.partition(":")[2]))
    result = await respond(wire(version=version, agent=IPHONE), mail, ACCEPT)
    assert [result["CalendarId"]] == await room.ids("anna", CALENDAR)
    assert partstat((await room.records("ben", CALENDAR))[0]) == ["NEEDS-ACTION"]


# Once ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("where", ["inbox", "calendar"])
@pytest.mark.parametrize("response", [ACCEPT, TENTATIVE, DECLINE])
async def test_the_same_again_is_answered_the_same(
    wire: Wires, room: Mailroom, version: str, where: str, response: str
) -> None:
    """The answer was lost; the mail has gone to Deleted Items meanwhile, or the appointment is gone."""
    mail = await room.deliver("anna", invitation(), "carla@example.com")
    named = mail if where == "inbox" else (await room.ids("anna", CALENDAR))[0]
    device = wire(version=version, agent=IPHONE)
    first = await respond(device, named, response)
    assert first["Status"] == "1"
    assert await respond(device, named, response) == first
    assert len(await room.records("anna", CALENDAR)) == (response != DECLINE)
    assert len(await room.messages("anna", DELETED)) == (where == "inbox")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("response", [ACCEPT, DECLINE])
async def test_twice_at_once(wire: Wires, room: Mailroom, version: str, response: str) -> None:
    mail = await room.deliver("anna", invitation(), "carla@example.com")
    for id in await room.ids("anna", CALENDAR):
        await (await room.feed("anna", CALENDAR)).delete(int(id.partition(":")[2]))
    device = wire(version=version, agent=IPHONE)
    found = await asyncio.gather(*(respond(device, mail, response) for _ in range(3)))
    assert [result["Status"] for result in found] == ["1"] * 3
    assert len({result.get("CalendarId") for result in found}) == 1
    assert len(await room.records("anna", CALENDAR)) == (response == ACCEPT)
    assert len(await room.messages("anna", DELETED)) == 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("where", ["inbox", "calendar"])
@pytest.mark.parametrize("response", [ACCEPT, DECLINE])
@pytest.mark.parametrize("point", ["settle", "move"])
async def test_after_a_crash_the_rest_is_done(
    wire: Wires, room: Mailroom, world: Any, monkeypatch: pytest.MonkeyPatch, version: str, where: str, response: str,
    point: str,
) -> None:
    """The process dies after the calendar was written, or before the mail was put away."""
    mail = await room.deliver("anna", invitation(), "carla@example.com")
    named = mail if where == "inbox" else (await room.ids("anna", CALENDAR))[0]
    kept: Any = world.store if point == "settle" else type(await room.feed("anna", INBOX))
    good = getattr(kept, point)

    async def dies(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(kept, point, good)
        raise Unavailable("the process died here")

    monkeypatch.setattr(kept, point, dies)
    device = wire(version=version, agent=IPHONE)
    got = await answer(device, request(named, response))
    if point == "move" and where == "calendar":
        assert results(got)[0]["Status"] == "1"  # nothing is put away
    elif version in ("2.5", "12.0", "12.1"):
        assert got.http == 503
    else:
        assert results(got) == [{"Status": "111"}]
    assert (await respond(device, named, response))["Status"] == "1"
    assert len(await room.records("anna", CALENDAR)) == (response == ACCEPT)
    assert len(await room.messages("anna", DELETED)) == (where == "inbox")
    assert len(await room.messages("anna", INBOX)) == (where == "calendar")


# A meeting from end to end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [Version.V12_1, Version.V14_0, Version.V14_1])
@pytest.mark.parametrize(
    ("response", "status"), [(1, AttendeeStatus.ACCEPTED), (2, AttendeeStatus.TENTATIVE), (3, AttendeeStatus.DECLINED)]
)
async def test_a_meeting_from_phone_to_phone(
    phone: Any, wire: Wires, room: Mailroom, version: Version, response: int, status: AttendeeStatus
) -> None:
    """R5068, R5828, R5085, R5088-R5094: carla's phone makes a meeting and mails the invitation, anna's answers it and
    mails the reply, and carla's calendar has the answer."""
    carlas, annas = phone("carla", "CARLA", version=version), phone("anna", "ANNA", version=version)
    for device in (carlas, annas):
        await device.set_up(version)
        await device.sync()
    calendar = carlas.state.folder(CALENDAR)
    start, end = datetime(2027, 3, 2, 10, tzinfo=UTC), datetime(2027, 3, 2, 11, tzinfo=UTC)
    carlas.add(calendar, Appointment(
        subject="Budget", start_time=start, end_time=end, meeting_status=1, organizer_name="Carla Costa",
        organizer_email="carla@example.com", uid="meeting-1", dt_stamp=datetime(2026, 3, 2, 10, tzinfo=UTC),
        attendees=(Attendee(email="anna@example.com", name="Anna", type=AttendeeType.REQUIRED),),
    ))
    await carlas.sync([calendar])
    device = wire(user="carla", password="carla-secret", device="CARLA", version=version.text)
    assert is_sent(await send(device, "SendMail", invitation()))

    await annas.sync()
    inbox, hers = annas.state.folder(INBOX), annas.state.folder(CALENDAR)
    (mail,) = inbox.items.values()
    assert mail.text("Email:MessageClass") == "IPM.Schedule.Meeting.Request"
    assert mail.text("Email:MeetingRequest", "Email:StartTime") == "2027-03-02T10:00:00.000Z"
    (entered,) = hers.items.values()
    assert entered.text("Calendar:BusyStatus") == "1"
    answering = wire(device="ANNA", version=version.text)
    result = await respond(answering, mail.server_id, str(response))
    word = {1: "ACCEPTED", 2: "TENTATIVE", 3: "DECLINED"}[response]
    assert is_sent(await send(answering, "SendMail", _reply(word)))

    report = await annas.sync()
    assert report.changes[inbox.id].deleted == [mail.server_id]
    assert next(iter(annas.state.folder(DELETED).items.values())).text("Email:Subject") == "Budget"
    if response == 3:
        assert hers.items == {}
    else:
        assert list(hers.items) == [result["CalendarId"]]
        assert hers.items[result["CalendarId"]].text("Calendar:BusyStatus") == {1: "2", 2: "1"}[response]

    await carlas.sync()
    (theirs,) = calendar.items.values()
    (attendee,) = theirs.read(Appointment, version).attendees
    assert (attendee.email, attendee.status) == ("anna@example.com", status)
    (reply,) = carlas.state.folder(INBOX).items.values()
    assert reply.text("Email:MessageClass") == {
        1: "IPM.Schedule.Meeting.Resp.Pos", 2: "IPM.Schedule.Meeting.Resp.Tent", 3: "IPM.Schedule.Meeting.Resp.Neg",
    }[response]


def _reply(word: str) -> bytes:
    sent = invitation(method="REPLY", sender="anna@example.com", organizer="carla@example.com", invited=())
    line = f"ATTENDEE;PARTSTAT={word}:mailto:anna@example.com\r\n".encode()
    return sent.replace(b"To: \r\n", b"To: carla@example.com\r\n").replace(b"END:VEVENT", line + b"END:VEVENT")

"""What the server mails for a meeting, and what not: once, whatever is lost, and only where the device does not.

[MS-ASCMD] SendResponse R7113-R7118; Creating a Meeting or Appointment R7478.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from mail_kit import Mailroom, invitation
from wire import Got, Wire, e

from eas.engine.errors import Unavailable
from eas.engine.model import FolderType
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]
INBOX, CALENDAR = FolderType.INBOX, FolderType.CALENDAR
ACCEPT, TENTATIVE, DECLINE = "1", "2", "3"
OLD_IPHONE, NEW_IPHONE = "Apple-iPhone6C1/1208.321", "Apple-iPhone11C2/1607.77"


async def respond(
    device: Wire, item: str, response: str, *more: Element, send: bool = False, instance: str = ""
) -> str:
    inside = [e("UserResponse", response), e("CollectionId", item.partition(":")[0]), e("RequestId", item)]
    inside += [e("InstanceId", instance)] if instance else []
    inside += [e("SendResponse", *more)] if send else []
    got = await device.post("MeetingResponse", e("MeetingResponse:MeetingResponse", e("Request", *inside)))
    return got.text("Result", "Status")


async def answers(room: Mailroom) -> list[str]:
    """The subjects in the organizer's inbox."""
    return sorted(
        line.removeprefix("Subject: ") for raw in await room.messages("carla", INBOX)
        for line in raw.decode().split("\r\n") if line.startswith("Subject:")
    )


@pytest.mark.parametrize(("version", "agent", "mailed"), [
    ("12.1", OLD_IPHONE, False), ("14.1", OLD_IPHONE, False), ("12.1", NEW_IPHONE, True), ("14.1", NEW_IPHONE, True),
    ("14.1", "Android/9", False), ("16.0", NEW_IPHONE, False), ("16.1", NEW_IPHONE, False),
])
async def test_who_leaves_the_answer_to_the_server(
    wire: Wires, room: Mailroom, version: str, agent: str, mailed: bool
) -> None:
    """Without SendResponse: R7113."""
    mail = await room.deliver("anna", invitation(), "carla@example.com")
    assert await respond(wire(version=version, agent=agent), mail, ACCEPT) == "1"
    assert await answers(room) == (["Accepted: Budget"] if mailed else [])


async def test_each_answer_is_mailed_once(wire: Wires, room: Mailroom) -> None:
    """A repeated request is the same answer; one after another answer is a new one."""
    await room.deliver("anna", invitation(), "carla@example.com")
    (entry,) = await room.ids("anna", CALENDAR)
    device = wire(version="16.1")
    for response in (ACCEPT, ACCEPT, TENTATIVE, TENTATIVE, ACCEPT, ACCEPT):
        assert await respond(device, entry, response, send=True) == "1"
    assert await answers(room) == ["Accepted: Budget", "Accepted: Budget", "Tentative: Budget"]


async def test_an_answer_that_was_silent_first_is_mailed_when_asked_for(wire: Wires, room: Mailroom) -> None:
    await room.deliver("anna", invitation(), "carla@example.com")
    (entry,) = await room.ids("anna", CALENDAR)
    device = wire(version="16.1")
    assert await respond(device, entry, ACCEPT) == "1"
    assert await respond(device, entry, ACCEPT, send=True) == "1"
    assert await answers(room) == ["Accepted: Budget"]


@pytest.mark.parametrize("where", ["inbox", "calendar"])
@pytest.mark.parametrize("response", [ACCEPT, DECLINE])
@pytest.mark.parametrize("nth", range(6))
async def test_an_answer_is_mailed_once_wherever_the_process_dies(
    wire: Wires, room: Mailroom, world: Any, monkeypatch: pytest.MonkeyPatch, where: str, response: str, nth: int
) -> None:
    """At each of its writes."""
    mail = await room.deliver("anna", invitation(), "carla@example.com")
    item = mail if where == "inbox" else (await room.ids("anna", CALENDAR))[0]
    feed: Any = type(await room.feed("anna", INBOX))
    points = [(feed, name) for name in ("update", "delete", "move")]
    points += [(world.store, name) for name in ("intend", "settle")]
    left = [nth]

    def dying(kept: Any, name: str) -> None:
        good = getattr(kept, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            result = await good(*args, **kwargs)
            left[0] -= 1
            if left[0] == -1:
                raise Unavailable("the process died here")
            return result

        monkeypatch.setattr(kept, name, call)

    for kept, name in points:
        dying(kept, name)
    device = wire(version="16.1")
    await device.post("MeetingResponse", e("MeetingResponse:MeetingResponse", e(
        "Request", e("UserResponse", response), e("CollectionId", item.partition(":")[0]), e("RequestId", item),
        e("SendResponse"),
    )))
    assert await respond(device, item, response, send=True) == "1"
    assert await answers(room) == ["Accepted: Budget" if response == ACCEPT else "Declined: Budget"]
    assert len(await room.records("anna", CALENDAR)) == (response == ACCEPT)


async def test_one_occurrence_is_declined_and_the_organizer_hears_which(wire: Wires, room: Mailroom) -> None:
    await room.deliver("anna", invitation(lines="RRULE:FREQ=DAILY;COUNT=5\r\n"), "carla@example.com")
    (series,) = await room.ids("anna", CALENDAR)
    third = "2027-03-04T10:00:00.000Z"
    assert await respond(wire(version="16.1"), series, DECLINE, send=True, instance=third) == "1"
    assert await answers(room) == ["Declined: Budget"]
    (raw,) = await room.messages("carla", INBOX)
    packed = raw.split(b"method=REPLY")[1].partition(b"\r\n\r\n")[2].partition(b"--")[0]
    assert b"RECURRENCE-ID:20270304T100000Z" in b64decode(packed)


# Meetings that devices make ------------------------------------------------------------------------------------------


async def write(device: Wire, key: str, folder: str, *commands: Element) -> Got:
    return await device.post("Sync", e("AirSync:Sync", e("Collections", e(
        "Collection", e("SyncKey", key), e("CollectionId", folder), *([e("Commands", *commands)] if commands else []),
    ))))


def meeting_of(*guests: str) -> Element:
    people = [e("Attendee", e("Email", who), e("Name", who), e("AttendeeType", "1")) for who in guests]
    return Element("AirSync:ApplicationData", (
        e("Calendar:StartTime", "20270302T100000Z"), e("Calendar:EndTime", "20270302T110000Z"),
        e("Calendar:Subject", "Plan"), e("Calendar:MeetingStatus", "1"), e("Calendar:Attendees", *people),
    ))


@pytest.mark.parametrize(("version", "agent", "type", "mails"), [
    ("14.1", "Android/9", "Phone", 0), ("16.0", "Android/9", "Phone", 1), ("16.1", NEW_IPHONE, "iPhone", 1),
    ("16.1", "Outlook/15.0", "WindowsOutlook15", 0),
])
async def test_who_mails_an_invitation(
    wire: Wires, room: Mailroom, version: str, agent: str, type: str, mails: int
) -> None:
    """R7478; the repeated request sends nothing again."""
    device = wire(version=version, agent=agent, type=type)
    folder = (await room.folder("anna", CALENDAR)).id
    key = (await write(device, "0", folder)).text("Collections", "Collection", "SyncKey")
    add = e("AirSync:Add", e("ClientId", "1"), meeting_of("carla@example.com"))
    for _ in range(2):
        got = await write(device, key, folder, add)
        assert got.text("Collections", "Collection", "Responses", "Add", "Status") == "1"
    assert await answers(room) == ["Plan"] * mails


async def test_those_who_can_be_reached_are_and_the_organizer_hears_of_the_others(wire: Wires, room: Mailroom) -> None:
    device = wire(version="16.1")
    folder = (await room.folder("anna", CALENDAR)).id
    key = (await write(device, "0", folder)).text("Collections", "Collection", "SyncKey")
    add = e("AirSync:Add", e("ClientId", "1"), meeting_of("nobody@example.com", "carla@example.com"))
    got = await write(device, key, folder, add)
    assert got.text("Collections", "Collection", "Responses", "Add", "Status") == "1"
    assert await answers(room) == ["Plan"]
    (notice,) = await room.messages("anna", INBOX)
    assert b"Subject: Undeliverable: Plan" in notice

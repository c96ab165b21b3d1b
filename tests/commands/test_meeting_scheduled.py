"""Calendars whose groupware tells attendees and organizers by itself (RFC 6638): nothing is mailed for what is written
there, and what no groupware tells still is. The calendars are those of the embedded groupware, under such a flag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from mail_kit import Mailroom, invitation
from test_meeting_mail import ACCEPT, CALENDAR, DECLINE, answers, meeting_of, respond, write
from wire import Got, Wire, e

from eas.backends.embedded import mailbox
from eas.engine.model import Folder
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]


@pytest.fixture(autouse=True)
def scheduling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every calendar says that its groupware schedules."""
    def flagged(folder: Folder | None) -> Folder | None:
        return None if folder is None else replace(folder, schedules=folder.item_class == "Calendar")

    kept: Any = mailbox.EmbeddedMailbox
    folders, folder = kept.folders, kept.folder

    async def all_of(self: Any) -> list[Folder | None]:
        return [flagged(one) for one in await folders(self)]

    async def one_of(self: Any, id: str) -> Folder | None:
        return flagged(await folder(self, id))

    monkeypatch.setattr(kept, "folders", all_of)
    monkeypatch.setattr(kept, "folder", one_of)


def added(client_id: str, data: Element) -> Element:
    return e("AirSync:Add", e("ClientId", client_id), data)


async def test_nobody_is_told_of_a_meeting_that_is_made_changed_or_deleted(wire: Wires, room: Mailroom) -> None:
    device = wire(version="16.1")
    folder = (await room.folder("anna", CALENDAR)).id
    key = (await write(device, "0", folder)).text("Collections", "Collection", "SyncKey")
    got = await write(device, key, folder, added("1", meeting_of("carla@example.com")))
    item = got.text("Collections", "Collection", "Responses", "Add", "ServerId")
    moved = Element("AirSync:ApplicationData", (
        e("Calendar:StartTime", "20270303T100000Z"), e("Calendar:EndTime", "20270303T110000Z"),
    ))
    key = got.text("Collections", "Collection", "SyncKey")
    got = await write(device, key, folder, e("AirSync:Change", e("ServerId", item), moved))
    (record,) = await room.records("anna", CALENDAR)
    assert "DTSTART;TZID=Europe/Berlin:20270303T110000" in record
    assert "SEQUENCE:1" in record, "which is for the one who writes to raise"
    key = got.text("Collections", "Collection", "SyncKey")
    await write(device, key, folder, e("AirSync:Delete", e("ServerId", item)))
    assert await room.records("anna", CALENDAR) == []
    assert await answers(room) == []


@pytest.mark.parametrize("response", [ACCEPT, DECLINE])
@pytest.mark.parametrize("where", ["inbox", "calendar"])
async def test_an_answer_that_is_written_is_not_mailed(
    wire: Wires, room: Mailroom, where: str, response: str
) -> None:
    mail = await room.deliver("anna", invitation(), "carla@example.com")
    (entry,) = await room.ids("anna", CALENDAR)
    item = mail if where == "inbox" else entry
    assert await respond(wire(version="16.1"), item, response, send=True) == "1"
    assert await answers(room) == []
    assert len(await room.records("anna", CALENDAR)) == (response == ACCEPT)


async def test_an_answer_to_what_stands_nowhere_is_mailed(wire: Wires, room: Mailroom) -> None:
    """The groupware has nothing in which it could see that the user declines."""
    mail = await room.deliver("anna", invitation(), "carla@example.com")
    (entry,) = await room.ids("anna", CALENDAR)
    await (await room.feed("anna", CALENDAR)).delete(int(entry.rpartition(":")[2]))
    assert await respond(wire(version="16.1"), mail, DECLINE, send=True) == "1"
    assert await answers(room) == ["Declined: Budget"]


async def test_other_times_are_proposed_by_mail(wire: Wires, room: Mailroom) -> None:
    """No groupware does that (COUNTER). RFC 6638 3.2.2"""
    await room.deliver("anna", invitation(), "carla@example.com")
    (entry,) = await room.ids("anna", CALENDAR)
    times = (e("ProposedStartTime", "20270303T100000Z"), e("ProposedEndTime", "20270303T110000Z"))
    assert await respond(wire(version="16.1"), entry, ACCEPT, *times, send=True) == "1"
    assert len(await answers(room)) == 1


async def forward(device: Wire, folder: str, item: str, to: str) -> Got:
    source = e("ComposeMail:Source", e("FolderId", folder), e("ItemId", item))
    guests = e("ComposeMail:Forwardees", e("Forwardee", e("Name", "Carla"), e("Email", to)))
    return await device.post("SmartForward", e("ComposeMail:SmartForward", e("ClientId", "f1"), source, guests))


async def test_who_is_put_on_the_list_by_its_organizer_is_invited_by_the_groupware(wire: Wires, room: Mailroom) -> None:
    device = wire(version="16.1")
    folder = (await room.folder("anna", CALENDAR)).id
    key = (await write(device, "0", folder)).text("Collections", "Collection", "SyncKey")
    got = await write(device, key, folder, added("1", meeting_of("ben@example.com")))
    item = got.text("Collections", "Collection", "Responses", "Add", "ServerId")
    assert (await forward(device, folder, item, "carla@example.com")).body == b""
    (record,) = await room.records("anna", CALENDAR)
    assert "carla@example.com" in record
    assert await answers(room) == []


async def test_who_gets_the_meeting_from_a_guest_hears_of_it_by_mail(wire: Wires, room: Mailroom) -> None:
    """Such a one is on nobody's list."""
    await room.deliver("anna", invitation(), "ben@example.com")
    (entry,) = await room.ids("anna", CALENDAR)
    folder = (await room.folder("anna", CALENDAR)).id
    assert (await forward(wire(version="16.1"), folder, entry, "carla@example.com")).body == b""
    assert len(await answers(room)) >= 1

"""What is done otherwise for devices of a family, seen from the device."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from wire import Got, Wire, e, sync

from eas.engine.model import FolderType
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
IPHONE = {"type": "iPhone", "agent": "Apple-iPhone8C1/1407.60"}
ANDROID = {"type": "Android", "agent": "Android/5.1.1-EAS-1.3"}
GMAIL = {"type": "Android", "agent": "Android-Mail/2026.06.01"}
BLACKBERRY = {"type": "BlackBerry", "agent": "RIM-Q10-SQN100-3/10.3.3"}
PHONE_8 = {"type": "WP8", "agent": "MSFT-WP/8.10.14219"}
NOKIA = {"type": "NokiaE72", "agent": "MailforExchange/3.0"}
OUTLOOK = {"type": "WindowsOutlook15", "agent": "Outlook/15.0 (15.0.4420; MSI; x86)"}
MEEGO = {"type": "MeeGo", "agent": "MeeGo MfE/1.0"}
PLAIN = {"type": "TestPhone", "agent": "wire/1"}

PICTURE = base64.b64encode(b"\xff\xd8\xff a picture").decode()


async def folders(device: Wire) -> list[tuple[str, str]]:
    """Id and type of each folder."""
    got = await device.post("FolderSync", FOLDER_SYNC)
    return [(add.child("FolderHierarchy:ServerId").text, add.child("FolderHierarchy:Type").text)
            for add in got.all("Changes", "Add")]


async def opened(device: Wire, type: FolderType) -> tuple[str, str]:
    """A collection and its first key."""
    id = next(id for id, kind in await folders(device) if kind == str(int(type)))
    return id, (await device.post("Sync", sync("0", id))).text("Collections", "Collection", "SyncKey")


async def added(device: Wire, type: FolderType, *data: Element) -> tuple[str, str, str]:
    """Put an item into a folder: the collection, its next key, the item's id."""
    id, key = await opened(device, type)
    add = e("Add", e("ClientId", "c1"), e("ApplicationData", *data))
    got = await device.post("Sync", sync(key, id, e("Commands", add)))
    answered = got.all("Collections", "Collection", "Responses", "Add")[0]
    assert answered.child("AirSync:Status").text == "1"
    return id, got.text("Collections", "Collection", "SyncKey"), answered.child("AirSync:ServerId").text


async def items(device: Wire, type: FolderType, *options: Element) -> list[Element]:
    id, key = await opened(device, type)
    stated = (e("Options", *options),) if options else ()
    got = await device.post("Sync", sync(key, id, e("GetChanges", "1"), *stated))
    return got.all("Collections", "Collection", "Commands", "Add", "ApplicationData")


NAME = (e("Contacts:FileAs", "Carla"), e("Contacts:FirstName", "Carla"))


@pytest.mark.parametrize(("family", "kept"), [(IPHONE, True), (PLAIN, False)])
async def test_an_empty_picture_of_ios_keeps_the_picture(wire: Wires, family: dict[str, str], kept: bool) -> None:
    device = wire(**family)
    id, key, item = await added(device, FolderType.CONTACTS, *NAME, e("Contacts:Picture", PICTURE))
    change = e("Change", e("ServerId", item), e("ApplicationData", *NAME, e("Contacts:Picture")))
    got = await device.post("Sync", sync(key, id, e("Commands", change)))
    assert got.http == 200
    (contact,) = await items(wire(device="WIRE2"), FolderType.CONTACTS)
    assert (contact.child("Contacts:Picture") is not None) is kept


@pytest.mark.parametrize(("family", "hour"), [(ANDROID, "08"), (BLACKBERRY, "11"), (IPHONE, "00"), (GMAIL, "00")])
async def test_birthdays_are_told_at_the_hour_that_the_family_takes_for_the_day(
    wire: Wires, family: dict[str, str], hour: str
) -> None:
    day = (e("Contacts:Anniversary", "2001-05-06T00:00:00.000Z"), e("Contacts:Birthday", "1970-12-25T00:00:00.000Z"))
    await added(wire(device="WIRE2"), FolderType.CONTACTS, *NAME, *day)
    device = wire(**family)
    (contact,) = await items(device, FolderType.CONTACTS)
    assert contact.child("Contacts:Birthday").text == f"1970-12-25T{hour}:00:00.000Z"
    assert contact.child("Contacts:Anniversary").text == f"2001-05-06T{hour}:00:00.000Z"


@pytest.mark.parametrize(("family", "whole"), [(GMAIL, True), (ANDROID, False)])
async def test_gmail_gets_whole_bodies(wire: Wires, family: dict[str, str], whole: bool) -> None:
    notes = "x" * 3000
    body = e("AirSyncBase:Body", e("Type", "1"), e("Data", notes))
    await added(wire(device="WIRE2"), FolderType.CONTACTS, *NAME, body)
    preference = e("AirSyncBase:BodyPreference", e("Type", "1"), e("TruncationSize", "100"))
    (contact,) = await items(wire(**family), FolderType.CONTACTS, preference)
    told = contact.child("AirSyncBase:Body")
    assert (len(told.child("AirSyncBase:Data").text) == len(notes)) is whole
    assert (told.child("AirSyncBase:Truncated") is None) is whole


APPOINTMENT = (
    e("Calendar:DtStamp", "20260302T090000Z"), e("Calendar:StartTime", "20260310T090000Z"),
    e("Calendar:Subject", "Dentist"), e("Calendar:UID", "dentist-1"), e("Calendar:EndTime", "20260310T100000Z"),
)


async def test_attendees_are_told_even_if_there_are_none(wire: Wires) -> None:
    """Windows Phone 8 takes no appointment without the element."""
    await added(wire(device="WIRE2"), FolderType.CALENDAR, *APPOINTMENT)
    (appointment,) = await items(wire(**PHONE_8), FolderType.CALENDAR)
    assert appointment.child("Calendar:Attendees") is not None


@pytest.mark.parametrize(("family", "all_day"), [(NOKIA, "1"), (PLAIN, "0")])
async def test_an_anniversary_of_nokia_is_a_whole_day(wire: Wires, family: dict[str, str], all_day: str) -> None:
    device = wire(version="12.1", **family)
    await added(
        device, FolderType.CALENDAR,
        e("Calendar:DtStamp", "20260302T090000Z"), e("Calendar:StartTime", "20260310T000000Z"),
        e("Calendar:Subject", "Anna's birthday"), e("Calendar:UID", "birthday-1"),
        e("Calendar:EndTime", "20260310T000000Z"),
        e("Calendar:Recurrence", e("Type", "5"), e("Interval", "1"), e("DayOfMonth", "10"), e("MonthOfYear", "3")),
    )
    (appointment,) = await items(wire(device="WIRE2"), FolderType.CALENDAR)
    assert appointment.child("Calendar:AllDayEvent").text == all_day


@pytest.mark.parametrize(("family", "notes"), [(NOKIA, "Met at the fair")])
async def test_the_notes_of_nokia_are_the_plain_ones(wire: Wires, family: dict[str, str], notes: str) -> None:
    device = wire(version="2.5", **family)
    await added(device, FolderType.CONTACTS, *NAME, e("Contacts:Body", notes), e("Contacts:CompressedRTF"))
    (contact,) = await items(wire(device="WIRE2"), FolderType.CONTACTS)
    assert contact.child("AirSyncBase:Body").child("AirSyncBase:Data").text == notes


async def found(device: Wire, name: str) -> list[Element]:
    store = e("Store", e("Name", "GAL"), e("Query", name), e("Options", e("Range", "0-9")))
    got = await device.post("Search", e("Search:Search", store))
    return got.all("Response", "Store", "Result", "Properties")


@pytest.mark.parametrize(("family", "there"), [(NOKIA, True), (PLAIN, False)])
async def test_nokia_finds_people_by_a_first_name(
    wire: Wires, world: Any, family: dict[str, str], there: bool
) -> None:
    await world.admin.change_user("ben@example.com", first_name="", name="Ben Miller")
    (ben,) = await found(wire(**family), "ben")
    assert (ben.child("GAL:FirstName") is not None) is there
    assert not there or ben.child("GAL:FirstName").text == "Ben"


@pytest.mark.parametrize(("family", "shown"), [(OUTLOOK, False), (PHONE_8, False), (ANDROID, True)])
async def test_families_that_take_one_calendar_are_shown_one(
    wire: Wires, family: dict[str, str], shown: bool
) -> None:
    other = wire(device="WIRE2")
    key = (await other.post("FolderSync", FOLDER_SYNC)).text("SyncKey")
    for type, name in ((FolderType.USER_CALENDAR, "Trips"), (FolderType.USER_MAIL, "Lists")):
        made = await other.post("FolderCreate", e(
            "FolderHierarchy:FolderCreate", e("SyncKey", key), e("ParentId", "0"), e("DisplayName", name),
            e("Type", str(int(type))),
        ))
        assert made.status == "1"
        key = made.text("SyncKey")
    types = [type for _, type in await folders(wire(**family))]
    assert ("13" in types) is shown
    assert {"8", "9", "12"} <= set(types)


@pytest.mark.parametrize(("family", "empty"), [(MEEGO, False), (PLAIN, True)])
async def test_meego_gets_no_empty_answers(wire: Wires, family: dict[str, str], empty: bool) -> None:
    device = wire(version="12.1", **family)
    id, key = await opened(device, FolderType.CONTACTS)
    got: Got = await device.post("Sync", sync(key, id))
    assert (got.http, not got.body) == (200, empty)
    assert empty or got.text("Collections", "Collection", "Status") == "1"


async def test_an_empty_id_of_blackberry_10_is_passed_over(wire: Wires) -> None:
    device = wire(**BLACKBERRY)
    id, key = await opened(device, FolderType.CONTACTS)
    add = e("Add", e("ServerId"), e("ClientId", "c1"), e("ApplicationData", *NAME))
    got = await device.post("Sync", sync(key, id, e("Commands", add)))
    assert got.all("Collections", "Collection", "Responses", "Add")[0].child("AirSync:Status").text == "1"


async def test_outlook_needs_no_device_information(wire: Wires) -> None:
    body = e("Provision:Provision", e("Policies", e("Policy", e("PolicyType", "MS-EAS-Provisioning-WBXML"))))
    assert (await wire(**OUTLOOK).post("Provision", body)).status == "1"


async def test_a_quirk_that_was_switched_off_is_off(wire: Wires, world: Any) -> None:
    device = wire(**OUTLOOK)
    await folders(device)
    off = {"provision-without-device-information": False}
    await world.store.alter_device(world.ids["anna"], device.device, lambda found: replace(found, quirks=off))
    body = e("Provision:Provision", e("Policies", e("Policy", e("PolicyType", "MS-EAS-Provisioning-WBXML"))))
    assert (await device.post("Provision", body)).status == "165"


# Done for every device ----------------------------------------------------------------------------------------------


async def test_no_id_begins_with_0(wire: Wires) -> None:
    device = wire()
    _, _, item = await added(device, FolderType.CONTACTS, *NAME)
    assert not any(id.startswith("0") for id, _ in await folders(device))
    assert not item.startswith("0")


async def test_every_mailbox_has_an_outbox_and_drafts(wire: Wires) -> None:
    types = {type for _, type in await folders(wire(**ANDROID))}
    assert {str(int(FolderType.OUTBOX)), str(int(FolderType.DRAFTS))} <= types


async def test_a_device_without_a_name_is_the_device_that_it_was(wire: Wires, world: Any) -> None:
    device = wire(**BLACKBERRY)
    await added(device, FolderType.CONTACTS, *NAME, e("Contacts:Birthday", "1970-12-25T00:00:00.000Z"))
    nameless = wire(agent="", type=BLACKBERRY["type"])
    (contact,) = await items(nameless, FolderType.CONTACTS)
    assert contact.child("Contacts:Birthday").text == "1970-12-25T11:00:00.000Z"
    assert (await world.device()).agent == BLACKBERRY["agent"]

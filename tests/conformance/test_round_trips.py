"""Every named field from device to server to a second device, and by way of the stored object that somebody else edits.

One journey for a class and a version: a device adds an item with all fields; another program replaces the stored object
by its own form of it, with properties that EAS has no word for; a second device changes all fields; the first changes
one; the second takes away what can be taken away. Each step is looked at from the other device and in what is stored.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from house import House, open_house
from round_trip_data import (
    APPOINTMENT,
    BERLIN,
    CONTACT,
    DEAD,
    PROGRESS,
    REGENERATING,
    TASK,
    UNSAID_OF_APPOINTMENT,
    UNSAID_OF_CONTACT,
    UNSAID_OF_TASK,
    Field,
    appointment,
    contact,
    foreign_card,
    foreign_event,
    foreign_task,
    task,
)

from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState, Folder
from eas.client.phone import Phone
from eas.engine.classes import RECORDS
from eas.engine.model import FolderType
from eas.engine.ports import Horizon
from eas.items.appointment import Appointment, BusyStatus, Sensitivity
from eas.items.native import Record
from eas.items.timezone import blob_of
from eas.protocol.version import Version

#: Takes more than a few seconds.
pytestmark = pytest.mark.long

ANNA, DOMAIN = "anna", "example.com"
VERSIONS = (Version.V12_1, Version.V14_0, Version.V14_1)


@dataclass(frozen=True, kw_only=True)
class Class:
    name: str
    folder: FolderType
    fields: dict[str, Field]
    said: Callable[[str], Any]
    foreign: Callable[[str], bytes]
    unsaid: tuple[str, ...]
    #: The field that is changed alone, to what, and the lines that may differ then.
    alone: tuple[str, Any, tuple[str, ...]]
    versions: tuple[Version, ...] = VERSIONS


CLASSES = {
    one.name: one
    for one in (
        Class(
            name="Contacts", folder=FolderType.CONTACTS, fields=CONTACT, said=contact, foreign=foreign_card,
            unsaid=UNSAID_OF_CONTACT, alone=("job_title", "Fourth", ("TITLE", "REV")),
            versions=tuple(Version),
        ),
        Class(
            name="Calendar", folder=FolderType.CALENDAR, fields=APPOINTMENT, said=appointment, foreign=foreign_event,
            unsaid=UNSAID_OF_APPOINTMENT,
            alone=("location", "Fourth", ("LOCATION", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE")),
        ),
        Class(
            name="Tasks", folder=FolderType.TASKS, fields=TASK, said=task, foreign=foreign_task,
            unsaid=UNSAID_OF_TASK, alone=("subject", "Fourth", ("SUMMARY", "DTSTAMP", "LAST-MODIFIED")),
            versions=tuple(Version),
        ),
    )
}


@dataclass(kw_only=True)
class Journey:
    """What was seen: `told` are the item as the other device read it, `stored` the lines of the object, by step."""

    told: dict[str, Any] = field(default_factory=dict)
    stored: dict[str, list[str]] = field(default_factory=dict)


def device(house: House, name: str, version: Version) -> Phone:
    line = Connection(
        "http://mail.example.com", Credentials(user=ANNA, password=f"{ANNA}-secret"), Identity(device_id=name),
        version=version, transport=httpx.ASGITransport(house.app.asgi),
    )
    return Phone(DeviceState.new(name), line)


async def ready(house: House, name: str, version: Version) -> Phone:
    phone = device(house, name, version)
    await phone.set_up(version)
    await phone.sync()
    return phone


async def records(house: House, kind: FolderType) -> list[Record]:
    feed = (await house.mailbox(ANNA)).feed(await house.folder(ANNA, kind))
    ids = sorted((await feed.delta(None, Horizon())).touched)
    return [item async for item in feed.fetch(ids, None) if isinstance(item, Record)]


async def lines(house: House, kind: FolderType) -> list[str]:
    (record,) = await records(house, kind)
    return record.data.decode().replace("\r\n ", "").rstrip("\r\n").split("\r\n")


async def rewrite(house: House, kind: FolderType, content: Callable[[str], bytes]) -> None:
    """Somebody else writes the one object of the folder anew, under its UID."""
    (record,) = await records(house, kind)
    feed = (await house.mailbox(ANNA)).feed(await house.folder(ANNA, kind))
    uid = next(line.partition(":")[2] for line in await lines(house, kind) if line.startswith("UID:"))
    await feed.update(record.id, content(uid), record.version)


async def travel(data: Path, kind: Class, version: Version) -> Journey:
    journey = Journey()
    async with open_house(data, DOMAIN) as house:
        one, two = await ready(house, "ONE", version), await ready(house, "TWO", version)
        mine, theirs = one.state.folder(kind.folder), two.state.folder(kind.folder)

        async def step(name: str, saying: Phone | None, hearing: Phone) -> None:
            """The one says what is pending, the other reads it."""
            for phone, folder in ((saying, mine if saying is one else theirs), (hearing, of(hearing))):
                if phone is not None:
                    report = await phone.sync([folder])
                    assert not report.failures, (name, report.failures)
            (item,) = of(hearing).items.values()
            journey.told[name] = item.read(RECORDS[kind.name].message, version)
            journey.stored[name] = await lines(house, kind.folder)

        def of(phone: Phone) -> Folder:
            return mine if phone is one else theirs

        def change(phone: Phone, item: Any, **more: Any) -> None:
            (name,) = of(phone).items
            values = {each.attribute: getattr(item, each.attribute) for each in kind.fields.values()}
            phone.edit(of(phone), name, **values, **more)

        one.add(mine, kind.said("first"))
        await step("added", one, two)
        await rewrite(house, kind.folder, kind.foreign)
        await step("rewritten", None, one)
        await step("rewritten, seen by two", None, two)
        change(two, kind.said("third"))
        await step("changed", two, one)
        attribute, value, _ = kind.alone
        (name,) = mine.items
        one.edit(mine, name, **{attribute: value})
        await step("one field", one, two)
        # A name under which a contact is filed stands for the name that it lacks.
        change(two, kind.said(""), **({"file_as": None} if kind.name == "Contacts" else {}))
        await step("removed", two, one)
        for phone in (one, two):
            await phone.connection.close()
    return journey


@pytest.fixture(scope="module")
def journey(
    office: tuple[Path, Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Version], Journey]:
    """Each is made once; the tests look at it from many sides."""

    @cache
    def made(name: str, version: Version) -> Journey:
        data = tmp_path_factory.mktemp("journey") / "data"
        shutil.copytree(office[0], data)
        return asyncio.run(travel(data, CLASSES[name], version))

    return made


def rows(kinds: dict[str, Class], *, fields: bool) -> list[Any]:
    """Class, version and, if asked for, field: what is tested of each class in its versions."""
    return [
        pytest.param(*(kind.name, name, version)[:: 1 if fields else 2], id=f"{kind.name}-{name}-{version.text}")
        for kind in kinds.values() for version in kind.versions for name in (kind.fields if fields else ("",))
    ]


FIELDS, KINDS = rows(CLASSES, fields=True), rows(CLASSES, fields=False)


@pytest.mark.parametrize(("kind", "name", "version"), FIELDS)
def test_a_field_goes_from_device_to_device(journey: Any, kind: str, name: str, version: Version) -> None:
    made, one = journey(kind, version), CLASSES[kind].fields[name]
    assert one.of(made.told["added"]) == one.first
    assert one.stands_in(made.stored["added"]), made.stored["added"]


@pytest.mark.parametrize(("kind", "name", "version"), FIELDS)
def test_a_field_that_somebody_else_wrote_comes_to_both_devices(
    journey: Any, kind: str, name: str, version: Version
) -> None:
    made, one = journey(kind, version), CLASSES[kind].fields[name]
    assert one.of(made.told["rewritten"]) == one.second
    assert one.of(made.told["rewritten, seen by two"]) == one.second


@pytest.mark.parametrize(("kind", "name", "version"), FIELDS)
def test_a_field_is_changed_and_removed(journey: Any, kind: str, name: str, version: Version) -> None:
    made, one = journey(kind, version), CLASSES[kind].fields[name]
    third = one.third.strip("\n") if one.attribute == "body" else one.third
    changed = one.of(made.told["changed"])
    assert (changed.strip("\n") if one.attribute == "body" else changed) == third
    if one.removable:
        assert not one.of(made.told["removed"])


@pytest.mark.parametrize(("kind", "version"), KINDS)
def test_what_eas_cannot_say_survives_every_edit(journey: Any, kind: str, version: Version) -> None:
    """Octet for octet, in its order; also where a device takes away all that it can."""
    made, unsaid = journey(kind, version), CLASSES[kind].unsaid
    for step in ("rewritten", "changed", "one field", "removed"):
        kept = [line for line in made.stored[step] if line in unsaid]
        assert kept == list(unsaid), step


@pytest.mark.parametrize(("kind", "version"), KINDS)
def test_an_edit_of_one_field_changes_one_line(journey: Any, kind: str, version: Version) -> None:
    made, (attribute, value, names) = journey(kind, version), CLASSES[kind].alone
    assert getattr(made.told["one field"], attribute) == value
    before, after = set(made.stored["changed"]), set(made.stored["one field"])
    assert {line.partition(":")[0].partition(";")[0] for line in before ^ after} <= set(names)
    assert before ^ after


# What takes an item of its own --------------------------------------------------------------------------------------


async def there_and_back(house: House, kind: FolderType, version: Version, *items: Any) -> list[Any]:
    """What a second device reads of what a first one adds, in the same order."""
    one = await ready(house, "ONE", version)
    folder = one.state.folder(kind)
    names = [one.add(folder, item) for item in items]
    report = await one.sync([folder])
    assert not report.failures
    created = report.changes[folder.id].created
    two = await ready(house, "TWO", version)
    found = two.state.folder(kind).items
    message = RECORDS[folder.item_class].message
    for phone in (one, two):
        await phone.connection.close()
    return [found[created[name]].read(message, version) for name in names]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.text)
async def test_every_busy_status_and_sensitivity(house: House, version: Version) -> None:
    start = datetime(2027, 3, 2, 9, tzinfo=UTC)
    plain = Appointment(
        timezone=blob_of(BERLIN, 2027), start_time=start, end_time=start + timedelta(hours=1), all_day_event=False
    )
    items = [
        *(replace(plain, subject=f"{status.name}", busy_status=status) for status in list(BusyStatus)[1:5]),
        *(replace(plain, subject=f"{word.name}", sensitivity=word) for word in Sensitivity),
    ]
    found = await there_and_back(house, FolderType.CALENDAR, version, *items)
    assert [item.subject for item in found] == [item.subject for item in items]
    assert [item.busy_status for item in found[:4]] == list(BusyStatus)[1:5]
    assert [item.sensitivity for item in found[4:]] == list(Sensitivity)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.text)
async def test_an_all_day_event_stays_on_its_days(house: House, version: Version) -> None:
    """Up to 14.1: from midnight to midnight where the device is."""
    zone = blob_of(BERLIN, 2027)
    begin = datetime(2027, 3, 27, tzinfo=BERLIN).astimezone(UTC)
    end = datetime(2027, 3, 29, tzinfo=BERLIN).astimezone(UTC)  # summer time begins meanwhile
    item = Appointment(subject="Trip", timezone=zone, start_time=begin, end_time=end, all_day_event=True)
    (found,) = await there_and_back(house, FolderType.CALENDAR, version, item)
    assert (found.all_day_event, found.start_time, found.end_time) == (True, begin, end)
    stored = await lines(house, FolderType.CALENDAR)
    assert "DTSTART;VALUE=DATE:20270327" in stored
    assert "DTEND;VALUE=DATE:20270329" in stored


@pytest.mark.parametrize("version", Version, ids=lambda version: version.text)
async def test_tasks_that_come_again(house: House, version: Version) -> None:
    found = await there_and_back(house, FolderType.TASKS, version, REGENERATING, DEAD)
    for item, sent in zip(found, (REGENERATING, DEAD), strict=True):
        for name in ("type", "interval", "day_of_week", "day_of_month", "occurrences", "start", "regenerate"):
            assert getattr(item.recurrence, name) == getattr(sent.recurrence, name), name
        assert (item.recurrence.dead_occur or 0) == (sent.recurrence.dead_occur or 0)
        assert (item.complete, item.date_completed) == (sent.complete, sent.date_completed)
        assert (item.utc_due_date, item.due_date) == (sent.utc_due_date, sent.due_date)
    kept = [record.data.decode() for record in await records(house, FolderType.TASKS)]
    assert "RRULE:FREQ=WEEKLY" in kept[0]
    assert "\nRRULE" not in kept[1], "it would repeat as done"


@pytest.mark.parametrize("version", Version, ids=lambda version: version.text)
async def test_how_far_a_task_is_survives_until_it_is_done(house: House, version: Version) -> None:
    await house.store(ANNA, FolderType.TASKS, foreign_task("progress"))
    phone = await ready(house, "ONE", version)
    folder = phone.state.folder(FolderType.TASKS)
    (name,) = folder.items
    phone.edit(folder, name, subject="Renamed")
    await phone.sync([folder])
    stored = await lines(house, FolderType.TASKS)
    assert "SUMMARY:Renamed" in stored
    assert set(PROGRESS) <= set(stored)
    phone.edit(folder, name, complete=True, date_completed=datetime(2027, 4, 1, tzinfo=UTC))
    await phone.sync([folder])
    assert "STATUS:COMPLETED" in await lines(house, FolderType.TASKS)
    await phone.connection.close()


@pytest.mark.parametrize("version", Version, ids=lambda version: version.text)
async def test_a_distribution_list_keeps_its_members(house: House, version: Version) -> None:
    """EAS has none: it is a contact to a device, and stays a list to everybody else."""
    members = ["MEMBER:urn:uuid:03a0e51f", "MEMBER:mailto:somebody@example.test"]
    card = ["BEGIN:VCARD", "VERSION:4.0", "UID:list", "KIND:group", "FN:The team", *members, "END:VCARD", ""]
    await house.store(ANNA, FolderType.CONTACTS, "\r\n".join(card).encode())
    phone = await ready(house, "ONE", version)
    folder = phone.state.folder(FolderType.CONTACTS)
    (name,) = folder.items
    phone.edit(folder, name, job_title="Those who do it")
    await phone.sync([folder])
    stored = await lines(house, FolderType.CONTACTS)
    assert "TITLE:Those who do it" in stored
    assert [line for line in stored if line.startswith(("MEMBER", "KIND"))] == ["KIND:group", *members]
    await phone.connection.close()

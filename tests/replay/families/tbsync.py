"""Thunderbird with EAS-4-TbSync: DeviceType TbSync, agent `Thunderbird ActiveSync`, 16.1, 14.1 or 2.5.

Known from the wire: headers and their case, OPTIONS and DeviceInformation at every sync, FolderSync each time, one
collection a request, GetItemEstimate, empty DeletesAsMoves and GetChanges, windows of 25, FilterType 7 for calendars,
pushes with GetChanges 0, Adds with empty Attendees, Categories and Body. It has no mail.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import day, setting_up
from .device import Device
from .manner import WRITTEN, Manner
from .story import Story, first_sync, quirks

_ORIGIN = "moz-extension://0a1b2c3d-0000-4000-8000-00000000e4a5"
_PLAIN = "<airsyncbase:BodyPreference><airsyncbase:Type>1</airsyncbase:Type></airsyncbase:BodyPreference>"
_TAIL = (
    ("accept", "*/*"), ("accept-language", "en-US"), ("accept-encoding", "gzip, deflate, br, zstd"),
)


def _wants(item_class: str, more: str = "") -> str:
    return f"{more}<Class>{item_class}</Class><Conflict>1</Conflict>{_PLAIN}"


NEW = Manner(
    folder="tbsync-16.1", name="TbSync (16.1)", device_id="MZTB0a1b2c3d4e5f", device_type="TbSync",
    agent="Thunderbird ActiveSync", version=Version.V16_1, origin=f"{WRITTEN} (the program was watched on the wire)",
    notes=("certain: all but the values of ids", "uncertain: the order of headers in other releases"),
    headers=(
        ("host", "{host}"), ("user-agent", "{agent}"), *_TAIL, ("content-type", "{type}"),
        ("authorization", "{authorization}"), ("ms-asprotocolversion", "{version}"), ("x-ms-policykey", "{policy}"),
        ("origin", _ORIGIN),
    ),
    asking=(
        ("host", "{host}"), ("user-agent", "{agent}"), *_TAIL, ("authorization", "{authorization}"),
        ("origin", _ORIGIN),
    ),
    provisions="asked", information=(
        "<settings:Model>Computer</settings:Model><settings:FriendlyName>TbSync on Device 0A1B</settings:FriendlyName>"
        "<settings:OS>Linux</settings:OS><settings:UserAgent>Thunderbird ActiveSync</settings:UserAgent>"
    ),
    information_in_provision=False, no_policy_key=True,
    wants={
        "Contacts": _wants("Contacts"), "Calendar": _wants("Calendar", "<FilterType>7</FilterType>"),
        "Tasks": _wants("Tasks"),
    },
    window=25, later={"DeletesAsMoves": "", "GetChanges": ""}, estimates=True,
    folders=(FolderType.CONTACTS, FolderType.CALENDAR, FolderType.TASKS),
)
MIDDLE = replace(NEW, folder="tbsync-14.1", name="TbSync (14.1)", version=Version.V14_1, device_id="MZTB0a1b2c3d4e60")
OLD = replace(
    NEW, folder="tbsync-2.5", name="TbSync (2.5)", version=Version.V2_5, device_id="MZTB0a1b2c3d4e61",
    wants={"Contacts": "<Conflict>1</Conflict>", "Calendar": "<FilterType>7</FilterType><Conflict>1</Conflict>",
           "Tasks": "<Conflict>1</Conflict>"},
    information="",
)

#: No time zone: 172 octets of 0.
ZEROS = b64encode(bytes(172)).decode()
_EMPTY_BODY = (
    "<airsyncbase:Body><airsyncbase:Type>1</airsyncbase:Type><airsyncbase:EstimatedDataSize>0"
    "</airsyncbase:EstimatedDataSize><airsyncbase:Data/></airsyncbase:Body>"
)


async def begin(d: Device) -> None:
    """Every sync begins so."""
    if not d.folders:
        await d.options()
    if d.manner.information:
        await setting_up.tell_information(d)
    await setting_up.folder_sync(d)


async def push(d: Device) -> None:
    """Adds and changes go with GetChanges 0 and the options once more, then the folder is looked at."""
    folder = d.of(FolderType.CONTACTS)
    await day.add(d, folder, (
        "<contacts:FileAs>Vogt, Tom</contacts:FileAs><contacts:FirstName>Tom</contacts:FirstName>"
        "<contacts:LastName>Vogt</contacts:LastName><contacts:Email1Address>tom@example.org</contacts:Email1Address>"
    ), GetChanges="0")
    id = d.item(folder, "Costa")
    await day.change(d, folder, id, (
        "<contacts:FileAs>Costa, Cleo</contacts:FileAs><contacts:FirstName>Cleo</contacts:FirstName>"
        "<contacts:LastName>Costa</contacts:LastName><contacts:CompanyName>Costa Timber</contacts:CompanyName>"
        "<contacts:MobilePhoneNumber>+49 170 5550188</contacts:MobilePhoneNumber>"
    ), GetChanges="0")
    await begin(d)
    await setting_up.sync(d, folder)


async def appointment(d: Device) -> None:
    """With empty Attendees, Categories and, up to 14.1, Body; a time zone of zeros up to 14.1, none at 16.1."""
    folder, new = d.of(FolderType.CALENDAR), d.version >= Version.V16_0
    old = "" if new else (
        "<calendar:DtStamp>20261116T080000Z</calendar:DtStamp><calendar:UID>tbsync-1@example.com</calendar:UID>"
    )
    await day.add(d, folder, (
        f"<calendar:Timezone>{ZEROS}</calendar:Timezone><calendar:AllDayEvent>0</calendar:AllDayEvent>{_body(d)}<calendar:BusyStatus>2</calendar:BusyStatus>{old}"
        "<calendar:EndTime>20261120T140000Z</calendar:EndTime><calendar:Sensitivity>0</calendar:Sensitivity>"
        "<calendar:Subject>Glue</calendar:Subject><calendar:StartTime>20261120T130000Z</calendar:StartTime>"
        "<calendar:MeetingStatus>0</calendar:MeetingStatus>" + _empty(d)
    ), GetChanges="0")
    await setting_up.sync(d, folder)


def _body(d: Device) -> str:
    return _EMPTY_BODY if d.version == Version.V14_1 else ""


def _empty(d: Device) -> str:
    return "" if d.version >= Version.V16_0 else "<calendar:Attendees/><calendar:Categories/>"


async def task(d: Device) -> None:
    await day.finish_task(d)


async def primes_again(d: Device) -> None:
    """As after a key that a server has refused: from key 0, and the Add is sent once more."""
    folder = d.of(FolderType.CONTACTS)
    folder.key, folder.items = "0", {}
    await setting_up.sync(d, folder)
    await setting_up.estimate(d, folder)
    await setting_up.fill(d, folder)
    await push(d)


def a_day(manner: Manner) -> Story:
    async def play(d: Device) -> None:
        await begin(d)
        await setting_up.first_sync(d)
        for step in (push, appointment, task):
            await begin(d)
            await step(d)
        d.say("somebody is looked for")
        await day.search_people(d)
        d.pass_(minutes=15)
        await begin(d)
        for type in manner.folders:
            await setting_up.sync(d, d.of(type))

    return Story(manner=manner, file="working-day", title="contacts, appointments and tasks of a day", play=play)


STORIES = (
    first_sync(NEW, begin),
    a_day(NEW),
    quirks(
        NEW, ("primed again, and pushed again: a duplicate", primes_again),
        title="what TbSync does after a refused key", fetched=(FolderType.CONTACTS,), begin=begin,
    ),
    first_sync(MIDDLE, begin),
    a_day(MIDDLE),
    quirks(
        MIDDLE, ("primed again, and pushed again: a duplicate", primes_again),
        title="what TbSync does after a refused key, at 14.1", fetched=(FolderType.CONTACTS,), begin=begin,
    ),
    first_sync(OLD, begin),
    a_day(OLD),
)

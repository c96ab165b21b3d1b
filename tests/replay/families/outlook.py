"""Outlook for Windows (DeviceType WindowsOutlook15) and Windows Mail (WindowsMail).

Known: no Provision; no DeviceInformation; windows of 512; Outlook shows what it moved twice if the server adds it after
MoveItems; MeetingResponse for the appointment; iMIP sent by itself; Windows Mail's base64 query. Not known: order of
headers, what it asks of bodies.
"""

from __future__ import annotations

from dataclasses import replace

from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import day, setting_up
from .device import Device
from .ios import answer_in_calendar
from .manner import Manner
from .story import POLICY, Story, first_sync, quirks, working_day

_WHOLE = "<airsyncbase:BodyPreference><airsyncbase:Type>{}</airsyncbase:Type></airsyncbase:BodyPreference>"
WANTS = {
    "Email": "<FilterType>5</FilterType>" + _WHOLE.format(2) + _WHOLE.format(1) + "<MIMESupport>1</MIMESupport>",
    "Calendar": "<FilterType>0</FilterType>" + _WHOLE.format(1), "Contacts": _WHOLE.format(1),
    "Tasks": _WHOLE.format(1),
}
OUTLOOK = Manner(
    folder="outlook-14.0", name="Outlook 2016 (14.0)", device_id="0123456789ABCDEF0123456789ABCDEF",
    device_type="WindowsOutlook15", agent="Outlook/16.0 (16.0.4266.1001; MSI; x64)", version=Version.V14_0,
    provisions="never",
    notes=(
        "certain: device type, no Provision, windows of 512, MeetingResponse in the calendar, no Add after MoveItems",
        "uncertain: agent in each release, headers, what it asks of bodies, heartbeats",
    ),
    headers=(
        ("Connection", "Keep-Alive"), ("Content-Type", "{type}"), ("Authorization", "{authorization}"),
        ("User-Agent", "{agent}"), ("MS-ASProtocolVersion", "{version}"), ("Accept", "*/*"), ("Host", "{host}"),
    ),
    asking=(("Authorization", "{authorization}"), ("User-Agent", "{agent}"), ("Host", "{host}")),
    wants=WANTS, fetch=_WHOLE.format(4) + "<airsync:MIMESupport>2</airsync:MIMESupport>", window=512,
    folders=(
        FolderType.INBOX, FolderType.SENT_ITEMS, FolderType.CONTACTS, FolderType.CALENDAR, FolderType.TASKS,
    ),
    heartbeat=540,
)
MAIL = replace(
    OUTLOOK, folder="windows-mail-14.1", name="Windows Mail (14.1)", device_id="89ABCDEF0123456789ABCDEF01234567",
    device_type="WindowsMail", agent="MSFT-WIN-4/10.0.19041", version=Version.V14_1, base64=True,
    provisions="asked", waits="sync",
    notes=(
        "certain: device type, base64 query, no DeviceInformation in Provision, one folder of each kind",
        "uncertain: everything else, for which Outlook stands",
    ),
    folders=(FolderType.INBOX, FolderType.CONTACTS, FolderType.CALENDAR), together=True,
)


async def add_after_move(d: Device) -> None:
    """The new folder is fetched after the move: Windows Mail is told of the mail once more, Outlook is not. The mail is
    read there."""
    place = d.of(FolderType.USER_MAIL, "Projects")
    await setting_up.sync(d, place)
    await setting_up.fill(d, place)
    await day.move(d, "Words of the week")
    await setting_up.sync(d, place)
    await day.change(d, place, d.item(place, "Words"), "<email:Read>1</email:Read>")


async def old_ids(d: Device) -> None:
    """FolderSync is asked for from the beginning, and the keys are kept."""
    d.folder_key = "0"
    await setting_up.folder_sync(d)
    await setting_up.sync(d, d.of(FolderType.INBOX))


async def folder_gone(d: Device) -> None:
    """Status 12 is passed over until the server says 3; then FolderSync is asked for, and what is gone all the same."""
    place = d.of(FolderType.USER_MAIL, "Projects")
    request = setting_up.sync_of([setting_up.collection(d, place)])
    got = await d.post("FolderDelete", (
        f'<FolderDelete xmlns="FolderHierarchy"><SyncKey>{d.folder_key}</SyncKey><ServerId>{place.id}</ServerId>'
        "</FolderDelete>"
    ))
    d.folder_key = got.text("FolderHierarchy:SyncKey")
    for _ in range(4):
        await d.post("Sync", request)
    await setting_up.folder_sync(d)
    await d.post("Sync", request)


async def unprovisioned(d: Device) -> None:
    """It goes on without a policy key, whatever a server says."""
    await setting_up.sync(d, d.of(FolderType.INBOX))


async def gone(d: Device) -> None:
    await setting_up.account(d)
    place = d.of(FolderType.USER_MAIL, "Projects")
    await setting_up.sync(d, place)
    await setting_up.fill(d, place)
    d.say("the folder is deleted, but not for the part of it that synchronises")
    await folder_gone(d)


async def locked_out(d: Device) -> None:
    """It asks for no policy, so that it is not let in where one is enforced, and is where one is only offered."""
    await d.options()
    d.say("the server enforces a policy, and Outlook never asks for one")
    await d.rule(POLICY)
    for _ in range(3):
        await setting_up.folder_sync(d)
        d.pass_(minutes=1)
    d.say("the policy is only offered now")
    await d.rule({**POLICY, "enforced": False})
    await setting_up.folder_sync(d)
    await setting_up.first_sync(d, FolderType.INBOX)


STORIES = (
    first_sync(OUTLOOK),
    working_day(OUTLOOK),
    Story(
        manner=OUTLOOK, file="policy", title="an enforced policy locks out a program that never asks for one",
        play=locked_out, expected=("policy-loop",),
    ),
    Story(
        manner=OUTLOOK, file="folder-gone", title="a folder is deleted, and its Sync goes on: Status 12, then 3",
        play=gone, expected=("folders-ignored", "key-refused"),
    ),
    quirks(
        OUTLOOK, ("moved, and not told of again in the new folder", add_after_move),
        ("folders from the beginning, items by their old ids", old_ids),
        ("the invitation is answered in the calendar", answer_in_calendar), ("no policy key", unprovisioned),
        title="what only Outlook does", fetched=(FolderType.INBOX, FolderType.CALENDAR),
    ),
    first_sync(MAIL),
    working_day(MAIL, without=(day.finish_task,)),
    quirks(
        MAIL, ("moved, and met again in the new folder", add_after_move),
        ("the invitation is answered in the calendar", answer_in_calendar), ("no policy key", unprovisioned),
        title="what Windows Mail does as Outlook does", fetched=(FolderType.INBOX, FolderType.CALENDAR),
    ),
)

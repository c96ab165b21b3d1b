"""Windows Phone 8: DeviceType WP8, the base64 query, its agent in OPTIONS only.

Known: no agent but in OPTIONS; one folder of each kind; Preview; wants Attendees; no second FolderDelete. Not known:
windows, heartbeats, order of headers.
"""

from __future__ import annotations

from eas.engine.model import FolderType
from eas.protocol.query import COMMANDS
from eas.protocol.version import Version

from . import day, setting_up
from .device import Device
from .manner import Manner
from .story import first_sync, quirks, working_day

_PREVIEW = (
    "<airsyncbase:BodyPreference><airsyncbase:Type>{}</airsyncbase:Type>"
    "<airsyncbase:TruncationSize>{}</airsyncbase:TruncationSize><airsyncbase:Preview>{}</airsyncbase:Preview>"
    "</airsyncbase:BodyPreference>"
)
_CUT = (
    "<airsyncbase:BodyPreference><airsyncbase:Type>1</airsyncbase:Type>"
    "<airsyncbase:TruncationSize>5120</airsyncbase:TruncationSize></airsyncbase:BodyPreference>"
)
WP8 = Manner(
    folder="windows-phone-14.1", name="Windows Phone 8 (14.1)", device_id="2F1E0D3C5B4A69788796A5B4C3D2E1F0",
    device_type="WP8", agent="MSFT-WP/8.0.10521", version=Version.V14_1, base64=True, unnamed=frozenset(COMMANDS),
    notes=("certain: agent in OPTIONS only, base64 query, Preview", "uncertain: sizes, windows, heartbeats, headers"),
    headers=(
        ("Content-Type", "{type}"), ("Accept-Language", "en-US"), ("User-Agent", "{agent}"), ("Host", "{host}"),
        ("Cache-Control", "no-cache"), ("Connection", "Keep-Alive"), ("Authorization", "{authorization}"),
    ),
    information=(
        "<settings:Model>RM-821_eu_euro1_217</settings:Model>"
        "<settings:FriendlyName>Windows Phone</settings:FriendlyName>"
        "<settings:OS>Windows Phone8.0.10521</settings:OS><settings:OSLanguage>English</settings:OSLanguage>"
        "<settings:UserAgent>MSFT-WP/8.0.10521</settings:UserAgent>"
    ),
    wants={
        "Email": "<FilterType>2</FilterType><Conflict>1</Conflict>" + _PREVIEW.format(2, 5120, 100)
        + "<MIMESupport>0</MIMESupport>",
        "Calendar": "<FilterType>4</FilterType><Conflict>1</Conflict>" + _CUT,
        "Contacts": "<Conflict>1</Conflict>" + _CUT,
        "Tasks": "<FilterType>0</FilterType><Conflict>1</Conflict>" + _CUT,
    },
    fetch=(
        "<airsync:MIMESupport>0</airsync:MIMESupport><airsyncbase:BodyPreference><airsyncbase:Type>2</airsyncbase:Type>"
        "</airsyncbase:BodyPreference>"
    ),
    window=100, heartbeat=540, waits="sync",
    folders=(FolderType.INBOX, FolderType.CONTACTS, FolderType.CALENDAR, FolderType.TASKS), together=True,
    signature="\nSent from my Windows Phone\n",
)


async def empty_syncs(d: Device) -> None:
    """A hanging Sync that brings nothing, and the same again as an empty one."""
    wait = day.passing(d, d.manner.heartbeat)
    await setting_up.sync(d, d.of(FolderType.INBOX))
    await d.post("Sync", day.hanging_of(d, [d.of(FolderType.INBOX)]), during=wait)
    await d.post("Sync", during=wait)


async def meeting(d: Device) -> None:
    """An appointment without anybody: Attendees has to be there in what comes back."""
    folder = d.of(FolderType.CALENDAR)
    await day.new_appointment(d)
    await setting_up.sync(d, folder)


STORIES = (
    first_sync(WP8),
    working_day(WP8),
    quirks(
        WP8, ("an appointment, which comes with an empty Attendees", meeting),
        ("an empty Sync after a long wait", empty_syncs),
        title="what only Windows Phone does", fetched=(FolderType.INBOX, FolderType.CALENDAR),
    ),
)

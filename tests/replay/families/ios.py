"""iPhone and iPad: DeviceType iPhone, agent Apple-MODEL/BUILD.

Known: the agent's form and its builds; autodiscover in mixed case; a Ping before the first Sync; SyncKey 0 asked twice;
a small preview, the rest by ItemOperations when a mail is opened; an empty Picture with each edit of a contact; Find
with an id that stands for all mailboxes; MeetingResponse for the appointment. Not known: the order of its folders, its
window, the sizes of its previews in each release.
"""

from __future__ import annotations

from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import day, setting_up
from .device import Device
from .manner import Manner
from .story import Story

HEADERS = (
    ("Host", "{host}"), ("X-MS-PolicyKey", "{policy}"), ("User-Agent", "{agent}"),
    ("MS-ASProtocolVersion", "{version}"), ("Authorization", "{authorization}"), ("Content-Type", "{type}"),
    ("Accept", "*/*"), ("Accept-Language", "en-gb"), ("Accept-Encoding", "gzip, deflate, br"),
    ("Connection", "keep-alive"),
)
ASKING = (
    ("Host", "{host}"), ("Accept", "*/*"), ("User-Agent", "{agent}"), ("Authorization", "{authorization}"),
    ("Accept-Language", "en-gb"), ("Accept-Encoding", "gzip, deflate, br"), ("Connection", "keep-alive"),
)
_BODY = (
    "<airsyncbase:BodyPreference><airsyncbase:Type>{type}</airsyncbase:Type>"
    "<airsyncbase:TruncationSize>{size}</airsyncbase:TruncationSize></airsyncbase:BodyPreference>"
)
WANTS = {
    "Email": "<FilterType>4</FilterType>" + _BODY.format(type=1, size=500) + _BODY.format(type=2, size=500)
    + "<MIMESupport>1</MIMESupport>",
    "Calendar": "<FilterType>5</FilterType>" + _BODY.format(type=1, size=32768),
    "Contacts": _BODY.format(type=1, size=32768),
    "Tasks": _BODY.format(type=1, size=32768),
    "Notes": _BODY.format(type=2, size=32768),
}
FETCH = (
    "<airsyncbase:BodyPreference><airsyncbase:Type>2</airsyncbase:Type></airsyncbase:BodyPreference>"
    "<airsync:MIMESupport>1</airsync:MIMESupport>"
)

NEW = Manner(
    folder="ios-16.1", name="iOS 17 (16.1)", device_id="APPLF2LDNQXV00ACHQ0TA1B2C3D4", device_type="iPhone",
    agent="Apple-iPhone14C2/2101.50", version=Version.V16_1,
    notes=(
        "certain: agent, autodiscover in mixed case, previews of 500, ItemOperations on opening, Find",
        "uncertain: order of folders and headers, windows, heartbeats",
    ),
    information=(
        "<settings:Model>iPhone14C2</settings:Model><settings:IMEI>350000000000006</settings:IMEI>"
        "<settings:FriendlyName>Anna's iPhone</settings:FriendlyName><settings:OS>iOS 17.1 21B74</settings:OS>"
        "<settings:OSLanguage>en-GB</settings:OSLanguage><settings:PhoneNumber>+49 170 5550100</settings:PhoneNumber>"
        "<settings:UserAgent>Apple-iPhone14C2/2101.50</settings:UserAgent>"
    ),
    headers=HEADERS, asking=ASKING, wants=WANTS, fetch=FETCH, window=25,
    later={"GetChanges": "", "DeletesAsMoves": "1"},
    order=("SyncKey", "CollectionId", "DeletesAsMoves", "GetChanges", "WindowSize", "Options", "Commands"),
    folders=(
        FolderType.CONTACTS, FolderType.CALENDAR, FolderType.INBOX, FolderType.TASKS, FolderType.NOTES,
    ),
    heartbeat=900, signature="\nSent from my iPhone\n",
)


async def begin(d: Device) -> None:
    await setting_up.autodiscover(d, "/Autodiscover/Autodiscover.xml")
    await setting_up.account(d)


async def first_sync(d: Device) -> None:
    await begin(d)
    await setting_up.first_sync(d)


async def working_day(d: Device) -> None:
    await first_sync(d)
    for step in day.WHOLE_DAY:
        await step(d)


STORIES = (
    Story(manner=NEW, file="first-sync", title="an account is set up, and all is fetched", play=first_sync),
    Story(manner=NEW, file="working-day", title="a day, from the first mail to the last", play=working_day),
)

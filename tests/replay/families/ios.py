"""iPhone and iPad: DeviceType iPhone, agent Apple-MODEL/BUILD.

Known: the agent's form and its builds; autodiscover in mixed case; a Ping before the first Sync; SyncKey 0 asked twice;
a small preview, the rest by ItemOperations when a mail is opened; an empty Picture with each edit of a contact; Find
with an id that stands for all mailboxes; MeetingResponse for the appointment. Not known: the order of its folders, its
window, the sizes of its previews in each release.
"""

from __future__ import annotations

from dataclasses import replace

from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import day, setting_up
from .device import Device
from .letters import JANUARY, SIGNED
from .manner import Manner
from .story import first_sync, policy, quirks, working_day

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


OLD = replace(
    NEW, folder="ios-14.1", name="iOS 9 (14.1)", device_id="ApplDNQJ4ABCF18P", agent="Apple-iPhone6C1/1307.36",
    version=Version.V14_1, provisions="asked", user="anna", heartbeat=470,
    information=(
        "<settings:Model>iPhone6C1</settings:Model><settings:IMEI>350000000000022</settings:IMEI>"
        "<settings:FriendlyName>Anna's old iPhone</settings:FriendlyName><settings:OS>iOS 9.3.5 13G36</settings:OS>"
        "<settings:OSLanguage>en-GB</settings:OSLanguage>"
        "<settings:UserAgent>Apple-iPhone6C1/1307.36</settings:UserAgent>"
    ),
)


# What only they do ----------------------------------------------------------------------------------------------------


async def ping_first(d: Device) -> None:
    """Before any of the folders was synchronised."""
    folders = [d.of(type) for type in (FolderType.INBOX, FolderType.CALENDAR)]
    await d.post("Ping", day.ping_of(d, folders), during=day.passing(d, d.manner.heartbeat))


async def zero_twice(d: Device) -> None:
    inbox = d.of(FolderType.INBOX)
    await setting_up.sync(d, inbox, lost="the device asks again before the answer is there")
    await setting_up.sync(d, inbox)
    await setting_up.fill(d, inbox)


async def empty_picture(d: Device) -> None:
    folder = d.of(FolderType.CONTACTS)
    await day.change(d, folder, d.item(folder, "Costa"), (
        "<contacts:FirstName>Cleo</contacts:FirstName><contacts:LastName>Costa</contacts:LastName>"
        "<contacts:FileAs>Costa, Cleo</contacts:FileAs>"
        "<contacts:MobilePhoneNumber>+49 170 5550177</contacts:MobilePhoneNumber><contacts:Picture/>"
    ))
    await setting_up.sync(d, folder)


async def find_everywhere(d: Device) -> None:
    await d.post("Find", (
        '<Find xmlns="Find"><SearchId>00000001-0000-4000-8000-0000000000a1</SearchId><ExecuteSearch>'
        "<MailBoxSearchCriterion><Query><airsync:Class>Email</airsync:Class>"
        "<airsync:CollectionId>AllMailboxes</airsync:CollectionId><FreeText>boards</FreeText></Query>"
        "<Options><Range>0-24</Range><DeepTraversal/></Options></MailBoxSearchCriterion></ExecuteSearch></Find>"
    ))


async def answer_in_calendar(d: Device) -> None:
    """The appointment that stands for an invitation is answered, not the mail."""
    folder = d.of(FolderType.CALENDAR)
    await d.gateway.deliver(JANUARY.raw, "ben@example.com")
    await setting_up.sync(d, folder)
    reply = "<SendResponse/>" if d.version >= Version.V16_0 else ""
    await d.post("MeetingResponse", (
        '<MeetingResponse xmlns="MeetingResponse"><Request><UserResponse>2</UserResponse>'
        f"<CollectionId>{folder.id}</CollectionId><RequestId>{d.item(folder, 'Planning')}</RequestId>{reply}"
        "</Request></MeetingResponse>"
    ))
    await setting_up.sync(d, folder)


async def signed(d: Device) -> None:
    """HTML is asked for, and MIMESupport 1: a signed mail comes as MIME."""
    await d.gateway.deliver(SIGNED.raw, "ben@example.com")
    await setting_up.sync(d, d.of(FolderType.INBOX))
    await day.read_whole(d, "Signed")


async def draft(d: Device) -> None:
    """Made on the device, changed, and sent from the folder; 16.0 and later."""
    folder = d.of(FolderType.DRAFTS)
    await setting_up.sync(d, folder)
    await setting_up.fill(d, folder)
    body = (
        "<airsyncbase:Body><airsyncbase:Type>1</airsyncbase:Type>"
        "<airsyncbase:Data>Shall we plan the fair?</airsyncbase:Data></airsyncbase:Body>"
    )
    id = await day.add(d, folder, (
        f"<email:To>ben@example.com</email:To><email:Subject>The fair</email:Subject>{body}"
    ))
    await setting_up.sync(d, folder, commands=(
        f"<Change><ServerId>{id}</ServerId><ApplicationData><email:To>ben@example.com</email:To>"
        f"<email:Subject>The fair in December</email:Subject>{body}</ApplicationData>"
        "<email2:Send/></Change>"
    ))
    await setting_up.sync(d, folder)


async def hang(d: Device) -> None:
    """Nothing comes: the answer has no body, and the device asks the same by an empty Sync."""
    folders, five_minutes = [d.of(FolderType.INBOX), d.of(FolderType.CALENDAR)], day.passing(d, 300)
    await setting_up.sync(d, *folders)
    await d.post("Sync", setting_up.sync_of(
        [setting_up.collection(d, folder) for folder in folders], "<HeartbeatInterval>300</HeartbeatInterval>"
    ), during=five_minutes)
    await d.post("Sync", during=five_minutes)


_MANY = (FolderType.CONTACTS, FolderType.CALENDAR)
STORIES = (
    first_sync(NEW, begin),
    working_day(NEW, begin=begin),
    quirks(
        NEW, ("a Ping before the first Sync of its folders", ping_first), ("key 0 is asked for twice", zero_twice),
        ("a signed mail", signed), ("every edit of a contact has an empty Picture", empty_picture),
        ("a search in a folder that there is not", find_everywhere),
        ("the invitation is answered in the calendar", answer_in_calendar), ("a draft", draft),
        ("a hanging Sync, and an empty one after it", hang),
        title="what only iOS does, at 16.1", fetched=_MANY,
    ),
    first_sync(OLD, begin),
    policy(NEW, settings={"MinDevicePasswordLength": 6, "AllowCamera": False}),
    working_day(OLD),
    quirks(
        OLD, ("a Ping before the first Sync of its folders", ping_first), ("key 0 is asked for twice", zero_twice),
        ("every edit of a contact has an empty Picture", empty_picture),
        ("the invitation is answered in the calendar", answer_in_calendar),
        title="what only iOS does, at 14.1", fetched=_MANY,
    ),
)

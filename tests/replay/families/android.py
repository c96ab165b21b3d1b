"""Android's own mail program (agent Android/...) and Gmail (agent Android-Mail/...).

Known: `validate` as DeviceId while an account is set up, without anything in the body of autodiscover; windows of 10;
HTML cut at 200,000; Ping with Outbox among its folders; GetItemEstimate's Status ignored; Gmail never fetches what was
cut, and searches by FreeText and DeepTraversal. Not known: the order of its headers in each release.
"""

from __future__ import annotations

from dataclasses import replace

from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import day, setting_up
from .device import Device
from .manner import Manner
from .story import first_sync, policy, quirks, working_day

HEADERS = (
    ("MS-ASProtocolVersion", "{version}"), ("User-Agent", "{agent}"), ("X-MS-PolicyKey", "{policy}"),
    ("Authorization", "{authorization}"), ("Content-Type", "{type}"), ("Host", "{host}"),
    ("Connection", "Keep-Alive"), ("Accept-Encoding", "gzip"),
)
ASKING = (("User-Agent", "{agent}"), ("Authorization", "{authorization}"), ("Host", "{host}"))
_CUT = (
    "<airsyncbase:BodyPreference><airsyncbase:Type>{}</airsyncbase:Type>"
    "<airsyncbase:TruncationSize>200000</airsyncbase:TruncationSize></airsyncbase:BodyPreference>"
)
WANTS = {
    "Email": "<FilterType>3</FilterType>" + _CUT.format(2), "Calendar": "<FilterType>4</FilterType>" + _CUT.format(1),
    "Contacts": _CUT.format(1), "Tasks": _CUT.format(1),
}
#: With key 0, so that what is not named is left alone when a contact is edited.
SUPPORTED = {"Contacts": "".join(f"<contacts:{name}/>" for name in (
    "FileAs", "FirstName", "MiddleName", "LastName", "Suffix", "CompanyName", "JobTitle", "Email1Address",
    "Email2Address", "Email3Address", "MobilePhoneNumber", "HomePhoneNumber", "BusinessPhoneNumber", "Birthday",
    "Anniversary", "Spouse", "Children", "WebPage", "Picture",
))}

STOCK = Manner(
    folder="android-14.1", name="Android 8 (14.1)", device_id="androidc1700000042", device_type="Android",
    agent="Android/8.1.0-EAS-2.0", version=Version.V14_1, provisions="asked",
    notes=(
        "certain: agent, the id `validate`, windows of 10, HTML cut at 200,000, Outbox in Ping",
        "uncertain: order of headers, heartbeats",
    ),
    headers=HEADERS, asking=ASKING, wants=WANTS, supported=SUPPORTED, window=10,
    later={"DeletesAsMoves": "1", "GetChanges": ""},
    information=(
        "<settings:Model>Pixel 2</settings:Model><settings:FriendlyName>walleye</settings:FriendlyName>"
        "<settings:OS>Android 8.1.0</settings:OS><settings:OSLanguage>English</settings:OSLanguage>"
        "<settings:UserAgent>Android/8.1.0-EAS-2.0</settings:UserAgent>"
    ),
    folders=(FolderType.INBOX, FolderType.CONTACTS, FolderType.CALENDAR, FolderType.TASKS), heartbeat=470,
)
GMAIL = replace(
    STOCK, folder="gmail-16.0", name="Gmail (16.0)", device_id="androidc1700000777",
    agent="Android-Mail/2026.06.01.700000000.Release", version=Version.V16_0,
    notes=(
        "certain: agent, HTML cut at 200,000 and never fetched anew, FreeText with DeepTraversal, 30 s of silence",
        "uncertain: order of headers, windows",
    ),
    information=(
        "<settings:Model>Pixel 8</settings:Model><settings:FriendlyName>shiba</settings:FriendlyName>"
        "<settings:OS>Android 16</settings:OS><settings:OSLanguage>English</settings:OSLanguage>"
        "<settings:UserAgent>Android-Mail/2026.06.01.700000000.Release</settings:UserAgent>"
    ),
    wants={**WANTS, "Email": "<FilterType>0</FilterType>" + _CUT.format(2) + "<MIMESupport>2</MIMESupport>"},
    window=50, heartbeat=470,
)


async def validate(d: Device) -> None:
    """What is asked before there is an account: under an id that stands for no device."""
    own = d.manner
    d.manner = replace(own, device_id="validate")
    await d.post_xml("/autodiscover/autodiscover.xml", "")
    await d.options()
    await setting_up.folder_sync(d)
    d.manner, d.folder_key, d.folders = own, "0", {}
    await setting_up.account(d)


async def outbox(d: Device) -> None:
    """Ping names folders that were never synchronised."""
    folders = [d.of(FolderType.INBOX), d.of(FolderType.OUTBOX), d.of(FolderType.SENT_ITEMS)]
    await d.post("Ping", day.ping_of(d, folders), during=day.passing(d, d.manner.heartbeat))


async def estimates(d: Device) -> None:
    """Of a folder that was not begun: the Status is not looked at."""
    await setting_up.estimate(d, d.of(FolderType.SENT_ITEMS))


async def drafts(d: Device) -> None:
    """All of them in one request, changed or not."""
    folder = d.of(FolderType.DRAFTS)
    await setting_up.sync(d, folder)
    await setting_up.fill(d, folder)
    body = (
        "<airsyncbase:Body><airsyncbase:Type>2</airsyncbase:Type><airsyncbase:Data>&lt;p&gt;To be written."
        "&lt;/p&gt;</airsyncbase:Data></airsyncbase:Body>"
    )
    words = [f"<email:To>ben@example.com</email:To><email:Subject>Draft {n}</email:Subject>{body}" for n in range(3)]
    ids = [await day.add(d, folder, said) for said in words]
    await setting_up.sync(d, folder, commands="".join(
        f"<Change><ServerId>{id}</ServerId><ApplicationData>{said}</ApplicationData></Change>"
        for id, said in zip(ids, words, strict=True)
    ))


async def search(d: Device) -> None:
    """No dates, no collection."""
    await d.post("Search", (
        '<Search xmlns="Search"><Store><Name>Mailbox</Name><Query><And><airsync:Class>Email</airsync:Class>'
        "<FreeText>boards</FreeText></And></Query><Options><DeepTraversal/><RebuildResults/><Range>0-9</Range>"
        "<airsyncbase:BodyPreference><airsyncbase:Type>2</airsyncbase:Type>"
        "<airsyncbase:TruncationSize>20000</airsyncbase:TruncationSize></airsyncbase:BodyPreference></Options>"
        "</Store></Search>"
    ))


STORIES = (
    first_sync(STOCK, validate),
    working_day(STOCK),
    quirks(
        STOCK, ("Outbox and Sent in Ping", outbox), ("an estimate of a folder with key 0", estimates),
        title="what only Android's own program does", begin=validate,
    ),
    policy(STOCK, settings={"MinDevicePasswordLength": 6, "RequireDeviceEncryption": True}),
    first_sync(GMAIL, validate),
    working_day(GMAIL),
    quirks(
        GMAIL, ("drafts are sent again and again", drafts), ("a search over everything", search),
        title="what only Gmail does",
    ),
)

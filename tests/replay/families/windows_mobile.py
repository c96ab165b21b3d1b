"""Windows Mobile: DeviceType PocketPC or SmartPhone, agent MSFT-PPC or MSFT-SPhone, 2.5 to 12.1.

Known: some requests do not say who asks; logins as DOMAIN\\user; one folder of each kind; GetItemEstimate before a
Sync; MIME bodies for mail; at 12.1 the base64 query. Not known: its exact Supported, how long it waits by default.
"""

from __future__ import annotations

from dataclasses import replace

from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import day
from .device import Device
from .manner import Manner
from .story import first_sync, policy, quirks, working_day

HEADERS = (
    ("Content-Type", "{type}"), ("Accept-Language", "en-us"), ("MS-ASProtocolVersion", "{version}"),
    ("X-MS-PolicyKey", "{policy}"), ("User-Agent", "{agent}"), ("Host", "{host}"), ("Cache-Control", "no-cache"),
    ("Connection", "Keep-Alive"), ("Authorization", "{authorization}"),
)
ASKING = (
    ("Accept-Language", "en-us"), ("User-Agent", "{agent}"), ("Host", "{host}"), ("Authorization", "{authorization}"),
)
_BODY = (
    "<airsyncbase:BodyPreference><airsyncbase:Type>{type}</airsyncbase:Type>"
    "<airsyncbase:TruncationSize>{size}</airsyncbase:TruncationSize></airsyncbase:BodyPreference>"
)
WANTS = {
    "Email": "<FilterType>2</FilterType>" + _BODY.format(type=2, size=512) + _BODY.format(type=1, size=512)
    + "<MIMESupport>0</MIMESupport><Conflict>1</Conflict>",
    "Calendar": "<FilterType>4</FilterType>" + _BODY.format(type=1, size=5120) + "<Conflict>1</Conflict>",
    "Contacts": _BODY.format(type=1, size=5120) + "<Conflict>1</Conflict>",
    "Tasks": "<FilterType>0</FilterType>" + _BODY.format(type=1, size=5120) + "<Conflict>1</Conflict>",
}
FETCH = (
    "<airsync:MIMESupport>0</airsync:MIMESupport><airsyncbase:BodyPreference><airsyncbase:Type>2</airsyncbase:Type>"
    "</airsyncbase:BodyPreference>"
)
_CARD = (
    "Anniversary AssistantName AssistantPhoneNumber Birthday BusinessAddressCity BusinessPhoneNumber "
    "BusinessAddressPostalCode BusinessAddressStreet CarPhoneNumber Categories CompanyName Department "
    "Email1Address Email2Address FileAs FirstName HomeAddressCity HomePhoneNumber HomeAddressStreet JobTitle "
    "LastName MiddleName MobilePhoneNumber OfficeLocation PagerNumber Spouse Suffix Title WebPage Picture"
)
_ENTRY = (
    "AllDayEvent BusyStatus Categories DtStamp EndTime Location MeetingStatus OrganizerEmail OrganizerName Recurrence "
    "Reminder Sensitivity StartTime Subject Timezone UID Attendees Exceptions"
)
SUPPORTED = {
    "Contacts": "".join(f"<contacts:{name}/>" for name in _CARD.split()),
    "Calendar": "".join(f"<calendar:{name}/>" for name in _ENTRY.split()),
}
INFORMATION = (
    "<settings:Model>HTC P3600</settings:Model><settings:IMEI>350000000000014</settings:IMEI>"
    "<settings:FriendlyName>Pocket_PC</settings:FriendlyName><settings:OS>Windows CE 5.2.19971</settings:OS>"
    "<settings:OSLanguage>English</settings:OSLanguage>"
)

WM61 = Manner(
    folder="windows-mobile-6.1", name="Windows Mobile 6.1 (12.0)", device_id="6F24CAD599A5BF1A690246B8C68FAE8D",
    device_type="PocketPC", agent="MSFT-PPC/5.2.1000", version=Version.V12_0, user="EXAMPLE\\anna",
    notes=(
        "certain: device type, agent, requests without a User-Agent, one collection a request, MIME for mail",
        "uncertain: its list of Supported, windows, heartbeat",
    ),
    headers=HEADERS, asking=ASKING, unnamed=frozenset(("Ping", "GetItemEstimate")),
    wants=WANTS, fetch=FETCH, supported=SUPPORTED, window=100, later={"DeletesAsMoves": "", "GetChanges": ""},
    information=INFORMATION, information_in_provision=False,
    folders=(FolderType.CONTACTS, FolderType.CALENDAR, FolderType.INBOX, FolderType.TASKS),
    estimates=True, heartbeat=480,
)


WM65 = replace(
    WM61, folder="windows-mobile-6.5", name="Windows Mobile 6.5 (12.1)", device_id="A1B2C3D4E5F60718293A4B5C6D7E8F90",
    device_type="SmartPhone", agent="MSFT-SPhone/5.2.5081", version=Version.V12_1, base64=True, together=True,
    estimates=False, waits="sync", wait_by="Wait", heartbeat=480,
    notes=(
        "certain: device type, agent, the base64 query, Wait in minutes, MIME for mail",
        "uncertain: its list of Supported, windows, whether it waits by Ping or by Sync",
    ),
)


# What only they do ----------------------------------------------------------------------------------------------------


async def old_hierarchy(d: Device) -> None:
    await d.post("GetHierarchy")


async def message(d: Device) -> None:
    """A mail of its own, with `SaveInSent` in the query."""
    await day.send(d)


async def partial(d: Device) -> None:
    """After an answer without a body: only what has changed in the request itself."""
    long = day.passing(d, 600)
    folders = [d.of(type) for type in (FolderType.INBOX, FolderType.CALENDAR)]
    await d.post("Sync", day.hanging_of(d, folders), during=long)
    await d.post("Sync", '<Sync xmlns="AirSync"><Wait>10</Wait><Partial/></Sync>', during=long)
    await d.post("Sync", during=long)


#: Of 12.0 and of 12.1; a policy of 14.0 and later would be nothing to it.
STRICTER = {"MinDevicePasswordLength": 6, "RequireDeviceEncryption": True, "AllowCamera": False}
STORIES = (
    first_sync(WM61),
    working_day(WM61),
    policy(WM61, settings=STRICTER),
    quirks(
        WM61, ("the old command for folders, with the login as a domain's", old_hierarchy),
        ("a mail as MIME, without a document around it", message),
        title="what Windows Mobile does that others do not",
    ),
    first_sync(WM65),
    working_day(WM65),
    policy(WM65, settings=STRICTER),
    quirks(
        WM65, ("an empty Sync asks what was asked before", partial),
        title="a base64 query, and Sync requests that leave out what has not changed",
        fetched=(FolderType.INBOX, FolderType.CALENDAR),
    ),
)

"""Windows Mobile: DeviceType PocketPC or SmartPhone, agent MSFT-PPC or MSFT-SPhone, 2.5 to 12.1.

Known: some requests do not say who asks; logins as DOMAIN\\user; one folder of each kind; GetItemEstimate before a
Sync; MIME bodies for mail; at 12.1 the base64 query. Not known: its exact Supported, how long it waits by default.
"""

from __future__ import annotations

from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import day, setting_up
from .device import Device
from .manner import Manner
from .story import Story

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


async def first_sync(d: Device) -> None:
    await setting_up.account(d)
    await setting_up.first_sync(d)


async def working_day(d: Device) -> None:
    await first_sync(d)
    for step in day.WHOLE_DAY:
        await step(d)


STORIES = (
    Story(manner=WM61, file="first-sync", title="an account is set up, and all is fetched", play=first_sync),
    Story(manner=WM61, file="working-day", title="a day, from the first mail to the last", play=working_day),
)

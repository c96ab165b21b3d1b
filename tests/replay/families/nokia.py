"""Nokia Mail for Exchange: DeviceId IMEI..., agent ...MailforExchange, 2.5 and 12.0.

Known: contact notes as an empty CompressedRTF beside a Body; yearly appointments of no length for anniversaries; a
policy of which it takes only what it knows; FirstName always in the address list. Not known: headers, windows.
"""

from __future__ import annotations

from dataclasses import replace

from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import day, setting_up
from .device import Device
from .manner import Manner
from .story import first_sync, policy, quirks, working_day

OLD_WANTS = {
    "Email": "<FilterType>2</FilterType><Truncation>4</Truncation><MIMETruncation>1</MIMETruncation>"
             "<MIMESupport>0</MIMESupport><Conflict>1</Conflict>",
    "Calendar": "<FilterType>4</FilterType><Truncation>4</Truncation><Conflict>1</Conflict>",
    "Contacts": "<Truncation>4</Truncation><Conflict>1</Conflict>",
    "Tasks": "<FilterType>0</FilterType><Truncation>4</Truncation><Conflict>1</Conflict>",
}
_CUT = (
    "<airsyncbase:BodyPreference><airsyncbase:Type>1</airsyncbase:Type>"
    "<airsyncbase:TruncationSize>{}</airsyncbase:TruncationSize></airsyncbase:BodyPreference>"
)
E71 = Manner(
    folder="nokia-2.5", name="Nokia E71 (2.5)", device_id="IMEI350000000000048", device_type="IMEI350000000000048",
    agent="NokiaE71/2.09(158)MailforExchange", version=Version.V2_5, user="EXAMPLE\\anna",
    notes=(
        "certain: agent, notes with an empty CompressedRTF, anniversaries, what it takes of a policy",
        "uncertain: device type, headers, windows, heartbeat",
    ),
    headers=(
        ("Host", "{host}"), ("Accept", "*/*"), ("User-Agent", "{agent}"), ("MS-ASProtocolVersion", "{version}"),
        ("X-MS-PolicyKey", "{policy}"), ("Authorization", "{authorization}"), ("Content-Type", "{type}"),
    ),
    wants=OLD_WANTS, window=50, later={"DeletesAsMoves": "", "GetChanges": ""}, heartbeat=480,
    folders=(FolderType.INBOX, FolderType.CONTACTS, FolderType.CALENDAR, FolderType.TASKS),
)
E72 = replace(
    E71, folder="nokia-12.0", name="Nokia E72 (12.0)", device_id="IMEI350000000000055",
    device_type="MailforExchange", agent="NokiaE72/3.00(50)MailforExchange", version=Version.V12_0,
    wants={
        "Email": "<FilterType>2</FilterType>" + _CUT.format(4096)
        + "<MIMESupport>0</MIMESupport><Conflict>1</Conflict>",
        "Calendar": "<FilterType>4</FilterType>" + _CUT.format(4096), "Contacts": _CUT.format(4096),
        "Tasks": _CUT.format(4096),
    },
    fetch="<airsyncbase:BodyPreference><airsyncbase:Type>1</airsyncbase:Type></airsyncbase:BodyPreference>",
)


E7 = replace(
    E72, folder="nokia-12.1", name="Nokia E7, Symbian Anna (12.1)", device_id="IMEI350000000000063",
    agent="NokiaE7/3.00(55)MailforExchange", version=Version.V12_1,
    notes=(
        "certain: gives up an account over settings that it cannot keep (Microsoft FA136114)",
        "uncertain: agent, device type, headers, windows, heartbeat",
    ),
)
#: What Symbian Anna gives up an account over, beside what it keeps.
FORBIDDING = {
    "MinDevicePasswordLength": 6, "AllowCamera": False, "AllowBrowser": False, "AllowTextMessaging": False,
    "AllowHTMLEmail": False, "RequireManualSyncWhenRoaming": True, "RequireSignedSMIMEMessages": True,
    "AllowUnsignedApplications": False,
}


OLD_NOTE = "<contacts:Body>Rings before noon.</contacts:Body><contacts:CompressedRTF/>"
NOTE = (
    "<airsyncbase:Body><airsyncbase:Type>1</airsyncbase:Type>"
    "<airsyncbase:Data>Rings before noon.</airsyncbase:Data></airsyncbase:Body>"
)


async def empty_rtf(d: Device) -> None:
    """The note of a contact: an empty CompressedRTF up to 2.5, and the Body that counts."""
    folder = d.of(FolderType.CONTACTS)
    await day.add(d, folder, (
        f"{OLD_NOTE if d.version is Version.V2_5 else NOTE}"
        "<contacts:FileAs>Lang, Ida</contacts:FileAs><contacts:FirstName>Ida</contacts:FirstName>"
        "<contacts:LastName>Lang</contacts:LastName>"
        "<contacts:MobilePhoneNumber>+49 170 5550145</contacts:MobilePhoneNumber>"
    ))
    await setting_up.sync(d, folder)


async def anniversary(d: Device) -> None:
    """Every year, from midnight to midnight of the same day."""
    at = "20261203T230000Z"
    await day.add(d, d.of(FolderType.CALENDAR), (
        f"<calendar:Timezone>{day.BERLIN}</calendar:Timezone><calendar:DtStamp>20261116T080000Z</calendar:DtStamp>"
        f"<calendar:StartTime>{at}</calendar:StartTime><calendar:EndTime>{at}</calendar:EndTime>"
        "<calendar:Subject>Ida's birthday</calendar:Subject><calendar:UID>anniversary-1@example.com</calendar:UID>"
        "<calendar:AllDayEvent>0</calendar:AllDayEvent><calendar:BusyStatus>0</calendar:BusyStatus>"
        "<calendar:Recurrence><calendar:Type>5</calendar:Type><calendar:Interval>1</calendar:Interval>"
        "<calendar:DayOfMonth>4</calendar:DayOfMonth><calendar:MonthOfYear>12</calendar:MonthOfYear>"
        "</calendar:Recurrence><calendar:Sensitivity>0</calendar:Sensitivity>"
        "<calendar:MeetingStatus>0</calendar:MeetingStatus>"
    ))


_BOTH = (FolderType.CONTACTS, FolderType.CALENDAR)
STORIES = (
    first_sync(E71),
    working_day(E71, without=(day.folders,)),
    quirks(
        E71, ("a note as an empty CompressedRTF and a Body", empty_rtf), ("an anniversary of no length", anniversary),
        ("the address list, where everybody needs a FirstName", day.search_people),
        title="what only Nokia's program does", fetched=_BOTH,
    ),
    first_sync(E72),
    working_day(E72, without=(day.folders, day.away)),
    quirks(
        E72, ("a note of a contact", empty_rtf), ("an anniversary of no length", anniversary),
        ("the address list, where everybody needs a FirstName", day.search_people),
        title="what only Nokia's program does, at 12.0", fetched=_BOTH,
    ),
    policy(E7, settings=FORBIDDING, notes=(
        "of the policy it is told only what it keeps: see what is in the file's field policy, and what Provision says",
    )),
)

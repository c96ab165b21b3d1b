"""BlackBerry: AstraSync on the old ones (2.5 and 12.1), and BlackBerry 10 (14.1).

Of AstraSync nothing certain is known: it stands here as the least that a device of its versions does. Known of
BlackBerry 10: empty ServerId elements in Sync and FolderDelete; signed mail whole as MIME; birthdays at 11:00 UTC.
"""

from __future__ import annotations

from dataclasses import replace

from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import day, setting_up
from .device import Device
from .ios import signed
from .manner import Manner
from .nokia import OLD_WANTS
from .story import first_sync, quirks, working_day

_CUT = (
    "<airsyncbase:BodyPreference><airsyncbase:Type>{}</airsyncbase:Type>"
    "<airsyncbase:TruncationSize>{}</airsyncbase:TruncationSize></airsyncbase:BodyPreference>"
)
_FOLDERS = (FolderType.INBOX, FolderType.CONTACTS, FolderType.CALENDAR, FolderType.TASKS)
_GUESSED = ("certain: nothing; the least that a device of this version does", "uncertain: everything")

ASTRA = Manner(
    folder="blackberry-astrasync-2.5", name="AstraSync (2.5)", device_id="BB2A0B1C2D", device_type="BlackBerry",
    agent="AstraSync/5.0", version=Version.V2_5, user="anna", notes=_GUESSED, provisions="asked",
    headers=(
        ("Host", "{host}"), ("User-Agent", "{agent}"), ("Authorization", "{authorization}"),
        ("MS-ASProtocolVersion", "{version}"), ("X-MS-PolicyKey", "{policy}"), ("Content-Type", "{type}"),
    ),
    wants=OLD_WANTS, window=25, folders=_FOLDERS, heartbeat=600,
)
NEWER = replace(
    ASTRA, folder="blackberry-astrasync-12.1", name="AstraSync (12.1)", version=Version.V12_1, device_id="BB2A0B1C3E",
    wants={
        "Email": "<FilterType>2</FilterType>" + _CUT.format(1, 4096) + "<MIMESupport>0</MIMESupport>",
        "Calendar": "<FilterType>4</FilterType>" + _CUT.format(1, 4096), "Contacts": _CUT.format(1, 4096),
        "Tasks": _CUT.format(1, 4096),
    },
    fetch="<airsyncbase:BodyPreference><airsyncbase:Type>1</airsyncbase:Type></airsyncbase:BodyPreference>",
)
BB10 = replace(
    NEWER, folder="blackberry-10-14.1", name="BlackBerry 10 (14.1)", device_id="BB20A1B2C3D4", device_type="BlackBerry",
    agent="RIM-Q10-SQN100-3/10.3.2.2876", version=Version.V14_1, provisions="first",
    notes=(
        "certain: device type, empty ServerId elements, whole MIME of signed mail, birthdays at 11:00",
        "uncertain: agent in each release, windows, headers",
    ),
    information=(
        "<settings:Model>Q10</settings:Model><settings:OS>BlackBerry 10.3.2</settings:OS>"
        "<settings:FriendlyName>BlackBerry Q10</settings:FriendlyName>"
        "<settings:UserAgent>RIM-Q10-SQN100-3/10.3.2.2876</settings:UserAgent>"
    ),
    wants={
        "Email": "<FilterType>4</FilterType>" + _CUT.format(2, 32768) + "<MIMESupport>1</MIMESupport>",
        "Calendar": "<FilterType>5</FilterType>" + _CUT.format(1, 32768), "Contacts": _CUT.format(1, 32768),
        "Tasks": _CUT.format(1, 32768),
    },
    fetch=(
        "<airsyncbase:BodyPreference><airsyncbase:Type>2</airsyncbase:Type></airsyncbase:BodyPreference>"
        "<airsync:MIMESupport>1</airsync:MIMESupport>"
    ),
)


async def empty_id(d: Device) -> None:
    """A Sync Add has an empty ServerId beside its ClientId."""
    folder = d.of(FolderType.CONTACTS)
    await setting_up.sync(d, folder, commands=(
        "<Add><ServerId/><ClientId>7</ClientId><ApplicationData><contacts:FileAs>Roth, Eva</contacts:FileAs>"
        "<contacts:FirstName>Eva</contacts:FirstName><contacts:LastName>Roth</contacts:LastName></ApplicationData></Add>"
    ))


async def birthday(d: Device) -> None:
    """Told, and sent back, as 11:00 UTC."""
    folder = d.of(FolderType.CONTACTS)
    await day.change(d, folder, d.item(folder, "Costa"), (
        "<contacts:Birthday>1984-02-29T11:00:00.000Z</contacts:Birthday><contacts:FileAs>Costa, Cleo</contacts:FileAs>"
        "<contacts:FirstName>Cleo</contacts:FirstName><contacts:LastName>Costa</contacts:LastName>"
    ))
    await setting_up.sync(d, folder)


STORIES = (
    first_sync(ASTRA),
    working_day(ASTRA, without=(day.folders,)),
    first_sync(NEWER),
    working_day(NEWER, without=(day.folders, day.away)),
    first_sync(BB10),
    working_day(BB10),
    quirks(
        BB10, ("an empty ServerId in an Add", empty_id), ("a birthday at 11", birthday), ("a signed mail", signed),
        title="what only BlackBerry 10 does", fetched=(FolderType.CONTACTS, FolderType.INBOX),
    ),
)

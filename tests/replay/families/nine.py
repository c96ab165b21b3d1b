"""Nine (9Folders): DeviceId `nine` and hexadecimal digits, 16.0, the base64 query.

Known: bodies cut at 51,200, the rest by ItemOperations without a TruncationSize; notes; ends of lines CR LF and then LF
LF in its MIME. Not known: its agent in each release, headers, heartbeats.
"""

from __future__ import annotations

from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import day, setting_up
from .device import Device
from .manner import Manner
from .story import first_sync, quirks, working_day

_CUT = (
    "<airsyncbase:BodyPreference><airsyncbase:Type>{}</airsyncbase:Type>"
    "<airsyncbase:TruncationSize>51200</airsyncbase:TruncationSize></airsyncbase:BodyPreference>"
)
NINE = Manner(
    folder="nine-16.0", name="Nine (16.0)", device_id="nine0a1b2c3d4e5f60718293a4b5c6d7", device_type="Android",
    agent="Nine/4.9.4", version=Version.V16_0, base64=True,
    notes=(
        "certain: the id's form, 51200 and what follows, notes, its MIME",
        "uncertain: agent, headers, heartbeats, windows",
    ),
    headers=(
        ("Authorization", "{authorization}"), ("User-Agent", "{agent}"), ("Content-Type", "{type}"), ("Host", "{host}"),
        ("Connection", "Keep-Alive"), ("Accept-Encoding", "gzip"),
    ),
    information=(
        "<settings:Model>Pixel 6</settings:Model><settings:FriendlyName>oriole</settings:FriendlyName>"
        "<settings:OS>Android 14</settings:OS><settings:OSLanguage>English</settings:OSLanguage>"
        "<settings:UserAgent>Nine/4.9.4</settings:UserAgent>"
    ),
    wants={
        "Email": "<FilterType>4</FilterType>" + _CUT.format(2) + "<MIMESupport>1</MIMESupport>",
        "Calendar": "<FilterType>5</FilterType>" + _CUT.format(1), "Contacts": _CUT.format(1), "Tasks": _CUT.format(1),
        "Notes": _CUT.format(2),
    },
    fetch=(
        "<airsync:MIMESupport>1</airsync:MIMESupport><airsyncbase:BodyPreference><airsyncbase:Type>2</airsyncbase:Type>"
        "</airsyncbase:BodyPreference>"
    ),
    window=50, folders=(
        FolderType.INBOX, FolderType.SENT_ITEMS, FolderType.CALENDAR, FolderType.CONTACTS, FolderType.TASKS,
        FolderType.NOTES,
    ),
    heartbeat=600, signature="\n\n--\nSent from Nine\n",
)


async def note(d: Device) -> None:
    folder = d.of(FolderType.NOTES)
    body = (
        "<airsyncbase:Body><airsyncbase:Type>1</airsyncbase:Type><airsyncbase:Data>{}</airsyncbase:Data>"
        "</airsyncbase:Body>"
    )
    fields = "<notes:Subject>Boards</notes:Subject>{}<notes:MessageClass>IPM.StickyNote</notes:MessageClass>"
    id = await day.add(d, folder, fields.format(body.format("Oak, 26 mm")))
    await day.change(d, folder, id, fields.format(body.format("Oak, 26 mm, by Thursday")))
    await day.remove(d, folder, id)


async def twice(d: Device) -> None:
    """What is held whole already is fetched all the same."""
    for _ in range(2):
        await day.read_whole(d, "Delivery")


async def bare_ends(d: Device) -> None:
    """Its MIME has CR LF in the fields and LF in the text."""
    message = day.mime(d, "ben@example.com", "Bare ends", "One line.\n\nAnother.\n")
    fields, _, text = message.partition("\n\n")
    octets = fields.replace("\n", "\r\n") + "\r\n\r\n" + text
    await d.post("SendMail", day.send_mail(d, octets))


STORIES = (
    first_sync(NINE),
    working_day(NINE),
    quirks(
        NINE, ("a note is made, changed and removed", note), ("a whole mail is fetched again", twice),
        ("ends of lines of two kinds", bare_ends), ("folders as they were", setting_up.folder_sync),
        title="what only Nine does", fetched=(FolderType.INBOX, FolderType.NOTES),
    ),
)

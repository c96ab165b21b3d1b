"""Samsung's mail program: DeviceType SAMSUNG..., agent SAMSUNG-MODEL/BUILD, the base64 query.

Known: text messages as class SMS in the inbox, asked for or not, also deletes of them; drafts with To, Cc and Bcc;
waits of 90 seconds at most in silence; a Ping each half second after a Status that it does not expect. Not known:
windows.
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
    "<airsyncbase:TruncationSize>{}</airsyncbase:TruncationSize></airsyncbase:BodyPreference>"
)
S9 = Manner(
    folder="samsung-14.1", name="Samsung (14.1)", device_id="SEC1A2B3C4D5E6F7", device_type="SAMSUNGSMG960F",
    agent="SAMSUNG-SM-G960F/101.80000", version=Version.V14_1, base64=True,
    notes=("certain: agent, device type, base64 query, class SMS", "uncertain: windows, sizes, order of headers"),
    headers=(
        ("Authorization", "{authorization}"), ("User-Agent", "{agent}"), ("Accept", "*, */*"),
        ("Accept-Language", "en-us"), ("Content-Type", "{type}"), ("Host", "{host}"), ("Connection", "keep-alive"),
        ("Accept-Encoding", "gzip"),
    ),
    information=(
        "<settings:Model>SM-G960F</settings:Model><settings:IMEI>350000000000030</settings:IMEI>"
        "<settings:FriendlyName>Galaxy S9</settings:FriendlyName><settings:OS>Android</settings:OS>"
        "<settings:OSLanguage>English</settings:OSLanguage>"
        "<settings:PhoneNumber>+49 170 5550130</settings:PhoneNumber>"
        "<settings:UserAgent>SAMSUNG-SM-G960F/101.80000</settings:UserAgent>"
        "<settings:EnableOutboundSMS>0</settings:EnableOutboundSMS>"
    ),
    wants={
        "Email": "<FilterType>3</FilterType><Class>Email</Class>" + _CUT.format(2, 51200)
        + "<MIMESupport>1</MIMESupport>",
        "Calendar": "<FilterType>5</FilterType>" + _CUT.format(1, 32768), "Contacts": _CUT.format(1, 32768),
        "Tasks": _CUT.format(1, 32768), "Notes": _CUT.format(2, 32768),
    },
    fetch=(
        "<airsyncbase:BodyPreference><airsyncbase:Type>2</airsyncbase:Type></airsyncbase:BodyPreference>"
        "<airsync:MIMESupport>1</airsync:MIMESupport>"
    ),
    window=25, later={"DeletesAsMoves": "1", "GetChanges": "1"},
    folders=(
        FolderType.INBOX, FolderType.CONTACTS, FolderType.CALENDAR, FolderType.TASKS, FolderType.NOTES,
    ),
    heartbeat=480, waits="ping",
)

_TEXT = (
    "<email:To>\"Ben\" &lt;+491705550111&gt;</email:To><email:From>\"Anna\" &lt;+491705550130&gt;</email:From>"
    "<email:DateReceived>2026-11-16T07:00:00.000Z</email:DateReceived><email:Importance>1</email:Importance>"
    "<email:Read>1</email:Read><airsyncbase:Body><airsyncbase:Type>1</airsyncbase:Type>"
    "<airsyncbase:Data>On my way</airsyncbase:Data></airsyncbase:Body>"
)


async def text_messages(d: Device) -> None:
    """In the inbox, beside mail: one is added, and deleted again."""
    inbox = d.of(FolderType.INBOX)
    await setting_up.sync(d, inbox, commands=(
        f"<Add><Class>SMS</Class><ClientId>SMS_7</ClientId><ApplicationData>{_TEXT}</ApplicationData></Add>"
    ))
    id = next(id for id, known in inbox.items.items() if known.get("AirSync:ClientId") == "SMS_7")
    await setting_up.sync(d, inbox, commands=f"<Delete><Class>SMS</Class><ServerId>{id}</ServerId></Delete>")


async def both_classes(d: Device) -> None:
    """Options for mail, and Options for text messages."""
    inbox = d.of(FolderType.INBOX)
    mail = d.manner.wants["Email"]
    both = f"{mail}</Options><Options><Class>SMS</Class>" + _CUT.format(1, 5120)
    await setting_up.sync(d, inbox, Options=both)


async def free_or_busy(d: Device) -> None:
    """When somebody is free, as the planner asks."""
    await d.post("ResolveRecipients", (
        '<ResolveRecipients xmlns="ResolveRecipients"><To>ben@example.com</To><Options><Availability>'
        "<StartTime>2026-11-18T07:30:00.000Z</StartTime><EndTime>2026-11-18T17:30:00.000Z</EndTime>"
        "</Availability></Options></ResolveRecipients>"
    ))


STORIES = (
    first_sync(S9),
    working_day(S9),
    quirks(
        S9, ("a text message is sent as one of the inbox", text_messages),
        ("mail and text messages asked for", both_classes),
        ("free or busy", free_or_busy), ("a quiet wait", day.quiet), title="what only Samsung's program does",
    ),
)

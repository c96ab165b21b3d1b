"""What somebody does with a device in the course of a day, step by step; a family says which steps, and in which order.

Where versions differ, the step says it as its version has it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from xml.sax.saxutils import escape

from eas.engine.model import FolderType
from eas.protocol.version import Version

from .device import NEWS, Device, Folder, Got, Surprise
from .gateway import DOMAIN
from .letters import arriving
from .setting_up import collection, fill, folder_sync, keep, sync, sync_of

Step = Callable[[Device], Awaitable[object]]

INBOX, CONTACTS, CALENDAR, TASKS = FolderType.INBOX, FolderType.CONTACTS, FolderType.CALENDAR, FolderType.TASKS
MIME_BODIES = (Version.V2_5, Version.V12_0, Version.V12_1)

DAY = (
    ("Gate on Wednesday", "Could you leave the gate open on Wednesday?\n\nBen\n"),
    ("Two boards too many", "We have two boards too many. Do you want them?\n\nBen\n"),
)


# Waiting --------------------------------------------------------------------------------------------------------------


def passing(d: Device, seconds: float) -> Callable[[], Awaitable[float]]:
    """Nothing happens for so long, while the device waits."""

    async def pass_() -> float:
        d.pass_(seconds)
        return float(seconds)

    return pass_


async def wait(d: Device, *types: FolderType, news: tuple[str, str] | None = DAY[0]) -> None:
    """Wait for news, and fetch what has come. `news`: subject and text of a mail that comes meanwhile; None: nothing
    does until the time is up."""
    folders = [d.of(type) for type in types or (INBOX,)]

    async def come() -> float:
        if news is None:
            return await passing(d, d.manner.heartbeat)()
        d.pass_(NEWS)
        await d.gateway.deliver(arriving(*news), "ben@example.com")
        return NEWS

    d.say("nothing comes until the time is up" if news is None else f"a mail comes: {news[0]}")
    if d.manner.hangs:
        await _hang(d, folders, come)
        return
    got = await d.post("Ping", ping_of(d, folders), during=come)
    told = [element.text for element in got.all("Ping:Folder")]
    if told:
        await fill(d, *(d.folders[id] for id in told))


def ping_of(d: Device, folders: list[Folder]) -> str:
    inside = "".join(f"<Folder><Id>{f.id}</Id><Class>{f.item_class}</Class></Folder>" for f in folders)
    return (
        f'<Ping xmlns="Ping"><HeartbeatInterval>{d.manner.heartbeat}</HeartbeatInterval>'
        f"<Folders>{inside}</Folders></Ping>"
    )


async def _hang(d: Device, folders: list[Folder], come: Callable[[], Awaitable[float]]) -> None:
    got = await d.post("Sync", hanging_of(d, folders), during=come)
    keep(d, got)


def hanging_of(d: Device, folders: list[Folder]) -> str:
    m = d.manner
    time = m.heartbeat // 60 if m.wait_by == "Wait" else m.heartbeat
    return sync_of([collection(d, folder) for folder in folders], f"<{m.wait_by}>{time}</{m.wait_by}>")


async def quiet(d: Device) -> None:
    await wait(d, news=None)


async def more_mail(d: Device) -> None:
    await wait(d, INBOX, CONTACTS, CALENDAR, news=DAY[1])


# Mail -----------------------------------------------------------------------------------------------------------------


async def mark_read(d: Device, words: str = DAY[0][0]) -> Got:
    inbox = d.of(INBOX)
    return await change(d, inbox, d.item(inbox, words), "<email:Read>1</email:Read>")


async def flag(d: Device, words: str = "Minutes") -> Got:
    """For follow-up; from 12.0 on."""
    inbox = d.of(INBOX)
    return await change(d, inbox, d.item(inbox, words), (
        "<email:Flag><email:Status>2</email:Status><email:FlagType>Flag for follow up</email:FlagType>"
        "<tasks:StartDate>2026-11-16T00:00:00.000Z</tasks:StartDate>"
        "<tasks:UtcStartDate>2026-11-15T23:00:00.000Z</tasks:UtcStartDate>"
        "<tasks:DueDate>2026-11-17T00:00:00.000Z</tasks:DueDate>"
        "<tasks:UtcDueDate>2026-11-16T23:00:00.000Z</tasks:UtcDueDate>"
        "<tasks:ReminderSet>0</tasks:ReminderSet></email:Flag>"
    ))


async def change(d: Device, folder: Folder, id: str, data: str, **others: str | None) -> Got:
    return await sync(d, folder, commands=(
        f"<Change><ServerId>{id}</ServerId><ApplicationData>{data}</ApplicationData></Change>"
    ), **others)


async def add(d: Device, folder: Folder, data: str, **others: str | None) -> str:
    """The ServerId of the new item."""
    client_id = f"{d.manner.device_id[-4:]}-{d.count()}"
    commands = f"<Add><ClientId>{client_id}</ClientId><ApplicationData>{data}</ApplicationData></Add>"
    await sync(d, folder, commands=commands, **others)
    return next(id for id, known in folder.items.items() if known.get("AirSync:ClientId") == client_id)


async def remove(d: Device, folder: Folder, id: str, **others: str | None) -> Got:
    got = await sync(d, folder, commands=f"<Delete><ServerId>{id}</ServerId></Delete>", **others)
    folder.items.pop(id, None)
    return got


async def read_whole(d: Device, words: str = "News of the trade") -> Got:
    """A mail of which only the beginning came is opened."""
    inbox = d.of(INBOX)
    id = d.item(inbox, words)
    if not d.manner.fetch:
        return await sync(d, inbox, commands=f"<Fetch><ServerId>{id}</ServerId></Fetch>", GetChanges=None)
    return await d.post("ItemOperations", (
        '<ItemOperations xmlns="ItemOperations"><Fetch><Store>Mailbox</Store>'
        f"<airsync:CollectionId>{inbox.id}</airsync:CollectionId><airsync:ServerId>{id}</airsync:ServerId>"
        f"<Options>{d.manner.fetch}</Options></Fetch></ItemOperations>"
    ))


async def attachment(d: Device, words: str = "Minutes") -> Got:
    inbox = d.of(INBOX)
    known = inbox.items[d.item(inbox, words)]
    if reference := known.get("AirSyncBase:FileReference"):
        if d.version < Version.V14_0 and not d.manner.fetch:
            return await d.post("GetAttachment", AttachmentName=reference)
        return await d.post("ItemOperations", (
            '<ItemOperations xmlns="ItemOperations"><Fetch><Store>Mailbox</Store>'
            f"<airsyncbase:FileReference>{reference}</airsyncbase:FileReference></Fetch></ItemOperations>"
        ))
    return await d.post("GetAttachment", AttachmentName=known["Email:AttName"])


def mime(d: Device, to: str, subject: str, text: str) -> str:
    fields = d.manner.mime.format(
        to=to, subject=subject, date=format_datetime(d.gateway.clock.now()),
        id=f"<{d.manner.device_id.lower()}.{d.count()}@{DOMAIN}>",
    )
    return f"{fields}\n{text}{d.manner.signature}"


async def send(
    d: Device, to: str = "ben@example.com", subject: str = "Gate", text: str = "I open it at eight.\n"
) -> Got:
    return await _post_mail(d, "SendMail", mime(d, to, subject, text), "")


def send_mail(d: Device, message: str) -> str:
    """A SendMail with MIME whose ends of lines are as they are, in versions that have it as a document."""
    return (
        f'<SendMail xmlns="ComposeMail"><ClientId>{d.manner.device_id[-6:]}{d.count():06}</ClientId><SaveInSentItems/>'
        f'<Mime opaque="base64">{b64encode(message.encode()).decode()}</Mime></SendMail>'
    )


async def reply(d: Device, words: str = DAY[0][0]) -> Got:
    """The original is added by the server."""
    return await _answer(d, "SmartReply", words, "Ben Berger <ben@example.com>", f"Re: {words}", "I will.\n\nAnna\n")


async def forward(d: Device, words: str = "Minutes of the meeting") -> Got:
    return await _answer(d, "SmartForward", words, "ben@example.com", f"Fwd: {words}", "For you.\n")


async def _answer(d: Device, command: str, words: str, to: str, subject: str, text: str) -> Got:
    inbox = d.of(INBOX)
    return await _post_mail(d, command, mime(d, to, subject, text), d.item(inbox, words), inbox.id)


async def _post_mail(d: Device, command: str, message: str, id: str, folder: str = "") -> Got:
    if d.version in MIME_BODIES:
        named = {"CollectionId": folder, "ItemId": id} if id else {}
        octets = message.replace("\n", "\r\n").encode()
        return await d.post(command, octets, content_type="message/rfc822", **named, SaveInSent="T")
    source = f"<Source><FolderId>{folder}</FolderId><ItemId>{id}</ItemId></Source>" if id else ""
    got = await d.post(command, (
        f'<{command} xmlns="ComposeMail"><ClientId>{d.manner.device_id[-6:]}{d.count():06}</ClientId>{source}'
        f'<SaveInSentItems/><Mime opaque="text" eol="crlf">{escape(message)}</Mime></{command}>'
    ))
    if got.body:
        raise Surprise(f"{command}: {got.root}")
    return got


async def move(d: Device, words: str = "Words of the week", to: str = "Projects") -> Got:
    inbox = d.of(INBOX)
    id, place = d.item(inbox, words), d.of(FolderType.USER_MAIL, to)
    got = await d.post("MoveItems", (
        f'<MoveItems xmlns="Move"><Move><SrcMsgId>{id}</SrcMsgId><SrcFldId>{inbox.id}</SrcFldId>'
        f"<DstFldId>{place.id}</DstFldId></Move></MoveItems>"
    ))
    moved = inbox.items.pop(id)
    place.items[got.text("Move:DstMsgId")] = moved
    await sync(d, inbox)
    return got


async def delete(d: Device, words: str = "Fwd: Parking") -> Got:
    """Into Deleted Items."""
    inbox = d.of(INBOX)
    return await remove(d, inbox, d.item(inbox, words))


# Calendar, contacts, tasks --------------------------------------------------------------------------------------------


async def accept(d: Device, words: str = "Planning for December") -> Got:
    inbox = d.of(INBOX)
    id = d.item(inbox, words)
    reply = "<SendResponse/>" if d.version >= Version.V16_0 else ""
    got = await d.post("MeetingResponse", (
        '<MeetingResponse xmlns="MeetingResponse"><Request><UserResponse>1</UserResponse>'
        f"<CollectionId>{inbox.id}</CollectionId><RequestId>{id}</RequestId>{reply}</Request></MeetingResponse>"
    ))
    await sync(d, inbox)
    if d.of(CALENDAR).key != "0":
        await sync(d, d.of(CALENDAR))
    return got


async def call_ring(d: Device) -> Got:
    """A contact gets another number. Devices send it whole, as they know it."""
    folder = d.of(CONTACTS)
    return await change(d, folder, d.item(folder, "Costa"), (
        "<contacts:Email1Address>\"Cleo Costa\" &lt;cleo@example.org&gt;</contacts:Email1Address>"
        "<contacts:FirstName>Cleo</contacts:FirstName><contacts:LastName>Costa</contacts:LastName>"
        "<contacts:FileAs>Costa, Cleo</contacts:FileAs><contacts:CompanyName>Costa Timber</contacts:CompanyName>"
        "<contacts:BusinessPhoneNumber>+49 30 5550102</contacts:BusinessPhoneNumber>"
        "<contacts:MobilePhoneNumber>+49 170 5550199</contacts:MobilePhoneNumber>"
    ))


async def new_contact(d: Device) -> str:
    return await add(d, d.of(CONTACTS), (
        "<contacts:FileAs>Keller, Mia</contacts:FileAs><contacts:FirstName>Mia</contacts:FirstName>"
        "<contacts:LastName>Keller</contacts:LastName>"
        "<contacts:MobilePhoneNumber>+49 170 5550123</contacts:MobilePhoneNumber>"
    ))


#: Central European Time, as [MS-ASDTYPE] TimeZone packs it.
BERLIN = (
    "xP///wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAoAAAAF"
    "AAMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAMAAAAFAAIAAAAAAAAAxP///w=="
)


async def new_appointment(d: Device) -> str:
    """On Friday, 9 to 10; up to 14.1 the device names it, from 16.0 on the server does."""
    old = d.version < Version.V16_0
    uid = "<calendar:DtStamp>20261116T080000Z</calendar:DtStamp>" if old else ""
    own = f"<calendar:UID>{d.manner.device_id.lower()}-1@{DOMAIN}</calendar:UID>" if old else ""
    place = "<calendar:Location>Yard</calendar:Location>" if old else (
        "<airsyncbase:Location><airsyncbase:DisplayName>Yard</airsyncbase:DisplayName></airsyncbase:Location>"
    )
    return await add(d, d.of(CALENDAR), (
        f"<calendar:Timezone>{BERLIN}</calendar:Timezone><calendar:AllDayEvent>0</calendar:AllDayEvent>"
        f"<calendar:BusyStatus>2</calendar:BusyStatus>{uid}<calendar:EndTime>20261120T090000Z</calendar:EndTime>{place}"
        "<calendar:Reminder>15</calendar:Reminder><calendar:Sensitivity>0</calendar:Sensitivity>"
        f"<calendar:Subject>Boards</calendar:Subject><calendar:StartTime>20261120T080000Z</calendar:StartTime>{own}"
        "<calendar:MeetingStatus>0</calendar:MeetingStatus>"
    ))


async def finish_task(d: Device) -> Got:
    folder = d.of(TASKS)
    return await change(d, folder, d.item(folder, "Order boards"), (
        "<tasks:Subject>Order boards</tasks:Subject><tasks:Importance>2</tasks:Importance>"
        "<tasks:UtcStartDate>2026-11-15T23:00:00.000Z</tasks:UtcStartDate>"
        "<tasks:StartDate>2026-11-16T00:00:00.000Z</tasks:StartDate>"
        "<tasks:UtcDueDate>2026-11-16T23:00:00.000Z</tasks:UtcDueDate>"
        "<tasks:DueDate>2026-11-17T00:00:00.000Z</tasks:DueDate>"
        "<tasks:Complete>1</tasks:Complete><tasks:DateCompleted>2026-11-16T09:00:00.000Z</tasks:DateCompleted>"
        "<tasks:Sensitivity>0</tasks:Sensitivity>"
    ))


# Looking for things ---------------------------------------------------------------------------------------------------


async def search_people(d: Device, words: str = "ben") -> Got:
    if d.version >= Version.V16_1:
        return await d.post("Find", (
            f'<Find xmlns="Find"><SearchId>{_guid(d)}</SearchId><ExecuteSearch><GalSearchCriterion>'
            f"<Query>{words}</Query><Options><Range>0-49</Range></Options></GalSearchCriterion></ExecuteSearch></Find>"
        ))
    return await d.post("Search", (
        f'<Search xmlns="Search"><Store><Name>GAL</Name><Query>{words}</Query>'
        "<Options><Range>0-49</Range></Options></Store></Search>"
    ))


async def search_mail(d: Device, words: str = "boards") -> Got:
    if d.version >= Version.V16_1:
        return await d.post("Find", (
            f'<Find xmlns="Find"><SearchId>{_guid(d)}</SearchId><ExecuteSearch><MailBoxSearchCriterion><Query>'
            f"<airsync:Class>Email</airsync:Class><airsync:CollectionId>{d.of(INBOX).id}</airsync:CollectionId>"
            f"<FreeText>{words}</FreeText></Query><Options><Range>0-24</Range><DeepTraversal/></Options>"
            "</MailBoxSearchCriterion></ExecuteSearch></Find>"
        ))
    return await d.post("Search", (
        '<Search xmlns="Search"><Store><Name>Mailbox</Name><Query><And><airsync:Class>Email</airsync:Class>'
        f"<airsync:CollectionId>{d.of(INBOX).id}</airsync:CollectionId><FreeText>{words}</FreeText></And></Query>"
        "<Options><RebuildResults/><DeepTraversal/><Range>0-24</Range>"
        "<airsyncbase:BodyPreference><airsyncbase:Type>1</airsyncbase:Type>"
        "<airsyncbase:TruncationSize>200</airsyncbase:TruncationSize></airsyncbase:BodyPreference></Options>"
        "</Store></Search>"
    ))


def _guid(d: Device) -> str:
    return f"{d.count():08x}-0000-4000-8000-{d.manner.device_id[-12:].lower():0>12}"


# Folders, out of office -----------------------------------------------------------------------------------------------


async def folders(d: Device) -> None:
    """One is made, named anew and removed."""
    made = await d.post("FolderCreate", (
        f'<FolderCreate xmlns="FolderHierarchy"><SyncKey>{d.folder_key}</SyncKey><ParentId>0</ParentId>'
        "<DisplayName>Boards</DisplayName><Type>12</Type></FolderCreate>"
    ))
    d.folder_key, id = made.text("FolderHierarchy:SyncKey"), made.text("FolderHierarchy:ServerId")
    d.folders[id] = Folder(id=id, type=FolderType.USER_MAIL, name="Boards")
    named = await d.post("FolderUpdate", (
        f'<FolderUpdate xmlns="FolderHierarchy"><SyncKey>{d.folder_key}</SyncKey><ServerId>{id}</ServerId>'
        "<ParentId>0</ParentId><DisplayName>Oak boards</DisplayName></FolderUpdate>"
    ))
    d.folder_key = named.text("FolderHierarchy:SyncKey")
    gone = await d.post("FolderDelete", (
        f'<FolderDelete xmlns="FolderHierarchy"><SyncKey>{d.folder_key}</SyncKey>'
        f"<ServerId>{id}</ServerId></FolderDelete>"
    ))
    d.folder_key = gone.text("FolderHierarchy:SyncKey")
    del d.folders[id]
    await folder_sync(d)


async def away(d: Device) -> None:
    """Out of office is looked at and set."""
    await d.post("Settings", '<Settings xmlns="Settings"><Oof><Get><BodyType>Text</BodyType></Get></Oof></Settings>')
    audiences = "".join(
        f"<OofMessage><{to}/><Enabled>{on}</Enabled>{text}</OofMessage>" for to, on, text in (
            ("AppliesToInternal", 1, "<ReplyMessage>I am at the fair.</ReplyMessage><BodyType>Text</BodyType>"),
            ("AppliesToExternalKnown", 1, "<ReplyMessage>I am away.</ReplyMessage><BodyType>Text</BodyType>"),
            ("AppliesToExternalUnknown", 0, ""),
        )
    )
    await d.post("Settings", (
        '<Settings xmlns="Settings"><Oof><Set><OofState>2</OofState><StartTime>2026-12-03T06:00:00.000Z</StartTime>'
        f"<EndTime>2026-12-04T18:00:00.000Z</EndTime>{audiences}</Set></Oof></Settings>"
    ))


# Trouble --------------------------------------------------------------------------------------------------------------


async def offline(d: Device) -> None:
    """The answer to a change is lost; an hour later the device says the same again, word for word."""
    inbox = d.of(INBOX)
    id = d.item(inbox, "Delivery")
    commands = (
        f"<Change><ServerId>{id}</ServerId><ApplicationData><email:Read>0</email:Read></ApplicationData></Change>"
    )
    d.say("the device goes out of reach before the answer comes")
    await sync(d, inbox, commands=commands, lost="the device went out of reach")
    d.pass_(minutes=60)
    d.say("back in reach: the same key, the same change")
    await sync(d, inbox, commands=commands)


def in_versions(step: Step, since: Version = Version.V2_5) -> Step:
    """A step that older versions do not have."""

    async def maybe(d: Device) -> object:
        return await step(d) if d.version >= since else None

    return maybe


#: The day of a device that does everything; each step only in versions that have it.
WHOLE_DAY: tuple[Step, ...] = (
    wait, mark_read, in_versions(flag, Version.V12_0), read_whole, attachment, reply, forward, accept, call_ring,
    new_contact, new_appointment, finish_task, move, delete, in_versions(search_mail, Version.V12_0), search_people,
    folders, in_versions(away, Version.V12_0), offline, more_mail, quiet,
)

"""Messages, and mailboxes to look into, for the tests of the commands that send, answer and fetch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wire import Got, Wire, e

from eas.backends.embedded.accounts import load_user
from eas.engine.model import Folder, FolderType, User
from eas.engine.ports import Chosen, Feed, Horizon, Mailbox
from eas.items.body import Wanted
from eas.items.native import Mail, Record

DOMAIN = "example.com"
VERSIONS = ("12.1", "14.0", "14.1", "16.1")
WBXML_VERSIONS = ("14.0", "14.1", "16.1")


def letter(
    subject: str = "Lunch", text: str = "Today at noon?", *, to: str = f"Ben <ben@{DOMAIN}>",
    sender: str = f"Anna <anna@{DOMAIN}>", more: str = "",
) -> bytes:
    """A plain message as a device makes it. `more` are whole header lines, each with its line end."""
    return (
        f"From: {sender}\r\nTo: {to}\r\n{more}Subject: {subject}\r\nDate: Tue, 3 Mar 2026 09:00:00 +0000\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()


#: A message with an HTML body that shows a picture, a text file in base64 and an enclosed message.
RICH = b"""\
From: Carla <carla@example.com>\r
To: Anna <anna@example.com>, Ben <ben@example.com>\r
Subject: The plans\r
Date: Mon, 2 Mar 2026 09:00:00 +0000\r
Message-ID: <plans@example.com>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=outer\r
\r
--outer\r
Content-Type: multipart/related; boundary=inner\r
\r
--inner\r
Content-Type: text/html; charset=utf-8\r
\r
<html><body><p>See the <b>drawing</b>: <img src="cid:drawing@x"></p></body></html>\r
--inner\r
Content-Type: image/png; name=drawing.png\r
Content-Transfer-Encoding: base64\r
Content-ID: <drawing@x>\r
Content-Disposition: inline; filename=drawing.png\r
\r
iVBORw0KGgpub3QgcmVhbGx5\r
--inner--\r
--outer\r
Content-Type: text/plain; charset=iso-8859-1; name=plan.txt\r
Content-Transfer-Encoding: base64\r
Content-Disposition: attachment; filename=plan.txt\r
\r
MDEyMzQ1Njc4OWFiY2RlZg==\r
--outer\r
Content-Type: message/rfc822\r
\r
From: Ben <ben@example.com>\r
To: Carla <carla@example.com>\r
Subject: Enclosed\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=deep\r
\r
--deep\r
Content-Type: text/plain\r
\r
Within.\r
--deep\r
Content-Type: application/octet-stream; name=deep.bin\r
Content-Transfer-Encoding: base64\r
Content-Disposition: attachment; filename=deep.bin\r
\r
AAEC/w==\r
--deep--\r
--outer--\r
"""
PLAN = b"0123456789abcdef"
DRAWING = b"\x89PNG\r\n\x1a\nnot really"
DEEP = b"\x00\x01\x02\xff"

#: Nothing of this can be taken for a message.
BROKEN = b"\x00\x01no header at all\x00"


def _nested(depth: int) -> bytes:
    inner = b"Content-Type: text/plain\r\n\r\nThe core.\r\n"
    for level in range(depth):
        mark = b"m%d" % level
        inner = b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n%s--%s--\r\n" % (mark, mark, inner, mark)
    return inner


#: A message beyond what is taken apart; it arrives degraded.
BOTTOMLESS = (
    b"From: Carla <carla@example.com>\r\nTo: anna@example.com\r\nSubject: Matryoshka\r\n"
    b"Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\n" + _nested(70)
)


def invitation(
    uid: str = "meeting-1", *, method: str = "REQUEST", sender: str = f"carla@{DOMAIN}", organizer: str = "",
    invited: Sequence[str] = (f"anna@{DOMAIN}",), lines: str = "", sequence: int = 0,
    start: str = "20270302T100000Z", end: str = "20270302T110000Z", subject: str = "Budget",
) -> bytes:
    """A message with a calendar part. `lines` are more lines of the VEVENT, each with its line end."""
    attendees = "".join(f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{who}\r\n" for who in invited)
    return (
        f"From: {sender}\r\nTo: {', '.join(invited)}\r\nSubject: {subject}\r\n"
        "Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{subject}\r\n"
        f"--b\r\nContent-Type: text/calendar; method={method}; charset=utf-8\r\n\r\n"
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
        f"DTSTAMP:20260302T10{sequence:02}00Z\r\nSEQUENCE:{sequence}\r\nDTSTART:{start}\r\nDTEND:{end}\r\n"
        f"SUMMARY:{subject}\r\nORGANIZER:mailto:{organizer or sender}\r\n{attendees}{lines}"
        "END:VEVENT\r\nEND:VCALENDAR\r\n--b--\r\n"
    ).encode()


@dataclass(kw_only=True)
class Mailroom:
    """What lies in the mailboxes of a world, seen from behind."""

    world: Any

    async def user(self, login: str) -> User:
        found: User | None = await self.world.app.embedded.groupware.read(
            lambda connection: load_user(connection, self.world.ids[login])
        )
        assert found is not None
        return found

    async def mailbox(self, login: str) -> Mailbox:
        opened: Mailbox = self.world.app.embedded.accounts.open(await self.user(login))[0]
        return opened

    async def folder(self, login: str, type: FolderType) -> Folder:
        return next(folder for folder in await (await self.mailbox(login)).folders() if folder.type is type)

    async def feed(self, login: str, type: FolderType) -> Feed:
        return (await self.mailbox(login)).feed(await self.folder(login, type))

    async def deliver(self, login: str, raw: bytes, sender: str = "somebody@elsewhere.test") -> str:
        """As a mail server does it; the ServerId of the message."""
        (failed,) = await self.world.app.embedded.office.take(sender, [f"{login}@{DOMAIN}"], raw)
        assert failed is None
        return (await self.ids(login))[-1]

    async def put(self, login: str, type: FolderType, content: bytes) -> str:
        """An item that somebody has stored; its ServerId."""
        folder = await self.folder(login, type)
        feed = (await self.mailbox(login)).feed(folder)
        written = await feed.create(content, Chosen(name=f"put-{len(await self.ids(login, type))}"))
        return f"{folder.id}:{written.id}"

    async def ids(self, login: str, type: FolderType = FolderType.INBOX) -> list[str]:
        """ServerIds, oldest first."""
        folder = await self.folder(login, type)
        listing = await (await self.mailbox(login)).feed(folder).delta(None, Horizon())
        return [f"{folder.id}:{id}" for id in sorted(listing.touched)]

    async def mails(self, login: str, type: FolderType = FolderType.INBOX) -> list[Mail]:
        feed = await self.feed(login, type)
        ids = sorted((await feed.delta(None, Horizon())).touched)
        return [mail async for mail in feed.fetch(ids, Wanted()) if isinstance(mail, Mail)]

    async def messages(self, login: str, type: FolderType = FolderType.INBOX) -> list[bytes]:
        """Whole messages, oldest first."""
        feed = await self.feed(login, type)
        ids = sorted((await feed.delta(None, Horizon())).touched)
        return [b"".join([piece async for piece in feed.part(id, "")]) for id in ids]

    async def records(self, login: str, type: FolderType) -> list[str]:
        """Whole iCalendar or vCard objects, unfolded."""
        feed = await self.feed(login, type)
        ids = sorted((await feed.delta(None, Horizon())).touched)
        found = [item async for item in feed.fetch(ids, None)]
        return [item.data.decode().replace("\r\n ", "") for item in found if isinstance(item, Record)]


async def send(
    device: Wire, command: str, mime: bytes, *more: Any, client_id: str = "c1", save: bool = False, **query: str
) -> Got:
    """SendMail, SmartReply or SmartForward in the form of the device's version. `more` are elements of 14.0 and later,
    `query` parameters of 12.1."""
    if device.version not in WBXML_VERSIONS:
        stated = {**query, "SaveInSent": "T"} if save else query
        return await device.post(command, mime, content_type="message/rfc822", **stated)
    parts = [e("ClientId", client_id)] if client_id else []
    parts += [*more, *([e("SaveInSentItems")] if save else []), e("Mime", mime)]
    return await device.post(command, e(f"ComposeMail:{command}", *parts))


def is_sent(got: Got) -> bool:
    """A success has no body. [MS-ASCMD] R463, R568, R605."""
    return got.http == 200 and got.body == b""


#: What becomes of a common status before 14.0. [MS-ASCMD] R7545-R7567; 500 where nothing is stated.
def said(got: Got) -> str:
    """The common status of an answer, or "HTTP 4xx" of a version that has none; "sent" for an empty one."""
    if got.http != 200:
        return f"HTTP {got.http}"
    return got.status if got.body else "sent"

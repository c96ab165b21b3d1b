"""What other programs do at the servers is seen on the phone, and what the phone does is seen by them.

The other side is a plain IMAP client, plain HTTP with a PUT, and a plain ManageSieve client; the phone speaks 16.1.
"""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from behind import Behind, Gateway
from groupware.dovecot import Dovecot, Flavour
from lab import Lab, Login, Talker
from meeting_kit import Box, text
from test_behind import TRIED, set_of
from wire import e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

pytestmark = pytest.mark.server

INBOX, TRASH, TASKS, CALENDAR, CONTACTS = 2, 4, 7, 8, 9
CLASSES = {INBOX: "Email", TRASH: "Email", TASKS: "Tasks", CALENDAR: "Calendar", CONTACTS: "Contacts"}
SUBJECT = "From the other side"
LETTER = (
    f"From: Carla <carla@elsewhere.example>\r\nTo: anna@example.com\r\nSubject: {SUBJECT}\r\n"
    "Message-ID: <other-side@elsewhere.example>\r\nDate: Sat, 21 Nov 2026 08:00:00 +0000\r\n\r\nWords.\r\n"
).encode()
#: By folder type: a file's name, and an object with a property that ActiveSync has no element for.
OBJECTS = {
    CALENDAR: ("other.ics", (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//other//EN\r\nBEGIN:VEVENT\r\nUID:other-side-event\r\n"
        "DTSTAMP:20261101T000000Z\r\nDTSTART:20261205T090000Z\r\nDTEND:20261205T100000Z\r\n"
        f"SUMMARY:{SUBJECT}\r\nX-OTHER:kept\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )),
    TASKS: ("other-task.ics", (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//other//EN\r\nBEGIN:VTODO\r\nUID:other-side-task\r\n"
        f"DTSTAMP:20261101T000000Z\r\nSUMMARY:{SUBJECT}\r\nX-OTHER:kept\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    )),
    CONTACTS: ("other.vcf", (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:other-side-card\r\n"
        f"FN:{SUBJECT}\r\nN:{SUBJECT};;;;\r\nX-OTHER:kept\r\nEND:VCARD\r\n"
    )),
}
HOMES = {CALENDAR: "calendar", TASKS: "tasks", CONTACTS: "contacts"}
TITLE = {CALENDAR: "Calendar:Subject", TASKS: "Tasks:Subject", CONTACTS: "Contacts:LastName"}


@dataclass(kw_only=True)
class Sides:
    """Anna's phone, and her other programs."""

    behind: Behind
    gateway: Gateway
    line: httpx.AsyncClient
    login: Login
    talker: Talker

    async def box(self, type: int) -> Box:
        box = Box(talker=self.talker, id=await self.talker.folder(type), item_class=CLASSES[type])
        return await box.begun()

    def mailbox(self, name: str) -> str:
        """Its full name on the server."""
        poor = isinstance(self.behind.mail, Dovecot) and self.behind.mail.flavour is Flavour.PLAIN
        return f"INBOX.{name}" if poor and name != "INBOX" else name

    def flags(self, mailbox: str = "INBOX") -> str:
        """Of the messages in a mailbox, as an IMAP client sees them."""
        with self.behind.mail.imap(self.login.user, self.mailbox(mailbox)) as client:
            found = client.fetch("1:*", "(FLAGS)")[1] if client.search(None, "ALL")[1][0] else []
        return " ".join(one.decode() for one in found if isinstance(one, bytes))

    def store(self, change: str, flags: str) -> None:
        with self.behind.mail.imap(self.login.user, "INBOX") as client:
            assert client.store("1:*", change, flags)[0] == "OK"

    def subjects(self, mailbox: str) -> list[str]:
        with self.behind.mail.imap(self.login.user, self.mailbox(mailbox)) as client:
            if not client.search(None, "ALL")[1][0]:
                return []
            found = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        return [one[1].decode().partition(": ")[2].strip() for one in found if isinstance(one, tuple)]

    def mailboxes(self) -> str:
        with self.behind.mail.imap(self.login.user) as client:
            return b"\n".join(line for line in client.list()[1] if isinstance(line, bytes)).decode()

    def path(self, type: int) -> str:
        return self.behind.home(self.login.user, HOMES[type])

    def put(self, type: int, *changed: tuple[str, str], **headers: str) -> None:
        """The object of a type, with texts changed."""
        name, data = OBJECTS[type]
        for old, new in changed:
            data = data.replace(old, new)
        self.behind.dav_side().put(self.path(type) + name, self.login.user, data, **headers)

    def get(self, type: int) -> str:
        return self.behind.dav_side().request(
            "GET", self.path(type) + OBJECTS[type][0], self.login.user
        ).body.decode().replace("\r\n ", "")

    async def folder_names(self) -> list[str]:
        got = await self.talker.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
        return [text(add, "DisplayName") or "" for add in got.all("Changes", "Add")]


@pytest.fixture(params=list(TRIED))
async def sides(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sides]:
    behind = set_of(request.param, request.getfixturevalue)
    async with behind.gateway(tmp_path) as gateway, gateway.line() as line:
        login = behind.person("anna")
        talker = Lab(client=line, version=Version.V16_1, me=login, other=login).talker()
        yield Sides(behind=behind, gateway=gateway, line=line, login=login, talker=talker)


async def _seen(box: Box, *path: str) -> list[str | None]:
    """A text of each item, after the news."""
    await box.read()
    return [text(item, *path) for item in box.items.values()]


# --- Mail -------------------------------------------------------------------------------------------------------------


async def test_mail_that_comes_and_what_another_client_does_with_it(sides: Sides) -> None:
    inbox = await sides.box(INBOX)
    sides.behind.mail.deliver(sides.login.user, LETTER)
    assert await _seen(inbox, "Subject") == [SUBJECT]
    assert await _seen(inbox, "Read") == ["0"]
    sides.store("+FLAGS", r"(\Seen \Flagged Office)")
    assert await _seen(inbox, "Read") == ["1"]
    (item,) = inbox.items.values()
    assert text(item, "Flag", "Status") == "2"
    assert text(item, "Categories", "Category") == "Office"
    sides.store("-FLAGS", r"(\Seen)")
    assert await _seen(inbox, "Read") == ["0"]
    sides.store("+FLAGS", r"(\Answered)")
    assert await _seen(inbox, "LastVerbExecuted") == ["1"]
    with sides.behind.mail.imap(sides.login.user, "INBOX") as client:
        client.store("1", "+FLAGS", r"(\Deleted)")
        client.expunge()
    assert await _seen(inbox, "Subject") == []


async def test_what_the_phone_does_with_a_message_is_seen_by_another_client(sides: Sides) -> None:
    sides.behind.mail.deliver(sides.login.user, LETTER)
    inbox = await sides.box(INBOX)
    (id,) = inbox.items
    data = (
        e("Email:Read", "1"), e("Email:Flag", e("Status", "2"), e("FlagType", "Follow up")),
        e("Email:Categories", e("Category", "Office")),
    )
    await inbox.send(e("AirSync:Change", e("ServerId", id), Element("AirSync:ApplicationData", data)))
    assert {r"\Seen", r"\Flagged", "Office"} <= set(sides.flags().replace("(", " ").replace(")", " ").split())
    move = e("Move", e("SrcMsgId", id), e("SrcFldId", inbox.id), e("DstFldId", await sides.talker.folder(TRASH)))
    assert (await sides.talker.post("MoveItems", e("Move:MoveItems", move))).text("Response", "Status") == "3"
    assert sides.subjects("INBOX") == []
    assert sides.subjects("Trash") == [SUBJECT]
    assert r"\Flagged" in sides.flags("Trash")
    trash = await sides.box(TRASH)
    (id,) = trash.items
    await trash.send(e("AirSync:Delete", e("ServerId", id)))
    assert sides.subjects("Trash") == []


async def test_a_message_that_is_sent_goes_out_and_stands_among_what_was_sent(sides: Sides) -> None:
    ben = sides.behind.person("ben")
    message = f"From: {sides.login.address}\r\nTo: {ben.address}\r\nSubject: {SUBJECT}\r\n\r\nWords.\r\n".encode()
    sent = e("ComposeMail:SendMail", e("ClientId", "one"), e("SaveInSentItems"), e("Mime", message))
    assert (await sides.talker.post("SendMail", sent)).body == b""
    # The answer was lost, and the phone asks again: it has been sent before. [MS-ASCMD] 2.2.2
    assert (await sides.talker.post("SendMail", sent)).status == "118"
    assert sides.subjects("Sent") == [SUBJECT]
    with sides.behind.mail.imap(ben.user, "INBOX") as client:
        assert client.search(None, "ALL")[1] == [b"1"]


async def test_folders_both_ways(sides: Sides) -> None:
    with sides.behind.mail.imap(sides.login.user) as client:
        client.create(sides.mailbox("Projekte"))
        client.subscribe(sides.mailbox("Projekte"))
    assert "Projekte" in await sides.folder_names()
    with sides.behind.mail.imap(sides.login.user) as client:
        client.rename(sides.mailbox("Projekte"), sides.mailbox("Done"))
    names = await sides.folder_names()
    assert "Done" in names
    assert "Projekte" not in names
    await sides.talker.folder(INBOX)
    made = await sides.talker.post("FolderCreate", e(
        "FolderHierarchy:FolderCreate", e("SyncKey", sides.talker.folder_key), e("ParentId", "0"),
        e("DisplayName", "By phone"), e("Type", "12"),
    ))
    assert made.status == "1"
    assert sides.mailbox("By phone") in sides.mailboxes()
    gone = await sides.talker.post("FolderDelete", e(
        "FolderHierarchy:FolderDelete", e("SyncKey", made.text("SyncKey")), e("ServerId", made.text("ServerId"))
    ))
    assert gone.status == "1"
    assert "By phone" not in sides.mailboxes()


# --- Appointments, tasks, contacts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("type", list(OBJECTS), ids=["calendar", "tasks", "contacts"])
async def test_an_object_that_another_client_puts_changes_and_deletes(sides: Sides, type: int) -> None:
    box = await sides.box(type)
    title = TITLE[type].partition(":")[2]
    sides.put(type)
    assert await _seen(box, title) == [SUBJECT]
    sides.put(type, (SUBJECT, "Another title"))
    assert await _seen(box, title) == ["Another title"]
    answer = sides.behind.dav_side().request("DELETE", sides.path(type) + OBJECTS[type][0], sides.login.user)
    assert answer.status in (200, 204)
    assert await _seen(box, title) == []


@pytest.mark.parametrize("type", list(OBJECTS), ids=["calendar", "tasks", "contacts"])
async def test_what_the_phone_changes_leaves_the_rest_of_an_object(sides: Sides, type: int) -> None:
    sides.put(type)
    box = await sides.box(type)
    (id,) = box.items
    data = Element("AirSync:ApplicationData", _fields(type, "By phone"))
    got = await box.send(e("AirSync:Change", e("ServerId", id), data))
    assert not got.body or got.find("Collections", "Collection", "Responses", "Change") is None or text(
        got.find("Collections", "Collection", "Responses", "Change"), "Status"
    ) == "1", got.root
    stored = sides.get(type)
    assert "By phone" in stored
    assert "X-OTHER:kept" in stored
    # Not what was there before is told again.
    await box.read()
    assert len(box.items) == 1
    await box.send(e("AirSync:Delete", e("ServerId", id)))
    name = sides.path(type) + OBJECTS[type][0]
    assert sides.behind.dav_side().request("GET", name, sides.login.user).status in (404, 410)


@pytest.mark.parametrize("type", list(OBJECTS), ids=["calendar", "tasks", "contacts"])
async def test_what_the_phone_adds_is_seen_by_another_client(sides: Sides, type: int) -> None:
    box = await sides.box(type)
    data = Element("AirSync:ApplicationData", _fields(type, "Made by phone"))
    got = await box.send(e("AirSync:Add", e("ClientId", "c1"), data))
    added = got.find("Collections", "Collection", "Responses", "Add")
    assert text(added, "Status") == "1", got.root
    listed = sides.behind.dav_side().request(
        "PROPFIND", sides.path(type), sides.login.user, Depth="1", Content_Type="application/xml"
    ).body.decode()
    names = [part.partition("<")[0] for part in listed.replace("D:href", "href").split("href>")[1::2]]
    files = [name for name in names if name.endswith((".ics", ".vcf"))]
    assert len(files) == 1, names
    stored = sides.behind.dav_side().request("GET", files[0], sides.login.user).body.decode()
    assert "Made by phone" in stored


def _fields(type: int, title: str) -> tuple[Element, ...]:
    named = (e(TITLE[type], title),)
    match type:
        case 8:  # a calendar
            return (*named, e("Calendar:StartTime", "20261206T090000Z"), e("Calendar:EndTime", "20261206T100000Z"))
        case 7:  # tasks
            return (*named, e("Tasks:Complete", "0"))
        case _:
            return (*named, e("Contacts:FileAs", title))


# --- Out of office ----------------------------------------------------------------------------------------------------


async def test_out_of_office_both_ways(sides: Sides) -> None:
    reply = e("OofMessage", e("AppliesToInternal"), e("Enabled", "1"), e("ReplyMessage", "Gone fishing"),
              e("BodyType", "Text"))
    outside = e("OofMessage", e("AppliesToExternalUnknown"), e("Enabled", "1"), e("ReplyMessage", "Gone fishing"),
                e("BodyType", "Text"))
    got = await _settings(sides, e("Oof", e("Set", e("OofState", "1"), reply, outside)))
    assert got.text("Oof", "Status") == "1", got.root
    # A notice goes only to those who wrote to the address itself.
    sides.behind.mail.deliver(
        sides.login.user, LETTER.replace(b"anna@example.com", sides.login.address.encode()), "carla@elsewhere.example"
    )
    assert await _within(60.0, lambda: any(b"Gone fishing" in one for one in _answers(sides)))
    with _Sieve(sides) as sieve:
        sieve.ask('SETACTIVE ""')
    got = await _settings(sides, e("Oof", e("Get", e("BodyType", "Text"))))
    assert got.text("Oof", "Get", "OofState") == "0"


async def _settings(sides: Sides, *asked: Element) -> Any:
    return await sides.talker.post("Settings", e("Settings:Settings", *asked))


def _answers(sides: Sides) -> list[bytes]:
    return [*sides.behind.mail.answers(), *(taken.octets for taken in sides.behind.sink.messages)]


async def _within(seconds: float, happens: Callable[[], bool]) -> bool:
    for _ in range(int(seconds * 10)):
        if happens():
            return True
        await asyncio.sleep(0.1)
    return False


class _Sieve:
    """A ManageSieve session of the user's (RFC 5804), line by line."""

    def __init__(self, sides: Sides) -> None:
        mail, login = sides.behind.mail, sides.login
        self.line = socket.create_connection((mail.host, mail.sieve_port), timeout=60)
        self.file = self.line.makefile("rb")
        self._answer()
        token = base64.b64encode(f"\0{login.user}\0{login.password}".encode()).decode()
        self.ask(f'AUTHENTICATE "PLAIN" "{token}"')

    def ask(self, command: str) -> None:
        self.line.sendall(command.encode() + b"\r\n")
        assert self._answer().startswith(b"OK")

    def _answer(self) -> bytes:
        while not (line := self.file.readline()).startswith((b"OK", b"NO", b"BYE")):
            assert line, "the server has gone"
        return line

    def __enter__(self) -> _Sieve:
        return self

    def __exit__(self, *exc: object) -> None:
        self.file.close()
        self.line.close()


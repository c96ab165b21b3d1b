"""Meetings behind a server that schedules (Cyrus): who is invited hears of it once, whoever writes what.

RFC 6638; [MS-ASCMD] Creating a Meeting or Appointment; docs/backends/cyrus.md."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from estate import Estate, estate
from groupware.cyrus import Cyrus
from groupware.gateway import backend
from groupware.smtp import Sink
from wire import Got, Wire, e

from eas.protocol.wbxml import Element

CALENDAR = "8"


@dataclass
class Person:
    """A device, what it knows of its calendar, and another client's look at the same calendar."""

    wire: Wire
    cyrus: Cyrus
    folder: str = ""
    key: str = ""

    async def open(self) -> Person:
        got = await self.wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
        folders = {one.text_of("Type"): one.text_of("ServerId") for one in map(_Fields, got.all("Changes", "Add"))}
        self.folder = folders[CALENDAR]
        await self.sync(key="0")
        return self

    async def sync(self, *commands: Element, key: str = "") -> Got:
        """In 14.1 and before a Sync gets changes only if it asks for them."""
        options = e("Options", e("AirSyncBase:BodyPreference", e("Type", "1"), e("TruncationSize", "500")))
        inside = [e("SyncKey", key or self.key), e("CollectionId", self.folder)]
        inside += [e("GetChanges")] if not key else []
        inside += [options, *([e("Commands", *commands)] if commands else [])]
        got = await self.wire.post("Sync", e("AirSync:Sync", e("Collections", e("Collection", *inside))))
        if got.body:
            self.key = got.text("Collections", "Collection", "SyncKey")
        return got

    async def items(self) -> dict[str, str]:
        """Subjects by ServerId, of all that a new device would get."""
        fresh = Person(Wire(**{**vars(self.wire), "device": "FRESH"}), self.cyrus, self.folder)
        await fresh.sync(key="0")
        got = await fresh.sync()
        if not got.body:
            return {}
        added = map(_Fields, got.all("Collections", "Collection", "Commands", "Add"))
        return {one.text_of("ServerId"): one.text_of("ApplicationData", "Subject") for one in added}

    def objects(self) -> list[str]:
        """What stands in the calendar, unfolded."""
        path, login = f"/dav/calendars/user/{self.wire.user}/Default/", self.wire.user
        listing = self.cyrus.dav.request("PROPFIND", path, login, Depth="1").body.decode()
        hrefs = sorted(set(re.findall(r"href>([^<]+\.ics)<", listing)))
        return [
            self.cyrus.dav.request("GET", href, login).body.decode().replace("\r\n ", "") for href in hrefs
        ]

    def mails(self) -> list[bytes]:
        with self.cyrus.imap(self.wire.user) as line:
            line.select("INBOX", readonly=True)
            found = line.search(None, "ALL")[1][0].split()
            return [line.fetch(number, "(RFC822)")[1][0][1] for number in found]


@dataclass
class _Fields:
    element: Element

    def text_of(self, *path: str) -> str:
        at = [self.element]
        for name in path:
            at = [child for parent in at for child in parent.elements if child.tag.partition(":")[2] == name]
        return at[0].text if at else ""


@pytest.fixture
async def office(cyrus: Cyrus, mail_sink: Sink, tmp_path: Path) -> AsyncIterator[Estate]:
    mail_sink.any_login = True
    async with estate(tmp_path / "data", {"office": backend(cyrus, mail_sink, dav=cyrus)}) as made:
        yield made


async def people(office: Estate, cyrus: Cyrus, version: str) -> tuple[Person, Person]:
    made = []
    for name in ("anna", "ben"):
        login, password = cyrus.new_user(name)
        made.append(await Person(Wire(
            app=office.app.asgi, user=login, password=password, version=version, device=f"{name}1",
        ), cyrus).open())
    return made[0], made[1]


def meeting(guest: str, *more: Element) -> Element:
    person = e("Attendee", e("Email", guest), e("Name", "Ben"), e("AttendeeType", "1"))
    return Element("AirSync:ApplicationData", (
        *more, e("Calendar:StartTime", "20270302T100000Z"), e("Calendar:EndTime", "20270302T110000Z"),
        e("Calendar:Subject", "Plan"), e("Calendar:MeetingStatus", "1"), e("Calendar:Attendees", person),
    ))


async def test_from_16_0_a_meeting_is_told_by_its_calendar_alone(
    office: Estate, cyrus: Cyrus, mail_sink: Sink
) -> None:
    anna, ben = await people(office, cyrus, "16.1")
    mailed = len(cyrus.answers())
    got = await anna.sync(e("AirSync:Add", e("ClientId", "1"), meeting(ben.wire.user)))
    assert got.text("Collections", "Collection", "Responses", "Add", "Status") == "1"
    entry = got.text("Collections", "Collection", "Responses", "Add", "ServerId")
    (text,) = ben.objects()
    assert "SUMMARY:Plan" in text
    ((item, subject),) = (await ben.items()).items()
    assert subject == "Plan"

    answer = e("MeetingResponse:MeetingResponse", e(
        "Request", e("UserResponse", "1"), e("CollectionId", ben.folder), e("RequestId", item), e("SendResponse"),
    ))
    assert (await ben.wire.post("MeetingResponse", answer)).text("Result", "Status") == "1"
    (mine,) = anna.objects()
    assert re.search(rf"ATTENDEE[^\n]*PARTSTAT=ACCEPTED[^\n]*{re.escape(ben.wire.user)}", mine), mine
    assert len(ben.objects()) == 1

    await anna.sync()  # a change of what the device has not seen yet would be a conflict
    await anna.sync(e("AirSync:Change", e("ServerId", entry), Element("AirSync:ApplicationData", (
        e("Calendar:StartTime", "20270303T100000Z"), e("Calendar:EndTime", "20270303T110000Z"),
    ))))
    (theirs,) = ben.objects()
    assert "20270303T1" in theirs
    await anna.sync(e("AirSync:Delete", e("ServerId", entry)))
    assert anna.objects() == []
    (theirs,) = ben.objects()
    assert "STATUS:CANCELLED" in theirs
    assert mail_sink.messages == []
    assert anna.mails() == ben.mails() == []
    assert len(cyrus.answers()) == mailed


async def test_up_to_14_1_what_the_phone_mails_as_well_is_not_sent(
    office: Estate, cyrus: Cyrus, mail_sink: Sink
) -> None:
    anna, ben = await people(office, cyrus, "14.1")
    uid = "0123456789ABCDEF"
    got = await anna.sync(e("AirSync:Add", e("ClientId", "1"), meeting(
        ben.wire.user, e("Calendar:UID", uid), e("Calendar:DtStamp", "20261121T080000Z"),
        e("Calendar:OrganizerEmail", anna.wire.user), e("Calendar:OrganizerName", "Anna"),
    )))
    entry = got.text("Collections", "Collection", "Responses", "Add", "ServerId")
    assert len(ben.objects()) == 1

    async def mail(method: str, guest: str) -> Got:
        calendar = (
            f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
            "DTSTAMP:20261121T080000Z\r\nDTSTART:20270302T100000Z\r\nDTEND:20270302T110000Z\r\nSUMMARY:Plan\r\n"
            f"ORGANIZER:mailto:{anna.wire.user}\r\nATTENDEE:mailto:{ben.wire.user}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        mime = (
            f"From: {anna.wire.user}\r\nTo: {guest}\r\nSubject: {method}\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: text/calendar; method={method}; charset=utf-8\r\n\r\n{calendar}"
        ).encode()
        asked = (e("ClientId", f"{method} {guest}"), e("SaveInSentItems"), e("Mime", mime))
        return await anna.wire.post("SendMail", e("ComposeMail:SendMail", *asked))

    assert (await mail("REQUEST", ben.wire.user)).body == b""
    assert mail_sink.messages == []
    # Who is not among the invitees does not hear of it from the server.
    assert (await mail("REQUEST", "carla@elsewhere.test")).body == b""
    assert [one.recipients for one in mail_sink.messages] == [("carla@elsewhere.test",)]
    mail_sink.messages.clear()

    await anna.sync(e("AirSync:Delete", e("ServerId", entry)))
    assert (await mail("CANCEL", ben.wire.user)).body == b""
    assert mail_sink.messages == []
    (theirs,) = ben.objects()
    assert "STATUS:CANCELLED" in theirs
    with cyrus.imap(anna.wire.user) as line:
        line.select("Sent", readonly=True)
        assert len(line.search(None, "ALL")[1][0].split()) == 3

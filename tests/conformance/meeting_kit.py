"""People with an inbox and a calendar on a device of any version, who invite each other: for the cases on meetings.

Up to 14.1 a device mails invitations and answers itself; from 16.0 the server does (R7478), so that `invite` goes two
ways and ends the same.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

import httpx
from lab import Inapplicable, Lab, Login, Talker
from wire import Got, e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

INBOX, DELETED, CALENDAR = 2, 4, 8
CLASS_OF = {INBOX: "Email", DELETED: "Email", CALENDAR: "Calendar"}
ACCEPT, TENTATIVE, DECLINE = "1", "2", "3"
#: Seconds that a message may take, and in which none has come that does not.
PATIENCE, QUIET, PAUSE = 30.0, 0.4, 0.2
#: Seconds after which it is asked whether the server does what is waited for at all.
DOUBT = 3.0
#: By line to a server: whether it looks after calendars.
_LOOKS_AFTER: WeakKeyDictionary[httpx.AsyncClient, bool] = WeakKeyDictionary()


def local(element: Element) -> str:
    return element.tag.partition(":")[2]


def find(element: Element | None, *path: str) -> Element | None:
    for name in path:
        element = next((c for c in (element.elements if element is not None else ()) if local(c) == name), None)
    return element


def text(element: Element | None, *path: str) -> str | None:
    found = find(element, *path)
    return None if found is None else found.text


def attendee_status(item: Element, login: Login) -> str | None:
    """AttendeeStatus of somebody; None for who is not on the list."""
    for one in (find(item, "Attendees") or Element("", ())).elements:
        if (text(one, "Email") or "").lower() == login.address.lower():
            return text(one, "AttendeeStatus")
    return None


def compact(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def dashed(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def soon(days: int = 30) -> datetime:
    """A whole hour some weeks ahead, another one each time; by day in UTC and hence, in most zones, on the same day."""
    day = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0)
    return day + timedelta(days=days + secrets.randbelow(9), hours=secrets.randbelow(8))


@dataclass(kw_only=True)
class Box:
    """One collection of a device: what it holds by ServerId."""

    talker: Talker
    id: str
    item_class: str
    key: str = "0"
    items: dict[str, Element] = field(default_factory=dict)
    #: Whether what is waited for here may come at all. Raises Inapplicable.
    doubt: Callable[[str], Awaitable[None]] | None = None

    async def ask(self, *more: Element) -> Got:
        named = [e("Class", self.item_class)] if self.talker.version < Version.V14_0 else []
        inside = e("Collection", *named, e("SyncKey", self.key), e("CollectionId", self.id), *more)
        got = await self.talker.post("Sync", e("AirSync:Sync", e("Collections", inside)))
        assert got.http == 200, (got.http, got.body)
        if got.body:
            assert got.text("Collections", "Collection", "Status") == "1", got.root
            self.key = got.text("Collections", "Collection", "SyncKey")
            for one in got.all("Collections", "Collection", "Commands")[:1]:
                self._take(one)
        return got

    def _take(self, commands: Element) -> None:
        for one in commands.elements:
            data, id = find(one, "ApplicationData"), text(one, "ServerId") or ""
            if data is None:
                self.items.pop(id, None)
            else:
                self.items[id] = data

    async def read(self) -> None:
        for _ in range(60):
            got = await self.ask(e("GetChanges"), e("WindowSize", "100"), self._options())
            if not got.body or got.find("Collections", "Collection", "MoreAvailable") is None:
                return

    def _options(self) -> Element:
        if self.talker.version is Version.V2_5 or self.item_class != "Email":
            return e("AirSync:Options")
        wanted = e("AirSyncBase:BodyPreference", e("Type", "1"), e("TruncationSize", "20000"))
        return e("AirSync:Options", wanted)

    async def begun(self) -> Box:
        await self.ask()
        await self.read()
        return self

    async def send(self, *commands: Element) -> Got:
        return await self.ask(e("AirSync:Commands", *commands))

    def named(self, subject: str) -> dict[str, Element]:
        """The items whose subject contains a text, by ServerId."""
        return {id: item for id, item in self.items.items() if subject in (text(item, "Subject") or "")}

    async def awaited(self, subject: str, count: int = 1) -> dict[str, Element]:
        """So many items about `subject`, and not one more."""
        for turn in range(int(PATIENCE / PAUSE)):
            await self.read()
            if len(self.named(subject)) >= count:
                break
            if turn == int(DOUBT / PAUSE) and self.doubt is not None:
                await self.doubt(subject)
            await asyncio.sleep(PAUSE)
        found = self.named(subject)
        assert len(found) == count, [text(item, "Subject") for item in found.values()]
        return found

    async def none_more(self, subject: str, count: int) -> None:
        await asyncio.sleep(QUIET)
        await self.awaited(subject, count)


@dataclass(kw_only=True)
class Person:
    login: Login
    talker: Talker
    inbox: Box
    calendar: Box

    @classmethod
    async def of(cls, lab: Lab, login: Login, version: Version | None = None, agent: str = "") -> Person:
        values: dict[str, Any] = {"version": version} if version else {}
        talker = lab.talker(login, **values, **({"agent": agent} if agent else {}))
        boxes = [
            await Box(talker=talker, id=await talker.folder(type), item_class=CLASS_OF[type]).begun()
            for type in (INBOX, CALENDAR)
        ]
        person = cls(login=login, talker=talker, inbox=boxes[0], calendar=boxes[1])

        async def mailed(subject: str) -> None:
            await person.calendar.read()
            if person.calendar.named(subject):
                raise Inapplicable("the server writes into the calendars of its users and mails them nothing")

        person.inbox.doubt = mailed
        person.calendar.doubt = lambda subject: needs_looking_after(lab)
        return person

    @property
    def mails_itself(self) -> bool:
        return self.talker.version < Version.V16_0

    # -- Meetings

    async def invite(self, subject: str, *guests: Login, start: datetime, more: tuple[Element, ...] = ()) -> str:
        """The ServerId of the appointment; the guests have their mail, by whichever way. `more` elements of it are the
        calendar's; what a message up to 14.1 has of them is times and subject, and a weekly recurrence."""
        uid = f"conf-{secrets.token_hex(8)}"
        data = self._appointment(subject, uid, start, [guest.address for guest in guests], more)
        got = await self.calendar.send(e("AirSync:Add", e("ClientId", uid[:30]), data))
        added = got.find("Collections", "Collection", "Responses", "Add")
        assert text(added, "Status") == "1", got.root
        if self.mails_itself:
            weekly = any(local(one) == "Recurrence" for one in more)
            await self.mail(
                "REQUEST", subject, uid, start, [guest.address for guest in guests], host=self.login.address,
                lines="RRULE:FREQ=WEEKLY;COUNT=4\r\n" if weekly else "",
            )
        return text(added, "ServerId") or ""

    def _appointment(
        self, subject: str, uid: str, start: datetime, guests: list[str], more: tuple[Element, ...]
    ) -> Element:
        c = "Calendar:"
        old = [e(f"{c}UID", uid), e(f"{c}DtStamp", compact(datetime.now(UTC)))] if self.mails_itself else []
        kind = [] if self.talker.version is Version.V2_5 else [e("AttendeeType", "1")]
        status = [] if self.mails_itself else [e(f"{c}MeetingStatus", "1")]
        people = [e("Attendee", e("Email", who), e("Name", who.partition("@")[0]), *kind) for who in guests]
        owner = [e(f"{c}OrganizerEmail", self.login.address), e(f"{c}MeetingStatus", "1")] if self.mails_itself else []
        return Element("AirSync:ApplicationData", (
            *old, e(f"{c}StartTime", compact(start)), e(f"{c}EndTime", compact(start + timedelta(hours=1))),
            e(f"{c}Subject", subject), e(f"{c}AllDayEvent", "0"), *owner, *status, e(f"{c}Attendees", *people), *more,
        ))

    async def change(self, id: str, *fields: Element, instance: str = "") -> None:
        named = (e("AirSyncBase:InstanceId", instance),) if instance else ()
        data = Element("AirSync:ApplicationData", fields)
        got = await self.calendar.send(e("AirSync:Change", e("ServerId", id), *named, data))
        assert not got.body or text(got.find("Collections", "Collection", "Responses", "Change"), "Status") in (
            None, "1"
        ), got.root

    async def delete(self, id: str, instance: str = "") -> None:
        named = (e("AirSyncBase:InstanceId", instance),) if instance else ()
        got = await self.calendar.send(e("AirSync:Delete", e("ServerId", id), *named))
        assert not got.body or got.find("Collections", "Collection", "Responses") is None, got.root
        self.calendar.items.pop(id, None) if not instance else None

    async def respond(
        self, box: Box, id: str, response: str, *, instance: str = "", send: Element | None = None
    ) -> Element:
        """The Result of a MeetingResponse. `send` is the SendResponse."""
        inside = [e("UserResponse", response), e("CollectionId", box.id), e("RequestId", id)]
        inside += [e("InstanceId", instance)] if instance else []
        inside += [send] if send is not None else []
        return await self.respond_with(*inside)

    async def respond_with(self, *inside: Element) -> Element:
        asked = e("MeetingResponse:MeetingResponse", e("Request", *inside))
        got = await self.talker.post("MeetingResponse", asked)
        assert got.http == 200, got.http
        found = got.find("Result")
        assert found is not None, got.root
        return found

    # -- Mail, as a device sends it

    async def mail(
        self, method: str, subject: str, uid: str, start: datetime, to: list[str], *, host: str, lines: str = "",
        partstat: str = "NEEDS-ACTION", sequence: int = 0, guests: list[str] | None = None, times: str = "",
        rsvp: str = "TRUE",
    ) -> None:
        """`lines` are more of the VEVENT, each with its line end; `times` take the place of DTSTART and DTEND."""
        people = "".join(f"ATTENDEE;PARTSTAT={partstat};RSVP={rsvp}:mailto:{who}\r\n" for who in guests or to)
        times = times or f"DTSTART:{compact(start)}\r\nDTEND:{compact(start + timedelta(hours=1))}\r\n"
        ics = (
            f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//conformance//EN\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\n"
            f"UID:{uid}\r\nDTSTAMP:{compact(datetime.now(UTC))}\r\nSEQUENCE:{sequence}\r\n"
            f"{times}SUMMARY:{subject}\r\nORGANIZER:mailto:{host}\r\n"
            f"{people}{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        message = (
            f"From: {self.login.address}\r\nTo: {', '.join(to)}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
            f"--b\r\nContent-Type: text/plain\r\n\r\n{subject}\r\n"
            f"--b\r\nContent-Type: text/calendar; method={method}; charset=utf-8\r\n\r\n{ics}\r\n--b--\r\n"
        ).encode()
        if self.talker.version < Version.V14_0:
            got = await self.talker.post("SendMail", message, content_type="message/rfc822")
        else:
            client = e("ClientId", secrets.token_hex(8))
            got = await self.talker.post("SendMail", e("ComposeMail:SendMail", client, e("Mime", message)))
        assert (got.http, got.body) == (200, b""), got.body


async def looks_after_calendars(lab: Lab) -> bool:
    """Whether an invitation that comes by mail is entered into the calendar by the server, and answers into that of
    the organizer, as Exchange does; where only devices and other programs do so, there is nothing to be seen."""
    if lab.client not in _LOOKS_AFTER:
        host, guest, subject = await Person.of(lab, lab.me), await Person.of(lab, lab.other), lab.unique("probe")
        guest.calendar.doubt = None
        await host.mail("REQUEST", subject, lab.unique("uid"), soon(), [guest.login.address], host=host.login.address)
        await guest.inbox.awaited(subject)
        await asyncio.sleep(QUIET)
        await guest.calendar.read()
        _LOOKS_AFTER[lab.client] = bool(guest.calendar.named(subject))
    return _LOOKS_AFTER[lab.client]


async def needs_looking_after(lab: Lab) -> None:
    """Raises Inapplicable."""
    if not await looks_after_calendars(lab):
        raise Inapplicable("the server does not enter invitations and answers that come by mail")

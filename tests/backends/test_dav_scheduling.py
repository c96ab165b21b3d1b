"""Scheduling by a CalDAV server (RFC 6638): invitations that it delivers, free/busy, and mail that is not sent then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from davhome import Home
from worlds import event

from eas.backends.dav import rows, vfreebusy, xmlbody
from eas.backends.dav.client import DavClient, DavClients
from eas.backends.dav.scheduling import DavFreeBusy
from eas.backends.standards.ports import Account
from eas.backends.standards.scheduled import ScheduledOutbox
from eas.backends.standards.tenant import DavServer, Tenant
from eas.engine.errors import Unavailable
from eas.engine.model import Secret, User
from eas.engine.ports import Chosen
from eas.items.appointment import BusyStatus
from eas.items.compose import Outgoing
from eas.items.freebusy import BusyPeriod
from eas.items.native import Unreadable

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOTHING: Any = None  # the client needs no database


@pytest.fixture
async def clients() -> AsyncIterator[DavClients]:
    made = DavClients()
    yield made
    await made.close()


@dataclass
class Person:
    account: Account
    client: DavClient

    @classmethod
    def of(cls, server: Any, clients: DavClients, name: str = "") -> Person:
        login, password = server.new_user(name)
        account = Account(
            user=User(id=login, login=login, address=login, addresses=(login,), name="", zone="Europe/Berlin"),
            tenant=Tenant(name="t", dav=DavServer(
                url=server.url, ca_file=getattr(server, "ca_file", ""), timeout_seconds=20.0
            )),
            login=login, secret=Secret(password), ground=NOTHING,
        )
        return cls(account, clients.of(account))

    @property
    def address(self) -> str:
        return self.account.login

    async def calendar(self) -> str:
        principal = await self.client.discover()
        infos = await self.client.collections(principal.calendar_homes)
        return next(
            one.href for one in infos
            if one.kind == "calendar" and (not one.components or "VEVENT" in one.components)
        )

    async def events(self, uid: str) -> list[tuple[str, str]]:
        """(href, text) of what stands in the calendar under a UID."""
        href = await self.calendar()
        listed = await self.client.changes(href, "", kind="calendar")
        objects = await self.client.multiget(href, list(listed.changed), kind="calendar")
        texts = [(one.href, one.data.decode().replace("\r\n ", "")) for one in objects]
        return [(href, text) for href, text in texts if f"UID:{uid}\r" in text]

    async def busy(self, address: str, start: datetime, end: datetime) -> Any:
        return await DavFreeBusy(self.account, self.client).busy(address, start, end)


def meeting(uid: str, organizer: str, *guests: str) -> bytes:
    lines = [f"ORGANIZER:mailto:{organizer}", f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}"]
    lines += [f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{guest}" for guest in guests]
    return event(uid, NOW, 1, *lines)


# --- Meetings ---------------------------------------------------------------------------------------------------------


@pytest.mark.server
async def test_an_invitation_arrives_once_and_its_answer_comes_back(cyrus: Any, clients: DavClients) -> None:
    """By nothing but what is written into calendars: who wrote it has nothing to mail."""
    anna, ben = Person.of(cyrus, clients, "anna"), Person.of(cyrus, clients, "ben")
    assert (await anna.client.discover()).auto_schedule
    mailed = len(cyrus.answers())
    href = f"{await anna.calendar()}plan.ics"
    await ben.calendar()
    await anna.client.put(href, meeting("plan-1", anna.address, ben.address), kind="calendar", etag=None)
    ((theirs, text),) = await ben.events("plan-1")
    assert "PARTSTAT=NEEDS-ACTION" in text

    accepted = text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED").encode()
    await ben.client.put(theirs, accepted, kind="calendar", etag=(await ben.client.get(theirs)).etag)
    ((_, mine),) = await anna.events("plan-1")
    assert mine.count("PARTSTAT=ACCEPTED") == 2
    assert len(await ben.events("plan-1")) == 1

    await anna.client.delete(href)
    ((_, text),) = await ben.events("plan-1")
    assert "STATUS:CANCELLED" in text
    assert len(cyrus.answers()) == mailed, "people of this server are told by calendar"


@pytest.mark.server
async def test_a_meeting_that_is_put_into_another_calendar_is_not_cancelled(cyrus: Any, clients: DavClients) -> None:
    anna, ben = Person.of(cyrus, clients, "anna"), Person.of(cyrus, clients, "ben")
    default = await anna.calendar()
    await ben.calendar()
    other = f"{default.rstrip('/').rpartition('/')[0]}/other/"
    await anna.client.make(other, kind="calendar", name="Other", component="VEVENT")
    await anna.client.put(f"{default}m.ics", meeting("m-1", anna.address, ben.address), kind="calendar", etag=None)
    await anna.client.move(f"{default}m.ics", f"{other}m.ics")
    ((_, text),) = await ben.events("m-1")
    assert "CANCELLED" not in text
    await anna.client.put(
        f"{other}m.ics", meeting("m-1", anna.address, ben.address).replace(b"SUMMARY:Meeting", b"SUMMARY:Moved"),
        kind="calendar", etag=(await anna.client.get(f"{other}m.ics")).etag,
    )
    ((_, text),) = await ben.events("m-1")
    assert "SUMMARY:Moved" in text


def outgoing(calendar: str, *recipients: str, method: str = "REQUEST", type: str = "text/calendar") -> Outgoing:
    mime = (
        "From: anna@example.com\r\nTo: ben@example.com\r\nSubject: Plan\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nCome.\r\n"
        f"--b\r\nContent-Type: {type}; method={method}; charset=utf-8\r\n\r\n{calendar}\r\n--b--\r\n"
    ).encode()
    return Outgoing(
        sender="anna@example.com", recipients=recipients or ("ben@example.com",), mime=mime,
        message_id="<1@example.com>",
    )


def told(method: str, *lines: str) -> str:
    people = ("ORGANIZER:mailto:anna@example.com", "ATTENDEE:mailto:Ben@Example.com")
    text = event("plan", NOW, 1, *people, *lines).decode()
    return text.replace("BEGIN:VEVENT", f"METHOD:{method}\r\nBEGIN:VEVENT" if method else "BEGIN:VEVENT", 1)


@dataclass
class Post:
    sent: list[Outgoing] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    known: bool = True

    async def submit(self, outgoing: Outgoing) -> None:
        self.sent.append(outgoing)

    async def schedules(self, uid: str) -> bool:
        self.asked.append(uid)
        return self.known


@pytest.mark.parametrize("message", [
    outgoing(told("REQUEST")), outgoing(told("request")), outgoing(told("CANCEL"), method="CANCEL"),
    outgoing(told("REPLY"), "anna@example.com", method="REPLY"), outgoing(told("REQUEST"), "BEN@example.com"),
], ids=["REQUEST", "lower case", "CANCEL", "REPLY", "another case"])
async def test_what_the_server_tells_by_itself_is_not_mailed_again(message: Outgoing) -> None:
    """Phones up to 14.1 mail it as well."""
    post = Post()
    await ScheduledOutbox(post, post.schedules).submit(message)
    assert (post.sent, post.asked) == ([], ["plan"])
    post = Post(known=False)
    await ScheduledOutbox(post, post.schedules).submit(message)
    assert (post.sent, post.asked) == ([message], ["plan"])


@pytest.mark.parametrize("message", [
    outgoing(told("REQUEST"), "carla@example.com"), outgoing(told("REQUEST"), "ben@example.com", "carla@example.com"),
    outgoing(told("COUNTER"), "anna@example.com", method="COUNTER"), outgoing(told("PUBLISH"), method="PUBLISH"),
    outgoing(told("")), outgoing("garbage"), outgoing("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR"),
    outgoing(told("REQUEST"), type="text/plain"), outgoing(told("REQUEST").replace("UID:plan", "X-UID:plan")),
], ids=["forwarded", "to one more", "COUNTER", "PUBLISH", "no method", "garbage", "no event", "plain text", "no UID"])
async def test_what_the_server_does_not_tell_is_mailed(message: Outgoing) -> None:
    """Nothing must be lost; an invitation that is passed on is for people whom the server does not know of."""
    post = Post()
    await ScheduledOutbox(post, post.schedules).submit(message)
    assert (post.sent, post.asked) == ([message], [])


# --- Free/busy --------------------------------------------------------------------------------------------------------


@pytest.mark.server
async def test_when_somebody_else_is_busy(cyrus: Any, clients: DavClients) -> None:
    anna, ben = Person.of(cyrus, clients, "anna"), Person.of(cyrus, clients, "ben")
    calendar = await ben.calendar()
    await ben.client.put(f"{calendar}a.ics", event("fb-a", NOW, 2), kind="calendar", etag=None)
    await ben.client.put(
        f"{calendar}b.ics", event("fb-b", NOW + 4 * HOUR, 1, "STATUS:TENTATIVE"), kind="calendar", etag=None
    )
    await ben.client.put(
        f"{calendar}c.ics", event("fb-c", NOW + 6 * HOUR, 1, "TRANSP:TRANSPARENT"), kind="calendar", etag=None
    )
    found = await anna.busy(ben.address, NOW + HOUR, NOW + 24 * HOUR)
    assert found == [
        BusyPeriod(NOW + HOUR, NOW + 2 * HOUR, BusyStatus.BUSY),
        BusyPeriod(NOW + 4 * HOUR, NOW + 5 * HOUR, BusyStatus.TENTATIVE),
    ]
    assert await anna.busy("nobody@elsewhere.test", NOW, NOW + HOUR) is None


@pytest.mark.server
@pytest.mark.parametrize("name", ["radicale", "xandikos", "cyrus"])
async def test_when_the_user_is_busy(request: pytest.FixtureRequest, clients: DavClients, name: str) -> None:
    """Of the calendars, where the server does no scheduling."""
    anna = Person.of(request.getfixturevalue(name), clients)
    calendar = await anna.calendar()
    await anna.client.put(f"{calendar}a.ics", event("own-a", NOW, 2), kind="calendar", etag=None)
    daily = event("own-b", NOW - 240 * HOUR + 5 * HOUR, 1, "RRULE:FREQ=DAILY")
    await anna.client.put(f"{calendar}b.ics", daily, kind="calendar", etag=None)
    found = await anna.busy(anna.address.upper(), NOW - HOUR, NOW + 12 * HOUR)
    assert found is not None
    assert [(one.start, one.end, one.status) for one in found] == [
        (NOW, NOW + 2 * HOUR, BusyStatus.BUSY), (NOW + 5 * HOUR, NOW + 6 * HOUR, BusyStatus.BUSY),
    ]


@pytest.mark.server
async def test_of_others_a_server_without_scheduling_tells_nothing(radicale: Any, clients: DavClients) -> None:
    anna, ben = Person.of(radicale, clients), Person.of(radicale, clients)
    assert await anna.busy(ben.address, NOW, NOW + HOUR) is None


async def test_a_server_that_is_away(clients: DavClients) -> None:
    user = User(id="u", login="anna", address="anna@example.com", addresses=("anna@example.com",), name="")
    account = Account(
        user=user, tenant=Tenant(name="t", dav=DavServer(url="http://127.0.0.1:9/")), login="anna",
        secret=Secret("x"), ground=NOTHING,
    )
    with pytest.raises(Unavailable):
        await DavFreeBusy(account, clients.of(account)).busy("ben@example.com", NOW, NOW + HOUR)


def free_busy(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VFREEBUSY", *lines, "END:VFREEBUSY", "END:VCALENDAR", ""]).encode()


@pytest.mark.parametrize(("lines", "expected"), [
    ([], []),
    (["FREEBUSY:20261123T090000Z/PT2H"], [(0, 2, BusyStatus.BUSY)]),
    (["FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20261123T100000Z/20261123T110000Z,20261123T080000Z/PT90M"],
     [(0, 0.5, BusyStatus.OUT_OF_OFFICE), (1, 2, BusyStatus.OUT_OF_OFFICE)]),
    (["FREEBUSY;FBTYPE=FREE:20261123T090000Z/PT2H", "FREEBUSY;FBTYPE=busy-tentative:20261123T090000Z/PT1H"],
     [(0, 1, BusyStatus.TENTATIVE)]),
    (["FREEBUSY;FBTYPE=X-NEW:20261123T090000Z/PT1H"], [(0, 1, BusyStatus.BUSY)]),
    (["FREEBUSY:x/y,20261123T090000Z/,/,2026112T090000/PT1H,20261123T090000Z/PX,20261123T110000Z/-PT1H"], []),
    (["FREEBUSY:20261101T090000Z/PT1H,20261223T090000Z/PT1H"], []),
])
def test_periods_of_an_answer(lines: list[str], expected: list[tuple[float, float, BusyStatus]]) -> None:
    found = vfreebusy.periods(free_busy(*lines), NOW, NOW + 24 * HOUR)
    assert [((one.start - NOW) / HOUR, (one.end - NOW) / HOUR, one.status) for one in found] == expected


def test_an_answer_without_measure_is_refused() -> None:
    many = ",".join(["20261123T090000Z/PT1H"] * (vfreebusy.MAX_PERIODS + 1))
    with pytest.raises(Unreadable):
        vfreebusy.periods(free_busy(f"FREEBUSY:{many}"), NOW, NOW + HOUR)


@pytest.mark.parametrize(("recipient", "status", "found"), [
    ("mailto:ben@example.com", "2.0;Success", b"DATA"), ("MAILTO:Ben@example.com", "2.0", b"DATA"),
    ("mailto:ben@example.com", "3.7;Invalid", None), ("mailto:carla@example.com", "2.0;Success", None),
])
def test_the_answer_for_one_address(recipient: str, status: str, found: bytes | None) -> None:
    root = xmlbody.document(
        '<C:schedule-response xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><C:response><C:recipient><D:href>'
        f"{recipient}</D:href></C:recipient><C:request-status>{status}</C:request-status>"
        "<C:calendar-data>DATA</C:calendar-data></C:response></C:schedule-response>".encode()
    )
    assert vfreebusy.answer(root, "ben@example.com") == found
    with pytest.raises(xmlbody.BadXml):
        vfreebusy.answer(xmlbody.document(b"<x/>"), "ben@example.com")


# --- What stood in a calendar -----------------------------------------------------------------------------------------


@pytest.mark.server
async def test_an_appointment_that_has_gone_is_remembered(
    radicale: Any, database_template: Path, tmp_path: Path
) -> None:
    """A phone deletes a meeting first and mails the cancellation then."""
    home = await Home.make(radicale, database_template, tmp_path)
    number, clock = home.places["Calendar"].number, home.world.clock
    feed = home.feed("Calendar")

    async def stood(uid: str) -> bool:
        since = clock.at - 24 * HOUR
        return await home.account.ground.read(lambda connection: rows.stood(connection, [number], uid, since))

    long = "u" * 300
    for uid in ("mine", "theirs", long):
        await feed.create(event(uid, NOW), Chosen(name=f"n{uid[:6]}"))
    assert not await stood("mine")
    id = await feed.by_uid("mine")
    assert id is not None
    await feed.delete(id)
    home.delete("Calendar", "ntheirs.ics")
    home.delete("Calendar", "nuuuuuu.ics")
    assert await feed.by_uid("theirs") is None
    assert [await stood(uid) for uid in ("mine", "theirs", long, "other")] == [True, True, True, False]
    clock.later(days=2)
    assert not await stood("mine")
    await home.close()

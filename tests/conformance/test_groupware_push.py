"""Phones that wait while their mailboxes are on other servers: they hear at once of what happened there, and one
connection does for all of a user's devices and folders."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import settling
from estate import Estate, estate, letter, ready, subjects
from groupware.cyrus import Cyrus
from groupware.dovecot import Dovecot, Flavour
from groupware.gateway import backend
from groupware.radicale import Radicale
from groupware.smtp import Sink

from eas.client.device import Folder
from eas.client.errors import Unauthorised
from eas.client.phone import Phone
from eas.commands.ping import Response, Status
from eas.engine.model import FolderType
from eas.protocol.version import Version

#: Seconds for what is told, as opposed to what a poll finds: Dovecot gathers what happens within half a second, but the
#: machine may stand still for longer. Where it matters, no poll comes sooner.
AT_ONCE = 30.0
#: For what a poll finds, and the longest that a Ping waits.
LATER, LONG = 60.0, 600
#: Of the tests' polls.
POLL = 1
VERSIONS = (Version.V16_1, Version.V14_1)


@asynccontextmanager
async def gateway(
    tmp_path: Path, mail: Dovecot | Cyrus, sink: Sink, **more: Any
) -> AsyncIterator[Estate]:
    settings = backend(mail, sink, **more)
    settings.setdefault("poll_seconds", POLL)
    async with estate(tmp_path / "data", {"office": settings}, limits={"heartbeat_min_seconds": 1}) as made:
        yield made


class Waiting:
    """A phone's Ping that is under way."""

    def __init__(self, phone: Phone, folders: list[Folder], heartbeat: int = LONG) -> None:
        self.task = asyncio.create_task(phone.ping(folders, heartbeat))

    async def settled(self, made: Estate) -> Waiting:
        """The watch knows how things stand, so that what follows is heard as it happens."""
        await asyncio.sleep(0.7)
        assert not self.task.done(), self.task.result()
        assert made.app.bell.watched
        return self

    async def hears(self, folder: Folder | None, within: float = AT_ONCE) -> float:
        """Seconds from now until the folder is named (None: that folders have changed)."""
        began = time.monotonic()
        answer = await asyncio.wait_for(self.task, within)
        if folder is None:
            assert answer.status is Status.HIERARCHY_CHANGED, answer
        else:
            assert (answer.status, answer.folders) == (Status.CHANGES, (folder.id,))
        return time.monotonic() - began


async def waiting(made: Estate, phone: Phone, folders: list[Folder] | None = None, heartbeat: int = LONG) -> Waiting:
    return await Waiting(phone, phone.folders() if folders is None else folders, heartbeat).settled(made)


async def aside(work: Callable[..., object], *given: Any) -> None:
    """What another program does, which takes its time."""
    await asyncio.to_thread(work, *given)


def flagged(server: Dovecot | Cyrus, login: str, folder: str, how: str = "\\Seen") -> None:
    with server.imap(login, folder) as client:
        client.store("1", "+FLAGS", how)


def expunged(server: Dovecot | Cyrus, login: str, folder: str) -> None:
    with server.imap(login, folder) as client:
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()


# --- NOTIFY ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_whatever_happens_in_any_mailbox_is_heard_at_once(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path, version: Version
) -> None:
    login, password = dovecot.new_user()
    dovecot.append(login, "INBOX", letter("first", login))
    dovecot.append(login, "Projects", letter("plan", login))
    async with gateway(tmp_path, dovecot, mail_sink, poll_seconds=600) as made:
        phone = await ready(made.phone(login, password, version=version))
        inbox, projects = phone.state.folder(FolderType.INBOX), phone.state.folder("Projects")
        deeds: list[tuple[Folder, Callable[..., object], tuple[Any, ...]]] = [
            (inbox, dovecot.append, (login, "INBOX", letter("new", login))),
            (projects, dovecot.append, (login, "Projects", letter("another", login))),
            (inbox, flagged, (dovecot, login, "INBOX")),
            (projects, flagged, (dovecot, login, "Projects", "\\Flagged")),
            (inbox, expunged, (dovecot, login, "INBOX")),
            (projects, expunged, (dovecot, login, "Projects")),
        ]
        for folder, work, given in deeds:
            held = await waiting(made, phone)
            await aside(work, *given)
            took = await held.hears(folder)
            print(f"{version} {work.__name__} {folder.name}: {took:.2f} s")
            await phone.sync([folder])
        assert subjects(phone) == ["new"]
        assert len(projects.items) == 1


async def test_a_folder_that_is_made_elsewhere_is_heard_of(dovecot: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    login, password = dovecot.new_user()
    async with gateway(tmp_path, dovecot, mail_sink, poll_seconds=600) as made:
        phone = await ready(made.phone(login, password))
        held = await waiting(made, phone)
        with dovecot.imap(login) as client:
            client.create("Projects")
            client.subscribe("Projects")
        print(f"a folder made: {await held.hears(None):.2f} s")
        await phone.folder_sync()
        projects = phone.state.folder("Projects")
        await phone.sync([projects])
        held = await waiting(made, phone)
        await aside(dovecot.append, login, "Projects", letter("plan", login))
        await held.hears(projects)
        await phone.sync([projects])
        held = await waiting(made, phone)
        with dovecot.imap(login) as client:
            client.delete("Projects")
        print(f"a folder deleted: {await held.hears(None):.2f} s")


async def test_a_hanging_sync_hears_the_same(dovecot: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    login, password = dovecot.new_user()
    async with gateway(tmp_path, dovecot, mail_sink, poll_seconds=600) as made:
        phone = await ready(made.phone(login, password))
        for n, held in enumerate(({"heartbeat": LONG}, {"wait": 10}, {"heartbeat": LONG})):
            hanging = asyncio.create_task(phone.round(phone.folders(), **held))
            await asyncio.sleep(0.7)
            assert not hanging.done()
            folder = ("INBOX", "Sent")[n % 2]
            began = time.monotonic()
            await aside(dovecot.append, login, folder, letter(f"new {n}", login))
            await asyncio.wait_for(hanging, AT_ONCE)
            print(f"Sync {held}: {time.monotonic() - began:.2f} s")
        assert subjects(phone) == ["new 0", "new 2"]
        assert subjects(phone, FolderType.SENT_ITEMS) == ["new 1"]


async def test_what_happens_between_a_sync_and_a_ping_is_told_at_once(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot.new_user()
    async with gateway(tmp_path, dovecot, mail_sink, poll_seconds=600) as made:
        phone = await ready(made.phone(login, password))
        dovecot.append(login, "Sent", letter("out", login))
        sent = phone.state.folder(FolderType.SENT_ITEMS)
        await Waiting(phone, phone.folders()).hears(sent)
        dovecot.append(login, "INBOX", letter("in", login))
        inbox = phone.state.folder(FolderType.INBOX)
        await Waiting(phone, [inbox]).hears(inbox)


async def test_a_ping_over_many_folders_costs_a_command_or_two(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot.new_user()
    for n in range(6):
        dovecot.append(login, f"Folder {n}", letter(f"in {n}", login))
    async with gateway(tmp_path, dovecot, mail_sink, poll_seconds=600, imap=imap_of(dovecot, idle_seconds=1)) as made:
        phone = await ready(made.phone(login, password))
        mail = [folder for folder in phone.folders() if folder.item_class == "Email"]
        assert len(mail) >= 10
        await until(lambda: sessions(dovecot, login) == 0)  # connections from before are gone
        # The first begins the watch: it listens, looks how things stand, and has the device look once more.
        for most in (5, 1, 1):
            with dovecot.commands(login) as said:
                assert (await phone.ping(mail, 1)).status is Status.EXPIRED
                await asyncio.sleep(2.5)
            told = [line for line in said if line.split()[1:2] not in (["LOGOUT"], ["ENABLE"], ["ID"], ["NAMESPACE"])]
            print(f"a Ping over {len(mail)} folders:", *told, sep="\n  ")
            assert len(told) <= most, told


def imap_of(server: Dovecot | Cyrus, **more: Any) -> dict[str, Any]:
    return {"host": server.host, "port": server.imaps_port, "security": "tls", "ca_file": str(server.ca_file), **more}


# --- One watch ------------------------------------------------------------------------------------------------------


def sessions(server: Dovecot, login: str) -> int:
    """Connections that the user has, as the server counts them."""
    asked = ["doveadm", "-c", str(server.path / "dovecot.conf"), "-f", "tab", "who", "-1", login]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return sum(line.startswith(login) for line in said.splitlines())


async def until(true: Callable[[], object]) -> None:
    """In a thread: it may be another program that is asked."""
    await settling.until(lambda: asyncio.to_thread(true), every=0.1)


async def test_devices_share_a_watch_and_its_connection_which_ends_with_them(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot.new_user()
    imap = imap_of(dovecot, idle_seconds=1)
    async with gateway(tmp_path, dovecot, mail_sink, poll_seconds=600, imap=imap) as made:
        made.app.bell.linger_seconds = 1.5
        phones = [
            await ready(made.phone(login, password, device=f"PHONE{n}", version=VERSIONS[n])) for n in range(2)
        ]
        held = [await waiting(made, phone) for phone in phones]
        await until(lambda: sessions(dovecot, login) == 1)
        assert made.app.bell.watched == 1
        user_id = next(iter(made.app.bell._watches))
        crowd = [made.app.bell.listen(user_id, f"more {n}", ["1"]) for n in range(1000)]
        await asyncio.sleep(0.5)
        assert (made.app.bell.watched, sessions(dovecot, login)) == (1, 1)
        for one in crowd:
            one.close()
        await aside(dovecot.append, login, "INBOX", letter("new", login))
        for phone, one in zip(phones, held, strict=True):
            await one.hears(phone.state.folder(FolderType.INBOX))
        began = time.monotonic()
        await until(lambda: not made.app.bell.watched)
        print(f"a watch ends {time.monotonic() - began:.2f} s after the last wait")
        await until(lambda: sessions(dovecot, login) == 0)
        # And begins anew.
        await phones[0].sync()
        again = await waiting(made, phones[0])
        await aside(dovecot.append, login, "Sent", letter("newer", login))
        await again.hears(phones[0].state.folder(FolderType.SENT_ITEMS))


@pytest.mark.parametrize("connections", [1, 2])
async def test_a_watch_does_not_keep_its_user_from_the_server(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path, connections: int
) -> None:
    """With a single connection there is none to listen: then folders are looked at now and then."""
    login, password = dovecot.new_user()
    imap = imap_of(dovecot, connections_per_user=connections)
    async with gateway(tmp_path, dovecot, mail_sink, imap=imap) as made:
        phone = await ready(made.phone(login, password))
        other = await ready(made.phone(login, password, device="PHONE2"))
        held = await waiting(made, phone)
        await aside(dovecot.append, login, "INBOX", letter("new", login))
        began = time.monotonic()
        await other.sync()
        assert time.monotonic() - began < 20  # or else it has waited for a connection
        assert subjects(other) == ["new"]
        took = await held.hears(phone.state.folder(FolderType.INBOX), LATER)
        print(f"{connections} connections: {took:.2f} s")
        assert sessions(dovecot, login) <= connections


async def test_listening_leaves_half_of_all_connections_to_requests(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    users = [dovecot.new_user() for _ in range(4)]
    imap = imap_of(dovecot, connections=4)
    async with gateway(tmp_path, dovecot, mail_sink, imap=imap) as made:
        phones = [await ready(made.phone(*user, device=f"PHONE{n}")) for n, user in enumerate(users)]
        held = [await waiting(made, phone) for phone in phones]
        assert made.app.bell.watched == 4
        for (login, _), phone, one in zip(users, phones, held, strict=True):
            await aside(dovecot.append, login, "INBOX", letter("new", login))
            await one.hears(phone.state.folder(FolderType.INBOX), LATER)
            await phone.sync()
            assert subjects(phone) == ["new"]


# --- What goes wrong ------------------------------------------------------------------------------------------------


@pytest.fixture
def breakable() -> Iterator[Dovecot]:
    """A mail server of its own, to be ended."""
    server = Dovecot(flavour=Flavour.FULL)
    try:
        yield server.start()
    finally:
        server.stop()


async def test_a_phone_that_waits_notices_nothing_of_a_restart(
    breakable: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = breakable.new_user()
    async with gateway(tmp_path, breakable, mail_sink, poll_seconds=600) as made:
        phone = await ready(made.phone(login, password))
        sent = phone.state.folder(FolderType.SENT_ITEMS)
        held = await waiting(made, phone)
        await aside(breakable.restart)
        await asyncio.sleep(1)
        assert not held.task.done()
        await aside(breakable.append, login, "Sent", letter("meanwhile", login))
        print(f"after a restart: {await held.hears(sent, LATER):.2f} s")
        await phone.sync()
        # Down for longer, with something that comes before anybody listens again.
        held = await waiting(made, phone)
        await aside(breakable.kill)
        await asyncio.sleep(4)
        assert not held.task.done()
        await aside(breakable.restart)
        await aside(breakable.append, login, "INBOX", letter("later", login))
        print(f"after a while: {await held.hears(phone.state.folder(FolderType.INBOX), LATER):.2f} s")


async def test_a_password_that_is_changed_while_somebody_waits(
    breakable: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    """The wait ends when the server refuses the old one, so that the phone comes and asks its owner; with the new one
    it waits on. Nobody tries the old one again and again."""
    login, password = breakable.new_user()
    async with gateway(tmp_path, breakable, mail_sink, poll_seconds=600) as made:
        phone = await ready(made.phone(login, password))
        held = await waiting(made, phone)
        await aside(breakable.set_password, login, "another")
        await aside(breakable.restart)  # sessions that were let in end
        answer: Response = await asyncio.wait_for(held.task, LATER)
        assert answer.status is Status.EXPIRED
        await until(lambda: not made.app.bell.watched)
        with pytest.raises(Unauthorised):
            await phone.ping(phone.folders(), LONG)
        refused = breakable.log().count("Password mismatch") + breakable.log().count("password mismatch")
        print(f"refused {refused} times")
        assert refused <= 4
        newer = made.phone(login, "another")
        newer.state = phone.state
        newer.connection.policy_key = phone.connection.policy_key
        again = await waiting(made, newer)
        await aside(breakable.append, login, "INBOX", letter("new", login))
        await again.hears(phone.state.folder(FolderType.INBOX))


async def test_when_the_gateway_stops_phones_are_answered_and_nothing_is_left(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot.new_user()
    before = asyncio.all_tasks()
    async with gateway(tmp_path, dovecot, mail_sink) as made:
        phones = [await ready(made.phone(login, password, device=f"PHONE{n}")) for n in range(2)]
        held = [await waiting(made, phone) for phone in phones]
        made.app.bell.stop()
        for one in held:
            assert (await asyncio.wait_for(one.task, AT_ONCE)).status is Status.EXPIRED
    assert not {task for task in asyncio.all_tasks() - before if not task.done()}
    await until(lambda: sessions(dovecot, login) == 0)


# --- Without NOTIFY -------------------------------------------------------------------------------------------------


Deed = tuple[Callable[..., object], tuple[Any, ...]]


async def each_is_heard(made: Estate, phone: Phone, folder: Folder, deeds: list[Deed], within: float) -> None:
    for work, given in deeds:
        held = await waiting(made, phone)
        await aside(work, *given)
        print(f"{work.__name__} {folder.name}: {await held.hears(folder, within):.2f} s")
        await phone.sync([folder])


POORER = pytest.mark.parametrize("name", ["dovecot_plain", "dovecot_condstore", "cyrus"])


@POORER
@pytest.mark.parametrize("version", VERSIONS)
async def test_the_inbox_is_heard_at_once_by_idle(
    request: pytest.FixtureRequest, mail_sink: Sink, tmp_path: Path, name: str, version: Version
) -> None:
    server: Dovecot | Cyrus = request.getfixturevalue(name)
    login, password = server.new_user()
    server.append(login, "INBOX", letter("first", login))
    async with gateway(tmp_path, server, mail_sink, poll_seconds=600) as made:
        phone = await ready(made.phone(login, password, version=version))
        await each_is_heard(made, phone, phone.state.folder(FolderType.INBOX), [
            (server.append, (login, "INBOX", letter("new", login))),
            (flagged, (server, login, "INBOX", "\\Flagged")),
            (expunged, (server, login, "INBOX")),
        ], AT_ONCE)
        assert subjects(phone) == ["new"]


@POORER
async def test_other_folders_are_heard_of_by_the_poll(
    request: pytest.FixtureRequest, mail_sink: Sink, tmp_path: Path, name: str
) -> None:
    server: Dovecot | Cyrus = request.getfixturevalue(name)
    login, password = server.new_user()
    archive = "INBOX.Archive" if name == "dovecot_plain" else "Archive"
    server.append(login, archive, letter("old", login))
    async with gateway(tmp_path, server, mail_sink) as made:
        phone = await ready(made.phone(login, password))
        other = phone.state.folder("Archive")
        await each_is_heard(made, phone, other, [
            (server.append, (login, archive, letter("another", login))),
            (flagged, (server, login, archive)),
            (expunged, (server, login, archive)),
        ], LATER)
        assert len(other.items) == 1
        held = await waiting(made, phone)
        with server.imap(login) as client:
            client.create(archive + "2")
            client.subscribe(archive + "2")
        print(f"{name} a folder made: {await held.hears(None, LATER):.2f} s")


# --- Calendars and contacts -----------------------------------------------------------------------------------------

EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\nBEGIN:VEVENT\r\nUID:{0}\r\n"
    "DTSTAMP:20261121T080000Z\r\nDTSTART:20270104T090000Z\r\nDTEND:20270104T100000Z\r\nSUMMARY:{0}\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{0}\r\nFN:{0}\r\nN:{0};;;;\r\nEND:VCARD\r\n"


@pytest.mark.parametrize("name", ["radicale", "cyrus"])
async def test_appointments_and_contacts_are_heard_of_by_the_poll(
    request: pytest.FixtureRequest, mail_sink: Sink, tmp_path: Path, name: str
) -> None:
    server: Radicale | Cyrus = request.getfixturevalue(name)
    mail: Dovecot | Cyrus = server if isinstance(server, Cyrus) else request.getfixturevalue("dovecot")
    login, password = mail.new_user()
    if isinstance(server, Radicale):
        server.adopt(login, password)
        put, calendar, book = server.put, f"/{login}/calendar/", f"/{login}/contacts/"
    else:
        put = server.dav.put
        calendar, book = f"/dav/calendars/user/{login}/Default/", f"/dav/addressbooks/user/{login}/Default/"
    async with gateway(tmp_path, mail, mail_sink, dav=server) as made:
        phone = await ready(made.phone(login, password))
        for folder_type, path, text in (
            (FolderType.CALENDAR, f"{calendar}a.ics", EVENT.format("a")),
            (FolderType.CONTACTS, f"{book}a.vcf", CARD.format("a")),
        ):
            folder = phone.state.folder(folder_type)
            held = await waiting(made, phone)
            await aside(put, path, login, text)
            print(f"{name} {folder_type.name}: {await held.hears(folder, LATER):.2f} s")
            await phone.sync([folder])
            assert len(folder.items) == 1
        hanging = asyncio.create_task(phone.round(phone.folders(), heartbeat=LONG))
        await asyncio.sleep(0.7)
        await aside(put, f"{calendar}b.ics", login, EVENT.format("b"))
        await asyncio.wait_for(hanging, LATER)
        assert len(phone.state.folder(FolderType.CALENDAR).items) == 2

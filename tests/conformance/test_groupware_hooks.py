"""Phones that wait while their mail server calls a hook: they hear at once of what happened there, and nobody holds a
connection to that server for them. Dovecot has the settings and the script of deploy/dovecot/."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from estate import Estate, estate, letter, ready, subjects
from groupware.cyrus import Cyrus
from groupware.dovecot import HOOK_TOKEN, Dovecot
from groupware.fixtures import run
from groupware.gateway import backend
from groupware.radicale import Radicale
from groupware.redis import RedisServer
from groupware.smtp import Sink
from serving import free_port
from settling import until

from eas.client.device import Folder
from eas.client.phone import Phone
from eas.commands.ping import Status
from eas.engine.model import FolderType
from eas.protocol.version import Version

#: Dovecot gathers nothing here, and the gateway for milliseconds; machines stand still for seconds.
AT_ONCE = 30.0
#: For what takes more than that, and the longest that a Ping waits.
LATER, LONG = 60.0, 600
#: No poll comes before a test is over.
NEVER = 3600


@asynccontextmanager
async def listening(made: Estate, port: int) -> AsyncIterator[str]:
    """The gateway, reachable for servers."""
    server = uvicorn.Server(uvicorn.Config(
        made.app.asgi, host="127.0.0.1", port=port, log_level="warning", lifespan="off",
    ))
    server.install_signal_handlers = lambda: None  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), serving.result()
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def gateway(
    tmp_path: Path, mail: Dovecot | Cyrus, sink: Sink, *, port: int = 0, redis: Mapping[str, str] | None = None,
    **more: Any
) -> AsyncIterator[tuple[Estate, str]]:
    """Told by hooks, and where. Connections to the mail server are kept for a second. With `redis`, one of several."""
    settings = {"changes": "hooks", "poll_seconds": NEVER, **backend(mail, sink, **more)}
    settings["imap"] |= {"idle_seconds": 1}
    async with estate(
        tmp_path / "data", {"office": settings}, hooks={"token": HOOK_TOKEN}, limits={"heartbeat_min_seconds": 1},
        redis=redis or {},
    ) as made, listening(made, port or getattr(mail, "hook_port", 0) or free_port()) as url:
        yield made, url


class Waiting:
    """A phone's Ping that is under way."""

    def __init__(self, phone: Phone, folders: list[Folder] | None = None) -> None:
        self.task = asyncio.create_task(phone.ping(phone.folders() if folders is None else folders, LONG))

    async def settled(self) -> Waiting:
        await asyncio.sleep(0.4)
        assert not self.task.done(), self.task.result()
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

    async def hears_nothing(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        assert not self.task.done(), self.task.result()


async def aside(work: Callable[..., object], *given: Any) -> None:
    """What another program does: while it waits for the gateway's answer, the gateway must go on."""
    await asyncio.to_thread(work, *given)


def sessions(server: Dovecot, login: str) -> int:
    """Connections that the user has, as the server counts them."""
    asked = ["doveadm", "-c", str(server.path / "dovecot.conf"), "-f", "tab", "who", "-1", login]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return sum(line.startswith(login) for line in said.splitlines())


async def nobody_is_connected(server: Dovecot, login: str) -> None:
    async def nobody() -> bool:
        return not await asyncio.to_thread(sessions, server, login)

    await until(nobody, every=0.2, what="a connection is held")


def flagged(server: Dovecot, login: str, folder: str, how: str, flag: str) -> None:
    with server.imap(login, folder) as client:
        assert client.store("1:*", how, flag)[0] == "OK"


def expunged(server: Dovecot, login: str, folder: str) -> None:
    with server.imap(login, folder) as client:
        client.store("1", "+FLAGS", "\\Deleted")
        assert client.expunge()[0] == "OK"


def moved(server: Dovecot, login: str, folder: str, to: str) -> None:
    with server.imap(login, folder) as client:
        assert client._simple_command("MOVE", "1", f'"{to}"')[0] == "OK"


def commanded(server: Dovecot, login: str, *commands: tuple[str, ...]) -> None:
    with server.imap(login) as client:
        for name, *given in commands:
            status, said = getattr(client, name)(*given)
            assert status == "OK", said


async def test_a_phone_hears_of_everything_and_no_connection_is_held(
    dovecot_lua: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    server = dovecot_lua
    login, password = server.new_user()
    async with gateway(tmp_path, server, mail_sink) as (made, _):
        await aside(server.append, login, "INBOX", letter("first", login))
        await aside(server.append, login, "W&APw-rze", letter("salt", login))
        phone = await ready(made.phone(login, password, version=Version.V14_1))
        inbox, other = phone.state.folder(FolderType.INBOX), phone.state.folder("Würze")
        deeds: list[tuple[Folder, Callable[..., object], tuple[Any, ...]]] = [
            (inbox, server.deliver, (login, letter("delivered", login))),
            (inbox, server.append, (login, "INBOX", letter("appended", login))),
            (other, server.append, (login, "W&APw-rze", letter("pepper", login))),
            (inbox, flagged, (server, login, "INBOX", "+FLAGS", "\\Seen")),
            (inbox, flagged, (server, login, "INBOX", "-FLAGS", "\\Seen")),
            (other, flagged, (server, login, "W&APw-rze", "+FLAGS", "\\Flagged")),
            (inbox, expunged, (server, login, "INBOX")),
        ]
        for folder, work, given in deeds:
            held = await Waiting(phone).settled()
            if (folder, work) == (other, flagged):
                await nobody_is_connected(server, login)
            await aside(work, *given)
            print(f"{work.__name__} {folder.name}: {await held.hears(folder):.2f} s")
            await phone.sync([folder])
        assert subjects(phone) == ["appended", "delivered"]
        assert len(other.items) == 2


async def test_both_folders_of_a_move_are_told_of(dovecot_lua: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    login, password = dovecot_lua.new_user()
    async with gateway(tmp_path, dovecot_lua, mail_sink) as (made, _):
        await aside(dovecot_lua.append, login, "INBOX", letter("away", login))
        phone = await ready(made.phone(login, password))
        inbox, sent = phone.state.folder(FolderType.INBOX), phone.state.folder(FolderType.SENT_ITEMS)
        held = [await Waiting(phone, [sent]).settled()]
        other = await ready(made.phone(login, password, device="PHONE2"))
        held.append(await Waiting(other, [inbox]).settled())
        await aside(moved, dovecot_lua, login, "INBOX", "Sent")
        await held[0].hears(sent)
        await held[1].hears(other.state.folder(FolderType.INBOX))
        await phone.sync()
        assert (subjects(phone), subjects(phone, FolderType.SENT_ITEMS)) == ([], ["away"])


async def test_folders_that_are_made_renamed_and_removed_elsewhere(
    dovecot_lua: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot_lua.new_user()
    async with gateway(tmp_path, dovecot_lua, mail_sink) as (made, _):
        phone = await ready(made.phone(login, password))
        for commands, there in (
            ((("create", "Projects"), ("subscribe", "Projects")), "Projects"),
            ((("rename", "Projects", "Plans"),), "Plans"),
        ):
            held = await Waiting(phone).settled()
            await aside(commanded, dovecot_lua, login, *commands)
            print(f"{commands[0][0]}: {await held.hears(None):.2f} s")
            await phone.folder_sync()
            await phone.sync([phone.state.folder(there)])
        # What comes into it is heard of under its new name.
        plans = phone.state.folder("Plans")
        held = await Waiting(phone).settled()
        await aside(dovecot_lua.append, login, "Plans", letter("plan", login))
        await held.hears(plans)
        await phone.sync([plans])
        held = await Waiting(phone).settled()
        await aside(commanded, dovecot_lua, login, ("delete", "Plans"))
        await held.hears(None)


async def test_a_hanging_sync_brings_the_mail_itself(dovecot_lua: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    login, password = dovecot_lua.new_user()
    async with gateway(tmp_path, dovecot_lua, mail_sink) as (made, _):
        phone = await ready(made.phone(login, password))
        hanging = asyncio.create_task(phone.round(phone.folders(), heartbeat=LONG))
        await asyncio.sleep(0.7)
        assert not hanging.done()
        await aside(dovecot_lua.deliver, login, letter("new", login))
        await asyncio.wait_for(hanging, AT_ONCE)
        assert subjects(phone) == ["new"]


async def test_a_mailbox_whose_owner_waits_is_asked_for_once_for_many_changes(
    dovecot_lua: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    """A transaction is one request, and requests of a moment are one ring."""
    login, password = dovecot_lua.new_user()
    async with gateway(tmp_path, dovecot_lua, mail_sink) as (made, _):
        await aside(dovecot_lua.append, login, "INBOX", letter("first", login))
        phone = await ready(made.phone(login, password))
        rung: list[frozenset[str]] = []
        hooked = made.app.elsewhere.hooked
        assert hooked is not None
        ring = hooked._ring
        hooked._ring = lambda user_id, ids: (rung.append(frozenset(ids)), ring(user_id, ids))
        held = await Waiting(phone).settled()

        def many() -> None:
            with dovecot_lua.imap(login, "INBOX") as client:
                for n in range(50):
                    client.store("1", "+FLAGS", f"word{n}")

        began = time.monotonic()
        await aside(many)
        took = time.monotonic() - began
        await held.hears(phone.state.folder(FolderType.INBOX))
        await asyncio.sleep(0.1)
        print(f"50 changes in {took:.2f} s: {len(rung)} rings")
        assert len(rung) <= took / 0.02 + 2
        assert set().union(*rung) == {phone.state.folder(FolderType.INBOX).id}


async def test_a_gateway_that_is_away_keeps_nobody_from_their_mail(
    dovecot_lua: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    """Refused, or silent: a delivery goes on after a moment; and when the gateway is back hooks come again."""
    login, password = dovecot_lua.new_user()
    port = dovecot_lua.hook_port
    took: list[float] = []

    async def delivered(n: int) -> None:
        began = time.monotonic()
        await aside(dovecot_lua.deliver, login, letter(f"mail {n}", login))
        took.append(round(time.monotonic() - began, 2))

    await delivered(0)
    with socket.create_server(("127.0.0.1", port)):  # takes calls, and says nothing
        for n in range(1, 4):
            await delivered(n)
    print("deliveries without a gateway:", took)
    assert max(took) < 30
    async with gateway(tmp_path, dovecot_lua, mail_sink) as (made, _):
        phone = await ready(made.phone(login, password))
        assert len(subjects(phone)) == 4
        held = await Waiting(phone).settled()
        for n in range(4, 40):
            await delivered(n)
            if held.task.done():
                break
            await asyncio.sleep(0.5)
        await held.hears(phone.state.folder(FolderType.INBOX))


async def test_what_a_session_could_not_tell_it_tells_later(
    dovecot_lua: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    """With its next change of whatever folder; then all are meant."""
    login, password = dovecot_lua.new_user()
    dovecot_lua.append(login, "INBOX", letter("first", login))
    told: list[Collection[str] | None] = []
    with dovecot_lua.imap(login, "INBOX") as client:
        client.store("1", "+FLAGS", "\\Seen")
        async with gateway(tmp_path, dovecot_lua, mail_sink) as (made, _):
            phone = await ready(made.phone(login, password))
            hooked = made.app.elsewhere.hooked
            assert hooked is not None
            changed = hooked.changed
            hooked.changed = lambda user, folders, **more: (told.append(folders), changed(user, folders, **more))[1]
            for n in range(10):
                await aside(client.append, "Sent", "", None, letter(f"out {n}", login))
                if told:
                    break
                await asyncio.sleep(0.5)
            assert told == [None]
            await Waiting(phone).hears(phone.state.folder(FolderType.SENT_ITEMS))


async def test_the_driver_for_open_xchange_tells_of_new_mail(
    dovecot_ox: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    """Of nothing else; and only where METADATA says so of a user. What it does not tell of waits for the slow poll."""
    login, password = dovecot_ox.new_user()
    quiet, secret = dovecot_ox.new_user()
    dovecot_ox.notify_of(login)
    raw = letter("new", login).replace(b"Subject: new", b"Subject: \xfcber \"alles\"\t\xff")
    async with gateway(tmp_path, dovecot_ox, mail_sink) as (made, _):
        await aside(dovecot_ox.append, login, "INBOX", letter("first", login))
        phone, other = await ready(made.phone(login, password)), await ready(made.phone(quiet, secret))
        inbox = phone.state.folder(FolderType.INBOX)
        held, unheard = await Waiting(phone).settled(), await Waiting(other).settled()
        await nobody_is_connected(dovecot_ox, login)
        await aside(flagged, dovecot_ox, login, "INBOX", "+FLAGS", "\\Seen")
        await aside(dovecot_ox.deliver, quiet, letter("new", quiet))
        await held.hears_nothing(1)
        await aside(dovecot_ox.deliver, login, raw)
        print(f"delivered: {await held.hears(inbox):.2f} s")
        await phone.sync([inbox])
        assert len(inbox.items) == 2
        await unheard.hears_nothing(0)
        unheard.task.cancel()
        await asyncio.gather(unheard.task, return_exceptions=True)


async def test_what_the_hook_forgets_is_found_by_the_slow_poll(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This server has no hook at all."""
    monkeypatch.setattr("eas.backends.standards.watching.SAFETY", (2, 3))
    login, password = dovecot.new_user()
    async with gateway(tmp_path, dovecot, mail_sink, poll_seconds=1) as (made, _):
        phone = await ready(made.phone(login, password))
        held = await Waiting(phone).settled()
        await aside(dovecot.append, login, "INBOX", letter("new", login))
        print(f"by the poll: {await held.hears(phone.state.folder(FolderType.INBOX), LATER):.2f} s")


EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\nBEGIN:VEVENT\r\nUID:{0}\r\n"
    "DTSTAMP:20261121T080000Z\r\nDTSTART:20270104T090000Z\r\nDTEND:20270104T100000Z\r\nSUMMARY:{0}\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)


async def test_a_calendar_server_of_any_kind_may_tell(
    dovecot: Dovecot, radicale: Radicale, mail_sink: Sink, tmp_path: Path
) -> None:
    """By a path, by the URL of something in a collection, or of the user alone."""
    login, password = dovecot.new_user()
    radicale.adopt(login, password)
    async with gateway(tmp_path, dovecot, mail_sink, dav=radicale) as (made, url), httpx.AsyncClient() as client:
        phone = await ready(made.phone(login, password))
        calendar = phone.state.folder(FolderType.CALENDAR)
        for name, told in (
            ("a", f"/{login}/calendar/"), ("b", f"{radicale.url}{login}/calendar/b.ics".replace("@", "%40")), ("c", ""),
        ):
            held = await Waiting(phone).settled()
            await aside(radicale.put, f"/{login}/calendar/{name}.ics", login, EVENT.format(name))
            got = await client.post(
                f"{url}/hooks/changed", headers={"Authorization": f"Bearer {HOOK_TOKEN}"},
                json={"user": login, **({"collections": [told]} if told else {})},
            )
            assert (got.status_code, got.content) == (204, b"")
            print(f"{name}: {await held.hears(calendar):.2f} s")
            await phone.sync([calendar])
        assert len(calendar.items) == 3


@pytest.fixture
def telling_radicale(tmp_path: Path) -> Iterator[tuple[Radicale, int]]:
    """With the hook of docs/hooks.md, for a gateway at this port."""
    port, file = free_port(), tmp_path / "eas-hook"
    page = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()
    (hook,) = re.findall("^hook = (.*)$", page, re.MULTILINE)
    file.write_text(
        f'url = "http://127.0.0.1:{port}/hooks/changed"\nheader = "Authorization: Bearer {HOOK_TOKEN}"\n'
        'header = "Content-Type: application/json"\n'
    )
    hook = hook.replace("/etc/radicale/eas-hook", str(file))
    yield from ((server, port) for server in run(lambda: Radicale(hook=hook)))


async def test_radicale_tells_of_calendars_and_contacts(
    dovecot: Dovecot, telling_radicale: tuple[Radicale, int], mail_sink: Sink, tmp_path: Path
) -> None:
    radicale, port = telling_radicale
    login, password = dovecot.new_user()
    radicale.adopt(login, password)
    async with gateway(tmp_path, dovecot, mail_sink, port=port, dav=radicale) as (made, _):
        phone = await ready(made.phone(login, password))
        calendar = phone.state.folder(FolderType.CALENDAR)
        for name in ("a", "b"):
            held = await Waiting(phone).settled()
            await aside(radicale.put, f"/{login}/calendar/{name}.ics", login, EVENT.format(name))
            print(f"Radicale: {await held.hears(calendar):.2f} s")
            await phone.sync([calendar])
        assert len(calendar.items) == 2


async def test_a_hook_may_be_called_at_any_of_several_gateways(
    dovecot_lua: Dovecot, mail_sink: Sink, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Dovecot calls one, the phone waits at another: also when the folders change, which that one remembers."""
    login, password = dovecot_lua.new_user()
    redis = {"url": redis_server.url, "prefix": redis_server.new_prefix()}
    async with (
        gateway(tmp_path, dovecot_lua, mail_sink, redis=redis) as (called, _),
        gateway(tmp_path, dovecot_lua, mail_sink, redis=redis, port=free_port()) as (made, _),
    ):
        phone = await ready(made.phone(login, password))
        inbox = phone.state.folder(FolderType.INBOX)
        held = await Waiting(phone).settled()
        assert not called.app.bell.waiting
        await aside(dovecot_lua.deliver, login, letter("new", login))
        print(f"over two gateways: {await held.hears(inbox):.2f} s")
        await phone.sync([inbox])
        held = await Waiting(phone).settled()
        await aside(commanded, dovecot_lua, login, ("create", "Projects"))
        await held.hears(None)

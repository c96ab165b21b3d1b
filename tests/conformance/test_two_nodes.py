"""Two real gateways over one PostgreSQL and one Redis: the same request at both at once, one that is frozen while it
holds something, one whose clock jumps, one that is older than the tables."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import platform
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import pytest_asyncio
from behind import Behind
from groupware.dovecot import Dovecot
from groupware.nodes import Nodes, nodes
from groupware.postgresql import Postgresql
from groupware.radicale import Radicale
from groupware.redis import RedisServer
from groupware.smtp import Sink
from lab import Login
from premises import Person
from serving import DidNotStart, Server
from settling import until
from testbed import message

from eas.client import mail
from eas.client.errors import ClientError, Refusal
from eas.client.phone import Phone
from eas.commands.ping import Status
from eas.db.migrations import newest
from eas.engine.model import FolderType
from eas.items.contacts import Contact
from eas.protocol.version import Version

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]

#: Of Debian's package libfaketime.
FAKETIME = Path(f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1")
HOURS = 5


@pytest.fixture(scope="module")
def faketime() -> str:
    assert FAKETIME.exists(), "libfaketime is missing: run tests/groupware/install.sh"
    return str(FAKETIME)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def behind(dovecot: Dovecot, radicale: Radicale, sink_of_all: Sink) -> Behind:
    made = Behind(mail=dovecot, sink=sink_of_all, dav=radicale)
    sink_of_all.route = made._deliver
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    behind: Behind, postgresql: Postgresql, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Nodes]:
    """Users of example.com are on the servers, those of example.test in the gateway."""
    folder = tmp_path_factory.mktemp("two")
    settings = {"backends": behind.settings(folder)["backends"]}
    async with nodes(folder, postgresql.new_database(name="two"), redis=redis_server, settings=settings) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def anna(site: Nodes) -> Person:
    return await site.person()


async def ready(phone: Phone) -> Phone:
    await phone.set_up(Version.V16_1)
    await phone.sync()
    return phone


def both(site: Nodes, login: str, password: str, device: str) -> tuple[Phone, Phone]:
    """One device, whose requests reach both nodes at once."""
    one, two = (site.phone(login, password, at=at, device=device) for at in (0, 1))
    return one, two


def shown(phone: Phone) -> list[str]:
    return sorted(item.text("Contacts:FirstName") for item in phone.state.folder(FolderType.CONTACTS).items.values())


def as_is(one: Phone, two: Phone) -> None:
    """The other line of the device goes on from where it is."""
    two.connection.version, two.connection.policy_key = one.version, one.connection.policy_key
    two.state = copy.deepcopy(one.state)


async def test_the_first_login_of_a_user_at_both(site: Nodes, behind: Behind) -> None:
    """Who is known to the servers alone is entered once, with the same ids for the folders, which are made once."""
    who: Login = behind.person("anna")
    phones = [site.phone(who.user, who.password, at=n % 2) for n in range(6)]
    await asyncio.gather(*[phone.set_up(Version.V16_1) for phone in phones])
    folders = {frozenset((f.id, f.name, f.type) for f in phone.state.folders.values()) for phone in phones}
    assert len(folders) == 1
    names = [folder[1] for folder in next(iter(folders))]
    assert len(names) == len(set(names))


async def test_a_folder_of_one_name_is_made_once(site: Nodes, behind: Behind) -> None:
    who = behind.person("anna")
    one, two = [await ready(site.phone(who.user, who.password, at=at)) for at in (0, 1)]
    made = await asyncio.gather(one.create_folder("Plans"), two.create_folder("Plans"), return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in made) == 1, made
    for phone in (one, two):
        await phone.folder_sync()
        assert [f.name for f in phone.state.folders.values()].count("Plans") == 1
    # What one node did the other knows, in a Sync as in a FolderSync.
    folder = next(f for f in two.state.folders.values() if f.name == "Plans")
    await one.delete_folder(folder)
    report = await two.sync([folder])
    assert report.hierarchy_changed


@pytest.mark.parametrize("where", ["gateway", "servers"])
async def test_a_first_sync_at_both_at_once(site: Nodes, behind: Behind, anna: Person, where: str) -> None:
    login, password = anna.address, anna.password
    if where == "servers":
        who = behind.person("anna")
        login, password = who.user, who.password
    for n in range(3):
        if where == "servers":
            behind.mail.deliver(login, message(f"letter {n}"), "a@elsewhere.test")
        else:
            await site.deliver(anna, message(f"letter {n}"))
    one, two = both(site, login, password, f"both{where}")
    await one.set_up(Version.V16_1)
    as_is(one, two)
    inbox = [one.state.folder(FolderType.INBOX)]
    others = [two.state.folder(FolderType.INBOX)]
    await asyncio.gather(one.sync(inbox), two.sync(others), return_exceptions=True)
    # Whichever answer the device has kept, it goes on from there.
    await one.sync(inbox)
    assert len(one.state.folder(FolderType.INBOX).items) == 3


async def test_one_message_is_sent_once(site: Nodes, behind: Behind) -> None:
    """Its first try is still under way when the device comes again, elsewhere."""
    who, other = behind.person("anna"), behind.person("ben")
    one, two = both(site, who.user, who.password, "sends")
    await ready(one)
    two.connection.version = one.version
    mime = f"From: {who.user}\r\nTo: {other.user}\r\nSubject: sent once\r\n\r\nHello.\r\n".encode()
    sent = [asyncio.create_task(mail.send(phone, mime, client_id="id")) for phone in (one, two)]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert any(not isinstance(outcome, BaseException) for outcome in outcomes), outcomes
    taken = [one for one in behind.sink.messages if b"sent once" in one.octets]
    assert len(taken) == 1
    # Then it is known at both, whatever the answer is called (Status 118).
    await asyncio.gather(*[mail.send(phone, mime, client_id="id") for phone in (one, two)],
                         return_exceptions=True)
    assert len([one for one in behind.sink.messages if b"sent once" in one.octets]) == 1


async def test_an_item_is_added_once(site: Nodes, anna: Person) -> None:
    one, two = both(site, anna.address, anna.password, "adds")
    await ready(one)
    contacts = one.state.folder(FolderType.CONTACTS)
    one.add(contacts, Contact(first_name="once"))
    as_is(one, two)
    outcomes = await asyncio.gather(*[
        phone.sync([phone.state.folder(FolderType.CONTACTS)]) for phone in (one, two)
    ], return_exceptions=True)
    await one.sync([contacts])
    fresh = await ready(site.phone(anna.address, anna.password))
    assert shown(fresh) == ["once"], outcomes


async def test_who_is_frozen_does_not_write_when_it_wakes(
    site: Nodes, postgresql: Postgresql, anna: Person
) -> None:
    """The node sleeps in the middle of a transaction, with locks in the database and a lease in Redis; the device comes
    again to the other one."""
    one, two = both(site, anna.address, anna.password, "frozen")
    await ready(one)
    contacts = one.state.folder(FolderType.CONTACTS)
    one.add(contacts, Contact(first_name="frozen"))
    as_is(one, two)
    async with site.premises.database.write() as connection:
        await connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        await connection.exec_driver_sql(f"SELECT 1 FROM gw_folder WHERE id = {int(contacts.id)} FOR UPDATE")
        asleep = asyncio.create_task(one.sync([contacts]))
        blocked = "SELECT 1 FROM pg_stat_activity WHERE datname = 'two' AND wait_event_type = 'Lock'"
        await until(lambda: postgresql.run(blocked, "two"), every=0.05, what="nobody waits for the lock")
        os.kill(site.servers[0].pid, signal.SIGSTOP)
    try:
        await stubbornly(two)
    finally:
        os.kill(site.servers[0].pid, signal.SIGCONT)
    await asyncio.wait([asleep], timeout=60)
    asleep.cancel()
    await asyncio.gather(asleep, return_exceptions=True)
    await stubbornly(two)
    assert shown(await ready(site.phone(anna.address, anna.password, at=0))) == ["frozen"]
    assert shown(await ready(site.phone(anna.address, anna.password, at=1))) == ["frozen"]


async def stubbornly(phone: Phone) -> None:
    """As devices do it: again and again."""
    deadline = time.monotonic() + 90
    while True:
        try:
            await phone.sync([phone.state.folder(FolderType.CONTACTS)])
        except ClientError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)
        else:
            return



async def test_a_clock_that_jumps(site: Nodes, anna: Person, faketime: str, tmp_path: Path) -> None:
    """Hours ahead on one of two nodes, and back: waits, effects and states keep."""
    stamp = tmp_path / "clock"
    stamp.write_text("+0")
    file = site.servers[0].data.with_name("gateway.toml")
    settings = {
        "LD_PRELOAD": faketime, "FAKETIME_TIMESTAMP_FILE": str(stamp), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with Server(data=tmp_path / "data", arguments=("--config", str(file)), settings=settings) as jumping:
        there = Nodes(servers=[jumping, site.servers[1]], premises=site.premises, url=site.url)
        phone = await ready(there.phone(anna.address, anna.password, device="jumps"))
        inbox, contacts = (phone.state.folder(type) for type in (FolderType.INBOX, FolderType.CONTACTS))
        waiting = await ready(there.phone(anna.address, anna.password, at=0, device="waits"))
        wait = asyncio.create_task(waiting.ping([waiting.state.folder(FolderType.INBOX)], 300))
        await asyncio.sleep(0.5)
        for n, jump in enumerate((f"+{HOURS}h", f"-{HOURS}h", "+0")):
            stamp.write_text(jump)
            phone.add(contacts, Contact(first_name=f"name {n}"))
            for _ in range(2):  # at either node
                report = await phone.sync()
                assert not report.failures
            mime = f"From: {anna.address}\r\nTo: {anna.address}\r\nSubject: {n}\r\n\r\nHello.\r\n".encode()
            for _ in range(2):
                with contextlib.suppress(Refusal):  # Status 118: sent already
                    await mail.send(phone, mime, client_id=f"id {n}")
        await phone.sync()
        assert shown(phone) == ["name 0", "name 1", "name 2"]
        assert sorted(item.text("Email:Subject") for item in inbox.items.values()) == ["0", "1", "2"]
        assert (await asyncio.wait_for(wait, 60)).status is Status.CHANGES
        for connection in there.open:
            await connection.close()


async def test_an_older_node_goes_on_and_does_not_start_again(
    site: Nodes, postgresql: Postgresql, anna: Person
) -> None:
    """A newer one has brought the tables further meanwhile: it only adds to them."""
    old = site.servers[0]
    phone = await ready(site.phone(anna.address, anna.password, at=0))
    postgresql.run("UPDATE alembic_version SET version_num = '9999'", "two")
    try:
        health = await asyncio.to_thread(urlopen, f"{old.url}/health/ready")
        assert json.load(health)["parts"]["database"] == "newer"
        assert "update this node" in old.said(20_000)
        assert newest() in old.said(20_000)
        phone.add(phone.state.folder(FolderType.CONTACTS), Contact(first_name="still"))
        await phone.sync()
        again = Server(data=old.data.with_name("data9"), arguments=old.arguments)
        with pytest.raises(DidNotStart, match="made by a newer version") as refused:
            again.start()
        assert "ended with 1" in str(refused.value)
        assert "Traceback" not in again.said(20_000)
    finally:
        postgresql.run(f"UPDATE alembic_version SET version_num = '{newest()}'", "two")
    assert shown(await ready(site.phone(anna.address, anna.password, at=0))) == ["still"]

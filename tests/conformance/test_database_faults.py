"""PostgreSQL restarted, killed, and in the way, while a real gateway serves devices: they are told to come again later,
waits go on, and afterwards all is well without anybody's help. And how many connections that takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from groupware.fixtures import run
from groupware.nodes import Nodes, nodes
from groupware.postgresql import Postgresql
from premises import Person
from settling import until
from testbed import message

from eas.client.errors import Busy, Refusal
from eas.client.phone import Phone
from eas.client.sync import Report
from eas.commands.ping import Response, Status
from eas.engine.model import FolderType
from eas.items.contacts import Contact
from eas.protocol.version import Version

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]

CONNECTIONS = 5
#: Devices that wait at the same time in the test that counts connections.
WAITS = 200
OURS = "datname = current_database() AND application_name = 'eas-gateway'"


@pytest.fixture(scope="module")
def fallible() -> Iterator[Postgresql]:
    """One that is taken down, so it is nobody else's."""
    yield from run(Postgresql)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(fallible: Postgresql, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    settings = {"database_connections": CONNECTIONS, "limits": {"max_devices": 2 * WAITS}}
    folder = tmp_path_factory.mktemp("faults")
    async with nodes(folder, fallible.new_database(name="gateway"), count=1, settings=settings) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def anna(site: Nodes) -> Person:
    return await site.person()


async def ready(site: Nodes, person: Person, version: Version = Version.V16_1) -> Phone:
    phone = site.phone(person.address, person.password, version=version)
    await phone.set_up(version)
    await phone.sync()
    return phone


def shown(phone: Phone) -> list[str]:
    """First names in the contacts of a device."""
    return sorted(item.text("Contacts:FirstName") for item in phone.state.folder(FolderType.CONTACTS).items.values())


def untroubled(report: Report) -> bool:
    return not report.failures and set(report.statuses.values()) <= {1}


async def waiting(postgresql: Postgresql, phone: Phone) -> asyncio.Task[Response]:
    """A Ping that has reached its wait: the gateway asks its database nothing any more, three times in a row, since
    once may be a machine that stood still."""
    inbox = phone.state.folder(FolderType.INBOX)
    task, quiet = asyncio.create_task(phone.ping([inbox], 300)), 0
    for _ in range(150):
        await asyncio.sleep(0.3)
        quiet = 0 if connections(postgresql, "now() - state_change < interval '0.5 second'") else quiet + 1
        if quiet == 3:
            break
    assert not task.done()
    return task


async def test_waits_hold_no_connections(site: Nodes, fallible: Postgresql, anna: Person) -> None:
    phones = [site.phone(anna.address, anna.password) for _ in range(WAITS)]
    await phones[0].set_up()
    synced = phones[:5]
    waits: list[asyncio.Task[Response]] = []
    most = 0
    try:
        for n, phone in enumerate(phones):
            if phone in synced:
                await phone.set_up()
                await phone.sync([phone.state.folder(FolderType.INBOX)])
            phone.connection.version = phones[0].version
            phone.state.folders = phone.state.folders or phones[0].state.folders
            waits.append(asyncio.create_task(phone.ping([phone.state.folder(FolderType.INBOX)], 900)))
            if n % 15 == 14:
                await asyncio.sleep(0.3)
                most = max(most, connections(fallible))
        await site.premises.database.engine.dispose()  # the tests' own connections
        for _ in range(100):
            await asyncio.sleep(0.3)
            if not connections(fallible, "now() - state_change < interval '1 second'"):
                break
        assert [wait.result() for wait in waits if wait.done()] == []
        assert 0 < connections(fallible) <= CONNECTIONS
        assert connections(fallible, "state <> 'idle'") == 0
        await site.deliver(anna, message("to all of them"))
        await site.premises.database.engine.dispose()
        # The others have never asked what is in the folder: nothing in it is news to them.
        answers = await asyncio.wait_for(asyncio.gather(*waits[:len(synced)]), 90)
        assert {answer.status for answer in answers} == {Status.CHANGES}
        assert max(most - 2, connections(fallible)) <= CONNECTIONS  # the tests have one or two themselves
    finally:
        for wait in waits:
            wait.cancel()


def connections(postgresql: Postgresql, which: str = "true") -> int:
    return int(postgresql.run(f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND {which}", "gateway"))


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
async def test_waits_outlive_a_restart(site: Nodes, fallible: Postgresql, anna: Person, kill: bool) -> None:
    phone = await ready(site, anna)
    old = await ready(site, anna, Version.V12_1)
    wait = await waiting(fallible, phone)
    fallible.down(kill=kill)
    try:
        second = site.phone(anna.address, anna.password)
        second.connection.version = Version.V16_1
        second.state.folders = phone.state.folders
        with pytest.raises((Busy, Refusal)) as refused:
            await asyncio.wait_for(second.ping([phone.state.folder(FolderType.INBOX)], 300), 60)
        assert not isinstance(refused.value, Refusal) or refused.value.status == 111
        with pytest.raises(Busy):
            await asyncio.wait_for(old.sync(), 60)
        await asyncio.sleep(1)
        assert not wait.done()
    finally:
        fallible.start()
    await old.sync()
    await site.deliver(anna, message(f"after it was {'killed' if kill else 'stopped'}"))
    assert (await asyncio.wait_for(wait, 60)).status is Status.CHANGES
    await phone.sync()
    assert len(phone.state.folder(FolderType.INBOX).items) == 1


async def test_idle_connections_may_be_cut(site: Nodes, fallible: Postgresql, anna: Person) -> None:
    """By an admin, a firewall, a pooler: no device hears of it."""
    phone = await ready(site, anna)
    for n in range(3):
        phone.add(phone.state.folder(FolderType.CONTACTS), Contact(first_name=f"name {n}"))
        fallible.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}", "gateway")
        report = await phone.sync()
        assert untroubled(report)
    again = await ready(site, anna)
    assert shown(again) == ["name 0", "name 1", "name 2"]


async def test_a_transaction_that_is_cut_is_done_once(site: Nodes, fallible: Postgresql, anna: Person) -> None:
    """An Add waits for a lock that somebody holds; its connection is cut, and the device sends it again."""
    phone = await ready(site, anna)
    contacts = phone.state.folder(FolderType.CONTACTS)
    async with site.premises.database.write() as connection:
        await connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        await connection.exec_driver_sql(f"SELECT 1 FROM gw_folder WHERE id = {int(contacts.id)} FOR UPDATE")
        phone.add(contacts, Contact(first_name="once"))
        adding = asyncio.create_task(phone.sync([contacts]))
        await until_blocked(fallible)
        cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS} AND wait_event_type = 'Lock'"
        fallible.run(cut, "gateway")
        await asyncio.sleep(0.3)
    report = await asyncio.wait_for(adding, 120)
    await phone.sync()
    assert shown(phone) == ["once"], report
    assert shown(await ready(site, anna)) == ["once"]


async def until_blocked(postgresql: Postgresql) -> None:
    asked = f"SELECT 1 FROM pg_stat_activity WHERE {OURS} AND wait_event_type = 'Lock'"
    await until(lambda: postgresql.run(asked, "gateway"), every=0.05, what="nobody waits for the lock")


FAILING = """
CREATE SEQUENCE failures;
CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF nextval('failures') <= 2 THEN RAISE EXCEPTION 'made up' USING ERRCODE = '{state}'; END IF; RETURN NEW;
END $$;
CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fails();
"""


@pytest.mark.parametrize("state", ["40P01", "40001"], ids=["deadlock", "serialization"])
@pytest.mark.parametrize("table", ["sync_state", "gw_item"])
async def test_what_the_database_undoes_is_done_again(
    site: Nodes, fallible: Postgresql, anna: Person, state: str, table: str
) -> None:
    phone = await ready(site, anna)
    phone.add(phone.state.folder(FolderType.CONTACTS), Contact(first_name="again"))
    fallible.run(FAILING.format(state=state, table=table), "gateway")
    try:
        report = await phone.sync([phone.state.folder(FolderType.CONTACTS)])
        assert int(fallible.run("SELECT last_value FROM failures", "gateway")) > 2
    finally:
        fallible.run(f"DROP TRIGGER fails ON {table}; DROP FUNCTION fails(); DROP SEQUENCE failures", "gateway")
    assert untroubled(report)
    assert shown(await ready(site, anna)) == ["again"]


async def test_statements_outlive_a_change_of_the_tables(site: Nodes, fallible: Postgresql, anna: Person) -> None:
    """They are prepared once a connection; a newer node changes the tables under them. No migration of ours changes the
    type of a column, which is what PostgreSQL refuses most plainly."""
    phone = await ready(site, anna)
    for type in ("varchar", "text"):
        await asyncio.gather(*[ready(site, anna) for _ in range(CONNECTIONS)])
        fallible.run(f"ALTER TABLE sync_state ALTER COLUMN heads TYPE {type}", "gateway")
        report = await phone.sync()
        assert untroubled(report)

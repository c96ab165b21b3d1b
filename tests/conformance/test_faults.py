"""What happens to a running server and to its data when something goes wrong around it: a locked or full database,
requests twice at once, clients that are slow or gone, an end in the midst of waiting phones.

The server is a process of its own; the tests look at the store from outside.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from premises import Person
from serving import Server
from settling import until
from testbed import Testbed
from wire import Got, e

from eas.engine.model import FolderType
from eas.protocol import http, wbxml
from eas.protocol.wbxml import Element

pytestmark = pytest.mark.server

#: Seconds that a server has for what it does at once, on a machine with other work on it.
AT_ONCE = 30.0
ONE = ("Collections", "Collection")


SETTINGS = {"EAS_LOG__FORMAT": "json", "EAS_LIMITS__HEARTBEAT_MIN_SECONDS": "1", "EAS_DOMAIN": "example.test"}

_numbers = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For the tests that leave it as it was; starting one takes seconds."""
    data = tmp_path_factory.mktemp("shared") / "data"
    data.mkdir()
    with Server(data=data, settings=SETTINGS) as running:
        yield running


@pytest.fixture
async def bed(server: Server) -> AsyncIterator[Testbed]:
    """The shared server, with people of this test's own."""
    async with Testbed.beside(server, next(_numbers)) as made:
        yield made


@pytest.fixture
async def own_bed(tmp_path: Path) -> AsyncIterator[Testbed]:
    """A server that may come to harm."""
    async with Testbed.made(tmp_path, **SETTINGS) as made:
        made.server.start()
        yield made


class Line:
    """One device of anna's or ben's, over HTTP; requests may go out at the same time."""

    def __init__(self, bed: Testbed, person: Person, device: str, version: str = "14.1") -> None:
        self.client = httpx.AsyncClient(base_url=bed.server.url, timeout=60.0)
        self.person, self.device, self.version = person, device, version

    async def post(self, command: str, document: Element | None = None, **parameters: str) -> Got:
        stated = {"Cmd": command, "User": self.person.login, "DeviceId": self.device, "DeviceType": "Line"}
        answer = await self.client.post(
            http.PATH, params=stated | parameters, content=wbxml.encode(document) if document else b"",
            headers={"MS-ASProtocolVersion": self.version, **({"Content-Type": http.WBXML} if document else {})},
            auth=(self.person.login, self.person.password),
        )
        return Got(http=answer.status_code, headers=answer.headers, body=answer.content)

    async def sync_key(self, collection: str) -> str:
        return (await self.post("Sync", sync(collection, "0"))).text(*ONE, "SyncKey")

    async def hierarchy_key(self) -> str:
        return (await self.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).text("SyncKey")


@asynccontextmanager
async def line(bed: Testbed, person: Person | None = None, device: str = "LINE1") -> AsyncIterator[Line]:
    made = Line(bed, person or bed.anna, device)
    try:
        yield made
    finally:
        await made.client.aclose()


def sync(collection: str, key: str, *more: Element) -> Element:
    return e("AirSync:Sync", e("Collections", e("Collection", e("SyncKey", key), e("CollectionId", collection), *more)))


def adding(collection: str, key: str, *names: str) -> Element:
    def add(name: str) -> Element:
        return e("Add", e("ClientId", name), e("ApplicationData", e("Contacts:LastName", name)))

    return sync(collection, key, e("Commands", *map(add, names)))


def ping(collection: str, seconds: int = 600) -> Element:
    folder = e("Folder", e("Id", collection), e("Class", "Email"))
    return e("Ping:Ping", e("HeartbeatInterval", str(seconds)), e("Folders", folder))


async def folder(bed: Testbed, type: FolderType, person: Person | None = None) -> str:
    return (await bed.premises.folder((person or bed.anna).login, type)).id


async def names(bed: Testbed) -> list[str]:
    """The last names of anna's contacts in the store, in order."""
    return sorted((await bed.stored(bed.anna))["CONTACTS"].elements())


def logged(bed: Testbed) -> list[dict[str, Any]]:
    """The lines of the server's log."""
    return [json.loads(text) for text in bed.server.log.read_text().splitlines() if text.startswith("{")]


def nothing_of_ours(got: Got) -> None:
    assert b"Traceback" not in got.body
    assert b"sqlite" not in got.body.lower()


# -- twice at once


async def test_the_same_sync_twice_at_once_adds_once(bed: Testbed) -> None:
    """Both get an answer, with the same key or each with one that works; the contacts are there once."""
    contacts = await folder(bed, FolderType.CONTACTS)
    async with line(bed) as device, line(bed) as again:
        document = adding(contacts, await device.sync_key(contacts), "One", "Two", "Three")
        answers = await asyncio.gather(device.post("Sync", document), again.post("Sync", document))
        assert await names(bed) == ["One|", "Three|", "Two|"]
        given = []
        for got in answers:
            assert got.http == 200
            assert [add.text for add in got.all(*ONE, "Responses", "Add", "Status")] == ["1", "1", "1"]
            given.append([id.text for id in got.all(*ONE, "Responses", "Add", "ServerId")])
        assert given[0] == given[1]
        for got in answers:
            after = await device.post("Sync", sync(contacts, got.text(*ONE, "SyncKey")))
            assert not after.body or after.text(*ONE, "Status") == "1"
            assert not after.body or not after.all(*ONE, "Commands", "Add")


async def test_eight_times_at_once_is_still_once(bed: Testbed) -> None:
    contacts = await folder(bed, FolderType.CONTACTS)
    async with line(bed) as device:
        document = adding(contacts, await device.sync_key(contacts), *(f"N{number}" for number in range(10)))
        answers = await asyncio.gather(*(device.post("Sync", document) for _ in range(8)))
        assert {got.http for got in answers} == {200}
        assert await names(bed) == [f"N{number}|" for number in range(10)]


async def test_the_same_mail_twice_at_once_is_sent_once(bed: Testbed) -> None:
    """One is told that it was sent, the other too or Status 118. [MS-ASCMD] R4848"""
    mime = f"From: {bed.anna.address}\r\nTo: {bed.ben.address}\r\nSubject: Once\r\n\r\nplease\r\n".encode()
    document = e("ComposeMail:SendMail", e("ClientId", "mail-1"), e("SaveInSentItems"), e("Mime", mime))
    async with line(bed) as device:
        await device.hierarchy_key()
        answers = await asyncio.gather(*(device.post("SendMail", document) for _ in range(4)))
        assert {got.http for got in answers} == {200}
        told = [got.status if got.body else "" for got in answers]
        assert "" in told
        assert set(told) <= {"", "118"}
    assert sum((await bed.stored(bed.ben))["INBOX"].values()) == 1
    assert sum((await bed.stored(bed.anna))["SENT_ITEMS"].values()) == 1


async def test_the_same_folder_twice_at_once_is_made_once(bed: Testbed) -> None:
    async with line(bed) as device:
        key = await device.hierarchy_key()
        wanted = e("FolderHierarchy:FolderCreate", e("SyncKey", key), e("ParentId", "0"), e("DisplayName", "Once"),
                   e("Type", "12"))
        answers = await asyncio.gather(*(device.post("FolderCreate", wanted) for _ in range(4)))
        assert {got.status for got in answers} == {"1"}
        assert len({got.text("ServerId") for got in answers}) == 1
    assert [f.name for f in await bed.premises.folders(bed.anna.login)].count("Once") == 1


async def test_the_same_move_twice_at_once_moves_once(bed: Testbed) -> None:
    await bed.deliver(bed.anna, "Moved")
    inbox, bin = await folder(bed, FolderType.INBOX), await folder(bed, FolderType.DELETED_ITEMS)
    async with line(bed) as device:
        await device.hierarchy_key()
        move = e("Move", e("SrcMsgId", f"{inbox}:1"), e("SrcFldId", inbox), e("DstFldId", bin))
        answers = await asyncio.gather(*(device.post("MoveItems", e("Move:MoveItems", move)) for _ in range(4)))
        assert {got.text("Response", "Status") for got in answers} == {"3"}
        assert len({got.text("Response", "DstMsgId") for got in answers}) == 1
    stored = await bed.stored(bed.anna)
    assert sum(stored["DELETED_ITEMS"].values()) == 1
    assert not stored["INBOX"]


# -- the database


@contextmanager
def locked(bed: Testbed) -> Iterator[None]:
    """Another program writes for as long as it likes."""
    other = sqlite3.connect(bed.premises.data / "eas.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_a_database_that_is_locked_for_a_while_is_waited_for(bed: Testbed) -> None:
    """Others go on reading meanwhile: a Sync without news needs no lock."""
    contacts, inbox = await folder(bed, FolderType.CONTACTS), await folder(bed, FolderType.INBOX)
    async with line(bed) as device, line(bed, bed.ben, "LINE2") as other:
        key = await device.sync_key(contacts)
        others = await folder(bed, FolderType.INBOX, bed.ben)
        quiet = sync(others, await other.sync_key(others))
        await other.post("Sync", quiet)
        with locked(bed):
            waiting = asyncio.create_task(device.post("Sync", adding(contacts, key, "Patient")))
            await asyncio.sleep(1.5)
            assert not waiting.done()
            got = await other.post("Sync", quiet)
            assert (got.http, got.body) == (200, b"")  # an empty answer: no news, and nothing that could not be done
        got = await asyncio.wait_for(waiting, AT_ONCE)
        assert got.text(*ONE, "Responses", "Add", "Status") == "1"
    assert await names(bed) == ["Patient|"]
    assert inbox


async def test_a_database_that_stays_locked_fails_the_request_and_loses_nothing(bed: Testbed) -> None:
    """The device is told to come again, and does: what it added is there once."""
    contacts = await folder(bed, FolderType.CONTACTS)
    async with line(bed) as device:
        document = adding(contacts, await device.sync_key(contacts), "Again")
        with locked(bed):
            got = await device.post("Sync", document)
            nothing_of_ours(got)
            assert got.http == 200
            statuses = {status.text for where in (("Status",), (*ONE, "Status")) for status in got.all(*where)}
            assert statuses & {"5", "16", "111"}, got.root
        assert await names(bed) == []
        got = await device.post("Sync", document)
        assert got.text(*ONE, "Responses", "Add", "Status") == "1"
    assert await names(bed) == ["Again|"]


@contextmanager
def no_room(bed: Testbed) -> Iterator[None]:
    """No file of the server's may grow: every write to the database or its log fails, as on a full disk."""
    before = resource.prlimit(bed.server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bed.server.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(bed.server.pid, resource.RLIMIT_FSIZE, before)


async def test_a_disk_without_room_fails_the_request_and_loses_nothing(own_bed: Testbed) -> None:
    """The server lives on, reading goes on, and once there is room again the same request succeeds."""
    bed = own_bed
    contacts = await folder(bed, FolderType.CONTACTS)
    async with line(bed) as device:
        first = await device.post("Sync", adding(contacts, await device.sync_key(contacts), "Before"))
        key = first.text(*ONE, "SyncKey")
        document = adding(contacts, key, "While", "While too")
        with no_room(bed):
            got = await device.post("Sync", document)
            nothing_of_ours(got)
            assert got.http in (200, 503, 507)
            if got.http == 200:
                assert not [status for status in got.all(*ONE, "Responses", "Add", "Status") if status.text == "1"]
            assert (await device.client.get("/health")).status_code in (200, 503)
        assert await names(bed) == ["Before|"]
        got = await device.post("Sync", document)
        assert [status.text for status in got.all(*ONE, "Responses", "Add", "Status")] == ["1", "1"], got.root
    assert await names(bed) == ["Before|", "While too|", "While|"]
    bed.server.kill()
    database = sqlite3.connect(bed.premises.data / "eas.db")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


# -- clients


def request_head(bed: Testbed, length: int, command: str = "Sync", device: str = "RAW1") -> bytes:
    login = b64encode(f"{bed.anna.login}:{bed.anna.password}".encode()).decode()
    return (
        f"POST {http.PATH}?Cmd={command}&User=x&DeviceId={device}&DeviceType=Raw HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Basic {login}\r\nMS-ASProtocolVersion: 14.1\r\nContent-Type: {http.WBXML}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


async def connected(bed: Testbed) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", bed.server.port)


async def test_a_slow_client_is_served_and_holds_up_nobody(bed: Testbed) -> None:
    """A request that comes an octet at a time, and fifty that never come to their end."""
    contacts = await folder(bed, FolderType.CONTACTS)
    async with line(bed) as device:
        body = wbxml.encode(adding(contacts, await device.sync_key(contacts), "Slow"))
        stuck = [await connected(bed) for _ in range(50)]
        for _, writer in stuck:
            writer.write(request_head(bed, 1000) + b"\x03\x01")
        reader, writer = await connected(bed)
        whole = request_head(bed, len(body), device="LINE1") + body
        for at in range(0, len(whole), 16):
            writer.write(whole[at : at + 16])
            await asyncio.sleep(0.03)
            if at == 16 * 10:
                async with asyncio.timeout(AT_ONCE):
                    assert (await device.client.get("/health")).status_code == 200
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), AT_ONCE)
        assert head.startswith(b"HTTP/1.1 200")
        for _, each in (*stuck, (reader, writer)):
            each.close()
    assert await names(bed) == ["Slow|"]


async def test_an_endless_body_is_cut_off(own_bed: Testbed) -> None:
    """Without a stated length, beyond the limit: 413 or an end of the connection, and no memory for it."""
    bed = own_bed
    before = bed.server.memory()
    reader, writer = await connected(bed)
    head = request_head(bed, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    writer.write(head)
    piece = b"%x\r\n" % (1 << 20) + b"\x00" * (1 << 20) + b"\r\n"
    answer = b""
    for _ in range(200):
        try:
            writer.write(piece)
            await writer.drain()
            answer = await asyncio.wait_for(reader.read(100), 0.01)
        except TimeoutError:
            continue
        except ConnectionError:
            break
        if answer:
            break
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413") or not answer
    assert bed.server.memory() - before < 200 << 20


async def test_a_stated_length_beyond_the_limit_is_refused_unread(bed: Testbed) -> None:
    reader, writer = await connected(bed)
    writer.write(request_head(bed, 1 << 40))
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), AT_ONCE)
    writer.close()
    assert head.startswith(b"HTTP/1.1 413")


async def test_headers_without_end_are_refused(bed: Testbed) -> None:
    reader, writer = await connected(bed)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"a" * (1 << 20))
    writer.write(b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(100), AT_ONCE)
    writer.close()
    assert not answer or answer.split()[1] in (b"400", b"401", b"404", b"413", b"431", b"501")
    async with line(bed) as device:
        assert (await device.client.get("/health")).status_code == 200


async def test_phones_that_vanish_while_they_wait_leave_nothing_behind(bed: Testbed) -> None:
    """A hundred Pings whose connections are cut: sockets, tasks and subscriptions go, and each is in the log."""
    inbox = await folder(bed, FolderType.INBOX)
    async with line(bed) as device:
        await device.post("Sync", sync(inbox, await device.sync_key(inbox)))
    body = wbxml.encode(ping(inbox))
    left: list[int] = []
    for round in (1, 2):
        waiting = [await connected(bed) for _ in range(100)]
        for number, (_, writer) in enumerate(waiting):
            writer.write(request_head(bed, len(body), "Ping", f"GONE{number}") + body)
        await until(lambda: bed.server.open_files() >= 100)
        await _at_rest(bed)
        for _, writer in waiting:
            writer.transport.abort()
        await until(lambda ended=100 * round: len(gone(bed)) >= ended)
        await _at_rest(bed)
        left.append(bed.server.open_files())
    # The first round has also opened what the process keeps: connections to the database, in its threads.
    assert left[1] <= left[0] + 1
    assert len(gone(bed)) == 200
    async with line(bed) as device:
        # A Ping of the same device is served as ever.
        task = asyncio.create_task(device.post("Ping", ping(inbox)))
        await asyncio.sleep(0.3)
        await bed.deliver(bed.anna, "Still awake")
        assert (await asyncio.wait_for(task, AT_ONCE)).status == "2"


def gone(bed: Testbed) -> list[dict[str, Any]]:
    """The requests of phones that vanished, as far as they have ended."""
    return [line for line in logged(bed) if line.get("device", "").startswith("GONE") and line["event"] == "request"]


async def _at_rest(bed: Testbed) -> None:
    """Wait until the server has done what there was to do: it does nothing three times in a row, since once may be the
    machine that stood still."""
    before, quiet = bed.server.cpu_seconds(), 0
    for _ in range(150):
        await asyncio.sleep(0.3)
        now = bed.server.cpu_seconds()
        quiet = quiet + 1 if now - before < 0.01 else 0
        if quiet == 3:
            return
        before = now


async def test_a_newer_ping_of_a_device_ends_the_older(bed: Testbed) -> None:
    inbox = await folder(bed, FolderType.INBOX)
    async with line(bed) as device:
        await device.post("Sync", sync(inbox, await device.sync_key(inbox)))
        older = asyncio.create_task(device.post("Ping", ping(inbox)))
        await asyncio.sleep(0.3)
        newer = asyncio.create_task(device.post("Ping", ping(inbox)))
        assert (await asyncio.wait_for(older, AT_ONCE)).status == "1"
        assert not newer.done()
        await bed.deliver(bed.anna, "News")
        assert (await asyncio.wait_for(newer, AT_ONCE)).status == "2"


# -- the end


async def test_at_its_end_a_server_answers_those_who_wait(own_bed: Testbed) -> None:
    """SIGTERM with Pings and a hanging Sync held: all are answered, and the process is gone within seconds."""
    bed = own_bed
    inbox = await folder(bed, FolderType.INBOX)
    lines = [Line(bed, bed.anna, f"WAIT{number}") for number in range(20)]
    keys = [await device.sync_key(inbox) for device in lines]
    pings = [asyncio.create_task(device.post("Ping", ping(inbox))) for device in lines[1:]]
    hanging = sync(inbox, keys[0])
    document = Element(hanging.tag, (*hanging.elements, e("AirSync:HeartbeatInterval", "600")))
    held = asyncio.create_task(lines[0].post("Sync", document))
    await _at_rest(bed)
    assert not held.done()
    assert not any(task.done() for task in pings)
    seconds = await asyncio.to_thread(bed.server.terminate)
    assert seconds < AT_ONCE
    for task in pings:
        got = await asyncio.wait_for(task, AT_ONCE)
        assert (got.http, got.status) == (200, "1")
    assert (await asyncio.wait_for(held, AT_ONCE)).http == 200
    for device in lines:
        await device.client.aclose()
    assert not any("exception" in entry for entry in logged(bed))


async def test_at_its_end_a_server_finishes_what_it_has_begun(own_bed: Testbed) -> None:
    """A Sync that waits for the lock when SIGTERM comes is answered, and its item is there."""
    bed = own_bed
    contacts = await folder(bed, FolderType.CONTACTS)
    async with line(bed) as device:
        document = adding(contacts, await device.sync_key(contacts), "Last")
        with locked(bed):
            working = asyncio.create_task(device.post("Sync", document))
            await _at_rest(bed)
            ending = asyncio.create_task(asyncio.to_thread(bed.server.terminate))
            await asyncio.sleep(0.5)
        got = await asyncio.wait_for(working, AT_ONCE)
        await ending
        assert got.text(*ONE, "Responses", "Add", "Status") == "1"
    assert await names(bed) == ["Last|"]


async def test_nothing_that_people_write_or_know_is_in_the_log(own_bed: Testbed) -> None:
    """One line for each request, with who, what and how long; no password, no content."""
    bed = own_bed
    contacts = await folder(bed, FolderType.CONTACTS)
    async with line(bed) as device:
        await device.post("Sync", adding(contacts, await device.sync_key(contacts), "Geheimnis"))
        await device.post("Sync", Element("AirSync:Sync", "broken"))
        device.person = Person(login="anna", password="not-her-password")
        await device.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    text = bed.server.log.read_text()
    for secret in ("Geheimnis", bed.anna.password, "not-her-password", b64encode(b"anna:").decode()[:7]):
        assert secret not in text
    lines = [entry for entry in logged(bed) if entry["event"] == "request" and "device" in entry]
    assert [entry["command"] for entry in lines] == ["Sync", "Sync", "Sync"]
    for entry in lines:
        assert {"user", "device", "command", "version", "http", "ms"} <= entry.keys()

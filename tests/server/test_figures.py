"""`/metrics`: who may read it, in which form, and what it says after real requests. The figures are those of the whole
process, so that other tests count as well: differences are looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from figures import Figures
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from standing_clock import StandingClock
from structlog.testing import capture_logs
from wire import HOST, Wire, basic, e, sync

from eas import app as composition
from eas.client.phone import Phone
from eas.db.migrations import newest
from eas.engine.model import FolderType
from eas.protocol.version import Version
from eas.protocol.wbxml import Element
from eas.push.leases import LocalLeases
from eas.server.figures import Readers, refusal
from eas.server.spool import Spool

TOKEN = "a-token-for-figures"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
DOMAIN = "example.com"
LETTER = b"From: x@elsewhere.test\r\nTo: anna@example.com\r\nSubject: News\r\n\r\nNews.\r\n"
LOOPBACK = tuple(map(ip_network, ("127.0.0.0/8", "::1")))
OFFICE = (ip_network("10.1.0.0/16"),)


# -- Who may read. What is refused comes first.


def _asked(peer: str, trusted: Any = (), networks: Any = LOOPBACK, **headers: str) -> int:
    """The HTTP status; 200 for whoever may read. "_" in a header's name is "-"."""
    scope: Any = {"type": "http", "client": (peer, 4711) if peer else None}
    stated = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = refusal(Readers(token="", networks=networks), scope, stated, trusted)
    return 200 if reply is None else reply.http


@pytest.mark.parametrize(("peer", "trusted", "networks", "headers"), [
    # From the world, through a proxy on this machine that nobody has named: it looks like somebody local.
    ("127.0.0.1", (), LOOPBACK, {}),
    ("::1", (), LOOPBACK, {}),
    ("::ffff:127.0.0.1", (), LOOPBACK, {}),
    ("127.0.0.1", (), LOOPBACK, {"x_forwarded_for": "127.0.0.1"}),
    # Through a trusted one, from the world; whoever asks may say what they like before.
    ("127.0.0.1", LOOPBACK, LOOPBACK, {"x_forwarded_for": "203.0.113.9"}),
    ("127.0.0.1", LOOPBACK, LOOPBACK, {"x_forwarded_for": "127.0.0.1, 203.0.113.9"}),
    # A trusted one that tells it in words which are not heard.
    ("127.0.0.1", LOOPBACK, LOOPBACK, {"x_real_ip": "203.0.113.9"}),
    ("127.0.0.1", LOOPBACK, LOOPBACK, {"forwarded": "for=203.0.113.9"}),
    # Through an unknown one within the network that may read.
    ("10.1.0.7", (), OFFICE, {"x_forwarded_proto": "https"}),
    ("10.1.0.7", (), OFFICE, {"via": "1.1 proxy"}),
    ("10.2.0.7", (), OFFICE, {}),
    ("203.0.113.9", LOOPBACK, LOOPBACK, {"x_forwarded_for": "127.0.0.1"}),
    ("", LOOPBACK, LOOPBACK, {}),
    ("127.0.0.1", LOOPBACK, (), {}),
])
def test_who_may_not_read(peer: str, trusted: Any, networks: Any, headers: dict[str, str]) -> None:
    assert _asked(peer, trusted, networks, **headers) == 403


@pytest.mark.parametrize(("peer", "trusted", "networks", "headers"), [
    ("127.0.0.1", LOOPBACK, LOOPBACK, {}),
    ("::ffff:127.0.0.1", LOOPBACK, LOOPBACK, {}),
    ("127.0.0.1", LOOPBACK, OFFICE, {"x_forwarded_for": "10.1.2.3", "x_forwarded_proto": "https"}),
    ("10.1.0.7", (), OFFICE, {}),
    ("10.1.0.7", LOOPBACK, OFFICE, {}),
])
def test_who_may_read(peer: str, trusted: Any, networks: Any, headers: dict[str, str]) -> None:
    assert _asked(peer, trusted, networks, **headers) == 200


# -- Over the whole server


@pytest.fixture
def world_settings() -> dict[str, Any]:
    return {"metrics.token": TOKEN}


@pytest.fixture
def app(world: Any) -> composition.App:
    found: composition.App = world.app
    return found


Ask = Callable[..., Any]


@pytest.fixture
async def ask(app: composition.App) -> AsyncIterator[Ask]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url=HOST) as client:
        async def get(headers: dict[str, str] = BEARER, method: str = "GET") -> httpx.Response:
            return await client.request(method, "/metrics", headers=headers)

        yield get


async def _figures(ask: Ask) -> Figures:
    answer = await ask()
    assert answer.status_code == 200
    return Figures.parsed(answer.text)


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", basic("anna", "anna-secret"),
                                           f"Bearer {TOKEN}x", "Bearer t\u00f6ken"])
async def test_without_the_token_there_is_a_challenge(ask: Ask, authorization: str) -> None:
    answer = await ask({"Authorization": authorization.encode()} if authorization else {})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="metrics"')
    assert "eas_" not in answer.text


async def test_forms(ask: Ask) -> None:
    """Text for whoever asks for nothing, OpenMetrics for who can read it; both are read by what reads them."""
    text = await ask()
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert Figures.parsed(text.text).total("eas_build_info") == 1
    modern = await ask({**BEARER, "Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name for family in openmetrics(modern.text)}
    assert {"eas_requests", "eas_held_waits", "process_cpu_seconds"} <= families
    head = await ask(method="HEAD")
    assert (head.status_code, head.content) == (200, b"")


async def test_it_is_compressed_for_who_takes_that(ask: Ask) -> None:
    plain = await ask({**BEARER, "Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    zipped = await ask({**BEARER, "Accept-Encoding": "gzip"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert int(zipped.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert Figures.parsed(zipped.text).total("eas_build_info") == 1  # httpx has unpacked it


async def test_reading_is_neither_logged_nor_counted(ask: Ask) -> None:
    before = await _figures(ask)
    with capture_logs() as lines:
        after = await _figures(ask)
    assert lines == []
    assert after.total("eas_requests_total") == before.total("eas_requests_total")
    assert after.total("eas_requests_in_flight") == 0


async def test_requests(ask: Ask, wire: Callable[..., Wire]) -> None:
    before = await _figures(ask)
    assert (await wire().post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).status == "1"
    assert (await wire().post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "wrong")))).status != "1"
    await wire().post("Sing", version="14.1")
    await wire().ask("OPTIONS", "/Microsoft-Server-ActiveSync")
    await wire().ask("GET", "/made-up-by-a-peer")
    after = await _figures(ask)

    def more(sample: str, **labels: str) -> float:
        return after.total(sample, **labels) - before.total(sample, **labels)

    assert more("eas_requests_total", command="FolderSync", version="14.1", http="200", status="1") == 1
    assert more("eas_requests_total", command="FolderSync") == 2
    assert more("eas_request_seconds_count", command="FolderSync") == 2
    assert 0 < more("eas_request_seconds_sum", command="FolderSync") < 30
    assert more("eas_requests_total", command="Options", http="200") == 1
    assert more("eas_requests_total", command="other") == 2
    assert more("eas_received_bytes_total", command="FolderSync") > 20
    assert more("eas_sent_bytes_total", command="FolderSync") > 200
    assert all("Sing" not in labels.values() for labels in after.labels("eas_requests_total"))


async def test_who_was_turned_away(
    ask: Ask, wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    StandingClock(monkeypatch)
    before = await _figures(ask)
    await wire().ask("OPTIONS", "/Microsoft-Server-ActiveSync", {})
    for n in range(11):
        await wire().ask("OPTIONS", "/Microsoft-Server-ActiveSync", {"Authorization": basic("ben", f"guess {n}")})
    after = await _figures(ask)
    told = {
        reason: after.total("eas_refusals_total", reason=reason) - before.total("eas_refusals_total", reason=reason)
        for reason in ("no_login", "wrong_login", "throttled", "unavailable", "gate")
    }
    assert told == {"no_login": 1, "wrong_login": 10, "throttled": 1, "unavailable": 0, "gate": 0}


async def _ready(phone: Callable[..., Phone]) -> Phone:
    """A phone that holds everything, and has a folder to wait for."""
    ready = phone()
    await ready.set_up(Version.V14_1)
    await ready.sync()
    return ready


async def _held(ask: Ask, count: int) -> Figures:
    """The figures once so many Pings are held."""
    for _ in range(3000):
        if (told := await _figures(ask)).total("eas_held_waits", command="Ping") == count:
            return told
        await asyncio.sleep(0.01)
    raise AssertionError(f"never {count} Pings at a time")


async def _more(ask: Ask, before: Figures) -> Callable[..., float]:
    """What has been added since."""
    after = await _figures(ask)
    return lambda sample, **labels: after.total(sample, **labels) - before.total(sample, **labels)


async def test_a_wait_is_held_and_news_are_timed(ask: Ask, phone: Callable[..., Phone], world: Any) -> None:
    anna = await _ready(phone)
    before = await _figures(ask)
    asked = time.perf_counter()
    waiting = asyncio.create_task(anna.ping(heartbeat=300))
    held = await _held(ask, 1)
    assert held.total("eas_requests_in_flight") == 0
    await asyncio.sleep(0.3)
    arrives = time.perf_counter()
    (failure,) = await world.app.embedded.office.take("x@elsewhere.test", [f"anna@{DOMAIN}"], LETTER)
    assert failure is None
    assert (await asyncio.wait_for(waiting, 30)).folders
    answered = time.perf_counter()
    more = await _more(ask, before)
    assert more("eas_held_waits") == 0
    assert more("eas_waits_total", command="Ping", reason="news") == more("eas_waits_total") == 1
    assert more("eas_wait_seconds_count", command="Ping") == 1
    assert more("eas_wait_seconds_sum", command="Ping") >= 0.3
    # Nothing of the time for which it was held is the request's.
    assert more("eas_request_seconds_count", command="Ping") == 1
    assert more("eas_request_seconds_sum", command="Ping") <= answered - asked - 0.3
    assert more("eas_push_seconds_count", command="Ping") == 1
    assert 0 < more("eas_push_seconds_sum", command="Ping") <= answered - arrives


async def test_why_waits_end(ask: Ask, phone: Callable[..., Phone], world: Any) -> None:
    """And a ring that brings no news is none."""
    anna = await _ready(phone)
    before = await _figures(ask)
    older = asyncio.create_task(anna.ping(heartbeat=300))
    await _held(ask, 1)
    world.app.bell.ring(world.ids["anna"], [folder.id for folder in anna.folders()])
    newer = asyncio.create_task(anna.ping(heartbeat=300))
    await asyncio.wait_for(older, 30)
    await _held(ask, 1)
    world.app.bell.stop()
    await asyncio.wait_for(newer, 30)
    more = await _more(ask, before)
    assert more("eas_waits_total", reason="replaced") == more("eas_waits_total", reason="stop") == 1
    assert more("eas_waits_total") == 2
    assert more("eas_push_seconds_count") == 0


async def test_a_wait_of_which_the_time_is_up(ask: Ask, app: composition.App, phone: Callable[..., Phone]) -> None:
    anna = await _ready(phone)
    before = await _figures(ask)
    waiting = asyncio.create_task(anna.ping(heartbeat=300))
    await _held(ask, 1)
    (listening,) = [one for user in app.bell._first for one in app.bell._of_user(user)]
    listening._wake()  # what the timer does
    assert (await asyncio.wait_for(waiting, 30)).status == 1
    more = await _more(ask, before)
    assert more("eas_waits_total", reason="time") == more("eas_waits_total") == 1
    assert more("eas_push_seconds_count") == 0


async def test_what_a_sync_moves(ask: Ask, phone: Callable[..., Phone], world: Any) -> None:
    """Both ways, by class; a folder that is begun again; a key that nobody knows; a conflict that the device loses."""
    before = await _figures(ask)
    anna = await _ready(phone)
    contacts = anna.state.folder(FolderType.CONTACTS)
    (failure,) = await world.app.embedded.office.take("x@elsewhere.test", [f"anna@{DOMAIN}"], LETTER)
    assert failure is None
    anna.add(contacts, _named("Lund"))
    await anna.sync()
    more = await _more(ask, before)
    assert more("eas_sync_items_total", item_class="Email", direction="to_device", change="Add") == 1
    assert more("eas_sync_items_total", item_class="Contacts", direction="from_device", change="Add") == 1
    assert more("eas_sync_items_total") == 2
    assert more("eas_sync_starts_total", item_class="Contacts", kind="first") >= 1
    assert more("eas_sync_starts_total", kind="again") == 0
    contacts.sync_key = "0"
    contacts.items.clear()
    await anna.sync([contacts])
    more = await _more(ask, before)
    assert more("eas_sync_starts_total", item_class="Contacts", kind="again") == 1
    assert more("eas_sync_items_total", item_class="Contacts", direction="to_device", change="Add") == 1
    assert more("eas_sync_failures_total") == 0
    await anna.connection.post("Sync", sync("nobody-knows", contacts.id))
    more = await _more(ask, before)
    assert more("eas_sync_failures_total", status="3") == more("eas_sync_failures_total") == 1


def _named(name: str) -> Element:
    return Element("AirSync:ApplicationData", (Element("Contacts:LastName", name),))


async def test_what_does_not_go_well(ask: Ask, phone: Callable[..., Phone], world: Any) -> None:
    """A conflict that the device loses, and a message that cannot be taken apart."""
    first, second = await _ready(phone), phone(device="PHONE2")
    one = first.state.folder(FolderType.CONTACTS)
    first.add(one, _named("Lund"))
    await first.sync()
    await second.set_up(Version.V14_1)
    await second.sync()
    before = await _figures(ask)
    other = second.state.folder(FolderType.CONTACTS)
    (id,) = other.items
    second.change(other, id, Element("Contacts:LastName", "Lundgren"))
    await second.sync([other])
    (id,) = one.items
    first.change(one, id, Element("Contacts:LastName", "Lundqvist"))
    await first.sync([one])
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(200))
    (failure,) = await world.app.embedded.office.take("x@elsewhere.test", [f"anna@{DOMAIN}"], LETTER[:-9] + deep)
    assert failure is None
    await first.sync()
    more = await _more(ask, before)
    assert more("eas_sync_item_failures_total", item_class="Contacts", status="7") == 1
    assert more("eas_sync_items_total", item_class="Contacts", direction="from_device", change="Change") == 1
    assert more("eas_degraded_items_total", item_class="Email") == more("eas_degraded_items_total") == 1


async def test_transactions_and_what_is_looked_at(
    ask: Ask, app: composition.App, phone: Callable[..., Phone]
) -> None:
    before = await _figures(ask)
    await _ready(phone)
    more = await _more(ask, before)
    for kind in ("look", "read", "write"):
        assert more("eas_database_seconds_count", kind=kind) > 0
        assert more("eas_database_seconds_sum", kind=kind) > 0
    told = await _figures(ask)
    assert told.total("eas_database_writes") == 0
    assert told.total("eas_noted_devices") == app.store.noted
    assert told.total("eas_schema_revision") == int(newest())
    assert told.total("eas_open_effects") == 0


async def test_a_wait_for_another_request_of_the_same_folder(ask: Ask, app: composition.App) -> None:
    before, leases = await _figures(ask), LocalLeases()
    async with leases.hold(["a"]):
        waiting = asyncio.create_task(_taken(leases))
        await asyncio.sleep(0.05)
    await waiting
    more = await _more(ask, before)
    assert more("eas_lease_seconds_count") == 1
    assert more("eas_lease_seconds_sum") >= 0.04


async def _taken(leases: LocalLeases) -> None:
    async with leases.hold(["a", "b"]):
        pass


async def test_a_large_request_lies_in_a_file(ask: Ask) -> None:
    spooled = Spool([b"x" * 1000, b"y" * 24]).read()
    told = await _figures(ask)
    assert (told.total("eas_spool_files"), told.total("eas_spool_bytes")) == (1, 1024)
    del spooled
    told = await _figures(ask)
    assert (told.total("eas_spool_files"), told.total("eas_spool_bytes")) == (0, 0)

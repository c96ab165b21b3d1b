"""Calendars, contacts and tasks of real servers: `python tests/bench/bench_dav.py [radicale] [cyrus]`.

One device takes 1,000 contacts, 1,000 events and 500 tasks, 100 in a window; then a Sync without news, and one with a
change from the other side. Printed are the HTTP requests to the server, as a relay before it counts them, and the time.
Now and then one is more, as the gateway looks for new folders as well.
Targets: no more than 6 requests a collection plus one a window at first, 1 without news, 3 with a change.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from groupware.cyrus import Cyrus
from groupware.dav import DavHost
from groupware.dovecot import Dovecot
from groupware.gateway import backend, toml
from groupware.process import folder
from groupware.radicale import Radicale
from groupware.smtp import Sink
from load import BarePhone, e, machine, more_available, sync_document, sync_key, verdict
from serving import Server

WINDOW = 100
FIRST, A_WINDOW, NOTHING, CHANGE = 6, 1, 1, 3
ROUNDS = 20
#: Type of the folder, how many items, and how one looks.
CONTACTS, CALENDAR, TASKS = 9, 8, 7

_REQUEST = re.compile(rb"\b(GET|PUT|DELETE|MOVE|OPTIONS|PROPFIND|REPORT|POST) (/\S*) HTTP/1\.[01]\r\n")


def contact(n: int) -> str:
    return _object(
        "VCARD", "VERSION:3.0", f"UID:c{n}", f"FN:Person {n}", f"N:{n};Person;;;",
        f"EMAIL;TYPE=WORK:p{n}@example.com", f"TEL;TYPE=WORK:+49 30 {n:06d}", f"ORG:Company {n % 50};Office",
        f"NOTE:{'something to remember ' * 5}",
    )


def event(n: int) -> str:
    start = f"202612{1 + n % 28:02d}T{8 + n % 10:02d}"
    return _calendar(_object(
        "VEVENT", f"UID:e{n}", "DTSTAMP:20261101T000000Z", f"DTSTART:{start}0000Z", f"DTEND:{start}3000Z",
        f"SUMMARY:Meeting {n}", f"LOCATION:Room {n % 20}", f"DESCRIPTION:{'what it is about ' * 10}",
    ))


def task(n: int) -> str:
    return _calendar(_object(
        "VTODO", f"UID:t{n}", "DTSTAMP:20261101T000000Z", f"SUMMARY:Task {n}",
        f"DESCRIPTION:{'how it is to be done ' * 10}",
    ))


def _object(name: str, *lines: str) -> str:
    return "".join(f"{line}\r\n" for line in (f"BEGIN:{name}", *lines, f"END:{name}"))


def _calendar(inner: str) -> str:
    return _object("VCALENDAR", "VERSION:2.0", "PRODID:-//bench//EN", inner.rstrip())


ITEMS: dict[int, tuple[int, Callable[[int], str], str]] = {
    CONTACTS: (1000, contact, "vcf"), CALENDAR: (1000, event, "ics"), TASKS: (500, task, "ics"),
}


@dataclass(slots=True)
class Relay:
    """Hands on what the gateway and the server say to each other, and counts the requests."""

    port: int
    requests: list[str] = field(default_factory=list)
    lines: set[asyncio.Task[None]] = field(default_factory=set)

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.create_task(self._line(reader, writer))
        self.lines.add(line)
        line.add_done_callback(self.lines.discard)

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inward, outward = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await asyncio.gather(self._hand(reader, outward, count=True), self._hand(inward, writer, count=False))
        finally:
            writer.close()
            outward.close()

    async def _hand(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool) -> None:
        try:
            while piece := await reader.read(1 << 16):
                if count:
                    self.requests += [found[1].decode() for found in _REQUEST.finditer(piece)]
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass
        finally:
            if writer.can_write_eof() and not writer.is_closing():
                writer.write_eof()

    def taken(self) -> Counter[str]:
        """Since the last time."""
        said, self.requests = Counter(self.requests), []
        return said


@dataclass(slots=True, kw_only=True)
class Standing:
    gateway: Server
    dav: DavHost
    relay: Relay
    login: str
    password: str
    collections: dict[int, str]


@asynccontextmanager
async def standing(name: str) -> AsyncIterator[Standing]:
    home = folder("bench-dav")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        sink, mail = Sink(), Cyrus() if name == "cyrus" else Dovecot()
        radicale = Radicale() if name == "radicale" else None
        for server in (sink, mail, radicale):
            if server is not None:
                stack.callback(server.stop)
                server.start()
        login, password = mail.new_user()
        if radicale is not None:
            radicale.adopt(login, password)
            dav, found = radicale, {CONTACTS: "contacts/", CALENDAR: "calendar/", TASKS: "tasks/"}
            collections = {type: f"/{login}/{path}" for type, path in found.items()}
        else:
            assert isinstance(mail, Cyrus)
            dav = mail.dav
            calendars = f"/dav/calendars/user/{login}/"
            dav.make_calendar(f"{calendars}tasks/", login, "Tasks", "VTODO")
            books = f"/dav/addressbooks/user/{login}/Default/"
            collections = {CONTACTS: books, CALENDAR: f"{calendars}Default/", TASKS: f"{calendars}tasks/"}
        if radicale is not None:
            fill_files(radicale.path / "data" / "collection-root", collections)
            await asyncio.to_thread(warm, dav, login, collections)
        else:
            await asyncio.to_thread(fill, dav, login, collections)
        relay = Relay(urlsplit(dav.url).port or 80)
        listening = await asyncio.start_server(relay, "127.0.0.1", 0)
        settings = backend(mail, sink, dav=radicale or mail)  # type: ignore[arg-type]
        port = listening.sockets[0].getsockname()[1]
        settings["dav"] = {"url": f"http://127.0.0.1:{port}/"}
        (home / "eas.toml").write_text(toml({"backends": {"office": settings}}))
        gateway = Server(data=home / "data", arguments=("--config", str(home / "eas.toml")))
        await asyncio.to_thread(gateway.__enter__)
        stack.callback(gateway.__exit__, None, None, None)
        yield Standing(
            gateway=gateway, dav=dav, relay=relay, login=login, password=password, collections=collections
        )
        listening.close()
        for line in set(relay.lines):
            line.cancel()
        await asyncio.gather(*relay.lines, return_exceptions=True)


def fill(dav: DavHost, login: str, collections: dict[int, str]) -> None:
    for type, (count, make, suffix) in ITEMS.items():
        for n in range(count):
            dav.put(f"{collections[type]}{n}.{suffix}", login, make(n))


def fill_files(root: Path, collections: dict[int, str]) -> None:
    """As Radicale keeps them: it takes a minute to be told of so many."""
    for type, (count, make, suffix) in ITEMS.items():
        for n in range(count):
            (root / f"{collections[type].strip('/')}/{n}.{suffix}").write_text(make(n), newline="")


def warm(dav: DavHost, login: str, collections: dict[int, str]) -> None:
    """Radicale parses each object once, when it is first asked for all of them."""
    for path in collections.values():
        for _ in range(20):
            try:
                dav.request("PROPFIND", path, login, Depth="1")
            except TimeoutError:
                continue  # it goes on meanwhile
            break


async def taken_over(there: Standing, phone: BarePhone, collection: str, type: int) -> str:
    """The first Sync of a collection; the key after it."""
    count = ITEMS[type][0]
    key = await phone.prime(collection)
    there.relay.taken()
    more, windows, octets, began = True, 0, 0, time.perf_counter()
    while more:
        answer = await phone.post("Sync", sync_document(key, collection, e("AirSync:WindowSize", str(WINDOW))))
        assert answer.body, "an empty answer before the end"
        windows, octets = windows + 1, octets + len(answer.body)
        key, more = sync_key(answer.body), more_available(answer.body)
    took, asked = time.perf_counter() - began, there.relay.taken()
    most = FIRST + A_WINDOW * windows
    print(f"  first Sync: {count} items, {octets / 1e3:.0f} KB in {windows} windows, {took:.2f} s; {dict(asked)}")
    print(verdict("requests", str(asked.total()), str(most), asked.total() <= most))
    return key


async def followed(there: Standing, phone: BarePhone, collection: str, type: int, key: str) -> None:
    _, make, suffix = ITEMS[type]
    times, counts, worst = list[float](), list[int](), Counter[str]()
    for _ in range(ROUNDS):
        there.relay.taken()
        began = time.perf_counter()
        answer = await phone.post("Sync", sync_document(key, collection))
        times.append(time.perf_counter() - began)
        key = sync_key(answer.body) if answer.body else key
        asked = there.relay.taken()
        counts.append(asked.total())
        worst = max(worst, asked, key=Counter.total)
    print(f"  without news: median {1000 * median(times):.1f} ms; at most {dict(worst)}")
    print(verdict("requests", str(median(counts)), str(NOTHING), median(counts) <= NOTHING))
    times, counts, worst = [], [], Counter()
    for n in range(ROUNDS):
        changed = make(n).replace("Person ", "Someone ").replace("SUMMARY:", "SUMMARY:Now ")
        await asyncio.to_thread(there.dav.put, f"{there.collections[type]}{n}.{suffix}", there.login, changed)
        there.relay.taken()
        began = time.perf_counter()
        answer = await phone.post("Sync", sync_document(key, collection))
        times.append(time.perf_counter() - began)
        assert answer.body, "the change was not told"
        key, asked = sync_key(answer.body), there.relay.taken()
        counts.append(asked.total())
        worst = max(worst, asked, key=Counter.total)
    print(f"  with a change: median {1000 * median(times):.1f} ms; at most {dict(worst)}")
    print(verdict("requests", str(median(counts)), str(CHANGE), median(counts) <= CHANGE))


async def main() -> None:
    for name in sys.argv[1:] or ["radicale", "cyrus"]:
        async with standing(name) as there:
            phone = BarePhone(
                port=there.gateway.port, user=there.login, password=there.password, device="benchdav"
            )
            await phone.provision()
            folders = await phone.folders()
            print(f"{name}:")
            for type, named in ((CONTACTS, "contacts"), (CALENDAR, "events"), (TASKS, "tasks")):
                print(f" {named}")
                key = await taken_over(there, phone, folders[type], type)
                await followed(there, phone, folders[type], type, key)
            print(f" memory of the gateway {there.gateway.memory() / 1e6:.0f} MB")
            phone.close()
    print(machine())


if __name__ == "__main__":
    asyncio.run(main())

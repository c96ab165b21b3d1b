"""A mix of requests over real groupware: `python tests/bench/bench_groupware_mix.py`.

8 and then 32 devices, each on its connection, the next request when the one before is answered, for so many seconds:
Sync without news 60 %, Sync with one new message 15 %, ItemOperations Fetch 10 %, FolderSync 5 %, GetItemEstimate 5 %,
Search in the address list 5 %. Mail from Dovecot, the address list from slapd. Everything runs on this machine,
Dovecot and this load among it. New messages come by IMAP APPEND, which is not part of a request's time.

Targets: 400 requests a second, p95 under 60 ms with 8 devices, the gateway's memory under 200 MB.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from dataclasses import dataclass, field

from letters import letter
from load import BarePhone, Failed, at, e, html_options, machine, sync_document, sync_key, table, verdict
from standing import Login, Standing, fill, standing

from eas.protocol import wbxml

DEVICES = (8, 32)
SECONDS = float(os.environ.get("EAS_BENCH_SECONDS", "20"))
MESSAGES = 500
RATE, P95_MS, MEMORY_MB = 400, 60, 200
INBOX = 2

#: (kind, share of the requests in percent).
MIX = (
    ("no change", 60), ("one change", 15), ("fetch", 10), ("folder sync", 5), ("estimate", 5), ("gal search", 5),
)
_NAMES = ("an", "be", "ca", "anna", "b", "c")


@dataclass(slots=True, kw_only=True)
class Device:
    """A phone that holds its inbox; `appending` is another client of the same mailbox."""

    phone: BarePhone
    user: Login
    inbox: str
    key: str
    hierarchy: str
    append: AppendLine
    random: random.Random
    took: dict[str, list[float]] = field(default_factory=dict)
    number: int = 0

    async def run(self, until: float) -> None:
        kinds, weights = zip(*MIX, strict=True)
        while time.perf_counter() < until:
            kind = self.random.choices(kinds, weights)[0]
            if kind == "one change":
                self.number += 1
                await self.append.message(letter(100_000 + self.number))
            began = time.perf_counter()
            await getattr(self, "_" + kind.replace(" ", "_"))()
            self.took.setdefault(kind, []).append(time.perf_counter() - began)

    async def _no_change(self) -> None:
        if (await self.phone.post("Sync", sync_document(self.key, self.inbox, html_options()))).body:
            raise Failed("there is news where none should be")

    async def _one_change(self) -> None:
        answer = await self.phone.post("Sync", sync_document(self.key, self.inbox, html_options()))
        if not answer.body:
            raise Failed("a new message is not told")
        self.key = sync_key(answer.body)

    async def _fetch(self) -> None:
        server_id = f"{self.inbox}:{(1 << 32) | self.random.randint(1, MESSAGES)}"
        fetch = e(
            "ItemOperations:Fetch", e("ItemOperations:Store", "Mailbox"), e("AirSync:CollectionId", self.inbox),
            e("AirSync:ServerId", server_id),
            e("ItemOperations:Options", e("AirSyncBase:BodyPreference", e("AirSyncBase:Type", "2"))),
        )
        body = (await self.phone.post("ItemOperations", wbxml.encode(e("ItemOperations:ItemOperations", fetch)))).body
        if b"Subject" in body or len(body) < 200:
            raise Failed(f"a message was not fetched: {body[:100]!r}")

    async def _folder_sync(self) -> None:
        document = e("FolderHierarchy:FolderSync", e("FolderHierarchy:SyncKey", self.hierarchy))
        await self.phone.post("FolderSync", wbxml.encode(document))

    async def _estimate(self) -> None:
        options = e("AirSync:Options", e("AirSync:Class", "Email"))
        collection = e(
            "GetItemEstimate:Collection", e("AirSync:SyncKey", self.key),
            e("GetItemEstimate:CollectionId", self.inbox), options,
        )
        document = e("GetItemEstimate:GetItemEstimate", e("GetItemEstimate:Collections", collection))
        await self.phone.post("GetItemEstimate", wbxml.encode(document))

    async def _gal_search(self) -> None:
        store = e(
            "Search:Store", e("Search:Name", "GAL"), e("Search:Query", self.random.choice(_NAMES)),
            e("Search:Options", e("Search:Range", "0-9")),
        )
        body = (await self.phone.post("Search", wbxml.encode(e("Search:Search", store)))).body
        if len(body) < 100:
            raise Failed("nobody is found")


class AppendLine:
    """A connection of another client, for messages that arrive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int, user: Login) -> AppendLine:
        line = cls(*await asyncio.open_connection("127.0.0.1", port))
        await line._reader.readline()
        await line._say(b'LOGIN "%s" "%s"' % (user[0].encode(), user[1].encode()))
        return line

    async def message(self, octets: bytes) -> None:
        await self._say(b"APPEND INBOX {%d+}\r\n%s" % (len(octets), octets))

    async def _say(self, command: bytes) -> None:
        self._writer.write(b"b " + command + b"\r\n")
        while not (line := await self._reader.readline()).startswith(b"b "):
            if not line:
                raise Failed("the mail server has closed a connection")
        if not line.startswith(b"b OK"):
            raise Failed(line.decode())


async def ready(servers: Standing, user: Login, number: int) -> Device:
    phone = BarePhone(port=servers.gateway.port, user=user[0], password=user[1], device=f"mix{number}")
    await phone.provision()
    inbox = (await phone.folders())[INBOX]
    listed = await phone.post(
        "FolderSync", wbxml.encode(e("FolderHierarchy:FolderSync", e("FolderHierarchy:SyncKey", "0")))
    )
    hierarchy = wbxml.decode(listed.body).child("FolderHierarchy:SyncKey")
    assert hierarchy is not None
    key = await phone.catch_up(inbox, await phone.prime(inbox))
    return Device(
        phone=phone, user=user, inbox=inbox, key=key, hierarchy=hierarchy.text, random=random.Random(number),
        append=await AppendLine.open(servers.dovecot.imap_port, user),
    )


async def measure(servers: Standing, count: int) -> bool:
    users = [servers.new_user() for _ in range(count)]
    for user in users:
        await asyncio.to_thread(fill, servers.dovecot, user, [letter(n) for n in range(MESSAGES)])
    devices = [await ready(servers, user, number) for number, user in enumerate(users)]
    began, cpu = time.perf_counter(), servers.gateway.cpu_seconds()
    await asyncio.gather(*(device.run(began + SECONDS) for device in devices))
    seconds, spent = time.perf_counter() - began, servers.gateway.cpu_seconds() - cpu
    took: dict[str, list[float]] = {}
    for device in devices:
        for kind, times in device.took.items():
            took.setdefault(kind, []).extend(times)
        device.phone.close()
    every = [one for times in took.values() for one in times]
    print(f"-- {count} devices, {SECONDS:.0f} s: {len(every):,} requests, "
          f"{1000 * spent / len(every):.2f} ms of the gateway's core each")
    print(table([
        ("", "requests", "p50 ms", "p95 ms"),
        *((kind, len(took[kind]), f"{1000 * at(took[kind], 50):.1f}", f"{1000 * at(took[kind], 95):.1f}")
          for kind, _ in MIX if kind in took),
    ]))
    rate, p95, memory = len(every) / seconds, 1000 * at(every, 95), servers.gateway.peak() / 1e6
    print(verdict("requests a second", f"{rate:,.0f}", f"{RATE}", rate >= RATE))
    kept = rate >= RATE
    if count == DEVICES[0]:
        print(verdict("p95 in ms", f"{p95:.0f}", f"{P95_MS}", p95 < P95_MS))
        kept = kept and p95 < P95_MS
    print(verdict("peak of the gateway's memory in MB", f"{memory:.0f}", f"{MEMORY_MB}", memory < MEMORY_MB))
    return kept and memory < MEMORY_MB


def main() -> int:
    with standing(directory=True) as servers:
        kept = [asyncio.run(measure(servers, count)) for count in DEVICES]
        print(machine())
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())

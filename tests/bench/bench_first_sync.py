"""The first Sync of a large folder: `python tests/bench/bench_first_sync.py [MESSAGES]`.

One device takes 10,000 messages, HTML cut at 4 KiB, 100 in a window, one request after the other. Printed are messages
a second, by how much the memory of the server rises, and the time of the windows from first to last. Once more with
gzip, as most phones ask for it. Target: 1,500 messages a second, less than 60 MB, times flat.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from statistics import median

from filling import BEN, Filled
from load import (
    BarePhone,
    Failed,
    at,
    e,
    html_options,
    machine,
    more_available,
    sync_document,
    sync_key,
    unzipped,
    verdict,
)
from serving import Server

from eas.protocol import wbxml
from eas.protocol.wbxml import Element

MESSAGES, WINDOW, CUT = 10_000, 100, 4096
RATE, RISE_MB, FLAT = 1500, 60, 1.3
INBOX = 2


@dataclass(slots=True)
class Run:
    times: list[float]
    octets: int
    messages: int
    cpu: float
    rise: int


async def first_sync(filled: Filled, messages: int, gzip: bool) -> Run:
    return await first_sync_of(
        filled.server, BEN.login, BEN.password, messages, device=f"first{gzip:d}", gzip=gzip
    )


async def first_sync_of(
    server: Server, login: str, password: str, messages: int, *, device: str, gzip: bool = False
) -> Run:
    """Of the inbox of a user of a running server."""
    phone = BarePhone(port=server.port, user=login, password=password, device=device, gzip=gzip)
    await phone.provision()
    inbox = (await phone.folders())[INBOX]
    options = (e("AirSync:GetChanges", "1"), e("AirSync:WindowSize", str(WINDOW)), html_options(CUT))
    key = await phone.prime(inbox)
    memory, cpu = server.memory(), server.cpu_seconds()
    highest, times, bodies, more = memory, list[float](), list[bytes](), True
    while more:
        began = time.perf_counter()
        answer = await phone.post("Sync", sync_document(key, inbox, *options))
        body = answer.body
        times.append(time.perf_counter() - began)
        highest = max(highest, server.memory())
        if not body:
            raise Failed("an empty answer before the end")
        bodies.append(body)
        body = unzipped(body)
        key, more = sync_key(body), more_available(body)
    used = server.cpu_seconds() - cpu
    phone.close()
    seen = {name for body in bodies for name in server_ids(wbxml.decode(unzipped(body)))}
    if len(seen) != messages:
        raise Failed(f"{len(seen)} different messages of {messages}")
    return Run(times, sum(map(len, bodies)), len(seen), used, highest - memory)


def server_ids(root: Element) -> list[str]:
    adds = [command for command in _below(root, "AirSync:Commands") if command.tag == "AirSync:Add"]
    return [inner.text for add in adds for inner in add.elements if inner.tag == "AirSync:ServerId"]


def _below(root: Element, tag: str) -> tuple[Element, ...]:
    if root.tag == tag:
        return root.elements
    return tuple(found for child in root.elements for found in _below(child, tag))


def report(name: str, run: Run) -> None:
    total, tenth = sum(run.times), max(1, len(run.times) // 10)
    milliseconds = [1000 * value for value in run.times]
    first, last = median(milliseconds[:tenth]), median(milliseconds[-tenth:])
    print(f"{name}: {run.messages:,} messages, {run.octets / 1e6:.1f} MB in {len(run.times)} windows, {total:.2f} s; "
          f"cpu of the server {run.cpu:.2f} s")
    tenths = [milliseconds[at : at + tenth] for at in range(0, len(milliseconds), tenth)]
    print("     window ms by tenths: " + " ".join(f"{median(some):.0f}" for some in tenths)
          + f"; p50 {at(milliseconds, 50):.0f}, p95 {at(milliseconds, 95):.0f}")
    print(verdict("messages a second", f"{run.messages / total:,.0f}", f"{RATE:,}", run.messages / total >= RATE))
    print(verdict("memory rise MB", f"{run.rise / 1e6:.1f}", f"{RISE_MB}", run.rise < RISE_MB * 1e6))
    print(verdict("last tenth : first tenth", f"{last / first:.2f}", f"{FLAT}", last / first <= FLAT))


async def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    async with Filled.folder_of(messages, bodies=True) as filled:
        report("plain", await first_sync(filled, messages, gzip=False))
        report("gzip", await first_sync(filled, messages, gzip=True))
    print(machine())


if __name__ == "__main__":
    asyncio.run(main())

"""How connections are divided among processes that accept on the same address: one socket for all, or one for each
(SO_REUSEPORT). Phones keep theirs for an hour, so what is uneven stays uneven.

Each process is a bare uvloop server that says its number to whoever connects. Connections are opened one after the
other, as phones come in, and many at once, as after a restart; all are kept.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import uvloop
from bench.load import machine, table

from eas.app.doors import Sockets, tcp_sockets

CONNECTIONS = 2000
AT_ONCE = 250
WORKERS = (2, 4)


class _Numbered(asyncio.Protocol):
    def __init__(self, number: int) -> None:
        self._number = number

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(bytes((self._number,)))


def _serve(number: int, sockets: Sockets) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        for one in sockets.http:
            await loop.create_server(lambda: _Numbered(number), sock=one)
        await asyncio.sleep(3600)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def _open(port: int, at_once: int) -> tuple[Counter[int], float]:
    """Which process took how many, and seconds."""
    writers: list[asyncio.StreamWriter] = []

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return (await reader.readexactly(1))[0]

    taken: Counter[int] = Counter()
    began = time.perf_counter()
    for _ in range(CONNECTIONS // at_once):
        taken.update(await asyncio.gather(*(one() for _ in range(at_once))))
    took = time.perf_counter() - began
    for writer in writers:
        writer.close()
    return taken, took


def measure(workers: int, each: bool) -> list[list[object]]:
    first = tcp_sockets("127.0.0.1", 0, shared=each)
    port = first[0].getsockname()[1]
    sockets = [first, *(tcp_sockets("127.0.0.1", port, shared=True) if each else first for _ in range(workers - 1))]
    children = []
    for number, own in enumerate(sockets):
        if not (child := os.fork()):
            _serve(number, Sockets(http=own))
        children.append(child)
    time.sleep(0.5)
    rows: list[list[object]] = []
    try:
        for at_once in (1, AT_ONCE):
            taken, took = asyncio.run(_open(port, at_once))
            shares = ", ".join(f"{100 * taken[number] / CONNECTIONS:.0f} %" for number in range(workers))
            rows.append([workers, "one each" if each else "one for all", at_once, shares, f"{took:.2f} s"])
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return rows


def main() -> None:
    print(machine())
    rows: list[list[object]] = [["processes", "sockets", "at once", "shares", "time"]]
    for workers in WORKERS:
        for each in (False, True):
            rows += measure(workers, each)
    print(table(rows))


if __name__ == "__main__":
    main()

"""Costs of the state store and of waiting: `python tests/bench/bench_store.py`.

Prints, for a store on SQLite in a file with the states of 2,000 devices, the time of what requests ask of it one after
the other (best of three runs), commits per second when 32 come at the same time, and for the local bell the memory and
the time of 10,000 devices that wait. Times are of one process; commits depend on how fast the disk syncs.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from eas.db import Database
from eas.db.migrations import migrate
from eas.db.transactions import transactions
from eas.engine.keys import Head, Held
from eas.engine.model import Device
from eas.engine.ports import Chosen, Intent, Owner, Step
from eas.push.bell import LocalBell
from eas.store import SqlStateStore

DEVICES = 2_000
WAITS = 10_000


def owner(number: int) -> Owner:
    return Owner(user_id=f"user-{number}", device_id="APPL0123456789", collection_id="5")


def step(row: int) -> Step:
    """A state as an ordinary mail folder has it: two heads, a body of 500 bytes."""
    options = '{"filter_type":3,"bodies":[{"type":2,"size":32768}],"mime":0}'
    heads = [
        Head(key=f"{key:032x}", parent="0", request="0" * 32, token="1:2345", edge="2026-05-01", options=options)
        for key in (row, row + 1)
    ]
    return Step(held=Held(proven=heads[0], issued=(heads[1],)), generations={heads[1].key: b"b" * 500})


async def measure(name: str, times: int, work: Callable[[int], Awaitable[object]]) -> None:
    best = min([await _run(times, work) for _ in range(3)])
    print(f"{name:34} {best[0] * 1e6:8.0f} us, CPU {best[1] * 1e6:6.0f} us")


async def _run(times: int, work: Callable[[int], Awaitable[object]]) -> tuple[float, float]:
    began, cpu = perf_counter(), process_time()
    for number in range(times):
        await work(number)
    return (perf_counter() - began) / times, (process_time() - cpu) / times


async def bench_store(folder: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{folder}/eas.db")
    await migrate(database)
    run = transactions(database)
    store = SqlStateStore(run)
    for number in range(DEVICES):
        await store.add_device(Device(user_id=f"user-{number}", id="APPL0123456789", type="iPhone"))
        assert await store.commit(owner(number), 0, step(0))
    rows = [1] * DEVICES
    now = datetime.now(UTC)

    async def no_news(n: int) -> None:
        """All that a Sync without news asks: device, policy, note, one state."""
        user = f"user-{n % DEVICES}"
        device = await store.device(user, "APPL0123456789")
        await store.policy(user, device)
        await store.seen(user, "APPL0123456789", "Apple-iPhone15C2/2107.93", "16.1", now)
        await store.load(owner(n % DEVICES))

    async def commit(n: int) -> None:
        n %= DEVICES
        assert await store.commit(owner(n), rows[n], step(rows[n]))
        rows[n] += 1

    async def intend(n: int) -> None:
        intent = Intent(verb="Add", client_id=str(perf_counter()), server_id="", digest="d", chosen=Chosen(name="n"))
        await store.intend(owner(n % DEVICES), intent)

    await measure("load", 2_000, lambda n: store.load(owner(n % DEVICES)))
    await measure("device", 2_000, lambda n: store.device(f"user-{n % DEVICES}", "APPL0123456789"))
    await measure("policy", 2_000, lambda n: store.policy(f"user-{n % DEVICES}"))
    await measure("body", 500, lambda n: store.body(owner(n), f"{1:032x}", 0, 0))
    await measure("a Sync without news, in all", 1_000, no_news)
    await measure("commit", 500, commit)
    await measure("intend", 500, intend)

    began = perf_counter()
    for first in range(0, 1_600, 32):
        await asyncio.gather(*[commit(n) for n in range(first, first + 32)])
    print(f"{'commits at once, 32 each time':34} {1_600 / (perf_counter() - began):8.0f} a second")
    await store.flush()
    for number in range(1_000):
        await store.seen(f"user-{number}", "APPL0123456789", "agent", "16.1", datetime.now(UTC))
    began = perf_counter()
    await store.flush()
    print(f"{'1,000 noted requests written':34} {(perf_counter() - began) * 1e3:8.1f} ms")
    await store.close()
    await run.close()
    await database.close()


async def bench_bell() -> None:
    bell = LocalBell()
    users = [f"user-{n}" for n in range(WAITS)]
    collections = ("0", "5", "6", "7")
    loop = asyncio.get_running_loop()

    async def wait(user: str) -> frozenset[str]:
        return await bell.listen(user, "APPL0123456789", collections).wait(3540.0)

    idle: list[asyncio.Future[None]] = [loop.create_future() for _ in range(WAITS)]

    async def nothing(number: int) -> None:
        await idle[number]

    # What a task that waits costs is not the bell's: it is measured apart and taken off.
    gc.collect()
    tracemalloc.start()
    bare = [asyncio.create_task(nothing(n)) for n in range(WAITS)]
    await asyncio.sleep(0)
    task_bytes = tracemalloc.get_traced_memory()[0] / WAITS
    tracemalloc.stop()
    for future in idle:
        future.set_result(None)
    await asyncio.gather(*bare)

    gc.collect()
    tracemalloc.start()
    waits = [asyncio.create_task(wait(user)) for user in users]
    await asyncio.sleep(0)
    all_bytes = tracemalloc.get_traced_memory()[0] / WAITS
    tracemalloc.stop()
    assert bell.waiting == WAITS
    print(f"{'a wait of a device':34} {all_bytes - task_bytes:8.0f} bytes, and {task_bytes:.0f} for a task that waits")

    began = perf_counter()
    for user in users:
        bell.ring(user, ["5"])
    rung = perf_counter() - began
    await asyncio.gather(*waits)
    print(f"{'a ring':34} {rung / WAITS * 1e6:8.1f} us; all {WAITS:,} awake after {perf_counter() - began:.2f} s")
    began = perf_counter()
    for _ in range(WAITS):
        bell.ring("somebody else", ["5"])
    print(f"{'a ring that nobody waits for':34} {(perf_counter() - began) / WAITS * 1e6:8.1f} us")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        await bench_store(Path(folder))
    await bench_bell()


if __name__ == "__main__":
    asyncio.run(main())

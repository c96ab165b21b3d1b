"""A day of many phones in short: `python tests/bench/simulate.py [--phones 2000] [--hours 1] [--speed 60]`.

Two nodes with the real bell over Redis and the real store on PostgreSQL, without HTTP and without groupware: what many
phones cost of what all nodes share. Each phone waits, on one node or the other; changes come in for users, on a node
that need not be theirs; whoever is told commits a generation and waits again. Time runs `--speed` times as fast, and
how far it fell behind is printed.

Printed are commands of Redis, transactions, rows and log of PostgreSQL, and time on a core, for a phone and a day; then
what that makes for a thousand, a hundred thousand and a million phones. What a request costs over HTTP is measured
elsewhere (bench_workers, bench_ping) and given by `--request-ms` and `--wait-kb`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from load import at, machine, table
from standing import Postgresql, RedisServer, toml

from eas import app
from eas.config import load
from eas.engine.keys import Head, Held
from eas.engine.model import Device
from eas.engine.ports import Owner, Step

# What a phone and its owner do in 24 hours. Assumptions, on the high side; change them and run again.

#: Phones of a user, and what is waited for by one.
PHONES_OF_USER, FOLDERS = 1.5, 4
#: A wait as long as networks let it be.
HEARTBEAT_SECONDS = 900.0
#: Times that something new comes for a user: what comes within a moment is one.
CHANGES = 60
#: Times that a phone asks for news by itself (it is opened) and hears none; what its owner does.
LOOKS, DEEDS = 25, 20

DAY = 86_400.0
NODES = 2
SIZES = (1_000, 100_000, 1_000_000)
#: The busiest hour has three times the mean; and of its capacity a core is to be used so far then.
BUSY_HOUR, FILLED = 3.0, 0.6


@dataclass(slots=True)
class Phone:
    """`user` and `id` name it; it lives on one node."""

    node: app.App
    user: str
    id: str
    speed: float
    waits: int = 0
    commits: int = 0
    rows: dict[str, int] = field(default_factory=dict)

    async def live(self, told: dict[str, float], took: list[float]) -> None:
        """Until cancelled. `told` is when a user's last change was rung."""
        folders = [str(number) for number in range(1, FOLDERS + 1)]
        await asyncio.sleep(random.random() * HEARTBEAT_SECONDS / self.speed)
        while True:
            listening = self.node.bell.listen(self.user, self.id, ("0", *folders))
            try:
                await listening.armed()
                await self.look(folders)
                self.waits += 1
                rung = await listening.wait(HEARTBEAT_SECONDS / self.speed)
            finally:
                listening.close()
            if rung:
                took.append(time.perf_counter() - told.get(self.user, time.perf_counter()))
                await self.take(sorted(rung)[0])

    async def look(self, folders: Sequence[str]) -> None:
        """What a request without news reads, and notes."""
        store = self.node.store
        device = await store.device(self.user, self.id)
        await store.policy(self.user, device)
        await store.seen(self.user, self.id, "simulated", "16.1", datetime.now(UTC))
        for folder in folders:
            await store.load(Owner(user_id=self.user, device_id=self.id, collection_id=folder))

    async def take(self, folder: str) -> None:
        """A Sync with something in it."""
        async with self.node.sharing.leases.hold([f"{self.user}/{self.id}/{folder}"]):
            await self.look([folder])
            row = self.rows.get(folder, 0)
            owner = Owner(user_id=self.user, device_id=self.id, collection_id=folder)
            if row:
                await self.node.store.body(owner, f"{row:032x}", 0, 0)
            if await self.node.store.commit(owner, row, step(row)):
                self.rows[folder] = row + 1
                self.commits += 1


def step(row: int) -> Step:
    """A state as an ordinary mail folder has it: two heads, a body of 500 bytes."""
    options = '{"filter_type":3,"bodies":[{"type":2,"size":32768}],"mime":0}'
    heads = [
        Head(key=f"{key:032x}", parent="0", request="0" * 32, token="1:2345", edge="2026-05-01", options=options)
        for key in (row, row + 1)
    ]
    return Step(held=Held(proven=heads[0], issued=(heads[1],)), generations={heads[1].key: b"b" * 500})


@asynccontextmanager
async def site(redis: RedisServer, postgresql: Postgresql, home: Path) -> AsyncIterator[list[app.App]]:
    database = postgresql.new_database(name="simulated")
    async with AsyncExitStack() as stack:
        nodes = []
        for number in range(NODES):
            config = home / f"node{number}.toml"
            config.write_text(toml({
                "database": database, "data": str(home / f"node{number}"), "redis": {"url": redis.url},
                "log": {"level": "warning"},
            }))
            nodes.append(await stack.enter_async_context(app.build(load(config, environment={}))))
        yield nodes


async def settle(nodes: Sequence[app.App], phones: int, speed: float) -> list[Phone]:
    users = max(1, int(phones / PHONES_OF_USER))
    made = [
        Phone(node=random.choice(nodes), user=f"user{number % users}", id=f"SIM{number:08}", speed=speed)
        for number in range(phones)
    ]
    gate = asyncio.Semaphore(8)

    async def one(phone: Phone) -> None:
        async with gate:
            await phone.node.store.add_device(Device(user_id=phone.user, id=phone.id, type="Simulated"))
            for folder in range(1, FOLDERS + 1):
                await phone.take(str(folder))
            phone.commits = 0

    await asyncio.gather(*map(one, made))
    return made


async def happen(phones: Sequence[Phone], nodes: Sequence[app.App], until: float, told: dict[str, float]) -> float:
    """Changes, looks and deeds at their pace, until a moment; seconds that it fell behind."""
    users = sorted({phone.user for phone in phones})
    speed = phones[0].speed
    kinds = {"change": CHANGES * len(users), "look": LOOKS * len(phones), "deed": DEEDS * len(phones)}
    rate = sum(kinds.values()) / DAY * speed
    under_way, late, due = set[asyncio.Task[None]](), 0.0, time.perf_counter()
    while (now := time.perf_counter()) < until:
        due += random.expovariate(rate)
        if due > now:
            await asyncio.sleep(due - now)
        late = max(late, now - due)
        kind = random.choices(list(kinds), list(kinds.values()))[0]
        if kind == "change":
            user = random.choice(users)
            told[user] = time.perf_counter()
            random.choice(nodes).bell.ring(user, (str(random.randint(1, FOLDERS)),))
            continue
        phone = random.choice(phones)
        task = asyncio.create_task(phone.look(["1"]) if kind == "look" else phone.take("1"))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    return late


@dataclass(frozen=True, slots=True)
class Meter:
    """What the shared servers have counted so far."""

    cpu: float
    redis_commands: int
    redis_cpu: float
    transactions: int
    rows: int
    log_bytes: int

    @classmethod
    def read(cls, redis: RedisServer, postgresql: Postgresql) -> Meter:
        time.sleep(1.5)  # PostgreSQL's sessions tell their counts once a second
        said = redis.run("INFO")
        counts = postgresql.run(
            "SELECT xact_commit, tup_inserted + tup_updated + tup_deleted, "
            "pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint FROM pg_stat_database WHERE datname = 'simulated'"
        ).strip().split("|")
        used = resource.getrusage(resource.RUSAGE_SELF)
        return cls(
            used.ru_utime + used.ru_stime, int(said["total_commands_processed"]),
            float(said["used_cpu_user"]) + float(said["used_cpu_sys"]), *map(int, counts),
        )


async def main() -> None:
    asked = argparse.ArgumentParser()
    for name, default in (("phones", 2000), ("hours", 1.0), ("speed", 60.0), ("request-ms", 2.0), ("wait-kb", 30.0)):
        asked.add_argument(f"--{name}", type=type(default), default=default)
    given = asked.parse_args()
    home = Path(tempfile.mkdtemp(prefix="eas-bench-"))
    redis, postgresql = RedisServer(), Postgresql()
    try:
        redis.start()
        postgresql.start()
        async with site(redis, postgresql, home) as nodes:
            await simulate(given, nodes, redis, postgresql)
    finally:
        redis.stop()
        postgresql.stop()
        shutil.rmtree(home)
    print(machine())


async def simulate(given: argparse.Namespace, nodes: list[app.App], redis: RedisServer, postgresql: Postgresql) -> None:
    phones = await settle(nodes, given.phones, given.speed)
    told: dict[str, float] = {}
    took: list[float] = []
    empty = int(redis.run("INFO")["used_memory"])
    lives = [asyncio.create_task(phone.live(told, took)) for phone in phones]
    await asyncio.sleep(HEARTBEAT_SECONDS / given.speed + 2.0)  # all of them wait
    held = int(redis.run("INFO")["used_memory"])
    before = await asyncio.to_thread(Meter.read, redis, postgresql)
    for phone in phones:
        phone.waits = phone.commits = 0
    took.clear()
    seconds = given.hours * 3600.0 / given.speed
    late = await happen(phones, nodes, time.perf_counter() + seconds, told)
    waits, commits = sum(phone.waits for phone in phones), sum(phone.commits for phone in phones)
    after = await asyncio.to_thread(Meter.read, redis, postgresql)
    pool = postgresql.run("SELECT count(*) FROM pg_stat_activity WHERE datname = 'simulated'").strip()
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)
    days = len(phones) * given.hours * 3600.0 / DAY
    print(f"{len(phones):,} phones on {len(nodes)} nodes, {given.hours:g} h in {seconds:.0f} s; {late * 1000:.0f} ms "
          f"behind at most; told within p50 {1000 * at(took, 50):.0f} ms, p95 {1000 * at(took, 95):.0f} ms; "
          f"{pool} connections")
    each = {
        "waits": waits / days, "generations written": commits / days,
        "Redis commands": (after.redis_commands - before.redis_commands) / days,
        "PostgreSQL transactions": (after.transactions - before.transactions) / days,
        "PostgreSQL rows written": (after.rows - before.rows) / days,
        "PostgreSQL log, KB": (after.log_bytes - before.log_bytes) / 1000 / days,
        "Redis CPU, ms": 1000 * (after.redis_cpu - before.redis_cpu) / days,
        "bell and store CPU, ms": 1000 * (after.cpu - before.cpu) / days,
        "Redis memory while it waits, KB": (held - empty) / 1000 / len(phones),
    }
    print(table([("for a phone and a day", ""), *((name, f"{value:,.2f}") for name, value in each.items())]))
    print(scaled(each, given.request_ms, given.wait_kb))


def scaled(each: dict[str, float], request_ms: float, wait_kb: float) -> str:
    """What it makes for more phones; a day's mean, and the busy hour."""
    requests = each["waits"] + CHANGES / PHONES_OF_USER + LOOKS + DEEDS
    rows: list[Sequence[object]] = [("phones", *(f"{size:,}" for size in SIZES))]

    def line(name: str, of_one: float, form: str = ",.0f") -> None:
        rows.append((name, *(format(of_one * size, form) for size in SIZES)))

    line("sockets that wait", 1.0)
    line("memory of waits, GB", wait_kb / 1e6, ",.2f")
    line("requests a second, mean", requests / DAY, ",.1f")
    line("requests a second, busy hour", BUSY_HOUR * requests / DAY)
    line("cores of gateways, busy hour", BUSY_HOUR * requests / DAY * request_ms / 1000 / FILLED, ",.1f")
    line("Redis commands a second, busy hour", BUSY_HOUR * each["Redis commands"] / DAY)
    line("Redis cores, busy hour", BUSY_HOUR * each["Redis CPU, ms"] / 1000 / DAY / FILLED, ",.2f")
    line("PostgreSQL transactions a second, busy hour", BUSY_HOUR * each["PostgreSQL transactions"] / DAY)
    line("PostgreSQL rows written a second, busy hour", BUSY_HOUR * each["PostgreSQL rows written"] / DAY)
    line("PostgreSQL log, GB a day", each["PostgreSQL log, KB"] / 1e6, ",.1f")
    return table(rows)


if __name__ == "__main__":
    random.seed(1)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    os.environ.pop("EAS_CONFIG", None)
    asyncio.run(main())

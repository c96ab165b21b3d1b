"""How requests scale over processes: `python tests/bench/bench_workers.py [WORKERS ...]`.

Syncs that bring nothing, from 50 devices of 50 users over the embedded groupware, with state on PostgreSQL and Redis,
against `eas serve --workers N` for 1 and 2 workers. Everything shares the cores of this machine, so the load comes from
wrk (Debian: wrk), which costs little. Printed are requests a second, how much of the cores the gateway, PostgreSQL,
Redis and wrk took, and with py-spy beside the interpreter (PyPI: py-spy) where the time of a worker goes.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from load import BarePhone, machine, sync_document, table
from standing import Postgresql, RedisServer, Server, toml

from eas import app
from eas.config import load

DEVICES, SECONDS, CONNECTIONS = 50, 15, 32
INBOX = 2
PASSWORD = "secret"
#: Where the time goes: seconds that are sampled, and how many lines are shown.
PROFILE_SECONDS, PROFILE_LINES = 8, 14

_SCRIPT = """
local requests = { %s }
local turn = 0
request = function()
  turn = turn %% #requests + 1
  return requests[turn]
end
"""


async def people(config: Path) -> None:
    async with app.build(load(config)) as site:
        for number in range(DEVICES):
            await site.embedded.admin.add_user(f"user{number}@example.com", PASSWORD, name=f"User {number}")


async def requests(port: int) -> list[bytes]:
    """The same Sync of each device, as octets on the line."""
    made: list[bytes] = []
    for number in range(DEVICES):
        phone = BarePhone(port=port, user=f"user{number}@example.com", password=PASSWORD, device=f"quiet{number}")
        await phone.provision()
        inbox = (await phone.folders())[INBOX]
        key = await phone.catch_up(inbox, await phone.prime(inbox))
        body = sync_document(key, inbox)
        assert not (await phone.post("Sync", body)).body
        made.append(phone.request("Sync", body))
        phone.close()
    return made


def quoted(octets: bytes) -> str:
    return '"' + "".join(f"\\{octet:03}" for octet in octets) + '"'


def processes(pid: int) -> list[int]:
    """A process and its children."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in below for found in processes(int(child)))]


def spent(pids: Sequence[int]) -> float:
    """Seconds on a core."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def drive(port: int, script: Path) -> tuple[float, float]:
    """Requests a second, and wrk's own seconds on a core for each second."""
    before = os.times()
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script), f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, check=True,
    )
    after = os.times()
    assert "Non-2xx" not in done.stdout, done.stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert rate is not None, done.stdout
    return float(rate[1]), (after.children_user + after.children_system - before.children_user
                            - before.children_system) / SECONDS


def profile(pid: int, home: Path) -> list[str]:
    """The functions in which a process spends most of its own time, in percent; none without py-spy."""
    spy = Path(sys.executable).with_name("py-spy")
    if not spy.exists():
        return []
    written = home / "profile"
    subprocess.run(
        [spy, "record", "-p", str(pid), "-d", str(PROFILE_SECONDS), "-r", "200", "-f", "raw", "-o", str(written)],
        capture_output=True, check=True,
    )
    own, total = Counter[str](), 0
    for line in written.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        own[where(stack.split(";"))] += int(count)
        total += int(count)
    return [f"{100 * count / total:5.1f} %  {name}" for name, count in own.most_common(PROFILE_LINES)]


def where(stack: Sequence[str]) -> str:
    """The part of the program that a sample belongs to: our innermost module, with the library that it called."""
    ours = next((frame for frame in reversed(stack) if "eas/" in frame), "")
    module = re.search(r"eas/([\w/]+)\.py", ours)
    library = re.search(r"\(([\w]+)/", stack[-1])
    inner = f" in {library[1]}" if library and library[1] != "eas" and "eas/" not in stack[-1] else ""
    return (module[1] if module else "the event loop and HTTP") + inner


async def measure(workers: int, config: Path, postgresql: Postgresql, redis: RedisServer, home: Path) -> list[object]:
    server = Server(data=home / "data", arguments=("--config", str(config), "--workers", str(workers)))
    with server:
        script = home / "wrk.lua"
        script.write_text(_SCRIPT % ", ".join(map(quoted, await requests(server.port))))
        drive(server.port, script)
        ours, theirs = processes(server.pid), processes(postgresql.child.process.pid)
        store = processes(redis.child.process.pid)  # type: ignore[union-attr]
        at_first = spent(ours), spent(theirs), spent(store)
        began = time.perf_counter()
        rate, load_share = drive(server.port, script)
        seconds = time.perf_counter() - began
        gateway, database, cache = (
            (spent(pids) - before) / seconds for pids, before in zip((ours, theirs, store), at_first, strict=True)
        )
        busiest = max(ours, key=lambda pid: spent([pid]))
        running = asyncio.create_task(asyncio.to_thread(drive, server.port, script))
        lines = await asyncio.to_thread(profile, busiest, home)
        await running
    print(f"-- where the time of a worker goes, {workers} worker{'s' if workers > 1 else ''}")
    print("\n".join(lines) or "(py-spy is not there)")
    return [workers, f"{rate:,.0f}", f"{1000 * gateway / rate:.2f}", *(f"{x:.0%}" for x in (gateway, database, cache)),
            f"{load_share:.0%}"]


async def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="eas-bench-"))
    postgresql, redis = Postgresql(), RedisServer()
    try:
        postgresql.start()
        redis.start()
        config = home / "eas.toml"
        config.write_text(toml({
            "database": postgresql.new_database(name="workers"), "data": str(home / "data"), "domain": "example.com",
            "redis": {"url": redis.url}, "log": {"level": "warning"},
        }))
        await people(config)
        rows = [await measure(int(word), config, postgresql, redis, home) for word in sys.argv[1:] or ("1", "2")]
    finally:
        redis.stop()
        postgresql.stop()
        shutil.rmtree(home)
    print(table([("workers", "requests/s", "ms of a core each", "gateway", "PostgreSQL", "Redis", "wrk"), *rows]))
    print(machine())


if __name__ == "__main__":
    asyncio.run(main())

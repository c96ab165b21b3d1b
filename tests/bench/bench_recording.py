"""What recording costs: `python tests/bench/bench_recording.py`.

First the wrapper alone, around a server that answers at once: nanoseconds for a request while nothing is recorded, and
for one of somebody else while two devices are. Then 50 devices that ask and hear nothing, as in bench_no_change, in
rounds: nothing is recorded, or one of them is; printed is what a request costs of the server's core.
Target: less than 5 microseconds without a recording, and for others less than 50 with one.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench_no_change import ask, ready
from filling import Filled
from load import machine, verdict
from serving import EAS

from eas.app.recorded import EVERY_SECONDS
from eas.protocol import http
from eas.replay.recording.recorder import Recorder
from eas.replay.recording.reels import Reels
from eas.store.recordings import Recording

DEVICES, ROUNDS, EACH, CALLS = 50, 3, 20, 100_000
SCOPE = {
    "type": "http", "method": "POST", "path": http.PATH, "raw_path": http.PATH.encode(),
    "query_string": b"Cmd=Sync&User=anna&DeviceId=A1&DeviceType=iPhone",
    "headers": [(b"host", b"x"), (b"authorization", b"Basic YW5uYTphbm5h"), (b"user-agent", b"Phone/1")],
}


async def answered(scope: Any, receive: Any, send: Any) -> None:
    pass


async def nanoseconds(app: Any) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        await app(SCOPE, None, None)
    return (time.perf_counter() - began) / CALLS * 1e9


async def wrapper() -> tuple[float, float]:
    """Microseconds without a recording, and for others with some."""
    with tempfile.TemporaryDirectory() as folder:
        reels = Reels(Path(folder), "node", "")
        recorder, now = Recorder(answered, reels), datetime.now(UTC)
        bare, off = await nanoseconds(answered), await nanoseconds(recorder)
        other = Recording(
            id=1, user_id="B", address="ben@example.com", device_id="B1", agent="", since=now,
            until=now + timedelta(hours=1), max_bytes=1, contents=True, key=b"", asked_by="", asked_role="",
        )
        reels.follow([other, replace(other, id=2, device_id="B2")])
        on = await nanoseconds(recorder)
        reels.close()
    print(f"the wrapper: {off - bare:,.0f} ns a request without a recording, {on - bare:,.0f} ns for others with two")
    return (off - bare) / 1000, (on - bare) / 1000


def record(data: Path, *arguments: str) -> None:
    subprocess.run(
        [str(EAS), "session", "record", *arguments, "--data", str(data)], check=True, stdout=sys.stderr, timeout=120
    )
    time.sleep(2 * EVERY_SECONDS)


async def main() -> None:
    alone, others = await wrapper()
    cost: dict[str, list[float]] = {"nothing": [], "one device": []}
    async with Filled.users_with(DEVICES, 20) as filled:
        phones = [await ready(filled, number) for number in range(DEVICES)]
        for number in range(ROUNDS):
            for what, spent in cost.items():
                if what != "nothing":
                    record(filled.server.data, "start", filled.users[0].login, "quiet0")
                took: list[float] = []
                await asyncio.gather(*(ask(phone, body, 1, []) for phone, body in phones))
                began, cpu = time.perf_counter(), filled.server.cpu_seconds()
                await asyncio.gather(*(ask(phone, body, EACH, took) for phone, body in phones))
                spent.append(1000 * (filled.server.cpu_seconds() - cpu) / len(took))
                print(f"{what} recorded: {spent[-1]:.3f} ms of the core a request, "
                      f"{len(took) / (time.perf_counter() - began):,.0f} requests a second")
                if what != "nothing":
                    record(filled.server.data, "stop", str(number + 1))
        for phone, _ in phones:
            phone.close()
    best = {what: min(spent) for what, spent in cost.items()}
    more = 100 * (best["one device"] / best["nothing"] - 1)
    print(verdict("microseconds without a recording", f"{alone:.2f}", "5", alone < 5))
    print(verdict("microseconds for others with one", f"{others:.2f}", "50", others < 50))
    print(f"{more:.1f} percent more of the core while one of {DEVICES} is recorded")
    print(machine())


if __name__ == "__main__":
    asyncio.run(main())

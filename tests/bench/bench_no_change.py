"""Many devices that ask and hear nothing: `python tests/bench/bench_no_change.py`.

50 devices of 50 users send 2,000 Syncs that bring nothing, all at once, each on its connection, the next when the one
before is answered. Printed are requests a second, the time of a request, and what it costs of the server's core.
Target: 400 requests a second.
"""

from __future__ import annotations

import asyncio
import time

from filling import Filled
from load import BarePhone, Failed, at, machine, sync_document, verdict

DEVICES, REQUESTS, RATE = 50, 2000, 400
#: Messages in each inbox.
MESSAGES = 20
INBOX = 2


async def ready(filled: Filled, number: int) -> tuple[BarePhone, bytes]:
    """A device that holds its inbox, and what it asks."""
    user = filled.users[number]
    phone = BarePhone(port=filled.server.port, user=user.login, password=user.password, device=f"quiet{number}")
    await phone.provision()
    inbox = (await phone.folders())[INBOX]
    key = await phone.catch_up(inbox, await phone.prime(inbox))
    return phone, sync_document(key, inbox)


async def ask(phone: BarePhone, body: bytes, times: int, took: list[float]) -> None:
    for _ in range(times):
        began = time.perf_counter()
        if (await phone.post("Sync", body)).body:
            raise Failed("there is news where none should be")
        took.append(time.perf_counter() - began)


async def main() -> None:
    async with Filled.users_with(DEVICES, MESSAGES) as filled:
        phones = [await ready(filled, number) for number in range(DEVICES)]
        for phone, body in phones:
            await ask(phone, body, 2, [])
        took: list[float] = []
        began, cpu = time.perf_counter(), filled.server.cpu_seconds()
        await asyncio.gather(*(ask(phone, body, REQUESTS // DEVICES, took) for phone, body in phones))
        seconds, spent = time.perf_counter() - began, filled.server.cpu_seconds() - cpu
        for phone, _ in phones:
            phone.close()
    print(f"{len(took):,} requests of {DEVICES} devices in {seconds:.2f} s; each {1000 * spent / len(took):.2f} ms of "
          f"the server's core; p50 {1000 * at(took, 50):.0f} ms, p95 {1000 * at(took, 95):.0f} ms")
    rate = len(took) / seconds
    print(verdict("requests a second", f"{rate:,.0f}", f"{RATE}", rate >= RATE))
    print(machine())


if __name__ == "__main__":
    asyncio.run(main())

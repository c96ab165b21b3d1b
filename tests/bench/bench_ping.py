"""Phones that wait: `python tests/bench/bench_ping.py [PINGS] [redis://HOST:PORT/0]`.

One process holds 5,000 Pings of 500 users with 10 devices each; 18,000 by `bench_ping.py 18000`, which is as many as
20,000 open files allow. Printed are the memory of a Ping beyond that of its connection, the time on the core that all
of them cost while nothing happens, and how long after the beginning of a delivery a device has its answer. Target:
under 25 KB each, no polling, p95 under 100 ms.

With a Redis the server is one of a site, and every wait is written down there; 2,000 Pings at least are to be asked
for.

A connection is weighed first: as many that were opened and have asked nothing yet.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time

from filling import Filled, letter
from load import BarePhone, Failed, at, e, machine, verdict

from eas.protocol import wbxml

PINGS, DEVICES_OF_USER = 5000, 10
EACH_KB, PUSH_MS, IDLE_SECONDS, IDLE_CPU = 25, 100, 10, 0.02
#: Deliveries that are timed; each is heard by all devices of its user.
DELIVERIES = 200
#: Seconds after which it has been written down who asked.
NOTED_SECONDS = 10
#: Devices that are set up at the same time.
AT_ONCE = 20
#: Connections from one address: a port has to rest for a minute after it was used.
PORTS = 5000
INBOX = 2
CHANGES = b"\x032\x00"  # Status 2, as inline text


def ping_document(inbox: str, heartbeat: int = 3000) -> bytes:
    folder = e("Ping:Folder", e("Ping:Id", inbox), e("Ping:Class", "Email"))
    return wbxml.encode(e("Ping:Ping", e("Ping:HeartbeatInterval", str(heartbeat)), e("Ping:Folders", folder)))


async def ready(filled: Filled, number: int, gate: asyncio.Semaphore) -> tuple[BarePhone, bytes]:
    """A device that holds its inbox, its connection closed again, and its Ping."""
    user = filled.users[number // DEVICES_OF_USER]
    async with gate:
        phone = BarePhone(
            port=filled.server.port, user=user.login, password=user.password, device=f"wait{number}",
            source=f"127.0.1.{1 + number // PORTS}",
        )
        await phone.provision()
        inbox = (await phone.folders())[INBOX]
        await phone.catch_up(inbox, await phone.prime(inbox))
        phone.close()
        return phone, ping_document(inbox)


async def settled(filled: Filled) -> int:
    """The memory of the server once it has come to rest."""
    last = filled.server.cpu_seconds()
    for _ in range(60):
        await asyncio.sleep(0.5)
        now = filled.server.cpu_seconds()
        if now - last < 0.01:
            break
        last = now
    return filled.server.memory()


async def push(filled: Filled, phones: list[tuple[BarePhone, bytes]]) -> list[float]:
    """Seconds from the beginning of a delivery to each answer; the devices ask again at once."""
    took: list[float] = []
    users = len(phones) // DEVICES_OF_USER
    for number in range(DELIVERIES):
        chosen = number % users
        waiting = phones[chosen * DEVICES_OF_USER : (chosen + 1) * DEVICES_OF_USER]
        began = time.perf_counter()

        async def heard(phone: BarePhone, began: float = began) -> None:
            answer = await asyncio.wait_for(phone.receive(), 20)
            if CHANGES not in answer.body:
                raise Failed(f"not Status 2: {answer.body!r}")
            took.append(time.perf_counter() - began)

        await asyncio.gather(
            filled.deliver(filled.users[chosen], letter(number)), *(heard(phone) for phone, _ in waiting)
        )
        await asyncio.sleep(0.02)
    return took


async def main() -> None:
    pings = int(sys.argv[1]) if len(sys.argv) > 1 else PINGS
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    settings = {"EAS_REDIS__URL": sys.argv[2]} if len(sys.argv) > 2 else {}
    async with Filled.users_with(pings // DEVICES_OF_USER, 1, **settings) as filled:
        gate = asyncio.Semaphore(AT_ONCE)
        phones = await asyncio.gather(*(ready(filled, number, gate) for number in range(pings)))
        before = await settled(filled)
        for phone, _ in phones:
            await phone.connect()
        connected = await settled(filled)
        for at_once in range(0, pings, 100):
            for phone, body in phones[at_once : at_once + 100]:
                phone.send("Ping", body)
            await asyncio.sleep(0.1)
        await asyncio.sleep(NOTED_SECONDS)
        held = await settled(filled)
        cpu = filled.server.cpu_seconds()
        await asyncio.sleep(IDLE_SECONDS)
        idle = (filled.server.cpu_seconds() - cpu) / IDLE_SECONDS
        took = await push(filled, list(phones))
        for phone, _ in phones:
            phone.close()
    socket, each = (connected - before) / pings / 1000, (held - connected) / pings / 1000
    print(f"{pings:,} Pings held; the server before {before / 1e6:.0f} MB, with connections {connected / 1e6:.0f} MB, "
          f"with Pings {held / 1e6:.0f} MB; a connection {socket:.1f} KB")
    print(verdict("memory of a Ping beyond its connection, KB", f"{each:.1f}", f"{EACH_KB}", each < EACH_KB))
    print(verdict("core while nothing happens", f"{idle:.2%}", f"{IDLE_CPU:.0%}", idle < IDLE_CPU))
    p50, p95 = 1000 * at(took, 50), 1000 * at(took, 95)
    print(f"push, {len(took):,} answers to {DELIVERIES} deliveries: p50 {p50:.1f} ms")
    print(verdict("push p95 ms", f"{p95:.1f}", f"{PUSH_MS}", p95 < PUSH_MS))
    print(machine())


if __name__ == "__main__":
    asyncio.run(main())

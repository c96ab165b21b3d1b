"""What systemd hands to a service and wants to hear from it. sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).

Everything is done without systemd as well, and then does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping

#: Seconds that a manager may take to hear; one that is stuck is not waited for.
PATIENCE_SECONDS = 1.0
#: The first of the sockets that are handed over.
_FIRST = 3


def tell(*lines: str) -> None:
    """As `READY=1`. A manager that does not listen is no fault of ours."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
        way.settimeout(PATIENCE_SECONDS)
        way.connect(f"\0{place[1:]}" if place.startswith("@") else place)
        way.sendall("\n".join(lines).encode())


def reloading() -> None:
    """To be followed by READY=1."""
    tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds(environment: Mapping[str, str] | None = None) -> float:
    """How often `WATCHDOG=1` is wanted at most; 0 if it is not."""
    said = os.environ if environment is None else environment
    if said.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    with contextlib.suppress(ValueError):
        return int(said.get("WATCHDOG_USEC", "0")) / 1e6
    return 0.0


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[None]:
    """Say all the time that the event loop turns, twice as often as is wanted."""
    seconds = watchdog_seconds()

    async def beat() -> None:
        while True:
            tell("WATCHDOG=1")
            await asyncio.sleep(seconds / 2)

    beating = asyncio.create_task(beat()) if seconds else None
    try:
        yield
    finally:
        if beating is not None:
            beating.cancel()


def listening() -> list[socket.socket]:
    """The stream sockets on which systemd listens for us; they are ours alone from now on."""
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return []
    given = [socket.socket(fileno=_FIRST + at) for at in range(int(os.environ.pop("LISTEN_FDS", "0")))]
    for one in given:
        os.set_inheritable(one.fileno(), False)
        one.setblocking(False)
    return given

"""The proxy from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiohttp import web

from .forwarding import Forwarder, Places, runner, session
from .recording import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """`server` is an origin. `tls` None: plain HTTP. `trust` is what certificates of the server have to hold against: a
    context, True for what the system trusts, False for any. `seconds` until it ends by itself."""

    server: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    trust: ssl.SSLContext | bool
    seconds: float


async def run(setup: Setup, recording: Recording, started: Callable[[str, int], None]) -> None:
    """Until the time is over, the recording is full, or SIGINT or SIGTERM. `started` is told where it listens.

    Raises OSError where it cannot listen.
    """
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    recording.full = lambda: loop.call_soon_threadsafe(over.set)
    async with session(setup.trust) as upstream:
        scheme = "https" if setup.tls else "http"
        forwarder = Forwarder(Places(setup.server), upstream, recording, scheme, f"{setup.host}:{setup.port}")
        server = runner(forwarder)
        await server.setup()
        try:
            await web.TCPSite(server, setup.host, setup.port, ssl_context=setup.tls).start()
            writing = asyncio.create_task(recording.run())
            with _signals(loop, over.set), contextlib.suppress(TimeoutError):
                started(*server.addresses[0][:2])
                await asyncio.wait_for(over.wait(), setup.seconds)
            forwarder.stopping = True
        finally:
            await server.cleanup()
        await recording.finish(writing)


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, over: Callable[[], None]) -> Iterator[None]:
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

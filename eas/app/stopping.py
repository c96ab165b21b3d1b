"""A server that comes to an end without cutting anybody off.

Told to stop, it goes through these, one after the other:

    drain     /health/ready says no, all else goes on; every answer closes its connection, so that proxies and phones
              make their next one elsewhere
    shut      nothing new is accepted: HTTP, LMTP, the control socket
    release   those who wait are answered, spread over some seconds, so that not all come again at once
    grace     requests under way finish; what takes longer is cancelled

A process whose successor accepts on the same sockets *retires*: no drain, and connections that are open stay so until
they are used once more or would have been closed for idleness anyway. Nobody's request meets a closed connection then.
A second signal leaves out what is left of drain and release, a third one grace.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable, Callable, Iterator
from enum import Enum, auto
from typing import Any

import structlog
import uvicorn

from eas.push.bell import LocalBell

from .building import App

log = structlog.get_logger("eas.stopping")

#: Seconds that an idle connection is kept: longer than the 60 for which proxies reuse theirs, so that it is the proxy
#: who closes it, and not we under a request that is just coming.
KEEP_ALIVE_SECONDS = 75
#: A terminal that goes away is a reason to stop as well.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Waits that may be ended in a second in any case: the few of a small site are not spread.
RELEASED_A_SECOND = 200
#: Seconds between two releases, and two looks at what is still open.
STEP_SECONDS = 0.05
#: Seconds after which uvicorn renews the date of its answers.
_TICK_SECONDS = 1.0
#: Allocations between two collections: with a frozen heap the default 700 finds nothing and costs up to a fifth.
GC_THRESHOLD = (50_000, 20, 50)
_CLOSE = (b"connection", b"close")


class Stage(Enum):
    """What whoever runs the server is told."""

    READY = auto()
    STOPPING = auto()
    #: Nobody waits here any more.
    RELEASED = auto()


async def release(bell: LocalBell, seconds: float, pause: Callable[[float], Awaitable[None]]) -> None:
    """Answer all who wait, over at most so many seconds. `pause` returns early when one is in a hurry."""
    waiting = bell.waiting
    steps = int(min(seconds, waiting / RELEASED_A_SECOND) / STEP_SECONDS)
    for left in reversed(range(steps)):
        bell.release(bell.waiting - waiting * left // steps)
        await pause(STEP_SECONDS)
    bell.stop()


class GracefulServer(uvicorn.Server):
    """uvicorn, which when told to stop would cut off held Pings."""

    def __init__(self, config: uvicorn.Config, app: App, told: Callable[[Stage], None] = lambda stage: None) -> None:
        super().__init__(config)
        self._app, self._settings, self._told = app, app.settings.stop, told
        self._hurried = asyncio.Event()
        self._retiring = False

    # -- being told

    def stop(self) -> None:
        """Come to an end; told again, do so faster."""
        if self._hurried.is_set():
            self.force_exit = True
        elif self.should_exit:
            self.hurry()
        self.should_exit = True

    def retire(self) -> None:
        """Come to an end beside a successor on the same sockets."""
        self._retiring = self._retiring or not self.should_exit
        self.should_exit = True

    def hurry(self) -> None:
        """Leave out what is left of drain and release."""
        self._hurried.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own raises the signal anew once it has ended, which would kill the process before `App.close`."""
        loop = asyncio.get_running_loop()
        for name in STOP_SIGNALS:
            loop.add_signal_handler(name, self.stop)
        try:
            yield
        finally:
            for name in STOP_SIGNALS:
                loop.remove_signal_handler(name)

    # -- uvicorn's own course

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLD)
            self._told(Stage.READY)

    async def shutdown(self, sockets: Any = None) -> None:
        self._told(Stage.STOPPING)
        waiting = self._app.bell.waiting
        log.info("stopping", waiting=waiting, connections=len(self.server_state.connections))
        await self._close_with_answers()
        if not self._retiring:
            await self._pause(self._settings.drain_seconds)
        for server in self.servers:
            server.close()
        await self._app.shut()
        await release(self._app.bell, self._settings.release_seconds, self._pause)
        self._told(Stage.RELEASED)
        if self._retiring:
            await self._until_unused()
        await super().shutdown(sockets)

    async def _close_with_answers(self) -> None:
        self._app.readiness.stopping = True
        self.config.encoded_headers = [*self.config.encoded_headers, _CLOSE]
        await self.on_tick(0)
        for connection in self.server_state.connections:
            # Of a request that is under way the headers were chosen when it came.
            if (cycle := getattr(connection, "cycle", None)) is not None:
                cycle.keep_alive = False

    async def _until_unused(self) -> None:
        """Until no connection is left, or those that are have been idle for so long that they are closed anyway."""
        for _ in range(int(KEEP_ALIVE_SECONDS / STEP_SECONDS)):
            if not self.server_state.connections or self._hurried.is_set():
                return
            await self._pause(STEP_SECONDS)

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless one is in a hurry."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0 and not self._hurried.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurried.wait(), min(left, _TICK_SECONDS))
            await self.on_tick(0)

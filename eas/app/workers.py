"""One of several workers, as it sees itself: what it was given by its supervisor, and what the two say to each other.

The supervisor (eas.app.supervising) starts each worker by the command line that it was started with itself, so that a
worker reads the settings, and the program, as they are now. In the environment it finds its number and the sockets
that are open for it; one of these is the line to the supervisor. Lines of text go over it:

    to the supervisor   ready       accepting requests
                        released    nobody waits here any more
                        alive       every few seconds: the event loop turns
                        stop        somebody told this worker to stop all (control socket)
    to the worker       retire      a successor accepts on the same sockets
                        (end)       the supervisor is gone: stop at once
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from .doors import Sockets
from .stopping import GracefulServer, Stage

if TYPE_CHECKING:
    from .building import App

log = structlog.get_logger("eas.worker")

#: In the environment of a worker: number and file descriptors, as JSON. No setting (eas.config.NO_SETTINGS).
VARIABLE = "EAS_WORKER"
#: How often a worker says that it lives.
ALIVE_SECONDS = 5.0
#: Stage -> what the supervisor is told.
_WORDS = {Stage.READY: b"ready\n", Stage.RELEASED: b"released\n"}


def described(number: int, sockets: Sockets, line: socket.socket) -> str:
    """The variable for a worker."""
    return json.dumps({
        "number": number, "http": [one.fileno() for one in sockets.http],
        "lmtp": [one.fileno() for one in sockets.lmtp],
        "control": sockets.control.fileno() if sockets.control is not None else None, "line": line.fileno(),
    })


@dataclass(slots=True)
class Worker:
    number: int
    sockets: Sockets
    line: socket.socket
    _beating: asyncio.Task[None] | None = None
    _hearing: asyncio.Task[None] | None = None

    def tell(self, word: bytes) -> None:
        """A supervisor that has gone is noticed elsewhere."""
        try:
            self.line.send(word)
        except OSError as error:
            log.debug("the supervisor does not hear", reason=str(error))

    def told(self, stage: Stage) -> None:
        if stage in _WORDS:
            self.tell(_WORDS[stage])

    def attach(self, server: GracefulServer, app: App) -> None:
        """In the event loop: hear what the supervisor says, tell it what it must know."""
        app.on_stop = lambda: self.tell(b"stop\n")
        self._hearing = asyncio.create_task(self._hear(server))
        self._beating = asyncio.create_task(self._beat())

    async def _hear(self, server: GracefulServer) -> None:
        loop = asyncio.get_running_loop()
        while said := await loop.sock_recv(self.line, 100):
            if b"retire" in said:
                server.retire()
        log.warning("the supervisor is gone")
        server.stop()
        server.hurry()

    async def _beat(self) -> None:
        while True:
            self.tell(b"alive\n")
            await asyncio.sleep(ALIVE_SECONDS)


def as_worker() -> Worker | None:
    """What this process was given; None if it is no worker."""
    said = os.environ.pop(VARIABLE, "")
    if not said:
        return None
    given = json.loads(said)
    http, lmtp = ([_opened(number) for number in given[name]] for name in ("http", "lmtp"))
    control = None if given["control"] is None else _opened(given["control"])
    return Worker(given["number"], Sockets(http=http, lmtp=lmtp, control=control), _opened(given["line"]))


def _opened(number: int) -> socket.socket:
    opened = socket.socket(fileno=number)
    os.set_inheritable(number, False)
    opened.setblocking(False)
    return opened

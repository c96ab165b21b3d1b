"""Running a server that is built, in one process: uvicorn on sockets, the log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from eas.config import Settings

from . import systemd
from .building import build
from .doors import BACKLOG, tcp_sockets
from .stopping import KEEP_ALIVE_SECONDS, GracefulServer, Stage
from .workers import Worker

#: What the service manager is told.
_WORDS = {Stage.READY: "READY=1", Stage.STOPPING: "STOPPING=1"}

Started = Callable[[str, int], None]


def serve(settings: Settings, started: Started = lambda host, port: None) -> None:
    """Run one process until SIGTERM, SIGINT, or the control socket says stop. `started` is told where it listens.

    Raises ConfigError, MigrationError, OSError.
    """
    configure_log(settings.log.format, settings.log.level)
    given = systemd.listening() or tcp_sockets(settings.host, settings.port)

    def told(stage: Stage) -> None:
        if stage is Stage.READY:
            address = given[0].getsockname()
            started(address[0], address[1])
        if stage in _WORDS:
            systemd.tell(_WORDS[stage])

    run(settings, given, told)


def work(settings: Settings, worker: Worker) -> None:
    """Run as one of several workers. Raises ConfigError, MigrationError, OSError."""
    configure_log(settings.log.format, settings.log.level)
    run(settings, worker.sockets.http, worker.told, worker)


def run(
    settings: Settings, http: list[socket.socket], told: Callable[[Stage], None], worker: Worker | None = None
) -> None:
    """Answer what comes in on these sockets. Raises ConfigError, MigrationError, OSError."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(settings, http, told, worker))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None


async def _run(
    settings: Settings, http: list[socket.socket], told: Callable[[Stage], None], worker: Worker | None
) -> None:
    app = build(settings)
    try:
        server = GracefulServer(_uvicorn(settings, app.asgi), app, told)
        app.on_stop = server.stop
        await app.start(given=worker.sockets if worker else None)
        if worker is not None:
            worker.attach(server, app)
        async with systemd.watched():
            await server.serve(http)
    finally:
        await app.close()


def _uvicorn(settings: Settings, asgi: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        asgi, http="httptools", ws="none", lifespan="off", access_log=False, backlog=BACKLOG,
        log_config=None, proxy_headers=False, server_header=False, timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.stop.grace_seconds,
        ssl_certfile=settings.tls.cert, ssl_keyfile=settings.tls.key,
    )


class _Careful:
    """A stream that may fail: with a full disk the lines of the log are lost, the requests are not."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def configure_log(format: str, level: str) -> None:
    """Lines on standard error. Tracebacks without the values of variables, among which are people's mails."""
    number = getattr(logging, level.upper())
    trace = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
    to_text: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback, colors=sys.stderr.isatty())]
        if format == "console"
        else [trace, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True), *to_text,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Careful(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        stream=sys.stderr, level=max(number, logging.WARNING), format="%(asctime)s [%(levelname)s] %(name)s %(message)s"
    )

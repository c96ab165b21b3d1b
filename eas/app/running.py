"""Running a server that is built: uvicorn, the signals that end it, the log."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from eas.config import Settings

from .building import App, build

#: Seconds that requests under way have once the server is told to stop; waits are ended at once.
GRACE_SECONDS = 15
#: Seconds that an idle connection is kept: longer than the 60 for which proxies reuse theirs, so that it is the proxy
#: who closes it, and not we under a request that is just coming.
KEEP_ALIVE_SECONDS = 75
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Allocations between two collections: with a frozen heap the default 700 finds nothing and costs up to a fifth.
GC_THRESHOLD = (50_000, 20, 50)

class _Server(uvicorn.Server):
    """uvicorn, which when told to stop would wait for held Pings and then cut them off: they are answered instead."""

    def __init__(self, config: uvicorn.Config, app: App, started: Callable[[str, int], None]) -> None:
        super().__init__(config)
        self._app = app
        self._told = started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own raises the signal anew once it has ended, which kills the process before `App.close` is done.

        A second signal does not wait for requests under way.
        """
        loop = asyncio.get_running_loop()
        for name in STOP_SIGNALS:
            loop.add_signal_handler(name, self.handle_exit, name, None)
        try:
            yield
        finally:
            for name in STOP_SIGNALS:
                loop.remove_signal_handler(name)

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            address = self.servers[0].sockets[0].getsockname()
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLD)
            self._told(address[0], address[1])

    async def shutdown(self, sockets: Any = None) -> None:
        self._app.bell.stop()
        await super().shutdown(sockets)


def serve(settings: Settings, started: Callable[[str, int], None] = lambda host, port: None) -> None:
    """Run until SIGTERM, SIGINT, or the control socket says stop. `started` is told where it listens.

    Raises ConfigError, MigrationError, OSError; SystemExit if the address cannot be listened on.
    """
    configure_log(settings.log.format, settings.log.level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, started))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None


async def _serve(settings: Settings, started: Callable[[str, int], None]) -> None:
    app = build(settings)
    try:
        await app.start()
        server = _Server(_uvicorn(settings, app.asgi), app, started)

        def stop() -> None:
            server.should_exit = True

        app.on_stop = stop
        await server.serve()
    finally:
        await app.close()


def _uvicorn(settings: Settings, asgi: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        asgi, host=settings.host, port=settings.port, http="httptools", ws="none", lifespan="off", access_log=False,
        log_config=None, proxy_headers=False, server_header=False, timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
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

"""Around every request: one line in the log, and nothing that escapes. Pure ASGI.

The line has who, which device, which command, what came of it, how many bytes and how long; never a password, and
nothing of what was written or read. Within a request all other lines carry user, device and command as well.
"""

from __future__ import annotations

from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import health
from .dispatch import Note

log = structlog.get_logger("eas.request")

#: Where the request's note stands in the scope.
NOTE = "eas.note"
#: Paths that are asked all the time by monitors; their lines are of no use to anybody.
QUIET = frozenset((health.PATH, health.LIVE, health.READY))


class Logged:
    """Writes the line of each request. An exception that nobody caught becomes a 500 here, and its traceback a line."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        structlog.contextvars.clear_contextvars()
        note = scope[NOTE] = Note()
        counted = _Counted(receive, send)
        began = perf_counter()
        try:
            await self._app(scope, counted.receive, counted.send)
        except Exception as error:
            log.error("request failed", path=scope["path"][:80], exc_info=error)
            if not counted.http:
                await _fail(counted.send)
        finally:
            if scope["path"] not in QUIET:
                _write(scope, note, counted, perf_counter() - began)


class _Counted:
    """Passes messages on and counts what they carry."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.http = self.bytes_in = self.bytes_out = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.http = message["status"]
        self.bytes_out += len(message.get("body", b""))
        await self._send(message)


async def _fail(send: Send) -> None:
    await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def _write(scope: Scope, note: Note, counted: _Counted, seconds: float) -> None:
    structlog.contextvars.clear_contextvars()
    stated = {
        "user": note.user, "device": note.device, "command": note.command or f"{scope['method']} {scope['path'][:80]}",
        "version": note.version, "status": note.status, "items": note.items,
    }
    known = {name: value for name, value in stated.items() if value not in ("", None)}
    log.info(
        "request", http=counted.http or None, **known, bytes_in=counted.bytes_in, bytes_out=counted.bytes_out,
        ms=round(seconds * 1000, 1),
    )

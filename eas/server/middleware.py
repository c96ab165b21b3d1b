"""Around every request: one line in the log, its figures, and nothing that escapes. Pure ASGI.

The line has who, which device, which command, what came of it, how many bytes and how long; never a password, and
nothing of what was written or read. Within a request all other lines carry user, device and command as well.
"""

from __future__ import annotations

from time import monotonic

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eas import measures
from eas.commands.all import COMMANDS

from . import health
from .dispatch import Note
from .figures import PATH as FIGURES
from .hooks import PATHS as HOOKS

log = structlog.get_logger("eas.request")

#: Where the request's note stands in the scope.
NOTE = "eas.note"
#: Paths that are asked all the time by monitors and by groupware; their lines are of no use to anybody. (Hooks that are
#: refused have lines of their own.)
QUIET = frozenset((health.PATH, health.LIVE, health.READY, FIGURES, *HOOKS))
#: What a request is counted as that is no command: by its method, or by the first step of its path.
OTHERS = {
    "OPTIONS": "Options", "autodiscover": "Autodiscover", "admin": "Pages", "my": "Pages", "static": "Pages",
    "api": "API",
}


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
        quiet, began = scope["path"] in QUIET, monotonic()
        measures.REQUESTS_IN_FLIGHT[()] += not quiet
        try:
            await self._app(scope, counted.receive, counted.send)
        except Exception as error:
            log.error("request failed", path=scope["path"][:80], exc_info=error)
            if not counted.http:
                await _fail(counted.send)
        finally:
            if not quiet:
                measures.REQUESTS_IN_FLIGHT[()] -= 1
                now = monotonic()
                _count(scope, note, counted, now - began, now)
                _write(scope, note, counted, now - began)


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


def _count(scope: Scope, note: Note, counted: _Counted, seconds: float, now: float) -> None:
    command = note.command
    if command not in COMMANDS:
        # What a peer has made up is no label.
        command = OTHERS.get(scope["method"]) or OTHERS.get(scope["path"][1:80].lower().partition("/")[0], "other")
    measures.REQUESTS[command, note.version, str(counted.http), note.status].inc()
    measures.REQUEST_SECONDS[command].observe(max(0.0, seconds - note.waited))
    measures.RECEIVED_BYTES[command].inc(counted.bytes_in)
    measures.SENT_BYTES[command].inc(counted.bytes_out)
    if note.rung_at:
        measures.PUSH_SECONDS[command].observe(max(0.0, now - note.rung_at))


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

"""Around every request: one line in the log, its figures, and nothing that escapes. Pure ASGI.

The line has who, which device, which command, what came of it, how many bytes and how long; never a password, and
nothing of what was written or read. Within a request all other lines carry user, device and command as well.
"""

from __future__ import annotations

from time import monotonic, time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eas import measures
from eas.commands.all import COMMANDS
from eas.engine.activity import Event, is_fine
from eas.protocol import query as queries
from eas.protocol.query import QueryError

from . import health
from .figures import PATH as FIGURES
from .hooks import PATHS as HOOKS
from .note import Note
from .ports import Ports
from .unkept import UNKEPT_IDS

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

    def __init__(self, app: ASGIApp, ports: Ports) -> None:
        self._app, self._activity, self._live = app, ports.activity, ports.live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        structlog.contextvars.clear_contextvars()
        note = scope[NOTE] = Note()
        counted = _Counted(receive, send)
        quiet, began = scope["path"] in QUIET, monotonic()
        measures.REQUESTS_IN_FLIGHT[()] += not quiet
        if not quiet:
            self._live.enter(note, began)
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
                self._keep(scope, note, counted, now - began, now)

    def _keep(self, scope: Scope, note: Note, counted: _Counted, seconds: float, now: float) -> None:
        """For those who look at it live, and for those who look later."""
        fine = is_fine(note.command, counted.http or 200, note.status)
        self._live.leave(note, now, fine=fine, size=counted.bytes_in + counted.bytes_out)
        activity = self._activity
        if activity is None:
            return
        at = time()
        if note.login:
            activity.refused(note.login, device_of(scope["query_string"]), at)
        if note.command not in COMMANDS:
            return
        kept = note.device.lower() not in UNKEPT_IDS
        activity.note(note.user_id if kept else "", note.device if kept else "", _event(note, counted, seconds, at))
        if note.rung_at:
            activity.pushed(max(0.0, now - note.rung_at), at)


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


def _event(note: Note, counted: _Counted, seconds: float, at: float) -> Event:
    # A client that went before it was answered has got nothing: that is no fault of either.
    return Event(
        at, note.command, note.version, counted.http or 200, note.status, note.items or 0,
        sum([folder.taken for folder in note.folders]), counted.bytes_in, counted.bytes_out,
        max(0.0, seconds - note.waited) * 1000, note.waited, note.how, "", note.folders, note.moved,
    )


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


def device_of(query: bytes) -> str:
    """The device that a query names, "" where it cannot be told: for requests that were not let in."""
    try:
        return queries.parse(query).device_id
    except QueryError:
        return ""

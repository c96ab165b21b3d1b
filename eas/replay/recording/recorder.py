"""Around the server: what recorded devices send and get, as it passes. Pure ASGI.

It stands outside of everything else, so that it sees what the device sees: also a refusal and a fault. Whom it concerns
is looked up in memory alone, before anything is read, and decided once the server has recognised somebody. Nothing is
held back: a piece goes on its way at once, and what is kept of it is worked on afterwards, in a thread (`reels`). A
fault in here ends the recording, never the request.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eas.protocol import http
from eas.server.middleware import NOTE
from eas.server.note import Note

from .asker import Asker, asker_of
from .reels import Reels
from .taken import Taken

log = structlog.get_logger("eas.recording")

#: Beginnings of the paths that devices ask, in lower case.
PATHS = (http.PATH.lower(), "/autodiscover/")

GONE = "the client went away"
GONE_SOONER = "the client went away before the end"
BROKE_OFF = "the answer broke off"
STOPPED = "the server stopped"
NOT_OVER = "under way when the recording ended"


class Recorder:
    """`reels` are what is recorded just now."""

    def __init__(self, app: ASGIApp, reels: Reels) -> None:
        self.app, self._reels = app, reels
        self._open: set[_Passing] = set()
        reels.on_close = self._flush

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._reels.running or scope["type"] != "http" or not scope["path"].lower().startswith(PATHS):
            await self.app(scope, receive, send)
            return
        passing = self._begun(scope, receive, send)
        if passing is None:
            await self.app(scope, receive, send)
            return
        self._open.add(passing)
        try:
            await self.app(scope, passing.receive, passing.send)
        except asyncio.CancelledError:
            passing.why = STOPPED
            raise
        finally:
            self._open.discard(passing)
            self._keep(passing)

    def _begun(self, scope: Scope, receive: Receive, send: Send) -> _Passing | None:
        """None for what concerns nobody."""
        try:
            asker = asker_of(scope)
            if not self._reels.concerns(asker):
                return None
            return _Passing(scope=scope, asker=asker, inward=receive, outward=send, taken=_taken(scope))
        except Exception as error:
            self._reels.fail(error)
            return None

    def _keep(self, passing: _Passing) -> None:
        try:
            self._reels.keep(passing.finished(), passing.asker, _who(passing.scope))
        except Exception as error:
            self._reels.fail(error)

    def _flush(self, id: int) -> None:
        """A recording ends: what it still waits for is written as it stands."""
        for passing in list(self._open):
            self._reels.keep(passing.so_far(), passing.asker, _who(passing.scope), only=id)


def _who(scope: Scope) -> str:
    """The id of whom the server has recognised, "" for nobody."""
    note = scope.get(NOTE)
    return note.who if isinstance(note, Note) else ""


def _taken(scope: Scope) -> Taken:
    path = scope.get("raw_path") or scope["path"].encode()
    target = path.partition(b"?")[0] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    return Taken(
        time=datetime.now(UTC), method=scope["method"], target=_one_word(target),
        headers=_texts(scope["headers"]), began=monotonic(),
    )


def _one_word(target: bytes) -> str:
    """As a session's line wants it: what no client should send stands percent-encoded."""
    return "".join(chr(byte) if 0x20 < byte < 0x7F else f"%{byte:02X}" for byte in target)


def _texts(headers: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


@dataclass(slots=True, kw_only=True, eq=False)
class _Passing:
    """A request that passes; `taken` is what is kept of it. What goes wrong in keeping is remembered in `fault`."""

    scope: Scope
    asker: Asker
    inward: Receive
    outward: Send
    taken: Taken
    gone: bool = False
    over: bool = False
    why: str = ""
    fault: Exception | None = field(default=None)

    async def receive(self) -> Message:
        message = await self.inward()
        try:
            if message["type"] == "http.request":
                self.taken.asked.add(message.get("body", b""))
            elif not self.over:
                self.gone = True
        except Exception as error:
            self.fault = error
        return message

    async def send(self, message: Message) -> None:
        try:
            if not self.gone:
                self._see(message)
        except Exception as error:
            self.fault = error
        await self.outward(message)

    def _see(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.taken.status = message["status"]
            self.taken.answer_headers = _texts(list(message.get("headers", ())))
        elif message["type"] == "http.response.body":
            self.taken.told.add(message.get("body", b""))
            if not message.get("more_body", False):
                self.over, self.taken.seconds = True, monotonic() - self.taken.began

    def finished(self) -> Taken:
        """Raises what went wrong in keeping it."""
        if self.fault is not None:
            raise self.fault
        if not self.over:
            self.taken.seconds = monotonic() - self.taken.began
            gone = GONE if self.taken.status is None else GONE_SOONER
            self.taken.why = self.why or (gone if self.gone else BROKE_OFF)
        return self.taken

    def so_far(self) -> Taken:
        """A copy, which what still passes does not change."""
        copied = self.taken.copy()
        copied.seconds, copied.why = monotonic() - copied.began, NOT_OVER
        return copied

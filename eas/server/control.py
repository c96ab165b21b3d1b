"""The control socket of a running server: what the command line has changed takes effect at once.

The command line writes to the database like everybody else and then says so here; without a running server there is
nobody to tell, and nothing is lost. A Unix socket in the data folder, for its owner only; one JSON object a line in,
one out:

    {"do": "ring", "user": "anna", "collections": ["inbox"]}   something may have changed there: look
    {"do": "end", "user": "anna", "device": "ABC"}             end the device's wait, so that its next request comes now
    {"do": "stop"}                                             end all waits and stop the server
    {"do": "ping"}                                             are you there?
    {"do": "look"}                                             who is at it now; the answer has it as "look"
    {"do": "note"}                                             write down now what devices did

The answer is {"ok": true}, or {"ok": false, "error": "..."}. A wipe and a block are an `end` after the database has
been told: the device's next request meets the gate.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from eas.engine.errors import Unavailable
from eas.engine.ports import Bell

log = structlog.get_logger("eas.control")

#: The socket's name in the data folder.
SOCKET = "control.sock"
#: Bytes of a line; collections are the only thing of which there may be many.
MAX_LINE = 64 * 1024
#: Bytes of an answer: a look names a few hundred phones.
MAX_ANSWER = 1024 * 1024
#: Seconds that the command line waits for a server that does not answer.
TIMEOUT = 5.0


class Rejected(ValueError):
    """A line that cannot be carried out; the text goes back to its sender."""


class Watched(Protocol):
    """What can be asked of a running server."""

    def look(self) -> Mapping[str, Any]:
        """Plain data."""
        ...

    async def note(self) -> None:
        """Returns when what was gathered is written. Raises Unavailable."""
        ...


class ControlServer:
    """`stop` is called when somebody asks the server to stop. `watched` None: there is nothing to look at."""

    def __init__(
        self, path: Path, bell: Bell, stop: Callable[[], None], watched: Watched | None = None
    ) -> None:
        self._watched = watched
        self._asked: Mapping[str, Callable[[Watched], Awaitable[Mapping[str, Any]]]] = {"look": _look, "note": _note}
        self._path = path
        self._bell = bell
        self._stop = stop
        self._server: asyncio.Server | None = None
        self._owns = True
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, given: socket.socket | None = None) -> None:
        """`given`: one that another process has opened and will take away. Raises OSError as `open_socket`."""
        opened = given or await asyncio.to_thread(open_socket, self._path)
        self._owns = given is None
        self._server = await asyncio.start_unix_server(self._serve, sock=opened, limit=MAX_LINE)

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await self._server.wait_closed()
        self._server = None
        if self._owns:
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError):
            pass  # a line beyond the limit, or a sender that has gone
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            said = json.loads(line)
            asked = self._asked.get(str(said.get("do"))) if isinstance(said, dict) else None
            if asked is not None and self._watched is not None:
                return {"ok": True, **await asked(self._watched)}
            self._carry_out(said)
        except (Rejected, Unavailable, ValueError, RecursionError) as error:
            return {"ok": False, "error": str(error)}
        return {"ok": True}

    def _carry_out(self, said: Any) -> None:
        if not isinstance(said, dict):
            raise Rejected("not an object")
        do = said.get("do")
        if do == "ring":
            collections = said.get("collections", [])
            if not isinstance(collections, list) or not all(isinstance(c, str) for c in collections):
                raise Rejected("collections is no list of texts")
            self._bell.ring(_text(said, "user"), collections)
        elif do == "end":
            self._bell.end(_text(said, "user"), _text(said, "device"))
        elif do == "stop":
            self._stop()
        elif do != "ping":
            raise Rejected(f"unknown: {str(do)[:40]!r}")
        log.info("told", **{name: value for name, value in said.items() if name in ("do", "user", "device")})


async def _look(watched: Watched) -> Mapping[str, Any]:
    return {"look": watched.look()}


async def _note(watched: Watched) -> Mapping[str, Any]:
    await watched.note()
    return {}


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise Rejected(f"{name} is missing")
    return value


def open_socket(path: Path) -> socket.socket:
    """Raises OSError if another server is listening there, or if the path is too long for a socket."""
    if path.exists() and tell(path, {"do": "ping"}):
        raise OSError(f"another server is running: {path}")
    path.unlink(missing_ok=True)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Between bind and chmod nobody else may open it: the umask holds for the whole process, and shortly.
    before = os.umask(0o177)
    try:
        opened.bind(str(path))
        opened.listen()
    except OSError:
        opened.close()
        raise
    finally:
        os.umask(before)
    opened.setblocking(False)
    return opened


def tell(path: Path, said: Mapping[str, Any]) -> bool:
    """Tell a running server, from the command line. False if none is running; raises Rejected if it refuses."""
    return ask(path, said) is not None


def ask(path: Path, said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Its answer; None if no server is running. Raises Rejected."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(said).encode() + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline(MAX_ANSWER)
        except OSError:
            return None
    answer: Mapping[str, Any] = {}
    with contextlib.suppress(ValueError):
        answer = json.loads(line)
    if not answer.get("ok"):
        raise Rejected(str(answer.get("error", "no answer")))
    return answer

"""Stands before an IMAP server and takes away what a poorer server would not have.

Capabilities alone are only words: Dovecot goes on doing what it no longer names. Here a command that needs an extension
that is not offered is answered BAD, and response codes of such extensions are left out of the answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import threading
from dataclasses import dataclass, field

from .smtp import server_context

_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")
#: Longer lines are broken off (asyncio's limit of a line).
_MAX_LINE = 1 << 20

#: What needs which capability, by a pattern of the command's first line, without its tag, in capitals.
_NEEDS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple((name, re.compile(pattern)) for name, pattern in (
    ("ENABLE", rb"ENABLE\b"),
    ("QRESYNC", rb"(ENABLE .*QRESYNC|.*\(QRESYNC|UID FETCH .*\bVANISHED)"),
    ("CONDSTORE", rb".*(\(CONDSTORE|HIGHESTMODSEQ|\(?CHANGEDSINCE|UNCHANGEDSINCE|\bMODSEQ\b)"),
    ("MOVE", rb"(UID )?MOVE\b"),
    ("UIDPLUS", rb"UID EXPUNGE\b"),
    ("ESEARCH", rb"(UID )?SEARCH RETURN\b"),
    ("LIST-EXTENDED", rb"LIST (\(|.* RETURN )"),
    ("LIST-STATUS", rb"LIST .* RETURN .*\(?STATUS"),
    ("NOTIFY", rb"NOTIFY\b"),
    ("ID", rb"ID\b"),
    ("IDLE", rb"IDLE\b"),
    ("UNSELECT", rb"UNSELECT\b"),
    ("NAMESPACE", rb"NAMESPACE\b"),
    ("BINARY", rb".*BINARY(\.PEEK|\.SIZE)?\["),
    ("PREVIEW", rb"(UID )?FETCH .*\b(PREVIEW|SNIPPET)"),
    ("SAVEDATE", rb"(UID )?FETCH .*\bSAVEDATE\b"),
    ("STATUS=SIZE", rb"STATUS .*\bSIZE\b"),
    ("SORT", rb"(UID )?SORT\b"),
    ("THREAD=REFERENCES", rb"(UID )?THREAD\b"),
    ("QUOTA", rb"(GETQUOTA|GETQUOTAROOT|SETQUOTA)\b"),
    ("METADATA", rb"(GETMETADATA|SETMETADATA)\b"),
    ("COMPRESS=DEFLATE", rb"COMPRESS\b"),
    ("STARTTLS", rb"STARTTLS\b"),
    ("SASL-IR", rb"AUTHENTICATE \S+ \S"),
))
#: Response codes of a capability, with the whole line where the code is all that it says.
_CODES: tuple[tuple[str, re.Pattern[bytes], bytes], ...] = (
    ("UIDPLUS", re.compile(rb"\[(?:APPENDUID|COPYUID) [^]]*\] ?"), b""),
    ("CONDSTORE", re.compile(rb"^\* OK \[(?:HIGHESTMODSEQ [^]]*|NOMODSEQ)\].*\r\n"), b""),
)
_LIST_OF_CAPABILITIES = re.compile(rb"(CAPABILITY) ([^]\r\n]*)")
#: Extensions that come with another.
_IMPLIED = {"QRESYNC": {"CONDSTORE", "ENABLE"}, "LIST-STATUS": {"LIST-EXTENDED"}}


@dataclass(slots=True, kw_only=True)
class Narrow:
    """Listens on `port` and, beginning with TLS, on `tls_port`; each connection goes on to `behind` on loopback."""

    behind: int
    port: int
    tls_port: int
    capabilities: frozenset[str]
    _links: set[asyncio.Task[None]] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def start(self) -> Narrow:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True, name="narrow")
        self._thread.start()
        assert ready.wait(60), "the filter did not start"
        return self

    def stop(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = self._thread = None

    def refuses(self, command: bytes) -> str:
        """The capability that a command's first line needs and that is not there; "" if it may pass."""
        have = self.capabilities.union(*(_IMPLIED.get(name, set()) for name in self.capabilities))
        literal = _LITERAL.search(command)
        if literal is not None and literal[2] and "LITERAL+" not in have:
            return "LITERAL+"
        said = command.partition(b" ")[2].upper()
        return next((name for name, pattern in _NEEDS if name not in have and pattern.match(said)), "")

    def cut(self, line: bytes) -> bytes:
        """A line of the server without what it should not say."""
        for name, pattern, instead in _CODES:
            if name not in self.capabilities:
                line = pattern.sub(instead, line)
        return _LIST_OF_CAPABILITIES.sub(self._named, line)

    def _named(self, found: re.Match[bytes]) -> bytes:
        names = (name.decode() for name in found[2].split())
        kept = (name for name in names if name in self.capabilities or name.startswith("AUTH="))
        return b"CAPABILITY " + " ".join(kept).encode()

    # -- connections

    def _run(self, ready: threading.Event) -> None:
        loop = self._loop = asyncio.new_event_loop()
        listeners = [
            loop.run_until_complete(self._listen(port, tls))
            for port, tls in ((self.port, None), (self.tls_port, server_context()))
        ]
        loop.call_soon(ready.set)
        loop.run_forever()
        for listener in listeners:
            listener.close()
        loop.run_until_complete(self._end())
        loop.close()

    async def _end(self) -> None:
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        await asyncio.sleep(0.01)  # connections that were closed end in the next rounds

    async def _listen(self, port: int, tls: ssl.SSLContext | None) -> asyncio.Server:
        return await asyncio.start_server(self._link, "127.0.0.1", port, ssl=tls, limit=_MAX_LINE)

    async def _link(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        task.add_done_callback(self._links.discard)
        commands = None
        try:
            server, commands = await asyncio.open_connection("127.0.0.1", self.behind, limit=_MAX_LINE)
            ways = [
                asyncio.create_task(self._commands(client, commands, answers)),
                asyncio.create_task(self._answers(server, answers)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for writer in (answers, commands):
                if writer is not None:
                    writer.close()

    async def _commands(
        self, client: asyncio.StreamReader, server: asyncio.StreamWriter, answers: asyncio.StreamWriter
    ) -> None:
        begins, refused = True, ""
        tag = b"*"
        while line := await client.readline():
            if begins:
                refused = self.refuses(line)
                tag = line.partition(b" ")[0]
            literal = _LITERAL.search(line)
            begins = literal is None
            if not refused:
                server.write(line)
            if literal is not None:
                if refused and not literal[2]:
                    begins = True  # the client waits for a go-ahead and gets the answer instead
                else:
                    await _pass(client, None if refused else server, int(literal[1]))
            if refused and begins:
                answers.write(tag + f" BAD Unknown command or argument ({refused})\r\n".encode())
            await server.drain()

    async def _answers(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while line := await server.readline():
            client.write(self.cut(line) if line.startswith(b"* ") or b" OK [" in line[:64] else line)
            literal = _LITERAL.search(line)
            if literal is not None:
                await _pass(server, client, int(literal[1]))
            with contextlib.suppress(ConnectionError):
                await client.drain()


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter | None, octets: int) -> None:
    while octets:
        block = await source.read(min(octets, 65536))
        if not block:
            raise ConnectionResetError
        octets -= len(block)
        if target is not None:
            target.write(block)
            await target.drain()

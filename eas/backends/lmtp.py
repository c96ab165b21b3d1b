"""Mail coming in: an LMTP server for the mail server in front. RFC 2033.

After DATA each recipient gets a reply of its own, so that the sender repeats for those alone who did not get the
message. A message is held in memory once, up to the limit; one that is larger is read to its end and refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Protocol

import structlog

from eas.engine.errors import BackendError, NoSpace, Refusal, TooLarge, Unavailable, Undeliverable

log = structlog.get_logger("eas.lmtp")

#: RFC 5321 4.5.3.1.4 has 512 octets, extensions add some; addresses in UTF-8 more.
MAX_COMMAND = 4096
#: What one reads at a time.
_PIECE = 64 << 10
#: A mail server that says nothing for so long is gone. RFC 5321 4.5.3.2.7 has five minutes.
TIMEOUT_SECONDS = 300.0
#: Recipients of one message. RFC 5321 4.5.3.1.8 asks for 100 at least; Postfix sends 50.
MAX_RECIPIENTS = 1000
#: Connections at a time; each may hold one message. Postfix opens 20.
MAX_CONNECTIONS = 50
#: Commands that make no sense, before the line is cut.
MAX_ERRORS = 20


class Office(Protocol):
    async def knows(self, address: str) -> bool:
        """Whether somebody here has the address. Raises BackendError."""
        ...

    async def take(self, sender: str, recipients: Sequence[str], raw: bytes) -> list[BackendError | None]:
        """Deliver; for each recipient what went wrong. `sender` "" is the null sender."""
        ...


class LmtpServer:
    def __init__(self, office: Office, *, limit: int, now: Callable[[], datetime], hostname: str = "localhost") -> None:
        """`limit` in octets of a message."""
        self.office, self.limit, self.now, self.hostname = office, limit, now, hostname
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], _Conversation] = {}
        self.closing = False

    async def listen(self, host: str, port: int) -> int:
        """Gives the port, which was chosen if 0 was asked for. LMTP has no login: loopback, or a network that only the
        mail server reaches."""
        server = await asyncio.start_server(self._connected, host, port)
        self._servers.append(server)
        chosen: int = server.sockets[0].getsockname()[1]
        return chosen

    async def listen_on(self, opened: socket.socket) -> None:
        """A socket that listens already, TCP or Unix."""
        start = asyncio.start_unix_server if opened.family == socket.AF_UNIX else asyncio.start_server
        self._servers.append(await start(self._connected, sock=opened))

    def shut(self) -> None:
        """Accept nobody any more; whoever is connected may go on until the end of the message."""
        self.closing = True
        for server in self._servers:
            server.close()
        for task, conversation in self._connections.items():
            if not conversation.busy:
                task.cancel()

    async def close(self, grace_seconds: float = 0) -> None:
        """What is under way may take so long; an unanswered message will come again, perhaps a second time."""
        self.shut()
        if self._connections and grace_seconds:
            await asyncio.wait(self._connections, timeout=grace_seconds)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversation = self._connections[task] = _Conversation(self, _Input(reader), writer)
        try:
            if len(self._connections) > MAX_CONNECTIONS:
                writer.write(b"421 4.3.2 too many connections\r\n")
                return
            await conversation.run()
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            log.info("connection lost")
        finally:
            if self.closing:
                writer.write(b"421 4.3.2 shutting down\r\n")
            del self._connections[task]
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class _TooLong(Exception):
    """A command line beyond the limit; it has been read to its end."""


class _Input:
    """Lines and messages out of a stream. Raises IncompleteReadError at its end, TimeoutError if nothing comes."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._held = bytearray()

    async def _more(self) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            piece = await self._reader.read(_PIECE)
        if not piece:
            raise asyncio.IncompleteReadError(bytes(self._held[:100]), None)
        self._held += piece

    async def line(self) -> bytes:
        """Without its line end. Raises _TooLong."""
        too_long = False
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > MAX_COMMAND:
                too_long = True
                self._held.clear()
            await self._more()
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        if too_long or len(line) > MAX_COMMAND:
            raise _TooLong
        return line.removesuffix(b"\r")

    async def message(self, limit: int) -> bytes | None:
        """Up to the lone dot, dots at line starts taken away. None if it is larger than the limit.

        Only CRLF dot CRLF ends it: taking less would let a message smuggle commands in.
        """
        end_mark = b"\r\n.\r\n"
        # The line end of the DATA command stands before the first line.
        self._held[:0] = b"\r\n"
        too_large, looked = False, 0
        while (end := self._held.find(end_mark, looked)) < 0:
            looked = max(0, len(self._held) - len(end_mark) + 1)
            if len(self._held) > limit + limit // 64 + len(end_mark):
                # A share for the dots; the rest goes as it comes.
                too_large = True
                del self._held[:looked]
                looked = 0
            await self._more()
        if too_large:
            del self._held[: end + len(end_mark)]
            return None
        with memoryview(self._held) as whole:
            raw = bytes(whole[: end + 2])
        del self._held[: end + len(end_mark)]
        if b"\r\n." in raw:
            raw = raw.replace(b"\r\n.", b"\r\n")
        raw = raw[2:]
        return raw if len(raw) <= limit else None


_PATH = re.compile(r"\s*<(?:@[^:<>]*:)?(?P<address>[^<>]*)>\s*(?P<options>.*)", re.DOTALL)


class _Conversation:
    def __init__(self, server: LmtpServer, input: _Input, writer: asyncio.StreamWriter) -> None:
        self._server, self._input, self._writer = server, input, writer
        self._peer = ""
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._errors = 0
        #: Whether a message is being taken.
        self.busy = False

    async def run(self) -> None:
        await self._say(f"220 {self._server.hostname} LMTP")
        while self._errors < MAX_ERRORS and not self._server.closing:
            try:
                line = await self._input.line()
            except _TooLong:
                self._errors += 1
                await self._say("500 5.5.2 line too long")
                continue
            verb, _, rest = line.decode("utf-8", "replace").partition(" ")
            if verb.upper() == "QUIT":
                await self._say("221 2.0.0 bye")
                return
            handle = _COMMANDS.get(verb.upper())
            if handle is None:
                self._errors += 1
                await self._say("500 5.5.1 no such command")
                continue
            await handle(self, rest)
        if self._errors >= MAX_ERRORS:
            await self._say("421 4.7.0 too many errors")

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace"))
        await self._writer.drain()

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    async def lhlo(self, rest: str) -> None:
        if not rest.strip():
            await self._say("501 5.5.4 LHLO needs a name")
            return
        self._peer = re.sub(r"[^A-Za-z0-9.:\[\]_-]", "", rest)[:255]
        self._reset()
        offers = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", f"SIZE {self._server.limit}")
        names = (self._server.hostname, *offers)
        await self._say(*[f"250-{name}" for name in names[:-1]], f"250 {names[-1]}")

    async def mail(self, rest: str) -> None:
        found = _PATH.fullmatch(rest[5:]) if rest[:5].upper() == "FROM:" else None
        if not self._peer or self._sender is not None:
            await self._say("503 5.5.1 LHLO first, and one MAIL")
        elif found is None:
            await self._say("501 5.5.4 MAIL FROM:<address>")
        elif (size := re.search(r"\bSIZE=([0-9]{1,15})\b", found["options"].upper())) and int(
            size[1]
        ) > self._server.limit:
            await self._say("552 5.3.4 message too large")
        else:
            self._sender = found["address"].strip()
            await self._say("250 2.1.0 ok")

    async def rcpt(self, rest: str) -> None:
        found = _PATH.fullmatch(rest[3:]) if rest[:3].upper() == "TO:" else None
        if self._sender is None:
            await self._say("503 5.5.1 MAIL first")
        elif found is None or "@" not in found["address"]:
            await self._say("501 5.1.3 RCPT TO:<address>")
        elif len(self._recipients) >= MAX_RECIPIENTS:
            await self._say("452 4.5.3 too many recipients")
        else:
            await self._say(await self._check(found["address"].strip()))

    async def _check(self, address: str) -> str:
        try:
            known = await self._server.office.knows(address)
        except BackendError as error:
            log.warning("a recipient could not be looked up", reason=str(error))
            return "450 4.3.0 try again later"
        if not known:
            return "550 5.1.1 no such user"
        self._recipients.append(address)
        return "250 2.1.5 ok"

    async def data(self, rest: str) -> None:
        if not self._recipients or self._sender is None:
            await self._say("503 5.5.1 no valid recipients")
            return
        self.busy = True
        await self._say("354 end with a dot")
        raw = await self._input.message(self._server.limit)
        if raw is None:
            replies = ["552 5.3.4 message too large"] * len(self._recipients)
        else:
            replies = await self._deliver(self._sender, raw)
        await self._say(*replies)
        self._reset()
        self.busy = False

    async def _deliver(self, sender: str, raw: bytes) -> list[str]:
        server = self._server
        trace = (
            f"Return-Path: <{sender}>\r\nReceived: from {self._peer} by {server.hostname} with LMTP;"
            f" {format_datetime(server.now())}\r\n"
        )
        try:
            results = await server.office.take(sender, self._recipients, trace.encode("utf-8", "replace") + raw)
        except Exception as error:  # the mail server keeps the message; nothing may be lost to a bug of ours
            log.error("delivery failed", exc_info=error)
            return ["451 4.3.0 delivery failed, try again later"] * len(self._recipients)
        return [
            "250 2.1.5 delivered" if result is None else _reply(result) for result in results
        ]

    async def rset(self, rest: str) -> None:
        self._reset()
        await self._say("250 2.0.0 ok")

    async def noop(self, rest: str) -> None:
        await self._say("250 2.0.0 ok")

    async def vrfy(self, rest: str) -> None:
        await self._say("252 2.1.5 try to deliver")

    async def no_smtp(self, rest: str) -> None:
        """RFC 2033 4.1: HELO and EHLO are not for LMTP."""
        await self._say("500 5.5.1 this is LMTP: LHLO")


_COMMANDS: dict[str, Callable[[_Conversation, str], Awaitable[None]]] = {
    "LHLO": _Conversation.lhlo,
    "MAIL": _Conversation.mail,
    "RCPT": _Conversation.rcpt,
    "DATA": _Conversation.data,
    "RSET": _Conversation.rset,
    "NOOP": _Conversation.noop,
    "VRFY": _Conversation.vrfy,
    "HELO": _Conversation.no_smtp,
    "EHLO": _Conversation.no_smtp,
}

#: What went wrong with one recipient. Whatever is not named may pass.
_REPLIES: dict[type[BackendError], str] = {
    Unavailable: "450 4.3.0 try again later",
    NoSpace: "452 4.2.2 mailbox full",
    TooLarge: "552 5.3.4 message too large",
}
_REFUSALS = {
    Refusal.UNKNOWN_RECIPIENT: "550 5.1.1 no such user",
    Refusal.NO_RECIPIENT: "550 5.1.1 no such user",
    Refusal.TOO_LARGE: "552 5.3.4 message too large",
    Refusal.REJECTED: "554 5.7.1 refused",
}


def _reply(error: BackendError) -> str:
    if isinstance(error, Undeliverable):
        return _REFUSALS.get(error.reason, "450 4.3.0 try again later")
    return _REPLIES.get(type(error), "450 4.3.0 try again later")

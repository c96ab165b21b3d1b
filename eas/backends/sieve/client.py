"""A ManageSieve client: one connection, one command at a time. RFC 5804.

Our own, as it is small and the libraries for it block, and decode scripts on the way: a script must come back octet by
octet.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from eas.backends.calls import Call
from eas.backends.standards import sasl
from eas.backends.standards.tenant import Security, Server, SieveServer
from eas.engine.model import Secret

from .errors import LoginRefused, Lost, No
from .responses import MAX_LITERAL, Answer, Lines, Word, answer_of, string

#: Octets that are read at a time.
_PIECE = 32 << 10
#: Lines of one answer: scripts of a user, or capabilities.
_MAX_LINES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """`master` and `master_password` enter as `name` without their password; "" for their own."""

    name: str
    secret: Secret
    master: str = ""
    master_password: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    active: bool


class SieveSession:
    """Made by `connected`. All methods raise No and Lost, nothing else; after Lost it is of no more use.

    `capabilities` by upper-case name ("SIEVE", "SASL", "VERSION"), with their values, "" where there is none.
    """

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._lines = Lines()
        self.capabilities: Mapping[str, str] = {}

    @property
    def extensions(self) -> frozenset[str]:
        """Of the Sieve language: "vacation", "include", ..."""
        return frozenset(self.capabilities.get("SIEVE", "").lower().split())

    @property
    def mechanisms(self) -> frozenset[str]:
        return frozenset(self.capabilities.get("SASL", "").upper().split())

    async def greeted(self) -> None:
        """Read what the server says by itself: its capabilities, at the beginning and after STARTTLS."""
        self._learn(await self._answer())

    async def start_tls(self, context: ssl.SSLContext) -> None:
        if "STARTTLS" not in self.capabilities:
            raise Lost("the server offers no STARTTLS")
        await self._exchanged(b"STARTTLS")
        if self._lines.pending:
            # Said before the line was safe, perhaps by somebody else, to be believed after. RFC 5804 2.2.
            raise Lost("the server went on in clear text")
        try:
            async with asyncio.timeout(self._server.timeout_seconds):
                await self._writer.start_tls(context, server_hostname=self._server.host)
        except (OSError, TimeoutError) as error:
            raise Lost(f"TLS: {error}") from error
        await self.greeted()

    async def login(self, credentials: Credentials) -> None:
        """Raises LoginRefused, Lost."""
        mechanism, first, last = _first_words(credentials, self.mechanisms, self._server)
        await self._send(b"AUTHENTICATE %b %b" % (string(mechanism), string(b64encode(first))))
        line = await self._line()
        if len(line) == 1 and isinstance(line[0], bytes):
            # Why a token is refused; PLAIN never asks.
            why = _decoded(line[0])
            await self._send(string(b64encode(last)))
            answer = await self._answer()
            raise LoginRefused(f"{answer.text} {why}".strip(), answer.code)
        answer = await self._answer(line)
        if answer.status != "OK":
            raise LoginRefused(answer.text, answer.code)
        await self._send(b"CAPABILITY")  # may be others now
        self._learn(await self._answer())

    async def list_scripts(self) -> list[Script]:
        answer = await self._done(b"LISTSCRIPTS")
        return [
            Script(line[0].decode("utf-8", "surrogateescape"), "ACTIVE" in line[1:])
            for line in answer.lines if line and isinstance(line[0], bytes)
        ]

    async def get(self, name: str) -> bytes:
        answer = await self._done(b"GETSCRIPT " + _named(name))
        for line in answer.lines:
            if line and isinstance(line[0], bytes):
                return line[0]
        raise Lost("GETSCRIPT brought no script")

    async def put(self, name: str, content: bytes) -> None:
        """The server compiles it first: one that it does not take changes nothing."""
        if len(content) > MAX_LITERAL:
            raise No(f"a script of {len(content)} octets", "QUOTA/MAXSIZE")
        await self._done(b"PUTSCRIPT %b {%d+}\r\n%b" % (_named(name), len(content), content))

    async def check(self, content: bytes) -> None:
        """Raises No if the server would not take it. Servers before RFC 5804 (no VERSION) cannot tell."""
        if "VERSION" in self.capabilities:
            await self._done(b"CHECKSCRIPT {%d+}\r\n%b" % (len(content), content))

    async def have_space(self, name: str, size: int) -> None:
        await self._done(b"HAVESPACE %b %d" % (_named(name), size))

    async def activate(self, name: str) -> None:
        """"" for none."""
        await self._done(b"SETACTIVE " + _named(name))

    async def delete(self, name: str) -> None:
        await self._done(b"DELETESCRIPT " + _named(name))

    async def logout(self) -> None:
        await self._send(b"LOGOUT")
        await self._answer()

    # -- the line

    def _learn(self, answer: Answer) -> None:
        if answer.status != "OK":
            raise Lost(f"the server says {answer.status}: {answer.text}")
        self.capabilities = {
            _text(line[0]).upper(): _text(line[1]) if len(line) > 1 else "" for line in answer.lines if line
        }

    async def _done(self, command: bytes) -> Answer:
        operation = "read" if command.startswith((b"LISTSCRIPTS", b"GETSCRIPT")) else "write"
        with Call("sieve", operation, _reason_of):
            return await self._exchanged(command)

    async def _exchanged(self, command: bytes) -> Answer:
        await self._send(command)
        answer = await self._answer()
        if answer.status == "NO":
            raise No(answer.text, answer.code)
        if answer.status == "BYE":
            raise Lost(f"the server says goodbye: {answer.text}")
        return answer

    async def _send(self, command: bytes) -> None:
        try:
            async with asyncio.timeout(self._server.timeout_seconds):
                self._writer.write(command + b"\r\n")
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise Lost(str(error) or "no answer in time") from error

    async def _answer(self, line: tuple[Word, ...] | None = None) -> Answer:
        """`line` is the first one, if it was read already."""
        before: list[tuple[Word, ...]] = []
        while True:
            read = await self._line() if line is None else line
            answer, line = answer_of(read, before), None
            if answer is not None:
                return answer
            before.append(read)
            if len(before) > _MAX_LINES:
                raise Lost("an answer that does not end")

    async def _line(self) -> tuple[Word, ...]:
        try:
            async with asyncio.timeout(self._server.timeout_seconds):
                while (line := self._lines.take()) is None:
                    octets = await self._reader.read(_PIECE)
                    if not octets:
                        raise Lost("the connection was closed")
                    self._lines.feed(octets)
        except (OSError, TimeoutError) as error:
            raise Lost(str(error) or "no answer in time") from error
        return line


@asynccontextmanager
async def connected(server: Server, credentials: Credentials | None) -> AsyncIterator[SieveSession]:
    """A connection, secured as the server's settings say, logged in unless `credentials` is None. Raises SieveError."""
    with Call("sieve", "login", _reason_of) as call:
        context, reader, writer = await _line_to(server)
        try:
            session = SieveSession(server, reader, writer)
            await session.greeted()
            if server.security is Security.STARTTLS:
                assert context is not None
                await session.start_tls(context)
            if credentials is not None:
                await session.login(credentials)
            call.answered(over=True)
            yield session
            with suppress(Lost):  # all that was wanted is done
                await session.logout()
        finally:
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(2):
                    await writer.wait_closed()


async def _line_to(
    server: Server,
) -> tuple[ssl.SSLContext | None, asyncio.StreamReader, asyncio.StreamWriter]:
    """Raises Lost."""
    context = None
    try:
        if server.security is not Security.NONE:
            context = ssl.create_default_context(cafile=server.ca_file or None)
        async with asyncio.timeout(server.timeout_seconds):
            reader, writer = await asyncio.open_connection(
                server.host, server.port, ssl=context if server.security is Security.TLS else None
            )
    except (OSError, TimeoutError) as error:
        raise Lost(f"{server.host}:{server.port}: {error or 'no answer in time'}") from error
    return context, reader, writer


def _reason_of(error: BaseException) -> str:
    """A script that the server does not take is no failure of the server."""
    if isinstance(error, LoginRefused):
        return "login"
    return "lost" if isinstance(error, Lost) else ""


def credentials_of(server: SieveServer, name: str, secret: Secret) -> Credentials:
    """How `name` is entered: by the master user if there is one."""
    return Credentials(
        name=name, secret=secret, master=server.master_user, master_password=server.master_password
    )


def _first_words(credentials: Credentials, offered: frozenset[str], server: Server) -> tuple[bytes, bytes, bytes]:
    """Mechanism, what is said first, and what to a challenge. Raises LoginRefused if nothing fits."""
    name, token = credentials.name, credentials.secret.value
    if credentials.master:
        wanted = [(b"PLAIN", sasl.plain(credentials.master, credentials.master_password, name), b"")]
    elif credentials.secret.bearer:
        wanted = [
            (b"OAUTHBEARER", sasl.oauth_bearer(name, token, server.host, server.port), sasl.OAUTH_BEARER_GIVES_UP),
            (b"XOAUTH2", sasl.xoauth2(name, token), sasl.XOAUTH2_GIVES_UP),
        ]
    else:
        wanted = [(b"PLAIN", sasl.plain(name, token), b"")]
    for words in wanted:
        if words[0].decode() in offered:
            return words
    names = " or ".join(words[0].decode() for words in wanted)
    raise LoginRefused(f"the server offers no {names} (offered: {' '.join(sorted(offered)) or 'none'})")


def _named(name: str) -> bytes:
    return string(name.encode("utf-8", "surrogateescape"))


def _text(word: Word) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)


def _decoded(challenge: bytes) -> str:
    try:
        return b64decode(challenge, validate=True).decode("utf-8", "replace")
    except Base64Error:
        return ""

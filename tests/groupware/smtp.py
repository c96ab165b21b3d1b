"""A submission server that can be told to refuse, hang or break off at each stage, and keeps what it takes.

It runs in a thread of the tests, speaks RFC 5321 with the extensions of `Sink`, and hands what it took to `route`, if
there is one (as a mail host delivers).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from settling import closed

from .authority import authority
from .mail import Users
from .process import HOST

#: Octets of a message that are taken (SIZE).
MAX_MESSAGE = 60_000_000


class Stage(StrEnum):
    """Where a client can be, in order. CONNECT is the greeting, END the answer to the message's last line."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    END = "end"
    QUIT = "quit"


#: In place of an answer: nothing is ever said; the connection is broken; the message is taken and kept, and then the
#: connection is broken before the answer (END only).
HANG, DROP, TAKE_AND_DROP = "hang", "drop", "take and drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A message that was accepted. `parameters` are those of MAIL, `recipients` have theirs in `recipient_parameters`;
    `login` is "" without AUTH."""

    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    login: str = ""
    parameters: tuple[str, ...] = ()
    recipient_parameters: tuple[tuple[str, ...], ...] = ()
    secured: bool = False


@dataclass(slots=True, kw_only=True)
class Fault:
    """`answer` is a reply line ("550 5.1.1 No such user"), HANG, DROP or TAKE_AND_DROP. It happens `times` times, then
    no more. With `about`, only to commands that contain it."""

    answer: str
    times: int = 1_000_000
    about: str = ""


@dataclass(slots=True, kw_only=True)
class Sink:
    """`port` offers STARTTLS, `tls_port` begins with TLS. AUTH is asked for as long as `auth` is set; with `any_login`
    every password is right. What is offered can be changed at any time; `reset` undoes it all.
    """

    host: str = HOST
    port: int = 0
    tls_port: int = 0
    ca_file: str = ""
    users: Users = field(default_factory=Users)
    auth: bool = True
    any_login: bool = False
    starttls: bool = True
    extensions: tuple[str, ...] = ("8BITMIME", "SMTPUTF8", "DSN", "PIPELINING", "ENHANCEDSTATUSCODES", "CHUNKING")
    messages: list[Taken] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    faults: dict[Stage, Fault] = field(default_factory=dict)
    route: Callable[[Taken], None] | None = None
    open: set[Conversation] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    # -- what tests say

    def fail(self, stage: Stage, answer: str, times: int = 1_000_000, about: str = "") -> None:
        """From now on; see Fault."""
        self.faults[Stage(stage)] = Fault(answer=answer, times=times, about=about)

    def new_user(self, name: str = "") -> tuple[str, str]:
        return self.users.invent(name)

    def reset(self) -> None:
        """As it was at the beginning, but for the users."""
        self.messages.clear()
        self.commands.clear()
        self.faults.clear()
        fresh = Sink()
        self.auth, self.any_login, self.starttls = fresh.auth, fresh.any_login, fresh.starttls
        self.extensions, self.route = fresh.extensions, None

    def strikes(self, stage: Stage, line: str = "") -> str:
        """The answer of a fault that is due, "" for none; counts it."""
        fault = self.faults.get(stage)
        if fault is None or fault.times <= 0 or fault.about.lower() not in line.lower():
            return ""
        fault.times -= 1
        return fault.answer

    def knows(self, login: str, password: str) -> bool:
        return self.any_login or self.users.passwords.get(login) == password

    def take(self, message: Taken) -> None:
        self.messages.append(message)
        if self.route is not None:
            self.route(message)

    # -- life

    def start(self) -> Sink:
        self.ca_file, ready = authority().ca_file, threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True, name="mail sink")
        self._thread.start()
        assert ready.wait(60), "the mail sink did not start"
        return self

    def stop(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = self._thread = None

    def _run(self, ready: threading.Event) -> None:
        loop = self._loop = asyncio.new_event_loop()
        tls = server_context()
        listeners = [
            loop.run_until_complete(loop.create_server(
                lambda secured=context is not None: Conversation(self, tls, secured), "127.0.0.1", 0, ssl=context
            ))
            for context in (None, tls)
        ]
        self.port, self.tls_port = (listener.sockets[0].getsockname()[1] for listener in listeners)
        loop.call_soon(ready.set)
        loop.run_forever()
        for listener in listeners:
            listener.close()
        for conversation in list(self.open):
            if conversation.transport is not None:
                conversation.transport.abort()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(closed())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority().good.certificate, authority().good.key)
    return context


class Conversation(asyncio.Protocol):
    """One client. Bytes arrive in `data_received`; whole lines are answered in order."""

    def __init__(self, sink: Sink, tls: ssl.SSLContext, secured: bool) -> None:
        self.sink, self.tls, self.secured = sink, tls, secured
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.securing: asyncio.Future[None] | None = None
        self.hung = False
        self.login = ""
        self.asked: list[bytes] | None = None   # answers to AUTH's challenges; the mechanism first
        self.chunks: list[bytes] | None = None  # of BDAT
        self.expected = 0                       # octets of the BDAT chunk that is on its way
        self.last_chunk = False
        self.body = False                       # between 354 and the dot
        self._forget()

    def _forget(self) -> None:
        self.sender: str | None = None
        self.parameters: tuple[str, ...] = ()
        self.recipients: list[tuple[str, tuple[str, ...]]] = []
        self.chunks = None

    # -- bytes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        greeted = self.transport is not None
        self.transport = transport
        self.sink.open.add(self)
        if not greeted and not self._struck(Stage.CONNECT):
            self.say("220 mail.example.com ESMTP")

    def connection_lost(self, exc: Exception | None) -> None:
        self.sink.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.hung and self.buffer and self.securing is None:
            if self.expected:
                chunk = bytes(self.buffer[: self.expected])
                del self.buffer[: self.expected]
                self.expected -= len(chunk)
                assert self.chunks is not None
                self.chunks.append(chunk)
                if not self.expected:
                    self._chunk_ends()
            elif self.body:
                end = 0 if self.buffer.startswith(b".\r\n") else self.buffer.find(b"\r\n.\r\n") + 2
                if end == 1:
                    return
                octets = bytes(self.buffer[:end])
                del self.buffer[: end + 3]
                self.body = False
                self._taken(octets[1:].replace(b"\r\n..", b"\r\n.") if octets.startswith(b"..")
                            else octets.replace(b"\r\n..", b"\r\n."))
            else:
                line, found, rest = self.buffer.partition(b"\r\n")
                if not found:
                    return
                self.buffer = rest
                self._line(bytes(line))

    def say(self, *lines: str) -> None:
        assert self.transport is not None
        for number, line in enumerate(lines, 1):
            code, _, text = line.partition(" ")
            self.transport.write(f"{code}{' ' if number == len(lines) else '-'}{text}\r\n".encode())

    def _struck(self, stage: Stage, line: str = "") -> bool:
        """Whether a fault has answered."""
        answer = self.sink.strikes(stage, line)
        if not answer:
            return False
        assert self.transport is not None
        if answer == HANG:
            self.hung = True
        elif answer in (DROP, TAKE_AND_DROP):
            self.hung = True
            self.transport.abort()
        else:
            self.say(answer)
            if answer.startswith("421"):
                self.transport.close()
        return True

    # -- commands

    def _line(self, line: bytes) -> None:
        if self.asked is not None:
            self._challenge_answered(line)
            return
        text = line.decode("utf-8", "replace")
        verb, _, rest = text.partition(" ")
        self.sink.commands.append(text)
        command = self._COMMANDS.get(verb.upper())
        if command is None:
            self.say("502 5.5.1 Not implemented")
        else:
            command(self, rest.strip())

    def _ehlo(self, rest: str) -> None:
        if self._struck(Stage.EHLO, rest):
            return
        lines = ["mail.example.com", f"SIZE {MAX_MESSAGE}", *self.sink.extensions]
        if self.sink.starttls and not self.secured:
            lines.append("STARTTLS")
        if self.sink.auth:
            lines.append("AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER")
        self._forget()
        self.say(*(f"250 {line}" for line in lines))

    def _helo(self, rest: str) -> None:
        if not self._struck(Stage.EHLO, rest):
            self.say("250 mail.example.com")

    def _starttls(self, rest: str) -> None:
        if self._struck(Stage.STARTTLS):
            return
        if self.secured or not self.sink.starttls:
            self.say("503 5.5.1 Not now")
            return
        self.say("220 2.0.0 Go ahead")
        self.secured = True
        assert self.transport is not None
        self.transport.pause_reading()
        self.buffer.clear()
        self.securing = asyncio.ensure_future(self._secure())

    async def _secure(self) -> None:
        loop, plain = asyncio.get_running_loop(), self.transport
        assert plain is not None
        with contextlib.suppress(OSError):
            self.transport = await loop.start_tls(plain, self, self.tls, server_side=True)
            # The first command may have come together with the end of the handshake, before there was this transport.
            self.securing = None
            self.data_received(b"")

    def _auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if self._struck(Stage.AUTH, mechanism):
            return
        self.asked = [mechanism.upper().encode()]
        if initial:
            self._challenge_answered(b"" if initial == "=" else initial.encode())
        else:
            self.say("334 VXNlcm5hbWU6" if mechanism.upper() == "LOGIN" else "334 ")

    def _challenge_answered(self, line: bytes) -> None:
        assert self.asked is not None
        mechanism, *given = self.asked
        given.append(base64.b64decode(line))
        if mechanism == b"LOGIN" and len(given) == 1:
            self.asked = [mechanism, *given]
            self.say("334 UGFzc3dvcmQ6")
            return
        self.asked = None
        login, password = _credentials(mechanism, given)
        if self.sink.knows(login, password):
            self.login = login
            self.say("235 2.7.0 Welcome")
        else:
            self.say("535 5.7.8 Wrong user or password")

    def _mail(self, rest: str) -> None:
        if self._struck(Stage.MAIL, rest):
            return
        if self.sink.auth and not self.login:
            self.say("530 5.7.0 Authentication required")
            return
        self._forget()
        self.sender, self.parameters = _path(rest)
        self.say("250 2.1.0 OK")

    def _rcpt(self, rest: str) -> None:
        if self._struck(Stage.RCPT, rest):
            return
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
            return
        self.recipients.append(_path(rest))
        self.say("250 2.1.5 OK")

    def _data(self, rest: str) -> None:
        if self._struck(Stage.DATA):
            return
        if not self.recipients:
            self.say("503 5.5.1 RCPT first")
            return
        self.body = True
        self.say("354 Go ahead")

    def _bdat(self, rest: str) -> None:
        size, _, last = rest.partition(" ")
        self.expected, self.last_chunk = int(size), last.upper() == "LAST"
        self.chunks = self.chunks or []
        if not self.expected:
            self._chunk_ends()

    def _chunk_ends(self) -> None:
        if not self.last_chunk:
            self.say("250 2.0.0 More")
        else:
            self._taken(b"".join(self.chunks or []))

    def _taken(self, octets: bytes) -> None:
        fault = self.sink.faults.get(Stage.END)
        taken = fault is None or fault.times <= 0 or fault.answer == TAKE_AND_DROP
        message = Taken(
            sender=self.sender or "", recipients=tuple(path for path, _ in self.recipients), octets=octets,
            login=self.login, parameters=self.parameters, secured=self.secured,
            recipient_parameters=tuple(parameters for _, parameters in self.recipients),
        )
        self._forget()
        if taken:
            # In the order of the answers: a client that was told "250" finds the message in the list.
            self.sink.take(message)
        if not self._struck(Stage.END):
            self.say("250 2.0.0 Taken")

    def _quit(self, rest: str) -> None:
        if not self._struck(Stage.QUIT):
            self.say("221 2.0.0 Bye")
            assert self.transport is not None
            self.transport.close()

    def _rset(self, rest: str) -> None:
        self._forget()
        self.say("250 2.0.0 OK")

    def _noop(self, rest: str) -> None:
        self.say("250 2.0.0 OK")

    _COMMANDS: ClassVar[dict[str, Callable[[Conversation, str], None]]] = {
        "EHLO": _ehlo, "HELO": _helo, "STARTTLS": _starttls, "AUTH": _auth, "MAIL": _mail, "RCPT": _rcpt,
        "DATA": _data, "BDAT": _bdat, "QUIT": _quit, "RSET": _rset, "NOOP": _noop,
    }


def _path(rest: str) -> tuple[str, tuple[str, ...]]:
    """`FROM:<a@b> SIZE=1` as the address and the parameters."""
    address, _, parameters = rest.partition(":")[2].partition(">")
    return address.strip().removeprefix("<"), tuple(parameters.split())


def _credentials(mechanism: bytes, given: Sequence[bytes]) -> tuple[str, str]:
    """Login and password, or login and token. With PLAIN the authorization identity counts, if there is one."""
    if mechanism == b"LOGIN":
        return given[0].decode(), given[1].decode()
    if mechanism == b"PLAIN":
        _, login, password = given[0].decode().split("\0")
        return login, password
    fields = dict(part.split("=", 1) for part in given[0].decode().replace(",", "\1").split("\1") if "=" in part)
    login = fields.get("user", fields.get("a", ""))
    return login, fields.get("auth", "").removeprefix("Bearer ")

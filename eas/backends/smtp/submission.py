"""One message to one mail server: all of its recipients or none. aiosmtplib.

Every failure leaves as `Failed`, which says where it came and whether the message may have been sent all the same. That
is so in one case alone: the content was on its way and the answer did not come.

RFC 5321, 6409 (submission), 4954 (AUTH), 3207 (STARTTLS), 1870 (SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8), 3461 (DSN).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import aiosmtplib

from eas.backends.calls import Call, causes
from eas.backends.standards.tenant import Security, Server
from eas.engine.errors import Refusal, Undeliverable
from eas.engine.model import Secret

from .sasl import LoginFailed, authenticate

#: How many times longer than an answer to a command the one to the content may take: servers look for spam and viruses
#: meanwhile, and to give up is to risk a double. RFC 5321 4.5.3.2.6 has ten minutes; this is five with 30 seconds.
PATIENCE = 10
#: Octets of the content that are handed to the socket at a time.
_PIECE = 64 << 10
#: Before the second try, and how it grows: a phone waits for a minute or so.
_BACK_OFF_SECONDS = 0.5
_BACK_OFF_FACTOR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    name: str
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """`sender` "" is the null sender. `mime` is sent as it is, but for lone CRs and LFs."""

    sender: str
    recipients: Sequence[str]
    mime: bytes = field(repr=False)


class Step(StrEnum):
    """Where in the exchange."""

    ENVELOPE = "envelope"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


class Failed(Exception):
    """`verdict` is what to tell. `again`: it may go better soon, nothing was sent. `uncertain`: it may have been
    sent."""

    def __init__(
        self, step: Step, verdict: Undeliverable, *, again: bool = False, uncertain: bool = False
    ) -> None:
        super().__init__(f"{step}: {verdict}")
        self.step, self.verdict, self.again, self.uncertain = step, verdict, again, uncertain


async def _nothing() -> None:
    """Nobody wants to know."""


async def deliver(
    server: Server, login: Login | None, letter: Letter, *, attempts: int = 1,
    underway: Callable[[], Awaitable[None]] = _nothing, hostname: str = "localhost",
) -> None:
    """`underway` is awaited before the first octet of content leaves, at each try that comes so far. `hostname` is who
    we say we are. Raises Failed."""
    delay = _BACK_OFF_SECONDS
    for last in (*(False for _ in range(attempts - 1)), True):
        try:
            with Call("smtp", "send", _reason_of):
                await _once(server, login, letter, underway, hostname)
            return
        except Failed as error:
            if last or not error.again:
                raise
        await asyncio.sleep(delay)
        delay *= _BACK_OFF_FACTOR


async def _once(
    server: Server, login: Login | None, letter: Letter, underway: Callable[[], Awaitable[None]], hostname: str
) -> None:
    async with connected(server, login, hostname) as client:
        envelope = _envelope(client, letter)
        with _failing(Step.SENDER):
            await _answered(client, 250, b"MAIL FROM:<%b>" % envelope.sender, *envelope.mail_options)
        await _recipients(client, letter, envelope)
        with _failing(Step.CONTENT):
            await _answered(client, 354, b"DATA")
        await underway()
        await _content(client, letter.mime, server.timeout_seconds * PATIENCE)


@asynccontextmanager
async def connected(
    server: Server, login: Login | None, hostname: str = "localhost"
) -> AsyncIterator[aiosmtplib.SMTP]:
    """A connection that is secured and logged in as far as that is wanted. Raises Failed, also for what goes wrong
    inside without a word of its own."""
    context = None if server.security is Security.NONE else tls_context(server)
    client = aiosmtplib.SMTP(
        hostname=server.host, port=server.port, local_hostname=hostname, timeout=server.timeout_seconds,
        use_tls=server.security is Security.TLS, start_tls=server.security is Security.STARTTLS, tls_context=context,
    )
    try:
        with _failing(Step.ENVELOPE):
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
            if login is not None:
                await authenticate(client, server, login.name, login.secret)
        yield client
    finally:
        await _leave(client)


def tls_context(server: Server) -> ssl.SSLContext:
    """Raises Failed if the file of certificates cannot be used."""
    try:
        return ssl.create_default_context(cafile=server.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise Failed(Step.ENVELOPE, Undeliverable(Refusal.UNREACHABLE, f"{server.ca_file}: {error}")) from error


# --- The envelope -----------------------------------------------------------------------------------------------------

#: What cannot stand between angle brackets without ending something.
_NO_ADDRESS = re.compile(r"[\s<>\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    sender: bytes
    recipients: tuple[bytes, ...]
    mail_options: tuple[bytes, ...] = ()
    rcpt_options: tuple[bytes, ...] = ()


def _envelope(client: aiosmtplib.SMTP, letter: Letter) -> _Envelope:
    """As this server takes it. Raises Failed for what it never will: too large, or an address it cannot hear."""
    size = len(letter.mime)
    limit = client.esmtp_extensions.get("size", "").strip()
    if limit.isascii() and limit.isdigit() and 0 < int(limit) < size:
        text = f"{size} octets, the server takes {limit}"
        raise Failed(Step.SENDER, Undeliverable(Refusal.TOO_LARGE, text))
    utf8 = client.supports_extension("smtputf8")
    sender = _spelled(letter.sender, utf8, Step.SENDER)
    recipients = tuple(_spelled(recipient, utf8, Step.RECIPIENT) for recipient in letter.recipients)
    options = []
    if client.supports_extension("size"):
        options.append(b"SIZE=%d" % size)
    if client.supports_extension("8bitmime") and not letter.mime.isascii():
        options.append(b"BODY=8BITMIME")
    if not all(address.isascii() for address in (sender, *recipients)):
        options.append(b"SMTPUTF8")
    # To the null sender nothing is ever reported.
    dsn = bool(sender) and client.supports_extension("dsn")
    return _Envelope(
        sender=sender, recipients=recipients, mail_options=(*options, b"RET=HDRS") if dsn else tuple(options),
        rcpt_options=(b"NOTIFY=FAILURE",) if dsn else (),
    )


def _spelled(address: str, utf8: bool, step: Step) -> bytes:
    """A domain can be written in ASCII always, what stands before it cannot. RFC 5890, RFC 6531."""
    if _NO_ADDRESS.search(address):
        raise Failed(step, Undeliverable(_REFUSAL[step], f"no address: {address!r}"))
    try:
        return address.encode("utf-8" if utf8 else "ascii")
    except UnicodeEncodeError:
        pass
    local, _, domain = address.rpartition("@")
    try:
        return local.encode("ascii") + b"@" + domain.encode("idna")
    except UnicodeError as error:
        text = f"{address}: the server takes no such addresses (SMTPUTF8)"
        raise Failed(step, Undeliverable(_REFUSAL[step], text)) from error


async def _recipients(client: aiosmtplib.SMTP, letter: Letter, envelope: _Envelope) -> None:
    """All are named to the server, so that all that it refuses can be named to the sender. Raises Failed."""
    refused: list[tuple[str, Failed]] = []
    for recipient, spelled in zip(letter.recipients, envelope.recipients, strict=True):
        try:
            with _failing(Step.RECIPIENT):
                await _answered(client, 25, b"RCPT TO:<%b>" % spelled, *envelope.rcpt_options)
        except Failed as error:
            if not client.is_connected:
                raise
            refused.append((recipient, error))
    if not refused:
        return
    # One that is refused for good decides: it will not help that others may be taken later.
    worst = min(refused, key=lambda one: one[1].again)[1]
    told = "; ".join(f"{name}: {error.verdict}" for name, error in refused if error.again is worst.again)
    raise Failed(Step.RECIPIENT, Undeliverable(worst.verdict.reason, told), again=worst.again) from worst


# --- The content ------------------------------------------------------------------------------------------------------

_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def stuffed(mime: bytes) -> Iterator[bytes]:
    """The content as it goes over the line, in pieces, with its end: lines that begin with a dot have one more. RFC
    5321 4.5.2. What is right already, is not copied as a whole."""
    # Counting takes milliseconds where the search of a large message takes a second, in which nobody else is served.
    if not mime.count(b"\r\n") == mime.count(b"\r") == mime.count(b"\n"):
        mime = _LONE.sub(b"\r\n", mime)
    view = memoryview(mime)
    if mime.startswith(b"."):
        yield b"."
    at = 0
    while at < len(mime):
        end = min(len(mime), at + _PIECE)
        dot = mime.find(b"\r\n.", at, end + 2)
        if dot < 0:
            yield bytes(view[at:end])
            at = end
        else:
            yield bytes(view[at : dot + 2]) + b"."
            at = dot + 2
    yield b".\r\n" if mime.endswith(b"\r\n") or not mime else b"\r\n.\r\n"


async def _content(client: aiosmtplib.SMTP, mime: bytes, seconds: float) -> None:
    """Raises Failed, `uncertain` unless the server said what it is."""
    try:
        async with asyncio.timeout(seconds):
            code, message = await _written(client, mime)
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        text = f"the answer to a message was lost: {error}"
        raise Failed(Step.CONTENT, Undeliverable(Refusal.UNREACHABLE, text), uncertain=True) from error
    if 400 <= code < 600:
        raise _refused(Step.CONTENT, code, message)
    if not 200 <= code < 300:
        text = f"no answer to a message: {code} {message}"
        raise Failed(Step.CONTENT, Undeliverable(Refusal.UNREACHABLE, text), uncertain=True)


async def _written(client: aiosmtplib.SMTP, mime: bytes) -> aiosmtplib.SMTPResponse:
    protocol = client.protocol
    if protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("Connection lost")
    # aiosmtplib's own DATA makes three copies of the content and hands it to the socket at once.
    answer = asyncio.ensure_future(protocol.read_response())
    try:
        await asyncio.sleep(0)
        for piece in stuffed(mime):
            if answer.done():  # refused in the middle, or gone
                break
            protocol.write(piece)
            await protocol._drain_helper()  # the name that asyncio's own streams have for it
        return await answer
    finally:
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)


# --- Answers ----------------------------------------------------------------------------------------------------------

#: A permanent refusal, by where it came.
_REFUSAL = {
    Step.ENVELOPE: Refusal.UNREACHABLE,
    Step.SENDER: Refusal.SENDER,
    Step.RECIPIENT: Refusal.UNKNOWN_RECIPIENT,
    Step.CONTENT: Refusal.REJECTED,
}
#: What the enhanced status code (RFC 3463) says more precisely, or the basic code, wherever it comes.
_OF_DETAIL = {
    "5.2.2": Refusal.REJECTED, "5.2.3": Refusal.TOO_LARGE, "5.3.4": Refusal.TOO_LARGE, "5.5.3": Refusal.REJECTED,
    "5.7.8": Refusal.UNREACHABLE,
}
_OF_CODE = {
    523: Refusal.TOO_LARGE, 552: Refusal.TOO_LARGE, 530: Refusal.UNREACHABLE, 534: Refusal.UNREACHABLE,
    535: Refusal.UNREACHABLE, 538: Refusal.UNREACHABLE,
}


async def _answered(client: aiosmtplib.SMTP, expected: int, *words: bytes) -> None:
    """`expected` is a whole code or its beginning."""
    code, message = await client.execute_command(*words)
    if not str(code).startswith(str(expected)):
        raise aiosmtplib.SMTPResponseException(code, message)


class _failing:
    """Whatever goes wrong inside becomes Failed. Not for the content."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, LoginFailed):
            raise Failed(
                self._step, Undeliverable(Refusal.UNREACHABLE, f"login refused: {error}"), again=error.again
            ) from error
        if isinstance(error, aiosmtplib.SMTPResponseException) and 400 <= error.code < 600:
            raise _refused(self._step, error.code, error.message) from error
        if isinstance(error, (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError)):
            raise Failed(
                self._step, Undeliverable(Refusal.UNREACHABLE, str(error) or type(error).__name__),
                again=_passing(error),
            ) from error


def _refused(step: Step, code: int, message: str) -> Failed:
    detail = f"{code} {message}"
    if 500 <= code < 600:
        reason = _OF_DETAIL.get(message.split(" ", 1)[0]) or _OF_CODE.get(code) or _REFUSAL[step]
        return Failed(step, Undeliverable(reason, detail))
    # "Too many recipients" is temporary by its number (452 4.5.3), and never changes.
    if message.startswith("4.5.3"):
        return Failed(step, Undeliverable(Refusal.REJECTED, detail))
    return Failed(step, Undeliverable(Refusal.UNREACHABLE, detail), again=400 <= code < 500)


def _passing(error: Exception) -> bool:
    """Whether a connection may fare better soon. A bad certificate, or no STARTTLS, stays."""
    if any(isinstance(cause, ssl.SSLError) for cause in causes(error)):
        return False
    lost = (
        aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, aiosmtplib.SMTPConnectError, OSError,
    )
    return isinstance(error, lost)


def _reason_of(error: BaseException) -> str:
    """Of a call that failed. That there is no such recipient, say, is no failure of the server."""
    if not isinstance(error, Failed) or error.verdict.reason is not Refusal.UNREACHABLE:
        return ""
    if isinstance(error.__cause__, LoginFailed):
        return "login"
    return "refused" if isinstance(error.__cause__, aiosmtplib.SMTPResponseException) else "lost"


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye if somebody still listens. Closing the connection without it discards an unfinished message too."""
    try:
        if client.is_connected:
            async with asyncio.timeout(2):
                await client.quit()
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        pass
    finally:
        client.close()

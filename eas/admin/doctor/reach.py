"""Whether a server can be reached: its name, its port, its certificate, and what it greets with."""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from eas.backends.standards.tenant import Security, Server

from .findings import Notes

#: Certificates that end so soon are worth a word: those that renew themselves have more left.
SOON_DAYS = 14
#: A handshake by TCP that takes longer makes every request slow.
_FAR_SECONDS = 0.2
#: Clocks that differ by so much confuse: times of messages and appointments are compared with ours.
_CLOCK_SECONDS, _CLOCK_WRONG_SECONDS = 5.0, 300.0
_MAX_GREETING = 64 << 10
#: Characters of it that are shown.
_SHOWN = 60


async def reach(
    notes: Notes, server: Server, start_tls: Callable[[socket.socket], str], greeting: Callable[[socket.socket], str]
) -> bool:
    """Whether it is worth to go on. `start_tls` asks for it on a fresh connection and gives the greeting, `greeting`
    only reads; both raise OSError."""
    if not await name_and_port(notes, server.host, server.port):
        return False
    return await asyncio.to_thread(_secured, notes, server, start_tls, greeting)


async def name_and_port(notes: Notes, host: str, port: int) -> bool:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        notes.fail("name", f"{host} is not known: {error}", "Nothing of this server can be used.",
                   "Look at `host` in the settings, and at the name service of this machine.")
        return False
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    notes.ok("name", f"{host} is {', '.join(addresses)}")
    began = time.monotonic()
    try:
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        reason = str(error) or "no answer within 10 seconds"
        notes.fail("port", f"{port} cannot be connected to: {reason}", "Nothing of this server can be used.",
                   "Does the server run, does it listen on this port and address, does a firewall stand between?")
        return False
    took = time.monotonic() - began
    writer.close()
    if took > _FAR_SECONDS:
        notes.warn("port", f"{port} answers after {took * 1000:.0f} ms", "Every request waits for that several times.",
                   "Put the gateway near the servers.")
    else:
        notes.ok("port", f"{port} answers after {took * 1000:.0f} ms")
    return True


# --- TLS --------------------------------------------------------------------------------------------------------------

#: What OpenSSL finds wrong, by its number: what that means for an admin.
_WRONG: dict[int, tuple[str, str]] = {
    10: ("the certificate has expired", "Renew it on the server."),
    9: ("the certificate is not valid yet", "Look at the clocks of both machines."),
    18: ("the certificate is signed by itself", "Put it into a file and name that as `ca_file`."),
    19: ("the certificate is by an authority that is not trusted here", "Name the authority's file as `ca_file`."),
    20: ("the certificate is by an authority that is not trusted here",
         "Name the authority's file as `ca_file`, or let the server send its intermediate certificates."),
    21: ("the certificate's chain is not complete", "Let the server send its intermediate certificates."),
    62: ("the certificate is for another name", "Write the name that stands in the certificate as `host`."),
    64: ("the certificate is for another address", "Write the name that stands in the certificate as `host`."),
}


def _secured(
    notes: Notes, server: Server, start_tls: Callable[[socket.socket], str], greeting: Callable[[socket.socket], str]
) -> bool:
    try:
        with socket.create_connection((server.host, server.port), timeout=server.timeout_seconds) as line:
            if server.security is Security.NONE:
                said = greeting(line)
                _unsecured(notes, server.host)
            elif server.security is Security.STARTTLS:
                said = start_tls(line)
                with context_of(server.ca_file).wrap_socket(line, server_hostname=server.host) as wrapped:
                    certified(notes, wrapped)
            else:
                with context_of(server.ca_file).wrap_socket(line, server_hostname=server.host) as wrapped:
                    certified(notes, wrapped)
                    said = greeting(wrapped)
    except ssl.SSLError as error:
        untrusted(notes, error)
        return False
    except (OSError, TimeoutError) as error:
        notes.fail("greeting", str(error) or "none in time", "Nothing of this server can be used.",
                   "Is it the right port? With security = \"tls\" TLS begins at once, with \"starttls\" after a "
                   "greeting in clear text.")
        return False
    if said:
        notes.ok("greeting", said)
    return True


def context_of(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError as error:
        raise OSError(f"{ca_file} holds no certificates: {error}") from error
    except OSError as error:
        raise OSError(f"ca_file {ca_file}: {error.strerror or error}") from error


def _unsecured(notes: Notes, host: str) -> None:
    try:
        near = ipaddress.ip_address(socket.gethostbyname(host)).is_loopback
    except (OSError, ValueError):
        near = False
    if near:
        notes.ok("TLS", "none, on this machine")
    else:
        notes.warn("TLS", "none", "Passwords and mail cross the network for everybody to read.",
                   'Set security = "tls" or "starttls".')


def certified(notes: Notes, line: ssl.SSLSocket) -> None:
    certificate = line.getpeercert() or {}
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate.get("notAfter"))), UTC)
    days = (ends - datetime.now(UTC)).days
    said = f"{line.version()}, trusted, for this name, valid until {ends:%Y-%m-%d} ({days} days)"
    if days < SOON_DAYS:
        notes.warn("TLS", said, "After that day nobody can work.", "See that the certificate is renewed.")
    else:
        notes.ok("TLS", said)


def untrusted(notes: Notes, error: ssl.SSLError) -> None:
    means = "Nothing is said to a server that cannot prove who it is."
    if isinstance(error, ssl.SSLCertVerificationError):
        said, advice = _WRONG.get(error.verify_code, (error.verify_message, "Look at the server's certificate."))
        notes.fail("TLS", said, means, advice)
    else:
        notes.fail("TLS", f"no TLS: {error.reason or error}", "Nothing of this server can be used.",
                   'Is it the right port? Perhaps security = "starttls" is meant, or "tls".')


# --- First words, by protocol -----------------------------------------------------------------------------------------


def _until(line: socket.socket, done: Callable[[bytes], bool]) -> bytes:
    """Raises OSError if the server says something else, or nothing."""
    said = b""
    while not done(said):
        piece = line.recv(4096)
        if not piece or len(said) > _MAX_GREETING:
            raise OSError(f"unexpected: {said[:80]!r}" if said else "the server says nothing")
        said += piece
    return said


def _shown(said: bytes) -> str:
    line = said.splitlines()[0].decode("utf-8", "replace") if said else ""
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} ..."


def imap_greeting(line: socket.socket) -> str:
    said = _until(line, lambda octets: octets.endswith(b"\r\n"))
    if not said.startswith(b"* "):
        raise OSError(f"no IMAP server: {_shown(said)}")
    return _shown(said)


def imap_start_tls(line: socket.socket) -> str:
    said = imap_greeting(line)
    line.sendall(b"a STARTTLS\r\n")
    answer = _until(line, lambda octets: b"a " in octets and octets.endswith(b"\r\n"))
    if b"a OK" not in answer:
        raise OSError("the server does not offer STARTTLS")
    return said


def smtp_greeting(line: socket.socket) -> str:
    said = _smtp_answer(line)
    if not said.startswith(b"220"):
        raise OSError(f"no SMTP server, or none that wants us: {_shown(said)}")
    return _shown(said)


def smtp_start_tls(line: socket.socket) -> str:
    said = smtp_greeting(line)
    line.sendall(b"EHLO localhost\r\n")
    if b"STARTTLS" not in _smtp_answer(line).upper():
        raise OSError("the server does not offer STARTTLS")
    line.sendall(b"STARTTLS\r\n")
    if not _smtp_answer(line).startswith(b"220"):
        raise OSError("the server refuses STARTTLS")
    return said


def _smtp_answer(line: socket.socket) -> bytes:
    return _until(line, lambda said: said.endswith(b"\r\n") and said.splitlines()[-1][3:4] == b" ")


def sieve_greeting(line: socket.socket) -> str:
    said = _sieve_answer(line)
    if b"SIEVE" not in said.upper():
        raise OSError(f"no ManageSieve server: {_shown(said)}")
    return _shown(said)


def sieve_start_tls(line: socket.socket) -> str:
    said = _sieve_answer(line)
    if b'"STARTTLS"' not in said.upper():
        raise OSError("the server does not offer STARTTLS")
    line.sendall(b"STARTTLS\r\n")
    _sieve_answer(line)
    return _shown(said)


def _sieve_answer(line: socket.socket) -> bytes:
    return _until(line, lambda said: said.endswith(b"\r\n") and said.splitlines()[-1][:2].upper() in (b"OK", b"NO"))


def ldap_greeting(line: socket.socket) -> str:
    """Servers of LDAP wait to be spoken to."""
    return ""


def ldap_start_tls(line: socket.socket) -> str:
    """RFC 4511 4.14, as octets: message 1, ExtendedRequest, the OID of StartTLS."""
    line.sendall(b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + b"1.3.6.1.4.1.1466.20037")
    answer = _until(line, lambda said: len(said) > 2 and len(said) >= 2 + said[1])
    # Message 1, ExtendedResponse, result code 0.
    if b"\x0a\x01\x00" not in answer[:16]:
        raise OSError("the server does not offer StartTLS")
    return ""


# --- HTTP -------------------------------------------------------------------------------------------------------------


async def reach_http(notes: Notes, url: str, ca_file: str, seconds: float) -> bool:
    """Whether it is worth to go on."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if not await name_and_port(notes, host, port):
        return False
    return await asyncio.to_thread(_asked, notes, url, ca_file, seconds)


def _asked(notes: Notes, url: str, ca_file: str, seconds: float) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection | None = None
    try:
        if parts.scheme == "https":
            secure = http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=context_of(ca_file))
            connection = secure
            secure.connect()
            assert isinstance(secure.sock, ssl.SSLSocket)
            certified(notes, secure.sock)
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=seconds)
            _unsecured(notes, host)
        connection.request("OPTIONS", parts.path or "/")
        answer = connection.getresponse()
        answer.read(_MAX_GREETING)
    except ssl.SSLError as error:
        untrusted(notes, error)
        return False
    except (OSError, http.client.HTTPException) as error:
        notes.fail("HTTP", str(error) or type(error).__name__, "Nothing of this server can be used.",
                   "Look at the address in the settings: http or https, host and port.")
        return False
    finally:
        if connection is not None:
            connection.close()
    notes.ok("HTTP", f"answers {answer.status} {answer.reason}".strip())
    told = answer.headers.get("Date")
    if told:
        try:
            clock(notes, parsedate_to_datetime(told))
        except ValueError:
            notes.warn("clock", f"the server's Date cannot be read: {told}")
    return True


def clock(notes: Notes, theirs: datetime) -> None:
    """`theirs` has whole seconds."""
    apart = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart <= _CLOCK_SECONDS:
        notes.ok("clock", "the same as here")
        return
    said = f"{apart:.0f} seconds apart from here"
    means = "What is new may be missed or come twice, and appointments remind at the wrong time."
    if apart > _CLOCK_WRONG_SECONDS:
        notes.fail("clock", said, means, "Let both machines follow the same time servers (NTP).")
    else:
        notes.warn("clock", said, means, "Let both machines follow the same time servers (NTP).")

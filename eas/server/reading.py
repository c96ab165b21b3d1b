"""Reading a request: its headers by name, its body within a limit, and whence it came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import Receive, Scope

from .spool import SPOOLED_FROM, Spool

#: Seconds without a byte of the body after which a sender is given up. A phone on a bad line pauses for a while.
SILENCE_SECONDS = 60


class TooLong(Exception):
    """The body is, or says that it is, longer than what is read."""


class NoRoom(Exception):
    """A large body cannot be put into a file."""


class Gone(Exception):
    """The client went away, or fell silent, before its request was complete."""


def headers_of(scope: Scope) -> Mapping[str, str]:
    """By name in lower case; of headers that come twice the first counts."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return found


async def read_body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """The whole body; a large one lies in a file (`spool`). Raises TooLong, before anything is read if the length is
    stated, else as soon as it shows; Gone; NoRoom."""
    stated = headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and int(stated[:20]) > limit:
        raise TooLong(f"{stated[:20]} bytes, at most {limit} are read")
    body = _Body()
    try:
        async for piece in _pieces(receive):
            body.add(piece)
            if body.size > limit:
                raise TooLong(f"more than {limit} bytes")
        return body.read()
    except OSError as error:
        raise NoRoom(str(error)) from error
    finally:
        body.close()


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    """Raises Gone."""
    more = True
    while more:
        try:
            message = await asyncio.wait_for(receive(), SILENCE_SECONDS)
        except TimeoutError:
            raise Gone("silent within the body") from None
        if message["type"] == "http.disconnect":
            raise Gone("disconnected within the body")
        yield message.get("body", b"")
        more = message.get("more_body", False)


class _Body:
    """Octets as they come: in memory, and in a file once they are many. Everything raises OSError."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: list[bytes] = []
        self._spool: Spool | None = None

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self._spool is not None:
            self._spool.write(piece)
            return
        self._pieces.append(piece)
        if self.size >= SPOOLED_FROM:
            self._spool = Spool(self._pieces)
            self._pieces = []

    def read(self) -> bytes:
        if self._spool is not None:
            return self._spool.read()
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()


def client_address(
    scope: Scope, headers: Mapping[str, str], trusted: Sequence[IPv4Network | IPv6Network]
) -> str:
    """Whence the request came: the peer, or behind trusted proxies the nearest hop of X-Forwarded-For that is none.

    "" where there is no address (a Unix socket without a proxy's word).
    """
    peer = scope["client"][0] if scope.get("client") else ""
    if not is_trusted(peer, trusted):
        return peer
    for hop in reversed(headers.get("x-forwarded-for", "").split(",")):
        address = address_of(hop)
        if address is None:
            break
        peer = str(address)
        if not is_trusted(peer, trusted):
            break
    return peer


def base_url(
    scope: Scope, headers: Mapping[str, str], trusted: Sequence[IPv4Network | IPv6Network], public_url: str
) -> str:
    """Where the client has reached the server, without a slash at the end: as configured, else by the Host header."""
    if public_url:
        return public_url.rstrip("/")
    peer = scope["client"][0] if scope.get("client") else ""
    scheme = scope.get("scheme", "http")
    if is_trusted(peer, trusted):
        scheme = headers.get("x-forwarded-proto", scheme).strip().lower()
    host = "".join(c for c in headers.get("host", "localhost") if c.isalnum() or c in ".-:[]")
    return f"{'https' if scheme == 'https' else 'http'}://{host}"


def is_trusted(address: str, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    """A Unix socket's peer is whoever may open the socket, which is as good as a trusted network where there is one."""
    return is_within(address, trusted) if address else bool(trusted)


def is_within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """"" is nowhere."""
    parsed = address_of(address)
    return parsed is not None and any(parsed in network for network in networks)


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """An address, without the port and brackets that some proxies put around it; IPv4 also where it comes as IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address

"""A stream to a server: octets in and out with back-pressure, time-outs and TLS. Knows nothing of IMAP.

Only Lost comes out. Reading stops at the socket while nobody takes what has come, so that a literal of any size passes
through bounded memory.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import cast

from eas.backends.standards.tenant import Security, Server

from .model import Lost

#: Octets that have come and were not taken before the server is made to wait.
_HIGH = 256 << 10
#: Seconds to shut a connection down before it is cut.
_CLOSING_SECONDS = 2.0
#: Of an event loop, in which it takes what stands at a socket.
_ROUNDS = 10
#: The other side will say nothing more. Linux tells so at once, others when it is read.
_HUNG_UP: int = getattr(select, "POLLRDHUP", 0)


@lru_cache(maxsize=64)
def _trust(ca_file: str) -> ssl.SSLContext:
    """Reading all certificates of a system takes tens of milliseconds."""
    return ssl.create_default_context(cafile=ca_file or None)


class Wire(asyncio.Protocol):
    def __init__(self, where: str) -> None:
        self.where = where
        self.encrypted = False
        #: Why there is no connection any more, "" while there is one.
        self.ended = ""
        self._transport: asyncio.Transport | None = None
        self._came: list[bytes] = []
        self._held = 0
        self._paused = False
        self._reader: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._choked = False
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._came.append(bytes(data))
        self._held += len(data)
        if self._held > _HIGH and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake(self._reader)

    def eof_received(self) -> None:
        self._end("the server closed the connection")

    def connection_lost(self, error: Exception | None) -> None:
        self._end(f"the connection broke: {error}" if error else "the connection was closed")
        if not self._gone.done():
            self._gone.set_result(None)

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        self._wake(self._writable)

    def _end(self, why: str) -> None:
        self.ended = self.ended or why
        self._wake(self._reader)
        self._wake(self._writable)

    @staticmethod
    def _wake(waiter: asyncio.Future[None] | None) -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What the connection calls.

    @property
    def waiting(self) -> bool:
        """Something has come and was not taken."""
        return bool(self._came)

    async def catch_up(self) -> None:
        """Lets the event loop read what has arrived at the socket while nobody looked; notes if the server has left."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is None or self.ended or sock.fileno() < 0 or not hasattr(select, "poll"):
            return
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN | _HUNG_UP)
        for _ in range(_ROUNDS):
            events = poll.poll(0)
            if not events or self.ended:
                return
            if events[0][1] & (_HUNG_UP | select.POLLHUP | select.POLLERR):
                self._end("the server closed the connection")
                return
            await asyncio.sleep(0)

    def take(self) -> bytes:
        data = self._came[0] if len(self._came) == 1 else b"".join(self._came)
        self._came.clear()
        self._held = 0
        if self._paused and self._transport is not None:
            self._paused = False
            if not self.ended:
                self._transport.resume_reading()
        return data

    async def read(self, seconds: float) -> bytes:
        """What has come, or comes next. Raises Lost; TimeoutError if nothing does."""
        if not self._came:
            if self.ended:
                raise Lost(f"{self.where}: {self.ended}")
            self._reader = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._reader
            finally:
                self._reader = None
            if not self._came:
                raise Lost(f"{self.where}: {self.ended}")
        return self.take()

    def write(self, data: bytes) -> None:
        if self.ended or self._transport is None:
            raise Lost(f"{self.where}: {self.ended}")
        self._transport.write(data)

    async def drain(self, seconds: float) -> None:
        """Until the server has taken most of what was written."""
        try:
            async with asyncio.timeout(seconds):
                while self._choked and not self.ended:
                    self._writable = asyncio.get_running_loop().create_future()
                    await self._writable
        except TimeoutError as error:
            self.abort()
            raise Lost(f"{self.where}: takes nothing for {seconds:g} seconds") from error
        if self.ended:
            raise Lost(f"{self.where}: {self.ended}")

    async def start_tls(self, server: Server) -> None:
        """What came in clear text before it would be taken for the server's own words: nothing may have."""
        if self._came or self._transport is None:
            self.abort()
            raise Lost(f"{self.where}: something was said before the encryption")
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self._transport, self, _trust(server.ca_file), server_hostname=server.host,
                ssl_handshake_timeout=server.timeout_seconds,
            )  # fmt: skip
        except (OSError, ssl.SSLError) as error:
            self.abort()
            raise Lost(f"{self.where}: {_reason(error)}") from error
        if transport is None:
            raise Lost(f"{self.where}: {self.ended or 'the connection was closed'}")
        self._transport = transport
        self.encrypted = True

    def close(self) -> None:
        """In the background: what was written still goes out."""
        if self._transport is not None:
            self._transport.close()
        self.ended = self.ended or "closed by ourselves"
        self._wake(self._reader)
        self._wake(self._writable)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._end("cut off by ourselves")

    def when_closed(self, then: Callable[[], None]) -> None:
        self._gone.add_done_callback(lambda _: then())

    async def closed(self) -> None:
        """After `close`: until nothing is left of it."""
        if self._transport is None:
            return
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                await asyncio.shield(self._gone)
        except TimeoutError:
            self._transport.abort()
            await asyncio.shield(self._gone)


async def connect(server: Server) -> Wire:
    """Encrypted from the start with Security.TLS. Raises Lost with words for the admin."""
    where = f"{server.host}:{server.port}"
    wire: Wire | None = None

    def factory() -> Wire:
        nonlocal wire
        wire = Wire(where)
        return wire

    secure = server.security is Security.TLS
    try:
        async with asyncio.timeout(server.timeout_seconds):
            await asyncio.get_running_loop().create_connection(
                factory, server.host, server.port,
                ssl=_trust(server.ca_file) if secure else None,
                server_hostname=server.host if secure else None,
            )  # fmt: skip
    except TimeoutError as error:
        raise Lost(f"{where}: no connection within {server.timeout_seconds:g} seconds") from error
    except (OSError, ssl.SSLError, ValueError) as error:
        raise Lost(f"{where}: {_reason(error)}") from error
    assert wire is not None
    wire.encrypted = secure
    return wire


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no encrypted connection: {error.reason or error}"
    return str(error) or type(error).__name__

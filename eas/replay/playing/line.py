"""A line to a server: requests out as they are, answers in as they come. No rule of the protocol is kept here.

`HttpLine` goes over HTTP with kept connections; `AsgiLine` goes to an application in this process, for tests.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from eas.protocol import http
from eas.replay.format.model import Headers, SessionError

#: Seconds without an answer after which a phone gives up; a wait gets its heartbeat on top.
PATIENCE_SECONDS = 90.0
#: Seconds in which a connection has to be there.
CONNECT_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came back: `status` is None where no answer came, and `why` says why. `body` as it travelled."""

    status: int | None
    headers: Headers = ()
    body: bytes = b""
    seconds: float = 0.0
    why: str = ""


class Line(Protocol):
    """Where requests go. `target` is path and query, percent-encoded. Raises nothing: a failure is a Received."""

    async def send(
        self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes, *,
        patience: float = PATIENCE_SECONDS,
    ) -> Received: ...

    def moved(self, location: str) -> bool:
        """The server is elsewhere from now on (451, X-MS-Location); False where that is not followed."""
        ...


def basic(user: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Place:
    """A server: scheme and host, and the path at which it speaks ActiveSync."""

    origin: str
    path: str = http.PATH

    @classmethod
    def of(cls, url: str) -> Place:
        """From an address with or without scheme and path; https where nothing is said. Raises SessionError."""
        parts = urlsplit(url if "://" in url else f"https://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SessionError(f"{url!r} is no address of a server: https://mail.example.com")
        try:
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            raise SessionError(f"{url!r} is no address of a server") from None
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        path = parts.path.rstrip("/") or http.PATH
        return cls(f"{parts.scheme}://{host}{port}", path)

    def url(self, target: str) -> str:
        """Where a target goes; other paths than ActiveSync's (Autodiscover) stay what they are."""
        path, mark, query = target.partition("?")
        here = self.path if path.rstrip("/").lower() == http.PATH.lower() else path
        return f"{self.origin}{here}{mark}{query}"

    def weaker(self, other: Place) -> bool:
        """Whether going on to `other` would take credentials out of TLS."""
        return self.origin.startswith("https:") and not other.origin.startswith("https:")


class HttpLine:
    """A server over HTTP, with connections that are kept. Use as a context.

    `verify` False takes any certificate, `ca` is a file of those to trust; `certificate` and `key` are the client's.
    `connections` are open at once at most, 0 for as many as there are requests.
    """

    def __init__(
        self, url: str, user: str = "", password: str = "", *, verify: bool = True, ca: Path | str | None = None,
        certificate: Path | str | None = None, key: Path | str | None = None, connections: int = 0,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        """Raises SessionError for an address, OSError for files that cannot be used. A `session` is shared, and left
        open."""
        self.place = Place.of(url)
        self.credentials = basic(user, password) if user else ""
        self._tls = trusted(verify, ca, certificate, key)
        self._connections = connections
        self._session, self._own = session, session is None

    async def __aenter__(self) -> HttpLine:
        if self._session is None:
            self._session = client(self._connections, self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own and self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes, *,
        patience: float = PATIENCE_SECONDS,
    ) -> Received:
        assert self._session is not None, "the line is not open"
        stated = list(headers)
        if self.credentials:
            stated.append(("Authorization", self.credentials))
        began = time.perf_counter()
        try:
            async with self._session.request(
                method, URL(self.place.url(target), encoded=True), headers=stated, data=body or None,
                allow_redirects=False, timeout=aiohttp.ClientTimeout(connect=CONNECT_SECONDS, total=patience),
            ) as answer:
                came = await answer.read()
                return Received(
                    status=answer.status, headers=tuple(answer.headers.items()), body=came,
                    seconds=time.perf_counter() - began,
                )
        except TimeoutError:
            why = f"no answer within {patience:.0f} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
        return Received(status=None, seconds=time.perf_counter() - began, why=why)

    def moved(self, location: str) -> bool:
        try:
            there = Place.of(location)
        except SessionError:
            return False
        if self.place.weaker(there):
            return False
        self.place = there
        return True


def client(connections: int, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    """A session whose requests have those headers alone that they are given, and whose answers stay packed."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ssl=tls, keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


def trusted(
    verify: bool = True, ca: Path | str | None = None, certificate: Path | str | None = None,
    key: Path | str | None = None,
) -> ssl.SSLContext | bool:
    """What certificates are taken, and which one is shown; True for the usual ones. Raises OSError."""
    if verify and not ca and not certificate:
        return True
    context = ssl.create_default_context(cafile=ca)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


class AsgiLine:
    """An ASGI application in this process."""

    def __init__(self, app: Any, user: str = "", password: str = "") -> None:
        self._app = app
        self.credentials = basic(user, password) if user else ""

    async def send(
        self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes, *,
        patience: float = PATIENCE_SECONDS,
    ) -> Received:
        stated = [*headers, ("Host", "localhost"), ("Content-Length", str(len(body)))]
        if self.credentials:
            stated.append(("Authorization", self.credentials))
        path, _, query = target.partition("?")
        raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in stated]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode("utf-8", "surrogateescape"),
            "root_path": "", "headers": raw, "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        }
        call = _Call(body)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(patience):
                await self._app(scope, call.receive, call.send)
        except TimeoutError:
            return Received(status=None, seconds=time.perf_counter() - began, why=f"no answer within {patience:.0f} s")
        return Received(
            status=call.status, headers=tuple(call.headers), body=b"".join(call.pieces),
            seconds=time.perf_counter() - began,
        )

    def moved(self, location: str) -> bool:
        return True


class _Call:
    """One request of ASGI, from the server's side of it."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.pieces: list[bytes] = []

    async def receive(self) -> dict[str, Any]:
        if self._body is None:
            await asyncio.Event().wait()  # nobody goes away here
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
        elif message["type"] == "http.response.body":
            self.pieces.append(message.get("body", b""))

"""HTTP to DAV servers: one session for the whole gateway, connections limited by host; it raises DavError alone.

Credentials are sent at once with every request (Cyrus answers an anonymous PROPFIND with 207), to the configured origin
and nowhere else: redirects are followed on the same host, a few, with the same method; of whole URLs the path alone is
taken. No proxy and no login of the environment, no cookies (users share the session), no compression (a small answer
could grow large).
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from eas.backends.calls import Call

from .hrefs import resolved, sendable, split
from .model import LoginRefused, Refused, Unreachable
from .xmlbody import BadXml, MultistatusReader, Response, condition_of

#: Connections at a time to one server and in all: more requests than these wait. Servers such as SOGo and Radicale have
#: some ten workers; what waits here would only wait there.
PER_HOST, IN_ALL = 24, 200
#: Seconds to connect at most. A whole answer may take so many times the server's time-out, in which each piece of it
#: must come: a listing of a large collection is made slowly.
CONNECT_SECONDS, WHOLE = 10.0, 4
#: Octets: of a multistatus (250 objects with photos, or a listing of 200,000), of an object (`contentline.MAX_BYTES`),
#: of any other answer, and of an error's body, which is read for its precondition only.
MAX_MULTISTATUS, MAX_OBJECT, MAX_OTHER, MAX_ERROR = 128 << 20, 32 << 20, 4 << 20, 64 << 10
#: From http to https, from well-known to the context path, to the path with a slash.
REDIRECTS = 4
_PIECE: Final = 64 << 10

#: Sent again if the server closed an idle connection just then; all others may have been done.
_REPEATABLE = frozenset({"PROPFIND", "REPORT", "GET", "OPTIONS"})
_AGENT = "eas-gateway"
#: What a call is timed as; all others write.
_OPERATIONS = {"PROPFIND": "list", "REPORT": "report", "GET": "get", "OPTIONS": "other", "POST": "other"}


class Garbled(Unreachable):
    """An answer that is no answer: not XML, cut off, or too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """How one user enters a server. `origin` is "https://host:port"; `other` that of the address books, "" if it is the
    same one."""

    origin: str
    authorization: str = field(repr=False)
    other: str = ""
    ca_file: str = ""
    timeout_seconds: float = 30.0

    def origin_of(self, href: str) -> str:
        """Raises Unreachable for an href of somebody else's."""
        named = split(href)[0]
        if named and named not in (self.origin, self.other):
            raise Unreachable("an address on another server")
        return named or self.origin

    def resolved(self, href: str, asked: str) -> str | None:
        """An href out of an answer to `asked`; None if it is to be passed over."""
        origin = self.origin_of(asked)
        path = resolved(href, asked, origin)
        return path if path is None or origin == self.origin else origin + path


def basic(login: str, password: str) -> str:
    """RFC 7617"""
    return "Basic " + b64encode(f"{login}:{password}".encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`href` is where it came from after redirects; headers by name in any case, once each."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    href: str


class Transport:
    """Opened at the first request. Close it when done."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._trust: dict[str, ssl.SSLContext] = {}

    async def send(
        self, entrance: Entrance, method: str, href: str, body: bytes = b"",
        headers: Mapping[str, str] | None = None, *, most: int = MAX_OTHER,
    ) -> Reply:
        """Raises LoginRefused, Refused (any other status than 2xx), Unreachable."""
        async with self._asked(entrance, method, href, body, headers or {}) as (response, asked):
            whole = b"".join([piece async for piece in _pieces(response, most)])
            told = response.headers
            # Cyrus spreads its DAV header over several lines. RFC 9110 5.3
            joined = CIMultiDict((name, ", ".join(told.getall(name))) for name in dict.fromkeys(told))
            return Reply(status=response.status, headers=joined, body=whole, href=asked)

    async def multistatus(
        self, entrance: Entrance, method: str, href: str, body: bytes, depth: str, reader: MultistatusReader
    ) -> AsyncIterator[Response]:
        """The responses as they come; the last one comes only if the document was whole. Raises as `send`; Garbled for
        what is no multistatus."""
        # Cyrus wants a Content-Type; the charset is that of the declaration.
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        async with self._asked(entrance, method, href, body, headers) as (response, _):
            if response.status != 207:
                raise Garbled(f"{response.status} to {method}")
            try:
                async for piece in _pieces(response, MAX_MULTISTATUS):
                    for found in reader.feed(piece):
                        yield found
                for found in reader.close():
                    yield found
            except BadXml as error:
                raise Garbled(str(error)) from error

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @asynccontextmanager
    async def _asked(
        self, entrance: Entrance, method: str, href: str, body: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, str]]:
        """An answer of success, and the href that gave it."""
        with Call("dav", _OPERATIONS.get(method, "write"), _reason_of) as call, _translated():
            response, asked = await self._following(entrance, method, href, body, headers)
            call.answered()
            try:
                if not 200 <= response.status < 300:
                    await _refuse(response)
                yield response, asked
            finally:
                # What was read to its end has gone back into the pool already; of what was not, nothing more is wanted.
                response.close()

    async def _following(
        self, entrance: Entrance, method: str, href: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, str]:
        asked = href
        for _ in range(REDIRECTS + 1):
            response = await self._once(entrance, method, asked, body, headers)
            if response.status not in (301, 302, 303, 307, 308):
                return response, asked
            told = response.headers.get("Location", "")
            response.close()
            target = entrance.resolved(told, asked)
            if target is None:
                raise Unreachable(f"it sends us to another server: {told[:200]}")
            asked = target
        raise Unreachable("it sends us on and on")

    async def _once(
        self, entrance: Entrance, method: str, href: str, body: bytes, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        origin = entrance.origin_of(href)
        # Only what was asked for by whole URL has its origin in it.
        url = URL(origin + split(sendable(href))[1], encoded=True)
        seconds = entrance.timeout_seconds
        limits = aiohttp.ClientTimeout(
            total=seconds * WHOLE, connect=seconds, sock_connect=min(seconds, CONNECT_SECONDS), sock_read=seconds
        )
        for attempt in range(2):
            try:
                return await self._opened().request(
                    method, url, data=body or None, allow_redirects=False, timeout=limits,
                    ssl=self._trusting(entrance.ca_file),
                    headers={
                        "Authorization": entrance.authorization, "Accept-Encoding": "identity", "User-Agent": _AGENT,
                        **headers,
                    },
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                lost = isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError | BrokenPipeError)
                if attempt or not lost or method not in _REPEATABLE:
                    raise
        raise AssertionError

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=IN_ALL, limit_per_host=PER_HOST),
                cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
                skip_auto_headers=("Content-Type",),
            )
        return self._session

    def _trusting(self, ca_file: str) -> ssl.SSLContext:
        if ca_file not in self._trust:
            self._trust[ca_file] = ssl.create_default_context(cafile=ca_file or None)
        return self._trust[ca_file]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise Unreachable("no answer in time") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}"[:300]) from error


def _reason_of(error: BaseException) -> str:
    if isinstance(error, LoginRefused):
        return "login"
    if isinstance(error, Refused):
        return "refused" if error.status >= 500 or error.status == 429 else ""
    return "lost" if isinstance(error, Unreachable) else ""


async def _pieces(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Garbled("compressed, though asked not to be")
    size = 0
    async for piece in response.content.iter_chunked(_PIECE):
        size += len(piece)
        if size > most:
            raise Garbled(f"more than {most} octets")
        yield piece


async def _refuse(response: aiohttp.ClientResponse) -> None:
    """Raise what the status and the body mean."""
    if response.status == 401:
        raise LoginRefused(401, response.reason or "")
    if response.status < 400:
        raise Unreachable(f"{response.status} {response.reason or ''}")
    body = b""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            body = b"".join([piece async for piece in _pieces(response, MAX_ERROR)])
    except (Garbled, TimeoutError, aiohttp.ClientError):
        pass
    raise Refused(response.status, response.reason or "", condition_of(body) if body.lstrip().startswith(b"<") else "")

"""Requests on to the server, answers back to the client, both as they come: nothing is held back, nothing times out.

A request is sent to the server on a connection of its own. On one that is kept open the server may hang up at the
moment in which the next request is sent, and whether it was carried out nobody knows: the recording would have faults
that the server does not have.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from eas.protocol import query as queries
from eas.replay.format.capture import unpacked
from eas.replay.format.model import Headers, header

from . import rewriting
from .recording import Recording
from .talk import Talk

#: Headers that belong to one connection, in lower case. RFC 9110, 7.6.1.
HOP = frozenset({
    "connection", "proxy-connection", "keep-alive", "te", "transfer-encoding", "upgrade", "expect",
    "proxy-authorization",
})
#: Bytes of a target or a header.
MAX_LINE = 64 * 1024
CONNECT_SECONDS = 30.0
#: Bytes of an answer of Autodiscover, which has to be read as a whole; a real one has a thousand.
MAX_DISCOVERED = 1024 * 1024

UNREACHABLE = "the server cannot be reached"
WENT_AWAY = "the client went away"
BROKE_OFF = "the server broke the answer off"
ENDED = "the recording ended"


@dataclass(slots=True)
class Places:
    """Where requests go: to the server, unless it has said that a device's mailbox is elsewhere."""

    server: str
    activesync: str = ""
    of_device: dict[str, str] = field(default_factory=dict)

    def place(self, target: str) -> str:
        if not rewriting.is_activesync(target):
            return self.server
        return self.of_device.get(_device(target)) or self.activesync or self.server

    def redirected(self, target: str, origin: str) -> None:
        if device := _device(target):
            self.of_device[device] = origin


def _device(target: str) -> str:
    try:
        return queries.parse(target.partition("?")[2]).device_id
    except queries.QueryError:
        return ""


class Forwarder:
    """`ours` is the host and port for clients that say no Host."""

    def __init__(
        self, places: Places, session: aiohttp.ClientSession, recording: Recording, scheme: str, ours: str
    ) -> None:
        self._places, self._session, self._recording = places, session, recording
        self._scheme, self._ours = scheme, ours
        self.stopping = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        await self._recording.room()
        target = request.raw_path
        place = self._places.place(target)
        talk = Talk(method=request.method, target=target, headers=_asked(request.raw_headers, place))
        try:
            return await self._pass(request, talk, place)
        except aiohttp.ClientError as error:
            return self._failed(request, talk, error)
        except (asyncio.CancelledError, _Gone):
            talk.end(None, ENDED if self.stopping else WENT_AWAY)
            raise
        finally:
            self._recording.add(talk)

    def _failed(self, request: web.Request, talk: Talk, error: aiohttp.ClientError) -> web.StreamResponse:
        """Of the server, before its answer or in the middle of it."""
        talk.end(None, BROKE_OFF if talk.answered else f"{UNREACHABLE}: {reason(error)}")
        if talk.passing:
            if request.transport is not None:
                request.transport.abort()  # the client has to see that this is not the whole answer
            raise _Gone from error
        return web.Response(status=502, text=f"{talk.why}\n")

    async def _pass(self, request: web.Request, talk: Talk, place: str) -> web.StreamResponse:
        has_body = request.body_exists
        async with self._session.request(
            talk.method, URL(place + talk.target, encoded=True), headers=CIMultiDict(talk.headers),
            data=_sent(request, talk) if has_body else None, allow_redirects=False,
        ) as answer:
            talk.answered = True
            talk.answer_headers = _headers(answer.raw_headers)
            told, changes = rewriting.for_client(_through(talk.answer_headers), place, self._name(request))
            talk.comments += dict.fromkeys(change.comment for change in changes)
            if answer.status == 451:
                for change in changes:
                    if change.origin:
                        self._places.redirected(talk.target, change.origin)
            if rewriting.is_autodiscover(talk.target):
                return await self._discovered(request, talk, answer, told)
            return await self._streamed(request, talk, answer, told)

    async def _streamed(
        self, request: web.Request, talk: Talk, answer: aiohttp.ClientResponse, told: Headers
    ) -> web.StreamResponse:
        response = _AsItCame(answer, told)
        talk.passing = True
        await response.begin(request)
        async for piece in answer.content.iter_any():
            await _write(response, talk.told.take(piece))
        await _write(response, b"", last=True)
        talk.end(answer.status)
        return response

    async def _discovered(
        self, request: web.Request, talk: Talk, answer: aiohttp.ClientResponse, told: Headers
    ) -> web.StreamResponse:
        """An answer of Autodiscover, with our address where it names the server."""
        async for piece in answer.content.iter_any():
            talk.told.take(piece)
            if talk.told.size > MAX_DISCOVERED:
                raise aiohttp.ClientPayloadError("an answer of Autodiscover that does not end")
        body = talk.told.data
        try:
            plain = unpacked(body, header(told, "Content-Encoding"))
            found, named = rewriting.discovered(plain, self._name(request))
        except (ValueError, zlib.error, gzip.BadGzipFile):
            plain, found, named = body, body, []
        if found != plain:
            body = found
            told = _without(told, "content-encoding")
            talk.comments.append("for the client the proxy wrote its own address into this answer")
        told = _without(told, "content-length")
        for origin in named:
            self._places.activesync = origin
        response = _AsItCame(answer, (*told, ("Content-Length", str(len(body)))))
        talk.passing = True
        await response.begin(request)
        await _write(response, body, last=True)
        talk.end(answer.status)
        return response

    def _name(self, request: web.Request) -> str:
        """The origin under which the client knows us."""
        return f"{self._scheme}://{request.headers.get('Host') or self._ours}"


class _Gone(ConnectionResetError):
    """The client does not listen any more."""


class _AsItCame(web.StreamResponse):
    """With the headers that the server sent, and no others of aiohttp's own."""

    def __init__(self, answer: aiohttp.ClientResponse, headers: Headers) -> None:
        super().__init__(status=answer.status, reason=answer.reason, headers=CIMultiDict(headers))
        self._sent = frozenset(name.lower() for name, _ in headers)

    async def begin(self, request: web.Request) -> None:
        try:
            await self.prepare(request)
        except (aiohttp.ClientError, ConnectionError):
            raise _Gone from None

    def clean(self) -> None:
        for name in {"Server", "Date", "Content-Type"}:
            if name.lower() not in self._sent:
                self.headers.pop(name, None)


async def _clean(request: web.BaseRequest, response: web.StreamResponse) -> None:
    if isinstance(response, _AsItCame):
        response.clean()


async def _write(response: web.StreamResponse, piece: bytes, *, last: bool = False) -> None:
    try:
        await (response.write_eof(piece) if last else response.write(piece))
    except (aiohttp.ClientError, ConnectionError):
        raise _Gone from None


# Messages ------------------------------------------------------------------------------------------------------------


async def _sent(request: web.Request, talk: Talk) -> AsyncIterator[bytes]:
    async for piece in request.content.iter_any():
        yield talk.asked.take(piece)


def _headers(raw: tuple[tuple[bytes, bytes], ...]) -> Headers:
    """As they came, in their own case."""
    return tuple(
        (name.decode("ascii", "replace"), value.decode("utf-8", "surrogateescape")) for name, value in raw
    )


def _through(headers: Headers) -> Headers:
    """Those that are passed on."""
    named = {name.strip().lower() for key, value in headers if key.lower() == "connection" for name in value.split(",")}
    return tuple(one for one in headers if one[0].lower() not in HOP | named)


def _without(headers: Headers, *names: str) -> Headers:
    return tuple(one for one in headers if one[0].lower() not in names)


def _asked(raw: tuple[tuple[bytes, bytes], ...], place: str) -> Headers:
    """The request's, with the name of the server, as a client without a proxy would call it."""
    host = place.partition("://")[2]
    return tuple((name, host if name.lower() == "host" else value) for name, value in _through(_headers(raw)))


def reason(error: aiohttp.ClientError) -> str:
    """In words, without addresses."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted ({getattr(error.certificate_error, 'verify_message', '')})"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        number = cause.errno or 0  # negative, or none, where a name is not found
        return os.strerror(number) if number > 0 else cause.strerror or type(cause).__name__
    return {
        aiohttp.ServerDisconnectedError: "it hung up without an answer",
        aiohttp.ConnectionTimeoutError: "it does not take the connection",
        aiohttp.ServerTimeoutError: "it does not take the connection",
    }.get(type(error), type(error).__name__)


# Both sides ----------------------------------------------------------------------------------------------------------


def session(ssl: object) -> aiohttp.ClientSession:
    """To the server. `ssl` as aiohttp has it: a context, or False for any certificate."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True, ssl=ssl),  # type: ignore[arg-type]
        cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False, max_line_size=MAX_LINE,
        max_field_size=MAX_LINE, timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


def application(forwarder: Forwarder) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forwarder.handle)
    app.on_response_prepare.append(_clean)
    return app


def runner(forwarder: Forwarder) -> web.AppRunner:
    return web.AppRunner(
        application(forwarder), access_log=None, handler_cancellation=True, auto_decompress=False,
        max_line_size=MAX_LINE, max_field_size=MAX_LINE, shutdown_timeout=1.0, keepalive_timeout=3600,
    )

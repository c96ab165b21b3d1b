"""An answer as a value, and how it is sent: in one piece, with its length, compressed where that is worth it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import structlog
from starlette.types import Scope, Send

from eas.engine.errors import BackendError

from .streaming import Streamed

log = structlog.get_logger("eas.server")

#: Bytes below which gzip gains little: with the headers a small answer fits into one packet anyway.
GZIP_FROM = 1400
#: Bytes from which compressing is left to a thread: 64 KiB take a millisecond or two.
GZIP_IN_THREAD = 64 * 1024
#: Level 5 of zlib: 6 costs half as much again for one percent.
GZIP_LEVEL = 5
#: What is compressed in itself already, or arrives so. Prefixes of the media type.
NOT_COMPRESSED = ("image/", "audio/", "video/", "application/zip", "application/gzip", "application/pdf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`body` is Streamed where it is too large to be at hand. `challenges` are sent as WWW-Authenticate, a line each:
    clients do not find theirs in a list."""

    http: int = 200
    body: bytes | Streamed = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    challenges: tuple[str, ...] = ()

    def with_headers(self, headers: Mapping[str, str]) -> Reply:
        """With these besides; its own win."""
        return replace(self, headers={**headers, **self.headers})


def plain(http: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A line of text for people; devices read the status only."""
    return Reply(http=http, body=f"{text}\n".encode(), content_type="text/plain; charset=utf-8", headers=headers or {})


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header has gzip, and not with a quality of 0. RFC 9110 12.5.3"""
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.strip().partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            return parameters.replace(" ", "").rstrip("0").rstrip(".") not in ("q=0", "q=")
    return False


async def compressed(reply: Reply, accept_encoding: str) -> Reply:
    whole = reply.body
    if isinstance(whole, Streamed) or len(whole) < GZIP_FROM or reply.content_type.startswith(NOT_COMPRESSED):
        return reply
    if not accepts_gzip(accept_encoding):
        return reply
    if len(whole) < GZIP_IN_THREAD:
        body = gzip.compress(whole, GZIP_LEVEL)
    else:
        body = await asyncio.to_thread(gzip.compress, whole, GZIP_LEVEL)
    headers = {**reply.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return replace(reply, body=body, headers=headers)


async def send_reply(reply: Reply, scope: Scope, send: Send) -> None:
    """An answer to HEAD has the length, not the body. An empty body has no type."""
    body = reply.body
    length = body.length if isinstance(body, Streamed) else len(body)
    headers = [(b"content-length", str(length).encode())] if reply.http != 204 else []  # RFC 9110 8.6
    if length:
        headers.append((b"content-type", reply.content_type.encode("latin-1")))
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    headers += [(b"www-authenticate", one.encode("latin-1")) for one in reply.challenges]
    await send({"type": "http.response.start", "status": reply.http, "headers": headers})
    if isinstance(body, Streamed):
        await _send_pieces(body, send)
    else:
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def _send_pieces(body: Streamed, send: Send) -> None:
    """Ends the connection, by ending too early, where the content cannot be read to its end."""
    left = body.length
    try:
        async with aclosing(body.pieces()) as pieces:
            async for piece in pieces:
                left -= len(piece)
                if left < 0:
                    break
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    except BackendError as error:
        log.warning("an answer broke off", missing=left, reason=str(error))
        return
    if left:
        log.warning("an answer broke off", missing=left, reason="the content has changed")
        return
    await send({"type": "http.response.body", "body": b""})

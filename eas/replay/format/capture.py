"""HTTP messages, as whoever recorded or exported them saw them, -> Exchange. What is secret never gets in."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from datetime import datetime

from .body import body_of
from .model import Answer, Binary, Body, Exchange, Headers, Request, header

#: Headers that say how a message travelled and not what it said, in lower case: not recorded.
TRANSPORT = frozenset({
    "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "via", "forwarded", "x-forwarded-for",
    "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "date", "expect", "content-length",
})
#: Headers whose value is secret, in lower case: what stands in a file says only how somebody logged in.
SECRET = frozenset({
    "authorization", "proxy-authorization", "cookie", "set-cookie", "x-ssl-client-cert", "x-client-cert",
    "x-forwarded-client-cert", "x-auth-token", "x-api-key",
})
#: What stands in the place of a secret.
HIDDEN = "***"
#: Bytes that a compressed body may become.
MAX_UNPACKED = 256 * 1024 * 1024


def exchange_of(
    *, number: int, time: datetime, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes,
    status: int | None, seconds: float, answer_headers: Iterable[tuple[str, str]] = (), answer: bytes = b"",
    why: str = "",
) -> Exchange:
    """Headers as they came, in order. Bodies as they travelled: `gzip` and `deflate` are undone."""
    asked, told = kept(headers), kept(answer_headers)
    return Exchange(
        number=number, time=time,
        request=Request(method=method, target=target, headers=asked, body=read_body(body, asked)),
        answer=Answer(status=status, seconds=seconds, headers=told, body=read_body(answer, told), why=why),
    )


def kept(headers: Iterable[tuple[str, str]]) -> Headers:
    """The headers that matter, without secrets. What stands in no file is left to `writing`."""
    return tuple(
        (name, _hidden(value) if name.lower() in SECRET else value)
        for name, value in headers if name.lower() not in TRANSPORT
    )


def _hidden(value: str) -> str:
    """The scheme alone, as in `Basic ***`."""
    scheme, blank, _ = value.strip().partition(" ")
    return f"{scheme} {HIDDEN}" if blank and scheme.isalnum() else HIDDEN


def read_body(data: bytes, headers: Headers) -> Body:
    try:
        return body_of(unpacked(data, header(headers, "Content-Encoding")), header(headers, "Content-Type"))
    except ValueError as error:
        return Binary(data, str(error))


def unpacked(data: bytes, encoding: str) -> bytes:
    """Raises ValueError for data that is not what it says, or too large."""
    wanted = encoding.strip().lower()
    if not data or wanted in ("", "identity"):
        return data
    if wanted not in ("gzip", "x-gzip", "deflate"):
        raise ValueError(f"content encoding {wanted[:20]} is not read")
    try:
        if wanted == "deflate":
            return _inflated(data)
        return _bounded(zlib.decompressobj(zlib.MAX_WBITS | 16), data)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"no {wanted}: {error}") from None


def _inflated(data: bytes) -> bytes:
    try:
        return _bounded(zlib.decompressobj(), data)
    except zlib.error:  # some leave the header out
        return _bounded(zlib.decompressobj(-zlib.MAX_WBITS), data)


def _bounded(how: zlib._Decompress, data: bytes) -> bytes:
    out = how.decompress(data, MAX_UNPACKED)
    if how.unconsumed_tail or not how.eof:
        raise ValueError("compressed data that ends early, or is too large")
    return out

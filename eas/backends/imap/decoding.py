"""Transfer encodings undone piece by piece, for servers that cannot (BINARY). RFC 2045. Tolerant; never fails."""

from __future__ import annotations

import binascii
from collections.abc import AsyncGenerator, Callable

from eas.items.headers import base64_bytes

Undo = Callable[[AsyncGenerator[bytes, None]], AsyncGenerator[bytes, None]]

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
#: A line of quoted-printable without an end is not waited for any longer.
_MAX_LINE = 64 << 10


async def plain(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async for piece in pieces:
        yield piece


async def base64(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    left = b""
    async for piece in pieces:
        left += piece.translate(None, _NOT_BASE64)
        whole = len(left) // 4 * 4
        if whole:
            yield binascii.a2b_base64(left[:whole])
            left = left[whole:]
    if left:
        yield base64_bytes(left)


async def quoted_printable(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    left = b""
    async for piece in pieces:
        left += piece
        end = left.rfind(b"\n") + 1
        if end or len(left) > _MAX_LINE:
            end = end or len(left) - 2
            yield binascii.a2b_qp(left[:end])
            left = left[end:]
    if left:
        yield binascii.a2b_qp(left)


_UNDO: dict[str, Undo] = {"base64": base64, "quoted-printable": quoted_printable}


def of(encoding: str) -> Undo:
    """By the lower-case name; what is unknown stays as it is."""
    return _UNDO.get(encoding, plain)



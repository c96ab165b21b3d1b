"""Answers that are too large to be at hand: written as their content comes, with the length that it will have.

What is said of an answer (its status, its length) stands before the content is read. If that breaks off, so does the
connection: the device sees that the answer is not whole, and asks again.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from eas.protocol import http
from eas.protocol.wbxml import Later


@dataclass(frozen=True, slots=True)
class Streamed:
    """A body of `length` octets, which come from `pieces`."""

    length: int
    pieces: Callable[[], AsyncGenerator[bytes, None]]


def document(pieces: Sequence[bytes | Later]) -> Streamed:
    """A document whose contents come in base64."""
    length = sum(4 * -(-piece.octets // 3) if isinstance(piece, Later) else len(piece) for piece in pieces)

    async def written() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            if not isinstance(piece, Later):
                yield piece
                continue
            async for encoded in _base64(piece.pieces()):
                yield encoded

    return Streamed(length, written)


def octets(content: Later) -> Streamed:
    """The content by itself."""

    async def written() -> AsyncGenerator[bytes, None]:
        async for piece in content.pieces():
            yield piece

    return Streamed(content.octets, written)


def multipart(parts: Sequence[bytes | Later]) -> Streamed:
    """A multipart body. Raises ValueError as `http.multipart`."""
    lengths = [part.octets if isinstance(part, Later) else len(part) for part in parts]
    head = http.multipart_head(lengths)

    async def written() -> AsyncGenerator[bytes, None]:
        yield head
        for part in parts:
            if not isinstance(part, Later):
                yield part
                continue
            async for piece in part.pieces():
                yield piece

    return Streamed(len(head) + sum(lengths), written)


async def _base64(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Three octets make four characters; what is left over waits for the next piece."""
    rest = b""
    async for piece in pieces:
        data = rest + piece
        whole = len(data) // 3 * 3
        rest = data[whole:]
        if whole:
            yield b64encode(memoryview(data)[:whole])
    if rest:
        yield b64encode(rest)

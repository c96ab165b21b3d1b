"""Answers that are written as their content comes: the length that was said, or a connection that breaks off."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.engine.errors import Unavailable
from eas.protocol import http, wbxml
from eas.protocol.wbxml import Element, Later
from eas.server import streaming
from eas.server.reply import Reply, send_reply
from eas.server.streaming import Streamed

PIECES = st.lists(st.binary(max_size=20), max_size=8)


def later(pieces: list[bytes]) -> Later:
    async def come() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return Later(sum(map(len, pieces)), come)


def collected(streamed: Streamed) -> bytes:
    async def collect() -> bytes:
        return b"".join([piece async for piece in streamed.pieces()])

    return asyncio.run(collect())


@given(PIECES)
def test_a_document_is_as_if_it_had_been_at_hand(pieces: list[bytes]) -> None:
    def document(data: str) -> Element:
        around = Element("ItemOperations:Status", "1")
        return Element("ItemOperations:ItemOperations", (around, Element("ItemOperations:Data", data), around))

    streamed = streaming.document(wbxml.encode_pieces(document(later(pieces))))
    octets = collected(streamed)
    assert len(octets) == streamed.length
    root = wbxml.decode(octets)
    assert base64.b64decode(root.elements[1].text) == b"".join(pieces)
    assert [one.text for one in root.elements[::2]] == ["1", "1"]


@given(st.lists(PIECES, min_size=1, max_size=4))
def test_parts_are_as_if_they_had_been_at_hand(parts: list[list[bytes]]) -> None:
    streamed = streaming.multipart([later(pieces) for pieces in parts])
    octets = collected(streamed)
    assert len(octets) == streamed.length
    assert octets == http.multipart([b"".join(pieces) for pieces in parts])


def test_what_is_not_at_hand_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="not at hand"):
        wbxml.encode(Element("ItemOperations:Data", later([b"x"])))


@pytest.mark.parametrize("shortfall", [lambda: Unavailable("away"), None])
async def test_an_answer_that_breaks_off_does_not_end(shortfall: Callable[[], Exception] | None) -> None:
    """The server under us ends the connection then: the device sees fewer octets than it was told."""

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"half"
        if shortfall is not None:
            raise shortfall()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await send_reply(Reply(body=Streamed(8, pieces), content_type="x/y"), {"method": "POST"}, send)
    assert sent[0]["headers"][0] == (b"content-length", b"8")
    assert [one["body"] for one in sent[1:]] == [b"half"]
    assert all(one["more_body"] for one in sent[1:])

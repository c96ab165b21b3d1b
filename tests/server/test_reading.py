"""Requests are read within limits, and addresses believed only where they are to be."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest

from eas.server import reading
from eas.server.reading import Gone, TooLong, base_url, client_address, read_body
from eas.server.reply import Reply, accepts_gzip, compressed

PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def receiving(*messages: dict[str, Any]) -> Any:
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def chunk(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # not a trusted proxy: anybody can write the header
        ("10.1.1.1", "203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the first is the client's own claim
        ("10.1.1.1", "203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ("10.1.1.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.1.1.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.1.1.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "unknown", "10.1.1.1"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("", "203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_client_is_who_a_trusted_proxy_says(peer: str, forwarded: str, address: str) -> None:
    scope = {"client": (peer, 1) if peer else None}
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert client_address(scope, headers, PROXIES) == address


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert client_address({"client": ("127.0.0.1", 1)}, {"x-forwarded-for": "203.0.113.9"}, ()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("peer", "headers", "public", "url"),
    [
        ("192.0.2.1", {"host": "mail.example.com"}, "https://m.example.com/", "https://m.example.com"),
        ("192.0.2.1", {"host": "mail.example.com:8080"}, "", "http://mail.example.com:8080"),
        ("192.0.2.1", {"host": "mail.example.com", "x-forwarded-proto": "https"}, "", "http://mail.example.com"),
        ("10.1.1.1", {"host": "mail.example.com", "x-forwarded-proto": "https"}, "", "https://mail.example.com"),
        ("10.1.1.1", {"host": 'a"><b>/x', "x-forwarded-proto": "javascript"}, "", "http://abx"),
    ],
)
def test_the_own_address(peer: str, headers: dict[str, str], public: str, url: str) -> None:
    assert base_url({"client": (peer, 1), "scheme": "http"}, headers, PROXIES, public) == url


async def test_a_body_comes_in_pieces() -> None:
    assert await read_body(receiving(chunk(b"ab", True), chunk(b"", True), chunk(b"c")), {}, 3) == b"abc"


async def test_a_stated_length_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLong):
        await read_body(receiving(), {"content-length": "4"}, 3)


async def test_a_length_beyond_the_limit_shows_while_reading() -> None:
    with pytest.raises(TooLong):
        await read_body(receiving(chunk(b"ab", True), chunk(b"cd", True)), {}, 3)


async def test_a_client_that_goes_or_falls_silent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Gone):
        await read_body(receiving(chunk(b"ab", True), {"type": "http.disconnect"}), {}, 3)
    monkeypatch.setattr(reading, "SILENCE_SECONDS", 0.01)
    with pytest.raises(Gone):
        await read_body(receiving(chunk(b"ab", True)), {}, 3)


@pytest.mark.parametrize(
    ("header", "yes"),
    [
        ("gzip", True), ("gzip, deflate, br", True), ("deflate, GZIP;q=0.5", True), ("x-gzip", True), ("", False),
        ("deflate", False), ("gzip;q=0", False), ("gzip; q=0.000", False), ("identity, gzip;q=0.001", True),
    ],
)
def test_gzip_is_for_those_who_ask(header: str, yes: bool) -> None:
    assert accepts_gzip(header) is yes


async def test_small_answers_and_pictures_are_not_compressed() -> None:
    small = Reply(body=b"x" * 100, content_type="text/plain")
    picture = Reply(body=b"x" * 100_000, content_type="image/jpeg")
    assert await compressed(small, "gzip") is small
    assert await compressed(picture, "gzip") is picture


@pytest.mark.parametrize("size", [5_000, 200_000])
async def test_large_answers_are_compressed(size: int) -> None:
    import gzip

    large = Reply(body=b"abc" * size, content_type="application/vnd.ms-sync.wbxml", headers={"A": "b"})
    smaller = await compressed(large, "gzip")
    assert smaller.headers["Content-Encoding"] == "gzip"
    assert smaller.headers["A"] == "b"
    assert gzip.decompress(smaller.body) == large.body
    assert await compressed(large, "br") is large

"""Lists of revoked certificates: from where, how much, how long, and how often. [MS-ASCMD] CheckCRL R892."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from eas.backends.crl import AILING_SECONDS, FRESH_SECONDS, HttpRevocationLists
from eas.engine.errors import Unavailable


@dataclass
class Server:
    """Answers everything with `answer`; with `late` only when nobody waits any more."""

    port: int = 0
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlist"
    late: bool = False
    asked: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append((await reader.readuntil(b"\r\n\r\n")).split()[1])
            if self.late:
                await reader.read()  # until the other side gives up
            writer.write(self.answer)
        finally:
            writer.close()


@dataclass
class Now:
    seconds: float = 0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def serving(seconds: float = 60) -> AsyncIterator[tuple[Server, HttpRevocationLists, Now, str]]:
    server, now = Server(), Now()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    host = f"127.0.0.1:{server.port}"
    async with listening:
        lists = HttpRevocationLists(hosts=[host], monotonic=now, timeout_seconds=seconds, max_bytes=100)
        yield server, lists, now, f"http://{host}/"


async def test_a_list_is_fetched_once_a_while() -> None:
    async with serving() as (server, lists, now, url):
        both = await asyncio.gather(lists.fetch(url + "a"), lists.fetch(url + "a"))
        assert both == [b"list", b"list"]
        assert await lists.fetch(url + "a") == b"list"
        assert server.asked == [b"/a"]
        now.seconds += FRESH_SECONDS
        await lists.fetch(url + "a")
        assert server.asked == [b"/a", b"/a"]


@pytest.mark.parametrize(
    ("answer", "late"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101, False),
        (b"HTTP/1.1 500 Sorry\r\nContent-Length: 4\r\n\r\nlist", False),
        (b"HTTP/1.1 302 There\r\nLocation: /list\r\nContent-Length: 0\r\n\r\n", False),
        (b"nonsense\r\n\r\n", False),
        (b"", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlist", True),
    ],
)
async def test_what_does_not_come_is_unavailable_for_a_while(answer: bytes, late: bool) -> None:
    async with serving(0.5 if late else 60) as (server, lists, now, url):
        good, server.answer, server.late = server.answer, answer, late
        for _ in range(2):
            with pytest.raises(Unavailable):
                await lists.fetch(url)
        # The machine may stand still for as long as a short time-out before the server hears anything.
        assert len(server.asked) == 1 or (late and not server.asked)
        server.answer, server.late, lists.timeout_seconds = good, False, 60
        now.seconds += AILING_SECONDS
        assert await lists.fetch(url) == b"list"


@pytest.mark.parametrize(
    ("hosts", "url", "allowed"),
    [
        ([], "http://crl.example/x", False),
        (["crl.example"], "http://crl.example/x", True),
        (["crl.example"], "https://CRL.example:443/x", True),
        (["crl.example"], "http://crl.example:443/x", False),
        (["crl.example"], "http://sub.crl.example/x", False),
        (["crl.example"], "http://crl.example.net/x", False),
        (["crl.example"], "http://crl.example@other.example/x", False),
        (["crl.example"], "http://other.example/crl.example", False),
        (["crl.example"], "ftp://crl.example/x", False),
        (["crl.example:8080"], "http://crl.example:8080/x", True),
        (["crl.example:8080"], "http://crl.example/x", False),
        (["::1"], "http://[::1]/x", True),
        (["crl.example"], "http://crl.example:99999/x", False),
        (["crl.example"], "http://crl.example/\n", False),
    ],
)
async def test_only_allowed_hosts_are_asked(
    hosts: list[str], url: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def read(self: HttpRevocationLists, url: str) -> bytes:
        asked.append(url)
        return b"list"

    monkeypatch.setattr(HttpRevocationLists, "_read", read)
    found = await HttpRevocationLists(hosts=hosts, monotonic=Now()).fetch(url)
    assert (found, asked) == ((b"list", [url]) if allowed else (None, []))

"""What passes the proxy, passes unchanged, at once and for as long as it takes; what it wrote down is what was said."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from proxy_kit import EAS, TARGET, Answer, ask, in_front, proxied, serving

from eas.protocol import http
from eas.protocol.wbxml import Element, encode
from eas.replay.format.model import Document, Exchange, LeftOut, Text, header
from eas.replay.proxy import talk
from eas.replay.proxy.certificate import own_context
from eas.replay.proxy.rewriting import BadUrl, discovered, for_client, server_at

PING = Element("Ping:Ping", (Element("Ping:Status", "1"),))
FOLDERS = Element("FolderHierarchy:FolderSync", (Element("FolderHierarchy:Status", "1"),))


def answering(**fields: Any) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(**fields)

    return answer


async def test_all_of_a_request_and_an_answer(tmp_path: Path) -> None:
    """Names of headers in their own case, a gzipped answer as it is, no header that nobody sent."""
    got: list[tuple[str, dict[str, str], bytes]] = []
    packed = gzip.compress(encode(FOLDERS))

    async def answer(request: web.Request) -> web.Response:
        headers = {name.decode(): value.decode() for name, value in request.raw_headers}
        got.append((request.raw_path, headers, await request.read()))
        said = {"Content-Type": http.WBXML, "Content-Encoding": "gzip", "MS-Server-ActiveSync": "15.2", "Server": "IIS"}
        return web.Response(body=packed, headers=said)

    sent = {
        "MS-ASProtocolVersion": "14.1", "Authorization": "Basic YW5uYTpzZWNyZXQ=", "Content-Type": http.WBXML,
        "User-Agent": "Apple/1", "accept-encoding": "gzip", "Accept": "*/*",
    }
    async with serving(answer) as url, proxied(url, tmp_path) as proxy:
        back = await ask("POST", proxy.url + TARGET, encode(FOLDERS), sent)
    assert (back.status, back.body, back.headers["Server"]) == (200, packed, "IIS")
    ((path, headers, body),) = got
    assert (path, body) == (TARGET, encode(FOLDERS))
    length = {"Content-Length": str(len(body)), "Host": url.partition("://")[2]}
    assert headers == {**sent, **length, "Connection": "close"}
    found = proxy.one
    assert found.request.target == TARGET
    assert found.request.body == Document(FOLDERS)
    assert found.answer.body == Document(FOLDERS)
    assert header(found.request.headers, "Authorization") == "Basic ***"
    assert {"MS-ASProtocolVersion", "accept-encoding"} <= dict(found.request.headers).keys()
    assert b"c2VjcmV0" not in proxy.file.read_bytes()
    said = {name: proxy.meta.get(name) for name in ("device", "device type", "user", "server", "client", "protocol")}
    assert said == {
        "device": "A1", "device type": "SP", "user": "anna", "client": "Apple/1", "protocol": "14.1",
        "server": "IIS, MS-Server-ActiveSync 15.2",
    }


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "HEAD", "PROPFIND", "DELETE"])
async def test_all_methods(tmp_path: Path, method: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(headers={"X-Method": request.method, "Allow": "OPTIONS,POST"})

    async with in_front(answer, tmp_path) as proxy:
        back = await proxy.ask(method, "/?%41=b")
    assert (back.headers["X-Method"], back.headers["Allow"]) == (method, "OPTIONS,POST")
    assert (proxy.one.request.method, proxy.one.request.target) == (method, "/?%41=b")


async def test_a_request_without_a_length(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a" * 70_000
        yield b"b"

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Transfer-Encoding"] == "chunked"
        return web.Response(text=str(len(await request.read())))

    async with in_front(answer, tmp_path) as proxy:
        assert (await proxy.post(data=pieces())).text == "70001"


async def test_bytes_pass_as_they_come(tmp_path: Path) -> None:
    """A server that keeps a wait alive with a byte now and then."""
    more = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": http.WBXML})
        await response.prepare(request)
        await response.write(encode(PING)[:1])
        await more.wait()
        await response.write_eof(encode(PING)[1:])
        return response

    async with in_front(answer, tmp_path) as proxy, aiohttp.ClientSession() as phone, asyncio.timeout(60):  # noqa: SIM117
        async with phone.post(proxy.url + TARGET, data=b"") as back:
            first = await back.content.readany()
            assert len(first) == 1
            more.set()
            assert first + await back.content.read() == encode(PING)
    assert proxy.one.answer.body == Document(PING)


def hanging(began: asyncio.Event, gone: asyncio.Event) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        began.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            gone.set()
            raise
        return web.Response()

    return answer


async def test_a_client_that_goes_away(tmp_path: Path) -> None:
    """The server is hung up on, and no answer is written down."""
    began, gone = asyncio.Event(), asyncio.Event()
    async with in_front(hanging(began, gone), tmp_path) as proxy, asyncio.timeout(60):
        asking = asyncio.create_task(proxy.post())
        await began.wait()
        asking.cancel()
        await gone.wait()
        await proxy.written.wait()
    assert (proxy.one.answer.status, proxy.one.answer.why) == (None, "the client went away")


async def test_who_waits_at_the_end(tmp_path: Path) -> None:
    began, gone = asyncio.Event(), asyncio.Event()
    async with in_front(hanging(began, gone), tmp_path) as proxy:
        asking = asyncio.create_task(proxy.post())
        await began.wait()
    with pytest.raises(aiohttp.ClientError):
        await asking
    assert (proxy.one.answer.status, proxy.one.answer.why) == (None, "the recording ended")


async def test_a_server_that_is_away(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with proxied(nobody, tmp_path) as proxy:
            assert (await proxy.post()).status == 502
    assert proxy.one.answer.status is None
    assert proxy.one.answer.why == "the server cannot be reached: Connection refused"


async def test_a_server_that_breaks_off(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"x")
        await asyncio.sleep(0.1)
        assert request.transport is not None
        request.transport.abort()
        return response

    async with in_front(answer, tmp_path) as proxy:
        with pytest.raises(aiohttp.ClientError):
            await proxy.post()
    assert (proxy.one.answer.status, proxy.one.answer.why) == (None, "the server broke the answer off")


async def test_a_server_whose_certificate_nobody_knows(tmp_path: Path) -> None:
    context, _ = own_context(["localhost", "127.0.0.1"])
    async with serving(answering(text="there"), context) as url:
        async with proxied(url, tmp_path) as proxy:
            assert (await proxy.ask("GET", "/")).status == 502
        assert "its certificate is not trusted" in proxy.one.answer.why
        async with proxied(url, tmp_path, trust=False) as proxy:
            assert (await proxy.ask("GET", "/")).text == "there"


async def test_what_is_too_long_passes_and_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "MAX_BODY", 100_000)
    async with in_front(answering(body=b"x" * 300_000), tmp_path) as proxy:
        assert (await proxy.post(data=b"y" * 200_000)).body == b"x" * 300_000
    sizes = [body.length for body in (proxy.one.request.body, proxy.one.answer.body) if isinstance(body, LeftOut)]
    assert sizes == [200_000, 300_000]
    assert [line[1:] for line in proxy.lines] == [(200_000, 300_000)]


async def test_a_redirect_to_another_server_leads_through_the_proxy(tmp_path: Path) -> None:
    """451: the device is served by the other one from then on, other devices are not."""
    asked: list[str] = []

    async def other(request: web.Request) -> web.Response:
        asked.append(request.query["DeviceId"])
        return web.Response(text="other")

    async with serving(other) as elsewhere:
        there = f"{elsewhere}{EAS}"

        async def answer(request: web.Request) -> web.Response:
            if request.query["DeviceId"] == "A1":
                return web.Response(status=451, headers={"X-MS-Location": there})
            return web.Response(text="first")

        async with in_front(answer, tmp_path) as proxy:
            back = await proxy.post()
            assert (back.status, back.headers["X-MS-Location"]) == (451, f"{proxy.url}{EAS}")
            assert (await proxy.post()).text == "other"
            assert (await proxy.post(TARGET.replace("A1", "B2"))).text == "first"
    assert asked == ["A1"]
    first = proxy.exchanges[0]
    assert header(first.answer.headers, "X-MS-Location") == there
    assert first.comments == ("for the client the proxy wrote its own address into X-MS-Location",)


@pytest.mark.parametrize("packed", [False, True])
async def test_autodiscover_leads_to_the_proxy(tmp_path: Path, packed: bool) -> None:
    body = (
        "<Autodiscover xmlns='http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006'><Url>"
        f"https://mail.example.com{EAS}</Url></Autodiscover>"
    ).encode()
    headers = {"Content-Type": "text/xml", **({"Content-Encoding": "gzip"} if packed else {})}
    said = gzip.compress(body) if packed else body
    async with in_front(answering(body=said, headers=headers), tmp_path) as proxy:
        back = await proxy.post("/Autodiscover/Autodiscover.xml", b"<x/>")
    assert back.body == body.replace(b"https://mail.example.com", proxy.url.encode())
    assert proxy.one.answer.body == Text("xml", body)
    assert proxy.one.comments == ("for the client the proxy wrote its own address into this answer",)


async def test_the_recording_ends_at_its_size(tmp_path: Path) -> None:
    async with in_front(answering(text="x" * 1000), tmp_path, max_size=5000) as proxy:
        for _ in range(20):
            assert (await proxy.post()).status == 200
    assert 5000 <= proxy.file.stat().st_size < 8000


async def test_a_fault_in_masking_lets_nothing_through(tmp_path: Path) -> None:
    def broken(exchange: Exchange) -> Exchange:
        raise ZeroDivisionError("anna's")

    async with in_front(answering(text="private"), tmp_path, keep=broken) as proxy:
        assert (await proxy.post(data=b"private")).text == "private"
    exchanges = proxy.file.read_text().partition("===")[2]
    assert "private" not in exchanges
    assert "anna" not in exchanges
    assert "masking failed: ZeroDivisionError" in exchanges


async def test_many_at_once(tmp_path: Path) -> None:
    """More than may wait to be written; each is, once."""
    async with in_front(answering(body=encode(PING)), tmp_path) as proxy:
        for _ in range(3):
            await asyncio.gather(*(proxy.post() for _ in range(60)))
    assert [one.number for one in proxy.exchanges] == list(range(1, 181))


# What the server says about where it is ------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "server"), [
    ("mail.example.com", "https://mail.example.com"),
    ("https://mail.example.com/", "https://mail.example.com"),
    ("HTTPS://Mail.Example.com:443/microsoft-server-activesync", "https://mail.example.com"),
    ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ("http://[::1]:8080/", "http://[::1]:8080"),
])
def test_addresses_of_servers(typed: str, server: str) -> None:
    assert server_at(typed) == server


@pytest.mark.parametrize("typed", [
    "", "ftp://x", "https://", "https://x/sogo", "https://x:y", "https://[::1", "http://x:99999",
])
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(BadUrl):
        server_at(typed)


REAL, OURS = "https://mail.example.com", "http://127.0.0.1:8443"


@pytest.mark.parametrize(("name", "value", "told"), [
    ("X-MS-Location", f"{REAL}{EAS}", f"{OURS}{EAS}"),
    ("x-ms-location", f"https://other.example.com{EAS}?a=b", f"{OURS}{EAS}?a=b"),
    ("X-MS-Location", "nonsense", "nonsense"),
    ("Location", f"{REAL}:443/x", f"{OURS}/x"),
    ("Location", "/x", "/x"),
    ("Location", "https://login.example.net/", "https://login.example.net/"),
    ("WWW-Authenticate", 'Basic realm="mail.example.com"', 'Basic realm="mail.example.com"'),
    ("WWW-Authenticate", "Negotiate", None),
    ("WWW-Authenticate", "NTLM", None),
    ("Alt-Svc", 'h3=":443"', None),
    ("Content-Type", "text/plain", "text/plain"),
])
def test_headers_for_the_client(name: str, value: str, told: str | None) -> None:
    headers, changes = for_client(((name, value),), REAL, OURS)
    assert headers == (() if told is None else ((name, told),))
    assert bool(changes) == (told != value or "login" in value)


@pytest.mark.parametrize(("said", "told", "named"), [
    ('{"Protocol":"ActiveSync","Url":"https://a.example.com/Microsoft-Server-ActiveSync"}',
     '{"Protocol":"ActiveSync","Url":"http://127.0.0.1:8443/Microsoft-Server-ActiveSync"}', ["https://a.example.com"]),
    (r'{"Url":"https:\/\/a.example.com\/Microsoft-Server-ActiveSync"}',
     r'{"Url":"http:\/\/127.0.0.1:8443\/Microsoft-Server-ActiveSync"}', ["https://a.example.com"]),
    ('{"Url":"https://a.example.com/autodiscover/autodiscover.xml"}',
     '{"Url":"http://127.0.0.1:8443/autodiscover/autodiscover.xml"}', []),
    ('<x xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">ä</x>', None, []),
    ("https://" * 5, None, []),
])
def test_answers_of_autodiscover(said: str, told: str | None, named: list[str]) -> None:
    assert discovered(said.encode(), OURS) == ((told or said).encode(), named)

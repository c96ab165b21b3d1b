"""The HTTP rules of a client, against a server that is a function."""

from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import pytest

from eas.client.connection import Connection, Credentials, Exchange, Fate, Identity, endpoint, negotiate, offered
from eas.client.errors import (
    BadAnswer,
    Busy,
    Forbidden,
    HttpFailure,
    LostAnswer,
    NeedsProvisioning,
    Refusal,
    Unauthorised,
)
from eas.commands import folder_sync
from eas.protocol import http
from eas.protocol.query import complete, parse
from eas.protocol.version import Version
from eas.protocol.wbxml import Element, decode, encode

ANNA = Credentials(user="anna", password="päss")
PHONE = Identity(device_id="phone1")

Serve = Callable[[httpx.Request], httpx.Response]


def connection(serve: Serve, *, version: Version = Version.V14_1, encoded: bool = False) -> Connection:
    return Connection(
        "https://mail.example.test", ANNA, PHONE, version=version, encoded=encoded, policy_key=7,
        transport=httpx.MockTransport(serve),
    )


def wbxml(root: Element, **headers: str) -> httpx.Response:
    return httpx.Response(200, content=encode(root), headers={"Content-Type": http.WBXML, **headers})


def folder_answer(status: str, *children: Element) -> httpx.Response:
    return wbxml(Element("FolderHierarchy:FolderSync", (Element("FolderHierarchy:Status", status), *children)))


async def test_plain_query_carries_command_device_and_headers() -> None:
    """[MS-ASHTTP] Request Line: plain text query, with version and policy key in headers."""
    seen: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return folder_answer("1", Element("FolderHierarchy:SyncKey", "k1"))

    async with connection(serve, version=Version.V12_1) as line:
        answer = await line.ask("FolderSync", folder_sync.Request(sync_key="0"), folder_sync.Response)
    assert answer is not None
    assert answer.sync_key == "k1"
    (request,) = seen
    query = complete(parse(request.url.query), {k.lower(): v for k, v in request.headers.items()})
    assert (query.command, query.user, query.device_id) == ("FolderSync", "anna", "phone1")
    assert (query.version, query.policy_key) == (Version.V12_1, 7)
    assert request.headers["content-type"] == http.WBXML
    assert decode(request.content).child("FolderHierarchy:SyncKey").text == "0"  # type: ignore[union-attr]
    login = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
    assert login == "anna:päss"


async def test_base64_query_says_all_that_the_headers_would() -> None:
    """[MS-ASHTTP] Base64 Encoded Query Value."""
    seen: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    async with connection(serve, encoded=True) as line:
        answer = await line.post("Ping", encode(Element("Ping:Ping")), content_type=http.WBXML)
    assert answer.root is None
    query = parse(seen[0].url.query)
    assert query.encoded
    assert (query.command, query.version, query.policy_key) == ("Ping", Version.V14_1, 7)
    assert "ms-asprotocolversion" not in seen[0].headers
    assert "x-ms-policykey" not in seen[0].headers


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Unauthorised), (403, Forbidden), (449, NeedsProvisioning), (503, Busy), (500, HttpFailure),
        (404, HttpFailure),
    ],
)
async def test_http_statuses_are_errors_of_their_own(status: int, error: type[Exception]) -> None:
    async with connection(lambda request: httpx.Response(status, headers={"Retry-After": "30"})) as line:
        with pytest.raises(error) as raised:
            await line.post("FolderSync", Element("FolderHierarchy:FolderSync"))
    if isinstance(raised.value, Busy):
        assert raised.value.retry_after == 30
    if isinstance(raised.value, HttpFailure):
        assert raised.value.status == status


@pytest.mark.parametrize("status", [140, 141, 142, 143, 144])
async def test_statuses_of_provisioning_ask_for_it(status: int) -> None:
    """[MS-ASCMD] Common Status Codes R5280, R4904-R4912."""
    async with connection(lambda request: folder_answer(str(status))) as line:
        with pytest.raises(NeedsProvisioning) as raised:
            await line.ask("FolderSync", folder_sync.Request(sync_key="0"), folder_sync.Response)
    assert raised.value.status == status


async def test_other_common_statuses_are_refusals_and_own_ones_are_answers() -> None:
    async with connection(lambda request: folder_answer("103")) as line:
        with pytest.raises(Refusal, match="invalid xml") as raised:
            await line.ask("FolderSync", folder_sync.Request(sync_key="0"), folder_sync.Response)
        assert not isinstance(raised.value, NeedsProvisioning)
    async with connection(lambda request: folder_answer("9")) as line:
        answer = await line.ask("FolderSync", folder_sync.Request(sync_key="x"), folder_sync.Response)
    assert answer is not None
    assert answer.status is folder_sync.Status.INVALID_SYNC_KEY


async def test_451_is_followed_to_the_place_it_names_and_stays_there() -> None:
    """[MS-ASHTTP] X-MS-Location."""
    asked: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url.copy_with(query=None)).rstrip("?"))
        if request.url.host == "mail.example.test":
            return httpx.Response(451, headers={"X-MS-Location": "https://b.example.test/Microsoft-Server-ActiveSync"})
        return folder_answer("1")

    async with connection(serve) as line:
        for _ in range(2):
            await line.post("FolderSync", Element("FolderHierarchy:FolderSync"))
    home = "https://mail.example.test/Microsoft-Server-ActiveSync"
    there = "https://b.example.test/Microsoft-Server-ActiveSync"
    assert asked == [home, there, there]


@pytest.mark.parametrize("place", ["http://b.example.test/", "ftp://b.example.test/", "", "https:///x"])
async def test_password_does_not_follow_where_it_could_be_read(place: str) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        assert request.url.scheme == "https"
        return httpx.Response(451, headers={"X-MS-Location": place})

    async with connection(serve) as line:
        with pytest.raises((BadAnswer, HttpFailure)):
            await line.post("FolderSync", Element("FolderHierarchy:FolderSync"))


async def test_lost_requests_do_not_arrive_and_lost_answers_do() -> None:
    arrived: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        arrived.append("one")
        return folder_answer("1")

    watched: list[Exchange] = []
    async with connection(serve) as line:
        line.watchers.append(watched.append)
        for fate, count in ((Fate.REQUEST_LOST, 0), (Fate.ANSWER_LOST, 1)):
            line.fate = lambda command, fate=fate: fate  # type: ignore[misc]
            with pytest.raises(LostAnswer):
                await line.post("FolderSync", Element("FolderHierarchy:FolderSync"))
            assert len(arrived) == count
    assert [exchange.status for exchange in watched] == [0, 0]
    assert all(isinstance(exchange.request, Element) for exchange in watched)


async def test_broken_line_is_a_lost_answer() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset by peer")

    async with connection(serve) as line:
        with pytest.raises(LostAnswer, match="reset by peer"):
            await line.post("FolderSync", Element("FolderHierarchy:FolderSync"))


@pytest.mark.parametrize("body", [b"\x00", b"\x03\x01\x6a\x00", b"<html>"])
async def test_answer_that_is_no_wbxml_is_a_bad_answer(body: bytes) -> None:
    answer = httpx.Response(200, content=body, headers={"Content-Type": http.WBXML})
    async with connection(lambda request: answer) as line:
        with pytest.raises(BadAnswer):
            await line.post("FolderSync", Element("FolderHierarchy:FolderSync"))


async def test_multipart_answer_is_document_and_parts() -> None:
    document = encode(Element("ItemOperations:ItemOperations", (Element("ItemOperations:Status", "1"),)))
    body = http.multipart([document, b"one", b"two"])
    answer = httpx.Response(200, content=body, headers={"Content-Type": http.MULTIPART})
    async with connection(lambda request: answer) as line:
        got = await line.post("ItemOperations", Element("ItemOperations:ItemOperations"), accept_multipart=True)
    assert got.root is not None
    assert got.root.tag == "ItemOperations:ItemOperations"
    assert got.parts == (b"one", b"two")


def test_highest_common_version_is_taken_and_a_wanted_one_must_be_offered() -> None:
    offer = offered({"ms-asprotocolversions": "2.5,12.1,14.0,14.1,16.1,99.9", "ms-asprotocolcommands": "Sync,Ping"})
    assert offer.versions == (Version.V2_5, Version.V12_1, Version.V14_0, Version.V14_1, Version.V16_1)
    assert offer.commands == ("Sync", "Ping")
    assert negotiate(offer) is Version.V16_1
    assert negotiate(offer, newest=Version.V14_1) is Version.V14_1
    assert negotiate(offer, Version.V12_1) is Version.V12_1
    with pytest.raises(BadAnswer, match=r"not 16\.0"):
        negotiate(offer, Version.V16_0)
    with pytest.raises(BadAnswer):
        negotiate(offered({"ms-asprotocolversions": "16.1"}), newest=Version.V14_1)


async def test_options_without_versions_is_no_activesync_server() -> None:
    async with connection(lambda request: httpx.Response(200)) as line:
        with pytest.raises(BadAnswer, match="is this an ActiveSync server"):
            await line.options()


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("mail.example.test", "https://mail.example.test/Microsoft-Server-ActiveSync"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/Microsoft-Server-ActiveSync"),
        ("https://mail.example.test/eas", "https://mail.example.test/eas"),
    ],
)
def test_address_is_completed(typed: str, url: str) -> None:
    assert endpoint(typed) == url

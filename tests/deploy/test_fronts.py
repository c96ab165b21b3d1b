"""The configurations of deploy/ for HAProxy, nginx and Caddy, each running in front of a real gateway."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from bench.load import e
from groupware.authority import authority
from groupware.fixtures import run
from groupware.fronts import Caddy, Front, Haproxy, Nginx
from serving import Server
from wire import basic

from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.protocol import wbxml

pytestmark = [pytest.mark.server, pytest.mark.long]

PATH = "/Microsoft-Server-ActiveSync"
AUTHORIZED = {"Authorization": basic("anna", "anna-secret")}
#: As a phone would send a film.
LARGE = 20 << 20
HELD_SECONDS = 3
#: Whose logins fail here, by address.
CLIENT = "127.0.0.2"


@pytest.fixture(scope="module")
def gateway(office: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("gateway") / "data"
    shutil.copytree(office[0], data)
    settings = {
        "EAS_DOMAIN": "example.com", "EAS_TRUSTED_PROXIES": "127.0.0.1",
        "EAS_LIMITS__HEARTBEAT_MIN_SECONDS": "1", "EAS_HOOKS__TOKEN": "a-token-of-hooks",
    }
    with Server(data=data, settings=settings) as server:
        yield server


@pytest.fixture(scope="module", params=[Haproxy, Nginx, Caddy])
def front(request: pytest.FixtureRequest, gateway: Server) -> Iterator[Front]:
    yield from run(lambda: request.param(nodes=[gateway.port]))


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority().ca_file)


@pytest.fixture
async def client(front: Front) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.AsyncHTTPTransport(verify=trusting(), local_address=CLIENT)
    async with httpx.AsyncClient(base_url=front.url, transport=transport, timeout=60) as client:
        yield client


async def test_a_wait_is_held_and_answered(front: Front, gateway: Server, client: httpx.AsyncClient) -> None:
    line = Connection(
        front.url, Credentials(user="anna@example.com", password="anna-secret"), Identity(device_id="PHONE"),
        transport=httpx.AsyncHTTPTransport(verify=trusting()),
    )
    async with line:
        phone = Phone(DeviceState(device_id="PHONE"), line)
        await phone.set_up()
        folders = [folder for folder in phone.folders() if folder.item_class == "Email"][:2]
        await phone.sync(folders)
        began = time.monotonic()
        answer = await phone.ping(folders, HELD_SECONDS)
        assert int(answer.status) == 1
        assert time.monotonic() - began >= HELD_SECONDS


async def test_twenty_megabytes_up_and_down(front: Front, client: httpx.AsyncClient) -> None:
    """Up with a length and in chunks; both arrive, as the recipient's device sees, which takes one down whole."""
    name = type(front).__name__
    words = {"User": "anna", "DeviceId": f"UP{name}", "DeviceType": "Phone", "Cmd": "SendMail"}
    headers = {**AUTHORIZED, "MS-ASProtocolVersion": "14.1", "Content-Type": "application/vnd.ms-sync.wbxml"}
    for number, size in enumerate((1 << 20, LARGE)):
        head = f"From: anna@example.com\r\nTo: ben@example.com\r\nMessage-ID: <{name}{number}@example.com>"
        mime = head.encode() + b"\r\n\r\n" + (b"x" * 70 + b"\r\n") * (size // 72)
        document = wbxml.encode(wbxml.Element("ComposeMail:SendMail", (
            wbxml.Element("ComposeMail:ClientId", f"{name}{number}"), wbxml.Element("ComposeMail:Mime", mime),
        )))

        async def pieces(document: bytes = document) -> AsyncIterator[bytes]:
            for at in range(0, len(document), 100_000):
                yield document[at : at + 100_000]

        body: Any = document if size == LARGE else pieces()
        sent = await client.post(PATH, params=words, headers=headers, content=body)
        assert (sent.status_code, sent.content) == (200, b"")
    words = {"User": "ben", "DeviceId": f"DOWN{name}", "DeviceType": "Phone", "Cmd": "Sync"}
    headers |= {"Authorization": basic("ben", "ben-secret")}
    assert await _inbox_whole(client, words, headers) > LARGE


async def _inbox_whole(client: httpx.AsyncClient, words: dict[str, str], headers: dict[str, str]) -> int:
    """The size of the largest answer, until nothing more is available."""

    async def post(command: str, document: wbxml.Element) -> httpx.Response:
        got = await client.post(
            PATH, params={**words, "Cmd": command}, headers=headers, content=wbxml.encode(document)
        )
        assert got.status_code == 200
        return got

    got = await post("FolderSync", e("FolderHierarchy:FolderSync", e("FolderHierarchy:SyncKey", "0")))
    changes = wbxml.decode(got.content).child("FolderHierarchy:Changes")
    assert changes is not None
    [inbox] = [
        str(one.child("FolderHierarchy:ServerId").text) for one in changes.elements  # type: ignore[union-attr]
        if (kind := one.child("FolderHierarchy:Type")) is not None and kind.text == "2"
    ]
    key, largest, more = "0", 0, True
    while more:
        mime = e("AirSyncBase:BodyPreference", e("AirSyncBase:Type", "4"))
        whole = e("AirSync:Options", e("AirSync:MIMESupport", "2"), mime)
        collection = e(
            "AirSync:Collection", e("AirSync:SyncKey", key), e("AirSync:CollectionId", inbox),
            *((e("AirSync:WindowSize", "1"), whole) if key != "0" else (whole,)),
        )
        got = await post("Sync", e("AirSync:Sync", e("AirSync:Collections", collection)))
        largest = max(largest, len(got.content))
        answered = wbxml.decode(got.content).child("AirSync:Collections").child("AirSync:Collection")  # type: ignore[union-attr]
        more = key == "0" or answered.child("AirSync:MoreAvailable") is not None  # type: ignore[union-attr]
        key = str(answered.child("AirSync:SyncKey").text)  # type: ignore[union-attr]
    return largest


@pytest.mark.parametrize("path", [
    PATH, PATH.lower(), PATH.upper(), f"{PATH}/default.eas", "/Microsoft-Server-ActiveSync/",
])
async def test_any_casing_of_the_path_arrives(client: httpx.AsyncClient, path: str) -> None:
    got = await client.options(path, headers=AUTHORIZED)
    assert (got.status_code, "MS-ASProtocolVersions" in got.headers) == (200, True)


@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"])
async def test_autodiscover_names_the_address_that_the_phone_came_by(
    front: Front, client: httpx.AsyncClient, path: str
) -> None:
    schema = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync"
    asked = (
        f'<Autodiscover xmlns="{schema}/requestschema/2006"><Request><EMailAddress>anna@example.com</EMailAddress>'
        f"<AcceptableResponseSchema>{schema}/responseschema/2006</AcceptableResponseSchema></Request></Autodiscover>"
    )
    got = await client.post(path, headers={**AUTHORIZED, "Content-Type": "text/xml"}, content=asked)
    assert got.status_code == 200
    assert f"<Url>{front.url}{PATH}</Url>" in got.text


@pytest.mark.parametrize("path", [
    "/", "/metrics", "/health", "/health/ready", "/hooks/changed", "/hooks/dovecot", "/%6detrics", "//metrics",
    "/Microsoft-Server-ActiveSync/../metrics",
])
async def test_nothing_else_is_there(client: httpx.AsyncClient, path: str) -> None:
    got = await client.get(httpx.URL(str(client.base_url).rstrip("/"), raw_path=path.encode()))
    assert got.status_code in (400, 404), path
    assert b"eas_" not in got.content


async def test_the_address_is_the_clients_and_not_what_it_says(
    front: Front, client: httpx.AsyncClient, gateway: Server
) -> None:
    said = len(gateway.said(10**7))
    wrong = {"Authorization": basic(type(front).__name__, "wrong"), "X-Forwarded-For": "203.0.113.9"}
    assert (await client.options(PATH, headers=wrong)).status_code == 401
    async with asyncio.timeout(60):
        while "login refused" not in gateway.said(10**7)[said:].rpartition("\n")[0]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the line may follow the answer
    [line] = [line for line in gateway.said(10**7)[said:].splitlines() if "login refused" in line]
    assert f"address={CLIENT}" in line
    assert "203.0.113.9" not in gateway.said(10**7)[said:]

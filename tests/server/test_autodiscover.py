"""Autodiscover in both forms. [MS-ASCMD] Autodiscover."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree
from wire import HOST, Got, Wire, basic

Wires = Callable[..., Wire]

REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
MOBILE = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
FRAMEWORK = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
XML = "/autodiscover/autodiscover.xml"


def request(address: str | None = "anna@example.com", schema: str | None = MOBILE, times: int = 1) -> bytes:
    parts = "" if address is None else f"<EMailAddress>{address}</EMailAddress>"
    parts += "" if schema is None else f"<AcceptableResponseSchema>{schema}</AcceptableResponseSchema>"
    return f'<Autodiscover xmlns="{REQUEST}">{times * f"<Request>{parts}</Request>"}</Autodiscover>'.encode()


async def post(device: Wire, body: bytes, path: str = XML) -> Got:
    headers = {"Authorization": basic(device.user, device.password), "Content-Type": "text/xml"}
    return await device.ask("POST", path, headers, body)


def tree(got: Got) -> Any:
    assert got.http == 200
    assert got.headers["content-type"].startswith("text/xml")
    return etree.fromstring(got.body)


def error_code(got: Got) -> str:
    code = tree(got).findtext(f"{{{FRAMEWORK}}}Response/{{{FRAMEWORK}}}Error/{{{FRAMEWORK}}}ErrorCode")
    assert isinstance(code, str)
    return code


@pytest.mark.parametrize("path", [XML, "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.XML/"])
@pytest.mark.parametrize("body", [request(), b"", b'<?xml version="1.0" encoding="utf-8"?>\n' + request()])
async def test_the_address_of_the_server(wire: Wires, path: str, body: bytes) -> None:
    """In all casings (iOS mixes them), and for Android's empty body. R58-R69, R3484, R2225"""
    root = tree(await post(wire(), body, path))
    assert root.tag == f"{{{FRAMEWORK}}}Autodiscover"
    (response,) = root
    assert [etree.QName(child).localname for child in response] == ["Culture", "User", "Action"]
    texts = {etree.QName(node).localname: node.text for node in response.iter(f"{{{MOBILE}}}*")}
    assert texts["Culture"] == "en:us"  # R2124
    assert texts["EMailAddress"] == "anna@example.com"
    assert texts["DisplayName"] == "Anna Arnold"
    assert texts["Type"] == "MobileSync"
    assert texts["Url"] == texts["Name"] == f"{HOST}/Microsoft-Server-ActiveSync"


async def test_an_alias_is_as_good_as_the_address(wire: Wires) -> None:
    root = tree(await post(wire(), request("sales@example.com")))
    assert root.findtext(f".//{{{MOBILE}}}EMailAddress") == "anna@example.com"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<Autodiscover", "600"),
        (b"Hello", "600"),
        (b"<Other/>", "600"),
        (request(times=0), "600"),
        (request(times=2), "600"),  # R3799
        (request(address=None), "600"),
        (request(address=""), "600"),
        (request(schema=None), "600"),
        (request(schema=OUTLOOK), "601"),  # R2286, R2288
        (request(schema="nonsense"), "601"),
        (b'<!DOCTYPE a [<!ENTITY b "anna@example.com">]>' + request("&b;"), "600"),
        (b'<!DOCTYPE a SYSTEM "http://203.0.113.1/x.dtd">' + request(), "600"),
        (b"\xff\xfe\x00", "600"),
    ],
)
async def test_what_is_no_request(wire: Wires, body: bytes, code: str) -> None:
    """R2285-R2288, R3818"""
    got = await post(wire(), body)
    assert error_code(got) == code
    error = tree(got).find(f".//{{{FRAMEWORK}}}Error")
    assert len(error.get("Time").partition(".")[2]) == 7  # R5547
    assert error.get("Id").isdigit()


async def test_a_request_beyond_all_bounds_is_refused(wire: Wires) -> None:
    assert (await post(wire(), b" " * 20_000)).http == 413


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_a_login_nothing_is_said(wire: Wires, method: str) -> None:
    got = await wire().ask(method, XML, {}, request() if method == "POST" else b"")
    assert got.http == 401
    assert b"example.com" not in got.body


async def test_there_is_no_redirect(wire: Wires) -> None:
    assert error_code(await wire().ask("GET", XML)) == "600"


@pytest.mark.parametrize(
    "path",
    [
        "/autodiscover/autodiscover.json?Email=anna@example.com&Protocol=ActiveSync&RedirectCount=1",
        "/Autodiscover/Autodiscover.json?email=x&protocol=activesync",
        "/autodiscover/autodiscover.json/v1.0/anna@example.com?Protocol=ActiveSync",
    ],
)
async def test_the_json_form_needs_no_login(wire: Wires, path: str) -> None:
    got = await wire().ask("GET", path, {})
    assert got.http == 200
    assert json.loads(got.body) == {"Protocol": "ActiveSync", "Url": f"{HOST}/Microsoft-Server-ActiveSync"}


async def test_the_json_form_of_other_protocols(wire: Wires) -> None:
    path = "/autodiscover/autodiscover.json/v1.0/a@b"
    v1 = await wire().ask("GET", f"{path}?Protocol=AutodiscoverV1", {})
    assert json.loads(v1.body)["Url"] == f"{HOST}{XML}"
    other = await wire().ask("GET", f"{path}?Protocol=EWS", {})
    assert (other.http, json.loads(other.body)["ErrorCode"]) == (400, "ProtocolNotSupported")
    missing = await wire().ask("GET", path, {})
    assert (missing.http, json.loads(missing.body)["ErrorCode"]) == (400, "MandatoryParameterMissing")
    assert (await wire().ask("GET", f"{path}?{'a=b&' * 1000}", {})).http == 400


async def test_our_own_client_finds_the_server(world: Any) -> None:
    import httpx

    from eas.client.account import autodiscover, autodiscover_json
    from eas.client.connection import Credentials

    transport = httpx.ASGITransport(world.app.asgi)
    found = await autodiscover(
        "anna@example.com", Credentials(user="anna", password="anna-secret"), urls=[f"{HOST}{XML}"], transport=transport
    )
    assert found.url == f"{HOST}/Microsoft-Server-ActiveSync"
    assert await autodiscover_json(HOST, "anna@example.com", transport=transport) == found.url

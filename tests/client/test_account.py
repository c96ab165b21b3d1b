"""Autodiscover from the client's side. [MS-ASCMD] Autodiscover."""

from __future__ import annotations

import httpx
import pytest

from eas.client.account import Discovered, autodiscover, autodiscover_json, places, read, request_body
from eas.client.connection import Credentials
from eas.client.errors import BadAnswer, Unauthorised

ANNA = Credentials(user="anna@example.test", password="demo")
OUTER = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
INNER = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"


def answer(action: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{OUTER}"><Response xmlns="{INNER}">'
        f"<Culture>en:us</Culture><User><DisplayName>Anna</DisplayName><EMailAddress>anna@example.test</EMailAddress>"
        f"</User><Action>{action}</Action></Response></Autodiscover>"
    ).encode()


SETTINGS = (
    "<Settings><Server><Type>CertEnroll</Type><Url>https://cert.example.test</Url></Server><Server><Type>MobileSync</Type>"
    "<Url>https://mail.example.test/Microsoft-Server-ActiveSync</Url><Name>x</Name></Server></Settings>"
)


def test_server_is_read_from_the_answer() -> None:
    found = read(answer(SETTINGS))
    assert found == Discovered(
        url="https://mail.example.test/Microsoft-Server-ActiveSync", address="anna@example.test", name="Anna"
    )


def test_redirect_names_another_address() -> None:
    assert read(answer("<Redirect>anna@other.test</Redirect>")) == "anna@other.test"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<", b"{}", answer("<Error><Status>1</Status><Message>unknown user</Message></Error>"),
        answer("<Settings/>"),
        answer("<Settings><Server><Type>MobileSync</Type><Url>javascript:x</Url></Server></Settings>"),
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Autodiscover><Action><Redirect>&x;</Redirect></Action>'
        b"</Autodiscover>",
        b"<a>" * 300_000,
    ],
)
def test_other_answers_are_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read(body)


async def test_second_place_is_asked_when_the_first_does_not_answer() -> None:
    asked: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.url.host == "example.test":
            raise httpx.ConnectError("no such host")
        assert b"anna@example.test" in request.content
        return httpx.Response(200, content=answer(SETTINGS))

    found = await autodiscover(ANNA.user, ANNA, transport=httpx.MockTransport(serve))
    assert found.url.startswith("https://mail.example.test/")
    assert asked == list(places(ANNA.user))


async def test_wrong_password_stops_the_search() -> None:
    with pytest.raises(Unauthorised):
        await autodiscover(ANNA.user, ANNA, transport=httpx.MockTransport(lambda request: httpx.Response(401)))


async def test_redirect_loop_ends() -> None:
    loop = httpx.MockTransport(
        lambda request: httpx.Response(200, content=answer("<Redirect>anna@example.test</Redirect>"))
    )
    with pytest.raises(BadAnswer, match="too many redirects"):
        await autodiscover(ANNA.user, ANNA, transport=loop)


async def test_redirect_to_plain_http_is_not_followed() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        assert request.url.scheme == "https"
        return httpx.Response(302, headers={"Location": "http://mail.example.test/autodiscover/autodiscover.xml"})

    with pytest.raises(BadAnswer, match="not https"):
        await autodiscover(ANNA.user, ANNA, transport=httpx.MockTransport(serve))


async def test_json_form_gives_the_address() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"Protocol": "ActiveSync", "Url": "https://mail.example.test/x"})

    url = await autodiscover_json("https://example.test", ANNA.user, transport=httpx.MockTransport(serve))
    assert url == "https://mail.example.test/x"
    empty = httpx.MockTransport(lambda request: httpx.Response(404))
    with pytest.raises(BadAnswer):
        await autodiscover_json("https://example.test", ANNA.user, transport=empty)


@pytest.mark.parametrize("typed", ["anna", "@example.test", "anna@", "anna@x/y"])
def test_what_is_no_address_is_said(typed: str) -> None:
    with pytest.raises(ValueError, match="not a mail address"):
        places(typed)


def test_request_names_address_and_schema() -> None:
    body = request_body("a&b@example.test")
    assert b"a&amp;b@example.test" in body
    assert INNER.encode() in body

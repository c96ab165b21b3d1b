"""What looks private is found wherever it stands, and what masking makes is not."""

from __future__ import annotations

from base64 import b64encode

import pytest

from eas.replay.format.model import Text
from eas.replay.masking.findings import Search
from eas.replay.masking.masker import Masker

FINDINGS = [
    ("  <email:To>anna@contoso.com</email:To>", "address", "anna@contoso.com"),
    ("--> POST /x?User=anna%40contoso.com", "address", "anna@contoso.com"),
    ('  <a href="mailto:&#97;nna@contoso.com">', "address", "anna@contoso.com"),
    ("X-FEServer: EX01.contoso.com", "host", "EX01.contoso.com"),
    ("server: https://intranet.contoso.museum/x", "host", "intranet.contoso.museum"),
    ("Received: from x ([198.18.4.7])", "IP address", "198.18.4.7"),
    ("  <Phone>+49 (89) 1234-5678</Phone>", "telephone number", "+49 (89) 1234-5678"),
    ("Authorization: Basic YW5uYTpzZWNyZXQ=", "password or token", "Basic YW5uYTpzZWNyZXQ="),
    ("X-Any: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.abc", "password or token",
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.abc"),
    ('  {"access_token": "abcdef"}', "password or token", 'access_token": "abcdef'),
    ("  <airsyncbase:Latitude>48.137154</airsyncbase:Latitude>", "place", "48.137154"),
    ("  GEO:48.137154;11.576124", "place", "48.137154;11.576124"),
    ("  " + b64encode(b"Dear Anna, the offer is here").decode(), "text in base64", "Dear Anna, the offer is here"),
    ("# how Zeppelin synchronises", "name of the input", "zeppelin"),
]


@pytest.mark.parametrize(("line", "kind", "text"), FINDINGS)
def test_findings(line: str, kind: str, text: str) -> None:
    found = Search("a.session", lambda: {"zeppelin", "calendar"}).lines(["", line])
    assert [(one.line, one.kind, one.text) for one in found] == [(2, kind, text)]
    assert str(found[0]) == f"a.session:2: {kind}: {text}"


@pytest.mark.parametrize("line", [
    "MS-Server-ActiveSync: 15.1.225.42", "User-Agent: Outlook-iOS/723.4027091.prod", "Authorization: Basic ***",
    '  {"access_token": "***"}', "  <calendar:Location/>", "  anna@mail.example.com or https://veplej.test/x",
    "  http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006", "  +999 89 1234-5678",
    "  <airsyncbase:Latitude>00.137154</airsyncbase:Latitude>", "MS-ASProtocolVersions: 2.5,12.0,12.1,14.0,14.1,16.0",
    "  192.0.2.7 127.0.0.1", "=== 1 2026-11-21T12:00:00.000Z", "  <email:ContentClass>urn:content-classes:message",
])
def test_what_is_nobodys(line: str) -> None:
    assert Search("x", lambda: {"calendar", "example"}).lines([line]) == []


@pytest.mark.parametrize(("line", "kind", "text"), FINDINGS[:-1])
def test_what_masking_makes_is_not_found(line: str, kind: str, text: str) -> None:
    """Of texts: passwords are taken out elsewhere."""
    masked = Masker(b"key").body(Text("text", line.strip().encode()))
    assert isinstance(masked, Text)
    found = Search("x", masked=True).lines([masked.data.decode()])
    assert [one for one in found if one.kind not in ("password or token", "place")] == []


def test_text_in_base64_is_searched_in_masked_files() -> None:
    line = b64encode(b"Dear Anna, write to anna@contoso.com").decode()
    (found,) = Search("x", masked=True).lines([line])
    assert (found.kind, found.text) == ("address", "anna@contoso.com")

"""Headers, content types, multipart bodies and credentials."""

from __future__ import annotations

from base64 import b64encode
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.protocol.http import (
    MULTIPART,
    WBXML,
    Login,
    MultipartError,
    answer_headers,
    basic_credentials,
    is_wbxml,
    login,
    multipart,
    options_headers,
    parts_of,
    request_headers,
    resynchronize_headers,
)
from eas.protocol.query import Query, complete, parse, plain
from eas.protocol.version import Version

VERSIONS = "2.5,12.0,12.1,14.0,14.1,16.0,16.1"


def test_options_answer() -> None:
    """[MS-ASHTTP] R244-R249; ascending, since some clients take the last version."""
    assert options_headers(reversed(Version), ["Sync", "Ping"], "16.1") == {
        "Allow": "OPTIONS,POST",
        "Public": "OPTIONS,POST",
        "MS-ASProtocolVersions": VERSIONS,
        "MS-ASProtocolCommands": "Sync,Ping",
        "MS-Server-ActiveSync": "16.1",
        "Cache-Control": "private",
        "Content-Length": "0",
    }


def test_answer_to_a_command() -> None:
    """[MS-ASHTTP] R212: Content-Type only where there is content; R219, [MS-ASCMD] R5505: its values."""
    assert answer_headers(0, "16.1") == {
        "MS-Server-ActiveSync": "16.1",
        "Cache-Control": "private",
        "Content-Length": "0",
    }
    assert answer_headers(56, "16.1")["Content-Type"] == "application/vnd.ms-sync.wbxml"
    assert answer_headers(56, "16.1")["Content-Length"] == "56"
    assert answer_headers(56, "16.1", MULTIPART)["Content-Type"] == "application/vnd.ms-sync.multipart"


def test_first_folder_sync_says_what_the_server_can_do() -> None:
    """[MS-ASHTTP] R227, R708, R800."""
    assert resynchronize_headers([Version.V14_1, Version.V12_1], ["Sync"]) == {
        "MS-ASProtocolVersions": "12.1,14.1",
        "MS-ASProtocolCommands": "Sync",
        "X-MS-RP": "12.1,14.1",
    }


@pytest.mark.parametrize(
    ("content_type", "wbxml"),
    [
        ("application/vnd.ms-sync.wbxml", True),
        ("application/vnd.ms-sync", True),
        (" Application/VND.MS-Sync ; charset=utf-8", True),
        ("application/vnd.ms-sync.multipart", False),
        ("text/xml", False),
        ("", False),
    ],
)
def test_both_names_of_wbxml_are_taken(content_type: str, wbxml: bool) -> None:
    """[MS-ASHTTP] R143, R438."""
    assert is_wbxml(content_type) is wbxml
    assert is_wbxml(WBXML)


@pytest.mark.parametrize("version", [None, *Version])
@pytest.mark.parametrize("key", [None, 0, 0xFFFFFFFF])
def test_plain_query_and_its_headers_say_everything(version: Version | None, key: int | None) -> None:
    query = Query(
        command="ItemOperations",
        device_id="a",
        device_type="b",
        version=version,
        policy_key=key,
        accept_multipart=key is None,
    )
    headers = {name.lower(): value for name, value in request_headers(query).items()}
    assert complete(parse(plain(query)), headers) == query


def test_base64_query_needs_no_headers() -> None:
    query = Query(command="Ping", device_id="a", device_type="b", version=Version.V14_1, policy_key=1, encoded=True)
    assert request_headers(query) == {}


# Multipart ----------------------------------------------------------------------------------------------------------


def test_multipart_body_byte_by_byte() -> None:
    """[MS-ASCMD] R5509-R5517: number, then offset from the beginning and length of each, then the parts."""
    body = bytes.fromhex("02000000 14000000 03000000 17000000 02000000") + b"abcde"
    assert multipart([b"abc", b"de"]) == body
    assert parts_of(body) == (b"abc", b"de")


@given(st.lists(st.binary(max_size=20), max_size=6))
@settings(max_examples=50)
def test_parts_that_are_joined_are_found_again(parts: list[bytes]) -> None:
    assert parts_of(multipart(parts)) == tuple(parts)


def test_parts_may_stand_in_another_order() -> None:
    body = pack("<iiiii", 2, 22, 1, 20, 2) + b"abc"
    assert parts_of(body) == (b"c", b"ab")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01\x00\x00",
        pack("<i", 1),
        pack("<i", -1),
        pack("<i", 0x7FFFFFFF),
        pack("<iii", 1, 12, 1),
        pack("<iii", 1, 0, 4),
        pack("<iii", 1, 12, -1) + b"a",
        pack("<iii", 1, -1, 1) + b"a",
        pack("<iiiii", 2, 20, 3, 20, 3) + b"abc",
    ],
)
def test_body_that_is_no_multipart_body(body: bytes) -> None:
    with pytest.raises(MultipartError):
        parts_of(body)


@given(st.binary(max_size=60))
@settings(max_examples=50)
def test_any_bytes_are_parts_or_a_multipart_error(body: bytes) -> None:
    try:
        parts = parts_of(body)
    except MultipartError:
        return
    assert sum(map(len, parts)) <= len(body)


def test_parts_beyond_32_bits_are_not_written() -> None:
    class Long(bytes):
        def __len__(self) -> int:
            return 0x7FFFFFFF

    with pytest.raises(ValueError, match="2 GiB"):
        multipart([Long()])


# Credentials --------------------------------------------------------------------------------------------------------


def basic(raw: bytes) -> str:
    return "Basic " + b64encode(raw).decode()


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (basic(b"user:secret"), ("user", "secret")),
        (basic(b"user:se:cr:et"), ("user", "se:cr:et")),
        (basic("jürgen:größe€".encode()), ("jürgen", "größe€")),
        (basic("jürgen:größe".encode("latin-1")), ("jürgen", "größe")),
        (basic(b"DOM\\user:x"), ("DOM\\user", "x")),
        (basic(b"user:"), ("user", "")),
        (basic(b":"), ("", "")),
        ("basic  dXNlcjpw ", ("user", "p")),
        ("BASIC dXNlcjpzZQ", ("user", "se")),
        ("", None),
        ("Basic", None),
        ("Basic ????", None),
        ("Basic dXNlcjpä", None),
        ("Basic dXNlc", None),
        ("Bearer dXNlcjpw", None),
        ("dXNlcjpw", None),
        (basic(b"nocolon"), None),
        (basic(b"us\x00er:x"), None),
        (basic(b"user:x\r\n"), None),
    ],
)
def test_basic_credentials(header: str, credentials: tuple[str, str] | None) -> None:
    assert basic_credentials(header) == credentials


@given(st.text(max_size=40))
@settings(max_examples=50)
def test_any_header_is_credentials_or_none(header: str) -> None:
    for text in (header, "Basic " + header):
        found = basic_credentials(text)
        assert found is None or len(found) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user", Login("user")),
        (" user ", Login("user")),
        ("user@example.com", Login("user", "example.com", is_address=True)),
        ("user@example.com ", Login("user", "example.com", is_address=True)),
        ("a@b@example.com", Login("a@b", "example.com", is_address=True)),
        ("DOMAIN\\user", Login("user", "DOMAIN")),
        ("DOMAIN \\ user", Login("user", "DOMAIN")),
        ("defaultcontext\\user", Login("user", "defaultcontext")),
        ("DOMAIN\\user@example.com", Login("user", "example.com", is_address=True)),
        ("\\user", Login("user")),
        (" \\user", Login("user")),
        ("\\user@example.com", Login("user", "example.com", is_address=True)),
        ("a\\b\\c", Login("b\\c", "a")),
        ("user@", Login("user", "", is_address=True)),
        ("", Login("")),
        ("DOMAIN\\", Login("", "DOMAIN")),
    ],
)
def test_login_in_any_of_its_forms(text: str, expected: Login) -> None:
    assert login(text) == expected

"""The query of a request, in both forms: what is read, what is refused and why, and what is written. [MS-ASHTTP]."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.protocol.query import (
    CODE_OF_COMMAND,
    COMMANDS,
    Query,
    QueryError,
    Reason,
    complete,
    encode_base64,
    parse,
    plain,
)
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Version

DEVICE = "DeviceId=v140Device&DeviceType=SmartPhone"
SYNC = Query(command="Sync", device_id="v140Device", device_type="SmartPhone")


def token(
    version: int = 140,
    code: int = 0,
    device_id: bytes = b"v140Device",
    key: bytes = b"",
    device_type: bytes = b"SmartPhone",
    parameters: bytes = b"",
) -> str:
    """A base64 query from its fields as bytes, built apart from the writer under test."""
    out = bytes([version, code, 0x09, 0x04, len(device_id)]) + device_id + bytes([len(key)]) + key
    return b64encode(out + bytes([len(device_type)]) + device_type + parameters).decode()


# Plain text ---------------------------------------------------------------------------------------------------------

PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "the example of the specification": (f"Cmd=Sync&User=rmjones&{DEVICE}", {"user": "rmjones"}),
    "another order": (f"{DEVICE}&User=rmjones&Cmd=Sync", {"user": "rmjones"}),
    "names in other case": ("cmd=Sync&USER=a&deviceid=v140Device&DEVICETYPE=SmartPhone", {"user": "a"}),
    "command in other case": (f"Cmd=sync&{DEVICE}", {}),
    "no user": (f"Cmd=Sync&{DEVICE}", {}),
    "domain and user": (f"Cmd=Sync&User=DOM%5Cuser&{DEVICE}", {"user": "DOM\\user"}),
    "user that was not encoded": (f"Cmd=Sync&User=a+b@example.com&{DEVICE}", {"user": "a+b@example.com"}),
    "user in UTF-8": (f"Cmd=Sync&User=j%C3%BCrgen&{DEVICE}", {"user": "jürgen"}),
    "user in ISO-8859-1": (f"Cmd=Sync&User=j%FCrgen&{DEVICE}", {"user": "jürgen"}),
    "user with a line break": (f"Cmd=Sync&User=a%0D%0Ab%00&{DEVICE}", {"user": "ab"}),
    "unknown parameter": (f"Cmd=Sync&{DEVICE}&Foo=1&Bar", {}),
    "the first of two": (f"Cmd=Sync&{DEVICE}&DeviceId=other", {}),
    "empty parts": (f"&Cmd=Sync&&{DEVICE}&", {}),
    "policy key in the URL": (f"Cmd=Sync&{DEVICE}&PolicyKey=4711", {"policy_key": 4711}),
    "save in sent": (f"Cmd=Sync&{DEVICE}&SaveInSent=T", {"save_in_sent": True}),
    "not save in sent": (f"Cmd=Sync&{DEVICE}&SaveInSent=F", {"save_in_sent": False}),
    "attachment": (f"Cmd=Sync&{DEVICE}&AttachmentName=RgAA%2f1%3a0", {"attachment_name": "RgAA/1:0"}),
    "what to reply to": (
        f"Cmd=Sync&{DEVICE}&CollectionId=7&ItemId=7%3a12&Occurrence=2020-01-01&LongId=",
        {"collection_id": "7", "item_id": "7:12", "occurrence": "2020-01-01", "long_id": ""},
    ),
    "names that are encoded": ("%43md=Sync&Device%49d=v140Device&DeviceType=SmartPhone", {}),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_query_is_read(name: str) -> None:
    """[MS-ASHTTP] R98; names and order are taken more generously than there."""
    text, stated = PLAIN[name]
    assert parse(text) == replace(SYNC, **stated)
    assert parse(text.encode()) == parse(text)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_asked_for_in_plain_text(command: str) -> None:
    assert parse(f"Cmd={command}&{DEVICE}").command == command


# Base64 -------------------------------------------------------------------------------------------------------------


def test_example_of_the_specification() -> None:
    """[MS-ASHTTP] R16: the two forms of its example are equivalent."""
    encoded = parse("jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l")
    assert encoded == replace(SYNC, version=Version.V14_0, locale=0x0409, encoded=True)


# Code -> command. [MS-ASHTTP] R58-R78; 12 has no row of its own, 23 stands in no sheet.
CODES = {
    0: "Sync",
    1: "SendMail",
    2: "SmartForward",
    3: "SmartReply",
    4: "GetAttachment",
    9: "FolderSync",
    10: "FolderCreate",
    11: "FolderDelete",
    12: "FolderUpdate",
    13: "MoveItems",
    14: "GetItemEstimate",
    15: "MeetingResponse",
    16: "Search",
    17: "Settings",
    18: "Ping",
    19: "ItemOperations",
    20: "Provision",
    21: "ResolveRecipients",
    22: "ValidateCert",
    23: "Find",
}


@pytest.mark.parametrize("code", CODES)
def test_command_of_a_code(code: int) -> None:
    assert parse(token(code=code)).command == CODES[code]


@pytest.mark.parametrize("version", [121, 140, 141, 160, 161])
def test_version_of_the_token(version: int) -> None:
    """[MS-ASHTTP] R24, R26, R451."""
    assert parse(token(version=version)).version == version


PARAMETERS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "attachment": (b"\x00\x03a/b", {"attachment_name": "a/b"}),  # R81
    "collection": (b"\x01\x017", {"collection_id": "7"}),  # R510
    "item": (b"\x03\x047:12", {"item_id": "7:12"}),  # R82
    "long id": (b"\x04\x01x", {"long_id": "x"}),  # R83
    "occurrence": (b"\x06\x01x", {"occurrence": "x"}),  # R84
    "user": (b"\x08\x05a\\b\xc3\xbc", {"user": "a\\bü"}),  # R86
    "save in sent": (b"\x07\x01\x01", {"save_in_sent": True}),  # R92
    "accept multipart": (b"\x07\x01\x02", {"accept_multipart": True}),  # R94
    "both flags and an unknown one": (b"\x07\x01\x83", {"save_in_sent": True, "accept_multipart": True}),
    "no flags": (b"\x07\x00", {}),
    "unused tags": (b"\x02\x01x\x05\x01y\xff\x00", {}),
    "several": (b"\x01\x017\x03\x03abc\x07\x01\x01", {"collection_id": "7", "item_id": "abc", "save_in_sent": True}),
    "empty": (b"\x03\x00", {"item_id": ""}),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_of_the_token(name: str) -> None:
    raw, stated = PARAMETERS[name]
    assert parse(token(parameters=raw)) == replace(SYNC, version=Version.V14_0, locale=0x0409, encoded=True, **stated)


def test_policy_key_is_little_endian_and_may_be_absent() -> None:
    """[MS-ASHTTP] R38-R41."""
    assert parse(token(key=b"\x01\x02\x00\x80")).policy_key == 0x80000201
    assert parse(token(key=b"\x00\x00\x00\x00")).policy_key == 0
    assert parse(token()).policy_key is None


def test_device_id_that_is_no_text_becomes_hex_digits() -> None:
    """[MS-ASHTTP] R34: a string or a GUID."""
    assert parse(token(device_id=bytes(range(16)))).device_id == "000102030405060708090A0B0C0D0E0F"
    # Of a Windows Phone 8.1, whose OPTIONS says DeviceId=796ACD8C9822BB3C18D373282F6D55EC.
    assert parse("jREHBBB5as2MmCK7PBjTcygvbVXsBAAAAAADV1A4").device_id == "796ACD8C9822BB3C18D373282F6D55EC"
    assert parse(token(device_id=b"\xff" * 32)).device_id == "FF" * 32


def test_alphabet_padding_and_encoding_of_the_token_do_not_matter() -> None:
    standard = token(device_id=b"\xfb\xef\xff\xfe" * 4, parameters=b"\x01\x02>>")
    assert "+" in standard
    assert "/" in standard
    assert standard.endswith("=")
    expected = parse(standard)
    for other in (
        standard.rstrip("="),
        standard.replace("+", "-").replace("/", "_"),
        quote(standard, safe=""),
        standard.replace("/", "%2f").replace("=", "%3D"),
    ):
        assert parse(other) == expected


# Refused ------------------------------------------------------------------------------------------------------------

GUID = "0fa6b5b3-9f1c-4f61-9c2e-6f0f7e5c2b11"
REFUSED: dict[str, tuple[str, Reason]] = {
    "nothing": ("", Reason.MALFORMED),
    "no parameter that is known": ("a=b&c=d", Reason.MALFORMED),
    "too long": ("Cmd=Sync&" + "x" * 10_000, Reason.MALFORMED),
    "no command": (f"User=a&{DEVICE}", Reason.COMMAND),
    "empty command": (f"Cmd=&{DEVICE}", Reason.COMMAND),
    "unknown command": (f"Cmd=Snyc&{DEVICE}", Reason.COMMAND),
    "no device id": ("Cmd=Sync&DeviceType=a", Reason.DEVICE_ID),
    "empty device id": ("Cmd=Sync&DeviceId=&DeviceType=a", Reason.DEVICE_ID),
    "device id with a comma": ("Cmd=Sync&DeviceId=a,b&DeviceType=a", Reason.DEVICE_ID),
    "device id with a path": ("Cmd=Sync&DeviceId=..%2Fb&DeviceType=a", Reason.DEVICE_ID),
    "device id with NUL": ("Cmd=Sync&DeviceId=a%00&DeviceType=a", Reason.DEVICE_ID),
    "device id with a line break at its end": ("Cmd=Sync&DeviceId=a%0A&DeviceType=a", Reason.DEVICE_ID),
    "device id beyond ASCII": ("Cmd=Sync&DeviceId=%C3%A4&DeviceType=a", Reason.DEVICE_ID),
    "device id of 33 letters": (f"Cmd=Sync&DeviceId={'a' * 33}&DeviceType=a", Reason.DEVICE_ID),
    "device id of 66 hex digits": (f"Cmd=Sync&DeviceId={'A0' * 33}&DeviceType=a", Reason.DEVICE_ID),
    "device id with more than a GUID": (f"Cmd=Sync&DeviceId={GUID}-0&DeviceType=a", Reason.DEVICE_ID),
    "device type with a line break": ("Cmd=Sync&DeviceId=a&DeviceType=a%0Ab", Reason.DEVICE_TYPE),
    "device type of 33 letters": (f"Cmd=Sync&DeviceId=a&DeviceType={'a' * 33}", Reason.DEVICE_TYPE),
    "not base64": ("!!!!", Reason.MALFORMED),
    "base64 of an impossible length": ("jAAJBA1AA", Reason.MALFORMED),
    "letters beyond ASCII": ("jÄAJ", Reason.MALFORMED),
    "three bytes": ("jAAJ", Reason.MALFORMED),
    "version 13.9": (token(version=139), Reason.VERSION),
    "version 16.2": (token(version=162), Reason.VERSION),
    "code 5": (token(code=5), Reason.COMMAND),
    "code 24": (token(code=24), Reason.COMMAND),
    "token without device id": (token(device_id=b""), Reason.DEVICE_ID),  # R32
    "token with a device id of 33 bytes that are no text": (token(device_id=b"\xff" * 33), Reason.DEVICE_ID),
    "token without device type": (token(device_type=b""), Reason.DEVICE_TYPE),
    "token with control characters in the device type": (token(device_type=b"a\x00"), Reason.DEVICE_TYPE),
    "policy key of three bytes": (token(key=b"abc"), Reason.MALFORMED),  # R38
    "parameter without length": (token(parameters=b"\x01"), Reason.MALFORMED),
    "parameter that ends early": (token(parameters=b"\x01\x05a"), Reason.MALFORMED),
    "XML": ("<?xml version='1.0'?>", Reason.MALFORMED),
    "surrogates": ("\ud800", Reason.MALFORMED),
}


@pytest.mark.parametrize("name", REFUSED)
def test_query_is_refused_with_its_reason(name: str) -> None:
    text, reason = REFUSED[name]
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.reason is reason


def test_every_reason_has_a_status() -> None:
    """[MS-ASCMD] R4828, R4830."""
    with pytest.raises(QueryError) as caught:
        parse("Cmd=Sync&DeviceType=a")
    assert caught.value.status is CommonStatus.DEVICE_ID_MISSING_OR_INVALID
    with pytest.raises(QueryError) as caught:
        parse("Cmd=Sync&DeviceId=a&DeviceType=%00")
    assert caught.value.status is CommonStatus.DEVICE_TYPE_MISSING_OR_INVALID
    assert {QueryError(reason, "").status for reason in Reason} == {101, 108, 109, 137, 138}


def test_error_says_what_could_be_read() -> None:
    """So that a device that speaks 14.0 gets a Status in the root of its command."""
    with pytest.raises(QueryError) as caught:
        parse(token(code=18, version=161, device_id=b""))
    assert (caught.value.command, caught.value.version) == ("Ping", Version.V16_1)
    with pytest.raises(QueryError) as caught:
        parse(token(code=18, parameters=b"\x01"))
    assert (caught.value.command, caught.value.version) == ("Ping", Version.V14_0)


# Headers ------------------------------------------------------------------------------------------------------------


def test_headers_complete_a_plain_query() -> None:
    headers = {"ms-asprotocolversion": " 16.1", "x-ms-policykey": "4294967295", "ms-asacceptmultipart": "T"}
    expected = replace(SYNC, version=Version.V16_1, policy_key=0xFFFFFFFF, accept_multipart=True)
    assert complete(SYNC, headers) == expected


@pytest.mark.parametrize("query", ["Cmd=Sync&DeviceId=a", "Cmd=Sync&DeviceId=a&DeviceType="])
@pytest.mark.parametrize("version", list(Version))
def test_only_old_devices_may_leave_out_their_type(query: str, version: Version) -> None:
    """[MS-ASCMD] R4830 for 14.0 and later; before, a device may be known by its id alone."""
    headers = {"ms-asprotocolversion": version.text}
    if version < Version.V14_0:
        assert complete(parse(query), headers).device_type == ""
        return
    with pytest.raises(QueryError) as caught:
        complete(parse(query), headers)
    assert (caught.value.reason, caught.value.version) == (Reason.DEVICE_TYPE, version)


def test_a_query_without_version_and_type_is_refused() -> None:
    with pytest.raises(QueryError):
        complete(parse("Cmd=Sync&DeviceId=a"), {})


def test_absent_headers_leave_everything_open() -> None:
    assert complete(SYNC, {}) == SYNC
    assert complete(SYNC, {"ms-asacceptmultipart": "F"}) == SYNC


def test_base64_query_wins_over_headers() -> None:
    """[MS-ASHTTP] R150, R160, R408: the headers should not be there at all."""
    encoded = parse(token(key=b"\x01\x00\x00\x00"))
    headers = {"ms-asprotocolversion": "2.5", "x-ms-policykey": "7", "ms-asacceptmultipart": "T"}
    assert complete(encoded, headers) == encoded


def test_base64_query_without_policy_key_takes_the_header() -> None:
    assert complete(parse(token()), {"x-ms-policykey": "7"}).policy_key == 7


@pytest.mark.parametrize("version", ["1.0", "12", "16.2", "latest"])
def test_unknown_version_header_is_refused(version: str) -> None:
    with pytest.raises(QueryError) as caught:
        complete(SYNC, {"ms-asprotocolversion": version})
    assert (caught.value.reason, caught.value.command) == (Reason.VERSION, "Sync")


@pytest.mark.parametrize("key", ["", "-1", "4294967296", "abc", "1e3", "٣"])
def test_policy_key_that_is_no_key_fits_no_policy(key: str) -> None:
    assert complete(SYNC, {"x-ms-policykey": key}).policy_key in ((None,) if not key else (0,))


# Writing ------------------------------------------------------------------------------------------------------------


def test_plain_query_is_written_in_the_order_of_the_specification() -> None:
    query = replace(SYNC, command="SmartReply", user="DOM\\j ü", item_id="7:1", save_in_sent=True)
    assert plain(query) == (
        "Cmd=SmartReply&User=DOM%5Cj%20%C3%BC&DeviceId=v140Device&DeviceType=SmartPhone&ItemId=7%3A1&SaveInSent=T"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"version": None},
        {"version": Version.V2_5},
        {"version": Version.V12_0},
        {"command": "GetHierarchy"},
        {"item_id": "x" * 256},
    ],
)
def test_what_base64_cannot_say_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"base64 form|code"):
        encode_base64(replace(SYNC, **{"version": Version.V14_1, **change}))


VALUES = st.text(st.characters(codec="utf-8"), max_size=40)
PRINTABLE = st.text(st.characters(codec="utf-8"), max_size=40).map(lambda text: "".join(filter(str.isprintable, text)))
DEVICE_IDS = st.text("abcXYZ0189._:{}-", min_size=1, max_size=32) | st.just(GUID) | st.just(f"{{{GUID}}}")


def queries(commands: list[str], **others: st.SearchStrategy[Any]) -> st.SearchStrategy[Query]:
    maybe = st.none() | VALUES
    return st.builds(
        Query,
        command=st.sampled_from(commands),
        device_id=DEVICE_IDS,
        device_type=PRINTABLE.map(lambda text: text[:32]).filter(bool),
        user=PRINTABLE,
        attachment_name=maybe,
        collection_id=maybe,
        item_id=maybe,
        long_id=maybe,
        occurrence=maybe,
        save_in_sent=st.booleans(),
        **others,
    )


@given(queries(list(COMMANDS), version=st.none(), policy_key=st.none(), locale=st.none()))
@settings(max_examples=60)
def test_plain_query_that_is_written_is_read_the_same(query: Query) -> None:
    assert parse(plain(query)) == query


@given(
    queries(
        list(CODE_OF_COMMAND),
        version=st.sampled_from([version for version in Version if version >= Version.V12_1]),
        policy_key=st.none() | st.integers(0, 0xFFFFFFFF),
        locale=st.integers(0, 0xFFFF),
        accept_multipart=st.booleans(),
        encoded=st.just(True),
    )
)
@settings(max_examples=60)
def test_base64_query_that_is_written_is_read_the_same(query: Query) -> None:
    assert parse(encode_base64(query)) == query

"""The query of a request under text and bytes that are nearly right."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from urllib.parse import quote_from_bytes

import pytest
from fuzz_settings import examples
from hypothesis import event, given
from hypothesis import strategies as st

from eas.protocol.query import (
    CODE_OF_COMMAND,
    COMMANDS,
    EN_US,
    MAX_DEVICE_ID,
    UNOFFERED,
    Query,
    QueryError,
    complete,
    encode_base64,
    parse,
    plain,
)
from eas.protocol.version import Version


def attempt(query: str | bytes) -> Query | QueryError:
    try:
        return parse(query)
    except QueryError as error:
        return error


def check(query: str | bytes) -> None:
    """Either a QueryError with a status, or a query with a device that survives being written."""
    found = attempt(query)
    event("refused" if isinstance(found, QueryError) else "read")
    if isinstance(found, QueryError):
        assert 101 <= found.status <= 184
        return
    assert found.command in (*COMMANDS, *UNOFFERED)
    assert 0 < len(found.device_id) <= MAX_DEVICE_ID
    assert found.device_id.isascii()
    assert found.device_type or not found.encoded
    assert found.user.isprintable()
    in_headers = {"version": None, "policy_key": None, "locale": None, "accept_multipart": False, "encoded": False}
    assert parse(plain(found)) == replace(found, **in_headers)
    check_base64(found)


def check_base64(found: Query) -> None:
    version = found.version if found.version and found.version >= Version.V12_1 else Version.V16_1
    values = (found.user, found.attachment_name, found.item_id)
    if found.command not in CODE_OF_COMMAND or any(len((value or "").encode()) > 255 for value in values):
        return
    if not found.device_type:  # which only the plain form can leave out
        found = replace(found, device_type="SmartPhone")
    token = encode_base64(replace(found, version=version))
    locale = EN_US if found.locale is None else found.locale
    assert parse(token) == replace(found, version=version, locale=locale, encoded=True)


NAMES = st.sampled_from(
    ["Cmd", "cmd", "User", "DeviceId", "DeviceType", "SaveInSent", "PolicyKey", "ItemId", "AttachmentName", "x", ""]
)
VALUES = st.one_of(
    st.binary(max_size=12).map(quote_from_bytes),
    st.text(max_size=12),
    st.sampled_from([*COMMANDS, "T", "1", "%", "%4", "%zz", "%00", "a" * 70]),
)
PARTS = st.tuples(NAMES, st.sampled_from(["=", "=", "=", "", "=="]), VALUES).map("".join)
SIZED = st.binary(max_size=12).map(lambda raw: bytes([len(raw)]) + raw)
#: The fields of the base64 form, mostly well-formed.
FIELDS = st.tuples(
    st.sampled_from([121, 140, 141, 160, 161, 161, 161, 25, 0, 255]).map(lambda byte: bytes([byte])),
    st.integers(0, 24).map(lambda byte: bytes([byte])),
    st.binary(min_size=2, max_size=2),
    SIZED,
    st.sampled_from([b"\x00", b"\x04abcd", b"\x04\x00\x00\x00\x00", b"\x03abc"]),
    SIZED | st.sampled_from([b"\x06iPhone", b"\x02\xc3\xa4"]),
    st.lists(st.tuples(st.integers(0, 9).map(lambda tag: bytes([tag])), SIZED).map(b"".join), max_size=4).map(b"".join),
    st.binary(max_size=2),
).map(b"".join)


@given(st.text(max_size=80) | st.binary(max_size=80))
@examples(100)
def test_any_query(query: str | bytes) -> None:
    check(query)


@given(st.lists(PARTS, max_size=8))
@examples(150)
def test_parameters_in_any_order(parts: list[str]) -> None:
    check("&".join(parts))
    check("&".join([*parts, "Cmd=Sync", "DeviceId=abc", "DeviceType=iPhone"]))


@given(FIELDS)
@examples(300)
def test_fields_in_base64(fields: bytes) -> None:
    check(b64encode(fields))
    check(b64encode(fields).decode().rstrip("="))


@given(FIELDS, st.integers(0, 60), st.sampled_from("+-/_=%& \x00ä"))
@examples(100)
def test_base64_with_faults(fields: bytes, at: int, character: str) -> None:
    token = b64encode(fields).decode()
    check(token[:at] + character + token[at:])
    check(token[:at])


@given(
    st.dictionaries(
        st.sampled_from(["ms-asprotocolversion", "x-ms-policykey", "ms-asacceptmultipart"]), st.text(max_size=12)
    )
)
@examples(100)
def test_any_headers(headers: dict[str, str]) -> None:
    query = Query(command="Sync", device_id="a", device_type="b")
    try:
        query = complete(query, headers)
    except QueryError:
        with pytest.raises(ValueError, match="not a protocol version"):
            Version.parse(headers["ms-asprotocolversion"])
    assert query.policy_key is None or 0 <= query.policy_key <= 0xFFFFFFFF

"""GlobalObjId <-> UID. [MS-ASEMAIL] GlobalObjId, and 3.1.4.7 R23-R30."""

from __future__ import annotations

import base64
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items import globalobjid

OUTLOOK = "040000008200E00074C5B7101A82E00800000000A0B0C0D0E0F0010000000000000000001000000" + "0" + "AB" * 16


def test_uid_is_wrapped_as_vcal_uid() -> None:
    """R20000-R20022."""
    packed = base64.b64decode(globalobjid.of_uid("hello@example.com"))
    assert packed[:16].hex().upper() == "040000008200E00074C5B7101A82E008"
    assert packed[16:36] == bytes(20)
    assert packed[36:40] == (8 + 4 + 17 + 1).to_bytes(4, "little")
    assert packed[40:] == b"vCal-Uid\x01\0\0\0hello@example.com\0"


def test_date_of_an_instance() -> None:
    """R20002-R20009: year high, year low, month, day; the UID stays that of the series."""
    text = globalobjid.of_uid("hello", datetime(2026, 4, 22))
    assert base64.b64decode(text)[16:20] == bytes([0x07, 0xEA, 4, 22])
    assert globalobjid.to_uid(text) == "hello"
    outlook = globalobjid.of_uid(OUTLOOK, datetime(2026, 4, 22))
    assert base64.b64decode(outlook)[16:20] == bytes([0x07, 0xEA, 4, 22])
    assert globalobjid.to_uid(outlook) == OUTLOOK


def test_outlook_uid_is_the_id_itself() -> None:
    """R28: hexadecimal, upper case, without the instance's date."""
    assert base64.b64decode(globalobjid.of_uid(OUTLOOK)) == bytes.fromhex(OUTLOOK)
    assert globalobjid.to_uid(globalobjid.of_uid(OUTLOOK)) == OUTLOOK
    assert globalobjid.plain_uid(OUTLOOK) == OUTLOOK


@pytest.mark.parametrize("length", [0, 12, 200])
def test_vcal_ids_of_a_wrong_length_are_outlooks(length: int) -> None:
    """R27."""
    packed = globalobjid.CLASS_ID + bytes(20) + length.to_bytes(4, "little") + b"vCal-Uid\x01\0\0\0hello\0"
    assert globalobjid.to_uid(base64.b64encode(packed).decode()) == packed.hex().upper()


def test_short_ids_are_outlooks() -> None:
    """R1009: less than 53 bytes."""
    assert globalobjid.to_uid(base64.b64encode(b"abc").decode()) == "616263"
    assert globalobjid.to_uid("!") in ("", None)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=0, max_size=80))
def test_uids_round_trip(uid: str) -> None:
    text = globalobjid.of_uid(uid)
    assert globalobjid.to_uid(text) == uid
    assert globalobjid.plain_uid(base64.b64decode(text).hex()) == uid


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=80).map(lambda b: base64.b64encode(b).decode()))
def test_any_text_has_a_uid_or_none(text: str) -> None:
    assert isinstance(globalobjid.to_uid(text), str | None)

"""Charsets, right, wrong and unknown ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.items.charset import codec_of, decode

GERMAN = "Schöne Grüße – 20 €"


@pytest.mark.parametrize(
    ("text", "octets_in", "declared"),
    [
        (GERMAN, "utf-8", "utf-8"), (GERMAN, "utf-8", ""), (GERMAN, "utf-8", "iso-8859-1"),
        (GERMAN, "utf-8", "us-ascii"),
        (GERMAN, "cp1252", "windows-1252"), (GERMAN, "cp1252", "iso-8859-1"), (GERMAN, "cp1252", "utf-8"),
        (GERMAN, "cp1252", ""), (GERMAN, "cp1252", "x-nonsense"), (GERMAN, "cp1252", "unicode_escape"),
        (GERMAN, "utf-16", "utf-16"), (GERMAN, "utf-16-le", "utf-16le"), (GERMAN, "utf-7", "unicode-1-1-utf-7"),
        ("会议镕", "gb18030", "gb2312"), ("会議です", "iso2022_jp", "ISO-2022-JP"), ("会議①", "cp932", "shift_jis"),
        ("한국어", "cp949", "ks_c_5601-1987"), ("Привет", "koi8-r", "koi8-r"), ("שלום", "iso-8859-8", "iso-8859-8-i"),
        ("plain", "ascii", "base64"), (GERMAN, "utf-8-sig", "utf-8"),
    ],
)  # fmt: skip
def test_decoded_as_meant(text: str, octets_in: str, declared: str) -> None:
    assert decode(text.encode(octets_in), declared) == text


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "shift_jis", "utf-16-le", "iso-2022-jp", "euc-kr"])
def test_character_broken_by_a_cut_is_left_out(charset: str) -> None:
    text = "日本語の会議" if charset != "euc-kr" else "한국어회의"
    octets = text.encode(charset)
    for end in range(len(octets)):
        assert text.startswith(decode(octets[:end], charset, cut=True))


def test_one_damaged_octet_does_not_change_the_charset() -> None:
    octets = bytearray((GERMAN * 20).encode())
    octets[30] = 0xFF
    text = decode(bytes(octets), "utf-8")
    assert text.count("ü") >= 19
    assert "Ã" not in text


def test_long_undeclared_text_is_guessed() -> None:
    text = "Съешь же ещё этих мягких французских булок да выпей чаю. Дорогие друзья, встреча состоится завтра. " * 6
    assert decode(text.encode("cp1251"), "") == text


@given(
    st.binary(max_size=400),
    st.sampled_from(["", "utf-8", "gb2312", "utf-16", "utf-7", "iso-2022-jp", "hz", "a\0b", "rot13"]),
    st.booleans(),
)
def test_never_fails(octets: bytes, declared: str, cut: bool) -> None:
    decode(octets, declared, cut=cut)


def test_codecs_of_python_that_are_no_charsets_are_unknown() -> None:
    for name in ("base64", "rot13", "zlib", "unicode_escape", "idna", "punycode", "x" * 300, "a b"):
        assert codec_of(name) == ""

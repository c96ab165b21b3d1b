"""The WBXML codec: pairs of element and bytes in both directions, what only comes in, and what is refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.protocol.codepages import OPAQUE, TOKEN_OF
from eas.protocol.wbxml import Element, WbxmlError, clean, decode, encode

HEADER = bytes.fromhex("03016a00")


def sync(*content: Element) -> Element:
    return Element("AirSync:Sync", content)


def subject(content: str | bytes) -> Element:
    return Element("Email:Subject", content)


# Element and bytes that are each other's only form. The bytes are written down by hand from [MS-ASWBXML].
PAIRS = {
    "empty root": (sync(), "05"),
    "FolderSync request": (
        Element("FolderHierarchy:FolderSync", (Element("FolderHierarchy:SyncKey", "0"),)),
        "0007 56 52 03 3000 01 01",
    ),
    "empty element in the short form": (sync(Element("AirSync:MoreAvailable")), "45 14 01"),
    "text beyond ASCII": (subject("Grüße 😀"), "0002 54 03 4772c3bcc39f6520f09f9880 00 01"),
    "opaque data": (Element("ComposeMail:Mime", b"a\x00\xff"), "0015 50 c3 03 6100ff 01"),
    "opaque data, length of two bytes": (
        Element("ComposeMail:Mime", b"x" * 200),
        "0015 50 c3 8148" + "78" * 200 + "01",
    ),
    "bytes in a text element": (subject(b"\xff"), "0002 54 c3 01 ff 01"),
    "bytes with NUL in a text element": (subject(b"a\x00"), "0002 54 c3 02 6100 01"),
    "page goes on over the end of an element": (
        sync(Element("AirSync:ApplicationData", (subject("a"),)), subject("b"), Element("AirSync:Status", "1")),
        "45 5d 0002 54 03 6100 01 01 54 03 6200 01 0000 4e 03 3100 01 01",
    ),
    "unverified tags": (Element("Ping:Ping", (Element("Ping:Version", "1"),)), "000d 45 4e 03 3100 01 01"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pair_is_written(name: str) -> None:
    root, body = PAIRS[name]
    assert encode(root) == HEADER + bytes.fromhex(body)


@pytest.mark.parametrize("name", PAIRS)
def test_pair_is_read(name: str) -> None:
    root, body = PAIRS[name]
    assert decode(HEADER + bytes.fromhex(body)) == root


# Other forms of the same, which are read but not written.
READ_ONLY = {
    "empty element in the long form": ("45 54 01 01", sync(Element("AirSync:MoreAvailable"))),
    "empty string": ("45 54 03 00 01 01", sync(Element("AirSync:MoreAvailable"))),
    "empty opaque data": ("0015 50 c3 00 01", Element("ComposeMail:Mime")),
    "text in pieces": ("0002 54 03 6100 03 6200 01", subject("ab")),
    "string and opaque data mixed": ("0002 54 03 6100 c3 01 62 03 6300 01", subject("abc")),
    "a character cut in two": ("0002 54 03 c300 c3 01 bc 01", subject("ü")),
    "text as opaque data": ("0002 54 c3 02 c3bc 01", subject("ü")),
    "opaque tag as string": ("0015 50 03 6100 01", Element("ComposeMail:Mime", b"a")),
    "opaque tag as string that is not UTF-8": ("0015 50 03 ff00 01", Element("ComposeMail:Mime", b"\xff")),
    "opaque tag in pieces": ("0015 50 c3 01 61 c3 01 ff 01", Element("ComposeMail:Mime", b"a\xff")),
    "white space between elements": ("45 03 0a2000 14 03 0a00 01", sync(Element("AirSync:MoreAvailable"))),
    "needless page switches": ("0007 0000 45 0000 14 0002 0000 01", sync(Element("AirSync:MoreAvailable"))),
    "page switch between text and end": ("0002 54 03 6100 0000 01", subject("a")),
    "emoji as two surrogates of three bytes": ("0002 54 03 eda0bd edb88000 01", subject("😀")),
}


@pytest.mark.parametrize("name", READ_ONLY)
def test_other_form_is_read(name: str) -> None:
    body, root = READ_ONLY[name]
    assert decode(HEADER + bytes.fromhex(body)) == root


HEADERS = {
    "version 1.1": "01 01 6a 00",
    "version 1.2": "02 01 6a 00",
    "US-ASCII": "03 01 03 00",
    "another public id": "03 05 6a 00",
    "public id of two bytes": "03 8148 6a 00",
    "public id in the string table": "03 00 00 6a 03 414200",
    "padded numbers": "03 8001 806a 8000",
}


@pytest.mark.parametrize("name", HEADERS)
def test_header_is_read(name: str) -> None:
    assert decode(bytes.fromhex(HEADERS[name] + "0002 54 03 6100 01")) == subject("a")


def test_string_table_is_read() -> None:
    data = bytes.fromhex("03 01 6a 06 414200 c3bc00 0002 54 83 00 83 03 03 6300 01")
    assert decode(data) == subject("ABüc")


REFUSED = {
    "nothing": ("", "ends early"),
    "WBXML 1.0": ("00 01 6a 00 05", "not WBXML"),
    "XML": (b"<?xml version='1.0'?><Sync/>".hex(), "not WBXML"),
    "another charset": ("03 01 04 00 05", "charset 4"),
    "header only": ("03 01 6a 00", "ends early"),
    "string table longer than the document": ("03 01 6a 7f 05", "string table ends early"),
    "number of six bytes": ("03 81 81 81 81 81 01 6a 00 05", "32 bits"),
    "number of 35 bits": ("03 ff ff ff ff 7f 6a 00 05", "32 bits"),
    "root without end": ("03 01 6a 00 45", "ends early"),
    "string without end": ("03 01 6a 00 45 4b 03 61", "string without end"),
    "string without end in version 1.1": ("01 01 6a 00 45 4b 03 61", "string without end"),
    "end after string missing": ("03 01 6a 00 45 4b 03 61 00", "ends early"),
    "opaque data too short": ("03 01 6a 00 45 4b c3 05 61 01 01", "opaque data of 5 bytes"),
    "opaque data of four gigabytes": ("03 01 6a 00 45 4b c3 8fffffff7f 01 01", "opaque data of 4294967295 bytes"),
    "bytes after the root": ("03 01 6a 00 05 05", "after the root"),
    "page switch after the root": ("03 01 6a 00 05 00 00", "after the root"),
    "end without element": ("03 01 6a 00 01", "outside of the root"),
    "text without element": ("03 01 6a 00 03 61 00", "outside of the root"),
    "opaque data without element": ("03 01 6a 00 c3 01 61", "outside of the root"),
    "text beside elements": ("03 01 6a 00 45 14 03 61 00 01", "text beside elements in AirSync:Sync"),
    "text that is not UTF-8": ("03 01 6a 00 45 4b 03 ff 00 01 01", "not UTF-8"),
    "half a surrogate pair": ("03 01 6a 00 45 4b 03 eda0bd 00 01 01", "not UTF-8"),
    "unknown token": ("03 01 6a 00 45 2a 01", "page 0 token 0x2a"),
    "unknown token with content": ("03 01 6a 00 45 6a 01 01", "page 0 token 0x2a"),
    "unknown page": ("03 01 6a 00 00 fe 45 01", "page 254 token 0x05"),
    "attributes": ("03 01 6a 00 85 01", "AirSync:Sync with attributes"),
    "attributes and content": ("03 01 6a 00 c5 01 01", "AirSync:Sync with attributes"),
    "entity": ("03 01 6a 00 45 02 20 01", "entity"),
    "literal": ("03 01 6a 00 04 00", "literal"),
    "literal with content and attributes": ("03 01 6a 00 45 c4 00 01", "literal"),
    "extension with string": ("03 01 6a 00 45 40 61 00 01", "extension"),
    "extension": ("03 01 6a 00 45 c2 01", "extension"),
    "processing instruction": ("03 01 6a 00 43 01 05", "processing instruction"),
    "string that is not in the table": ("03 01 6a 03 414200 45 83 03 01", "no string 3"),
    "string of an absent table": ("03 01 6a 00 45 83 00 01", "no string 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_reason(name: str) -> None:
    """[MS-ASWBXML] R656: entities, processing instructions and attributes are not used."""
    data, reason = REFUSED[name]
    with pytest.raises(WbxmlError, match=reason):
        decode(bytes.fromhex(data))


def test_error_says_where() -> None:
    with pytest.raises(WbxmlError, match=r"at byte 6$") as caught:
        decode(HEADER + bytes.fromhex("45 14 2a 01"))
    assert caught.value.offset == 6


def test_depth_has_a_limit() -> None:
    def nested(depth: int) -> bytes:
        return HEADER + b"\x45" * depth + b"\x01" * depth

    assert decode(nested(3), max_depth=3)
    with pytest.raises(WbxmlError, match="more than 3 elements inside each other"):
        decode(nested(4), max_depth=3)
    with pytest.raises(WbxmlError, match="inside each other"):
        decode(nested(100_000))


def test_elements_have_a_limit() -> None:
    data = HEADER + b"\x45" + b"\x14" * 9 + b"\x01"
    assert len(decode(data, max_elements=10).elements) == 9
    with pytest.raises(WbxmlError, match="more than 9 elements"):
        decode(data, max_elements=9)


def test_size_has_a_limit() -> None:
    data = encode(subject("a" * 100))
    assert decode(data, max_size=len(data)).text == "a" * 100
    with pytest.raises(WbxmlError, match="at most"):
        decode(data, max_size=len(data) - 1)


def test_string_table_cannot_blow_a_document_up() -> None:
    """120 KB that would become 4 GB."""
    table = b"a" * 0x1FFF + b"\x00"
    data = bytes.fromhex("03016a c000") + table + b"\x45\x4b" + b"\x83\x00" * 60_000 + b"\x01\x01"
    with pytest.raises(WbxmlError, match="too much text from the string table"):
        decode(data)


def test_what_xml_cannot_hold_is_left_out() -> None:
    """NUL would end the string; the others cannot stand in XML 1.0, which devices turn the document into."""
    dirty = "a\x00b\x01c\x0bd\x1fe\ud800f\udc00g\ufffeh\uffffi\t\r\n\ufffdﬀ"
    assert clean(dirty) == "abcdefghi\t\r\n\ufffdﬀ"
    assert decode(encode(subject(dirty))) == subject(clean(dirty))


def test_surrogates_that_make_a_pair_are_one_character() -> None:
    assert clean("\ud83d\ude00") == "😀"


def test_text_of_nothing_but_control_characters_is_empty() -> None:
    assert encode(subject("\x00\x01")) == encode(subject(""))


def test_text_in_an_opaque_tag_travels_as_opaque_data() -> None:
    """[MS-ASDTYPE] R98."""
    assert encode(Element("ComposeMail:Mime", "a")) == encode(Element("ComposeMail:Mime", b"a"))


def test_unknown_tag_is_not_written() -> None:
    with pytest.raises(ValueError, match="'AirSync:Synk'"):
        encode(sync(Element("AirSync:Synk")))


def test_empty_elements_are_equal_however_they_were_made() -> None:
    assert len({subject(""), subject(b""), Element("Email:Subject", ()), Element("Email:Subject")}) == 1


def test_element_is_a_value() -> None:
    assert sync(subject("a")) == sync(subject("a"))
    assert hash(sync(subject("a"))) == hash(sync(subject("a")))
    assert sync(subject("a")) != sync(subject("b"))
    assert repr(subject("a")) == "Element(tag='Email:Subject', content='a')"


def test_looking_into_an_element() -> None:
    first, second, other = subject("a"), subject("b"), Element("Email:To", b"x\xff")
    root = sync(first, other, second)
    assert root.child("Email:Subject") is first
    assert list(root.children("Email:Subject")) == [first, second]
    assert root.child("Email:Cc") is None
    assert (first.text, other.text, root.text) == ("a", "x\ufffd", "")
    assert (first.elements, other.elements) == ((), ())


# Properties ---------------------------------------------------------------------------------------------------------

TEXTS = (st.text(st.characters(codec="utf-8"), max_size=30) | st.text(string.printable, max_size=30)).map(clean)
NOT_TEXT = st.binary(min_size=1, max_size=30).map(lambda raw: raw + b"\x00\xff")


def elements() -> st.SearchStrategy[Element]:
    """Elements as a decoder gives them: bytes where it must be bytes, no control characters."""
    tags = st.sampled_from(sorted(TOKEN_OF))
    text_tags, opaque_tags = st.sampled_from(sorted(TOKEN_OF.keys() - OPAQUE)), st.sampled_from(sorted(OPAQUE))
    leaves = st.one_of(
        st.builds(Element, text_tags, TEXTS | NOT_TEXT),
        st.builds(Element, opaque_tags, st.binary(max_size=200)),
    )
    return st.recursive(leaves, lambda inner: st.builds(Element, tags, st.lists(inner, max_size=5).map(tuple)))


@given(elements())
@settings(max_examples=80)
def test_what_is_written_is_read_the_same(root: Element) -> None:
    assert decode(encode(root)) == root


@given(st.text(st.characters(), max_size=60))
@settings(max_examples=80)
def test_any_string_can_be_written(text: str) -> None:
    """Surrogates and control characters included, in text elements and in opaque ones."""
    assert decode(encode(subject(text))) == subject(clean(text))
    assert decode(encode(Element("ComposeMail:Mime", text))).text == clean(text)


@given(elements(), st.data())
@settings(max_examples=60)
def test_every_true_prefix_is_refused(root: Element, data: st.DataObject) -> None:
    document = encode(root)
    cut = data.draw(st.integers(0, len(document) - 1))
    with pytest.raises(WbxmlError):
        decode(document[:cut])

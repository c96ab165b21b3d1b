"""The WBXML decoder under bytes that are nearly right."""

from __future__ import annotations

from fuzz_settings import examples
from hypothesis import event, given
from hypothesis import strategies as st

from eas.protocol.codepages import TOKEN_OF
from eas.protocol.wbxml import Element, WbxmlError, decode, encode
from eas.protocol.xml import read, show

DEPTH, ELEMENTS = 20, 500


def attempt(data: bytes) -> Element | WbxmlError:
    try:
        return decode(data, max_depth=DEPTH, max_elements=ELEMENTS)
    except WbxmlError as error:
        return error


def check(data: bytes) -> None:
    """Either a WbxmlError inside the document, or an element within the limits that survives being written."""
    root = attempt(data)
    event("refused" if isinstance(root, WbxmlError) else "read")
    if isinstance(root, WbxmlError):
        assert 0 <= root.offset <= len(data)
        return
    assert depth(root) <= DEPTH + 1  # the innermost may be a leaf
    assert count(root) <= ELEMENTS
    # The first writing leaves out what XML cannot hold; from then on nothing changes any more.
    once = decode(encode(root))
    assert decode(encode(once)) == once
    assert read(show(root)) == once


def depth(element: Element) -> int:
    return 1 + max(map(depth, element.elements), default=0)


def count(element: Element) -> int:
    return 1 + sum(map(count, element.elements))


HEADERS = st.sampled_from(
    [bytes.fromhex(text) for text in ("03016a00", "01016a00", "0301030461620063", "0300016a03410042")]
)
BYTES = st.integers(0, 255).map(lambda byte: bytes([byte]))
SIZES = st.integers(0, 6) | st.sampled_from([0x7F, 0x80, 0x81, 0xFF])
#: Pieces of a document: tags that exist, with and without content, and all that may stand between them.
PIECES = st.one_of(
    st.sampled_from(sorted(TOKEN_OF.values())).map(lambda code: bytes([0, code[0], code[1] | 0x40])),
    st.sampled_from(sorted(TOKEN_OF.values())).map(lambda code: bytes([0, code[0], code[1]])),
    st.sampled_from([b"\x45", b"\x4b", b"\x14", b"\x01", b"\x01", b"\x01", b"\x00\x00", b"\x00\x15", b"\x00\xfe"]),
    st.binary(max_size=6).map(lambda text: b"\x03" + text + b"\x00"),
    st.text(max_size=4).map(lambda text: b"\x03" + text.encode("utf-8", "surrogatepass") + b"\x00\x01"),
    st.binary(max_size=6).map(lambda raw: b"\xc3" + bytes([len(raw)]) + raw),
    st.tuples(st.sampled_from([b"\xc3", b"\x83"]), SIZES).map(lambda pair: pair[0] + bytes([pair[1]])),
    BYTES,
)


@given(st.binary(max_size=100))
@examples(100)
def test_any_bytes(data: bytes) -> None:
    check(data)
    check(b"\x03\x01\x6a\x00" + data)


@given(HEADERS, st.lists(PIECES, max_size=40))
@examples(250)
def test_pieces_of_documents_in_any_order(header: bytes, pieces: list[bytes]) -> None:
    check(header + b"\x45" + b"".join(pieces))


@given(HEADERS, st.lists(PIECES, max_size=25))
@examples(250)
def test_pieces_with_all_elements_ended(header: bytes, pieces: list[bytes]) -> None:
    """The same with as many ends as a reading of it needs, so that whole documents are frequent."""
    data = header + b"\x45" + b"".join(pieces)
    for ends in range(1, DEPTH):
        check(data + b"\x01" * ends)


def mail(subject: str, body: bytes) -> Element:
    data = (
        Element("Email:Subject", subject),
        Element("AirSyncBase:Body", (Element("AirSyncBase:Type", "4"), Element("AirSyncBase:Data", body))),
        Element("Email2:ConversationId", bytes(range(16))),
    )
    return Element("AirSync:Add", (Element("AirSync:ServerId", "7:1"), Element("AirSync:ApplicationData", data)))


CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["flip", "cut", "insert", "double"]), st.binary(max_size=3))
)


@given(st.text(max_size=10), st.binary(max_size=10), CHANGES)
@examples(200)
def test_documents_with_faults(subject: str, body: bytes, changes: list[tuple[float, str, bytes]]) -> None:
    data = encode(Element("AirSync:Sync", (mail(subject, body), Element("AirSync:MoreAvailable"), mail("", b"\x00"))))
    for where, kind, raw in changes:
        at = int(where * len(data))
        match kind:
            case "flip":
                data = data[:at] + raw + data[at + len(raw) :]
            case "cut":
                data = data[:at] + data[at + 1 + len(raw) :]
            case "insert":
                data = data[:at] + raw + data[at:]
            case "double":
                data = data[:at] + data[at : at + 8] + data[at:]
    check(data)

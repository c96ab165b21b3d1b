"""Names and content of attachments."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import raw

from eas.items import mime
from eas.items.attachments import content_type, decode_range, decoded_pieces, display_name, find, method_of
from eas.items.native import Part


def part(kind: str, filename: str = "", encoding: str = "base64") -> Part:
    return Part(section="2", type=kind, size=1000, encoding=encoding, filename=filename)


@pytest.mark.parametrize(
    ("kind", "filename", "name"),
    [
        ("application/pdf", "a.pdf", "a.pdf"),
        ("application/pdf", "", "document.pdf"),
        ("application/x-what", "", "attachment.bin"),
        ("image/x-what", "", "image.bin"),
        ("message/rfc822", "", "message.eml"),
        ("message/rfc822", "Re: plan", "Re_ plan.eml"),
        ("message/rfc822", "plan.eml", "plan.eml"),
        ("x/y", "../../etc/passwd", "_.._etc_passwd"),
        ("x/y", "C:\\dir\\a\r\n\0.txt", "C_dir_a_.txt"),
        ("x/y", " . ", "attachment.bin"),
    ],
)
def test_names_are_harmless(kind: str, filename: str, name: str) -> None:
    assert display_name(part(kind, filename)) == name


@given(st.text(max_size=400))
def test_any_name_is_harmless(filename: str) -> None:
    for kind in ("x/y", "message/rfc822"):
        name = display_name(part(kind, filename))
        assert 0 < len(name) <= 255
        assert not set(name) & set('/\\\r\n\0:*?"<>|')
        assert not name.startswith(".")


def test_long_name_keeps_its_ending() -> None:
    assert display_name(part("x/y", "n" * 300 + ".docx")).endswith("n.docx")


def test_methods() -> None:
    """[MS-ASAIRS] Method (Attachment)."""
    assert [method_of(part(kind)) for kind in ("x/y", "message/rfc822", "application/x-oleobject")] == [1, 5, 6]


def test_find_by_section() -> None:
    root = mime.structure(raw("inline_image"))
    found = find(root, "2")
    assert found is not None
    assert content_type(found) == "application/pdf"
    assert decode_range(found, mime.cut_from(raw("inline_image"), found)) == b"%PDF-1.4 made up"
    assert find(root, "9") is None
    whole = find(root, "")
    assert whole is not None
    assert (whole.type, content_type(part("nonsense"))) == ("message/rfc822", "application/octet-stream")


def test_range_is_inclusive() -> None:
    """[MS-ASCMD] Range (ItemOperations)."""
    octets = base64.encodebytes(bytes(range(100)))
    assert decode_range(part("x/y"), octets, 10, 12) == bytes((10, 11, 12))
    assert decode_range(part("x/y"), octets, 98, 500) == bytes((98, 99))
    assert decode_range(part("x/y"), octets, 500, 600) == b""


@given(
    st.binary(max_size=500), st.sampled_from(["base64", "quoted-printable", "7bit", "x-uuencode"]),
    st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(0, 520), st.none() | st.integers(0, 520),
)  # fmt: skip
def test_pieces_join_to_the_range(octets: bytes, encoding: str, sizes: list[int], first: int, last: int | None) -> None:
    """However the encoded octets are cut into pieces."""
    encoded = {
        "base64": base64.encodebytes(octets),
        "quoted-printable": binascii.b2a_qp(octets, istext=False),
    }.get(encoding, octets)
    target = part("x/y", encoding=encoding)
    pieces, at, turn = [], 0, 0
    while at < len(encoded):
        pieces.append(encoded[at : at + sizes[turn % len(sizes)]])
        at, turn = at + len(pieces[-1]), turn + 1
    assert b"".join(decoded_pieces(target, pieces, first, last)) == decode_range(target, encoded, first, last)


def test_pieces_are_not_read_behind_the_range() -> None:
    taken = []

    def pieces() -> object:
        for number in range(100):
            taken.append(number)
            yield base64.b64encode(bytes(57))

    assert len(b"".join(decoded_pieces(part("x/y"), pieces(), 0, 99))) == 100  # type: ignore[arg-type]
    assert len(taken) == 2

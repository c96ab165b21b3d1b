"""The structure of messages, and what of it must be loaded."""

from __future__ import annotations

import base64
import binascii
import email
import time
from contextlib import suppress
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import HTML, MIME, TEXT, as_type, names, prefer, raw

from eas.items import mime
from eas.items.body import Wanted
from eas.items.mimescan import MAX_DEPTH, MAX_HEADER, MAX_PARTS
from eas.items.native import Part, Unreadable

#: What the standard library reads otherwise than we do, on purpose: we find boundaries that it does not.
BROKEN = {"wrong_boundary", "no_boundary_found", "unclosed", "no_header"}


def outline(part: Part) -> list[tuple[str, int]]:
    return [(p.type, len(p.children)) for p in mime.walk(part)]


def is_report(message: Message) -> bool:
    """The library takes the fields of a report for messages; to IMAP they are one part."""
    kind = message.get_content_type()
    return kind.startswith("message/") and kind != "message/rfc822"


def outline_of_library(message: Message) -> list[tuple[str, int]]:
    children = message.get_payload() if message.is_multipart() and not is_report(message) else []
    assert isinstance(children, list)
    found = [(message.get_content_type(), len(children))]
    for child in children:
        assert isinstance(child, Message)
        found += outline_of_library(child)
    return found


def leaves_of_library(message: Message) -> list[bytes | None]:
    """The decoded content of the parts without children, None for reports."""
    if is_report(message):
        return [None]
    if not message.is_multipart():
        octets = message.get_payload(decode=True)
        assert isinstance(octets, bytes)
        return [octets]
    children = message.get_payload()
    assert isinstance(children, list)
    return [leaf for child in children if isinstance(child, Message) for leaf in leaves_of_library(child)]


@pytest.mark.parametrize("name", [name for name in names() if name not in BROKEN])
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_same_tree_and_content_as_the_standard_library(name: str, line_end: bytes) -> None:
    message = raw(name).replace(b"\r\n", b"\n").replace(b"\n", line_end)
    ours, theirs = mime.structure(message), email.message_from_bytes(message)
    assert outline(ours) == outline_of_library(theirs)
    leaves = [part for part in mime.walk(ours) if not part.children]
    decoded = [mime.decode_section(part, mime.cut_from(message, part)) for part in leaves]
    for mine, other in zip(decoded, leaves_of_library(theirs), strict=True):
        assert other is None or mine == other


def test_section_numbers_are_those_of_imap() -> None:
    """RFC 9051, 6.4.5.1."""
    forwarded = {part.section: part.type for part in mime.walk(mime.structure(raw("forwarded")))}
    assert forwarded == {
        "": "multipart/mixed", "1": "text/plain", "2": "message/rfc822", "2.TEXT": "multipart/mixed",
        "2.1": "text/html", "2.2": "application/zip",
    }  # fmt: skip
    assert [part.section for part in mime.walk(mime.structure(raw("plain")))] == ["1"]
    dsn = [part.section for part in mime.walk(mime.structure(raw("dsn_failed")))]
    assert dsn == ["", "1", "2", "3", "3.1"]
    nested = [part.section for part in mime.walk(mime.structure(raw("inline_image")))]
    assert nested == ["", "1", "1.1", "1.2", "1.2.1", "1.2.2", "2"]


def test_offsets_and_sizes_cut_the_parts_out() -> None:
    message = raw("inline_image")
    part = mime.part_at(mime.structure(message), "1.1")
    assert part is not None
    assert mime.cut_from(message, part) == b"See the logo"
    assert mime.cut_from(message, part, 3) == b"See"


def test_fields_of_parts() -> None:
    root = mime.structure(raw("inline_image"))
    image, pdf = mime.part_at(root, "1.2.2"), mime.part_at(root, "2")
    assert image is not None
    assert pdf is not None
    assert (image.filename, image.content_id, image.disposition) == ("logo.png", "logo@example.org", "inline")
    assert (image.encoding, image.type) == ("base64", "image/png")
    assert (pdf.filename, pdf.disposition) == ("Prüfbericht.pdf", "attachment")
    enclosed = mime.part_at(mime.structure(raw("forwarded")), "2")
    assert enclosed is not None
    assert enclosed.filename == "Der Plan für /morgen"


def test_broken_boundaries_are_read_as_meant() -> None:
    assert outline(mime.structure(raw("wrong_boundary"))) == [
        ("multipart/mixed", 2),
        ("text/plain", 0),
        ("text/html", 0),
    ]
    assert outline(mime.structure(raw("no_boundary_found"))) == [("text/plain", 0)]
    assert outline(mime.structure(raw("unclosed")))[1:] == [("text/plain", 0), ("application/octet-stream", 0)]
    assert outline(mime.structure(raw("no_header"))) == [("text/plain", 0)]


def test_delimiter_of_an_outer_multipart_ends_an_inner_one() -> None:
    message = (
        b"Content-Type: multipart/mixed; boundary=out\n\n--out\nContent-Type: multipart/mixed; boundary=in\n\n"
        b"--in\n\none\n--out\n\ntwo\n--out--\n--in\n\nnot a part\n"
    )
    assert outline(mime.structure(message)) == [
        ("multipart/mixed", 2), ("multipart/mixed", 1), ("text/plain", 0), ("text/plain", 0)
    ]  # fmt: skip


def test_part_without_blank_line_ends_at_the_delimiter() -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n--b\n\ntext\n--b--\n"
    root = mime.structure(message)
    assert [(p.type, p.size) for p in root.children] == [("image/png", 0), ("text/plain", 4)]


def test_digest_holds_messages() -> None:
    message = b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\ntext\n--b--\n"
    assert outline(mime.structure(message)) == [("multipart/digest", 1), ("message/rfc822", 1), ("text/plain", 0)]


def test_header_end() -> None:
    assert mime.header_end(b"A: b\r\n\r\nbody") == 8
    assert mime.header_end(b"A: b\n\nbody") == 6
    assert mime.header_end(b"A: b\r\n") == 6
    assert mime.header_end(b"\r\nbody") == 2
    assert mime.header_end(b"no header here\n\nbody") == 0
    assert mime.header_end(b"") == 0


def test_limits_raise_unreadable() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(600))
    messages = b"Content-Type: message/rfc822\r\n\r\n" * 600
    many = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * (MAX_PARTS + 1)
    for message in (deep, messages, many, b"A: " + b"x" * (MAX_HEADER + 10)):
        with pytest.raises(Unreadable):
            mime.structure(message)
    assert mime.structure(b"Content-Type: message/rfc822\r\n\r\n" * (MAX_DEPTH - 1)).type == "message/rfc822"


@pytest.mark.parametrize("piece", [b"--b\n", b"\n--", b"--b--\n", b"\n\r\n", b"--b\nContent-Type: multipart/mixed\n\n"])
def test_no_message_is_slow(piece: bytes) -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\n\n" + piece * (400_000 // len(piece))
    start = time.process_time()
    with suppress(Unreadable):
        mime.structure(message)
    assert time.process_time() - start < 2


def test_large_attachment_costs_no_more_than_a_search() -> None:
    line = b"A" * 76 + b"\r\n"
    message = raw("alternative").replace(
        b"--b1--\r\n", b"--b1\r\nContent-Type: x/y\r\n\r\n" + line * 130_000 + b"--b1--\r\n"
    )
    start = time.process_time()
    root = mime.structure(message)
    assert root.children[2].size > 10_000_000
    assert time.process_time() - start < 1


def test_decoding_of_damaged_and_cut_sections() -> None:
    part = Part(section="1", type="text/plain", size=100, encoding="base64")
    assert mime.decode_section(part, b"SGVsbG8gd29ybGQ=") == b"Hello world"
    assert mime.decode_section(part, b"SGVs\r\nbG8g!!d29y") == b"Hello wor"
    assert mime.decode_section(part, b"SGVsbG8gd2") == b"Hello w"
    part = Part(section="1", type="text/plain", size=100, encoding="quoted-printable")
    assert mime.decode_section(part, b"caf=C3=A9 =\r\nnoir") == "café noir".encode()
    assert mime.decode_section(part, b"caf=C3=A") == b"caf\xc3"
    assert mime.decode_section(part, b"caf=C3=") == b"caf\xc3"
    part = Part(section="1", type="text/plain", size=100, encoding="x-uuencode")
    assert mime.decode_section(part, b"begin 644 x\n#0V%T\n`\nend\n") == b"Cat"


@given(
    st.binary(max_size=200), st.sampled_from(["base64", "quoted-printable", "x-uuencode", "7bit", "what"]), st.data()
)
def test_cut_section_decodes_to_a_beginning(octets: bytes, encoding: str, data: st.DataObject) -> None:
    part = Part(section="1", type="x/y", size=len(octets), encoding=encoding)
    whole = mime.decode_section(part, octets)
    if encoding == "base64":
        octets = base64.encodebytes(octets)
        whole = mime.decode_section(part, octets)
        cut = mime.decode_section(part, octets[: data.draw(st.integers(0, len(octets)))])
        assert whole.startswith(cut)
    else:
        mime.decode_section(part, octets[: data.draw(st.integers(0, len(octets)))])


# --- What is body, what is attached, what is loaded -------------------------------------------------------------------


def sections(name: str, wanted: Wanted) -> dict[str, int | None]:
    return mime.sections_wanted(mime.structure(raw(name)), wanted)


def attached(name: str) -> list[tuple[str, bool]]:
    return [(item.part.section, item.inline) for item in mime.attachments(mime.structure(raw(name)))]


def test_attachments_by_kind_of_message() -> None:
    assert attached("plain") == []
    assert attached("inline_image") == [("1.2.2", True), ("2", False)]
    assert attached("two_texts") == [("2", False), ("4", False)]
    assert attached("forwarded") == [("2", False)]
    assert attached("smime_encrypted") == [("1", False)]
    assert attached("smime_signed") == [("2", False)]
    assert attached("winmail") == [("2", False)]
    assert attached("invitation") == []


def test_body_parts() -> None:
    plan = mime.layout(mime.structure(raw("inline_image")))
    assert [([p.section for p in s.plain], [p.section for p in s.rich]) for s in plan.segments] == [
        (["1.1"], ["1.2.1"])
    ]
    plan = mime.layout(mime.structure(raw("two_texts")))
    assert [[p.section for p in s.plain] for s in plan.segments] == [["1"], ["3"]]
    plan = mime.layout(mime.structure(raw("invitation")))
    assert plan.calendar is not None
    assert plan.calendar.section == "2"


def test_only_the_text_that_is_wanted_is_loaded() -> None:
    assert sections("inline_image", prefer(as_type(TEXT, 200))) == {"1.1": None}
    assert sections("inline_image", prefer(as_type(HTML, 10))).keys() == {"1.2.1"}
    assert sections("inline_image", prefer(as_type(HTML, 10, preview=20))).keys() == {"1.1", "1.2.1"}


def test_long_text_is_loaded_as_far_as_it_is_wanted() -> None:
    message = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + b"x" * 100_000
    found = mime.sections_wanted(mime.structure(message), prefer(as_type(TEXT, 500)))
    assert found["1"] is not None
    assert 500 <= found["1"] < 1000


@given(
    st.text(min_size=1, max_size=300),
    st.sampled_from(["utf-8", "utf-16", "utf-32"]),
    st.sampled_from(["base64", "quoted-printable"]),
    st.integers(1, 200),
)
def test_enough_is_loaded_for_every_text(text: str, charset: str, encoding: str, size: int) -> None:
    """What is rendered from the cut section is what is rendered from the whole."""
    octets = text.encode(charset, "replace")
    encoded = binascii.b2a_base64(octets) if encoding == "base64" else binascii.b2a_qp(octets, istext=False)
    part = Part(section="1", type="text/plain", size=len(encoded), encoding=encoding, params={"charset": charset})
    enough = mime.encoded_enough(part, size)
    whole, cut = mime.text_of(part, encoded), mime.text_of(part, encoded[:enough])
    assert whole.startswith(cut)
    assert cut == whole or len(cut.encode("utf-8", "replace")) >= size


def test_calendar_and_reports_are_loaded_with_any_text() -> None:
    assert sections("invitation", prefer(as_type(TEXT, 10)))["2"] is None
    assert "2" in sections("dsn_failed", prefer(as_type(TEXT, 10)))
    assert "2" in sections("mdn_read", prefer(as_type(TEXT, 10)))


def test_whole_message_is_loaded_only_for_mime() -> None:
    """[MS-ASCMD] MIMESupport."""
    both = (as_type(MIME), as_type(TEXT))
    assert sections("plain", prefer(*both)) == {"1": None}
    assert sections("plain", prefer(*both, mime_support=1)) == {"1": None}
    assert sections("plain", prefer(*both, mime_support=2)) == {"": None}
    assert sections("plain", prefer(as_type(TEXT), mime_support=2)) == {"1": None}
    for name in ("smime_signed", "smime_encrypted"):
        assert sections(name, prefer(*both, mime_support=1)) == {"": None}
    assert sections("plain", prefer(as_type(MIME, 100), mime_support=2))[""] == 100
    assert sections("plain", prefer(as_type(MIME), mime_support=2, mime_truncation=50))[""] == 50
    assert sections("plain", Wanted(mime_support=2)) == {"": None}


def test_attachments_are_never_loaded() -> None:
    for name in names():
        root = mime.structure(raw(name))
        content = {item.part.section for item in mime.attachments(root)}
        reports = {part.section for part in mime.layout(root).reports}
        for wanted in (Wanted(), prefer(as_type(HTML, preview=255)), prefer(as_type(TEXT, 9), whole=True)):
            sealed = {root.section} if mime.is_sealed_text(root) else set()
            assert not (content - reports - sealed) & mime.sections_wanted(root, wanted).keys()

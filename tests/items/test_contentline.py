"""Content lines: what was not touched stays octet for octet, and what is written can be read back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eas.items import contentline
from eas.items.contentline import Component, Line, escape, folded, parse, serialize, split, unescape
from eas.items.native import Unreadable

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t;,\\:\"=")).map(contentline.clean)

CARD = (
    b"BEGIN:VCARD\r\nVERSION:3.0\r\nitem1.TEL;type=WORK;TYPE=FAX:+49 1\r\nitem1.X-ABLabel:_$!<Other>!$_\r\n"
    b"NOTE:a very long note that was folded some\r\n where\\, by someone\\nelse\r\n"
    b"PHOTO:data:image/jpeg;base64,QUJD\r\nX-Odd;A=\"x:y;z\";B=1,2 :v\r\nEND:VCARD\r\n"
)

FRAGMENTS = [
    b"BEGIN:A", b"END:A", b"BEGIN:B", b"X;ENCODING=QUOTED-PRINTABLE:=", b"PHOTO;BASE64:QQ", b" fold", b"QUJD",
]

UNTOUCHED = [
    pytest.param(CARD, id="parameters, groups, case, folds"),
    pytest.param(CARD.replace(b"\r\n", b"\n"), id="bare LF"),
    pytest.param(CARD.replace(b"\r\n", b"\r"), id="bare CR"),
    pytest.param(b"\xef\xbb\xbf" + CARD, id="byte order mark"),
    pytest.param(b"\r\n\r\n" + CARD + b"\r\n" + CARD, id="blank lines, two cards"),
    pytest.param(CARD.rstrip(), id="no line end at the end"),
    pytest.param(b"BEGIN:VCARD\nnonsense\n\n \nEND:VEVENT\nTEL;X=\"a:1\nEND:VCARD", id="lines that are none"),
    pytest.param(b"begin:vcard\nVERSION:2.1\nN;CHARSET=ISO-8859-1:M\xfcller\nend:vcard\n", id="not UTF-8"),
    pytest.param(
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nBEGIN:VALARM\r\nRRULE:FREQ=FOO\r\nREQUEST-STATUS:2.0;Success\r\n"
        b"END:VALARM\r\nX-APPLE-STRUCTURED-LOCATION;VALUE=URI:geo:52.5,13.4\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        id="nested",
    ),
]


@pytest.mark.parametrize("data", UNTOUCHED)
def test_what_is_not_touched_is_written_back_octet_for_octet(data: bytes) -> None:
    assert serialize(parse(data)) == data


@given(st.lists(st.binary(max_size=30) | st.sampled_from(FRAGMENTS), max_size=12))
@settings(max_examples=200)
@example([b"\t\x00"])
def test_any_octets_are_read_or_refused_and_nothing_else(pieces: list[bytes]) -> None:
    data = b"\n".join([b"BEGIN:A", *pieces, b"END:A", b""])
    try:
        tree = parse(data)
    except Unreadable:
        return
    written = serialize(tree)
    assert serialize(parse(written)) == written
    if tree.end is not None and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        rest = written
        for line in data.splitlines(keepends=True):
            at = rest.find(line.rstrip(b"\r\n"))
            assert at >= 0
            rest = rest[at:]


@given(TEXTS, st.sampled_from(["2.1", "3.0", "4.0", "2.0", "1.0"]))
def test_text_that_is_written_is_read_back(text: str, version: str) -> None:
    line = Line("NOTE", "").with_text(text, version)
    written = serialize(Component("VCARD", [line]))
    (read,) = parse(written).lines
    assert read.text(version) == text
    assert all(len(row) <= contentline.FOLD_OCTETS for row in written.split(b"\r\n"))


@given(TEXTS, st.sampled_from(["2.1", "3.0"]))
def test_escaping_is_undone_by_unescaping(text: str, version: str) -> None:
    assert unescape(escape(text, version), version) == text


@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from(";,"))
def test_structured_values_split_where_they_were_joined(pieces: list[str], separator: str) -> None:
    joined = separator.join(escape(piece) for piece in pieces)
    assert [unescape(piece) for piece in split(joined, separator)] == pieces


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_parameter_values_survive_whatever_is_in_them(values: list[str]) -> None:
    """RFC 6868 carries quotes and line breaks; nothing can break out of the line."""
    line = Line("ATTENDEE", "mailto:a@example.com", (("CN", tuple(values)), ("ROLE", ("CHAIR",))))
    written = serialize(Component("VEVENT", [line]))
    (read,) = parse(written).lines
    assert read.params == line.params
    assert read.value == line.value


@pytest.mark.parametrize("head", ["TEL;TYPE=WORK,FAX", "tel;type=work;type=fax", "TEL;WORK;FAX", 'TEL;TYPE="work,fax"'])
def test_types_are_found_however_they_are_written(head: str) -> None:
    card = parse(f"BEGIN:VCARD\n{head}:1\nEND:VCARD\n".encode())
    assert [line.value for line in card.find("TEL", {"WORK", "FAX"})] == ["1"]
    assert card.find("TEL", {"HOME"}) == []


def test_replaced_value_keeps_group_parameters_and_neighbours() -> None:
    card = parse(CARD)
    (fax,) = card.find("TEL")
    card.replace(fax, fax.with_text("+49 2", "3.0"))
    assert serialize(card) == CARD.replace(b"+49 1", b"+49 2")


def test_added_line_stands_after_its_like_and_removed_one_is_gone() -> None:
    card = parse(CARD)
    card.add(Line("TEL", "5", (("TYPE", ("CELL",)),)))
    assert serialize(card) == CARD.replace(b"+49 1\r\n", b"+49 1\r\nTEL;TYPE=CELL:5\r\n")
    card.remove(card.find("TEL", {"CELL"})[0])
    assert serialize(card) == CARD
    with pytest.raises(ValueError, match="TEL"):
        card.remove(Line("TEL", "5"))


def test_new_lines_take_the_line_end_of_the_object() -> None:
    card = parse(b"BEGIN:VCARD\nTEL:1\nEND:VCARD\n")
    card.add(Line("TEL", "2"))
    assert serialize(card) == b"BEGIN:VCARD\nTEL:1\nTEL:2\nEND:VCARD\n"


def test_value_cannot_bring_a_line_of_its_own() -> None:
    evil = Line("NOTE", "a\r\nEND:VCARD\nX:1", (("LABEL", ("b\r\nX:2",)),))
    card = parse(serialize(Component("VCARD", [evil])))
    assert [line.name for line in card.lines] == ["NOTE"]


def test_quoted_printable_with_soft_breaks_and_charset_is_read() -> None:
    card = parse(b"BEGIN:VCARD\r\nVERSION:2.1\r\nNOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:M=FCller=0D=0A=\r\n"
                 b"zwei\\; Zeilen\r\nNOTE;QUOTED-PRINTABLE:=C3=A9\r\nEND:VCARD\r\n")
    assert [line.text("2.1") for line in card.find("NOTE")] == ["Müller\nzwei; Zeilen", "é"]


def test_quoted_printable_that_never_ends_does_not_swallow_the_end() -> None:
    card = parse(b"BEGIN:VCARD\nNOTE;ENCODING=QUOTED-PRINTABLE:a=\nEND:VCARD\n")
    assert card.end is not None


@pytest.mark.parametrize("data", [
    b"PHOTO;ENCODING=BASE64;TYPE=JPEG:\r\n QUJD\r\n REVG\r\n\r\nTEL:1\r\n",
    b"PHOTO;BASE64;JPEG:\r\nQUJD\r\nREVG\r\n\r\nTEL:1\r\n",
    b"PHOTO;ENCODING=b;TYPE=JPEG:QUJDREVG\r\nTEL:1\r\n",
])
def test_base64_is_read_in_each_of_its_layouts(data: bytes) -> None:
    card = parse(b"BEGIN:VCARD\r\n" + data + b"END:VCARD\r\n")
    photo = card.first("PHOTO")
    assert photo is not None
    assert (photo.encoding, photo.octets()) == ("BASE64", b"ABCDEF")
    assert card.find("TEL")[0].value == "1"


def test_text_in_no_known_character_set_is_read_as_windows_1252() -> None:
    card = parse(b"BEGIN:VCARD\nFN:M\xfcller \x80\nNOTE;CHARSET=SHIFT_JIS:\x93\xfa\nTEL;CHARSET=hex:00\nEND:VCARD\n")
    assert [line.value for line in card.lines] == ["Müller €", "日", "00"]


def test_folding_never_cuts_a_character() -> None:
    rows = folded(("é" * 100).encode()).split(b"\r\n ")
    assert all(len(row) <= 74 or index == 0 for index, row in enumerate(rows))
    assert "".join(row.decode() for row in rows) == "é" * 100 + "\r\n"


def test_missing_end_is_written() -> None:
    tree = parse(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1")
    assert tree.components("VEVENT")[0].lines[0].value == "1"
    assert serialize(tree) == b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\nEND:VCALENDAR\n"


def test_first_of_several_cards_is_the_one_and_the_others_stay() -> None:
    second = CARD.replace(b"+49 1", b"+49 9")
    card = parse(CARD + second)
    (fax,) = card.find("TEL")
    assert fax.value == "+49 1"
    card.replace(fax, fax.with_value("0"))
    assert serialize(card) == CARD.replace(b"+49 1", b"0") + second


def test_utf_16_is_read() -> None:
    assert parse("BEGIN:VCARD\r\nFN:Zoë\r\nEND:VCARD\r\n".encode("utf-16")).lines[0].value == "Zoë"


@pytest.mark.parametrize(("data", "reason"), [
    (b"", "no BEGIN"),
    (b"FN:x\n", "no BEGIN"),
    (b"BEGIN:A\n" * (contentline.MAX_DEPTH + 1), "deeper"),
    (b"BEGIN:A\n" + b"X:1\n" * contentline.MAX_LINES, "lines"),
])
def test_what_is_no_object_or_beyond_the_limits_is_unreadable(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse(data)


def test_size_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contentline, "MAX_BYTES", len(CARD) - 1)
    with pytest.raises(Unreadable, match="larger"):
        parse(CARD)


def test_equality_looks_at_the_meaning_and_editing_at_identity() -> None:
    first, second = Line("TEL", "1"), replace(Line("TEL", "1"), raw=b"tel:1\n")
    assert first == second
    card = Component("VCARD", [first, second])
    card.remove(second)
    assert card.items[0] is first

"""Notes: wire and VJOURNAL, both ways. [MS-ASNOTE]."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.items.body import Body, BodyPreference, BodyType, Wanted
from eas.items.contentline import clean
from eas.items.ghosting import kept_fields
from eas.items.native import Refused, Unreadable, Viewer
from eas.items.notes import ALWAYS_KEPT, MAX_CATEGORIES, STICKY_NOTE, Note, degraded, from_native, to_native
from eas.protocol.schema import dump, load, stated
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

V = Version.V14_1
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ME = Viewer(addresses=(), name="Me", zone="UTC", now=NOW)
HTML = Wanted(preferences=(BodyPreference(type=BodyType.HTML),))
KEPT = kept_fields(Note, None, ALWAYS_KEPT, V)

NOTE = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Other//EN\r\nX-WR-CALNAME:Notes\r\nBEGIN:VJOURNAL\r\nUID:1\r\n"
    b"DTSTAMP:20200101T000000Z\r\nLAST-MODIFIED:20200102T030405Z\r\nSUMMARY;LANGUAGE=en:Shopping\r\n"
    b"DESCRIPTION:eggs\\, milk\\nand bread\r\nCATEGORIES:Home,Food\r\nCOLOR:turquoise\r\nX-A;B=c:d\r\n"
    b"END:VJOURNAL\r\nEND:VCALENDAR\r\n"
)


def text(data: str | None, kind: BodyType = BodyType.TEXT) -> Body:
    return Body(type=kind, data=data)


def edited(item: Note, *given_: str, base: bytes | None = NOTE, kept: frozenset[str] = KEPT) -> bytes:
    return to_native(item, frozenset(given_), base, kept, ME, V, uid="uid-1")


def lines(data: bytes) -> set[str]:
    return set(data.decode().replace("\r\n ", "").split("\r\n"))


def test_note_is_shown_with_all_its_elements() -> None:
    """[MS-ASNOTE] R38, R51, R53, R54, R57, R58, R123, R211."""
    item = from_native(NOTE, Wanted(), ME, V)
    assert item.body is not None
    assert item.body.data is not None
    assert item.body.data.splitlines() == ["eggs, milk", "and bread"]
    assert (item.subject, item.categories, item.message_class) == ("Shopping", ("Home", "Food"), STICKY_NOTE)
    shown = dump("AirSync:ApplicationData", item, V)
    modified = shown.child("Notes:LastModifiedDate")
    assert modified == Element("Notes:LastModifiedDate", "20200102T030405Z")
    assert load(Note, shown, V) == item


def test_note_without_text_has_empty_data() -> None:
    """[MS-ASNOTE] Body R123: Data is required in a response."""
    item = from_native(NOTE.replace(b"DESCRIPTION:eggs\\, milk\\nand bread\r\n", b""), Wanted(), ME, V)
    body = dump("AirSync:ApplicationData", item, V).child("AirSyncBase:Body")
    assert body is not None
    assert body.child("AirSyncBase:Data") is not None


def test_notes_are_unknown_before_14_0() -> None:
    """[MS-ASNOTE] R43001, R47001, R53001, R57001, R60001."""
    assert dump("AirSync:ApplicationData", from_native(NOTE, Wanted(), ME, V), Version.V12_1).elements == ()


def test_edit_of_the_subject_leaves_all_else() -> None:
    expected = NOTE.replace(b"Shopping", b"Errands").replace(b"20200102T030405Z", b"20260304T050607Z")
    expected = expected.replace(b"DTSTAMP:20200101T000000Z", b"DTSTAMP:20260304T050607Z")
    item = replace(from_native(NOTE, Wanted(), ME, V), subject="Errands")
    given_ = ("subject", "body", "categories", "message_class", "last_modified")
    assert edited(item, *given_, kept=frozenset()) == expected


def test_note_that_comes_back_as_it_went_changes_nothing() -> None:
    for wanted in (Wanted(), HTML):
        item = from_native(NOTE, wanted, ME, V)
        assert edited(item, "subject", "body", "categories", "message_class", kept=frozenset()) == NOTE


def test_missing_categories_are_removed_and_a_missing_body_or_subject_is_not() -> None:
    """[MS-ASNOTE] R112, R113, R10003"""
    data = lines(edited(Note(message_class=STICKY_NOTE), "message_class"))
    assert "DESCRIPTION:eggs\\, milk\\nand bread" in data
    assert {"COLOR:turquoise", "X-A;B=c:d", "UID:1"} <= data
    assert not any(line.startswith("CATEGORIES") for line in data)
    assert any(line.startswith("SUMMARY") for line in data)


def test_time_that_the_device_tells_is_ignored() -> None:
    """[MS-ASNOTE] LastModifiedDate R84."""
    item = Note(subject="x", last_modified=datetime(1999, 1, 1, tzinfo=UTC))
    data = edited(item, "subject", "last_modified", base=None)
    assert from_native(data, Wanted(), ME, V).last_modified == NOW


@pytest.mark.parametrize("wrong", ["IPM.Note", "IPM.StickyNotes", "", None])
def test_message_class_of_no_note_is_refused(wrong: str | None) -> None:
    """[MS-ASNOTE] MessageClass R119."""
    with pytest.raises(Refused):
        edited(Note(message_class=wrong), "message_class")


def test_message_class_of_a_special_note_is_kept() -> None:
    """[MS-ASNOTE] MessageClass R57."""
    data = edited(Note(message_class="IPM.StickyNote.Blue"), "message_class")
    assert from_native(data, Wanted(), ME, V).message_class == "IPM.StickyNote.Blue"
    assert b"IPM" not in edited(Note(message_class=STICKY_NOTE), "message_class", base=data)


def test_html_of_a_device_is_kept_beside_its_text() -> None:
    """[MS-ASNOTE] Body R39."""
    data = edited(Note(body=text("<p>a <b>bold</b> word</p>", BodyType.HTML)), "body")
    assert "X-ALT-DESC;FMTTYPE=text/html:<p>a <b>bold</b> word</p>" in lines(data)
    assert "DESCRIPTION:a bold word" in lines(data)
    again = from_native(data, HTML, ME, V)
    assert again.body is not None
    assert "<b>bold</b>" in (again.body.data or "")
    assert edited(again, "body", base=data, kept=frozenset({"subject", "categories", "message_class"})) == data
    plain = from_native(data, Wanted(), ME, V)
    assert edited(plain, "body", base=data, kept=frozenset({"subject", "categories", "message_class"})) == data


def test_new_text_takes_the_place_of_html() -> None:
    data = edited(Note(body=text("<b>a</b>", BodyType.HTML)), "body")
    changed = lines(edited(Note(body=text("b")), "body", base=data))
    assert "DESCRIPTION:b" in changed
    assert not any(line.startswith("X-ALT-DESC") for line in changed)


@pytest.mark.parametrize("body", [None, text("")])
def test_empty_body_removes_the_text(body: Body | None) -> None:
    assert b"DESCRIPTION" not in edited(Note(body=body), "body")


def test_body_without_data_and_body_cut_off_leave_the_text() -> None:
    """[MS-ASCMD] Change R878."""
    keep = frozenset({"subject", "categories", "message_class"})
    assert edited(Note(body=text(None)), "body", kept=keep) == NOTE
    assert edited(Note(body=replace(text("egg"), truncated=True)), "body", kept=keep) == NOTE


def test_rtf_that_is_none_is_refused() -> None:
    with pytest.raises(Refused):
        edited(Note(body=text("%%%", BodyType.RTF)), "body")


def test_empty_elements_remove() -> None:
    root = Element("AirSync:ApplicationData", (Element("Notes:Subject"), Element("Notes:Categories")))
    item, given_ = load(Note, root, V), stated(Note, root, V)
    data = from_native(to_native(item, given_, NOTE, KEPT, ME, V), Wanted(), ME, V)
    assert (data.subject, data.categories) == (None, ())


def test_more_categories_than_the_schema_allows_are_not_shown_and_not_lost() -> None:
    many = ",".join(f"c{n}" for n in range(MAX_CATEGORIES + 1)).encode()
    base = NOTE.replace(b"Home,Food", many)
    item = from_native(base, Wanted(), ME, V)
    assert len(item.categories) == MAX_CATEGORIES
    assert edited(item, "subject", "body", "categories", base=base) == base


@pytest.mark.parametrize(("prop", "moment"), [
    (b"LAST-MODIFIED:20200102", datetime(2020, 1, 2, tzinfo=UTC)),
    (b"LAST-MODIFIED:20209999T999999Z", datetime(2020, 1, 1, tzinfo=UTC)),
    (b"X-NONE:1", datetime(2020, 1, 1, tzinfo=UTC)),
])
def test_time_of_a_note_is_the_best_that_there_is(prop: bytes, moment: datetime) -> None:
    data = NOTE.replace(b"LAST-MODIFIED:20200102T030405Z", prop)
    assert from_native(data, Wanted(), ME, V).last_modified == moment


@pytest.mark.parametrize("data", [b"", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"])
def test_what_is_no_note_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        from_native(data, Wanted(), ME, V)
    with pytest.raises(Unreadable):
        edited(Note(), base=data)


def test_unreadable_note_is_shown_with_what_can_be_seen_and_the_reason() -> None:
    item = degraded(b"SUMMARY:Shop\\, please\r\n\xff", "it makes no sense")
    assert item.subject == "Shop, please"
    assert item.body is not None
    assert "it makes no sense" in (item.body.data or "")
    assert item.message_class == STICKY_NOTE


PLAIN = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
WORDS = st.lists(PLAIN.map(str.strip).filter(bool), max_size=3, unique=True).map(tuple)
NOTES = st.builds(
    Note,
    subject=st.none() | PLAIN.map(clean).filter(bool),
    body=PLAIN.map(text),
    categories=WORDS,
    message_class=st.sampled_from([STICKY_NOTE, "IPM.StickyNote.x"]),
)
FIELDS = frozenset({"subject", "body", "categories", "message_class"})


@given(NOTES, NOTES)
def test_note_survives_wire_and_journal(first: Note, second: Note) -> None:
    for version in (Version.V14_0, Version.V14_1, Version.V16_0, Version.V16_1):
        assert load(Note, dump("AirSync:ApplicationData", first, version), version) == first
    data = to_native(first, FIELDS, None, frozenset(), ME, V, uid="1")
    for item in (first, second):
        data = to_native(item, FIELDS, data, frozenset(), ME, V)
        back = from_native(data, Wanted(), ME, V)
        assert back.body is not None
        assert item.body is not None
        assert back.body.data == clean(item.body.data or "")
        assert replace(back, body=None, last_modified=None) == replace(item, body=None)

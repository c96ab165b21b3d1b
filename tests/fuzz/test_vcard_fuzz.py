"""Whatever stands where a vCard or a note should: it is read, or refused with the one documented exception."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st

from eas.items import contacts, notes
from eas.items.body import Body, BodyType, Wanted
from eas.items.contacts import VCARD, Contact, is_group
from eas.items.contentline import parse, serialize
from eas.items.native import Refused, Unreadable, Viewer
from eas.items.notes import Note
from eas.protocol.version import Version

ME = Viewer(addresses=(), name="", zone="UTC", now=datetime(2026, 1, 1, tzinfo=UTC))
NAMES = [
    "N", "ADR", "ORG", "FN", "TEL", "EMAIL", "BDAY", "ANNIVERSARY", "PHOTO", "NOTE", "CATEGORIES", "IMPP", "RELATED",
    "URL", "X-ABRELATEDNAMES", "X-ABLabel", "X-ABDATE", "VERSION", "REV", "UID", "X-EVOLUTION-FILE-AS", "SUMMARY",
    "DESCRIPTION", "X-ALT-DESC", "LAST-MODIFIED",
]
PARAMS = [
    ";TYPE=WORK", ";TYPE=home,fax", ";PREF", ";PREF=1", ";PREF=x", ";ENCODING=QUOTED-PRINTABLE", ";ENCODING=b",
    ";BASE64", ";CHARSET=UTF-7", ";CHARSET=idna", ";CHARSET=rot13", ";CHARSET=\x00", ";VALUE=uri", ";X-EAS-SLOT=1",
    ";X-EAS-SLOT=99", ';LABEL="a:b', ";=", ";;", ";FMTTYPE=text/html",
]
VALUES = (
    "|;|;;;;;;;|a\\|\\n\\,\\;|=C3=|=FF=0D=0A=|1604-02-29|--0230|0000-00-00|99999999|20200101T990000Z|2.1|4.0|data:;base64,|"
    "data:image/x;base64,QQ|QUJD|QQ|_$!<Spouse>!$_|_$!<HomeFAX>!$_|tel:1|urn:x|\ud7ff\ufffe|\x85\u2028|\t|x" + "y" * 99
).split("|")
LINES = st.builds(
    lambda group, name, params, value: f"{group}{name}{''.join(params)}:{value}".encode(),
    st.sampled_from(["", "item1.", "item2."]), st.sampled_from(NAMES), st.lists(st.sampled_from(PARAMS), max_size=3),
    st.sampled_from(VALUES),
)
JUNK = st.binary(max_size=20) | st.sampled_from([b"", b" fold", b"END:VCARD", b"BEGIN:VCARD", b"BEGIN:X", b"\tx\x00"])
CARDS = st.builds(
    lambda lines, eol: eol.join([b"BEGIN:VCARD", *lines, b"END:VCARD", b""]),
    st.lists(LINES | JUNK, max_size=12), st.sampled_from([b"\r\n", b"\n"]),
)
VALUE = st.text(max_size=10)
EDITS = st.builds(
    Contact,
    last_name=VALUE, email1=VALUE, email3=VALUE, home_phone=VALUE, business_fax=VALUE, home_street=VALUE, company=VALUE,
    spouse=VALUE, im1=VALUE, im2=VALUE, web_page=VALUE, file_as=VALUE, birthday=st.dates(),
    picture=st.binary(max_size=9),
    categories=st.lists(VALUE, max_size=2).map(tuple), children=st.lists(VALUE, max_size=2).map(tuple),
    body=st.builds(Body, type=st.sampled_from([BodyType.TEXT, BodyType.HTML, BodyType.RTF]), data=VALUE),
)


@given(CARDS | st.binary(max_size=60), EDITS, st.sets(st.sampled_from(sorted(VCARD))))
@settings(max_examples=150, deadline=None)
@example(b"BEGIN:VCARD\nN;ENCODING=QUOTED-PRINTABLE:=\nEND:VCARD", Contact(), set())
def test_any_card_is_read_and_edited_or_refused(data: bytes, edit: Contact, given_: set[str]) -> None:
    is_group(data)
    contacts.degraded(data, "x")
    try:
        shown = contacts.from_native(data, Wanted(), ME, Version.V14_1)
    except Unreadable:
        return
    try:
        edited = contacts.to_native(edit, frozenset(given_), data, frozenset(), ME, Version.V14_1)
    except Refused:
        assert edit.body is not None
        assert edit.body.type is BodyType.RTF
        return
    contacts.from_native(edited, Wanted(), ME, Version.V14_1)
    if parse(data).first("FN") and shown.file_as:
        assert contacts.to_native(shown, frozenset(VCARD), data, frozenset(), ME, Version.V14_1) == data


@given(st.lists(LINES | JUNK, max_size=10), VALUE)
@settings(max_examples=60, deadline=None)
def test_any_note_is_read_and_edited_or_refused(lines: list[bytes], value: str) -> None:
    data = b"\n".join([b"BEGIN:VCALENDAR", b"BEGIN:VJOURNAL", *lines, b"END:VJOURNAL", b"END:VCALENDAR"])
    notes.degraded(data, "x")
    try:
        notes.from_native(data, Wanted(), ME, Version.V14_0)
        edit = Note(subject=value, categories=(value,), body=Body(type=BodyType.TEXT, data=value))
        given_ = frozenset({"subject", "categories", "body"})
        edited = notes.to_native(edit, given_, data, frozenset(), ME, Version.V14_0)
    except Unreadable:
        return
    notes.from_native(edited, Wanted(), ME, Version.V14_0)


def test_damaged_card_is_still_written_as_it_was_read() -> None:
    """A card with octets changed, lost and doubled: what is not edited goes out as it came in."""
    seed = random.Random(7)
    card = (
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;=\r\n Eva\r\n"
        b"TEL;WORK;PREF:1\r\nPHOTO;BASE64:\r\n QUJD\r\n QUJD\r\n\r\nitem1.ADR;HOME:;;a;b\r\nEND:VCARD\r\n"
    )
    read = 0
    for _ in range(400):
        damaged = bytearray(card)
        for _ in range(seed.randint(1, 6)):
            at = seed.randrange(len(damaged))
            damaged[at : at + seed.randint(0, 2)] = seed.randbytes(seed.randint(0, 2))
        try:
            tree = parse(bytes(damaged))
            contacts.from_native(bytes(damaged), Wanted(), ME, Version.V16_1)
        except Unreadable:
            continue
        read += 1
        assert bytes(damaged) in (serialize(tree), serialize(tree).removesuffix(b"END:VCARD\r\n")) or tree.end is None
    assert read > 100

"""[MS-ASNOTE] Every element of a note from one device to another; what a Change leaves out; bad values."""

from __future__ import annotations

import asyncio
import re
import struct
from base64 import b64encode
from datetime import UTC, datetime, timedelta

from lab import FROM_14, Lab, case
from records_kit import NOTES, Shelf, child, inline, shelf, tags, text, texts, travelled
from wire import e

from eas.protocol.wbxml import Element

COMPACT = re.compile(
    r"[0-9]{4}(0[0-9]|1[0-2])([0-2][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z"
)
CLASS = Element("Notes:MessageClass", "IPM.StickyNote")
LABELS = e("Notes:Categories", e("Category", "Büro €"), e("Category", "two"))


def body(said: str, kind: str = "1") -> Element:
    return e("AirSyncBase:Body", e("Type", kind), e("Data", said))


def note(lab: Lab, subject: str = "") -> tuple[Element, ...]:
    return body(lab.unique("text äß€")), Element("Notes:Subject", subject or lab.unique()), CLASS, LABELS


def data(item: Element) -> str:
    return text(item, "AirSyncBase:Body", "AirSyncBase:Data")


@case("MS-ASNOTE", "R2 R35 R37 R38 R123 R44 R47 R211 R50 R51 R53 R125 R54 R56 R57 R58 R60 R96 R110 R126 "
      "MS-ASWBXML:R33 MS-ASWBXML:R626 MS-ASWBXML:R627 MS-ASWBXML:R628 MS-ASWBXML:R629 MS-ASWBXML:R630 "
      "MS-ASDTYPE:R8 MS-ASDTYPE:R9 MS-ASDTYPE:R88 MS-ASDTYPE:R90 MS-ASDTYPE:R91 MS-ASDTYPE:R12211 "
      "MS-ASDTYPE:R12213", FROM_14)
async def every_element_travels_to_another_device(lab: Lab) -> None:
    subject = lab.unique("subject äß€")
    sent = note(lab, subject)
    before = datetime.now(UTC)
    two, id, item = await travelled(lab, NOTES, *sent)
    assert two.last is not None
    raw = two.last.body
    assert two.last.headers["content-type"] == "application/vnd.ms-sync.wbxml"
    assert b"\x00\x17" in raw, "code page 23"
    assert text(item, "Notes:Subject") == subject
    assert b"\x45" + inline(subject) in raw
    assert text(item, "Notes:MessageClass") == "IPM.StickyNote"
    assert b"\x46" + inline("IPM.StickyNote") in raw
    assert texts(item, "Notes:Categories", "Notes:Category") == ["Büro €", "two"]
    assert b"\x48\x49" + inline("Büro €") + b"\x01\x49" + inline("two") in raw
    changed = text(item, "Notes:LastModifiedDate")
    assert COMPACT.fullmatch(changed)
    assert b"\x47" + inline(changed) in raw
    assert abs(datetime.fromisoformat(changed) - before) < timedelta(hours=1)
    assert text(item, "AirSyncBase:Body", "AirSyncBase:Type") == "1"
    assert data(item) == text(sent[0], "AirSyncBase:Data")
    await two.delete(id)


@case("MS-ASNOTE", "R57", FROM_14)
async def a_class_may_say_more(lab: Lab) -> None:
    for said in ("IPM.StickyNote", "IPM.StickyNote.Mine"):
        two, id, item = await travelled(lab, NOTES, body("x"), Element("Notes:MessageClass", said))
        assert text(item, "Notes:MessageClass") == said
        await two.delete(id)


@case("MS-ASNOTE", "R39 R37", FROM_14)
async def a_note_may_be_html(lab: Lab) -> None:
    said = lab.unique()
    two, id, item = await travelled(
        lab, NOTES, body(f"<html><body><p>one <b>{said}</b></p></body></html>", "2"), CLASS,
        preference=(Element("AirSyncBase:Type", "2"),),
    )
    assert text(item, "AirSyncBase:Body", "AirSyncBase:Type") == "2"
    assert f"<b>{said}</b>" in data(item)
    await two.delete(id)


@case("MS-ASNOTE", "R40 R37", FROM_14)
async def a_note_may_be_rtf(lab: Lab) -> None:
    said = lab.unique("rtf")
    raw = rb"{\rtf1\ansi " + said.encode() + b"}"
    packed = struct.pack("<II4sI", len(raw) + 12, len(raw), b"MELA", 0) + raw
    two, id, item = await travelled(lab, NOTES, body(b64encode(packed).decode(), "3"), CLASS)
    assert said in data(item)
    await two.delete(id)


@case("MS-ASNOTE", "R210", FROM_14)
async def every_element_can_be_changed(lab: Lab) -> None:
    two, id, _ = await travelled(lab, NOTES, *note(lab))
    three = await shelf(lab, NOTES)
    await three.pull()
    subject, said = lab.unique(), lab.unique()
    assert await two.change(
        id, body(said), Element("Notes:Subject", subject), Element("Notes:MessageClass", "IPM.StickyNote.X"),
        e("Notes:Categories", e("Category", "three")),
    ) == "1"
    got = await three.sync()
    assert id in [text(one, "AirSync:ServerId") for one in got.all("Collections", "Collection", "Commands", "Change")]
    item = three.items[id]
    assert (text(item, "Notes:Subject"), data(item)) == (subject, said)
    assert text(item, "Notes:MessageClass") == "IPM.StickyNote.X"
    assert texts(item, "Notes:Categories", "Notes:Category") == ["three"]
    assert "Notes:LastModifiedDate" in tags(item)
    await two.delete(id)


@case("MS-ASNOTE", "R112 R113 R10003 MS-ASCMD:R878", FROM_14)
async def a_change_keeps_body_and_subject_and_deletes_the_categories(lab: Lab) -> None:
    subject = lab.unique()
    sent = note(lab, subject)
    two, id, _ = await travelled(lab, NOTES, *sent)
    three = await shelf(lab, NOTES)
    assert await two.change(id, CLASS) == "1"
    item = (await three.pull())[id]
    assert (text(item, "Notes:Subject"), data(item)) == (subject, text(sent[0], "AirSyncBase:Data"))
    assert "Notes:Categories" not in tags(item)
    await two.delete(id)


@case("MS-ASNOTE", "R10002", FROM_14)
async def a_category_that_is_left_out_is_deleted(lab: Lab) -> None:
    two, id, _ = await travelled(lab, NOTES, *note(lab))
    three = await shelf(lab, NOTES)
    assert await two.change(id, CLASS, e("Notes:Categories", e("Category", "two"))) == "1"
    assert texts((await three.pull())[id], "Notes:Categories", "Notes:Category") == ["two"]
    assert await two.change(id, CLASS, e("Notes:Categories")) == "1"
    assert not texts((await three.pull())[id], "Notes:Categories", "Notes:Category")
    await two.delete(id)


@case("MS-ASNOTE", "R84 R209 R51", FROM_14)
async def when_it_was_changed_is_for_the_server_to_say(lab: Lab) -> None:
    old = Element("Notes:LastModifiedDate", "20010203T040506Z")
    two, id, item = await travelled(lab, NOTES, *note(lab), old)
    first = text(item, "Notes:LastModifiedDate")
    assert abs(datetime.fromisoformat(first) - datetime.now(UTC)) < timedelta(hours=1)
    three = await shelf(lab, NOTES)
    await three.pull()
    await asyncio.sleep(1.1)
    assert await two.change(id, CLASS, Element("Notes:Subject", lab.unique()), old) == "1"
    assert datetime.fromisoformat(text((await three.pull())[id], "Notes:LastModifiedDate")) > \
        datetime.fromisoformat(first)
    await two.delete(id)


# Bad values ----------------------------------------------------------------------------------------------------------


@case("MS-ASNOTE", "R119 R57", FROM_14)
async def another_class_is_refused(lab: Lab) -> None:
    one, two = await shelf(lab, NOTES), await shelf(lab, NOTES)
    subject = lab.unique()
    status, id = await one.add(body("x"), CLASS, Element("Notes:Subject", subject))
    assert status == "1"
    for said in ("IPM.Note", "IPM.StickyNotes", "IPM.StickyNote.", "StickyNote", ""):
        lost = lab.unique("lost")
        wrong = (body("x"), Element("Notes:MessageClass", said), Element("Notes:Subject", lost))
        assert (await one.add(*wrong))[0] == "6", said
        assert await one.change(id, *wrong) == "6", said
        items = await two.pull()
        assert lost not in [text(item, "Notes:Subject") for item in items.values()]
        assert text(items[id], "Notes:Subject") == subject
    await one.delete(id)


@case("MS-ASNOTE", "R114", FROM_14)
async def supported_is_not_for_notes(lab: Lab) -> None:
    await shelf(lab, NOTES, supported=("Notes:Subject",), status="4")


# Other commands ------------------------------------------------------------------------------------------------------


async def fetched(two: Shelf, id: str, *more: Element) -> Element:
    got = await two.talker.post("ItemOperations", e("ItemOperations:ItemOperations", e(
        "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", two.collection), e("AirSync:ServerId", id), *more
    )))
    (found,) = got.all("Response", "Fetch", "Properties")
    return found


@case("MS-ASNOTE", "R100 R101 R104", FROM_14)
async def a_note_is_fetched_by_itself(lab: Lab) -> None:
    subject = lab.unique()
    two, id, item = await travelled(lab, NOTES, *note(lab, subject))
    found = await fetched(two, id, e("Options", e("AirSyncBase:BodyPreference", e("Type", "1"))))
    assert {tag: text(found, tag) for tag in tags(item)} == {tag: text(item, tag) for tag in tags(item)}
    assert data(found) == data(item)
    assert texts(found, "Notes:Categories", "Notes:Category") == ["Büro €", "two"]
    await two.delete(id)


@case("MS-ASNOTE", "R103", FROM_14)
async def a_schema_names_what_is_fetched_of_a_note(lab: Lab) -> None:
    two, id, _ = await travelled(lab, NOTES, *note(lab))
    for wanted in (("Notes:Subject",), ("Notes:Categories", "Notes:LastModifiedDate"), ("AirSyncBase:Body",)):
        found = await fetched(two, id, e("Options", e("Schema", *(Element(tag, ()) for tag in wanted))))
        assert set(tags(found)) == set(wanted)
    await two.delete(id)


@case("MS-ASNOTE", "R98 R106 R108 R128 R208", FROM_14)
async def notes_are_found_in_the_mailbox(lab: Lab) -> None:
    """None, one and two."""
    word, other = lab.unique("wanted").replace("-", ""), lab.unique("wanted").replace("-", "")
    one = await shelf(lab, NOTES)
    ids = [(await one.add(*note(lab, subject)))[1] for subject in (f"{word} 1", f"{word} 2", f"{other} 3")]
    for asked, subjects in ((word, [f"{word} 1", f"{word} 2"]), (other, [f"{other} 3"]), (lab.unique("no"), [])):
        got = await one.talker.post("Search", e("Search:Search", e(
            "Store", e("Name", "Mailbox"),
            e("Query", e("And", e("AirSync:Class", "Notes"), e("AirSync:CollectionId", one.collection),
                         e("FreeText", asked))),
            e("Options", e("Range", "0-9"), e("RebuildResults")),
        )))
        found = got.all("Response", "Store", "Result", "Properties")
        assert sorted(text(item, "Notes:Subject") for item in found) == subjects
        for item in found:
            assert child(item, "Notes:LastModifiedDate")
            assert text(item, "Notes:MessageClass") == "IPM.StickyNote"
    await one.delete(*ids)

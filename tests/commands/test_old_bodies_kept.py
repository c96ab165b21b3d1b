"""What a device of 2.5 does to the notes of an item that others see as HTML, or in full."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

import pytest
from mail_kit import Mailroom
from sync_kit import Box, change, collection, commands, request, told
from wire import Wire, e

from eas.engine.model import FolderType
from eas.items import rtf
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

HTML = "<html><body><p>First <b>bold</b> words.</p></body></html>"
TASK = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VTODO\r\nUID:t1\r\nDTSTAMP:20260302T100000Z\r\n"
    "SUMMARY:Report\r\nDESCRIPTION:First bold words.\r\n"
    f"X-ALT-DESC;FMTTYPE=text/html:{HTML}\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
).encode()
EVENT = TASK.replace(b"VTODO", b"VEVENT").replace(
    b"SUMMARY:", b"DTSTART:20300302T100000Z\r\nDTEND:20300302T110000Z\r\nSUMMARY:")
#: Item class -> type of folder, object, and what a Change must repeat beside the notes.
KINDS = {
    "Tasks": (FolderType.TASKS, TASK, (("Tasks:Subject", "Report"), ("Tasks:Complete", "0"))),
    "Calendar": (FolderType.CALENDAR, EVENT, (
        ("Calendar:Subject", "Report"), ("Calendar:StartTime", "20300302T100000Z"),
        ("Calendar:EndTime", "20300302T110000Z"), ("Calendar:DtStamp", "20260302T100000Z"), ("Calendar:UID", "t1"),
    )),
}
EACH = pytest.mark.parametrize("item_class", list(KINDS))


async def _ask(one: Box, item_class: str, *more: Element) -> Element:
    (answer,) = told(await one.wire.post("Sync", request(collection(one.id, one.key, *more, item_class=item_class))))
    one.key = answer.text("SyncKey")
    return answer.element


async def _held(one: Box, item_class: str, *options: Element) -> tuple[str, dict[str, str]]:
    """The one item, as the device is told of it."""
    await _ask(one, item_class, *options)
    answer = await _ask(one, item_class, *options)
    (added,) = answer.child("AirSync:Commands").elements  # type: ignore[union-attr]
    id, content = added.child("AirSync:ServerId"), added.child("AirSync:ApplicationData")
    assert id is not None
    assert content is not None
    return id.text, {part.tag: part.text for part in content.elements}


async def _changed(one: Box, item_class: str, id: str, **notes: str) -> None:
    repeated = KINDS[item_class][2]
    data = e("AirSync:ApplicationData", *(e(f"{item_class}:{name}", text) for name, text in notes.items()),
             *(e(tag, text) for tag, text in repeated))
    answer = await _ask(one, item_class, e("GetChanges", "0"), commands(change(id, data)))
    assert answer.child("AirSync:Responses") is None, answer


async def _begun(wire: Wires, room: Mailroom, item_class: str, *options: Element) -> tuple[Box, str, dict[str, str]]:
    type, native, _ = KINDS[item_class]
    await room.put("anna", type, native)
    one = Box(wire=wire(version="2.5"), id=(await room.folder("anna", type)).id)
    id, seen = await _held(one, item_class, *options)
    return one, id, seen


async def _stored(room: Mailroom, item_class: str) -> str:
    (record,) = await room.records("anna", KINDS[item_class][0])
    return record.replace("\r\n ", "")


@EACH
async def test_notes_that_come_back_as_they_were_shown_stay_html(wire: Wires, room: Mailroom, item_class: str) -> None:
    one, id, seen = await _begun(wire, room, item_class)
    shown = seen[f"{item_class}:Body"]
    assert shown.split() == ["First", "bold", "words."]
    assert seen[f"{item_class}:BodyTruncated"] == "0"
    await _changed(one, item_class, id, Body=shown)
    assert HTML in await _stored(room, item_class)


@EACH
async def test_notes_that_are_left_out_stay(wire: Wires, room: Mailroom, item_class: str) -> None:
    one, id, _ = await _begun(wire, room, item_class)
    await _changed(one, item_class, id)
    assert HTML in await _stored(room, item_class)


@EACH
async def test_new_notes_are_stored(wire: Wires, room: Mailroom, item_class: str) -> None:
    one, id, _ = await _begun(wire, room, item_class)
    await _changed(one, item_class, id, Body="Other words.")
    assert "DESCRIPTION:Other words." in (stored := await _stored(room, item_class))
    assert HTML not in stored
    await _changed(one, item_class, id, CompressedRTF=b64encode(rtf.compressed_of_text("In RTF.")).decode())
    assert "DESCRIPTION:In RTF." in await _stored(room, item_class)
    await _changed(one, item_class, id, CompressedRTF="", Body="Nokia.")
    assert "DESCRIPTION:Nokia." in await _stored(room, item_class)


@EACH
async def test_rtf_that_cannot_be_read_is_refused(wire: Wires, room: Mailroom, item_class: str) -> None:
    one, id, _ = await _begun(wire, room, item_class)
    data = e("AirSync:ApplicationData", e(f"{item_class}:CompressedRTF", "%%%"))
    answer = await _ask(one, item_class, commands(change(id, data)))
    assert "6" in str(answer.child("AirSync:Responses"))
    assert HTML in await _stored(room, item_class)


@EACH
@pytest.mark.parametrize("said", [{"BodyTruncated": "1"}, {}])
async def test_cut_notes_that_come_back_cut_nothing(
    wire: Wires, room: Mailroom, item_class: str, said: dict[str, str]
) -> None:
    """Whether the device says that they are cut, or not. Others are stored."""
    type, native, _ = KINDS[item_class]
    words = "word " * 300
    long = native.replace(b"First bold words.", words.strip().encode()).replace(HTML.encode(), b"")
    await room.put("anna", type, long)
    one = Box(wire=wire(version="2.5"), id=(await room.folder("anna", type)).id)
    options = e("Options", e("Truncation", "1"))
    id, seen = await _held(one, item_class, options)
    assert seen[f"{item_class}:BodyTruncated"] == "1"
    assert len(seen[f"{item_class}:Body"]) <= 512
    await _changed(one, item_class, id, Body=seen[f"{item_class}:Body"], **said)
    assert words.strip() in await _stored(room, item_class)
    await _changed(one, item_class, id, Body="Short.")
    assert "DESCRIPTION:Short." in await _stored(room, item_class)

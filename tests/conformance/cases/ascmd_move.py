"""[MS-ASCMD] MoveItems: malformed requests, then each status."""

from __future__ import annotations

from lab import BEFORE_14, FROM_14, Lab, case
from old_kit import DELETED, INBOX, MAIL, SENT, Device, Kept, device, local, mime
from wire import Got, e

from eas.protocol.wbxml import Element

RECIPIENTS = 19


def move(item: str, source: str, *destinations: str) -> Element:
    return e("Move:Move", e("SrcMsgId", item), e("SrcFldId", source), *(e("DstFldId", to) for to in destinations))


async def ask(one: Device, *moves: Element) -> list[tuple[str, str, str]]:
    """(SrcMsgId, Status, DstMsgId or "") of each Response, in order."""
    got = await one.talker.post("MoveItems", e("Move:MoveItems", *moves))
    assert (got.http, got.root.tag) == (200, "Move:MoveItems")
    return [_read(response) for response in got.root.elements]


def _read(response: Element) -> tuple[str, str, str]:
    assert response.tag == "Move:Response"
    texts = {local(part): part.text for part in response.elements}
    assert list(texts) in (["SrcMsgId", "Status"], ["SrcMsgId", "Status", "DstMsgId"])
    assert ("DstMsgId" in texts) == (texts["Status"] == "3"), texts
    return texts["SrcMsgId"], texts["Status"], texts.get("DstMsgId", "")


async def _message(lab: Lab, one: Device) -> tuple[Kept, str]:
    """The inbox, and a new message in it."""
    inbox, subject = await one.kept(INBOX), lab.unique()
    assert (await one.mail(mime(subject, to=one.address, sender=one.address))).http == 200
    return inbox, await inbox.arrived(subject)


#: Requests that the schema does not allow.
MALFORMED = (
    e("Move:MoveItems"),
    e("Move:MoveItems", e("Move", e("SrcFldId", "1"), e("DstFldId", "2"))),
    e("Move:MoveItems", e("Move", e("SrcMsgId", "1:1"), e("DstFldId", "2"))),
    e("Move:MoveItems", move("", "1", "2")),
    e("Move:MoveItems", move("1" * 65, "1", "2")),
    e("Ping:Ping"),
)


async def _each_malformed(lab: Lab) -> list[Got]:
    return [await lab.talker().post("MoveItems", body) for body in MALFORMED]


@case("MS-ASCMD", "R4817", FROM_14)
async def what_the_schema_does_not_allow_is_103(lab: Lab) -> None:
    refused = e("Move:MoveItems", e("Status", "103"))
    assert [got.root for got in await _each_malformed(lab)] == [refused] * len(MALFORMED)


@case("MS-ASCMD", "R7547", BEFORE_14)
async def what_the_schema_does_not_allow_is_400(lab: Lab) -> None:
    assert [got.http for got in await _each_malformed(lab)] == [400] * len(MALFORMED)


@case("MS-ASCMD", "R5653", FROM_14)
async def a_thousand_moves_and_no_more(lab: Lab) -> None:
    talker = lab.talker()
    moves = [move(f"x:{number}", "x", "y") for number in range(1001)]
    assert (await talker.post("MoveItems", e("Move:MoveItems", *moves))).status == "103"
    allowed = await talker.post("MoveItems", e("Move:MoveItems", *moves[:1000]))
    assert [response.tag for response in allowed.root.elements] == ["Move:Response"] * 1000


@case("MS-ASCMD", "R285 R289 R290 R3977 R4217 R5879 R5870 R5882")
async def a_message_is_moved(lab: Lab) -> None:
    """Deleted in the one folder and added in the other at the next Sync, under an id that the answer told."""
    one = await device(lab)
    bin = await one.kept(DELETED)
    inbox, id = await _message(lab, one)
    before = len(bin.items)
    ((told, status, moved),) = await ask(one, move(id, inbox.id, bin.id))
    assert (told, status) == (id, "3")
    assert moved not in ("", id)
    assert len(told) <= 64 >= len(moved)
    await inbox.catch_up()
    await bin.catch_up()
    assert id not in inbox.items
    assert moved in bin.items
    assert len(bin.items) == before + 1


@case("MS-ASCMD", "R4207 R4208 R4201")
async def items_and_folders_that_are_not_there(lab: Lab) -> None:
    """An unknown source, an item that never was, and one that has been moved away before."""
    one = await device(lab)
    inbox, id = await _message(lab, one)
    bin, sent = await one.talker.folder(DELETED), await one.talker.folder(SENT)
    for source in (lab.unique("none"), ""):
        assert await ask(one, move(id, source, bin)) == [(id, "1", "")]
    for item in (f"{inbox.id}:999999", lab.unique("none")):
        assert await ask(one, move(item, inbox.id, bin)) == [(item, "1", "")]
    ((_, status, _),) = await ask(one, move(id, inbox.id, bin))
    assert status == "3"
    assert await ask(one, move(id, inbox.id, sent)) == [(id, "1", "")]


@case("MS-ASCMD", "R4207 R4212 R4201")
async def a_folder_that_was_deleted_is_no_place(lab: Lab) -> None:
    one = await device(lab)
    inbox, id = await _message(lab, one)
    key = (await one.talker.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).text("SyncKey")
    made = await one.talker.post("FolderCreate", e(
        "FolderHierarchy:FolderCreate", e("SyncKey", key), e("ParentId", "0"), e("DisplayName", lab.unique()),
        e("Type", str(MAIL))))
    gone = made.text("ServerId")
    got = await one.talker.post("FolderDelete", e(
        "FolderHierarchy:FolderDelete", e("SyncKey", made.text("SyncKey")), e("ServerId", gone)))
    assert got.status == "1"
    for destination in (gone, lab.unique("none")):
        assert await ask(one, move(id, inbox.id, destination)) == [(id, "2", "")]
    assert await ask(one, move(f"{gone}:1", gone, inbox.id)) == [(f"{gone}:1", "1", "")]


@case("MS-ASCMD", "R4219 R4201")
async def to_where_it_is_already(lab: Lab) -> None:
    one = await device(lab)
    inbox, id = await _message(lab, one)
    assert await ask(one, move(id, inbox.id, inbox.id)) == [(id, "4", "")]


@case("MS-ASCMD", "R4222 R4201")
async def to_two_places(lab: Lab) -> None:
    """Two destinations in one Move, and two Moves of one item."""
    one = await device(lab)
    inbox, id = await _message(lab, one)
    bin, sent = await one.talker.folder(DELETED), await one.talker.folder(SENT)
    assert await ask(one, move(id, inbox.id, bin, sent)) == [(id, "5", "")]
    first, second = await ask(one, move(id, inbox.id, bin), move(id, inbox.id, sent))
    assert (first[1], second) == ("3", (id, "5", ""))


@case("MS-ASCMD", "R4821", FROM_14)
async def nothing_moves_into_the_recipient_information_cache(lab: Lab) -> None:
    one = await device(lab)
    inbox, id = await _message(lab, one)
    assert await ask(one, move(id, inbox.id, await one.talker.folder(RECIPIENTS))) == [(id, "105", "")]


@case("MS-ASCMD", "R285 R4217 R4201")
async def each_move_has_its_own_status(lab: Lab) -> None:
    one = await device(lab)
    inbox, first = await _message(lab, one)
    _, second = await _message(lab, one)
    bin = await one.talker.folder(DELETED)
    answers = await ask(
        one, move(first, inbox.id, bin), move("none", inbox.id, bin), move(second, inbox.id, inbox.id)
    )
    assert [(item, status) for item, status, _ in answers] == [(first, "3"), ("none", "1"), (second, "4")]

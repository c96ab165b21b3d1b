"""MoveItems over the whole server. [MS-ASCMD] MoveItems; what is malformed comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from mail_kit import DOMAIN, Mailroom, letter
from sync_kit import box, cases, local, vcard
from wire import Got, Wire, e

from eas.engine.errors import Unavailable
from eas.engine.model import FolderType, Right
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

VERSIONS = [version.text for version in Version]
EVERY = pytest.mark.parametrize("version", VERSIONS)
FROM_14 = pytest.mark.parametrize("version", ["14.0", "14.1", "16.0", "16.1"])
OLD = pytest.mark.parametrize("version", ["2.5", "12.0", "12.1"])

#: Status of a move that was made. R4215
SUCCESS = "3"


def move(item: str, source: str, *destinations: str) -> Element:
    return e("Move:Move", e("SrcMsgId", item), e("SrcFldId", source), *[e("DstFldId", to) for to in destinations])


async def ask(device: Wire, *moves: Element) -> list[tuple[str, str, str | None]]:
    """(SrcMsgId, Status, DstMsgId) of each Response."""
    got: Got = await device.post("MoveItems", e("Move:MoveItems", *moves))
    assert got.http == 200
    out = []
    for response in got.all("Response"):
        names = [local(child) for child in response.elements]
        assert names in (["SrcMsgId", "Status"], ["SrcMsgId", "Status", "DstMsgId"])
        texts = {local(child): child.text for child in response.elements}
        out.append((texts["SrcMsgId"], texts["Status"], texts.get("DstMsgId")))
    return out


@pytest.fixture
async def places(room: Mailroom) -> tuple[str, str, str]:
    """The inbox, Deleted Items, and a message in the inbox."""
    inbox, bin = await room.folder("anna", FolderType.INBOX), await room.folder("anna", FolderType.DELETED_ITEMS)
    return inbox.id, bin.id, await room.deliver("anna", letter())


# Malformed -----------------------------------------------------------------------------------------------------------


@FROM_14
@cases("body", [
    e("Move:MoveItems"), e("Ping:Ping"), e("Move:MoveItems", e("Move", e("SrcFldId", "1"), e("DstFldId", "2"))),
    e("Move:MoveItems", e("Move", e("SrcMsgId", "1:1"), e("DstFldId", "2"))),
    e("Move:MoveItems", *[move("1:1", "1", "2") for _ in range(1001)]),
    e("Move:MoveItems", move("", "1", "2")), e("Move:MoveItems", move("1" * 65, "1", "2")),
], ids=["nothing", "another root", "no SrcMsgId", "no SrcFldId", "too many", "empty SrcMsgId", "long SrcMsgId"])
async def test_malformed_requests(wire: Wires, version: str, body: Element) -> None:
    assert (await wire(version=version).post("MoveItems", body)).status == "103"


@OLD
async def test_malformed_requests_of_old_versions(wire: Wires, version: str) -> None:
    assert (await wire(version=version).post("MoveItems", e("Move:MoveItems"))).http == 400


@EVERY
async def test_one_destination(wire: Wires, room: Mailroom, places: tuple[str, str, str], version: str) -> None:
    """R4221, R4222"""
    inbox, bin, id = places
    device = wire(version=version)
    assert await ask(device, move(id, inbox, bin, bin)) == [(id, "5", None)]
    assert await ask(device, move(id, inbox)) == [(id, "5", None)]
    assert await room.ids("anna") == [id]


# Statuses ------------------------------------------------------------------------------------------------------------


@EVERY
async def test_moved(wire: Wires, room: Mailroom, places: tuple[str, str, str], version: str) -> None:
    """R4215, R4217"""
    inbox, bin, id = places
    device = wire(version=version)
    ((_, status, moved),) = await ask(device, move(id, inbox, bin))
    assert (status, [moved]) == (SUCCESS, await room.ids("anna", FolderType.DELETED_ITEMS))
    assert await room.ids("anna") == []


@EVERY
@cases("item", ["{inbox}:99", "nonsense", "99:1", "{bin}:1"])
async def test_items_that_are_not_there(
    wire: Wires, places: tuple[str, str, str], version: str, item: str
) -> None:
    """R4206, R4208"""
    inbox, bin, _ = places
    item = item.format(inbox=inbox, bin=bin)
    assert await ask(wire(version=version), move(item, inbox, bin)) == [(item, "1", None)]


@EVERY
async def test_folders_that_are_not_there(
    wire: Wires, room: Mailroom, places: tuple[str, str, str], version: str
) -> None:
    """R4207, R4211, R4212"""
    inbox, bin, id = places
    device = wire(version=version)
    for unknown in ("999", "nonsense", ""):
        assert await ask(device, move(id, unknown, bin)) == [(id, "1", None)]
        assert await ask(device, move(id, inbox, unknown)) == [(id, "2", None)]
    assert await room.ids("anna") == [id]


@EVERY
async def test_from_a_folder_to_itself(
    wire: Wires, room: Mailroom, places: tuple[str, str, str], version: str
) -> None:
    """R4218, R4219"""
    inbox, _, id = places
    assert await ask(wire(version=version), move(id, inbox, inbox)) == [(id, "4", None)]
    assert await room.ids("anna") == [id]


@EVERY
async def test_into_a_folder_of_another_class(
    wire: Wires, room: Mailroom, places: tuple[str, str, str], version: str
) -> None:
    inbox, _, id = places
    contacts = (await room.folder("anna", FolderType.CONTACTS)).id
    assert await ask(wire(version=version), move(id, inbox, contacts)) == [(id, "2", None)]
    assert await room.ids("anna") == [id]


@EVERY
async def test_into_the_recipient_information_cache(
    wire: Wires, room: Mailroom, places: tuple[str, str, str], version: str
) -> None:
    """[MS-ASCMD] R4821; a device of before 14.0 knows no such folder."""
    inbox, _, id = places
    cache = (await room.folder("anna", FolderType.RECIPIENT_CACHE)).id
    told = "105" if version in ("14.0", "14.1", "16.0", "16.1") else "2"
    assert await ask(wire(version=version), move(id, inbox, cache)) == [(id, told, None)]
    assert await room.ids("anna") == [id]


@EVERY
async def test_to_two_places_at_once(
    wire: Wires, room: Mailroom, places: tuple[str, str, str], version: str
) -> None:
    """R4222: the first is done, the other is not. The same place twice is one move."""
    inbox, bin, id = places
    other = await room.world.admin.add_folder(f"anna@{DOMAIN}", "Projects", FolderType.USER_MAIL)
    first, second, again = await ask(
        wire(version=version), move(id, inbox, bin), move(id, inbox, other.id), move(id, inbox, bin)
    )
    assert (first[1], second, again) == (SUCCESS, (id, "5", None), first)
    assert len(await room.ids("anna", FolderType.DELETED_ITEMS)) == 1


async def test_folders_of_others(wire: Wires, room: Mailroom, places: tuple[str, str, str]) -> None:
    inbox, bin, id = places
    foreign = (await room.folder("ben", FolderType.INBOX)).id
    theirs = await room.deliver("ben", letter())
    device = wire()
    assert await ask(device, move(id, inbox, foreign), move(theirs, foreign, bin)) == [
        (id, "2", None), (theirs, "1", None)
    ]
    await room.world.admin.set_right(f"ben@{DOMAIN}", foreign, f"anna@{DOMAIN}", Right.READ)
    assert await ask(device, move(id, inbox, foreign), move(theirs, foreign, bin)) == [
        (id, "5", None), (theirs, "5", None)
    ]
    assert (await room.ids("anna"), await room.ids("ben")) == ([id], [theirs])


@EVERY
async def test_several_at_once(wire: Wires, room: Mailroom, places: tuple[str, str, str], version: str) -> None:
    inbox, bin, first = places
    second = await room.deliver("anna", letter(subject="Second"))
    answers = await ask(wire(version=version), move(first, inbox, bin), move("x", inbox, bin), move(second, inbox, bin))
    assert [(id, status) for id, status, _ in answers] == [(first, SUCCESS), ("x", "1"), (second, SUCCESS)]
    assert len(await room.ids("anna", FolderType.DELETED_ITEMS)) == 2


@EVERY
async def test_records_move_too(wire: Wires, room: Mailroom, version: str) -> None:
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    other = await room.world.admin.add_folder(f"anna@{DOMAIN}", "Others", FolderType.USER_CONTACTS)
    ((_, status, moved),) = await ask(wire(version=version), move(id, id.partition(":")[0], other.id))
    assert status == SUCCESS
    assert moved is not None
    assert moved.startswith(f"{other.id}:")


# Once ----------------------------------------------------------------------------------------------------------------


@EVERY
async def test_a_repeated_move_has_the_same_answer(
    wire: Wires, room: Mailroom, places: tuple[str, str, str], version: str
) -> None:
    inbox, bin, id = places
    device = wire(version=version)
    first = await ask(device, move(id, inbox, bin))
    assert first == await ask(device, move(id, inbox, bin))
    assert len(await room.ids("anna", FolderType.DELETED_ITEMS)) == 1


async def test_the_same_move_at_once(wire: Wires, room: Mailroom, places: tuple[str, str, str]) -> None:
    inbox, bin, id = places
    device = wire()
    answers = await asyncio.gather(*[ask(device, move(id, inbox, bin)) for _ in range(3)])
    assert answers[0] == answers[1] == answers[2]
    assert len(await room.ids("anna", FolderType.DELETED_ITEMS)) == 1


async def test_there_and_back_again(wire: Wires, room: Mailroom, places: tuple[str, str, str]) -> None:
    inbox, bin, id = places
    device = wire()
    for _ in range(2):
        ((_, status, moved),) = await ask(device, move(id, inbox, bin))
        assert status == SUCCESS
        ((_, status, back),) = await ask(device, move(moved or "", bin, inbox))
        assert status == SUCCESS
        assert back not in (None, id)
        id = back or ""
    assert await room.ids("anna") == [id]


async def test_a_move_is_found_again_after_a_crash(
    wire: Wires, room: Mailroom, places: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made, but its result was not written down."""
    inbox, bin, id = places
    store, settle, calls = room.world.store, room.world.store.settle, []

    async def fails_once(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            raise Unavailable("the disk is away")
        return await settle(*given)

    monkeypatch.setattr(store, "settle", fails_once)
    device = wire()
    got = await device.post("MoveItems", e("Move:MoveItems", move(id, inbox, bin)))
    assert got.status == "111"
    ((_, status, moved),) = await ask(device, move(id, inbox, bin))
    assert (status, [moved]) == (SUCCESS, await room.ids("anna", FolderType.DELETED_ITEMS))


async def test_what_sync_says_of_a_move(wire: Wires, room: Mailroom, places: tuple[str, str, str]) -> None:
    inbox, bin, id = places
    device = wire()
    source = await (await box(device, room, FolderType.INBOX)).begin()
    target = await (await box(device, room, FolderType.DELETED_ITEMS)).begin()
    ((_, _, moved),) = await ask(device, move(id, inbox, bin))
    assert (await source.sure()).said == [("Delete", id)]
    assert (await target.sure()).said == [("Add", moved)]

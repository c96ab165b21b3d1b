"""The recipient information cache: whom the user writes to. [MS-ASCNTC] Refreshing the Recipient Information Cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mail_kit import Mailroom, is_sent, letter, send
from sqlalchemy import delete
from sync_kit import Told, box, change, commands, data, told
from sync_kit import delete as deletion
from wire import Wire, e

from eas.backends.embedded import recipients
from eas.backends.embedded.tables import FolderRow
from eas.engine.model import FolderType
from eas.engine.ports import MailQuery

Wires = Callable[..., Wire]
CACHE = FolderType.RECIPIENT_CACHE
FROM_14 = pytest.mark.parametrize("version", ["14.0", "16.1"])


def entries(answer: Told) -> dict[str, dict[str, str]]:
    """By address: the elements of the entries that are told."""
    found = {}
    for id, verb in ((id, verb) for verb, id in answer.said if verb in ("Add", "Change")):
        assert verb in ("Add", "Change")
        texts = {child.tag.partition(":")[2]: child.text for child in answer.data(id).elements}
        found[texts["Email1Address"]] = texts
    return found


async def write(device: Wire, to: str, n: int) -> None:
    assert is_sent(await send(device, "SendMail", letter(f"Note {n}", to=to), client_id=f"note-{n}"))


@FROM_14
async def test_who_is_written_to_more_ranks_higher(wire: Wires, room: Mailroom, version: str) -> None:
    """R219, R231, R236, R410, R415, R514: these elements alone."""
    device = wire(version=version if version != "16.1" else "14.1")
    for n, to in enumerate(("Ben <ben@example.com>", "Carla <carla@example.com>", "ben@example.com")):
        await write(device, to, n)
    cache = await box(wire(version=version), room, CACHE)
    await cache.sure()
    found = entries(await cache.sure())
    assert {address: texts["FileAs"] for address, texts in found.items()} == {
        "ben@example.com": "Ben", "carla@example.com": "Carla",
    }
    assert all(texts.keys() == {"Email1Address", "FileAs", "WeightedRank"} for texts in found.values())
    assert int(found["ben@example.com"]["WeightedRank"]) > int(found["carla@example.com"]["WeightedRank"])
    await write(device, "carla@example.com", 9)
    again = entries(await cache.sure())
    assert again.keys() == {"carla@example.com"}
    assert int(again["carla@example.com"]["WeightedRank"]) > int(found["carla@example.com"]["WeightedRank"])


async def test_only_so_many_are_kept(
    wire: Wires, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who are written to least make room."""
    monkeypatch.setattr(recipients, "MAX_ENTRIES", 2)
    for n, to in enumerate(("ben@example.com", "ben@example.com", "carla@example.com", "carla@example.com")):
        await write(wire(), to, n)
    await write(wire(), "anna@example.com", 9)
    cache = await box(wire(), room, CACHE)
    await cache.sure()
    assert entries(await cache.sure()).keys() == {"ben@example.com", "carla@example.com"}


async def test_max_items_are_the_best(wire: Wires, room: Mailroom) -> None:
    """[MS-ASCMD] MaxItems. What rises above another takes its place."""
    for n, to in enumerate(("ben@example.com", "ben@example.com", "carla@example.com")):
        await write(wire(), to, n)
    cache = await box(wire(), room, CACHE)
    one = e("AirSync:Options", e("MaxItems", "1"))
    await cache.sure(one)
    assert entries(await cache.sure()).keys() == {"ben@example.com"}
    for n in range(3):
        await write(wire(), "carla@example.com", 10 + n)
    answer = await cache.sure()
    assert entries(answer).keys() == {"carla@example.com"}
    assert [verb for verb, _ in answer.said].count("SoftDelete") == 1
    more = await cache.sure(e("AirSync:Options", e("MaxItems", "9")))
    assert entries(more).keys() == {"ben@example.com"}
    assert await cache.go() is None


async def test_max_items_elsewhere_is_refused(wire: Wires, room: Mailroom) -> None:
    for type in (FolderType.CONTACTS, FolderType.INBOX):
        (answer,) = told(await (await box(wire(), room, type)).ask(e("AirSync:Options", e("MaxItems", "5"))))
        assert answer.status == "4"
    (answer,) = told(await (await box(wire(), room, CACHE)).ask(e("AirSync:Options", e("MaxItems", "0"))))
    assert answer.status == "4"


async def test_devices_do_not_change_it(wire: Wires, room: Mailroom) -> None:
    """[MS-ASCMD] R756 is in the conformance cases. What they change comes back."""
    await write(wire(), "ben@example.com", 1)
    (id,) = await room.ids("anna", CACHE)
    cache = await (await box(wire(), room, CACHE)).begin()
    answer = await cache.sure(commands(change(id, data(FileAs="Other")), deletion(id)))
    assert {one["Status"] for one in (*answer.answered("Change"), *answer.answered("Delete"))} == {"6"}
    assert await room.ids("anna", CACHE) == [id]
    contacts = await room.folder("anna", FolderType.CONTACTS)
    moved = await cache.wire.post("MoveItems", e("Move:MoveItems", e(
        "Move", e("SrcMsgId", id), e("SrcFldId", cache.id), e("DstFldId", contacts.id)
    )))
    assert moved.text("Response", "Status") != "3"
    assert await room.ids("anna", CACHE) == [id]


async def test_it_is_no_address_book(wire: Wires, room: Mailroom) -> None:
    """Neither the directory nor a search finds what is only remembered."""
    await write(wire(), "Carla Unsought <carla@example.com>", 1)
    query = e("Search:Search", e("Store", e("Name", "GAL"), e("Query", "Unsought"), e("Options", e("Range", "0-9"))))
    got = await wire().post("Search", query)
    assert "Unsought" not in str(got.root)
    assert (await (await room.mailbox("anna")).search(MailQuery(classes=("Contacts",)), 0, 9)).total == 0


async def test_users_from_before_get_one_when_they_write(wire: Wires, room: Mailroom, world: Any) -> None:
    def drop(tx: Any) -> None:
        tx.connection.execute(delete(FolderRow).where(FolderRow.type == int(CACHE)))
        tx.raise_hierarchy(world.ids["anna"])

    await world.app.embedded.groupware.write(drop)
    device = wire()

    async def types(key: str) -> tuple[str, list[str]]:
        got = await device.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", key)))
        return got.text("SyncKey"), [found.text for found in got.all("Changes", "Add", "Type")]

    key, listed = await types("0")
    assert "19" not in listed
    await write(device, "ben@example.com", 1)
    _, listed = await types(key)
    assert listed == ["19"]
    assert len(await room.ids("anna", CACHE)) == 1


async def test_what_fails_beside_a_message_does_not_fail_it(
    wire: Wires, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(recipients, "note", broken)
    await write(wire(), "ben@example.com", 1)
    assert len(await room.mails("ben")) == 1

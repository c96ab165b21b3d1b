"""A device that goes on asking for a folder that is not there: Status 12 three times, then Status 3."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mail_kit import Mailroom
from sync_kit import OLD_VERSIONS, VERSIONS, box, collection, request, told
from wire import Wire, e

from eas.engine.model import FolderType, Right

Wires = Callable[..., Wire]


async def ask(device: Wire, *folders: str, key: str = "1") -> list[tuple[str, str]]:
    """Status and SyncKey of each answer."""
    got = await device.post("Sync", request(*(collection(id, key) for id in folders)))
    return [(answer.status, answer.text("SyncKey")) for answer in told(got)]


async def list_folders(device: Wire, key: str = "0") -> str:
    got = await device.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", key)))
    assert got.status == "1"
    return got.text("SyncKey")


@pytest.mark.parametrize("version", [*OLD_VERSIONS, *VERSIONS])
async def test_it_begins_anew_in_the_end(wire: Wires, version: str) -> None:
    device = wire(version=version)
    assert [await ask(device, "999") for _ in range(5)] == [[("12", "1")]] * 3 + [[("3", "0")]] * 2
    assert await ask(device, "999", key="0") == [("3", "0")]


async def test_a_list_of_folders_begins_the_count_anew(wire: Wires) -> None:
    device = wire()
    for _ in range(4):
        await ask(device, "999")
    key = await list_folders(device)
    assert [await ask(device, "999") for _ in range(4)] == [[("12", "1")]] * 3 + [[("3", "0")]]
    await list_folders(device, key)
    assert await ask(device, "999") == [("12", "1")]


async def test_folders_and_devices_are_counted_by_themselves(wire: Wires, room: Mailroom) -> None:
    device, other = wire(), wire(device="WIRE2")
    for _ in range(3):
        await ask(device, "999")
    assert await ask(device, "999", "998") == [("3", "0"), ("12", "1")]
    assert await ask(other, "999") == [("12", "1")]
    contacts = await box(device, room, FolderType.CONTACTS)
    assert [status for status, _ in await ask(device, "999", contacts.id, key="0")] == ["3", "1"]


async def test_a_folder_that_is_there_again(wire: Wires, room: Mailroom) -> None:
    """One that others may take away and give."""
    device = wire()
    inbox = (await room.folder("ben", FolderType.INBOX)).id
    for _ in range(3):
        assert await ask(device, inbox, key="0") == [("12", "0")]
    await room.world.admin.set_right("ben@example.com", inbox, "anna@example.com", Right.READ)
    assert [status for status, _ in await ask(device, inbox, key="0")] == ["1"]
    await room.world.admin.set_right("ben@example.com", inbox, "anna@example.com", Right.NONE)
    assert await ask(device, inbox, key="0") == [("12", "0")]

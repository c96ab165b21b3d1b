"""What a device is told that holds what it moved (Quirk.HOLDS_WHAT_IT_MOVED), seen from the device."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from mail_kit import DOMAIN, Mailroom, letter
from sqlalchemy import update
from sync_kit import SOON, Box, box, change, commands, mail, told, vcard, waiting
from test_move_items import ask, move
from wire import Wire, e

from eas.backends.embedded.tables import ItemRow
from eas.engine.model import FolderType
from eas.engine.quirks import Quirk
from eas.items.native import MailFlags

Wires = Callable[..., Wire]

DAY_MS = 24 * 60 * 60 * 1000

OUTLOOK = {"type": "WindowsOutlook15", "agent": "Outlook/16.0 (16.0.4266.1001; MSI; x64)", "version": "14.0"}
FAMILIES = pytest.mark.parametrize(("family", "told_as_new"), [
    (OUTLOOK, False), ({**OUTLOOK, "version": "14.1"}, False),
    ({"type": "WindowsMail", "agent": "MSFT-WIN-4/10.0.19041"}, True),
    ({"type": "Outlook", "agent": "Outlook-iOS-Android/1.0"}, True), ({}, True),
])


@dataclass(kw_only=True)
class Desk:
    """Two folders in step, one message in the first."""

    device: Wire
    room: Mailroom
    inbox: Box
    bin: Box
    item: str

    async def move(self) -> str:
        """The message's new id."""
        ((_, status, moved),) = await ask(self.device, move(self.item, self.inbox.id, self.bin.id))
        assert status == "3"
        assert moved is not None
        return moved

    async def mark(self, id: str, folder: FolderType = FolderType.DELETED_ITEMS) -> None:
        """Somebody else reads it."""
        feed = await self.room.feed("anna", folder)
        await feed.set_flags(int(id.partition(":")[2]), MailFlags(read=True))


async def desk(device: Wire, room: Mailroom) -> Desk:
    item = await room.deliver("anna", letter())
    inbox = await (await box(device, room, FolderType.INBOX)).begin()
    bin = await (await box(device, room, FolderType.DELETED_ITEMS)).begin()
    return Desk(device=device, room=room, inbox=inbox, bin=bin, item=item)


async def said(folder: Box) -> list[tuple[str, str]]:
    answer = await folder.go()
    return answer.said if answer is not None else []


@FAMILIES
async def test_who_gets_no_add(wire: Wires, room: Mailroom, family: dict[str, str], told_as_new: bool) -> None:
    at = await desk(wire(**family), room)
    moved = await at.move()
    assert await said(at.bin) == ([("Add", moved)] if told_as_new else [])
    assert await said(at.inbox) == [("Delete", at.item)]
    assert await said(at.bin) == []


async def test_it_can_be_switched(wire: Wires, room: Mailroom) -> None:
    device = wire(**OUTLOOK)
    at = await desk(device, room)
    stored = await room.world.store.device((await room.user("anna")).id, device.device)
    switched = {Quirk.HOLDS_WHAT_IT_MOVED.value: False}
    assert await room.world.store.save_device(replace(stored, quirks=switched))
    moved = await at.move()
    assert await said(at.bin) == [("Add", moved)]


async def test_what_differs_is_a_change(wire: Wires, room: Mailroom) -> None:
    at = await desk(wire(**OUTLOOK), room)
    moved = await at.move()
    await at.mark(moved)
    answer = await at.bin.sure()
    assert answer.said == [("Change", moved)]
    assert [child.tag for child in answer.data(moved).elements] == ["Email:Read"]
    assert await said(at.bin) == []


async def test_what_was_read_before_the_move_is_a_change(wire: Wires, room: Mailroom) -> None:
    """By somebody else, of which the device has not heard."""
    at = await desk(wire(**OUTLOOK), room)
    await at.mark(at.item, FolderType.INBOX)
    moved = await at.move()
    assert await said(at.bin) == [("Change", moved)]
    assert await said(at.inbox) == [("Delete", at.item)]


async def test_it_changes_what_it_moved(wire: Wires, room: Mailroom) -> None:
    at = await desk(wire(**OUTLOOK), room)
    moved = await at.move()
    answer = await at.bin.sure(commands(change(moved, mail(e("Email:Read", "1")))))
    assert (answer.said, answer.answered("Change")) == ([], [])
    assert [mail.flags.read for mail in await room.mails("anna", FolderType.DELETED_ITEMS)] == [True]
    assert await said(at.bin) == []


async def test_a_folder_that_is_begun_anew_brings_all(wire: Wires, room: Mailroom) -> None:
    at = await desk(wire(**OUTLOOK), room)
    moved = await at.move()
    at.bin.key = "0"
    await at.bin.sure()
    assert await said(at.bin) == [("Add", moved)]


async def test_a_folder_that_was_never_fetched_brings_all(wire: Wires, room: Mailroom) -> None:
    at = await desk(wire(**OUTLOOK), room)
    at.bin.key = "0"
    other = await room.world.admin.add_folder(f"anna@{DOMAIN}", "Projects", FolderType.USER_MAIL)
    ((_, _, moved),) = await ask(at.device, move(at.item, at.inbox.id, other.id))
    projects = Box(wire=at.device, id=other.id)
    await projects.sure()
    assert await said(projects) == [("Add", moved)]


async def test_there_and_back(wire: Wires, room: Mailroom) -> None:
    """Before any Sync: what is under the old ids goes, and nothing comes."""
    at = await desk(wire(**OUTLOOK), room)
    moved = await at.move()
    ((_, _, back),) = await ask(at.device, move(moved, at.bin.id, at.inbox.id))
    assert await said(at.inbox) == [("Delete", at.item)]
    assert await said(at.bin) == [("Delete", moved)]
    await at.mark(back or "", FolderType.INBOX)
    assert await said(at.inbox) == [("Change", back)]


async def test_a_filter_leaves_it_out(wire: Wires, room: Mailroom) -> None:
    """The device has it in the folder, where it does not belong."""
    device = wire(**OUTLOOK)
    at = await desk(device, room)
    at.bin.key = "0"
    filter = e("AirSync:Options", e("FilterType", "1"))
    await at.bin.sure(filter)
    await at.bin.go(filter)
    await room.world.app.embedded.groupware.write(
        lambda tx: tx.connection.execute(update(ItemRow).values(until=ItemRow.until - 10 * DAY_MS))
    )
    moved = await at.move()
    assert await said(at.bin) == [("SoftDelete", moved)]


async def test_asked_for_again(wire: Wires, room: Mailroom) -> None:
    """The answer was lost; a Sync came first. What that told of the item, the device has passed over."""
    at = await desk(wire(**OUTLOOK), room)
    moved = await at.move()
    await at.mark(moved)
    assert await said(at.bin) == [("Change", moved)]
    assert await at.move() == moved
    assert await said(at.bin) == [("Change", moved)]
    assert await said(at.bin) == []


async def test_what_the_sync_deleted_into_the_bin_comes_as_new(wire: Wires, room: Mailroom) -> None:
    """The device does not know its new id."""
    at = await desk(wire(**OUTLOOK), room)
    await at.inbox.sure(commands(e("AirSync:Delete", e("ServerId", at.item))))
    (binned,) = await room.ids("anna", FolderType.DELETED_ITEMS)
    assert await said(at.bin) == [("Add", binned)]


async def test_contacts(wire: Wires, room: Mailroom) -> None:
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    other = await room.world.admin.add_folder(f"anna@{DOMAIN}", "Others", FolderType.USER_CONTACTS)
    device = wire(**OUTLOOK)
    contacts = await (await box(device, room, FolderType.CONTACTS)).begin()
    others = await Box(wire=device, id=other.id).begin()
    ((_, _, moved),) = await ask(device, move(id, contacts.id, other.id))
    assert await said(others) == []
    feed = (await room.mailbox("anna")).feed(other)
    await feed.update(int((moved or "").partition(":")[2]), vcard("Joe", "TEL;TYPE=CELL:+1"), None)
    assert await said(others) == [("Change", moved)]


async def test_a_sync_that_waits_is_not_woken(wire: Wires, room: Mailroom) -> None:
    """The move rings before it is noted; what came after it is told."""
    at = await desk(wire(**OUTLOOK), room)
    hanging = asyncio.create_task(at.bin.ask(last=(e("AirSync:HeartbeatInterval", "60"),)))
    await waiting(room)
    moved = await at.move()
    second = await room.deliver("anna", letter(subject="Second"))
    await at.mark(moved)
    async with asyncio.timeout(SOON):
        (answer,) = told(await hanging)
    assert answer.said == [("Change", moved)]
    assert second

"""Ping over the whole server. [MS-ASCMD] Ping; what is malformed comes first. Waits that end by themselves are in
test_sync_waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from mail_kit import DOMAIN, Mailroom, letter
from sync_kit import SOON, VERSIONS, Box, box, cases, vcard, waiting
from wire import Got, Wire, e

from eas.engine.errors import Unavailable
from eas.engine.model import FolderType
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

EVERY = pytest.mark.parametrize("version", VERSIONS)


def ping(*ids: str, heartbeat: str | None = "300", item_class: str = "Email") -> Element:
    inside = [] if heartbeat is None else [e("HeartbeatInterval", heartbeat)]
    if ids:
        inside.append(e("Folders", *[e("Folder", e("Id", id), e("Class", item_class)) for id in ids]))
    return e("Ping:Ping", *inside)


async def ask(device: Wire, body: Element | None = None) -> Got:
    """An answer that has to come at once."""
    async with asyncio.timeout(SOON):
        return await device.post("Ping", body)


@pytest.fixture
async def inbox(wire: Wires, room: Mailroom) -> Box:
    return await (await box(wire(), room, FolderType.INBOX)).begin()


# Malformed -----------------------------------------------------------------------------------------------------------


@EVERY
@cases("body", [
    e("Ping:Ping", e("HeartbeatInterval", "soon")),
    e("Ping:Ping", e("Folders", e("Folder", e("Class", "Email")))),
    e("Ping:Ping", e("Folders", e("Folder", e("Id", "1")))),
    e("AirSync:Sync"),
    ping("1", "1"),
], ids=["no number", "no Id", "no Class", "another root", "one folder twice"])
async def test_syntax_errors(wire: Wires, version: str, body: Element) -> None:
    """R4243, R4244"""
    assert (await ask(wire(version=version), body)).status == "4"


@EVERY
@cases("body", [None, ping(), ping("1", heartbeat=None)], ids=["empty", "no folders", "no interval"])
async def test_the_first_ping_needs_everything(wire: Wires, version: str, body: Element | None) -> None:
    """R4239, R4240, R4241"""
    assert (await ask(wire(version=version), body)).status == "3"


@EVERY
@cases(("heartbeat", "bound"), [("59", "60"), ("0", "60"), ("-1", "60"), ("3541", "3540")])
async def test_intervals_out_of_bounds(wire: Wires, version: str, heartbeat: str, bound: str) -> None:
    """R4246, R4247, R4248, R4249, R5837, R5690, R5691"""
    got = await ask(wire(version=version), ping("1", heartbeat=heartbeat))
    assert (got.status, got.text("HeartbeatInterval")) == ("5", bound)


@EVERY
async def test_too_many_folders(wire: Wires, version: str) -> None:
    """R4252, R4253, R4254, R3259"""
    got = await ask(wire(version=version), ping(*[str(n) for n in range(1, 302)]))
    assert (got.status, got.text("MaxFolders")) == ("6", "300")


@EVERY
@cases("id", ["999", "nonsense", "", "0"])
async def test_unknown_folders(wire: Wires, version: str, id: str) -> None:
    """R4256, R4257, R4258"""
    assert (await ask(wire(version=version), ping(id))).status == "7"


async def test_folders_of_others_are_unknown(wire: Wires, room: Mailroom) -> None:
    assert (await ask(wire(), ping((await room.folder("ben", FolderType.INBOX)).id))).status == "7"


async def test_notes_are_unknown_in_old_versions(wire: Wires, room: Mailroom) -> None:
    notes = (await room.folder("anna", FolderType.NOTES)).id
    assert (await ask(wire(version="12.1"), ping(notes, item_class="Notes"))).status == "7"


# News ----------------------------------------------------------------------------------------------------------------


@EVERY
async def test_what_is_new_already_is_told_at_once(wire: Wires, room: Mailroom, version: str) -> None:
    """R4235, R4236, R1708"""
    device = wire(version=version)
    inbox = await (await box(device, room, FolderType.INBOX)).begin()
    contacts = await (await box(device, room, FolderType.CONTACTS)).begin()
    await room.deliver("anna", letter())
    got = await ask(device, ping(inbox.id, contacts.id))
    assert (got.status, [folder.text for folder in got.all("Folders", "Folder")]) == ("2", [inbox.id])


@EVERY
async def test_a_ping_waits_until_something_arrives(wire: Wires, room: Mailroom, version: str) -> None:
    """R306, R3148, R5710"""
    device = wire(version=version)
    inbox = await (await box(device, room, FolderType.INBOX)).begin()
    asked = asyncio.create_task(device.post("Ping", ping(inbox.id)))
    await waiting(room)
    assert not asked.done()
    await room.deliver("anna", letter())
    async with asyncio.timeout(SOON):
        assert (await asked).status == "2"


async def test_news_is_told_until_it_is_fetched(inbox: Box, room: Mailroom) -> None:
    await room.deliver("anna", letter())
    for _ in range(3):
        assert (await ask(inbox.wire, ping(inbox.id))).status == "2"
    await inbox.sure()
    asked = asyncio.create_task(inbox.wire.post("Ping"))
    await waiting(room)
    asked.cancel()


async def test_what_remains_of_a_window_is_news(inbox: Box, room: Mailroom) -> None:
    for number in range(2):
        await room.deliver("anna", letter(subject=f"Mail {number}"))
    assert (await inbox.sure(e("WindowSize", "1"))).more
    assert (await ask(inbox.wire, ping(inbox.id))).status == "2"


async def test_a_ping_is_no_proof_that_an_answer_arrived(inbox: Box, room: Mailroom) -> None:
    """The answer to a Sync is lost; a Ping in between changes nothing: the repeated Sync brings the same."""
    id = await room.deliver("anna", letter())
    await inbox.ask()  # lost
    asked = asyncio.create_task(inbox.wire.post("Ping", ping(inbox.id)))
    await waiting(room)
    asked.cancel()
    assert (await inbox.sure()).said == [("Add", id)]


async def test_a_change_by_the_device_itself_is_no_news(inbox: Box, room: Mailroom) -> None:
    from sync_kit import change, commands, mail

    id = await room.deliver("anna", letter())
    await inbox.sure()
    await inbox.sure(commands(change(id, mail(Element("Email:Read", "1")))))
    asked = asyncio.create_task(inbox.wire.post("Ping", ping(inbox.id)))
    await waiting(room)
    await asyncio.sleep(0.05)
    assert not asked.done()
    asked.cancel()


async def test_what_no_device_sees_wakes_nobody(wire: Wires, room: Mailroom) -> None:
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    asked = asyncio.create_task(contacts.wire.post("Ping", ping(contacts.id, item_class="Contacts")))
    await waiting(room)
    feed = await room.feed("anna", FolderType.CONTACTS)
    await feed.update(int(id.partition(":")[2]), vcard("Joe", "X-SHOE-SIZE:43"), None)
    await asyncio.sleep(0.1)
    assert not asked.done()
    await feed.delete(int(id.partition(":")[2]))
    async with asyncio.timeout(SOON):
        assert (await asked).status == "2"


async def test_a_folder_that_was_never_synchronised_has_no_news(wire: Wires, room: Mailroom) -> None:
    """A device that asks before it has the folder would otherwise ask for ever."""
    device = wire()
    inbox = (await room.folder("anna", FolderType.INBOX)).id
    await room.deliver("anna", letter())
    asked = asyncio.create_task(device.post("Ping", ping(inbox)))
    await waiting(room)
    assert not asked.done()
    asked.cancel()


async def test_a_new_folder_ends_a_ping(inbox: Box, room: Mailroom) -> None:
    """R4256, R4257"""
    await inbox.wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    asked = asyncio.create_task(inbox.wire.post("Ping", ping(inbox.id)))
    await waiting(room)
    await room.world.admin.add_folder(f"anna@{DOMAIN}", "Projects", FolderType.USER_MAIL)
    async with asyncio.timeout(SOON):
        assert (await asked).status == "7"


async def test_folders_that_the_device_knows_do_not_end_a_ping(inbox: Box, room: Mailroom) -> None:
    got = await inbox.wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    await inbox.wire.post("FolderCreate", e(
        "FolderHierarchy:FolderCreate", e("SyncKey", got.text("SyncKey")), e("ParentId", "0"),
        e("DisplayName", "Projects"), e("Type", "12"),
    ))
    asked = asyncio.create_task(inbox.wire.post("Ping", ping(inbox.id)))
    await waiting(room)
    assert not asked.done()
    asked.cancel()


async def test_a_newer_ping_ends_an_older_one(inbox: Box, room: Mailroom) -> None:
    older = asyncio.create_task(inbox.wire.post("Ping", ping(inbox.id)))
    await waiting(room)
    newer = asyncio.create_task(inbox.wire.post("Ping", ping(inbox.id)))
    async with asyncio.timeout(SOON):
        assert (await older).status == "1"
    await waiting(room)
    assert not newer.done()
    newer.cancel()


async def test_other_commands_do_not_end_a_ping(inbox: Box, room: Mailroom) -> None:
    asked = asyncio.create_task(inbox.wire.post("Ping", ping(inbox.id)))
    await waiting(room)
    await inbox.wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    assert room.world.app.bell.waiting == 1
    assert not asked.done()
    asked.cancel()


# What is remembered --------------------------------------------------------------------------------------------------


@EVERY
async def test_what_is_left_out_is_as_before(wire: Wires, room: Mailroom, version: str) -> None:
    """R322, R335, R3152, R5836"""
    device = wire(version=version)
    inbox = await (await box(device, room, FolderType.INBOX)).begin()
    await room.deliver("anna", letter())
    for body in (ping(inbox.id), None, ping(inbox.id, heartbeat=None), ping(heartbeat="400"), None):
        assert (await ask(device, body)).status == "2"
    stored = await room.world.device()
    assert (stored.ping_folders, stored.ping_heartbeat) == (((inbox.id, "Email"),), 400)


async def test_a_refused_ping_is_not_remembered(inbox: Box, room: Mailroom) -> None:
    await room.deliver("anna", letter())
    await ask(inbox.wire, ping(inbox.id))
    await ask(inbox.wire, ping("1", heartbeat="5"))
    assert (await room.world.device()).ping_folders == ((inbox.id, "Email"),)


async def test_parameters_survive_another_request_of_the_device(
    inbox: Box, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Sync that writes the device's row while a Ping is on its way must not cost the Ping's parameters."""
    from dataclasses import replace

    store = room.world.store
    save = store.save_device
    overtaken: list[Any] = []

    async def overtaking(device: Any, *, lasting: bool = True) -> bool:
        if not overtaken:
            overtaken.append(device)
            there = await room.world.device()
            assert await save(replace(there, remembered_sync=b"Panother"))
        return bool(await save(device))

    await room.deliver("anna", letter())
    monkeypatch.setattr(store, "save_device", overtaking)
    assert (await ask(inbox.wire, ping(inbox.id))).status == "2"
    stored = await room.world.device()
    assert (stored.ping_folders, stored.remembered_sync) == (((inbox.id, "Email"),), b"Panother")
    assert (await ask(inbox.wire)).status == "2"


async def test_a_groupware_that_fails(inbox: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """R4260, R4261"""
    from eas.backends.embedded.feed import EmbeddedFeed

    async def away(*given: Any) -> Any:
        raise Unavailable("the disk is away")

    monkeypatch.setattr(EmbeddedFeed, "delta", away)
    assert (await ask(inbox.wire, ping(inbox.id))).status == "8"


async def test_a_groupware_that_is_away_while_somebody_waits(
    inbox: Box, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait goes on, and what could not be looked at is looked at later."""
    from eas.engine import waiting as engine_waiting

    has_news, tries = engine_waiting.has_news, 0

    async def away(*given: Any) -> bool:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unavailable("the disk is away")
        return await has_news(*given)

    monkeypatch.setattr(engine_waiting, "AWAY_SECONDS", 0.05)
    asked = asyncio.create_task(inbox.wire.post("Ping", ping(inbox.id)))
    await waiting(room)
    await asyncio.sleep(0.05)
    monkeypatch.setattr(engine_waiting, "has_news", away)
    await room.deliver("anna", letter())
    async with asyncio.timeout(SOON):
        assert (await asked).status == "2"
    assert tries == 3

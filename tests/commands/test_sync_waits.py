"""Sync requests that refer to the one before, and those that wait for news.

[MS-ASCMD] Empty Sync Request, Empty Sync Response, Partial, Wait, HeartbeatInterval, Limit.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from mail_kit import DOMAIN, Mailroom, letter
from sync_kit import SOON, VERSIONS, Box, add, box, cases, collection, commands, data, request, told, vcard, waiting
from wire import Got, Wire, e

from eas import app as composition
from eas.config import load
from eas.engine.model import FolderType

Wires = Callable[..., Wire]

EVERY = pytest.mark.parametrize("version", VERSIONS)
FROM_14 = pytest.mark.parametrize("version", VERSIONS[1:])


@pytest.fixture
async def two(wire: Wires, room: Mailroom) -> tuple[Box, Box]:
    """The inbox and the contacts of one device, in step."""
    device = wire()
    contacts = await (await box(device, room, FolderType.CONTACTS)).begin()
    return await (await box(device, room, FolderType.INBOX)).begin(), contacts


async def whole(*boxes: Box, more: tuple[Any, ...] = ()) -> Got:
    return await boxes[0].wire.post("Sync", request(*[collection(b.id, b.key) for b in boxes], more=more))


def partial(*more: Any) -> Any:
    return e("AirSync:Sync", *more, e("Partial"))


# Empty requests ------------------------------------------------------------------------------------------------------


@EVERY
async def test_an_empty_request_repeats_the_last_one(wire: Wires, room: Mailroom, version: str) -> None:
    """R666, R667, R673, R679"""
    inbox = await (await box(wire(version=version), room, FolderType.INBOX)).begin()
    assert (await whole(inbox)).body == b""
    assert (await inbox.wire.post("Sync")).body == b""
    id = await room.deliver("anna", letter())
    (answer,) = told(await inbox.wire.post("Sync"))
    assert answer.said == [("Add", id)]
    inbox.key = answer.text("SyncKey")
    assert await inbox.go() is None


@EVERY
async def test_nothing_is_repeated_before_there_was_something(wire: Wires, version: str) -> None:
    """R4455, R4456"""
    assert (await wire(version=version).post("Sync")).status == "13"


async def test_a_request_with_commands_is_not_repeated(wire: Wires, room: Mailroom) -> None:
    """R666"""
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    await contacts.ask(commands(add("c1", data(FirstName="Ann"))))
    assert (await contacts.wire.post("Sync")).status == "13"
    assert len(await room.ids("anna", FolderType.CONTACTS)) == 1


async def test_an_empty_request_proves_nothing(wire: Wires, room: Mailroom) -> None:
    """Once news has been sent under a newer key, the device has to name its key: the answer may be lost."""
    inbox = await (await box(wire(), room, FolderType.INBOX)).begin()
    await whole(inbox)
    id = await room.deliver("anna", letter())
    await inbox.wire.post("Sync")  # lost
    assert (await inbox.wire.post("Sync")).status == "13"
    assert (await inbox.sure()).said == [("Add", id)]


async def test_every_request_with_a_body_replaces_what_is_remembered(two: tuple[Box, Box], room: Mailroom) -> None:
    """R674"""
    inbox, contacts = two
    await whole(inbox)
    await whole(contacts)
    await room.deliver("anna", letter())
    assert (await inbox.wire.post("Sync")).body == b""


# Partial -------------------------------------------------------------------------------------------------------------


async def test_partial_takes_the_other_folders_from_the_last_request(two: tuple[Box, Box], room: Mailroom) -> None:
    """R3644, R3645"""
    inbox, contacts = two
    await whole(inbox, contacts)
    mail = await room.deliver("anna", letter())
    joe = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    got = await inbox.wire.post("Sync", partial(e("Collections", collection(contacts.id, contacts.key))))
    assert [answer.said for answer in told(got)] == [[("Add", joe)], [("Add", mail)]]


@pytest.mark.parametrize("more", [e("WindowSize", "5"), e("HeartbeatInterval", "60"), e("Wait", "1")])
async def test_partial_with_no_folder_at_all(two: tuple[Box, Box], room: Mailroom, more: Any) -> None:
    """R3643"""
    inbox, contacts = two
    await whole(inbox, contacts)
    mail = await room.deliver("anna", letter())
    (answer,) = told(await inbox.wire.post("Sync", partial(more)))
    assert answer.said == [("Add", mail)]


@EVERY
async def test_partial_of_nothing(wire: Wires, room: Mailroom, version: str) -> None:
    """R4456"""
    id = (await room.folder("anna", FolderType.INBOX)).id
    got = await wire(version=version).post("Sync", partial(e("Collections", collection(id, "0"))))
    assert got.status == "13"


async def test_partial_after_commands(two: tuple[Box, Box], room: Mailroom) -> None:
    """The keys of a request with commands were used up by its answer; the device names the newer ones."""
    inbox, contacts = two
    await inbox.wire.post("Sync", request(
        collection(inbox.id, inbox.key),
        collection(contacts.id, contacts.key, commands(add("c1", data(FirstName="Ann")))),
    ))
    mail = await room.deliver("anna", letter())
    assert (await inbox.wire.post("Sync", partial(e("WindowSize", "5")))).status == "13"
    await contacts.sure(commands(add("c1", data(FirstName="Ann"))))
    await inbox.wire.post("Sync", request(collection(contacts.id, contacts.key), collection(inbox.id, inbox.key)))
    assert len(await room.ids("anna", FolderType.CONTACTS)) == 1
    assert (await inbox.sure()).said == [("Add", mail)]


# Bounds of waiting ---------------------------------------------------------------------------------------------------


@EVERY
@cases(("minutes", "limit"), [("0", "1"), ("-5", "1"), ("60", "59"), ("1000", "59")])
async def test_waits_out_of_bounds(wire: Wires, room: Mailroom, version: str, minutes: str, limit: str) -> None:
    """R3223, R3225, R3226, R3227, R3228, R4458-R4461, R4745, R4746, R5781, R5782"""
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    got = await contacts.ask(last=(e("Wait", minutes),))
    assert (got.status, got.text("Limit"), got.find("Collections")) == ("14", limit, None)


@FROM_14
@cases(("seconds", "limit"), [("0", "60"), ("59", "60"), ("3541", "3540")])
async def test_heartbeats_out_of_bounds(wire: Wires, room: Mailroom, version: str, seconds: str, limit: str) -> None:
    """R3160, R3229, R3230, R5780"""
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    got = await contacts.ask(last=(e("HeartbeatInterval", seconds),))
    assert (got.status, got.text("Limit"), got.find("Collections")) == ("14", limit, None)


async def test_commands_beside_a_bad_wait_are_not_done(wire: Wires, room: Mailroom) -> None:
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    got = await contacts.ask(commands(add("c1", data(FirstName="Ann"))), last=(e("Wait", "60"),))
    assert got.status == "14"
    assert await room.ids("anna", FolderType.CONTACTS) == []


async def test_heartbeats_are_unknown_before_14(wire: Wires, room: Mailroom) -> None:
    """R6691: the element is passed over, and the answer comes at once."""
    contacts = await (await box(wire(version="12.1"), room, FolderType.CONTACTS)).begin()
    async with asyncio.timeout(SOON):
        assert await contacts.go(last=(e("HeartbeatInterval", "3000"),)) is None


# Waiting -------------------------------------------------------------------------------------------------------------


@EVERY
async def test_a_request_waits_until_something_arrives(wire: Wires, room: Mailroom, version: str) -> None:
    """R4739, R3154"""
    inbox = await (await box(wire(version=version), room, FolderType.INBOX)).begin()
    asked = asyncio.create_task(inbox.ask(last=(e("Wait", "5"),)))
    await waiting(room)
    assert not asked.done()
    id = await room.deliver("anna", letter())
    async with asyncio.timeout(SOON):
        (answer,) = told(await asked)
    assert answer.said == [("Add", id)]


async def test_news_that_is_there_already_ends_a_wait_at_once(two: tuple[Box, Box], room: Mailroom) -> None:
    await room.deliver("anna", letter())
    async with asyncio.timeout(SOON):
        (answer,) = told(await whole(*two, more=(e("HeartbeatInterval", "3000"),)))
    assert len(answer.said) == 1


async def test_commands_end_a_wait_at_once(wire: Wires, room: Mailroom) -> None:
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    async with asyncio.timeout(SOON):
        await contacts.sure(commands(add("c1", data(FirstName="Ann"))), last=(e("Wait", "5"),))


async def test_a_failing_folder_ends_a_wait_at_once(wire: Wires, room: Mailroom) -> None:
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    async with asyncio.timeout(SOON):
        (answer,) = told(await contacts.ask(key="17", last=(e("Wait", "5"),)))
    assert answer.status == "3"


async def test_what_no_device_sees_ends_no_wait(wire: Wires, room: Mailroom) -> None:
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    asked = asyncio.create_task(contacts.ask(last=(e("Wait", "5"),)))
    await waiting(room)
    feed = await room.feed("anna", FolderType.CONTACTS)
    await feed.update(int(id.partition(":")[2]), vcard("Joe", "X-SHOE-SIZE:43"), None)
    await asyncio.sleep(0.1)
    assert not asked.done()
    await feed.update(int(id.partition(":")[2]), vcard("Joe", "TITLE:Cook"), None)
    async with asyncio.timeout(SOON):
        (answer,) = told(await asked)
    assert answer.said == [("Change", id)]


async def test_a_folder_whose_changes_are_not_wanted_is_not_waited_for(two: tuple[Box, Box], room: Mailroom) -> None:
    inbox, contacts = two
    asked = asyncio.create_task(inbox.wire.post("Sync", request(
        collection(inbox.id, inbox.key, e("GetChanges", "0")), collection(contacts.id, contacts.key),
        more=(e("Wait", "5"),),
    )))
    await waiting(room)
    await room.deliver("anna", letter())
    await asyncio.sleep(0.1)
    assert not asked.done()
    joe = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    async with asyncio.timeout(SOON):
        (answer,) = told(await asked)
    assert answer.said == [("Add", joe)]


@pytest.mark.parametrize("newer", ["Sync", "Ping"])
async def test_a_newer_request_ends_an_older_wait(two: tuple[Box, Box], room: Mailroom, newer: str) -> None:
    inbox, contacts = two
    older = asyncio.create_task(inbox.ask(last=(e("Wait", "5"),)))
    await waiting(room)
    if newer == "Sync":
        assert await contacts.go() is None
    else:
        ping = e("Ping:Ping", e("HeartbeatInterval", "300"),
                 e("Folders", e("Folder", e("Id", contacts.id), e("Class", "Contacts"))))
        second = asyncio.create_task(inbox.wire.post("Ping", ping))
    async with asyncio.timeout(SOON):
        assert (await older).body == b""
    if newer == "Ping":
        await waiting(room)
        await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
        async with asyncio.timeout(SOON):
            assert (await second).status == "2"


async def test_another_device_does_not_end_a_wait(wire: Wires, room: Mailroom) -> None:
    one = await (await box(wire(), room, FolderType.INBOX)).begin()
    other = await (await box(wire(device="OTHER"), room, FolderType.INBOX)).begin()
    asked = asyncio.create_task(one.ask(last=(e("Wait", "5"),)))
    await waiting(room)
    assert await other.go() is None
    assert not asked.done()
    await room.deliver("anna", letter())
    async with asyncio.timeout(SOON):
        assert len(told(await asked)) == 1


async def test_a_new_folder_ends_a_wait(two: tuple[Box, Box], room: Mailroom) -> None:
    """R4452, R4453"""
    inbox, _ = two
    await inbox.wire.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    asked = asyncio.create_task(inbox.ask(last=(e("Wait", "5"),)))
    await waiting(room)
    await room.world.admin.add_folder(f"anna@{DOMAIN}", "Projects", FolderType.USER_MAIL)
    async with asyncio.timeout(SOON):
        got = await asked
    assert (got.status, got.find("Collections")) == ("12", None)


async def test_an_empty_request_waits_as_the_one_before(two: tuple[Box, Box], room: Mailroom) -> None:
    inbox, contacts = two
    first = asyncio.create_task(whole(inbox, contacts, more=(e("HeartbeatInterval", "300"),)))
    await waiting(room)
    second = asyncio.create_task(inbox.wire.post("Sync"))
    async with asyncio.timeout(SOON):
        assert (await first).body == b""
    await waiting(room)
    id = await room.deliver("anna", letter())
    async with asyncio.timeout(SOON):
        (answer,) = told(await second)
    assert answer.said == [("Add", id)]


# The time is up ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def hasty(office: tuple[Path, dict[str, str]], tmp_path: Path) -> AsyncIterator[Wire]:
    """A device on a server that lets it wait for a second."""
    shutil.copytree(office[0], tmp_path / "hasty")
    settings = load(
        overrides={"data": tmp_path / "hasty", "domain": DOMAIN, "limits": {"heartbeat_min_seconds": 1}},
        environment={},
    )
    async with composition.build(settings) as app:
        yield Wire(app=app.asgi)


async def test_the_time_is_up(hasty: Wire, room: Mailroom) -> None:
    """R667"""
    inbox = await (await box(hasty, room, FolderType.INBOX)).begin()
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await inbox.go(last=(e("HeartbeatInterval", "1"),)) is None
    assert 0.9 < loop.time() - began < SOON


async def test_a_ping_comes_back_when_the_time_is_up(hasty: Wire, room: Mailroom) -> None:
    """R4233"""
    inbox = await (await box(hasty, room, FolderType.INBOX)).begin()
    folders = e("Folders", e("Folder", e("Id", inbox.id), e("Class", "Email")))
    got = await hasty.post("Ping", e("Ping:Ping", e("HeartbeatInterval", "1"), folders))
    assert (got.status, got.find("Folders")) == ("1", None)

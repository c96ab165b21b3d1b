"""What devices did, asked of a server in memory as the pages and the command line ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from eas.admin import activity, health
from eas.admin.acting import SERVER
from eas.admin.errors import NotFound
from eas.admin.site import Site
from eas.client import mail
from eas.client.phone import Phone
from eas.commands import ping
from eas.engine.model import FolderType

#: That of tests/conftest.py.
World = Any


def site_of(world: World) -> Site:
    """As the server itself acts."""
    return replace(world.app.site, caller=SERVER)


async def deliver(world: World, count: int = 1) -> None:
    for number in range(count):
        letter = mail.compose(
            "ben@example.com", ["anna@example.com"], f"Letter {number}", "Hello", date=datetime.now(UTC)
        )
        problems = await world.app.embedded.office.take("ben@example.com", ["anna@example.com"], letter)
        assert problems == [None] or not any(problems)


async def test_the_report_of_a_phone_that_is_well(world: World, phone: Callable[..., Phone]) -> None:
    await deliver(world, 3)
    one = phone()
    await one.set_up()
    await one.sync()
    found = await activity.report(site_of(world), "anna", "PHONE1")
    inbox = await world.folder(FolderType.INBOX)
    folder = next(f for f in found["folders"] if f["id"] == inbox)
    assert (folder["kind"], folder["backlog"], folder["fine"], folder["status"]) == ("inbox", 0, True, "1")
    assert folder["filter"]
    assert {c["command"] for c in found["commands"]} >= {"Provision", "FolderSync", "Sync"}
    assert all(command["fine"] for command in found["commands"])
    first = found["events"][0]
    assert first["command"] == "Sync"
    assert first["means"] == "All went well."
    today = found["days"][0]
    assert today["email_out"] == 3
    assert today["requests"] == len(found["events"])
    assert found["battery"]["level"] == "light"
    assert found["conditions"] == []


async def test_events_never_have_contents(world: World, phone: Callable[..., Phone]) -> None:
    await deliver(world)
    one = phone()
    await one.set_up()
    await one.sync()
    told = str(await activity.events(site_of(world), "anna", "PHONE1"))
    assert "Letter" not in told
    assert "secret" not in told


@pytest.mark.parametrize("whole", [False, True])
async def test_a_folder_that_is_resynced_comes_again_without_duplicates(
    world: World, phone: Callable[..., Phone], whole: bool
) -> None:
    await deliver(world, 3)
    one = phone()
    await one.set_up()
    await one.sync()
    inbox = await world.folder(FolderType.INBOX)
    before = dict(one.state.folders[inbox].items)
    assert len(before) == 3
    waiting = asyncio.create_task(one.ping(heartbeat=600))
    await _held(world)
    done = await activity.resync(site_of(world), "anna", "PHONE1", folder="" if whole else inbox)
    assert inbox in done
    # At once: the wait of ten minutes ends.
    told = await asyncio.wait_for(waiting, 30)
    assert told.status is (ping.Status.HIERARCHY_CHANGED if whole else ping.Status.CHANGES)
    if whole:
        await one.folder_sync()
    await one.sync()
    await one.sync()
    assert one.state.folders[inbox].items.keys() == before.keys()
    rows = await world.app.activity.answers(world.ids["anna"], "PHONE1")
    assert [row["fine"] for row in rows if row["name"] == inbox] == [True]
    found = await activity.events(site_of(world), "anna", "PHONE1")
    said = {(folder["id"], folder["status"]) for event in found for folder in event["folders"]}
    assert whole or (inbox, 3) in said


async def test_a_repair_drops_nothing(world: World, phone: Callable[..., Phone]) -> None:
    await deliver(world, 2)
    one = phone()
    await one.set_up()
    await one.sync()
    inbox = await world.folder(FolderType.INBOX)
    done = await activity.repair(site_of(world), "anna", "PHONE1")
    assert inbox in done
    keys = one.state.folders[inbox].sync_key
    await one.sync()
    assert one.state.folders[inbox].sync_key == keys, "nothing differs"
    await deliver(world)
    await one.sync()
    assert len(one.state.folders[inbox].items) == 3


async def test_folders_that_are_not_there_are_told(world: World, phone: Callable[..., Phone]) -> None:
    await phone().set_up()
    with pytest.raises(NotFound, match="does not synchronise"):
        await activity.resync(site_of(world), "anna", "PHONE1", folder="9999")
    with pytest.raises(NotFound, match="no simplified item"):
        await activity.retry(site_of(world), "anna", "PHONE1", item="1:1")


async def test_who_waits_is_seen_live(world: World, phone: Callable[..., Phone]) -> None:
    one = phone()
    await one.set_up()
    await one.sync()
    waiting = asyncio.create_task(one.ping(heartbeat=600))
    await _held(world)
    found = await activity.live(site_of(world))
    (present,) = found["present"]
    assert (present["device"], present["command"], present["waits"]) == ("PHONE1", "Ping", True)
    assert present["folders"] > 0
    assert (found["waiting"], found["working"]) == (1, 0)
    await deliver(world)
    await asyncio.wait_for(waiting, 30)
    newest = (await activity.events(site_of(world), "anna", "PHONE1"))[0]
    assert (newest["command"], newest["how"], newest["ended"]) == ("Ping", "news", "woken by news")
    assert (await activity.live(site_of(world)))["present"] == []


async def test_a_wrong_password_shows_at_the_device_until_it_is_right(
    world: World, phone: Callable[..., Phone]
) -> None:
    one = phone()
    await one.set_up()
    await one.sync()
    right = one.connection.credentials
    one.connection.credentials = replace(right, password="old")
    for _ in range(4):
        with pytest.raises(Exception, match=r"."):
            await one.sync()
    await world.app.activity.flush()
    found = await health.device_health(site_of(world), "anna", "PHONE1")
    assert [one["name"] for one in found] == ["password-wrong-since"]
    one.connection.credentials = right


async def _held(world: World) -> None:
    for _ in range(600):
        if world.app.bell.waiting:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody waits")


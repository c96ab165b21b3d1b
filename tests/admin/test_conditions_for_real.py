"""Each condition, brought about by a device that misbehaves so, or to which it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from wire import Wire, e, sync

from eas.admin import actions, activity, health
from eas.admin.acting import SERVER
from eas.admin.condition_names import Name
from eas.admin.conditions import findings
from eas.client import mail
from eas.client.errors import ClientError
from eas.client.phone import Phone
from eas.engine.model import FolderType, Policy

#: That of tests/conftest.py.
World = Any

LATER = timedelta(hours=2)


def site_of(world: World) -> Any:
    return replace(world.app.site, caller=SERVER)


async def conditions(world: World, device: str = "PHONE1", after: timedelta = timedelta()) -> set[str]:
    """Of a device of anna's, as they will be after some time in which nothing happens."""
    await world.app.activity.flush()
    found = await health.survey(site_of(world), datetime.now(UTC) + after)
    return {one.name.value for one in found.findings[world.ids["anna"], device]}


async def deliver(world: World, count: int = 1) -> None:
    for number in range(count):
        letter = mail.compose(
            "ben@example.com", ["anna@example.com"], f"Letter {number}", "Hello", date=datetime.now(UTC)
        )
        await world.app.embedded.office.take("ben@example.com", ["anna@example.com"], letter)


async def test_a_phone_that_is_well_has_none(world: World, phone: Callable[..., Phone]) -> None:
    await deliver(world)
    one = phone()
    await one.set_up()
    await one.sync()
    assert await conditions(world) == set()
    assert await conditions(world, after=LATER) == set()


async def test_one_that_repeats_its_key(world: World, phone: Callable[..., Phone]) -> None:
    await deliver(world)
    one = phone()
    await one.set_up()
    await one.sync()
    inbox = one.state.folders[await world.folder(FolderType.INBOX)]
    for _ in range(6):
        await deliver(world)
        key, items = inbox.sync_key, dict(inbox.items)
        await one.sync([inbox])
        inbox.sync_key, inbox.items = key, items  # the answer got lost on its way
    assert "stuck-on-one-key" in await conditions(world)
    await one.sync([inbox])
    await one.sync([inbox])
    assert "stuck-on-one-key" not in await conditions(world)


async def test_one_that_begins_a_folder_over_and_over(world: World, phone: Callable[..., Phone]) -> None:
    one = phone()
    await one.set_up()
    inbox = one.state.folders[await world.folder(FolderType.INBOX)]
    for _ in range(4):
        await one.sync([inbox])
        inbox.sync_key = "0"
        inbox.items.clear()
    await one.sync([inbox])
    assert "resync-loop" in await conditions(world)
    assert "resync-loop" not in await conditions(world, after=timedelta(days=1)), "tomorrow is another day"


@pytest.mark.parametrize("world_settings", [{"limits": {"free_repeats": 1}}])
async def test_a_storm(world: World, phone: Callable[..., Phone]) -> None:
    one = phone()
    await one.set_up()
    await one.sync()
    for _ in range(26):
        await one.repeat_sync()
    assert "storm" in await conditions(world)
    assert "storm" not in await conditions(world, after=timedelta(days=2))


async def test_a_policy_that_is_not_accepted(world: World, phone: Callable[..., Phone]) -> None:
    one = phone()
    await one.set_up()
    await world.store.save_policy(Policy(enforced=True, settings={"DevicePasswordEnabled": "1"}))
    for _ in range(4):
        with pytest.raises(ClientError):
            await one.connection.ask("FolderSync", *_folder_sync(one))
    assert "policy-not-accepted" in await conditions(world)
    await one.provision()
    await one.folder_sync()
    assert "policy-not-accepted" not in await conditions(world)


def _folder_sync(one: Phone) -> tuple[Any, Any]:
    from eas.commands import folder_sync

    return folder_sync.Request(sync_key=one.state.folder_key), folder_sync.Response


async def test_one_that_was_set_up_and_never_fetched_anything(world: World, phone: Callable[..., Phone]) -> None:
    await phone().set_up()
    assert await conditions(world) == set()
    assert await conditions(world, after=LATER) == {"never-finished-first-sync"}


async def test_one_that_is_silent(world: World, phone: Callable[..., Phone]) -> None:
    one = phone()
    await one.set_up()
    await one.sync()
    assert await conditions(world, after=timedelta(days=8)) == {"no-sync-for-long"}


async def test_wipes_blocks_and_quarantine(world: World, phone: Callable[..., Phone]) -> None:
    one = phone()
    await one.set_up()
    await one.sync()
    site = site_of(world)
    await actions.block_device(site, "anna", "PHONE1")
    assert await conditions(world) == {"blocked"}
    await actions.allow_device(site, "anna", "PHONE1")
    await world.store.request_wipe(world.ids["anna"], "PHONE1")
    assert await conditions(world) == {"wipe-pending"}
    found = await health.survey(site, datetime.now(UTC) + timedelta(days=4))
    assert [one.severity.value for one in found.findings[world.ids["anna"], "PHONE1"]] == ["critical"]


async def test_the_same_phone_twice(world: World, phone: Callable[..., Phone]) -> None:
    for device in ("OLD", "NEW"):
        one = phone(device=device, information={"Model": "Pixel", "IMEI": "356938035643809"})
        await one.set_up()
        await one.sync()
    assert await conditions(world, "OLD") == {"duplicate-partnerships"}
    assert await conditions(world, "NEW") == set()


async def test_a_folder_that_is_always_refused(world: World, wire: Callable[..., Wire]) -> None:
    """GetChanges with key 0, which the protocol forbids; over a quarter of an hour, as the clock is told."""
    device = wire(device="PHONE1")
    inbox = await world.folder(FolderType.INBOX)
    for _ in range(6):
        await device.post("Sync", sync("0", inbox, e("GetChanges", "1")))
    await world.app.activity.flush()
    found = (await health.survey(site_of(world))).facts[world.ids["anna"], "PHONE1"]
    (said,) = [one for one in found.said if one.name == inbox]
    assert (said.status, said.times, said.fine) == ("4", 6, False)
    earlier = replace(said, since=said.since - timedelta(minutes=15))
    assert Name.FOLDER_FAILS in {
        one.name for one in findings(replace(found, said=(earlier,)), datetime.now(UTC))
    }


async def test_items_that_came_simplified_are_tried_again(world: World, phone: Callable[..., Phone]) -> None:
    one = phone()
    await one.set_up()
    await one.sync()
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(200))
    letter = b"From: x@elsewhere.test\r\nTo: anna@example.com\r\nSubject: Deep\r\nMIME-Version: 1.0\r\n" + deep
    await world.app.embedded.office.take("x@elsewhere.test", ["anna@example.com"], letter)
    await one.sync()
    assert await conditions(world) == {"degraded-items"}
    (item,) = (await actions.device(site_of(world), "anna", "PHONE1"))["degraded"]
    inbox = await world.folder(FolderType.INBOX)
    before = one.state.folders[inbox].items.keys()
    assert await activity.retry(site_of(world), "anna", "PHONE1", item=item["item"]) == 1
    assert await conditions(world) == set(), "not known before it goes out"
    report = await one.sync()
    assert report.of(inbox).returned == [item["item"]]
    assert one.state.folders[inbox].items.keys() == before
    assert await conditions(world) == {"degraded-items"}, "it cannot be done better"

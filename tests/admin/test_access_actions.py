"""Access rules, the queue, lists and numbers of devices, as actions; over a whole server with phones that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from wire import Wire, e

from eas.admin import access
from eas.admin.acting import Caller, Face, Role
from eas.admin.errors import Forbidden, Invalid, NotFound
from eas.client.phone import Phone

Wires = Callable[..., Wire]
FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
SOON = 30.0


@pytest.fixture
def world_settings() -> dict[str, Any]:
    return {
        "notices.admins": ["ben@example.com"], "public_url": "https://mail.example.com", "access.quarantine_days": 5,
    }


@pytest.fixture
def site(world: Any) -> Any:
    return replace(world.app.site, caller=Caller(name="root", role=Role.ADMIN, face=Face.CLI))


async def status(device: Wire) -> str:
    return (await device.post("FolderSync", FOLDER_SYNC)).status


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(int(SOON / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


async def test_rules_are_kept_in_order_and_count_at_once(wire: Wires, site: Any) -> None:
    device = wire()
    assert await status(device) == "1"
    block = await access.add_rule(site, "block", {"type": "Test*"}, note="tests stay out")
    assert await status(device) == "129"
    allow = await access.add_rule(site, "allow", {"user": "anna@example.com", "type": "Test*"}, priority=10)
    assert await status(device) == "1"
    assert [one["number"] for one in (await access.rules(site))["rules"]] == [allow["number"], block["number"]]
    assert (await access.change_rule(site, allow["number"], priority=200))["match"] == allow["match"]
    assert await status(device) == "129"
    shown = await access.explain(site, "anna", "WIRE1")
    assert (shown["level"], shown["by"]) == ("block", f"rule {block['number']}")
    assert [step["fits"] for step in shown["steps"]] == [True, True, True]
    await access.remove_rule(site, block["number"])
    assert await status(device) == "1"
    await access.set_default(site, "block")
    await access.remove_rule(site, allow["number"])
    assert await status(device) == "129"


async def test_what_cannot_be_meant_is_refused(site: Any) -> None:
    for match, priority in (({}, 100), ({"colour": "red"}, 100), ({"network": "home"}, 100), ({"type": "x"}, 0)):
        with pytest.raises(Invalid):
            await access.add_rule(site, "block", match, priority=priority)
    with pytest.raises(NotFound):
        await access.remove_rule(site, 7)
    with pytest.raises(NotFound):
        await access.decide_on(site, "anna", "NONE", "allow")
    with pytest.raises(Invalid):
        await access.import_lists(site, "anna\n")
    with pytest.raises(Invalid):
        await access.import_lists(site, "nobody,PHONE\n")


async def test_a_rule_ends_the_waits_of_whom_it_concerns_and_nobody_elses(
    phone: Callable[..., Phone], world: Any, site: Any
) -> None:
    anna, ben = phone("anna"), phone("ben", "PHONE2")
    for one in (anna, ben):
        await one.set_up()
        await one.sync()
    waits = [asyncio.create_task(one.ping(heartbeat=600)) for one in (anna, ben)]
    await until(lambda: world.app.bell.waiting == 2)
    await access.add_rule(site, "block", {"type": "*", "group": "nobody"})
    await asyncio.sleep(0.1)
    assert not any(wait.done() for wait in waits)
    rule = await access.add_rule(site, "quarantine", {"user": "anna"})
    async with asyncio.timeout(SOON):
        await waits[0]
    assert not waits[1].done()
    await access.remove_rule(site, rule["number"])
    waits[1].cancel()
    await asyncio.gather(*waits, return_exceptions=True)


async def test_who_waits_to_be_approved_is_in_the_queue_and_people_are_told_once(
    phone: Callable[..., Phone], world: Any, site: Any
) -> None:
    await access.set_default(site, "quarantine")
    made = phone()
    await made.set_up()
    await made.sync()
    await made.sync()
    (waiting,) = await access.queue(site)
    assert (waiting["user"], waiting["device"], waiting["model"]) == ("anna", "PHONE1", "Simulated phone")
    assert (waiting["by"], waiting["expired"]) == ("default", False)
    ends = datetime.fromisoformat(waiting["until"]) - datetime.fromisoformat(waiting["since"])
    assert ends == timedelta(days=5)
    await world.app.site.notices.settle()
    boss = phone("ben", "BOSS")
    await access.add_rule(site, "allow", {"user": "ben"})
    await boss.set_up()
    await boss.sync()
    mails = [item for folder in boss.folders() for item in folder.items.values()]
    assert [mail.text("Email:Subject") for mail in mails] == ["A phone of anna is waiting to be approved"]
    assert "https://mail.example.com/admin/access/approve/anna@example.com/PHONE1" in mails[0].text(
        "AirSyncBase:Body", "AirSyncBase:Data"
    )
    shown = await access.decide_on(site, "anna", "PHONE1", "allow", reason="hers")
    assert (shown["level"], shown["by"]) == ("allow", "personal")
    assert await access.queue(site) == []
    await made.sync()
    # Her own mail about it, which is in the mailbox.
    inbox = [item.text("Email:Subject") for folder in made.folders() for item in folder.items.values()]
    assert inbox == ["A phone was set up with your account"]


async def test_a_decision_may_have_an_end(wire: Wires, site: Any) -> None:
    device = wire()
    await status(device)
    with pytest.raises(Invalid):
        await access.decide_on(site, "anna", "WIRE1", "block", until=datetime.now(UTC) - timedelta(days=1))
    shown = await access.decide_on(site, "anna", "WIRE1", "block", until=datetime.now(UTC) + timedelta(days=1))
    assert shown["until"]
    assert await status(device) == "129"
    await access.decide_on(site, "anna", "WIRE1", "none")
    assert await status(device) == "1"


async def test_lists_of_devices_are_set_and_imported(wire: Wires, site: Any) -> None:
    device, other = wire(), wire(device="OTHER")
    assert [await status(device), await status(other)] == ["1", "1"]
    await access.set_device_list(site, "anna", ["wire1"])
    assert [await status(device), await status(other)] == ["1", "129"]
    told = await access.import_lists(site, "User;Device\nanna;OTHER\nben@example.com;BENS\n")
    assert told == {"users": 2, "devices": 2}
    assert await status(other) == "1"
    assert await access.device_list(site, "ben") == ["BENS"]
    assert len(await access.device_lists(site)) == 3
    await access.set_device_list(site, "anna", [])
    assert await access.device_list(site, "anna") == []
    assert await status(wire(device="THIRD")) == "1"


async def test_how_many_devices_somebody_may_have(wire: Wires, world: Any, site: Any) -> None:
    await world.admin.add_group("sales@example.com", "Sales", ["anna@example.com"])
    await access.set_limit(site, "Sales", 1)
    assert await status(wire()) == "1"
    assert await status(wire(device="SECOND", version="16.1")) == "177"
    await access.set_limit(site, "anna", 2)
    assert await status(wire(device="SECOND")) == "1"
    assert {one["whose"]: one["most"] for one in await access.limits(site)} == {"anna": 2, "Sales": 1}
    await access.set_limit(site, "anna", None)
    assert await status(wire(device="THIRD", version="16.1")) == "177"


async def test_a_device_that_is_not_there_yet_can_be_tried(site: Any) -> None:
    await access.set_default(site, "block")
    await access.add_rule(site, "allow", {"model": "iPhone15*", "network": "10.0.0.0/8"})
    tried = await access.try_out(site, type="iPhone", model="iPhone15,2", who="anna", address="10.1.2.3")
    assert tried["level"] == "allow"
    assert (await access.try_out(site, type="iPhone", model="iPhone15,2", address="192.0.2.1"))["level"] == "block"
    assert (await access.try_out(site, type="iPhone", address="10.1.2.3"))["level"] == "discovery"


@pytest.mark.parametrize(("role", "may"), [(Role.HELPDESK, True), (Role.AUDITOR, False), (Role.OWNER, False)])
async def test_who_may_what(wire: Wires, site: Any, role: Role, may: bool) -> None:
    await status(wire())
    asked = replace(site, caller=replace(site.caller, name="x", role=role))
    with pytest.raises(Forbidden):
        await access.add_rule(asked, "block", {"type": "*"})
    if may:
        await access.decide_on(asked, "anna", "WIRE1", "block")
    else:
        with pytest.raises(Forbidden):
            await access.decide_on(asked, "anna", "WIRE1", "block")

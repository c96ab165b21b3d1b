"""A policy that comes in stages: whom it reaches, how it stands, when it stops by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from held import until_subscribed

from eas.admin import policy_actions as actions
from eas.admin import policy_rolls as rolls
from eas.admin.acting import Caller, Face, Role
from eas.admin.errors import Invalid, NotFound, Refused
from eas.app.staging import stage
from eas.client.errors import NeedsProvisioning, Refusal
from eas.client.phone import Phone
from eas.commands import folder_sync
from eas.commands import ping as pinging
from eas.engine.model import Device, FolderType
from eas.engine.policybook import place
from eas.protocol.version import Version

OLD = {"enforced": True, "settings": {"DevicePasswordEnabled": True}}
NEW = {"enforced": True, "settings": {"DevicePasswordEnabled": True, "AllowCamera": False}}


@pytest.fixture
def site(world: Any) -> Any:
    return replace(world.app.site, caller=Caller(name="cli", role=Role.ADMIN, face=Face.CLI))


async def wants(phone: Phone) -> bool:
    """Whether the phone is let in without being asked for its policy."""
    try:
        await phone.connection.ask("FolderSync", folder_sync.Request(sync_key="0"), folder_sync.Response)
    except NeedsProvisioning:
        return False
    return True


@pytest.fixture
async def fleet(site: Any, phone: Callable[..., Phone]) -> dict[str, Phone]:
    """Eight phones that hold the old policy."""
    await actions.put_policy(site, "default", OLD)
    phones = {f"PHONE{n}": phone(device=f"PHONE{n}", version=Version.V14_1) for n in range(8)}
    for one in phones.values():
        await one.set_up(Version.V14_1)
    return phones


async def test_a_stage_is_asked_again_and_the_others_keep_what_they_have(
    world: Any, site: Any, fleet: dict[str, Phone]
) -> None:
    status = await rolls.roll_policy(site, "default", ["50%"], document=NEW)
    reached = {id for id in fleet if place("default", world.ids["anna"], id) < 50}
    assert reached
    assert reached < set(fleet)
    assert (status["devices"], status["reached"], status["counts"]) == (8, len(reached), {"pending": len(reached)})
    assert {id for id, one in fleet.items() if not await wants(one)} == reached
    for id in reached:
        await fleet[id].provision()
    status = await rolls.roll_status(site, "default")
    assert (status["counts"], status["failing"]) == ({"holds": len(reached)}, 0)
    assert all([await wants(one) for one in fleet.values()])

    await rolls.roll_policy(site, "default", ["100%"])
    assert {id for id, one in fleet.items() if not await wants(one)} == set(fleet) - reached
    await rolls.take_back_roll(site, "default")
    assert {id for id, one in fleet.items() if not await wants(one)} == reached  # they hold the new one
    with pytest.raises(NotFound):
        await rolls.roll_status(site, "default")


async def test_what_is_finished_is_in_force_as_if_it_had_been_written(site: Any, fleet: dict[str, Phone]) -> None:
    await rolls.roll_policy(site, "default", ["0%"], document=NEW)
    assert all([await wants(one) for one in fleet.values()])
    with pytest.raises(Refused, match="under way"):
        await actions.put_policy(site, "default", OLD)
    await rolls.finish_roll(site, "default")
    assert not any([await wants(one) for one in fleet.values()])
    assert (await actions.policy(site, "default"))["settings"] == {"DevicePasswordEnabled": "1", "AllowCamera": "0"}


async def test_a_group_comes_first(world: Any, site: Any, phone: Callable[..., Phone]) -> None:
    await actions.put_policy(site, "default", OLD)
    phones = {login: phone(login, f"OF{login}", version=Version.V14_1) for login in ("anna", "ben")}
    for one in phones.values():
        await one.set_up(Version.V14_1)
    await world.admin.add_group("pilots@example.com", "Pilots", ["ben@example.com"])
    with pytest.raises(NotFound):
        await rolls.roll_policy(site, "default", ["group=Nobody"], document=NEW)
    await rolls.roll_policy(site, "default", ["group=Pilots"], document=NEW)
    assert (await wants(phones["anna"]), await wants(phones["ben"])) == (True, False)


async def test_a_new_assignment_comes_in_stages_too(site: Any, fleet: dict[str, Phone]) -> None:
    await actions.put_policy(site, "strict", NEW)
    with pytest.raises(Invalid, match="nobody's"):
        await rolls.roll_policy(site, "new", ["10%"], document=NEW)
    status = await rolls.roll_policy(site, "strict", ["0%"], whose="anna")
    assert (status["devices"], status["given_to"]) == (8, "anna")
    assert all([await wants(one) for one in fleet.values()])
    await rolls.roll_policy(site, "strict", ["100%"])
    assert not any([await wants(one) for one in fleet.values()])
    await rolls.finish_roll(site, "strict")
    (listed,) = [one for one in await actions.policies(site) if one["name"] == "strict"]
    assert (listed["assigned"], listed["devices"]) == (["anna"], 8)


async def test_a_waiting_phone_hears_of_it_at_once(world: Any, site: Any, fleet: dict[str, Phone]) -> None:
    phone = fleet["PHONE0"]
    inbox = await world.folder(FolderType.INBOX)
    asked = pinging.Request(heartbeat=600, folders=(pinging.Folder(id=inbox, item_class="Email"),))
    waiting = asyncio.create_task(phone.connection.ask("Ping", asked, pinging.Response, hang_seconds=600))
    await until_subscribed(world.app.bell)
    assert not waiting.done()
    await rolls.roll_policy(site, "default", ["100%"], document=NEW)
    ended = await asyncio.wait_for(waiting, 30)
    assert ended is not None
    # The next Ping says that there is news, so that a Sync comes, which carries a policy key.
    again = await phone.connection.ask("Ping", asked, pinging.Response, hang_seconds=600)
    assert again is not None
    assert (again.status, again.folders) == (pinging.Status.CHANGES, (inbox,))
    assert not await wants(phone)
    await phone.provision()
    waiting = asyncio.create_task(phone.connection.ask("Ping", asked, pinging.Response, hang_seconds=600))
    await until_subscribed(world.app.bell)
    assert not waiting.done()
    waiting.cancel()


async def test_it_pauses_when_too_many_devices_fail_and_goes_on_by_command(
    world: Any, site: Any, fleet: dict[str, Phone]
) -> None:
    await rolls.roll_policy(site, "default", ["100%"], document=NEW, fail_percent=30)
    for number, one in enumerate(fleet.values()):
        one.acknowledge = 3 if number < 2 else 1
        assert not await wants(one)
        await _tried(one)
    status = await rolls.roll_status(site, "default")
    assert (status["counts"], status["failing"]) == ({"holds": 6, "refused": 2}, 2)
    assert await stage(world.app, datetime.now(UTC)) == []
    await rolls.roll_policy(site, "default", fail_percent=20)
    await world.app.transactions.write(lambda c: c.exec_driver_sql("UPDATE policy_roll SET looked = NULL"))
    (said,) = await stage(world.app, datetime.now(UTC))
    assert "2 of 8 devices" in said
    status = await rolls.roll_status(site, "default")
    assert status["paused"]
    assert {one["device"] for one in status["failures"]} == {"PHONE0", "PHONE1"}
    assert not (await rolls.resume_roll(site, "default"))["paused"]


async def _tried(phone: Phone) -> None:
    with contextlib.suppress(Refusal):
        await phone.provision()


async def test_steps_come_by_themselves_and_not_during_a_pause(world: Any, site: Any) -> None:
    await world.store.add_device(Device(user_id=world.ids["anna"], id="d", type="T", version="14.1"))
    await actions.put_policy(site, "default", OLD)
    await rolls.roll_policy(site, "default", ["10%"], document=NEW, then=["50%@+1h", "100%@+2d"])
    assert await rolls.advance(site) == []
    await _earlier(site, hours=2)
    await rolls.pause_roll(site, "default")
    assert await rolls.advance(site) == []
    await rolls.resume_roll(site, "default")
    assert await rolls.advance(site) == ["default reaches 50 %"]
    status = await rolls.roll_status(site, "default")
    assert (status["percent"], [step["percent"] for step in status["steps"]]) == (50, [100])
    await _earlier(site, days=3)
    assert await rolls.advance(site) == ["default reaches 100 %"]
    await _earlier(site, days=8)
    assert await rolls.advance(site) == ["default finished"]
    assert (await actions.policy(site, "default"))["settings"]["AllowCamera"] == "0"


async def _earlier(site: Any, **span: int) -> None:
    """As if all had been so much earlier."""
    less = timedelta(**span)
    await site.store.policing.roll("default", lambda book, there: replace(
        there, moved=there.moved - less, steps=tuple(replace(one, at=one.at - less) for one in there.steps)
    ))


async def test_one_process_looks_at_a_time(world: Any, site: Any) -> None:
    await actions.put_policy(site, "default", OLD)
    await rolls.roll_policy(site, "default", ["10%"], document=NEW)
    assert await world.store.policing.claim(60)
    assert not await world.store.policing.claim(60)
    assert await world.store.policing.claim(0)


@pytest.mark.parametrize("told", [["ten"], ["101%"], ["-1%"], ["groups=x"]])
def test_how_far_is_said_in_percent_or_groups(told: list[str]) -> None:
    with pytest.raises(Invalid):
        rolls.reach(told)


@pytest.mark.parametrize("told", ["50%", "50%@soon", "200%@+1h", "50%@+1y"])
def test_a_step_has_a_time(told: str) -> None:
    with pytest.raises(Invalid):
        rolls.steps([told], datetime.now(UTC))


async def test_a_request_asks_the_database_nothing_more_for_a_roll_out(world: Any, site: Any) -> None:
    await world.store.add_device(Device(user_id=world.ids["anna"], id="d", type="T", version="14.1"))
    await actions.put_policy(site, "default", OLD)
    await rolls.roll_policy(site, "default", ["50%"], document=NEW)
    await actions.put_policy(site, "own", {"settings": {}})
    await actions.override_policy(site, "anna", "d", "own")
    asked = [0]
    transactions = world.store.policing._run

    class Counting:
        def __getattr__(self, name: str) -> Any:
            asked[0] += 1
            return getattr(transactions, name)

    device = await world.store.device(world.ids["anna"], "d")
    await world.store.policy(world.ids["anna"], device)
    world.store.policing._run = Counting()
    for _ in range(5):
        assert (await world.store.policy(world.ids["anna"], device)).name == "own"
    assert asked == [0]

"""Wipes as people ask for them: two persons, owners and staff, mails, the audit log; and phones that carry them out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from held import until_subscribed
from wire import e

from eas.admin import wiping
from eas.admin.acting import Caller, Face, Role
from eas.admin.actions import remove_device
from eas.admin.errors import Forbidden, Invalid, NotFound, Refused
from eas.admin.own_deeds import expire_wipes
from eas.admin.passwords import add_device_password
from eas.admin.site import Site
from eas.client.errors import Forbidden as HttpForbidden
from eas.client.errors import Refusal, Unauthorised
from eas.client.phone import Phone, Wiped
from eas.engine.model import FolderType, Wipe
from eas.engine.wipes import Rules
from eas.protocol.version import Version
from eas.store.audit import entries

ANNA, CARLA = "anna@example.com", "carla@example.com"
EVA = Caller(name="eva", role=Role.ADMIN, face=Face.PAGE)
FRED = Caller(name="fred", role=Role.ADMIN, face=Face.PAGE)
TWO = Rules(two_persons=True, approval=timedelta(hours=2))


@pytest.fixture
def world_settings() -> dict[str, Any]:
    return {"notices.admins": [CARLA], "public_url": "https://mail.example.com"}


def site_of(world: Any, caller: Caller = EVA, rules: Rules | None = None) -> Site:
    return replace(world.app.site, caller=caller, wiping=rules or Rules())


def owner(world: Any, login: str = "anna") -> Caller:
    return Caller(name=f"{login}@example.com", role=Role.OWNER, user_id=world.ids[login], face=Face.PAGE)


async def log_of(world: Any) -> list[tuple[str, str, str]]:
    """What, by whom, with what outcome."""
    found = await world.app.transactions.read(entries)
    return [(entry.action, entry.actor, entry.outcome.partition(":")[0]) for entry in found]


async def mails(world: Any, phone: Callable[..., Phone], login: str) -> list[str]:
    """The subjects in somebody's inbox."""
    await world.app.site.notices.settle()
    reader = phone(login=login, device="READER")
    await reader.set_up()
    await reader.sync()
    inbox = await world.folder(FolderType.INBOX, login)
    return sorted(item.text("Email:Subject") for item in reader.state.folders[inbox].items.values())


async def known(phone: Callable[..., Phone], version: Version = Version.V14_1) -> Phone:
    """Anna's phone, set up."""
    made = phone(device="PHONE1", version=version)
    await made.set_up(version)
    return made


async def test_a_wipe_from_the_wish_to_the_report(world: Any, phone: Callable[..., Phone]) -> None:
    """Asked for, told, done: the history, the audit log and the mails say so."""
    made = await known(phone)
    order = await wiping.wipe_device(site_of(world), ANNA, "PHONE1", note="left in a taxi")
    assert (order["state"], order["asked_by"], order["asked_role"]) == ("requested", "eva", "admin")
    with pytest.raises(Wiped):
        await made.folder_sync()
    (order,) = await wiping.device_wipes(site_of(world), ANNA, "PHONE1")
    assert order["state"] == "done"
    assert order["asked"] < order["sent"] < order["ended"]
    assert await log_of(world) == [
        ("device.wipe", "eva", "done"), ("wipe.sent", "server", "done"), ("wipe.done", "server", "done")
    ]
    for login, first in (("anna", "Your phone"), ("carla", "Remote wipe")):
        subjects = await mails(world, phone, login)
        assert len(subjects) == 2, subjects
        assert all(subject.startswith(first) and "PHONE1" in subject for subject in subjects)


VERSIONS = [
    Version.V2_5, Version.V12_0, Version.V12_1, Version.V14_0, Version.V14_1, Version.V16_0, Version.V16_1,
]


async def refused(made: Phone) -> int:
    """With which status, or HTTP 403, everything that a phone tries is refused; it may be set up anew."""
    made.state.wiped = False
    found = set()
    for attempt in (made.set_up(made.version), made.folder_sync(), made.ping(heartbeat=60), made.provision()):
        try:
            await attempt
        except HttpForbidden:
            found.add(403)
        except Refusal as error:
            found.add(error.status)
        else:
            found.add(200)
    assert len(found) == 1, found
    return found.pop()


@pytest.mark.parametrize("account_only", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_phone_that_waits_gets_it_at_once_and_is_refused_afterwards(
    world: Any, phone: Callable[..., Phone], version: Version, account_only: bool
) -> None:
    """While a Ping is held. [MS-ASCMD] R4875, R7561, R7562; before 14.0 an HTTP 403."""
    made = await known(phone, version)
    await made.sync()
    waiting = asyncio.create_task(made.ping(heartbeat=600))
    await until_subscribed(world.app.bell)
    assert not waiting.done()
    if account_only and version is not Version.V16_1:
        with pytest.raises(Refused):
            await wiping.wipe_device(site_of(world), ANNA, "PHONE1", account_only=True)
        waiting.cancel()
        return
    await wiping.wipe_device(site_of(world), ANNA, "PHONE1", account_only=account_only)
    async with asyncio.timeout(30):
        await waiting
    with pytest.raises(Wiped):
        await made.sync()
    assert (await world.device(device="PHONE1")).wipe is Wipe.DONE
    assert not made.state.folders
    assert await refused(made) == (129 if version >= Version.V14_0 else 403)
    await wiping.readmit_device(site_of(world), ANNA, "PHONE1")
    await made.set_up(version)
    await made.sync()
    assert made.state.folders


async def test_a_hanging_sync_ends_as_well(world: Any, phone: Callable[..., Phone]) -> None:
    made = await known(phone, Version.V16_1)
    await made.sync()
    waiting = asyncio.create_task(made.round(made.folders(), heartbeat=600))
    await until_subscribed(world.app.bell)
    await wiping.wipe_device(site_of(world), ANNA, "PHONE1", account_only=True)
    async with asyncio.timeout(30):
        await waiting
    with pytest.raises(Wiped):
        await made.folder_sync()


async def test_its_own_password_is_of_no_use_any_more(world: Any, phone: Callable[..., Phone]) -> None:
    """It is asked for another one (401), and the mailbox's does not help under this device id."""
    own = await add_device_password(site_of(world, owner(world)), ANNA, "phone")
    made = phone(device="PHONE1")
    made.connection.credentials = replace(made.connection.credentials, password=own["password"])
    await made.set_up()
    await wiping.wipe_device(site_of(world), ANNA, "PHONE1")
    with pytest.raises(Wiped):
        await made.folder_sync()
    with pytest.raises(Unauthorised):
        await made.folder_sync()
    other = phone(device="PHONE1")
    assert await refused(other) == 129


# Two persons --------------------------------------------------------------------------------------------------------


async def test_a_second_person_agrees(world: Any, phone: Callable[..., Phone]) -> None:
    made = await known(phone)
    order = await wiping.wipe_device(site_of(world, EVA, TWO), ANNA, "PHONE1")
    assert order["state"] == "waiting"
    await made.folder_sync()  # nothing has happened yet
    for caller in (EVA, replace(EVA, name="Eva "), replace(EVA, face=Face.CLI)):
        with pytest.raises(Forbidden):
            await wiping.approve_wipe(site_of(world, caller, TWO), ANNA, "PHONE1")
    with pytest.raises(Refused):
        await wiping.approve_wipe(site_of(world, FRED, TWO), ANNA, "PHONE1", number=order["number"] + 1)
    approved = await wiping.approve_wipe(site_of(world, FRED, TWO), ANNA, "PHONE1", number=order["number"])
    assert (approved["state"], approved["decided_by"]) == ("requested", "fred")
    with pytest.raises(Refused):
        await wiping.approve_wipe(site_of(world, FRED, TWO), ANNA, "PHONE1")
    with pytest.raises(Wiped):
        await made.folder_sync()
    assert len(await mails(world, phone, "anna")) == 2
    assert len(await mails(world, phone, "carla")) == 3


async def test_one_mailbox_under_two_names_is_one_person(world: Any, phone: Callable[..., Phone]) -> None:
    await known(phone)
    as_login = Caller(name="ben", role=Role.ADMIN, user_id=world.ids["ben"])
    await wiping.wipe_device(site_of(world, as_login, TWO), ANNA, "PHONE1")
    with pytest.raises(Forbidden):
        await wiping.approve_wipe(site_of(world, replace(as_login, name="ben@example.com"), TWO), ANNA, "PHONE1")


async def test_the_second_person_may_say_no(world: Any, phone: Callable[..., Phone]) -> None:
    made = await known(phone)
    await wiping.wipe_device(site_of(world, EVA, TWO), ANNA, "PHONE1")
    declined = await wiping.decline_wipe(site_of(world, FRED, TWO), ANNA, "PHONE1")
    assert (declined["state"], declined["decided_by"]) == ("declined", "fred")
    await made.folder_sync()
    assert (await world.device(device="PHONE1")).wipe is Wipe.NONE
    assert not await wiping.wipes(site_of(world), open=True)


async def test_what_nobody_agrees_to_is_dropped(world: Any, phone: Callable[..., Phone]) -> None:
    made = await known(phone)
    late = Rules(two_persons=True, approval=timedelta(seconds=-1))
    await wiping.wipe_device(site_of(world, EVA, late), ANNA, "PHONE1")
    with pytest.raises(Refused):
        await wiping.approve_wipe(site_of(world, FRED, late), ANNA, "PHONE1")
    assert await wiping.wipes(site_of(world), waiting=True) == []
    assert (await wiping.wipes(site_of(world)))[0]["state"] == "expired"
    assert await expire_wipes(world.app.site) == 1
    assert await expire_wipes(world.app.site) == 0
    assert ("wipe.expired", "server", "done") in await log_of(world)
    await made.folder_sync()
    again = await wiping.wipe_device(site_of(world, EVA, TWO), ANNA, "PHONE1")
    assert again["state"] == "waiting"


async def test_owners_need_nobody_for_their_own_phone(world: Any, phone: Callable[..., Phone]) -> None:
    """Not even where staff has asked for it already, and waits."""
    made = await known(phone)
    await wiping.wipe_device(site_of(world, EVA, TWO), ANNA, "PHONE1")
    order = await wiping.wipe_device(site_of(world, owner(world), TWO), ANNA, "PHONE1")
    assert (order["state"], order["asked_role"]) == ("requested", "owner")
    with pytest.raises(Wiped):
        await made.folder_sync()
    states = [one["state"] for one in await wiping.wipes(site_of(world))]
    assert states == ["done", "cancelled"]
    await wiping.readmit_device(site_of(world, owner(world)), ANNA, "PHONE1")
    await made.set_up()


# Who may ------------------------------------------------------------------------------------------------------------


async def test_nobody_wipes_the_phones_of_others(world: Any, phone: Callable[..., Phone]) -> None:
    await known(phone)
    for caller in (
        owner(world, "ben"), Caller(name="h", role=Role.HELPDESK), Caller(name="a", role=Role.AUDITOR),
        Caller(name="", role=Role.NOBODY),
    ):
        site = site_of(world, caller)
        for attempt in (wiping.wipe_device(site, ANNA, "PHONE1"), wiping.cancel_wipe(site, ANNA, "PHONE1"),
                        wiping.approve_wipe(site, ANNA, "PHONE1"), wiping.decline_wipe(site, ANNA, "PHONE1")):
            with pytest.raises(Forbidden):
                await attempt
    assert (await world.device(device="PHONE1")).wipe is Wipe.NONE


async def test_an_owner_takes_back_what_the_owner_asked_for_and_nothing_else(
    world: Any, phone: Callable[..., Phone]
) -> None:
    """Whoever has stolen the phone may know the password, too."""
    made = await known(phone, Version.V16_1)
    mine = site_of(world, owner(world))
    await wiping.wipe_device(mine, ANNA, "PHONE1")
    await wiping.cancel_wipe(mine, ANNA, "PHONE1")
    await made.folder_sync()
    await wiping.wipe_device(site_of(world), ANNA, "PHONE1")
    with pytest.raises(Forbidden):
        await wiping.cancel_wipe(mine, ANNA, "PHONE1")
    with pytest.raises(Refused):  # nor is less erased than was asked for
        await wiping.wipe_device(mine, ANNA, "PHONE1", account_only=True)
    with pytest.raises(Wiped):
        await made.folder_sync()
    with pytest.raises(Forbidden):
        await wiping.readmit_device(mine, ANNA, "PHONE1")
    await wiping.readmit_device(site_of(world, Caller(name="h", role=Role.HELPDESK)), ANNA, "PHONE1")
    await made.set_up()


# What else may come -------------------------------------------------------------------------------------------------


async def test_it_is_cancelled_until_it_is_done(world: Any, phone: Callable[..., Phone]) -> None:
    made = await known(phone)
    site = site_of(world)
    with pytest.raises(Refused):
        await wiping.cancel_wipe(site, ANNA, "PHONE1")
    await wiping.wipe_device(site, ANNA, "PHONE1")
    await wiping.cancel_wipe(site, ANNA, "PHONE1")
    await made.folder_sync()
    (order,) = await wiping.wipes(site)
    assert (order["state"], order["ended_by"]) == ("cancelled", "eva")
    await wiping.wipe_device(site, ANNA, "PHONE1")
    with pytest.raises(Wiped):
        await made.folder_sync()
    with pytest.raises(Refused):
        await wiping.cancel_wipe(site, ANNA, "PHONE1")


async def test_asked_for_twice_it_is_one(world: Any, phone: Callable[..., Phone]) -> None:
    await known(phone)
    first = await wiping.wipe_device(site_of(world), ANNA, "PHONE1")
    second = await wiping.wipe_device(site_of(world, FRED), ANNA, "PHONE1")
    assert first["number"] == second["number"]
    assert len(await mails(world, phone, "anna")) == 1


async def test_a_phone_that_is_removed_and_set_up_again_does_not_escape(
    world: Any, phone: Callable[..., Phone]
) -> None:
    made = await known(phone)
    site = site_of(world)
    await wiping.wipe_device(site, ANNA, "PHONE1")
    await remove_device(site, ANNA, "PHONE1")
    again = phone(device="PHONE1")
    with pytest.raises(Wiped):
        await again.set_up()
    (order,) = await wiping.device_wipes(site, ANNA, "PHONE1")
    assert order["state"] == "done"
    await remove_device(site, ANNA, "PHONE1")
    assert await refused(phone(device="PHONE1")) == 129
    await remove_device(site, ANNA, "PHONE1")
    await wiping.readmit_device(site, ANNA, "PHONE1")  # though there is no partnership just now
    await made.set_up()


async def test_a_failure_is_told_once_and_goes_on(world: Any, phone: Callable[..., Phone], wire: Any) -> None:
    device = wire(device="PHONE1")
    await known(phone)
    await wiping.wipe_device(site_of(world), ANNA, "PHONE1")
    for _ in range(3):
        await device.post("Provision", e("Provision:Provision"))
        await device.post("Provision", e("Provision:Provision", e("RemoteWipe", e("Status", "2"))))
    assert [action for action, _, _ in await log_of(world)] == ["device.wipe", "wipe.sent", "wipe.failed"]
    assert len(await mails(world, phone, "anna")) == 2
    (order,) = await wiping.wipes(site_of(world), open=True)
    assert order["state"] == "failed"
    await device.post("Provision", e("Provision:Provision", e("RemoteWipe", e("Status", "1"))))
    assert (await log_of(world))[-1] == ("wipe.done", "server", "done")


async def test_what_cannot_be_asked_for(world: Any, phone: Callable[..., Phone]) -> None:
    await known(phone)
    with pytest.raises(NotFound):
        await wiping.wipe_device(site_of(world), ANNA, "NONE")
    with pytest.raises(Invalid):
        await wiping.wipe_device(site_of(world), ANNA, "PHONE1", note="x" * 201)
    with pytest.raises(Refused):
        await wiping.readmit_device(site_of(world), ANNA, "PHONE1")
    with pytest.raises(NotFound):
        await wiping.device_wipes(site_of(world), ANNA, "NONE")

"""The frame around actions: who may, what is logged, that the log is one chain."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from eas.admin import actions, staff
from eas.admin.acting import ACTIONS, GIVEN, NOBODY, Caller, Face, Permission, Role
from eas.admin.errors import Forbidden, NotFound, Refused
from eas.admin.site import Site
from eas.store.audit import START, chained, entries, row_of

ADMIN = Caller(name="root", role=Role.ADMIN, face=Face.CLI)


def site_of(world: Any, caller: Caller = ADMIN) -> Site:
    return replace(world.app.site, caller=caller)


async def log_of(world: Any) -> list[Any]:
    return await world.app.transactions.read(entries)


async def test_what_is_done_is_in_the_log_and_what_is_read_is_not(world: Any) -> None:
    site = site_of(world)
    await actions.devices(site)
    with pytest.raises(NotFound):
        await actions.block_device(site, "anna@example.com", "NONE")
    await actions.set_password(site, world.ids["anna"], "a new password")
    refused, done = await log_of(world)
    assert (refused.action, refused.about_device, refused.outcome[:7]) == ("device.block", "NONE", "refused")
    assert (done.action, done.actor, done.face, done.about_user, done.outcome) == (
        "user.password", "root", "cli", "anna", "done"
    )
    assert "a new password" not in str(done)


async def test_the_log_is_a_chain_also_when_many_write(world: Any) -> None:
    site = site_of(world)
    await asyncio.gather(*[staff.add(site, f"name{n}", Role.AUDITOR) for n in range(12)])
    found = await log_of(world)
    assert [entry.number for entry in found] == list(range(1, 13))
    before = START
    for entry in found:
        before = chained(before, row_of(entry, entry.number))
        assert entry.hash == before


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_may_what_it_is_given_and_nothing_else(world: Any, role: Role) -> None:
    site = site_of(world, Caller(name="someone", role=role))
    for permission, ask in (
        (Permission.SEE, actions.devices(site)),
        (Permission.RULE, staff.members(site)),
        (Permission.CONTENT, actions.rights(site, "anna")),
    ):
        if permission in GIVEN[role]:
            await ask
        else:
            with pytest.raises(Forbidden):
                await ask


async def test_what_is_forbidden_is_logged_even_if_it_only_reads(world: Any) -> None:
    with pytest.raises(Forbidden):
        await staff.members(site_of(world, replace(NOBODY, name="mallory")))
    (entry,) = await log_of(world)
    assert (entry.actor, entry.action, entry.outcome) == ("mallory", "staff.list", "forbidden")


async def test_what_was_broken_off_is_not_logged_as_done(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def hang(*given: Any) -> None:
        begun.set()
        await asyncio.sleep(600)

    site = site_of(world)
    monkeypatch.setattr(site.staff, "add_member", hang)
    asked = asyncio.create_task(staff.add(site, "name", Role.AUDITOR))
    await begun.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert [entry.outcome for entry in await log_of(world)] == ["failed: CancelledError"]


async def test_the_last_admin_stays(world: Any) -> None:
    site = site_of(world)
    await staff.add(site, "Root", Role.ADMIN, "a long password")
    with pytest.raises(Refused):
        await staff.remove(site, "root")
    with pytest.raises(Refused):
        await staff.set_role(site, "root", Role.AUDITOR)
    await staff.add(site, "other", Role.ADMIN, "a long password")
    await staff.remove(site, "root")


def test_every_action_that_erases_takes_a_permission_to_do_so() -> None:
    wiping = (ACTIONS[name] for name in ("device.wipe", "device.remove", "device.cancel-wipe", "wipe.approve"))
    assert {found.staff or found.permission for found in wiping} == {Permission.WIPE}
    assert Permission.WIPE not in GIVEN[Role.HELPDESK]
    logged = {name for name in ACTIONS if ACTIONS[name].changes and ACTIONS[name].method == "GET"}
    assert logged == {"recording.fetch"}  # changes nothing, but who took a copy stands in the log

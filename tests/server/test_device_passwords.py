"""Passwords for one device each, as a phone meets them: accepted, bound, over, revoked while it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from held import until_subscribed
from standing_clock import StandingClock
from wire import Got, Wire, basic, e

from eas import app, config
from eas.admin import actions, passwords
from eas.admin.acting import SERVER, Caller, Role
from eas.admin.errors import Forbidden, Invalid, NotFound
from eas.admin.site import Site
from eas.protocol import http
from eas.store import device_passwords
from eas.store.audit import entries

FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))


@asynccontextmanager
async def opened(data: Path, **settings: Any) -> AsyncIterator[tuple[app.App, Site]]:
    """A gateway with Anna and Ben in it, and what an admin does in its process."""
    async with app.build(config.load(None, {"data": str(data), "domain": "example.com", **settings}, {})) as parts:
        site = replace(parts.site, caller=SERVER)
        for name in ("anna", "ben"):
            await actions.add_user(site, f"{name}@example.com", f"{name}-secret", {})
        yield parts, site


def phone(parts: app.App, password: str, device: str = "PHONE1", user: str = "anna") -> Wire:
    return Wire(app=parts.asgi, user=user, password=password, device=device)


async def folders(wire: Wire) -> Got:
    return await wire.post("FolderSync", FOLDER_SYNC)


async def test_it_takes_the_place_of_the_mailbox_password(tmp_path: Path) -> None:
    async with opened(tmp_path) as (parts, site):
        made = await passwords.add_device_password(site, "anna", "  Anna's   phone ")
        assert made["name"] == "Anna's phone"
        assert (await folders(phone(parts, made["password"]))).http == 200
        typed = made["password"].upper().replace("-", " ")
        assert (await folders(phone(parts, typed))).http == 200
        assert (await folders(phone(parts, "anna-secret"))).http == 200
        (listed,) = await passwords.device_passwords(site, "anna")
        assert listed["device"] == "PHONE1"
        assert listed["first_used"] is not None
        assert "password" not in listed


async def test_it_is_of_one_user_and_of_the_first_device(tmp_path: Path) -> None:
    async with opened(tmp_path) as (parts, site):
        made = (await passwords.add_device_password(site, "anna", "phone"))["password"]
        assert (await folders(phone(parts, made, user="ben"))).http == 401
        asked = await phone(parts, made).ask("OPTIONS", http.PATH, {"Authorization": basic("anna", made)})
        assert asked.http == 200  # which device it is does not show yet
        assert (await folders(phone(parts, made, device="PHONE1"))).http == 200
        assert (await folders(phone(parts, made, device="PHONE2"))).http == 401
        assert (await folders(phone(parts, made, device="PHONE1"))).http == 200


async def test_a_look_whether_the_account_works_makes_it_nobodys(tmp_path: Path) -> None:
    """Android's first requests come under the id "validate"; they can do nothing else."""
    async with opened(tmp_path) as (parts, site):
        made = (await passwords.add_device_password(site, "anna", "phone"))["password"]
        look = phone(parts, made, device="validate")
        assert (await folders(look)).http == 200
        assert (await folders(phone(parts, made))).http == 200
        assert (await folders(look)).http == 200
        assert (await look.post("Ping", _ping("1", 60))).http == 401
        (listed,) = await passwords.device_passwords(site, "anna")
        assert listed["device"] == "PHONE1"


async def test_two_devices_at_once_do_not_both_get_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (parts, site):
        made = (await passwords.add_device_password(site, "anna", "phone"))["password"]
        answers = await asyncio.gather(*[folders(phone(parts, made, device=f"PHONE{n}")) for n in range(6)])
        assert sorted(got.http for got in answers) == [200, *[401] * 5]


async def test_revoked_it_ends_the_wait_and_lets_nobody_in(tmp_path: Path) -> None:
    async with opened(tmp_path) as (parts, site):
        made = await passwords.add_device_password(site, "anna", "phone")
        kept = await passwords.add_device_password(site, "anna", "tablet")
        wire, other = phone(parts, made["password"]), phone(parts, kept["password"], device="TABLET")
        await folders(wire)
        await folders(other)
        wait = asyncio.create_task(wire.post("Ping", _ping(await _inbox(wire), 600)))
        await until_subscribed(parts.bell)
        assert not wait.done()
        await passwords.revoke_device_password(site, "anna", made["id"])
        assert (await asyncio.wait_for(wait, 30)).status == "1"
        assert (await folders(wire)).http == 401
        assert (await folders(other)).http == 200
        with pytest.raises(NotFound):
            await passwords.revoke_device_password(site, "anna", made["id"])
        with pytest.raises(NotFound):
            await passwords.revoke_device_password(site, "ben", kept["id"])


async def test_of_a_removed_device_it_goes_along(tmp_path: Path) -> None:
    async with opened(tmp_path) as (parts, site):
        lost = await passwords.add_device_password(site, "anna", "phone")
        kept = await passwords.add_device_password(site, "anna", "for later")
        await folders(phone(parts, lost["password"]))
        await actions.remove_device(site, "anna", "PHONE1")
        assert [one["id"] for one in await passwords.device_passwords(site, "anna")] == [kept["id"]]
        assert (await folders(phone(parts, lost["password"]))).http == 401


async def test_a_wiped_device_loses_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as (parts, site):
        made = await passwords.add_device_password(site, "anna", "phone")
        await folders(phone(parts, made["password"]))
        user_id = (await site.people.user("anna")).id
        assert await passwords.revoke_for_device(site, user_id, "PHONE2") == 0
        assert await passwords.revoke_for_device(site, user_id, "PHONE1") == 1
        assert (await folders(phone(parts, made["password"]))).http == 401


async def test_it_ends_by_itself_and_so_does_a_wait_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StandingClock(monkeypatch)
    async with opened(tmp_path) as (parts, site):
        user_id = (await site.people.user("anna")).id
        monkeypatch.setattr(site.store.passwords, "_now", clock.now)  # the store has a clock of its own
        _, text = await site.store.passwords.make(user_id, "for a moment", timedelta(seconds=1))
        wire = phone(parts, text)
        await folders(wire)
        got = await asyncio.wait_for(wire.post("Ping", _ping(await _inbox(wire), 600)), 30)
        assert got.status == "1"
        clock.pass_(1)
        assert (await folders(wire)).http == 401


async def test_with_the_user_all_go(tmp_path: Path) -> None:
    from eas.admin import people

    async with opened(tmp_path) as (_, site):
        await passwords.add_device_password(site, "anna", "phone")
        assert (await people.remove_user(site, "anna"))["device_password"] == 1
        assert await site.store.passwords.all() == []


async def test_what_cannot_be(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, site):
        for name in ("", " ", "x" * 61):
            with pytest.raises(Invalid):
                await passwords.add_device_password(site, "anna", name)
        with pytest.raises(NotFound):
            await passwords.add_device_password(site, "nobody", "phone")


async def test_guessing_is_slowed_down_and_the_right_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StandingClock(monkeypatch)
    async with opened(tmp_path) as (parts, site):
        made = (await passwords.add_device_password(site, "anna", "phone"))["password"]
        assert (await folders(phone(parts, made))).http == 200
        answers = [(await folders(phone(parts, device_passwords.made()))).http for _ in range(15)]
        assert answers == [401] * 10 + [503] * 5
        assert (await folders(phone(parts, made))).http == 200


def test_what_is_read_as_one() -> None:
    made = device_passwords.made()
    assert device_passwords.read(made) == made.replace("-", "")
    assert device_passwords.read(f" {made.upper()} ") == made.replace("-", "")
    for other in ("", "anna-secret", made[:-1], made + "a", made.replace("-", "_"), "a" * 1000):
        assert device_passwords.read(other) == ""


async def _inbox(wire: Wire) -> str:
    got = await folders(wire)
    return next(
        one.elements[0].text for one in got.all("Changes", "Add") if "2" in [child.text for child in one.elements[-1:]]
    )


def _ping(folder: str, seconds: int) -> Any:
    return e(
        "Ping:Ping", e("HeartbeatInterval", str(seconds)),
        e("Folders", e("Folder", e("Id", folder), e("Class", "Email"))),
    )


async def test_owners_make_their_own_and_the_help_desk_makes_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as (parts, site):
        anna = (await site.people.user("anna")).id
        owner = replace(site, caller=Caller(name="anna", role=Role.OWNER, user_id=anna))
        made = await passwords.add_device_password(owner, "anna", "phone")
        assert len(await passwords.device_passwords(owner, "anna")) == 1
        desk = replace(site, caller=Caller(name="desk", role=Role.HELPDESK))
        assert len(await passwords.device_passwords(desk, "anna")) == 1
        for forbidden in (
            passwords.add_device_password(owner, "ben", "phone"), passwords.device_passwords(owner, "ben"),
            passwords.device_passwords(owner), passwords.revoke_device_passwords(owner, "ben"),
            passwords.add_device_password(desk, "anna", "phone"),
        ):
            with pytest.raises(Forbidden):
                await forbidden
        await passwords.revoke_device_password(desk, "anna", made["id"])
        logged = await parts.transactions.read(entries)
        assert [one.action for one in logged if one.outcome == "done"] == [
            "user.add", "user.add", "device-password.add", "device-password.revoke",
        ]
        assert made["password"] not in str(logged)


async def test_the_password_of_the_mailbox_can_be_shut_out(tmp_path: Path) -> None:
    """Of phones; owners still come to their page with it."""
    async with opened(tmp_path, login={"phones": ["device-password"]}) as (parts, site):
        made = (await passwords.add_device_password(site, "anna", "phone"))["password"]
        assert (await folders(phone(parts, "anna-secret"))).http == 401
        assert (await folders(phone(parts, made))).http == 200
        transport = httpx.ASGITransport(parts.asgi)
        for password, answer in (("anna-secret", 303), (made, 401)):
            async with httpx.AsyncClient(transport=transport, base_url="http://mail.example.com") as browser:
                form = {"login": "anna", "password": password}
                assert (await browser.post("/my/login", data=form)).status_code == answer

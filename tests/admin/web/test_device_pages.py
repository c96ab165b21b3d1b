"""The pages about devices and users, over HTTP without a browser: what they take, and whom."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from eas.admin import staff
from eas.admin.acting import SERVER, Role
from eas.engine.model import Access, Device

BASE = "http://mail.example.com"
PASSWORD = "correct horse"
ODD = "=cmd|'/c calc'!A1"


@pytest.fixture
async def office(world: Any) -> Any:
    """With staff, and two devices of anna and ben."""
    for role in (Role.ADMIN, Role.HELPDESK, Role.AUDITOR):
        await staff.add(replace(world.app.site, caller=SERVER), role.value, role, PASSWORD)
    for login, name in (("anna", "FIRST"), ("ben", "SECOND")):
        await world.store.add_device(Device(
            user_id=world.ids[login], id=name, type="iPhone", version="16.1", information={"Model": ODD},
        ))
    return world


@pytest.fixture
async def client(office: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(office.app.asgi), base_url=BASE) as made:
        yield made


async def enter(client: httpx.AsyncClient, role: Role = Role.ADMIN) -> str:
    """Logged in; the token of the forms."""
    await client.post("/admin/login", data={"login": role.value, "password": PASSWORD, "next": "/admin"})
    page = (await client.get("/admin/devices")).text
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


async def access(office: Any, login: str, device: str) -> Access:
    found = await office.device(login, device)
    return Access(found.access)


async def test_a_list_is_what_the_filters_leave(client: httpx.AsyncClient) -> None:
    await enter(client)
    page = (await client.get("/admin/devices?q=anna")).text
    assert "FIRST" in page
    assert "SECOND" not in page


async def test_what_devices_call_themselves_is_no_formula_and_no_markup(client: httpx.AsyncClient) -> None:
    await enter(client)
    assert f"'{ODD}" in (await client.get("/admin/devices.csv")).text
    assert "&#39;/c calc" in (await client.get("/admin/devices")).text


async def test_nothing_is_done_before_it_is_meant(client: httpx.AsyncClient, office: Any) -> None:
    token = await enter(client)
    form = {"csrf": token, "do": "block", "device": "anna@example.com/FIRST", "back": "/admin/devices"}
    asked = await client.post("/admin/devices/do", data=form)
    assert asked.status_code == 200
    assert await access(office, "anna", "FIRST") is not Access.BLOCKED
    done = await client.post("/admin/devices/do", data={**form, "sure": "1"})
    assert (done.status_code, done.headers["location"]) == (303, "/admin/devices")
    assert await access(office, "anna", "FIRST") is Access.BLOCKED
    assert await access(office, "ben", "SECOND") is not Access.BLOCKED


@pytest.mark.parametrize(("role", "do"), [(Role.HELPDESK, "wipe"), (Role.HELPDESK, "remove"), (Role.AUDITOR, "block")])
async def test_what_a_role_may_not_is_refused_however_it_is_sent(
    client: httpx.AsyncClient, office: Any, role: Role, do: str
) -> None:
    token = await enter(client, role) if role is Role.HELPDESK else await _token_of(client, role)
    form = {"csrf": token, "do": do, "device": "anna@example.com/FIRST", "sure": "1"}
    assert (await client.post("/admin/devices/do", data=form)).status_code == 403
    assert await access(office, "anna", "FIRST") is not Access.BLOCKED
    assert await office.device("anna", "FIRST") is not None


async def _token_of(client: httpx.AsyncClient, role: Role) -> str:
    """Of who has no form but that of logging out."""
    await client.post("/admin/login", data={"login": role.value, "password": PASSWORD, "next": "/admin"})
    found = re.search(r'name="csrf" value="([^"]+)"', (await client.get("/admin")).text)
    assert found is not None
    return found[1]


async def test_a_form_of_another_site_does_nothing(client: httpx.AsyncClient, office: Any) -> None:
    await enter(client)
    form = {"csrf": "guessed", "do": "block", "device": "anna@example.com/FIRST", "sure": "1"}
    assert (await client.post("/admin/devices/do", data=form)).status_code == 403
    assert await access(office, "anna", "FIRST") is not Access.BLOCKED


@pytest.mark.parametrize("back", ["https://elsewhere.example/", "//elsewhere.example", "/admin//elsewhere", "/\\x"])
async def test_the_way_back_is_a_page_of_ours(client: httpx.AsyncClient, back: str) -> None:
    token = await enter(client)
    form = {"csrf": token, "do": "allow", "device": "anna@example.com/FIRST", "back": back}
    done = await client.post("/admin/devices/do", data=form)
    assert done.headers["location"] == "/admin/devices"


async def test_nobody_is_shown_a_page_without_a_login(client: httpx.AsyncClient) -> None:
    for path in ("/admin/devices", "/admin/devices.csv", "/admin/devices/anna@example.com/FIRST", "/admin/users"):
        answer = await client.get(path)
        assert (answer.status_code, "FIRST" in answer.text) == (303, False), path

"""/admin/staff: members and tokens, made and ended by forms."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from eas.admin import staff
from eas.admin.acting import Caller, Role

BASE, PASSWORD = "http://mail.example.com", "correct horse"


class Browser:
    """Of somebody who is logged in; fills in forms with the token of the page before."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path)

    async def post(self, path: str, **fields: str) -> httpx.Response:
        token = re.search(r'name="csrf" value="([^"]+)"', (await self.client.get("/admin/staff")).text)
        return await self.client.post(path, data={"csrf": token[1] if token else "", **fields})


@pytest.fixture
async def admin(world: Any) -> AsyncIterator[Browser]:
    site = replace(world.app.site, caller=Caller(name="cli", role=Role.ADMIN))
    await staff.add(site, "root", Role.ADMIN, PASSWORD)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app.asgi), base_url=BASE) as client:
        await client.post("/admin/login", data={"login": "root", "password": PASSWORD})
        yield Browser(client)


async def test_members_are_added_changed_and_removed(world: Any, admin: Browser) -> None:
    added = await admin.post("/admin/staff/add", name="Helper", role="helpdesk", kind="own", password=PASSWORD)
    assert added.status_code == 303
    page = await admin.get("/admin/staff")
    assert "Helper may administer now." in page.text
    assert "<strong>helper</strong>" in page.text
    assert (await admin.post("/admin/staff/role", name="helper", role="auditor")).status_code == 303
    (helper,) = [one for one in await world.app.site.staff.members() if one.name == "helper"]
    assert helper.role == "auditor"
    assert (await admin.post("/admin/staff/password", name="helper", password="short")).status_code == 422
    assert (await admin.post("/admin/staff/remove", name="helper")).status_code == 303
    assert (await admin.post("/admin/staff/remove", name="root")).status_code == 409


async def test_a_token_is_shown_once_works_and_ends(world: Any, admin: Browser) -> None:
    made = await admin.post("/admin/staff/token", name="root", label="monitoring", days="30")
    found = re.search(r"eas_[\w-]+", made.text)
    assert found is not None
    token = found[0]
    assert token not in (await admin.get("/admin/staff")).text
    asked = {"authorization": f"Bearer {token}"}
    assert (await admin.client.get("/api/v1/devices", headers=asked)).status_code == 200
    (kept,) = await world.app.site.staff.tokens()
    assert (await admin.post("/admin/staff/revoke", id=kept.id)).status_code == 303
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app.asgi), base_url=BASE) as other:
        assert (await other.get("/api/v1/devices", headers=asked)).status_code == 401


async def test_the_help_desk_has_no_such_page(world: Any, admin: Browser) -> None:
    await admin.post("/admin/staff/add", name="desk", role="helpdesk", kind="own", password=PASSWORD)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app.asgi), base_url=BASE) as client:
        await client.post("/admin/login", data={"login": "desk", "password": PASSWORD})
        assert "/admin/staff" not in (await client.get("/admin")).text
        assert (await client.get("/admin/staff")).status_code == 403

"""/admin/access: the queue, the rules, one phone; what a link alone does not do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from wire import Wire, e

from eas.admin import access, staff
from eas.admin.acting import Caller, Face, Role
from eas.store.audit import entries

FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
PASSWORD = "correct horse"


@pytest.fixture
async def site(world: Any) -> Any:
    made = replace(world.app.site, caller=Caller(name="cli", role=Role.ADMIN, face=Face.CLI))
    for role in (Role.ADMIN, Role.HELPDESK, Role.AUDITOR):
        await staff.add(made, role.value, role, PASSWORD)
    await access.set_default(made, "quarantine")
    return made


class Browser:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client, self.token = client, ""

    async def see(self, path: str) -> str:
        page = await self.client.get(path)
        assert page.status_code == 200, page.text
        found = re.search(r'name="csrf" value="([^"]+)"', page.text)
        self.token = found[1] if found else self.token
        return page.text

    async def send(self, path: str, **fields: str) -> httpx.Response:
        return await self.client.post(path, data={"csrf": self.token, **fields})


@pytest.fixture
async def browse(world: Any, site: Any) -> AsyncIterator[Callable[[str], Any]]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(world.app.asgi), base_url="http://mail.example.com"
    ) as client:
        async def login(name: str) -> Browser:
            client.cookies.clear()
            answer = await client.post("/admin/login", data={"login": name, "password": PASSWORD, "next": "/admin"})
            assert answer.status_code == 303
            return Browser(client)

        yield login


async def test_a_phone_is_approved_from_its_page_and_not_by_the_link(
    wire: Callable[..., Wire], browse: Callable[[str], Any], world: Any
) -> None:
    device = wire()
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"
    browser = await browse("helpdesk")
    queue = await browser.see("/admin/access")
    assert "WIRE1" in queue
    assert "/admin/access/approve/anna@example.com/WIRE1" in queue
    page = await browser.see("/admin/access/approve/anna@example.com/WIRE1")
    assert "Let in" in page
    assert (await world.device()).admission.level.value == "quarantine"
    asked = {"who": "anna@example.com", "device": "WIRE1", "verdict": "allow"}
    forged = await browser.client.post("/admin/access/decide", data=asked)
    assert forged.status_code == 403
    done = await browser.send("/admin/access/decide", **asked, reason="hers", days="30", back="phone")
    assert done.status_code == 303, done.text
    kept = await world.device()
    assert (kept.access.value, kept.access_reason) == ("allowed", "hers")
    assert kept.access_until is not None
    shown = await browser.see(done.headers["location"])
    assert "WIRE1 of anna@example.com is let in now." in shown
    assert "No phone is waiting" in await browser.see("/admin/access")


async def test_rules_and_the_default_are_set_and_tried(browse: Callable[[str], Any], site: Any) -> None:
    browser = await browse("admin")
    await browser.see("/admin/access")
    fields = {"match-type": "iPhone|iPad", "match-os": "iOS 17*", "level": "allow", "priority": "20", "note": "<ours>"}
    assert (await browser.send("/admin/access/rules/add", **fields)).status_code == 303
    page = await browser.see("/admin/access?type=ipad&os=iOS+17.1")
    assert "type is iPhone|iPad and os is iOS 17*" in page
    assert "&lt;ours&gt;" in page
    assert "decides" in page
    assert (await browser.send("/admin/access/rules/move", number="1", priority="5")).status_code == 303
    assert (await browser.send("/admin/access/default", level="block")).status_code == 303
    assert (await access.rules(site))["default"] == "block"
    assert (await browser.send("/admin/access/rules/add", level="allow", priority="1")).status_code == 422
    assert (await browser.send("/admin/access/rules/remove", number="1")).status_code == 303
    assert (await browser.send("/admin/access/rules/remove", number="1")).status_code == 404
    assert (await access.rules(site))["rules"] == []


async def test_lists_and_numbers(browse: Callable[[str], Any], site: Any) -> None:
    browser = await browse("admin")
    await browser.see("/admin/access/lists")
    assert (await browser.send("/admin/access/lists/set", who="anna", devices="A1\nB2")).status_code == 303
    assert (await browser.send("/admin/access/lists/import", table="ben,C3")).status_code == 303
    assert (await browser.send("/admin/access/lists/limit", whose="anna", most="2")).status_code == 303
    page = await browser.see("/admin/access/lists")
    assert "A1, B2" in page
    assert "C3" in page
    assert (await browser.send("/admin/access/lists/set", who="anna", devices="")).status_code == 303
    assert await access.device_list(site, "anna") == []


@pytest.mark.parametrize(("role", "may"), [("helpdesk", {"decide"}), ("auditor", set())])
async def test_what_another_role_may_not(
    wire: Callable[..., Wire], browse: Callable[[str], Any], site: Any, role: str, may: set[str]
) -> None:
    await wire().post("FolderSync", FOLDER_SYNC)
    browser = await browse(role)
    await browser.see("/admin/access")
    await browser.see("/admin/access/lists")
    fields = {"who": "anna", "device": "WIRE1", "verdict": "block", "level": "block", "match-type": "*", "number": "1",
              "priority": "1", "devices": "X", "table": "anna,X", "whose": "anna", "most": "1"}
    for step in ("decide", "default", "rules/add", "rules/move", "rules/remove", "lists/set", "lists/import",
                 "lists/limit"):
        answer = await browser.send(f"/admin/access/{step}", **fields)
        assert answer.status_code == (303 if step in may else 403), step
    assert (await access.rules(site))["rules"] == []


async def test_what_was_decided_stands_in_the_audit_log(
    wire: Callable[..., Wire], browse: Callable[[str], Any], world: Any
) -> None:
    await wire().post("FolderSync", FOLDER_SYNC)
    browser = await browse("helpdesk")
    await browser.see("/admin/access")
    await browser.send("/admin/access/decide", who="anna", device="WIRE1", verdict="block", reason="lost")
    async with world.app.database.read() as connection:
        found = await connection.run_sync(lambda c: list(entries(c)))
    last = [one for one in found if one.action == "access.decide"][-1]
    assert (last.actor, last.about_user, last.about_device, last.outcome) == ("helpdesk", "anna", "WIRE1", "done")
    assert dict(last.details) == {"verdict": "block", "reason": "lost"}

"""The pages of policies, as somebody with a browser and no JavaScript goes through them."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from eas.admin import policy_actions as actions
from eas.admin import staff
from eas.admin.acting import Caller, Face, Role
from eas.admin.web.policies import document_of
from eas.engine.model import Device
from eas.items.policy_settings import BY_NAME

BASE = "http://mail.example.com"
PASSWORD = "correct horse"


class Browser:
    """Fills in forms of the pages that it sees."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.page = ""

    async def go(self, path: str) -> str:
        answer = await self.client.get(path, follow_redirects=True)
        self.page = html.unescape(answer.text)
        self.raw = answer.text
        assert answer.status_code == 200, self.page
        return self.page

    async def post(self, path: str, status: int = 200, **fields: Any) -> str:
        token = re.search(r'name="csrf" value="([^"]+)"', self.raw)
        assert token is not None
        data = {name.replace("__", ":"): value for name, value in fields.items()}
        answer = await self.client.post(path, data={"csrf": token[1], **data}, follow_redirects=True)
        assert answer.status_code == status, answer.text[-2000:]
        self.page, self.raw = html.unescape(answer.text), answer.text
        return self.page

    def hidden(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.raw)
        assert found is not None
        return html.unescape(found[1])


@pytest.fixture
def site(world: Any) -> Any:
    return replace(world.app.site, caller=Caller(name="cli", role=Role.ADMIN, face=Face.CLI))


@pytest.fixture
async def browser(world: Any, site: Any) -> AsyncIterator[Browser]:
    for role in (Role.ADMIN, Role.AUDITOR):
        await staff.add(site, role.value, role, PASSWORD)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app.asgi), base_url=BASE) as client:
        await client.post("/admin/login", data={"login": "admin", "password": PASSWORD, "next": "/admin"})
        yield Browser(client)


async def test_a_policy_is_written_tried_saved_given_and_removed(world: Any, site: Any, browser: Browser) -> None:
    await world.store.add_device(Device(
        user_id=world.ids["anna"], id="OLD1", type="Phone", version="12.0", policy_key="1", policy_digest="x"
    ))
    assert "default" in await browser.go("/admin/policies")
    form = await browser.go("/admin/policies/policy")
    assert all(setting.title in form and setting.help in form for setting in BY_NAME.values())
    tried = await browser.post(
        "/admin/policies/try", stored="", name="Sales", enforced="yes", based_on="default", set__AllowCamera="0",
        set__MinDevicePasswordLength="6",
    )
    assert "Takes a part" in tried
    assert "AllowCamera" in tried
    assert all(one["name"] != "Sales" for one in await actions.policies(site))  # a trial changes nothing
    saved = await browser.post("/admin/policies/save", document=browser.hidden("document"))
    assert "Sales is saved" in saved
    assert (await actions.policy(site, "Sales"))["settings"] == {"AllowCamera": "0", "MinDevicePasswordLength": "6"}
    await browser.post("/admin/policies/assign", name="Sales", whose="anna", rank="0")
    assert (await actions.effective(site, "anna", "OLD1"))["policy"] == "Sales"
    await browser.post("/admin/policies/clear", name="Sales", whose="anna")
    await browser.post("/admin/policies/override", name="Sales", who="anna", device="OLD1", until="2099-01-01T00:00")
    assert (await actions.effective(site, "anna", "OLD1"))["by"] == "device"
    assert "anna/OLD1" in browser.page
    await browser.post("/admin/policies/clear", name="Sales", whose="anna/OLD1")
    assert (await actions.effective(site, "anna", "OLD1"))["by"] == "default"
    assert "removed" in await browser.post("/admin/policies/remove", name="Sales")


async def test_a_roll_out_is_begun_moved_paused_and_finished(world: Any, site: Any, browser: Browser) -> None:
    await world.store.add_device(Device(user_id=world.ids["anna"], id="D1", type="Phone", version="14.1"))
    await browser.go("/admin/policies/policy?name=default")
    await browser.post("/admin/policies/try", stored="default", name="default", set__AllowCamera="0", enforced="yes")
    begun = await browser.post(
        "/admin/policies/begin", document=browser.hidden("document"), percent="10", then="50%@+24h"
    )
    assert "has begun" in begun
    assert "10 %" in begun
    assert "100 %" in await browser.post("/admin/policies/move", name="default", deed="further", percent="100")
    assert "Paused" in await browser.post("/admin/policies/move", name="default", deed="pause")
    await browser.post("/admin/policies/move", name="default", deed="resume")
    await browser.post("/admin/policies/move", name="default", deed="finish")
    assert (await actions.policy(site, "default"))["settings"] == {"AllowCamera": "0"}
    await browser.post("/admin/policies/move", 404, name="default", deed="back")


async def test_what_is_wrong_is_said_and_what_was_typed_stays(browser: Browser) -> None:
    await browser.go("/admin/policies/policy")
    said = await browser.post(
        "/admin/policies/try", 422, stored="", name="Sales", set__MinDevicePasswordLength="99", set__AllowCamera="0"
    )
    assert "MinDevicePasswordLength must be a number from 1 to 16" in said
    assert 'value="99"' in said
    await browser.post("/admin/policies/save", 422, document="{")


async def test_who_may_only_look_sees_no_forms_and_can_send_none(world: Any, site: Any) -> None:
    await staff.add(site, "auditor", Role.AUDITOR, PASSWORD)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app.asgi), base_url=BASE) as client:
        await client.post("/admin/login", data={"login": "auditor", "password": PASSWORD, "next": "/admin"})
        looking = Browser(client)
        assert "/admin/policies/try" not in await looking.go("/admin/policies/policy?name=default")
        for path in ("try", "save", "begin", "move", "assign", "clear", "override", "remove"):
            await looking.post(f"/admin/policies/{path}", 403, name="default")
            await looking.go("/admin/policies")


def test_a_form_says_what_a_file_would() -> None:
    form: Any = httpx.QueryParams([
        ("name", " Sales "), ("based_on", "staff"), ("enforced", "yes"), ("allow_partial", ""),
        ("set:AllowCamera", "0"), ("set:MinDevicePasswordLength", "none"), ("set:AllowWiFi", ""),
        ("set:UnapprovedInROMApplicationList", "a.exe\r\nb.exe"), ("insist", "AllowCamera"),
    ])

    class Form(dict):  # type: ignore[type-arg]
        def getlist(self, name: str) -> list[str]:
            return form.get_list(name)

    assert document_of(Form(form)) == {  # type: ignore[arg-type]
        "name": "Sales", "based_on": "staff", "enforced": True, "insist": ["AllowCamera"],
        "settings": {
            "AllowCamera": "0", "MinDevicePasswordLength": "", "UnapprovedInROMApplicationList": "a.exe\nb.exe",
        },
    }


async def test_programs_do_the_same_over_the_api(world: Any, site: Any) -> None:
    await staff.add(site, "admin", Role.ADMIN, PASSWORD)
    made = await staff.add_token(site, "admin", "tests")
    token = made["token"]
    await world.store.add_device(Device(user_id=world.ids["anna"], id="D1", type="Phone", version="14.1"))
    transport = httpx.ASGITransport(world.app.asgi)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"{BASE}/api/v1/", headers={"Authorization": f"Bearer {token}"}
    ) as api:
        async def ask(method: str, path: str, **body: Any) -> Any:
            answer = await api.request(method, path, json=body or None)
            assert answer.status_code == 200, answer.text
            return answer.json()

        policy = {"enforced": True, "settings": {"AllowCamera": False}}
        await ask("PUT", "policies/Sales", document=policy)
        await ask("POST", "policies/Sales/assignments", whose="anna", rank=3)
        assert (await ask("GET", "users/anna/devices/D1/policy"))["by"] == "user"
        tried = await ask("POST", "policy-trials", document={**policy, "name": "Sales"}, scope="anna", devices=["d1"])
        assert tried["counts"] == {"legacy": 1}
        rolled = await ask("POST", "policy-rolls/Sales", to=["10%"], document={"settings": {}}, then=["50%@+1h"])
        assert (rolled["percent"], len(rolled["steps"])) == (10, 1)
        assert (await ask("POST", "policy-rolls/Sales/pause"))["paused"]
        assert len(await ask("GET", "policy-rolls")) == 1
        await ask("POST", "policy-rolls/Sales/finish")
        await ask("PUT", "users/anna/devices/D1/policy", policy="Sales")
        await ask("DELETE", "users/anna/devices/D1/policy")
        await ask("DELETE", "policy-assignments/anna")
        assert len(await ask("GET", "policy-settings")) == 43
        await ask("DELETE", "policies/Sales")
        assert (await api.get("policies/Sales")).status_code == 404

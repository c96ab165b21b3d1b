"""The pages of the audit log and of wipes, over HTTP: what they show, to whom, and what their forms do to a phone."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from eas.admin import staff, wiping
from eas.admin.acting import Caller, Face, Role
from eas.client.phone import Phone, Wiped
from eas.engine.wipes import Rules
from eas.store.tables import audit_log

BASE, PASSWORD, ANNA = "http://mail.example.com", "correct horse", "anna@example.com"


@pytest.fixture
def world_settings() -> dict[str, Any]:
    return {"wipe.two_persons": True}


@pytest.fixture
async def site(world: Any) -> Any:
    made = replace(world.app.site, caller=Caller(name="cli", role=Role.ADMIN, face=Face.CLI))
    for name, role in (("eva", Role.ADMIN), ("fred", Role.ADMIN), ("hans", Role.HELPDESK), ("audrey", Role.AUDITOR)):
        await staff.add(made, name, role, PASSWORD)
    return made


class Browser:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def page(self, path: str, status: int = 200) -> str:
        got = await self.client.get(path)
        assert got.status_code == status, got.text[:500]
        return got.text

    async def send(self, page: str, path: str, status: int = 303, **fields: Any) -> httpx.Response:
        """A form of a page."""
        token = re.search(r'name="csrf" value="([^"]+)"', await self.page(page))
        assert token is not None
        got = await self.client.post(path, data={"csrf": token[1], **fields})
        assert got.status_code == status, got.text[:500]
        return got


@pytest.fixture
async def browser(world: Any, site: Any) -> AsyncIterator[Callable[..., Any]]:
    opened: list[httpx.AsyncClient] = []

    async def login(name: str) -> Browser:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(world.app.asgi), base_url=BASE)
        opened.append(client)
        got = await client.post("/admin/login", data={"login": name, "password": PASSWORD, "next": "/admin"})
        assert got.status_code == 303
        return Browser(client)

    yield login
    for client in opened:
        await client.aclose()


@pytest.mark.parametrize(("name", "status"), [("eva", 200), ("audrey", 200), ("hans", 403)])
async def test_the_log_is_for_those_who_audit(browser: Any, name: str, status: int) -> None:
    seen = await browser(name)
    for path in ("", "/verify", ".csv", ".json", "/devices/anna@example.com/PHONE1"):
        await seen.page(f"/admin/audit{path}", status)


async def test_the_log_is_filtered_and_paged(browser: Any, site: Any) -> None:
    for number in range(60):
        await staff.add(site, f"name{number}", Role.AUDITOR, PASSWORD)
    seen = await browser("audrey")
    page = await seen.page("/admin/audit?action=staff")
    assert "1–50 of 64" in page
    assert page.count("<code>staff.add</code>") == 50
    for number in (2, 99999999):
        page = await seen.page(f"/admin/audit?action=staff&page={number}")
        assert "51–64 of 64" in page
        assert page.count("<code>staff.add</code>") == 14
    assert "No entry is like that" in await seen.page("/admin/audit?user=nobody")
    assert "no day and no moment" in await seen.page("/admin/audit?since=yesterday", 422)
    page = await seen.page("/admin/audit?actor=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in page
    assert PASSWORD not in await seen.page("/admin/audit")


async def test_copies_have_what_the_filters_leave(browser: Any) -> None:
    seen = await browser("audrey")
    lines = (await seen.page("/admin/audit.json?action=staff")).splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["staff.add"] * 4
    csv = await seen.page("/admin/audit.csv")
    assert csv.startswith("number,at,actor")
    assert "audit.export" in csv  # the copy before


async def test_a_log_that_was_changed_is_seen(browser: Any, world: Any) -> None:
    seen = await browser("audrey")
    page = await seen.page("/admin/audit/verify")
    assert "The log is whole" in page
    head = re.search(r"\d+:[0-9a-f]{64}", page)
    assert head is not None
    assert "is among them" in await seen.page(f"/admin/audit/verify?noted={head[0]}")
    assert "This is no head" in await seen.page("/admin/audit/verify?noted=17", 422)
    await world.app.transactions.write(
        lambda c: c.execute(update(audit_log).where(audit_log.c.number == 2).values(actor="mallory"))
    )
    assert "broken at entry 2" in await seen.page("/admin/audit/verify")


async def test_two_persons_wipe_a_phone_that_is_syncing(
    browser: Any, site: Any, world: Any, phone: Callable[..., Phone]
) -> None:
    """One asks, the same may not agree, another does; the phone is wiped, refused, and allowed again."""
    made = phone(device="PHONE1")
    await made.set_up()
    eva, fred, hans = await browser("eva"), await browser("fred"), await browser("hans")
    as_eva = replace(site, caller=Caller(name="eva", role=Role.ADMIN), wiping=world.app.site.wiping)
    order = await wiping.wipe_device(as_eva, ANNA, "PHONE1", note="<b>left</b> in a taxi")
    fields = {"user": order["user"], "device": "PHONE1", "number": order["number"]}
    page = await eva.page("/admin/wipes")
    assert "somebody else has to agree" in page
    assert "Agree to the wipe" not in page
    assert "&lt;b&gt;left&lt;/b&gt; in a taxi" in page
    assert "Agree to the wipe" in await fred.page("/admin/wipes")
    page = await hans.page("/admin/wipes")
    assert "in a taxi" in page
    assert "<button class=\"danger" not in page
    await eva.send("/admin/wipes", "/admin/wipes/approve", 403, **fields)
    await hans.send("/admin/wipes", "/admin/wipes/approve", 403, **fields)
    await fred.send("/admin/wipes", "/admin/wipes/approve", 409, **{**fields, "number": 4711})
    await fred.send("/admin/wipes", "/admin/wipes/approve", 422, **{**fields, "number": "x"})
    await made.folder_sync()
    await fred.send("/admin/wipes", "/admin/wipes/approve", **fields)
    assert "is wiped at its next request" in await fred.page("/admin/wipes")
    with pytest.raises(Wiped):
        await made.folder_sync()
    assert "wiped" in await hans.page("/admin/wipes")
    log = await fred.page("/admin/audit/devices/anna/PHONE1")
    for name in ("device.wipe", "wipe.approve", "wipe.sent", "wipe.done"):
        assert f"<code>{name}</code>" in log
    await hans.send("/admin/wipes", "/admin/wipes/readmit", **fields)
    await made.set_up()
    await hans.send("/admin/wipes", "/admin/wipes/cancel", 403, **fields)


async def test_a_wipe_is_declined_or_cancelled(
    browser: Any, site: Any, phone: Callable[..., Phone]
) -> None:
    made = phone(device="PHONE1")
    await made.set_up()
    fred = await browser("fred")
    rules = Rules(two_persons=True, approval=timedelta(hours=1))
    as_eva = replace(site, caller=Caller(name="eva", role=Role.ADMIN), wiping=rules)
    order = await wiping.wipe_device(as_eva, ANNA, "PHONE1")
    fields = {"user": order["user"], "device": "PHONE1", "number": order["number"]}
    await fred.send("/admin/wipes", "/admin/wipes/decline", **fields)
    await wiping.wipe_device(replace(as_eva, wiping=Rules()), ANNA, "PHONE1")
    assert "asked for" in await fred.page("/admin/wipes")
    await fred.send("/admin/wipes", "/admin/wipes/cancel", **fields)
    await made.folder_sync()
    await fred.client.post("/admin/wipes/approve", data=fields)  # without the token of the form
    await made.folder_sync()

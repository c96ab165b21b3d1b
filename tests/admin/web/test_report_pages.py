"""Reports on pages: everybody of staff reads them, who rules sends them, and what is asked for is what is shown."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from eas.admin import staff
from eas.admin.acting import Caller, Role
from eas.admin.reports import REPORTS
from eas.engine.model import Device

PASSWORD = "correct horse"


@pytest.fixture
async def fleet(world: Any) -> Any:
    site = replace(world.app.site, caller=Caller(name="cli", role=Role.ADMIN))
    for role in (Role.ADMIN, Role.AUDITOR):
        await staff.add(site, role.value, role, PASSWORD)
    now = datetime.now(UTC)
    await world.store.add_devices([
        Device(
            user_id=world.ids["anna"], id=f"D{n}", type="iPhone", version="16.1", last_seen=now - timedelta(days=n),
            information={"Model": "<b>=1+1</b>"},
        )
        for n in range(120)
    ])
    return world


@asynccontextmanager
async def visitor(world: Any, name: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://mail.example.com") as client:
        await client.post("/admin/login", data={"login": name, "password": PASSWORD, "next": "/admin"})
        yield client


async def test_each_report_is_a_page_a_csv_and_json(fleet: Any) -> None:
    async with visitor(fleet, "auditor") as client:
        index = (await client.get("/admin/reports")).text
        assert "Devices in " in index
        assert 'action="/admin/reports/mail"' not in index
        for name, report in REPORTS.items():
            assert f'href="/admin/reports/{name}"' in index
            page = await client.get(f"/admin/reports/{name}")
            assert (page.status_code, report.title in page.text) == (200, True)
            lines = list(csv.reader(io.StringIO((await client.get(f"/admin/reports/{name}.csv")).text)))
            assert lines[0] == list(report.columns)
            assert len(lines) - 1 == len((await client.get(f"/admin/reports/{name}.json")).json())
            for column in report.columns:
                for sign in ("", "-"):
                    assert (await client.get(f"/admin/reports/{name}?sort={sign}{column}")).status_code == 200
        assert (await client.get("/admin/reports/nothing")).status_code == 404


async def test_days_order_and_pages(fleet: Any) -> None:
    async with visitor(fleet, "admin") as client:
        page = (await client.get("/admin/reports/unused?days=100&sort=days")).text
        assert re.findall(r">(D\d+)<", page) == [f"D{n}" for n in range(100, 120)]
        assert "&lt;b&gt;" in page
        assert "<b>=1" not in page
        second = (await client.get("/admin/reports/unused?days=10&page=2")).text
        assert "51–100 of 110" in second
        assert (await client.get("/admin/reports/unused?days=-1x")).status_code == 200


async def test_only_who_rules_sends_the_summary(fleet: Any) -> None:
    for name, status in (("auditor", 403), ("admin", 303)):
        async with visitor(fleet, name) as client:
            page = (await client.get("/admin/reports")).text
            found = re.search(r'name="csrf" value="([^"]+)"', page)
            assert found is not None
            sent = {"csrf": found.group(1), "to": "ben@example.com, nobody@example.com"}
            assert (await client.post("/admin/reports/mail", data=sent)).status_code == status
            assert (await client.post("/admin/reports/mail", data={"to": "ben@example.com"})).status_code == 403
    boxes = {info.folder.name: info.items for info in await fleet.app.embedded.admin.folders("ben")}
    assert boxes["Inbox"] == 1

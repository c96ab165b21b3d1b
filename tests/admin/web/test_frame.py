"""The pages' frame and the API, over HTTP: logins, roles, forged requests, guesses."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from eas.admin import staff
from eas.admin.acting import Caller, Face, Role
from eas.admin.web import openapi
from eas.admin.web.rates import Rates
from eas.store.audit import entries

BASE = "http://mail.example.com"
PASSWORD = "correct horse"


def browser(world: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(world.app.asgi), base_url=BASE)


@pytest.fixture
async def site(world: Any) -> Any:
    made = replace(world.app.site, caller=Caller(name="cli", role=Role.ADMIN, face=Face.CLI))
    for role in (Role.ADMIN, Role.HELPDESK, Role.AUDITOR):
        await staff.add(made, role.value, role, PASSWORD)
    return made


async def login(client: httpx.AsyncClient, name: str, password: str = PASSWORD, area: str = "/admin") -> httpx.Response:
    return await client.post(f"{area}/login", data={"login": name, "password": password, "next": area})


async def test_who_is_not_logged_in_is_asked_to_and_comes_to_the_page(world: Any, site: Any) -> None:
    async with browser(world) as client:
        asked = await client.get("/admin?x=1")
        assert (asked.status_code, asked.headers["location"]) == (303, "/admin/login?next=/admin%3Fx%3D1")
        form = await client.get(asked.headers["location"])
        assert form.status_code == 200
        assert 'value="/admin?x=1"' in form.text
        let_in = await login(client, "admin")
        assert let_in.status_code == 303
        assert "HttpOnly" in let_in.headers["set-cookie"]
        assert "samesite=lax" in let_in.headers["set-cookie"].lower()
        page = await client.get("/admin")
        assert page.status_code == 200
        assert "Administrator" in page.text


async def test_over_tls_the_cookie_is_bound_to_the_host(world: Any, site: Any) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(world.app.asgi), base_url="https://mail.example.com"
    ) as client:
        let_in = await login(client, "admin")
        assert let_in.headers["set-cookie"].startswith("__Host-eas-admin=")
        assert "Secure" in let_in.headers["set-cookie"]
        assert "strict-transport-security" in (await client.get("/admin")).headers


async def test_wrong_passwords_and_mailboxes_of_no_staff_are_turned_away(world: Any, site: Any) -> None:
    async with browser(world) as client:
        assert (await login(client, "admin", "wrong")).status_code == 401
        assert (await login(client, "anna@example.com", "anna-secret")).status_code == 403
        await staff.add(site, "anna@example.com", Role.HELPDESK)
        assert (await login(client, "anna@example.com", "anna-secret")).status_code == 303
        assert "Help desk" in (await client.get("/admin")).text


async def test_a_name_of_staff_with_a_password_of_its_own_is_not_the_mailbox_of_that_name(
    world: Any, site: Any
) -> None:
    await staff.add(site, "ben@example.com", Role.ADMIN, PASSWORD)
    async with browser(world) as client:
        assert (await login(client, "ben@example.com", "ben-secret")).status_code == 401
        assert (await login(client, "ben", "ben-secret")).status_code == 403


@pytest.mark.parametrize("onward", ["https://evil.example/", "//evil.example", "/admin\\@evil.example", "/adminx"])
async def test_nobody_is_sent_elsewhere_after_the_login(world: Any, site: Any, onward: str) -> None:
    async with browser(world) as client:
        answer = await client.post("/admin/login", data={"login": "admin", "password": PASSWORD, "next": onward})
        assert answer.headers["location"] == "/admin"


async def test_a_forged_request_does_nothing(world: Any, site: Any) -> None:
    async with browser(world) as client:
        await login(client, "admin")
        for headers in ({}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            answer = await client.post("/admin/logout", data={}, headers=headers)
            assert answer.status_code == 403
        token = re.search(r'name="csrf" value="([^"]+)"', (await client.get("/admin")).text)
        assert token is not None
        forged = await client.post("/admin/logout", data={"csrf": token[1]}, headers={"origin": "https://evil.example"})
        assert forged.status_code == 403
        assert (await client.get("/admin")).status_code == 200
        ours = await client.post("/admin/logout", data={"csrf": token[1]}, headers={"origin": BASE})
        assert ours.status_code == 303
        assert (await client.get("/admin")).status_code == 303


async def test_a_login_ends_when_it_is_old_unused_or_its_owner_gone(world: Any, site: Any) -> None:
    async with browser(world) as client:
        for name in ("admin", "auditor"):
            await login(client, name)
            assert (await client.get("/admin")).status_code == 200
            if name == "admin":
                (stored,) = await _sessions(world)
                await site.staff.use_session(stored.token, stored.used - timedelta(minutes=61))
            else:
                await staff.remove(site, name)
            assert (await client.get("/admin")).status_code == 303
    assert not await _sessions(world)


async def _sessions(world: Any) -> list[Any]:
    from sqlalchemy import select

    from eas.store.tables import page_session

    return await world.app.transactions.read(lambda c: c.execute(select(page_session)).all())


async def test_every_page_forbids_what_is_not_ours(world: Any, site: Any) -> None:
    async with browser(world) as client:
        for path in ("/admin/login", "/my/login", "/static/style.css", "/api/openapi.json", "/admin/none"):
            headers = (await client.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-frame-options"] == "DENY"
            assert headers["x-content-type-options"] == "nosniff"


async def test_guessing_is_throttled_by_login_and_address(world: Any, site: Any) -> None:
    async with browser(world) as client:
        statuses = [(await login(client, "admin", f"guess {n}")).status_code for n in range(30)]
        assert statuses[0] == 401
        assert statuses[-1] == 503
        assert statuses.count(401) < 20


async def test_one_address_cannot_wear_the_server_down() -> None:
    rates = Rates(burst=3, per_second=1)
    assert [rates.wait("10.0.0.1", 0.0) for _ in range(3)] == [0, 0, 0]
    assert rates.wait("10.0.0.1", 0.0) == 1.0
    assert rates.wait("10.0.0.2", 0.0) == 0
    assert rates.wait("10.0.0.1", 2.0) == 0


# The API ------------------------------------------------------------------------------------------------------------


async def test_a_program_with_a_token_does_what_its_role_may(world: Any, site: Any) -> None:
    tokens = {role: (await staff.add_token(site, role, "test"))["token"] for role in ("admin", "auditor")}
    async with browser(world) as client:
        assert (await client.get("/api/v1/users")).status_code == 401
        assert (await client.get("/api/v1/users", headers=bearer("eas_wrong"))).status_code == 401
        found = await client.get("/api/v1/users", headers=bearer(tokens["auditor"]))
        assert {one["login"] for one in found.json()} >= {"anna", "ben"}
        assert (await client.get("/api/v1/users/nobody", headers=bearer(tokens["admin"]))).status_code == 404
        wipe = "/api/v1/users/anna/devices/NONE/wipe"
        assert (await client.post(wipe, headers=bearer(tokens["auditor"]))).status_code == 403
        assert (await client.post(wipe, headers=bearer(tokens["admin"]))).status_code == 404
        wrong = await client.post(wipe, headers=bearer(tokens["admin"]), json={"no_such": 1})
        assert wrong.status_code == 422
        assert "no_such" in wrong.json()["error"]
        await staff.remove(site, "auditor")
        assert (await client.get("/api/v1/users", headers=bearer(tokens["auditor"]))).status_code == 401
    log = await world.app.transactions.read(entries)
    assert [(e.actor, e.outcome[:9]) for e in log if e.action == "device.wipe"] == [
        ("auditor", "forbidden"), ("admin", "refused: ")
    ]


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_page_may_ask_the_api_but_change_nothing_without_its_token(world: Any, site: Any) -> None:
    async with browser(world) as client:
        await login(client, "admin")
        assert (await client.get("/api/v1/devices")).json() == []
        assert (await client.delete("/api/v1/tokens/none")).status_code == 403


async def test_the_description_has_every_action_with_a_path(world: Any) -> None:
    from eas.admin.acting import ACTIONS

    async with browser(world) as client:
        described = (await client.get("/api/openapi.json")).json()
    operations = {op["operationId"] for path in described["paths"].values() for op in path.values()}
    assert operations == {one.name for one in ACTIONS.values() if one.path}
    assert all(openapi.arguments_of(one) for one in ACTIONS.values())


class TestNetworks:
    @pytest.fixture
    def world_settings(self) -> dict[str, Any]:
        return {"pages.staff_networks": ["10.0.0.0/8"]}

    async def test_staff_pages_are_there_for_their_networks_alone(self, world: Any) -> None:
        async with browser(world) as client:
            assert (await client.get("/admin/login")).status_code == 404
            assert (await client.get("/api/v1/users")).status_code == 404
            assert (await client.get("/my/login")).status_code == 200


class TestOff:
    @pytest.fixture
    def world_settings(self) -> dict[str, Any]:
        return {"pages.enabled": False}

    async def test_pages_can_be_switched_off(self, world: Any) -> None:
        async with browser(world) as client:
            assert (await client.get("/admin/login")).status_code == 404

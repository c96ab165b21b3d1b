"""Logging in to the pages with a real identity provider, and what comes back otherwise than it should."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from groupware.glewlwyd import GATEWAY, GATEWAY_SECRET, Glewlwyd

from eas import app, config
from eas.admin import actions, staff
from eas.admin.acting import SERVER, Role
from eas.store.audit import entries

BASE = "http://mail.example.com"


@asynccontextmanager
async def opened(data: Path, provider: Glewlwyd, **oidc: Any) -> AsyncIterator[tuple[app.App, httpx.AsyncClient]]:
    """A gateway that asks the provider, and a browser."""
    told = {
        "issuer": provider.issuer, "client_id": GATEWAY, "client_secret": GATEWAY_SECRET, "name": "Example Login",
        "scopes": ["openid", "mail"], "admins": ["mail-admins"], "helpdesk": ["desk"], "auditors": ["audit"], **oidc,
    }
    settings = {"data": str(data), "domain": "example.com", "oidc": told}
    async with app.build(config.load(None, settings, {})) as parts:
        await actions.add_user(replace(parts.site, caller=SERVER), "anna@example.com", "anna-secret", {})
        transport = httpx.ASGITransport(parts.asgi)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as browser:
            yield parts, browser


Log = Callable[..., Any]


@pytest.fixture(scope="module")
def people(glewlwyd: Glewlwyd) -> dict[str, str]:
    """Passwords at the provider: Anna has a mailbox here, the others have not."""
    groups = {"anna": (), "root": ("all", "mail-admins", "audit"), "desk": ("desk",), "nobody": ("all",)}
    return {name: glewlwyd.new_user(_address(name), *of) for name, of in groups.items()}


def _address(name: str) -> str:
    return "anna@example.com" if name == "anna" else f"pages-{name}@example.com"


async def there_and_back(
    browser: httpx.AsyncClient, provider: Glewlwyd, people: dict[str, str], name: str, area: str = "/admin",
    onward: str = "",
) -> httpx.Response:
    """What somebody's browser does; the answer to where the provider sent it back to."""
    asked = await browser.get(f"{area}/oidc/start", params={"next": onward} if onward else {})
    assert asked.status_code == 303, asked.text
    back = provider.log_in(asked.headers["location"], _address(name), people[name])
    return await browser.get(back)


async def test_the_form_offers_it_and_sends_the_browser_there(
    glewlwyd: Glewlwyd, tmp_path: Path
) -> None:
    async with opened(tmp_path, glewlwyd) as (_, browser):
        form = await browser.get("/admin/login?next=/admin/x")
        assert "Log in with Example Login" in form.text
        assert 'href="/admin/oidc/start?next=%2Fadmin%2Fx"' in form.text
        asked = await browser.get("/admin/oidc/start")
        where = urlsplit(asked.headers["location"])
        told = parse_qs(where.query)
        assert f"{where.scheme}://{where.netloc}{where.path}" == f"{glewlwyd.issuer}/auth"
        assert told["code_challenge_method"] == ["S256"]
        assert told["redirect_uri"] == [f"{BASE}/admin/oidc/callback"]
        assert len(told["state"][0]) > 40
        assert len(told["nonce"][0]) > 40
        assert told["response_type"] == ["code"]
        assert "HttpOnly" in asked.headers["set-cookie"]
        again = parse_qs(urlsplit((await browser.get("/admin/oidc/start")).headers["location"]).query)
        assert not {told["state"][0], told["nonce"][0], told["code_challenge"][0]} & {
            again["state"][0], again["nonce"][0], again["code_challenge"][0]
        }


async def test_roles_come_from_groups(glewlwyd: Glewlwyd, people: dict[str, str], tmp_path: Path) -> None:
    async with opened(tmp_path, glewlwyd) as (parts, browser):
        let_in = await there_and_back(browser, glewlwyd, people, "root", onward="/admin/devices?x=1")
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/admin/devices?x=1")
        assert "Administrator" in (await browser.get("/admin")).text
        let_in = await there_and_back(browser, glewlwyd, people, "desk")
        assert "Help desk" in (await browser.get("/admin")).text
        logged = [one for one in await parts.transactions.read(entries) if one.action == "login"]
        assert [(one.actor, one.role) for one in logged] == [
            ("pages-root@example.com", "admin"), ("pages-desk@example.com", "helpdesk")
        ]


async def test_who_is_in_no_group_is_staff_by_the_mailbox_or_not_at_all(
    glewlwyd: Glewlwyd, people: dict[str, str], tmp_path: Path
) -> None:
    async with opened(tmp_path, glewlwyd) as (parts, browser):
        assert (await there_and_back(browser, glewlwyd, people, "nobody")).status_code == 403
        assert (await there_and_back(browser, glewlwyd, people, "anna")).status_code == 403
        assert (await browser.get("/admin")).status_code == 303
        site = replace(parts.site, caller=SERVER)
        await staff.add(site, "anna@example.com", Role.AUDITOR)
        assert (await there_and_back(browser, glewlwyd, people, "anna")).status_code == 303
        assert "Auditor" in (await browser.get("/admin")).text
        # A name of the staff that has a password of its own is nobody's at the provider.
        await staff.add(site, "pages-nobody@example.com", Role.ADMIN, "a password of its own")
        assert (await there_and_back(browser, glewlwyd, people, "nobody")).status_code == 403


async def test_owners_come_in_by_their_mailbox(
    glewlwyd: Glewlwyd, people: dict[str, str], tmp_path: Path
) -> None:
    async with opened(tmp_path, glewlwyd) as (_, browser):
        let_in = await there_and_back(browser, glewlwyd, people, "anna", "/my")
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/my")
        assert (await there_and_back(browser, glewlwyd, people, "root", "/my")).status_code == 403
    async with opened(tmp_path / "other", glewlwyd, owners=False) as (_, browser):
        assert (await browser.get("/my/oidc/start")).status_code == 404
        assert "Example Login" not in (await browser.get("/my/login")).text


async def test_nothing_leads_elsewhere(glewlwyd: Glewlwyd, people: dict[str, str], tmp_path: Path) -> None:
    async with opened(tmp_path, glewlwyd) as (_, browser):
        elsewhere = ("https://evil.example.com/", "//evil.example.com", "/my", "/admin/..//evil", "\\\\evil", "/adminx")
        for onward in elsewhere:
            let_in = await there_and_back(browser, glewlwyd, people, "root", onward=onward)
            assert (let_in.status_code, let_in.headers["location"]) == (303, "/admin"), onward


async def test_what_comes_back_must_belong_to_what_was_begun(
    glewlwyd: Glewlwyd, people: dict[str, str], tmp_path: Path
) -> None:
    async with opened(tmp_path, glewlwyd) as (parts, browser):
        other = httpx.AsyncClient(transport=httpx.ASGITransport(parts.asgi), base_url=BASE)
        asked = await browser.get("/admin/oidc/start")
        back = glewlwyd.log_in(asked.headers["location"], _address("root"), people["root"])
        assert (await other.get(back)).status_code == 400  # another browser, which has begun nothing
        await other.get("/admin/oidc/start")
        assert (await other.get(back)).status_code == 401  # or something else
        told = dict(httpx.URL(back).params)
        for wrong in (
            told | {"state": "x"}, {"code": told["code"]}, told | {"iss": "https://evil.example.com"},
            told | {"error": "access_denied"}, {"state": told["state"]}, told | {"code": "made-up"},
        ):
            asked = await browser.get("/admin/oidc/start")
            state = parse_qs(urlsplit(asked.headers["location"]).query)["state"][0]
            if wrong.get("state") == told["state"]:
                wrong = wrong | {"state": state}
            got = await browser.get(f"/admin/oidc/callback?{urlencode(wrong)}")
            assert got.status_code == 401, wrong
            assert "evil" not in got.text
        # The code of one login in the callback of another: PKCE and the nonce stand against it.
        first = await browser.get("/admin/oidc/start")
        stolen = glewlwyd.log_in(first.headers["location"], _address("root"), people["root"])
        second = await browser.get("/admin/oidc/start")
        state = parse_qs(urlsplit(second.headers["location"]).query)["state"][0]
        mixed = dict(httpx.URL(stolen).params) | {"state": state}
        assert (await browser.get(f"/admin/oidc/callback?{urlencode(mixed)}")).status_code == 401
        assert (await browser.get("/admin")).status_code == 303
        await other.aclose()


async def test_a_login_works_once(glewlwyd: Glewlwyd, people: dict[str, str], tmp_path: Path) -> None:
    async with opened(tmp_path, glewlwyd) as (_, browser):
        asked = await browser.get("/admin/oidc/start")
        back = glewlwyd.log_in(asked.headers["location"], _address("root"), people["root"])
        assert (await browser.get(back)).status_code == 303
        assert (await browser.get(back)).status_code == 400


async def test_for_staff_is_not_for_owners_and_the_other_way_round(
    glewlwyd: Glewlwyd, people: dict[str, str], tmp_path: Path
) -> None:
    async with opened(tmp_path, glewlwyd) as (_, browser):
        asked = await browser.get("/my/oidc/start")
        back = glewlwyd.log_in(asked.headers["location"], _address("anna"), people["anna"])
        assert (await browser.get(back.replace("/my/", "/admin/"))).status_code == 400


async def test_a_provider_that_is_away_is_said_so(glewlwyd: Glewlwyd, tmp_path: Path) -> None:
    async with opened(tmp_path, glewlwyd, issuer="http://localhost:9/oidc") as (_, browser):
        got = await browser.get("/admin/oidc/start")
        assert got.status_code == 503
        assert "does not answer" in got.text
        assert (await browser.get("/admin/oidc/logout")).headers["location"] == "/admin/login"


async def test_logging_out_leads_to_the_provider(
    glewlwyd: Glewlwyd, people: dict[str, str], tmp_path: Path
) -> None:
    async with opened(tmp_path, glewlwyd) as (_, browser):
        gone = await browser.get("/admin/oidc/logout")
        assert gone.headers["location"].startswith(f"{glewlwyd.issuer}/end_session?client_id=gateway")
        assert f"post_logout_redirect_uri={BASE}/admin/login".replace(":", "%3A").replace("/", "%2F")[-20:] in (
            gone.headers["location"]
        )

"""Every page in a real browser: light and dark, wide and on a phone; nothing from elsewhere, nothing that the content
policy refuses, no serious fault by axe-core."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser
from serving import Server
from standing_office import NARROW, WIDE, LivePhone, Watched, filled, living, tab

from eas.admin.web.sessions import ADMIN, MY
from eas.admin.web.tour import plain_paths

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]

GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with filled(Path(tmp_path_factory.mktemp("office")), 60) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def phone(server: Server) -> AsyncIterator[LivePhone]:
    async with living(server, "anna", "SHOWN") as made:
        yield made


def staff_paths() -> list[str]:
    return [
        *plain_paths(ADMIN), "/admin?span=168", "/admin/devices?state=unused&sort=user", "/admin/devices?q=nobody",
        "/admin/devices/anna@example.test/SHOWN", "/admin/users/anna@example.test", "/admin/users/emma@example.test",
        "/admin/live?by=hand",
    ]


async def faults(watched: Watched, path: str) -> list[str]:
    """What is wrong with a page, in words."""
    await watched.go(path)
    found = []
    if (pixels := await watched.too_wide()) > 0:
        found.append(f"{path}: {pixels} pixels too wide")
    found += [f"{path}: asks {url}" for url in watched.elsewhere]
    found += [f"{path}: {text}" for text in watched.complaints]
    watched.elsewhere.clear()
    watched.complaints.clear()
    told = await Axe().run(watched.page)
    for one in told.response["violations"]:
        if one["impact"] in GRAVE:
            where = "; ".join(" ".join(node["target"]) for node in one["nodes"][:3])
            found.append(f"{path}: {one['id']} ({one['impact']}): {one['help']} at {where}")
    watched.complaints.clear()
    return found


@pytest.mark.parametrize(("dark", "size"), [(False, WIDE), (True, WIDE), (False, NARROW), (True, NARROW)])
async def test_pages_of_staff(
    server: Server, browser: Browser, phone: LivePhone, dark: bool, size: Mapping[str, int]
) -> None:
    async with tab(browser, server, staff="root", dark=dark, size=size) as watched:
        found = [fault for path in staff_paths() for fault in await faults(watched, path)]
    assert found == []


@pytest.mark.parametrize(("dark", "size"), [(False, WIDE), (True, NARROW)])
async def test_pages_of_owners(
    server: Server, browser: Browser, phone: LivePhone, dark: bool, size: Mapping[str, int]
) -> None:
    paths = [*plain_paths(MY), "/my/phones/SHOWN"]
    async with tab(browser, server, owner="anna", dark=dark, size=size) as watched:
        found = [fault for path in paths for fault in await faults(watched, path)]
    assert found == []


@pytest.mark.parametrize(("dark", "size"), [(False, WIDE), (True, NARROW)])
async def test_pages_for_everybody(server: Server, browser: Browser, dark: bool, size: Mapping[str, int]) -> None:
    async with tab(browser, server, dark=dark, size=size) as watched:
        found = [fault for path in ("/admin/login", "/my/login") for fault in await faults(watched, path)]
    assert found == []


async def test_what_asks_before_it_does(server: Server, browser: Browser, phone: LivePhone) -> None:
    async with tab(browser, server, staff="root", dark=True) as watched:
        await watched.go("/admin/devices/anna@example.test/SHOWN")
        await watched.page.get_by_role("button", name="Remove").click()
        told = await Axe().run(watched.page)
        assert [one["id"] for one in told.response["violations"] if one["impact"] in GRAVE] == []
        await watched.page.get_by_role("link", name="Do not").click()
        assert phone.told == ""
        watched.clean()


async def test_the_live_view_refreshes_itself(server: Server, browser: Browser, phone: LivePhone) -> None:
    async with tab(browser, server, staff="root") as watched:
        await watched.go("/admin/live")
        row = watched.page.locator("#now tbody tr").filter(has_text="SHOWN").filter(has_text="Ping")
        first = await row.inner_text()  # when it is there: between two Pings it is not
        await watched.page.wait_for_function(
            "told => !document.querySelector('#now').innerText.includes(told)", arg=first, timeout=60_000
        )
        watched.clean()


async def test_the_live_view_without_a_script(server: Server, browser: Browser, phone: LivePhone) -> None:
    async with tab(browser, server, staff="root", script=False) as watched:
        await watched.go("/admin/live")
        await watched.page.get_by_role("link", name="Refresh without a script").click()
        await watched.page.locator("#now tbody tr").filter(has_text="SHOWN").wait_for()  # it may be between two Pings
        assert await watched.page.locator("meta[http-equiv=refresh]").get_attribute("content") == "2"

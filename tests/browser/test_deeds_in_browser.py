"""What staff does on the pages, in a real browser, and what the phones that are in use at the time make of it."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser
from serving import Server
from standing_office import NARROW, Watched, living, tab

from eas.client.errors import Forbidden, Refusal

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]


async def choose(watched: Watched, device: str, deed: str) -> None:
    """In the list of devices: the tick, the deed, the button."""
    page = watched.page
    await watched.go(f"/admin/devices?q={device}")
    await page.get_by_role("checkbox", name=f"Choose {device}").check()
    await page.get_by_label("With those chosen").select_option(label=deed)
    await page.get_by_role("button", name="Go on").click()


async def said(watched: Watched) -> str:
    return await watched.page.get_by_role("status").first.inner_text()


async def test_a_blocked_phone_is_blocked_while_it_waits_and_let_in_again(server: Server, browser: Browser) -> None:
    async with living(server, "anna", "BLOCKME") as phone, tab(browser, server, staff="root") as watched:
        await choose(watched, "BLOCKME", "Block")
        assert "let in no more" in await watched.page.inner_text("main")
        assert phone.told == ""
        await watched.page.get_by_role("button", name="Block").click()
        assert "1 device blocked" in await said(watched)
        await phone.until(lambda one: one.told.startswith("refused"))
        await choose(watched, "BLOCKME", "Let in")
        assert "1 device let in" in await said(watched)
        await phone.phone.folder_sync()
        watched.clean()


async def test_a_wiped_phone_is_wiped_while_it_waits_and_stays_out(server: Server, browser: Browser) -> None:
    async with living(server, "ben", "LOSTONE") as phone, tab(browser, server, staff="root") as watched:
        await choose(watched, "LOSTONE", "Wipe")
        assert "erase itself" in await watched.page.inner_text("main")
        await watched.page.get_by_role("button", name="Wipe", exact=True).click()
        assert "1 device to be wiped" in await said(watched)
        await phone.until(lambda one: one.told == "wiped")
        await watched.go("/admin/devices?q=LOSTONE")
        assert "wiped" in await watched.page.inner_text("tbody tr")
        with pytest.raises((Forbidden, Refusal)):
            await phone.phone.folder_sync()
        watched.clean()


async def test_nothing_happens_to_a_phone_whose_owner_was_spared_in_time(server: Server, browser: Browser) -> None:
    """The page that asks has a way back, and a wipe can be taken back as long as the phone has not come."""
    async with living(server, "anna", "SPARED") as phone, tab(browser, server, staff="root") as watched:
        await choose(watched, "SPARED", "Wipe")
        await watched.page.get_by_role("link", name="Do not").click()
        assert phone.told == ""
        await phone.end()
        await choose(watched, "SPARED", "Wipe")
        await watched.page.get_by_role("button", name="Wipe", exact=True).click()
        await choose(watched, "SPARED", "Cancel the wipe")
        await phone.phone.folder_sync()
        watched.clean()


async def test_many_are_chosen_by_what_they_have_in_common(server: Server, browser: Browser) -> None:
    async with (
        living(server, "anna", "MANYA", "samsung") as one, living(server, "ben", "MANYB", "samsung") as two,
        living(server, "ben", "NOTME") as other, tab(browser, server, staff="root") as watched,
    ):
        await watched.go("/admin/devices?kind=Samsung&rows=1")
        await watched.page.get_by_label("All 2 that match").check()
        await watched.page.get_by_label("With those chosen").select_option(label="Block")
        await watched.page.get_by_role("button", name="Go on").click()
        await watched.page.get_by_role("button", name="Block").click()
        assert "2 devices blocked" in await said(watched)
        for phone in (one, two):
            await phone.until(lambda one: one.told.startswith("refused"))
        assert other.told == ""
        watched.clean()


async def test_a_removed_phone_begins_anew(server: Server, browser: Browser) -> None:
    async with living(server, "carla", "FORGETME") as phone, tab(browser, server, staff="root") as watched:
        held = phone.inbox
        await phone.end()
        await choose(watched, "FORGETME", "Remove")
        await watched.page.get_by_role("button", name="Remove").click()
        await watched.go("/admin/devices?q=FORGETME")
        assert "No device is like that" in await watched.page.inner_text("main")
        await phone.phone.folder_sync()
        await phone.phone.sync()
        assert sorted(phone.inbox.values()) == sorted(held.values())
        watched.clean()


async def test_help_desk_is_not_offered_what_it_may_not(server: Server, browser: Browser) -> None:
    async with living(server, "anna", "HELPED"), tab(browser, server, staff="helen") as watched:
        await watched.go("/admin/devices?q=HELPED")
        offered = await watched.page.locator("#do option").all_inner_texts()
        assert "Block" in offered
        assert not {"Wipe", "Remove"} & set(offered)
        watched.clean()


async def test_auditors_see_and_do_nothing(server: Server, browser: Browser) -> None:
    async with living(server, "anna", "AUDITED"), tab(browser, server, staff="audrey") as watched:
        await watched.go("/admin/devices?q=AUDITED")
        assert await watched.page.locator("#do").count() == 0
        assert await watched.page.get_by_role("checkbox").count() == 0
        watched.clean()


async def test_by_keyboard_alone(server: Server, browser: Browser) -> None:
    """From the address bar to a blocked phone with Tab, space, arrows and Enter."""
    async with living(server, "ben", "KEYBOARD") as phone, tab(browser, server, staff="root") as watched:
        page = watched.page
        await watched.go("/admin/devices?q=KEYBOARD")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await page.keyboard.press("Enter")
        await tab_to(watched, "#do")
        await page.keyboard.type("Block")
        await tab_to(watched, "input[name=device]")
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/devices/do")
        await tab_to(watched, "main form button")
        await page.keyboard.press("Enter")
        await phone.until(lambda one: one.told.startswith("refused"))
        watched.clean()


async def tab_to(watched: Watched, selector: str, most: int = 60) -> None:
    for _ in range(most):
        await watched.page.keyboard.press("Tab")
        if await watched.page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


async def test_without_a_script_and_on_a_small_screen(server: Server, browser: Browser) -> None:
    async with (
        living(server, "carla", "SCRIPTLESS") as phone,
        tab(browser, server, staff="root", script=False, size=NARROW) as watched,
    ):
        await choose(watched, "SCRIPTLESS", "Block")
        await watched.page.get_by_role("button", name="Block").click()
        assert "1 device blocked" in await said(watched)
        await phone.until(lambda one: one.told.startswith("refused"))


async def test_a_user_without_activesync_is_not_let_in(server: Server, browser: Browser) -> None:
    async with living(server, "carla", "SWITCHED") as phone, tab(browser, server, staff="root") as watched:
        page = watched.page
        await watched.go("/admin/users?q=carla")
        await page.get_by_role("link", name="Carla").click()
        await page.get_by_role("button", name="Switch ActiveSync off").click()
        assert phone.told == ""
        await page.get_by_role("button", name="Switch ActiveSync off").click()
        await phone.until(lambda one: bool(one.told))
        assert phone.told.startswith("refused")
        await page.get_by_role("button", name="Switch ActiveSync on").click()
        await phone.phone.folder_sync()
        watched.clean()


async def test_an_export_is_what_the_filters_leave(server: Server, browser: Browser) -> None:
    async with living(server, "anna", "EXPORTED", "outlook"), tab(browser, server, staff="root") as watched:
        await watched.go("/admin/devices?q=EXPORTED")
        async with watched.page.expect_download() as download:
            await watched.page.get_by_role("link", name="CSV").click()
        text = (await (await download.value).path()).read_text()
        lines = text.splitlines()
        assert len(lines) == 2
        assert "EXPORTED" in lines[1]
        watched.clean()

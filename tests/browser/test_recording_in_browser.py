"""A device recorded from its page in a real browser, by somebody who looks for what goes wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser
from serving import Server
from standing_office import NARROW, WIDE, Watched, eas, living, tab

from eas.replay.format.reading import open_session

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

PATH = "/admin/devices/anna@example.test/"
LETTER = "From: Ben <ben@example.test>\nTo: anna@example.test\nSubject: {}\n\nHello.\n"
#: Where pictures go, for who wants to look; nowhere, unless it is set.
PICTURES = os.environ.get("EAS_BENCH_DATA", "")


async def section(watched: Watched) -> str:
    return await watched.page.locator("#recordings").inner_text()


async def pictures(watched: Watched, name: str) -> None:
    assert await watched.too_wide() == 0
    if PICTURES:
        await watched.page.locator("#recordings").screenshot(path=f"{PICTURES}/{name}.png")


@pytest.mark.parametrize("script", [True, False])
async def test_a_phone_is_recorded_stopped_downloaded_and_removed(
    server: Server, browser: Browser, tmp_path: Path, script: bool
) -> None:
    device = f"RECORDED{int(script)}"
    async with (
        living(server, "anna", device) as phone, tab(browser, server, staff="helen", script=script) as watched,
    ):
        page = watched.page
        await watched.go(PATH + device)
        for word in ("Never recorded", "Masked", "made-up"):
            assert word in await page.locator("#recordings").inner_html()
        await pictures(watched, "recording-none")
        await page.get_by_label("For", exact=True).select_option("8 hours")
        await page.get_by_label("Note").fill("calendar is empty")
        rounds = phone.rounds
        await page.get_by_role("button", name="Record", exact=True).click()
        assert "is recorded, for 8 hours" in await page.get_by_role("status").first.inner_text()
        assert "calendar is empty" in await section(watched)
        letter = server.data / "letter.eml"
        letter.write_text(LETTER.format(f"A secret of {device}"), encoding="utf-8")
        await phone.until(lambda one: one.rounds > rounds)  # it waited, and was called
        eas("deliver", "anna", str(letter), data=server.data)
        await phone.until(lambda one: f"A secret of {device}" in one.inbox.values())
        await reload_until(watched, PATH + device, " requests, ")
        await pictures(watched, "recording-on")
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="Download recording").click()
        file = tmp_path / (await downloading.value).suggested_filename
        await (await downloading.value).save_as(file)
        with open_session(file) as session:
            said = str(list(session.exchanges))
        assert "Cmd=Ping" in said
        assert "A secret" not in said
        await page.get_by_role("button", name="Stop").click()
        assert "stopped by helen" in await section(watched)
        await pictures(watched, "recording-over")
        await page.get_by_role("button", name="Remove").click()
        assert "stopped by helen" not in await section(watched)
        watched.clean()


async def reload_until(watched: Watched, path: str, text: str) -> None:
    for _ in range(60):
        await watched.go(path)
        if text in await section(watched):
            return
        await watched.page.wait_for_timeout(250)
    raise AssertionError(await section(watched))


@pytest.mark.parametrize(("dark", "size"), [(False, WIDE), (True, WIDE), (True, NARROW), (False, NARROW)])
async def test_one_with_contents_is_shown_as_such_and_the_owner_is_told(
    server: Server, browser: Browser, dark: bool, size: dict[str, int]
) -> None:
    device = f"LOUD{int(dark)}{size['width']}"
    name = f"{'dark' if dark else 'light'}-{size['width']}"
    async with living(server, "anna", device):
        for note in ("first", "second"):
            eas("session", "record", "start", "anna", device, "--contents", "--note", note, data=server.data)
            number = eas("session", "record", "list", data=server.data).split("\t")[0]
            if note == "first":
                eas("session", "record", "stop", number, data=server.data)
        async with tab(browser, server, staff="root", dark=dark, size=size) as watched:
            await watched.go(PATH + device)
            assert "not masked" in await section(watched)
            await pictures(watched, f"contents-{name}")
            watched.clean()
        async with tab(browser, server, owner="anna", dark=dark, size=size) as watched:
            await watched.go("/my")
            text = await watched.page.inner_text("main")
            assert "Your phone iPhone 14 is being recorded" in text
            assert "With contents" in text
            assert await watched.too_wide() == 0
            if PICTURES:
                await watched.page.screenshot(path=f"{PICTURES}/my-{name}.png")
            watched.clean()
        eas("session", "record", "stop", number, data=server.data)

"""A device's page in a real browser, and what the phone makes of what is done there."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser
from serving import Server
from standing_office import LivePhone, Watched, eas, living, tab

from eas.engine.model import FolderType

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

PATH = "/admin/devices/anna@example.test/"
LETTER = "From: Ben <ben@example.test>\nTo: anna@example.test\nSubject: {}\n\nHello.\n"


async def row(watched: Watched, folder: str) -> str:
    return await watched.page.locator("#folders tbody tr").filter(has_text=folder).first.inner_text()


async def test_a_folder_comes_again_without_doubles_while_the_phone_waits(server: Server, browser: Browser) -> None:
    async with living(server, "anna", "RESYNCED") as phone, tab(browser, server, staff="root") as watched:
        before, key = phone.inbox, phone.phone.state.folder(FolderType.INBOX).sync_key
        assert len(before) > 3
        await watched.go(PATH + "RESYNCED")
        assert "in step" in await row(watched, "Inbox")
        await watched.page.get_by_role("button", name="Fetch anew Inbox").click()
        assert "1 folder anew" in await watched.page.get_by_role("status").first.inner_text()
        await phone.until(lambda one: resets(one) > 0)
        await phone.until(lambda one: one.inbox == before and one.phone.state.folder(FolderType.INBOX).sync_key != key)
        watched.clean()


def resets(phone: LivePhone) -> int:
    """How often the inbox was begun anew."""
    inbox = phone.phone.state.folder(FolderType.INBOX).id
    return sum(1 for report in phone.reports if (change := report.changes.get(inbox)) is not None and change.reset)


async def test_a_repair_drops_nothing(server: Server, browser: Browser) -> None:
    async with living(server, "anna", "REPAIRED") as phone, tab(browser, server, staff="helen") as watched:
        before = phone.inbox
        await watched.go(PATH + "REPAIRED")
        await watched.page.get_by_role("button", name="Repair").click()
        assert "compared" in await watched.page.get_by_role("status").first.inner_text()
        letter = server.data / "letter.eml"
        letter.write_text(LETTER.format("After the repair"), encoding="utf-8")
        eas("deliver", "anna", str(letter), data=server.data)
        await phone.until(lambda one: "After the repair" in one.inbox.values())
        assert resets(phone) == 0
        assert before.items() <= phone.inbox.items()
        watched.clean()


async def test_what_it_did_is_told_in_words(server: Server, browser: Browser) -> None:
    async with living(server, "anna", "TOLD"), tab(browser, server, staff="audrey") as watched:
        await watched.go(PATH + "TOLD")
        text = await watched.page.inner_text("main")
        for word in ("iPhone 14", "iOS 26.1", "EAS 16.1", "All is well", "Last answers", "items to the phone"):
            assert word in text
        assert await watched.page.locator("#events li").count() > 3
        assert await watched.page.get_by_role("button", name="Fetch anew").count() == 0
        watched.clean()


async def test_a_quirk_is_switched_and_left_to_the_table_again(server: Server, browser: Browser) -> None:
    async with living(server, "anna", "QUIRKY"), tab(browser, server, staff="root") as watched:
        page = watched.page
        await watched.go(PATH + "QUIRKY")
        await page.get_by_text("Switch another one on").click()
        await page.get_by_label("Quirk", exact=True).select_option("whole-bodies")
        await page.get_by_role("button", name="Switch on").click()
        assert "whole-bodies is switched on" in await page.get_by_role("status").first.inner_text()
        assert "whole-bodies" in eas("device", "show", "anna", "QUIRKY", data=server.data)
        await page.get_by_role("button", name="As usual whole-bodies").click()
        assert "as for all devices" in await page.get_by_role("status").first.inner_text()
        watched.clean()


async def test_a_block_is_told_with_what_decided_it(server: Server, browser: Browser) -> None:
    async with living(server, "anna", "DECIDED") as phone, tab(browser, server, staff="root") as watched:
        page = watched.page
        await watched.go(PATH + "DECIDED")
        await page.get_by_role("button", name="Block").click()
        await page.get_by_role("button", name="Block").click()
        await phone.until(lambda one: one.told.startswith("refused"))
        await watched.go(PATH + "DECIDED")
        text = await page.inner_text("main")
        assert "blocked" in text
        assert "Decided by" in text
        await page.get_by_role("button", name="Let in").click()
        await phone.phone.folder_sync()
        watched.clean()

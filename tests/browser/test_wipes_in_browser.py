"""A wipe for which two persons are needed, in a real browser and on a phone that waits meanwhile; mails and the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser
from serving import Server
from standing_office import STAFF_PASSWORD, LivePhone, Watched, eas, living, office, tab

from eas.client.errors import Refusal

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

SETTINGS = {"EAS_WIPE__TWO_PERSONS": "true", "EAS_NOTICES__ADMINS": "ben@example.test"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server where one of the staff alone wipes nothing."""
    folder = Path(tmp_path_factory.mktemp("strict"))
    with office(folder, SETTINGS) as server:
        eas("staff", "add", "rita", "--role", "admin", "--password-stdin", data=folder / "data",
            stdin=f"{STAFF_PASSWORD}\n")
        yield server


async def ask(watched: Watched, device: str) -> None:
    page = watched.page
    await watched.go(f"/admin/devices?q={device}")
    await page.get_by_role("checkbox", name=f"Choose {device}").check()
    await page.get_by_label("With those chosen").select_option(label="Wipe")
    await page.get_by_role("button", name="Go on").click()
    await page.get_by_role("button", name="Wipe", exact=True).click()


async def test_one_asks_another_agrees_and_the_phone_is_wiped(strict: Server, browser: Browser) -> None:
    async with (
        living(strict, "anna", "LOSTONE") as phone, tab(browser, strict, staff="root") as root,
        tab(browser, strict, staff="rita", script=False) as rita,
    ):
        await ask(root, "LOSTONE")
        await root.go("/admin/wipes")
        assert "somebody else has to agree" in await root.page.inner_text("main")
        assert await root.page.get_by_role("button", name="Agree to the wipe").count() == 0
        assert phone.told == ""
        await rita.go("/admin/wipes")
        await rita.page.get_by_role("button", name="Agree to the wipe").click()
        assert "is wiped at its next request" in await rita.page.get_by_role("status").first.inner_text()
        await phone.until(lambda one: one.told == "wiped")
        with pytest.raises(Refusal, match="129"):
            await phone.phone.folder_sync()
        await rita.go("/admin/audit?device=LOSTONE")
        shown = await rita.page.inner_text("tbody")
        assert all(name in shown for name in ("device.wipe", "wipe.approve", "wipe.sent", "wipe.done"))
        await rita.go("/admin/wipes")
        await rita.page.get_by_role("button", name="Allow again LOSTONE").click()
        await phone.phone.set_up()
        root.clean()
        rita.clean()
    await who_looks_after_phones_is_told_by_mail(strict)


async def who_looks_after_phones_is_told_by_mail(strict: Server) -> None:
    async with living(strict, "ben", "READER") as reader:
        await reader.until(lambda one: told_of_it(one) == {
            "Remote wipe waits for a second person", "Remote wipe asked for", "Remote wipe done"
        })


def told_of_it(reader: LivePhone) -> set[str]:
    return {subject.partition(":")[0] for subject in reader.inbox.values() if "LOSTONE" in subject}


async def test_the_log_is_verified_on_its_page(strict: Server, browser: Browser) -> None:
    async with tab(browser, strict, staff="audrey") as watched:
        await watched.go("/admin/audit")
        await watched.page.get_by_role("link", name="Verify").click()
        assert "The log is whole" in await watched.page.get_by_role("status").inner_text()
        head = await watched.page.get_by_text("Last entry", exact=True).locator("+ dd").inner_text()
        await watched.page.get_by_label("Last entry of that time").fill(head)
        await watched.page.get_by_role("button", name="Verify").click()
        assert "is among them" in await watched.page.get_by_role("status").inner_text()
        watched.clean()

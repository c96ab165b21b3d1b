"""Find, as far as a device cannot see it by itself. [MS-ASCMD] Find; the rest is in the conformance cases."""

from __future__ import annotations

from typing import Any

from wire import Got, Wire, e

from eas.client.services import find_messages
from eas.protocol.version import Version


def letter(subject: str) -> bytes:
    return (
        f"From: eve@elsewhere.example\r\nTo: anna@example.com\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain\r\n\r\nHello\r\n"
    ).encode()


def asked(text: str, *more: Any, search: str = "s1", span: str = "0-9") -> Any:
    query = e("Query", e("FreeText", text), e("AirSync:Class", "Email"), *more)
    criterion = e("MailBoxSearchCriterion", query, e("Options", e("Range", span)))
    return e("Find:Find", e("SearchId", search), e("ExecuteSearch", criterion))


async def deliver(world: Any, *subjects: str, to: str = "anna@example.com") -> None:
    for subject in subjects:
        assert await world.app.embedded.office.take("eve@elsewhere.example", [to], letter(subject)) == [None]


async def test_ios_asks_all_folders_by_an_id_of_its_own(wire: Any, world: Any) -> None:
    """Other devices hear that their folders are out of date. [MS-ASCMD] R72172515"""
    await deliver(world, "needle")
    elsewhere = e("AirSync:CollectionId", "all")
    got = await wire(version="16.1", agent="Apple-iPhone14C2/2205.100").post("Find", asked("needle", elsewhere))
    assert (got.status, len(got.all("Response", "Result"))) == ("1", 1)
    got = await wire(version="16.1").post("Find", asked("needle", elsewhere))
    assert (got.status, got.find("Response")) == ("3", None)


async def test_nobody_finds_what_is_not_theirs(wire: Any, world: Any) -> None:
    await deliver(world, "needle", to="ben@example.com")
    got = await wire(version="16.1").post("Find", asked("needle"))
    assert (got.text("Response", "Status"), got.text("Response", "Total")) == ("1", "0")


async def test_a_search_is_known_to_its_device_alone(wire: Any, world: Any) -> None:
    await deliver(world, "needle one", "needle two")

    async def page(device: Wire, span: str) -> str:
        got: Got = await device.post("Find", asked("needle", span=span))
        return got.text("Response", "Status")

    one, other = wire(version="16.1", device="ONE"), wire(version="16.1", device="OTHER")
    assert await page(one, "0-0") == "1"
    assert await page(one, "0-0") == "1"
    assert await page(one, "1-1") == "1"
    assert await page(other, "1-1") == "4"


async def test_the_client_finds_by_it(phone: Any, world: Any) -> None:
    await deliver(world, "needle one", "needle two", "other")
    async with phone(version=Version.V16_1).connection as connection:
        device = phone(version=Version.V16_1)
        device.connection = connection
        results, total = await find_messages(device, "subject:needle", search_id="s1", count=1)
    assert (len(results), total) == (1, 2)

"""Sync, GetItemEstimate and Ping in 2.5 and 12.0: no empty requests and answers, no waits, classes in everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from mail_kit import Mailroom, letter
from sync_kit import OLD_VERSIONS, SOON, Box, add, box, change, collection, commands, data, mail, request, told
from wire import Wire, e

from eas.engine.model import FolderType
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

OLD = pytest.mark.parametrize("version", OLD_VERSIONS)


async def _asked(one: Box, item_class: str, *more: Element) -> Element:
    """With the class, as these versions require it; the key is taken."""
    got = await one.wire.post("Sync", request(collection(one.id, one.key, *more, item_class=item_class)))
    (answer,) = told(got)
    one.key = answer.text("SyncKey")
    return answer.element


@OLD
async def test_without_news_the_collection_is_told_its_key(wire: Wires, room: Mailroom, version: str) -> None:
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    await _asked(contacts, "Contacts")
    key = contacts.key
    for _ in range(2):
        answer = await _asked(contacts, "Contacts")
        names = [child.tag.partition(":")[2] for child in answer.elements]
        assert names == ["Class", "SyncKey", "CollectionId", "Status"]
        assert contacts.key == key


@OLD
async def test_requests_without_collections_are_refused(wire: Wires, room: Mailroom, version: str) -> None:
    """[MS-ASCMD] Empty Sync Request, Partial and Wait are of 12.1 and later."""
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    await _asked(contacts, "Contacts")
    assert (await contacts.wire.post("Sync")).status == "4"
    assert (await contacts.wire.post("Sync", request(more=(e("Partial"), e("WindowSize", "5"))))).status == "4"


@OLD
async def test_nothing_is_waited_for(wire: Wires, room: Mailroom, version: str) -> None:
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    await _asked(contacts, "Contacts")
    asked = request(collection(contacts.id, contacts.key, item_class="Contacts"), more=(e("Wait", "59"),))
    async with asyncio.timeout(SOON):
        (answer,) = told(await contacts.wire.post("Sync", asked))
    assert answer.status == "1"


@OLD
async def test_items_go_both_ways(wire: Wires, room: Mailroom, version: str) -> None:
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    await _asked(contacts, "Contacts")
    answer = await _asked(contacts, "Contacts", commands(add("1", data(FirstName="Old", LastName="Phone"))))
    assert "1" in [child.text for child in answer.elements if child.tag == "AirSync:Status"]
    (card,) = await room.records("anna", FolderType.CONTACTS)
    assert "FN:Old Phone" in card or "N:Phone;Old" in card
    inbox = await box(contacts.wire, room, FolderType.INBOX)
    id = await room.deliver("anna", letter("Old mail"))
    await _asked(inbox, "Email")
    assert "Old mail" in str(await _asked(inbox, "Email"))
    await _asked(inbox, "Email", commands(change(id, mail(e("Email:Read", "1")))))
    assert [found.flags.read for found in await room.mails("anna")] == [True]


@pytest.mark.parametrize(("item_class", "type"), [
    ("Email", FolderType.INBOX), ("Contacts", FolderType.CONTACTS), ("Calendar", FolderType.CALENDAR),
    ("Tasks", FolderType.TASKS),
])
async def test_a_class_alone_means_its_default_folder(
    wire: Wires, room: Mailroom, item_class: str, type: FolderType
) -> None:
    device, id = wire(version="2.5"), (await room.folder("anna", type)).id
    one = e("AirSync:Collection", e("Class", item_class), e("SyncKey", "0"))
    (answer,) = told(await device.post("Sync", request(one)))
    assert (answer.status, answer.text("CollectionId"), answer.text("Class")) == ("1", id, item_class)
    estimated = await device.post("GetItemEstimate", e("GetItemEstimate:GetItemEstimate", e("Collections", e(
        "Collection", e("Class", item_class), e("AirSync:FilterType", "0"), e("AirSync:SyncKey", answer.text("SyncKey"))
    ))))
    assert estimated.text("Response", "Status") == "1"
    assert estimated.text("Response", "Collection", "CollectionId") == id


@OLD
async def test_only_2_5_may_leave_the_collection_out(wire: Wires, version: str) -> None:
    """R4545"""
    unknown = "Notes" if version == "2.5" else "Contacts"
    one = e("AirSync:Collection", e("Class", unknown), e("SyncKey", "0"))
    assert (await wire(version=version).post("Sync", request(one))).status == "4"


#: Truncation -> characters. [MS-ASCMD] Truncation
@pytest.mark.parametrize(("value", "characters"), [("0", 0), ("1", 512), ("2", 1024), ("4", 5120), ("9", None)])
async def test_truncation_cuts_the_old_bodies(
    wire: Wires, room: Mailroom, value: str, characters: int | None
) -> None:
    id = await room.deliver("anna", letter("Long", "x" * 6000))
    inbox = await box(wire(version="2.5"), room, FolderType.INBOX)
    options = e("AirSync:Options", e("FilterType", "0"), e("Truncation", value))
    await _asked(inbox, "Email", options)
    answer = await _asked(inbox, "Email", options)
    content = next(
        child for command in answer.child("AirSync:Commands").elements  # type: ignore[union-attr]
        if command.child("AirSync:ServerId").text == id  # type: ignore[union-attr]
        for child in command.elements if child.tag == "AirSync:ApplicationData"
    )
    found = {child.tag: child.text for child in content.elements}
    assert len(found.get("Email:Body", "")) == (6002 if characters is None else characters)
    assert found["Email:BodyTruncated"] == ("0" if characters is None else "1")


@OLD
async def test_truncation_has_ten_values(wire: Wires, room: Mailroom, version: str) -> None:
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    for tag in ("Truncation", "RTFTruncation"):
        for value in ("10", "-1"):
            got = await inbox.ask(e("AirSync:Options", e(tag, value)))
            (answer,) = told(got)
            assert answer.status == "4"


@OLD
async def test_there_is_no_recipient_information_cache(wire: Wires, room: Mailroom, version: str) -> None:
    """[MS-ASCNTC] R2262"""
    device = wire(version=version)
    listed = await device.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    assert "19" not in [child.text for child in listed.all("Changes", "Add", "Type")]
    (answer,) = told(await (await box(device, room, FolderType.RECIPIENT_CACHE)).ask())
    assert answer.status == "12"

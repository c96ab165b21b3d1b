"""GetItemEstimate over the whole server. [MS-ASCMD] GetItemEstimate; what is malformed comes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mail_kit import Mailroom, letter
from sync_kit import VERSIONS, box, cases, change, commands, data, delete, local, many_contacts, vcard
from wire import Got, Wire, e

from eas.engine.model import FolderType
from eas.engine.ports import Chosen
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

EVERY = pytest.mark.parametrize("version", VERSIONS)
FROM_14 = pytest.mark.parametrize("version", VERSIONS[1:])


def asked(id: str, key: str | None, *more: Any, item_class: str = "") -> Element:
    first = [e("Class", item_class)] if item_class else []
    sync_key = [] if key is None else [Element("AirSync:SyncKey", key)]
    return e("GetItemEstimate:Collection", *first, *sync_key, e("CollectionId", id), *more)


def estimate(*collections: Element) -> Element:
    return e("GetItemEstimate:GetItemEstimate", e("Collections", *collections))


def options(*given: Any) -> Element:
    return e("AirSync:Options", *given)


def filtered(version: str, filter_type: str) -> Element:
    """Where a FilterType stands in a version. R6260-R6264"""
    element = Element("AirSync:FilterType", filter_type)
    return element if version == "12.1" else options(element)


async def ask(device: Wire, *collections: Element) -> Got:
    got = await device.post("GetItemEstimate", estimate(*collections))
    assert got.http == 200
    return got


def found(got: Got) -> list[tuple[str, str | None]]:
    """(status, estimate) of each Response."""
    out = []
    for response in got.all("Response"):
        texts = {local(child): child for child in response.elements}
        inside = texts.get("Collection")
        count = inside.child("GetItemEstimate:Estimate") if inside is not None else None
        out.append((texts["Status"].text, count.text if count is not None else None))
    return out


# Malformed -----------------------------------------------------------------------------------------------------------


@FROM_14
@cases("body", [
    e("GetItemEstimate:GetItemEstimate"), e("GetItemEstimate:GetItemEstimate", e("Collections")),
    e("Ping:Ping"), estimate(e("GetItemEstimate:Collection", Element("AirSync:SyncKey", "1"))),
    estimate(*[asked(str(n), "1") for n in range(1, 1002)]),
    estimate(asked("1", "1", options(Element("AirSync:FilterType", "many")))),
], ids=["no Collections", "no Collection", "another root", "no CollectionId", "too many", "no number"])
async def test_malformed_requests(wire: Wires, version: str, body: Element) -> None:
    assert (await wire(version=version).post("GetItemEstimate", body)).status == "103"


async def test_malformed_requests_of_old_versions(wire: Wires) -> None:
    got = await wire(version="12.1").post("GetItemEstimate", e("GetItemEstimate:GetItemEstimate"))
    assert got.http == 400


@FROM_14
async def test_filters_of_no_class(wire: Wires, room: Mailroom, version: str) -> None:
    inbox = await (await box(wire(version=version), room, FolderType.INBOX)).begin()
    for filter_type, status in (("9", "103"), ("-1", "103"), ("8", "110"), ("6", "110")):
        assert (await ask(inbox.wire, asked(inbox.id, inbox.key, filtered(version, filter_type)))).status == status


@FROM_14
async def test_conversations_of_contacts(wire: Wires, room: Mailroom, version: str) -> None:
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    mode = Element("AirSync:ConversationMode", "1")
    assert (await ask(contacts.wire, asked(contacts.id, contacts.key, mode))).status == "103"


@FROM_14
async def test_classes_that_do_not_go_together(wire: Wires, room: Mailroom, version: str) -> None:
    """R907, R908"""
    inbox = await (await box(wire(version=version), room, FolderType.INBOX)).begin()

    async def status(*classes: str) -> str:
        blocks = [options(Element("AirSync:Class", name)) for name in classes]
        return found(await ask(inbox.wire, asked(inbox.id, inbox.key, *blocks)))[0][0]

    assert [await status("Email"), await status("Email", "SMS")] == ["1", "1"]
    assert [await status("Calendar"), await status("Email", "Calendar"), await status("Email", "Email")] == ["4"] * 3


# Statuses of collections ---------------------------------------------------------------------------------------------


@EVERY
@cases("id", ["999", "nonsense", ""])
async def test_folders_that_are_not_there(wire: Wires, version: str, id: str) -> None:
    """R4135, R4136"""
    assert found(await ask(wire(version=version), asked(id, "1"))) == [("2", None)]


async def test_folders_of_others(wire: Wires, room: Mailroom) -> None:
    foreign = (await room.folder("ben", FolderType.INBOX)).id
    assert found(await ask(wire(), asked(foreign, "1"))) == [("2", None)]


@FROM_14
async def test_max_items_are_for_the_recipient_cache(wire: Wires, room: Mailroom, version: str) -> None:
    inbox = await (await box(wire(version=version), room, FolderType.INBOX)).begin()
    limited = options(Element("AirSync:MaxItems", "10"))
    assert found(await ask(inbox.wire, asked(inbox.id, inbox.key, limited))) == [("2", None)]


@EVERY
async def test_before_the_first_sync(wire: Wires, room: Mailroom, version: str) -> None:
    """R4139, R4140"""
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    for key in (None, "", "0", "1"):
        assert found(await ask(contacts.wire, asked(contacts.id, key))) == [("3", None)]
    await contacts.begin()
    assert found(await ask(contacts.wire, asked(contacts.id, "0"))) == [("3", None)]


@EVERY
async def test_keys_that_were_never_issued(wire: Wires, room: Mailroom, version: str) -> None:
    """R4142, R4143"""
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    assert found(await ask(contacts.wire, asked(contacts.id, "1"))) == [("4", None)]


@EVERY
async def test_each_folder_has_its_own_status(wire: Wires, room: Mailroom, version: str) -> None:
    """R4129, R4130"""
    device = wire(version=version)
    contacts = await (await box(device, room, FolderType.CONTACTS)).begin()
    inbox = await (await box(device, room, FolderType.INBOX)).begin()
    await room.deliver("anna", letter())
    got = await ask(device, asked("999", "1"), asked(contacts.id, contacts.key), asked(inbox.id, inbox.key))
    assert found(got) == [("2", None), ("1", "0"), ("1", "1")]


# Counting ------------------------------------------------------------------------------------------------------------


@EVERY
async def test_all_that_there_is(wire: Wires, room: Mailroom, version: str) -> None:
    """R4133, R4134. Counting moves no key."""
    folder = await many_contacts(room, 130)
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    await contacts.sure()
    for _ in range(2):
        got = await ask(contacts.wire, asked(folder, contacts.key))
        assert found(got) == [("1", "130")]
    (response,) = got.all("Response")
    assert [local(child) for child in response.elements] == ["Status", "Collection"]
    expected = [*(["Class"] if version == "12.1" else []), "CollectionId", "Estimate"]
    assert [local(child) for child in got.all("Response", "Collection")[0].elements] == expected
    await contacts.sure()
    assert found(await ask(contacts.wire, asked(folder, contacts.key))) == [("1", "30")]


@EVERY
async def test_changes_and_deletions_count_and_the_devices_own_do_not(
    wire: Wires, room: Mailroom, version: str
) -> None:
    ids = [await room.put("anna", FolderType.CONTACTS, vcard(name)) for name in ("Joe", "Ann", "Sue", "Tom", "Ida")]
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    await contacts.sure(commands(change(ids[0], data(FirstName="Joseph")), delete(ids[1])))
    feed = await room.feed("anna", FolderType.CONTACTS)
    await feed.update(3, vcard("Susan", uid="Sue"), None)
    await feed.update(4, vcard("Tom", "X-SHOE-SIZE:43"), None)
    await feed.delete(5)
    await feed.create(vcard("New"), Chosen(name="new"))
    (status, count), = found(await ask(contacts.wire, asked(contacts.id, contacts.key)))
    # Tom's shoe size is counted, though no device sees it: items are not made up for an estimate.
    assert (status, count) == ("1", "4")
    assert len((await contacts.sure()).said) == 3


@EVERY
async def test_another_filter_than_that_of_the_last_sync(wire: Wires, room: Mailroom, version: str) -> None:
    """R6260-R6264: from 14.0 in Options, before in the collection; both are read."""
    from test_sync import _old_mail

    for days in (0, 5, 10, 20):
        await _old_mail(room, days)
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    await inbox.sure(options(e("FilterType", "1")))
    assert found(await ask(inbox.wire, asked(inbox.id, inbox.key))) == [("1", "1")]
    for filter_type, count in (("3", "2"), ("4", "3"), ("0", "4")):
        for place in (Element("AirSync:FilterType", filter_type), options(Element("AirSync:FilterType", filter_type))):
            assert found(await ask(inbox.wire, asked(inbox.id, inbox.key, place))) == [("1", count)]
    await inbox.sure()
    # Nothing of all that was remembered; a narrower filter counts what it would take away.
    assert found(await ask(inbox.wire, asked(inbox.id, inbox.key))) == [("1", "0")]
    assert found(await ask(inbox.wire, asked(inbox.id, inbox.key, options()))) == [("1", "3")]


@EVERY
async def test_the_class_of_a_folder_may_be_stated(wire: Wires, room: Mailroom, version: str) -> None:
    """R6253 ff.: old clients do, in every version."""
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    got = await ask(contacts.wire, asked(contacts.id, contacts.key, item_class="Contacts"))
    assert found(got) == [("1", "0")]


async def test_an_estimate_proves_nothing(wire: Wires, room: Mailroom) -> None:
    """Naming a key here does not say that its answer was taken in: the one before still works."""
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    contacts = await box(wire(), room, FolderType.CONTACTS)
    await contacts.sure()
    before = contacts.key
    await contacts.sure()
    assert found(await ask(contacts.wire, asked(contacts.id, contacts.key))) == [("1", "0")]
    contacts.key = before
    assert (await contacts.sure()).said == [("Add", id)]

"""Sync over the whole server, element by element. [MS-ASCMD] Sync; what is malformed comes first.

What keeps device and groupware equal whatever is lost is tested by tests/engine/test_sync_machine.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from mail_kit import BOTTOMLESS, Mailroom, letter
from sync_kit import (
    VERSIONS,
    add,
    box,
    cases,
    change,
    collection,
    commands,
    data,
    delete,
    fetch,
    mail,
    many_contacts,
    request,
    told,
    vcard,
)
from wire import Wire, e

from eas.engine.model import FolderType, Right
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

EVERY = pytest.mark.parametrize("version", VERSIONS)
FROM_14 = pytest.mark.parametrize("version", VERSIONS[1:])

CLASS_OF = {
    FolderType.INBOX: "Email", FolderType.CALENDAR: "Calendar", FolderType.TASKS: "Tasks",
    FolderType.CONTACTS: "Contacts",
}


def options(*given: Any) -> Element:
    return e("AirSync:Options", *given)


# Malformed -----------------------------------------------------------------------------------------------------------


def _malformed(id: str) -> dict[str, Element]:
    def one(*inside: Any) -> Element:
        return e("AirSync:Sync", e("Collections", e("Collection", *inside)))

    good = collection(id, "0")
    return {
        "no CollectionId (R4545)": one(e("SyncKey", "0")),
        "no SyncKey": one(e("CollectionId", id)),
        "Supported first (R4546)": one(e("Supported"), e("SyncKey", "0"), e("CollectionId", id)),
        "a flag that is none": request(collection(id, "0", e("DeletesAsMoves", "maybe"))),
        "a number that is none": request(collection(id, "0", e("WindowSize", "ten"))),
        "an Add without ClientId": request(collection(id, "1", commands(e("AirSync:Add", data(FirstName="A"))))),
        "an Add without data": request(collection(id, "1", commands(e("AirSync:Add", e("ClientId", "c"))))),
        "a Change without ServerId": request(collection(id, "1", commands(e("AirSync:Change", data(FirstName="A"))))),
        "a Delete without ServerId": request(collection(id, "1", commands(e("AirSync:Delete")))),
        "one collection twice": request(good, good),
        "Partial alone (R3642)": e("AirSync:Sync", e("Partial")),
        "only a window": e("AirSync:Sync", e("WindowSize", "5")),
        "children of BodyPreference out of order": request(collection(id, "0", options(
            e("AirSyncBase:BodyPreference", e("TruncationSize", "5"), e("Type", "1"))
        ))),
        "too many commands": request(collection(id, "1", commands(*[delete(f"{id}:{n}") for n in range(1, 202)]))),
    }


@EVERY
@cases("what", list(_malformed("1")))
async def test_what_is_malformed_is_a_protocol_error(wire: Wires, room: Mailroom, version: str, what: str) -> None:
    """R4430, R4431, R5778, R5779"""
    id = (await room.folder("anna", FolderType.CONTACTS)).id
    got = await wire(version=version).post("Sync", _malformed(id)[what])
    assert got.status == "4"
    assert got.find("Collections") is None


@EVERY
async def test_another_document_than_a_sync_is_refused(wire: Wires, version: str) -> None:
    got = await wire(version=version).post("Sync", e("Ping:Ping"))
    assert got.status == "4"


@FROM_14
async def test_wait_and_heartbeat_exclude_each_other(wire: Wires, room: Mailroom, version: str) -> None:
    """R3162, R4748"""
    id = (await room.folder("anna", FolderType.CONTACTS)).id
    both = (e("Wait", "5"), e("HeartbeatInterval", "300"))
    assert (await wire(version=version).post("Sync", request(collection(id, "0"), more=both))).status == "4"


@EVERY
@pytest.mark.parametrize("given", [e("AirSync:GetChanges"), e("AirSync:GetChanges", "1")], ids=["empty", "1"])
async def test_changes_cannot_be_asked_for_with_key_0(
    wire: Wires, room: Mailroom, version: str, given: Element
) -> None:
    """R3128, R5838"""
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    (answer,) = told(await contacts.ask(given))
    assert answer.status == "4"


@EVERY
@pytest.mark.parametrize("given", [(), (e("AirSync:GetChanges", "0"),)], ids=["absent", "0"])
async def test_key_0_needs_no_word_of_changes(
    wire: Wires, room: Mailroom, version: str, given: tuple[Element, ...]
) -> None:
    """R3129, R5839, R5555"""
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    answer = await contacts.sure(*given)
    assert answer.said == []


#: FilterType -> the classes that know it. R3035-R3061
FILTERS = {
    0: {"Email", "Calendar", "Tasks"}, 1: {"Email"}, 2: {"Email"}, 3: {"Email"}, 4: {"Email", "Calendar"},
    5: {"Email", "Calendar"}, 6: {"Calendar"}, 7: {"Calendar"}, 8: {"Tasks"}, 9: set(), -1: set(),
}


@EVERY
async def test_filters_are_those_of_the_class(wire: Wires, room: Mailroom, version: str) -> None:
    """R3035-R3061, R3078, R3079, R3080"""
    device = wire(version=version)
    for type, item_class in CLASS_OF.items():
        for filter_type, classes in FILTERS.items():
            folder = await box(device, room, type)
            (answer,) = told(await folder.ask(options(e("FilterType", str(filter_type)))))
            known = item_class in classes or (item_class == "Contacts" and filter_type in range(9))
            assert answer.status == ("1" if known else "4"), (item_class, filter_type)


@FROM_14
async def test_only_mail_has_conversations(wire: Wires, room: Mailroom, version: str) -> None:
    """R2117"""
    device = wire(version=version)
    for type in CLASS_OF:
        (answer,) = told(await (await box(device, room, type)).ask(e("ConversationMode", "1")))
        assert answer.status == ("1" if type is FolderType.INBOX else "4")


@FROM_14
@cases(("classes", "status"), [
    (("Email",), "1"), (("",), "1"), (("SMS",), "1"), (("Email", "SMS"), "1"), (("", "SMS"), "1"),
    (("Email", "Email"), "4"), (("", ""), "4"), (("SMS", "SMS"), "4"), (("Email", "Calendar"), "4"),
    (("Calendar",), "4"), (("Email", "SMS", "Email"), "4"),
])
async def test_classes_of_options(
    wire: Wires, room: Mailroom, version: str, classes: tuple[str, ...], status: str
) -> None:
    """R930, R934, R935"""
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    blocks = [options(*((e("Class", name),) if name else ())) for name in classes]
    (answer,) = told(await inbox.ask(*blocks))
    assert answer.status == status


@EVERY
@cases("given", [
    (e("Conflict", "2"),), (e("MIMESupport", "3"),), (e("MIMETruncation", "9"),),
    (e("AirSyncBase:BodyPreference", e("Type", "1")), e("AirSyncBase:BodyPreference", e("Type", "1"))),
], ids=["Conflict", "MIMESupport", "MIMETruncation", "two bodies of one type"])
async def test_options_out_of_bounds(wire: Wires, room: Mailroom, version: str, given: tuple[Element, ...]) -> None:
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    (answer,) = told(await inbox.ask(options(*given)))
    assert answer.status == "4"


async def test_a_part_of_a_body_is_html(wire: Wires, room: Mailroom) -> None:
    """R5412"""
    inbox = await box(wire(), room, FolderType.INBOX)
    assert (await inbox.ask(options(e("AirSyncBase:BodyPartPreference", e("Type", "1"))))).status == "164"


@EVERY
async def test_empty_options_are_the_defaults(wire: Wires, room: Mailroom, version: str) -> None:
    """R3599: they replace what was there, here a filter that hides an old message."""
    await _old_mail(room, days=10)
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    await inbox.sure()
    assert await inbox.go(options(e("FilterType", "1"))) is None
    assert [verb for verb, _ in (await inbox.sure(options())).said] == ["Add"]


# Keys ----------------------------------------------------------------------------------------------------------------


@EVERY
async def test_key_0_gives_a_key_and_nothing_else(wire: Wires, room: Mailroom, version: str) -> None:
    """R4598, R4599, R4602, R4606. Then everything comes."""
    ids = [await room.put("anna", FolderType.CONTACTS, vcard(name)) for name in ("Joe", "Ann")]
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    first = await contacts.sure()
    assert first.order == [*(["Class"] if version == "12.1" else []), "SyncKey", "CollectionId", "Status"]
    assert first.text("SyncKey") not in ("", "0")
    second = await contacts.sure()
    assert second.said == [("Add", id) for id in reversed(ids)]  # newest first
    assert second.text("SyncKey") != first.text("SyncKey")


@EVERY
@cases("key", ["1", "{guid}7", "x" * 64])
async def test_a_key_that_was_never_issued_is_invalid(wire: Wires, room: Mailroom, version: str, key: str) -> None:
    """R4424, R4425: with a primed collection, and without."""
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    (answer,) = told(await contacts.ask(key=key))
    assert (answer.status, answer.text("SyncKey")) == ("3", "0")
    await contacts.sure()
    (answer,) = told(await contacts.ask(key=key))
    assert (answer.status, answer.text("SyncKey")) == ("3", "0")


@EVERY
async def test_a_repeated_request_gets_the_same_answer(wire: Wires, room: Mailroom, version: str) -> None:
    await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    assert (await contacts.ask()).body == (await contacts.ask()).body
    await contacts.sure()
    adding = commands(add("c1", data(FirstName="Ann")))
    first = await contacts.ask(adding)
    assert first.body == (await contacts.ask(adding)).body
    assert len(await room.ids("anna", FolderType.CONTACTS)) == 2


async def test_another_request_with_the_key_before_is_computed_from_what_the_device_had_then(
    wire: Wires, room: Mailroom
) -> None:
    """Its own change, made with that key, comes back as a Change."""
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    before = contacts.key
    await contacts.sure(commands(change(id, data(FirstName="Joseph"))))
    (answer,) = told(await contacts.ask(key=before))
    assert answer.said == [("Change", id)]
    assert answer.data(id).child("Contacts:FirstName").text == "Joseph"  # type: ignore[union-attr]


async def test_a_key_just_issued_is_never_refused(wire: Wires, room: Mailroom) -> None:
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    for number in range(20):
        await contacts.sure(commands(add(f"c{number}", data(FirstName=f"N{number}"))))
        (answer,) = told(await contacts.ask(commands(add(f"d{number}", data(FirstName=f"M{number}")))))
        assert answer.status == "1"
        contacts.key = answer.text("SyncKey")


@EVERY
async def test_the_same_request_twice_at_once(wire: Wires, room: Mailroom, version: str) -> None:
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    adding = commands(add("c1", data(FirstName="Ann")), add("c2", data(FirstName="Ben")))
    first, second, third = await asyncio.gather(*[contacts.ask(adding) for _ in range(3)])
    assert first.body == second.body == third.body
    assert len(await room.ids("anna", FolderType.CONTACTS)) == 2


async def test_two_different_requests_at_once(wire: Wires, room: Mailroom) -> None:
    """Two programs under one device id, say. Neither kills the key that the other holds."""
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    asked = [commands(add(f"c{n}", data(FirstName=f"N{n}"))) for n in range(3)]
    answers = [told(got)[0] for got in await asyncio.gather(*[contacts.ask(one) for one in asked])]
    assert [answer.status for answer in answers] == ["1"] * 3
    assert len(await room.ids("anna", FolderType.CONTACTS)) == 3
    # Each was decided from what the device had proven to hold: what the others had added by then came with it.
    assert sorted(len(answer.said) for answer in answers) == [0, 1, 2]
    first = next(answer for answer in answers if not answer.said)
    contacts.key = first.text("SyncKey")
    assert len((await contacts.sure()).said) == 2


@EVERY
async def test_an_add_is_recognised_after_key_0(wire: Wires, room: Mailroom, version: str) -> None:
    """R4428: the device adds again what was never confirmed, under another ClientId if it likes."""
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    await contacts.ask(commands(add("c1", data(FirstName="Ann", MobilePhoneNumber="1"))))
    contacts.key = "0"
    await contacts.sure()
    answer = await contacts.sure(commands(add("other", data(FirstName="Ann", MobilePhoneNumber="1"))))
    assert answer.answered("Add")[0]["Status"] == "1"
    assert len(await room.ids("anna", FolderType.CONTACTS)) == 1


# Nothing to say ------------------------------------------------------------------------------------------------------


@EVERY
async def test_no_news_is_no_body(wire: Wires, room: Mailroom, version: str) -> None:
    """R667, R679. The key stays."""
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    for _ in range(2):
        got = await contacts.ask()
        assert (got.http, got.body, got.headers["content-length"]) == (200, b"", "0")


@EVERY
async def test_only_folders_with_news_are_in_the_answer(wire: Wires, room: Mailroom, version: str) -> None:
    device = wire(version=version)
    contacts = await (await box(device, room, FolderType.CONTACTS)).begin()
    inbox = await (await box(device, room, FolderType.INBOX)).begin()
    id = await room.deliver("anna", letter())
    (answer,) = told(await device.post("Sync", request(
        collection(contacts.id, contacts.key), collection(inbox.id, inbox.key)
    )))
    assert answer.text("CollectionId") == inbox.id
    assert answer.said == [("Add", id)]


@EVERY
async def test_class_stands_in_answers_of_old_versions_only(wire: Wires, room: Mailroom, version: str) -> None:
    """R942: and never in an Add of the folder's own class."""
    await room.deliver("anna", letter())
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    await inbox.sure()
    answer = await inbox.sure()
    assert ("Class" in answer.order) == (version == "12.1")
    assert [child.tag for child in answer.commands[0].elements] == ["AirSync:ServerId", "AirSync:ApplicationData"]


@EVERY
async def test_the_order_of_an_answer(wire: Wires, room: Mailroom, version: str) -> None:
    for name in ("Joe", "Ann"):
        await room.put("anna", FolderType.CONTACTS, vcard(name))
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    await contacts.sure()
    answer = await contacts.sure(e("WindowSize", "1"), commands(add("c1", data(FirstName="Ben"))))
    first = ["Class"] if version == "12.1" else []
    assert answer.order == [*first, "SyncKey", "CollectionId", "Status", "MoreAvailable", "Commands", "Responses"]
    assert [child.tag for child in answer.responses[0].elements] == [
        "AirSync:ClientId", "AirSync:ServerId", "AirSync:Status"
    ]


# Windows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "given"), [(None, 100), ("7", 7), ("0", 512), ("513", 512), ("512", 512)])
async def test_windows(wire: Wires, room: Mailroom, asked: str | None, given: int) -> None:
    """R4767, R4768, R3458, R3459, R4771, R4765, R3460"""
    await many_contacts(room, 515)
    contacts = await box(wire(), room, FolderType.CONTACTS)
    await contacts.sure()
    answer = await contacts.sure(*(() if asked is None else (e("WindowSize", asked),)))
    assert len(answer.said) == given
    assert answer.more


@EVERY
async def test_the_last_window_says_that_it_is_the_last(wire: Wires, room: Mailroom, version: str) -> None:
    """R3456. All that is there comes once, newest first."""
    folder = await many_contacts(room, 7)
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    await contacts.sure()
    windows = []
    while (answer := await contacts.sure(e("WindowSize", "3"))).more:
        windows.append(answer.said)
    windows.append(answer.said)
    assert [len(window) for window in windows] == [3, 3, 1]
    assert [one for window in windows for one in window] == [("Add", f"{folder}:{n}") for n in range(7, 0, -1)]
    assert await contacts.go(e("WindowSize", "3")) is None


@EVERY
async def test_the_window_of_the_whole_request(wire: Wires, room: Mailroom, version: str) -> None:
    """R4776, R4777, R4778, R4779, R4782, R4783: in order, until it is full; the others keep their key."""
    device = wire(version=version)
    await many_contacts(room, 4)
    for number in range(3):
        await room.deliver("anna", letter(subject=f"Mail {number}"))
    contacts, inbox = await box(device, room, FolderType.CONTACTS), await box(device, room, FolderType.INBOX)
    await contacts.sure()
    await inbox.sure()

    async def ask() -> list[Any]:
        return told(await device.post("Sync", request(
            collection(contacts.id, contacts.key, e("WindowSize", "3")), collection(inbox.id, inbox.key),
            more=(e("WindowSize", "4"),),
        )))

    first, second = await ask()
    assert (len(first.said), first.more, len(second.said), second.more) == (3, True, 1, True)
    contacts.key, inbox.key = first.text("SyncKey"), second.text("SyncKey")
    first, second = await ask()
    assert (len(first.said), first.more, len(second.said), second.more) == (1, False, 2, False)


async def test_a_folder_for_which_there_was_no_room_keeps_its_key(wire: Wires, room: Mailroom) -> None:
    """R4782"""
    device = wire()
    await many_contacts(room, 4)
    await room.deliver("anna", letter())
    contacts, inbox = await box(device, room, FolderType.CONTACTS), await box(device, room, FolderType.INBOX)
    await contacts.sure()
    await inbox.sure()
    first, second = told(await device.post("Sync", request(
        collection(contacts.id, contacts.key), collection(inbox.id, inbox.key), more=(e("WindowSize", "2"),)
    )))
    assert len(first.said) == 2
    assert (second.text("SyncKey"), second.said, second.more) == (inbox.key, [], True)
    assert len((await inbox.sure()).said) == 1


# Commands of the device ----------------------------------------------------------------------------------------------


@EVERY
async def test_successful_changes_and_deletions_are_not_answered(wire: Wires, room: Mailroom, version: str) -> None:
    """R3834, R3835, R3836, R5255: but there is a new key."""
    ids = [await room.put("anna", FolderType.CONTACTS, vcard(name)) for name in ("Joe", "Ann")]
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    before = contacts.key
    answer = await contacts.sure(commands(change(ids[0], data(FirstName="Joseph")), delete(ids[1])))
    assert (answer.responses, answer.commands) == ((), ())
    assert "Responses" not in answer.order
    assert answer.text("SyncKey") != before
    (card,) = await room.records("anna", FolderType.CONTACTS)
    assert "Joseph" in card
    assert await contacts.go() is None


@EVERY
@cases("id", ["{folder}:99", "7:1", "nonsense", "", "{folder}:-1", "{folder}:01"])
async def test_items_that_are_not_there(wire: Wires, room: Mailroom, version: str, id: str) -> None:
    """R4446, R4447, R5846, R7069, R5256, R5433"""
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    id = id.format(folder=contacts.id)
    answer = await contacts.sure(commands(change(id, data(FirstName="A")), delete(id), fetch(id)))
    for verb in ("Change", "Delete", "Fetch"):
        assert answer.answered(verb) == [{"ServerId": id, "Status": "8"}]


@EVERY
async def test_an_item_of_another_folder_is_not_reached_through_this_one(
    wire: Wires, room: Mailroom, version: str
) -> None:
    id = await room.deliver("anna", letter())
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    answer = await contacts.sure(commands(delete(id)))
    assert answer.answered("Delete") == [{"ServerId": id, "Status": "8"}]
    assert len(await room.ids("anna")) == 1


@EVERY
async def test_mail_is_not_added_by_devices(wire: Wires, room: Mailroom, version: str) -> None:
    """R4439, R4440"""
    inbox = await (await box(wire(version=version), room, FolderType.INBOX)).begin()
    answer = await inbox.sure(commands(add("c1", mail(Element("Email:Subject", "Mine")))))
    assert answer.answered("Add") == [{"ClientId": "c1", "Status": "6"}]
    assert await room.ids("anna") == []


@EVERY
async def test_what_cannot_be_stored_is_refused_and_taken_back(wire: Wires, room: Mailroom, version: str) -> None:
    """R4440; the others of the request go on."""
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    broken = data(FirstName="Joe", Picture="no base64 *")
    answer = await contacts.sure(commands(change(id, broken), add("c1", broken), add("c2", data(FirstName="Ann"))))
    assert answer.answered("Change") == [{"ServerId": id, "Status": "6"}]
    assert [r["Status"] for r in answer.answered("Add")] == ["6", "1"]
    assert answer.said == [("Change", id)]


@EVERY
async def test_deleted_mail_goes_to_deleted_items(wire: Wires, room: Mailroom, version: str) -> None:
    """R2158, R2160, R2161, R5874, R5875; what lies there already goes for good."""
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    ids = [await room.deliver("anna", letter(subject=f"Mail {n}")) for n in range(4)]
    await inbox.begin()
    await inbox.sure(commands(delete(ids[0])))
    await inbox.sure(e("DeletesAsMoves"), commands(delete(ids[1])))
    await inbox.sure(e("DeletesAsMoves", "1"), commands(delete(ids[2])))
    assert len(await room.ids("anna", FolderType.DELETED_ITEMS)) == 3
    await inbox.sure(e("DeletesAsMoves", "0"), commands(delete(ids[3])))
    bin = await (await box(inbox.wire, room, FolderType.DELETED_ITEMS)).begin()
    in_it = await room.ids("anna", FolderType.DELETED_ITEMS)
    assert len(in_it) == 3
    await bin.sure(commands(delete(in_it[0])))
    assert len(await room.ids("anna", FolderType.DELETED_ITEMS)) == 2
    assert await room.ids("anna") == []


@EVERY
async def test_flags_of_mail(wire: Wires, room: Mailroom, version: str) -> None:
    id = await room.deliver("anna", letter())
    inbox = await (await box(wire(version=version), room, FolderType.INBOX)).begin()
    await inbox.sure(commands(change(id, mail(Element("Email:Read", "1")))))
    (stored,) = await room.mails("anna")
    assert stored.flags.read
    assert await inbox.go() is None


async def test_a_flag_that_somebody_else_set_meanwhile_comes_to_the_device(wire: Wires, room: Mailroom) -> None:
    from dataclasses import replace

    from eas.items.native import FollowUp

    id = await room.deliver("anna", letter())
    inbox = await (await box(wire(), room, FolderType.INBOX)).begin()
    feed = await room.feed("anna", FolderType.INBOX)
    (stored,) = await room.mails("anna")
    await feed.set_flags(stored.id, replace(stored.flags, follow_up=FollowUp(status=2, flag_type="Todo")))
    answer = await inbox.sure(commands(change(id, mail(Element("Email:Read", "1")))))
    assert answer.said == [("Change", id)]
    assert answer.data(id).child("Email:Flag").child("Email:Status").text == "2"  # type: ignore[union-attr]
    (stored,) = await room.mails("anna")
    assert stored.flags.read
    assert stored.flags.follow_up is not None


@EVERY
async def test_fetch_gives_the_whole_message(wire: Wires, room: Mailroom, version: str) -> None:
    """R2955, R2956, R1660"""
    id = await room.deliver("anna", letter(text="long " * 500))
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    await inbox.sure(options(e("AirSyncBase:BodyPreference", e("Type", "1"), e("TruncationSize", "10"))))
    await inbox.sure()
    answer = await inbox.sure(commands(fetch(id)))
    body = answer.data(id).child("AirSyncBase:Body")
    assert body is not None
    assert body.child("AirSyncBase:Truncated") is None
    assert body.child("AirSyncBase:Data").text.strip() == ("long " * 500).strip()  # type: ignore[union-attr]
    assert answer.commands == ()


async def test_contacts_are_not_fetched(wire: Wires, room: Mailroom) -> None:
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    assert (await contacts.sure(commands(fetch(id)))).answered("Fetch") == [{"ServerId": id, "Status": "8"}]


@EVERY
async def test_without_changes_only_the_commands_are_answered(wire: Wires, room: Mailroom, version: str) -> None:
    """R3125; what waits comes later."""
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    assert await contacts.go(e("GetChanges", "0")) is None
    answer = await contacts.sure(e("GetChanges", "0"), commands(add("c1", data(FirstName="Ann"))))
    assert (answer.said, answer.more, len(answer.answered("Add"))) == ([], False, 1)
    assert (await contacts.sure(e("GetChanges"))).said == [("Add", id)]  # R3127


async def test_a_filter_that_comes_without_asking_for_changes_counts_later(wire: Wires, room: Mailroom) -> None:
    id = await _old_mail(room, days=10)
    inbox = await box(wire(), room, FolderType.INBOX)
    await inbox.sure(options(e("FilterType", "2")))
    assert await inbox.go() is None
    assert await inbox.go(e("GetChanges", "0"), options(e("FilterType", "0"))) is None
    assert (await inbox.sure()).said == [("Add", id)]
    assert await inbox.go(e("GetChanges", "0"), options(e("FilterType", "2"))) is None
    assert (await inbox.sure()).said == [("SoftDelete", id)]


# Conflicts -----------------------------------------------------------------------------------------------------------


async def _changed_on_both_sides(wire: Wire, room: Mailroom, *conflict: Element) -> tuple[Any, str, str]:
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    contacts = await box(wire, room, FolderType.CONTACTS)
    await contacts.sure(*conflict)
    await contacts.sure()
    feed = await room.feed("anna", FolderType.CONTACTS)
    await feed.update(int(id.partition(":")[2]), vcard("Theirs", uid="Joe"), None)
    answer = await contacts.sure(commands(change(id, data(FirstName="Mine"))))
    (card,) = await room.records("anna", FolderType.CONTACTS)
    return answer, id, card


@EVERY
@pytest.mark.parametrize("given", [(), (options(e("Conflict", "1")),)], ids=["absent", "1"])
async def test_the_server_wins(wire: Wires, room: Mailroom, version: str, given: tuple[Element, ...]) -> None:
    """R2066, R2068, R2069, R4443, R4444: and its version comes with the answer."""
    answer, id, card = await _changed_on_both_sides(wire(version=version), room, *given)
    assert answer.answered("Change") == [{"ServerId": id, "Status": "7"}]
    assert answer.said == [("Change", id)]
    assert answer.data(id).child("Contacts:FirstName").text == "Theirs"
    assert "Theirs" in card


@EVERY
async def test_the_device_wins(wire: Wires, room: Mailroom, version: str) -> None:
    """R2067"""
    answer, _, card = await _changed_on_both_sides(wire(version=version), room, options(e("Conflict", "0")))
    assert answer.responses == ()
    assert "Mine" in card


async def test_no_conflict_where_only_the_invisible_has_changed(wire: Wires, room: Mailroom) -> None:
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe"))
    contacts = await (await box(wire(), room, FolderType.CONTACTS)).begin()
    feed = await room.feed("anna", FolderType.CONTACTS)
    await feed.update(int(id.partition(":")[2]), vcard("Joe", "X-SHOE-SIZE:43"), None)
    answer = await contacts.sure(commands(change(id, data(FirstName="Mine"))))
    assert (answer.responses, answer.commands) == ((), ())
    (card,) = await room.records("anna", FolderType.CONTACTS)
    assert "Mine" in card
    assert "X-SHOE-SIZE:43" in card


@EVERY
async def test_a_deletion_wins_over_a_change(wire: Wires, room: Mailroom, version: str) -> None:
    """R2076, on either side"""
    ids = [await room.put("anna", FolderType.CONTACTS, vcard(name)) for name in ("Joe", "Ann")]
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    feed = await room.feed("anna", FolderType.CONTACTS)
    await feed.delete(int(ids[0].partition(":")[2]))
    await feed.update(int(ids[1].partition(":")[2]), vcard("Anna", uid="Ann"), None)
    answer = await contacts.sure(commands(change(ids[0], data(FirstName="Mine")), delete(ids[1])))
    assert answer.answered("Change") == [{"ServerId": ids[0], "Status": "8"}]
    assert answer.said == [("Delete", ids[0])]
    assert await room.ids("anna", FolderType.CONTACTS) == []


# Supported -----------------------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize(("supported", "kept"), [
    ((), set()),
    ((e("AirSync:Supported"),), {"TEL;TYPE=CELL:1", "TITLE:Cook"}),
    ((e("AirSync:Supported", Element("Contacts:JobTitle")),), {"TEL;TYPE=CELL:1"}),
], ids=["absent", "empty", "JobTitle"])
async def test_ghosted_properties_stay(
    wire: Wires, room: Mailroom, version: str, supported: tuple[Element, ...], kept: set[str]
) -> None:
    """R5906, R5907, R5908, R5909, R5911, R5912, R4548"""
    lines = ("TEL;TYPE=CELL:1", "TITLE:Cook")
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe", *lines))
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    await contacts.sure(*supported)
    await contacts.sure()
    await contacts.sure(commands(change(id, data(FirstName="Joseph"))))
    (card,) = await room.records("anna", FolderType.CONTACTS)
    assert {line for line in lines if line in card} == kept


@EVERY
async def test_supported_counts_with_key_0_only(wire: Wires, room: Mailroom, version: str) -> None:
    """R4551, R4552"""
    id = await room.put("anna", FolderType.CONTACTS, vcard("Joe", "TITLE:Cook"))
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    await contacts.sure(e("Supported"), commands(change(id, data(FirstName="Joseph"))))
    (card,) = await room.records("anna", FolderType.CONTACTS)
    assert "TITLE" not in card


# Filters and time ----------------------------------------------------------------------------------------------------


async def _old_mail(room: Mailroom, days: int) -> str:
    """A message that arrived so many days ago; its ServerId."""
    from datetime import timedelta

    from sqlalchemy import update

    from eas.backends.embedded.tables import ItemRow

    id = await room.deliver("anna", letter(subject=f"{days} days ago"))
    folder, _, item = id.partition(":")

    def work(tx: Any) -> None:
        earlier = int(timedelta(days=days).total_seconds() * 1000)
        tx.raise_counter(int(folder))
        tx.connection.execute(
            update(ItemRow).where(ItemRow.folder_id == int(folder), ItemRow.id == int(item))
            .values(until=ItemRow.until - earlier, received=ItemRow.received - earlier)
        )

    await room.world.app.embedded.groupware.write(work)
    return id


@EVERY
async def test_filters_of_mail(wire: Wires, room: Mailroom, version: str) -> None:
    """R2987, R3063, R3064, R3076, R3964, R3965, R3967: widened, more comes; narrowed, it is softly deleted."""
    ids = {days: await _old_mail(room, days) for days in (0, 5, 10, 20, 40)}
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    await inbox.sure(options(e("FilterType", "3")))
    assert [id for _, id in (await inbox.sure()).said] == [ids[5], ids[0]]
    answer = await inbox.sure(options(e("FilterType", "5")))
    assert answer.said == [("Add", ids[20]), ("Add", ids[10])]
    answer = await inbox.sure(options(e("FilterType", "1")))
    assert sorted(answer.said) == sorted(("SoftDelete", ids[days]) for days in (5, 10, 20))
    answer = await inbox.sure(options(e("FilterType", "0")))
    assert answer.said == [("Add", ids[days]) for days in (40, 20, 10, 5)]
    assert await inbox.go() is None


@EVERY
async def test_options_stick(wire: Wires, room: Mailroom, version: str) -> None:
    """R3597, R3598: a filter that was stated once holds until another is stated."""
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    await inbox.sure(options(e("FilterType", "1")))
    await inbox.go()
    await _old_mail(room, 10)
    assert await inbox.go() is None
    fresh = await room.deliver("anna", letter())
    assert (await inbox.sure()).said == [("Add", fresh)]


# Several folders, failing ones, folders of others --------------------------------------------------------------------


@EVERY
async def test_one_failing_folder_does_not_touch_the_others(wire: Wires, room: Mailroom, version: str) -> None:
    """R4452, R4453"""
    device = wire(version=version)
    contacts = await box(device, room, FolderType.CONTACTS)
    got = await device.post("Sync", request(
        collection("999", "0"), collection(contacts.id, "0"),
        collection((await room.folder("anna", FolderType.INBOX)).id, "17"),
    ))
    assert [answer.status for answer in told(got)] == ["12", "1", "3"]


async def test_folders_of_others_do_not_exist(wire: Wires, room: Mailroom) -> None:
    foreign = (await room.folder("ben", FolderType.INBOX)).id
    (answer,) = told(await wire().post("Sync", request(collection(foreign, "0"))))
    assert answer.status == "12"


async def test_notes_do_not_exist_in_old_versions(wire: Wires, room: Mailroom) -> None:
    """[MS-ASCMD] R6298"""
    notes = (await room.folder("anna", FolderType.NOTES)).id
    for version in VERSIONS:
        (answer,) = told(await wire(version=version).post("Sync", request(collection(notes, "0"))))
        assert answer.status == ("12" if version == "12.1" else "1")


@EVERY
async def test_an_edit_in_a_folder_that_may_only_be_read_is_refused_and_undone(
    wire: Wires, room: Mailroom, version: str
) -> None:
    folder = await room.folder("ben", FolderType.CONTACTS)
    await room.world.admin.set_right("ben@example.com", folder.id, "anna@example.com", Right.READ)
    ids = [await room.put("ben", FolderType.CONTACTS, vcard(name)) for name in ("Joe", "Ann")]
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    contacts.id = folder.id
    await contacts.begin()
    answer = await contacts.sure(commands(
        change(ids[0], data(FirstName="Mine")), delete(ids[1]), add("c1", data(FirstName="New"))
    ))
    assert answer.answered("Change") == [{"ServerId": ids[0], "Status": "6"}]
    assert answer.answered("Delete") == [{"ServerId": ids[1], "Status": "6"}]
    assert answer.answered("Add") == [{"ClientId": "c1", "Status": "6"}]
    assert sorted(answer.said) == [("Add", ids[1]), ("Change", ids[0])]
    assert answer.data(ids[0]).child("Contacts:FirstName").text == "Joe"  # type: ignore[union-attr]
    assert len(await room.ids("ben", FolderType.CONTACTS)) == 2


async def test_whose_edit_was_not_kept_finds_a_notice(wire: Wires, room: Mailroom) -> None:
    """One for each item, however often the device tries."""
    folder = await room.folder("ben", FolderType.CONTACTS)
    await room.world.admin.set_right("ben@example.com", folder.id, "anna@example.com", Right.READ)
    ids = [await room.put("ben", FolderType.CONTACTS, vcard(name)) for name in ("Joe", "Ann")]
    contacts = await box(wire(), room, FolderType.CONTACTS)
    contacts.id = folder.id
    await contacts.begin()
    for name in ("Mine", "Mine, really"):
        await contacts.sure(commands(change(ids[0], data(FirstName=name))))
    await contacts.sure(commands(delete(ids[1]), add("c1", data(FileAs="Somebody new"))))
    inbox = await box(wire(), room, FolderType.INBOX)
    await inbox.sure()
    said = await inbox.sure()
    subjects = sorted(said.data(id).child("Email:Subject").text for _, id in said.said)  # type: ignore[union-attr]
    assert subjects == ["Not kept: Ann", "Not kept: Joe", "Not kept: Somebody new"]


@EVERY
async def test_a_message_that_cannot_be_parsed_arrives_degraded(wire: Wires, room: Mailroom, version: str) -> None:
    ids = [await room.deliver("anna", raw) for raw in (letter(), BOTTOMLESS, letter(subject="Another"))]
    inbox = await box(wire(version=version), room, FolderType.INBOX)
    await inbox.sure()
    answer = await inbox.sure()
    assert sorted(answer.said) == [("Add", id) for id in ids]
    assert answer.data(ids[1]).child("Email:Subject").text == "Matryoshka"  # type: ignore[union-attr]


async def test_what_arrived_degraded_is_listed_and_tried_again_by_the_next_release(
    wire: Wires, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eas.app import building

    _, bad = [await room.deliver("anna", raw) for raw in (letter(), BOTTOMLESS)]
    inbox = await (await box(wire(), room, FolderType.INBOX)).begin()
    (found,) = await room.world.store.degraded()
    assert f"{found.owner.collection_id}:{found.id}" == bad
    assert found.reason
    await room.world.app._try_again()
    assert await inbox.go() is None
    monkeypatch.setattr(building, "RELEASE", "another")
    await room.world.app._try_again()
    assert (await inbox.sure()).said == [("Add", bad)]
    assert await inbox.go() is None


@EVERY
async def test_an_item_whose_conversion_raises_does_not_hold_up_the_folder(
    wire: Wires, room: Mailroom, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eas.engine import classes

    ids = [await room.put("anna", FolderType.CONTACTS, vcard(name)) for name in ("Joe", "Poison", "Ann")]
    kind = classes.RECORDS["Contacts"]

    def poisoned(raw: bytes, *given: Any) -> Any:
        if b"Poison" in raw:
            raise RuntimeError("a fault of ours")
        return kind.from_native(raw, *given)

    from dataclasses import replace

    monkeypatch.setitem(classes.RECORDS, "Contacts", replace(kind, from_native=poisoned))  # type: ignore[arg-type]
    contacts = await box(wire(version=version), room, FolderType.CONTACTS)
    await contacts.sure()
    answer = await contacts.sure()
    assert sorted(answer.said) == [("Add", id) for id in ids]


@EVERY
async def test_what_our_own_conversion_cannot_do_is_refused_and_no_error(
    wire: Wires, room: Mailroom, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from eas.engine import classes

    def broken(*given: Any, **named: Any) -> bytes:
        raise RuntimeError("a fault of ours")

    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    kind = replace(classes.RECORDS["Contacts"], to_native=broken)
    monkeypatch.setitem(classes.RECORDS, "Contacts", kind)  # type: ignore[arg-type]
    answer = await contacts.sure(commands(add("c1", data(FirstName="Ann"))))
    assert answer.answered("Add") == [{"ClientId": "c1", "Status": "6"}]


@EVERY
async def test_a_store_that_fails_in_the_middle(
    wire: Wires, room: Mailroom, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R4433, R4435: this folder's Status 5; the retry does not double what was done."""
    from eas.engine.errors import Unavailable

    device = wire(version=version)
    contacts = await (await box(device, room, FolderType.CONTACTS)).begin()
    store = room.world.store
    commit = store.commit
    calls = 0

    async def fails_once(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Unavailable("the disk is away")
        return await commit(*given)

    monkeypatch.setattr(store, "commit", fails_once)
    adding = commands(add("c1", data(FirstName="Ann")))
    first, second = told(await device.post("Sync", request(
        collection(contacts.id, contacts.key, adding),
        collection((await room.folder("anna", FolderType.INBOX)).id, "0"),
    )))
    assert (first.status, first.text("SyncKey"), second.status) == ("5", contacts.key, "1")
    answer = await contacts.sure(adding)
    assert answer.answered("Add")[0]["Status"] == "1"
    assert len(await room.ids("anna", FolderType.CONTACTS)) == 1


async def test_a_fault_of_ours_in_one_folder_does_not_touch_the_others(
    wire: Wires, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eas.backends.embedded.feed import EmbeddedFeed

    device = wire()
    contacts = await (await box(device, room, FolderType.CONTACTS)).begin()
    inbox = await (await box(device, room, FolderType.INBOX)).begin()
    await room.deliver("anna", letter())
    delta = EmbeddedFeed.delta

    async def broken(feed: Any, *given: Any) -> Any:
        if feed._class == "Contacts":
            raise RuntimeError("a fault of ours")
        return await delta(feed, *given)

    monkeypatch.setattr(EmbeddedFeed, "delta", broken)
    first, second = told(await device.post("Sync", request(
        collection(contacts.id, contacts.key), collection(inbox.id, inbox.key)
    )))
    assert (first.status, second.status, len(second.said)) == ("5", "1", 1)


async def test_too_many_folders(wire: Wires) -> None:
    """R4463, R4464, R3223, R3231"""
    got = await wire().post("Sync", request(*[collection(str(n), "0") for n in range(1, 302)]))
    assert (got.status, got.text("Limit")) == ("15", "300")


@EVERY
async def test_two_hundred_commands_are_taken(wire: Wires, room: Mailroom, version: str) -> None:
    contacts = await (await box(wire(version=version), room, FolderType.CONTACTS)).begin()
    answer = await contacts.sure(commands(*[delete(f"{contacts.id}:{n}") for n in range(1, 201)]))
    assert len(answer.answered("Delete")) == 200

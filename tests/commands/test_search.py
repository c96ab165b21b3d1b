"""Search in the address list and in the mailbox. [MS-ASCMD] Search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from wire import Got, Wire, e, sync

from eas.engine.model import FolderType

Wires = Callable[..., Wire]

JPEG = b"\xff\xd8\xff" + b"photo" * 100


def search(name: str, query: Any, *options: Any) -> Any:
    asked = query if not isinstance(query, str) else e("Query", query)
    return e("Search:Search", e("Store", e("Name", name), asked, *((e("Options", *options),) if options else ())))


def gal(text: str, *options: Any) -> Any:
    return search("GAL", text, *options)


def mailbox(*criteria: Any, options: tuple[Any, ...] = ()) -> Any:
    return search("Mailbox", e("Query", e("And", *criteria)), *options)


async def ask(device: Wire, request: Any) -> Got:
    got = await device.post("Search", request)
    assert got.http == 200
    return got


STORE = ("Response", "Store")


def results(got: Got) -> list[dict[str, str]]:
    """The properties of each result by local name."""
    found = got.all(*STORE, "Result")
    return [
        {c.tag.partition(":")[2]: c.text for p in r.elements if p.tag == "Search:Properties" for c in p.elements}
        for r in found
    ]


# The address list ----------------------------------------------------------------------------------------------------


async def test_an_entry_has_what_is_known_and_nothing_empty(wire: Wires, world: Any) -> None:
    """R416, R419, R420, R421, R3691, R5711, R4638"""
    await world.admin.change_user("ben@example.com", title="Cook", phone="+49 30 1234", office="B 2")
    got = await ask(wire(), gal("ben"))
    assert got.status == got.text(*STORE, "Status") == "1"
    assert results(got) == [
        {
            "DisplayName": "Ben Berger", "Alias": "ben", "FirstName": "Ben", "LastName": "Berger", "Title": "Cook",
            "Phone": "+49 30 1234", "Office": "B 2", "EmailAddress": "ben@example.com",
        }
    ]
    assert (got.text(*STORE, "Range"), got.text(*STORE, "Total")) == ("0-0", "1")


async def test_nothing_found_is_no_error(wire: Wires) -> None:
    """R3847"""
    got = await ask(wire(), gal("zzz"))
    assert (got.text(*STORE, "Status"), got.text(*STORE, "Total")) == ("1", "0")
    assert got.find(*STORE, "Result") is None
    assert got.find(*STORE, "Range") is None


async def test_ranges(wire: Wires, world: Any) -> None:
    """Sorted by name (R426), zero-based (R431), one item for 0-0 (R3729)."""
    for number in range(5):
        await world.admin.add_user(f"d{number}@example.com", "x", name=f"Doe {number}")
    device = wire()
    first = await ask(device, gal("doe", e("Range", "0-1")))
    assert [r["DisplayName"] for r in results(first)] == ["Doe 0", "Doe 1"]
    assert (first.text(*STORE, "Range"), first.text(*STORE, "Total")) == ("0-1", "5")
    last = await ask(device, gal("doe", e("Range", "3-99")))
    assert [r["DisplayName"] for r in results(last)] == ["Doe 3", "Doe 4"]
    assert last.text(*STORE, "Range") == "3-4"
    one = await ask(device, gal("doe", e("Range", "0-0")))
    assert len(results(one)) == 1
    beyond = await ask(device, gal("doe", e("Range", "5-9")))
    assert beyond.text(*STORE, "Status") == "12"  # R4361


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (e("Search:Search"), "2"),
        (e("Search:Search", e("Store", e("Name", "GAL"))), "2"),
        (gal("   "), "2"),
        (gal("anna", e("Range", "all")), "2"),
        (gal("anna", e("Range", "5-3")), "2"),
        (gal("anna", e("Range", "-1-3")), "2"),
        (gal("anna", e("Range", "0-100")), "12"),  # R3736
        (search("Phonebook", "anna"), "2"),
        (search("DocumentLibrary", e("Query", e("EqualTo", e("DocumentLibrary:LinkId"), e("Value", "//a/b")))), "13"),
        (search("Mailbox", "anna"), "2"),
        (mailbox(), "2"),
        (mailbox(e("FreeText", "  ")), "2"),
        (mailbox(e("FreeText", "x"), options=(e("Range", "0-100"),)), "12"),
        (search("Mailbox", e("Query", e("FreeText", "x"))), "8"),  # R3105
        (search("Mailbox", e("Query", e("AirSync:Class", "Email"))), "8"),  # R923
        (search("Mailbox", e("Query", e("AirSync:CollectionId", "1"))), "8"),  # R2032
        (search("Mailbox", e("Query", e("ConversationId", b"12345678"))), "8"),  # R2086
        (search("Mailbox", e("Query", e("GreaterThan", e("Email:DateReceived"), e("Value", "x")))), "8"),  # R3143
        (search("Mailbox", e("Query", e("And", e("FreeText", "x")), e("And", e("FreeText", "y")))), "8"),  # R772
        (search("Mailbox", e("Query", e("Or", e("FreeText", "x")))), "8"),
        (mailbox(e("Or", e("FreeText", "x"))), "8"),
        (mailbox(e("And", e("FreeText", "x"))), "8"),
        (mailbox(e("AirSync:Class", "Letters")), "2"),
        (mailbox(e("Calendar:Subject", "x")), "2"),
        (mailbox(e("FreeText", "x"), e("GreaterThan", e("Email:DateReceived"), e("Value", "yesterday"))), "2"),
        (mailbox(e("FreeText", "x"), e("GreaterThan", e("Value", "2026-01-01T00:00:00.000Z"))), "2"),
        (mailbox(e("FreeText", "x"), e("AirSync:CollectionId", "999999")), "11"),  # R4358
        (mailbox(e("FreeText", "x"), options=(e("AirSyncBase:BodyPartPreference", e("Type", "2")),)), "2"),
        (mailbox(e("AirSync:Class", "SMS")), "1"),
    ],
)
async def test_what_does_not_fit(wire: Wires, request_: Any, status: str) -> None:
    got = await ask(wire(), request_)
    assert got.text(*STORE, "Status") == status


async def test_a_body_part_of_another_type(wire: Wires) -> None:
    """R5412"""
    options = (e("AirSyncBase:BodyPartPreference", e("Type", "1")),)
    assert (await ask(wire(), mailbox(e("FreeText", "x"), options=options))).status == "164"


async def test_notes_are_known_from_14_0(wire: Wires) -> None:
    """R6288"""
    asked = mailbox(e("AirSync:Class", "Notes"))
    assert (await ask(wire(version="12.1"), asked)).text(*STORE, "Status") == "2"
    assert (await ask(wire(version="14.0"), asked)).text(*STORE, "Status") == "1"


async def test_photos_within_limits(wire: Wires, world: Any) -> None:
    """R3310, R3311, R3294-R3297, R4372-R4375"""
    for login in ("anna", "carla"):
        await world.admin.change_user(f"{login}@example.com", picture=JPEG)

    async def statuses(*limits: Any, version: str = "14.1") -> list[str]:
        found = []
        for name in ("anna", "ben", "carla", "example"):
            got = await ask(wire(version=version), gal(name, e("Picture", *limits)))
            found += [p.text for p in got.all(*STORE, "Result", "Properties", "Picture", "Status")]
        return found

    assert await statuses() == ["1", "173", "1"]  # [MS-ASCMD] R4970
    assert await statuses(e("MaxSize", str(len(JPEG)))) == ["1", "173", "1"]
    assert await statuses(e("MaxSize", str(len(JPEG) - 1))) == ["174", "173", "174"]  # [MS-ASCMD] R4972
    assert await statuses(e("MaxPictures", "0")) == ["175", "173", "175"]  # [MS-ASCMD] R4974
    assert await statuses(version="14.0") == []
    got = await ask(wire(), gal("anna", e("Picture")))
    assert got.all(*STORE, "Result", "Properties", "Picture", "Data")[0].content == JPEG


async def test_no_photos_unless_asked_for(wire: Wires, world: Any) -> None:
    await world.admin.change_user("anna@example.com", picture=JPEG)
    assert "Picture" not in results(await ask(wire(), gal("anna")))[0]


# The mailbox ---------------------------------------------------------------------------------------------------------


def letter(subject: str, text: str = "Hello", sender: str = "eve@elsewhere.example") -> bytes:
    return (
        f"From: Eve <{sender}>\r\nTo: anna@example.com\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
        f"Message-ID: <{abs(hash((subject, text)))}@elsewhere.example>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()


async def deliver(world: Any, *messages: bytes, to: str = "anna@example.com") -> None:
    for message in messages:
        assert await world.app.embedded.office.take("eve@elsewhere.example", [to], message) == [None]


async def test_messages_are_found_by_their_words(wire: Wires, world: Any) -> None:
    """R3846, R3849, R3851"""
    await deliver(world, letter("Invoice 7", "for the bicycle"), letter("Lunch", "soup"), letter("Bicycle", "broken"))
    got = await ask(wire(), mailbox(e("FreeText", "bicycle")))
    assert got.text(*STORE, "Status") == "1"
    assert (got.text(*STORE, "Total"), got.text(*STORE, "Range")) == ("2", "0-1")
    assert {r["Subject"] for r in results(got)} == {"Invoice 7", "Bicycle"}
    assert {r.text for r in got.all(*STORE, "Result", "Class")} == {"Email"}
    inbox = await world.folder(FolderType.INBOX)
    assert {r.text for r in got.all(*STORE, "Result", "CollectionId")} == {inbox}
    assert all(r.text.startswith(f"{inbox}:") for r in got.all(*STORE, "Result", "LongId"))


async def test_newest_first_and_page_by_page(wire: Wires, world: Any) -> None:
    await deliver(world, *(letter(f"Report {n}") for n in range(5)))
    device = wire()
    whole = [r["Subject"] for r in results(await ask(device, mailbox(e("FreeText", "report"))))]
    assert sorted(whole) == [f"Report {n}" for n in range(5)]
    pages = []
    for page in ("0-1", "2-3", "4-5"):
        got = await ask(device, mailbox(e("FreeText", "report"), options=(e("Range", page), e("RebuildResults"))))
        pages += [r["Subject"] for r in results(got)]
    assert pages == whole


async def test_nothing_in_the_mailbox_is_one_empty_result(wire: Wires) -> None:
    """R3850"""
    got = await ask(wire(), mailbox(e("FreeText", "nowhere")))
    (result,) = got.all(*STORE, "Result")
    assert result.content == ()
    assert (got.text(*STORE, "Status"), got.text(*STORE, "Total")) == ("1", "0")
    assert got.find(*STORE, "Range") is None


async def test_body_preferences_hold(wire: Wires, world: Any) -> None:
    await deliver(world, letter("Long", "word " * 200))
    options = (e("AirSyncBase:BodyPreference", e("Type", "1"), e("TruncationSize", "100")),)
    got = await ask(wire(), mailbox(e("FreeText", "long"), options=options))
    body = ("Result", "Properties", "Body")
    assert len(got.text(*STORE, *body, "Data")) <= 100
    assert got.text(*STORE, *body, "Truncated") == "1"


async def test_folders_and_what_is_below_them(wire: Wires, world: Any) -> None:
    """R2031, R2146"""
    inbox = await world.folder(FolderType.INBOX)
    below = await world.admin.add_folder("anna@example.com", "Bills", FolderType.USER_MAIL, inbox)
    await deliver(world, letter("Invoice 1"), letter("Invoice 2"))
    device = wire()
    first = (await ask(device, mailbox(e("FreeText", "invoice")))).text(*STORE, "Result", "LongId")
    moved = await device.post("MoveItems", e("Move:MoveItems", e(
        "Move", e("SrcMsgId", first), e("SrcFldId", inbox), e("DstFldId", below.id))))
    assert moved.text("Response", "Status") == "3"

    async def count(*criteria: Any, deep: bool = False) -> int:
        options = (e("DeepTraversal"),) if deep else ()
        return len([r for r in results(await ask(device, mailbox(*criteria, options=options))) if r])

    text = e("FreeText", "invoice")
    assert await count(text) == 2
    assert await count(text, deep=True) == 2
    assert await count(text, e("AirSync:CollectionId", inbox)) == 1
    assert await count(text, e("AirSync:CollectionId", inbox), deep=True) == 2
    assert await count(text, e("AirSync:CollectionId", below.id)) == 1
    assert await count(text, e("AirSync:CollectionId", inbox), e("AirSync:CollectionId", below.id)) == 2


async def test_classes(wire: Wires, world: Any) -> None:
    """R920, R922"""
    await deliver(world, letter("Bicycle"))
    contacts = await world.folder(FolderType.CONTACTS)
    device = wire()
    key = (await device.post("Sync", sync("0", contacts))).text("Collections", "Collection", "SyncKey")
    card = e("AirSync:ApplicationData", e("Contacts:FileAs", "Bicycle shop"), e("Contacts:FirstName", "Bicycle"))
    await device.post("Sync", sync(key, contacts, e("Commands", e("Add", e("ClientId", "c1"), card))))

    async def classes(*asked: str) -> set[str]:
        criteria = [e("AirSync:Class", name) for name in asked]
        got = await ask(device, mailbox(*criteria, e("FreeText", "bicycle")))
        return {r.text for r in got.all(*STORE, "Result", "Class")}

    assert await classes() == {"Email", "Contacts"}
    assert await classes("Contacts") == {"Contacts"}
    assert await classes("Email", "Calendar") == {"Email"}


async def test_dates_of_receipt(wire: Wires, world: Any) -> None:
    """R3140"""
    await deliver(world, letter("Bicycle"))
    device = wire()

    def bound(name: str, when: str) -> Any:
        return e(name, e("Email:DateReceived"), e("Value", when))

    async def found(*bounds: Any) -> int:
        return len([r for r in results(await ask(device, mailbox(e("FreeText", "bicycle"), *bounds))) if r])

    early, late = "2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"
    assert await found(bound("GreaterThan", early), bound("LessThan", late)) == 1
    assert await found(bound("GreaterThan", late)) == 0
    assert await found(bound("LessThan", early)) == 0


async def test_nobody_finds_what_is_not_theirs(wire: Wires, world: Any) -> None:
    """Neither by words nor by naming the folder of somebody else."""
    await deliver(world, letter("Secret bicycle"), to="ben@example.com")
    device = wire()
    assert results(await ask(device, mailbox(e("FreeText", "bicycle")))) == [{}]
    theirs = await world.folder(FolderType.INBOX, "ben")
    got = await ask(device, mailbox(e("FreeText", "bicycle"), e("AirSync:CollectionId", theirs)))
    assert got.text(*STORE, "Status") == "11"
    unknown = await ask(device, mailbox(e("FreeText", "bicycle"), e("AirSync:CollectionId", "4711")))
    assert unknown.body == got.body

"""[MS-ASCMD] Search in the mailbox."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from lab import FROM_12, FROM_14, Lab, case
from records_kit import CONTACTS, NOTES, TASKS, Shelf
from search_kit import (
    CALENDAR,
    INBOX,
    STORE,
    Drawer,
    asked,
    composed,
    drawer,
    found,
    mail_to_me,
    mailbox,
    properties,
    send,
    signed,
    subjects,
    text_of,
    words,
)
from wire import Got, e

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element


async def ask(lab: Lab, request: Element) -> Got:
    got = await lab.talker().post("Search", request)
    assert (got.http, got.status) == (200, "1"), got
    return got


def received(side: str, value: str) -> Element:
    return e(side, e("Email:DateReceived"), e("Value", value))


@case(
    "MS-ASCMD", "R4325 R4329 R772 R923 R2032 R3105 R3143 R3220 R4350 R4358 R3733 R3736 R4321", FROM_12,
)
async def what_cannot_be_asked(lab: Lab) -> None:
    folder = await lab.talker().folder(INBOX)
    text, day = words("x"), "2026-01-01T00:00:00.000Z"
    rows: list[tuple[Element, str]] = [
        (asked("Mailbox", ()), "2"),
        (mailbox(), "2"),
        (mailbox(e("AirSync:Class", "Attic")), "2"),
        (mailbox(e("GreaterThan", e("Value", day))), "2"),
        (mailbox(received("LessThan", "yesterday")), "2"),
        (mailbox(text, e("EqualTo", e("Value", "x"))), "2"),
        (mailbox(text, options=(e("Range", "x"),)), "2"),
        (mailbox(text, options=(e("Range", "9-0"),)), "2"),
        (asked("Mailbox", (text,)), "8"),
        (asked("Mailbox", (e("AirSync:Class", "Email"),)), "8"),
        (asked("Mailbox", (e("AirSync:CollectionId", folder),)), "8"),
        (asked("Mailbox", (received("GreaterThan", day),)), "8"),
        (asked("Mailbox", (received("LessThan", day),)), "8"),
        (asked("Mailbox", (e("Or", text),)), "8"),
        (asked("Mailbox", (e("Or", e("AirSync:Class", "Email")),)), "8"),
        (asked("Mailbox", (e("Or", received("GreaterThan", day)),)), "8"),
        (asked("Mailbox", (e("And", text), e("And", text))), "8"),
        (mailbox(text, e("And", text)), "8"),
        (mailbox(e("AirSync:CollectionId", "nowhere"), text), "11"),
        (mailbox(text, options=(e("Range", "0-100"),)), "12"),
    ]
    for request, status in rows:
        got = await ask(lab, request)
        assert got.text(*STORE, "Status") == status, request
        assert got.find(*STORE, "Result", "Properties") is None


@case("MS-ASCMD", "R2086 R5815", FROM_14)
async def conversations_that_cannot_be_asked(lab: Lab) -> None:
    one = e("ConversationId", b"0123456789abcdef")
    rows = [
        (asked("Mailbox", (one,)), "8"), (asked("Mailbox", (e("Or", one),)), "8"), (mailbox(one, one), "2"),
    ]
    for request, status in rows:
        assert (await ask(lab, request)).text(*STORE, "Status") == status, request


@case("MS-ASCMD", "R2143 R3374 R3723 R3747 R4535 R7568 R7572", FROM_12)
async def what_stands_twice_is_no_error(lab: Lab) -> None:
    text = words(lab.unique())
    options = (
        ("DeepTraversal",), ("AirSync:MIMESupport", "0"), ("Range", "0-9"), ("RebuildResults",),
    )
    for option in options:
        one = e(option[0], *option[1:]) if len(option) > 1 else Element(option[0])
        got = await ask(lab, mailbox(text, options=(one, one)))
        assert got.text(*STORE, "Status") == "1", option
    for side in ("GreaterThan", "LessThan"):
        one = received(side, "2026-01-01T00:00:00.000Z")
        assert (await ask(lab, mailbox(one, one))).text(*STORE, "Status") == "1", side
    store = e("Search:Store", e("Name", "Mailbox"), e("Query", e("And", text)))
    assert (await ask(lab, Element("Search:Search", (store, store)))).text(*STORE, "Status") == "1"


@case("MS-ASCMD", "R3850 R7078 R4327", FROM_12)
async def nothing_found_is_one_empty_result(lab: Lab) -> None:
    got = await ask(lab, mailbox(words(lab.unique())))
    assert got.text(*STORE, "Status") == "1"
    (result,) = got.all(*STORE, "Result")
    assert result.elements == ()


@case("MS-ASCMD", "R3849 R3851 R3862 R5751 R2403 R2747 R3757", FROM_12)
async def a_message_is_found_until_it_is_deleted(lab: Lab) -> None:
    subject = lab.unique()
    await mail_to_me(lab, subject, "Some words within.", files={"plan.bin": b"0123"})
    inbox = await drawer(lab)
    (id, _), = (await inbox.holding(subject)).items()
    preference = e("AirSyncBase:BodyPreference", e("Type", "1"), e("TruncationSize", "5"))
    (result,) = await found(lab.talker(), mailbox(words(subject), options=(preference,)))
    assert text_of(result, "AirSync:Class") == "Email"
    assert text_of(result, "AirSync:CollectionId") == inbox.collection
    assert 0 < len(text_of(result, "Search:LongId")) <= 256
    shown = properties(result)
    assert text_of(shown, "Email:Subject") == subject
    assert lab.other.address in text_of(shown, "Email:From")
    body = shown.child("AirSyncBase:Body")
    assert body is not None
    assert (text_of(body, "AirSyncBase:Type"), text_of(body, "AirSyncBase:Data")) == ("1", "Some ")
    attachments = shown.child("AirSyncBase:Attachments")
    assert attachments is not None
    assert [text_of(one, "AirSyncBase:DisplayName") for one in attachments.elements] == ["plan.bin"]
    await inbox.sync(e("Delete", e("ServerId", id)))
    search = mailbox(words(subject), e("AirSync:CollectionId", inbox.collection))
    got = await ask(lab, search)
    assert got.find(*STORE, "Result", "Properties") is None


async def _calendar(lab: Lab, subject: str) -> None:
    """An appointment, in the form of the version."""
    talker = lab.talker()
    box = Drawer(talker=talker, collection=await talker.folder(CALENDAR))
    kind = [e("Class", "Calendar")] if lab.version <= Version.V12_1 else []

    async def sync(*commands: Element) -> None:
        parts = [*kind, e("SyncKey", box.key), e("CollectionId", box.collection), *commands]
        got = await talker.post("Sync", e("AirSync:Sync", e("Collections", e("Collection", *parts))))
        box.key = got.text("Collections", "Collection", "SyncKey")
        added = got.find("Collections", "Collection", "Responses", "Add")
        assert added is None or text_of(added, "AirSync:Status") == "1", got.root

    await sync()
    data = [
        e("Calendar:StartTime", "20270105T100000Z"), e("Calendar:EndTime", "20270105T110000Z"),
        e("Calendar:Subject", subject), e("Calendar:BusyStatus", "2"), e("Calendar:AllDayEvent", "0"),
    ]
    added = e("Add", e("ClientId", "c1"), Element("AirSync:ApplicationData", tuple(data)))
    await sync(e("GetChanges", "0"), e("Commands", added))


OF_EACH = (
    "R6091 R7513 R7514 R7515 R7516 R7517 R7518 R7519 R7520 R7521 R7522 R7523 R7524 R7525 R7526 R7527 R7528 R7529 "
    "R7530 R7531 R6092 R7532 R7533 R7534 R7535 R7536 R6288 R6289 R920 R922"
)


@case("MS-ASCMD", OF_EACH, FROM_12)
async def every_class_is_found_by_its_name(lab: Lab) -> None:
    name = lab.unique()
    await mail_to_me(lab, name)
    await (await drawer(lab)).holding(name)
    await _calendar(lab, name)
    made = {"Email", "Calendar"}
    records: list[tuple[int, str, tuple[Element, ...]]] = [
        (CONTACTS, "Contacts", (e("Contacts:LastName", name), e("Contacts:FileAs", name))),
        (TASKS, "Tasks", (e("Tasks:Subject", name), e("Tasks:Complete", "0"))),
        (NOTES, "Notes", (e("Notes:Subject", name), e("Notes:MessageClass", "IPM.StickyNote"))),
    ]
    for folder, item_class, data in records:
        if item_class == "Notes" and lab.version < Version.V14_0:
            continue
        talker = lab.talker()
        shelf = Shelf(talker=talker, collection=await talker.folder(folder), item_class=item_class)
        await shelf.sync()
        status, _ = await shelf.add(*data)
        assert status == "1", item_class
        made.add(item_class)
    for item_class in made:
        results = await found(lab.talker(), mailbox(e("AirSync:Class", item_class), words(name)))
        assert [text_of(one, "AirSync:Class") for one in results] == [item_class]
    everything = await found(lab.talker(), mailbox(words(name)), len(made))
    assert sorted(text_of(one, "AirSync:Class") for one in everything) == sorted(made)
    for item_class in ("SMS", "Notes"):
        got = await ask(lab, mailbox(e("AirSync:Class", item_class), words(name)))
        known = lab.version >= Version.V14_0
        assert got.text(*STORE, "Status") == ("1" if known else "2"), item_class


@case("MS-ASCMD", "R4327", FROM_12)
async def bounds_of_the_time_of_receipt(lab: Lab) -> None:
    subject = lab.unique()
    await mail_to_me(lab, subject)
    (result,) = await found(lab.talker(), mailbox(words(subject)))
    at = datetime.fromisoformat(text_of(properties(result), "Email:DateReceived"))
    for side, hours, there in (
        ("GreaterThan", -1, True), ("GreaterThan", 1, False), ("LessThan", 1, True), ("LessThan", -1, False),
    ):
        value = (at + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        got = await ask(lab, mailbox(words(subject), received(side, value)))
        assert (got.find(*STORE, "Result", "Properties") is not None) == there, (side, hours)


@case("MS-ASCMD", "R2031 R2146 R5856", FROM_12)
async def folders_below_a_folder(lab: Lab) -> None:
    subject, talker = lab.unique(), lab.talker()
    inbox = await drawer(lab)
    await mail_to_me(lab, subject)
    (id, _), = (await inbox.holding(subject)).items()
    await talker.folder(INBOX)

    async def create(parent: str, name: str) -> str:
        got = await talker.post("FolderCreate", e(
            "FolderHierarchy:FolderCreate", e("SyncKey", talker.folder_key), e("ParentId", parent),
            e("DisplayName", name), e("Type", "12"),
        ))
        assert got.status == "1", got.root
        talker.folder_key = got.text("SyncKey")
        return got.text("ServerId")

    above = await create("0", lab.unique("above"))
    below = await create(above, "Below")
    moved = await talker.post("MoveItems", e("Move:MoveItems", e(
        "Move", e("SrcMsgId", id), e("SrcFldId", inbox.collection), e("DstFldId", below),
    )))
    assert moved.text("Response", "Status") == "3", moved.root
    inside = (e("AirSync:CollectionId", above), words(subject))
    deep = await found(talker, mailbox(*inside, options=(Element("DeepTraversal"),)))
    assert [text_of(one, "AirSync:CollectionId") for one in deep] == [below]
    got = await ask(lab, mailbox(*inside))
    assert got.find(*STORE, "Result", "Properties") is None
    gone = await talker.post("FolderDelete", e(
        "FolderHierarchy:FolderDelete", e("SyncKey", talker.folder_key), e("ServerId", above)
    ))
    assert gone.status == "1"


@case("MS-ASCMD", "R3725 R3729 R3733 R4638 R3846", FROM_12)
async def ranges(lab: Lab) -> None:
    word, talker = lab.unique(), lab.talker()
    for n in range(3):
        await mail_to_me(lab, f"{word} number{n}")
    await found(talker, mailbox(words(word)), 3)
    rows = [(None, 3, "0-2"), ("0-99", 3, "0-2"), ("0-1", 2, "0-1"), ("0-0", 1, "0-0"), ("1-1", 1, "1-1"),
            ("2-50", 1, "2-2")]
    seen = []
    for span, count, answered in rows:
        got = await talker.post("Search", mailbox(words(word), options=(e("Range", span),) if span else ()))
        assert len(got.all(*STORE, "Result")) == count, span
        assert (got.text(*STORE, "Range"), got.text(*STORE, "Total")) == (answered, "3")
        if count == 1:
            seen += subjects(got.all(*STORE, "Result"))
    assert len(set(seen)) == 3
    beyond = await talker.post("Search", mailbox(words(word), options=(e("Range", "3-9"),)))
    assert beyond.text(*STORE, "Status") == "12"


@case("MS-ASCMD", "R3383 R3384 R3387 R3388", FROM_12)
async def signed_messages_come_whole(lab: Lab) -> None:
    subject = lab.unique()
    await send(lab.talker(lab.other), signed(subject, lab.me.address))
    preference = e("AirSyncBase:BodyPreference", e("Type", "4"), e("TruncationSize", "100"))
    for support in ("1", "2"):
        options = (e("AirSync:MIMESupport", support), preference)
        (result,) = await found(lab.talker(), mailbox(words(subject), options=options))
        body = properties(result).child("AirSyncBase:Body")
        assert body is not None
        assert text_of(body, "AirSyncBase:Type") == "4"
        parts: dict[str, Any] = {child.tag.partition(":")[2]: child.text for child in body.elements}
        assert {"Type", "EstimatedDataSize", "Truncated", "Data"} <= set(parts)
        assert int(parts["EstimatedDataSize"]) > 100
        assert len(parts["Data"]) <= 100


@case("MS-ASCMD", "R413", FROM_12)
async def no_language_is_needed(lab: Lab) -> None:
    subject = lab.unique()
    await send(lab.talker(lab.other), composed(subject, "Grüße aus Köln", to=lab.me.address))
    await found(lab.talker(), mailbox(words(f"{subject} grüße KÖLN")))


@case("MS-ASCMD", "R7244", Spoken(since=Version.V12_0, until=Version.V12_1))
async def no_conversation_is_moved_before_14_0(lab: Lab) -> None:
    move = e("Move", e("ConversationId", b"0123456789abcdef"), e("DstFldId", "1"), e("Options", Element("MoveAlways")))
    got = await lab.talker().post("ItemOperations", e("ItemOperations:ItemOperations", move))
    assert got.status == "2"
    assert got.find("Response") is None

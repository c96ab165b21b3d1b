"""[MS-ASCMD] GetItemEstimate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from boxes_kit import (
    CALENDAR,
    CLASS_OF,
    CONTACTS,
    INBOX,
    TASKS,
    Box,
    box,
    commands,
    contact,
    delete,
    event,
    letter,
    second,
)
from lab import FROM_12_1, FROM_14, Lab, case
from shapes_kit import BYTE, CONTAINER, NUMBER, TEXT, Shape, check, ids_of, statuses
from wire import Got, e

from eas.protocol.version import COLLECTION_CLASS, Version
from eas.protocol.wbxml import Element

ROOT = "GetItemEstimate:GetItemEstimate"


def asked(
    one: Box, *options: Element, key: str | None = None, id: str | None = None, beside: tuple[Any, ...] = ()
) -> Any:
    """A collection as the version has it: up to 12.1 with its class, the options beside the key, the key last."""
    key, id = one.key if key is None else key, one.id if id is None else id
    if one.talker.version in COLLECTION_CLASS:
        return e(
            "GetItemEstimate:Collection", e("Class", CLASS_OF[one.type]), e("CollectionId", id), *options,
            e("AirSync:SyncKey", key),
        )
    inside = (e("AirSync:Options", *options),) if options else ()
    return e("GetItemEstimate:Collection", e("AirSync:SyncKey", key), e("CollectionId", id), *beside, *inside)


async def ask(one: Box, *collections: Any) -> Got:
    got = await one.talker.post("GetItemEstimate", e(ROOT, e("Collections", *collections)))
    if got.http == 200 and got.body:
        one.answers.append(got.root)
    return got


async def counted(one: Box, *options: Element) -> int:
    got = await ask(one, asked(one, *options))
    assert got.text("Response", "Status") == "1", got.root
    return int(got.text("Response", "Collection", "Estimate"))


def filter_type(value: int) -> Element:
    return e("AirSync:FilterType", str(value))


def fault(got: Got, version: Version) -> str:
    """A common status; before 14.0 the HTTP status that stands for it."""
    if version < Version.V14_0:
        return f"HTTP {got.http}"
    found = got.find("Status")
    return found.text if found is not None else got.text("Response", "Status")


IN = (ROOT, "Response")
SHAPES = {
    (ROOT,): Shape(ids="R3130 R1768 R1769 R1770 R1771", kind=CONTAINER, children=frozenset(("Response",))),
    IN: Shape(
        ids="R3859 R2483 R2484 R2485 R2486", kind=CONTAINER, children=frozenset(("Status", "Collection")),
        least=1, most=None,
    ),
    (*IN, "Status"): Shape(ids="R4127 R5577 R5578 R5579 R5580", kind=BYTE, least=1),
    (*IN, "Collection"): Shape(
        ids="R1355 R1356 R1357 R1358", kind=CONTAINER, children=frozenset(("Class", "CollectionId", "Estimate"))
    ),
    (*IN, "Collection", "Class"): Shape(ids="", kind=TEXT),
    (*IN, "Collection", "CollectionId"): Shape(ids="R1371 R1372 R1373 R1374", kind=TEXT, least=1),
    (*IN, "Collection", "Estimate"): Shape(ids="R2289 R1643 R1644 R1645 R1646", kind=NUMBER, least=1),
}


@case("MS-ASCMD", "R171 R4134 R4131 " + ids_of(SHAPES))
async def what_there_is_to_be_synchronised_is_counted(lab: Lab) -> None:
    one = await (await box(lab, CONTACTS)).begin()
    before = await second(lab, one)
    assert await counted(before) == 0
    ids = [await one.add(contact(LastName=lab.unique())) for _ in range(3)]
    assert await counted(before) == 3
    await before.pull()
    await one.go(commands(*map(delete, ids)))
    assert await counted(before) == 3
    await ask(before, asked(before), asked(before, id="no-such-folder"))
    seen: set[tuple[str, ...]] = set()
    for answer in before.answers:
        if answer.tag == ROOT:
            check(answer, SHAPES, seen)
            assert statuses(answer) <= {"1", "2", "3", "4"}  # R4131
    assert SHAPES.keys() - seen <= {(*IN, "Collection", "Class")}
    assert ((*IN, "Collection", "Class") in seen) == (lab.version in COLLECTION_CLASS)


@case("MS-ASCMD", "R4130 R4135 R4136 R4139 R4140 R4142 R4594")
async def each_collection_has_its_status(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    unprimed = await box(lab, TASKS, contacts.talker)
    got = await ask(
        contacts, asked(contacts), asked(contacts, id="no-such-folder"), asked(unprimed, key="0"),
        asked(unprimed, key="1"), asked(contacts, key="no-such-key"),
    )
    assert [found.text for found in got.all("Response", "Status")] == ["1", "2", "3", "3", "4"]
    assert len(got.all("Response", "Collection")) == 1


#: Class by class the FilterTypes from 0 to 8 that are allowed, and the ids of the rows of the table.
FILTERS = {
    INBOX: ({0, 1, 2, 3, 4, 5}, range(2999, 3008)),
    CALENDAR: ({0, 4, 5, 6, 7}, range(3008, 3017)),
    TASKS: ({0, 8}, range(3017, 3026)),
}
FILTER_IDS = " ".join(f"R{number}" for _, ids in FILTERS.values() for number in ids)


@case("MS-ASCMD", FILTER_IDS + " R2984 R2973 R4129", FROM_14)
async def each_class_has_its_filters(lab: Lab) -> None:
    for type, (allowed, _) in FILTERS.items():
        one = await (await box(lab, type)).begin()
        for value in range(9):
            got = await ask(one, asked(one, filter_type(value)))
            if value in allowed:
                assert got.text("Response", "Status") == "1", (CLASS_OF[type], value)
            else:
                assert got.status == "110", (CLASS_OF[type], value)
        assert (await ask(one, asked(one, filter_type(9)))).status == "103"  # R2984, R4129
    contacts = await (await box(lab, CONTACTS)).begin()
    assert await counted(contacts, filter_type(3)) == 0  # R2973
    assert (await ask(contacts, asked(contacts, filter_type(9)))).status == "103"


@case("MS-ASCMD", "R2967 R2969 R2970 R2971 R5877")
async def the_filter_bounds_what_is_counted(lab: Lab) -> None:
    calendar = await (await box(lab, CALENDAR)).begin()
    other = await box(lab, CALENDAR)
    await other.sure()
    wide, narrow = await counted(other, filter_type(0)), await counted(other, filter_type(4))
    now = datetime.now(UTC).replace(microsecond=0)
    ids = []
    for days, recurs in ((-60, False), (-3, False), (400, False), (-60, True)):
        name = lab.unique()
        ids.append(await calendar.add(
            event(name, now + timedelta(days=days), name, version=lab.version, recurs=recurs)
        ))
    assert await counted(other, filter_type(0)) == wide + 4
    assert await counted(other) == wide + 4  # R2970
    assert await counted(other, filter_type(4)) == narrow + 3  # R2967, R2969, R2971, R5877
    await calendar.go(commands(*map(delete, ids)))


@case("MS-ASCMD", "R2100", FROM_14)
async def only_mail_has_conversations(lab: Lab) -> None:
    for type in (CALENDAR, CONTACTS, TASKS):
        one = await (await box(lab, type)).begin()
        got = await ask(one, asked(one, beside=(e("AirSync:ConversationMode", "1"),)))
        assert got.status == "103", CLASS_OF[type]


@case("MS-ASCON", "R332 R211", FROM_14)
async def a_filter_by_conversation_counts(lab: Lab) -> None:
    inbox, message, _ = await letter(lab)
    other = await box(lab, INBOX)
    await other.sure()
    for mode in ("0", "1"):
        got = await ask(other, asked(other, filter_type(1), beside=(e("AirSync:ConversationMode", mode),)))
        assert got.text("Response", "Status") == "1"
        assert int(got.text("Response", "Collection", "Estimate")) >= 1
    await inbox.go(commands(delete(message)))


@case("MS-ASCMD", "R907 R908", FROM_14)
async def text_messages_and_mail_alone_go_together(lab: Lab) -> None:
    inbox = await (await box(lab, INBOX)).begin()

    def of(*classes: str) -> Any:
        return e(
            "GetItemEstimate:Collection", e("AirSync:SyncKey", inbox.key), e("CollectionId", inbox.id),
            *(e("AirSync:Options", e("Class", name)) for name in classes),
        )

    assert (await ask(inbox, of("Email", "SMS"))).text("Response", "Status") == "1"
    assert (await ask(inbox, of("Email", "Calendar"))).text("Response", "Status") == "4"
    assert (await ask(inbox, of("Email", "Email"))).text("Response", "Status") == "4"


@case("MS-ASCMD", "R5647", FROM_12_1)
async def at_most_1000_collections_are_estimated(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    one = asked(contacts, id="no-such-folder")
    refused = fault(await ask(contacts, *[one] * 1001), lab.version)
    assert refused == ("103" if lab.version >= Version.V14_0 else "HTTP 400")
    assert len((await ask(contacts, *[one] * 1000)).all("Response")) == 1000

"""[MS-ASCMD] Sync and its kin: what is tolerated, the usual order of requests, and how ids look."""

from __future__ import annotations

import asyncio

from boxes_kit import (
    CALENDAR,
    CLASS_OF,
    CONTACTS,
    INBOX,
    NOTES,
    RECIPIENTS,
    TASKS,
    add,
    box,
    change,
    child_text,
    commands,
    contact,
    data,
    delete,
    event,
    filtered,
    letter,
    options,
    second,
    send,
    told,
)
from lab import FROM_12_1, FROM_14, FROM_16, Lab, case
from wire import e

from eas.protocol.version import COLLECTION_CLASS
from eas.protocol.version import NOTES as NOTES_SPOKEN

#: Longest id of a collection.
LONGEST_ID = 64
SOON = 60.0


@case("MS-ASCMD", "R938 R2058 R2075 R3075 R3404 R3432")
async def what_stands_twice_or_holds_nothing_is_no_error(lab: Lab) -> None:
    """Where the specification leaves the answer open, the servers that it describes give none of these errors."""
    inbox = await (await box(lab, INBOX)).begin()
    for twice in (
        (e("FilterType", "3"), e("FilterType", "3")), (e("Conflict", "1"), e("Conflict", "1")),
        (e("MIMESupport", "0"), e("MIMESupport", "0")), (e("MIMETruncation", "1"), e("MIMETruncation", "1")),
        *(((e("Class", "Email"), e("Class", "Email")),) if lab.version not in COLLECTION_CLASS else ()),
    ):
        await inbox.go(options(*twice))  # asserts Status 1 where there is an answer
    await inbox.go(commands())  # R2058


@case("MS-ASCMD", "R3272 R3280", FROM_14)
async def a_number_of_entries_may_be_stated_twice(lab: Lab) -> None:
    cache = await (await box(lab, RECIPIENTS)).begin()
    twice = options(e("MaxItems", "3"), e("MaxItems", "3"))
    await cache.go(twice)
    got = await cache.talker.post("GetItemEstimate", e("GetItemEstimate:GetItemEstimate", e("Collections", e(
        "Collection", e("AirSync:SyncKey", cache.key), e("CollectionId", cache.id), twice
    ))))
    assert got.text("Response", "Status") == "1"


@case("MS-ASCMD", "R3265 R3269", FROM_14)
async def only_the_cache_is_asked_for_so_many_entries(lab: Lab) -> None:
    for type, status in ((CONTACTS, "2"), (INBOX, "2"), (RECIPIENTS, "1")):
        one = await (await box(lab, type)).begin()
        got = await one.talker.post("GetItemEstimate", e("GetItemEstimate:GetItemEstimate", e("Collections", e(
            "Collection", e("AirSync:SyncKey", one.key), e("CollectionId", one.id), options(e("MaxItems", "3"))
        ))))
        assert got.text("Response", "Status") == status, type


@case("MS-ASCMD", "R9945 R6299 R6313 R6314 R5862 R5869")
async def every_class_is_synchronised_and_estimated(lab: Lab) -> None:
    for type in (INBOX, CALENDAR, CONTACTS, TASKS):
        one = await box(lab, type)
        assert 0 < len(one.id) <= LONGEST_ID
        started = await one.sure()
        assert (child_text(started.element, "Class") == CLASS_OF[type]) == (lab.version in COLLECTION_CLASS)
        assert len(started.text("CollectionId")) <= LONGEST_ID  # R5862
        if lab.version in COLLECTION_CLASS:  # R6313, R6314: the class and the filter stand in the collection
            asked = (e("Class", CLASS_OF[type]), e("CollectionId", one.id), e("AirSync:FilterType", "0"),
                     e("AirSync:SyncKey", one.key))
        else:
            asked = (e("AirSync:SyncKey", one.key), e("CollectionId", one.id), filtered(0))
        got = await one.talker.post(
            "GetItemEstimate", e("GetItemEstimate:GetItemEstimate", e("Collections", e("Collection", *asked)))
        )
        assert got.text("Response", "Status") == "1", got.root
        assert got.text("Response", "Collection", "CollectionId") == one.id  # R5869


@case("MS-ASCMD", "R5032 R5051 R5053 R5056 R5060")
async def the_usual_order_brings_everything(lab: Lab) -> None:
    """A key for each folder, an estimate for each, and then what was estimated."""
    writer = await (await box(lab, CONTACTS)).begin()
    ids = [await writer.add(contact(LastName=lab.unique())) for _ in range(2)]
    talker = lab.talker()
    boxes = [await box(lab, type, talker) for type in (CONTACTS, TASKS)]
    got = await talker.post("Sync", e("AirSync:Sync", e("Collections", *(one.collection() for one in boxes))))
    for one, answer in zip(boxes, told(got), strict=True):  # R5032, R5051, R5053
        assert answer.status == "1"
        assert not answer.inside("Commands")
        one.key = answer.text("SyncKey")
    for one in boxes:
        kind = (e("Class", CLASS_OF[one.type]),) if lab.version in COLLECTION_CLASS else ()
        collection = e(
            "GetItemEstimate:Collection", *kind,
            *((e("CollectionId", one.id), e("AirSync:SyncKey", one.key)) if kind else
              (e("AirSync:SyncKey", one.key), e("CollectionId", one.id))),
        )
        estimated = await talker.post(
            "GetItemEstimate", e("GetItemEstimate:GetItemEstimate", e("Collections", collection))
        )
        count = int(estimated.text("Response", "Collection", "Estimate"))  # R5056
        await one.pull(e("AirSync:WindowSize", "512"))
        assert len(one.has) == count  # R5060
    assert set(ids) <= boxes[0].has.keys()
    await writer.go(commands(*map(delete, ids)))


@case("MS-ASCMD", "R5599 R5789", FROM_12_1)
async def who_adds_or_changes_does_not_wait(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    wait = (e("AirSync:Wait", "5"),)
    name = lab.unique()
    async with asyncio.timeout(SOON):
        answer = await contacts.sure(commands(add("n", contact(LastName=name))), last=wait)
        id = child_text(answer.inside("Responses", "Add")[0], "ServerId")
        assert id
        changed = await contacts.ask(commands(change(id, contact(LastName=name, FirstName="B"))), last=wait)
        assert changed.http == 200
    contacts.key = told(changed)[0].text("SyncKey")
    await contacts.go(commands(delete(id)))


@case("MS-ASCMD", "R5636")
async def a_ping_goes_by_the_last_key(lab: Lab) -> None:
    """What a device was told with its last key is no news to a Ping; what came after is."""
    inbox, message, _ = await letter(lab)

    async def ping() -> str:
        folder = e("Folder", e("Id", inbox.id), e("Class", "Email"))
        async with asyncio.timeout(SOON):
            got = await inbox.talker.post(
                "Ping", e("Ping:Ping", e("HeartbeatInterval", "3540"), e("Folders", folder))
            )
        return got.status

    quiet = asyncio.create_task(ping())
    await asyncio.sleep(0.5)
    assert not quiet.done()
    await send(lab, lab.other, lab.me.address, lab.unique())
    assert await quiet == "2"
    assert await ping() == "2"  # still, as no Sync took it
    await inbox.pull()
    quiet = asyncio.create_task(ping())
    await asyncio.sleep(0.5)
    assert not quiet.done()
    await inbox.go(commands(delete(message)))  # ends nothing that a device waits for
    quiet.cancel()


@case("MS-ASCMD", "R7309", FROM_16)
async def appointments_keep_what_a_change_leaves_out(lab: Lab) -> None:
    from datetime import UTC, datetime, timedelta

    calendar = await (await box(lab, CALENDAR)).begin()
    name = lab.unique()
    start = datetime.now(UTC).replace(microsecond=0, second=0) + timedelta(days=3)
    id = await calendar.add(event(name, start, name, version=lab.version))
    await calendar.go(commands(change(id, data(e("Calendar:Sensitivity", "2")))))
    found = (await second(lab, calendar)).has[id]
    assert child_text(found, "Subject") == name
    assert child_text(found, "Sensitivity") == "2"
    assert child_text(found, "StartTime") == f"{start:%Y%m%dT%H%M%SZ}"
    await calendar.go(commands(delete(id)))


@case("MS-ASCMD", "R6412")
async def deletions_that_succeed_are_not_answered_one_by_one(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    ids = [await contacts.add(contact(LastName=lab.unique())) for _ in range(2)]
    answer = await contacts.sure(commands(*map(delete, ids)))
    assert not answer.inside("Responses")
    assert not set(ids) & (await second(lab, contacts)).has.keys()


@case("MS-ASCMD", "R6298", FROM_14)
async def notes_are_synchronised_from_14_0(lab: Lab) -> None:
    assert lab.version in NOTES_SPOKEN
    notes = await box(lab, NOTES)
    await notes.sure(options(e("Class", "Notes")))
    await notes.pull()

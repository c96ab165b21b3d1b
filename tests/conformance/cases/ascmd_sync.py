"""[MS-ASCMD] Sync: what is brought, and what becomes of a device's own changes. [MS-ASCON] Synchronizing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from boxes_kit import (
    CALENDAR,
    CONTACTS,
    DELETED_ITEMS,
    INBOX,
    TASKS,
    Box,
    add,
    box,
    change,
    child_text,
    commands,
    contact,
    data,
    delete,
    event,
    fetch,
    filtered,
    letter,
    local,
    options,
    properties,
    received,
    second,
    send,
    task,
    told,
)
from lab import FROM_12, FROM_12_1, FROM_14, FROM_14_1, Lab, case
from wire import Got, e

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

#: Without empty answers.
OLD = Spoken(until=Version.V12_0)


def windowed(size: int) -> Element:
    return e("AirSync:WindowSize", str(size))


def nothing(got: Got) -> bool:
    return got.http == 200 and not got.body and got.headers.get("content-length", "0") == "0"


@case("MS-ASCMD", "R656 R667 R679", FROM_12_1)
async def without_news_the_answer_is_empty(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    assert nothing(await contacts.ask())
    assert nothing(await contacts.talker.post("Sync"))  # and so is that to an empty request


@case("MS-ASCMD", "R656", OLD)
async def older_versions_are_told_that_there_is_nothing(lab: Lab) -> None:
    """They can have an empty answer too, as the row says; ours has the collection and its key."""
    contacts = await (await box(lab, CONTACTS)).begin()
    got = await contacts.ask()
    assert got.http == 200
    if got.body:
        (answer,) = told(got)
        assert answer.status == "1"
        assert not answer.inside("Commands")


@case("MS-ASCMD", "R748 R957 R749 R3834 R3835 R5255 R3119")
async def what_one_device_adds_another_is_told(lab: Lab) -> None:
    one = await (await box(lab, CONTACTS)).begin()
    two = await (await box(lab, CONTACTS)).begin()
    name = lab.unique()
    answer = await one.sure(commands(add("my-id", contact(LastName=name))))
    (response,) = answer.inside("Responses", "Add")  # R5255
    assert (child_text(response, "ClientId"), child_text(response, "Status")) == ("my-id", "1")  # R748
    id = child_text(response, "ServerId")
    assert id  # R957
    news = await two.sure()
    assert name in str(news.said("Add")[id])  # R749, R3119
    assert "Responses" not in news.names  # R3834, R3835
    await one.go(commands(delete(id)))


@case("MS-ASCMD", "R3125 R3126 R3127 R5555 R5556")
async def changes_come_when_they_are_wanted(lab: Lab) -> None:
    one = await (await box(lab, CONTACTS)).begin()
    id = await one.add(contact(LastName=lab.unique()))
    for stated, brought in (
        ((e("AirSync:GetChanges", "0"),), False), ((e("AirSync:GetChanges", "1"),), True),
        ((e("AirSync:GetChanges"),), True), ((), True),
    ):
        two = await box(lab, CONTACTS)
        start = await two.sure()
        assert not start.inside("Commands")  # R5555
        answer = await two.go(*stated)
        assert (answer is not None and bool(answer.inside("Commands"))) == brought, stated
    await one.go(commands(delete(id)))


@case("MS-ASCMD", "R4602")
async def a_first_synchronisation_brings_all(lab: Lab) -> None:
    one = await (await box(lab, CONTACTS)).begin()
    ids = {await one.add(contact(LastName=lab.unique())) for _ in range(3)}
    two = await second(lab, one)
    assert ids <= two.has.keys() == one.has.keys()
    await one.go(commands(*map(delete, ids)))


async def _many(lab: Lab, count: int) -> tuple[Box, list[str]]:
    one = await (await box(lab, CONTACTS)).begin()
    answer = await one.sure(commands(*(add(f"n{n}", contact(LastName=lab.unique())) for n in range(count))))
    ids = [child_text(given, "ServerId") or "" for given in answer.inside("Responses", "Add")]
    assert len(ids) == count
    return one, ids


@case("MS-ASCMD", "R4765 R4771 R3451 R3456 R5787 R4764 R5015 R5041")
async def a_window_bounds_what_comes_at_once(lab: Lab) -> None:
    one, ids = await _many(lab, 5)
    two = await box(lab, CONTACTS)
    await two.sure()
    seen: list[str] = []
    while True:
        answer = await two.sure(windowed(2))
        assert len(answer.inside("Commands")) <= 2
        seen += answer.said()
        if not answer.more:  # R3456
            break
        assert answer.inside("Commands")  # R4765, R4771, R3451
    assert set(ids) <= set(seen)
    whole = await box(lab, CONTACTS)
    await whole.sure()
    answer = await whole.sure(windowed(512))
    assert len(answer.inside("Commands")) <= 512  # R4764
    assert not answer.more
    await one.go(commands(*map(delete, ids)))


@case("MS-ASCMD", "R4767 R3459")
async def a_window_that_is_not_stated_is_100(lab: Lab) -> None:
    one, ids = await _many(lab, 101)
    two = await box(lab, CONTACTS)
    await two.sure()
    answer = await two.sure()
    assert len(answer.inside("Commands")) == 100
    assert answer.more
    await one.go(commands(*map(delete, ids)))


@case("MS-ASCMD", "R4779", FROM_12_1)
async def one_window_for_all_collections(lab: Lab) -> None:
    one, ids = await _many(lab, 3)
    talker = lab.talker()
    contacts, tasks = await box(lab, CONTACTS, talker), await box(lab, TASKS, talker)
    filler = await (await box(lab, TASKS)).begin()
    done = await filler.add(task(lab.unique()))
    for each in (contacts, tasks):
        await each.sure()
    got = await talker.post("Sync", e(
        "AirSync:Sync", e("Collections", contacts.collection(), tasks.collection()), e("WindowSize", "2")
    ))
    answers = told(got)
    assert sum(len(answer.inside("Commands")) for answer in answers) <= 2
    assert any(answer.more for answer in answers)
    await one.go(commands(*map(delete, ids)))
    await filler.go(commands(delete(done)))


@case("MS-ASCMD", "R2158 R2160 R2161 R5874 R5875")
async def deleted_mail_is_moved_or_gone(lab: Lab) -> None:
    trash = await (await box(lab, DELETED_ITEMS)).begin()
    for stated, kept in (
        ((), True), ((e("AirSync:DeletesAsMoves"),), True), ((e("AirSync:DeletesAsMoves", "1"),), True),
        ((e("AirSync:DeletesAsMoves", "0"),), False),
    ):
        inbox, message, subject = await letter(lab)
        await inbox.sure(*stated, commands(delete(message)))
        await trash.pull()
        assert bool(trash.with_text(subject)) == kept, stated
        again = await (await box(lab, INBOX)).begin()
        assert not again.with_text(subject)


@case("MS-ASCMD", "R5433")
async def a_fetched_message_comes_with_its_answer(lab: Lab) -> None:
    inbox, message, subject = await letter(lab, "Word by word.")
    answer = await inbox.sure(commands(fetch(message)))
    (response,) = answer.inside("Responses", "Fetch")
    assert child_text(response, "Status") == "1"
    assert subject in str(response)
    assert "Word by word." in str(response)


@case("MS-ASCMD", "R5256 R7069")
async def only_failures_of_changes_and_deletions_are_answered(lab: Lab) -> None:
    one = await (await box(lab, CONTACTS)).begin()
    id, other = [await one.add(contact(LastName=lab.unique())) for _ in range(2)]
    answer = await one.sure(commands(change(id, contact(LastName="Changed")), delete(other)))
    assert not answer.inside("Responses", "Delete")
    assert answer.statuses("Change") in ([], ["1"])
    failed = await one.sure(commands(delete(f"{one.id}:99999999"), change(f"{one.id}:99999998", contact(LastName="x"))))
    assert failed.statuses("Change") == ["8"]
    assert failed.statuses("Delete") == ["8"]
    await one.go(commands(delete(id)))


@case("MS-ASCMD", "R873 R5825")
async def a_small_change_of_a_message_leaves_the_rest(lab: Lab) -> None:
    inbox, message, subject = await letter(lab, "Stays.")
    for small in ((e("Email:Read", "1"),), (e("Email:Flag", e("Status", "2"), e("FlagType", "for Follow Up")),)):
        if small[0].tag == "Email:Flag" and lab.version == Version.V2_5:
            continue  # flags are from 12.0 on
        await inbox.go(commands(change(message, data(*small))))
        other = await second(lab, inbox)
        assert properties(other.has[message])["Subject"] == subject
    assert properties((await second(lab, inbox)).has[message])["Read"] == "1"


@case("MS-ASCMD", "R5826", FROM_14)
async def categories_alone_leave_the_rest(lab: Lab) -> None:
    inbox, message, subject = await letter(lab)
    await inbox.go(commands(change(message, data(e("Email:Categories", e("Category", "Mine"))))))
    other = await second(lab, inbox)
    assert properties(other.has[message])["Subject"] == subject
    assert "Mine" in str(other.has[message])


@case("MS-ASCMD", "R878 R879 R881", FROM_12)
async def what_a_change_leaves_out_is_deleted_but_for_body_and_picture(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    body = e("AirSyncBase:Body", e("Type", "1"), e("Data", "Notes."))
    name = lab.unique()
    id = await contacts.add(data(
        e("Contacts:FirstName", "A"), e("Contacts:LastName", name), e("Contacts:Picture", "R0lGODlhAQABAAAAACw="), body,
    ))
    await contacts.go(commands(change(id, contact(LastName=name))))
    found = (await second(lab, contacts)).has[id]
    assert "FirstName" not in properties(found)  # R879, R881
    assert "Notes." in str(found)  # R878
    assert properties(found)["Picture"]
    await contacts.go(commands(delete(id)))


@case("MS-ASCMD", "R5906 R5907 R5909 R5911 R5912")
async def supported_says_what_a_change_may_leave_out(lab: Lab) -> None:
    fields = {"FirstName": "A", "CompanyName": "C", "JobTitle": "J"}
    for supported, kept in (
        ((), set()),  # R5906: nothing is ghosted
        ((e("AirSync:Supported", e("Contacts:JobTitle")),), {"FirstName", "CompanyName"}),  # R5907
        ((e("AirSync:Supported"),), {"FirstName", "CompanyName", "JobTitle"}),  # R5909
    ):
        contacts, name = await box(lab, CONTACTS), lab.unique()
        await contacts.begin(*supported)
        id = await contacts.add(contact(LastName=name, **fields))
        await contacts.go(commands(change(id, contact(LastName=name))))
        found = properties((await second(lab, await box(lab, CONTACTS))).has[id])
        assert found.keys() & fields.keys() == kept, supported  # R5911, R5912
        await contacts.go(commands(delete(id)))


@case("MS-ASCMD", "R2987 R3065 R5878 R3076 R3967")
async def a_filter_leaves_what_is_older(lab: Lab) -> None:
    calendar = await (await box(lab, CALENDAR)).begin()
    now = datetime.now(UTC).replace(microsecond=0)
    past, future, endless = [lab.unique() for _ in range(3)]
    ids = {
        name: await calendar.add(event(name, when, name, version=lab.version, recurs=name == endless))
        for name, when in ((past, now - timedelta(days=60)), (future, now + timedelta(days=400)),
                           (endless, now - timedelta(days=60)))
    }
    narrow, wide = await box(lab, CALENDAR), await box(lab, CALENDAR)
    await narrow.sure(filtered(4))
    await narrow.pull(filtered(4))
    assert ids[past] not in narrow.has  # R2987
    assert {ids[future], ids[endless]} <= narrow.has.keys()  # R3065, R5878
    await wide.begin()
    assert set(ids.values()) <= wide.has.keys()  # R3076
    answer = await wide.sure(filtered(4))
    assert ids[past] in answer.said("SoftDelete")  # R3967
    back = await wide.sure(filtered(0))
    assert ids[past] in back.said("Add")
    await calendar.go(commands(*map(delete, ids.values())))


#: MIMETruncation and the characters that it leaves. [MS-ASCMD] MIMETruncation
MIME_SIZES = {0: 0, 1: 4096, 2: 5120, 3: 7168, 4: 10240, 5: 20480, 6: 51200, 7: 102400, 8: None}


def as_mime(value: int) -> Element:
    return options(
        e("MIMESupport", "2"), e("MIMETruncation", str(value)), e("AirSyncBase:BodyPreference", e("Type", "4"))
    )


@case("MS-ASCMD", "R3418 R3419 R3420 R3421 R3422 R3423 R3424 R3425 R3426 R3408 R3409 R3410", FROM_12)
async def mime_is_cut_where_the_device_says(lab: Lab) -> None:
    inbox, message, _ = await letter(lab, "\r\n".join(f"line {n:06} " + "x" * 60 for n in range(1500)))
    for value, size in MIME_SIZES.items():
        reader = await box(lab, INBOX)
        await reader.sure(as_mime(value))
        await reader.pull(as_mime(value))
        body = next(one for one in reader.has[message].elements if one.tag == "AirSyncBase:Body")  # R3408
        found = properties(body)
        assert found["Type"] == "4"  # R3410
        assert int(found["EstimatedDataSize"]) > 102400
        assert ("Truncated" in found and found["Truncated"] == "1") == (size is not None)  # R3409
        length = len(found.get("Data", ""))
        assert length == size if size is not None else length > 102400, (value, length)
    await inbox.go(e("AirSync:DeletesAsMoves", "0"), commands(delete(message)))


@case("MS-ASCON", "R38 R234 R237 R241 R243 R245 R246 R247 R248 R239 R240", FROM_14_1)
async def a_body_part_comes_where_it_is_asked_for(lab: Lab) -> None:
    inbox, message, _ = await letter(lab, "word " * 200)
    body, part = e("AirSyncBase:BodyPreference", e("Type", "1")), e("AirSyncBase:BodyPartPreference", e("Type", "2"))
    cut = e("AirSyncBase:BodyPartPreference", e("Type", "2"), e("TruncationSize", "20"))
    for asked, expected in (
        ((), {"Body"}), ((body,), {"Body"}), ((part,), {"BodyPart"}), ((body, part), {"Body", "BodyPart"}),
        ((cut,), {"BodyPart"}),
    ):
        reader = await box(lab, INBOX)
        await reader.begin(options(*asked))
        found = {local(one): one for one in reader.has[message].elements if local(one) in ("Body", "BodyPart")}
        assert found.keys() == expected, asked
        if "BodyPart" in found:
            told_of = properties(found["BodyPart"])
            assert (told_of["Status"], told_of["Type"]) == ("1", "2")
            assert (told_of.get("Truncated") == "1") == (asked == (cut,))  # R239, R240
            assert int(told_of["EstimatedDataSize"]) > 20
    wrong = e("AirSyncBase:BodyPartPreference", e("Type", "1"))
    got = await (await box(lab, INBOX)).ask(options(wrong), key="0")
    assert got.status == "164"  # R241
    await inbox.go(commands(delete(message)))


async def _thread(lab: Lab) -> tuple[Box, list[str]]:
    """Three messages of one conversation in my inbox."""
    subject, ids = lab.unique("thread"), []
    inbox = await (await box(lab, INBOX)).begin()
    root = f"<{lab.unique()}@example.com>"
    for n in range(3):
        more = f"Message-ID: {root}\r\n" if n == 0 else f"In-Reply-To: {root}\r\nReferences: {root}\r\n"
        await send(lab, lab.other, lab.me.address, f"{'Re: ' * bool(n)}{subject} {n}", more=more)
        ids.append(await received(lab, f"{subject} {n}", inbox))
    return inbox, ids


@case("MS-ASCON", "R180 R203 R284 R204 R326 R337 R157 R158 R199 R200 R201", FROM_14)
async def a_conversation_is_synchronised_read_and_deleted(lab: Lab) -> None:
    inbox, ids = await _thread(lab)
    other = await second(lab, inbox)
    assert set(ids) <= other.has.keys()  # R180
    names = {
        next(one.content for one in other.has[id].elements if one.tag == "Email2:ConversationId") for id in ids
    }
    assert len(names) == 1
    for read in ("1", "0"):  # R203, R284, R326, R337
        await inbox.go(commands(*(change(id, data(e("Email:Read", read))) for id in ids)))
        looker = await second(lab, inbox)
        assert {properties(looker.has[id])["Read"] for id in ids} == {read}
    trash = await (await box(lab, DELETED_ITEMS)).begin()
    before = set(trash.has)
    await inbox.go(commands(*map(delete, ids)))  # R157, R199
    await trash.pull()
    assert len(trash.has.keys() - before) == 3
    assert not (await second(lab, inbox)).has.keys() & set(ids)


@case("MS-ASCON", "R324 R325 R162 R206 R207 R208 R209", FROM_14)
async def a_conversation_is_flagged(lab: Lab) -> None:
    inbox, ids = await _thread(lab)

    def flags(found: Box) -> list[str | None]:
        shown = [
            next((one for one in found.has[id].elements if one.tag == "Email:Flag"), None) for id in ids
        ]
        return [child_text(one, "Status") if one is not None else None for one in shown]

    newest = ids[-1]
    await inbox.go(commands(change(newest, data(
        e("Email:Flag", e("Status", "2"), e("FlagType", "for Follow Up"))
    ))))
    assert flags(await second(lab, inbox)) == [None, None, "2"]
    done = e(
        "Email:Flag", e("Status", "1"), e("FlagType", "for Follow Up"), e("CompleteTime", "2026-01-02T10:00:00.000Z"),
        e("Tasks:DateCompleted", "2026-01-02T10:00:00.000Z"),
    )
    await inbox.go(commands(change(newest, data(done))))
    assert flags(await second(lab, inbox)) == [None, None, "1"]
    await inbox.go(commands(*(change(id, data(e("Email:Flag"))) for id in ids)))
    assert flags(await second(lab, inbox)) == [None, None, None]
    await inbox.go(commands(*map(delete, ids)))


@case("MS-ASCMD", "R2107", FROM_14)
async def a_filter_by_conversation_brings_the_conversations_within_it(lab: Lab) -> None:
    inbox, ids = await _thread(lab)
    asked = e("AirSync:ConversationMode", "1"), filtered(1)
    reader = await box(lab, INBOX)
    await reader.sure(*asked)
    await reader.pull(*asked)
    assert set(ids) <= reader.has.keys()
    await inbox.go(commands(*map(delete, ids)))


@case("MS-ASCNTC", "R219 R236 R231 R410 R415 R514 R1010", FROM_14)
async def those_whom_one_writes_to_stand_in_the_cache(lab: Lab) -> None:
    for _ in range(2):
        await send(lab, lab.me, f"Conformance Friend <{lab.other.address}>", lab.unique())
    cache = await (await box(lab, 19)).begin()
    ids = cache.with_text(lab.other.address)
    assert len(ids) == 1
    for content in cache.has.values():
        assert {local(one) for one in content.elements} == {"Email1Address", "FileAs", "WeightedRank"}
    found = properties(cache.has[ids[0]])
    assert found["Email1Address"] == lab.other.address
    assert found["FileAs"] == "Conformance Friend"
    assert int(found["WeightedRank"]) > 0
    contacts = await (await box(lab, CONTACTS)).begin()
    assert not any("WeightedRank" in properties(one) for one in contacts.has.values())  # R415
    best = await box(lab, 19)
    await best.begin(options(e("MaxItems", "1")))
    assert len(best.has) == 1



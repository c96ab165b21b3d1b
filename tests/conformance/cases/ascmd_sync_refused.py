"""[MS-ASCMD] Sync: what is refused, and how."""

from __future__ import annotations

from typing import Any

from boxes_kit import (
    CALENDAR,
    CLASS_OF,
    CONTACTS,
    INBOX,
    TASKS,
    Box,
    Told,
    add,
    box,
    change,
    commands,
    contact,
    data,
    delete,
    fetch,
    filtered,
    letter,
    options,
)
from lab import BEFORE_16, FROM_12_1, FROM_14, Lab, case
from wire import Got, e

from eas.protocol.version import Version


def status_of(got: Got) -> str:
    """Of the request, or of its one collection; an empty answer is a success."""
    assert got.http == 200, got.http
    if not got.body:
        return "1"
    whole = got.find("Status")
    return whole.text if whole is not None else Told(got.all("Collections", "Collection")[0]).status


async def first(one: Box, *more: Any) -> str:
    """The status of a request with key 0."""
    return status_of(await one.ask(*more, key="0"))


@case("MS-ASCMD", "R4545 R4415 R5778 R5779", FROM_12_1)
async def a_request_that_does_not_comply_is_refused_as_a_whole(lab: Lab) -> None:
    talker = lab.talker()
    inbox = await talker.folder(INBOX)
    for inside in (
        (e("SyncKey", "0"),),  # R4545
        (e("CollectionId", inbox),),
        (e("SyncKey", "0"), e("Supported", e("Contacts:FirstName")), e("CollectionId", inbox)),
    ):
        got = await talker.post("Sync", e("AirSync:Sync", e("Collections", e("Collection", *inside))))
        assert got.status == "4", got.root
        assert got.find("Collections") is None


@case("MS-ASCMD", "R3128 R5838 R3129 R5839 R4430 R4431 R4417")
async def changes_are_not_asked_for_with_key_0(lab: Lab) -> None:
    contacts = await box(lab, CONTACTS)
    assert await first(contacts, e("GetChanges")) == "4"
    assert await first(contacts, e("GetChanges", "1")) == "4"
    assert await first(contacts) == "1"
    assert await first(contacts, e("GetChanges", "0")) == "1"


#: Class by class the FilterTypes from 0 to 8 that are allowed, and the ids of the rows of the table.
FILTERS = {
    INBOX: ({0, 1, 2, 3, 4, 5}, range(3035, 3044)),
    CALENDAR: ({0, 4, 5, 6, 7}, range(3044, 3053)),
    TASKS: ({0, 8}, range(3053, 3062)),
}
FILTER_IDS = " ".join(f"R{number}" for _, ids in FILTERS.values() for number in ids)


@case("MS-ASCMD", FILTER_IDS + " R3080 R3069")
async def each_class_has_its_filters(lab: Lab) -> None:
    for type, (allowed, _) in FILTERS.items():
        one = await (await box(lab, type)).begin()
        for value in range(9):
            status = status_of(await one.ask(filtered(value)))
            assert (status == "1") == (value in allowed), (CLASS_OF[type], value, status)
            if type in (INBOX, CALENDAR) and value == 8:
                assert status == "4"  # R3080, R3069


@case("MS-ASCMD", "R3079")
async def contacts_pass_over_the_filter(lab: Lab) -> None:
    one = await box(lab, CONTACTS)
    contacts = await one.begin()
    id = await contacts.add(contact(LastName=lab.unique()))
    plain, narrow = await (await box(lab, CONTACTS)).begin(), await box(lab, CONTACTS)
    await narrow.sure(filtered(1))
    await narrow.pull(filtered(1))
    assert plain.has.keys() == narrow.has.keys() >= {id}
    await contacts.go(commands(delete(id)))


def of_class(name: str) -> Any:
    return options(e("Class", name))


@case("MS-ASCMD", "R930 R934 R935", FROM_14)
async def options_are_stated_once_for_a_class(lab: Lab) -> None:
    inbox, calendar = await box(lab, INBOX), await box(lab, CALENDAR)
    assert await first(inbox, of_class("Email"), of_class("Email")) == "4"  # R930
    assert await first(inbox, of_class("Email"), of_class("SMS")) == "1"  # R934
    assert await first(inbox, of_class("Email"), of_class("Calendar")) == "4"  # R935
    assert await first(calendar, of_class("Calendar"), of_class("Tasks")) == "4"
    assert await first(calendar, of_class("SMS"), of_class("Calendar")) == "4"


@case("MS-ASCMD", "R2117", FROM_14)
async def only_mail_has_conversations(lab: Lab) -> None:
    for type in (CALENDAR, CONTACTS, TASKS):
        one = await (await box(lab, type)).begin()
        assert status_of(await one.ask(e("ConversationMode", "1"))) == "4", CLASS_OF[type]


@case("MS-ASCON", "R336", FROM_14)
async def a_filter_by_conversation_is_for_mail(lab: Lab) -> None:
    """The status of the row is that of Sync; an estimate says 103 ([MS-ASCMD] R2100)."""
    calendar = await (await box(lab, CALENDAR)).begin()
    assert status_of(await calendar.ask(e("ConversationMode", "1"))) == "4"


@case("MS-ASCMD", "R3162 R4748", FROM_14)
async def one_cannot_wait_in_two_ways(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    got = await contacts.ask(last=(e("AirSync:Wait", "5"), e("AirSync:HeartbeatInterval", "300")))
    assert got.status == "4"


async def _limits(lab: Lab, table: tuple[tuple[str, str, str], ...]) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    for tag, value, limit in table:
        got = await contacts.ask(last=(e(f"AirSync:{tag}", value),))
        assert (got.status, got.text("Limit")) == ("14", limit), (tag, value)
        assert got.find("Collections") is None


@case("MS-ASCMD", "R3225 R3227 R3228 R4746 R4459 R5781 R5782", FROM_12_1)
async def minutes_of_a_wait_have_bounds(lab: Lab) -> None:
    await _limits(lab, (("Wait", "0", "1"), ("Wait", "60", "59"), ("Wait", "1440", "59")))


@case("MS-ASCMD", "R3160 R3229 R3230 R5780 R4460 R4461", FROM_14)
async def seconds_of_a_wait_have_bounds(lab: Lab) -> None:
    await _limits(lab, (
        ("HeartbeatInterval", "59", "60"), ("HeartbeatInterval", "1", "60"), ("HeartbeatInterval", "3541", "3540"),
        ("HeartbeatInterval", "86400", "3540"),
    ))


@case("MS-ASCMD", "R4425 R4599 R4606 R648 R654 R4423")
async def a_key_that_was_not_handed_out_is_refused(lab: Lab) -> None:
    contacts = await box(lab, CONTACTS)
    started = await contacts.sure()  # R648, R4599: a key to begin with
    keys = [started.text("SyncKey")]
    assert keys[0] != "0"
    assert status_of(await contacts.ask(key="no-such-key")) == "3"  # R4425
    await contacts.pull()
    await contacts.add(contact(LastName=lab.unique()))  # R654, R4606: another key for the next time
    assert contacts.key not in keys
    status = status_of(await contacts.ask(key=contacts.key[::-1] + "x"))
    assert status == "3"


@case("MS-ASCMD", "R4456", FROM_12_1)
async def what_is_not_remembered_is_not_repeated(lab: Lab) -> None:
    talker = lab.talker()
    await talker.folder(INBOX)
    assert (await talker.post("Sync")).status == "13"
    partial = await talker.post("Sync", e("AirSync:Sync", e("Partial"), e("WindowSize", "10")))
    assert partial.status == "13"


@case("MS-ASCMD", "R5659")
async def at_most_200_commands_stand_in_a_request(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    got = await contacts.ask(commands(*(fetch(f"{contacts.id}:{n}") for n in range(1, 202))))
    assert status_of(got) == "4"
    allowed = await contacts.ask(commands(*(fetch(f"{contacts.id}:{n}") for n in range(900001, 900201))))
    assert status_of(allowed) == "1"


@case("MS-ASCMD", "R755", BEFORE_16)
async def messages_are_not_added(lab: Lab) -> None:
    inbox = await (await box(lab, INBOX)).begin()
    answer = await inbox.sure(commands(add("m1", data(e("Email:Subject", lab.unique())), "Email")))
    assert answer.statuses("Add") == ["6"]


@case("MS-ASCMD", "R756", FROM_14)
async def nothing_is_added_to_the_recipient_information_cache(lab: Lab) -> None:
    cache = await box(lab, 19)
    await cache.begin()
    got = await cache.ask(commands(add("r1", contact(Email1Address="x@example.com"))))
    assert got.status == "4"
    assert got.find("Collections") is None


@case("MS-ASCMD", "R4419 R4440 R4447")
async def items_fail_one_by_one(lab: Lab) -> None:
    inbox, message, _ = await letter(lab)
    answer = await inbox.sure(commands(
        change(message, data(e("Email:Read", "maybe"))),  # R4440
        fetch(f"{inbox.id}:999999999"),  # R4447
        change(f"{inbox.id}:999999998", data(e("Email:Read", "1"))),
        fetch(message),
    ))
    assert answer.statuses("Change") == ["6", "8"]
    assert answer.statuses("Fetch") == ["8", "1"]


@case("MS-ASCMD", "R2069 R2068 R2066 R2067 R4444")
async def a_conflict_is_settled_as_the_options_say(lab: Lab) -> None:
    """Two devices change one contact; the second one without having heard of it."""
    one = await (await box(lab, CONTACTS)).begin()
    for conflict, kept in ((None, "server"), ("1", "server"), ("0", "client")):
        name = lab.unique()
        id = await one.add(contact(FirstName="both", LastName=name))
        two = await (await box(lab, CONTACTS)).begin()
        await one.sure(commands(change(id, contact(FirstName="server", LastName=name))))
        stated = options(*((e("Conflict", conflict),) if conflict else ()))
        answer = await two.sure(stated, commands(change(id, contact(FirstName="client", LastName=name))))
        assert answer.statuses("Change") == (["7"] if kept == "server" else []), conflict
        looker = await (await box(lab, CONTACTS)).begin()
        found = next(c.text for c in looker.has[id].elements if c.tag == "Contacts:FirstName")
        assert found == kept, conflict
        await looker.go(commands(delete(id)))
        await one.pull()


@case("MS-ASCMD", "R6298")
async def text_messages_are_taken_from_14_0(lab: Lab) -> None:
    spoken = lab.version >= Version.V14_0
    inbox = await (await box(lab, INBOX)).begin(*((of_class("Email"), of_class("SMS")) if spoken else ()))
    text = data(e("Email:From", "+491700000"), e("Email:To", lab.me.address), e("Email:Read", "1"))
    answer = await inbox.sure(commands(add("sms1", text, "SMS")))
    assert answer.statuses("Add") == (["1"] if spoken else ["6"])

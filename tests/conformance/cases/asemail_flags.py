"""[MS-ASEMAIL] Updating E-Mail Flags; Sending E-Mail Changes to the Client; Flag, Read, Categories."""

from __future__ import annotations

from boxes_kit import change, child_text, commands, data, letter, local, second
from lab import FROM_12, FROM_12_1, FROM_14, Lab, case
from mail_cases_kit import options, preference, text_of, under
from wire import e

from eas.protocol.wbxml import Element

START, DUE = "2030-03-04T08:00:00.000Z", "2030-03-08T17:00:00.000Z"
DONE = "2030-03-05T10:00:00.000Z"
DATES = {"StartDate": START, "DueDate": DUE, "UtcStartDate": START, "UtcDueDate": DUE}


def flag(status: str | None = "2", kind: str | None = "Flag for follow up", **more: str) -> Element:
    """Elements of Tasks by name; CompleteTime is one of Email."""
    parts = [e("Tasks:Subject", more.pop("Subject"))] if "Subject" in more else []
    parts += [e("Email:Status", status)] if status is not None else []
    parts += [e("Email:FlagType", kind)] if kind is not None else []
    for name, value in more.items():
        parts.append(e("Email:CompleteTime" if name == "CompleteTime" else f"Tasks:{name}", value))
    return Element("Email:Flag", tuple(parts))


BACKWARDS = {**DATES, "StartDate": DUE, "DueDate": START}
UTC_BACKWARDS = {**DATES, "UtcStartDate": DUE, "UtcDueDate": START}
#: What a flag cannot be, and why.
WRONG = (
    ("a status that is none", flag("3")),
    ("complete without its times", flag("1")),
    ("complete without CompleteTime", flag("1", DateCompleted=DONE)),
    ("complete without DateCompleted", flag("1", CompleteTime=DONE)),
    ("one time of completion alone", flag("2", DateCompleted=DONE)),
    ("due before it starts", flag(**BACKWARDS)),
    ("due before it starts, in UTC", flag(**UTC_BACKWARDS)),
    ("a reminder without its time", flag(**DATES, ReminderSet="1")),
    *((f"without {name}", flag(**{n: v for n, v in DATES.items() if n != name})) for name in DATES),
)


@case(
    "MS-ASEMAIL",
    "R757 R334 R358 R359 R407 R406 R409 R411 R702 R701 R738 R739 R741 R850 R851 R853 R861 R862 R864 R92 R753 R86",
    FROM_12,
)
async def an_illegal_flag_is_status_6_and_changes_nothing(lab: Lab) -> None:
    inbox, id, _ = await letter(lab)
    for name, wrong in WRONG:
        answer = await inbox.sure(commands(change(id, data(wrong))))
        assert answer.statuses("Change") == ["6"], name
    other = await second(lab, inbox)
    assert not under(other.has[id], "Flag")[0].elements


@case("MS-ASEMAIL", "R643", FROM_12_1)
async def read_is_a_boolean(lab: Lab) -> None:
    inbox, id, _ = await letter(lab)
    for wrong in ("2", "yes", "-1"):
        answer = await inbox.sure(commands(change(id, data(e("Email:Read", wrong)))))
        assert answer.statuses("Change") == ["6"], wrong


@case(
    "MS-ASEMAIL",
    "R940 R941 R942 R86 R87 R88 R8800 R89 R8900 R436 R440 R1021 R434 R1069 R692 R1072 R753 R439 R336 R1007", FROM_12_1
)
async def a_flag_is_set_completed_and_cleared(lab: Lab) -> None:
    inbox, id, _ = await letter(lab)
    other = await second(lab, inbox)
    assert not under(other.has[id], "Flag")[0].elements
    task = {
        **DATES, "Subject": "Call back", "ReminderSet": "1", "ReminderTime": START, "OrdinalDate": START,
        "SubOrdinalDate": "5555555",
    }
    actions: tuple[tuple[Element, dict[str, str]], ...] = (
        (flag(**DATES), {**DATES, "Status": "2", "FlagType": "Flag for follow up"}),
        (flag(CompleteTime=DONE, DateCompleted=DONE), {"Status": "2", "CompleteTime": DONE, "DateCompleted": DONE}),
        (flag("1", CompleteTime=DONE, DateCompleted=DONE), {"Status": "1", "CompleteTime": DONE}),
        (flag("0"), {}),
        (flag(**task), {**task, "Status": "2"}),
        (flag("2", ReminderSet="0"), {"Status": "2", "ReminderSet": "0"}),
        (flag("1", CompleteTime=DONE, DateCompleted=DONE), {"Status": "1", "DateCompleted": DONE}),
        (e("Email:Flag"), {}),
    )
    for given, expected in actions:
        answer = await inbox.go(commands(change(id, data(given))))
        assert answer is None or answer.statuses("Change") in ([], ["1"]), given
        (told,) = (await other.sure()).said("Change").values()
        (shown,) = under(told, "ApplicationData", "Flag")
        found = {local(one): one.text for one in shown.elements}
        assert {name: found.get(name) for name in expected} == expected, found
        assert bool(found) == bool(expected)


TWICE = ("DueDate", "OrdinalDate", "ReminderSet", "ReminderTime", "StartDate", "SubOrdinalDate", "UtcDueDate")
FULL = {**DATES, "ReminderSet": "1", "ReminderTime": START, "OrdinalDate": START, "SubOrdinalDate": "5"}


@case("MS-ASEMAIL", "R581 R634 R697 R706 R746 R761 R777 R858 R869", FROM_12_1)
async def an_element_of_a_flag_that_stands_twice_is_no_protocol_error(lab: Lab) -> None:
    inbox, id, _ = await letter(lab)
    for name in (*TWICE, "UtcStartDate", "Status"):
        base = flag(**FULL)
        (again,) = (one for one in base.elements if local(one) == name)
        given = Element(base.tag, (*base.elements, again))
        # In the request as a whole nothing is wrong: `go` asserts that the collection's Status is 1.
        await inbox.go(commands(change(id, data(given))))


@case("MS-ASEMAIL", "R75 R76 R81 R96 R100 R104 R10600 R10604 R10608 R10612 R1017 R320 R72 R71 R70 R640 R641", FROM_14)
async def only_what_has_changed_is_told(lab: Lab) -> None:
    inbox, id, _ = await letter(lab)
    other = await second(lab, inbox)
    assert text_of(other.has[id], "Read") == "0"
    read, unread = e("Email:Read", "1"), e("Email:Read", "0")
    red, none = e("Email:Categories", e("Category", "Red")), e("Email:Categories")
    steps = (
        ((read,), ["Read"]),
        ((flag(**DATES),), ["Flag"]),
        ((red,), ["Categories"]),
        ((flag("0"), none), ["Flag", "Categories"]),
        ((unread, red), ["Read", "Categories"]),
        ((read, flag(**DATES)), ["Read", "Flag"]),
        ((unread, flag("0"), none), ["Read", "Flag", "Categories"]),
    )
    for given, expected in steps:
        await inbox.go(commands(change(id, data(*given))))
        (told,) = (await other.sure()).said("Change").values()
        assert sorted(local(one) for one in under(told, "ApplicationData")[0].elements) == sorted(expected)
    # The same again is no change: nothing is told.
    await inbox.go(commands(change(id, data(unread, flag("0"), none))))
    assert await other.go() is None


@case("MS-ASEMAIL", "R318 R319 R320 R313", FROM_14)
async def categories_come_and_go(lab: Lab) -> None:
    inbox, id, _ = await letter(lab)
    (held,) = under(inbox.has[id], "Categories")
    assert not held.elements
    names = ("Red", "Büro", "Blue & green")
    await inbox.go(commands(change(id, data(e("Email:Categories", *(e("Category", name) for name in names))))))
    other = await second(lab, inbox)
    assert sorted(one.text for one in under(other.has[id], "Categories", "Category")) == sorted(names)
    await inbox.go(commands(change(id, data(e("Email:Read", "1")))))
    (told,) = (await other.sure()).said("Change").values()
    assert not under(told, "ApplicationData", "Categories")
    assert len(under((await second(lab, inbox)).has[id], "Categories", "Category")) == len(names)
    await inbox.go(commands(change(id, data(e("Email:Categories")))))
    (told,) = (await other.sure()).said("Change").values()
    assert not under(told, "ApplicationData", "Categories")[0].elements


FOREIGN = (
    ("ConversationId", e("Email2:ConversationId", b"0123456789abcdef")),
    ("ConversationIndex", e("Email2:ConversationIndex", b"01234")),
    ("Sender", e("Email2:Sender", "x@example.com")),
    ("ReceivedAsBcc", e("Email2:ReceivedAsBcc", "1")),
    ("LastVerbExecuted", e("Email2:LastVerbExecuted", "1")),
    ("LastVerbExecutionTime", e("Email2:LastVerbExecutionTime", START)),
    ("UmCallerID", e("Email2:UmCallerID", "+1")),
    ("UmUserNotes", e("Email2:UmUserNotes", "x")),
    ("Subject", e("Email:Subject", "x")),
    ("To", e("Email:To", "x@example.com")),
    ("Body", e("AirSyncBase:Body", e("Type", "1"), e("Data", "x"))),
)


@case("MS-ASEMAIL", "R41 R347 R723 R722 R808", FROM_14)
async def what_a_message_says_is_not_the_devices_to_change(lab: Lab) -> None:
    inbox, id, subject = await letter(lab)
    for name, wrong in FOREIGN:
        answer = await inbox.sure(commands(change(id, data(wrong))))
        assert answer.statuses("Change") == ["6"], name
        assert child_text(answer.inside("Responses", "Change")[0], "ServerId") == id
    other = await second(lab, inbox)
    assert text_of(other.has[id], "Subject") == subject
    assert text_of(other.has[id], "LastVerbExecuted") is None
    answer = await inbox.go(options(preference(1)))
    assert answer is None or set(answer.said("Change")) <= {id}

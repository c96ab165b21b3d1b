"""[MS-ASTASK] Every element of a task from one device to another; recurrences; what a Change leaves out; bad values."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from lab import FROM_12, FROM_12_1, FROM_14, FROM_14_1, Lab, case
from records_kit import TASKS, Shelf, body, body_text, child, inline, shelf, tags, text, texts, travelled
from wire import e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

DASHED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
DAY, NOON = "2026-12-07T00:00:00.000Z", "2026-12-09T12:00:00.000Z"

#: Elements with one text each: the tag, a value, the requirements on its type. Local times and UTC come in pairs; which
#: zone the server takes for the user's is not known here, so that of a pair one is exact (NEAR names the other).
TEXTS = (
    ("Tasks:Importance", "2", "R182 R636"),
    ("Tasks:UtcStartDate", DAY, "R311"),
    ("Tasks:StartDate", DAY, "R274"),
    ("Tasks:UtcDueDate", NOON, "R308"),
    ("Tasks:DueDate", NOON, "R161"),
    ("Tasks:Complete", "1", "R116 R118 R119"),
    ("Tasks:DateCompleted", "2026-11-20T11:12:13.000Z", "R122 R124 R125"),
    ("Tasks:Sensitivity", "2", "R258 R259"),
    ("Tasks:ReminderTime", "2026-12-06T07:30:00.000Z", "R255"),
    ("Tasks:ReminderSet", "1", "R248 R249"),
)
NEAR = {"Tasks:UtcStartDate", "Tasks:DueDate"}
#: No zone is farther from UTC.
FARTHEST = timedelta(hours=14)
TYPES = " ".join(ids for *_, ids in TEXTS)

#: Patterns by Type: the elements beside Type and Start, and what the pattern shows.
PATTERNS: tuple[tuple[str, dict[str, str]], ...] = (
    ("0", {"Interval": "3"}),
    ("1", {"Interval": "2", "DayOfWeek": "42"}),
    ("2", {"DayOfMonth": "7"}),
    ("3", {"DayOfWeek": "2", "WeekOfMonth": "1"}),
    ("5", {"DayOfMonth": "7", "MonthOfYear": "12"}),
    ("6", {"DayOfWeek": "2", "WeekOfMonth": "1", "MonthOfYear": "12"}),
)


def instant(text: str) -> datetime:
    assert DASHED.fullmatch(text), text
    return datetime.fromisoformat(text)


def as_said(item: Element) -> None:
    """Whether an item has what TEXTS has."""
    for tag, value, _ in TEXTS:
        found = text(item, tag)
        assert found == value or tag in NEAR, tag
        assert ("Date" not in tag and "Time" not in tag) or abs(instant(found) - instant(value)) <= FARTHEST, tag


def subject(lab: Lab) -> Element:
    return Element("Tasks:Subject", lab.unique())


def recurrence(kind: str | None, start: str | None = DAY, **parts: str) -> Element:
    said = {"Type": kind, "Start": start, **parts}
    return e("Tasks:Recurrence", *(Element(f"Tasks:{tag}", value) for tag, value in said.items() if value is not None))


def dated() -> tuple[Element, ...]:
    return Element("Tasks:UtcStartDate", DAY), Element("Tasks:StartDate", DAY)


@case("MS-ASTASK", TYPES + " R2 R277 R349 R366 R368 MS-ASWBXML:R19 MS-ASDTYPE:R12 MS-ASDTYPE:R15 MS-ASDTYPE:R16 "
      "MS-ASDTYPE:R20 "
      "MS-ASDTYPE:R88 MS-ASDTYPE:R90 MS-ASDTYPE:R91 MS-ASDTYPE:R123 MS-ASDTYPE:R125")
async def every_element_travels_to_another_device(lab: Lab) -> None:
    name = lab.unique("subject äß€")
    data = [Element("Tasks:Subject", name), *(Element(tag, value) for tag, value, _ in TEXTS)]
    two, id, item = await travelled(lab, TASKS, *data)
    assert two.last is not None
    assert two.last.headers["content-type"] == "application/vnd.ms-sync.wbxml"
    assert b"\x00\x09" in two.last.body, "code page 9"
    assert text(item, "Tasks:Subject") == name
    assert inline(name) in two.last.body
    as_said(item)
    for tag, *_ in TEXTS:
        assert inline(text(item, tag)) in two.last.body, tag
    await two.delete(id)


@case("MS-ASTASK", "R106 R108 R114 MS-ASDTYPE:R8 MS-ASDTYPE:R9")
async def categories_travel_to_another_device(lab: Lab) -> None:
    said = ["Büro €", "two", "three"]
    two, id, item = await travelled(
        lab, TASKS, subject(lab), e("Tasks:Categories", *(e("Category", one) for one in said))
    )
    assert texts(item, "Tasks:Categories", "Tasks:Category") == said
    assert tags(item).count("Tasks:Categories") == 1
    await two.delete(id)


@case("MS-ASTASK", "R436")
async def empty_categories_remove_them(lab: Lab) -> None:
    two, id, _ = await travelled(lab, TASKS, subject(lab), e("Tasks:Categories", e("Category", "one")))
    three = await shelf(lab, TASKS)
    assert await two.change(id, subject(lab), Element("Tasks:Complete", "0"), e("Tasks:Categories")) == "1"
    item = (await three.pull())[id]
    assert not texts(item, "Tasks:Categories", "Tasks:Category")
    await two.delete(id)


@case("MS-ASTASK", "R74")
async def a_body_travels_to_another_device(lab: Lab) -> None:
    said = lab.unique("body äß€")
    two, id, item = await travelled(lab, TASKS, subject(lab), body(lab.version, said, "Tasks"))
    assert body_text(lab.version, item, "Tasks") == said
    await two.delete(id)


@case("MS-ASTASK", "R438")
async def every_element_can_be_changed(lab: Lab) -> None:
    two, id, _ = await travelled(lab, TASKS, subject(lab))
    three = await shelf(lab, TASKS)
    await three.pull()
    name = lab.unique()
    data = [Element("Tasks:Subject", name), *(Element(tag, value) for tag, value, _ in TEXTS)]
    assert await two.change(id, *data, e("Tasks:Categories", e("Category", "c"))) == "1"
    got = await three.sync()
    assert id in [text(one, "AirSync:ServerId") for one in got.all("Collections", "Collection", "Commands", "Change")]
    item = three.items[id]
    as_said(item)
    assert texts(item, "Tasks:Categories", "Tasks:Category") == ["c"]
    await two.delete(id)


@case("MS-ASTASK", "R264 R158 R204")
async def what_is_not_said_has_its_default(lab: Lab) -> None:
    two, id, item = await travelled(lab, TASKS, subject(lab), *dated(), recurrence("2", DayOfMonth="7"))
    assert text(item, "Tasks:Sensitivity") in ("", "0")
    assert text(item, "Tasks:Recurrence", "Tasks:DeadOccur") in ("", "0")
    assert text(item, "Tasks:Recurrence", "Tasks:IsLeapMonth") in ("", "0")
    await two.delete(id)


# What a Change leaves out --------------------------------------------------------------------------------------------


@case("MS-ASTASK", "R369 R370 MS-ASCMD:R878 MS-ASCMD:R879")
async def a_change_keeps_importance_reminder_and_body_and_deletes_the_rest(lab: Lab) -> None:
    told = [Element(tag, value) for tag, value, _ in TEXTS if tag not in ("Tasks:Complete", "Tasks:DateCompleted")]
    two, id, _ = await travelled(
        lab, TASKS, subject(lab), *told, Element("Tasks:Complete", "0"), body(lab.version, "body", "Tasks"),
        e("Tasks:Categories", e("Category", "one")),
    )
    three = await shelf(lab, TASKS)
    assert await two.change(id, subject(lab), Element("Tasks:Complete", "0")) == "1"
    item = (await three.pull())[id]
    assert (text(item, "Tasks:Importance"), text(item, "Tasks:ReminderSet")) == ("2", "1")
    assert body_text(lab.version, item, "Tasks") == "body"
    gone = {"Tasks:UtcDueDate", "Tasks:DueDate", "Tasks:UtcStartDate", "Tasks:StartDate", "Tasks:Categories"}
    assert not gone & set(tags(item))
    assert text(item, "Tasks:Sensitivity") in ("", "0")
    await two.delete(id)


@case("MS-ASTASK", "R124")
async def a_task_that_is_completed_says_when(lab: Lab) -> None:
    two, id, _ = await travelled(lab, TASKS, subject(lab), Element("Tasks:Complete", "0"))
    three = await shelf(lab, TASKS)
    assert await two.change(id, subject(lab), Element("Tasks:Complete", "1")) == "1"
    item = (await three.pull())[id]
    assert text(item, "Tasks:Complete") == "1"
    assert DASHED.fullmatch(text(item, "Tasks:DateCompleted"))
    await two.delete(id)


@case("MS-ASTASK", "R187 R550")
async def any_other_importance_is_taken_and_returned(lab: Lab) -> None:
    for value in ("3", "7", "255"):
        two, id, item = await travelled(lab, TASKS, subject(lab), Element("Tasks:Importance", value))
        assert text(item, "Tasks:Importance") == value
        await two.delete(id)


# Recurrence ----------------------------------------------------------------------------------------------------------


@case("MS-ASTASK", "R221 R223 R225 R226 R265 R267 R268 R271 R285 R287 R288 R291 R292 R128 R130 R139 R140 R404 R406 "
      "R409 R410 R135 R530 R531 R207 R209 R417 R418 R314 R316 R319 R430 R431 R433 R190 R191 R631")
async def every_pattern_travels_with_what_belongs_to_its_type(lab: Lab) -> None:
    """And with nothing else: DayOfMonth only for 2 and 5, WeekOfMonth only for 3 and 6."""
    days = {"DayOfWeek", "DayOfMonth", "WeekOfMonth", "MonthOfYear"}
    one, two = await shelf(lab, TASKS), await shelf(lab, TASKS)
    for kind, parts in PATTERNS:
        status, id = await one.add(subject(lab), *dated(), recurrence(kind, **parts))
        assert status == "1", (kind, parts)
        item = (await two.pull())[id]
        assert tags(item).count("Tasks:Recurrence") == 1
        found = child(item, "Tasks:Recurrence")
        names = [tag.partition(":")[2] for tag in tags(found)]
        assert len(names) == len(set(names)), names
        assert (text(found, "Tasks:Type"), text(found, "Tasks:Start")) == (kind, DAY)
        for name, value in parts.items():
            assert text(found, f"Tasks:{name}") == value, (kind, name)
        assert days & set(names) == days & set(parts), (kind, names)
        await one.delete(id)


@case("MS-ASTASK", "R77 R79 R82 R8211 R8212 R8213 R84", FROM_14)
async def monthly_and_yearly_patterns_name_their_calendar(lab: Lab) -> None:
    one, two = await shelf(lab, TASKS), await shelf(lab, TASKS)
    for kind, parts in PATTERNS:
        status, id = await one.add(subject(lab), *dated(), recurrence(kind, **parts))
        assert status == "1"
        found = text((await two.pull())[id], "Tasks:Recurrence", "Tasks:CalendarType")
        if kind in ("2", "3", "5", "6"):
            assert found in {*map(str, range(13)), "14", "15", "20"}, kind
        await one.delete(id)


@case("MS-ASTASK", "R162 R164 R166 R167 R170 R238", FROM_14_1)
async def weekly_patterns_name_the_first_day_of_the_week(lab: Lab) -> None:
    for first in ("0", "1", "6"):
        said = recurrence("1", DayOfWeek="42", Interval="2", FirstDayOfWeek=first)
        two, id, item = await travelled(lab, TASKS, subject(lab), *dated(), said)
        assert text(item, "Tasks:Recurrence", "Tasks:FirstDayOfWeek") == first
        assert tags(child(item, "Tasks:Recurrence")).count("Tasks:FirstDayOfWeek") == 1
        await two.delete(id)
    two, id, item = await travelled(lab, TASKS, subject(lab), *dated(), recurrence("1", DayOfWeek="42"))
    assert text(item, "Tasks:Recurrence", "Tasks:FirstDayOfWeek") in [str(day) for day in range(7)]
    await two.delete(id)


@case("MS-ASTASK", "R141")
async def days_of_the_week_are_a_sum(lab: Lab) -> None:
    one, two = await shelf(lab, TASKS), await shelf(lab, TASKS)
    for days in ("1", "2", "4", "8", "16", "32", "64", "127", "3", "62", "65"):
        status, id = await one.add(subject(lab), *dated(), recurrence("1", DayOfWeek=days))
        assert status == "1"
        assert text((await two.pull())[id], "Tasks:Recurrence", "Tasks:DayOfWeek") == days
        await one.delete(id)


@case("MS-ASTASK", "R213 R214 R301 R305")
async def a_series_ends_by_number_or_by_date(lab: Lab) -> None:
    until = "2027-03-01T00:00:00.000Z"
    one, two = await shelf(lab, TASKS), await shelf(lab, TASKS)
    for name, value in (("Occurrences", "9"), ("Until", until)):
        status, id = await one.add(subject(lab), *dated(), recurrence("0", Interval="1", **{name: value}))
        assert status == "1"
        found = child((await two.pull())[id], "Tasks:Recurrence")
        assert text(found, f"Tasks:{name}") == value
        assert tags(found).count(f"Tasks:{name}") == 1
        await one.delete(id)


@case("MS-ASTASK", "R37013")
async def of_occurrences_and_until_the_number_counts(lab: Lab) -> None:
    said = recurrence("0", Interval="1", Occurrences="9", Until="2027-03-01T00:00:00.000Z")
    two, id, item = await travelled(lab, TASKS, subject(lab), *dated(), said)
    found = child(item, "Tasks:Recurrence")
    assert text(found, "Tasks:Occurrences") == "9"
    assert "Tasks:Until" not in tags(found)
    await two.delete(id)


@case("MS-ASTASK", "R154 R155 R241 R242 R4221")
async def a_task_that_regenerates_and_one_that_left_its_series(lab: Lab) -> None:
    one, two = await shelf(lab, TASKS), await shelf(lab, TASKS)
    for name in ("Regenerate", "DeadOccur"):
        status, id = await one.add(
            subject(lab), *dated(), Element("Tasks:Complete", "0"), recurrence("0", Interval="1", **{name: "1"})
        )
        assert status == "1"
        found = child((await two.pull())[id], "Tasks:Recurrence")
        assert text(found, f"Tasks:{name}") == "1"
        assert tags(found).count(f"Tasks:{name}") == 1
        await one.delete(id)


# Bad values ----------------------------------------------------------------------------------------------------------


async def refused(lab: Lab, rows: tuple[tuple[Any, ...], ...]) -> None:
    """An Add with each row gets Status 6; the same as a Change, too, and nothing of it is stored."""
    one, two = await shelf(lab, TASKS), await shelf(lab, TASKS)
    name = lab.unique()
    status, id = await one.add(Element("Tasks:Subject", name), *dated(), Element("Tasks:Complete", "0"))
    assert status == "1"
    for row in rows:
        lost = lab.unique("lost")
        status, _ = await one.add(Element("Tasks:Subject", lost), *dated(), *row)
        assert status == "6", row
        assert await one.change(id, Element("Tasks:Subject", lost), *dated(), *row) == "6", row
        items = await two.pull()
        assert lost not in [text(item, "Tasks:Subject") for item in items.values()]
        assert text(items[id], "Tasks:Subject") == name
    await one.delete(id)


@case("MS-ASTASK", "R132 R320 R532 R533 R289 R292 R37011 R267 R287 R525 R210 R317 R192 R4221")
async def what_is_no_pattern_is_refused(lab: Lab) -> None:
    await refused(lab, (
        (recurrence(None, Interval="1"),),
        (recurrence("0", None, Interval="1"),),
        (recurrence("4", DayOfMonth="7"),),
        (recurrence("7", DayOfMonth="7"),),
        (recurrence("0", Interval="1", DayOfMonth="7"),),
        (recurrence("1", DayOfWeek="2", DayOfMonth="7"),),
        (recurrence("3", DayOfWeek="2", WeekOfMonth="1", DayOfMonth="7"),),
        (recurrence("6", DayOfWeek="2", WeekOfMonth="1", MonthOfYear="12", DayOfMonth="7"),),
        (recurrence("2", DayOfMonth="7", DayOfWeek="2"),),
        (recurrence("5", DayOfMonth="7", MonthOfYear="12", DayOfWeek="2"),),
        (recurrence("0", Interval="1", WeekOfMonth="1"),),
        (recurrence("1", DayOfWeek="2", WeekOfMonth="1"),),
        (recurrence("2", DayOfMonth="7", WeekOfMonth="1"),),
        (recurrence("5", DayOfMonth="7", MonthOfYear="12", WeekOfMonth="1"),),
        (recurrence("2", DayOfMonth="0"),),
        (recurrence("2", DayOfMonth="32"),),
        (recurrence("5", DayOfMonth="7", MonthOfYear="13"),),
        (recurrence("3", DayOfWeek="2", WeekOfMonth="6"),),
        (recurrence("0", Interval="1000"),),
        (recurrence("0", Interval="1", Regenerate="2"),),
    ))


@case("MS-ASTASK", "R81 R84 R382 R384 R386 R388 R201", FROM_14)
async def what_is_no_calendar_is_refused(lab: Lab) -> None:
    reserved = ("13", "16", "17", "18", "19", "21", "22", "23", "24")
    await refused(lab, (
        (recurrence("0", Interval="1", CalendarType="1"),),
        (recurrence("1", DayOfWeek="2", CalendarType="1"),),
        (recurrence("2", DayOfMonth="7", CalendarType="1", IsLeapMonth="2"),),
        *((recurrence("2", DayOfMonth="7", CalendarType=number),) for number in reserved),
    ))


@case("MS-ASTASK", "R170 R171", FROM_14_1)
async def what_is_no_first_day_is_refused(lab: Lab) -> None:
    await refused(lab, tuple((recurrence("1", DayOfWeek="2", FirstDayOfWeek=day),) for day in ("7", "8", "255")))


@case("MS-ASTASK", "R252 R249 R259 R119 R118 R258 R161 R255 R402")
async def what_is_no_value_of_its_type_is_refused(lab: Lab) -> None:
    many = e("Tasks:Categories", *(e("Category", f"n{n}") for n in range(301)))
    await refused(lab, (
        *((Element("Tasks:ReminderSet", value),) for value in ("2", "255")),
        *((Element("Tasks:Sensitivity", value),) for value in ("4", "some")),
        *((Element("Tasks:Complete", value),) for value in ("2", "done")),
        (Element("Tasks:DueDate", "soon"), Element("Tasks:UtcDueDate", "soon")),
        (Element("Tasks:ReminderSet", "1"), Element("Tasks:ReminderTime", "soon")),
        (many,),
    ))


# Other commands ------------------------------------------------------------------------------------------------------


@case("MS-ASTASK", "R353 R356 R359", FROM_12)
async def a_task_is_fetched_by_itself(lab: Lab) -> None:
    two, id, _ = await travelled(lab, TASKS, subject(lab), *(Element(tag, value) for tag, value, _ in TEXTS))
    as_said(await fetched(two, id))
    await two.delete(id)


@case("MS-ASTASK", "R358", FROM_12)
async def a_schema_names_what_is_fetched_of_a_task(lab: Lab) -> None:
    two, id, _ = await travelled(lab, TASKS, subject(lab), *(Element(tag, value) for tag, value, _ in TEXTS))
    wanted = ("Tasks:Subject", "Tasks:DueDate", "Tasks:Complete")
    found = await fetched(two, id, e("Options", e("Schema", *(Element(tag, ()) for tag in wanted))))
    assert set(tags(found)) == set(wanted)
    await two.delete(id)


async def fetched(two: Shelf, id: str, *more: Element) -> Element:
    got = await two.talker.post("ItemOperations", e("ItemOperations:ItemOperations", e(
        "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", two.collection), e("AirSync:ServerId", id), *more
    )))
    (found,) = got.all("Response", "Fetch", "Properties")
    return found


def search(collection: str, *query: Element) -> Element:
    return e("Search:Search", e(
        "Store", e("Name", "Mailbox"),
        e("Query", e("And", e("AirSync:Class", "Tasks"), e("AirSync:CollectionId", collection), *query)),
        e("Options", e("Range", "0-9"), e("RebuildResults")),
    ))


@case("MS-ASTASK", "R351 R361 R363", FROM_12_1)
async def a_task_is_found_in_the_mailbox(lab: Lab) -> None:
    name = lab.unique("wanted").replace("-", "")
    two, id, _ = await travelled(lab, TASKS, Element("Tasks:Subject", name))
    got = await two.talker.post("Search", search(two.collection, Element("Search:FreeText", name)))
    (found,) = got.all("Response", "Store", "Result", "Properties")
    assert text(found, "Tasks:Subject") == name
    await two.delete(id)


@case("MS-ASTASK", "R364", FROM_12_1)
async def elements_of_a_task_are_no_query(lab: Lab) -> None:
    one = await shelf(lab, TASKS)
    got = await one.talker.post("Search", search(one.collection, Element("Tasks:Subject", "x")))
    assert got.text("Response", "Store", "Status") == "2"


@case("MS-ASTASK", "R195 R197 R204", FROM_14)
async def a_leap_month_travels_with_its_calendar(lab: Lab) -> None:
    said = recurrence("5", DayOfMonth="7", MonthOfYear="5", CalendarType="15", IsLeapMonth="1")
    two, id, item = await travelled(lab, TASKS, subject(lab), *dated(), said)
    found = child(item, "Tasks:Recurrence")
    assert (text(found, "Tasks:CalendarType"), text(found, "Tasks:IsLeapMonth")) == ("15", "1")
    assert tags(found).count("Tasks:IsLeapMonth") == 1
    assert lab.version >= Version.V14_0
    await two.delete(id)

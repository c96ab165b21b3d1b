"""[MS-ASCAL]: retrieving single items, leap months, what stands twice, notes of an occurrence."""

from __future__ import annotations

from calendar_kit import Book, c, compact, day, inner, kept, names, text, timed, weekly
from lab import BEFORE_16, FROM_12, FROM_14, Lab, case
from wire import Got, e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element


@case("MS-ASCAL", "R53912", FROM_14)
async def two_calendar_types_are_refused(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    for type, parts in (
        ("2", [c("DayOfMonth", "5")]), ("3", [c("WeekOfMonth", "2"), c("DayOfWeek", "2")]),
        ("5", [c("DayOfMonth", "5"), c("MonthOfYear", "3")]),
        ("6", [c("WeekOfMonth", "2"), c("DayOfWeek", "2"), c("MonthOfYear", "3")]),
    ):
        both = (c("CalendarType", "0"), c("CalendarType", "1"))
        twice = c("Recurrence", c("Type", type), c("Interval", "1"), *both, *parts)
        assert await book.refused(*timed(lab, day(), twice)) == "6", type


@case("MS-ASCAL", "R288 R608 R609", FROM_14)
async def a_leap_month_is_one_of_a_calendar_that_has_such(lab: Lab) -> None:
    for leap in ("0", "1"):
        said = c("Recurrence", c("Type", "5"), c("Interval", "1"), c("DayOfMonth", "5"), c("MonthOfYear", "6"),
                 c("CalendarType", "8"), c("IsLeapMonth", leap))
        shown = await kept(lab, *timed(lab, day(), said))
        found = [one.text for one in inner(shown, "Recurrence", "IsLeapMonth")]
        assert found == ["1"] if leap == "1" else found in ([], ["0"])


@case("MS-ASCAL", "R12611 R12711", BEFORE_16)
async def an_occurrence_has_notes_of_its_own(lab: Lab) -> None:
    if lab.version < Version.V12_0:
        return
    body = e("AirSyncBase:Body", e("Type", "1"), e("Data", "only today"))
    own = c("Exceptions", c("Exception", c("ExceptionStartTime", compact(day(7))), body))
    shown = await kept(lab, *timed(lab, day(), weekly(), own))
    (one,) = inner(shown, "Exceptions", "Exception")
    assert text(one, "Body", "Data").strip() == "only today"
    assert not inner(shown, "Body") or text(shown, "Body", "Data").strip() != "only today"


async def _fetched(lab: Lab, book: Book, server: str, *options: Element) -> Got:
    return await lab.talker().post("ItemOperations", e("ItemOperations:ItemOperations", e(
        "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", book.id), e("AirSync:ServerId", server),
        *((e("Options", *options),) if options else ()),
    )))


@case("MS-ASCAL", "R525 R528 R529 R531", FROM_12)
async def an_item_is_retrieved_by_itself(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    server = await book.add(*timed(lab, day(), c("Reminder", "5"), weekly()))
    got = await _fetched(lab, book, server)
    assert got.text("Response", "Fetch", "Status") == "1"
    (properties,) = got.all("Response", "Fetch", "Properties")
    assert (text(properties, "Reminder"), text(properties, "StartTime")) == ("5", compact(day()))
    assert text(properties, "Recurrence", "Type") == "1"
    await book.delete(server)


@case("MS-ASCAL", "R530", FROM_12)
async def a_schema_says_what_is_retrieved(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    server = await book.add(*timed(lab, day(), c("Reminder", "5"), weekly()))
    got = await _fetched(lab, book, server, e("Schema", c("Subject"), c("StartTime")))
    (properties,) = got.all("Response", "Fetch", "Properties")
    assert sorted(names(properties)) == ["StartTime", "Subject"]
    await book.delete(server)

"""[MS-ASCAL] from 16.0: occurrences by InstanceId, what the server owns, ghosting by default, all-day events."""

from __future__ import annotations

from datetime import timedelta

from calendar_kit import Book, added, c, compact, day, inner, names, status_of, stored, text, timed, weekly
from lab import FROM_16, Lab, case
from wire import e

WEEK = timedelta(days=7)


async def _series(lab: Lab, *fields: object) -> tuple[Book, str]:
    book = await Book.opened(lab)
    return book, await book.add(*timed(lab, day(), weekly(), *fields))  # type: ignore[arg-type]


def _exceptions(item: object) -> dict[str, object]:
    found = inner(item, "Exceptions", "Exception")  # type: ignore[arg-type]
    return {text(one, "InstanceId"): one for one in found}


@case("MS-ASAIRS", "R1179 R1180", FROM_16)
async def an_instance_that_is_no_date_changes_nothing(lab: Lab) -> None:
    book, server = await _series(lab)
    for wrong in ("", "tomorrow", "2026-13-01", "20261301T000000Z"):
        got = await book.change(server, c("Subject", "x"), instance=wrong) if wrong else None
        assert got is None or status_of(got, "Change") == "6", wrong
    assert not _exceptions(await stored(lab, server))


@case("MS-ASCMD", "R6238", FROM_16)
async def an_instance_that_does_not_exist_is_not_found(lab: Lab) -> None:
    book, server = await _series(lab)
    nowhere = compact(day(3))
    assert status_of(await book.change(server, c("Subject", "x"), instance=nowhere), "Change") == "8"
    assert status_of(await book.delete(server, instance=nowhere), "Delete") == "8"
    single = await book.add(*timed(lab, day()), client="c2")
    assert status_of(await book.change(single, c("Subject", "x"), instance=compact(day())), "Change") == "6"
    assert not _exceptions(await stored(lab, server))


@case("MS-ASCAL", "R2098 R2113 MS-ASCMD:R6238 MS-ASAIRS:R1178 MS-ASAIRS:R1180", FROM_16)
async def an_occurrence_is_changed_by_a_change_of_its_own(lab: Lab) -> None:
    book, server = await _series(lab)
    second = compact(day() + WEEK)
    got = await book.change(server, c("Subject", "Moved"), c("StartTime", compact(day() + WEEK + timedelta(hours=2))),
                            c("EndTime", compact(day() + WEEK + timedelta(hours=3))), instance=second)
    told = got.all("Collections", "Collection", "Responses", "Change")
    assert [names(one) for one in told] == [["ServerId", "InstanceId", "Status"]]
    assert (text(told[0], "ServerId"), text(told[0], "InstanceId"), text(told[0], "Status")) == (server, second, "1")
    shown = await stored(lab, server)
    assert list(_exceptions(shown)) == [second]
    one = _exceptions(shown)[second]
    assert text(one, "Subject") == "Moved"  # type: ignore[arg-type]
    assert text(one, "StartTime") == compact(day() + WEEK + timedelta(hours=2))  # type: ignore[arg-type]
    assert not inner(one, "ExceptionStartTime")  # type: ignore[arg-type]


@case("MS-ASCAL", "R2118 R2118001", FROM_16)
async def no_exception_has_an_exception_start_time(lab: Lab) -> None:
    book, server = await _series(lab)
    await book.delete(server, instance=compact(day() + WEEK))
    await book.change(server, c("Subject", "x"), instance=compact(day() + 2 * WEEK))
    shown = await stored(lab, server)
    assert len(inner(shown, "Exceptions", "Exception")) == 2
    assert not inner(shown, "Exceptions", "Exception", "ExceptionStartTime")


@case("MS-ASCMD", "R6420 MS-ASCAL:R210 MS-ASCAL:R20611 MS-ASCAL:R20811", FROM_16)
async def an_occurrence_is_deleted_by_a_delete_of_its_own(lab: Lab) -> None:
    book, server = await _series(lab)
    second = compact(day() + WEEK)
    for _ in range(2):  # and a second time, which changes nothing
        assert status_of(await book.delete(server, instance=second), "Delete") == "1"
        one = _exceptions(await stored(lab, server))[second]
        assert text(one, "Deleted") == "1"  # type: ignore[arg-type]


@case("MS-ASCAL", "R2231 R2232", FROM_16)
async def what_a_change_of_an_occurrence_leaves_out_stays(lab: Lab) -> None:
    book, server = await _series(lab)
    second = compact(day() + WEEK)
    await book.change(server, c("Subject", "One"), c("Reminder", "30"), instance=second)
    await book.change(server, c("Sensitivity", "2"), instance=second)
    one = _exceptions(await stored(lab, server))[second]
    assert [text(one, name) for name in ("Subject", "Reminder", "Sensitivity")] == ["One", "30", "2"]  # type: ignore[arg-type]


@case("MS-ASCAL", "R2242 R539 R543", FROM_16)
async def an_empty_element_takes_away_what_the_series_has(lab: Lab) -> None:
    book, server = await _series(lab, c("Reminder", "15"), c("Categories", c("Category", "Blue")))
    second = compact(day() + WEEK)
    await book.change(server, c("Reminder"), c("Categories"), instance=second)
    one = _exceptions(await stored(lab, server))[second]
    for name in ("Reminder", "Categories"):
        (found,) = inner(one, name)  # type: ignore[arg-type]
        assert not found.elements
        assert not found.text


@case("MS-ASCAL", "R2097 R2114 R2180 R2202", FROM_16)
async def a_new_pattern_or_time_of_a_series_ends_its_exceptions(lab: Lab) -> None:
    second, third = compact(day() + WEEK), compact(day() + 2 * WEEK)
    for fields in (
        (c("StartTime", compact(day(0, 8))),),
        (c("EndTime", compact(day(0, 12))), c("StartTime", compact(day()))),
        (weekly(count=6),),
    ):
        book, server = await _series(lab)
        await book.change(server, c("Subject", "x"), instance=second)
        await book.delete(server, instance=third)
        assert len(_exceptions(await stored(lab, server))) == 2
        assert status_of(await book.change(server, *fields), "Change") == "1"
        assert not _exceptions(await stored(lab, server)), fields


@case("MS-ASCAL", "R2232 R541", FROM_16)
async def other_changes_of_a_series_leave_its_exceptions(lab: Lab) -> None:
    book, server = await _series(lab)
    second = compact(day() + WEEK)
    await book.change(server, c("Location"), c("Subject", "x"), instance=second)
    await book.change(server, c("Subject", "y"))
    shown = await stored(lab, server)
    assert text(shown, "Subject") == "y"
    assert text(_exceptions(shown)[second], "Subject") == "x"  # type: ignore[arg-type]


@case("MS-ASCAL", "R2112", FROM_16)
async def exceptions_in_a_change_are_refused(lab: Lab) -> None:
    book, server = await _series(lab)
    second = compact(day() + WEEK)
    exception = c("Exceptions", c("Exception", c("Deleted", "1"), e("AirSyncBase:InstanceId", second)))
    assert status_of(await book.change(server, exception), "Change") == "6"
    assert not _exceptions(await stored(lab, server))


@case("MS-ASCAL", "R2009", FROM_16)
async def an_occurrence_is_all_day_if_its_series_is(lab: Lab) -> None:
    book, server = await _series(lab)
    got = await book.change(server, c("AllDayEvent", "1"), instance=compact(day() + WEEK))
    assert status_of(got, "Change") == "6"


@case("MS-ASCAL", "R2231 R2232", FROM_16)
async def what_a_change_leaves_out_stays(lab: Lab) -> None:
    book = await Book.opened(lab, supported=e("AirSync:Supported", c("Subject"), c("Reminder")))
    server = await book.add(*timed(lab, day(), c("Reminder", "5"), c("Categories", c("Category", "Blue")), weekly()))
    await book.change(server, c("BusyStatus", "0"))
    shown = await stored(lab, server)
    assert (text(shown, "Reminder"), text(shown, "Categories", "Category")) == ("5", "Blue")
    assert (text(shown, "BusyStatus"), text(shown, "Recurrence", "Type")) == ("0", "1")


@case("MS-ASCAL", "R2180 R2180001 R374001 R448001", FROM_16)
async def an_empty_recurrence_makes_one_event_of_a_series(lab: Lab) -> None:
    book, server = await _series(lab)
    await book.delete(server, instance=compact(day() + WEEK))
    assert status_of(await book.change(server, c("Recurrence")), "Change") == "1"
    shown = await stored(lab, server)
    assert not inner(shown, "Recurrence")
    assert not inner(shown, "Exceptions")


@case("MS-ASCAL", "R2223 R46011 R462 R463", FROM_16)
async def the_answer_to_an_add_has_the_uid(lab: Lab) -> None:
    book = await Book.opened(lab)
    got = await book.send(added(*timed(lab, day())))
    (told,) = got.all("Collections", "Collection", "Responses", "Add")
    uid = text(told, "ApplicationData", "UID")
    assert 0 < len(uid) <= 300
    assert text(await stored(lab, text(told, "ServerId")), "UID") == uid


@case("MS-ASCAL", "R2169 R2169001 R2175 R2175001 R36211 R36711", FROM_16)
async def the_organizer_is_the_user_whatever_the_device_says(lab: Lab) -> None:
    book = await Book.opened(lab)
    guest = c("Attendees", c("Attendee", c("Email", lab.other.address), c("Name", "Guest")))
    server = await book.add(*timed(
        lab, day(), c("OrganizerName", "Mallory"), c("OrganizerEmail", "mallory@elsewhere.test"), guest,
        c("MeetingStatus", "1"),
    ))
    shown = await stored(lab, server)
    assert text(shown, "OrganizerEmail").lower() == lab.me.address.lower()
    assert text(shown, "OrganizerName") not in ("", "Mallory")
    await book.delete(server)


@case("MS-ASCAL", "R2062", FROM_16)
async def the_same_client_uid_is_the_same_event(lab: Lab) -> None:
    one, other = await Book.opened(lab), await Book.opened(lab)
    token = c("ClientUid", lab.unique("uid"))
    first = await one.add(*timed(lab, day(), token))
    assert await other.add(*timed(lab, day(), token), client="another") == first
    assert await other.add(*timed(lab, day(), c("ClientUid", lab.unique("uid"))), client="third") != first


@case("MS-ASCAL", "R2006 R2007 R235", FROM_16)
async def an_all_day_event_is_its_dates_without_a_time_zone(lab: Lab) -> None:
    book = await Book.opened(lab)
    first, last = (f"{day(offset):%Y%m%d}T000000Z" for offset in (0, 2))
    server = await book.add(
        c("AllDayEvent", "1"), c("StartTime", first), c("EndTime", last), c("Subject", lab.unique())
    )
    for subject in ("", "again"):
        if subject:
            await book.change(server, c("Subject", subject))
        shown = await stored(lab, server)
        assert (text(shown, "StartTime"), text(shown, "EndTime"), text(shown, "AllDayEvent")) == (first, last, "1")
        assert not inner(shown, "Timezone")


@case("MS-ASCAL", "R2038001", FROM_16)
async def who_works_elsewhere_is_shown_so(lab: Lab) -> None:
    book = await Book.opened(lab)
    server = await book.add(*timed(lab, day(), c("BusyStatus", "4")))
    assert text(await stored(lab, server), "BusyStatus") == "4"

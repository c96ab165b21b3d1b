"""[MS-ASCAL] in every version: the elements of an appointment there and back, defaults, recurrences, exceptions."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from calendar_kit import Book, c, compact, day, inner, kept, names, status_of, stored, text, timed, weekly, zone
from lab import BEFORE_16, FROM_12, FROM_12_1, FROM_14, FROM_14_1, FROM_14_BEFORE_16, FROM_16, Lab, case
from wire import e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)


def recurrence(**parts: object) -> Element:
    return c("Recurrence", *(c(name, str(value)) for name, value in parts.items()))


# -- What cannot be


@case("MS-ASCAL", "R53913 R148 R152 R156 R160 R164 R167 R170 R174", FROM_14)
async def reserved_calendar_types_are_refused(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    for number in (13, 16, 17, 18, 19, 21, 22, 23):
        wrong = recurrence(Type=2, Interval=1, DayOfMonth=1, CalendarType=number)
        assert await book.refused(*timed(lab, day(), wrong)) == "6", number


@case("MS-ASCAL", "R53914", FROM_14_1)
async def a_week_has_seven_days(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    for number in (7, 8, 255):
        wrong = recurrence(Type=1, Interval=1, DayOfWeek=2, FirstDayOfWeek=number)
        assert await book.refused(*timed(lab, day(), wrong)) == "6"


#: Type -> what belongs to it, [MS-ASCAL] Recurrence Patterns.
PATTERNS = {
    0: {}, 1: {"DayOfWeek": 2}, 2: {"DayOfMonth": 5}, 3: {"WeekOfMonth": 2, "DayOfWeek": 2},
    5: {"DayOfMonth": 5, "MonthOfYear": 3}, 6: {"WeekOfMonth": 2, "DayOfWeek": 2, "MonthOfYear": 3},
}
#: Element -> the types that it belongs to.
BELONGS = {"DayOfMonth": {2, 5}, "DayOfWeek": {0, 1, 3, 6}, "MonthOfYear": {5, 6}, "WeekOfMonth": {3, 6}}


@case("MS-ASCAL", "R53916 R53917 R53918 R53919")
async def what_does_not_belong_to_the_type_is_refused(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    for name, types in BELONGS.items():
        for type, parts in PATTERNS.items():
            if type not in types:
                wrong = recurrence(Type=type, Interval=1, **{**parts, name: 1})
                assert await book.refused(*timed(lab, day(), wrong)) == "6", (name, type)


@case("MS-ASCAL", "R193 R201 R326 R476 R345 R28311 R453")
async def numbers_out_of_range_are_refused(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    for wrong in (
        {"Type": 2, "DayOfMonth": 32}, {"Type": 2, "DayOfMonth": 0}, {"Type": 1, "DayOfWeek": 128},
        {"Type": 5, "DayOfMonth": 1, "MonthOfYear": 13}, {"Type": 3, "WeekOfMonth": 6, "DayOfWeek": 2},
        {"Type": 0, "Occurrences": 1000}, {"Type": 0, "Interval": 1000}, {"Type": 4}, {"Type": 7}, {"Type": "daily"},
    ):
        assert await book.refused(*timed(lab, day(), recurrence(**wrong))) == "6", wrong


@case("MS-ASCAL", "R309 R138 R428 R565 R453")
async def values_that_do_not_exist_are_refused(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    for name, value in (
        ("MeetingStatus", "2"), ("MeetingStatus", "99"), ("BusyStatus", "9"), ("Sensitivity", "4"),
        ("AllDayEvent", "2"), ("Reminder", "soon"), ("StartTime", "tomorrow"),
    ):
        fields = tuple(f for f in timed(lab, day()) if f.tag != f"Calendar:{name}")
        assert await book.refused(*fields, c(name, value)) == "6", (name, value)


@case("MS-ASCAL", "R2235 R2043 R2044", BEFORE_16)
async def nobody_works_elsewhere_before_16_0(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    assert await book.refused(*timed(lab, day(), c("BusyStatus", "4"))) == "6"


@case("MS-ASCAL", "R118 R123", FROM_12)
async def attendees_are_of_known_kinds(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    for name, value in (("AttendeeStatus", "1"), ("AttendeeStatus", "6"), ("AttendeeType", "0"), ("AttendeeType", "4")):
        guest = c("Attendee", c("Email", lab.other.address), c("Name", "G"), c(name, value))
        assert await book.refused(*timed(lab, day(), c("Attendees", guest))) == "6", (name, value)


@case("MS-ASCAL", "R53915", BEFORE_16)
async def an_end_without_a_start_is_refused_in_a_change(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    server = await book.add(*timed(lab, day()))
    got = await book.change(server, c("Subject", "x"), c("EndTime", compact(day() + 3 * HOUR)))
    assert status_of(got, "Change") == "6"
    assert text(await stored(lab, server), "EndTime") == compact(day() + HOUR)


# -- Times that are missing


def _near_now(stamp: str) -> bool:
    at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return at.minute % 30 == 0 and at.second == 0 and abs(at - datetime.now(UTC)) <= timedelta(minutes=31)


@case("MS-ASCAL", "R52511 R52514")
async def an_event_without_times_is_now(lab: Lab) -> None:
    shown = await kept(lab, c("Subject", lab.unique()))
    start, end = text(shown, "StartTime"), text(shown, "EndTime")
    assert _near_now(start)
    length = datetime.strptime(end, "%Y%m%dT%H%M%SZ") - datetime.strptime(start, "%Y%m%dT%H%M%SZ")
    assert length == timedelta(minutes=30)


@case("MS-ASCAL", "R52515 R5251611 R52518")
async def a_time_that_makes_no_sense_alone_is_refused(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    now = datetime.now(UTC)
    assert await book.refused(c("Subject", "x"), c("EndTime", compact(now - 2 * HOUR))) == "6"
    assert await book.refused(c("Subject", "x"), c("EndTime", compact(now))) == "6"
    assert await book.refused(c("Subject", "x"), c("StartTime", compact(now + 2 * HOUR))) == "6"


@case("MS-ASCAL", "R52516 R52517")
async def one_time_is_completed_by_now(lab: Lab) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    shown = await kept(lab, c("Subject", lab.unique()), c("EndTime", compact(now + 5 * HOUR)))
    assert _near_now(text(shown, "StartTime"))
    assert text(shown, "EndTime") == compact(now + 5 * HOUR)
    shown = await kept(lab, c("Subject", lab.unique()), c("StartTime", compact(now - 5 * HOUR)))
    assert text(shown, "StartTime") == compact(now - 5 * HOUR)
    ends = datetime.strptime(text(shown, "EndTime"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert _near_now(compact(ends - timedelta(minutes=30)))


# -- There and back


@case("MS-ASCAL", "R7911 R85 R13811 R13812 R13813 R13814 R42111 R610 R611 R612 R613 R39011 R43911 R444 R235 R23311 "
      "R42911 R438 R240 R434 R434001 R564 R137 R427 R521 R537 R538")
async def plain_fields_come_back(lab: Lab) -> None:
    for busy, sensitivity, reminder in (("0", "0", "0"), ("1", "1", "15"), ("2", "2", "1440"), ("3", "3", "40320")):
        start = day()
        fields = timed(
            lab, start, c("BusyStatus", busy), c("Sensitivity", sensitivity), c("Reminder", reminder),
        )
        shown = await kept(lab, *fields)
        assert [text(shown, name) for name in ("BusyStatus", "Sensitivity", "Reminder", "AllDayEvent")] == [
            busy, sensitivity, reminder, "0"
        ]
        assert (text(shown, "StartTime"), text(shown, "EndTime")) == (compact(start), compact(start + HOUR))
        assert text(shown, "Subject") == fields[4].text


@case("MS-ASCAL", "R17711 R182 R18311 R185 R11026")
async def categories_come_back_up_to_300(lab: Lab) -> None:
    words = [f"Word {n}, and more" for n in range(301)]
    some = c("Categories", *(c("Category", word) for word in words[:3]))
    shown = await kept(lab, *timed(lab, day(), some))
    assert [found.text for found in inner(shown, "Categories", "Category")] == words[:3]
    many = c("Categories", *(c("Category", word) for word in words))
    shown = await kept(lab, *timed(lab, day(), many))
    assert 3 <= len(inner(shown, "Categories", "Category")) <= 300


@case("MS-ASCAL", "R12411", FROM_12)
async def notes_come_back(lab: Lab) -> None:
    body = e("AirSyncBase:Body", e("Type", "1"), e("Data", "Bring a pen\r\nand paper"))
    shown = await kept(lab, *timed(lab, day(), body))
    assert text(shown, "Body", "Data").replace("\r\n", "\n").strip() == "Bring a pen\nand paper"


@case("MS-ASCAL", "R33411 R336", FROM_12_1)
async def the_native_body_type_is_told(lab: Lab) -> None:
    for number, data in (("1", "plain"), ("2", "<p>rich <b>text</b></p>")):
        body = e("AirSyncBase:Body", e("Type", number), e("Data", data))
        shown = await kept(lab, *timed(lab, day(), body))
        assert text(shown, "NativeBodyType") == number


@case("MS-ASAIRS", "R1400 R14000918 R1401 R14010918", FROM_16)
async def notes_are_text_or_html_from_16_0(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    server = await book.add(*timed(lab, day(), e("AirSyncBase:Body", e("Type", "2"), e("Data", "<p>rich</p>"))))
    for preference, told in (("1", "1"), ("2", "2"), ("3", "1")):
        other = await Book.opened(lab, read=False)
        options = e("AirSync:Options", e("AirSyncBase:BodyPreference", e("Type", preference)))
        shown = (await other.read(options))[server]
        assert text(shown, "Body", "Type") == told


@case("MS-ASCAL", "R86 R235 R44511", BEFORE_16)
async def an_all_day_event_is_midnights_of_its_zone(lab: Lab) -> None:
    start = day().replace(hour=0)
    shown = await kept(
        lab, c("Timezone", zone()), c("AllDayEvent", "1"), c("StartTime", compact(start)),
        c("EndTime", compact(start + timedelta(days=1))), c("Subject", lab.unique()),
    )
    assert text(shown, "AllDayEvent") == "1"
    begins, ends = (
        datetime.strptime(text(shown, name), "%Y%m%dT%H%M%SZ") for name in ("StartTime", "EndTime")
    )
    bias = int.from_bytes(base64.b64decode(text(shown, "Timezone"))[:4], "little", signed=True)
    assert ends - begins == timedelta(days=1)
    assert abs(begins - start.replace(tzinfo=None)) <= timedelta(hours=14), bias


@case("MS-ASCAL", "R44511 R447 MS-ASDTYPE:R103 MS-ASDTYPE:R104 MS-ASDTYPE:R107 MS-ASDTYPE:R109 MS-ASDTYPE:R110 "
      "MS-ASDTYPE:R112 MS-ASDTYPE:R114 MS-ASDTYPE:R116 MS-ASDTYPE:R117 MS-ASDTYPE:R119 MS-ASDTYPE:R121")
async def a_time_zone_is_172_octets_in_base64(lab: Lab) -> None:
    for bias in (0, -60, 480):
        shown = await kept(lab, *(f for f in timed(lab, day()) if f.tag != "Calendar:Timezone"),
                           c("Timezone", zone(bias)))
        packed = base64.b64decode(text(shown, "Timezone"), validate=True)
        assert len(packed) == 172
        for name in (packed[4:68], packed[88:152]):
            before, _, after = name.decode("utf-16-le").partition("\0")
            assert before.isprintable()
            assert not after.strip("\0")
        for date in (packed[68:84], packed[152:168]):
            year, month, weekday, nth, hour, minute = (
                int.from_bytes(date[at : at + 2], "little") for at in range(0, 12, 2)
            )
            assert month <= 12
            assert (year, weekday, nth, hour, minute) < (3000, 7, 32, 24, 60)


@case("MS-ASCAL", "R21911 R224 R36211 R36711 R364 R369 R46011 R30311 R308 R310 R427 R42111 R13111 "
      "MS-ASDTYPE:R12211 MS-ASDTYPE:R12213 MS-ASDTYPE:R100 R99 R231")
async def the_server_fills_in_what_is_left_out(lab: Lab) -> None:
    shown = await kept(lab, *timed(lab, day()))
    stamp = datetime.strptime(text(shown, "DtStamp"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(stamp - datetime.now(UTC)) < timedelta(minutes=10)
    assert text(shown, "OrganizerEmail").lower() == lab.me.address.lower()
    assert text(shown, "OrganizerName")
    assert text(shown, "UID")
    assert (text(shown, "Sensitivity"), text(shown, "MeetingStatus")) == ("0", "0")
    assert text(shown, "BusyStatus") in ("0", "1", "2", "3")


@case("MS-ASCAL", "R21111 R214 R215 R216 R39611", FROM_14)
async def proposals_are_welcome_unless_they_are_not(lab: Lab) -> None:
    shown = await kept(lab, *timed(lab, day()))
    assert [found.text for found in inner(shown, "DisallowNewTimeProposal")] == ["0"]
    shown = await kept(lab, *timed(lab, day(), c("DisallowNewTimeProposal", "1"), c("ResponseRequested", "1")))
    assert [text(shown, name) for name in ("DisallowNewTimeProposal", "ResponseRequested")] == ["1", "1"]


@case("MS-ASCAL", "R463 R462 R46011", BEFORE_16)
async def the_uid_of_the_device_is_kept(lab: Lab) -> None:
    uid = lab.unique("uid")
    assert text(await kept(lab, *timed(lab, day(), c("UID", uid))), "UID") == uid
    book = await Book.opened(lab, read=False)
    assert await book.refused(*timed(lab, day(), c("UID", "x" * 301))) == "6"


@case("MS-ASCAL", "R10411 R98011 R99 R100 R101 R225 R227 R22811 R329 R331 R33211 R30311 R311 R31812")
async def attendees_come_back(lab: Lab) -> None:
    people = ((lab.other.address, "Other: One"), ("guest@elsewhere.test", "Guest"))
    attendees = c("Attendees", *(c("Attendee", c("Email", email), c("Name", name)) for email, name in people))
    shown = await kept(lab, *timed(lab, day(), attendees, c("MeetingStatus", "1")))
    found = inner(shown, "Attendees", "Attendee")
    assert [(text(one, "Email"), text(one, "Name")) for one in found] == list(people)
    assert all(len(inner(one, name)) == 1 for one in found for name in ("Email", "Name"))
    assert text(shown, "MeetingStatus") in ("1", "9")


@case("MS-ASCAL", "R11311 R116 R117 R568 R569 R570 R571 R572 R11911 R121 R122 R573 R574 R575",
      FROM_14_BEFORE_16)
async def attendees_have_an_answer_and_a_kind(lab: Lab) -> None:
    kinds = [(status, kind) for status in "02345" for kind in "123"]
    attendees = c("Attendees", *(
        c("Attendee", c("Email", f"g{n}@elsewhere.test"), c("Name", f"G{n}"), c("AttendeeStatus", status),
          c("AttendeeType", kind))
        for n, (status, kind) in enumerate(kinds)
    ))
    shown = await kept(lab, *timed(lab, day(), attendees, c("MeetingStatus", "1")))
    found = inner(shown, "Attendees", "Attendee")
    assert [(text(one, "AttendeeStatus"), text(one, "AttendeeType")) for one in found] == kinds


# -- Recurrences


SAID = (
    {"Type": 0, "Interval": 2}, {"Type": 1, "Interval": 1, "DayOfWeek": 62},
    {"Type": 1, "Interval": 3, "DayOfWeek": 10},
    {"Type": 2, "Interval": 1, "DayOfMonth": 31}, {"Type": 3, "Interval": 2, "WeekOfMonth": 5, "DayOfWeek": 4},
    {"Type": 3, "Interval": 1, "WeekOfMonth": 2, "DayOfWeek": 62}, {"Type": 5, "Interval": 1, "DayOfMonth": 29,
     "MonthOfYear": 2}, {"Type": 6, "Interval": 1, "WeekOfMonth": 1, "DayOfWeek": 65, "MonthOfYear": 12},
)


@case("MS-ASCAL", "R37211 R448 R45011 R452 R454 R455 R456 R457 R458 R459 R28011 R28211 R283 R18811 R19011 R19012 "
      "R19111 R192 R19411 R19412 R19511 R19512 R19513 R19514 R19811 R199 R200 R204112 R204113 R204114 R32311 R32312 "
      "R32411 R325 R32711 R32712 R32811 R32812 R32813 R32814 R47311 R47312 R47411 R475 R477 R478113 R478114")
async def every_pattern_comes_back_with_what_belongs_to_it(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    for n, said in enumerate(SAID):
        server = await book.add(*timed(lab, day(), recurrence(**said)), client=f"p{n}")
        (shown,) = inner(await stored(lab, server), "Recurrence")
        told = {child.tag.partition(":")[2]: child.text for child in shown.elements}
        assert {name: told.get(name) for name in said} == {name: str(value) for name, value in said.items()}
        parts = {"DayOfMonth", "DayOfWeek", "MonthOfYear", "WeekOfMonth"}
        assert parts & told.keys() == parts & said.keys()
        assert len(told) == len(shown.elements)
        await book.delete(server)


@case("MS-ASCAL", "R33811 R34011 R344 R341 R467 R53911 R46411 R46611 R470")
async def a_series_ends_after_so_many_or_on_a_day(lab: Lab) -> None:
    until = compact(day(30))
    for ends, told in (
        ({"Occurrences": 7}, {"Occurrences": "7"}), ({"Until": until}, {"Until": until}),
        ({"Occurrences": 7, "Until": until}, {"Occurrences": "7"}), ({}, {}),
    ):
        shown = await kept(lab, *timed(lab, day(), recurrence(Type=0, Interval=1, **ends)))
        found = {one.tag.partition(":")[2]: one.text for one in inner(shown, "Recurrence")[0].elements}
        assert {name: found[name] for name in ("Occurrences", "Until") if name in found} == told


@case("MS-ASCAL", "R5")
async def an_interval_of_0_is_1(lab: Lab) -> None:
    shown = await kept(lab, *timed(lab, day(), recurrence(Type=0, Interval=0)))
    assert text(shown, "Recurrence", "Interval") == "1"


@case("MS-ASCAL", "R139 R143 R14311 R14312 R14313 R145 R146 R2239 R11029 R28411 R287 R291 R292 R608 R293 R290",
      FROM_14)
async def months_and_years_are_of_a_calendar(lab: Lab) -> None:
    for type, parts in PATTERNS.items():
        if type < 2:
            continue
        shown = await kept(lab, *timed(lab, day(), recurrence(Type=type, Interval=1, **parts)))
        assert text(shown, "Recurrence", "CalendarType") == "0"
        for number in (1, 8, 15):
            said = recurrence(Type=type, Interval=1, CalendarType=number, **parts)
            shown = await kept(lab, *timed(lab, day(), said))
            assert text(shown, "Recurrence", "CalendarType") == str(number)
        gregorian = recurrence(Type=type, Interval=1, CalendarType=0, IsLeapMonth=1, **parts)
        shown = await kept(lab, *timed(lab, day(), gregorian))
        assert [found.text for found in inner(shown, "Recurrence", "IsLeapMonth")] in ([], ["0"])


@case("MS-ASCAL", "R269 R272 R276 R277 R52523 R11028", FROM_14_1)
async def a_weekly_pattern_has_a_first_day_of_the_week(lab: Lab) -> None:
    shown = await kept(lab, *timed(lab, day(), recurrence(Type=1, Interval=2, DayOfWeek=2)))
    assert text(shown, "Recurrence", "FirstDayOfWeek") in "0123456"
    for number in range(7):
        said = recurrence(Type=1, Interval=2, DayOfWeek=2, FirstDayOfWeek=number)
        shown = await kept(lab, *timed(lab, day(), said))
        assert text(shown, "Recurrence", "FirstDayOfWeek") == str(number)


# -- Exceptions up to 14.1


def exceptions(*given: tuple[Element, ...]) -> Element:
    return c("Exceptions", *(c("Exception", *fields) for fields in given))


@case("MS-ASCAL", "R24111 R242 R246 R2106 R264 R26711 R268 R26111 R29611 R29711 R39211 R44111 R43511 R23611 R23711 "
      "R17911 R18011 R18312 R42411 R13411 R8111 R20611 R20811 R209 R210", BEFORE_16)
async def an_exception_says_what_is_otherwise(lab: Lab) -> None:
    second, third = day() + WEEK, day() + 2 * WEEK
    given = exceptions(
        (c("ExceptionStartTime", compact(second)), c("Subject", "Other"), c("StartTime", compact(second + 2 * HOUR)),
         c("EndTime", compact(second + 3 * HOUR)), c("Location", "Garden"), c("Reminder", "30"), c("Sensitivity", "2"),
         c("BusyStatus", "0"), c("Categories", c("Category", "Blue"))),
        (c("ExceptionStartTime", compact(third)), c("Deleted", "1")),
    )
    shown = await kept(lab, *timed(lab, day(), c("Location", "Hall"), weekly(), given))
    one, other = inner(shown, "Exceptions", "Exception")
    assert text(one, "ExceptionStartTime") == compact(second)
    assert [text(one, name) for name in ("Subject", "Location", "Reminder", "Sensitivity", "BusyStatus")] == [
        "Other", "Garden", "30", "2", "0"
    ]
    assert text(one, "StartTime") == compact(second + 2 * HOUR)
    assert text(one, "EndTime") == compact(second + 3 * HOUR)
    assert text(one, "Categories", "Category") == "Blue"
    assert (text(other, "ExceptionStartTime"), text(other, "Deleted")) == (compact(third), "1")
    assert all(len(set(names(exception))) == len(names(exception)) for exception in (one, other))
    assert not inner(one, "UID")


@case("MS-ASCAL", "R541 R542", BEFORE_16)
async def exceptions_that_are_not_named_stay(lab: Lab) -> None:
    book = await Book.opened(lab, read=False)
    second, third = compact(day() + WEEK), compact(day() + 2 * WEEK)
    fields = timed(lab, day(), weekly())
    server = await book.add(*fields, exceptions((c("ExceptionStartTime", second), c("Subject", "One"))))
    await book.change(server, *fields)
    assert len(inner(await stored(lab, server), "Exceptions", "Exception")) == 1
    await book.change(server, *fields, exceptions((c("ExceptionStartTime", third), c("Subject", "Two"))))
    found = inner(await stored(lab, server), "Exceptions", "Exception")
    assert [text(one, "Subject") for one in found] == ["One", "Two"]
    await book.delete(server)


@case("MS-ASCAL", "R54111", BEFORE_16)
async def exceptions_stay_though_the_device_manages_them(lab: Lab) -> None:
    managed = e("AirSync:Supported", c("Exceptions"), c("Subject"))
    book = await Book.opened(lab, supported=managed, read=False)
    fields = timed(lab, day(), weekly())
    server = await book.add(*fields, exceptions((c("ExceptionStartTime", compact(day() + WEEK)), c("Subject", "x"))))
    await book.change(server, *fields)
    assert len(inner(await stored(lab, server), "Exceptions", "Exception")) == 1


@case("MS-ASCAL", "R539 R543 R2242", BEFORE_16)
async def what_an_exception_lacks_is_an_empty_element(lab: Lab) -> None:
    lacking = exceptions((c("ExceptionStartTime", compact(day() + WEEK)), c("Reminder"), c("Location")))
    shown = await kept(lab, *timed(lab, day(), c("Reminder", "15"), c("Location", "Hall"), weekly(), lacking))
    (one,) = inner(shown, "Exceptions", "Exception")
    assert [(found.text, found.elements) for name in ("Reminder", "Location") for found in inner(one, name)] == [
        ("", ()), ("", ())
    ]


@case("MS-ASCAL", "R2023")
async def exceptions_have_attendees_from_14_0(lab: Lab) -> None:
    if lab.version >= Version.V16_0:
        return
    guest = c("Attendees", c("Attendee", c("Email", "one@elsewhere.test"), c("Name", "One")))
    other = c("Attendees", c("Attendee", c("Email", "two@elsewhere.test"), c("Name", "Two")))
    own = exceptions((c("ExceptionStartTime", compact(day() + WEEK)), c("Subject", "x"), other))
    shown = await kept(lab, *timed(lab, day(), guest, c("MeetingStatus", "1"), weekly(), own))
    (one,) = inner(shown, "Exceptions", "Exception")
    found = [found.text for found in inner(one, "Attendees", "Attendee", "Email")]
    assert found == (["two@elsewhere.test"] if lab.version >= Version.V14_0 else [])


# -- Ghosting up to 14.1


@case("MS-ASCAL", "R301 R111 R128 R217 R319 R365 R370 R399", FROM_14_BEFORE_16)
async def what_is_ghosted_stays_and_what_is_not_goes(lab: Lab) -> None:
    """With Supported of the device's own fields: those are removed by leaving them out, all others stay."""
    managed = e("AirSync:Supported", c("Subject"), c("Location"), c("Reminder"))
    book = await Book.opened(lab, supported=managed, read=False)
    guest = c("Attendees", c("Attendee", c("Email", "one@elsewhere.test"), c("Name", "One")))
    body = e("AirSyncBase:Body", e("Type", "1"), e("Data", "notes"))
    fields = timed(lab, day(), guest, c("MeetingStatus", "1"), c("DisallowNewTimeProposal", "1"),
                   c("ResponseRequested", "1"), body, c("Location", "Hall"), c("Reminder", "5"))
    server = await book.add(*fields)
    before = await stored(lab, server)
    await book.change(server, c("Subject", "x"), c("StartTime", compact(day())), c("EndTime", compact(day() + HOUR)))
    after = await stored(lab, server)
    ghosted = ("Attendees", "MeetingStatus", "DisallowNewTimeProposal", "ResponseRequested", "OrganizerName",
               "OrganizerEmail", "Body")  # fmt: skip
    for name in ghosted:
        assert inner(before, name) == inner(after, name), name
    assert not inner(after, "Location")
    assert not inner(after, "Reminder")

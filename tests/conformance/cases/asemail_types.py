"""[MS-ASEMAIL] The elements of a message, of its flag and of a meeting request, each once and of its type."""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from collections import Counter

from boxes_kit import INBOX, Box, box, change, child_text, commands, data, local, received, send_mime
from lab import BEFORE_16, FROM_12, FROM_14, FROM_14_1, Lab, case
from mail_cases_kit import options, under
from wire import e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

DASHED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
BOOLEAN = re.compile("[01]")
BYTE = re.compile("[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]")
NUMBER = re.compile("-?[0-9]+")
TEXT = re.compile(".+", re.DOTALL)
PREFERENCE = e("AirSyncBase:BodyPreference", e("Type", "1"))


def once(element: Element) -> list[str]:
    """The tags of the children, none of which is there twice."""
    found = [child.tag for child in element.elements]
    assert max(Counter(found).values(), default=1) == 1, found
    return found


def of_types(element: Element, rows: tuple[tuple[str, re.Pattern[str], str], ...]) -> None:
    """Every element of the rows is there, as text of its type."""
    tags = once(element)
    for tag, kind, _ in rows:
        assert tag in tags, tag
        (found,) = (child for child in element.elements if child.tag == tag)
        assert isinstance(found.content, str), tag
        assert kind.fullmatch(found.content), (tag, found.content)


async def arrived(
    lab: Lab, headers: str = "", content: str = "Content-Type: text/plain; charset=utf-8", more: str = "Hello."
) -> tuple[Box, str]:
    """A message in my inbox, and its ServerId."""
    subject = lab.unique("types")
    mime = (
        f"From: Ben <{lab.other.address}>\r\nTo: Anna <{lab.me.address}>\r\nSubject: {subject}\r\n"
        f"MIME-Version: 1.0\r\n{headers}{content}\r\n\r\n{more}\r\n"
    )
    await send_mime(lab, lab.other, mime.encode(), subject)
    inbox = await (await box(lab, INBOX)).begin(options(PREFERENCE))
    return inbox, await received(lab, subject, inbox)


async def changed(lab: Lab, inbox: Box, id: str, *fields: Element) -> Element:
    """The message as another device reads it after that."""
    answer = await inbox.go(commands(change(id, data(*fields))))
    assert answer is None or set(answer.statuses("Change")) <= {"1"}
    return (await (await box(lab, INBOX)).begin(options(PREFERENCE))).has[id]


MAIL = (
    ("Email:To", TEXT, "R788"), ("Email:From", TEXT, "R476"), ("Email:Cc", TEXT, "R329"),
    ("Email:Subject", TEXT, "R1416"), ("Email:ReplyTo", TEXT, "R709"), ("Email:DisplayTo", TEXT, "R398"),
    ("Email:ThreadTopic", TEXT, "R780"), ("Email:Importance", BYTE, "R482"), ("Email:Read", BOOLEAN, "R642"),
    ("Email:InternetCPID", NUMBER, "R498"), ("Email:ContentClass", TEXT, "R341"),
    ("Email:DateReceived", DASHED, "MS-ASDTYPE:R15 MS-ASDTYPE:R16 MS-ASDTYPE:R20"),
    ("AirSyncBase:NativeBodyType", BYTE, "R623"),
)


@case("MS-ASEMAIL", " ".join(ids for *_, ids in MAIL) + " R55 MS-ASWBXML:R12 MS-ASDTYPE:R4 MS-ASDTYPE:R5 "
      "MS-ASDTYPE:R7 MS-ASDTYPE:R90 MS-ASDTYPE:R91 MS-ASDTYPE:R99 MS-ASDTYPE:R100 MS-ASDTYPE:R123 MS-ASDTYPE:R125 "
      "MS-ASDTYPE:R83", FROM_12)
async def a_message_has_each_element_once(lab: Lab) -> None:
    cc = f"Cc: <{lab.other.address}>\r\nReply-To: <reply@example.net>\r\n"
    inbox, id = await arrived(lab, cc)
    of_types(inbox.has[id], MAIL)
    for tag in ("Email:To", "Email:From", "Email:Cc", "Email:ReplyTo"):
        (found,) = (child.text for child in inbox.has[id].elements if child.tag == tag)
        assert re.search(r"[^\s<>@]+@[^\s<>@]+", found), (tag, found)
    got = await inbox.talker.post("ItemOperations", e("ItemOperations:ItemOperations", e(
        "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", inbox.id), e("AirSync:ServerId", id)
    )))
    assert b"\x00\x02" in got.body, "code page 2"
    (found,) = got.all("Response", "Fetch", "Properties")
    for tag, *_ in MAIL:
        (value,) = (child.text for child in found.elements if child.tag == tag)
        assert b"\x03" + value.encode() + b"\x00" in got.body, tag


@case("MS-ASEMAIL", "R345 R354 MS-ASWBXML:R32 MS-ASDTYPE:R97 MS-ASDTYPE:R98", FROM_14)
async def a_conversation_is_named_in_octets(lab: Lab) -> None:
    inbox, id = await arrived(lab)
    found = {child.tag: child.content for child in inbox.has[id].elements}
    got = await inbox.talker.post("ItemOperations", e("ItemOperations:ItemOperations", e(
        "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", inbox.id), e("AirSync:ServerId", id)
    )))
    assert b"\x00\x16" in got.body, "code page 22"
    for tag in ("Email2:ConversationId", "Email2:ConversationIndex"):
        value = found[tag]
        assert isinstance(value, bytes), tag
        assert 0 < len(value) < 128
        assert bytes([0xC3, len(value)]) + value in got.body, tag


@case("MS-ASEMAIL", "R323 MS-ASDTYPE:R9", FROM_14)
async def categories_are_texts(lab: Lab) -> None:
    inbox, id = await arrived(lab)
    item = await changed(lab, inbox, id, e("Email:Categories", e("Category", "Büro €"), e("Category", "two")))
    (found,) = (child for child in item.elements if child.tag == "Email:Categories")
    assert [(one.tag, one.text) for one in found.elements] == [
        ("Email:Category", "Büro €"), ("Email:Category", "two")
    ]


DAY = "2031-03-03T00:00:00.000Z"
ACTIVE = (
    ("Email:Status", "2", NUMBER, "R752 R758"), ("Email:FlagType", "Flag for follow up", TEXT, "R469 R472"),
    ("Tasks:Subject", "what to do ä", TEXT, "R768 R769"), ("Tasks:StartDate", DAY, DASHED, "R742 R743"),
    ("Tasks:DueDate", DAY, DASHED, "R410"), ("Tasks:UtcStartDate", DAY, DASHED, "R865 R866"),
    ("Tasks:UtcDueDate", DAY, DASHED, "R854 R855"), ("Tasks:ReminderSet", "1", BYTE, "R691 R694"),
    ("Tasks:ReminderTime", DAY, DASHED, "R700 R703"), ("Tasks:OrdinalDate", DAY, DASHED, "R630 R631"),
    ("Tasks:SubOrdinalDate", "5555", TEXT, "R772 R774"),
)
DONE = (
    ("Email:Status", "1", NUMBER, "R752"), ("Email:FlagType", "Flag for follow up", TEXT, "R469"),
    ("Email:CompleteTime", DAY, DASHED, "R337 R338"), ("Tasks:DateCompleted", DAY, DASHED, "R360 R361"),
)


@case("MS-ASEMAIL", " ".join(ids for *_, ids in (*ACTIVE, *DONE)), FROM_12)
async def a_flag_has_each_element_once_as_it_was_set(lab: Lab) -> None:
    inbox, id = await arrived(lab)
    for rows in (ACTIVE, DONE):
        said = e("Email:Flag", *(Element(tag, value) for tag, value, *_ in rows))
        item = await changed(lab, inbox, id, said)
        (flag,) = (child for child in item.elements if child.tag == "Email:Flag")
        of_types(flag, tuple((tag, kind, ids) for tag, _, kind, ids in rows))
        told = {child.tag: child.text for child in flag.elements}
        assert {tag: told[tag] for tag, *_ in rows} == {tag: value for tag, value, *_ in rows}


@case("MS-ASEMAIL", "R693", FROM_12)
async def without_a_reminder_there_is_none(lab: Lab) -> None:
    inbox, id = await arrived(lab)
    item = await changed(lab, inbox, id, e("Email:Flag", e("Status", "2"), e("FlagType", "Flag for follow up")))
    (flag,) = (child for child in item.elements if child.tag == "Email:Flag")
    assert child_text(flag, "ReminderSet") in (None, "0")


# Meeting requests ----------------------------------------------------------------------------------------------------

ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\n"
    "TZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\n"
    "DTSTART:19700329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n"
    "END:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
)


async def invited(lab: Lab, rule: str = "") -> Element:
    """The MeetingRequest of an invitation, with a rule for a series."""
    uid = lab.unique("meeting")
    calendar = (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//conformance//EN\r\nMETHOD:REQUEST\r\n{ZONE}BEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20310101T000000Z\r\nDTSTART;TZID=Here:20310303T100000\r\n"
        f"DTEND;TZID=Here:20310303T110000\r\nSUMMARY:meet\r\nLOCATION:Room ä\r\n{rule}SEQUENCE:0\r\n"
        f"ORGANIZER:mailto:{lab.other.address}\r\n"
        f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{lab.me.address}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    inbox, id = await arrived(lab, content="Content-Type: text/calendar; charset=utf-8; method=REQUEST", more=calendar)
    (found,) = under(inbox.has[id], "MeetingRequest")
    return found


MEETING = (
    ("Email:DtStamp", DASHED, "R403"), ("Email:StartTime", DASHED, "R749"), ("Email:EndTime", DASHED, "R416"),
    ("Email:Organizer", TEXT, "R637"), ("Email:TimeZone", TEXT, "R783"),
)


@case("MS-ASEMAIL", " ".join(ids for *_, ids in MEETING), FROM_12)
async def a_meeting_request_has_each_element_once(lab: Lab) -> None:
    found = await invited(lab)
    of_types(found, MEETING)
    assert child_text(found, "StartTime") == "2031-03-03T09:00:00.000Z"
    assert lab.other.address in (child_text(found, "Organizer") or "")


@case("MS-ASEMAIL", "R526 R527", BEFORE_16)
async def the_place_of_a_meeting_is_a_text(lab: Lab) -> None:
    assert child_text(await invited(lab), "Location") == "Room ä"


@case("MS-ASDTYPE", "R103 R104 R107 R108 R109 R110 R111 R112 R113 R114 R115 R116 R117 R118 R119 R120 R122 "
      "MS-ASEMAIL:R783", FROM_12)
async def a_time_zone_is_a_structure(lab: Lab) -> None:
    """Bias, two names of 32 characters filled up with zeros, two rules, two differences; all in minutes."""
    blob = b64decode(child_text(await invited(lab), "TimeZone") or "", validate=True)
    assert len(blob) == 172
    bias, name, standard, less, name2, daylight, more = struct.unpack("<i64s16si64s16si", blob)
    assert (bias, less, more) == (-60, 0, -60)
    for raw in (name, name2):
        text = raw.decode("utf-16-le")
        assert set(text[text.index("\0"):]) == {"\0"}
    year, month, weekday, week, hour, minute, second, thousandth = struct.unpack("<8H", standard)
    assert (year, month, weekday, week, hour, minute, second, thousandth) == (0, 10, 0, 5, 3, 0, 0, 0)
    assert struct.unpack("<8H", daylight) == (0, 3, 0, 5, 2, 0, 0, 0)


@case("MS-ASEMAIL", "R369 R370 R375 R627", FROM_12)
async def a_pattern_has_what_belongs_to_its_type(lab: Lab) -> None:
    for rule, kind, wanted in (
        ("RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4\r\n", "1", {"DayOfWeek": "2", "Occurrences": "4"}),
        ("RRULE:FREQ=MONTHLY;BYMONTHDAY=3;COUNT=4\r\n", "2", {"DayOfMonth": "3", "Occurrences": "4"}),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=3;COUNT=4\r\n", "5", {"DayOfMonth": "3", "MonthOfYear": "3"}),
    ):
        (found,) = under(await invited(lab, rule), "Recurrences", "Recurrence")
        once(found)
        assert child_text(found, "Type") == kind
        assert {name: child_text(found, name) for name in wanted} == wanted


@case("MS-ASEMAIL", "R420 R423 R424", FROM_14_1)
async def a_week_has_a_first_day(lab: Lab) -> None:
    rule = "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU\r\n"
    (found,) = under(await invited(lab, rule), "Recurrences", "Recurrence")
    days = [child.text for child in found.elements if local(child) == "FirstDayOfWeek"]
    assert days == ["0"]
    assert lab.version >= Version.V14_1

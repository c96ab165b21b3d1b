"""The named fields of contacts, appointments and tasks, as a device says them, as they are stored, and as another
program writes them; and what neither EAS nor its devices have a word for."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from eas.items.appointment import Appointment, Attendee, AttendeeStatus, AttendeeType, BusyStatus, Sensitivity
from eas.items.body import Body, BodyType
from eas.items.contacts import Contact
from eas.items.recurrence import RecurrenceType, TaskRecurrence
from eas.items.tasks import Task
from eas.items.timezone import blob_of

BERLIN = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field. `first` is what the first device says, `second` what another program wrote into the same object,
    `third` what the second device makes of it. `line` is a pattern of the stored form of `first`, in which it stands as
    it is; the lines of an object are matched one by one.

    `removable`: a device can take the field away.
    """

    attribute: str
    first: Any
    second: Any
    third: Any
    line: str
    removable: bool = True

    def of(self, item: Any) -> Any:
        value = getattr(item, self.attribute)
        return value.data if isinstance(value, Body) else value

    def stands_in(self, lines: list[str]) -> bool:
        return any(re.fullmatch(self.line, one) for one in lines)


def said(kind: Callable[..., Any], fields: dict[str, Field], which: str, **more: Any) -> Any:
    """An item in which each field has its value `which`: first, second, third, or none of those that can be removed."""
    values = {}
    for field in fields.values():
        value = getattr(field, which) if which else field.third if not field.removable else None
        if field.attribute == "body":
            value = Body(type=BodyType.TEXT, data=value or "")
        if value is None and isinstance(field.first, tuple):
            value = ()
        values[field.attribute] = value
    return kind(**values, **more)


# Contacts -----------------------------------------------------------------------------------------------------------


def _text(attribute: str, line: str, first: str, second: str, third: str) -> Field:
    return Field(attribute=attribute, first=first, second=second, third=third, line=line.replace("@", re.escape(first)))


def _phone(attribute: str, number: int, types: str) -> Field:
    """`types` are those that must stand in the line, in any order."""
    first, second, third = (f"+49 30 {each}00{number:02}" for each in (1, 2, 3))
    wanted = "".join(rf"(?=[^:]*\b{word}\b)" for word in types.split())
    return Field(
        attribute=attribute, first=first, second=second, third=third, line=rf"TEL{wanted}[^:]*:{re.escape(first)}"
    )


def _address(prefix: str, type: str, name: str) -> dict[str, Field]:
    parts = ("street", "city", "state", "postal code", "country")
    at = {part: f"{name} {part}" for part in parts}
    line = rf"ADR[^:]*\b{type}\b[^:]*:;;" + ";".join(re.escape(at[part]) for part in parts)
    return {
        f"{name} {part}": Field(
            attribute=f"{prefix}_{part.replace(' ', '_')}", first=at[part], second=f"{name} {part} two",
            third=f"{name} {part}; three, \\ and", line=line,
        )
        for part in parts
    }


#: Pictures need not be any for the way there and back.
PICTURES = tuple(b"\xff\xd8\xff\xe0" + bytes([n]) * 100 for n in (1, 2, 3))

CONTACT: dict[str, Field] = {
    "title": _text("title", "N:[^;]*;[^;]*;[^;]*;@;.*", "Dr.", "Ms.", "Prof."),
    "first name": _text("first_name", "N:[^;]*;@;.*", "Frida", "Sandra", "Theresa"),
    "middle name": _text("middle_name", "N:[^;]*;[^;]*;@;.*", "Fay", "Sara", "Tina, T."),
    "last name": _text("last_name", "N:@;.*", "First", "Second", "Third; née First"),
    "suffix": _text("suffix", "N:.*;@", "Jr.", "MBA", "III"),
    "nickname": _text("nickname", "NICKNAME:@", "Fri", "Sandy", "Resi"),
    "yomi first name": _text("yomi_first_name", "X-PHONETIC-FIRST-NAME:@", "フリーダ", "サンドラ", "テレサ"),
    "yomi last name": _text("yomi_last_name", "X-PHONETIC-LAST-NAME:@", "ファースト", "セカンド", "サード"),
    "yomi company name": _text("yomi_company", "X-PHONETIC-ORG:@", "カンパニー", "カイシャ", "ガイシャ"),
    "job title": _text("job_title", "TITLE:@", "Painter", "Engineer", "Director, chief"),
    "company": _text("company", "ORG:@;.*", "First Ltd", "Second Ltd", "Third; Sons & Co"),
    "department": _text("department", "ORG:[^;]*;@", "Art", "Research", "Board"),
    "office": _text("office", "X-OFFICE-LOCATION:@", "Room 1", "Room 2", "Room 3"),
    "manager": _text("manager", "X-MANAGER:@", "Max First", "Max Second", "Max Third"),
    "assistant": _text("assistant_name", "X-ASSISTANT:@", "Asa First", "Asa Second", "Asa Third"),
    "spouse": _text("spouse", "X-SPOUSE:@", "Sam First", "Sam Second", "Sam Third"),
    "birthday": Field(
        attribute="birthday", first=date(1971, 2, 28), second=date(1980, 2, 29), third=date(1900, 1, 1),
        line="BDAY[^:]*:1971-?02-?28",
    ),
    "anniversary": Field(
        attribute="anniversary", first=date(1999, 12, 31), second=date(2004, 5, 6), third=date(2020, 2, 2),
        line="(X-)?ANNIVERSARY[^:]*:1999-?12-?31",
    ),
    "children": Field(
        attribute="children", first=("Cleo", "Cem, the small"), second=("Karl",), third=("Karl", "Kim", "Ken"),
        line=r"X-MS-CHILD:Cleo",
    ),
    "business phone": _phone("business_phone", 1, "WORK"),
    "business phone 2": _phone("business2_phone", 2, "WORK"),
    "home phone": _phone("home_phone", 3, "HOME"),
    "home phone 2": _phone("home2_phone", 4, "HOME"),
    "mobile phone": _phone("mobile_phone", 5, "CELL"),
    "car phone": _phone("car_phone", 6, "CAR"),
    "company main phone": _phone("company_main_phone", 7, "X-COMPANY"),
    "pager": _phone("pager", 8, "PAGER"),
    "radio phone": _phone("radio_phone", 9, "X-RADIO"),
    "assistant's phone": _phone("assistant_phone", 10, "X-ASSISTANT"),
    "business fax": _phone("business_fax", 11, "WORK FAX"),
    "home fax": _phone("home_fax", 12, "HOME FAX"),
    **_address("business", "WORK", "business address"),
    **_address("home", "HOME", "home address"),
    **_address("other", "OTHER", "other address"),
    "e-mail 1": _text("email1", "EMAIL[^:]*:@", "one@first.test", "one@second.test", "one@third.test"),
    "e-mail 2": _text("email2", "EMAIL[^:]*:@", "two@first.test", "two@second.test", "two@third.test"),
    "e-mail 3": _text("email3", "EMAIL[^:]*:@", "three@first.test", "three@second.test", "three@third.test"),
    "web page": _text("web_page", "URL:@", "https://first.test/?a=b,c;d", "https://second.test/", "third.test"),
    "IM address 1": _text("im1", "IMPP[^:]*:@", "xmpp:one@first.test", "second one", "sip:one@third.test"),
    "IM address 2": _text("im2", "X-MS-IMADDRESS[^:]*:@", "first two", "second two", "third two"),
    "IM address 3": _text("im3", "X-MS-IMADDRESS[^:]*:@", "first three", "xmpp:three@second.test", "third three"),
    "comments": Field(
        attribute="body", first="First line\nsecond, with; all\\that", second="From elsewhere\n\nlast line",
        third="Third\n", line=r"NOTE:First line\\nsecond\\, with\\; all\\\\that",
    ),
    "categories": Field(
        attribute="categories", first=("Red", "Green; light, very"), second=("Blue",), third=("Blue", "Red"),
        line=r"CATEGORIES:Red,Green\\; light\\, very",
    ),
    "picture": Field(
        attribute="picture", first=PICTURES[0], second=PICTURES[1], third=PICTURES[2],
        line=r"PHOTO;(?=[^:]*ENCODING=b)(?=[^:]*TYPE=JPEG)[^:]*:/9j/4AEBAQ.*", removable=False,  # [MS-ASCMD] R878
    ),
}


def contact(which: str) -> Contact:
    return said(Contact, CONTACT, which)  # type: ignore[no-any-return]


#: What no element of EAS says, in vCards.
UNSAID_OF_CONTACT = (
    "ROLE:Profession of hers",
    "TEL;TYPE=FAX:+49 30 900001",
    "TEL;TYPE=ISDN;X-SLOT=\"4;a\":+49 30 900002",
    "GEO:52.5;13.4",
    "TZ:+01:00",
    "KEY;ENCODING=b;TYPE=X509:MIIBAAAA",
    "SOUND;VALUE=uri:https://second.test/voice.wav",
    "item1.X-UNHEARD;X-A=b;X-C=\"d:e\":kept\\, as it\\; is",
    "item1.X-ABLABEL:_$!<Label>!$_",
    "X-EMPTY:",
)


def foreign_card(uid: str) -> bytes:
    """The second values, as an address book on a computer writes them."""
    def address(name: str, type: str) -> str:
        parts = ";".join(f"{name} {part} two" for part in ("street", "city", "state", "postal code", "country"))
        return f"ADR;TYPE={type}:;;{parts}"

    types = (
        "WORK,VOICE", "VOICE,WORK", "HOME,VOICE", "HOME", "CELL,VOICE", "CAR", "X-COMPANY", "PAGER", "X-RADIO",
        "X-ASSISTANT", "WORK,FAX", "FAX,HOME",
    )
    lines = [
        "BEGIN:VCARD", "VERSION:3.0", "PRODID:-//Elsewhere//Book 1.0//EN", f"UID:{uid}",
        "N:Second;Sandra;Sara;Ms.;MBA", "FN:Ms. Sandra S. Second", "NICKNAME:Sandy",
        "X-PHONETIC-FIRST-NAME:サンドラ", "X-PHONETIC-LAST-NAME:セカンド", "X-PHONETIC-ORG:カイシャ",
        "TITLE:Engineer", "ORG:Second Ltd;Research", "X-EVOLUTION-OFFICE:Room 2", "X-EVOLUTION-MANAGER:Max Second",
        "X-EVOLUTION-ASSISTANT:Asa Second", "X-EVOLUTION-SPOUSE:Sam Second", "BDAY;VALUE=date:1980-02-29",
        "X-EVOLUTION-ANNIVERSARY:2004-05-06", "X-MS-CHILD:Karl",
        *(f"TEL;TYPE={type}:+49 30 200{number:02}" for number, type in enumerate(types, 1)),
        address("business address", "WORK"), address("home address", "HOME,pref"), address("other address", "OTHER"),
        *(f"EMAIL;TYPE=INTERNET:{which}@second.test" for which in ("one", "two", "three")),
        "URL:https://second.test/", "IMPP;X-SERVICE-TYPE=XMPP:xmpp:three@second.test", "X-MS-IMADDRESS:second one",
        "X-MS-IMADDRESS:second two", "NOTE:From elsewhere\\n\\nlast line", "CATEGORIES:Blue",
        f"PHOTO;ENCODING=b;TYPE=JPEG:{_base64(PICTURES[1])}", "REV:2026-03-01T10:00:00Z", *UNSAID_OF_CONTACT,
        "END:VCARD",
    ]
    return "\r\n".join([*lines, ""]).encode()


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode()


# Appointments -------------------------------------------------------------------------------------------------------


def _at(hour: int, day: int = 2, minute: int = 0) -> datetime:
    return datetime(2027, 3, day, hour, minute, tzinfo=UTC)


#: A person and a resource, of each role; the statuses are the organizer's to say.
PEOPLE = tuple(
    Attendee(email=f"{name}@first.test", name=name.title(), status=status, type=type)
    for name, status, type in (
        ("ben", AttendeeStatus.ACCEPTED, AttendeeType.REQUIRED),
        ("carla", AttendeeStatus.TENTATIVE, AttendeeType.OPTIONAL),
        ("dora", AttendeeStatus.DECLINED, AttendeeType.REQUIRED),
        ("emil", AttendeeStatus.NOT_RESPONDED, AttendeeType.REQUIRED),
        ("hall", AttendeeStatus.ACCEPTED, AttendeeType.RESOURCE),
    )
)
OTHERS = (
    Attendee(email="ben@first.test", name="Ben", status=AttendeeStatus.DECLINED, type=AttendeeType.OPTIONAL),
    Attendee(email="room@second.test", name="Room", status=AttendeeStatus.NOT_RESPONDED, type=AttendeeType.RESOURCE),
)
FEWER = (
    Attendee(email="room@second.test", name="Room", status=AttendeeStatus.ACCEPTED, type=AttendeeType.RESOURCE),
    Attendee(email="finn@third.test", name="Finn", status=AttendeeStatus.NOT_RESPONDED, type=AttendeeType.REQUIRED),
)

APPOINTMENT: dict[str, Field] = {
    "subject": Field(
        attribute="subject", first="First; with, signs", second="Second", third="Third", line=r"SUMMARY:First\\; with.*"
    ),
    "location": Field(
        attribute="location", first="Hall 1", second="Hall 2, left", third="Hall 3", line="LOCATION:Hall 1"
    ),
    "start": Field(
        attribute="start_time", first=_at(9), second=_at(13, 3), third=_at(7, 4), removable=False,
        line="DTSTART;TZID=[^:]*:20270302T100000",
    ),
    "end": Field(
        attribute="end_time", first=_at(10, minute=30), second=_at(14, 3), third=_at(8, 4), removable=False,
        line="DTEND;TZID=[^:]*:20270302T113000",
    ),
    "reminder": Field(attribute="reminder", first=15, second=1440, third=0, line="TRIGGER:-PT15M"),
    "comments": Field(
        attribute="body", first="First line\nsecond", second="From elsewhere\n\nlast line", third="Third",
        line=r"DESCRIPTION:First line\\nsecond",
    ),
    "categories": Field(
        attribute="categories", first=("Red", "Green, light"), second=("Blue",), third=("Blue", "Red"),
        line=r"CATEGORIES:Red,Green\\, light",
    ),
    "busy status": Field(
        attribute="busy_status", first=BusyStatus.OUT_OF_OFFICE, second=BusyStatus.FREE, third=BusyStatus.TENTATIVE,
        line="X-MICROSOFT-CDO-BUSYSTATUS:OOF", removable=False,
    ),
    "sensitivity": Field(
        attribute="sensitivity", first=Sensitivity.PRIVATE, second=Sensitivity.CONFIDENTIAL,
        third=Sensitivity.PERSONAL, line="CLASS:PRIVATE", removable=False,
    ),
    "participants and resources": Field(
        attribute="attendees", first=PEOPLE, second=OTHERS, third=FEWER, removable=False,
        line=r"ATTENDEE(?=.*PARTSTAT=ACCEPTED)(?=.*ROLE=NON-PARTICIPANT)(?=.*CUTYPE=RESOURCE).*:mailto:hall@first.test",
    ),
}


def appointment(which: str) -> Appointment:
    item: Appointment = said(
        Appointment, APPOINTMENT, which, timezone=blob_of(BERLIN, 2027), all_day_event=False, meeting_status=1,
        uid="round-trip", dt_stamp=_at(8, 1),
    )
    return item


#: What no element of EAS says, in a VEVENT.
UNSAID_OF_APPOINTMENT = (
    "GEO:52.5;13.4",
    "PRIORITY:3",
    "URL:https://second.test/event",
    "ATTACH;FMTTYPE=text/plain:https://second.test/plan.txt",
    "COMMENT:a comment of the organizer's",
    "CONTACT;ALTREP=\"https://second.test/c\":Jim",
    "COLOR:teal",
    "X-UNHEARD;X-A=b;X-C=\"d:e\":kept\\, as it\\; is",
    "X-EMPTY:",
    "ACTION:EMAIL",
    "SUMMARY:A mail an hour before",
    "TRIGGER:-PT1H",
)


def foreign_event(uid: str) -> bytes:
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Elsewhere//Calendar 1.0//EN", "X-WR-CALNAME:Office",
        "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260301T100000Z", "CREATED:20260101T100000Z", "SEQUENCE:3",
        "DTSTART:20270303T130000Z", "DURATION:PT1H", "SUMMARY:Second", "LOCATION:Hall 2\\, left", "TRANSP:TRANSPARENT",
        "CLASS:CONFIDENTIAL", "CATEGORIES:Blue", "DESCRIPTION:From elsewhere\\n\\nlast line",
        "ORGANIZER;CN=Anna:mailto:anna@example.com",
        "ATTENDEE;CN=Ben;ROLE=OPT-PARTICIPANT;PARTSTAT=DECLINED:mailto:ben@first.test",
        "ATTENDEE;CN=Room;CUTYPE=ROOM;ROLE=NON-PARTICIPANT;PARTSTAT=NEEDS-ACTION:mailto:room@second.test",
        *UNSAID_OF_APPOINTMENT[:-3],
        "BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Reminder", "TRIGGER:-P1D", "END:VALARM",
        "BEGIN:VALARM", *UNSAID_OF_APPOINTMENT[-3:], "DESCRIPTION:Soon", "ATTENDEE:mailto:anna@example.com",
        "END:VALARM", "END:VEVENT", "END:VCALENDAR",
    ]
    return "\r\n".join([*lines, ""]).encode()


# Tasks --------------------------------------------------------------------------------------------------------------


def _local(day: int, hour: int = 0) -> datetime:
    return datetime(2027, 4, day, hour, tzinfo=UTC)


def _instant(day: int, hour: int = 0) -> datetime:
    return datetime(2027, 4, day, hour, tzinfo=BERLIN).astimezone(UTC)


TASK: dict[str, Field] = {
    "subject": Field(
        attribute="subject", first="First; with, signs", second="Second", third="Third", line=r"SUMMARY:First\\; with.*"
    ),
    "due": Field(
        attribute="utc_due_date", first=_instant(15), second=_instant(16), third=_instant(17),
        line="DUE;VALUE=DATE:20270415",
    ),
    "due, on the clock": Field(
        attribute="due_date", first=_local(15), second=_local(16), third=_local(17), line="DUE;VALUE=DATE:20270415"
    ),
    "start": Field(
        attribute="utc_start_date", first=_instant(5), second=_instant(6), third=_instant(7),
        line="DTSTART;VALUE=DATE:20270405",
    ),
    "start, on the clock": Field(
        attribute="start_date", first=_local(5), second=_local(6), third=_local(7), line="DTSTART;VALUE=DATE:20270405"
    ),
    "status": Field(attribute="complete", first=True, second=False, third=True, line="STATUS:COMPLETED",
                    removable=False),
    "date of completion": Field(
        attribute="date_completed", first=_instant(3, 12), second=None, third=_instant(4, 12),
        line="COMPLETED:20270403T100000Z", removable=False,
    ),
    "priority": Field(attribute="importance", first=2, second=0, third=1, line="PRIORITY:1", removable=False),
    "reminder": Field(
        attribute="reminder_time", first=_instant(14, 9), second=_instant(13, 9), third=_instant(12, 9),
        line="TRIGGER;VALUE=DATE-TIME:20270414T070000Z", removable=False,
    ),
    "reminder set": Field(attribute="reminder_set", first=1, second=1, third=1, line="BEGIN:VALARM", removable=False),
    "comments": Field(
        attribute="body", first="First line\nsecond", second="From elsewhere\n\nlast line", third="Third",
        line=r"DESCRIPTION:First line\\nsecond",
    ),
    "categories": Field(
        attribute="categories", first=("Red", "Green, light"), second=("Blue",), third=("Blue", "Red"),
        line=r"CATEGORIES:Red,Green\\, light",
    ),
    "sensitivity": Field(
        attribute="sensitivity", first=Sensitivity.PRIVATE, second=Sensitivity.CONFIDENTIAL,
        third=Sensitivity.PERSONAL, line="CLASS:PRIVATE", removable=False,
    ),
}


def task(which: str) -> Task:
    return said(Task, TASK, which)  # type: ignore[no-any-return]


#: What no element of EAS says, in a VTODO; the status beyond "complete" among it.
UNSAID_OF_TASK = (
    "GEO:52.5;13.4",
    "URL:https://second.test/task",
    "RELATED-TO:parent-task",
    "LOCATION:Cellar",
    "COMMENT:a comment",
    "X-UNHEARD;X-A=b;X-C=\"d:e\":kept\\, as it\\; is",
    "X-EMPTY:",
)
#: How far it is.
PROGRESS = ("STATUS:IN-PROCESS", "PERCENT-COMPLETE:40")


def foreign_task(uid: str) -> bytes:
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Elsewhere//Tasks 1.0//EN", "BEGIN:VTODO", f"UID:{uid}",
        "DTSTAMP:20260301T100000Z", "CREATED:20260101T100000Z", "SUMMARY:Second", "DTSTART;VALUE=DATE:20270406",
        "DUE;VALUE=DATE:20270416", "PRIORITY:9", "CLASS:CONFIDENTIAL", "CATEGORIES:Blue",
        "DESCRIPTION:From elsewhere\\n\\nlast line", *PROGRESS, *UNSAID_OF_TASK,
        "BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER;VALUE=DATE-TIME:20270413T070000Z", "END:VALARM", "END:VTODO",
        "END:VCALENDAR",
    ]
    return "\r\n".join([*lines, ""]).encode()


#: Series of tasks: the next one made when one is done, and the one that is done and out of its series.
REGENERATING = Task(
    subject="Water the plants", complete=False, utc_start_date=_instant(5), start_date=_local(5),
    utc_due_date=_instant(5), due_date=_local(5),
    recurrence=TaskRecurrence(type=RecurrenceType.WEEKLY, interval=2, day_of_week=2, start=_local(5), regenerate=1),
)
DEAD = Task(
    subject="Watered", complete=True, date_completed=_instant(5, 9), utc_start_date=_instant(5), start_date=_local(5),
    utc_due_date=_instant(5), due_date=_local(5),
    recurrence=TaskRecurrence(
        type=RecurrenceType.MONTHLY, interval=1, day_of_month=5, start=_local(5), occurrences=3, dead_occur=1
    ),
)

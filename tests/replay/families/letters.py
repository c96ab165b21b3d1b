"""What lies in Anna's made-up mailbox, as MIME, vCards and iCalendar objects. Times are those of Monday, 16 November
2026; nothing of it belongs to anybody."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from eas.demo.cards import folded
from eas.demo.pictures import pdf
from eas.engine.model import FolderType

#: When all sessions begin.
MORNING = datetime(2026, 11, 16, 7, 30, tzinfo=UTC)
#: A picture that fits into a contact and into a mail; nobody needs a larger one here.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0000003010100"
    "18dd8db00000000049454e44ae426082"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """`hours` before MORNING it arrived; `text` is its MIME with ends of lines as LF, `raw` instead where it has
    octets that are no ASCII."""

    subject: str
    hours: float
    raw: bytes
    read: bool = False
    folder: FolderType | str = FolderType.INBOX

    @property
    def received(self) -> datetime:
        return MORNING - timedelta(hours=self.hours)


def letter(
    subject: str, hours: float, sender: str, parts: str | bytes, *, to: str = "Anna Arnold <anna@example.com>",
    shown: str = "", read: bool = False, folder: FolderType | str = FolderType.INBOX,
) -> Letter:
    """`parts`: the fields of the content, an empty line and the content. `shown`: the subject as it is encoded."""
    when = MORNING - timedelta(hours=hours)
    name = subject.encode("ascii", "ignore").decode().lower().replace(" ", "-").strip("-") or "letter"
    head = (
        f"From: {sender}\nTo: {to}\nSubject: {shown or subject}\nDate: {when:%a, %d %b %Y %H:%M:%S} +0000\n"
        f"Message-ID: <{name}@mail.example.org>\nMIME-Version: 1.0\n"
    ).encode()
    content = parts.encode() if isinstance(parts, str) else parts
    raw = (head + content).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return Letter(subject=subject, hours=hours, raw=raw, read=read, folder=folder)


def lines(octets: bytes) -> str:
    """base64 as mail has it."""
    text = b64encode(octets).decode()
    return "\n".join(text[at : at + 76] for at in range(0, len(text), 76))


BEN, CLEO, SHOP = "Ben Berger <ben@example.com>", "Cleo Costa <cleo@example.org>", "Orders <orders@example.org>"
PLAIN = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"

DELIVERY = letter("Delivery on Thursday", 40, BEN, PLAIN + """Good morning Anna,

the boards come on Thursday between eight and ten. Can somebody open the gate?

Ben
""", read=True)

MINUTES = letter("Minutes of the meeting", 22, CLEO, f"""Content-Type: multipart/mixed; boundary="=_minutes"

--=_minutes
Content-Type: multipart/alternative; boundary="=_both"

--=_both
Content-Type: text/plain; charset=utf-8

Dear Anna, the minutes are attached.
--=_both
Content-Type: text/html; charset=utf-8

<html><body><p>Dear Anna,</p><p>the <b>minutes</b> are attached.</p></body></html>
--=_both--
--=_minutes
Content-Type: application/pdf; name="minutes.pdf"
Content-Disposition: attachment; filename="minutes.pdf"
Content-Transfer-Encoding: base64

{lines(pdf("Minutes", ["Gate: Anna.", "Boards: Ben."]))}
--=_minutes--
""")

OFFER = letter(
    "Angebot für die Küche", 18, "=?iso-8859-1?Q?J=FCrgen_Gro=DF?= <gross@example.org>",
    """Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe aus M=FCnchen! Das Angebot f=FCr die K=FCche gilt bis zum 30. Novem=
ber.
""", shown="=?iso-8859-1?Q?Angebot_f=FCr_die_K=FCche?=",
)

QUOTATION = letter(
    "見積書", 17, "=?iso-2022-jp?B?GyRCO0NFRBsoQg==?= <mita@example.org>",
    b"Content-Type: text/plain; charset=iso-2022-jp\nContent-Transfer-Encoding: 7bit\n\n"
    + "見積書をお送りします。\n".encode("iso-2022-jp"),
    shown="=?iso-2022-jp?B?GyRCOCtAUT1xGyhC?=",
)

QUOTES = letter(
    "Words of the week", 15, "Weekly <weekly@example.org>",
    b"Content-Type: text/html; charset=windows-1252\nContent-Transfer-Encoding: 8bit\n\n"
    b"<html><head><meta charset=\"windows-1252\"></head><body><p>\x93Late \x96 but right\x94, said the joiner; \x80 5."
    b"</p></body></html>\n",
)

NEWS = letter("News of the trade", 12, "Trade <news@example.org>", (
    "Content-Type: text/html; charset=utf-8\n\n<html><body>" + "".join(
        f"<p>{number}. Oak is dearer than last month, and ash is scarce; whoever builds in spring orders now, says the "
        "association of the trade in its letter of November.</p>\n" for number in range(1, 8)
    ) + "</body></html>\n"
))

PASSED_ON = letter("Fwd: Parking", 9, BEN, """Content-Type: multipart/mixed; boundary="=_passed"

--=_passed
Content-Type: text/plain; charset=us-ascii

For you.
--=_passed
Content-Type: message/rfc822
Content-Disposition: attachment

From: House <house@example.org>
To: ben@example.com
Subject: Parking
Date: Sat, 14 Nov 2026 10:00:00 +0000

The yard is closed on Friday.
--=_passed--
""")

_INVITATION = """Content-Type: text/calendar; charset=utf-8; method=REQUEST

BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//Calendar//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:planning-{month}@example.com
DTSTAMP:20261116T040000Z
SEQUENCE:0
ORGANIZER;CN=Ben Berger:mailto:ben@example.com
ATTENDEE;CN=Anna Arnold;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:anna@example.com
SUMMARY:Planning for {title}
LOCATION:Room 2
DTSTART:{start}
DTEND:{end}
END:VEVENT
END:VCALENDAR
"""


def invitation(month: str, hours: float, start: str, end: str) -> Letter:
    """From Ben, who has the meeting in his calendar."""
    said = _INVITATION.format(month=month.lower(), title=month, start=start, end=end)
    return letter(f"Planning for {month}", hours, BEN, said)


PLANNING = invitation("December", 3, "20261118T130000Z", "20261118T140000Z")
#: One that comes in the course of the day.
JANUARY = invitation("January", 0, "20261119T130000Z", "20261119T140000Z")

#: Signed, by nobody's key: what a device has to do with it is to get it whole.
SIGNED = letter("Signed: prices", 0, BEN, """Content-Type: multipart/signed; protocol="application/pkcs7-signature";
 micalg=sha-256; boundary="=_signed"

--=_signed
Content-Type: text/plain; charset=us-ascii

The prices of November hold in December.
--=_signed
Content-Type: application/pkcs7-signature; name="smime.p7s"
Content-Disposition: attachment; filename="smime.p7s"
Content-Transfer-Encoding: base64

MAsGCSqGSIb3DQEHAg==
--=_signed--
""")

#: Mail that lies there in the morning, in the order in which it came.
MAIL = (
    letter("Drawings", 60, CLEO, PLAIN + "The drawings are on the shelf.\n", read=True, folder="Projects"),
    letter("Re: Gate", 50, "Anna Arnold <anna@example.com>", PLAIN + "I have the key.\n", read=True,
           to=BEN, folder=FolderType.SENT_ITEMS),
    DELIVERY, MINUTES, OFFER, QUOTATION, QUOTES, NEWS, PASSED_ON, PLANNING,
)


def arriving(subject: str, text: str, sender: str = BEN) -> bytes:
    """A mail that comes in the course of the day."""
    return letter(subject, 0, sender, PLAIN + text).raw


# Contacts, calendar, tasks, notes -------------------------------------------------------------------------------------


def _event(*content: str, zone: bool = True) -> bytes:
    zones = (
        "BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:DAYLIGHT", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200",
        "DTSTART:19960331T020000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "END:DAYLIGHT", "BEGIN:STANDARD",
        "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "DTSTART:19961027T030000", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
        "END:STANDARD", "END:VTIMEZONE",
    )
    return folded([
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//Calendar//EN", *(zones if zone else ()), *content,
        "END:VCALENDAR",
    ])


RECORDS: tuple[tuple[FolderType, bytes], ...] = (
    (FolderType.CONTACTS, folded([
        "BEGIN:VCARD", "VERSION:3.0", "UID:cleo@example.org", "N:Costa;Cleo;;;", "FN:Cleo Costa",
        "EMAIL;TYPE=INTERNET:cleo@example.org", "TEL;TYPE=CELL:+49 170 5550101", "TEL;TYPE=WORK,VOICE:+49 30 5550102",
        "ORG:Costa Timber", "ADR;TYPE=WORK:;;Sawmill Lane 3;Riverside;;12345;Germany", "BDAY:1984-02-29",
        "NOTE:Rings back in the evening.", f"PHOTO;ENCODING=b;TYPE=PNG:{b64encode(PICTURE).decode()}", "END:VCARD",
    ])),
    (FolderType.CONTACTS, folded([
        "BEGIN:VCARD", "VERSION:3.0", "UID:gross@example.org", "N:Groß;Jürgen;;Dr.;", "FN:Dr. Jürgen Groß",
        "EMAIL;TYPE=INTERNET:gross@example.org", "TITLE:Küchenplaner", "CATEGORIES:Suppliers", "END:VCARD",
    ])),
    (FolderType.CALENDAR, _event(
        "BEGIN:VEVENT", "UID:dentist@example.com", "DTSTAMP:20261110T080000Z", "SUMMARY:Dentist",
        "DTSTART;TZID=Europe/Berlin:20261119T073000", "DTEND;TZID=Europe/Berlin:20261119T081500", "CLASS:PRIVATE",
        "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT30M", "DESCRIPTION:Reminder", "END:VALARM", "END:VEVENT",
    )),
    (FolderType.CALENDAR, _event(
        "BEGIN:VEVENT", "UID:round@example.com", "DTSTAMP:20261010T080000Z", "SUMMARY:Monday round",
        "DTSTART;TZID=Europe/Berlin:20261012T090000", "DTEND;TZID=Europe/Berlin:20261012T094500",
        "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=20", "EXDATE;TZID=Europe/Berlin:20261123T090000", "LOCATION:Kitchen",
        "ORGANIZER;CN=Anna Arnold:mailto:anna@example.com",
        "ATTENDEE;CN=Ben Berger;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT:mailto:ben@example.com", "END:VEVENT",
        "BEGIN:VEVENT", "UID:round@example.com", "DTSTAMP:20261110T080000Z", "SUMMARY:Monday round (on Tuesday)",
        "RECURRENCE-ID;TZID=Europe/Berlin:20261130T090000", "DTSTART;TZID=Europe/Berlin:20261201T100000",
        "DTEND;TZID=Europe/Berlin:20261201T104500", "LOCATION:Kitchen",
        "ORGANIZER;CN=Anna Arnold:mailto:anna@example.com",
        "ATTENDEE;CN=Ben Berger;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT:mailto:ben@example.com", "END:VEVENT",
    )),
    (FolderType.CALENDAR, _event(
        "BEGIN:VEVENT", "UID:fair@example.com", "DTSTAMP:20261001T080000Z", "SUMMARY:Trade fair",
        "DTSTART;VALUE=DATE:20261203", "DTEND;VALUE=DATE:20261205", "TRANSP:TRANSPARENT", "END:VEVENT", zone=False,
    )),
    (FolderType.TASKS, _event(
        "BEGIN:VTODO", "UID:boards@example.com", "DTSTAMP:20261110T080000Z", "SUMMARY:Order boards",
        "DTSTART;VALUE=DATE:20261116", "DUE;VALUE=DATE:20261117", "PRIORITY:1", "END:VTODO", zone=False,
    )),
    (FolderType.TASKS, _event(
        "BEGIN:VTODO", "UID:plants@example.com", "DTSTAMP:20261110T080000Z", "SUMMARY:Water the plants",
        "DTSTART;VALUE=DATE:20261117", "DUE;VALUE=DATE:20261117", "RRULE:FREQ=WEEKLY;BYDAY=TU", "END:VTODO", zone=False,
    )),
    (FolderType.NOTES, _event(
        "BEGIN:VJOURNAL", "UID:gate@example.com", "DTSTAMP:20261110T080000Z", "LAST-MODIFIED:20261110T080000Z",
        "SUMMARY:Gate", "DESCRIPTION:The key hangs behind the door.", "CATEGORIES:Office", "END:VJOURNAL", zone=False,
    )),
)

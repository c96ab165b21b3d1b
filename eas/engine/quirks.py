"""Devices differ: what some need that the specification does not have, as a table.

Code asks `Quirk.X in session.quirks`, never who the device is. A row says which devices need the quirk and how that is
known; an admin switches it on or off for one device. docs/quirks.md is made of this table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from .model import Device


class Quirk(StrEnum):
    """What is done otherwise, by the name under which it is switched."""

    GET_CHANGES_WITH_KEY_0 = "get-changes-with-key-0"
    PROVISION_WITHOUT_DEVICE_INFORMATION = "provision-without-device-information"
    SYMBIAN_POLICY = "symbian-policy"
    REPLY_IS_MAILED_FOR_IT = "reply-is-mailed-for-it"
    ANSWERS_IN_THE_CALENDAR = "answers-in-the-calendar"
    MAILS_MEETINGS_ITSELF = "mails-meetings-itself"
    FIND_IN_UNKNOWN_FOLDER = "find-in-unknown-folder"
    EMPTY_PICTURE_KEEPS = "empty-picture-keeps"
    EMPTY_IDS = "empty-ids"
    EMPTY_RTF = "empty-rtf"
    WHOLE_BODIES = "whole-bodies"
    SIGNED_AS_MIME = "signed-as-mime"
    ANNIVERSARIES_WITHOUT_LENGTH = "anniversaries-without-length"
    BIRTHDAYS_AT_8 = "birthdays-at-8"
    BIRTHDAYS_AT_11 = "birthdays-at-11"
    NEEDS_FIRST_NAME = "needs-first-name"
    ONE_FOLDER_OF_A_KIND = "one-folder-of-a-kind"
    NO_EMPTY_ANSWERS = "no-empty-answers"
    HOLDS_WHAT_IT_MOVED = "holds-what-it-moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`type`, `agent` and `os` are regular expressions that must match somewhere in the DeviceType, the User-Agent and
    the OS of DeviceInformation, without regard to case; "" matches anything. `does` is what the server does for these
    devices, `evidence` where it was seen."""

    quirk: Quirk
    does: str
    evidence: str
    type: str = ""
    agent: str = ""
    os: str = ""

    def fits(self, device: Device) -> bool:
        asked = ((self.type, device.type), (self.agent, device.agent), (self.os, device.information.get("OS", "")))
        return all(re.search(pattern, text, re.IGNORECASE) for pattern, text in asked if pattern)


NOKIA = r"nokia|symbian|MailforExchange"
#: Their DeviceType is MailforExchange or the IMEI; Nokias with Android or Windows say neither.
SYMBIAN = r"symbian|MailforExchange"
WINDOWS_PHONE = r"^(WP|WindowsPhone)"
WINDOWS_MAIL = r"^(WindowsOutlook|WindowsMail|UniversalOutlook)"

TABLE: tuple[Row, ...] = (
    Row(
        quirk=Quirk.GET_CHANGES_WITH_KEY_0, agent=r"^go-activesync",
        does="GetChanges in a Sync with key 0 is passed over instead of refused with Status 4.",
        evidence="go-activesync 0.1 sends GetChanges 1 with its first Sync of a collection.",
    ),
    Row(
        quirk=Quirk.PROVISION_WITHOUT_DEVICE_INFORMATION, agent=r"^go-activesync",
        does="At 14.1 and later the first phase of Provision does without DeviceInformation (else Status 165).",
        evidence="go-activesync 0.1 sends a bare Provision and gives up at any Status but 1.",
    ),
    Row(
        quirk=Quirk.SYMBIAN_POLICY, agent=SYMBIAN,
        does="Settings of a policy that the family cannot meet (browser, S/MIME, unsigned programs and their like) are "
             "left at the value that restricts nothing, unless the policy insists on them; one that is enforced and "
             "allows no partial compliance locks the device out instead.",
        evidence="Symbian Anna gives up the account if any of them has another value (Microsoft FA136114).",
    ),
    Row(
        quirk=Quirk.REPLY_IS_MAILED_FOR_IT,
        # The number is that of the build: 1607 is 16G, iOS 12.4.
        agent=r"^Apple-[^/]+/(?:160[7-9]|16[1-9]\d|1[7-9]\d\d|[2-9]\d\d\d)\b",
        does="Up to 14.1 the server mails the answer to the organizer after a MeetingResponse; from 16.0 the device "
             "says by SendResponse whether it shall.",
        evidence="iOS from 12.4 (agent .../1607) on sends no mail of its own after MeetingResponse; earlier ones do.",
    ),
    Row(
        quirk=Quirk.ANSWERS_IN_THE_CALENDAR, agent=r"^Apple-",
        does="Before 14.1, too, MeetingResponse may name the appointment instead of the message (else Status 2).",
        evidence="iOS names the item of the calendar where the invitation was answered there.",
    ),
    Row(
        quirk=Quirk.ANSWERS_IN_THE_CALENDAR, type=r"^WindowsOutlook",
        does="Before 14.1, too, MeetingResponse may name the appointment instead of the message (else Status 2).",
        evidence="Outlook for Windows sends MeetingResponse for items of the calendar.",
    ),
    Row(
        quirk=Quirk.MAILS_MEETINGS_ITSELF, type=r"^WindowsOutlook",
        does="The server mails no invitations, updates and cancellations that follow from a Sync, in no version.",
        evidence="Outlook for Windows sends the iMIP messages of its meetings itself, whatever the server does.",
    ),
    Row(
        quirk=Quirk.FIND_IN_UNKNOWN_FOLDER, agent=r"^Apple-",
        does="A Find in a folder that does not exist looks into all folders instead of being refused with Status 3.",
        evidence="iOS sends an id of its own with Find that stands for all mailboxes.",
    ),
    Row(
        quirk=Quirk.PROVISION_WITHOUT_DEVICE_INFORMATION, type=WINDOWS_MAIL,
        does="At 14.1 and later the first phase of Provision does without DeviceInformation (else Status 165).",
        evidence="Outlook 2013 and later send none (field reports of SOGo and Horde).",
    ),
    Row(
        quirk=Quirk.EMPTY_PICTURE_KEEPS, agent=r"^Apple-",
        does="An empty Picture in a change of a contact leaves the picture that is there, instead of removing it.",
        evidence="iOS from 8.2 on sends an empty Picture with every edit of a contact.",
    ),
    Row(
        quirk=Quirk.EMPTY_IDS, type=r"^BlackBerry|^BB10",
        does="An empty ServerId is passed over.",
        evidence="BlackBerry 10 (Q10, Q20) sends empty ServerId elements with Sync and FolderDelete.",
    ),
    Row(
        quirk=Quirk.EMPTY_RTF, agent=NOKIA,
        does="An empty rich-text note beside a plain one is passed over, so that the plain one counts.",
        evidence="Nokia Mail for Exchange sends notes of contacts as an empty CompressedRTF and a Body (EGroupware).",
    ),
    Row(
        quirk=Quirk.WHOLE_BODIES, agent=r"^Android-Mail/|^Gmail",
        does="Bodies are sent whole, whatever TruncationSize the device asks for; the policy's limits still hold.",
        evidence="Gmail asks for 200,000 bytes and never fetches the rest of what was cut (Horde, doc/clients.md).",
    ),
    Row(
        quirk=Quirk.SIGNED_AS_MIME, agent=r"^Apple-[^/]+/(?:1[6-9]\d\d|[2-9]\d\d\d)\b",
        does="A device that asks for MIMESupport 1 and no MIME body gets signed and encrypted messages as MIME.",
        evidence="iOS from 12 on (agent .../1600) asks for HTML and verifies what is signed in MIME only (Z-Push 172).",
    ),
    Row(
        quirk=Quirk.SIGNED_AS_MIME, type=r"^BlackBerry|^BB10",
        does="A device that asks for MIMESupport 1 and no MIME body gets signed and encrypted messages as MIME.",
        evidence="BlackBerry 10 needs the whole message to verify it.",
    ),
    Row(
        quirk=Quirk.ANNIVERSARIES_WITHOUT_LENGTH, agent=NOKIA,
        does="A yearly appointment of no length is taken for one of a whole day.",
        evidence="Nokia Mail for Exchange writes anniversaries so.",
    ),
    Row(
        quirk=Quirk.BIRTHDAYS_AT_8, agent=r"^Android/",
        does="Birthdays and anniversaries are told as 08:00 UTC of the day, not 00:00.",
        evidence="The mail program of Android 4 to 10 shows the day before otherwise (Horde, Device.php).",
    ),
    Row(
        quirk=Quirk.BIRTHDAYS_AT_11, type=r"^BlackBerry|^BB10",
        does="Birthdays and anniversaries are told as 11:00 UTC of the day, not 00:00.",
        evidence="BlackBerry 10 shows the day before otherwise (Horde, Device.php).",
    ),
    Row(
        quirk=Quirk.NEEDS_FIRST_NAME, agent=NOKIA,
        does="Every entry of the address list has a FirstName, if need be the first word of its name.",
        evidence="Nokia Mail for Exchange shows no entry without one.",
    ),
    Row(
        quirk=Quirk.ONE_FOLDER_OF_A_KIND, type=rf"{WINDOWS_MAIL}|^(PocketPC|SmartPhone)|{WINDOWS_PHONE}",
        does="Calendars, address books, task lists and notebooks beyond the first are not shown.",
        evidence="Outlook, Windows Mail, Windows Mobile and Windows Phone take one of each kind and fail on others.",
    ),
    Row(
        quirk=Quirk.ONE_FOLDER_OF_A_KIND, agent=r"^Android/([0-3]\.|4\.[0-3])",
        does="Calendars, address books, task lists and notebooks beyond the first are not shown.",
        evidence="Android before 4.4 knows one of each kind.",
    ),
    Row(
        quirk=Quirk.NO_EMPTY_ANSWERS, agent=r"meego|maemo|N800|N900",
        does="A Sync without news is answered in full instead of with an empty body.",
        evidence="MeeGo and Nokia's N800 cannot take the empty answer (Syncroton).",
    ),
    Row(
        quirk=Quirk.HOLDS_WHAT_IT_MOVED, type=r"^WindowsOutlook",
        does="What the device moved by MoveItems is taken for known to it in the new folder: it gets no Add of it, and "
             "a Change only where something differs from what it had.",
        evidence="Outlook for Windows keeps the item under its new id and shows an Add of it as a second one (SOGo, "
                 "Horde; Group-Office 1333, tine20 7297).",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long devices wait in silence for an answer, before they give up and ask the same again."""

    seconds: int
    evidence: str
    agent: str = ""
    type: str = ""

    def fits(self, device: Device) -> bool:
        asked = ((self.type, device.type), (self.agent, device.agent))
        return all(re.search(pattern, text, re.IGNORECASE) for pattern, text in asked if pattern)


#: The first row that fits counts; the last fits all. A window of items is closed while there is time to send it.
PATIENCE: tuple[Patience, ...] = (
    Patience(seconds=90, agent=r"^SAMSUNG|^Samsung", evidence="Samsung's mail program; Z-Push reckons with 85."),
    Patience(
        seconds=30, agent=r"^Android|^Gmail",
        evidence="Gmail and Android's mail program; Z-Push reckons with 28, Horde sends filler to Gmail.",
    ),
    Patience(seconds=240, evidence="Apple, Windows Phone and Outlook; Z-Push reckons with 210."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Of waits: what devices need whose heartbeat is longer than they or the way to them hold. `longest`: they are
    answered after so many seconds whatever they ask for; 0 for no such bound. `tell` False: they do not hear of a
    bound, but are answered when it is reached."""

    longest: int = 0
    tell: bool = True
    evidence: str = ""
    agent: str = ""

    def fits(self, agent: str) -> bool:
        return bool(re.search(self.agent, agent, re.IGNORECASE))


#: The first row that fits counts; the last fits all.
HEARTBEATS: tuple[Heartbeat, ...] = (
    Heartbeat(
        longest=80, tell=False, agent=r"^Thunderbird ActiveSync",
        evidence="EAS-4-TbSync gives up any request after 90 seconds.",
    ),
    Heartbeat(
        tell=False, agent=r"^SAMSUNG",
        evidence="Samsung's mail program repeats a Ping each half second after a Status that it does not expect "
                 "(mailcow 2111).",
    ),
    Heartbeat(evidence="All others are told by Status 5 (Ping) and Status 14 (Sync), as the specification has it."),
)


#: Kinds of devices of which is remembered what the tables say: a request asks, and has no time for all patterns.
KINDS = 256


def patience_of(device: Device) -> int:
    """Seconds."""
    return _of_kind(device.type, device.agent, device.information.get("OS", ""))[1]


@lru_cache(KINDS)
def heartbeat_of(agent: str) -> Heartbeat:
    return next(row for row in HEARTBEATS if row.fits(agent))


@lru_cache(KINDS)
def _of_kind(type: str, agent: str, os: str) -> tuple[frozenset[Quirk], int]:
    device = Device(user_id="", id="", type=type, agent=agent, information={"OS": os})
    quirks = frozenset(row.quirk for row in TABLE if row.fits(device))
    return quirks, next(row.seconds for row in PATIENCE if row.fits(device))


def quirks_of(device: Device) -> frozenset[Quirk]:
    """What the table says of a device, after the switches that were set for it."""
    found = _of_kind(device.type, device.agent, device.information.get("OS", ""))[0]
    if not device.quirks:
        return found
    on = {quirk for name, quirk in _OF_NAME.items() if device.quirks.get(name) is True}
    off = {quirk for name, quirk in _OF_NAME.items() if device.quirks.get(name) is False}
    return (found | on) - off


_OF_NAME = {quirk.value: quirk for quirk in Quirk}

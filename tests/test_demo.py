"""The demo office as plain values; that it gets into a store is tested with the command line."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from eas.demo.model import PASSWORD, Office
from eas.demo.office import build
from eas.demo.people import LOG_INS
from eas.engine.model import FolderType
from eas.items.contentline import parse

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def office() -> Office:
    return build(NOW)


@pytest.fixture(scope="module")
def messages(office: Office) -> list[Any]:
    return [message_from_bytes(mail.message, policy=default) for mail in office.mails]


def test_same_moment_gives_the_same_office(office: Office) -> None:
    assert build(NOW) == office


@pytest.mark.long
@pytest.mark.parametrize("when", [NOW + timedelta(days=d, hours=h) for d, h in ((0, 0), (40, 13), (97, 2), (200, 20))])
def test_nothing_comes_from_the_future(when: datetime) -> None:
    made = build(when)
    assert max(mail.received for mail in made.mails) <= when
    assert max(mail.received for mail in made.mails) > when - timedelta(hours=30)


def test_three_can_log_in_and_all_have_pictures(office: Office) -> None:
    assert {p.login for p in office.people if p.password == PASSWORD} == {"anna", "ben", "carla"} == set(LOG_INS)
    assert len(office.people) == 8
    pictures = {p.picture for p in office.people}
    assert len(pictures) == 8
    assert all(picture.startswith(b"\x89PNG") and len(picture) < 36 * 1024 for picture in pictures)


def test_everybody_has_60_to_200_mails_newest_of_today(office: Office) -> None:
    count = Counter(mail.owner for mail in office.mails)
    assert set(count) == set(LOG_INS)
    assert all(60 <= number <= 200 for number in count.values())
    for owner in LOG_INS:
        inbox = [m for m in office.mails if m.owner == owner and m.folder is FolderType.INBOX]
        assert any(not mail.flags.read for mail in inbox)
        assert any(mail.flags.follow_up for mail in office.mails if mail.owner == owner)


def test_mail_is_of_every_kind(messages: list[Any]) -> None:
    kinds = {part.get_content_type() for message in messages for part in message.walk()}
    assert {"text/plain", "text/html", "text/calendar", "message/rfc822", "image/png", "application/pdf"} <= kinds
    charsets = {part.get_content_charset() for message in messages for part in message.walk()}
    assert {"utf-8", "iso-8859-1", "iso-8859-2", "koi8-r", "iso-2022-jp", "windows-1252"} <= charsets
    assert any(part["Content-ID"] for message in messages for part in message.walk())


def test_replies_name_a_message_that_is_there(messages: list[Any]) -> None:
    ids = {message["Message-ID"] for message in messages}
    answers = {message["In-Reply-To"] for message in messages} - {None}
    assert len(answers) > 20
    assert len(answers - ids) < len(answers) / 2, "most threads are seen from their beginning by one of the three"


def test_copies_of_one_message_have_one_message_id(office: Office, messages: list[Any]) -> None:
    for owner in LOG_INS:
        pairs = zip(office.mails, messages, strict=True)
        ids = [message["Message-ID"] for mail, message in pairs if mail.owner == owner]
        assert len(set(ids)) == len(ids)


def test_records_can_be_read_and_carry_what_eas_has_no_element_for(office: Office) -> None:
    classes = Counter(record.folder for record in office.records)
    assert min(classes[t] for t in (FolderType.CONTACTS, FolderType.CALENDAR, FolderType.TASKS, FolderType.NOTES)) >= 6
    for record in office.records:
        parse(record.data)
        assert max(map(len, record.data.split(b"\r\n"))) <= 75
    cards = [r.data for r in office.records if r.folder is FolderType.CONTACTS]
    assert sum(b"X-CUSTOMER-NUMBER" in card for card in cards) > 10
    events = b"".join(r.data for r in office.records if r.folder is FolderType.CALENDAR)
    for piece in (b"RRULE", b"RECURRENCE-ID", b"EXDATE", b"VALUE=DATE", b"America/New_York", b"ATTENDEE", b"VALARM"):
        assert piece in events


def test_somebody_is_away(office: Office) -> None:
    away = office.out_of_office["carla"]
    assert away.state == 2
    assert away.start is not None
    assert away.end is not None
    assert NOW < away.start < away.end

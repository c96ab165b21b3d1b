"""Answers, proposals and forwarded invitations at the organizer: what counts, from whom, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eas.items import itip, itip_build, meeting, participants
from eas.items.event import open_event
from eas.items.headers import Address
from eas.items.native import Refused, Viewer
from eas.protocol.version import Version

ANNA = Viewer(addresses=("anna@example.com",), name="Anna", zone="UTC", now=datetime(2027, 1, 1, 9, tzinfo=UTC))
BEN = Viewer(addresses=("ben@example.com",), name="Ben", zone="UTC", now=datetime(2027, 1, 2, 9, tzinfo=UTC))
TIMES = (datetime(2027, 3, 2, 14, tzinfo=UTC), datetime(2027, 3, 2, 15, tzinfo=UTC))


def stored(*lines: str, seq: int = 1) -> bytes:
    return "\r\n".join((
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", "BEGIN:VEVENT", "UID:m1", "DTSTAMP:20270101T080000Z",
        f"SEQUENCE:{seq}", "DTSTART:20270302T100000Z", "DTEND:20270302T110000Z", "SUMMARY:Budget",
        "ORGANIZER;CN=Anna:mailto:anna@example.com", "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ben@example.com",
        *lines, "END:VEVENT", "END:VCALENDAR", "",
    )).encode()


def answer(response: int, *, hour: int = 9, data: bytes | None = None, **more: object) -> bytes:
    viewer = Viewer(addresses=BEN.addresses, name="Ben", zone="UTC", now=BEN.now.replace(hour=hour))
    values = {"instance": None, "body": None, "proposed": None, **more}
    notice = itip.answer_of(data or stored(), response, viewer, **values)  # type: ignore[arg-type]
    assert notice is not None
    assert notice.recipients == (Address("Anna", "anna@example.com"),)
    return notice.calendar


def ben(data: bytes) -> tuple[str | None, object]:
    line = participants.own_line(open_event(data, UTC).main, BEN)
    assert line is not None
    return line.param("PARTSTAT"), participants.proposal(line)


def test_the_last_answer_counts_in_whatever_order_they_come() -> None:
    """RFC 5546 2.1.5"""
    first, second = answer(itip.ACCEPT, hour=9), answer(itip.DECLINE, hour=10)
    in_order = itip.apply_reply(itip.apply_reply(stored(), first), second)
    other_way = itip.apply_reply(itip.apply_reply(stored(), second), first)
    assert ben(in_order)[0] == ben(other_way)[0] == "DECLINED"
    assert itip.apply_reply(in_order, second) == in_order


def test_an_answer_to_a_former_state_does_not_count() -> None:
    old = answer(itip.ACCEPT, data=stored(seq=0))
    assert itip.apply_reply(stored(), old) == stored()


def test_a_proposal_is_noted_and_goes_with_the_next_answer() -> None:
    counter = answer(itip.TENTATIVE, proposed=TIMES)
    assert meeting.message_class(counter) == "IPM.Schedule.Meeting.Resp.Tent"
    proposed = itip.apply_counter(stored(), counter)
    assert ben(proposed) == ("TENTATIVE", TIMES)
    assert open_event(proposed, UTC).span == open_event(stored(), UTC).span
    (shown,) = participants.load_attendees(open_event(proposed, UTC).main)
    assert (shown.proposed_start, shown.proposed_end) == TIMES
    accepted = itip.apply_reply(proposed, answer(itip.ACCEPT, hour=11))
    assert ben(accepted) == ("ACCEPTED", (None, None))


def test_a_proposal_that_the_organizer_does_not_take() -> None:
    data = stored("X-MICROSOFT-DISALLOW-COUNTER:TRUE")
    assert ben(itip.apply_counter(data, answer(itip.TENTATIVE, proposed=TIMES))) == ("TENTATIVE", (None, None))


def test_what_the_organizers_device_is_told_of_a_proposal() -> None:
    """[MS-ASCMD] R69901710, R69901731: in 16.1; StartTime and EndTime are still those of the meeting."""
    counter = answer(itip.TENTATIVE, proposed=TIMES)
    told = meeting.meeting_request(counter, ANNA, Version.V16_1)
    assert (told.proposed_start, told.proposed_end) == TIMES
    assert told.start_time == datetime(2027, 3, 2, 10, tzinfo=UTC)
    foreign = counter.replace(b"X-MS-OLK-ORIGINAL", b"X-OTHER-")
    assert meeting.meeting_request(foreign, ANNA, Version.V16_1).proposed_start == TIMES[0]


@pytest.mark.parametrize(("authors", "counts"), [({"ben@example.com"}, True), ({"eve@example.com"}, False)])
def test_an_invitee_passes_the_invitation_on(authors: set[str], counts: bool) -> None:
    event = open_event(stored(), UTC)
    passed, told = itip_build.forwarded(event, event.main, [Address("Dora", "dora@example.com")], BEN)
    assert [box.address for box in passed.recipients] == ["dora@example.com"]
    assert told is not None
    assert meeting.message_class(told.calendar) == "IPM.Notification.Meeting.Forward"
    request = meeting.meeting_request(told.calendar, ANNA, Version.V16_1)
    assert [(f.name, f.email) for f in request.forwardees] == [("Dora", "dora@example.com")]
    changed = itip.apply_forward(stored(), told.calendar, authors)
    assert (b"mailto:dora@example.com" in changed) is counts
    assert itip.apply_forward(changed, told.calendar, authors) == changed


def test_a_cancellation_for_others_is_none() -> None:
    """RFC 5546 3.2.5: it names who was taken off."""
    base = stored().replace(b"BEGIN:VEVENT", b"METHOD:CANCEL\r\nBEGIN:VEVENT").replace(b"SEQUENCE:1", b"SEQUENCE:2")
    for_dora = base.replace(b"ben@example.com", b"dora@example.com")
    assert itip.apply_cancel(stored(), for_dora, BEN) == stored()
    assert b"STATUS:CANCELLED" in itip.apply_cancel(stored(), base, BEN)


def test_the_organizer_answers_nobody() -> None:
    with pytest.raises(Refused):
        itip.apply_response(stored(), itip.ACCEPT, ANNA, None)
    assert itip.answer_of(stored(), itip.ACCEPT, ANNA, None, None, None) is None

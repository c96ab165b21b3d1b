"""Rules on elements: what each changes, and what it leaves alone."""

from __future__ import annotations

import pytest
from wire import e

from eas.engine.quirks import Quirk
from eas.engine.wire_quirks import HEARD, SAID, understood, worded
from eas.protocol.wbxml import Element


def item(*data: Element) -> Element:
    return e("AirSync:ApplicationData", *data)


def yearly(start: str, end: str, type: str = "5") -> Element:
    return item(e("Calendar:StartTime", start), e("Calendar:EndTime", end), e("Calendar:Recurrence", e("Type", type)))


def person(*parts: Element) -> Element:
    return e("Search:Properties", e("GAL:DisplayName", "Ben Miller"), *parts, e("GAL:EmailAddress", "ben@example.com"))


def options(support: str, *types: str) -> Element:
    wanted = [e("AirSyncBase:BodyPreference", e("Type", type)) for type in types]
    return e("AirSync:Options", e("MIMESupport", support), *wanted)


HEARD_ROWS = (
    (Quirk.SIGNED_AS_MIME, options("1", "2"), options("1", "2", "4")),
    *((Quirk.SIGNED_AS_MIME, same, same) for same in (
        options("1", "4"), options("2", "2"), options("0", "2"), options("1"), e("AirSync:Options"),
    )),
    (Quirk.EMPTY_PICTURE_KEEPS, item(e("Contacts:Title", "a"), e("Contacts:Picture")), item(e("Contacts:Title", "a"))),
    (Quirk.EMPTY_IDS, e("AirSync:Add", e("ServerId"), e("ClientId", "1")), e("AirSync:Add", e("ClientId", "1"))),
    (Quirk.EMPTY_IDS, e("AirSync:Change", e("ServerId", "1")), e("AirSync:Change", e("ServerId", "1"))),
    (
        Quirk.WHOLE_BODIES, e("AirSyncBase:BodyPreference", e("Type", "2"), e("TruncationSize", "1")),
        e("AirSyncBase:BodyPreference", e("Type", "2")),
    ),
    (
        Quirk.ANNIVERSARIES_WITHOUT_LENGTH, yearly("20251231T000000Z", "20251231T000000Z"),
        item(
            e("Calendar:StartTime", "20251231T000000Z"), e("Calendar:EndTime", "20260101T000000Z"),
            e("Calendar:Recurrence", e("Type", "5")), e("Calendar:AllDayEvent", "1"),
        ),
    ),
    *(
        (Quirk.ANNIVERSARIES_WITHOUT_LENGTH, same, same) for same in (
            yearly("20251231T000000Z", "20251231T010000Z"), yearly("20251231T000000Z", "20251231T000000Z", "0"),
            yearly("soon", "soon"), yearly("99991231T000000Z", "99991231T000000Z"), item(),
        )
    ),
)
SAID_ROWS = (
    (
        Quirk.BIRTHDAYS_AT_8, item(e("Contacts:Birthday", "1970-12-25T00:00:00.000Z")),
        item(e("Contacts:Birthday", "1970-12-25T08:00:00.000Z")),
    ),
    (Quirk.BIRTHDAYS_AT_8, item(e("Contacts:Birthday")), item(e("Contacts:Birthday"))),
    (Quirk.NEEDS_FIRST_NAME, person(), person(e("GAL:FirstName", "Ben"))),
    (Quirk.NEEDS_FIRST_NAME, person(e("GAL:FirstName", "B.")), person(e("GAL:FirstName", "B."))),
)


@pytest.mark.parametrize(("quirk", "sent", "meant"), HEARD_ROWS)
def test_what_is_heard_is_put_right(quirk: Quirk, sent: Element, meant: Element) -> None:
    assert understood(e("AirSync:Sync", sent), {quirk}) == e("AirSync:Sync", meant)
    assert understood(e("AirSync:Sync", sent), ()) == e("AirSync:Sync", sent)


@pytest.mark.parametrize(("quirk", "answer", "told"), SAID_ROWS)
def test_what_is_said_is_worded_anew(quirk: Quirk, answer: Element, told: Element) -> None:
    assert worded(e("AirSync:Sync", answer), {quirk}) == e("AirSync:Sync", told)
    assert worded(e("AirSync:Sync", answer), ()) == e("AirSync:Sync", answer)


def test_a_document_without_any_of_it_is_the_same_document() -> None:
    root = e("AirSync:Sync", e("Collections", e("Collection", e("SyncKey", "0"))))
    assert understood(root, {*HEARD}) is root
    assert worded(root, {*SAID}) is root

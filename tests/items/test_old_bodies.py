"""Notes of 2.5: text, RTF, and what was cut."""

from __future__ import annotations

from base64 import b64encode

import pytest
from wire import e

from eas.items import calendar, contacts, rtf, tasks
from eas.items.body import Body, BodyType
from eas.items.native import Refused
from eas.items.old_bodies import plain, sized

NOTES = "Erste Zeile\nzweite: ä und \u20ac"
RTF = b64encode(rtf.compressed_of_text(NOTES)).decode()
NO_TEXT = b64encode(rtf.compressed_of_text("")).decode()


def data(namespace: str, **fields: str) -> object:
    return e("AirSync:ApplicationData", *(e(f"{namespace}:{name}", text) for name, text in fields.items()))


@pytest.mark.parametrize("namespace", ["Contacts", "Calendar", "Tasks"])
@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"Body": "text"}, {"Body": "text"}),
        ({"Body": ""}, {"Body": ""}),
        ({"Subject": "x"}, {"Subject": "x"}),
        ({"CompressedRTF": RTF}, {"Body": NOTES}),
        ({"CompressedRTF": RTF, "Body": ""}, {"Body": NOTES}),
        ({"CompressedRTF": RTF, "Body": "text"}, {"Body": "text"}),
        ({"CompressedRTF": "", "Body": "text"}, {"Body": "text"}),  # Nokia
        ({"CompressedRTF": NO_TEXT, "Body": "text"}, {"Body": "text"}),
        ({"CompressedRTF": NO_TEXT}, {}),
        ({"CompressedRTF": ""}, {}),
        ({"Body": "te", "BodyTruncated": "1"}, {"BodyTruncated": "1"}),
        ({"Body": "te", "BodyTruncated": "0"}, {"Body": "te", "BodyTruncated": "0"}),
        ({"CompressedRTF": RTF, "BodyTruncated": "1"}, {"BodyTruncated": "1"}),
    ],
)
def test_one_body_is_made_of_what_was_sent(namespace: str, sent: dict[str, str], expected: dict[str, str]) -> None:
    assert plain(data(namespace, **sent)) == data(namespace, **expected)  # type: ignore[arg-type]


def test_notes_of_an_exception_are_notes_too() -> None:
    def exceptions(**fields: str) -> object:
        return e("AirSync:ApplicationData", e("Calendar:Exceptions", e("Calendar:Exception", *(
            e(f"Calendar:{name}", text) for name, text in fields.items()))))

    assert plain(exceptions(CompressedRTF=RTF)) == exceptions(Body=NOTES)  # type: ignore[arg-type]


def test_opaque_rtf() -> None:
    sent = e("AirSync:ApplicationData", e("Tasks:CompressedRTF", rtf.compressed_of_text(NOTES) + b"\x00"))
    assert plain(sent) == data("Tasks", Body=NOTES)


@pytest.mark.parametrize("broken", ["%%%", "AAAA", b64encode(b"x" * 40).decode(), RTF[:8]])
def test_rtf_that_is_none_is_refused(broken: str) -> None:
    with pytest.raises(Refused):
        plain(data("Contacts", CompressedRTF=broken))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [contacts.Contact, calendar.Appointment, tasks.Task])
@pytest.mark.parametrize(("truncated", "told"), [(True, True), (None, False)])
def test_size_and_cut_are_told(kind: type, truncated: bool | None, told: bool) -> None:
    required = {"complete": False} if kind is tasks.Task else {}
    shown = sized(kind(body=Body(type=BodyType.TEXT, data="te", estimated_size=4, truncated=truncated), **required))
    assert shown.body_truncated is told
    if kind is not calendar.Appointment:  # which has no BodySize
        assert shown.body_size == 4
    without = kind(**required)
    assert sized(without) is without

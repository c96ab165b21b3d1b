"""The texts of notices. Values stand in braces; each is one line (`Notices.tell`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    subject: str
    body: str


SIGNATURE = "-- \nThis message was written by the ActiveSync gateway. Nobody reads answers to it."

LAST_OF_THE_HOUR = (
    "This is notice {count} about this to you within an hour. There will be no more of this kind before the hour is "
    "over; the audit log and the pages have the rest."
)

#: By name, which is also the topic under which they are counted.
TEXTS: Mapping[str, Text] = {
    "test": Text(
        "Test of notices",
        "This is a test: notices of the gateway arrive at {to}.\n\nNothing has to be done.",
    ),
}

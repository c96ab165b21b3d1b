"""The item classes that are kept as records, as one table: what the engine needs to know of each.

Mail is no record: it has flags that change and content that does not; `eas.engine.render` and `eas.engine.apply` treat
it apart. [MS-ASCMD] Class (Sync).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eas.items import calendar, contacts, notes, tasks
from eas.protocol.version import NOTES, Spoken, Version

EMAIL = "Email"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordClass:
    """`silent`: fields that the server fills in by itself and need not be told to the device that wrote the item.

    `ghosted`: Supported decides what a Change may leave out; else only `always_kept` may be.
    `suffix` ends the names of new objects.
    """

    name: str
    message: type
    from_native: Callable[..., Any]
    to_native: Callable[..., bytes]
    degraded: Callable[[bytes, str], Any]
    always_kept: frozenset[str]
    suffix: str
    silent: frozenset[str] = frozenset()
    ghosted: bool = False
    spoken: Spoken = Spoken()


RECORDS: Mapping[str, RecordClass] = {
    "Contacts": RecordClass(
        name="Contacts", message=contacts.Contact, from_native=contacts.from_native, to_native=contacts.to_native,
        degraded=contacts.degraded, always_kept=contacts.ALWAYS_KEPT, suffix=".vcf", ghosted=True,
        silent=frozenset(("file_as",)),
    ),
    "Calendar": RecordClass(
        name="Calendar", message=calendar.Appointment, from_native=calendar.from_native,
        to_native=calendar.to_native, degraded=calendar.degraded, always_kept=calendar.ALWAYS_KEPT, suffix=".ics",
        ghosted=True,
        silent=frozenset((
            "uid", "dt_stamp", "organizer_name", "organizer_email", "sensitivity", "timezone", "meeting_status",
            "busy_status", "response_type", "response_requested", "disallow_new_time_proposal", "all_day_event",
        )),
    ),
    "Tasks": RecordClass(
        name="Tasks", message=tasks.Task, from_native=tasks.from_native, to_native=tasks.to_native,
        degraded=tasks.degraded, always_kept=tasks.ALWAYS_KEPT, suffix=".ics",
        silent=frozenset(("importance", "sensitivity", "complete", "reminder_set")),
    ),
    "Notes": RecordClass(
        name="Notes", message=notes.Note, from_native=notes.from_native, to_native=notes.to_native,
        degraded=notes.degraded, always_kept=notes.ALWAYS_KEPT, suffix=".ics",
        silent=frozenset(("last_modified", "message_class")), spoken=NOTES,
    ),
}


def shown(item_class: str, version: Version) -> bool:
    """Whether devices that speak this version know folders of this class."""
    return item_class == EMAIL or (item_class in RECORDS and version in RECORDS[item_class].spoken)

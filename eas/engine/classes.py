"""The item classes that are kept as records, as one table: what the engine needs to know of each.

Mail is no record: it has flags that change and content that does not; `eas.engine.render` and `eas.engine.apply` treat
it apart. [MS-ASCMD] Class (Sync).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from eas.items import calendar, contacts, notes, recipients, tasks
from eas.protocol.version import CALENDAR_GHOSTED, NOTES, RECIPIENT_CACHE, Spoken, Version

from .model import Folder, FolderType

EMAIL = "Email"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordClass:
    """`silent`: fields that the server fills in by itself and need not be told to the device that wrote the item.

    `ghosted`: Supported decides what a Change may leave out; else only `always_kept` may be. `all_ghosted`: the
    versions in which a Change may leave out everything. `referred` completes the FileReferences of an item.
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
    all_ghosted: Spoken | None = None
    referred: Callable[[Any, Callable[[str], str]], Any] | None = None
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
        ghosted=True, all_ghosted=CALENDAR_GHOSTED, referred=calendar.referred,
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


#: Entries of the recipient information cache: contacts that only the server writes. [MS-ASCNTC] R514
RECIPIENT = replace(RECORDS["Contacts"], from_native=recipients.from_native, spoken=RECIPIENT_CACHE)


def record_class(folder: Folder) -> RecordClass:
    """Of a folder that is not of mail."""
    return RECIPIENT if folder.type is FolderType.RECIPIENT_CACHE else RECORDS[folder.item_class]


def shown(item_class: str, version: Version) -> bool:
    """Whether devices that speak this version know items of this class."""
    return item_class == EMAIL or (item_class in RECORDS and version in RECORDS[item_class].spoken)


def shown_folder(folder: Folder, version: Version) -> bool:
    """Whether devices that speak this version know such folders."""
    return shown(folder.item_class, version) and (
        folder.type is not FolderType.RECIPIENT_CACHE or version in RECIPIENT.spoken
    )

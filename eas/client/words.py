"""Items from words and as words: `subject=Lunch start=2026-11-23T12:30` to a typed item, and an item to a line of text.

The names are those of the fields in `eas.items`; the few that people would rather not type in full have short forms.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from eas.engine.classes import RECORDS
from eas.engine.model import FolderType
from eas.items.body import Body, BodyType
from eas.items.timezone import blob_of

from .device import Folder, Item

#: What `add` calls a class, and the folder that it goes into.
KINDS: Mapping[str, tuple[str, FolderType]] = {
    "contact": ("Contacts", FolderType.CONTACTS),
    "event": ("Calendar", FolderType.CALENDAR),
    "task": ("Tasks", FolderType.TASKS),
    "note": ("Notes", FolderType.NOTES),
}
#: Short form -> field, by class.
SHORT: Mapping[str, Mapping[str, str]] = {
    "Contacts": {"first": "first_name", "last": "last_name", "mail": "email1", "mobile": "mobile_phone"},
    "Calendar": {"start": "start_time", "end": "end_time", "where": "location", "text": "body"},
    "Tasks": {"due": "due_date", "start": "start_date", "done": "complete", "text": "body"},
    "Notes": {"text": "body", "title": "subject"},
}
FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class WordError(ValueError):
    """A field or value that an item cannot have; the message says which would do."""


@dataclass(frozen=True, slots=True)
class Here:
    """The device's own time zone."""

    zone: ZoneInfo

    def instant(self, text: str) -> datetime:
        """ISO date or date and time, local unless an offset is said. Raises ValueError."""
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)

    def shown(self, moment: datetime | None) -> str:
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M") if moment else ""


def fields_of(item_class: str, words: Iterable[str], here: Here) -> dict[str, Any]:
    """`name=value` words as fields of the class; an empty value deletes. Raises WordError."""
    hints = get_type_hints(RECORDS[item_class].message)
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        name = SHORT[item_class].get(name, name)
        if not equals or name not in hints:
            known = ", ".join(sorted({*SHORT[item_class], *hints}))
            raise WordError(f"{word!r} is no name=value of {item_class}; names: {known}")
        try:
            found[name] = _value(hints[name], value, here)
        except (ValueError, OSError) as error:
            raise WordError(f"{name} cannot be {value!r}: {error}") from error
    return _completed(item_class, found, here)


def _value(hint: Any, text: str, here: Here) -> Any:
    kind = next((t for t in get_args(hint) if t is not type(None)), hint) if _optional(hint) else hint
    if get_origin(kind) is tuple:
        if get_args(kind)[0] is not str:
            raise ValueError("this field has no form in words")
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if not text:
        return None
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return kind(int(text)) if text.isdigit() else kind[text.upper().replace("-", "_")]
    parse = PARSERS.get(kind)
    if parse is None:
        raise ValueError("this field has no form in words")
    return parse(text, here)


def _optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _flag(text: str, here: Here) -> bool:
    try:
        return FLAGS[text.lower()]
    except KeyError:
        raise ValueError("yes or no") from None


PARSERS: Mapping[Any, Any] = {
    str: lambda text, here: text,
    int: lambda text, here: int(text),
    bool: _flag,
    datetime: lambda text, here: here.instant(text),
    date: lambda text, here: date.fromisoformat(text),
    bytes: lambda text, here: Path(text).read_bytes(),
    Body: lambda text, here: Body(type=BodyType.TEXT, data=text),
}


def _completed(item_class: str, found: dict[str, Any], here: Here) -> dict[str, Any]:
    """What a phone adds by itself: an end, a time zone; local and universal dates of tasks."""
    if item_class == "Calendar" and found.get("start_time"):
        found.setdefault("end_time", found["start_time"] + timedelta(hours=1))
        found.setdefault("timezone", blob_of(here.zone, found["start_time"].year))
    if item_class == "Tasks":
        for name in ("start_date", "due_date"):
            if moment := found.get(name):
                found[f"utc_{name}"] = moment
                # [MS-ASTASK] StartDate, DueDate: local time, written as if it were universal.
                found[name] = moment.astimezone(here.zone).replace(tzinfo=UTC)
    return found


def new_item(item_class: str, words: Iterable[str], here: Here) -> object:
    """A new item. Raises WordError."""
    found = fields_of(item_class, words, here)
    if item_class == "Tasks":
        found.setdefault("complete", False)
    if item_class == "Notes":
        found.setdefault("message_class", "IPM.StickyNote")
        found.setdefault("body", Body(type=BodyType.TEXT, data=""))
    if not found:
        raise WordError("nothing to add: give some name=value")
    return RECORDS[item_class].message(**found)


# Out ----------------------------------------------------------------------------------------------------------------

#: Where the title of an item stands, by class; the first that is there.
TITLES: Mapping[str, tuple[str, ...]] = {
    "Email": ("Email:Subject",),
    "Contacts": ("Contacts:FileAs", "Contacts:LastName", "Contacts:FirstName", "Contacts:CompanyName"),
    "Calendar": ("Calendar:Subject",),
    "Tasks": ("Tasks:Subject",),
    "Notes": ("Notes:Subject",),
}
#: What is worth a column beside the title: heading -> path of tags.
COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Email": {"From": ("Email:From",), "Received": ("Email:DateReceived",), "Read": ("Email:Read",)},
    "Contacts": {
        "Company": ("Contacts:CompanyName",), "Mail": ("Contacts:Email1Address",),
        "Mobile": ("Contacts:MobilePhoneNumber",),
    },
    "Calendar": {"Start": ("Calendar:StartTime",), "End": ("Calendar:EndTime",), "Where": ("Calendar:Location",)},
    "Tasks": {"Due": ("Tasks:UtcDueDate",), "Done": ("Tasks:Complete",)},
    "Notes": {"Changed": ("Notes:LastModifiedDate",)},
}
#: By what a folder is sorted; mail and dates the latest first.
SORTED_BY: Mapping[str, tuple[str, bool]] = {
    "Email": ("Email:DateReceived", True),
    "Calendar": ("Calendar:StartTime", True),
    "Notes": ("Notes:LastModifiedDate", True),
}


def title(item_class: str, item: Item) -> str:
    found = (item.text(tag) for tag in TITLES[item_class])
    return next(filter(None, found), "(no title)")


def cell(text: str, here: Here) -> str:
    """A value for a table: dates in local time, everything else as it is."""
    stamp = text.removesuffix("Z").partition(".")[0]
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y%m%dT%H%M%S"):
        try:
            return here.shown(datetime.strptime(stamp, form).replace(tzinfo=UTC))
        except ValueError:
            continue
    return text


def in_order(folder: Folder) -> list[Item]:
    """The items of a folder as they are shown."""
    tag, latest_first = SORTED_BY.get(folder.item_class, ("", False))
    if tag:
        return sorted(folder.items.values(), key=lambda item: item.text(tag), reverse=latest_first)
    return sorted(folder.items.values(), key=lambda item: title(folder.item_class, item).casefold())


def find(folder: Folder, what: str) -> Item:
    """One item by ServerId, or by words of its title. Raises WordError if there is none, or more than one."""
    if what in folder.items:
        return folder.items[what]
    wanted = what.casefold()
    hits = [item for item in folder.items.values() if wanted in title(folder.item_class, item).casefold()]
    exact = [item for item in hits if title(folder.item_class, item).casefold() == wanted]
    if len(exact or hits) != 1:
        shown = "; ".join(f"{i.server_id} {title(folder.item_class, i)}" for i in hits[:5])
        raise WordError(f"{len(hits)} items in {folder.name} have {what!r} in their title{': ' if hits else ''}{shown}")
    return (exact or hits)[0]

"""The options of a collection: what a device asked for, kept between requests.

An Options block replaces the one before as a whole; without one the kept one is in force. Supported is taken with key 0
only. [MS-ASCMD] Options (Sync), FilterType (Sync), Supported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from eas.items.body import BodyPreference, BodyType, Wanted

#: FilterType -> how many days back. A day is added to what the name says, because the edge is a midnight in UTC and the
#: device's day may have begun before.
DAYS_OF_FILTER: Mapping[int, int] = {1: 2, 2: 4, 3: 8, 4: 15, 5: 32, 6: 93, 7: 185}

#: The FilterTypes that a class knows; others are a protocol error. [MS-ASCMD] FilterType (Sync), the table of values.
FILTERS_OF_CLASS: Mapping[str, frozenset[int]] = {
    "Email": frozenset((0, 1, 2, 3, 4, 5)),
    "Calendar": frozenset((0, 4, 5, 6, 7)),
    "Tasks": frozenset((0, 8)),
}

#: The edge of "incomplete tasks": beyond it reach only tasks that are not completed.
INCOMPLETE = datetime(9999, 12, 31, tzinfo=UTC)

#: MIMETruncation -> characters; 8 is no truncation. [MS-ASCMD] MIMETruncation.
MIME_CHARACTERS: Mapping[int, int | None] = {
    0: 0, 1: 4096, 2: 5120, 3: 7168, 4: 10240, 5: 20480, 6: 51200, 7: 102400, 8: None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionOptions:
    """`supported` are the tags listed, () for an empty Supported, None for none. `client_wins` is Conflict 0."""

    filter_type: int = 0
    client_wins: bool = False
    mime_support: int = 0
    mime_truncation: int | None = None
    preferences: tuple[BodyPreference, ...] = ()
    part_preference: BodyPreference | None = None
    supported: tuple[str, ...] | None = None

    def wanted(self, limit_text: int | None = None, limit_html: int | None = None) -> Wanted:
        return Wanted(
            preferences=self.preferences, part_preference=self.part_preference, mime_support=self.mime_support,
            mime_truncation=None if self.mime_truncation is None else MIME_CHARACTERS[self.mime_truncation],
            limit_text=limit_text, limit_html=limit_html,
        )

    def edge(self, item_class: str, now: datetime) -> datetime | None:
        """The date that items must reach beyond; a midnight, so that it moves once a day. None for all items."""
        if item_class not in FILTERS_OF_CLASS or self.filter_type == 0:
            return None
        if self.filter_type == 8:
            return INCOMPLETE
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=DAYS_OF_FILTER[self.filter_type] - 1)


def valid_filter(item_class: str, filter_type: int) -> bool:
    """Contacts and notes ignore the filter, whatever it says."""
    return filter_type in FILTERS_OF_CLASS[item_class] if item_class in FILTERS_OF_CLASS else 0 <= filter_type <= 8


def dump_options(options: CollectionOptions) -> str:
    def one(p: BodyPreference) -> list[object]:
        return [int(p.type), p.truncation_size, p.all_or_none, p.preview]

    raw: dict[str, object] = {
        "f": options.filter_type, "c": options.client_wins, "m": options.mime_support, "t": options.mime_truncation,
        "p": [one(p) for p in options.preferences],
        "b": one(options.part_preference) if options.part_preference else None,
        "s": options.supported,
    }
    default: dict[str, object] = {"f": 0, "c": False, "m": 0, "t": None, "p": [], "b": None, "s": None}
    return json.dumps({k: v for k, v in raw.items() if v != default[k]}, separators=(",", ":"))


def load_options(text: str) -> CollectionOptions:
    raw = json.loads(text) if text else {}

    def one(p: list[int | None]) -> BodyPreference:
        return BodyPreference(
            type=BodyType(p[0] or 1), truncation_size=p[1],
            all_or_none=None if p[2] is None else bool(p[2]), preview=p[3],
        )

    return CollectionOptions(
        filter_type=raw.get("f", 0), client_wins=raw.get("c", False), mime_support=raw.get("m", 0),
        mime_truncation=raw.get("t"), preferences=tuple(map(one, raw.get("p", ()))),
        part_preference=one(raw["b"]) if raw.get("b") else None,
        supported=None if raw.get("s") is None else tuple(raw["s"]),
    )


def in_force(kept: CollectionOptions, asked: CollectionOptions | None) -> CollectionOptions:
    """What holds after a request that stated `asked`, or nothing; Supported stays as it was given with key 0."""
    return kept if asked is None else replace(asked, supported=kept.supported)

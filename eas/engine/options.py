"""The options of a collection: what a device asked for, kept between requests.

An Options block replaces the one before as a whole; without one the kept one is in force. Supported is taken with key 0
only. What a policy does not let onto devices they do not get, whatever they ask for.
[MS-ASCMD] Options (Sync), FilterType (Sync), Supported; [MS-ASPROV] MaxEmailAgeFilter and its like.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from eas.items.body import BodyPreference, BodyType, Wanted

from .model import Policy

#: FilterType -> how many days back. A day is added to what the name says, because the edge is a midnight in UTC and the
#: device's day may have begun before.
DAYS_OF_FILTER: Mapping[int, int] = {1: 2, 2: 4, 3: 8, 4: 15, 5: 32, 6: 93, 7: 185}

#: The FilterTypes that a class knows; others are a protocol error. [MS-ASCMD] FilterType (Sync), the table of values.
FILTERS_OF_CLASS: Mapping[str, frozenset[int]] = {
    "Email": frozenset((0, 1, 2, 3, 4, 5)),
    "Calendar": frozenset((0, 4, 5, 6, 7)),
    "Tasks": frozenset((0, 8)),
}

INCOMPLETE_TASKS = 8

#: The edge of "incomplete tasks": beyond it reach only tasks that are not completed.
INCOMPLETE = datetime(9999, 12, 31, tzinfo=UTC)

#: MIMETruncation -> characters; 8 is no truncation. [MS-ASCMD] MIMETruncation.
MIME_CHARACTERS: Mapping[int, int | None] = {
    0: 0, 1: 4096, 2: 5120, 3: 7168, 4: 10240, 5: 20480, 6: 51200, 7: 102400, 8: None,
}

#: Truncation and RTFTruncation, up to 12.1 -> characters; 9 is no truncation. [MS-ASCMD] Truncation.
TRUNCATION_CHARACTERS: Mapping[int, int | None] = {
    0: 0, 1: 512, 2: 1024, 3: 2048, 4: 5120, 5: 10240, 6: 20480, 7: 51200, 8: 102400, 9: None,
}

#: Sizes in policies are in KB, as Exchange has them; [MS-ASPROV] names no unit.
POLICY_UNIT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a policy allows onto devices at most: a FilterType by class (0: all), and octets of bodies (None: all)."""

    filters: Mapping[str, int] = field(default_factory=dict)
    text: int | None = None
    html: int | None = None

    def narrowed(self, item_class: str, filter_type: int) -> int:
        """The FilterType that counts: the one asked for, or that of the policy if this one reaches less far."""
        most = self.filters.get(item_class, 0)
        if not most or filter_type == INCOMPLETE_TASKS:
            return filter_type
        return min((one for one in (filter_type, most) if one), key=DAYS_OF_FILTER.__getitem__)


NO_BOUNDS = Bounds()


def bounds_of(policy: Policy) -> Bounds:
    """Settings that are no numbers count as absent: what a policy says is checked when it is stored."""
    if not policy.settings:
        return NO_BOUNDS

    def number(name: str) -> int | None:
        text = policy.settings.get(name, "").strip()
        return int(text) if text.isascii() and text.isdigit() else None

    ages = {"Email": number("MaxEmailAgeFilter"), "Calendar": number("MaxCalendarAgeFilter")}
    text, html = number("MaxEmailBodyTruncationSize"), number("MaxEmailHTMLBodyTruncationSize")
    return Bounds(
        filters={name: age for name, age in ages.items() if age and age in FILTERS_OF_CLASS[name]},
        text=None if text is None else text * POLICY_UNIT, html=None if html is None else html * POLICY_UNIT,
    )



@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionOptions:
    """`supported` are the tags listed, () for an empty Supported, None for none. `client_wins` is Conflict 0.
    `truncation` is that of versions up to 12.1. `conversations` is ConversationMode 1; `max_items` how many entries of
    the recipient information cache are wanted, None for all."""

    filter_type: int = 0
    client_wins: bool = False
    mime_support: int = 0
    mime_truncation: int | None = None
    preferences: tuple[BodyPreference, ...] = ()
    part_preference: BodyPreference | None = None
    supported: tuple[str, ...] | None = None
    truncation: int | None = None
    conversations: bool = False
    max_items: int | None = None

    @property
    def selection(self) -> tuple[int, bool, int | None]:
        """All by which items are chosen: where it differs, what was listed before says nothing."""
        return self.filter_type, self.conversations, self.max_items

    def wanted(self, bounds: Bounds = NO_BOUNDS) -> Wanted:
        limit_text, limit_html = bounds.text, bounds.html
        if self.truncation is not None and not self.preferences:  # [MS-ASCMD] Truncation: not beside BodyPreference
            asked = TRUNCATION_CHARACTERS[self.truncation]
            limit_text, limit_html = _least(asked, limit_text), _least(asked, limit_html)
        return Wanted(
            preferences=self.preferences, part_preference=self.part_preference, mime_support=self.mime_support,
            mime_truncation=None if self.mime_truncation is None else MIME_CHARACTERS[self.mime_truncation],
            limit_text=limit_text, limit_html=limit_html,
        )

    def edge(self, item_class: str, now: datetime, bounds: Bounds = NO_BOUNDS) -> datetime | None:
        """The date that items must reach beyond; a midnight, so that it moves once a day. None for all items."""
        if item_class not in FILTERS_OF_CLASS:
            return None
        filter_type = bounds.narrowed(item_class, self.filter_type)
        if filter_type == 0:
            return None
        if filter_type == INCOMPLETE_TASKS:
            return INCOMPLETE
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=DAYS_OF_FILTER[filter_type] - 1)


def _least(one: int | None, other: int | None) -> int | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


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
        "s": options.supported, "u": options.truncation, "v": options.conversations, "n": options.max_items,
    }
    default: dict[str, object] = {
        "f": 0, "c": False, "m": 0, "t": None, "p": [], "b": None, "s": None, "u": None, "v": False, "n": None,
    }
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
        truncation=raw.get("u"), conversations=raw.get("v", False), max_items=raw.get("n"),
    )


def in_force(
    kept: CollectionOptions, asked: CollectionOptions | None, conversations: bool | None = None
) -> CollectionOptions:
    """What holds after a request that stated `asked`, or nothing; Supported stays as it was given with key 0.
    `conversations` is the ConversationMode that was stated, None for none."""
    options = kept if asked is None else replace(asked, supported=kept.supported)
    return options if conversations is None else replace(options, conversations=conversations)

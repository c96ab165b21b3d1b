"""What a device holds of a collection: item id -> the version that was rendered for it. And what is still to be sent.

`Known` is a base that is kept for long, plus a small delta, so that one change writes one change. In the base ids that
share a version are kept as ranges: mail has few versions (one for each combination of visible flags), so a folder of
100,000 messages takes a few hundred bytes. Records have a version each.

`Pending` are the ids still to be looked at: what remains of one shared listing (all below a cursor; newest are sent
first), some ids beside it, and the items known to be gone. Looking decides what becomes of an id, so that it does no
harm if one stands there without need.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from eas.items.native import ItemId

from .ranges import RangeSet

#: A delta is folded into a new base when it names more than this many ids; while a listing is still being sent only if
#: it is also more than a quarter of the base's size as written. A first sync of records then rewrites the base a
#: handful of times, and a change later reads and writes at most these many ids beside its own.
FOLD_OVER = 200

NO_IDS = RangeSet()


@dataclass(frozen=True, slots=True)
class Base:
    """Ids by version."""

    ranges: Mapping[str, RangeSet] = field(default_factory=dict)
    singles: Mapping[ItemId, str] = field(default_factory=dict)

    def version(self, id: ItemId) -> str | None:
        if (single := self.singles.get(id)) is not None:
            return single
        return next((version for version, ids in self.ranges.items() if id in ids), None)

    def __len__(self) -> int:
        return len(self.singles) + sum(map(len, self.ranges.values()))

    @property
    def pieces(self) -> int:
        """What its size as written, and the cost of writing it, follow."""
        return len(self.singles) + sum(ids.pieces for ids in self.ranges.values())

    def ids(self) -> RangeSet:
        every = RangeSet.of(self.singles)
        for ids in self.ranges.values():
            every = every | ids
        return every


@dataclass(frozen=True, slots=True)
class Known:
    """`changed`: ids whose version differs from the base's, or that are not in it; None for those no longer known."""

    base: Base = Base()
    changed: Mapping[ItemId, str | None] = field(default_factory=dict)

    def version(self, id: ItemId) -> str | None:
        """None for an id that the device does not hold."""
        return self.changed[id] if id in self.changed else self.base.version(id)

    def ids(self) -> RangeSet:
        added = RangeSet.of(id for id, version in self.changed.items() if version is not None)
        dropped = RangeSet.of(id for id, version in self.changed.items() if version is None)
        return (self.base.ids() - dropped) | added

    def items(self) -> Iterator[tuple[ItemId, str]]:
        for id, version in self.base.singles.items():
            if id not in self.changed:
                yield id, version
        for version, ids in self.base.ranges.items():
            yield from ((id, version) for id in ids if id not in self.changed)
        yield from ((id, version) for id, version in self.changed.items() if version is not None)

    def edited(self, changes: Mapping[ItemId, str | None]) -> Known:
        return replace(self, changed={**self.changed, **changes}) if changes else self

    def outgrown(self, listing: bool) -> bool:
        """Whether it is time to fold. `listing`: more windows of one listing are to come."""
        return len(self.changed) > FOLD_OVER and not (listing and len(self.changed) * 4 <= self.base.pieces)

    def folded(self) -> Known:
        """With all in the base; at a cost that follows the pieces of the base, not its ids."""
        touched, added = RangeSet.of(self.changed), dict[str, list[ItemId]]()
        for id, version in self.changed.items():
            if version is not None:
                added.setdefault(version, []).append(id)
        for id, version in self.base.singles.items():
            if id not in self.changed:
                added.setdefault(version, []).append(id)
        singles = dict[ItemId, str]()
        ranges = {version: ids - touched for version, ids in self.base.ranges.items()}
        for version, some in added.items():
            if len(some) == 1 and version not in ranges:
                singles[some[0]] = version
            else:
                ranges[version] = ranges.get(version, NO_IDS) | RangeSet.of(some)
        singles.update({ids.first: version for version, ids in ranges.items() if len(ids) == 1})
        return Known(base=Base(
            ranges={version: ids for version, ids in ranges.items() if len(ids) > 1}, singles=singles
        ))


def dump_base(base: Base) -> bytes:
    return json.dumps(
        {"r": {v: str(ids) for v, ids in base.ranges.items()}, "s": base.singles}, separators=(",", ":")
    ).encode()


@lru_cache(maxsize=32)
def load_base(data: bytes) -> Base:
    """Cached: a base is shared by many generations, and is only replaced as a whole."""
    if not data:
        return Base()
    raw = json.loads(data)
    return Base(
        ranges={version: RangeSet.parse(ids) for version, ids in raw["r"].items()},
        singles={int(id): version for id, version in raw["s"].items()},
    )


@lru_cache(maxsize=32)
def load_listing(data: bytes) -> RangeSet:
    return RangeSet.parse(data.decode())


@dataclass(frozen=True, slots=True)
class Pending:
    listing: RangeSet = NO_IDS
    cursor: ItemId = 0
    beside: RangeSet = NO_IDS
    gone: RangeSet = NO_IDS

    def __bool__(self) -> bool:
        return bool(self.gone or self.beside or self._rest)

    def __contains__(self, id: ItemId) -> bool:
        """Whether it is still to be looked at."""
        return id in self.beside or (id <= self.cursor and id in self.listing)

    @property
    def _rest(self) -> RangeSet:
        return self.listing.upto(self.cursor) if self.cursor else RangeSet()

    def __len__(self) -> int:
        return len(self.gone) + len(self.beside | self._rest)

    @classmethod
    def all_of(cls, listing: RangeSet, gone: RangeSet = NO_IDS) -> Pending:
        last = max((high for _, high in listing.pairs()), default=0)
        return cls(listing=listing, cursor=last, gone=gone)

    def with_news(self, touched: Iterable[ItemId], gone: Iterable[ItemId]) -> Pending:
        gone = RangeSet.of(gone)
        return replace(self, beside=(self.beside | RangeSet.of(touched)) - gone, gone=self.gone | gone)

    def newest(self) -> Iterator[ItemId]:
        """What is to be looked at, newest first; those beside the listing and those in it in one order."""
        beside, rest = self.beside.descending(), self._rest.descending()
        one, two = next(beside, 0), next(rest, 0)
        while one or two:
            if one == two:
                yield one
                one, two = next(beside, 0), next(rest, 0)
            elif one > two:
                yield one
                one = next(beside, 0)
            else:
                yield two
                two = next(rest, 0)

    def without(self, looked_at: Iterable[ItemId], gone: Iterable[ItemId]) -> Pending:
        """What remains after the newest `looked_at` (a first part of `newest()`) and some of the gone are done with."""
        looked = RangeSet.of(looked_at)
        lowest = next(iter(looked), 0)
        cursor = min(self.cursor, lowest - 1) if lowest else self.cursor
        return replace(
            self, cursor=cursor, beside=self.beside - looked, gone=self.gone - RangeSet.of(gone),
            listing=self.listing if cursor else RangeSet(),
        )


#: A Result as plain values.
StoredResult = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The decision that a key names: enough to make the same answer again. `said` are (verb, id) in order, `results`
    the answers to the device's own commands as (verb, id as the device named it, server id, status, and, where there
    are such, the instance and the content); eas.engine.apply reads and writes them."""

    said: tuple[tuple[str, ItemId], ...] = ()
    results: tuple[StoredResult, ...] = ()
    more: bool = False


def _by_version(changed: Mapping[ItemId, str | None]) -> dict[str, object]:
    """As ranges: a window of a first sync adds many ids with few versions."""
    ids: dict[str | None, list[ItemId]] = {}
    for id, version in changed.items():
        ids.setdefault(version, []).append(id)
    dropped = str(RangeSet.of(ids.pop(None, ())))
    return {"k": {version: str(RangeSet.of(some)) for version, some in ids.items()}, "d": dropped}


def _by_id(ranges: Mapping[str, str], dropped: str) -> dict[ItemId, str | None]:
    changed: dict[ItemId, str | None] = {
        id: version for version, some in ranges.items() for id in RangeSet.parse(some)
    }
    changed.update(dict.fromkeys(RangeSet.parse(dropped)))
    return changed


#: The body of a generation that was never written: of one that answered key 0.
NOTHING = b'{"k":{},"d":"","b":"","g":"","s":[],"r":[],"m":false}'


def dump_generation(known: Known, pending: Pending, answers: Answers) -> bytes:
    return json.dumps(
        {
            **_by_version(known.changed), "b": str(pending.beside), "g": str(pending.gone),
            "s": answers.said, "r": answers.results, "m": answers.more,
        },
        separators=(",", ":"), ensure_ascii=False,
    ).encode()


def load_generation(base: bytes, listing: bytes, cursor: int, generation: bytes) -> tuple[Known, Pending, Answers]:
    raw: dict[str, Any] = json.loads(generation or NOTHING)
    return (
        Known(base=load_base(base), changed=_by_id(raw["k"], raw["d"])),
        Pending(
            listing=load_listing(listing), cursor=cursor,
            beside=RangeSet.parse(raw["b"]), gone=RangeSet.parse(raw["g"]),
        ),
        Answers(
            said=tuple((verb, id) for verb, id in raw["s"]),
            results=tuple(tuple(result) for result in raw["r"]),
            more=raw["m"],
        ),
    )

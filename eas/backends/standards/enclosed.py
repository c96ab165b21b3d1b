"""What is not kept in the index of an address list, since it is large and seldom shown; remembered within limits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

#: Octets of photos, certificates and members kept, in all; and what an entry costs, even if nothing is enclosed.
MAX_OCTETS, _COST = 32 << 20, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosed:
    """`members` as they stand there: distinguished names, addresses, user names."""

    picture: bytes = b""
    certificates: tuple[bytes, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return _COST + len(self.picture) + sum(map(len, self.certificates)) + sum(map(len, self.members))


@dataclass(slots=True)
class EnclosedCache:
    """Used in one event loop. Times are seconds of a monotonic clock."""

    max_octets: int = MAX_OCTETS
    _kept: OrderedDict[Hashable, tuple[float, Enclosed]] = field(default_factory=OrderedDict)
    _size: int = 0

    def get(self, key: Hashable, now: float) -> Enclosed | None:
        kept = self._kept.get(key)
        if kept is None or now >= kept[0]:
            return None
        self._kept.move_to_end(key)
        return kept[1]

    def keep(self, key: Hashable, value: Enclosed, until: float) -> None:
        old = self._kept.pop(key, None)
        self._kept[key] = (until, value)
        self._size += value.size - (old[1].size if old else 0)
        while self._size > self.max_octets:
            self._size -= self._kept.popitem(last=False)[1][1].size

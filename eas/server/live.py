"""Who is at it just now: requests under way, phones that wait, and how many requests the last minute had.

Of one process, kept in memory; what other processes of a site do they tell themselves (eas.store.activity).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from heapq import nlargest
from time import monotonic
from typing import Any

from .note import Note

#: Seconds over which rates are told.
MINUTE = 60
#: Phones that are named; of more only the number is told.
MOST_NAMED = 200


@dataclass(slots=True)
class _Second:
    number: int
    requests: int = 0
    errors: int = 0
    pushes: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """One request under way. `seconds` since it came, or since it waits (`waits`). `folders`: how many are watched."""

    user: str
    device: str
    command: str
    version: str
    waits: bool
    seconds: float
    folders: int


class Live:
    """One for a process; `node` names it."""

    def __init__(self, node: str = "") -> None:
        self.node = node
        self._present: dict[int, tuple[Note, float]] = {}
        self._seconds: deque[_Second] = deque(maxlen=MINUTE + 1)
        self._begun = monotonic()

    def enter(self, note: Note, now: float) -> None:
        self._present[id(note)] = note, now

    def leave(self, note: Note, now: float, *, fine: bool, size: int) -> None:
        """`size` in bytes, both ways."""
        self._present.pop(id(note), None)
        second = self._second(int(now))
        second.requests += 1
        second.errors += not fine
        second.pushes += bool(note.rung_at)
        second.bytes += size

    @property
    def waiting(self) -> int:
        return sum(1 for note, _ in self._present.values() if note.held_since)

    def look(self) -> dict[str, Any]:
        """Plain data: `node`, `waiting` and `working` in numbers, `present` (`Present`, those who work first, then who
        waits longest; at most 200), and `second`: requests, errors, pushes, bytes a second over the last minute."""
        now = monotonic()
        present = [_present(note, since, now) for note, since in self._present.values() if note.command]
        waiting = sum(one.waits for one in present)
        named = nlargest(MOST_NAMED, present, key=lambda one: (not one.waits, one.seconds))
        return {
            "node": self.node, "waiting": waiting, "working": len(present) - waiting, "second": self._rates(now),
            "present": [asdict(one) for one in named],
        }

    def _rates(self, now: float) -> dict[str, float]:
        """Of whole seconds: the one that runs is left out."""
        last = int(now)
        over = [second for second in self._seconds if last - MINUTE <= second.number < last]
        seconds = max(1.0, min(float(MINUTE), now - self._begun))
        return {
            name: round(sum(getattr(second, name) for second in over) / seconds, 3)
            for name in ("requests", "errors", "pushes", "bytes")
        }

    def _second(self, number: int) -> _Second:
        if not self._seconds or self._seconds[-1].number != number:
            self._seconds.append(_Second(number))
        return self._seconds[-1]

    def __iter__(self) -> Iterator[Note]:
        return iter([note for note, _ in self._present.values()])


def _present(note: Note, since: float, now: float) -> Present:
    waits = bool(note.held_since)
    return Present(
        user=note.user, device=note.device, command=note.command, version=note.version, waits=waits,
        seconds=round(now - (note.held_since if waits else since), 1), folders=note.watched if waits else 0,
    )

"""One direction of a TCP connection: segments as they were captured -> its bytes in order, and its gaps.

What came twice counts once, what came too early waits for what is missing. What never came is a gap: once so much
waits behind it that no peer would send on, or once the connection ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

#: Bytes, and segments, that wait behind a gap. Windows of TCP are a few megabytes.
MAX_WAITING, MAX_SEGMENTS = 8 * 1024 * 1024, 4096

#: Bytes that may have passed when a first packet comes late.
_LATE = 64 * 1024

_ROUND, _HALF = 2**32, 2**31


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that follow those before, or so many that are lost."""

    time: datetime
    data: bytes
    lost: int = 0


@dataclass(slots=True)
class Stream:
    _next: int | None = None
    _waiting: dict[int, tuple[datetime, bytes]] = field(default_factory=dict)
    _size: int = 0

    def opened(self, sequence: int) -> None:
        """SYN: what comes next."""
        if self._next is None:
            self._next = (sequence + 1) % _ROUND

    def is_near(self, sequence: int) -> bool:
        """Whether that is a beginning of this stream that comes late, and not of another one with the same ports."""
        ahead = (sequence - (self._next or 0) + _HALF) % _ROUND - _HALF
        return self._next is not None and -_LATE < ahead <= 0

    def add(self, time: datetime, sequence: int, data: bytes) -> Iterator[Piece]:
        if not data:
            return
        if self._next is None:
            self._next = sequence
        ahead = (sequence - self._next + _HALF) % _ROUND - _HALF
        if ahead > 0:
            self._wait(time, sequence, data)
            if self._size > MAX_WAITING or len(self._waiting) > MAX_SEGMENTS:
                yield from self._jump()
            return
        fresh = data[-ahead:] if ahead else data
        if fresh:
            yield self._took(time, fresh)
        yield from self._follow()

    def finish(self) -> Iterator[Piece]:
        """No segment comes any more: what waits comes out, with the gaps between."""
        while self._waiting:
            yield from self._jump()

    def _wait(self, time: datetime, sequence: int, data: bytes) -> None:
        there = self._waiting.get(sequence)
        if there is None or len(there[1]) < len(data):
            self._size += len(data) - (len(there[1]) if there else 0)
            self._waiting[sequence] = (time, data)

    def _took(self, time: datetime, data: bytes) -> Piece:
        self._next = ((self._next or 0) + len(data)) % _ROUND
        return Piece(time, data)

    def _follow(self) -> Iterator[Piece]:
        """What waited for what has come."""
        while self._waiting:
            sequence, ahead = self._nearest()
            if ahead > 0:
                return
            time, data = self._waiting.pop(sequence)
            self._size -= len(data)
            if fresh := (data[-ahead:] if ahead else data):
                yield self._took(time, fresh)

    def _jump(self) -> Iterator[Piece]:
        sequence, ahead = self._nearest()
        if ahead > 0:
            yield Piece(self._waiting[sequence][0], b"", lost=ahead)
            self._next = sequence
        yield from self._follow()

    def _nearest(self) -> tuple[int, int]:
        """The segment that is least far ahead, and how far."""
        now = self._next or 0
        return min(
            ((sequence, (sequence - now + _HALF) % _ROUND - _HALF) for sequence in self._waiting),
            key=lambda found: found[1],
        )

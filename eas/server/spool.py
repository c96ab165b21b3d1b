"""Large request bodies in files without a name, mapped into memory: the system may put their pages back to the disk.

A message of 25 MB is 34 in base64; a few devices that send one at the same time, each with a copy or two on the way,
would be felt. What is asked of a message on its way (lengths, searches, slices, patterns) a mapped file answers as
bytes do, and what would copy all of it gives another file.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable
from typing import Any, SupportsIndex, cast
from weakref import WeakSet

#: Octets from which on a body goes into a file, and a slice of one into another.
SPOOLED_FROM = 1 << 20
#: Octets looked at together.
_PIECE = 1 << 20


class Spool:
    """Octets that are being written. Everything raises OSError when the disk is full. To be closed."""

    def __init__(self, pieces: Iterable[Any]) -> None:
        """Of bytes, or whatever else has octets."""
        self._file = tempfile.TemporaryFile(prefix="eas-")  # noqa: SIM115  (closed when it has been read)
        try:
            for piece in pieces:
                self.write(piece)
        except BaseException:
            self.close()
            raise

    def write(self, piece: Any) -> None:
        self._file.write(piece)

    def read(self) -> bytes:
        """All of it; there is some. Nothing can be written after that."""
        with self._file:
            self._file.flush()
            spooled = Spooled(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            _MAPPED.add(spooled)
            return cast("bytes", spooled)

    def close(self) -> None:
        self._file.close()


class Spooled(mmap.mmap):
    """Octets that are read only. Stands where bytes stand, for those who ask no more than is here."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1 and stop - start >= SPOOLED_FROM:
                return self if stop - start == len(self) else Spool([memoryview(self)[start:stop]]).read()
        return super().__getitem__(key)

    def after(self, head: bytes) -> bytes:
        """The octets with some before them."""
        return Spool([head, memoryview(self)]).read() if head else cast("bytes", self)

    def find(self, sub: Any, start: SupportsIndex = 0, end: SupportsIndex | None = None) -> int:
        looked_for = bytes([sub]) if isinstance(sub, int) else sub
        return super().find(looked_for, int(start), len(self) if end is None else int(end))

    def count(self, sub: bytes) -> int:
        """Of octets that do not overlap with themselves."""
        return sum(super(Spooled, self).__getitem__(slice(at, at + _PIECE + len(sub) - 1)).count(sub)
                   for at in range(0, len(self), _PIECE))

    def __contains__(self, sub: object) -> bool:
        return self.find(sub) >= 0

    def startswith(self, prefix: bytes, start: int = 0, end: int | None = None) -> bool:
        last = start + len(prefix)
        return last <= (len(self) if end is None else end) and super().__getitem__(slice(start, last)) == prefix

    def endswith(self, suffix: bytes) -> bool:
        return super().__getitem__(slice(len(self) - len(suffix), None)) == suffix

    def lstrip(self, characters: bytes) -> bytes:
        at = 0
        while at < len(self) and super().__getitem__(at) in characters:
            at += 1
        return cast("bytes", self[at:])

    def isascii(self) -> bool:
        return all(super(Spooled, self).__getitem__(slice(at, at + _PIECE)).isascii()
                   for at in range(0, len(self), _PIECE))


#: Those that somebody still has; the room on the disk is free when nobody does.
_MAPPED: WeakSet[Spooled] = WeakSet()


def spooled_files() -> tuple[int, int]:
    """How many there are, and their octets."""
    sizes = [len(spooled) for spooled in _MAPPED]
    return len(sizes), sum(sizes)

"""The folder of recordings: which files are of one recording, all of them as one session in the order of time, and
sweeping out those of recordings that are no more.

Files are written by several processes, in the order in which answers ended; a session is in the order in which requests
began. So each file is gone through once for where its exchanges stand, and then read by these places: what is held is a
few octets for each exchange, however large they are.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import IO

from eas.replay.format.model import Meta, SessionError
from eas.replay.format.reading import read
from eas.replay.format.writing import head_text

_NAME = re.compile(r"([1-9][0-9]{0,17})\..+\.session\.gz")
_BEGIN = re.compile(rb"\n?=== [0-9]+ (\S+)\n")
_PIECE = 64 * 1024
#: Of the output: what a session is packed with on its way out.
LEVEL = 6


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an exchange stands in a file, packed."""

    time: str
    file: int
    start: int
    end: int


class Shelf:
    """`folder` need not be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self, id: int) -> list[str]:
        """The names of those that are here."""
        return sorted(path.name for path, of in self._all() if of == id)

    def sweep(self, known: Collection[int]) -> int:
        """Removes the files of all recordings but these; how many."""
        old = [path for path, id in self._all() if id not in known]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def has_any(self) -> bool:
        return next(self._all(), None) is not None

    def remove(self, id: int) -> None:
        for name in self.files(id):
            (self._folder / name).unlink(missing_ok=True)

    def packed(self, id: int, notes: Collection[str] = ()) -> Iterator[bytes]:
        """The session of all files that are here, as a .session.gz; the head with more notes.

        Raises SessionError where there is none, and OSError.
        """
        names = self.files(id)
        if not names:
            raise SessionError("there is no file of this recording here")
        with ExitStack() as stack:
            files = [stack.enter_context(open(self._folder / name, "rb")) for name in names]
            head, places = b"", []
            for number, file in enumerate(files):
                first, found = _gone_through(file, number)
                head = head or first
                places += found
            places.sort(key=attrgetter("time", "file", "start"))
            packer = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
            yield packer.compress(_head(head, notes))
            for count, place in enumerate(places, 1):
                yield packer.compress(_numbered(_unpacked(files[place.file], place), count))
            yield packer.flush()

    def _all(self) -> Iterator[tuple[Path, int]]:
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if found := _NAME.fullmatch(path.name):
                    yield path, int(found[1])


def _head(head: bytes, notes: Collection[str]) -> bytes:
    meta = read(head.decode().splitlines()).meta if head else Meta()
    return head_text(meta.noting(*notes)).encode()


def _gone_through(file: IO[bytes], number: int) -> tuple[bytes, list[_Place]]:
    """The head, b"" where it is not whole, and where the exchanges are; of a member that is not whole (the machine went
    down) nothing."""
    head, places = b"", []
    for start, end, text in _members(file):
        if found := _BEGIN.match(text):
            places.append(_Place(found[1].decode(), number, start, end))
        elif start == 0:
            head = text
    return head, places


def _members(file: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Start, end and the first octets of each: all of a head, and of an exchange enough to know its time."""
    start, ahead = 0, b""
    while True:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        begin, length = b"", 0
        while not unpacker.eof:
            piece = ahead or file.read(_PIECE)
            if not piece:
                return
            try:
                text = unpacker.decompress(piece)
            except zlib.error:
                return
            begin = begin if len(begin) >= _PIECE else begin + text
            length += len(piece)
            ahead = b""
        ahead = unpacker.unused_data
        length -= len(ahead)
        yield start, start + length, begin
        start += length


def _unpacked(file: IO[bytes], place: _Place) -> bytes:
    file.seek(place.start)
    return zlib.decompress(file.read(place.end - place.start), zlib.MAX_WBITS | 16)


def _numbered(text: bytes, number: int) -> bytes:
    found = _BEGIN.match(text)
    return text if found is None else b"\n=== %d %s\n" % (number, found[1]) + text[found.end() :]

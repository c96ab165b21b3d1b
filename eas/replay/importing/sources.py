"""Files to import: their bytes, their lines with numbers, and when they were written last."""

from __future__ import annotations

import codecs
import gzip
import io
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from eas.replay.format.model import SessionError
from eas.replay.format.writing import STANDARD

#: Bytes by which a format is recognised.
HEAD = 64 * 1024
#: Bytes of one line. Z-Push writes up to 512 KiB of WBXML as base64, others a whole message.
MAX_LINE = 64 * 1024 * 1024

#: What UTF-16 begins with: PowerShell writes a mailbox log so.
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(slots=True)
class Source:
    """One file. `changed` is when it was written last: some logs leave the year out. The stream can be rewound."""

    name: str
    stream: IO[bytes]
    changed: datetime

    def head(self) -> bytes:
        """The first bytes; the stream stands at its beginning after that. Raises SessionError."""
        found = self.read(HEAD)
        self.stream.seek(0)
        return found

    def read(self, size: int) -> bytes:
        """As `read` of a file. Raises SessionError for a packed file that cannot be unpacked."""
        try:
            return self.stream.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SessionError(f"the file cannot be unpacked to its end: {error}", file=self.name) from None

    def lines(self) -> Iterator[tuple[int, str]]:
        """Numbers, from 1, and lines without their ends. What is no UTF-8 is read as ISO-8859-1, line by line."""
        if self.head()[:2] in _UTF16:
            yield from self._wide_lines()
            return
        crlf = self.head().partition(b"\n")[0].endswith(b"\r")
        for number, line in enumerate(self._raw_lines(), 1):
            text = _text(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).removesuffix("\n")
            # A file whose first line ends in CR LF was edited on Windows; in others a CR belongs to the content.
            yield number, text.removesuffix("\r") if crlf else text

    def _raw_lines(self) -> Iterator[bytes]:
        try:
            while line := self.stream.readline(MAX_LINE):
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SessionError(f"the file cannot be unpacked to its end: {error}", file=self.name) from None

    def _wide_lines(self) -> Iterator[tuple[int, str]]:
        text = io.TextIOWrapper(self.stream, encoding="utf-16", errors="replace", newline="\n")
        try:
            for number, line in enumerate(iter(lambda: text.readline(MAX_LINE), ""), 1):
                yield number, line.removesuffix("\n").removesuffix("\r")
        except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
            raise SessionError(f"the file cannot be read to its end: {error}", file=self.name) from None
        finally:
            text.detach()


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


@contextmanager
def opened(file: str | Path) -> Iterator[Source]:
    """A file, packed (.gz) or not; `-` is standard input, which is put aside on disk. Raises OSError."""
    if str(file) == STANDARD:
        with tempfile.TemporaryFile() as aside:
            shutil.copyfileobj(sys.stdin.buffer, aside)
            aside.seek(0)
            yield Source("standard input", _unpacked(aside), datetime.now(UTC))
        return
    path = Path(file)
    with open(path, "rb") as raw:
        yield Source(str(path), _unpacked(raw), datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _unpacked(raw: IO[bytes]) -> IO[bytes]:
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[return-value]

"""Sessions from text, one exchange at a time: `open_session` gives the head and an iterator. docs/sessions.md."""

from __future__ import annotations

import gzip
import io
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from . import lines as bodies
from .model import (
    FORMAT,
    KINDS,
    Answer,
    Binary,
    Body,
    Document,
    Exchange,
    Headers,
    LeftOut,
    Meta,
    Parts,
    Request,
    SessionError,
)
from .writing import STANDARD

#: Characters of one line. A message of 45 MB is over 60 million characters where it has no ends of lines.
MAX_LINE = 128 * 1024 * 1024
#: Lines of one exchange: a window of 512 mails has a few hundred thousand.
MAX_LINES = 10_000_000
#: Parts of one answer.
MAX_PARTS = 10_000

_MARK = re.compile(r"eas-session ([1-9][0-9]{0,3})")
_BEGIN = re.compile(r"=== ([0-9]{1,12}) (\S+)")
_REQUEST = re.compile(r"--> ([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) (\S+)")
_ANSWER = re.compile(r"<-- (none|[1-9][0-9]{2}) ([0-9]{1,9}(?:\.[0-9]{1,9})?)s(?: # (.*))?")
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):(?: (.*))?")
_FIELD = re.compile(r"([a-z][a-z0-9 -]{0,40}):(?: (.*))?")
_BODY = re.compile(r"(body|part): (\S+)((?: [^ #]\S*)*)(?: # (.*))?")
_EXACT = re.compile(r"exact: ([0-9a-f]{8})")


@dataclass(slots=True)
class Session:
    """A session that is being read: `exchanges` can be gone through once."""

    meta: Meta
    exchanges: Iterator[Exchange]


@contextmanager
def open_session(file: str | Path) -> Iterator[Session]:
    """A file, packed or not; `-` is standard input. Raises OSError, and SessionError, also from `exchanges`."""
    if str(file) == STANDARD:
        yield read(_unpacked(io.BufferedReader(sys.stdin.buffer)), STANDARD)  # type: ignore[type-var]
        return
    with open(file, "rb") as raw:
        yield read(_unpacked(raw), str(file))


def _unpacked(raw: IO[bytes]) -> Iterator[str]:
    """The lines without their ends. Raises SessionError."""
    packed = raw.peek(2)[:2] == b"\x1f\x8b"  # type: ignore[attr-defined]
    stream = gzip.GzipFile(fileobj=raw) if packed else raw
    try:
        while line := stream.readline(MAX_LINE):
            yield line.rstrip(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise SessionError("a session file is UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SessionError(f"the file cannot be unpacked to its end: {error}") from None


def read(lines: Iterable[str], file: str = "") -> Session:
    """A session from its lines, which have no ends. Raises SessionError, also from the exchanges."""
    source = _Lines(iter(lines), file)
    meta = _head(source)
    return Session(meta, _exchanges(source))


class _Lines:
    """The lines with one to look at ahead, and their numbers."""

    def __init__(self, lines: Iterator[str], file: str) -> None:
        self._lines, self._file = lines, file
        self.number = 0
        self.ahead: str | None = ""
        self.next()

    def next(self) -> str:
        """Goes on; what it leaves."""
        left = self.ahead or ""
        try:
            self.ahead = next(self._lines, None)
        except SessionError as error:
            raise self.wrong(error.message) from None
        self.number += 1
        return left

    def wrong(self, message: str, number: int = 0) -> SessionError:
        return SessionError(message, number or self.number, self._file)

    def take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        found = pattern.fullmatch(self.ahead) if self.ahead is not None else None
        if found is None:
            seen = "the end of the file" if self.ahead is None else repr(self.ahead[:60])
            raise self.wrong(f"{what} is expected, not {seen}")
        self.next()
        return found

    def comments(self) -> list[str]:
        """The comments from here on, over empty lines."""
        found = []
        while self.ahead is not None and (not self.ahead.strip() or self.ahead.startswith("#")):
            line = self.next()
            if line.startswith("#"):
                found.append(line[1:].removeprefix(" "))
        return found

    def indented(self) -> list[str]:
        """The indented lines from here on, without their indent. Empty ones count if an indented one follows."""
        found: list[str] = []
        empty = 0
        while self.ahead is not None and (not self.ahead or self.ahead.startswith(bodies.INDENT)):
            if not self.ahead:
                empty += 1
            else:
                found += [""] * empty
                empty = 0
                found.append(self.ahead[len(bodies.INDENT) :])
            if len(found) > MAX_LINES:
                raise self.wrong(f"more than {MAX_LINES} lines")
            self.next()
        return found


def _head(source: _Lines) -> Meta:
    mark = source.take(_MARK, "`eas-session 1`, with which session files begin,")
    number = int(mark[1])
    if number > FORMAT:
        raise source.wrong(f"format {number} is newer than this program, which reads up to {FORMAT}", 1)
    fields = []
    while source.ahead is not None and not source.ahead.startswith("==="):
        source.comments()
        if source.ahead is None or source.ahead.startswith("==="):
            break
        found = source.take(_FIELD, "a field of the head, `name: value`,")
        fields.append((found[1], found[2] or ""))
    return Meta(tuple(fields), number)


def _exchanges(source: _Lines) -> Iterator[Exchange]:
    while source.ahead is not None:
        begin = source.number
        found = source.take(_BEGIN, "`=== NUMBER TIME`, with which an exchange begins,")
        time = _time(source, found[2], begin)
        reading = _Reading(source)
        request = reading.request()
        answer = reading.answer()
        yield Exchange(
            number=int(found[1]), time=time, request=request, answer=answer, comments=tuple(reading.comments),
        )


def _time(source: _Lines, text: str, number: int) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise source.wrong(f"{text[:40]!r} is no time", number) from None


@dataclass(slots=True)
class _Reading:
    """One exchange; comments are gathered wherever they stand."""

    source: _Lines
    comments: list[str] = field(default_factory=list)

    def request(self) -> Request:
        self._skip()
        found = self.source.take(_REQUEST, "`--> METHOD TARGET`")
        self._skip()
        if self.source.ahead is not None and self.source.ahead.startswith("query: "):
            self.source.next()  # what the base64 of the target says, for readers
        headers, body = self._message()
        return Request(method=found[1], target=found[2], headers=headers, body=body)

    def answer(self) -> Answer:
        found = self.source.take(_ANSWER, "a header, `body: KIND` or `<-- STATUS SECONDSs`")
        headers, body = self._message()
        status = None if found[1] == "none" else int(found[1])
        return Answer(status=status, seconds=float(found[2]), headers=headers, body=body, why=found[3] or "")

    def _skip(self) -> None:
        self.comments += self.source.comments()

    def _message(self) -> tuple[Headers, Body]:
        headers = []
        self._skip()
        while (ahead := self.source.ahead) is not None and not ahead.startswith(("body: ", "<-- ", "=== ")):
            found = self.source.take(_HEADER, "a header, `body: KIND` or the answer")
            headers.append((found[1], found[2] or ""))
            self._skip()
        body = self._body("body") if ahead is not None and ahead.startswith("body: ") else None
        self._skip()
        return tuple(headers), body

    def _body(self, word: str) -> Body:
        number = self.source.number
        found = self.source.take(_BODY, f"`{word}: KIND`")
        if found[1] != word:
            raise self.source.wrong(f"`{word}: KIND` is expected", number)
        kind, words, why = found[2], found[3].split(), found[4] or ""
        if kind == "parts" and word == "part":
            raise self.source.wrong("parts inside of parts", number)
        read = READERS.get(kind, _text if kind in KINDS else None)
        if read is None:
            raise self.source.wrong(f"no kind of body is {kind!r}", number)
        try:
            return read(self, [kind, *words], why, number)
        except SessionError as error:
            if error.file:
                raise
            raise self.source.wrong(error.message, error.line or number) from None

    def parts(self, words: list[str], number: int) -> Parts:
        count = _number(words[1:], number)
        if not 0 <= count <= MAX_PARTS:
            raise SessionError(f"{count} parts", number)
        found = []
        for _ in range(count):
            self._skip()
            found.append(self._body("part"))
        return Parts(tuple(found))


def _number(words: list[str], line: int) -> int:
    if len(words) != 1 or not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 12:
        raise SessionError("one number is expected behind the kind", line)
    return int(words[0])


# Kinds of bodies -----------------------------------------------------------------------------------------------------


def _wbxml(reading: _Reading, words: list[str], why: str, number: int) -> Document:
    lines = reading.source.indented()
    exact = None
    if reading.source.ahead is not None and (found := _EXACT.fullmatch(reading.source.ahead)):
        reading.source.next()
        exact = (int(found[1], 16), reading.source.indented())
    return bodies.read_document(lines, exact, number)


def _base64(reading: _Reading, words: list[str], why: str, number: int) -> Binary:
    return Binary(bodies.read_base64(reading.source.indented(), number), why)


def _text(reading: _Reading, words: list[str], why: str, number: int) -> Body:
    return bodies.read_text(words, reading.source.indented(), number)


def _left_out(reading: _Reading, words: list[str], why: str, number: int) -> LeftOut:
    return LeftOut(-1 if words[1:] == ["?"] else _number(words[1:], number), why)


def _read_parts(reading: _Reading, words: list[str], why: str, number: int) -> Parts:
    return reading.parts(words, number)


def _empty(reading: _Reading, words: list[str], why: str, number: int) -> None:
    return None


READERS: dict[str, Callable[[_Reading, list[str], str, int], Body]] = {
    "wbxml": _wbxml, "base64": _base64, "left-out": _left_out, "parts": _read_parts, "empty": _empty,
}

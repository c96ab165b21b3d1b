"""What a ManageSieve server says, line by line. No I/O. RFC 5804 sections 1.2, 1.3 and 4.

A line is a row of words: quoted strings and literals (`bytes`), atoms (`str`, upper case), and the response code in
parentheses (a tuple of such). An answer is some lines of strings, and one that begins with OK, NO or BYE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import Lost

#: A line without its literals. RFC 5804 1.2 has 1,024 octets for a quoted string; some servers tell long lists.
MAX_LINE = 64 << 10
#: A script. Pigeonhole takes 1 MiB, unless it is told otherwise.
MAX_LITERAL = 8 << 20
#: Words in one line.
_MAX_WORDS = 1000

Word = bytes | str | tuple[bytes | str, ...]

_BLANKS = re.compile(rb"[ \t]*")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\0]|\\["\\])*)"')
_LITERAL = re.compile(rb"\{([0-9]{1,10})\+?\}\r\n")
_ATOM = re.compile(rb"[!#-'*-\[\]-z|~]+")
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` is OK, NO or BYE; `code` the response code, upper case ("QUOTA/MAXSIZE"), "" for none; `argument` is
    what stands in it. `lines` came before."""

    status: str
    code: str = ""
    argument: bytes = b""
    text: str = ""
    lines: tuple[tuple[Word, ...], ...] = ()


class Lines:
    """Feed octets, take lines."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = 1

    @property
    def pending(self) -> int:
        """Octets that no line was made of."""
        return len(self._buffer)

    def feed(self, octets: bytes) -> None:
        self._buffer += octets

    def take(self) -> tuple[Word, ...] | None:
        """The next line, None while it is not complete. Raises Lost for what makes no sense."""
        if len(self._buffer) < self._wanted:
            return None
        reading = _Reading(bytes(self._buffer))
        try:
            words = reading.line()
        except _More as more:
            self._wanted = more.octets
            return None
        del self._buffer[: reading.at]
        self._wanted = 1
        return words


class _More(Exception):
    """So many octets are needed before it is worth to look again."""

    def __init__(self, octets: int) -> None:
        super().__init__(octets)
        self.octets = octets


class _Reading:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.at = 0
        self._literals = 0

    def line(self) -> tuple[Word, ...]:
        words: list[Word] = []
        while True:
            self._skip()
            if self._octets.startswith(b"\r\n", self.at):
                self.at += 2
                return tuple(words)
            if len(words) >= _MAX_WORDS:
                raise Lost("a line of too many words")
            words.append(self._code() if self._octets.startswith(b"(", self.at) else self._word())

    def _code(self) -> tuple[bytes | str, ...]:
        self.at += 1
        words: list[bytes | str] = []
        while True:
            self._skip()
            if self._octets.startswith(b")", self.at):
                self.at += 1
                return tuple(words)
            if len(words) >= _MAX_WORDS:
                raise Lost("a line of too many words")
            words.append(self._word())

    def _word(self) -> bytes | str:
        if found := _QUOTED.match(self._octets, self.at):
            self.at = found.end()
            return _ESCAPE.sub(rb"\1", found[1])
        if found := _LITERAL.match(self._octets, self.at):
            size = int(found[1])
            if size > MAX_LITERAL:
                raise Lost(f"a literal of {size} octets")
            end = found.end() + size
            if end > len(self._octets):
                raise _More(end + 2)
            self.at, self._literals = end, self._literals + size
            return self._octets[found.end() : end]
        # An atom at the end of what came may go on.
        found = _ATOM.match(self._octets, self.at)
        if found and found.end() < len(self._octets):
            self.at = found.end()
            return found[0].decode("ascii").upper()
        self._incomplete()
        raise Lost(f"not understood: {self._octets[self.at : self.at + 40]!r}")

    def _skip(self) -> None:
        found = _BLANKS.match(self._octets, self.at)
        assert found is not None
        self.at = found.end()

    def _incomplete(self) -> None:
        """Raises _More if the line has not ended yet."""
        if len(self._octets) - self._literals > MAX_LINE:
            raise Lost("a line that does not end")
        if b"\r\n" not in self._octets[self.at :]:
            raise _More(len(self._octets) + 1)


def answer_of(line: tuple[Word, ...], before: list[tuple[Word, ...]]) -> Answer | None:
    """None for a line that is no end of an answer. Raises Lost."""
    if not line or not isinstance(line[0], str):
        return None
    if line[0] not in ("OK", "NO", "BYE"):
        raise Lost(f"not understood: {line[0]}")
    code, argument, rest = "", b"", line[1:]
    if rest and isinstance(rest[0], tuple):
        told, rest = rest[0], rest[1:]
        code = told[0].upper() if told and isinstance(told[0], str) else ""
        argument = next((word for word in told[1:] if isinstance(word, bytes)), b"")
    text = rest[0].decode("utf-8", "replace") if rest and isinstance(rest[0], bytes) else ""
    return Answer(status=line[0], code=code, argument=argument, text=text, lines=tuple(before))


def string(octets: bytes) -> bytes:
    """As a client sends it: quoted where that needs neither escapes nor UTF-8 (both of which timsieved misreads), else
    as a literal that needs no consent."""
    if len(octets) <= 1024 and _PLAIN.fullmatch(octets):
        return b'"' + octets + b'"'
    return b"{%d+}\r\n%b" % (len(octets), octets)

"""Commands as octets: arguments quoted or as literals, sets of UIDs in lines of bearable length. RFC 3501, 7888.

A command is a sequence of pieces: octets that go as they are, and Literals, which may have to wait for the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from . import names
from .model import Bad

#: Octets of a command line. RFC 7162 advises 8192, and Dovecot takes 64 KiB.
MAX_LINE = 8000
#: Octets of a set of UIDs: what is left of a line for it beside a long list of items.
SET_ROOM = 6000
#: Literals up to this size are sent without asking, where that is offered; before a larger one the server may refuse
#: (OVERQUOTA, TOOBIG), which saves sending it. It is also what LITERAL- allows. RFC 7888.
UNASKED = 4096


@dataclass(frozen=True, slots=True)
class Literal:
    """`binary` is a literal8, which may hold NUL. RFC 3516."""

    data: bytes
    binary: bool = False

    def announced(self, unasked: bool) -> bytes:
        return b"%s{%d%s}\r\n" % (b"~" if self.binary else b"", len(self.data), b"+" if unasked else b"")


Piece = bytes | Literal

_QUOTABLE = re.compile(rb"[ -~]{0,1000}")
_ATOM = re.compile(r"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_LINE_END = re.compile("[\r\n\0]")


def string(data: bytes) -> Piece:
    """An astring."""
    if _QUOTABLE.fullmatch(data):
        return b'"%s"' % data.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return Literal(data, binary=b"\0" in data)


def mailbox(name: str) -> Piece:
    return string(names.encoded(name))


def plain(text: str) -> bytes:
    """What the caller has spelled. Raises Bad if it would not stay in its line."""
    if _LINE_END.search(text) or not text.isascii():
        raise Bad("a command with a line end in it")
    return text.encode("ascii")


def flags(given: Iterable[str]) -> bytes:
    """Raises Bad for what is no flag."""
    listed = list(given)
    for flag in listed:
        if not _ATOM.fullmatch(flag):
            raise Bad(f"no flag: {flag[:40]!r}")
    return f"({' '.join(listed)})".encode("ascii")


def fetch_items(items: Sequence[str]) -> bytes:
    """UID is always told in answer to UID FETCH."""
    return b"(%s)" % b" ".join([plain(item) for item in items])


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(value: datetime) -> bytes:
    """An aware datetime as date-time; the machine's language does not matter."""
    offset = int(value.utcoffset().total_seconds() // 60) if value.utcoffset() else 0  # type: ignore[union-attr]
    sign, offset = ("-", -offset) if offset < 0 else ("+", offset)
    return (
        f'"{value.day:02d}-{_MONTHS[value.month - 1]}-{value.year:04d} {value:%H:%M:%S} '
        f'{sign}{offset // 60:02d}{offset % 60:02d}"'
    ).encode("ascii")


def criteria(given: Sequence[str | bytes]) -> list[Piece]:
    """Joined by blanks; octets as quoted strings or literals."""
    pieces: list[Piece] = []
    for one in given:
        pieces.append(b" ")
        pieces.append(plain(one) if isinstance(one, str) else string(one))
    return pieces


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Neighbouring octets joined."""
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += piece
        else:
            found.append(piece)
    return found

"""Body <-> lines of a session file. The grammar stands in docs/sessions.md; `reading` and `writing` do the rest of it.

A body is a line that says what it is, `body: wbxml`, and lines indented by two blanks. Text is kept byte for byte by
words behind its kind: `crlf` (lines end in CR LF), `unended` (the last line has no end), `blank=2` (two empty lines
follow at the end), `escaped` (a backslash begins `\\\\`, `\\n`, `\\r` or `\\xNN`, so that any byte can stand there).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from itertools import takewhile
from zlib import crc32

from . import document
from .mimetext import from_readable, to_readable
from .model import Binary, Body, Document, LeftOut, Parts, SessionError, Text

INDENT = "  "
#: Columns of base64.
_COLUMNS = 96

_ESCAPE = re.compile(rb"\\(\\|n|r|x[0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"\\(?!n|r|x[0-9A-Fa-f]{2})")
_PLAIN = {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}
_NAMED = {b"\n": "\\n", b"\r": "\\r"}
#: What is escaped: control characters, ends of lines of another kind, what is no UTF-8, and blanks at the end of a
#: line, which editors take away.
_TO_ESCAPE = re.compile("[\x00-\x08\x0a-\x1f\x7f\x80-\x9f\u2028\u2029\udc80-\udcff]|(?<![ \t])[ \t]+$")


_BLANK = re.compile(r"blank=[1-9][0-9]{0,5}")


# Writing -------------------------------------------------------------------------------------------------------------


def written(body: Body, word: str = "body") -> Iterator[str]:
    """The lines of a body, without their ends; none for no body."""
    match body:
        case None:
            if word == "part":
                yield "part: empty"
        case Document(root, exact):
            text = document.to_text(root)
            yield f"{word}: wbxml"
            yield from _indented(text)
            if exact is not None:
                yield f"exact: {crc32(text.encode()):08x}"
                yield from _base64(exact)
        case Text(kind, data):
            yield from _text(kind, data, word)
        case Binary(data, why):
            yield f"{word}: base64{f' # {_one_line(why)}' if why else ''}"
            yield from _base64(data)
        case Parts(parts):
            yield f"{word}: parts {len(parts)}"
            for part in parts:
                yield from written(part, "part")
        case LeftOut(length, why):
            yield f"{word}: left-out {length if length >= 0 else '?'}{f' # {_one_line(why)}' if why else ''}"


def _indented(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        yield INDENT + line if line else ""


def _base64(data: bytes) -> Iterator[str]:
    text = b64encode(data).decode()
    for start in range(0, len(text), _COLUMNS):
        yield INDENT + text[start : start + _COLUMNS]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(kind: str, data: bytes, word: str) -> Iterator[str]:
    crlf = data.count(b"\r\n") * 2 > data.count(b"\n")
    lines = [line.decode("utf-8", "surrogateescape") for line in data.split(b"\r\n" if crlf else b"\n")]
    words = [kind, "crlf"] if crlf else [kind]
    if kind == "mime" and not _mixed(lines):
        lines = to_readable("\n".join(lines)).split("\n")
    if any(map(_TO_ESCAPE.search, lines)):
        words.append("escaped")
        lines = [_TO_ESCAPE.sub(_escaped, line.replace("\\", "\\\\")) for line in lines]
    if lines[-1]:
        words.append("unended")
    else:
        lines.pop()
        blank = sum(1 for _ in takewhile(lambda line: not line, reversed(lines)))
        if blank:
            words.append(f"blank={blank}")
            del lines[-blank:]
    yield f"{word}: {' '.join(words)}"
    yield from (INDENT + line if line else "" for line in lines)


def _mixed(lines: list[str]) -> bool:
    """Ends of lines of several kinds: such a message stays as it is."""
    return any("\n" in line or "\r" in line for line in lines)


def _escaped(found: re.Match[str]) -> str:
    raw = found[0].encode("utf-8", "surrogateescape")
    return _NAMED.get(raw) or "".join(f"\\x{byte:02x}" for byte in raw)


# Reading -------------------------------------------------------------------------------------------------------------


def read_text(words: list[str], lines: list[str], number: int) -> Text:
    kind, manner = words[0], set(words[1:])
    others = manner - {"crlf", "unended", "escaped"}
    for word in others:
        if not _BLANK.fullmatch(word) or len(others) > 1:
            raise SessionError(f"unknown word behind {kind}: {word[:40]}", number)
        lines = lines + [""] * int(word.partition("=")[2])
    lines = lines if "unended" in manner else [*lines, ""]
    try:
        if "escaped" in manner:
            lines = list(map(_unescaped, lines))
        if kind == "mime" and not _mixed(lines):
            lines = from_readable("\n".join(lines)).split("\n")
    except ValueError as error:
        raise SessionError(str(error), number) from None
    eol = "\r\n" if "crlf" in manner else "\n"
    return Text(kind, eol.join(lines).encode("utf-8", "surrogateescape"))


def _unescaped(line: str) -> str:
    if _BAD_ESCAPE.search(line.replace("\\\\", "")):
        raise ValueError("a backslash begins \\\\, \\n, \\r or \\xNN here")
    return _ESCAPE.sub(_byte, line.encode()).decode("utf-8", "surrogateescape")


def _byte(found: re.Match[bytes]) -> bytes:
    return _PLAIN.get(found[1]) or bytes([int(found[1][1:], 16)])


def read_base64(lines: list[str], number: int) -> bytes:
    try:
        return b64decode("".join("".join(lines).split()), validate=True)
    except ValueError:
        raise SessionError("not base64", number) from None


def read_document(lines: list[str], exact: tuple[int, list[str]] | None, number: int) -> Document:
    """`exact`: the checksum of the text whose bytes stand there, and their lines; a text that was edited since wins."""
    text = "\n".join(lines)
    try:
        root = document.from_text(text)
    except document.DocumentError as error:
        raise SessionError(str(error), number) from None
    if exact is None or crc32(text.encode()) != exact[0]:
        return Document(root)
    return Document(root, read_base64(exact[1], number))


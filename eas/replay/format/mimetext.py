"""MIME messages as a person reads them, and back without loss. The grammar stands in docs/sessions.md, "Messages".

Lines that begin with `%%` are ours; those of a message that do so get one `%` more. `%% base64 76 utf-8 crlf` begins a
text that travelled in base64 (its columns, its charset, its ends of lines), `%% quoted-printable utf-8` lines whose
letters beyond ASCII were decoded and whose other escapes were not; `%% end` ends either. `%% says Subject: ...` tells
what the encoded words of the header above it mean; it is for readers, and passed over. A part is decoded only where
encoding it anew gives the same characters: `from_readable(to_readable(text)) == text` for all texts.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header

#: What our own lines begin with.
MARK = "%%"
END = f"{MARK} end"
SAYS = f"{MARK} says "
#: Lines of one encoded part that are looked at; larger ones stay as they are.
MAX_LINES = 200_000
#: A message is looked through so many times for ends of parts that cannot be decoded; then parts stay as they are.
IN_VAIN = 20
#: Of base64 in mail: what one line that is shorter could have been wrapped at.
USUAL_COLUMNS = 76
#: Characters of a header that is told in words.
MAX_HEADER = 8192

_BASE64 = re.compile(rf"{MARK} base64 (0|[1-9][0-9]{{0,3}}) (\S+)( crlf)?( unended)?")
_QUOTED = re.compile(rf"{MARK} quoted-printable (\S+)")
_ENCODING = re.compile(r"^content-transfer-encoding:[ \t]*(base64|quoted-printable)\b", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(r"^content-type:[ \t]*([^\s;]+)", re.IGNORECASE | re.MULTILINE)
_CHARSET = re.compile(r"\bcharset=\"?([A-Za-z0-9_:.-]{1,30})", re.IGNORECASE)
_BOUNDARY = re.compile(r"\bboundary=(?:\"([^\"\n]{1,80})\"|([^\s;\"]{1,80}))", re.IGNORECASE)
_COLUMNS = re.compile(r"[A-Za-z0-9+/]{1,9999}={0,2}")
_ENCODED_WORD = re.compile(r"=\?[A-Za-z0-9*_.:-]{1,40}\?[BbQq]\?[^?\s]*\?=")
_BYTES = re.compile(r"(?:=[89A-F][0-9A-F])+")
_BEYOND = re.compile("[^\x00-\x7f]+")
#: Charsets of texts. Python knows more, some of which take long or are none.
_CHARSETS = re.compile(
    r"us-ascii|utf-?8|iso-?8859-?\d{1,2}|windows-125\d|cp125\d|koi8-[ru]|gb2312|gbk|gb18030|big5|shift_jis|euc-jp|euc-kr"
    r"|iso-2022-jp|macintosh", re.IGNORECASE,
)
#: What a line of text does not have: what XML cannot hold, and ends of lines of any kind.
_STRANGE = re.compile("[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029\ud800-\udfff\ufffe\uffff]")


# To text a person reads ----------------------------------------------------------------------------------------------


def to_readable(text: str) -> str:
    """The message with its text parts decoded where `from_readable` can undo that; ends of lines are LF."""
    return "\n".join(_readable(text.split("\n")))


def _readable(lines: list[str]) -> Iterator[str]:
    boundaries: set[str] = set()
    at, left = 0, IN_VAIN * len(lines)
    while at < len(lines):
        begin, at = at, _end_of_paragraph(lines, at)
        yield from _headers(lines[begin:at])
        head = "\n".join(lines[begin:at])
        boundaries.update((quoted or plain).rstrip("- ") for quoted, plain in _BOUNDARY.findall(head))
        if at == len(lines):
            return
        yield ""
        at += 1
        if left >= 0:
            looked, shown = _part(head, lines, at, boundaries)
            yield from shown
            at, left = (looked, left) if shown else (at, left - (looked - at))


def _end_of_paragraph(lines: list[str], at: int) -> int:
    while at < len(lines) and lines[at]:
        at += 1
    return at


def _headers(lines: list[str]) -> Iterator[str]:
    """The lines, and behind each header with encoded words what it says."""
    header = ""
    for number, line in enumerate(lines):
        yield _escaped(line)
        header = (header + line)[: MAX_HEADER + 1] if line[:1] in (" ", "\t") else line
        folded = number + 1 < len(lines) and lines[number + 1][:1] in (" ", "\t")
        if not folded and (said := _said(header)):
            yield SAYS + said


def _said(header: str) -> str:
    """What a header says whose encoded words can be read, "" for others."""
    if len(header) > MAX_HEADER or not _ENCODED_WORD.search(header):
        return ""
    try:
        said = str(make_header(decode_header(header)))
    except (HeaderParseError, LookupError, ValueError, BinasciiError):
        return ""
    return "" if _STRANGE.search(said) else " ".join(said.split())


def _escaped(line: str) -> str:
    return f"%{line}" if line.startswith(MARK) else line


def _part(head: str, lines: list[str], at: int, boundaries: set[str]) -> tuple[int, list[str]]:
    """Where the part ends that begins there, or how far it was looked for, and how it is shown; nothing where it stays
    as it is."""
    encoding, kind = _ENCODING.search(head), _TYPE.search(head)
    if encoding is None or not (kind is None or kind[1].lower().startswith("text/")):
        return at, []
    stated = _CHARSET.search(head)
    charset = stated[1].lower() if stated else "us-ascii"
    if not _CHARSETS.fullmatch(charset):
        return at, []
    base64 = encoding[1].lower() == "base64"
    end = _end_of_base64(lines, at) if base64 else _end_of_part(lines, at, boundaries)
    try:
        return end, (_of_base64 if base64 else _of_quoted)(lines[at:end], charset)
    except (ValueError, LookupError):
        return end, []


def _end_of_base64(lines: list[str], at: int) -> int:
    end = at
    while end < len(lines) and _COLUMNS.fullmatch(lines[end]) and end - at < MAX_LINES:
        end += 1
    return end


def _end_of_part(lines: list[str], at: int, boundaries: set[str]) -> int:
    """`boundaries` are without dashes and blanks at their end."""
    end = at
    while end < len(lines) and not (lines[end].startswith("--") and lines[end].rstrip("- ")[2:] in boundaries):
        end += 1
    return end


def _of_base64(lines: list[str], charset: str) -> list[str]:
    """Raises ValueError where it cannot be undone."""
    data = b64decode("".join(lines), validate=True)
    text = data.decode(charset)
    crlf = "\r\n" in text
    shown = text.split("\r\n" if crlf else "\n")
    columns = max([USUAL_COLUMNS] * (len(lines) == 1) + [len(line) for line in lines[:1]], default=0)
    words = f"base64 {columns} {charset}" + (" crlf" if crlf else "")
    if not data or any(map(_STRANGE.search, shown)):
        raise ValueError("nothing, or no text")
    if shown[-1]:
        words += " unended"
    else:
        shown.pop()
    if _to_base64(shown, words) != lines:
        raise ValueError("it would be encoded in another way")
    return [f"{MARK} {words}", *map(_escaped, shown), END]


def _of_quoted(lines: list[str], charset: str) -> list[str]:
    shown = [_BYTES.sub(lambda found: _letters(found[0], charset), line) for line in lines]
    if shown == lines or len(lines) > MAX_LINES or _to_quoted(shown, charset) != lines:
        raise ValueError("nothing to decode, or it would be encoded in another way")
    return [f"{MARK} quoted-printable {charset}", *map(_escaped, shown), END]


def _letters(escaped: str, charset: str) -> str:
    """The letters, or the escapes as they are where they are no whole letters."""
    try:
        text = bytes.fromhex(escaped.replace("=", "")).decode(charset)
    except UnicodeDecodeError:
        return escaped
    return text if text.isprintable() and _BEYOND.fullmatch(text) else escaped


# And back ------------------------------------------------------------------------------------------------------------


def from_readable(text: str) -> str:
    """The message that was given to `to_readable`. Raises ValueError for what that never wrote."""
    return "\n".join(_original(iter(text.split("\n"))))


def _original(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith(MARK):
            yield line
        elif line.startswith(f"{MARK}%"):
            yield line[1:]
        elif found := _BASE64.fullmatch(line):
            yield from _to_base64(_until_end(lines), found[0].removeprefix(f"{MARK} "))
        elif found := _QUOTED.fullmatch(line):
            yield from _to_quoted(_until_end(lines), found[1])
        elif not line.startswith(SAYS):
            raise ValueError(f"unknown line {line[:40]!r}; a message's own line that begins so has one % more")


def _until_end(lines: Iterator[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line == END:
            return found
        if line.startswith(MARK) and not line.startswith(f"{MARK}%"):
            raise ValueError(f"{END!r} is expected, not {line[:40]!r}")
        found.append(line[1:] if line.startswith(MARK) else line)
    raise ValueError(f"{END!r} is missing")


def _to_base64(lines: list[str], words: str) -> list[str]:
    _, columns, charset, *manner = words.split(" ")
    eol = "\r\n" if "crlf" in manner else "\n"
    data = _encoded(eol.join(lines) + ("" if "unended" in manner else eol), charset)
    text = b64encode(data).decode()
    width = int(columns) or len(text) or 1
    return [text[start : start + width] for start in range(0, len(text), width)]


def _to_quoted(lines: list[str], charset: str) -> list[str]:
    return [
        _BEYOND.sub(lambda found: "".join(f"={byte:02X}" for byte in _encoded(found[0], charset)), line)
        for line in lines
    ]


def _encoded(text: str, charset: str) -> bytes:
    if not _CHARSETS.fullmatch(charset):
        raise ValueError(f"unknown charset {charset[:40]!r}")
    try:
        return text.encode(charset)
    except LookupError:
        raise ValueError(f"unknown charset {charset[:40]!r}") from None

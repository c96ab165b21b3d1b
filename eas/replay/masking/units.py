"""Text in an encoding that spells characters out (`&uuml;`, `%C3%BC`, `=FC`, folded lines): changed as what it says,
written as it was spelt. What is between the characters, such as a fold, stays where it is."""

from __future__ import annotations

import html
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable

#: Text -> text of as many characters; bytes -> as many bytes.
Change = Callable[[str], str]
ChangeBytes = Callable[[bytes], bytes]


def spelt(
    raw: str, unit: re.Pattern[str], plain: Callable[[str], str], spell: Callable[[str, str], str], change: Change,
) -> str:
    """`unit` finds what spells something out, `plain` says what ("" for nothing), `spell` writes a character again as
    (character, as the old one was written). A change to another number of characters counts as far as it goes."""
    if not unit.search(raw):
        return change(raw)
    pieces: list[tuple[str, str]] = []
    at = 0
    for found in unit.finditer(raw):
        pieces += ((letter, letter) for letter in raw[at : found.start()])
        pieces.append((found[0], plain(found[0])))
        at = found.end()
    pieces += ((letter, letter) for letter in raw[at:])
    said = "".join(meant for _, meant in pieces)
    changed = change(said).ljust(len(said))
    out, at = [], 0
    for written, meant in pieces:
        new = changed[at : at + len(meant)]
        at += len(meant)
        out.append(written if new == meant else new if written == meant else spell(new, written))
    return "".join(out)


# HTML and XML --------------------------------------------------------------------------------------------------------

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def entities(raw: str, change: Change) -> str:
    return spelt(raw, _ENTITY, html.unescape, _entity, change)


def _entity(text: str, written: str) -> str:
    """As long as the other one, where that is long enough."""
    width = max(len(written) - len("&#;"), 1)
    return "".join(f"&#{ord(letter):0{width}};" for letter in text)


# URLs ----------------------------------------------------------------------------------------------------------------

_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")


def percent(raw: str, change: Change) -> str:
    """Percent-encoded UTF-8, or what else its bytes are."""
    return _bytewise(raw, _PERCENT, lambda code: bytes([int(code[1:], 16)]), lambda new, _: f"%{new:02X}", change)


def _bytewise(
    raw: str, unit: re.Pattern[str], plain: Callable[[str], bytes], spell: Callable[[int, str], str], change: Change,
    charset: str = "utf-8",
) -> str:
    if not unit.search(raw):
        return change(raw)

    def changed(latin: str) -> str:
        return in_charset(latin.encode("latin-1"), charset, change).decode("latin-1")

    # One character for each byte: those that are written as they are may be any.
    return spelt(
        raw.encode("utf-8", "surrogateescape").decode("latin-1"), unit, lambda code: plain(code).decode("latin-1"),
        lambda new, old: "".join(spell(ord(letter), old) for letter in new), changed,
    ).encode("latin-1").decode("utf-8", "surrogateescape")


# Mail ----------------------------------------------------------------------------------------------------------------

_QUOTED = re.compile(r"=[0-9A-Fa-f]{2}|=[ \t]*\r?\n")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]")


def known(charset: str) -> str:
    """A charset by any of its names; of one that nobody knows, the one in which every byte is a character."""
    try:
        "a".encode(charset)
        return charset
    except (LookupError, ValueError):
        return "latin-1"


def in_charset(data: bytes, charset: str, change: Change) -> bytes:
    """Bytes of a charset; of one that nobody knows, or that they are not of, as single bytes."""
    try:
        text = data.decode(charset, "surrogateescape")
        changed = change(text).encode(charset, "surrogateescape")
        if len(changed) == len(data):
            return changed
    except (UnicodeError, LookupError, ValueError):
        pass
    # Every byte is a character there, and each stays one byte.
    return change(data.decode("latin-1")).encode("latin-1", "replace").ljust(len(data))[: len(data)]


def quoted_printable(raw: bytes, change: ChangeBytes) -> bytes:
    """Soft ends of lines stay where they are."""
    made = spelt(
        raw.decode("latin-1"), _QUOTED, lambda code: "" if code[-1] == "\n" else chr(int(code[1:], 16)),
        lambda new, _: f"={ord(new):02X}", lambda text: change(text.encode("latin-1")).decode("latin-1"),
    )
    return made.encode("latin-1")


def q_word(raw: str, change: ChangeBytes) -> str:
    """The Q encoding of encoded words: `_` is a blank."""
    return spelt(
        raw, _Q, lambda code: " " if code == "_" else chr(int(code[1:], 16)), lambda new, _: f"={ord(new):02X}",
        lambda text: change(text.encode("latin-1")).decode("latin-1"),
    )


_Q = re.compile(r"=[0-9A-Fa-f]{2}|_")


def base64(raw: bytes, change: ChangeBytes, otherwise: ChangeBytes) -> bytes:
    """Base64 over whatever lines, which stay as long as they are. `otherwise` is for what is none."""
    digits = b"".join(_BASE64.findall(raw))
    try:
        data = b64decode(digits + b"=" * (-len(digits) % 4))
    except (Base64Error, ValueError):
        return otherwise(raw)
    if re.search(rb"[^A-Za-z0-9+/=\s]", raw):
        return otherwise(raw)
    changed = change(data).ljust(len(data), b"\0")[: len(data)]
    new = iter(b64encode(changed).rstrip(b"="))
    return _BASE64.sub(lambda found: bytes([next(new, ord("A"))]), raw)

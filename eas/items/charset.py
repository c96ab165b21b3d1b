"""Octets of mail -> text, whatever charset they claim to be in. Never fails.

The declared charset counts first. Where it is unknown, or does not fit, UTF-8 is tried (rarely valid by chance), then a
guess on text long enough to guess from, then windows-1252, which is what most undeclared mail is.
"""

from __future__ import annotations

import codecs
from functools import lru_cache

from charset_normalizer import from_bytes

#: What mailers write, and the superset that they mean by it (as browsers read it, too).
_SUPERSETS = {
    "iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "l1": "cp1252", "windows-1252": "cp1252",
    "us-ascii": "cp1252", "ascii": "cp1252", "ansi_x3.4-1968": "cp1252", "646": "cp1252",
    "iso-8859-9": "cp1254", "iso-8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "cp936": "gb18030", "gb_2312-80": "gb18030",
    "big5": "big5hkscs", "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932",
    "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949", "ksc5601": "cp949",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8", "unicode-1-1-utf-7": "utf-7",
    "x-mac-roman": "mac-roman",
    "utf8": "utf-8", "utf-8mb4": "utf-8", "cp-850": "cp850", "x-user-defined": "cp1252",
}  # fmt: skip
#: Codecs of Python that are no charsets.
_NO_CHARSETS = {"unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "mbcs", "oem"}
_LATIN = "cp1252"
_UTF8 = "utf-8"

#: Below this many octets a guess is worth less than windows-1252; above the second, more text makes it no better.
GUESS_FROM = 256
_GUESS_ON = 4096
#: One unreadable character in so many readable ones outside ASCII is damage, not another charset.
_TOLERATED = 10


def decode(data: bytes, declared: str = "", *, cut: bool = False) -> str:
    """Text of octets that are said to be in charset `declared` ("" if nobody says).

    With `cut` the octets are the beginning of something longer, and a character broken at the end is left out.
    """
    if data.isascii() and not (declared and _stateful(declared)):
        return data.decode("ascii")
    charset = codec_of(declared)
    if charset in (_UTF8, _LATIN, ""):
        try:
            # A text declared Latin-1 that is valid UTF-8 is UTF-8.
            return data.decode(_UTF8).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            if cut and error.end == len(data) and error.start >= len(data) - 3 and error.start:
                return data[: error.start].decode(_UTF8).removeprefix("\ufeff")
    if charset:
        text = _try(data, charset, cut)
        if text is not None:
            return text.removeprefix("\ufeff")
    return _guess(data)


@lru_cache(maxsize=512)
def codec_of(declared: str) -> str:
    """The codec that reads a declared charset; "" if there is none."""
    name = declared.strip().strip("\"'").lower()
    name = _SUPERSETS.get(name, name)
    try:
        bytes(4).decode(name)
        canonical = codecs.lookup(name).name
    except (LookupError, ValueError):  # unknown, none of text, or with a NUL
        return ""
    return "" if canonical.replace("-", "_") in _NO_CHARSETS else canonical


@lru_cache(maxsize=512)
def _stateful(declared: str) -> bool:
    """Whether ASCII octets may mean other characters."""
    return codec_of(declared).startswith(("utf-16", "utf-32", "utf-7", "iso2022", "hz"))


def octets_per_character(declared: str) -> int:
    """How many octets one ASCII character takes at least."""
    codec = codec_of(declared)
    return 4 if codec.startswith("utf-32") else 2 if codec.startswith("utf-16") else 1


def _try(data: bytes, charset: str, cut: bool) -> str | None:
    """The text if it reads in `charset` with little or no damage, else None."""
    try:
        if not cut:
            return data.decode(charset)
        return codecs.getincrementaldecoder(charset)().decode(data, final=False)
    except UnicodeDecodeError:
        pass
    except (UnicodeError, LookupError, ValueError):
        return None
    text = data.decode(charset, "replace")
    damaged = text.count("\ufffd")
    readable = sum(map("\x7f".__lt__, text)) - damaged
    return text if damaged * _TOLERATED <= readable or charset == _LATIN else None


def _guess(data: bytes) -> str:
    if len(data) >= GUESS_FROM:
        best = from_bytes(data[:_GUESS_ON]).best()
        if best is not None:
            text = _try(data, best.encoding, cut=False)
            if text is not None:
                return text
    return data.decode(_LATIN, "replace")

"""Two values and a manner -> whether they count as the same. Ids (which have a memory) and messages are for others."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from email.utils import getaddresses, parsedate_to_datetime
from typing import TypeAlias

from eas.protocol import http

from .rules import Manner, Rules

Value: TypeAlias = "str | bytes"

_BETWEEN = re.compile(r">\s+<")
_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_END = re.compile(r"[ \t]*\r?\n")


def normal(value: Value, manner: Manner) -> Hashable:
    """Equal for all values that may be the same in that manner, so that items can be found by it."""
    return NORMAL[manner](value)


def same(expected: Value, got: Value, manner: Manner, rules: Rules) -> bool:
    """Not for Manner.ID and Manner.MIME."""
    if manner in FINE:
        return expected == got or FINE[manner](_text(expected), _text(got), rules)
    return NORMAL[manner](expected) == NORMAL[manner](got)


def _text(value: Value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _itself(value: Value) -> Hashable:
    return value


def _nothing(value: Value) -> Hashable:
    return None


def _key(value: Value) -> Hashable:
    """Key 0 begins anew, and is no key."""
    return _text(value) if _text(value) in ("", "0") else None


def _filled(value: Value) -> Hashable:
    return bool(value)


def _number(value: Value) -> Hashable:
    text = _text(value).strip()
    return None if text.isdecimal() else text


def _words(value: Value) -> Hashable:
    return " ".join(_text(value).split())


def _lines(value: Value) -> Hashable:
    return _END.sub("\n", _text(value)).rstrip()


def _set(value: Value) -> Hashable:
    return frozenset(word.strip().lower() for word in _text(value).split(","))


def _addresses(value: Value) -> Hashable:
    found = getaddresses([_text(value)])
    if not any(address for _, address in found):  # what cannot be read as addresses is text
        return _words(value)
    return frozenset((name.strip(" '\""), address.lower()) for name, address in found)


def _media(value: Value) -> Hashable:
    return http.media_type(_text(value))


def _xml(value: Value) -> Hashable:
    return _BETWEEN.sub("><", _ADDRESS.sub("http:", _text(value).strip()))


#: Manner -> what of a value counts. Those in FINE look closer.
NORMAL: Mapping[Manner, Callable[[Value], Hashable]] = {
    Manner.SAME: _itself, Manner.IGNORE: _nothing, Manner.ANY: _filled, Manner.KEY: _key, Manner.ID: _filled,
    Manner.TIME: _filled, Manner.NUMBER: _number, Manner.WORDS: _words, Manner.BEGINNING: _filled,
    Manner.LINES: _lines, Manner.SET: _set, Manner.ADDRESSES: _addresses, Manner.MEDIA: _media,
    Manner.XML: _xml,
    Manner.MIME: _filled, Manner.UNORDERED: _itself,
}


#: Characters from which on a text counts as one that was cut, maybe within a word, which masking makes another word.
_CUT = 64


def _beginning(expected: str, got: str, rules: Rules) -> bool:
    """One is the beginning of the other, but nothing is not the beginning of something."""
    shorter, longer = sorted((" ".join(expected.split()), " ".join(got.split())), key=len)
    if len(shorter) >= _CUT and shorter != longer:
        shorter = shorter.rpartition(" ")[0] or shorter
    return shorter == longer or (bool(shorter) and longer.startswith(shorter))


def _time(expected: str, got: str, rules: Rules) -> bool:
    before, after = moment(expected), moment(got)
    if before is None or after is None:
        return expected.strip() == got.strip()
    apart = after - before
    return min(abs(apart), abs(apart - rules.shift)) <= rules.tolerance


def moment(text: str) -> datetime | None:
    """A time as ActiveSync or mail write it; None for anything else."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        if isinstance(found, datetime) and found.tzinfo is not None:
            return found
    return None


FINE: Mapping[Manner, Callable[[str, str, Rules], bool]] = {Manner.TIME: _time, Manner.BEGINNING: _beginning}

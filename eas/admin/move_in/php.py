"""What PHP's serialize() writes, read as plain values. A reader for the few forms that states of other servers have:
nothing is called and nothing is made but numbers, octets, dicts and `Thing`; depth and number of values are bounded.

The forms: N; b:0; i:1; d:1.5; s:3:"abc"; a:1:{key value} O:8:"ASDevice":1:{key value} C:8:"ASDevice":5:{octets}
r:1; R:1; (a value that stood before: read as None) E:5:"A:One"; (an enumeration: its octets).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

#: A state of a device nests about ten deep.
MAX_DEPTH = 60
#: Values in one text; the largest states of devices have some ten thousand.
MAX_VALUES = 2_000_000

_PLAIN = re.compile(rb"N;|([bidrR]):([^;{}\"]{1,40});")
_LENGTH = re.compile(rb"([0-9]{1,10}):")
_INTEGER = re.compile(rb"-?[0-9]{1,20}")


class PhpError(ValueError):
    """Not what serialize() writes, cut off, or beyond the bounds. `offset` in octets."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at octet {offset}")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Thing:
    """An object: its class, and its members by name (those of the class itself and of its parents without what PHP
    writes before them) or, where it writes itself, what it wrote."""

    name: str
    members: dict[Any, Any] = field(default_factory=dict)
    raw: bytes = b""


def load(data: bytes) -> Any:
    """None, bool, int, float, bytes, dict (keys are int and bytes) or Thing. Raises PhpError."""
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise PhpError("more than one value", reader.at)
    return value


class _Reader:
    __slots__ = ("at", "data", "left")

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.left = data, 0, MAX_VALUES

    def value(self, depth: int) -> Any:
        self.left -= 1
        if depth > MAX_DEPTH or self.left < 0:
            raise PhpError("too deep" if depth > MAX_DEPTH else "too many values", self.at)
        plain = _PLAIN.match(self.data, self.at)
        if plain is not None:
            self.at = plain.end()
            return self._plain(plain)
        kind = self.data[self.at : self.at + 2]
        self.at += 2
        if kind == b"s:":
            text = self._octets()
            self._take(b";")
            return text
        if kind == b"E:":
            text = self._octets()
            self._take(b";")
            return text
        if kind == b"a:":
            return self._members(depth)
        if kind == b"O:":
            name = self._name()
            return Thing(name, {_bare(key): value for key, value in self._members(depth).items()})
        if kind == b"C:":
            name = self._name()
            return Thing(name, raw=self._octets(b"{", b"}"))
        raise PhpError("no value", self.at - 2)

    def _plain(self, found: re.Match[bytes]) -> Any:
        kind, text = found.group(1), found.group(2)
        if kind is None or kind in b"rR":
            return None
        try:
            if kind == b"d":
                return float(text)
            if _INTEGER.fullmatch(text) is None:
                raise ValueError
            return bool(int(text)) if kind == b"b" else int(text)
        except ValueError:
            raise PhpError("no number", found.start()) from None

    def _members(self, depth: int) -> dict[Any, Any]:
        count = self._length()
        self._take(b"{")
        members = {}
        for _ in range(count):
            at = self.at
            key = self.value(depth + 1)
            if isinstance(key, bool) or not isinstance(key, int | bytes):
                raise PhpError("no key", at)
            members[key] = self.value(depth + 1)
        self._take(b"}")
        return members

    def _name(self) -> str:
        name = self._octets().decode("latin-1")
        self._take(b":")
        return name

    def _octets(self, before: bytes = b'"', after: bytes = b'"') -> bytes:
        length = self._length()
        self._take(before)
        start, self.at = self.at, self.at + length
        if self.at > len(self.data):
            raise PhpError("cut off", start)
        self._take(after)
        return self.data[start : start + length]

    def _length(self) -> int:
        found = _LENGTH.match(self.data, self.at)
        if found is None:
            raise PhpError("no length", self.at)
        self.at = found.end()
        return int(found.group(1))

    def _take(self, wanted: bytes) -> None:
        if not self.data.startswith(wanted, self.at):
            raise PhpError(f"no {wanted.decode()}", self.at)
        self.at += len(wanted)


def _bare(key: Any) -> Any:
    """Members that others may not see have NUL, the class or *, and NUL before their names."""
    if isinstance(key, bytes) and key.startswith(b"\0"):
        return key.rpartition(b"\0")[2]
    return key

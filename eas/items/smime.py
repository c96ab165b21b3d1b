"""What an opaque-signed S/MIME message says: the content within its PKCS #7 object. Pure; nothing is verified.

Only as much of BER is read as stands around that content. Mail programs write it in DER, and in pieces of unknown
length (OpenSSL's streaming, Outlook). RFC 5652 sections 3 and 5; RFC 8551 section 3.5.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

#: The object identifiers of SignedData and of Data, as BER has them.
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_DATA = bytes.fromhex("2a864886f70d010701")

_SEQUENCE, _OBJECT_ID, _OCTETS, _OCTETS_IN_PIECES, _EXPLICIT_0 = 0x30, 0x06, 0x04, 0x24, 0xA0
#: Values within each other down to the content: nine in pieces of pieces.
_MAX_DEPTH = 12


class _NotBer(ValueError):
    pass


@dataclass(frozen=True, slots=True)
class _Value:
    """`start` and `end` bound the content; `next` is where what follows begins."""

    tag: int
    start: int
    end: int
    next: int


def signed_content(data: bytes) -> bytes | None:
    """The signed octets, which are a MIME entity; None for anything else (encrypted, signed apart, damaged)."""
    try:
        info = _children(data, _value(data, 0, len(data), 0), 0)
        if not _names(data, info, _SIGNED_DATA):
            return None
        signed = _children(data, _only(data, info[1]), 0)
        content = next((_children(data, value, 0) for value in signed if value.tag == _SEQUENCE), [])
        if not _names(data, content, _DATA):
            return None
        return b"".join(_octets(data, _only(data, content[1]), 0))
    except (_NotBer, IndexError):
        return None


def _names(data: bytes, values: list[_Value], identifier: bytes) -> bool:
    """Whether these are an object identifier and its [0]."""
    if len(values) < 2 or (values[0].tag, values[1].tag) != (_OBJECT_ID, _EXPLICIT_0):
        return False
    return data[values[0].start : values[0].end] == identifier


def _only(data: bytes, value: _Value) -> _Value:
    inner = _children(data, value, 0)
    if not inner:
        raise _NotBer
    return inner[0]


def _octets(data: bytes, value: _Value, depth: int) -> Iterator[bytes]:
    if value.tag == _OCTETS:
        yield data[value.start : value.end]
    elif value.tag == _OCTETS_IN_PIECES and depth < _MAX_DEPTH:
        for piece in _children(data, value, depth + 1):
            yield from _octets(data, piece, depth + 1)
    else:
        raise _NotBer


def _children(data: bytes, value: _Value, depth: int) -> list[_Value]:
    found: list[_Value] = []
    at = value.start
    while at < value.end:
        found.append(_value(data, at, value.end, depth))
        at = found[-1].next
    return found


def _value(data: bytes, at: int, end: int, depth: int) -> _Value:
    """Raises _NotBer."""
    if at + 2 > end or depth > _MAX_DEPTH:
        raise _NotBer
    tag, length = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:
        raise _NotBer  # tags of several octets do not occur here
    start = at + 2
    if length == 0x80:
        return _indefinite(data, tag, start, end, depth)
    if length > 0x80:
        count = length & 0x7F
        if count > 4 or start + count > end:
            raise _NotBer
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > end:
        raise _NotBer
    return _Value(tag, start, start + length, start + length)


def _indefinite(data: bytes, tag: int, start: int, end: int, depth: int) -> _Value:
    """A value that ends with two zeros behind its last child."""
    at = start
    while data[at : at + 2] != b"\0\0":
        at = _value(data, at, end, depth + 1).next
    return _Value(tag, start, at, at + 2)

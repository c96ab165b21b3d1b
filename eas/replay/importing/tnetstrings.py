"""Tagged netstrings: `12:the content:,`. What mitmproxy's flow files are made of, https://tnetstrings.info."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Containers inside each other. A flow has five.
MAX_DEPTH = 32


class TnetstringError(ValueError):
    """`offset` is that of the value within what was read."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message}, at byte {offset}")
        self.offset = offset


def loads(kind: int, data: bytes) -> Any:
    """One value from its type's byte and its content. Raises TnetstringError, and nothing else."""
    return _value(kind, memoryview(data), 0, 0)


def _value(kind: int, data: memoryview, offset: int, depth: int) -> Any:
    if kind in b"]}":
        if depth >= MAX_DEPTH:
            raise TnetstringError("too deep", offset)
        values = _values(data, offset, depth + 1)
        return values if kind == ord("]") else _dictionary(values, offset)
    read = _SCALARS.get(kind)
    if read is None:
        raise TnetstringError(f"no type {bytes([kind])!r}", offset)
    try:
        return read(bytes(data))
    except ValueError:
        raise TnetstringError(f"a value that is none of type {chr(kind)!r}", offset) from None


def _values(data: memoryview, offset: int, depth: int) -> list[Any]:
    found = []
    at = 0
    while at < len(data):
        length, start = _length(data, at, offset)
        end = start + length
        if end >= len(data):
            raise TnetstringError("a value that is longer than what holds it", offset + at)
        found.append(_value(data[end], data[start:end], offset + start, depth))
        at = end + 1
    return found


def _length(data: memoryview, at: int, offset: int) -> tuple[int, int]:
    head = bytes(data[at : at + 13])
    digits, colon, _ = head.partition(b":")
    if not colon or not digits.isdigit():
        raise TnetstringError("no length", offset + at)
    return int(digits), at + len(digits) + 1


def _dictionary(values: list[Any], offset: int) -> dict[str, Any]:
    if len(values) % 2:
        raise TnetstringError("a key without a value", offset)
    found = {}
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(key, str | bytes):
            raise TnetstringError("a key that is no text", offset)
        # Older files have bytes for keys.
        found[key.decode("utf-8", "replace") if isinstance(key, bytes) else key] = value
    return found


def _boolean(data: bytes) -> bool:
    if data not in (b"true", b"false"):
        raise ValueError
    return data == b"true"


def _null(data: bytes) -> None:
    if data:
        raise ValueError


def _integer(data: bytes) -> int:
    if len(data) > 30:
        raise ValueError
    return int(data)


_SCALARS: dict[int, Callable[[bytes], Any]] = {
    ord(","): bytes, ord(";"): bytes.decode, ord("#"): _integer, ord("^"): float, ord("!"): _boolean, ord("~"): _null,
}

"""Writes what PHP's serialize() would, for samples and for fuzzing."""

from __future__ import annotations

from typing import Any

from eas.admin.move_in.php import Thing


def dump(value: Any) -> bytes:
    """None, bool, int, float, bytes, str, dict, list and Thing (with `raw` as C:, else as O:)."""
    match value:
        case None:
            return b"N;"
        case bool():
            return b"b:%d;" % value
        case int():
            return b"i:%d;" % value
        case float():
            return b"d:%s;" % repr(value).encode()
        case str():
            return dump(value.encode())
        case bytes():
            return b's:%d:"%s";' % (len(value), value)
        case list():
            return dump(dict(enumerate(value)))
        case dict():
            return b"a:" + _members(value)
        case Thing(name=name, raw=raw) if raw:
            return b'C:%d:"%s":%d:{%s}' % (len(name), name.encode(), len(raw), raw)
        case Thing(name=name, members=members):
            return b'O:%d:"%s":' % (len(name), name.encode()) + _members(members)
    raise TypeError(type(value))


def _members(values: dict[Any, Any]) -> bytes:
    return b"%d:{%s}" % (len(values), b"".join(dump(key) + dump(member) for key, member in values.items()))


def state(name: str, data: dict[str, Any], *, own_form: bool) -> Thing:
    """A state object of Z-Push: as it writes itself (older releases), or as its parts (newer ones)."""
    parts = {0: "3f2a91c07d15", 1: data}
    return Thing(name, raw=dump(parts)) if own_form else Thing(name, parts)

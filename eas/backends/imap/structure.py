"""BODYSTRUCTURE -> Part, as `items.mimescan` makes it of the message itself. RFC 3501, FETCH Response.

Differences that remain: the size of a multipart is not told (0), nor is any offset (-1). us-ascii counts as no charset,
since servers say it where the message says nothing. Broken messages are read by each server in its own way: see
`empty`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from eas.items import headers
from eas.items.mimescan import MAX_DEPTH, MAX_PARTS
from eas.items.native import Part

from .syntax import ImapSyntaxError, Node

#: Fields of a part that is not multipart, in their order.
_TYPE, _SUBTYPE, _PARAMS, _ID, _DESCRIPTION, _ENCODING, _SIZE, _MORE = range(8)
#: Extension fields, counted from the first one of a single part; multiparts have no MD5.
_MD5, _DISPOSITION, _LANGUAGE, _LOCATION = range(4)
_MESSAGES = frozenset(("message/rfc822", "message/global"))


def part(node: Node) -> Part:
    """The tree of a message. Raises ImapSyntaxError for what cannot be one."""
    return _Reader().read(node, "", 0, 0)


def empty(root: Part) -> bool:
    """A multipart in which the server found no text: its boundaries are wrong, perhaps, and `mimescan` of the whole
    message finds more."""
    return root.type.startswith("multipart/") and all(
        empty(child) if child.children or child.type.startswith("multipart/") else not child.size
        for child in root.children
    )


class _Reader:
    def __init__(self) -> None:
        self._parts = 0

    def read(self, node: Node, section: str, index: int, depth: int) -> Part:
        """`index` 0 is a root: of the message, or of one enclosed in `section`."""
        self._parts += 1
        if self._parts > MAX_PARTS or depth >= MAX_DEPTH:
            raise ImapSyntaxError("a message has too many parts")
        if not isinstance(node, list) or not node:
            raise ImapSyntaxError("a part is no list")
        if isinstance(node[0], list):
            return self._multipart(node, section, index, depth)
        return self._single(node, section, index, depth)

    def _multipart(self, node: list[Node], section: str, index: int, depth: int) -> Part:
        count = next((at for at, child in enumerate(node) if not isinstance(child, list)), len(node))
        numbered = f"{section}.{index}" if section and index else str(index) if index else section
        rest = node[count + 1 :]
        disposition, given = _disposition(rest, _DISPOSITION)
        params = _params(rest[0]) if rest else _NONE
        return Part(
            # The root of an enclosed message has no number of its own.
            section=numbered if index or not section else f"{section}.TEXT",
            type=f"multipart/{_word(node[count]) if count < len(node) else 'mixed'}",
            size=0,
            params=params,
            disposition=disposition,
            filename=given.get("filename") or params.get("name", ""),
            location=_location(rest, _LOCATION),
            children=tuple([self.read(child, numbered, at, depth + 1) for at, child in enumerate(node[:count], 1)]),
        )

    def _single(self, node: list[Node], section: str, index: int, depth: int) -> Part:
        if len(node) < _MORE:
            raise ImapSyntaxError("a part has too few fields")
        number = index or 1
        section = f"{section}.{number}" if section else str(number)
        kind, subtype, size = _word(node[_TYPE]), _word(node[_SUBTYPE]), node[_SIZE]
        media = f"{kind}/{subtype}" if kind and subtype else "text/plain"
        more, subject = _MORE, b""
        children: tuple[Part, ...] = ()
        if media in _MESSAGES and len(node) > _MORE + 1 and isinstance(node[_MORE], list):
            more += 3
            children = (self.read(node[_MORE + 1], section, 0, depth + 1),)
            subject = _octets(node[_MORE], 1)
        elif kind == "text" and len(node) > _MORE and _is_number(node[_MORE]):
            more += 1
        params = _params(node[_PARAMS])
        disposition, location, filename = "", "", params.get("name", "")
        if len(node) > more + 1:
            disposition, given = _disposition(node, more + _DISPOSITION)
            filename = given.get("filename") or filename
            location = _location(node, more + _LOCATION)
        return Part(
            section=section,
            type=media,
            size=int(size) if isinstance(size, bytes) and _is_number(size) else 0,
            encoding=_word(node[_ENCODING]).partition(";")[0].strip() or "7bit",
            params=params,
            disposition=disposition,
            filename=filename or (headers.text(subject) if subject else ""),
            content_id=headers.text(_octets(node, _ID)).strip("<> \t") if node[_ID] else "",
            location=location,
            children=children,
        )


def _is_number(node: Node) -> bool:
    return isinstance(node, bytes) and node.isdigit() and len(node) < 20


def _word(node: Node) -> str:
    return _known_word(node) if isinstance(node, bytes) else ""


@lru_cache(maxsize=512)
def _known_word(word: bytes) -> str:
    return word.lower().decode("ascii", "replace")


def _octets(node: Node, at: int) -> bytes:
    found = node[at] if isinstance(node, list) and len(node) > at else None
    return found if isinstance(found, bytes) else b""


def _pairs(node: Node) -> Iterator[tuple[bytes, bytes]]:
    if isinstance(node, list):
        for name, value in zip(node[::2], node[1::2], strict=False):
            if isinstance(name, bytes):
                yield name, value if isinstance(value, bytes) else b""


def _params(node: Node) -> Mapping[str, str]:
    """Shared between parts: not to be changed."""
    return _known_params(tuple(_pairs(node))) if node else _NONE


_NONE: Mapping[str, str] = MappingProxyType({})


@lru_cache(maxsize=1024)
def _known_params(pairs: tuple[tuple[bytes, bytes], ...]) -> Mapping[str, str]:
    return parameters(pairs)


def parameters(pairs: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """As `items.headers` reads them."""
    found = headers.parameters(pairs)
    if found.get("charset", "").lower() == "us-ascii":
        del found["charset"]
    return found


def _disposition(node: list[Node], at: int) -> tuple[str, Mapping[str, str]]:
    found = node[at] if len(node) > at else None
    if found is None:
        return "", _NONE
    if isinstance(found, list) and found:
        return _word(found[0]).strip(), _params(found[1]) if len(found) > 1 else _NONE
    return _word(found).strip(), _NONE


def _location(node: list[Node], at: int) -> str:
    found = _octets(node, at)
    return headers.text(found) if found else ""

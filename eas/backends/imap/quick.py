"""The usual forms of FETCH and BODYSTRUCTURE read straight from the octets, at a third of what a tree costs.

Everything here gives up (None, or -1) on anything that is not of such a form: a backslash in a string, a parenthesis in
a parameter, an extension, a literal in a structure. Then `responses` and `structure` read it in the general way, whose
result this equals where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from eas.items import headers
from eas.items.mimescan import MAX_DEPTH, MAX_PARTS
from eas.items.native import Part

from .structure import parameters

_WORD = rb'"([^"\\]*+)"'
_STRING = rb'(NIL|"[^"\\]*+")'
#: With its parentheses. Quotes come in pairs; what is between them holds no parenthesis.
_PARAMS = rb'(NIL|\((?:"[^"\\()]*+" "[^"\\()]*+" ?)++\))'
_DISPOSITION = rb'(?:NIL|\("([^"\\]*+)" %b\))' % _PARAMS
_LANGUAGE = rb'(?:NIL|"[^"\\]*+")'
#: Of text, and of what is neither text nor a message: with the line count that text has, or without it.
_LEAF = re.compile(
    rb"\(%b %b %b %b %b %b ([0-9]{1,18}+)(?: [0-9]{1,18}+)?(?: (?:NIL|%b)(?: %b(?: %b(?: %b)?)?)?)?\)"
    % (_WORD, _WORD, _PARAMS, _STRING, _LANGUAGE, _WORD, rb'"[^"\\]*+"', _DISPOSITION, _LANGUAGE, _STRING)
)
#: The end of a multipart, behind its parts.
_TAIL = re.compile(rb" %b(?: %b(?: %b(?: %b(?: %b)?)?)?)?\)" % (_WORD, _PARAMS, _DISPOSITION, _LANGUAGE, _STRING))
_PAIR = re.compile(rb'"([^"]*)" "([^"]*)"')
_NONE: Mapping[str, str] = MappingProxyType({})


@lru_cache(maxsize=1024)
def _params(raw: bytes) -> Mapping[str, str]:
    return parameters(_PAIR.findall(raw))


@lru_cache(maxsize=512)
def _lower(word: bytes) -> str:
    return word.lower().decode("ascii", "replace")


@lru_cache(maxsize=512)
def _encoding(word: bytes) -> str:
    return _lower(word).partition(";")[0].strip() or "7bit"


def structure(data: bytes, at: int) -> tuple[Part | None, int]:
    """The structure that stands there, and where it ends; -1 if it is not of the usual form."""
    if data.startswith(b"((", at):
        return _multipart(data, at, "", 0)
    return _leaf(data, at, "1")


def _multipart(data: bytes, at: int, section: str, depth: int) -> tuple[Part | None, int]:
    children: list[Part] = []
    at += 1
    while data.startswith(b"(", at):
        number = len(children) + 1
        if number > MAX_PARTS or depth >= MAX_DEPTH:
            return None, -1
        inner = f"{section}.{number}" if section else str(number)
        if data.startswith(b"((", at):
            child, at = _multipart(data, at, inner, depth + 1)
        else:
            child, at = _leaf(data, at, inner)
        if child is None:
            return None, -1
        children.append(child)
    tail = _TAIL.match(data, at)
    # How many parts there are in all is for the general way to count.
    if tail is None or len(children) * (depth + 1) > MAX_PARTS // 10:
        return None, -1
    subtype, raw_params, disposition, raw_given, location = tail.groups()
    params = _params(raw_params) if raw_params and raw_params != b"NIL" else _NONE
    given = _params(raw_given) if raw_given and raw_given != b"NIL" else _NONE
    return Part(
        section=section,
        type=f"multipart/{_lower(subtype)}",
        size=0,
        params=params,
        disposition=_lower(disposition).strip() if disposition else "",
        filename=given.get("filename") or params.get("name", ""),
        location=headers.text(location[1:-1]) if location and location != b"NIL" else "",
        children=tuple(children),
    ), tail.end()


def _leaf(data: bytes, at: int, section: str) -> tuple[Part | None, int]:
    found = _LEAF.match(data, at)
    if found is None:
        return None, -1
    kind, subtype, raw_params, content_id, encoding, size, disposition, raw_given, location = found.groups()
    media = _media(kind, subtype)
    if not media:
        return None, -1
    params = _NONE if raw_params == b"NIL" else _params(raw_params)
    filename = params.get("name", "") if params else ""
    if raw_given and raw_given != b"NIL":
        filename = _params(raw_given).get("filename") or filename
    return Part(
        section=section,
        type=media,
        size=int(size),
        encoding=_encoding(encoding),
        params=params,
        disposition=_lower(disposition).strip() if disposition else "",
        filename=filename,
        content_id="" if content_id == b"NIL" else headers.text(content_id[1:-1]).strip("<> \t"),
        location=headers.text(location[1:-1]) if location and location != b"NIL" else "",
    ), found.end()


@lru_cache(maxsize=512)
def _media(kind: bytes, subtype: bytes) -> str:
    """"" for what has more fields, or a type that says nothing."""
    major, minor = _lower(kind), _lower(subtype)
    return f"{major}/{minor}" if major and minor and major not in ("message", "multipart") else ""


_ITEM = re.compile(
    rb"(?:UID ([1-9][0-9]{0,18}+)|FLAGS \(([^()\"{]*+)\)|INTERNALDATE \"([^\"\\]*+)\"|RFC822\.SIZE ([0-9]{1,18}+)"
    rb"|MODSEQ \(([0-9]{1,19}+)\)|(BODYSTRUCTURE) (?=\()"
    rb"|BODY\[([A-Z0-9.]*+(?: \([A-Za-z0-9 -]*+\))?)\](?:<[0-9]++>)? \Z) ?"
)
#: Groups of _ITEM.
_STRUCTURE, _CONTENT = 6, 7
_START = re.compile(rb"\* [0-9]++ FETCH \(")


@lru_cache(maxsize=256)
def _section(raw: bytes) -> str:
    return raw.decode("ascii").upper()


Items = tuple[int, bytes | None, int, bytes | None, int | None, Part | None, dict[str, bytes]]


def fetched(segments: list[bytes]) -> Items | None:
    """UID, flags, MODSEQ, date, size, structure, sections of a FETCH with the usual items in any order; None if it has
    others. `segments` as from `Framer.next`."""
    told: list[bytes | None] = [None] * 6
    body: Part | None = None
    sections: dict[str, bytes] = {}
    match = _ITEM.match
    start = _START.match(segments[0])
    if start is None:
        return None
    at, last = start.end(), len(segments) - 1
    for index in range(0, last + 1, 2):
        data = segments[index]
        if index:
            at = 1 if data.startswith(b" ") else 0
        end = len(data) - (index == last)
        while at < end:
            item = match(data, at)
            if item is None:
                return None
            at = item.end()
            which = item.lastindex or 0
            if which == _CONTENT:
                if index == last:
                    return None
                sections[_section(item[which])] = segments[index + 1]
            elif which == _STRUCTURE:
                body, at = structure(data, at)
                if body is None:
                    return None
                at += data.startswith(b" ", at)
            else:
                told[which] = item[which]
    if told[1] is None or not segments[last].endswith(b")") or len(sections) * 2 != last:
        return None
    _, uid, flags, date, size, modseq = told
    return int(uid or 0), flags, int(modseq or 0), date, None if size is None else int(size), body, sections

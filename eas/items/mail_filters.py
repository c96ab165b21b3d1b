"""Mail filters as their owners know them: if a new message is like this, do that. Values, checks, JSON, and what
becomes of a message. Pure.

One value for every backend: written as a Sieve script (eas.backends.sieve.rules) where there is a server for it,
carried out at delivery by `judged` in the embedded groupware. What is said here of conditions and actions holds for
both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from eas.items import headers
from eas.items.native import Part

MAX_FILTERS, MAX_CONDITIONS, MAX_ACTIONS = 100, 20, 10
#: Characters of a name or of what is looked for.
MAX_TEXT = 300
#: So many addresses one message is forwarded to at most; Pigeonhole allows four unless it is told otherwise.
MAX_FORWARDS = 4
#: Kilobytes (of 1,024 octets) that a size is compared with.
MAX_KILOBYTES = 1 << 20


class Field(StrEnum):
    """What a condition looks at. RECIPIENT is To or Cc, HEADER any field by its name, TEXT what is written inside."""

    FROM = "from"
    TO = "to"
    CC = "cc"
    RECIPIENT = "recipient"
    SUBJECT = "subject"
    HEADER = "header"
    TEXT = "text"
    SIZE = "size"
    ATTACHMENT = "attachment"


class Match(StrEnum):
    """How. Each but the last four has its opposite."""

    CONTAINS = "contains"
    CONTAINS_NOT = "contains-not"
    IS = "is"
    IS_NOT = "is-not"
    BEGINS = "begins"
    BEGINS_NOT = "begins-not"
    ENDS = "ends"
    ENDS_NOT = "ends-not"
    OVER = "over"
    UNDER = "under"
    THERE = "there"
    MISSING = "missing"


class Do(StrEnum):
    """In the order in which they are carried out. DELETE is for good, STOP: no later filter is asked."""

    READ = "read"
    FLAG = "flag"
    COPY = "copy"
    FORWARD = "forward"
    MOVE = "move"
    DELETE = "delete"
    STOP = "stop"


#: The opposite -> what it is the opposite of.
OPPOSITES: Mapping[Match, Match] = {
    Match.CONTAINS_NOT: Match.CONTAINS, Match.IS_NOT: Match.IS, Match.BEGINS_NOT: Match.BEGINS,
    Match.ENDS_NOT: Match.ENDS, Match.MISSING: Match.THERE,
}

_WORDS = (
    Match.CONTAINS, Match.CONTAINS_NOT, Match.IS, Match.IS_NOT, Match.BEGINS, Match.BEGINS_NOT, Match.ENDS,
    Match.ENDS_NOT,
)
#: How each field can be looked at.
MATCHES: Mapping[Field, tuple[Match, ...]] = {
    **dict.fromkeys((Field.FROM, Field.TO, Field.CC, Field.RECIPIENT, Field.SUBJECT, Field.HEADER), _WORDS),
    Field.TEXT: (Match.CONTAINS, Match.CONTAINS_NOT),
    Field.SIZE: (Match.OVER, Match.UNDER),
    Field.ATTACHMENT: (Match.THERE, Match.MISSING),
}
#: Fields that hold people: but for CONTAINS it is their addresses that are compared, not their names.
PEOPLE: Mapping[Field, tuple[str, ...]] = {
    Field.FROM: ("from",), Field.TO: ("to",), Field.CC: ("cc",), Field.RECIPIENT: ("to", "cc"),
}
#: What an action is done to.
TO_FOLDER = frozenset({Do.MOVE, Do.COPY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`value` is the text looked for, or kilobytes; "" for ATTACHMENT. `header` is the name of a HEADER's field. Case
    does not count."""

    field: Field
    match: Match
    value: str = ""
    header: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`value` is the folder as the backend names it (`engine.ports.Filters`), or an address; "" for the others."""

    do: Do
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """`every`: all conditions must hold, else one of them; without any it is for every message."""

    name: str
    on: bool = True
    every: bool = True
    conditions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()

    def in_order(self) -> list[Action]:
        order = list(Do)
        return sorted(self.actions, key=lambda action: order.index(action.do))


# --- Checks -----------------------------------------------------------------------------------------------------------

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
#: RFC 5322 ftext; longer names there are none.
_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}", re.ASCII)
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?", re.ASCII)


def faults(filters: Sequence[Filter]) -> list[str]:
    """What is wrong with them, in words for their owner; [] if nothing is."""
    found = [f"there are more than {MAX_FILTERS} filters"] if len(filters) > MAX_FILTERS else []
    for one in filters:
        called = f"filter “{one.name}”" if one.name else "a filter without a name"
        found += [f"{called}: {fault}" for fault in _faults(one)]
    return found


def _faults(one: Filter) -> Iterator[str]:
    if not one.name.strip():
        yield "give it a name"
    yield from _text_faults("the name", one.name)
    if not one.actions:
        yield "say what is to be done"
    if len(one.conditions) > MAX_CONDITIONS:
        yield f"more than {MAX_CONDITIONS} conditions"
    if len(one.actions) > MAX_ACTIONS:
        yield f"more than {MAX_ACTIONS} actions"
    for condition in one.conditions:
        yield from _condition_faults(condition)
    for action in one.actions:
        yield from _action_faults(action)
    done = {action.do for action in one.actions}
    if {Do.MOVE, Do.DELETE} <= done:
        yield "a message that is deleted cannot be moved as well"
    if sum(action.do is Do.MOVE for action in one.actions) > 1:
        yield "a message can be moved to one folder only (but copied to others)"
    if sum(action.do is Do.FORWARD for action in one.actions) > MAX_FORWARDS:
        yield f"a message can be forwarded to {MAX_FORWARDS} addresses at most"


def _condition_faults(one: Condition) -> Iterator[str]:
    if one.match not in MATCHES[one.field]:
        yield f"{one.field} cannot be compared by {one.match}"
    if (one.field is Field.HEADER) != bool(one.header):
        yield "the name of the header field is missing"
    elif one.header and not _FIELD_NAME.fullmatch(one.header):
        yield f"“{one.header}” is no name of a header field"
    if one.field is Field.SIZE:
        if not (one.value.isascii() and one.value.isdigit() and 0 < int(one.value) <= MAX_KILOBYTES):
            yield f"the size is a whole number of kilobytes, up to {MAX_KILOBYTES}"
    elif one.field is Field.ATTACHMENT:
        if one.value:
            yield "an attachment is there or not"
    elif not one.value.strip():
        yield "say which text to look for"
    yield from _text_faults("the text", one.value)


def _action_faults(one: Action) -> Iterator[str]:
    if one.do in TO_FOLDER and not one.value:
        yield "choose a folder"
    elif one.do is Do.FORWARD and not _ADDRESS.fullmatch(one.value):
        yield f"“{one.value}” is no mail address" if one.value else "say to which address to forward"
    elif one.value and one.do not in (*TO_FOLDER, Do.FORWARD):
        yield f"{one.do} needs nothing else"
    yield from _text_faults("the folder", one.value)


def _text_faults(what: str, text: str) -> Iterator[str]:
    if len(text) > MAX_TEXT:
        yield f"{what} has more than {MAX_TEXT} characters"
    if _CONTROL.search(text):
        yield f"{what} has characters that cannot be typed"


# --- JSON -------------------------------------------------------------------------------------------------------------


def dump(filters: Sequence[Filter]) -> str:
    """ASCII."""
    return json.dumps({"v": 1, "filters": [_dumped(one) for one in filters]}, separators=(",", ":"))


def _dumped(one: Filter) -> dict[str, Any]:
    return {
        "name": one.name, "on": one.on, "every": one.every,
        "if": [[c.field.value, c.match.value, c.value, *([c.header] if c.header else [])] for c in one.conditions],
        "do": [[a.do.value, *([a.value] if a.value else [])] for a in one.actions],
    }


def load(text: str) -> tuple[Filter, ...]:
    """"" is none. Raises ValueError for what is not ours, or of a later release."""
    if not text:
        return ()
    try:
        value = json.loads(text)
        if value["v"] != 1:
            raise ValueError(f"filters of version {value['v']}")
        found = tuple(_loaded(one) for one in value["filters"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no filters: {error!r}") from error
    if wrong := faults(found):
        raise ValueError(wrong[0])
    return found


def _loaded(one: Mapping[str, Any]) -> Filter:
    flags = (one["on"], one["every"])
    pieces = [one["name"], *(text for row in (*one["if"], *one["do"]) for text in row)]
    if not all(isinstance(flag, bool) for flag in flags) or not all(isinstance(piece, str) for piece in pieces):
        raise ValueError("values of another kind")
    return Filter(
        name=one["name"], on=one["on"], every=one["every"],
        conditions=tuple(
            Condition(field=Field(of), match=Match(match), value=value, header=rest[0] if rest else "")
            for of, match, value, *rest in one["if"]
        ),
        actions=tuple(Action(do=Do(do), value=rest[0] if rest else "") for do, *rest in one["do"]),
    )


# --- What becomes of a message ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Marks:
    read: bool = False
    flagged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`folders` by their names, each with the marks that were made before; `inbox` None: it is not put there. `names`
    are those of the filters that it met."""

    folders: Mapping[str, Marks] = field(default_factory=dict)
    inbox: Marks | None = Marks()
    forward: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Letter:
    """A message as filters see it: its header block, its size in octets, its parts (None: unreadable). `written` gives
    the text inside, and is asked only if a filter wants it."""

    header: bytes
    size: int
    structure: Callable[[], Part | None]
    written: Callable[[], str]

    @cached_property
    def fields(self) -> Mapping[bytes, bytes]:
        return headers.parse(self.header)

    @cached_property
    def text(self) -> str:
        return _folded(self.written())

    @cached_property
    def attached(self) -> bool:
        root = self.structure()
        return root is not None and any(is_attached(part) for part in _parts(root))

    def addresses(self, name: str) -> list[str]:
        found = headers.addresses(self.fields.get(name.encode(), b""))
        return [_folded(one.address) for _, one in zip(range(_ADDRESSES), found, strict=False)]

    def lines(self, name: str) -> list[str]:
        """What stands in all header fields of a name."""
        wanted = name.lower().encode("ascii", "replace")
        if wanted not in self.fields:
            return []
        return [_folded(headers.text(value)) for value in headers.every(self.header, wanted)]


#: Addresses of one field that are looked at.
_ADDRESSES = 1000


def is_attached(part: Part) -> bool:
    """What is sent to be saved, and PDFs, which some programs send to be looked at."""
    return part.disposition.lower() == "attachment" or part.type == "application/pdf"


def _parts(root: Part) -> Iterator[Part]:
    """Not those of a message inside."""
    yield root
    if not root.type.startswith("message/"):
        for child in root.children:
            yield from _parts(child)


def judged(filters: Sequence[Filter], letter: Letter) -> Verdict:
    """As a Sieve server would do it."""
    folders: dict[str, Marks] = {}
    forward: dict[str, None] = {}
    marks, kept, names = Marks(), True, []
    for one in filters:
        if not one.on or not holds(one, letter):
            continue
        names.append(one.name)
        for action in one.in_order():
            match action.do:
                case Do.READ:
                    marks = Marks(True, marks.flagged)
                case Do.FLAG:
                    marks = Marks(marks.read, True)
                case Do.COPY | Do.MOVE:
                    folders.setdefault(action.value, marks)
                    kept = kept and action.do is Do.COPY
                case Do.FORWARD:
                    forward[action.value] = None
                case Do.DELETE:
                    kept = False
                case Do.STOP:
                    break
        if any(action.do is Do.STOP for action in one.actions):
            break
    return Verdict(
        folders=folders, inbox=marks if kept else None, forward=tuple(forward)[:MAX_FORWARDS], names=tuple(names)
    )


def holds(one: Filter, letter: Letter) -> bool:
    if not one.conditions:
        return True
    return (all if one.every else any)(_holds(condition, letter) for condition in one.conditions)


def _holds(one: Condition, letter: Letter) -> bool:
    if one.match in OPPOSITES:
        return not _is_so(one, OPPOSITES[one.match], letter)
    return _is_so(one, one.match, letter)


def _is_so(one: Condition, match: Match, letter: Letter) -> bool:
    match one.field:
        case Field.SIZE:
            octets = int(one.value) << 10
            return letter.size > octets if match is Match.OVER else letter.size < octets
        case Field.ATTACHMENT:
            return letter.attached
        case Field.TEXT:
            return _folded(one.value) in letter.text
    return any(_COMPARE[match](said, _folded(one.value)) for said in _said(one, match, letter))


def _said(one: Condition, match: Match, letter: Letter) -> Iterator[str]:
    if one.field in PEOPLE:
        for name in PEOPLE[one.field]:
            yield from letter.lines(name) if match is Match.CONTAINS else letter.addresses(name)
    else:
        yield from letter.lines("subject" if one.field is Field.SUBJECT else one.header)


_COMPARE: Mapping[Match, Callable[[str, str], bool]] = {
    Match.CONTAINS: lambda said, wanted: wanted in said,
    Match.IS: lambda said, wanted: said == wanted,
    Match.BEGINS: lambda said, wanted: said.startswith(wanted),
    Match.ENDS: lambda said, wanted: said.endswith(wanted),
}


def _folded(text: str) -> str:
    """Spaces count as one, those at the ends not at all."""
    return " ".join(text.casefold().split())

"""What a server says, as values: octets in, responses out. RFC 3501, Server Responses, and the extensions we use.

    Said       OK, NO, BAD, BYE or PREAUTH, tagged or not, with its response code
    Go         a continuation request
    Fetched, Listed, Status ...   of `model`, where a command asked for them
    bytes      a piece of a literal that is passed on while it comes (see `Framer.pass_from`)

What is unknown becomes Other and is nobody's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from eas.items.native import Part

from . import names, quick, spans, structure
from .model import Fetched, Listed, Spans, Status
from .syntax import ImapSyntaxError, Node, number, tree


@dataclass(frozen=True, slots=True)
class Said:
    """A condition. `tag` is "*" for an untagged one. `code` is upper case, "" for none, `args` what follows it."""

    tag: str
    kind: str
    code: str = ""
    args: bytes = b""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Go:
    """`+`: go on. SASL's challenges stand in the text."""

    text: bytes = b""


@dataclass(frozen=True, slots=True)
class Exists:
    count: int


@dataclass(frozen=True, slots=True)
class Expunged:
    """By sequence number, so that it cannot be known which message it was."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Vanished:
    """`earlier`: they had gone before, and are not counted in EXISTS any more. RFC 7162."""

    uids: Spans
    earlier: bool = False


@dataclass(frozen=True, slots=True)
class FlagList:
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """Of SEARCH, or of ESEARCH with the tag that it answers."""

    uids: Spans
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """STATUS of a mailbox."""

    name: str
    status: Status


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A line of LSUB."""

    name: str
    attributes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Words:
    """CAPABILITY or ENABLED, in upper case."""

    kind: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Namespaces:
    """(prefix, delimiter) of the personal ones, those of other users, and the shared ones. RFC 2342."""

    personal: tuple[tuple[str, str], ...]
    other: tuple[tuple[str, str], ...]
    shared: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Rights:
    name: str
    rights: str


@dataclass(frozen=True, slots=True)
class Other:
    kind: str


Untagged = (
    Said | Go | Fetched | Exists | Expunged | Vanished | FlagList | Found | Counted | Listed | Subscribed | Words
    | Namespaces | Rights | Other
)  # fmt: skip

#: No sections were told: nothing of the content at all, or something else of it (a date, a structure).
UNTOLD: Mapping[str, bytes] = MappingProxyType({})
TOLD: Mapping[str, bytes] = MappingProxyType({})

# --- One response -----------------------------------------------------------------------------------------------------

_HEAD = re.compile(rb"([^ ]+) (?:([0-9]{1,19}) )?([^ ]+) ?")
_CONDITIONS = frozenset((b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"))
#: Keywords are allowed to hold "]", which only ends the code behind a parenthesis that was opened.
_CODE = re.compile(rb"\[([^\s\]]+)(?: (\(.*?\)|[^\]]*))?\] ?", re.DOTALL)


def typed(segments: list[bytes]) -> Untagged:
    """One response as the framer gives it. Raises ImapSyntaxError."""
    line = segments[0]
    if line.startswith(b"+"):
        return Go(line[2:])
    head = _HEAD.match(line)
    if head is None:
        raise ImapSyntaxError(f"no response: {line[:40]!r}")
    tag, count, kind = head[1], head[2], head[3].upper()
    if kind in _CONDITIONS and count is None:
        return _said(tag, kind, line[head.end() :])
    if tag != b"*":
        raise ImapSyntaxError(f"no response: {line[:40]!r}")
    if count is not None:
        read_numbered = _NUMBERED.get(kind)
        return read_numbered(int(count), segments) if read_numbered else Other(_text(kind))
    read = _PLAIN.get(kind)
    return read(segments) if read else Other(_text(kind))


def _said(tag: bytes, kind: bytes, rest: bytes) -> Said:
    code = _CODE.match(rest)
    if code is None:
        return Said(_text(tag), _text(kind), text=_text(rest))
    return Said(_text(tag), _text(kind), _text(code[1]).upper(), code[2] or b"", _text(rest[code.end() :]))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _string(node: Node) -> bytes:
    """A mailbox or atom called NIL is taken for what it says."""
    if isinstance(node, list):
        raise ImapSyntaxError("a list where a string should be")
    return b"NIL" if node is None else node


def _list(node: Node) -> list[Node]:
    if isinstance(node, list):
        return node
    raise ImapSyntaxError("no list where one should be")


def _fields(segments: list[bytes], least: int) -> list[Node]:
    """What follows `* KIND`."""
    found = tree(segments)[2:]
    if len(found) < least:
        raise ImapSyntaxError(f"too short: {segments[0][:40]!r}")
    return found


def _spans(node: Node) -> Spans:
    try:
        return spans.parse(_string(node))
    except ValueError as error:
        raise ImapSyntaxError(str(error)) from error


def words(nodes: list[Node]) -> frozenset[str]:
    return frozenset([_text(_string(node)) for node in nodes])


def _listed(segments: list[bytes]) -> Listed:
    attributes, delimiter, name = _fields(segments, 3)[:3]
    return Listed(
        name=names.decoded(_string(name)),
        delimiter="" if delimiter is None else _text(_string(delimiter)),
        attributes=frozenset([word.lower() for word in words(_list(attributes))]),
    )


def _lsub(segments: list[bytes]) -> Subscribed:
    listed = _listed(segments)
    return Subscribed(listed.name, listed.attributes)


_STATUS_OF = {
    b"MESSAGES": "messages", b"UIDNEXT": "uid_next", b"UIDVALIDITY": "uid_validity", b"HIGHESTMODSEQ": "highest_modseq",
    b"UNSEEN": "unseen", b"SIZE": "size",
}  # fmt: skip


def _status(segments: list[bytes]) -> Counted:
    name, items = _fields(segments, 2)[:2]
    told: dict[str, int] = {}
    mailbox_id = ""
    given = _list(items)
    for key, value in zip(given[::2], given[1::2], strict=False):
        word = _string(key).upper()
        if word in _STATUS_OF:
            told[_STATUS_OF[word]] = number(value)
        elif word == b"MAILBOXID" and isinstance(value, list) and value:
            mailbox_id = _text(_string(value[0]))
    status = Status(
        messages=told.get("messages"), uid_next=told.get("uid_next"), uid_validity=told.get("uid_validity"),
        highest_modseq=told.get("highest_modseq"), unseen=told.get("unseen"), size=told.get("size"),
        mailbox_id=mailbox_id,
    )  # fmt: skip
    return Counted(names.decoded(_string(name)), status)


def _search(segments: list[bytes]) -> Found:
    listed = segments[0].partition(b"(")[0].split()[2:]
    try:
        return Found(spans.of(map(int, listed)))
    except ValueError as error:
        raise ImapSyntaxError("SEARCH with what is no number") from error


_NO_SPANS: Spans = ()


def _esearch(segments: list[bytes]) -> Found:
    fields = _fields(segments, 0)
    tag, uids = "", _NO_SPANS
    if fields and isinstance(fields[0], list):
        correlator = fields.pop(0)
        if isinstance(correlator, list) and len(correlator) > 1:
            tag = _text(_string(correlator[1]))
    if fields and fields[0] in (b"UID", b"uid"):
        fields.pop(0)
    for key, value in zip(fields[::2], fields[1::2], strict=False):
        if _string(key).upper() == b"ALL":
            uids = _spans(value)
    return Found(uids, tag)


def _vanished(segments: list[bytes]) -> Vanished:
    fields = _fields(segments, 1)
    return Vanished(_spans(fields[-1]), earlier=isinstance(fields[0], list))


def _flag_list(segments: list[bytes]) -> FlagList:
    return FlagList(words(_list(_fields(segments, 1)[0])))


def _words(segments: list[bytes]) -> Words:
    kind, *rest = _text(segments[0]).upper().split()[1:]
    return Words(kind, frozenset(rest))


def _namespaces(segments: list[bytes]) -> Namespaces:
    personal, other, shared = [_prefixes(node) for node in _fields(segments, 3)[:3]]
    return Namespaces(personal, other, shared)


def _prefixes(node: Node) -> tuple[tuple[str, str], ...]:
    found = []
    for one in node if isinstance(node, list) else ():
        if isinstance(one, list) and len(one) > 1:
            delimiter = "" if one[1] is None else _text(_string(one[1]))
            found.append((names.decoded(_string(one[0])), delimiter))
    return tuple(found)


def _my_rights(segments: list[bytes]) -> Rights:
    name, rights = _fields(segments, 2)[:2]
    return Rights(names.decoded(_string(name)), _text(_string(rights)))


_PLAIN: dict[bytes, Callable[[list[bytes]], Untagged]] = {
    b"LIST": _listed, b"LSUB": _lsub, b"STATUS": _status, b"SEARCH": _search, b"ESEARCH": _esearch,
    b"VANISHED": _vanished, b"FLAGS": _flag_list, b"CAPABILITY": _words, b"ENABLED": _words,
    b"NAMESPACE": _namespaces, b"MYRIGHTS": _my_rights,
}  # fmt: skip

# --- FETCH ------------------------------------------------------------------------------------------------------------


class _FlagSets(dict[bytes, frozenset[str]]):
    """Flags as they stand on the wire -> the set. A mailbox has few combinations."""

    def __missing__(self, raw: bytes) -> frozenset[str]:
        if len(self) >= _MAX_KEPT:
            self.clear()
        found = self[raw] = frozenset(_text(flag) for flag in raw.split())
        return found


_MAX_KEPT = 4096
flag_sets = _FlagSets()

_SECTION = re.compile(rb"(?:BODY|BINARY)\[([^\]]*)\]", re.IGNORECASE)


def _fetched(sequence: int, segments: list[bytes]) -> Untagged:
    """One without a UID (flags that another client changed, by a server without QRESYNC) is of no use."""
    found = quick.fetched(segments)
    if found is not None:
        uid, raw, modseq, date, size, body, sections = found
        told = bool(sections) or date is not None or size is not None or body is not None
        return Fetched(
            uid, None if raw is None else flag_sets[raw], modseq, None if date is None else moment(date), size, body,
            sections or (TOLD if told else UNTOLD),
        )
    return _fetched_in_general(segments)


def _fetched_in_general(segments: list[bytes]) -> Untagged:
    fields = tree(segments)
    items = _list(fields[3]) if len(fields) > 3 else []
    uid = modseq = 0
    flags: frozenset[str] | None = None
    received: datetime | None = None
    size: int | None = None
    body: Part | None = None
    sections: dict[str, bytes] = {}
    told = False
    for key, value in zip(items[::2], items[1::2], strict=False):
        if not isinstance(key, bytes):
            raise ImapSyntaxError("FETCH with a nameless item")
        name = key.upper()
        told = told or name not in _OF_FLAGS
        if name == b"UID":
            uid = number(value)
        elif name == b"FLAGS":
            flags = words(_list(value))
        elif name == b"BODYSTRUCTURE":
            body = _structure(value)
        elif name == b"MODSEQ":
            modseq = number(value[0] if isinstance(value, list) and value else value)
        elif name == b"INTERNALDATE":
            received = moment(_string(value))
        elif name == b"RFC822.SIZE":
            size = number(value)
        elif isinstance(value, bytes) and (section := _SECTION.match(key)):
            sections[section_name(section[1])] = value
    if not uid:
        return Other("FETCH")
    return Fetched(uid, flags, modseq, received, size, body, sections or (TOLD if told else UNTOLD))


_OF_FLAGS = frozenset((b"UID", b"FLAGS", b"MODSEQ"))


def section_name(raw: bytes) -> str:
    """As a key of `Fetched.sections`: servers quote the names of fields and spell them as they like."""
    return _text(raw).replace('"', "").upper()


def _structure(node: Node) -> Part | None:
    """A server's nonsense about one message must not hide the others."""
    try:
        return structure.part(node)
    except ImapSyntaxError:
        return None


_MONTHS = {
    month: index
    for index, month in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_MOMENT = re.compile(rb" ?([0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}) ([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?: ([+-][0-9]{4}))?")


def moment(raw: bytes) -> datetime | None:
    """INTERNALDATE in UTC; None for what is no date ("00-Jan-0000")."""
    try:
        # As it mostly stands there: 07-Feb-1994 21:52:25 +0000.
        year, month, number = _days[raw[:11]]
        local = datetime(
            year, month, number, _TWO[raw[12:14]], _TWO[raw[15:17]], _TWO[raw[18:20]], tzinfo=UTC
        )
        zone = raw[20:]
        return local if zone == b" +0000" else local - _zones[zone]
    except (LookupError, ValueError, OverflowError):
        return _moment(raw)


def _moment(raw: bytes) -> datetime | None:
    found = _MOMENT.match(raw)
    if found is None:
        return None
    day, hour, minute, second, zone = found.groups()
    try:
        local = datetime(*_days[day], int(hour), int(minute), min(int(second), 59), tzinfo=UTC)
        return local - _zones[b" " + zone] if zone else local
    except (LookupError, ValueError, OverflowError):
        return None


class _Days(dict[bytes, tuple[int, int, int]]):
    """07-Feb-1994 -> (1994, 2, 7). Raises ValueError, KeyError."""

    def __missing__(self, raw: bytes) -> tuple[int, int, int]:
        day, month, year = raw.split(b"-")
        found = int(year), _MONTHS[month.lower()], int(day)
        if len(self) < _MAX_KEPT:
            self[raw] = found
        return found


class _Zones(dict[bytes, timedelta]):
    """-0130, with a blank before it -> how far the zone is ahead of UTC. Raises KeyError."""

    def __missing__(self, raw: bytes) -> timedelta:
        zone = _ZONE.fullmatch(raw)
        if zone is None:
            raise KeyError(raw)
        minutes = int(zone[2]) * 60 + int(zone[3])
        found = self[raw] = timedelta(minutes=-minutes if zone[1] == b"-" else minutes)
        return found


_ZONE = re.compile(rb" ([+-])([0-9]{2})([0-9]{2})")
_TWO = {b"%02d" % number: number for number in range(60)}
_days, _zones = _Days(), _Zones()


def _exists(count: int, segments: list[bytes]) -> Exists:
    return Exists(count)


def _expunged(sequence: int, segments: list[bytes]) -> Expunged:
    return Expunged(sequence)


_NUMBERED: dict[bytes, Callable[[int, list[bytes]], Untagged]] = {
    b"FETCH": _fetched, b"EXISTS": _exists, b"EXPUNGE": _expunged,
}  # fmt: skip

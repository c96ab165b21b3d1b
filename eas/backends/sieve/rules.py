"""Mail filters as one Sieve script of ours, and out of it again. Pure.

The filters stand in the script's comments as well, with a digest of what follows, so that they read back exactly, and
what somebody has changed by hand is told. A script that was made elsewhere may be included behind them, as it is.

RFC 5228; RFC 3894 (copy), 5232 (imap4flags), 5703 (mime), 5173 (body), 5490 (mailbox), 6609 (include).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from eas.items import mail_filters
from eas.items.mail_filters import OPPOSITES, PEOPLE, Action, Condition, Do, Field, Filter, Match

from .grammar import included
from .script import Inexpressible, without_blocks

#: The extensions without which a condition or an action cannot be said. Attachments are guessed where there is no
#: "mime"; folders are made where there is "mailbox".
NEEDS_OF_FIELD = {Field.TEXT: ("body",)}
NEEDS_OF_ACTION = {
    Do.MOVE: ("fileinto",), Do.COPY: ("fileinto", "copy"), Do.FORWARD: ("copy",), Do.READ: ("imap4flags",),
    Do.FLAG: ("imap4flags",),
}


def fields_offered(extensions: frozenset[str]) -> tuple[Field, ...]:
    return tuple(one for one in Field if extensions.issuperset(NEEDS_OF_FIELD.get(one, ())))


def actions_offered(extensions: frozenset[str]) -> tuple[Do, ...]:
    return tuple(one for one in Do if extensions.issuperset(NEEDS_OF_ACTION.get(one, ())))


# --- Filters to a script ----------------------------------------------------------------------------------------------


def script_of(filters: Sequence[Filter], offered: frozenset[str], beside: str = "") -> bytes:
    """`beside` is the name of a script that runs after them. Raises Inexpressible, ValueError for faulty filters."""
    if faults := mail_filters.faults(filters):
        raise ValueError(faults[0])
    writing = _Writing(offered)
    lines = list(writing.lines(filters, beside))
    required = b", ".join(_quoted(name) for name in sorted(writing.requires))
    requires = [b"require [%b];" % required] if required else []
    rest = b"".join(line + b"\r\n" for line in [*requires, *lines])
    return _ABOUT + _noted(filters, rest) + rest


class _Writing:
    def __init__(self, offered: frozenset[str]) -> None:
        self._offered = offered
        self.requires: set[str] = set()

    def lines(self, filters: Sequence[Filter], beside: str) -> Iterator[bytes]:
        for one in filters:
            if one.on:
                yield b""
                yield b"# Filter: " + one.name.replace("#", "").encode()
                yield b"if %b {" % self._tests(one)
                for action in one.in_order():
                    yield b"    " + self._action(action)
                yield b"}"
        if beside:
            self._need("include")
            yield b""
            yield b"# What was made elsewhere."
            optional = b":optional " if "include" in self._offered else b""
            yield b"include :personal %b%b;" % (optional, _quoted(beside))

    def _need(self, *extensions: str) -> None:
        """Raises Inexpressible."""
        if missing := [name for name in extensions if name not in self._offered]:
            raise Inexpressible(f"the server's Sieve has no {', '.join(missing)}")
        self.requires |= set(extensions)

    def _tests(self, one: Filter) -> bytes:
        tests = [self._test(condition) for condition in one.conditions]
        if len(tests) < 2:
            return tests[0] if tests else b"true"
        return (b"allof(%b)" if one.every else b"anyof(%b)") % b",\r\n    ".join(tests)

    def _test(self, one: Condition) -> bytes:
        self._need(*NEEDS_OF_FIELD.get(one.field, ()))
        test = self._positive(one, OPPOSITES.get(one.match, one.match))
        return b"not " + test if one.match in OPPOSITES else test

    def _positive(self, one: Condition, match: Match) -> bytes:
        match one.field:
            case Field.SIZE:
                return b"size :%b %dK" % (one.match.value.encode(), int(one.value))
            case Field.ATTACHMENT:
                return self._attachment()
            case Field.TEXT:
                return b"body :text :contains %b" % _keys(match, one.value)
        how = _TAGS[match]
        if one.field in PEOPLE:
            test = b"header" if match is Match.CONTAINS else b"address :all"
            return b"%b %b %b %b" % (test, how, _list(PEOPLE[one.field]), _keys(match, one.value))
        name = "subject" if one.field is Field.SUBJECT else one.header
        return b"header %b %b %b" % (how, _quoted(name), _keys(match, one.value))

    def _attachment(self) -> bytes:
        if "mime" not in self._offered:
            return b'header :contains "content-type" "multipart/mixed"'
        self._need("mime")
        return (
            b'anyof(header :mime :anychild :contains "content-disposition" "attachment", '
            b'header :mime :anychild :contenttype :is "content-type" "application/pdf")'
        )

    def _action(self, one: Action) -> bytes:
        self._need(*NEEDS_OF_ACTION.get(one.do, ()))
        if one.do in (Do.MOVE, Do.COPY):
            create = b""
            if "mailbox" in self._offered:
                self._need("mailbox")
                create = b":create "
            return b"fileinto %b%b%b;" % (b":copy " if one.do is Do.COPY else b"", create, _quoted(one.value))
        if one.do is Do.FORWARD:
            return b"redirect :copy %b;" % _quoted(one.value)
        return _PLAIN[one.do]


#: Letters of ASCII are compared without regard to case: i;ascii-casemap is what Sieve does unless it is told otherwise.
_TAGS = {Match.CONTAINS: b":contains", Match.IS: b":is", Match.BEGINS: b":matches", Match.ENDS: b":matches"}
_PLAIN = {
    Do.READ: b'addflag "\\\\Seen";', Do.FLAG: b'addflag "\\\\Flagged";', Do.DELETE: b"discard;", Do.STOP: b"stop;",
}
_WILD = re.compile(r"([\\*?])")


def _keys(match: Match, value: str) -> bytes:
    """Beyond ASCII the server makes no capitals of small letters: both are looked for."""
    value = value.strip()
    spelled = dict.fromkeys([value] if value.isascii() else [value, value.lower(), value.upper()])
    return _list([_pattern(match, one) for one in spelled])


def _pattern(match: Match, value: str) -> str:
    if match not in (Match.BEGINS, Match.ENDS):
        return value
    plain = _WILD.sub(r"\\\1", value)
    return f"{plain}*" if match is Match.BEGINS else f"*{plain}"


def _list(values: Sequence[str]) -> bytes:
    if len(values) == 1:
        return _quoted(values[0])
    return b"[" + b", ".join(_quoted(value) for value in values) + b"]"


def _quoted(value: str) -> bytes:
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    # What begins and ends a block of the out-of-office reply (`script`) may stand nowhere else.
    for mark in ("# >>>", "# <<<"):
        text = text.replace(mark, mark.replace(" ", "\\ "))
    return b'"' + text.encode() + b'"'


# --- And back ---------------------------------------------------------------------------------------------------------

_ABOUT = b"# The mail filters that their owner has set on the pages of the ActiveSync gateway, written by it.\r\n"
_NOTE = b"# eas-filters: "
_DIGEST = b"# eas-filters-digest: "
_NOTE_LINE = re.compile(rb"^# eas-filters: ([A-Za-z0-9+/=]+)[ \t]*\r?$", re.MULTILINE)
_DIGEST_LINE = re.compile(rb"^# eas-filters-digest: ([0-9a-f]{64})[ \t]*\r?\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a script of ours says. `beside` is the script that it includes, "" for none. `intact`: nobody has changed it
    since it was written."""

    filters: tuple[Filter, ...]
    beside: str = ""
    intact: bool = True


def read(script: bytes) -> Read | None:
    """None for a script that is not ours, or whose filters cannot be read any more."""
    script = without_blocks(script)
    digest = _DIGEST_LINE.search(script)
    if digest is None:
        return None
    try:
        coded = b"".join(_NOTE_LINE.findall(script[: digest.start()]))
        filters = mail_filters.load(b64decode(coded, validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        return None
    rest = script[digest.end():]
    return Read(filters=filters, beside=_beside(rest), intact=_digest(rest) == digest[1])


def _beside(rest: bytes) -> str:
    return next(iter(included(rest)), "")


def _noted(filters: Sequence[Filter], rest: bytes) -> bytes:
    coded = b64encode(mail_filters.dump(filters).encode("ascii"))
    pieces = [coded[at : at + 72] for at in range(0, len(coded), 72)]
    return b"".join(_NOTE + piece + b"\r\n" for piece in pieces) + _DIGEST + _digest(rest) + b"\r\n"


def _digest(rest: bytes) -> bytes:
    """Equal whatever the line ends are, which some editors change."""
    return sha256(rest.replace(b"\r\n", b"\n").strip()).hexdigest().encode()

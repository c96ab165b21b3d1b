"""What automatic replies a Sieve script gives, whoever wrote it: texts, times, and to whom. Pure.

No more than can be told without running it: what stands behind other tests counts as given. RFC 5230, RFC 5260.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message

from eas.engine.model import Audience

from .grammar import Argument, Command, Tag, Test

_ALL = frozenset(Audience)
_EXTERNAL = _ALL - {Audience.INTERNAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`start` and `end` are aware, in UTC; None for no limit."""

    text: str
    html: bool
    audiences: frozenset[Audience]
    start: datetime | None = None
    end: datetime | None = None


#: A test, and whether it must hold (or must not).
_Guard = tuple[Test, bool]


def replies(commands: Sequence[Command]) -> list[Reply]:
    """In the order of the script, without those that can never be given."""
    return list(_found(commands, ()))


def _found(commands: Sequence[Command], guards: tuple[_Guard, ...]) -> Iterator[Reply]:
    failed: tuple[_Guard, ...] = ()
    for command in commands:
        if command.name not in ("elsif", "else"):
            failed = ()
        if command.name == "vacation":
            reply = _reply(command, guards)
            if reply is not None:
                yield reply
        elif command.block is not None:
            here = tuple(_flat(test, True) for test in command.tests)
            yield from _found(command.block, (*guards, *failed, *(guard for some in here for guard in some)))
            failed = (*failed, *((test, False) for test in command.tests))


def _flat(test: Test, holds: bool) -> tuple[_Guard, ...]:
    """All that must hold (or not) for this to hold (or not); of alternatives nothing is known."""
    if test.name == "not" and test.tests:
        return _flat(test.tests[0], not holds)
    if test.name == ("allof" if holds else "anyof"):
        return tuple(guard for one in test.tests for guard in _flat(one, holds))
    return ((test, holds),)


def _reply(command: Command, guards: tuple[_Guard, ...]) -> Reply | None:
    if any(test.name == ("false" if holds else "true") for test, holds in guards):
        return None
    reason = next((given for given in reversed(command.arguments) if isinstance(given, bytes)), b"")
    mime = Tag("mime") in command.arguments
    text, html = _entity(reason) if mime else (_text(reason), False)
    edges = [edge for guard in guards if (edge := _edge(*guard)) is not None]
    return Reply(
        text=text, html=html, audiences=_audiences(guards),
        start=max((at for at, begins in edges if begins), default=None),
        end=min((at for at, begins in edges if not begins), default=None),
    )


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace").replace("\r\n", "\n").strip("\n")


def _entity(octets: bytes) -> tuple[str, bool]:
    """Text of a MIME entity, and whether it is HTML; the HTML if there are both."""
    parts = list(message_from_bytes(octets).walk())
    for kind in ("text/html", "text/plain"):
        for part in parts:
            if part.get_content_type() == kind:
                return _decoded(part), kind == "text/html"
    return "", False


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    octets = payload if isinstance(payload, bytes) else b""
    try:
        text = octets.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        text = octets.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").strip("\n")


def _audiences(guards: tuple[_Guard, ...]) -> frozenset[Audience]:
    """By tests of who sends: of the domain, which is the internal ones, or of whole addresses."""
    audiences = _ALL
    for test, holds in guards:
        if test.name not in ("envelope", "address") or b"from" not in _lower(test.arguments):
            continue
        within = frozenset({Audience.INTERNAL}) if Tag("domain") in test.arguments else frozenset(
            {Audience.EXTERNAL_KNOWN}
        )
        audiences = audiences & within if holds else audiences - within
    return audiences


def _lower(arguments: tuple[Argument, ...]) -> set[bytes]:
    return {given.lower() for given in arguments if isinstance(given, bytes)}


# --- Times ------------------------------------------------------------------------------------------------------------

_DAY = timedelta(days=1)
#: Relation -> whether the tested moment is the first one, and what to add to it if it is a whole day.
_RELATIONS = {b"ge": (True, timedelta()), b"gt": (True, _DAY), b"lt": (False, timedelta()), b"le": (False, _DAY)}
_OPPOSITE = {b"ge": b"lt", b"gt": b"le", b"lt": b"ge", b"le": b"gt"}


def _edge(test: Test, holds: bool) -> tuple[datetime, bool] | None:
    """The moment that a `currentdate` test compares with, and whether it is the first one of the time."""
    if test.name != "currentdate":
        return None
    relation, zone, part, key = _comparison(test.arguments)
    if not holds:
        relation = _OPPOSITE.get(relation, b"")
    moment = _moment(part, key, zone)
    if relation not in _RELATIONS or moment is None:
        return None
    begins, day = _RELATIONS[relation]
    try:
        return (moment + day if part == b"date" else moment).astimezone(UTC), begins
    except (OverflowError, ValueError):
        return None


def _comparison(arguments: tuple[Argument, ...]) -> tuple[bytes, bytes, bytes, bytes]:
    """Relation, zone, part and key; b"" for what there is not."""
    tagged: dict[str, bytes] = {}
    plain: list[bytes] = []
    before = ""
    for given in arguments:
        if isinstance(given, Tag):
            before = given.name
            continue
        text = given if isinstance(given, bytes) else given[0] if isinstance(given, tuple) and given else b""
        if before in ("value", "zone", "comparator"):
            tagged[before] = text
        else:
            plain.append(text)
        before = ""
    part, key = (*plain, b"", b"")[:2]
    return tagged.get("value", b"").lower(), tagged.get("zone", b"+0000"), part.lower(), key


def _moment(part: bytes, key: bytes, zone: bytes) -> datetime | None:
    if part not in (b"iso8601", b"date"):
        return None
    try:
        offset = datetime.strptime(zone.decode("ascii", "replace"), "%z").tzinfo or UTC
        found = datetime.fromisoformat(key.decode("ascii", "replace").upper())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=offset)

"""Queries (`items.kql`) as the criteria of IMAP SEARCH, and what SEARCH cannot say as a look at candidates. Pure.
RFC 3501 6.4.4.

The server compares without regard to case, and decodes; a text is looked for as a part of a field or body, as
everywhere here. To the day exact are SINCE and BEFORE, by the server's own day: days around are let in, and each
candidate's INTERNALDATE decides. Of attachments and importance SEARCH knows nothing or little: BODYSTRUCTURE and a few
header fields decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from eas.engine.ports import MailQuery
from eas.items import email, headers, kql, markup, mime
from eas.items.kql import Node, Property

from . import spans
from .keywords import category_of
from .model import Fetched, Spans

#: Words of a search that are looked for, and characters of each: more is no search of a person.
MAX_WORDS = 20
MAX_WORD = 100
#: How many "ss" of a text are also looked for as "ß" (see `spellings`): each doubles the criteria.
MAX_SHARP = 3

#: One search-key as its tokens. The first one is always text, so that a parenthesis can stand before it.
Key = tuple[str | bytes, ...]

ALL: Key = ("ALL",)
NONE: Key = ("NOT", "ALL")

_ADDRESSES: Mapping[Property, tuple[Key, ...]] = {
    Property.FROM: (("FROM",), ("HEADER", "Sender")),
    Property.TO: (("TO",),),
    Property.CC: (("CC",),),
    Property.BCC: (("BCC",),),
    Property.RECIPIENTS: (("TO",), ("CC",), ("BCC",)),
    Property.PARTICIPANTS: (("FROM",), ("HEADER", "Sender"), ("TO",), ("CC",), ("BCC",)),
}
#: Where a text may stand. Not TEXT: that finds "google" in the Received fields of half of all mail, and reads whole
#: messages where the subject would have done.
FIELDS: Mapping[Property, tuple[Key, ...]] = {
    **_ADDRESSES,
    Property.SUBJECT: (("SUBJECT",),),
    Property.BODY: (("BODY",),),
    Property.ANYWHERE: (("SUBJECT",), *_ADDRESSES[Property.PARTICIPANTS], ("BODY",)),
}

#: Fields and values of which one is there if the importance is this (`email.importance` decides).
_IMPORTANCE: Mapping[int, tuple[tuple[str, bytes], ...]] = {
    0: (("Importance", b"low"), ("X-Priority", b"4"), ("X-Priority", b"5"), ("Priority", b"non-urgent"),
        ("X-MSMail-Priority", b"low")),
    2: (("Importance", b"high"), ("X-Priority", b"1"), ("X-Priority", b"2"), ("Priority", b"urgent"),
        ("X-MSMail-Priority", b"high")),
}
_IMPORTANCE_ITEM = "BODY.PEEK[HEADER.FIELDS (IMPORTANCE X-PRIORITY PRIORITY X-MSMAIL-PRIORITY)]"

#: However far from UTC the day of a server begins, it begins within a day.
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a mailbox before it is searched: the keywords that occur, and by category the messages that have
    one which the server took no keyword for."""

    keywords: Collection[str] = ()
    noted: Mapping[str, Spans] = field(default_factory=dict)


def node_of(query: MailQuery) -> Node:
    """All that a query asks for but the conversation, which no criterion names."""
    words = query.text.split()[:MAX_WORDS]
    nodes: list[Node] = [kql.Text(Property.ANYWHERE, word[:MAX_WORD].casefold()) for word in words]
    if query.since is not None or query.before is not None:
        nodes.append(kql.Received(query.since, query.before))
    if query.matching is not None:
        nodes.append(query.matching)
    return kql.Every(tuple(nodes))


# --- Criteria ---------------------------------------------------------------------------------------------------------


def exact(node: Node) -> bool:
    """Whether SEARCH says all of it."""
    match node:
        case kql.Every(nodes) | kql.Some(nodes):
            return all(map(exact, nodes))
        case kql.Not(inner):
            return exact(inner)
        case kql.Text(property, _):
            return property is not Property.ATTACHMENT
        case _:
            return isinstance(node, kql.IsRead | kql.IsFlagged | kql.Kind)


def possible(node: Node, known: Known, *, negated: bool = False) -> Key:
    """What holds for all that matches (or, `negated`, for all that does not), and perhaps for more."""
    match node:
        case kql.Every(nodes) | kql.Some(nodes):
            keys = [possible(one, known, negated=negated) for one in nodes]
            return all_of(keys) if isinstance(node, kql.Every) is not negated else any_of(keys)
        case kql.Not(inner):
            return possible(inner, known, negated=not negated)
        case kql.Received(since, before):
            return _outside(since, before) if negated else _within(since, before)
        case kql.Importance(level):
            return ALL if negated or level not in _IMPORTANCE else any_of(
                [("HEADER", name, value) for name, value in _IMPORTANCE[level]]
            )
        case kql.HasAttachment() | kql.Text(Property.ATTACHMENT, _):
            return ALL
        case _:
            key = _leaf(node, known)
            return _not(key) if negated else key


def _leaf(node: Node, known: Known) -> Key:
    match node:
        case kql.Text(Property.CATEGORY, text):
            return _category(text, known)
        case kql.Text(property, text):
            text = markup.clean(text)[:MAX_WORD]  # no server takes NUL
            return any_of([
                (*where, spelled.encode("utf-8", "replace"))
                for where in FIELDS[property] for spelled in spellings(text)
            ]) if text else ALL
        case kql.IsRead(value):
            return ("SEEN",) if value else ("UNSEEN",)
        case kql.IsFlagged(value):
            return ("FLAGGED",) if value else ("UNFLAGGED",)
        case kql.Kind(item_class):
            return ALL if item_class == "Email" else NONE
        case _:
            return ALL


def _category(text: str, known: Known) -> Key:
    keys: list[Key] = [
        ("KEYWORD", keyword) for keyword in sorted(known.keywords)
        if (name := category_of(keyword)) is not None and text in kql.folded(name)
    ]
    noted = spans.union(*(some for name, some in known.noted.items() if text in kql.folded(name)))
    return any_of([*keys, *([("UID", spans.text(noted))] if noted else [])])


def spellings(text: str) -> list[str]:
    """A text is folded, where "ß" is "ss"; servers keep the two apart. The first ones are tried both ways."""
    head, *rest = text.split("ss", MAX_SHARP)
    ways = [head]
    for piece in rest:
        ways = [f"{way}{spelled}{piece}" for way in ways for spelled in ("ss", "ß")]
    return ways


def _within(since: datetime | None, before: datetime | None) -> Key:
    keys: list[Key] = []
    if since is not None and since.year > 1:
        keys.append(("SINCE", _day(since.astimezone(UTC) - _DAY)))
    if before is not None and before.year < 9999:
        keys.append(("BEFORE", _day(before.astimezone(UTC) + 2 * _DAY)))
    return all_of(keys)


def _outside(since: datetime | None, before: datetime | None) -> Key:
    keys: list[Key] = []
    if since is not None:
        keys.append(_within(None, since))
    if before is not None:
        keys.append(_within(before, None))
    return any_of(keys)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _day(moment: datetime) -> str:
    return f"{moment.day}-{_MONTHS[moment.month - 1]}-{moment.year:04d}"


def all_of(keys: Iterable[Key]) -> Key:
    """Of several a list in parentheses. It ends with ALL, since a parenthesis cannot stand behind octets."""
    left = [key for key in keys if key != ALL]
    if not left:
        return ALL
    if len(left) == 1:
        return left[0]
    first, *rest = [token for key in left for token in key]
    assert isinstance(first, str)
    return (f"({first}", *rest, "ALL)")


def any_of(keys: Iterable[Key]) -> Key:
    found = list(dict.fromkeys(keys))
    if ALL in found:
        return ALL
    left = [key for key in found if key != NONE]
    if not left:
        return NONE
    # Halves, so that no server has to go as deep as there are alternatives.
    while len(left) > 1:
        left = [
            ("OR", *left[n], *left[n + 1]) if n + 1 < len(left) else left[n] for n in range(0, len(left), 2)
        ]
    return left[0]


def _not(key: Key) -> Key:
    if key == ALL:
        return NONE
    return ALL if key == NONE else ("NOT", *key)


def reads_bodies(key: Key) -> bool:
    return any(isinstance(token, str) and token.lstrip("(") == "BODY" for token in key)


def charset_of(key: Key) -> str:
    """ "" for what every server takes."""
    return "" if all(token.isascii() for token in key) else "UTF-8"


# --- Candidates -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a mailbox is searched: by `key`; then, if `left` is not None, each candidate is looked at by what `items`
    fetch, and for `asked` the server is asked by a search of its own each."""

    key: Key
    left: Node | None = None
    asked: tuple[Node, ...] = ()
    items: tuple[str, ...] = ("INTERNALDATE",)


def plan(node: Node, known: Known) -> Plan:
    left = _left(node)
    asked = tuple(dict.fromkeys(_exact_parts(left))) if left is not None else ()
    return Plan(key=possible(node, known), left=left, asked=asked, items=tuple(_items(left)))


def _left(node: Node) -> Node | None:
    """What the criteria do not decide; None for nothing."""
    if exact(node):
        return None
    if isinstance(node, kql.Every):
        return kql.Every(tuple([one for one in map(_left, node.nodes) if one is not None]))
    return node


def _exact_parts(node: Node) -> Iterator[Node]:
    """The largest parts that the server decides."""
    match node:
        case kql.Every(nodes) | kql.Some(nodes):
            for one in nodes:
                if exact(one):
                    yield one
                else:
                    yield from _exact_parts(one)
        case kql.Not(inner):
            yield from _exact_parts(inner)


def _items(node: Node | None) -> Iterator[str]:
    yield "INTERNALDATE"
    leaves = set(_leaves(node)) if node is not None else set()
    if any(isinstance(one, kql.HasAttachment | kql.Text) for one in leaves):
        yield "BODYSTRUCTURE"
    if any(isinstance(one, kql.Importance) for one in leaves):
        yield _IMPORTANCE_ITEM


def _leaves(node: Node) -> Iterator[Node]:
    match node:
        case kql.Every(nodes) | kql.Some(nodes):
            for one in nodes:
                if not exact(one):
                    yield from _leaves(one)
        case kql.Not(inner):
            yield from _leaves(inner)
        case _:
            yield node


def holds(node: Node, message: Fetched, answers: Mapping[Node, Spans]) -> bool:
    """Whether it matches. `answers` are those to the searches for `Plan.asked`."""
    if node in answers:
        return spans.holds(answers[node], message.uid)
    match node:
        case kql.Every(nodes):
            return all(holds(one, message, answers) for one in nodes)
        case kql.Some(nodes):
            return any(holds(one, message, answers) for one in nodes)
        case kql.Not(inner):
            return not holds(inner, message, answers)
        case kql.Received(since, before):
            at = message.internal_date
            return at is not None and (since is None or since <= at) and (before is None or at < before)
        case kql.HasAttachment(value):
            return any(not one.inline for one in _attached(message)) == value
        case kql.Text(_, text):
            names = " ".join(one.part.filename for one in _attached(message) if one.part.filename)
            return text in kql.folded(names)
        case kql.Importance(level):
            return email.importance(headers.parse(b"".join(message.sections.values()))) == level
        case _:
            return True


def _attached(message: Fetched) -> list[mime.Attached]:
    return mime.attachments(message.structure) if message.structure is not None else []

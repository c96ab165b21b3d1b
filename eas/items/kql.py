"""Searches as people type them: the Keyword Query Language, as far as a mailbox has what it asks for. Pure.

    budget report                  both words, anywhere
    "budget report"                these words in this order
    from:anna subject:"the plan"   property restrictions: Property
    received>=2026-03-01           dates: <, <=, >, >=, =, <>, a..b, and words such as today or "last week"
    hasattachment:true kind:email  yes or no, and kinds of items
    a OR (b AND NOT c)             operators in capitals; -c is NOT c; +c is c

Between neighbours stands AND; neighbours that restrict one property by ":" are alternatives ("from:anna from:ben"). A
property that is not known is text like any other, and so is whatever does not parse: nothing that somebody types is an
error. [MS-KQL]; [MS-ASCMD] FreeText (Find).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import groupby

#: What is looked at of a query: nobody types more, and each term costs a pass over the mailbox.
MAX_QUERY = 2000
MAX_TERMS = 40
#: Nested parentheses; those below are passed over.
MAX_DEPTH = 20


class Property(StrEnum):
    """Where a text is looked for."""

    ANYWHERE = ""
    FROM = "from"
    TO = "to"
    CC = "cc"
    BCC = "bcc"
    RECIPIENTS = "recipients"
    PARTICIPANTS = "participants"
    SUBJECT = "subject"
    BODY = "body"
    ATTACHMENT = "attachment"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Text:
    """`text` is folded, its blanks single; it is found wherever it stands within the property."""

    property: Property
    text: str


@dataclass(frozen=True, slots=True)
class Received:
    """Received from `since` on and before `before` (aware); None for no bound."""

    since: datetime | None
    before: datetime | None


@dataclass(frozen=True, slots=True)
class HasAttachment:
    value: bool


@dataclass(frozen=True, slots=True)
class IsRead:
    value: bool


@dataclass(frozen=True, slots=True)
class IsFlagged:
    value: bool


@dataclass(frozen=True, slots=True)
class Importance:
    """0 low, 1 normal, 2 high."""

    value: int


@dataclass(frozen=True, slots=True)
class Kind:
    """Items of one class of ActiveSync."""

    item_class: str


@dataclass(frozen=True, slots=True)
class Not:
    node: Node


@dataclass(frozen=True, slots=True)
class Every:
    """All of them; without any it is everything."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Some:
    nodes: tuple[Node, ...]


Leaf = Text | Received | HasAttachment | IsRead | IsFlagged | Importance | Kind
Node = Leaf | Not | Every | Some

#: The names of properties, with those that Outlook and Exchange take beside them.
PROPERTIES: dict[str, Property] = {
    **{found.value: found for found in Property if found.value},
    "sender": Property.FROM, "recipient": Property.RECIPIENTS, "participant": Property.PARTICIPANTS,
    "title": Property.SUBJECT, "content": Property.BODY, "contents": Property.BODY,
    "attachments": Property.ATTACHMENT, "attachmentnames": Property.ATTACHMENT, "filename": Property.ATTACHMENT,
    "categories": Property.CATEGORY,
}

#: Only the time of receipt is kept; of one's own messages it is that of sending.
DATES = frozenset(("received", "sent", "date"))

#: kind: -> the class of ActiveSync.
KINDS = {
    "email": "Email", "mail": "Email", "message": "Email", "messages": "Email", "contact": "Contacts",
    "contacts": "Contacts", "meeting": "Calendar", "meetings": "Calendar", "calendar": "Calendar", "task": "Tasks",
    "tasks": "Tasks", "note": "Notes", "notes": "Notes",
}

_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_IMPORTANCE = {"low": 0, "normal": 1, "medium": 1, "high": 2}


def parse(query: str, now: datetime, zone: tzinfo) -> Node:
    """What is asked for; `now` (aware) and `zone` say what "today" is. Never fails."""
    return _Parser(query[:MAX_QUERY], now.astimezone(zone)).whole()


# --- Words ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Token:
    """`kind` is "(", ")", "AND", "OR", "NOT", or "term"; a term has a property's name ("" for none), an operator and
    a value, which may have been quoted."""

    kind: str
    name: str = ""
    operator: str = ""
    value: str = ""


_QUOTES = "\"\u201c\u201d\u201e"
_TOKEN = re.compile(
    rf"\s*(?:(?P<near>O?NEAR(?:\(n=\d+\))?(?=\s))|(?P<paren>[()])"
    rf"|(?P<sign>[-+](?=\S))?"
    rf"(?:(?P<name>[A-Za-z]+)\s*(?P<op>:|<>|<=|>=|=|<|>)\s*)?"
    rf"(?:[{_QUOTES}](?P<quoted>[^{_QUOTES}]*)[{_QUOTES}]?|(?P<bare>[^\s(){_QUOTES}]+))"
    rf"|(?P<stray>\S))"
)
_OPERATORS = {"AND": "AND", "OR": "OR", "NOT": "NOT", "&&": "AND", "||": "OR"}


def _tokens(query: str) -> Iterator[_Token]:
    terms = 0
    for found in _TOKEN.finditer(query):
        if found["near"]:  # nearness is not kept: both words do
            continue
        if found["paren"]:
            yield _Token(found["paren"])
            continue
        bare = found["bare"] or ""
        if not found["sign"] and not found["name"] and bare in _OPERATORS:
            yield _Token(_OPERATORS[bare])
            continue
        value = bare if found["quoted"] is None else found["quoted"]
        if found["stray"] or terms >= MAX_TERMS:
            continue
        terms += 1
        if found["sign"] == "-":
            yield _Token("NOT")
        yield _Token("term", (found["name"] or "").lower(), found["op"] or "", value)


# --- Grammar ----------------------------------------------------------------------------------------------------------


class _Parser:
    """NOT binds closer than AND, AND closer than OR. What is missing (an operand, a parenthesis) is passed over."""

    def __init__(self, query: str, now: datetime) -> None:
        self._now = now
        self._tokens = list(_tokens(query))
        self._at = 0

    def whole(self) -> Node:
        nodes = []
        while self._at < len(self._tokens):
            before = self._at
            node = self._either(0)
            if node is not None:
                nodes.append(node)
            if self._at == before:  # a parenthesis that was never opened
                self._at += 1
        return _every(nodes)

    def _peek(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    def _either(self, depth: int) -> Node | None:
        nodes = []
        while True:
            node = self._both(depth)
            if node is not None:
                nodes.append(node)
            if self._peek() != "OR":
                break
            self._at += 1
        if not nodes:
            return None
        return nodes[0] if len(nodes) == 1 else Some(tuple(nodes))

    def _both(self, depth: int) -> Node | None:
        """Operands with AND, or nothing, between them. `named` is the property of a bare restriction by ":"."""
        runs: list[list[tuple[str, Node]]] = [[]]
        while self._peek() not in ("", ")", "OR"):
            if self._peek() == "AND":
                self._at += 1
                runs.append([])
                continue
            named = self._named()
            node = self._operand(depth)
            if node is not None:
                runs[-1].append((named, node))
        nodes = [node for run in runs for node in _alternatives(run)]
        return _every(nodes) if nodes else None

    def _named(self) -> str:
        token = self._tokens[self._at]
        return token.name if token.kind == "term" and token.operator == ":" else ""

    def _operand(self, depth: int) -> Node | None:
        negated = False
        while self._peek() == "NOT":
            negated = not negated
            self._at += 1
        if self._peek() in ("", ")", "OR", "AND"):
            return None
        node = self._positive(depth)
        return Not(node) if node is not None and negated else node

    def _positive(self, depth: int) -> Node | None:
        token = self._tokens[self._at]
        self._at += 1
        if token.kind == "(":
            if depth >= MAX_DEPTH:
                return None
            inner = self._either(depth + 1)
            if self._peek() == ")":
                self._at += 1
            return inner
        return _term(token, self._now)


def _every(nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else Every(tuple(nodes))


def _alternatives(run: list[tuple[str, Node]]) -> Iterator[Node]:
    """Neighbours that restrict one property are one of several; anything else stands by itself."""
    for name, group in groupby(run, key=lambda pair: pair[0]):
        nodes = tuple(node for _, node in group)
        if name in PROPERTIES and len(nodes) > 1:
            yield Some(nodes)
        else:
            yield from nodes


# --- Terms ------------------------------------------------------------------------------------------------------------


def folded(text: str) -> str:
    """As it is compared, with single blanks; a "*" at the end changes nothing, since any part of a word is found."""
    return " ".join(text.casefold().split()).rstrip("*").strip()


def _term(token: _Token, now: datetime) -> Node | None:
    name, value = token.name, token.value.strip()
    if name in PROPERTIES and token.operator in (":", "=", "<>"):
        text = folded(value)
        if not text:
            return None
        found = Text(PROPERTIES[name], text)
        return Not(found) if token.operator == "<>" else found
    if name in DATES and (when := _dates(token.operator, value, now)) is not None:
        return when
    if name in _SPECIAL and token.operator in (":", "=") and (made := _SPECIAL[name](value.lower())) is not None:
        return made
    text = folded(f"{name}{token.operator}{value}" if name else value)
    return Text(Property.ANYWHERE, text) if text else None


def _yes_no(make: Callable[[bool], Leaf]) -> Callable[[str], Leaf | None]:
    return lambda value: make(_YES_NO[value]) if value in _YES_NO else None


_SPECIAL: dict[str, Callable[[str], Leaf | None]] = {
    "hasattachment": _yes_no(HasAttachment), "hasattachments": _yes_no(HasAttachment),
    "isread": _yes_no(IsRead), "read": _yes_no(IsRead), "isflagged": _yes_no(IsFlagged),
    "importance": lambda value: Importance(_IMPORTANCE[value]) if value in _IMPORTANCE else None,
    "kind": lambda value: Kind(KINDS[value]) if value in KINDS else None,
}


# --- Dates ------------------------------------------------------------------------------------------------------------

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_MONTHS = {
    name: number for number, name in enumerate(
        ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
         "december"), 1,
    )
}


def _dates(operator: str, value: str, now: datetime) -> Node | None:
    """None for what is no date."""
    first, dots, last = value.partition("..")
    if dots and operator in (":", "="):
        low, high = _span(first, now), _span(last, now)
        return None if low is None or high is None else Received(low[0], high[1])
    span = _span(value, now)
    if span is None:
        return None
    since, before = span
    nodes: dict[str, Node] = {
        ":": Received(since, before), "=": Received(since, before), "<>": Not(Received(since, before)),
        "<": Received(None, since), "<=": Received(None, before),
        ">": Received(before, None), ">=": Received(since, None),
    }
    return nodes[operator]


def _span(text: str, now: datetime) -> tuple[datetime, datetime] | None:
    """From when, and until before when, a date or a word for one lasts; days are those of the zone of `now`."""
    text = " ".join(text.lower().replace("-", " ").split()) if not text[:1].isdigit() else text.strip()
    try:
        if found := _ISO.fullmatch(text):
            return _moment(found, now) if found[4] else _days(now, date(int(found[1]), int(found[2]), int(found[3])))
        if found := _AMERICAN.fullmatch(text):
            return _days(now, date(int(found[3]), int(found[1]), int(found[2])))
        return _relative(text, now)
    except (ValueError, OverflowError):
        return None


def _moment(found: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    """A second, or a minute where no seconds are told; in the zone of `now` unless another is told."""
    offset = found[7] or ""
    zone = UTC if offset == "Z" else datetime.strptime(offset, "%z").tzinfo if offset else now.tzinfo
    at = datetime(*(int(found[n] or 0) for n in range(1, 7)), tzinfo=zone)  # type: ignore[misc, arg-type]
    return at, at + (timedelta(seconds=1) if found[6] else timedelta(minutes=1))


def _days(now: datetime, first: date, after: date | None = None) -> tuple[datetime, datetime]:
    """Whole days, from the first one until before `after`; one day without it."""
    after = after or first + timedelta(days=1)
    return (
        datetime.combine(first, time(), now.tzinfo).astimezone(UTC),
        datetime.combine(after, time(), now.tzinfo).astimezone(UTC),
    )


def _month(year: int, month: int) -> date:
    """The first of a month; months below 1 and above 12 are those of other years."""
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def _relative(text: str, now: datetime) -> tuple[datetime, datetime] | None:
    """Weeks begin on Monday. "last 7 days" and a month's name, its last one, are known too."""
    today = now.date()
    monday = today - timedelta(days=today.weekday())
    year, month = today.year, today.month
    week = timedelta(days=7)
    spans = {
        "today": (today, None), "yesterday": (today - timedelta(days=1), None),
        "tomorrow": (today + timedelta(days=1), None),
        "this week": (monday, monday + week), "last week": (monday - week, monday),
        "this month": (_month(year, month), _month(year, month + 1)),
        "last month": (_month(year, month - 1), _month(year, month)),
        "this year": (_month(year, 1), _month(year + 1, 1)),
        "last year": (_month(year - 1, 1), _month(year, 1)),
    }
    if text in spans:
        return _days(now, *spans[text])
    if text in _MONTHS:
        year -= _MONTHS[text] > month
        return _days(now, _month(year, _MONTHS[text]), _month(year, _MONTHS[text] + 1))
    if found := re.fullmatch(r"(?:last|past) (\d{1,4}) days?", text):
        return _days(now, today - timedelta(days=int(found[1])), today + timedelta(days=1))
    return None


# --- What it matches --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An item as a query sees it. `within` gives the folded text of a property; what is no message has one text, which
    stands for all of them."""

    item_class: str
    received: datetime
    within: Callable[[Property], str]
    has_attachment: bool = False
    read: bool = True
    flagged: bool = False
    importance: int = 1


def matches(node: Node, item: Candidate) -> bool:
    match node:
        case Every(nodes):
            return all(matches(one, item) for one in nodes)
        case Some(nodes):
            return any(matches(one, item) for one in nodes)
        case Not(inner):
            return not matches(inner, item)
        case Text(property, text):
            return text in item.within(property)
        case Received(since, before):
            return (since is None or since <= item.received) and (before is None or item.received < before)
        case HasAttachment(value):
            return item.has_attachment == value
        case IsRead(value):
            return item.read == value
        case IsFlagged(value):
            return item.flagged == value
        case Importance(level):
            return item.importance == level
        case Kind(item_class):
            return item.item_class == item_class

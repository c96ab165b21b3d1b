"""Answers (and requests) compared as elements, not by bytes: what differs, where, in words. docs/sessions.md.

`differences` for two documents, `compare_answers` and `compare_requests` for whole messages. What may differ stands in
`Rules`; `may_differ.DEFAULT` is the usual table. Ids that are seen together are bound in `Rules.ids` by comparing.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

from eas.protocol.wbxml import Element
from eas.replay.format.model import Answer, Binary, Body, Document, Headers, LeftOut, Parts, Request, Text
from eas.replay.format.writing import plain_query

from .compare_elements import Elements, Place
from .ids import Ids
from .manners import same
from .may_differ import DEFAULT
from .mime import is_message, message_differences
from .naming import SHOWN, apart, local, short
from .outcome import Difference, Kind
from .rules import Manner, Rules

__all__ = ["Difference", "Kind", "compare_answers", "compare_requests", "differences"]


def differences(expected: Element, got: Element, rules: Rules = DEFAULT, command: str = "") -> list[Difference]:
    """In the order of `expected`; what is only in `got` behind its siblings. `command` explains statuses."""
    return list(Elements(rules, rules.ids or Ids(), command or local(expected.tag)).roots(expected, got))


def compare_answers(
    expected: Answer, got: Answer | None, rules: Rules = DEFAULT, command: str = "",
) -> list[Difference]:
    """Nothing for an answer that was not seen when `expected` was recorded: nobody knows what it was."""
    if expected.status is None:
        return []
    if got is None or got.status is None:
        why = got.why if got and got.why else "nothing came"
        return [Difference("HTTP", Kind.SILENCE, str(expected.status), "", f"There is no answer: {why}")]
    if expected.status != got.status:
        said = f"HTTP status is {got.status}, not {expected.status}{_explained(got.status)}"
        return [Difference("HTTP", Kind.STATUS, str(expected.status), str(got.status), said)]
    headers = _headers(expected.headers, got.headers, rules)
    if expected.body is None or got.body is None:  # nothing has no type: that one is empty is told of the body
        headers = (one for one in headers if one.where.lower() != "header/content-type")
    return [*headers, *_bodies(expected.body, got.body, rules, command, "")]


def compare_requests(expected: Request, got: Request, rules: Rules = DEFAULT, command: str = "") -> list[Difference]:
    """Method, query, headers and body, as far as the rules let them count."""
    found = []
    if expected.method != got.method:
        said = f"The request is {got.method}, not {expected.method}"
        found.append(Difference("HTTP", Kind.CHANGED, expected.method, got.method, said))
    return [
        *found, *_named("query", _query(expected), _query(got), rules),
        *_headers(expected.headers, got.headers, rules), *_bodies(expected.body, got.body, rules, command, ""),
    ]


def _explained(status: int) -> str:
    from eas.admin.words import HTTP

    return f" ({HTTP[status].means})" if status in HTTP else ""


# Headers and queries -------------------------------------------------------------------------------------------------


def _headers(expected: Headers, got: Headers, rules: Rules) -> Iterator[Difference]:
    return _named("header", _joined(expected), _joined(got), rules)


def _joined(headers: Headers) -> dict[str, str]:
    """By name in the usual spelling of mixed case; of several with one name their values, as HTTP joins them."""
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, value in headers:
        known = names.setdefault(name.lower(), name)
        found[known] = f"{found[known]}, {value}" if known in found else value
    return found


def _query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(plain_query(request.query) or request.query, keep_blank_values=True))


def _named(word: str, expected: dict[str, str], got: dict[str, str], rules: Rules) -> Iterator[Difference]:
    theirs = {name.lower(): value for name, value in got.items()}
    ours = {name.lower() for name in expected}
    for name in (*expected, *(name for name in got if name.lower() not in ours)):
        rule = rules.rule((word, name))
        manner = rule.manner if rule else Manner.SAME
        before = expected.get(name) if name.lower() in ours else None
        after = theirs.get(name.lower())
        if manner is Manner.IGNORE or before == after:
            continue
        if before is not None and after is not None:
            if manner is Manner.ID and rule and (rules.ids or Ids()).same(rule.kind, before, after):
                continue
            if manner is not Manner.ID and same(before, after, manner, rules):
                continue
        yield _of_name(word, name, before, after)


def _of_name(word: str, name: str, before: str | None, after: str | None) -> Difference:
    kind = Kind.HEADER if word == "header" else Kind.CHANGED
    what = f"{word.capitalize()} {name}"
    said = f"{what} is {short(after or '')!r}, not {short(before or '')!r}"
    if after is None:
        said = f"{what} is missing"
    elif before is None:
        said = f"{what} was not expected: {short(after)!r}"
    return Difference(f"{word}/{name}", kind, before or "", after or "", said)


# Bodies --------------------------------------------------------------------------------------------------------------


def _bodies(expected: Body, got: Body, rules: Rules, command: str, at: str) -> Iterator[Difference]:
    match expected, got:
        case (LeftOut(), _) | (_, LeftOut()):
            return
        case Document(before, _), Document(after, _):
            place = Place(path=(), where=f"{at}{'/' if at else ''}")
            yield from Elements(rules, rules.ids or Ids(), command or local(before.tag)).roots(before, after, place)
        case Parts(before), Parts(after):
            yield from _parts(before, after, rules, command)
        case Text(kind, before), Text(_, after) if kind == "mime" or is_message(before):
            for where, one, other in message_differences(before, after, rules):
                yield of_message(f"{at}{'/' if at else ''}{where}", where, one, other)
        case Text(kind, before), Text(_, after):
            rule = rules.rule(("body", kind))
            if not same(before, after, rule.manner if rule else Manner.LINES, rules):
                yield _changed_text(at or "body", before, after)
        case Binary(before, _), Binary(after, _):
            if before != after:
                sizes = f"{len(before)} bytes", f"{len(after)} bytes"
                yield Difference(at or "body", Kind.CHANGED, *sizes, f"{at or 'The body'}: the bytes are others")
        case _:
            if expected is not None or got is not None:
                one, other = kind_of(expected), kind_of(got)
                yield Difference(at or "body", Kind.BODY, one, other, f"{at or 'The body'} is {other}, not {one}")


def _parts(expected: tuple[Body, ...], got: tuple[Body, ...], rules: Rules, command: str) -> Iterator[Difference]:
    if len(expected) != len(got):
        said = f"The answer has {len(got)} parts, not {len(expected)}"
        yield Difference("parts", Kind.BODY, str(len(expected)), str(len(got)), said)
    for number, (before, after) in enumerate(zip(expected, got, strict=False)):
        yield from _bodies(before, after, rules, command, f"part[{number}]")


def _changed_text(where: str, before: bytes, after: bytes) -> Difference:
    one, other = (data.decode("utf-8", "replace") for data in (before, after))
    ours, theirs = apart(one, other)
    said = f"{where}: the text is {theirs!r}, not {ours!r}"
    return Difference(where, Kind.CHANGED, one[:SHOWN], other[:SHOWN], said)


def of_message(where: str, inside: str, before: str, after: str) -> Difference:
    """A difference inside of a message in MIME."""
    ours, theirs = apart(before, after)
    said = f"Message: {inside.removeprefix('mime/')} is {theirs!r}, not {ours!r}"
    kind = Kind.MISSING if not after else Kind.EXTRA if not before else Kind.CHANGED
    return Difference(where, kind, before[:SHOWN], after[:SHOWN], said)


def kind_of(body: Body) -> str:
    """For a sentence."""
    match body:
        case None:
            return "empty"
        case Document(root, _):
            return f"a {local(root.tag)} document"
        case Text(kind, _):
            return "a message" if kind == "mime" else f"text ({kind})"
        case Binary(_, why):
            return f"undecodable ({why})" if why else "binary"
        case Parts(parts):
            return f"an answer in {len(parts)} parts"
        case LeftOut():
            return "not recorded"

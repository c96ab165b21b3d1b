"""Messages (RFC 5322) compared by what they say: headers that count, then parts with their decoded content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from .manners import same
from .rules import Manner, Path, Rules

#: A message begins with one of these, or with what servers put before them.
_HEADER = re.compile(rb"\A[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n|[!-9;-~]+:[^\n]*\n)*(?:\r?\n|\Z)")
#: Fields that a message has, and a text that only looks like one has not: one of each.
_MADE = re.compile(rb"^(?:MIME-Version|Received|Message-ID|Content-Type|Return-Path|DKIM-Signature):", re.I | re.M)
_SAID = re.compile(rb"^(?:From|To|Subject|Date|Sender):", re.I | re.M)
#: Octets in which the header of a message ends.
_BEGINNING = 256 * 1024
#: Parts inside each other; beyond that they are compared as text.
MAX_DEPTH = 20


def is_message(data: bytes) -> bool:
    found = _HEADER.match(data[:_BEGINNING])
    return found is not None and all(field.search(found[0]) for field in (_MADE, _SAID))


def message_differences(expected: bytes, got: bytes, rules: Rules) -> Iterator[tuple[str, str, str]]:
    """Where (`mime/Subject`, `mime/part[2]/text`), expected, got; "" for what is not there."""
    parser = BytesParser(policy=compat32)
    yield from _headers(parser.parsebytes(expected), parser.parsebytes(got), rules)
    yield from _parts(parser.parsebytes(expected), parser.parsebytes(got), rules, "mime", 0)


def _headers(expected: Message, got: Message, rules: Rules) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys(name.title() for name in (*expected.keys(), *got.keys())):
        manner = rules.manner(("mime", name))
        if manner is Manner.IGNORE:
            continue
        before, after = (", ".join(map(str, one.get_all(name, ()))) for one in (expected, got))
        if before != after and not same(before, after, manner, rules):
            yield f"mime/{name}", before, after


def _parts(expected: Message, got: Message, rules: Rules, where: str, depth: int) -> Iterator[tuple[str, str, str]]:
    if expected.get_content_type() != got.get_content_type():
        yield f"{where}/type", expected.get_content_type(), got.get_content_type()
    elif expected.is_multipart() and got.is_multipart() and depth < MAX_DEPTH:
        before, after = _inside(expected), _inside(got)
        if len(before) != len(after):
            yield f"{where}/parts", str(len(before)), str(len(after))
        for number, pair in enumerate(zip(before, after, strict=False), 1):
            yield from _parts(*pair, rules, f"{where}/part[{number}]", depth + 1)
    else:
        yield from _leaf(expected, got, rules, where)


def _inside(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _leaf(expected: Message, got: Message, rules: Rules, where: str) -> Iterator[tuple[str, str, str]]:
    names = [message.get_filename() or "" for message in (expected, got)]
    if names[0] != names[1]:
        yield f"{where}/name", names[0], names[1]
    path: Path = ("mime", "text")
    if expected.get_content_maintype() == "text":
        before, after = _text(expected), _text(got)
        if not same(before, after, rules.manner(path), rules):
            yield f"{where}/text", before, after
    elif _content(expected) != _content(got):
        yield f"{where}/content", f"{len(_content(expected))} bytes", f"{len(_content(got))} other bytes"


def _content(message: Message) -> bytes:
    payload = message.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(message: Message) -> str:
    charset = message.get_content_charset() or "utf-8"
    try:
        return _content(message).decode(charset, "replace")
    except LookupError:
        return _content(message).decode("utf-8", "replace")

"""How exchanges look: on a terminal in colour, else plain. What is said stands in `eas.replay.showing.summary`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from rich.console import Console
from rich.text import Text

from eas.replay.explain import Sign
from eas.replay.format.lines import written
from eas.replay.format.model import Body, Document, Exchange, Headers
from eas.replay.format.writing import plain_query
from eas.replay.showing.summary import Line
from eas.replay.showing.wording import MEANING

#: Text and its style; "" for none.
Piece: TypeAlias = tuple[str, str]

#: Of one body, where it is not to be shown in full.
SHORT_LINES, SHORT_COLUMNS = 40, 160
_XML = re.compile(r"(\s*)(</?[^>]*>)([^<]*)(</[^>]*>)?(.*)", re.DOTALL)
_VALUE = re.compile(r"\s*<(?:([a-z0-9]+):)?([A-Za-z0-9]+)[^>]*>([^<]*)</")


class Screen:
    """Standard output: colour on a terminal, unless NO_COLOR is set."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self.coloured = self._console.is_terminal and not self._console.no_color

    @property
    def is_terminal(self) -> bool:
        return self._console.is_terminal

    def put(self, pieces: Iterable[Piece] = ()) -> None:
        """One line. Control characters of whoever wrote the session do not reach the terminal."""
        if self.coloured:
            self._console.print(Text.assemble(*((_harmless(text), style) for text, style in pieces)))
        else:
            sys.stdout.write("".join(_harmless(text) for text, _ in pieces) + "\n")


def _harmless(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


# The line ------------------------------------------------------------------------------------------------------------


def line_of(line: Line) -> list[Piece]:
    one = line.one
    gap = "" if line.gap is None else f"+{span(line.gap)}" if line.gap >= 0 else f"-{span(-line.gap)}"
    http = "none" if one.http is None else str(one.http)
    said = [
        (f"{one.number:>5} ", "bold"), (one.time.strftime("%H:%M:%S.%f")[:-3], ""), (f" {gap:>9}  ", "dim"),
        (f"{one.command:<15}", "bold cyan"), (f" {http:>4}", "green" if one.http == 200 else "bold red"),
        (f" {span(one.seconds):>8}", "yellow" if one.seconds > 30 else ""),
        (f" {size(one.asked_bytes):>7} {size(one.told_bytes):>7}", "dim"),
    ]
    return said + ([(f"  {line.about}", "")] if line.about else [])


def troubles_of(line: Line, *, steps: bool) -> Iterator[list[Piece]]:
    """`steps`: with what to do about it."""
    for trouble in line.trouble:
        step = f" {trouble.next}" if steps and trouble.next else ""
        yield [("      ! ", "bold red"), (trouble.means, "red"), (step, "dim")]


def sign_of(sign: Sign) -> list[Piece]:
    return [("      * ", "bold yellow"), (sign.name, "bold yellow"), (f": {sign.said}", "yellow")]


def span(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 1000:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 360_000 else f"{seconds / 86_400:.0f} d"


def size(octets: int) -> str:
    if octets < 0:
        return "?"
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if octets >= unit:
            return f"{octets / unit:.1f} {name}"
    return f"{octets} B"


# The messages --------------------------------------------------------------------------------------------------------


def request_of(exchange: Exchange, *, headers: bool, full: bool | None, decoded: bool) -> Iterator[list[Piece]]:
    """`full` None: no bodies."""
    request = exchange.request
    if headers:
        yield [("--> ", "bold"), (f"{request.method} {request.target}", "")]
        if plain := plain_query(request.query):
            yield [(f"query: {plain}", "dim")]
        yield from _headers(request.headers)
    if full is not None:
        yield from body_of(request.body, "-->", full, decoded)


def answer_of(exchange: Exchange, *, headers: bool, full: bool | None, decoded: bool) -> Iterator[list[Piece]]:
    answer = exchange.answer
    if headers:
        yield [("<-- ", "bold"), (f"{answer.status or 'none'} {answer.seconds:.3f}s {answer.why}".rstrip(), "")]
        yield from _headers(answer.headers)
    if full is not None:
        yield from body_of(answer.body, "<--", full, decoded)


def _headers(headers: Headers) -> Iterator[list[Piece]]:
    for name, value in headers:
        yield [(f"{name}: ", "magenta"), (value, "")]


def body_of(body: Body, arrow: str, full: bool, decoded: bool) -> Iterator[list[Piece]]:
    if body is None:
        return
    lines = written(body)
    head = next(lines)
    yield [(f"{arrow} ", "bold"), (head, "dim")]
    space = body.root.tag.partition(":")[0] if isinstance(body, Document) else ""
    shown = lines if full else islice(lines, SHORT_LINES)
    for text in shown:
        yield _pieces(text if full else _cut(text), space, decoded)
    left = 0 if full else sum(1 for _ in lines)
    if left:
        yield [(f"  ... {left} more line{'s' if left > 1 else ''} (--bodies full)", "dim")]


def _cut(text: str) -> str:
    if len(text) <= SHORT_COLUMNS:
        return text
    return f"{text[:SHORT_COLUMNS]}... {len(text) - SHORT_COLUMNS} more characters"


def _pieces(text: str, space: str, decoded: bool) -> list[Piece]:
    found = _XML.fullmatch(text)
    if found is None:
        return [(text, "")]
    indent, opening, content, closing, rest = found.groups()
    meaning = _meaning(text, space) if decoded else ""
    return [
        (indent, ""), (opening, "blue"), (content, ""), (closing or "", "blue"), (rest, ""),
        (f"   # {meaning}" if meaning else "", "green"),
    ]


def _meaning(text: str, space: str) -> str:
    found = _VALUE.match(text)
    if found is None:
        return ""
    return _MEANING.get((found[1] or space.lower(), found[2]), {}).get(found[3], "")


#: (code page in lower case, name) -> value -> what it says.
_MEANING = {
    (tag.partition(":")[0].lower(), tag.partition(":")[2]): values for tag, values in MEANING.items()
}

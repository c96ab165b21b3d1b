"""Two sessions side by side: which exchange of one is which of the other. Streams; looks ahead a window of each.

Exchanges pair that say the same (command, folders by name, items by title), then those that ask the same, then those
with the same command; what is left has no counterpart. Within a window the best alignment is found, so that one more
Ping shifts nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from eas.protocol.wbxml import Element
from eas.replay.format.model import Document, Exchange

from .asking import command_of
from .naming import folder_of, label_of, local

#: Exchanges of each side that are looked at together.
WINDOW = 96
#: What a pair is worth: saying the same, asking the same, the same command only.
ALIKE, ASKED, COMMAND = 6, 4, 1

Pair = tuple[Exchange | None, Exchange | None]


@dataclass(frozen=True, slots=True)
class _Seen:
    exchange: Exchange
    command: str
    #: Hashes of what is asked, and of what is answered.
    asks: int
    told: int


@dataclass(slots=True)
class _Side:
    """Folders are called by their names, since their ids are the server's."""

    exchanges: Iterator[Exchange]
    names: dict[str, str] = field(default_factory=dict)
    ahead: deque[_Seen] = field(default_factory=deque)

    def fill(self) -> None:
        for exchange in islice(self.exchanges, WINDOW - len(self.ahead)):
            self.ahead.append(self._seen(exchange))

    def _seen(self, exchange: Exchange) -> _Seen:
        body, told = exchange.request.body, exchange.answer.body
        if isinstance(told, Document) and told.root.tag == "FolderHierarchy:FolderSync":
            self._learn(told.root)
        command = command_of(exchange.request) or exchange.request.method
        root = body.root if isinstance(body, Document) else None
        answer = told.root if isinstance(told, Document) else None
        return _Seen(exchange, command, hash((command, _said(root, self.names))), hash(_said(answer, self.names)))

    def _learn(self, element: Element) -> None:
        name, key = element.child("FolderHierarchy:DisplayName"), element.child("FolderHierarchy:ServerId")
        if name is not None and key is not None:
            self.names[key.text] = name.text
        for child in element.elements:
            self._learn(child)


def _said(element: Element | None, names: dict[str, str]) -> Hashable:
    """What a message is about, without what servers choose."""
    if element is None:
        return ()
    said: list[Hashable] = []
    if folder := folder_of(element):
        said.append((local(element.tag), names.get(folder, "")))
    if local(element.tag) == "SyncKey":
        said.append(("SyncKey", element.text == "0"))
    if (label := label_of(element)) is not None:
        said.append(label)
    if local(element.tag) in ("Add", "Change", "Delete", "Fetch", "Move", "Request", "Query", "Mime"):
        said.append(local(element.tag))
    for child in element.elements:
        if inside := _said(child, names):
            said.append(inside)
    return tuple(said)


def aligned(expected: Iterable[Exchange], got: Iterable[Exchange]) -> Iterator[Pair]:
    """Pairs in the order of both; None where one side has nothing. All of both sides comes, once."""
    ours, theirs = _Side(iter(expected)), _Side(iter(got))
    while True:
        ours.fill()
        theirs.fill()
        if not ours.ahead or not theirs.ahead:
            break
        if _worth(ours.ahead[0], theirs.ahead[0]) == ALIKE:
            yield ours.ahead.popleft().exchange, theirs.ahead.popleft().exchange
            continue
        yield from _window(ours, theirs)
    for side in (ours, theirs):
        while side.ahead:
            one = side.ahead.popleft().exchange
            yield (one, None) if side is ours else (None, one)
            side.fill()


def _window(ours: _Side, theirs: _Side) -> Iterator[Pair]:
    """The best alignment of both windows, its first half: what follows may change the rest."""
    pairs = _best([*ours.ahead], [*theirs.ahead])
    keep = max(1, len(pairs) // 2) if len(ours.ahead) == WINDOW or len(theirs.ahead) == WINDOW else len(pairs)
    done = 0, 0
    for i, j in pairs[:keep]:
        yield from _alone(ours, theirs, i - done[0], j - done[1])
        yield ours.ahead.popleft().exchange, theirs.ahead.popleft().exchange
        done = i + 1, j + 1
    if not pairs:
        yield from _alone(ours, theirs, len(ours.ahead), len(theirs.ahead))


def _alone(ours: _Side, theirs: _Side, mine: int, yours: int) -> Iterator[Pair]:
    for _ in range(mine):
        yield ours.ahead.popleft().exchange, None
    for _ in range(yours):
        yield None, theirs.ahead.popleft().exchange


def _best(ours: list[_Seen], theirs: list[_Seen]) -> list[tuple[int, int]]:
    """Positions that pair, by dynamic programming from the end: the most worth in all."""
    worth = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i in range(len(ours) - 1, -1, -1):
        for j in range(len(theirs) - 1, -1, -1):
            worth[i][j] = max(worth[i + 1][j], worth[i][j + 1])
            if (value := _worth(ours[i], theirs[j])):
                worth[i][j] = max(worth[i][j], worth[i + 1][j + 1] + value)
    found, i, j = [], 0, 0
    while i < len(ours) and j < len(theirs):
        value = _worth(ours[i], theirs[j])
        if value and worth[i][j] == worth[i + 1][j + 1] + value:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif worth[i][j] == worth[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def _worth(one: _Seen, other: _Seen) -> int:
    if one.asks == other.asks:
        return ALIKE if one.told == other.told else ASKED
    return COMMAND if one.command == other.command else 0

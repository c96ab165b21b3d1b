"""Session files masked and searched, one exchange at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eas.replay.format import model
from eas.replay.format.model import Exchange, Meta
from eas.replay.format.reading import open_session
from eas.replay.format.writing import STANDARD, Sink, exchange_text, head_text, writer

from .findings import Finding, Search
from .masker import Masker


def mask(source: str, target: str, masker: Masker, found: list[Finding]) -> int:
    """Writes a masked file, whose findings are added. How many exchanges it has.

    `target` may be the source: it is replaced when everything is done, and nothing is left of what was begun when it is
    not. Raises OSError, and SessionError for a source that cannot be read.
    """
    count = 0
    with open_session(source) as session, _beside(target) as (place, done):
        with writer(place) as sink:
            searched = _Searched(sink, Search(target, lambda: masker.names, masked=True), found)
            searched.head(masker.meta(session.meta))
            for exchange in session.exchanges:
                searched.add(masker.exchange(exchange))
                count += 1
        done()
    return count


def search(source: str) -> tuple[list[Finding], int]:
    """What may be private in a file, and how many exchanges it has. Raises OSError and SessionError."""
    found: list[Finding] = []
    count = 0
    with open_session(source) as session:
        searched = _Searched(_Nowhere(), Search(source, masked=bool(session.meta.get(model.MASKED))), found)
        searched.head(session.meta)
        for exchange in session.exchanges:
            searched.add(exchange)
            count += 1
    return found, count


class _Searched:
    """A sink that searches what goes through it."""

    def __init__(self, sink: Sink, search: Search, found: list[Finding]) -> None:
        self._sink, self._search, self._found = sink, search, found

    def head(self, meta: Meta) -> None:
        self._sink.head(meta)
        self._look(head_text(meta))

    def add(self, exchange: Exchange) -> None:
        self._sink.add(exchange)
        self._look(exchange_text(exchange))

    def _look(self, text: str) -> None:
        self._found += self._search.lines(text.removesuffix("\n").split("\n"))


class _Nowhere:
    def head(self, meta: Meta) -> None: ...

    def add(self, exchange: Exchange) -> None: ...


@contextmanager
def _beside(target: str) -> Iterator[tuple[str, _Done]]:
    """A file that takes the place of the target when it is done, and goes when it is not."""
    if target == STANDARD:
        yield target, _Done()
        return
    path = Path(target)
    # `writer` packs by the end of the name.
    number, name = tempfile.mkstemp(prefix=".masking-", suffix=".gz" if target.endswith(".gz") else "", dir=path.parent)
    os.close(number)
    try:
        yield name, _Done(name, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


class _Done:
    """Puts the file in its place."""

    def __init__(self, name: str = "", target: str = "") -> None:
        self._name, self._target = name, target

    def __call__(self) -> None:
        if self._name:
            os.replace(self._name, self._target)



"""The members of one array of a JSON file, one at a time: a HAR of a day does not fit into memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from eas.replay.format.model import SessionError

from .sources import Source

#: Characters that are read at once, and at most for one member.
_CHUNK, MAX_MEMBER = 1024 * 1024, 256 * 1024 * 1024

_BETWEEN = re.compile(r"[\s,]*")


def members(source: Source, name: str) -> Iterator[tuple[int, Any]]:
    """The line where each begins, and its value. Raises SessionError where the array cannot be read on."""
    text = _Text(source)
    text.seek(re.compile(rf'(?<!\\)"{name}"\s*:\s*\['), name)
    while True:
        text.skip(_BETWEEN)
        line = text.line
        if text.ahead == "]":
            return
        if text.ahead == "":
            raise text.wrong("the file ends before its list does")
        yield line, text.value()


class _Text:
    """Text that is read as far as it is needed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._json = json.JSONDecoder()
        self._text, self._at, self._whole = "", 0, False
        self.line = 1

    @property
    def ahead(self) -> str:
        """The next character, "" at the end."""
        return self._text[self._at : self._at + 1]

    def wrong(self, message: str) -> SessionError:
        return SessionError(message, self.line, self._source.name)

    def seek(self, pattern: re.Pattern[str], name: str) -> None:
        """Behind the first match."""
        while (found := pattern.search(self._text, self._at)) is None:
            if self._whole:
                raise self.wrong(f"no list of {name} in it")
            self._move(max(self._at, len(self._text) - 200))  # the match may lie across two pieces
            self._more(_CHUNK)
        self._move(found.end())

    def skip(self, pattern: re.Pattern[str]) -> None:
        while True:
            found = pattern.match(self._text, self._at)
            self._move(found.end() if found else self._at)
            if self._at < len(self._text) or self._whole:
                return
            self._more(_CHUNK)

    def value(self) -> Any:
        wanted = _CHUNK
        while True:
            try:
                found, end = self._json.raw_decode(self._text, self._at)
            except RecursionError:
                raise self.wrong("JSON that is too deep") from None
            except ValueError as error:
                if self._whole or wanted > MAX_MEMBER:
                    raise self.wrong(f"no JSON: {str(error).partition(':')[0]}") from None
                self._more(wanted)
                wanted *= 2  # else a large member would be read from its beginning too often
                continue
            self._move(end)
            return found

    def _move(self, to: int) -> None:
        self.line += self._text.count("\n", self._at, to)
        self._at = to

    def _more(self, size: int) -> None:
        data = self._source.read(size)
        self._whole = not data
        self._text = self._text[self._at :] + self._decoder.decode(data, final=self._whole)
        self._at = 0

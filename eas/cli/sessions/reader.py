"""Goes through a session and shows what was chosen of it, one exchange at a time."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from eas.replay.explain import Explainer, Finding, Sign
from eas.replay.format.model import Exchange, Meta
from eas.replay.format.reading import open_session
from eas.replay.showing.choosing import Choice
from eas.replay.showing.seen import Folders, Seen, seen
from eas.replay.showing.summary import as_data, line

from . import explained, showing

#: Devices whose folders are known by name at the same time.
MOST_DEVICES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """`full` None: no messages, False: cut."""

    headers: bool = False
    full: bool | None = False
    requests: bool = True
    answers: bool = True
    decoded: bool = False
    as_json: bool = False


class View:
    def __init__(self, choice: Choice, manner: Manner, explain: bool) -> None:
        self._choice, self._manner = choice, manner
        self._explainer = Explainer() if explain else None
        self._screen = showing.Screen()
        self._folders: dict[str, Folders] = {}

    def show(self, file: str) -> bool:
        """Whether all was well, as far as was looked. Raises SessionError, OSError."""
        with open_session(file) as session:
            if not self._manner.as_json:
                self._head(session.meta)
            before: Seen | None = None
            first: datetime | None = None
            for exchange in session.exchanges:
                one = seen(exchange, session.meta)
                first = first or one.time
                folders = self._folders_of(one)
                folders.learn(one)
                signs = self._explainer.see(one) if self._explainer is not None else []
                if self._choice.fits(one, folders, first):
                    self._one(one, before, folders, signs)
                before = one
        if self._explainer is None:
            return True
        found = self._explainer.end()
        self._summary(found)
        return not found

    def _folders_of(self, one: Seen) -> Folders:
        if one.device not in self._folders and len(self._folders) >= MOST_DEVICES:
            self._folders.pop(next(iter(self._folders)))
        return self._folders.setdefault(one.device, Folders())

    def _head(self, meta: Meta) -> None:
        for name, value in meta.fields:
            self._screen.put([(f"{name}: ", "magenta"), (value, "")])
        if meta.fields:
            self._screen.put()

    def _one(self, one: Seen, before: Seen | None, folders: Folders, signs: list[Sign]) -> None:
        said = line(one, before, folders)
        if self._manner.as_json:
            signed = {"findings": [asdict(sign) for sign in signs]} if self._explainer is not None else {}
            self._json(as_data(said, folders) | signed)
            return
        for comment in one.exchange.comments:
            self._screen.put([(f"# {comment}", "italic dim")])
        self._screen.put(showing.line_of(said))
        for pieces in showing.troubles_of(said, steps=self._explainer is not None):
            self._screen.put(pieces)
        for sign in signs:
            self._screen.put(showing.sign_of(sign))
        rest = list(self._messages(one.exchange))
        for pieces in rest:
            self._screen.put([("      ", ""), *pieces])
        if rest:
            self._screen.put()

    def _summary(self, found: list[Finding]) -> None:
        if self._manner.as_json:
            self._json({"well": not found, "findings": [explained.as_data(one) for one in found]})
            return
        self._screen.put()
        for pieces in explained.summary(found):
            self._screen.put(pieces)

    def _json(self, data: object) -> None:
        sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")

    def _messages(self, exchange: Exchange) -> Iterator[list[showing.Piece]]:
        manner = self._manner
        if manner.requests:
            yield from showing.request_of(
                exchange, headers=manner.headers, full=manner.full, decoded=manner.decoded
            )
        if manner.answers:
            yield from showing.answer_of(exchange, headers=manner.headers, full=manner.full, decoded=manner.decoded)

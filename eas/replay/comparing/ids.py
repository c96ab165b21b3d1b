"""Ids of one session and those of another: which stands for which, found as they are first seen together."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Kind of id, folder that it belongs to ("" for none), id. Kinds: folder, item, file, uid, conversation, ...
_Key = tuple[str, str, str]
#: With some servers these are unique within their folder only.
WITHIN_FOLDER = frozenset({"item"})


@dataclass(slots=True)
class Ids:
    """`folder` is the id of the folder as the first session has it, and counts for ids WITHIN_FOLDER. What was said of
    no folder counts for each one that nothing else is known of. `settled`: the first session may be in the ids of the
    second already, as an expected answer is in those of the server that is asked."""

    settled: bool = False
    #: Id of a folder, as the first session has it -> its name, for people.
    names: dict[str, str] = field(default_factory=dict)
    _actual: dict[_Key, str] = field(default_factory=dict)
    _recorded: dict[_Key, str] = field(default_factory=dict)

    def actual(self, kind: str, recorded: str, folder: str = "") -> str | None:
        """What stands for it in the second session; None while nothing was bound."""
        folder = _scope(kind, folder)
        found = self._actual.get((kind, folder, recorded))
        return found if found is not None or not folder else self._actual.get((kind, "", recorded))

    def recorded(self, kind: str, actual: str, folder: str = "") -> str | None:
        """The way back."""
        folder = _scope(kind, folder)
        found = self._recorded.get((kind, folder, actual))
        return found if found is not None or not folder else self._recorded.get((kind, "", actual))

    def bind(self, kind: str, recorded: str, actual: str, folder: str = "") -> None:
        """From now on."""
        folder = _scope(kind, folder)
        self._actual[(kind, folder, recorded)] = actual
        self._recorded[(kind, folder, actual)] = recorded
        if folder:
            self._actual[(kind, "", recorded)] = actual
            self._recorded[(kind, "", actual)] = recorded

    def same(self, kind: str, recorded: str, actual: str, folder: str = "") -> bool:
        """Whether the pair agrees with all before it. Binds it, also where it does not: it is told once."""
        folder = _scope(kind, folder)
        before, behind = self.actual(kind, recorded, folder), self.recorded(kind, actual, folder)
        if before == actual and behind == recorded:
            return True
        if self.settled and recorded == actual:
            self.bind(kind, recorded, actual, folder)
            return True
        # An id that is known without its folder says nothing about the same text in another folder.
        fresh = (kind, folder, recorded) not in self._actual and (kind, folder, actual) not in self._recorded
        agrees = (before is None and behind is None) or (bool(folder) and fresh)
        self.bind(kind, recorded, actual, folder)
        return agrees


def _scope(kind: str, folder: str) -> str:
    return folder if kind in WITHIN_FOLDER else ""

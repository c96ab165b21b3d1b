"""What may differ between two servers' answers: rules from places in a message to manners of comparing, each with why.

A place is the end of a path, as differences show it: `email:Subject`, `Collection/SyncKey`, `Sync/**/AttSize`. `*` is
any element, `**` any number of them; a name without prefix is that tag of any code page; what stands in brackets is
passed over. Headers are `header/NAME`, those of a mail `mime/NAME`. Of several rules that fit, the last one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

from .ids import Ids

#: From the root: full tags ("Email:Subject"), or words such as "header".
Path: TypeAlias = tuple[str, ...]


class Manner(StrEnum):
    """How a place is compared."""

    SAME = "same"
    IGNORE = "ignore"
    ANY = "any"
    KEY = "key"
    ID = "id"
    TIME = "time"
    NUMBER = "number"
    WORDS = "words"
    BEGINNING = "beginning"
    LINES = "lines"
    SET = "set"
    ADDRESSES = "addresses"
    MIME = "mime"
    MEDIA = "media type"
    XML = "xml"
    UNORDERED = "unordered"


#: What each manner lets pass, as the documentation has it.
MEANS: Mapping[Manner, str] = {
    Manner.SAME: "nothing",
    Manner.IGNORE: "everything: it may be another, or be missing",
    Manner.ANY: "any value, if there is one",
    Manner.KEY: "any value, if there is one; `0` is only `0`",
    Manner.ID: "another value, but the same one for the same thing throughout the session",
    Manner.TIME: "a time moved by as much as the two sessions lie apart; a few minutes besides",
    Manner.NUMBER: "any number",
    Manner.WORDS: "other white space",
    Manner.BEGINNING: "other white space, and a text that is cut earlier or later",
    Manner.LINES: "other ends of lines, and blanks at their ends",
    Manner.SET: "another order of what stands between the commas",
    Manner.ADDRESSES: "another order and spelling of mail addresses",
    Manner.MIME: "another wrapping of the same message: boundaries, encodings, headers that servers add",
    Manner.MEDIA: "other parameters of a media type",
    Manner.XML: "other addresses of servers, and white space between elements",
    Manner.UNORDERED: "another order of siblings; they are matched by content",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """`kind` is that of an ID: folder, item, ... `why` is for people."""

    where: str
    manner: Manner
    why: str = ""
    kind: str = ""

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(step.partition("[")[0] for step in self.where.strip("/").split("/"))


@dataclass(frozen=True)
class Rules:
    """`shift`: how much later the second session was than the first. `tolerance`: by how much a time may be off beside
    that. `strict`: also the order of different elements counts. `ids`: what was bound so far, kept over a whole
    session; None begins anew with each comparison."""

    table: tuple[Rule, ...]
    strict: bool = False
    tolerance: timedelta = timedelta(minutes=5)
    shift: timedelta = timedelta(0)
    ids: Ids | None = None

    def rule(self, path: Path) -> Rule | None:
        """The last rule that fits; None: same."""
        try:
            return self._known[path]
        except KeyError:
            found = self._known[path] = next(
                (rule for rule in self._by_name.of(_name(path[-1])) if fits(rule.steps, path)), None)
            return found

    def manner(self, path: Path) -> Manner:
        found = self.rule(path)
        return found.manner if found else Manner.SAME

    def and_(self, more: Iterable[Rule]) -> Rules:
        """With more rules, which go before those that are there."""
        return replace(self, table=(*self.table, *more))

    @cached_property
    def _known(self) -> dict[Path, Rule | None]:
        return {}

    @cached_property
    def _by_name(self) -> _Names:
        """By the last step, the last rule first; those that end in a wildcard stand under every name."""
        found = _Names()
        for rule in reversed(self.table):
            found.put(_name(rule.steps[-1]), rule)
        return found


class _Names(dict[str, list[Rule]]):
    """Name -> rules; rules for any name stand under each, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self._any: list[Rule] = []

    def put(self, name: str, rule: Rule) -> None:
        if "*" not in name:
            self.setdefault(name, list(self._any)).append(rule)
            return
        self._any.append(rule)
        for rules in self.values():
            rules.append(rule)

    def of(self, name: str) -> list[Rule]:
        return self.get(name, self._any)


def _name(tag: str) -> str:
    return tag.rpartition(":")[2].lower()


def fits(steps: tuple[str, ...], path: Path) -> bool:
    """Whether the path ends as the steps say. `**` at the beginning says nothing."""
    if not steps or steps == ("**",):
        return True
    if not path and steps:
        return False
    if steps[-1] == "**":
        return any(fits(steps[:-1], path[:end]) for end in range(len(path), -1, -1))
    return _is(steps[-1], path[-1]) and fits(steps[:-1], path[:-1])


def _is(step: str, tag: str) -> bool:
    if step == "*":
        return True
    space, _, name = tag.rpartition(":")
    wanted_space, _, wanted = step.rpartition(":")
    return wanted.lower() == name.lower() and wanted_space.lower() in ("", space.lower())

"""Folders of two servers that are the same one: by what they are for, else by name and place. [MS-ASCMD] FolderSync."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

#: Types that a mailbox has one of; their names follow the user's language. [MS-ASCMD] Type (FolderSync).
DEFAULT_TYPES = frozenset(map(str, (*range(2, 12), 19)))
ROOT = "0"


@dataclass(frozen=True, slots=True)
class Folder:
    name: str
    type: str
    parent: str = ROOT


@dataclass(slots=True)
class Folders:
    """What either side has told, by its ids, and which are the same: recorded id -> live id."""

    recorded: dict[str, Folder] = field(default_factory=dict)
    live: dict[str, Folder] = field(default_factory=dict)
    live_of: dict[str, str] = field(default_factory=dict)

    def recorded_of(self, live: str) -> str | None:
        return next((ours for ours, theirs in self.live_of.items() if theirs == live), None)

    def pair(self) -> None:
        """Find what is the same among those of which nothing is known yet."""
        for id in [id for id, theirs in self.live_of.items() if id in self.recorded and theirs not in self.live]:
            del self.live_of[id]
        for rule in RULES:
            while self._by(rule):
                pass

    def _by(self, rule: Callable[[Folders, Folder, Folder], bool]) -> bool:
        taken, found = set(self.live_of.values()), False
        for id, folder in self.recorded.items():
            if id in self.live_of:
                continue
            for other, theirs in self.live.items():
                if other not in taken and rule(self, folder, theirs):
                    self.live_of[id] = other
                    taken.add(other)
                    found = True
                    break
        return found

    def parents_agree(self, ours: Folder, theirs: Folder) -> bool:
        return (ours.parent == ROOT == theirs.parent) or self.live_of.get(ours.parent, "") == theirs.parent


def _same_job(folders: Folders, ours: Folder, theirs: Folder) -> bool:
    return ours.type == theirs.type and ours.type in DEFAULT_TYPES


def _same_place(folders: Folders, ours: Folder, theirs: Folder) -> bool:
    return _alike(ours, theirs) and folders.parents_agree(ours, theirs)


def _same_name(folders: Folders, ours: Folder, theirs: Folder) -> bool:
    return _alike(ours, theirs)


def _alike(ours: Folder, theirs: Folder) -> bool:
    return ours.type == theirs.type and ours.name.casefold() == theirs.name.casefold()


#: The surest first.
RULES = (_same_job, _same_place, _same_name)

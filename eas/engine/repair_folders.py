"""The hierarchy of a device whose key is newer than the state (`repair`): which folders it may have.

Those that it must have are told anew, which changes nothing where nothing differs. What it may have or not is deleted
there, and comes as new with the next answer, if it exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .errors import StaleKey
from .keys import Hint, LostTime
from .model import CollectionId

#: More numbers of folders that may have been handed out in the lost time, and the device begins anew.
MOST_FOLDERS = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder as a device knows it."""

    parent: CollectionId
    name: str
    type: int


Entries = Mapping[CollectionId, Entry]

#: What the device has under this id looks otherwise; and: whether it has it at all is not known. No folder is so.
UNLIKE, DOUBTED = Entry("", "", 0), Entry("", "", -1)


def presumed(
    before: Sequence[Entries], present: Entries, lost: LostTime, hint: Hint, special: frozenset[int]
) -> Entries:
    """What the device is taken to know. `before` may each be what it went on from; folders of the types `special` are
    made and deleted by no device. Pure. Raises StaleKey."""
    known = set[CollectionId]().union(*before)
    sure = {
        id for id in known & present.keys()
        if all(id in entries for entries in before) and (present[id].type in special or _stayed(id, lost))
    }
    doubted = _with_children((known | set(_handed_out(lost, hint))) - sure, present)
    older = {id for id in present.keys() - known if _told_by(id, hint)}
    doubted |= _with_children(older, present)
    return {**dict.fromkeys(sure - doubted, UNLIKE), **dict.fromkeys(sorted(doubted), DOUBTED)}


def certain(known: Entries, present: Entries) -> Entries:
    """What of the present folders may be told now: those in doubt only when their end has arrived."""
    return {id: entry for id, entry in present.items() if known.get(id) != DOUBTED}


def highest(ids: Iterable[CollectionId]) -> tuple[int, int]:
    """The highest number of a folder, and the highest of those whose ids have a letter before it; 0 for none."""
    plain, kept = 0, 0
    for id in ids:
        if id.isdecimal():
            plain = max(plain, int(id))
        elif id[1:].isdecimal():
            kept = max(kept, int(id[1:]))
    return plain, kept


def _stayed(id: CollectionId, lost: LostTime) -> bool:
    """Whether the folder stands on a server that was not put back."""
    return lost.elsewhere and not (lost.prefix and id.startswith(lost.prefix))


def _handed_out(lost: LostTime, hint: Hint) -> list[CollectionId]:
    """The ids that the device may have learned in the lost time."""
    plain = range(lost.first, hint.top + 1)
    kept = range(lost.first_kept, _second(hint) + 1) if lost.prefix else range(0)
    if len(plain) + len(kept) > MOST_FOLDERS:
        raise StaleKey
    return [*map(str, plain), *(f"{lost.prefix}{number}" for number in kept)]


def _told_by(id: CollectionId, hint: Hint) -> bool:
    """Whether a folder that was not told before may have been since."""
    plain, kept = highest([id])
    return 0 < plain <= hint.top or 0 < kept <= _second(hint)


def _second(hint: Hint) -> int:
    return int(hint.more, 36) if hint.more else 0


def _with_children(ids: set[CollectionId], present: Entries) -> set[CollectionId]:
    """A device that deletes a folder may delete what lies in it as well."""
    found = set(ids)
    while more := {id for id, entry in present.items() if entry.parent in found and id not in found}:
        found |= more
    return found

"""Keys of folders: repeated ones, refused ones, and beginnings from nothing. [MS-ASCMD] SyncKey."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eas.replay.showing.seen import HIERARCHY, Seen, Step

from .findings import Name, Sign

#: Folders of one device that are kept in view.
MOST = 5_000
#: Lost answers of a device from which on they are worth a word: a phone in a pocket loses one now and then.
LOST = 3
#: Times that the same step is answered before it is said that the device does not take it.
TAKEN_BY = 3
#: Beginnings without being told to, by what they are of; some programs list the folders anew each time they start.
BEGINNINGS, BEGINNINGS_OF_HIERARCHY = 2, 4
#: What says that the device has to begin anew. Of Sync, of FolderSync, and common (SYNC_STATE_...).
REFUSED = {False: frozenset({"3", "132", "134", "136"}), True: frozenset({"9", "132", "134", "136"})}
FOLDERS_CHANGED = "12"


@dataclass(slots=True)
class _Held:
    """`number` is the exchange in which `key` was asked first, `times` how often it was answered with another key."""

    key: str
    number: int
    times: int = 0
    lost: bool = False
    status: str = ""
    beginnings: int = 0
    ignored: int = 0


class Keys:
    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._lost = 0

    def see(self, one: Seen) -> Iterator[Sign]:
        if one.command == "FolderSync":
            for held in self._held.values():
                held.ignored = 0
        for step in one.steps:
            if step.key:
                yield from self._step(one, step)

    def end(self) -> Iterable[Sign]:
        return ()

    def _step(self, one: Seen, step: Step) -> Iterator[Sign]:
        before = self._held.get(step.folder)
        if before is None or before.key != step.key:
            held = self._another(one, step, before)
            if step.key == "0" and before is not None:
                yield from self._began(step, held, before)
        else:
            held = before
            yield from self._again(one, step, held)
        yield from self._answered(one, step, held)

    def _another(self, one: Seen, step: Step, before: _Held | None) -> _Held:
        held = _Held(step.key, one.number)
        if before is not None:
            held.beginnings, held.ignored = before.beginnings, before.ignored
        elif len(self._held) >= MOST:
            self._held.pop(next(iter(self._held)))
        self._held[step.folder] = held
        return held

    def _began(self, step: Step, held: _Held, before: _Held) -> Iterator[Sign]:
        if before.status not in ("", "1"):  # it was told to, or found no other way
            return
        held.beginnings += 1
        if held.beginnings >= (BEGINNINGS_OF_HIERARCHY if step.folder == HIERARCHY else BEGINNINGS):
            yield Sign(Name.BEGINS_ANEW, f"{{folder}} is begun from nothing for the {held.beginnings + 1}. time",
                       step.folder)

    def _again(self, one: Seen, step: Step, held: _Held) -> Iterator[Sign]:
        """The key came before."""
        if held.times >= TAKEN_BY - 1:
            said = f"{{folder}}: the step after key {_short(step.key)} is asked for the {held.times + 1}. time"
            yield Sign(Name.NOT_TAKEN, f"{said}, since exchange {held.number}", step.folder, (held.number,))
        elif held.lost or held.times:
            self._lost += 1
            if self._lost >= LOST:
                yield Sign(Name.ANSWERS_LOST, f"{self._lost} answers were asked for again, the last in {{folder}}",
                           "", (held.number,))
        held.lost = False

    def _answered(self, one: Seen, step: Step, held: _Held) -> Iterator[Sign]:
        held.lost = one.http is None
        held.status = step.status or (one.status() if one.http == 200 else "")
        if step.next_key and step.next_key != step.key and held.status in ("", "1"):
            held.times += 1
        if held.status in REFUSED[step.folder == HIERARCHY] and step.key != "0":
            said = f"{{folder}}: key {_short(step.key)} is refused (Status {held.status})"
            yield Sign(Name.KEY_REFUSED, said, step.folder)
        if held.status == FOLDERS_CHANGED and step.folder != HIERARCHY:
            held.ignored += 1
            if held.ignored >= 2:
                said = f"{{folder}}: Status 12 for the {held.ignored}. time, and no FolderSync in between"
                yield Sign(Name.FOLDERS_IGNORED, said, step.folder)


def _short(key: str) -> str:
    return key if len(key) <= 12 else f"...{key[-8:]}"

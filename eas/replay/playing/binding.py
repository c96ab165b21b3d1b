"""What the recorded server chose, and what the other server chose in its place: ids, keys, references, by kind.

Everything is learned from pairs of answers, the recorded one and the live one (`learning`), before the next request is
put into the live server's words (`rewriting`). No I/O; a Binding belongs to one device.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from .folders import Folders
from .moments import NONE
from .roles import FIXED, Kind
from .traits import Traits, named_pairs, pairs

#: Keys remembered of one collection: a device goes back by one, when an answer was lost.
KEYS = 16
#: Items of one collection that wait for their like on the other side.
WAITING = 20_000

Value = str | bytes
_NO_KEYS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Who:
    """Whose session it was, and as whom it is played. "" where that is not known, or not to be changed."""

    recorded_user: str = ""
    user: str = ""
    recorded_address: str = ""
    address: str = ""
    device: str = ""


class Missing(Exception):
    """What a request is about is not there on the other server; the text is what it was."""


class Unknown(Exception):
    """Nothing was learned of a value: it is sent as it was recorded."""


@dataclass(slots=True)
class _Waiting:
    """Items of a collection that only one side has told of."""

    recorded: list[Traits] = field(default_factory=list)
    live: list[Traits] = field(default_factory=list)


@dataclass(slots=True)
class Binding:
    """`by` is what the session's dates are moved by."""

    who: Who = Who()
    by: timedelta = NONE
    folders: Folders = field(default_factory=Folders)
    #: The policy key of a provisioning that the session does not have.
    policy_key: str = ""
    _of: dict[Kind, dict[Value, Value]] = field(default_factory=lambda: {kind: {} for kind in Kind})
    _items: dict[tuple[str, str], str] = field(default_factory=dict)
    _keys: dict[str, OrderedDict[str, str]] = field(default_factory=dict)
    _current: dict[str, tuple[str, str]] = field(default_factory=dict)
    _waiting: dict[str, _Waiting] = field(default_factory=dict)

    # -- asked

    def live(self, kind: Kind, recorded: Value, holder: str = "") -> Value:
        """The live value. `holder` is the recorded folder of an item or key. Raises Missing, Unknown."""
        if recorded in FIXED[kind]:
            return recorded
        found = self._found(kind, recorded, holder)
        if found is not None:
            return found
        if (what := self._missing(kind, recorded, holder)) is not None:
            raise Missing(what)
        raise Unknown(f"{kind} {_shown(recorded)}")

    def _found(self, kind: Kind, recorded: Value, holder: str) -> Value | None:
        match kind, recorded:
            case Kind.FOLDER, str():
                return self.folders.live_of.get(recorded)
            case Kind.ITEM, str():
                return self._items.get((holder, recorded)) or self._of[kind].get(recorded)
            case Kind.KEY, str():
                return self._keys.get(holder, _NO_KEYS).get(recorded)
            case Kind.POLICY, _:
                return self._of[kind].get(recorded) or self.policy_key or None
        return self._of[kind].get(recorded)

    def _missing(self, kind: Kind, recorded: Value, holder: str) -> str | None:
        if kind is Kind.FOLDER and isinstance(recorded, str):
            folder = self.folders.recorded.get(recorded)
            return f"the folder {folder.name!r}" if folder is not None else None
        if kind in (Kind.ITEM, Kind.LONG):
            for waiting in ([self._waiting[holder]] if holder in self._waiting else self._waiting.values()):
                for one in waiting.recorded:
                    if one.id == recorded:
                        return f"the item {one.called!r}" if one.called else f"the item {recorded!r}"
        return None

    def current(self, holder: str) -> tuple[str, str] | None:
        """The recorded key and the live key of a collection, as they stand."""
        return self._current.get(holder)

    # -- told

    def put(self, kind: Kind, recorded: Value, live: Value, holder: str = "") -> None:
        if not recorded or not live:
            return
        if kind is Kind.ITEM and isinstance(recorded, str) and isinstance(live, str):
            self._items[holder, recorded] = live
        self._of[kind][recorded] = live

    def asked_with(self, holder: str, recorded: str) -> None:
        """A request has gone out with that key of a collection."""
        if recorded not in FIXED[Kind.KEY]:
            self._current[holder] = recorded, self._keys.get(holder, _NO_KEYS).get(recorded, recorded)
        else:
            self._current[holder] = recorded, recorded

    def keys(self, holder: str, recorded: str, live: str) -> None:
        """Both sides have answered; "" where one has said nothing of that collection: its key stays."""
        was_recorded, was_live = self._current.get(holder, ("", ""))
        now = recorded or was_recorded, live or was_live
        if now[0] in FIXED[Kind.KEY] or now[1] in FIXED[Kind.KEY]:
            return
        known = self._keys.setdefault(holder, OrderedDict())
        known[now[0]] = now[1]
        known.move_to_end(now[0])
        while len(known) > KEYS:
            known.popitem(last=False)
        self._current[holder] = now

    def items(self, holder: str, recorded: Iterable[Traits], live: Iterable[Traits], *, sure: bool = False) -> None:
        """Both sides have told of these items; those that are the same are learned, the others wait. `sure`: more
        are to come, so that a likeness is not enough yet."""
        waiting = self._waiting.setdefault(holder, _Waiting())
        mine, theirs = list(recorded), list(live)
        ours = {one.id for one in mine}
        waiting.recorded = [one for one in waiting.recorded if one.id not in ours]
        there = {one.id: one for one in theirs}
        for one in list(mine):
            other = there.pop(self._items.get((holder, one.id), ""), None)
            if other is not None:
                self.same(holder, one, other)
                mine.remove(one)
                theirs.remove(other)
        waiting.recorded += mine
        waiting.live += theirs
        found = pairs(waiting.recorded, waiting.live, sure=sure)
        for one, other in found:
            self.same(holder, one, other)
        self._forget(waiting, {one.id for one, _ in found}, {other.id for _, other in found})

    @staticmethod
    def _forget(waiting: _Waiting, recorded: set[str], live: set[str]) -> None:
        waiting.recorded = [one for one in waiting.recorded if one.id not in recorded][-WAITING:]
        waiting.live = [one for one in waiting.live if one.id not in live][-WAITING:]

    def gone(self, holder: str, recorded: Iterable[str], live: Iterable[str]) -> None:
        """Items that one side has deleted do not wait any more."""
        if (waiting := self._waiting.get(holder)) is not None:
            self._forget(waiting, set(recorded), set(live))

    def same(self, holder: str, recorded: Traits, live: Traits, kind: Kind = Kind.ITEM) -> None:
        """These are one item: its id, its attachments, its conversation."""
        self.put(kind, recorded.id, live.id, holder)
        for reference, other in named_pairs(recorded.files, live.files):
            self.put(Kind.FILE, reference, other)
        self.put(Kind.CONVERSATION, recorded.conversation, live.conversation)

    def results(self, kind: Kind, recorded: list[Traits], live: list[Traits]) -> None:
        """Both sides have found these; what only the recorded one has found is missing from then on."""
        found = pairs(recorded, live, sure=False)
        for one, other in found:
            self.same("", one, other, kind)
        known = {one.id for one, _ in found}
        waiting = self._waiting.setdefault(f"({kind})", _Waiting())
        waiting.recorded = [*waiting.recorded, *(one for one in recorded if one.id not in known)][-WAITING:]


def _shown(value: Value) -> str:
    text = value.hex() if isinstance(value, bytes) else value
    return text if len(text) <= 40 else f"{text[:37]}..."

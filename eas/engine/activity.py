"""What a device did, as values: one request and its answer, and what several of them make together. Pure; never
contents, only names of commands and folders, statuses, numbers.

A request is an `Event`; the server makes one for each that it has answered. A batch of them becomes a `Batch`: the last
answer to each command and of each folder with how often it was given in a row, and the counts of each day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

#: How many events of a device are kept.
KEPT_EVENTS = 200

#: The classes whose items are counted, as in a Sync.
CLASSES = ("Email", "Calendar", "Contacts", "Tasks", "Notes")
#: The counters of a day, but for those of items.
COUNTERS = (
    "requests", "errors", "bytes_in", "bytes_out", "wakeups", "waits", "waits_held", "waits_cut", "waited_seconds",
    "starts",
)
#: Counter of items by (class, direction as in the figures of a Sync).
ITEM_COUNTERS: Mapping[tuple[str, str], str] = {
    (name, direction): f"{name.lower()}_{word}"
    for name in CLASSES for direction, word in (("to_device", "out"), ("from_device", "in"))
}

#: What an answer is the last of: of a command, or of a folder in a Sync (or Ping).
COMMAND, FOLDER = "command", "folder"
#: The status of a folder that is not there, and what all such go by: their ids are whatever a device has made up.
GONE, ANY_GONE = 12, "?"

#: Statuses of a whole answer that say that all went well, where it is not 1 or none at all.
FINE: Mapping[str, frozenset[str]] = {
    "Ping": frozenset(("1", "2")),
    "MoveItems": frozenset(("3", "")),
}
_FINE = frozenset(("", "1"))
#: Of HTTP: an answer, and of 2.5 to 12.1 the word to provision first.
ASK_FOR_POLICY = 449


class FolderNote(NamedTuple):
    """One folder of a Sync: its status, items to the device and from it, whether more is waiting. `again`: the device
    asked with a key whose answer it had got before. `begun`: it began the folder with key 0, "first", "again" or
    "repeated"."""

    id: str
    status: int
    sent: int = 0
    taken: int = 0
    more: bool = False
    again: bool = False
    begun: str = ""


class Event(NamedTuple):
    """One request as it was answered. `at` in epoch seconds, `ms` of work, `waited` in seconds with `how` the wait
    ended ("news", "time", "replaced", "gone", "stop"; "" for none). `status` "" where the answer has none. `node` is
    the process that answered."""

    at: float
    command: str
    version: str
    http: int
    status: str
    sent: int
    taken: int
    bytes_in: int
    bytes_out: int
    ms: float
    waited: float
    how: str
    node: str
    folders: tuple[FolderNote, ...] = ()
    items: tuple[tuple[str, str, int], ...] = ()

    @property
    def fine(self) -> bool:
        return is_fine(self.command, self.http, self.status) and all(f.status == 1 for f in self.folders)


def is_fine(command: str, http: int, status: str) -> bool:
    return http == 200 and status in FINE.get(command, _FINE)


def packed(events: Iterable[Event]) -> str:
    """As one text; `unpacked` reads it. Counts of items by class are not kept for each."""
    return json.dumps([_plain(event) for event in events], separators=(",", ":"))


def _plain(event: Event) -> list[Any]:
    folders = [[*folder[:4], int(folder.more), int(folder.again), folder.begun] for folder in event.folders]
    return [round(event.at, 3), *event[1:9], round(event.ms, 1), round(event.waited, 1), event.how, event.node, folders]


def unpacked(text: str) -> list[Event]:
    return [_event(raw) for raw in json.loads(text)]


def _event(raw: Sequence[Any]) -> Event:
    folders = tuple(
        FolderNote(id, status, sent, taken, bool(more), bool(again), begun)
        for id, status, sent, taken, more, again, begun in raw[13]
    )
    return Event._make([*raw[:13], folders, ()])


@dataclass(slots=True)
class Answer:
    """The last answer of some kind, and what came before it in the same batch. `count` in a row, since `since`; `whole`
    is False where the row of equal answers began in this batch. `ok_at` is the last good one. `again`: so often in a
    row a key was repeated, `kept` False where that began anew in this batch. `starts` from key 0 though it was known;
    `day` is that of `starts`. Times in epoch seconds."""

    at: float
    http: int
    status: str
    fine: bool
    since: float
    count: int = 1
    whole: bool = True
    ok_at: float | None = None
    again: int = 0
    kept: bool = True
    starts: int = 0
    more: bool = False
    day: str = ""

    def then(self, other: Answer) -> None:
        """Take in a later one."""
        if (other.http, other.status) == (self.http, self.status):
            self.count += other.count
        else:
            self.count, self.since, self.whole = other.count, other.since, False
        if other.again:
            self.again += other.again
        else:
            self.again, self.kept = 0, False
        self.starts = other.starts + (self.starts if other.day == self.day else 0)
        self.at, self.http, self.status, self.fine = other.at, other.http, other.status, other.fine
        self.ok_at = other.ok_at if other.ok_at is not None else self.ok_at
        self.more, self.day = other.more, other.day


@dataclass(slots=True)
class Batch:
    """What the events of one device make. `answers` by kind and name; `days` counters by day."""

    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    days: dict[str, dict[str, int]] = field(default_factory=dict)
    version: str = ""


#: How a folder is begun that was begun before.
ANEW = frozenset(("again", "repeated"))


def day_of(at: float) -> str:
    return _hour(int(at // 3600))[:10]


def hour_of(at: float) -> str:
    return _hour(int(at // 3600))


@lru_cache(maxsize=64)
def _hour(number: int) -> str:
    """Every request asks, and mostly for the same."""
    return datetime.fromtimestamp(number * 3600, UTC).strftime("%Y-%m-%dT%H")


def batch_of(events: Iterable[Event]) -> Batch:
    """Events in order of time."""
    made = Batch()
    for event in events:
        day = day_of(event.at)
        made.version = event.version or made.version
        _count(made.days.setdefault(day, {}), event)
        fine = is_fine(event.command, event.http, event.status)
        _put(made, (COMMAND, event.command), Answer(
            at=event.at, http=event.http, status=event.status, fine=fine, since=event.at,
            ok_at=event.at if fine else None, kept=False, day=day,
        ))
        for folder in event.folders:
            name = ANY_GONE if folder.status == GONE else folder.id
            _put(made, (FOLDER, name), _of_folder(folder, event, day))
    return made


def _of_folder(folder: FolderNote, event: Event, day: str) -> Answer:
    fine = folder.status == 1
    return Answer(
        at=event.at, http=event.http, status=str(folder.status), fine=fine, since=event.at,
        ok_at=event.at if fine else None, again=int(folder.again), kept=folder.again,
        starts=int(folder.begun in ANEW), more=folder.more, day=day,
    )


def _put(made: Batch, name: tuple[str, str], answer: Answer) -> None:
    before = made.answers.get(name)
    if before is None:
        made.answers[name] = answer
    else:
        before.then(answer)


def _count(day: dict[str, int], event: Event) -> None:
    def more(name: str, by: int) -> None:
        if by:
            day[name] = day.get(name, 0) + by

    more("requests", 1)
    more("errors", int(not event.fine))
    more("bytes_in", event.bytes_in)
    more("bytes_out", event.bytes_out)
    if event.how:
        # A wait that ended is what wakes the phone's radio; one that was replaced ended by the phone itself.
        more("waits", 1)
        more("wakeups", int(event.how in ("news", "time", "stop")))
        more("waits_held", int(event.how in ("news", "time")))
        more("waits_cut", int(event.how == "gone"))
        more("waited_seconds", round(event.waited))
    more("starts", sum(folder.begun in ANEW for folder in event.folders))
    for item_class, direction, number in event.items:
        if (name := ITEM_COUNTERS.get((item_class, direction))) is not None:
            more(name, number)

"""A session in numbers: requests, bytes, times to an answer, waits, items and folders. What is kept does not grow with
the session: times go into fixed buckets, folders and statuses are bounded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eas.protocol.wbxml import Element
from eas.replay.format.writing import moment

from .seen import HIERARCHY, Folders, Seen, Step
from .waiting import Ended, Waits
from .wording import bad_statuses

#: Buckets of the times: so many to a power of ten, from a millisecond to a day and more.
PER_DECADE, DECADES, LEAST = 20, 8, 0.001
#: Folders, devices and statuses of a command that are told apart.
MOST = 10_000
#: Seconds without anything on the line after which the next thing wakes the device up.
ASLEEP = 10.0
#: Code page of an item's elements -> its class.
CLASSES = {
    "Email": "Email", "Email2": "Email", "Contacts": "Contacts", "Contacts2": "Contacts", "Calendar": "Calendar",
    "Tasks": "Tasks", "Notes": "Notes",
}


class Times:
    """Percentiles to 12 percent, and the exact maximum."""

    def __init__(self) -> None:
        self._buckets = [0] * (PER_DECADE * DECADES + 1)
        self.count, self.total, self.most = 0, 0.0, 0.0

    def add(self, seconds: float) -> None:
        at = math.ceil(math.log10(max(seconds, LEAST) / LEAST) * PER_DECADE - 1e-9)
        self._buckets[min(at, len(self._buckets) - 1)] += 1
        self.count += 1
        self.total += seconds
        self.most = max(self.most, seconds)

    def percentile(self, part: float) -> float:
        """The seconds within which so large a part was answered; 0 for none."""
        wanted, seen = part * self.count, 0
        for at, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted - 1e-9:
                return min(LEAST * 10 ** (at / PER_DECADE), self.most)
        return self.most


@dataclass(slots=True)
class OfCommand:
    """`statuses` counts HTTP's where it is not 200 ("none" without an answer), else each Status that is not well, else
    "ok". Waits are not in `times`."""

    bytes_in: int = 0
    bytes_out: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    times: Times = field(default_factory=Times)
    count: int = 0


@dataclass(slots=True)
class OfFolder:
    """`up` and `down` by what was done: Add, Change, Delete, Fetch, SoftDelete."""

    requests: int = 0
    up: Counter[str] = field(default_factory=Counter)
    down: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Device:
    folders: Folders = field(default_factory=Folders)
    waits: Waits = field(default_factory=Waits)
    class_of: dict[str, str] = field(default_factory=dict)
    awake: float = -math.inf


class Stats:
    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.commands: dict[str, OfCommand] = {}
        self.folders: dict[tuple[str, str], OfFolder] = {}
        self.ended: Counter[Ended] = Counter()
        self.held = self.asked = 0.0
        self.wakes = 0
        #: (class, "up" or "down", what was done) -> how many.
        self.items: Counter[tuple[str, str, str]] = Counter()
        self._devices: dict[str, _Device] = {}

    def see(self, one: Seen) -> None:
        self.first = min(self.first or one.time, one.time)
        self.last = max(self.last or one.end, one.end)
        if one.device not in self._devices and len(self._devices) >= MOST:
            self._devices.pop(next(iter(self._devices)))
        device = self._devices.setdefault(one.device, _Device())
        device.folders.learn(one)
        of = self.commands.setdefault(one.command if len(self.commands) < MOST else "others", OfCommand())
        of.count += 1
        of.bytes_in += max(one.asked_bytes, 0)
        of.bytes_out += max(one.told_bytes, 0)
        for status in _statuses(one):
            of.statuses[status if len(of.statuses) < MOST else "others"] += 1
        self._time(one, device, of)
        for step in one.steps:
            self._step(one, step, device)

    def _time(self, one: Seen, device: _Device, of: OfCommand) -> None:
        wait = device.waits.see(one)
        if wait is not None:
            self.ended[wait.ended] += 1
            self.held += wait.held
            self.asked += wait.asked
        elif one.http is not None:
            of.times.add(one.seconds)
        begin, end = one.time.timestamp(), one.end.timestamp()
        self.wakes += begin - device.awake >= ASLEEP
        self.wakes += end - begin >= ASLEEP and one.http is not None
        device.awake = max(device.awake, end)

    def _step(self, one: Seen, step: Step, device: _Device) -> None:
        if step.folder == HIERARCHY:
            return
        place = (one.device, step.folder)
        if place not in self.folders and len(self.folders) >= MOST:
            return
        of = self.folders.setdefault(place, OfFolder())
        of.requests += 1
        for way, elements, counted in (("up", step.up(), of.up), ("down", step.down(), of.down)):
            for element in elements:
                done = element.tag.partition(":")[2]
                counted[done] += 1
                self.items[_class_of(element, step.folder, device), way, done] += 1

    def name(self, place: tuple[str, str]) -> str:
        """Of a folder, by its device and id."""
        device, folder = place
        return self._devices[device].folders.name(folder) if device in self._devices else folder

    @property
    def devices(self) -> int:
        return len(self._devices)

    @property
    def seconds(self) -> float:
        return (self.last - self.first).total_seconds() if self.first and self.last else 0.0


def _statuses(one: Seen) -> Iterable[str]:
    if one.http != 200:
        return ("none" if one.http is None else f"HTTP {one.http}",)
    return sorted({f"Status {said.value}" for said in bad_statuses(one)}) or ("ok",)


def _class_of(element: Element, folder: str, device: _Device) -> str:
    """Deletes have no content: theirs is the class of what was seen in the folder last."""
    data = element.child("AirSync:ApplicationData")
    for child in data.elements if data is not None else ():
        if found := CLASSES.get(child.tag.partition(":")[0]):
            if len(device.class_of) < MOST:
                device.class_of[folder] = found
            return found
    return device.class_of.get(folder, "unknown")


def as_data(stats: Stats) -> dict[str, Any]:
    return {
        "from": moment(stats.first) if stats.first else None, "to": moment(stats.last) if stats.last else None,
        "seconds": round(stats.seconds, 3), "devices": stats.devices,
        "requests": sum(of.count for of in stats.commands.values()), "wakes": stats.wakes,
        "commands": {command: _command(of) for command, of in sorted(stats.commands.items())},
        "waits": {
            "count": stats.ended.total(), **{ended.value: stats.ended[ended] for ended in Ended},
            "seconds": round(stats.held, 3), "asked": stats.asked,
        },
        "items": [
            {"class": kind, "way": way, "what": what, "count": count}
            for (kind, way, what), count in sorted(stats.items.items())
        ],
        "folders": [
            {"device": place[0], "id": place[1], "name": stats.name(place), "requests": of.requests, "up": dict(of.up),
             "down": dict(of.down)}
            for place, of in sorted(stats.folders.items())
        ],
    }


def _command(of: OfCommand) -> dict[str, Any]:
    times = of.times
    return {
        "count": of.count, "statuses": dict(of.statuses), "bytes_in": of.bytes_in, "bytes_out": of.bytes_out,
        "answered": times.count, "p50": round(times.percentile(0.5), 4), "p95": round(times.percentile(0.95), 4),
        "max": round(times.most, 4),
    }

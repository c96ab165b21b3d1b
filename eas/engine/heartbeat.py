"""How long a device is let wait: what the way to it holds is learned from the waits that were cut off.

Something between a phone and the server (a proxy, a carrier's translator of addresses, the phone's own system) may end
connections on which nothing is said for N minutes; then a heartbeat longer than that brings no push in its last part.
Who waits cannot tell why a wait was cut off, but its age says much: what is between cuts at the same age each time,
people who open their mail program or lose their line do so at any age. Pure; ages and heartbeats are in seconds.

[MS-ASCMD] Status (Ping) R4246-R4249, HeartbeatInterval (Ping) R5690, R5691; Status (Sync) R4460, R5781, Limit R3226.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .model import WaitBound

#: So many cuts in a row at about the same age are the way's doing.
CUTS = 3
#: Ages are about the same within so much: clocks of proxies are exact, the way to them is not.
SPREAD_SECONDS, SPREAD = 3.0, 0.02
#: The part of the age of the cuts that is kept to.
KEPT_TO = 0.9
#: A bound counts for so long; then one longer wait shows whether it still holds.
COUNTS = timedelta(days=1)
#: How often a device is told its bound. One that asks for more after that is answered when the bound is reached, as if
#: its time were up: a device that does not understand would be refused for ever, or storm (docs/quirks.md, Samsung).
TELLS = 2
#: Devices whose last cuts are remembered, some 200 bytes each; the least recently cut go.
MOST = 20_000


@dataclass(frozen=True, slots=True)
class Grant:
    """`seconds` to wait; or `told`, the longest heartbeat that the device may ask for, and what to remember of it."""

    seconds: int
    told: WaitBound | None = None


def grant(asked: int, bound: WaitBound | None, now: datetime, *, tell: bool = True) -> Grant:
    """What is answered to a device that asks for a heartbeat within the bounds of the site. `tell` False: it had better
    not hear of a bound."""
    if bound is None or asked <= bound.seconds or _on_trial(bound, now):
        return Grant(asked)
    if tell and bound.told < TELLS:
        return Grant(bound.seconds, replace(bound, told=bound.told + 1))
    return Grant(bound.seconds)


def learn(
    cuts: tuple[float, ...], bound: WaitBound | None, lasted: float, *, cut: bool, low: int, now: datetime
) -> tuple[tuple[float, ...], WaitBound | None]:
    """What is to be remembered after a wait: the ages of the last cuts, and the bound. A wait that was not `cut` was
    answered, `lasted` seconds after it was asked for. `low`: below that no heartbeat may be."""
    if not cut:
        if bound is not None and lasted > bound.cut_seconds + _spread(lasted):
            bound = None
        return tuple([age for age in cuts if age >= lasted]), bound
    if lasted < low:  # no bound could help
        return cuts, bound
    if bound is not None and _on_trial(bound, now) and abs(lasted - bound.cut_seconds) <= _spread(lasted):
        return (), replace(bound, at=now, told=0)
    cuts = (*cuts, lasted)[-CUTS:]
    shortest = min(cuts)
    if len(cuts) < CUTS or max(cuts) - shortest > _spread(shortest):
        return cuts, bound
    found = max(low, int(shortest * KEPT_TO))
    if found + _spread(found) > shortest:  # as good as the age at which it is cut
        return cuts, bound
    return (), WaitBound(seconds=found, cut_seconds=int(shortest), at=now)


def counts(bound: WaitBound | None, now: datetime) -> bool:
    """Whether a device is held to it just now."""
    return bound is not None and not _on_trial(bound, now)


def _on_trial(bound: WaitBound, now: datetime) -> bool:
    return now - bound.at >= COUNTS


def _spread(age: float) -> float:
    return max(SPREAD_SECONDS, SPREAD * age)


class Cuts:
    """The ages of the last cuts, by user and device, in this process: what comes of them is kept with the device."""

    def __init__(self) -> None:
        self._ages: OrderedDict[tuple[str, str], tuple[float, ...]] = OrderedDict()

    def of(self, user_id: str, device_id: str) -> tuple[float, ...]:
        return self._ages.get((user_id, device_id), ())

    def put(self, user_id: str, device_id: str, ages: tuple[float, ...]) -> None:
        self._ages.pop((user_id, device_id), None)
        if ages:
            self._ages[user_id, device_id] = ages
            if len(self._ages) > MOST:
                self._ages.popitem(last=False)

    def __len__(self) -> int:
        return len(self._ages)

"""Requests that a device repeats without effect, and how they are slowed down. Pure: times are handed in, in seconds of
a monotonic clock.

What phones in the field did for hours: an empty Sync each 0.16 to 0.7 seconds (iPhone), the same Ping each half second
(Samsung), a Sync that was answered with the same broken message again and again, estimate and Sync in turn each second.
All of it is the same request, to the byte, with the same answer, many times more often than anything comes of it.

A request has a *level*: one more for each repetition, one less every 15 seconds. The first 40 repetitions are free: who
pulls his list down every two seconds for a minute asks 30 times. From there each is held back for a little longer
than the one before, and `TOO_MANY` further on the device is told to come back later, each time for longer. Only that
request is: whatever else the device asks passes, so that nobody's mail waits because a calendar goes round in circles.
Other answers than before, and repetitions between which the device got something (a Ping after each new message), do
not count.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import ceil

#: So many repetitions beyond those that are free, the device is told to come back later.
TOO_MANY = 60
#: Seconds that take one repetition back: who asks the same every 15 seconds is never slowed down.
FORGIVEN_SECONDS = 15.0
#: Seconds without the request after which a storm is over, not counting those for which it was sent away.
CALM_SECONDS = 120.0
#: The first delay, and the longest; it doubles every six repetitions. Held back for the longest, four requests in turn
#: still come faster than they are forgiven.
FIRST_DELAY, LONGEST_DELAY, DOUBLED_BY = 0.1, 3.0, 6.0
#: The first Retry-After, and the longest; each next one is twice as long.
FIRST_RETRY, LONGEST_RETRY = 30.0, 300.0
#: So many beyond those that are free, the administrator should know of the storm: answers take a second longer then.
STORM = 20
#: Between two reports of the same storm.
REPORT_SECONDS = 600.0
#: What was not asked for so long is forgotten; hardly anything is left of its level by then.
FORGET_SECONDS = 1000.0
#: Requests and devices that are remembered, some 500 bytes each; the longest unheard-of go first.
MOST = 50_000
#: Bytes of a body that are looked at, besides its length.
LOOKED_AT = 16 * 1024

#: Commands whose first answer is an effect even if it tells of no items.
EFFECTIVE = frozenset(("SendMail", "SmartReply", "SmartForward", "MoveItems", "MeetingResponse", "ItemOperations"))


def name_of(user_id: str, query: bytes, body: bytes) -> bytes:
    """Equal for the same request of the same device. The query has the device's id and the command."""
    digest = blake2b(digest_size=12)
    for part in (user_id.encode("utf-8", "surrogatepass"), query, str(len(body)).encode(), bytes(body[:LOOKED_AT])):
        digest.update(len(part).to_bytes(4))
        digest.update(part)
    return digest.digest()


@dataclass(frozen=True, slots=True)
class Pause:
    """`seconds` to hold the request back; then it is answered or, if `retry_after` is not 0, told to come back after so
    many seconds."""

    seconds: float = 0.0
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a device got. `answer` is equal for equal answers. `effect`: something was brought to the device or done for
    it. `anew`: the request begins a folder anew, which is a repetition whatever came of it since."""

    user_id: str
    device_id: str
    command: str
    answer: int
    effect: bool = False
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """For the administrator: so many requests were held back or refused since the last report."""

    user_id: str
    device_id: str
    command: str
    count: int
    refused: bool


@dataclass(frozen=True, slots=True)
class Repeated:
    """One request as it was asked last. `answers` are the last two that it got; `effects` what its device had got by
    then; `refused_until` belongs to the last of `refusals`. The level is that of `at`."""

    who: Outcome
    answers: tuple[int, ...]
    effects: int
    at: float
    level: float = 0.0
    refusals: int = 0
    refused_until: float = float("-inf")
    braked: int = 0
    reported_at: float = float("-inf")


def cooled(found: Repeated, now: float, free: int) -> Repeated:
    quiet = max(0.0, now - found.at)
    level = max(0.0, found.level - quiet / FORGIVEN_SECONDS)
    if quiet >= CALM_SECONDS:
        level = min(level, free / 2)
    return replace(found, level=level, at=max(now, found.at), refusals=found.refusals if level >= free else 0)


def asked(found: Repeated, now: float, free: int) -> tuple[Pause, Repeated]:
    """What is done with the request that comes now, and what is remembered of that."""
    found = cooled(found, now, free)
    if now >= found.refused_until and found.level >= free + TOO_MANY:
        retry = min(FIRST_RETRY * 2.0 ** min(found.refusals, 8), LONGEST_RETRY)
        found = replace(
            found, refusals=found.refusals + 1, refused_until=now + retry, reported_at=float("-inf"),
            # After that it is let in, to see whether the answer has changed; nothing is forgiven until then.
            level=free + TOO_MANY - 1, at=now + retry,
        )
    left = min(found.refused_until - now, LONGEST_RETRY)
    if left > 0:
        held = min(LONGEST_DELAY, left)
        return Pause(held, max(1, ceil(round(left - held, 3)))), replace(found, braked=found.braked + 1)
    if found.level < free:
        return Pause(), found
    delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** ((found.level - free) / DOUBLED_BY))
    return Pause(delay), replace(found, braked=found.braked + 1)


def heard(found: Repeated, got: Outcome, effects: int, now: float, free: int) -> Repeated:
    """What is remembered once the request was answered."""
    found = cooled(found, now, free)
    counts = got.answer in found.answers and (got.anew or effects == found.effects)
    level = min(free + TOO_MANY + 1, found.level + 1) if counts else found.level
    answers = found.answers if got.answer in found.answers else (*found.answers, got.answer)[-2:]
    return replace(found, who=got, answers=answers, effects=effects, level=level)


class Brake:
    """The requests of all devices of one process. `free` repetitions are not slowed down."""

    def __init__(self, free: int) -> None:
        self.free = free
        self._requests: OrderedDict[bytes, Repeated] = OrderedDict()
        self._effects: OrderedDict[tuple[str, str], int] = OrderedDict()

    def ask(self, name: bytes, now: float) -> Pause:
        found = self._requests.get(name)
        if found is None or found.level <= 0.0:
            return Pause()
        pause, self._requests[name] = asked(found, now, self.free)
        return pause

    def hear(self, name: bytes, got: Outcome, now: float) -> None:
        device = got.user_id, got.device_id
        found, effects = self._requests.get(name), self._effects.get(device, 0)
        if got.effect and (found is None or got.answer not in found.answers):
            effects += 1
            _put(self._effects, device, effects)
        if found is None:
            found = Repeated(who=got, answers=(got.answer,), effects=effects, at=now)
        else:
            found = heard(found, got, effects, now, self.free)
        _put(self._requests, name, found)
        for _ in range(2):  # one came, at most two go: so they go in time, and nobody waits for many to go
            oldest = next(iter(self._requests))
            if now - self._requests[oldest].at > FORGET_SECONDS:
                del self._requests[oldest]

    def who(self, name: bytes) -> Outcome | None:
        """Of a request that was answered before: whose it is."""
        found = self._requests.get(name)
        return found.who if found is not None else None

    def report(self, name: bytes, now: float) -> Report | None:
        """What is to be told of this request just now, once."""
        found = self._requests.get(name)
        if found is None or not found.braked or now - found.reported_at < REPORT_SECONDS:
            return None
        refused = now < found.refused_until
        if not refused and found.level < self.free + STORM:
            return None
        self._requests[name] = replace(found, braked=0, reported_at=now)
        return Report(found.who.user_id, found.who.device_id, found.who.command, found.braked, refused)

    def __len__(self) -> int:
        return max(len(self._requests), len(self._effects))


def _put(entries: OrderedDict, key: object, value: object) -> None:  # type: ignore[type-arg]
    entries[key] = value
    entries.move_to_end(key)
    if len(entries) > MOST:
        entries.popitem(last=False)

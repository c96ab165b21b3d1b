"""Waits for news that are cut off, shortened, refused, or answered at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from eas.replay.showing.seen import Seen
from eas.replay.showing.summary import changed
from eas.replay.showing.waiting import CUT, Ended, Wait, Waits

from .findings import Name, Sign

#: Waits in a row, or alike, that make a finding.
ALIKE = 3
#: Lost waits that are compared with each other.
COMPARED = 30
#: Two waits were cut by the same clock where they differ by no more than these seconds, or this part.
SAME_SECONDS, SAME_PART = 1.5, 0.03
#: Seconds; what is lost earlier is a device that changed its mind.
SHORTEST_CUT = 5.0
#: An answer without news comes at once that comes within so many seconds, where at least so many were asked for.
AT_ONCE, LONG_ENOUGH = 2.0, 30
#: The part of the time asked for that a server should hold.
HELD_PART = 0.8
#: Seconds between one round of news and the next, where it goes round and round.
ROUND = 15.0


class Cuts:
    def __init__(self) -> None:
        self._waits = Waits()
        self._lost: deque[tuple[float, int]] = deque(maxlen=COMPARED)
        self._at_once = self._short = self._refused = 0

    def see(self, one: Seen) -> Iterator[Sign]:
        wait = self._waits.see(one)
        if wait is None:
            return
        yield from self._cut(one, wait)
        yield from self._early(wait)
        yield from self._heartbeat(one, wait)

    def end(self) -> Iterable[Sign]:
        return ()

    def _cut(self, one: Seen, wait: Wait) -> Iterator[Sign]:
        if wait.ended is not Ended.LOST or wait.held < SHORTEST_CUT:
            return
        if wait.asked and wait.held > wait.asked + 1 and one.http not in CUT:
            return
        alike = [number for seconds, number in self._lost
                 if abs(seconds - wait.held) <= max(SAME_SECONDS, SAME_PART * wait.held)]
        self._lost.append((wait.held, one.number))
        if len(alike) + 1 >= ALIKE:
            asked = f" of {wait.asked} s" if wait.asked else ""
            yield Sign(Name.WAITS_CUT, f"{len(alike) + 1} waits{asked} ended without an answer after about "
                       f"{wait.held:.0f} s", "", tuple(alike))

    def _early(self, wait: Wait) -> Iterator[Sign]:
        if wait.ended in (Ended.LOST, Ended.REFUSED):
            return
        nothing = wait.ended is Ended.TIME
        at_once = nothing and wait.held < AT_ONCE and (wait.asked >= LONG_ENOUGH or not wait.asked)
        short = nothing and not at_once and 0 < wait.held < HELD_PART * wait.asked
        self._at_once = self._at_once + 1 if at_once else 0
        self._short = self._short + 1 if short else 0
        if self._at_once >= ALIKE:
            yield Sign(Name.EMPTY_AT_ONCE, f"{self._at_once} waits in a row were answered with nothing, the last after "
                       f"{wait.held:.1f} s")
        if self._short >= ALIKE:
            said = f"{self._short} waits of {wait.asked} s in a row ended after {wait.held:.0f} s"
            yield Sign(Name.WAITS_SHORT, said)

    def _heartbeat(self, one: Seen, wait: Wait) -> Iterator[Sign]:
        refused = one.status() == {"Ping": "5", "Sync": "14"}[one.command]
        if refused:
            self._refused += 1
        elif wait.ended in (Ended.TIME, Ended.CHANGE):
            self._refused = 0
        if refused and self._refused >= ALIKE:
            said = f"Status {one.status()} for the {self._refused}. time in a row, to {wait.asked} s"
            yield Sign(Name.HEARTBEAT, said)


class News:
    """Pings that tell of news which then is none."""

    MOST = 1_000

    def __init__(self) -> None:
        self._rounds: dict[str, tuple[int, float]] = {}
        self._synced = False

    def see(self, one: Seen) -> Iterator[Sign]:
        if one.command == "Sync":
            self._synced = True
            for step in one.steps:
                if any(True for _ in step.down()) or step.more or step.key == "0":
                    self._rounds.pop(step.folder, None)
        if one.command != "Ping" or one.status() != "2":
            return
        for folder in changed(one):
            count, before = self._rounds.get(folder, (0, 0.0))
            now = one.time.timestamp()
            count = count + 1 if now - before <= ROUND else 1
            if len(self._rounds) < self.MOST or folder in self._rounds:
                self._rounds[folder] = (count, one.end.timestamp())
            if count >= ALIKE:
                found = "and Sync found none" if self._synced else "and nobody fetched it"
                yield Sign(Name.NEWS_AGAIN, f"news in {{folder}} was told {count} times in a row, {found}", folder)
        self._synced = False

    def end(self) -> Iterable[Sign]:
        return ()

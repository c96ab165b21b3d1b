"""Slowing down those who try passwords, without harming those whose phone has an old one.

Counted are *different* wrong passwords, by login and by address: a phone that keeps sending the password of last month
is one wrong password, however often it asks. Who was right lately is let in whatever others do under the same login or
from the same address, so that nobody is locked out by somebody else's guesses.

Kept in memory of this process, within bounds; passwords only as a keyed hash under a key that lives as long as the
process. After a restart everybody starts anew, which costs an attacker nothing and a guesser very little. What several
processes know together (`LoginMemory`) is asked only for what is not known here, and counts as long as it is there.
"""

from __future__ import annotations

import hmac
import os
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

from eas.engine.logins import (
    FIRST_WAIT,
    FORGET_RIGHT,
    FORGET_WRONG,
    FREE_BY_ADDRESS,
    FREE_BY_LOGIN,
    KNOWN_WRONG,
    LONGEST_WAIT,
    network_of,
)

#: The other processes are told again after so long (seconds) what is still right here.
TELL_RIGHT = 3600.0
#: Entries of each table; the least recently used go. About 100 bytes each.
MAX_ENTRIES = 20_000

V = TypeVar("V")


class _Recent(Generic[V]):
    """A dictionary of the most recently written entries."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, V] = OrderedDict()

    def get(self, key: str) -> V | None:
        return self._entries.get(key)

    def put(self, key: str, value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True, slots=True)
class _Tally:
    count: int
    last: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login: `print` stands for login and password, the others name the tallies that it belongs to."""

    print: str
    login: str
    address: str


class Throttle:
    """Times are seconds of a monotonic clock. What is not known to be right goes through `begin`, then `end`."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or os.urandom(32)
        self._tallies: _Recent[_Tally] = _Recent()
        self._right: _Recent[float] = _Recent()
        self._wrong: _Recent[float] = _Recent()
        self._told: _Recent[float] = _Recent()
        self._trying: dict[str, int] = {}
        self._counted: set[str] = set()

    def attempt(self, login: str, password: str, address: str) -> Attempt:
        text = f"{login.lower()}\0{password}".encode("utf-8", "surrogatepass")
        digest = hmac.new(self._key, text, sha256).hexdigest()
        return Attempt(digest, f"login {login.lower()}", f"address {network_of(address)}")

    def known_right(self, attempt: Attempt, now: float) -> bool:
        at = self._right.get(attempt.print)
        return at is not None and now - at < FORGET_RIGHT

    def known_wrong(self, attempt: Attempt, now: float) -> bool:
        at = self._wrong.get(attempt.print)
        return at is not None and now - at < KNOWN_WRONG

    def to_be_told(self, attempt: Attempt, now: float) -> bool:
        """Whether the other processes are to hear that it is right; said once an hour."""
        at = self._told.get(attempt.print)
        if at is not None and now - at < TELL_RIGHT:
            return False
        self._told.put(attempt.print, now)
        return True

    def wait(self, attempt: Attempt, now: float) -> float:
        """Seconds until this login may be tried; 0 if it may be now."""
        by_login = self._wait(attempt.login, FREE_BY_LOGIN, now)
        return max(by_login, self._wait(attempt.address, FREE_BY_ADDRESS, now))

    def _wait(self, name: str, free: int, now: float) -> float:
        tally = self._tallies.get(name)
        if tally is None or tally.count < free:
            return 0.0
        # The exponent is bounded, or a large count overflows.
        pause = min(FIRST_WAIT * float(2 ** min(tally.count - free, 32)), LONGEST_WAIT)
        return max(0.0, tally.last + pause - now)

    def begin(self, attempt: Attempt, now: float) -> None:
        """Count a password as wrong until `end` says otherwise, so that many at once do not slip through. One that is
        being tried, or was wrong within the hour, is counted already."""
        wrong_at = self._wrong.get(attempt.print)
        running = self._trying.get(attempt.print, 0)
        self._trying[attempt.print] = running + 1
        if not running and (wrong_at is None or now - wrong_at >= FORGET_WRONG):
            self._counted.add(attempt.print)
            for name in (attempt.login, attempt.address):
                self._add(name, 1, now)

    def end(self, attempt: Attempt, right: bool, now: float) -> None:
        if not right:
            self._over(attempt)
            self.wrong(attempt, now)
            return
        self.abandon(attempt, now)
        self._right.put(attempt.print, now)
        self._wrong.drop(attempt.print)

    def abandon(self, attempt: Attempt, now: float) -> None:
        """Nothing became known of the password: it does not count."""
        if self._over(attempt):
            for name in (attempt.login, attempt.address):
                self._add(name, -1, now)

    def _over(self, attempt: Attempt) -> bool:
        """One of the tries of a password is over; whether it had been counted."""
        running = self._trying.pop(attempt.print, 1) - 1
        if running:
            self._trying[attempt.print] = running
        counted = attempt.print in self._counted
        self._counted.discard(attempt.print)
        return counted

    def right(self, attempt: Attempt, now: float) -> None:
        """What is known to be right has proved to be so again."""
        self._right.put(attempt.print, now)

    def wrong(self, attempt: Attempt, now: float) -> None:
        """What was right may have become wrong: the password was changed."""
        self._right.drop(attempt.print)
        self._wrong.put(attempt.print, now)

    def _add(self, name: str, difference: int, now: float) -> None:
        tally = self._tallies.get(name)
        count = tally.count if tally is not None and now - tally.last < FORGET_WRONG else 0
        last = now if difference > 0 or tally is None else tally.last
        self._tallies.put(name, _Tally(max(0, count + difference), last))

"""A clock that stands, so that a machine that stands still does not change what a gateway in this process does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from eas.push.clock import SystemClock


class StandingClock:
    """For all that is built with the machine's clock, also before: no time passes but by `pass_`. What the event loop
    counts is not told by it: a wait that has a second left takes a second."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._now, self._passed = datetime.now(UTC), SystemClock().monotonic()
        patch.setattr(SystemClock, "now", lambda clock: self._now)
        patch.setattr(SystemClock, "monotonic", lambda clock: self._passed)

    def now(self) -> datetime:
        return self._now

    def pass_(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._passed += seconds

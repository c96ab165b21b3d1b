"""Requests that wait for news: Ping, and Sync with Wait or HeartbeatInterval. How long each was to last, and how it
ended. An empty one is the one before it again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .seen import Seen

#: Of HTTP, what says that somebody between gave up waiting.
CUT = frozenset({408, 502, 504})


class Ended(StrEnum):
    """CHANGE: there was news. TIME: the time was up. REFUSED: the server did not want to wait. LOST: no answer came."""

    CHANGE = "change"
    TIME = "time"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Wait:
    """`asked` in seconds, 0 where nobody knows."""

    asked: int
    held: float
    ended: Ended


class Waits:
    """What one device waits for."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}

    def see(self, one: Seen) -> Wait | None:
        """The wait that the exchange was, None for other requests."""
        if one.command not in ("Ping", "Sync"):
            return None
        stated = one.heartbeat()
        if stated is not None:
            self._asked[one.command] = stated
        asked = self._asked.get(one.command, 0)
        if one.command == "Sync" and (not asked or any(step.key == "0" for step in one.steps)):
            return None
        return Wait(asked, one.seconds, _ended(one))


def _ended(one: Seen) -> Ended:
    if one.http is None or one.http in CUT:
        return Ended.LOST
    if one.http != 200:
        return Ended.REFUSED
    if one.command == "Ping":
        return {"1": Ended.TIME, "2": Ended.CHANGE}.get(one.status(), Ended.REFUSED)
    if one.status() not in ("", "1") or any(step.status not in ("", "1") for step in one.steps):
        return Ended.REFUSED
    happened = any(step.told is not None for step in one.steps)
    return Ended.CHANGE if happened else Ended.TIME

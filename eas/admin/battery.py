"""What a phone costs its battery and its contract, guessed from what it asks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: (requests, wake-ups, bytes) a day up to which a phone has this word. Its radio stays on for some ten seconds after
#: each answer, so the number of times counts for more than the bytes.
LEVELS: Sequence[tuple[str, int, int, int]] = (
    ("light", 400, 150, 20_000_000),
    ("usual", 1_500, 600, 100_000_000),
    ("heavy", 5_000, 2_000, 500_000_000),
)
HEAVIEST = "very heavy"

VERDICTS: Mapping[str, str] = {
    "unknown": "Nothing is known yet.",
    "light": "It hardly costs any battery.",
    "usual": "It costs what push usually costs.",
    "heavy": "It asks more often than most phones; the battery will show it.",
    HEAVIEST: "It asks far too often: the battery will not last the day.",
}
#: Seconds below which waits are too short to save anything.
SHORT_WAIT = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Averages of a day over `days` days. `held_seconds` is how long a wait lasted on average, None where it never
    waited. `verdict` is for people, `hint` what would help, "" for nothing."""

    days: int
    requests: int
    wakeups: int
    bytes: int
    held_seconds: int | None
    level: str
    verdict: str
    hint: str


def estimate(days: Sequence[Mapping[str, Any]]) -> Estimate:
    """Of rows of `device_day`, the newest first. The day that runs counts only where there is no other."""
    counted = days[1:8] or days[:1]
    number = len(counted)

    def each(*names: str) -> int:
        return round(sum(int(day[name]) for day in counted for name in names) / number) if number else 0

    waits = sum(int(day["waits"]) for day in counted)
    held = round(sum(int(day["waited_seconds"]) for day in counted) / waits) if waits else None
    requests, wakeups, size = each("requests"), each("wakeups"), each("bytes_in", "bytes_out")
    level = _level(requests, wakeups, size) if number else "unknown"
    return Estimate(
        days=number, requests=requests, wakeups=wakeups, bytes=size, held_seconds=held, level=level,
        verdict=VERDICTS[level], hint=_hint(level, waits, held),
    )


def _level(requests: int, wakeups: int, size: int) -> str:
    return next(
        (word for word, *most in LEVELS if all(n <= m for n, m in zip((requests, wakeups, size), most, strict=True))),
        HEAVIEST,
    )


def _hint(level: str, waits: int, held: int | None) -> str:
    if level in ("unknown", "light"):
        return ""
    if not waits:
        return "It asks by the clock instead of waiting: choose \"push\" in the account's settings on the phone."
    if held is not None and held < SHORT_WAIT:
        return "Its waits are short: a proxy may cut them off, or much mail comes into folders that need no push."
    return ""

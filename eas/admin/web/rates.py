"""How often one address may ask: enough for people and their scripts, too little to wear the server down."""

from __future__ import annotations

from collections import OrderedDict

#: Requests at once, and so many more a second after that.
BURST, PER_SECOND = 240.0, 20.0
#: Addresses that are remembered; the least recent go.
MAX_ADDRESSES = 10_000


class Rates:
    """Of one process. Times are seconds of a monotonic clock."""

    def __init__(self, burst: float = BURST, per_second: float = PER_SECOND) -> None:
        self._burst, self._per_second = burst, per_second
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """0 if the address may ask now, and has; else the seconds until it may."""
        left, at = self._left.get(address, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, now)
        self._left.move_to_end(address)
        if len(self._left) > MAX_ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._per_second

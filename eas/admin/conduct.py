"""How a device behaves and what its way holds, in words for people."""

from __future__ import annotations

from datetime import datetime

from eas.engine.heartbeat import counts
from eas.engine.model import Device


def wait_in_words(device: Device, now: datetime) -> str:
    """Why its waits are shorter than it asks for; "" if they are not."""
    bound = device.wait_bound
    if bound is None or not counts(bound, now):
        return ""
    return (
        f"at most {_span(bound.seconds)}: longer waits were cut off after {_span(bound.cut_seconds)}, last seen "
        f"{bound.at.isoformat(timespec='minutes')}"
    )


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s".removesuffix(" 0 s")

"""How a device behaves and what its way holds, in words for people."""

from __future__ import annotations

from datetime import datetime

from eas.engine.heartbeat import counts
from eas.engine.model import Device
from eas.engine.partnership import storm_of


def wait_in_words(device: Device, now: datetime) -> str:
    """Why its waits are shorter than it asks for; "" if they are not."""
    bound = device.wait_bound
    if bound is None or not counts(bound, now):
        return ""
    return (
        f"at most {_span(bound.seconds)}: longer waits were cut off after {_span(bound.cut_seconds)}, last seen "
        f"{bound.at.isoformat(timespec='minutes')}"
    )


def storm_in_words(device: Device, now: datetime) -> str:
    """What it repeats without effect; "" for a device that behaves, or has done so for a day."""
    storm = storm_of(device, now)
    if storm is None:
        return ""
    done = "held back or sent away for a while" if storm.refused else "held back"
    return (
        f"repeats {storm.command} without effect: {storm.count} requests {done} since "
        f"{storm.since.isoformat(timespec='minutes')}, last {storm.last.isoformat(timespec='minutes')}"
    )


def storm_as_data(device: Device, now: datetime) -> dict[str, object] | None:
    """The same for programs."""
    storm = storm_of(device, now)
    if storm is None:
        return None
    return {
        "command": storm.command, "since": storm.since.isoformat(), "last": storm.last.isoformat(),
        "count": storm.count, "sent_away": storm.refused,
    }


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s".removesuffix(" 0 s")

"""How a device behaves and what its way holds, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eas.engine.heartbeat import counts
from eas.engine.model import Access, Device, Level
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


#: How far a device is let in, as it is shown.
LEVELS = {
    Level.ALLOW: "allowed", Level.QUARANTINE: "quarantined", Level.DISCOVERY: "not known yet",
    Level.SUSPEND: "suspended", Level.BLOCK: "blocked",
}


def level_in_words(admission: Mapping[str, Any] | None) -> str:
    """Of an admission as it is stored."""
    return LEVELS[Level(admission["level"]) if admission else Level.ALLOW]


#: The same where it is only asked whether a device gets anything.
_ACCESS = {
    Level.ALLOW: Access.ALLOWED, Level.QUARANTINE: Access.QUARANTINED, Level.DISCOVERY: Access.QUARANTINED,
    Level.SUSPEND: Access.BLOCKED, Level.BLOCK: Access.BLOCKED,
}


def access_of(admission: Mapping[str, Any] | None) -> Access:
    """Of an admission as it is stored."""
    return _ACCESS[Level(admission["level"]) if admission else Level.ALLOW]


def access_as_data(device: Device) -> dict[str, object]:
    """How far it was let in last, what decided that and why; and what was decided of it by name."""
    noted, kept_out = device.admission, device.suspended
    return {
        "access": LEVELS[noted.level] if noted is not None else LEVELS[Level.ALLOW],
        "access_by": noted.by if noted is not None else "default", "access_why": noted.why if noted is not None else "",
        "access_since": noted.since.isoformat() if noted is not None else None,
        "access_personal": device.access.value, "access_reason": device.access_reason,
        "access_until": device.access_until.isoformat() if device.access_until is not None else None,
        "quarantined": noted.quarantined.isoformat() if noted is not None and noted.quarantined is not None else None,
        "suspended_until": kept_out.until.isoformat() if kept_out is not None else None,
    }


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s".removesuffix(" 0 s")

"""Who wins when the device and somebody else changed the same item. Pure. [MS-ASCMD] Conflict, Status (Sync) 7."""

from __future__ import annotations

from enum import Enum, auto


class Outcome(Enum):
    WRITE = auto()     # nobody else changed it, or the device wins
    DONE = auto()      # what is stored is what the device wants: written before a crash, or by chance
    REFUSED = auto()   # the server's version is kept (Status 7) and sent to the device


def decide(
    known_version: str | None, stored_version: str, stored: bytes, intended: bytes, client_wins: bool
) -> Outcome:
    """`known_version` is the backend's version that the device last saw, None if it never saw the item.

    `intended` is the stored form with the device's change applied; if that changes nothing there is no conflict,
    whatever the versions say. This also covers a change that was written before the process died.
    """
    if stored == intended:
        return Outcome.DONE
    if known_version == stored_version or client_wins:
        return Outcome.WRITE
    return Outcome.REFUSED

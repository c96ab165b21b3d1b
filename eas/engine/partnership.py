"""Changing what is kept of a device, against other requests of the same device that do so at the same time; wipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from .errors import Contended
from .model import Device, Storm, Wipe
from .ports import StateStore

#: A device has two or three requests under way at once. One that loses this often in a row competes with a program.
MAX_TRIES = 8

#: Wipes that the device has yet to carry out. A failed one is asked for again ([MS-ASPROV] R665, R701).
PENDING = frozenset((Wipe.REQUESTED, Wipe.SENT, Wipe.FAILED))


def wiped(device: Device, now: datetime) -> Device:
    """A device that has said that it is wiped: it holds no key any more, and nothing that it could refer to."""
    return replace(
        device, wipe=Wipe.DONE, wipe_at=now, policy_key="", policy_digest="", offered_key="", offered_digest="",
        recovery_password="", ping_folders=(), ping_heartbeat=0, remembered_sync=b"",
    )


#: How long a storm is noted after the last that was heard of it.
STORM_NOTED = timedelta(days=1)


def storm_of(device: Device, now: datetime) -> Storm | None:
    """What is noted of a device that repeats itself without effect, or did so within the last day."""
    noted = device.storm
    return noted if noted is not None and now - noted.last < STORM_NOTED else None


def stormed(device: Device, command: str, count: int, refused: bool, now: datetime) -> Device:
    """With `count` more requests that were held back or refused."""
    noted = storm_of(device, now)
    storm = Storm(
        command=command, since=noted.since if noted else now, last=now, count=count + (noted.count if noted else 0),
        refused=refused or (noted is not None and noted.refused),
    )
    return replace(device, storm=storm)


async def revise(
    store: StateStore, device: Device, change: Callable[[Device], Device], *, lasting: bool = True
) -> Device:
    """Store `change(device)` and give what is stored; `change` is asked again with the newer row if another request
    was quicker, and may give the same value back to leave it. `lasting` as in StateStore.save_device. Raises Contended,
    also if the device was removed."""
    for _ in range(MAX_TRIES):
        changed = change(device)
        if changed == device:
            return device
        if await store.save_device(changed, lasting=lasting):
            return replace(changed, row=device.row + 1)
        newer = await store.device(device.user_id, device.id)
        if newer is None:
            raise Contended(f"device {device.id} was removed")
        device = newer
    raise Contended(f"device {device.id} is changed by too many requests at once")

"""Changing what is kept of a device, against other requests of the same device that do so at the same time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .errors import Contended
from .model import Device
from .ports import StateStore

#: A device has two or three requests under way at once. One that loses this often in a row competes with a program.
MAX_TRIES = 8


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

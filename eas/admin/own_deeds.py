"""What the server does without being asked, for the audit log and for those whom it concerns: a wipe that a phone was
told of or has carried out, and whatever other parts of the server note through `note`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from eas.backends.embedded import admin as embedded
from eas.db.failures import FAILURES
from eas.engine.errors import BackendError
from eas.engine.model import Device, User, Wipe
from eas.engine.wipes import IN_FORCE
from eas.store.wipes import wanted

from . import wiping
from .acting import SERVER, record
from .site import Site

log = structlog.get_logger("eas.admin")

#: As what a turn of a wipe stands in the audit log, and of which of them people hear.
DEED_OF: Mapping[Wipe, tuple[str, str]] = {
    Wipe.SENT: ("wipe.sent", ""), Wipe.DONE: ("wipe.done", "done"), Wipe.FAILED: ("wipe.failed", "failed"),
}


async def note(
    site: Site, name: str, *, user: str = "", device: str = "", details: Mapping[str, Any] | None = None,
    outcome: str = "done",
) -> None:
    """Into the audit log, with the server as who did it. `user` is a login or an id. Never raises."""
    await record(
        replace(site, caller=SERVER), name, about_user=await _login(site, user), about_device=device, details=details,
        outcome=outcome,
    )


async def _login(site: Site, user: str) -> str:
    """The id itself where nobody has it any more, or the database is away: it is the rest that matters."""
    try:
        return (await site.people.user(user)).login if user else ""
    except (embedded.AdminError, BackendError, *FAILURES):
        return user


class WipeTurned:
    """`Session.wipe_turned`. A failure that a phone reports again and again is told of once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._failed: set[tuple[str, str]] = set()

    async def __call__(self, user: User, device: Device) -> None:
        try:
            await self._told(user, device)
        except Exception as error:
            log.error("a wipe was not told of", user=user.id, device=device.id, wipe=device.wipe.value, exc_info=error)

    async def _told(self, user: User, device: Device) -> None:
        name, what = DEED_OF[device.wipe]
        key, again = (user.id, device.id), (user.id, device.id) in self._failed
        if device.wipe is Wipe.FAILED:
            self._failed.add(key)
        elif device.wipe is Wipe.DONE:
            self._failed.discard(key)
        if again and device.wipe is not Wipe.DONE:
            return
        await note(
            self._site, name, user=user.id, device=device.id,
            details={"account_only": True} if device.wipe_account_only else None,
        )
        if what:
            orders = await self._site.store.wipes.orders(user.id, device.id, tuple(IN_FORCE), most=1)
            # There is none of a wipe that was imported.
            since = device.wipe_at or datetime.now(UTC)
            order = orders[0] if orders else wanted(user.id, device.id, device.wipe_account_only, since)
            await wiping.tell(self._site, what, order, device)


async def expire_wipes(site: Site) -> int:
    """End those that nobody agreed to in time; how many."""
    over = await site.store.wipes.expire()
    for order in over:
        await note(
            site, "wipe.expired", user=order.user_id, device=order.device_id, details={"asked_by": order.asked_by}
        )
        await wiping.tell(site, "expired", order, await site.store.device(order.user_id, order.device_id))
    return len(over)

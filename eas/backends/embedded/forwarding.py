"""What filters send on: as it is, in the name of whoever forwards it, so that nobody takes it for forged.

Nothing goes round in circles: what comes back to a mailbox that has it already is not delivered again, and what nobody
has sent (the null sender: that something could not be delivered) is not sent on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import Connection, select

from eas.engine.errors import Refusal, Unavailable, Undeliverable

from .delivery import Arrived
from .groupware import Groupware
from .tables import UserRow

log = structlog.get_logger("eas.delivery")

#: Sends a message on: envelope sender, recipients, octets. Raises Undeliverable, Unavailable.
SendOn = Callable[[str, list[str], bytes], Awaitable[None]]


class Forwarding:
    def __init__(self, groupware: Groupware, send: SendOn) -> None:
        self._groupware, self._send = groupware, send

    async def follow(self, arrived: Arrived) -> None:
        """Raises Unavailable; what cannot be sent on at all is logged."""
        if not arrived.forward or not arrived.sender:
            return
        own = await self._groupware.read(lambda c: _address(c, arrived.user_id))
        if not own:
            return
        try:
            await self._send(own, list(arrived.forward), arrived.prepared.octets)
        except Undeliverable as error:
            if error.reason is Refusal.UNREACHABLE:
                raise Unavailable(str(error)) from error
            log.warning("a filter could not forward a message", user=arrived.user_id, reason=str(error))


def _address(connection: Connection, user_id: str) -> str:
    return str(connection.execute(select(UserRow.address).where(UserRow.id == user_id)).scalar() or "")

"""When somebody is busy, as a DAV server tells it: by the user's schedule outbox (RFC 6638 5), or, of the user alone,
by what stands in the calendars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import structlog

from eas.backends.standards.ports import Account
from eas.items.freebusy import BusyPeriod, busy_periods
from eas.items.native import Unreadable

from . import vfreebusy
from .client import DavClient
from .errors import translated
from .model import LoginRefused, Principal, Refused
from .places import is_own

log = structlog.get_logger("eas.dav")

#: What a server answers that has nothing to say of an address, or no free/busy at all. RFC 6638 5
_SILENT = frozenset({400, 403, 404, 405, 409, 415, 422, 501})


class DavFreeBusy:
    """`standards.ports.FreeBusy`. Raises Unavailable."""

    def __init__(self, account: Account, client: DavClient) -> None:
        self._account, self._client = account, client

    async def busy(self, address: str, start: datetime, end: datetime) -> Sequence[BusyPeriod] | None:
        with translated():
            principal = await self._client.discover()
            if principal.schedule_outbox:
                told = await self._asked(principal, address, start, end)
                if told is not None:
                    return told
            mine = {*self._account.user.addresses, *principal.addresses}
            if address.lower() in {one.lower() for one in mine}:
                return await self._own(principal, start, end)
        return None

    async def _asked(
        self, principal: Principal, address: str, start: datetime, end: datetime
    ) -> list[BusyPeriod] | None:
        """None if the server does not tell."""
        addresses = principal.addresses or (self._account.user.address,)
        own = {one.lower() for one in self._account.user.addresses}
        organizer = next((one for one in addresses if one in own), addresses[0])
        try:
            data = await self._client.free_busy(principal.schedule_outbox, organizer, address, start, end)
            return None if data is None else vfreebusy.periods(data, start, end)
        except LoginRefused:
            raise
        except (Refused, Unreadable) as error:
            if isinstance(error, Refused) and error.status not in _SILENT:
                raise
            log.info("the DAV server tells no free/busy", reason=str(error))
            return None

    async def _own(self, principal: Principal, start: datetime, end: datetime) -> list[BusyPeriod]:
        found = list[BusyPeriod]()
        zone = _zone(self._account)
        for info in await self._client.collections(principal.calendar_homes):
            if info.kind != "calendar" or not is_own(info, principal):
                continue
            if info.components and "VEVENT" not in info.components:
                continue
            hrefs = await self._client.query_between(info.href, start, end)
            for one in await self._client.multiget(info.href, hrefs, kind="calendar"):
                try:
                    found += busy_periods(one.data, start, end, zone)
                except Unreadable as error:
                    log.info("an event that cannot be read takes no time", href=one.href, reason=str(error))
        return sorted(found, key=lambda period: (period.start, period.end))


def _zone(account: Account) -> tzinfo:
    try:
        return ZoneInfo(account.user.zone)
    except (ValueError, OSError, KeyError):
        return UTC

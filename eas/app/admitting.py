"""How far devices are let in: the rules of the store and the settings joined, and who is told of a quarantine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from eas.admin.own_deeds import note
from eas.admin.site import Site
from eas.backends.embedded.admin import AdminError
from eas.config import Settings
from eas.engine.access import Decision, Terms
from eas.engine.errors import BackendError
from eas.engine.model import Device, User
from eas.engine.quarantine import Words
from eas.server.admission import Rules

#: The page on which somebody decides about one device.
PAGE = "/admin/access/approve/{user}/{device}"


def rules_of(settings: Settings, site: Site, groups: Callable[[str], Awaitable[Sequence[str]]]) -> Rules:
    store, asked = site.access, settings.access
    return Rules(
        read=store.book, groups=groups, listed=store.listed, most=store.limit_of, terms=site.terms,
        words=Words(subject=asked.notice_subject, text=asked.notice), heralds=Teller(site, asked.tell_users),
    )


def terms_of(settings: Settings) -> Terms:
    asked = settings.access
    return Terms(
        quarantine_days=asked.quarantine_days, discovery=timedelta(minutes=asked.discovery_minutes),
        storm_requests=asked.storm_requests, storm=timedelta(minutes=asked.storm_minutes),
    )


@dataclass(frozen=True, slots=True)
class Teller:
    """`Heralds`: mails, and entries in the audit log. The link in a mail leads to a page that asks who one is and what
    is to be done: to follow it, as scanners of mail do, decides nothing."""

    site: Site
    to_users: bool

    async def quarantined(self, user: User, device: Device, decision: Decision) -> None:
        notices = self.site.notices
        said = {
            "user": user.login, "device": device.id, "type": device.type, "agent": device.agent or "unknown",
            "model": device.information.get("Model", "") or "unknown",
            "os": device.information.get("OS", "") or "unknown", "why": decision.why,
            "link": notices.link(_page(user.address, device.id)),
        }
        notices.tell_admins("quarantine_admin", **said)
        if self.to_users:
            notices.tell([user.address], "quarantine_user", **said)
        await note(self.site, "access.quarantined", user=user.id, device=device.id, details={"by": decision.by})

    async def suspended(self, device: Device) -> None:
        kept_out = device.suspended
        if kept_out is None:
            return
        self.site.tell({"do": "end", "user": device.user_id, "device": device.id})
        until = kept_out.until.isoformat(timespec="seconds")
        await note(
            self.site, "access.suspended", user=device.user_id, device=device.id,
            details={"why": kept_out.reason, "until": until},
        )
        login = await self._login(device.user_id)
        self.site.notices.tell_admins(
            "suspended_admin", user=login, device=device.id, why=kept_out.reason,
            until=f"{kept_out.until:%d %B %H:%M} UTC", link=self.site.notices.link(_page(login, device.id)),
        )

    async def _login(self, user_id: str) -> str:
        try:
            return (await self.site.people.user(user_id)).login
        except (AdminError, BackendError):
            return user_id


def _page(user: str, device: str) -> str:
    return PAGE.format(user=quote(user, safe="@"), device=quote(device, safe=""))

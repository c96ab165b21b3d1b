"""How far devices are let in: the rules of the store and the settings joined, and who is told of a quarantine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from eas.admin.notices import Notices
from eas.config import Settings
from eas.db.transactions import Transactions
from eas.engine.access import Decision, Terms
from eas.engine.model import Device, User
from eas.engine.quarantine import Words
from eas.server.admission import Rules
from eas.store.access import AccessStore

#: The page on which somebody decides about one device.
PAGE = "/admin/access/approve/{user}/{device}"


def rules_of(
    settings: Settings, run: Transactions, groups: Callable[[str], Awaitable[Sequence[str]]], notices: Notices
) -> Rules:
    store, asked = AccessStore(run), settings.access
    return Rules(
        read=store.book, groups=groups, listed=store.listed, most=store.limit_of, terms=terms_of(settings),
        words=Words(subject=asked.notice_subject, text=asked.notice), tell=Teller(notices, asked.tell_users).tell,
    )


def terms_of(settings: Settings) -> Terms:
    asked = settings.access
    return Terms(
        quarantine_days=asked.quarantine_days, discovery=timedelta(minutes=asked.discovery_minutes),
        storm_requests=asked.storm_requests, storm=timedelta(minutes=asked.storm_minutes),
    )


@dataclass(frozen=True, slots=True)
class Teller:
    """Mails of a new device in quarantine. The link leads to a page that asks who one is and what is to be done: to
    follow it, as scanners of mail do, decides nothing."""

    notices: Notices
    to_users: bool

    def tell(self, user: User, device: Device, decision: Decision) -> None:
        said = {
            "user": user.login, "device": device.id, "type": device.type, "agent": device.agent or "unknown",
            "model": device.information.get("Model", "") or "unknown",
            "os": device.information.get("OS", "") or "unknown", "why": decision.why,
            "until": f"{decision.until:%d %B %Y}" if decision.until is not None else "",
            "link": self.notices.link(PAGE.format(user=quote(user.login, safe="@"), device=quote(device.id, safe=""))),
        }
        self.notices.tell_admins("quarantine_admin", **said)
        if self.to_users:
            self.notices.tell([user.address], "quarantine_user", **said)

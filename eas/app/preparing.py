"""A user's mailbox opened from behind, beside a server that runs on it, to be filled for a session that is played."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eas.admin.site import Rings
from eas.backends.embedded.backend import open_embedded
from eas.backends.embedded.groupware import Ring
from eas.config import Settings
from eas.engine.model import User
from eas.engine.ports import Accounts, Mailbox
from eas.items.native import Viewer
from eas.server import control

from .building import App, build


@dataclass(slots=True)
class ReceivedAt:
    """The clock of a groupware whose mail is to have come at other times than now."""

    at: datetime | None = None

    def __call__(self, at: datetime | None) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at or datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """`clock` sets when what is written next is received; it says nothing to groupware on other servers."""

    mailbox: Mailbox
    viewer: Viewer
    clock: ReceivedAt = field(default_factory=ReceivedAt)


async def behind(parts: App, login: str, password: str, ring: Ring) -> Behind | None:
    """None where nobody logs in so. `ring` is told of what changes. Raises Unavailable."""
    clock = ReceivedAt()
    accounts: Accounts | None = parts.site.accounts
    if not parts.elsewhere.tenants:
        accounts = open_embedded(
            parts.transactions, domain=parts.settings.domain or "localhost", ring=ring, now=clock.now,
        ).accounts
    user = await accounts.verify(login, password) if accounts is not None else None
    if accounts is None or user is None:
        return None
    return Behind(mailbox=accounts.open(user)[0], viewer=_viewer(user), clock=clock)


def _viewer(user: User) -> Viewer:
    return Viewer(addresses=user.addresses, name=user.name, zone=user.zone, now=datetime.now(UTC))


@asynccontextmanager
async def behind_server(settings: Settings, login: str, password: str) -> AsyncIterator[Behind | None]:
    """With the store of those settings; a server that runs on it tells its phones. Raises what `build` raises."""
    socket = settings.data / control.SOCKET
    rings = Rings()

    def ring(user_id: str, collections: object) -> None:
        control.tell(socket, {"do": "ring", "user": user_id, "collections": sorted(collections)})  # type: ignore[call-overload]

    async with build(settings, rings) as parts:
        yield await behind(parts, login, password, ring)

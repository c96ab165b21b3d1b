"""The pages, joined with the groupware's logins and the bell of this process."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.types import ASGIApp

from eas.admin.site import Site
from eas.admin.web.application import PREFIXES, pages
from eas.admin.web.ports import Enter, Frame, Later
from eas.backends.embedded.passwords import Passwords
from eas.config import Settings
from eas.engine.model import Secret, User
from eas.engine.ports import Accounts, Bell
from eas.server.auth import Doorkeeper
from eas.server.ports import Manner, Ports
from eas.server.reading import base_url, client_address, headers_of, is_within
from eas.store.staff import StaffStore

if TYPE_CHECKING:
    from eas.admin.site import Tell
    from eas.admin.web.oidc import SignIn

#: HTTP of a login that cannot be checked now.
AWAY = 503


def join_pages(
    settings: Settings, site: Site, ports: Ports, manner: Manner, release: str, sign_in: SignIn | None
) -> Mapping[str, ASGIApp]:
    """By the first step of their paths; none where they are switched off."""
    if not settings.pages.enabled:
        return {}
    networks = tuple(ip_network(one, strict=False) for one in settings.pages.staff_networks)

    def address(request: Request) -> str:
        return client_address(request.scope, headers_of(request.scope), manner.trusted_proxies)

    def base(request: Request) -> str:
        return base_url(request.scope, headers_of(request.scope), manner.trusted_proxies, manner.public_url)

    frame = Frame(
        site=site, address=address, base_url=base, now=lambda: datetime.now(UTC), release=release,
        enter=_enter(ports, ports.accounts), enter_staff=_enter(ports, StaffAccounts(site.staff, ports.accounts)),
        for_staff=lambda request: not networks or is_within(address(request), networks),
        session_hours=settings.pages.session_hours, idle_minutes=settings.pages.idle_minutes,
        oidc=sign_in,
    )
    made = pages(frame)
    return dict.fromkeys(PREFIXES, made)


def _enter(ports: Ports, accounts: Accounts) -> Enter:
    """By the same doorkeeper as phones, so that guesses count wherever they are made."""
    doorkeeper = Doorkeeper(accounts, ports.clock, "pages", site=ports.logins)

    async def enter(login: str, password: str, address: str) -> User | None:
        token = b64encode(f"{login}:{password}".encode()).decode()
        admitted = await doorkeeper.admit({"authorization": f"Basic {token}"}, address)
        if isinstance(admitted, User):
            return admitted
        if admitted.http == AWAY:
            raise Later(int(admitted.headers.get("Retry-After", "60")))
        return None

    return enter


class StaffAccounts:
    """Staff with passwords of their own, as users without an id; then those of mailboxes."""

    def __init__(self, staff: StaffStore, mailboxes: Accounts) -> None:
        self._staff = staff
        self._mailboxes = mailboxes
        self._passwords = Passwords()

    async def verify(self, login: str, password: str) -> User | None:
        member = await self._staff.member(login.strip().casefold())
        if member is None or not member.password:
            return await self._mailboxes.verify(login, password)
        if not await self._passwords.verify(member.password, password):
            return None
        return User(id="", login=member.name, address=member.name, addresses=(member.name,), name=member.name)

    async def vouched(self, login: str, token: Secret | None = None) -> User | None:
        return await self._mailboxes.vouched(login, token)

    def open(self, user: User) -> Any:
        return self._mailboxes.open(user)


def told(bell: Bell) -> Tell:
    """What the command line says to a running server, said within it."""
    doing: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
        "ring": lambda said: bell.ring(said["user"], said["collections"]),
        "end": lambda said: bell.end(said["user"], said["device"]),
    }

    def tell(said: Mapping[str, Any]) -> bool:
        doing[said["do"]](said)
        return True

    return tell

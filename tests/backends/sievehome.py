"""A user with scripts at a real ManageSieve server: what the tests of `eas.backends.sieve` begin with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from groupware.cyrus import Cyrus
from groupware.dovecot import Dovecot
from worlds import EmbeddedWorld

from eas.backends.sieve.client import connected, credentials_of
from eas.backends.sieve.vacation import SieveVacation
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import Security, SieveServer, Tenant
from eas.engine.model import Secret


@dataclass
class Office:
    """A user at a real server."""

    world: EmbeddedWorld
    server: Dovecot | Cyrus
    login: str
    secret: Secret
    settings: SieveServer

    @property
    def account(self) -> Account:
        user = self.world.users["anna"]
        return Account(
            user=replace(user, address=self.login, addresses=(self.login, "anna@example.com")), login=self.login,
            tenant=Tenant(name="t", domains=("example.com",), sieve=self.settings), secret=self.secret,
            ground=self.world.embedded.groupware,
        )

    @property
    def vacation(self) -> SieveVacation:
        return SieveVacation(self.account)

    def other(self) -> Any:
        """Another client of the user's."""
        return connected(self.settings, credentials_of(self.settings, self.login, self.secret))

    async def scripts(self) -> dict[str, bytes]:
        async with self.other() as session:
            return {one.name: await session.get(one.name) for one in await session.list_scripts()}

    async def active(self) -> str:
        async with self.other() as session:
            return next((one.name for one in await session.list_scripts() if one.active), "")

    async def puts(self, name: str, content: bytes, *, active: bool = True) -> None:
        async with self.other() as session:
            await session.put(name, content)
            if active:
                await session.activate(name)


def sieve_settings(server: Dovecot | Cyrus, **more: Any) -> SieveServer:
    values: dict[str, Any] = {
        "host": "localhost", "port": server.sieve_port, "ca_file": server.ca_file, "security": Security.STARTTLS,
        "timeout_seconds": 60.0,
    }
    return SieveServer(**values | more)

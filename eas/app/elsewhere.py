"""Groupware on other servers, joined with the embedded one: who comes in, what they are given, who watches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eas.backends.embedded.backend import Embedded
from eas.backends.embedded.groupware import Ring
from eas.backends.standards.accounts import StandardAccounts
from eas.backends.standards.kept import MARK
from eas.backends.standards.tenant import Tenant
from eas.config import ConfigError
from eas.engine.hierarchy import ROOT
from eas.push.watch import Watch

from .logins import SiteLogins

if TYPE_CHECKING:
    from eas.backends.standards.hooked import Hooked
    from eas.backends.standards.servers import StandardServers


@dataclass(slots=True)
class Elsewhere:
    """`watch_of` and `rung` may be handed out before the rest is joined: the bell comes before the groupware."""

    tenants: Sequence[Tenant]
    servers: StandardServers | None = None
    accounts: StandardAccounts | None = None
    hooked: Hooked | None = None

    def join(
        self, embedded: Embedded, default_domain: str, monotonic: Callable[[], float], site: SiteLogins
    ) -> StandardAccounts:
        """Raises ConfigError."""
        # Only where there are some: its libraries take as long to import as all the rest.
        from eas.backends.ldap.directory import check_settings
        from eas.backends.standards.servers import StandardServers

        for tenant in self.tenants:
            try:
                if tenant.ldap is not None:
                    check_settings(tenant.ldap)
            except ValueError as error:
                raise ConfigError(f"backends.{tenant.name}.ldap: {error}") from None
        self.servers = StandardServers(embedded, monotonic=monotonic)
        self.accounts = StandardAccounts(
            self.tenants, self.servers, embedded.groupware, embedded.accounts, default_domain=default_domain,
            monotonic=monotonic, verdicts=site.verdicts,
        )
        site.forgotten(self.accounts.forget_here)
        self.servers.refused = self.accounts.forget
        return self.accounts

    def watch_of(self, user_id: str) -> Watch | None:
        account = self.accounts.welcome(user_id) if self.accounts is not None else None
        return self.servers.watch(account) if account is not None and self.servers is not None else None

    def rung(self, ring: Ring) -> Ring:
        """Folders of the embedded groupware bear another id beside those of servers (`standards.kept`)."""
        if not self.tenants:
            return ring

        def both(user_id: str, collections: Collection[str]) -> None:
            ring(user_id, {*collections, *(MARK + id for id in collections if id.isdigit() and id != "0")})

        return both

    def heard(self, user_id: str, collections: Collection[str]) -> None:
        """Another process rings: what this one remembers of the user's folders may be old."""
        if self.servers is not None and ROOT in collections:
            self.servers.forget_folders(user_id)

    async def tidy(self) -> None:
        """Forget what nobody asks for any longer."""
        if self.accounts is not None:
            await self.accounts.tidy()

    async def close(self) -> None:
        if self.hooked is not None:
            await self.hooked.close()
        if self.servers is not None:
            await self.servers.close()

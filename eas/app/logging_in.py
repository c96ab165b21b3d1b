"""How phones may log in, by the settings: the ways, the identity provider, certificates that a proxy has checked."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eas.config import Settings
from eas.engine.errors import Unavailable
from eas.engine.ports import Accounts
from eas.server.certificates import CertificateRules
from eas.server.ports import Way

if TYPE_CHECKING:
    from eas.admin.web.oidc import SignIn
    from eas.backends.oidc.provider import Provider
    from eas.backends.oidc.tokens import PhoneTokens


#: The name of the key under which logins that were begun are kept by browsers.
SEALS = "logins begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """None for what the settings do not name."""

    provider: Provider | None = None
    tokens: PhoneTokens | None = None

    async def look(self) -> None:
        """Fetch what the provider tells of itself, so that phones can be told where tokens come from. Nothing waits for
        it: without, the next who asks is told."""
        if self.provider is not None:
            try:
                await self.provider.document()
            except Unavailable:
                return

    async def close(self) -> None:
        if self.provider is not None:
            await self.provider.close()


def identity_of(settings: Settings, monotonic: Callable[[], float]) -> Identity:
    asked = settings.oidc
    if not asked.issuer:
        return Identity()
    # Only where there is one: its libraries take a tenth of a second to import.
    from eas.backends.oidc.claims import Believed
    from eas.backends.oidc.provider import Provider, Registered
    from eas.backends.oidc.tokens import PhoneTokens

    provider = Provider(Registered(
        issuer=asked.issuer, client_id=asked.client_id, client_secret=asked.client_secret.get_secret_value(),
        jwks_url=asked.jwks_url, introspection_url=asked.introspection_url, authorization_url=asked.authorization_url,
        ca_file=str(asked.ca_file) if asked.ca_file is not None else "", timeout_seconds=asked.timeout_seconds,
    ), monotonic)
    if not asked.audiences or Way.TOKEN not in settings.login.phones:
        return Identity(provider=provider)
    believed = Believed(
        issuer=asked.issuer, audiences=asked.audiences, clients=asked.clients, scope=asked.scope,
        login=asked.login_claim, leeway=asked.leeway_seconds,
    )
    tokens = PhoneTokens(provider, believed, introspected=asked.tokens == "introspected", clock=time.time)
    return Identity(provider=provider, tokens=tokens)


def sign_in_of(
    settings: Settings, identity: Identity, accounts: Accounts, secret_of: Callable[[str], Awaitable[bytes]]
) -> SignIn | None:
    """How people log in to the pages with the provider; None if they do not."""
    asked = settings.oidc
    if identity.provider is None or not asked.client_id or not settings.pages.enabled:
        return None
    from eas.admin.acting import Role
    from eas.admin.web.oidc import SignIn

    return SignIn(
        provider=identity.provider, name=asked.name, scopes=asked.scopes, login_claim=asked.login_claim,
        roles_claim=asked.roles_claim, leeway=asked.leeway_seconds, owners=asked.owners, vouched=accounts.vouched,
        roles={Role.ADMIN: asked.admins, Role.HELPDESK: asked.helpdesk, Role.AUDITOR: asked.auditors},
        key=lambda: secret_of(SEALS),
    )


def ways_of(settings: Settings) -> frozenset[Way]:
    ways = frozenset(map(Way, settings.login.phones))
    return ways if settings.oidc.audiences else ways - {Way.TOKEN}


def certificate_rules(settings: Settings) -> CertificateRules | None:
    asked = settings.client_certificates
    if not asked.header:
        return None
    return CertificateRules(
        header=asked.header, login=asked.login, subject=asked.content == "subject", enough=asked.alone
    )

"""Hooks that a groupware calls, joined with whoever looks up what they mean."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import TYPE_CHECKING

import structlog

from eas.backends.embedded.groupware import Groupware
from eas.config import Settings
from eas.server.ports import HookRules

from .elsewhere import Elsewhere
from .sharing import Sharing

if TYPE_CHECKING:
    from eas.backends.standards.hooked import Hooked

log = structlog.get_logger("eas.app")


def join_hooks(
    settings: Settings, elsewhere: Elsewhere, ground: Groupware, sharing: Sharing, monotonic: Callable[[], float]
) -> Hooked | None:
    """None where no groupware is on other servers, or no token is set."""
    token = settings.hooks.token.get_secret_value()
    if not token:
        for tenant in elsewhere.tenants:
            if tenant.hooks:
                log.warning("hooks cannot be called: hooks.token is not set", backend=tenant.name)
    servers = elsewhere.servers
    if servers is None or not token:
        return None
    from eas.backends.standards.hooked import Hooked  # with its libraries, as in `elsewhere`

    bell = sharing.bell
    hooked = Hooked(
        elsewhere.tenants, ground, bell.ring, default_domain=settings.domain, monotonic=monotonic,
        forget=servers.forget_folders,
        # Of several processes none knows at once who waits at the others: whom a ring concerns Redis tells.
        waits=bell.waits if sharing.link is None else lambda user_id: True,
    )
    servers.missed, elsewhere.hooked = hooked.missed, hooked
    return hooked


def hook_rules(settings: Settings) -> HookRules:
    return HookRules(
        token=settings.hooks.token.get_secret_value(),
        networks=tuple(ip_network(one, strict=False) for one in settings.hooks.networks),
    )

"""The tokens that devices log in with: `Tokens` of eas.server.ports.

What a token was found to be is kept under its digest for a minute, or until it ends: a phone shows the same one with
each request for an hour. So long may one go on that the provider has withdrawn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

from eas.engine.logins import Shown, TokenRefused

from .claims import Believed, shown
from .provider import Provider

KEPT_SECONDS = 60.0
MAX_KEPT = 20_000


class PhoneTokens:
    """`introspected`: the provider is asked what a token is; else that is read from the token, by its keys. `clock`
    gives epoch seconds."""

    def __init__(
        self, provider: Provider, believed: Believed, *, introspected: bool, clock: Callable[[], float]
    ) -> None:
        self._provider, self._believed, self._introspected, self._clock = provider, believed, introspected, clock
        self._kept: OrderedDict[bytes, tuple[float, Shown]] = OrderedDict()

    async def verify(self, token: str) -> Shown:
        """Raises TokenRefused, Unavailable."""
        digest, now = sha256(token.encode()).digest(), self._clock()
        at, found = self._kept.get(digest, (0.0, None))
        if found is not None and now - at < KEPT_SECONDS:
            if found.until <= now:
                raise TokenRefused("it is over", over=True)
            return found
        claims = await (self._provider.introspect(token) if self._introspected else self._provider.claims(token))
        made = shown(claims, self._believed, now)
        self._kept[digest] = now, made
        self._kept.move_to_end(digest)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return made

    def challenge(self) -> str:
        """In the words of Exchange, which phones know: iOS opens `authorization_uri`."""
        ours = self._provider.registered
        where = ours.authorization_url or str(self._provider.known().get("authorization_endpoint", ""))
        client = next(iter(self._believed.clients), "")
        told = {"client_id": client, "trusted_issuers": ours.issuer, "authorization_uri": where}
        return ", ".join(f'{name}="{value}"' for name, value in told.items() if value and '"' not in value)

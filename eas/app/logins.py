"""What the processes of a site know of logins together, where they share a Redis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eas.engine.logins import LoginMemory, Verdicts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from eas.push.link import Link

#: The name of the secret under which digests of logins lie in Redis.
SECRET = "logins"


@dataclass(frozen=True, slots=True)
class SiteLogins:
    """Nothing where there is one process. `forgotten(do)`: what is done when another process ends a verdict."""

    memory: LoginMemory | None = None
    verdicts: Verdicts | None = None
    forgotten: Callable[[Callable[[str], None]], None] = lambda do: None


def site_logins(link: Link | None, secret_of: Callable[[str], Awaitable[bytes]]) -> SiteLogins:
    """`secret_of` gives a secret of the site by its name."""
    if link is None:
        return SiteLogins()
    from eas.backends.standards.accounts import REMEMBER_SECONDS
    from eas.push.logins import SharedLogins, SharedVerdicts, Vault

    vault = Vault(link, lambda: secret_of(SECRET))
    verdicts = SharedVerdicts(vault, REMEMBER_SECONDS)

    def forgotten(do: Callable[[str], None]) -> None:
        verdicts.forgotten = do

    return SiteLogins(memory=SharedLogins(vault), verdicts=verdicts, forgotten=forgotten)

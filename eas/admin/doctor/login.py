"""Who comes in without the password of the mailbox, and what enters the servers for them; the identity provider."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eas.backends.standards.entrance import closed_to, own_credentials
from eas.backends.standards.tenant import Tenant
from eas.engine.errors import Unavailable
from eas.engine.model import Secret

from .findings import Notes

if TYPE_CHECKING:
    from eas.backends.oidc.provider import Provider

#: What each server lacks, by its settings.
_LACKS = {
    "imap": "imap.master_user and imap.master_password", "smtp": "smtp.user and smtp.password",
    "dav": "dav.user and dav.password", "sieve": "sieve.master_user and sieve.master_password",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """In use beside the password of the mailbox. `provider` None: there is no identity provider."""

    device_passwords: bool = True
    tokens: bool = False
    certificates: bool = False
    introspected: bool = False
    provider: Provider | None = None


def look(notes: Notes, tenant: Tenant, ways: Ways) -> None:
    """What becomes of somebody who does not show the password of the mailbox, way by way."""
    told = (
        ("device passwords", ways.device_passwords, None, False),
        ("tokens", ways.tokens, Secret("a token", bearer=True), True),
        ("certificates", ways.certificates, None, True),
    )
    for check, used, token, asked_for in told:
        if used:
            _way(notes, tenant, check, closed_to(tenant, token), asked_for=asked_for, token=token is not None)


def _way(
    notes: Notes, tenant: Tenant, check: str, closed: Collection[str], *, asked_for: bool, token: bool
) -> None:
    """`asked_for`: the settings name this way, so phones are meant to come in by it."""
    if not closed:
        passed = token and tenant.tokens and own_credentials(tenant)
        notes.ok(check, f"are passed on to {_list(own_credentials(tenant))}" if passed else
                 "the gateway enters the servers with its own logins")
        if "sieve" in own_credentials(tenant) and not passed:
            notes.warn(check, "ManageSieve wants the password of the mailbox",
                       "The out-of-office reply and filters cannot be changed by phones that come in so.",
                       f"Set {_LACKS['sieve']} of [backends.{tenant.name}].")
        return
    lacks = " and ".join(_LACKS[name] for name in closed)
    said = f"are refused: {_list(closed)} take nothing but the password of the mailbox"
    advice = f"Set {lacks} of [backends.{tenant.name}]" + (
        ", or its `tokens` if the servers take those of the provider." if token else "."
    )
    if asked_for:
        notes.fail(check, said, "Phones that come in so get 403.", advice)
    else:
        notes.skip(check, f"{said}; {advice[0].lower()}{advice[1:]}")


async def provider(notes: Notes, ways: Ways) -> None:
    """Whether it answers, and with what is needed."""
    if ways.provider is None:
        return
    asked = ways.provider
    for check, part in (
        ("document", None), ("keys", "jwks_uri"), ("logins to pages", "authorization_endpoint"),
        ("codes", "token_endpoint"), *((("introspection", "introspection_endpoint"),) if ways.introspected else ()),
    ):
        try:
            said = str((await asked.document())["issuer"]) if part is None else await asked.address(part)
            if check == "keys":
                said = f"{await asked.count_keys()} at {said}"
        except Unavailable as error:
            notes.fail(check, str(error), "Nobody can log in with it.",
                       "Is oidc.issuer exactly what the provider calls itself, and does it answer from here?")
            return
        notes.ok(check, said)


def _list(names: Collection[str]) -> str:
    return ", ".join(names)

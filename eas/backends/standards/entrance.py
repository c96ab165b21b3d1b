"""What the servers of a tenant are entered with: the gateway's own credentials, or those of the user. Pure.

Somebody who comes with the password of the mailbox can be passed on anywhere. Somebody who was recognised in another
way (a password for one device, a token, a certificate) comes in where the gateway has credentials of its own, or where
the servers take the token.
"""

from __future__ import annotations

from eas.engine.model import Secret

from .tenant import Provider, Tenant

#: Without it devices still work: only the out-of-office reply and filters cannot be changed.
DISPENSABLE = frozenset({"sieve"})


def own_credentials(tenant: Tenant) -> tuple[str, ...]:
    """The servers, as in the settings, that want those of the user."""
    wanting = (
        ("imap", tenant.imap is not None and not tenant.imap.master_user),
        ("smtp", _submits(tenant)),
        ("dav", tenant.dav is not None and not tenant.dav.login),
        ("sieve", tenant.sieve is not None and not tenant.sieve.master_user),
    )
    return tuple(name for name, wants in wanting if wants)


def _submits(tenant: Tenant) -> bool:
    """With the user's credentials."""
    if tenant.mail is not Provider.IMAP or tenant.smtp is None:
        return False
    return not tenant.smtp.login and not tenant.smtp.anonymous


def closed_to(tenant: Tenant, token: Secret | None) -> tuple[str, ...]:
    """The servers that keep out somebody who has no password of the mailbox; () if they can work."""
    if token is not None and tenant.tokens:
        return ()
    return tuple(name for name in own_credentials(tenant) if name not in DISPENSABLE)


def enters_by_itself(tenant: Tenant) -> bool:
    """Whether the gateway needs no credentials of a user to look at what the servers have."""
    return not {"imap", "dav"}.intersection(own_credentials(tenant))

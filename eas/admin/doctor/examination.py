"""All checks of a configuration, tenant by tenant and server by server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from eas.backends.embedded.groupware import Groupware
from eas.backends.standards.logins import Named
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import Provider, Server, Tenant
from eas.engine.model import Secret, User

from . import dav, home, imap, ldap, login, sieve, smtp
from .findings import Finding, Notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined. `who` is whom to log in as (None: only what can be seen without); `secret` None enters by the
    master users alone. `database` is the dialect's name; `url` where devices find the gateway, "" if it is not to be
    tried."""

    tenants: Sequence[Tenant]
    ground: Groupware
    database: str
    who: Named | None = None
    secret: Secret | None = field(default=None, repr=False)
    url: str = ""
    url_ca_file: str = ""
    #: Whether hooks can be called: their token is set.
    hooks: bool = False
    ways: login.Ways = field(default_factory=login.Ways)


async def examine(patient: Patient, put: Callable[[Finding], None]) -> None:
    """`put` gets each finding as soon as it is known."""
    own = Notes("", "gateway", put)
    await home.database(own, patient.ground, patient.database)
    if patient.url:
        await home.outside(Notes("", patient.url, put), patient.url, patient.url_ca_file)
    else:
        own.skip("address", "needs --url: where devices find the gateway")
    await login.provider(Notes("", "identity provider", put), patient.ways)
    if not patient.tenants:
        own.ok("backends", "none: all is kept in the gateway's own database")
    for tenant in patient.tenants:
        # A user of one tenant cannot log in to another's servers.
        mine = patient.who is not None and patient.who.tenant.name == tenant.name
        await _tenant(tenant, patient, patient.who if mine else None, put)


async def _tenant(tenant: Tenant, patient: Patient, who: Named | None, put: Callable[[Finding], None]) -> None:
    name = who.login if who else ""
    secret = patient.secret if who else None
    account = _account(tenant, who, secret or Secret(value=""), patient.ground) if who else None
    if tenant.imap is not None:
        await imap.look(Notes(tenant.name, _label("IMAP", tenant.imap), put), tenant.imap, name, secret)
    if tenant.smtp is not None:
        await smtp.look(Notes(tenant.name, _label("SMTP", tenant.smtp), put), tenant.smtp, name, secret)
    if tenant.dav is not None:
        host = urlsplit(tenant.dav.url).netloc
        await dav.look(Notes(tenant.name, f"DAV {host}", put), tenant.dav, tenant, account)
    if tenant.ldap is not None:
        await ldap.look(Notes(tenant.name, _label("LDAP", tenant.ldap), put), tenant.ldap, tenant, account)
    if tenant.sieve is not None:
        await sieve.look(Notes(tenant.name, _label("Sieve", tenant.sieve), put), tenant.sieve, name, secret)
    if tenant.hooks:
        _hooks(tenant, Notes(tenant.name, "hooks", put), patient)
    login.look(Notes(tenant.name, "logins", put), tenant, patient.ways)
    _lacking(tenant, Notes(tenant.name, "settings", put))


def _label(protocol: str, server: Server) -> str:
    return f"{protocol} {server.host}:{server.port}"


def _hooks(tenant: Tenant, notes: Notes, patient: Patient) -> None:
    """Whether the server calls is not to be seen from here."""
    if not patient.hooks:
        notes.fail(
            "token", "hooks.token is not set",
            "The server cannot tell what changes: phones hear of it from a slow poll, minutes late.",
            f"Set hooks.token, and have the server call; or set backends.{tenant.name}.changes = \"watch\".",
        )
        return
    user = patient.who.login if patient.who is not None else f"anna@{tenant.domain}"
    address = patient.url.rstrip("/") or "http://localhost:8080"
    notes.ok("token", "is set")
    notes.skip("call", "try it from the mail server while a phone waits; 204 is right: "
               f"curl -i -H \"Authorization: Bearer $TOKEN\" -d '{{\"user\": \"{user}\"}}' {address}/hooks/changed")


def _lacking(tenant: Tenant, notes: Notes) -> None:
    """What no server is named for."""
    dav = Provider.CALDAV in (tenant.calendar, tenant.tasks, tenant.notes) or Provider.CARDDAV in (
        tenant.contacts, tenant.directory,
    )
    lacks = (
        (tenant.mail is Provider.IMAP and tenant.imap is None, "imap", "There is no mail."),
        (tenant.smtp is None, "smtp", "Nobody can send mail."),
        (dav and tenant.dav is None, "dav", "Calendars or contacts that should come from it are missing."),
        (tenant.directory is Provider.LDAP and tenant.ldap is None, "ldap", "There is no address list."),
    )
    for lacking, part, means in lacks:
        if lacking:
            notes.fail(part, "is not in the settings", means, f"Add [backends.{tenant.name}.{part}].")
    if tenant.sieve is None:
        notes.warn("sieve", "is not in the settings", "Out-of-office replies cannot be set on phones.",
                   f"Add [backends.{tenant.name}.sieve] if the mail server speaks ManageSieve.")


def _account(tenant: Tenant, who: Named, secret: Secret, ground: Groupware) -> Account:
    user = User(id="", login=who.login, address=who.address, addresses=(who.address,), name="", secret=secret)
    return Account(user=user, tenant=tenant, login=who.login, secret=secret, ground=ground)

"""What people type as their login, and whom the servers know by it: pure.

`user`, `user@domain`, `DOMAIN\\user` and `defaultcontext\\user` are read alike everywhere (`eas.protocol.http.login`);
which servers are meant goes by the domain, what they are entered with by a template of the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eas.backends.embedded.prepare import folded
from eas.protocol.http import login as parse

from .tenant import Tenant

#: What Open-Xchange's users type for "the domain that is meant where none is told".
DEFAULT_CONTEXT = "defaultcontext"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Who a login means: `login` is for the servers, `address` the user's address."""

    tenant: Tenant
    user: str
    domain: str
    login: str
    address: str


class Known(NamedTuple):
    """A member as they are found again: `login` is folded."""

    tenant: str
    login: str


def known_as(
    text: str, tenants: Sequence[Tenant], default_domain: str, *, domain: str = "", backend: str = ""
) -> set[Known]:
    """Whom a server may mean by a name of its own: the login as it is, what a device's user would mean by it, and an
    address without or with the domain. `domain` completes a bare name; `backend` is that of a tenant, "" for any."""
    tenants = [tenant for tenant in tenants if backend in ("", tenant.name)]
    text = text.strip()
    if domain and "@" not in text:
        text = f"{text}@{domain}"
    of_domain = text.rpartition("@")[2].lower() if "@" in text else ""
    theirs = _tenant_of(of_domain, tenants) if of_domain else None
    found = {Known(tenant.name, folded(text)) for tenant in ([theirs] if theirs else tenants)}
    who = named(text, tenants, default_domain)
    if who is not None:
        found.add(Known(who.tenant.name, folded(who.login)))
        if "{login}" in who.tenant.login:  # users log in either way
            found |= {Known(who.tenant.name, folded(one)) for one in (who.user, f"{who.user}@{who.domain}")}
    return {one for one in found if one.login}


def named(text: str, tenants: Sequence[Tenant], default_domain: str) -> Named | None:
    """None where no tenant has such users, or nobody is named."""
    asked = parse(text)
    if not asked.name or not tenants:
        return None
    domain = asked.domain.lower()
    if not asked.is_address and (domain in ("", DEFAULT_CONTEXT) or _tenant_of(domain, tenants) is None):
        # Many devices insist on a word for the domain: one that is no domain of ours is not meant.
        short = _by_label(domain, tenants)
        tenant = short or _default(tenants, default_domain)
        if tenant is None:
            return None
        domain = _domain_of(tenant, domain if short else "", default_domain)
    else:
        tenant = _tenant_of(domain, tenants) or _of_others(tenants)
        if tenant is None:
            return None
    typed = f"{asked.name}@{domain}" if asked.is_address else asked.name
    values = {"user": asked.name, "domain": domain, "login": typed}
    return Named(
        tenant=tenant, user=asked.name, domain=domain, login=_filled(tenant.login, values),
        address=_filled(tenant.address, values),
    )


def _filled(template: str, values: dict[str, str]) -> str:
    """An address has no empty domain: `{user}@{domain}` is the user alone where no domain is known."""
    return template.format(**values).rstrip("@")


def _tenant_of(domain: str, tenants: Sequence[Tenant]) -> Tenant | None:
    return next((tenant for tenant in tenants if domain and domain in tenant.domains), None)


def _of_others(tenants: Sequence[Tenant]) -> Tenant | None:
    """The one for all domains that no other has."""
    return next((tenant for tenant in tenants if not tenant.domains), None)


def _by_label(label: str, tenants: Sequence[Tenant]) -> Tenant | None:
    """`EXAMPLE\\user` for example.org, as Windows has it; a label that two bear is nobody's."""
    fitting = [
        tenant for tenant in tenants for domain in tenant.domains if label and domain.partition(".")[0] == label
    ]
    return fitting[0] if len(fitting) == 1 else None


def _default(tenants: Sequence[Tenant], default_domain: str) -> Tenant | None:
    if len(tenants) == 1:
        return tenants[0]
    return _tenant_of(default_domain, tenants) or _of_others(tenants)


def _domain_of(tenant: Tenant, label: str, default_domain: str) -> str:
    """The domain that is meant where none is told, or but its first label."""
    by_label = [domain for domain in tenant.domains if label and domain.partition(".")[0] == label]
    return next((domain for domain in (*by_label, tenant.domain, *tenant.domains) if domain), default_domain)

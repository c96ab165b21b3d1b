"""`/metrics`: who may read it. What it tells is handed in (`Ports.figures`).

By a token, or by the address. An address is only known where the request came straight from there, or through proxies
that are trusted to tell it. A request from the world that a proxy on this machine passes on without telling looks just
like one from here; so what comes from this machine counts as that only if the proxies of this machine are known
(`trusted_proxies`), and nothing counts that bears the mark of a proxy which is not.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from starlette.types import Scope

from .reading import address_of, client_address, is_trusted
from .reply import Reply, plain

PATH = "/metrics"

Networks = Sequence[IPv4Network | IPv6Network]

#: Headers by which a proxy shows, besides all that begin with "x-forwarded-".
_OF_PROXIES = frozenset(("forwarded", "via", "x-real-ip", "x-client-ip", "x-original-forwarded-for", "true-client-ip"))

WHY = ("Figures are told to who sends the token of metrics.token as 'Authorization: Bearer', and to the addresses in "
       "metrics.networks. An address of this machine counts only if trusted_proxies has it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """`token` "" for none."""

    token: str = ""
    networks: Networks = ()


def refusal(readers: Readers, scope: Scope, headers: Mapping[str, str], trusted: Networks) -> Reply | None:
    """None for somebody who may read."""
    if readers.token and _has_token(readers.token, headers.get("authorization", "")):
        return None
    if _is_near(readers.networks, scope, headers, trusted):
        return None
    if readers.token:
        return plain(401, WHY, {"WWW-Authenticate": 'Bearer realm="metrics"'})
    return plain(403, WHY)


def _has_token(token: str, authorization: str) -> bool:
    scheme, _, given = authorization.strip().partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def _is_near(near: Networks, scope: Scope, headers: Mapping[str, str], trusted: Networks) -> bool:
    peer = address_of(scope["client"][0]) if scope.get("client") else None
    if peer is None:
        return False
    passed_on = any(name in _OF_PROXIES or name.startswith("x-forwarded-") for name in headers)
    if is_trusted(str(peer), trusted):
        known = not passed_on or "x-forwarded-for" in headers
    else:
        known = not passed_on and not peer.is_loopback
    return known and is_trusted(client_address(scope, headers, trusted), near)


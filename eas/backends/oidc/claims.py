"""What a token must say before it is believed: pure decisions about claims whose signature has been checked.

RFC 7519 (JWT), RFC 9068 (access tokens), OpenID Connect Core 1.0 section 3.1.3.7 (ID tokens).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eas.engine.logins import Shown, TokenRefused

Claims = Mapping[str, Any]

#: Characters of a login.
MAX_LOGIN = 320
#: What only an ID token has: it says who somebody is to one client and opens nothing. OpenID Connect Core 3.1.3.6.
_OF_ID_TOKENS = frozenset({"at_hash", "c_hash", "nonce"})
#: `typ` within the claims, as Keycloak writes it.
_NOT_FOR_ACCESS = frozenset({"id", "refresh", "offline", "logout"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """`audiences`: one of them must be the token's; `clients`, if any: one of them must have fetched it. `scope` must
    have been granted, if not "". `login` names the claim that is the login. Clocks may be `leeway` seconds apart."""

    issuer: str
    audiences: Collection[str]
    clients: Collection[str] = ()
    scope: str = ""
    login: str = "email"
    leeway: float = 30.0


def shown(claims: Claims, believed: Believed, now: float) -> Shown:
    """Whom an access token lets in. Raises TokenRefused."""
    if _OF_ID_TOKENS & claims.keys() or str(claims.get("typ", "")).lower() in _NOT_FOR_ACCESS:
        raise TokenRefused("it is no access token")
    until = check(claims, believed, now)
    client = claims.get("azp") or claims.get("client_id") or claims.get("appid")
    if believed.clients and client not in believed.clients:
        raise TokenRefused(f"it was fetched by another client, {str(client)[:100]}")
    if believed.scope and believed.scope not in _scopes(claims):
        raise TokenRefused(f"the scope {believed.scope} was not granted")
    return Shown(login=login_of(claims, believed.login), until=until)


def check(claims: Claims, believed: Believed, now: float) -> float:
    """Who made it, for whom, and when; until when it counts. Raises TokenRefused."""
    if claims.get("iss") != believed.issuer:
        raise TokenRefused(f"it is of another issuer, {str(claims.get('iss'))[:100]}")
    if not set(believed.audiences) & set(_audiences(claims)):
        raise TokenRefused(f"it is for somebody else, {', '.join(_audiences(claims))[:100]}")
    begins, ends = _moment(claims, "nbf", 0.0), _moment(claims, "exp", None)
    if max(begins, _moment(claims, "iat", 0.0)) > now + believed.leeway:
        raise TokenRefused("it is of the future: are the clocks right?")
    until = ends + believed.leeway
    if until <= now:
        raise TokenRefused("it is over", over=True)
    return until


def login_of(claims: Claims, name: str) -> str:
    """Raises TokenRefused."""
    login = claims.get(name)
    if not isinstance(login, str) or not login.strip() or len(login) > MAX_LOGIN or not login.isprintable():
        raise TokenRefused(f"the claim {name} is no login")
    if name == "email" and claims.get("email_verified") is False:
        raise TokenRefused("the address has not been verified")
    return login.strip()


def values_of(claims: Claims, path: str) -> Sequence[str]:
    """The texts of a claim, as groups or roles are told; `path` may name one within another: `realm_access.roles`."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return found.split()
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else ()


def _audiences(claims: Claims) -> Sequence[str]:
    told = claims.get("aud")
    return [told] if isinstance(told, str) else [one for one in told or () if isinstance(one, str)]


def _scopes(claims: Claims) -> Collection[str]:
    return {*values_of(claims, "scope"), *values_of(claims, "scp")}


def _moment(claims: Claims, name: str, otherwise: float | None) -> float:
    value = claims.get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(f"{name} is missing or no time")
    return float(value)

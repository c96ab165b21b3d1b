"""A login in a browser, step by step: pure. OpenID Connect Core 1.0 section 3.1, RFC 7636 (PKCE), RFC 9207 (issuer).

What was begun is kept by the browser in a cookie that nobody else can write (`sealed`), for some minutes; what comes
back must fit it. The verifier of PKCE stands in it too: it is of use only together with the code, which the same
browser brings.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from eas.engine.logins import TokenRefused

from .claims import Believed, Claims, check

#: For so long somebody may take to log in at the provider (seconds).
PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """`onward`: the page to come to; `at` in epoch seconds; `area` is where the login is for."""

    area: str
    state: str
    nonce: str
    verifier: str
    onward: str
    at: float


def begin(area: str, onward: str, now: float) -> Begun:
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Begun(area=area, state=state, nonce=nonce, verifier=verifier, onward=onward, at=now)


def sealed(begun: Begun, key: bytes) -> str:
    told = _text(json.dumps(asdict(begun)).encode())
    return f"{told}.{_seal(told, key)}"


def unsealed(text: str, area: str, key: bytes, now: float) -> Begun | None:
    """None for what was not sealed with this key, is for another area, or took too long."""
    told, _, seal = text.partition(".")
    if not hmac.compare_digest(_seal(told, key).encode(), seal.encode("utf-8", "replace")):
        return None
    begun = Begun(**json.loads(urlsafe_b64decode(told + "=" * (-len(told) % 4))))
    return begun if begun.area == area and 0 <= now - begun.at <= PATIENCE_SECONDS else None


def _seal(told: str, key: bytes) -> str:
    return _text(hmac.digest(key, told.encode("utf-8", "replace"), "sha256"))


def _text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")


def question(endpoint: str, client_id: str, redirect_uri: str, scopes: Collection[str], begun: Begun) -> str:
    """Where the browser is sent."""
    asked = {
        "response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "scope": " ".join(scopes),
        "state": begun.state, "nonce": begun.nonce, "code_challenge_method": "S256",
        "code_challenge": _text(sha256(begun.verifier.encode()).digest()),
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def code_of(answer: Mapping[str, str], begun: Begun, document: Mapping[str, Any]) -> str:
    """What the browser brought back. Raises TokenRefused for what does not belong to what was begun, for an answer of
    another provider, and for a refusal."""
    if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
        raise TokenRefused("the answer belongs to another login")
    told = answer.get("iss")
    if told is None and document.get("authorization_response_iss_parameter_supported") is True:
        raise TokenRefused("the answer does not say which provider it is from")
    if told is not None and told != document.get("issuer"):
        raise TokenRefused("the answer is of another provider")
    if answer.get("error"):
        raise TokenRefused(f"the provider says {answer['error'][:60]}")
    if not answer.get("code"):
        raise TokenRefused("the answer has no code")
    return answer["code"]


def identified(claims: Claims, believed: Believed, begun: Begun, now: float) -> None:
    """Whether an ID token is the answer to what was begun. `believed.audiences` is our own id. Raises TokenRefused."""
    check(claims, believed, now)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), begun.nonce.encode()):
        raise TokenRefused("the token belongs to another login")
    several = isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") not in believed.audiences:
        raise TokenRefused("the token was made for another client")

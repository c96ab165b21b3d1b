"""The provider over HTTP: what it tells of itself, its keys, introspection, codes for tokens.

Only the addresses of the settings are asked, and those that the provider names in its own document; no redirect is
followed. The keys are kept; a token of a key that is not among them has them fetched again, at most every few seconds,
which is how new keys become known. OpenID Connect Discovery 1.0; RFC 7517, 7662, 6749 section 4.1.3, 7636.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import structlog
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from eas.engine.errors import Unavailable
from eas.engine.logins import TokenRefused

from .claims import Claims

log = structlog.get_logger("eas.oidc")

#: For so long what the provider tells of itself, and its keys, are taken for new (seconds).
FRESH_SECONDS = 600.0
#: Keys are fetched no more often than this, whatever tokens come.
AGAIN_SECONDS = 5.0
#: While the provider is away, keys are used for so long after they were fetched.
STALE_SECONDS = 86_400.0
#: Octets of an answer.
MAX_ANSWER = 1 << 20
#: Signatures by keys that only the provider has; never those by a secret that both know, and never none.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")

Key = RSAKey | ECKey | OKPKey
_KEYS: Mapping[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
#: Algorithm, by its beginning -> the type of its keys.
_TYPE_OF = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The provider and what it knows us by. Addresses that are "" are those of its own document."""

    issuer: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    algorithms: Collection[str] = ALGORITHMS
    jwks_url: str = ""
    introspection_url: str = ""
    authorization_url: str = ""
    ca_file: str = ""
    timeout_seconds: float = 10.0


@dataclass(slots=True)
class _Kept:
    value: Any = None
    at: float = -1e9
    tried: float = -1e9
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Provider:
    """`transport` is for tests. Everything that asks may raise Unavailable."""

    def __init__(
        self, registered: Registered, monotonic: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.registered, self._monotonic, self._transport = registered, monotonic, transport
        self._document, self._keys = _Kept(), _Kept()
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    # -- what it tells

    async def document(self) -> Mapping[str, Any]:
        """Raises Unavailable, also for one that is another issuer's."""
        found: Mapping[str, Any] = await self._fresh(self._document, self._fetch_document)
        return found

    def known(self) -> Mapping[str, Any]:
        """What was last fetched, without asking; empty before."""
        return self._document.value or {}

    async def _fetch_document(self) -> Mapping[str, Any]:
        issuer = self.registered.issuer
        told = await self._json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != issuer:
            raise Unavailable(f"{issuer} calls itself {str(told.get('issuer'))[:200]}: oidc.issuer must be that")
        return told

    async def address(self, name: str) -> str:
        """Of one of its parts, as `token_endpoint`. Raises Unavailable if it has none."""
        ours = {
            "jwks_uri": self.registered.jwks_url, "introspection_endpoint": self.registered.introspection_url,
            "authorization_endpoint": self.registered.authorization_url,
        }.get(name, "")
        found = ours or str((await self.document()).get(name, ""))
        if not found or not is_safe(found):
            raise Unavailable(f"{self.registered.issuer} has no {name} that can be asked")
        return found

    # -- tokens

    async def claims(self, token: str) -> Claims:
        """Of a token that it has signed. Raises TokenRefused, Unavailable."""
        try:
            header = jws.extract_compact(token.encode("ascii")).headers()
        except (JoseError, ValueError, UnicodeError) as error:
            raise TokenRefused("it is no signed token") from error
        algorithm, kid = str(header.get("alg", "")), header.get("kid")
        if algorithm not in self.registered.algorithms or algorithm not in ALGORITHMS:
            raise TokenRefused(f"it is signed by {algorithm[:20] or 'nothing'}")
        key = await self._key(algorithm, kid if isinstance(kid, str) else "")
        try:
            return jwt.decode(token, key, algorithms=[algorithm]).claims
        except (JoseError, ValueError, TypeError) as error:
            raise TokenRefused(f"its signature is wrong: {type(error).__name__}") from error

    async def count_keys(self) -> int:
        """How many keys it signs with. Raises Unavailable."""
        return len(await self._fresh(self._keys, self._fetch_keys))

    async def _key(self, algorithm: str, kid: str) -> Key:
        key = _chosen(await self._fresh(self._keys, self._fetch_keys), algorithm, kid)
        if key is None:  # it may be a new one
            key = _chosen(await self._fresh(self._keys, self._fetch_keys, at_most=AGAIN_SECONDS), algorithm, kid)
        if key is None and self._monotonic() - self._keys.at >= AGAIN_SECONDS:
            raise Unavailable("the keys of the identity provider cannot be fetched")
        if key is None:
            raise TokenRefused("its key is unknown")
        return key

    async def _fetch_keys(self) -> Mapping[str, Key]:
        told = await self._json("GET", await self.address("jwks_uri"))
        found: dict[str, Key] = {}
        for number, one in enumerate(told.get("keys", ())):
            made = _imported(one)
            if made is not None:
                found[str(one.get("kid") or f"#{number}")] = made
        return found

    async def introspect(self, token: str) -> Claims:
        """What it says of a token. Raises TokenRefused for one that is not active, Unavailable."""
        told = await self._json(
            "POST", await self.address("introspection_endpoint"),
            {"token": token, "token_type_hint": "access_token"},
        )
        if told.get("active") is not True:
            raise TokenRefused("the provider says that it is not active")
        return {"iss": self.registered.issuer, **told}

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        """The tokens for a code. Raises TokenRefused, Unavailable."""
        told = await self._json("POST", await self.address("token_endpoint"), {
            "grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": redirect_uri,
        }, refused=True)
        if "error" in told:
            raise TokenRefused(f"the provider says {str(told['error'])[:100]}")
        return told

    # -- asking

    async def _fresh(self, kept: _Kept, fetch: Callable[[], Any], at_most: float = FRESH_SECONDS) -> Any:
        """What is kept, fetched again when it is old. Those who wait for the same wait together."""
        if self._monotonic() - kept.at < at_most:
            return kept.value
        async with kept.lock:
            now = self._monotonic()
            if now - kept.at < at_most:
                return kept.value
            usable = kept.value is not None and now - kept.at < STALE_SECONDS
            if usable and now - kept.tried < AGAIN_SECONDS:
                return kept.value
            kept.tried = now
            try:
                kept.value = await fetch()
                kept.at = self._monotonic()
            except Unavailable as error:
                if not usable:
                    raise
                log.warning("the identity provider is away; what is known of it goes on to count", reason=str(error))
            return kept.value

    def _credentials(self) -> tuple[Mapping[str, str], httpx.BasicAuth | None]:
        """What is sent besides, in the form or as Basic. RFC 6749 2.3.1 has both percent-encoded in Basic, which not
        all providers undo: a secret that this changes goes into the form where the provider takes it there."""
        ours = self.registered
        name, secret = quote(ours.client_id, safe=""), quote(ours.client_secret, safe="")
        methods = self.known().get("token_endpoint_auth_methods_supported", ())
        if not ours.client_secret:
            return {"client_id": ours.client_id}, None
        if (name, secret) != (ours.client_id, ours.client_secret) and "client_secret_post" in methods:
            return {"client_id": ours.client_id, "client_secret": ours.client_secret}, None
        return {}, httpx.BasicAuth(name, secret)

    async def _json(
        self, method: str, url: str, form: Mapping[str, str] | None = None, *, refused: bool = False
    ) -> Mapping[str, Any]:
        """`refused`: an error may come as JSON with status 400 or 403. Raises Unavailable."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=self.registered.timeout_seconds, verify=_trust(self.registered.ca_file), trust_env=False,
                follow_redirects=False, transport=self._transport,
            )
        login: httpx.BasicAuth | None = None
        if form is not None:
            more, login = self._credentials()
            form = {**form, **more}
        try:
            async with self._client.stream(method, url, data=form, auth=login) as answer:
                body = b""
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER:
                        raise Unavailable(f"{url} answers too much")
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            raise Unavailable(f"{url}: {str(error) or type(error).__name__}") from error
        try:
            told = json.loads(body) if body else {}
        except ValueError:
            told = None
        status = answer.status_code
        if not isinstance(told, dict) or (status != 200 and not (refused and 400 <= status < 500)):
            raise Unavailable(f"{url} answers {status}")
        return told if status == 200 else {"error": f"HTTP {status}", **told}


def is_safe(url: str) -> bool:
    """Over TLS, or to this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))


def _trust(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or None)


def _chosen(keys: Mapping[str, Key], algorithm: str, kid: str) -> Key | None:
    """By its name; a token that names none is of the only key that fits."""
    kind = _TYPE_OF[algorithm[:2]]
    if kid:
        found = keys.get(kid)
        return found if found is not None and found.key_type == kind else None
    fitting = [key for key in keys.values() if key.key_type == kind]
    return fitting[0] if len(fitting) == 1 else None


def _imported(told: Any) -> Key | None:
    """None for what signs nothing here: secrets, keys for encryption, curves that nobody here knows."""
    if not isinstance(told, dict) or told.get("kty") not in _KEYS or told.get("use", "sig") != "sig":
        return None
    public = {name: value for name, value in told.items() if name not in ("d", "p", "q", "dp", "dq", "qi")}
    try:
        made: Key = KeySet.import_key_set({"keys": [public]}).keys[0]  # type: ignore[assignment]
    except (JoseError, ValueError, TypeError, KeyError) as error:
        log.info("a key of the identity provider is not used", reason=str(error)[:100])
        return None
    return made


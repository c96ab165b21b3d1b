"""Which tokens are believed: each claim that may be wrong, signatures, keys that change, a provider that is away."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from eas.backends.oidc import provider as providers
from eas.backends.oidc.claims import Believed, check, login_of, shown, values_of
from eas.backends.oidc.provider import Provider, Registered, is_safe
from eas.backends.oidc.tokens import PhoneTokens
from eas.engine.errors import Unavailable
from eas.engine.logins import TokenRefused

ISSUER = "https://id.example.com/realm"
NOW = 1_790_000_000
BELIEVED = Believed(issuer=ISSUER, audiences=("mail",), clients=("phone",), scope="eas", leeway=30)
GOOD = {
    "iss": ISSUER, "aud": "mail", "azp": "phone", "scope": "openid eas", "iat": NOW - 10, "exp": NOW + 300,
    "email": "anna@example.com",
}


class Line(httpx.AsyncBaseTransport):
    """What a provider would answer, by the end of the path."""

    def __init__(self, *keys: Any) -> None:
        self.keys, self.asked, self.away = list(keys), [], False
        self.document: dict[str, Any] = {
            "issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", "authorization_endpoint": f"{ISSUER}/authorize",
            "introspection_endpoint": f"{ISSUER}/introspect", "token_endpoint": f"{ISSUER}/token",
        }
        self.introspected: dict[str, Any] = {"active": False}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        last = request.url.path.rpartition("/")[2]
        self.asked.append(last)
        if self.away:
            raise httpx.ConnectError("away")
        keys = [key.as_dict(private=False, kid=f"k{n}") for n, key in enumerate(self.keys) if key is not None]
        told = {"openid-configuration": self.document, "keys": {"keys": keys}, "introspect": self.introspected}
        return httpx.Response(200, json=told[last])


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def opened(line: Line, clock: Clock | None = None) -> tuple[Provider, PhoneTokens]:
    clock = clock or Clock()
    made = Provider(Registered(issuer=ISSUER, client_id="gateway", client_secret="s"), clock, line)
    return made, PhoneTokens(made, BELIEVED, introspected=False, clock=lambda: NOW)


def signed(key: Any, claims: dict[str, Any], algorithm: str = "RS256", kid: str | None = "k0") -> str:
    header = {"alg": algorithm} | ({"kid": kid} if kid is not None else {})
    return jwt.encode(header, claims, key, algorithms=[algorithm])


def bare(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    return ".".join([*parts, signature])


def by_secret(public: bytes) -> str:
    """Signed as if the public key, which everybody knows, were a secret."""
    told = bare({"alg": "HS256", "kid": "k0"}, GOOD)[:-1]
    signature = hmac.digest(public, told.encode(), "sha256")
    return f"{told}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


RSA = RSAKey.generate_key(2048)
OTHER = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")


@pytest.mark.parametrize(("wrong", "said", "over"), [
    ({"iss": "https://id.example.com/"}, "another issuer", False),
    ({"iss": None}, "another issuer", False),
    ({"aud": "other"}, "somebody else", False),
    ({"aud": ["other", "third"]}, "somebody else", False),
    ({"aud": None}, "somebody else", False),
    ({"azp": "another"}, "another client", False),
    ({"azp": None}, "another client", False),
    ({"scope": "openid"}, "scope", False),
    ({"exp": NOW - 31}, "over", True),
    ({"exp": None}, "no time", False),
    ({"exp": "tomorrow"}, "no time", False),
    ({"exp": True}, "no time", False),
    ({"nbf": NOW + 31}, "future", False),
    ({"iat": NOW + 31}, "future", False),
    ({"email": ""}, "no login", False),
    ({"email": 7}, "no login", False),
    ({"email": "a\x00b"}, "no login", False),
    ({"email_verified": False}, "verified", False),
    ({"nonce": "n"}, "no access token", False),
    ({"at_hash": "h"}, "no access token", False),
    ({"typ": "ID"}, "no access token", False),
    ({"typ": "Refresh"}, "no access token", False),
    ({"exp": NOW - 3000, "aud": "other"}, "somebody else", False),
])
def test_one_thing_wrong_is_enough(wrong: dict[str, Any], said: str, over: bool) -> None:
    with pytest.raises(TokenRefused, match=said) as refused:
        shown({name: value for name, value in (GOOD | wrong).items() if value is not None}, BELIEVED, NOW)
    assert refused.value.over is over


@pytest.mark.parametrize("also", [
    {}, {"aud": ["other", "mail"]}, {"azp": None, "client_id": "phone"}, {"azp": None, "appid": "phone"},
    {"scope": None, "scp": "eas"}, {"scope": None, "scp": ["a", "eas"]}, {"exp": NOW - 29}, {"nbf": NOW + 29},
    {"email_verified": True}, {"typ": "Bearer"},
])
def test_what_is_right_lets_in(also: dict[str, Any]) -> None:
    claims = {name: value for name, value in (GOOD | also).items() if value is not None}
    found = shown(claims, BELIEVED, NOW)
    assert (found.login, found.until) == ("anna@example.com", claims["exp"] + 30)
    assert check(claims, BELIEVED, NOW) == found.until


def test_groups_stand_in_many_places() -> None:
    assert values_of({"groups": ["a", "b", 3]}, "groups") == ["a", "b"]
    assert values_of({"groups": "a b"}, "groups") == ["a", "b"]
    assert values_of({"realm_access": {"roles": ["x"]}}, "realm_access.roles") == ["x"]
    assert values_of({"https://x.example/roles": ["y"]}, "https://x.example/roles") == ["y"]
    assert not values_of({"realm_access": "?"}, "realm_access.roles")
    assert login_of({"sub": " 17 "}, "sub") == "17"


async def test_signatures_of_its_keys_are_believed_and_no_others() -> None:
    line = Line(RSA, EC)
    provider, tokens = opened(line)
    for token in (
        signed(RSA, GOOD), signed(RSA, GOOD, "PS256"), signed(EC, GOOD, "ES256", "k1"), signed(EC, GOOD, "ES256", None),
    ):
        assert (await tokens.verify(token)).login == "anna@example.com"
    public = RSA.as_pem(private=False)
    wrong = [
        signed(OTHER, GOOD), signed(EC, GOOD, "ES256", "k0"), bare({"alg": "none"}, GOOD),
        bare({"alg": "none", "kid": "k0"}, GOOD), bare({"alg": "RS256", "kid": "k0"}, GOOD),
        by_secret(public), bare({"alg": "RS256", "kid": "k0"}, GOOD, "AAAA"),
        bare({"alg": "RS256", "kid": "k0", "crit": ["exp2"]}, GOOD, "AAAA"),
        signed(RSA, GOOD)[:-6] + "AAAAAA", "a.b.c", "..", "x", "", bare({"alg": 7}, GOOD),
        bare({"alg": "RS256", "jwk": OTHER.as_dict(private=False)}, GOOD, signed(OTHER, GOOD).rpartition(".")[2]),
    ]
    head, body, tail = signed(RSA, GOOD).split(".")
    changed = urlsafe_b64encode(json.dumps(GOOD | {"email": "ben@example.com"}).encode()).decode().rstrip("=")
    for token in [*wrong, f"{head}.{changed}.{tail}", f"{head}.{body}"]:
        with pytest.raises(TokenRefused):
            await tokens.verify(token)
    await provider.close()


async def test_a_new_key_is_found_and_an_old_one_forgotten() -> None:
    line, clock = Line(RSA), Clock()
    provider, tokens = opened(line, clock)
    await tokens.verify(signed(RSA, GOOD))
    line.keys = [None, OTHER]
    clock.now += providers.AGAIN_SECONDS + 1
    before = len(line.asked)
    await tokens.verify(signed(OTHER, GOOD, kid="k1"))
    assert line.asked[before:] == ["keys"]
    with pytest.raises(TokenRefused):
        await tokens.verify(signed(RSA, GOOD | {"jti": "2"}))
    for n in range(50):  # whatever comes, the provider is not asked more often
        with pytest.raises(TokenRefused):
            await tokens.verify(signed(OTHER, GOOD, kid=f"made up {n}"))
    assert line.asked[before:] == ["keys"]
    await provider.close()


async def test_a_provider_that_is_away_keeps_nobody_out_who_has_a_known_key() -> None:
    line, clock = Line(RSA), Clock()
    provider, tokens = opened(line, clock)
    line.away = True
    with pytest.raises(Unavailable):
        await tokens.verify(signed(RSA, GOOD))
    line.away = False
    clock.now += providers.AGAIN_SECONDS + 1
    await tokens.verify(signed(RSA, GOOD))
    line.away = True
    clock.now += providers.FRESH_SECONDS + 1
    await tokens.verify(signed(RSA, GOOD | {"jti": "2"}))
    with pytest.raises(Unavailable):
        await tokens.verify(signed(RSA, GOOD, kid="new"))
    clock.now += providers.STALE_SECONDS + 1
    with pytest.raises(Unavailable):
        await tokens.verify(signed(RSA, GOOD | {"jti": "3"}))
    await provider.close()


async def test_another_issuer_than_was_asked_is_not_believed() -> None:
    line = Line(RSA)
    line.document["issuer"] = "https://evil.example.com"
    provider, tokens = opened(line)
    with pytest.raises(Unavailable, match=r"evil\.example\.com"):
        await tokens.verify(signed(RSA, GOOD))
    line.document |= {"issuer": ISSUER, "jwks_uri": "http://id.example.com/keys"}
    with pytest.raises(Unavailable, match="jwks_uri"):
        await opened(line)[1].verify(signed(RSA, GOOD))
    await provider.close()


def test_addresses_that_may_be_asked() -> None:
    assert all(map(is_safe, ("https://id.example.com/x", "http://localhost:1/x", "http://127.0.0.1/x", "http://[::1]/")))
    assert not any(map(is_safe, ("http://id.example.com", "ftp://localhost", "", "file:///etc/passwd")))


async def test_introspection_is_asked_once_a_minute_and_its_end_holds() -> None:
    line = Line()
    line.introspected = {"active": True, **{k: v for k, v in GOOD.items() if k != "iss"}}
    now = [float(NOW)]
    provider = Provider(Registered(issuer=ISSUER, client_id="gateway", client_secret="s"), Clock(), line)
    tokens = PhoneTokens(provider, BELIEVED, introspected=True, clock=lambda: now[0])
    for _ in range(5):
        assert (await tokens.verify("opaque")).login == "anna@example.com"
    assert line.asked.count("introspect") == 1
    now[0] += 61
    line.introspected = {"active": False}
    with pytest.raises(TokenRefused):
        await tokens.verify("opaque")
    line.introspected = {"active": True, **GOOD, "iss": "https://evil.example.com"}
    with pytest.raises(TokenRefused):
        await tokens.verify("of another issuer")
    await provider.close()


async def test_reading_a_token_again_costs_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(RSA)
    provider, tokens = opened(line)
    token = signed(RSA, GOOD)
    checked: list[str] = []
    claims = Provider.claims

    async def noted(self: Provider, token: str) -> Any:
        checked.append(token)
        return await claims(self, token)

    monkeypatch.setattr(Provider, "claims", noted)
    for _ in range(1000):
        await tokens.verify(token)
    assert checked == [token]
    assert 'authorization_uri="https://id.example.com/realm/authorize"' in tokens.challenge()
    assert 'client_id="phone"' in tokens.challenge()
    await provider.close()

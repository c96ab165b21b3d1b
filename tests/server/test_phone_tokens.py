"""Phones that log in with tokens of a real identity provider: challenged, let in, turned away, and waits that outlive
their token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from groupware.glewlwyd import AUDIENCE, PHONE, PHONE_SECRET, Glewlwyd
from joserfc import jwt
from joserfc.jwk import RSAKey
from standing_clock import StandingClock
from wire import Got, Wire, e

from eas import app, config
from eas.admin import actions
from eas.admin.acting import SERVER
from eas.protocol import http

#: Seconds of a token that is to end soon.
LIFETIME = 20
FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))


@asynccontextmanager
async def opened(data: Path, provider: Glewlwyd, **oidc: Any) -> AsyncIterator[app.App]:
    """A gateway with Anna in it that takes the provider's tokens."""
    told = {"issuer": provider.issuer, "audiences": [AUDIENCE], "clients": [PHONE], "scope": "mail", **oidc}
    settings = {"data": str(data), "domain": "example.com", "oidc": told}
    async with app.build(config.load(None, settings, {})) as parts:
        site = replace(parts.site, caller=SERVER)
        await actions.add_user(site, "anna@example.com", "anna-secret", {})
        await parts.identity.look()
        yield parts


@pytest.fixture(scope="module")
def passwords(glewlwyd: Glewlwyd) -> dict[str, str]:
    return {name: glewlwyd.new_user(name) for name in ("anna@example.com", "stranger@example.com")}


def bearing(parts: app.App, token: str, device: str = "PHONE1") -> Wire:
    return Wire(app=parts.asgi, device=device, headers={"Authorization": f"Bearer {token}"})


async def folders(wire: Wire) -> Got:
    return await wire.post("FolderSync", FOLDER_SYNC)


def fetched(provider: Glewlwyd, passwords: dict[str, str], user: str = "anna@example.com", **more: str) -> str:
    return str(provider.tokens(user, passwords[user], **more)["access_token"])


async def test_a_phone_is_told_where_tokens_come_from_and_comes_in_with_one(
    glewlwyd: Glewlwyd, passwords: dict[str, str], tmp_path: Path
) -> None:
    async with opened(tmp_path, glewlwyd) as parts:
        for shown in ("", "Bearer", "Bearer ", "Bearer made-up", "Basic !!!"):
            asked = await Wire(app=parts.asgi).ask("OPTIONS", http.PATH, {"Authorization": shown} if shown else {})
            assert asked.http == 401
            challenge = asked.headers["www-authenticate"]
            assert f'authorization_uri="{glewlwyd.issuer}/auth"' in challenge
            assert f'client_id="{PHONE}"' in challenge
            assert f'trusted_issuers="{glewlwyd.issuer}"' in challenge
            assert 'Basic realm="ActiveSync"' in challenge
            assert ('error="invalid_token"' in challenge) == (shown == "Bearer made-up")
        wire = bearing(parts, fetched(glewlwyd, passwords))
        assert (await wire.ask("OPTIONS", http.PATH, wire.headers)).http == 200
        assert (await folders(wire)).status == "1"
        found = await wire.ask("POST", "/autodiscover/autodiscover.xml", wire.headers)
        assert found.http == 200


async def test_passwords_still_work_unless_tokens_alone_do(glewlwyd: Glewlwyd, tmp_path: Path) -> None:
    async with opened(tmp_path, glewlwyd) as parts:
        assert (await folders(Wire(app=parts.asgi))).http == 200


async def test_tokens_that_are_not_for_us_let_nobody_in(
    glewlwyd: Glewlwyd, passwords: dict[str, str], tmp_path: Path
) -> None:
    whole = glewlwyd.tokens("anna@example.com", passwords["anna@example.com"])
    good = str(whole["access_token"])
    forged = jwt.encode(
        {"alg": "RS256", "kid": "made up"}, {"iss": glewlwyd.issuer, "aud": AUDIENCE, "email": "anna@example.com"},
        RSAKey.generate_key(2048),
    )
    head, body, tail = good.split(".")
    wrong = {
        "id token": str(whole["id_token"]),
        "other scopes": fetched(glewlwyd, passwords, scope="openid"),
        "another client": fetched(
            glewlwyd, passwords, client="gateway", secret="secret of the gateway & its +"
        ),
        "somebody without a mailbox": fetched(glewlwyd, passwords, "stranger@example.com"),
        "forged": forged, "signature": f"{head}.{body}.{tail[:-8]}AAAAAAAA",
        "none": "eyJhbGciOiJub25lIn0." + body + ".", "refresh": str(whole["refresh_token"]),
    }
    async with opened(tmp_path, glewlwyd) as parts:
        for what, token in wrong.items():
            got = await folders(bearing(parts, token))
            assert got.http == 401, what
            assert "invalid_token" in got.headers["www-authenticate"]
        assert (await folders(bearing(parts, good))).http == 200


async def test_a_wait_ends_with_its_token_and_the_phone_goes_on_with_a_new_one(
    glewlwyd: Glewlwyd, passwords: dict[str, str], tmp_path: Path
) -> None:
    """A Ping of ten minutes with a token of some seconds, in which it has to begin."""
    async with opened(tmp_path, glewlwyd, leeway_seconds=1) as parts:
        glewlwyd.set_lifetime(LIFETIME)
        try:
            began = time.monotonic()
            wire = bearing(parts, fetched(glewlwyd, passwords))
            ping = e(
                "Ping:Ping", e("HeartbeatInterval", "600"),
                e("Folders", e("Folder", e("Id", _inbox(await folders(wire))), e("Class", "Email"))),
            )
            got = await asyncio.wait_for(wire.post("Ping", ping), 120)
            assert (got.http, got.status) == (200, "1")
            assert time.monotonic() - began > LIFETIME - 1
            over = await wire.post("Ping", ping)
            assert over.http == 401  # which is what makes the phone fetch another
            assert 'error="invalid_token"' in over.headers["www-authenticate"]
        finally:
            glewlwyd.set_lifetime(3600)
        wire = bearing(parts, fetched(glewlwyd, passwords))
        wait = asyncio.create_task(wire.post("Ping", ping))
        await asyncio.sleep(1)
        assert not wait.done()
        wait.cancel()


async def test_many_tokens_that_are_over_are_no_guesses(
    glewlwyd: Glewlwyd, passwords: dict[str, str], tmp_path: Path
) -> None:
    async with opened(tmp_path, glewlwyd, leeway_seconds=0) as parts:
        glewlwyd.set_lifetime(1)
        try:
            old = [fetched(glewlwyd, passwords) for _ in range(60)]
        finally:
            glewlwyd.set_lifetime(3600)
        await asyncio.sleep(2)
        assert {(await folders(bearing(parts, token))).http for token in old} == {401}
        assert (await folders(bearing(parts, fetched(glewlwyd, passwords)))).http == 200


async def test_made_up_tokens_are_slowed_down_and_the_right_one_is_not(
    glewlwyd: Glewlwyd, passwords: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StandingClock(monkeypatch)
    async with opened(tmp_path, glewlwyd) as parts:
        good = bearing(parts, fetched(glewlwyd, passwords))
        assert (await folders(good)).http == 200
        answers = [(await folders(bearing(parts, f"guess-{n}"))).http for n in range(60)]
        assert answers == [401] * 50 + [503] * 10
        assert (await folders(good)).http == 200


async def test_the_provider_can_be_asked_instead(
    glewlwyd: Glewlwyd, passwords: dict[str, str], tmp_path: Path
) -> None:
    asked = {
        "tokens": "introspected", "client_id": PHONE, "client_secret": PHONE_SECRET, "login_claim": "username",
    }
    async with opened(tmp_path, glewlwyd, **asked) as parts:
        token = fetched(glewlwyd, passwords)
        assert (await folders(bearing(parts, token))).http == 200
        revoked = fetched(glewlwyd, passwords)
        glewlwyd.revoke(revoked)
        assert (await folders(bearing(parts, revoked))).http == 401
        assert (await folders(bearing(parts, "opaque"))).http == 401


async def test_a_new_key_of_the_provider_is_taken_up(
    glewlwyd: Glewlwyd, passwords: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eas.backends.oidc.provider.AGAIN_SECONDS", 0.2)
    async with opened(tmp_path, glewlwyd) as parts:
        before = fetched(glewlwyd, passwords)
        unseen = fetched(glewlwyd, passwords)
        assert (await folders(bearing(parts, before))).http == 200
        glewlwyd.rotate()
        await asyncio.sleep(0.3)
        assert (await folders(bearing(parts, fetched(glewlwyd, passwords)))).http == 200
        assert (await folders(bearing(parts, unseen))).http == 401


def _inbox(got: Got) -> str:
    return next(
        one.elements[0].text for one in got.all("Changes", "Add") if "2" in [child.text for child in one.elements[-1:]]
    )

"""Hooks over HTTP: who may call them, what is read, and what is answered."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from eas import app as composition
from eas.config import load
from eas.server import hooks, routes
from eas.server.hooks import Change, Unreadable, read_changes
from eas.server.ports import HookRules, Manner, Ports

TOKEN = "the right token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"dovecot:{password}".encode()).decode()}


# --- What is read -----------------------------------------------------------------------------------------------------

OX = (
    b'{"user":"anna@example.com","event":"messageNew","folder":"INBOX","imap-uidvalidity":1795260384,"imap-uid":1,'
    b'"from":"\\"A B\\" <a@b.example>","subject":"\xfcber\tall","snippet":"Body here","unseen":1}'
)

READ: list[tuple[bytes | Any, list[Change]]] = [
    (OX, [Change(user="anna@example.com", folders=frozenset({"INBOX"}))]),
    ({"user": " anna "}, [Change(user="anna")]),
    ({"user": "anna", "folders": None, "folder": ""}, [Change(user="anna")]),
    ({"user": "anna", "folders": [], "hierarchy": True}, [Change(user="anna", folders=frozenset(), hierarchy=True)]),
    (
        {"user": "anna", "folder": "A", "folders": ["B", "A"], "collections": "/c/"},
        [Change(user="anna", folders=frozenset({"A", "B", "/c/"}))],
    ),
    (
        {"user": "anna", "event": "MailboxCreate", "folder": "New"},
        [Change(user="anna", folders=frozenset({"New"}), hierarchy=True)],
    ),
    ({"user": "anna", "events": ["FlagsSet", "mailboxRename"]}, [Change(user="anna", hierarchy=True)]),
    ({"user": "anna", "folder": "x" * 5000}, [Change(user="anna", folders=frozenset())]),
    (
        [{"user": "anna", "domain": "example.com"}, {"user": "ben", "backend": "office", "more": {"a": [1]}}],
        [Change(user="anna", domain="example.com"), Change(user="ben", backend="office")],
    ),
    ([], []),
]


@pytest.mark.parametrize(("body", "changes"), READ)
def test_what_is_read(body: bytes | Any, changes: list[Change]) -> None:
    assert read_changes(body if isinstance(body, bytes) else json.dumps(body).encode()) == changes


@pytest.mark.parametrize("body", [
    b"", b"{", b"user=anna", b"[" * 100_000, b"1" * 5000, b"null", b'"anna"', b"[1]", b"{}", b'{"user":""}',
    b'{"user":["anna"]}', b'{"user":"a\\u0000b"}', b'{"user":"\\ud800"}', b'{"user":"' + b"x" * 321 + b'"}',
    b'{"user":"anna","folder":1}', b'{"user":"anna","folders":[["x"]]}', b'{"user":"anna","folders":{"a":"b"}}',
    b'{"user":"anna","folder":"\\udc00"}', b'{"user":"anna","hierarchy":"yes"}', b'{"user":"anna","domain":7}',
    b'{"user":"anna","event":3}', b"[" + b",".join([b'{"user":"anna"}'] * 1001) + b"]",
])
def test_what_cannot_be_read(body: bytes) -> None:
    with pytest.raises(Unreadable) as raised:
        read_changes(body)
    assert 0 < len(str(raised.value)) < 100


# --- Who may call -----------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """Hooks that note what they are told; `room` is what they say to it."""

    told: list[tuple[str, frozenset[str] | None, bool, str, str]] = field(default_factory=list)
    room: bool = True

    def changed(
        self, user: str, folders: Collection[str] | None, *, hierarchy: bool = False, domain: str = "",
        backend: str = "",
    ) -> bool:
        self.told.append((user, None if folders is None else frozenset(folders), hierarchy, domain, backend))
        return self.room


@dataclass
class Clock:
    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Door:
    """A server with hooks, seen from `address`."""

    ports: Ports
    told: Told
    clock: Clock
    rules: HookRules = HookRules(token=TOKEN)  # noqa: RUF009 -- it is frozen
    trusted: tuple[Any, ...] = ()
    _apps: dict[HookRules, Any] = field(default_factory=dict)

    async def ask(
        self, body: Any = None, headers: dict[str, Any] | None = None, *, path: str = "/hooks/changed",
        method: str = "POST", address: str = "192.0.2.1",
    ) -> httpx.Response:
        if self.rules not in self._apps:
            manner = Manner(hooks=self.rules, trusted_proxies=self.trusted)
            self._apps[self.rules] = routes.application(self.ports, manner)
        transport = httpx.ASGITransport(self._apps[self.rules], client=(address, 1234))
        content = body if isinstance(body, bytes) else json.dumps(body or {"user": "anna"}).encode()
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.example.com") as client:
            return await client.request(method, path, content=content, headers=BEARER if headers is None else headers)


@pytest.fixture
def door(world: Any) -> Door:
    told, clock = Told(), Clock()
    app = world.app
    ports = Ports(
        accounts=app.embedded.accounts, store=app.store, bell=app.bell, clock=clock, leases=None, entropy=None,  # type: ignore[arg-type]
        ready=None, hooks=told,  # type: ignore[arg-type]
    )
    return Door(ports, told, clock)


@pytest.mark.parametrize("path", ["/hooks/dovecot", "/hooks/changed", "/Hooks/Changed/"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("headers", [BEARER, {"Authorization": f"bearer  {TOKEN} "}, basic(TOKEN)])
async def test_a_hook_is_noted_and_answered_with_nothing(
    door: Door, path: str, method: str, headers: dict[str, str]
) -> None:
    got = await door.ask({"user": "anna", "folder": "INBOX", "backend": "b"}, headers, path=path, method=method)
    assert (got.status_code, got.content) == (204, b"")
    assert "content-length" not in got.headers  # RFC 9110 8.6
    assert door.told.told == [("anna", frozenset({"INBOX"}), False, "", "b")]


async def test_several_users_in_one_body(door: Door) -> None:
    got = await door.ask([{"user": "anna", "hierarchy": True}, {"user": "ben", "domain": "d", "folders": ["A"]}])
    assert got.status_code == 204
    assert door.told.told == [("anna", None, True, "", ""), ("ben", frozenset({"A"}), False, "d", "")]


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, basic("wrong"),
    {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": b"Bearer \xfc"}, {"Authorization": "Basic !!"},
])
async def test_without_the_token_nothing_is_read(door: Door, headers: dict[str, Any]) -> None:
    got = await door.ask(b"{", headers)
    assert got.status_code == 401
    assert got.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in got.text
    assert not door.told.told


async def test_who_guesses_has_to_wait_and_nobody_else(door: Door) -> None:
    """Not even who has the right token, from the address that guesses: else guessing would be free."""
    assert (await door.ask(address="192.0.2.7")).status_code == 204
    answers = [
        (await door.ask(headers={"Authorization": f"Bearer guess {n}"}, address="192.0.2.6")).status_code
        for n in range(30)
    ]
    assert answers[:10] == [401] * 10
    assert answers[-1] == 503
    late = await door.ask(address="192.0.2.6")
    assert (late.status_code, int(late.headers["retry-after"]) > 0) == (503, True)
    assert (await door.ask(address="192.0.2.7")).status_code == 204
    door.clock.seconds += 3600
    assert (await door.ask(address="192.0.2.6")).status_code == 204
    assert len(door.told.told) == 3


async def test_foreign_networks_are_refused_behind_a_proxy_as_well(door: Door) -> None:
    door.rules = replace(door.rules, networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))
    door.trusted = (ip_network("192.0.2.99"),)
    assert (await door.ask()).status_code == 403
    assert (await door.ask(address="10.1.2.3")).status_code == 204
    assert (await door.ask(address="2001:db8::5")).status_code == 204
    for hop, status in (("10.1.2.3", 204), ("203.0.113.1", 403), ("10.1.2.3, 203.0.113.1", 403)):
        got = await door.ask(headers={**BEARER, "X-Forwarded-For": hop}, address="192.0.2.99")
        assert got.status_code == status, hop
    assert len(door.told.told) == 3


async def test_without_a_token_in_the_settings_there_are_no_hooks(door: Door) -> None:
    door.rules = HookRules()
    for headers in (BEARER, {}, {"Authorization": "Bearer "}, basic("")):
        assert (await door.ask(headers=headers)).status_code == 404
    door.rules = HookRules(token=TOKEN)
    door.ports = replace(door.ports, hooks=None)
    assert (await door.ask()).status_code == 404
    assert not door.told.told


async def test_what_is_wrong_is_said(door: Door) -> None:
    got = await door.ask(b"user=anna")
    assert (got.status_code, got.text) == (400, "the body is no JSON.\n")
    got = await door.ask(b'{"folder":"INBOX"}')
    assert (got.status_code, got.text) == (400, "\"user\" is missing.\n")
    assert (await door.ask(b" " * (hooks.MAX_BODY + 1))).status_code == 413
    assert (await door.ask(method="GET")).status_code == 405
    assert (await door.ask(path="/hooks/other")).status_code == 404
    assert not door.told.told


async def test_who_is_told_that_there_is_no_room_comes_again(door: Door) -> None:
    door.told.room = False
    got = await door.ask()
    assert (got.status_code, got.headers["retry-after"]) == (503, "5")


async def test_a_backend_that_relies_on_hooks_without_a_token_is_told_of_at_the_start(tmp_path: Path) -> None:
    server = {"host": "localhost", "port": 1}
    backend = {"changes": "hooks", "domains": ["example.com"], "imap": server, "smtp": server}
    for token, warned in (("", ["hooks cannot be called: hooks.token is not set"]), (TOKEN, [])):
        settings = load(
            overrides={"data": tmp_path, "backends": {"office": backend}, "hooks": {"token": token}}, environment={}
        )
        with structlog.testing.capture_logs() as lines:
            app = composition.build(settings)
        assert [line["event"] for line in lines if line["log_level"] == "warning"] == warned
        assert (app.elsewhere.hooked is None) is (token == "")
        await app.close()

"""The server's paths: ActiveSync, Autodiscover, health, hooks. Pure ASGI on Starlette's router.

Paths are compared without regard to case, with or without a slash at the end, and as `/default.eas` below
ActiveSync's, all of which clients write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

import structlog
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from eas.engine.model import User
from eas.protocol import http
from eas.protocol import query as queries

from . import autodiscover, dispatch, faults, figures, health
from .auth import Doorkeeper, Keys, login_of
from .brake import Brake
from .certificates import BadCertificate, certified
from .held import HeldBell
from .hooks import PATHS as HOOK_PATHS
from .hooks import HookDoor
from .middleware import NOTE, Logged
from .pacing import Pacer
from .ports import Manner, Ports
from .reading import Gone, NoRoom, TooLong, base_url, client_address, headers_of, read_body
from .reply import Reply, compressed, plain, send_reply
from .turns import Turn, Turns
from .unkept import UNKEPT_IDS

ACTIVESYNC = http.PATH.lower()

WELCOME = "ActiveSync works here. Set up an Exchange account on your phone with this server and your password."

#: With these Android looks whether an account works, under the id of no device (`unkept`); they show no item.
CHECKING = frozenset(("FolderSync", "Provision", "Settings"))

#: Bytes of a query for the JSON form of Autodiscover that are looked at.
MAX_JSON_QUERY = 2048

Handler = Callable[[Scope, Receive, Mapping[str, str]], Awaitable[Reply | None]]

log = structlog.get_logger("eas.server")


def application(ports: Ports, manner: Manner, others: Mapping[str, ASGIApp] | None = None) -> ASGIApp:
    """The whole server. `others` answer everything below a first step of a path ("admin")."""
    server, monitored = _Server(ports, manner), health.Health(ports)
    routes = [
        Route(ACTIVESYNC, _Endpoint({"POST": server.command, "OPTIONS": server.options, "GET": server.welcome})),
        Route(autodiscover.XML_PATH, _Endpoint({"POST": server.autodiscover, "GET": server.autodiscover_get})),
        Route("/autodiscover/autodiscover.json", _Endpoint({"GET": server.autodiscover_json})),
        Route("/autodiscover/autodiscover.json/v1.0/{address}", _Endpoint({"GET": server.autodiscover_json})),
        Route(health.PATH, _Endpoint({"GET": monitored.health})),
        Route(health.LIVE, _Endpoint({"GET": monitored.live})),
        Route(health.READY, _Endpoint({"GET": monitored.ready})),
        Route(figures.PATH, _Endpoint({"GET": server.figures})),
        *(Route(path, _Endpoint({"POST": server.hook, "PUT": server.hook}, otherwise=405)) for path in HOOK_PATHS),
    ]
    own = _Folded(Router(routes, redirect_slashes=False, default=_Endpoint({}, otherwise=404)))
    return Logged(_Beside(own, others or {}), ports)


class _Beside:
    """Others' paths to them, as they were written."""

    def __init__(self, app: ASGIApp, others: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        step = scope["path"][1:].partition("/")[0] if scope["type"] == "http" else ""
        await self._others.get(step, self._app)(scope, receive, send)


class _Folded:
    """Turns the spellings of a path into one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"].lower().rstrip("/")
            scope = {**scope, "path": path.removesuffix("/default.eas") if path.startswith(ACTIVESYNC) else path or "/"}
        await self._app(scope, receive, send)


class _Endpoint:
    """One path: a handler by method. Other methods are 501, as [MS-ASHTTP] Status Line R187 has it."""

    def __init__(self, handlers: Mapping[str, Handler], otherwise: int = 501) -> None:
        self._handlers = handlers
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        headers = headers_of(scope)
        handler = self._handlers.get(method)
        if handler is None:
            reply: Reply | None = faults.http_only(self._otherwise)
        else:
            try:
                reply = await handler(scope, receive, headers)
            except TooLong:
                reply = faults.http_only(413)
            except NoRoom as error:
                log.error("a large request cannot be read", reason=str(error))
                reply = faults.http_only(507)
            except Gone:
                reply = None
        if reply is not None:
            await send_reply(await compressed(reply, headers.get("accept-encoding", "")), scope, send)


class _Server:
    """The handlers, with what they need."""

    def __init__(self, ports: Ports, manner: Manner) -> None:
        self._ports = ports
        self._manner = manner
        self.hook = HookDoor(ports.hooks, manner.hooks, ports.clock, manner.trusted_proxies)
        keys = Keys(passwords=ports.passwords, tokens=ports.tokens, ways=manner.ways)
        self._doorkeeper = Doorkeeper(ports.accounts, ports.clock, manner.realm, site=ports.logins, keys=keys)
        self._turns = Turns(manner.limits.requests_at_once)
        self._pacer = Pacer(Brake(manner.limits.free_repeats), ports.store, ports.clock, ports.access)

    async def _admitted(self, scope: Scope, headers: Mapping[str, str]) -> User | Reply:
        admitted = await self._recognised(scope, headers)
        if isinstance(admitted, User):
            scope[NOTE].user, scope[NOTE].who = admitted.address, admitted.id
            structlog.contextvars.bind_contextvars(user=admitted.address)
        elif admitted.http == 401:
            scope[NOTE].login = login_of(headers)
        return admitted

    async def _recognised(self, scope: Scope, headers: Mapping[str, str]) -> User | Reply:
        """By the certificate that a proxy has seen, by what the request itself shows, or by both."""
        rules, trusted = self._manner.certificates, self._manner.trusted_proxies
        named = ""
        if rules is not None:
            try:
                named = certified(scope, headers, rules, trusted, self._ports.clock.now())
            except BadCertificate as error:
                log.warning("a certificate is not taken", reason=str(error))
                return faults.http_only(403)
            if not named and not rules.enough:
                return faults.http_only(403)
            if named and rules.enough and not headers.get("authorization"):
                return await self._doorkeeper.vouched(named)
        admitted = await self._doorkeeper.admit(headers, client_address(scope, headers, trusted))
        if named and isinstance(admitted, User) and not admitted.is_called(named):
            log.warning("a certificate of somebody else", user=admitted.address)
            return faults.http_only(403)
        return admitted

    def _base_url(self, scope: Scope, headers: Mapping[str, str]) -> str:
        return base_url(scope, headers, self._manner.trusted_proxies, self._manner.public_url)

    async def command(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        turn = Turn(self._turns)
        if not await turn.begin():
            return faults.crowded()
        try:
            return await self._command(scope, receive, headers, turn)
        finally:
            turn.end()

    async def _command(self, scope: Scope, receive: Receive, headers: Mapping[str, str], turn: Turn) -> Reply:
        user = await self._admitted(scope, headers)
        if isinstance(user, Reply):
            return user
        refused = await self._held(user, scope, headers)
        if refused is not None:
            return refused
        note, began = scope[NOTE], self._ports.clock.monotonic()
        note.user_id = user.id
        turn.end()
        body = await read_body(receive, headers, self._manner.limits.max_body_bytes)
        name = self._pacer.name(user.id, scope["query_string"], body)
        reply = await self._pacer.before(name, receive, note)
        await turn.go_on()
        if reply is None:
            incoming = dispatch.Incoming(
                query=scope["query_string"], headers=headers, user=user, body=[body], began=began,
                address=client_address(scope, headers, self._manner.trusted_proxies),
            )
            del body
            bell = HeldBell(self._ports.bell, receive, note, turn)
            reply = await dispatch.answer(incoming, bell, self._ports, self._manner, note)
            await self._pacer.after(name, user.id, reply, note)
        stated = {http.SERVER_ACTIVESYNC: self._manner.server, "Cache-Control": "private"}
        return reply.with_headers(stated)

    async def _held(self, user: User, scope: Scope, headers: Mapping[str, str]) -> Reply | None:
        """Whether the device may use the password that it came in with; None if so, or if no device is named."""
        if user.device_password is None:
            return None
        try:
            asked = queries.complete(queries.parse(scope["query_string"]), headers)
        except queries.QueryError:
            return None  # which is answered where the rest of the request is read
        if asked.device_id.lower() in UNKEPT_IDS and asked.command in CHECKING:
            return None  # before a device makes it its own, and after
        return await self._doorkeeper.held(user, asked.device_id)

    async def options(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        user = await self._admitted(scope, headers)
        if isinstance(user, Reply):
            return user
        if not user.activesync:
            return faults.http_only(403)
        commands = dispatch.offered_commands(self._manner)
        stated = http.options_headers(self._manner.versions, commands, self._manner.server)
        return Reply(headers={name: value for name, value in stated.items() if name != "Content-Length"})

    async def welcome(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        """For people who open the address in a browser."""
        user = await self._admitted(scope, headers)
        return user if isinstance(user, Reply) else plain(200, WELCOME)

    async def autodiscover(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        user = await self._admitted(scope, headers)
        if isinstance(user, Reply):
            return user
        body = await read_body(receive, headers, autodiscover.MAX_REQUEST)
        return autodiscover.answer(body, user, self._base_url(scope, headers), self._ports.clock.now())

    async def autodiscover_get(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        """Clients ask this way for a redirect, which there is none of: the request is answered as an invalid one."""
        user = await self._admitted(scope, headers)
        if isinstance(user, Reply):
            return user
        now = self._ports.clock.now()
        return autodiscover.failure(autodiscover.INVALID_REQUEST, self._base_url(scope, headers), now)

    async def autodiscover_json(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        fields = parse_qsl(scope["query_string"][:MAX_JSON_QUERY].decode("latin-1"))
        stated = {name.lower(): value for name, value in fields}
        return autodiscover.answer_json(stated, self._base_url(scope, headers))

    async def figures(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        refused = figures.refusal(self._manner.readers, scope, headers, self._manner.trusted_proxies)
        if refused is not None:
            return refused
        if self._ports.figures is None:
            return faults.http_only(404)
        body, content_type = await self._ports.figures(headers.get("accept", ""))
        return Reply(body=body, content_type=content_type, headers={"Cache-Control": "no-store"})

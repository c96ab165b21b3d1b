"""Logging in to the pages with an identity provider: there and back again.

`GET .../oidc/start` sends the browser to the provider, `GET .../oidc/callback` is where it comes back. Both are links
and no forms, since a form may not lead to other hosts (POLICY of application). What a person is here is told by a
claim where the settings name its values, else by the list of staff.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import structlog
from starlette.responses import RedirectResponse, Response

from eas.admin.acting import Role
from eas.backends.embedded.admin import AdminError
from eas.backends.oidc.claims import Believed, Claims, login_of, values_of
from eas.backends.oidc.flow import PATIENCE_SECONDS, Begun, begin, code_of, identified, question, sealed, unsealed
from eas.backends.oidc.provider import Provider, is_safe
from eas.engine.errors import Unavailable
from eas.engine.logins import NoEntrance, TokenRefused
from eas.engine.model import User

from . import login
from .sessions import ADMIN, Area, cookie_name, open_session
from .visits import Page, Visit

log = structlog.get_logger("eas.oidc")

#: What was begun; one at a time, the last counts.
COOKIE = "eas-oidc"

AGAIN = "The login was not completed: it took too long, or another one was begun meanwhile. Please begin again."
AWAY = "The login service does not answer just now. Try again in a moment, or log in with a password."
REFUSED = "The login service did not confirm who you are. Please begin again."
UNKNOWN = "You are known there, but have no mailbox here. Ask your administrator."
NOT_STAFF = "You are known there, but may not administer here. Somebody who may can add you: eas staff add."


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """`roles`: the values of `roles_claim` by what they make. `vouched` finds a mailbox by its login. `key` seals what
    is begun. `owners`: whether /my may be entered so."""

    provider: Provider
    name: str
    scopes: Collection[str]
    login_claim: str
    roles_claim: str
    roles: Mapping[Role, Collection[str]]
    leeway: float
    owners: bool
    vouched: Callable[[str], Awaitable[User | None]]
    key: Callable[[], Awaitable[bytes]]

    def is_for(self, area: Area) -> bool:
        return area is ADMIN or self.owners

    @property
    def believed(self) -> Believed:
        ours = self.provider.registered
        return Believed(issuer=ours.issuer, audiences=(ours.client_id,), login=self.login_claim, leeway=self.leeway)


def pages_of(area: Area, sign_in: SignIn | None) -> Sequence[Page]:
    if sign_in is None or not sign_in.is_for(area):
        return ()

    async def start(visit: Visit) -> Response:
        return await _start(visit, sign_in)

    async def callback(visit: Visit) -> Response:
        return await _callback(visit, sign_in)

    async def logout(visit: Visit) -> Response:
        return await _logout(visit, sign_in)

    handlers = {"start": start, "callback": callback, "logout": logout}
    return [
        Page(path=f"{area.root}/oidc/{name}", handler=handler, permission=None) for name, handler in handlers.items()
    ]


async def _start(visit: Visit, sign_in: SignIn) -> Response:
    begun = begin(visit.area.name, login.onward(visit), visit.frame.now().timestamp())
    try:
        endpoint = await sign_in.provider.address("authorization_endpoint")
    except Unavailable as error:
        return _failed(visit, 503, AWAY, error)
    client_id = sign_in.provider.registered.client_id
    response = RedirectResponse(question(endpoint, client_id, _callback_of(visit), sign_in.scopes, begun), 303)
    name = _cookie(visit)
    response.set_cookie(
        name, sealed(begun, await sign_in.key()), max_age=int(PATIENCE_SECONDS), path="/", httponly=True,
        samesite="lax", secure=name.startswith("__Host-"),
    )
    return response


async def _callback(visit: Visit, sign_in: SignIn) -> Response:
    now = visit.frame.now().timestamp()
    begun = unsealed(visit.request.cookies.get(_cookie(visit), ""), visit.area.name, await sign_in.key(), now)
    if begun is None:
        return _failed(visit, 400, AGAIN, "nothing was begun")
    try:
        claims = await _claims(visit, sign_in, begun, now)
        response = await _admitted(visit, sign_in, claims, begun)
    except TokenRefused as error:
        response = _failed(visit, 401, REFUSED, error)
    except Unavailable as error:
        response = _failed(visit, 503, AWAY, error)
    # Each is good for one answer.
    name = _cookie(visit)
    response.delete_cookie(name, path="/", httponly=True, samesite="lax", secure=name.startswith("__Host-"))
    return response


async def _claims(visit: Visit, sign_in: SignIn, begun: Begun, now: float) -> Claims:
    """Of whoever came back. Raises TokenRefused, Unavailable."""
    provider = sign_in.provider
    code = code_of(dict(visit.request.query_params), begun, await provider.document())
    told = await provider.exchange(code, begun.verifier, _callback_of(visit))
    claims = await provider.claims(str(told.get("id_token", "")))
    identified(claims, sign_in.believed, begun, now)
    return claims


async def _admitted(visit: Visit, sign_in: SignIn, claims: Claims, begun: Begun) -> Response:
    """Raises TokenRefused, Unavailable."""
    name = login_of(claims, sign_in.login_claim)
    user = await _mailbox_of(visit, sign_in, name)
    role: Role | None = None
    if visit.area is ADMIN:
        role = _role_of(claims, sign_in)
        if role is None and user is not None:
            role, name = await login.role_of(visit, user)
        if role is None:
            return _failed(visit, 403, NOT_STAFF, name)
    elif user is not None:
        role, name = Role.OWNER, user.login
    if role is None:
        return _failed(visit, 403, UNKNOWN, name)
    response = visit.redirect(begun.onward)
    await open_session(
        visit.frame, visit.request, response, visit.area, name=name, role=role,
        user_id=user.id if user is not None else "",
    )
    await login.note(visit, name, role, "login")
    return response


def _role_of(claims: Claims, sign_in: SignIn) -> Role | None:
    """The one that may most, of those that the claim gives."""
    told = set(values_of(claims, sign_in.roles_claim))
    return next((role for role, values in sign_in.roles.items() if told.intersection(values)), None)


async def _mailbox_of(visit: Visit, sign_in: SignIn, name: str) -> User | None:
    """Of somebody with this login. It is enough to be known for these pages: where only the password of the mailbox
    opens it, phones cannot come in so, but their owner may look after them. Raises Unavailable."""
    try:
        return await sign_in.vouched(name)
    except NoEntrance:
        try:
            found = await visit.site.people.user(name)
        except AdminError:
            return None
        return User(
            id=found.id, login=found.login, address=found.address, addresses=(found.address,), name=found.address
        )


async def _logout(visit: Visit, sign_in: SignIn) -> Response:
    """At the provider as well, where it has a page for that."""
    try:
        where = str((await sign_in.provider.document()).get("end_session_endpoint", ""))
    except Unavailable:
        where = ""
    if not is_safe(where):
        return visit.redirect(f"{visit.area.root}/login")
    told = {
        "client_id": sign_in.provider.registered.client_id,
        "post_logout_redirect_uri": f"{visit.base_url}{visit.area.root}/login",
    }
    return RedirectResponse(f"{where}{'&' if '?' in where else '?'}{urlencode(told)}", 303)


def _callback_of(visit: Visit) -> str:
    return f"{visit.base_url}{visit.area.root}/oidc/callback"


def _cookie(visit: Visit) -> str:
    return cookie_name(Area(visit.area.name, visit.area.root, COOKIE, (), ""), visit.base_url)


def _failed(visit: Visit, status: int, said: str, why: object) -> Response:
    log.info("a login with the identity provider was not completed", reason=str(why), address=visit.caller.address)
    return login.form(visit, status, said)

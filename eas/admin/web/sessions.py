"""Who is logged in: a random token in a cookie, its hash and all else in the database, so that every node knows.

Each area (/admin, /my) has logins of its own: who looks after phones by day has one of their own by night.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.requests import Request
from starlette.responses import Response

from eas.admin.acting import STAFF, Caller, Face, Role
from eas.engine.model import Secret
from eas.store.staff import PageSession, hashed

from .ports import Frame

#: A session that is in use is noted so often, not at each request.
NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Area:
    """`root` is its path, `cookie` what its cookie is called, `roles` who may be there."""

    name: str
    root: str
    cookie: str
    roles: tuple[Role, ...]
    title: str


ADMIN = Area("admin", "/admin", "eas-admin", STAFF, "Administration")
MY = Area("my", "/my", "eas-my", (Role.OWNER,), "My phones")
AREAS: Mapping[str, Area] = {area.name: area for area in (ADMIN, MY)}


def cookie_name(area: Area, base_url: str) -> str:
    """Over TLS the browser guarantees by the prefix that no other host of the domain has set it."""
    return f"__Host-{area.cookie}" if base_url.startswith("https:") else area.cookie


async def open_session(
    frame: Frame, request: Request, response: Response, area: Area, *, name: str, role: Role, user_id: str,
    secret: Secret | None = None,
) -> None:
    """Log somebody in. The session that the browser had before ends, so that none can be planted. `secret` opens the
    owner's mailbox on other servers."""
    await close_session(frame, request, response, area)
    token, now, base = secrets.token_urlsafe(32), frame.now(), frame.base_url(request)
    await frame.site.staff.begin_session(PageSession(
        token=hashed(token), area=area.name, name=name, role=role.value, user_id=user_id,
        csrf=secrets.token_urlsafe(32), began=now, used=now,
        sealed=sealed(secret, token) if secret is not None and secret.value else "",
    ))
    # Lax and not Strict: who comes from the mail that says "a phone waits" should not have to log in anew.
    response.set_cookie(
        cookie_name(area, base), token, max_age=frame.session_hours * 3600, path="/", httponly=True, samesite="lax",
        secure=base.startswith("https:"),
    )


async def close_session(frame: Frame, request: Request, response: Response, area: Area) -> None:
    name = cookie_name(area, frame.base_url(request))
    token = request.cookies.get(name)
    if token:
        await frame.site.staff.end_session(hashed(token))
        response.delete_cookie(name, path="/", httponly=True, secure=name.startswith("__Host-"), samesite="lax")


async def session_of(frame: Frame, request: Request, area: Area) -> PageSession | None:
    """Who is logged in to the area; None for nobody, or no longer."""
    token = request.cookies.get(cookie_name(area, frame.base_url(request)))
    found = await frame.site.staff.session(token) if token else None
    if found is None or found.area != area.name:
        return None
    now = frame.now()
    if over(found, now, frame.session_hours, frame.idle_minutes):
        await frame.site.staff.end_session(found.token)
        return None
    if now - found.used > NOTED_EVERY:
        await frame.site.staff.use_session(found.token, now)
    return found


def over(session: PageSession, now: datetime, hours: int, idle_minutes: int) -> bool:
    return now - session.began > timedelta(hours=hours) or now - session.used > timedelta(minutes=idle_minutes)


def caller_of(
    session: PageSession, address: str, face: Face = Face.PAGE, *, secret: Secret | None = None
) -> Caller:
    return Caller(
        name=session.name, role=Role(session.role), user_id=session.user_id, face=face, address=address, secret=secret
    )


# What an owner logged in with -----------------------------------------------------------------------------------------


def secret_of(frame: Frame, request: Request, area: Area, session: PageSession) -> Secret | None:
    """None where none is needed, or it cannot be read."""
    token = request.cookies.get(cookie_name(area, frame.base_url(request)), "")
    return opened(session.sealed, token) if session.sealed else None


def sealed(secret: Secret, token: str) -> str:
    """The key is made of the token, which only the browser has: neither the database nor a backup opens it."""
    return _box(token).encrypt(json.dumps([secret.value, secret.bearer]).encode()).decode()


def opened(sealed: str, token: str) -> Secret | None:
    try:
        value, bearer = json.loads(_box(token).decrypt(sealed.encode()))
    except (InvalidToken, ValueError):
        return None
    return Secret(value=str(value), bearer=bool(bearer))


def _box(token: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"eas page secret").derive(token.encode())
    return Fernet(urlsafe_b64encode(key))

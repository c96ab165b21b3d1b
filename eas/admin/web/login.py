"""Logging in and out, the same for staff and for owners but for who is let in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from starlette.responses import RedirectResponse, Response

from eas.admin.acting import Caller, Face, Role, record
from eas.engine.model import User

from .ports import Later
from .sessions import ADMIN, MY, Area, close_session, open_session, session_of
from .visits import Page, Visit
from .words import span

WRONG = "That did not work: the name or the password is wrong."
NOT_STAFF = "The password is right, but this login may not administer. Someone who may can add it: eas staff add."


def pages_of(area: Area) -> Sequence[Page]:
    return (
        Page(path=f"{area.root}/login", handler=show, permission=None),
        Page(path=f"{area.root}/login", handler=enter, permission=None, methods=("POST",)),
        Page(path=f"{area.root}/logout", handler=leave, permission=None, methods=("POST",)),
    )


async def show(visit: Visit) -> Response:
    if await session_of(visit.frame, visit.request, visit.area) is not None:
        return RedirectResponse(onward(visit), 303)
    return form(visit, 200)


async def enter(visit: Visit) -> Response:
    login, password = visit.text("login"), visit.form.get("password", "")
    if not login or not isinstance(password, str) or not password:
        return form(visit, 422, "Both are needed.")
    check = visit.frame.enter_staff if visit.area is ADMIN else visit.frame.enter
    try:
        user = await check(login, password, visit.caller.address)
    except Later as error:
        return form(visit, 503, _later(error))
    if user is None:
        return form(visit, 401, WRONG)
    return await admit(visit, user)


async def admit(visit: Visit, user: User) -> Response:
    """Log in somebody who has shown who it is."""
    role, name = await role_of(visit, user)
    if role is None:
        return form(visit, 403, NOT_STAFF)
    response = visit.redirect(onward(visit))
    await open_session(
        visit.frame, visit.request, response, visit.area, name=name, role=role, user_id=user.id,
        secret=user.secret if visit.area is MY else None,
    )
    await note(visit, name, role, "login")
    return response


async def role_of(visit: Visit, user: User) -> tuple[Role | None, str]:
    """What somebody is in the area, None for nothing, and under which name."""
    if visit.area is not ADMIN:
        return (Role.OWNER if user.id else None), user.login
    for name in dict.fromkeys((user.login, user.address)):
        member = await visit.site.staff.member(name.casefold())
        # A name with a password of its own is not the mailbox of that name.
        if member is not None and bool(member.password) == (not user.id):
            return Role(member.role), member.name
    return None, ""


async def leave(visit: Visit) -> Response:
    response = visit.redirect(f"{visit.area.root}/login", "You are logged out.")
    if visit.session is not None:
        await note(visit, visit.session.name, Role(visit.session.role), "logout")
    await close_session(visit.frame, visit.request, response, visit.area)
    return response


async def note(visit: Visit, name: str, role: Role, what: str) -> None:
    """Of staff alone: when owners look after their phones is their own affair."""
    if visit.area is not ADMIN:
        return
    caller = Caller(name=name, role=role, face=Face.PAGE, address=visit.caller.address)
    await record(replace(visit.site, caller=caller), what)


def onward(visit: Visit) -> str:
    """Where somebody wanted to go: a page of this area, or its first one."""
    asked = visit.text("next")
    inside = asked == visit.area.root or asked.startswith(f"{visit.area.root}/")
    return asked if inside and "\\" not in asked and "//" not in asked else visit.area.root


def _later(error: Later) -> str:
    return (
        "The login cannot be checked just now: too many wrong passwords came from here, or the mail server does not "
        f"answer. Try again in {span(error.seconds)}."
    )


def form(visit: Visit, status: int, wrong: str = "") -> Response:
    sign_in = visit.frame.oidc
    return visit.render(
        "login/login.html", status, wrong=wrong, login=visit.text("login"), onward=visit.text("next"), places=[],
        provider=sign_in.name if sign_in is not None and sign_in.is_for(visit.area) else "",
    )

"""Who may do what, and that it is written down: the frame around every action, whichever face it is asked through.

An action is an async function whose first argument is the Site. `@action` registers it, so that JSON over HTTP and
OpenAPI can be made of it; asks whether `site.caller` may; and, for whatever changes something, appends to the audit
log who did what to whom and what came of it. An action that calls another one is one entry.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import structlog

from eas.backends.embedded import admin as embedded
from eas.engine.errors import BackendError
from eas.engine.model import Secret
from eas.store.audit import Entry

from .errors import ActionError, Forbidden

if TYPE_CHECKING:
    from .site import Site

log = structlog.get_logger("eas.admin")

P = ParamSpec("P")
R = TypeVar("R")


class Role(StrEnum):
    ADMIN = "admin"
    HELPDESK = "helpdesk"
    AUDITOR = "auditor"
    OWNER = "owner"
    NOBODY = "nobody"


class Permission(StrEnum):
    """SEE: devices, their health, users, reports. TEND: what mends a device (resync, repair, allow, block). WIPE: what
    erases or forgets one. RULE: policies, access rules, users, staff. AUDIT: the log. CONTENT: whatever shows what is
    in a mailbox. OWN: one's own phones and settings."""

    SEE = "see"
    TEND = "tend"
    WIPE = "wipe"
    RULE = "rule"
    AUDIT = "audit"
    CONTENT = "content"
    OWN = "own"


GIVEN: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.HELPDESK: frozenset({Permission.SEE, Permission.TEND, Permission.OWN}),
    Role.AUDITOR: frozenset({Permission.SEE, Permission.AUDIT, Permission.OWN}),
    Role.OWNER: frozenset({Permission.OWN}),
    Role.NOBODY: frozenset(),
}

#: The roles of staff.
STAFF = (Role.ADMIN, Role.HELPDESK, Role.AUDITOR)


class Face(StrEnum):
    """Through what an action was asked for; SERVER: nobody asked."""

    CLI = "cli"
    API = "api"
    PAGE = "page"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who acts. `user_id` is that of the mailbox, "" where there is none; `address` whence. `secret` is what an owner
    logged in with, None where the mailbox needs none."""

    name: str
    role: Role
    user_id: str = ""
    face: Face = Face.PAGE
    address: str = ""
    secret: Secret | None = field(default=None, repr=False, compare=False)

    def may(self, permission: Permission) -> bool:
        return permission in GIVEN[self.role]


NOBODY = Caller(name="", role=Role.NOBODY)
#: What the server does by itself.
SERVER = Caller(name="server", role=Role.ADMIN, face=Face.SERVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`path` is below the API's root, "" for what is not offered there. `function` is the one that checks and logs."""

    name: str
    permission: Permission
    staff: Permission | None
    method: str
    path: str
    changes: bool
    function: Callable[..., Awaitable[Any]]


#: By name.
ACTIONS: dict[str, Action] = {}

#: Set within an action: those that it calls are part of it.
_acting: ContextVar[str] = ContextVar("acting", default="")
#: Whom the action turned out to be about (user, device), where its arguments do not say.
_concerned: ContextVar[list[tuple[str, str]] | None] = ContextVar("concerned", default=None)


def action(
    name: str,
    permission: Permission,
    *,
    http: tuple[str, str] | None = None,
    changes: bool | None = None,
    secret: tuple[str, ...] = (),
    named: tuple[str, ...] = (),
    about: str = "who",
    staff: Permission | None = None,
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """`http`: method and path of the API. `changes`: whether it is logged; by default all but what is a GET, or is not
    offered by HTTP. `secret`: arguments that are never logged; `named`: mappings of which the
    names alone are. `about`: the argument that names the user.

    An action of Permission.OWN is for the user whom `about` names, and besides for those who have the permission
    `staff`. Raises, when called, Forbidden."""
    method, path = http or ("", "")
    told = _Told(about=about, secret=secret, named=named)
    logged = changes if changes is not None else method != "GET"

    def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        async def act(*args: P.args, **kwargs: P.kwargs) -> R:
            if _acting.get():
                return await function(*args, **kwargs)
            given = dict(signature.bind(*args, **kwargs).arguments)
            site: Site = given.pop("site")
            async with _framed(ACTIONS[name], site, given, told):
                return await function(*args, **kwargs)

        if name in ACTIONS:
            raise ValueError(f"two actions are called {name}")
        ACTIONS[name] = Action(
            name=name, permission=permission, staff=staff, method=method, path=path, changes=logged, function=act
        )
        return act

    return decorate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the log is told of an action's arguments; as `action` is told."""

    about: str
    secret: tuple[str, ...]
    named: tuple[str, ...]


@asynccontextmanager
async def _framed(asked: Action, site: Site, given: Mapping[str, Any], told: _Told) -> AsyncIterator[None]:
    """Around the doing: whether it may be done, and what came of it."""
    who = str(given.get(told.about, ""))
    user = await _called(site, who) if asked.changes else ""
    token, outcome = _acting.set(asked.name), "done"
    found: list[tuple[str, str]] = []
    concerned = _concerned.set(found)
    try:
        await _check(site, asked.name, asked.permission, asked.staff, who)
        yield
    except Forbidden:
        outcome = "forbidden"
        raise
    except ActionError as error:
        outcome = f"refused: {error}"[:200]
        raise
    except BaseException as error:  # one that was broken off is not done either
        outcome = f"failed: {type(error).__name__}"
        raise
    finally:
        if asked.changes or outcome == "forbidden":
            about, device = found[-1] if found else (user, str(given.get("device_id", "")))
            await _record(site, asked.name, given, told, about, device, outcome)
        _concerned.reset(concerned)
        _acting.reset(token)


def concerns(user: str, device: str = "") -> None:
    """Within an action whose arguments do not name them: the login, and the device, of which the log is to tell."""
    if (found := _concerned.get()) is not None:
        found.append((user, device))


async def _check(site: Site, name: str, permission: Permission, staff: Permission | None, who: str) -> None:
    caller = site.caller
    if permission is Permission.OWN and staff is not None and caller.may(staff):
        return
    if not caller.may(permission) or (permission is Permission.OWN and not await _is_self(site, who)):
        raise Forbidden(f"{caller.name or 'nobody'} ({caller.role.value}) may not: {name}")


async def _is_self(site: Site, who: str) -> bool:
    """Nobody learns from the answer whether there is such a user."""
    mine = site.caller.user_id
    if not mine:
        return False
    if who == mine:
        return True
    try:
        return (await site.people.user(who)).id == mine
    except embedded.AdminError:
        return False


async def _called(site: Site, who: str) -> str:
    """The login of whoever is meant, however they were named; as given where there is no such user."""
    if not who:
        return ""
    try:
        return (await site.people.user(who)).login
    except (embedded.AdminError, BackendError):
        return who


async def _record(
    site: Site, name: str, given: Mapping[str, Any], told: _Told, user: str, device: str, outcome: str
) -> None:
    shown = {
        key: list(value) if key in told.named else value
        for key, value in given.items() if key not in (told.about, "device_id", *told.secret)
    }
    await record(
        site, name, about_user=user, about_device=device,
        details={key: _plain(value) for key, value in shown.items() if value not in (None, "", (), [], {}, False)},
        outcome=outcome,
    )


async def record(
    site: Site, name: str, *, about_user: str = "", about_device: str = "", details: Mapping[str, Any] | None = None,
    outcome: str = "done",
) -> None:
    """Append to the audit log that the caller of the site did this. What is done is done: a log that cannot be written
    is an error in the server's log, and no more."""
    caller = site.caller
    entry = Entry(
        at=datetime.now(UTC), actor=caller.name, role=caller.role.value, face=caller.face.value, address=caller.address,
        action=name, about_user=about_user[:200], about_device=about_device[:200], details=details or {},
        outcome=outcome,
    )
    try:
        await site.audit.append(entry)
    except Exception as error:
        log.error("not in the audit log", action=name, actor=caller.name, exc_info=error)


def _plain(value: Any) -> Any:
    """Short enough to be kept, and JSON."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in list(value.items())[:50]}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in list(value)[:50]]
    return Path(value).name if isinstance(value, Path) else str(value)[:200]

"""Who may administer, and the tokens with which programs use the API."""

from __future__ import annotations

import asyncio
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from eas.backends.embedded.passwords import hash_password
from eas.store.staff import ApiToken, Member, hashed

from .acting import STAFF, Permission, Role, action
from .errors import Invalid, NotFound, Refused
from .site import Site

#: Characters of a password of staff; a shorter one can be tried out.
SHORTEST = 10
#: So that tokens are found where they should not be.
TOKEN_PREFIX = "eas_"

_NAME = re.compile(r"[^\s/\x00-\x1f]{1,200}")


@action("staff.list", Permission.RULE, http=("GET", "/staff"))
async def members(site: Site) -> list[dict[str, Any]]:
    """Who may administer, as what, and by which password."""
    return [
        {
            "name": one.name, "role": one.role, "password": "own" if one.password else "of the mailbox",
            "created": one.created.isoformat(),
        }
        for one in await site.staff.members()
    ]


@action("staff.add", Permission.RULE, secret=("password",), about="")
async def add(site: Site, name: str, role: Role, password: str = "") -> None:
    """Without a password the name is that of a mailbox, whose password is meant."""
    name = name.strip().casefold()
    if not _NAME.fullmatch(name):
        raise Invalid("a name of at most 200 characters without blanks and slashes is wanted")
    member = Member(
        name=name, role=_role(role).value, created=datetime.now(UTC), password=await _hash(password) if password else ""
    )
    if not await site.staff.add_member(member):
        raise Refused(f"{name} is on the staff already")


@action("staff.role", Permission.RULE, http=("PUT", "/staff/{name}/role"), about="")
async def set_role(site: Site, name: str, role: Role) -> None:
    """Another role; whoever is logged in under the name has to log in again."""
    await _keep_an_admin(site, name, _role(role))
    if not await site.staff.change_member(name.casefold(), role=_role(role).value):
        raise NotFound(f"{name} is not on the staff")


@action("staff.password", Permission.RULE, secret=("password",), about="")
async def set_password(site: Site, name: str, password: str) -> None:
    """Another password of their own."""
    if not await site.staff.change_member(name.casefold(), password=await _hash(password)):
        raise NotFound(f"{name} is not on the staff")


@action("staff.remove", Permission.RULE, http=("DELETE", "/staff/{name}"), about="")
async def remove(site: Site, name: str) -> None:
    """With the tokens; whoever is logged in under the name is logged out."""
    await _keep_an_admin(site, name, None)
    if not await site.staff.remove_member(name.casefold()):
        raise NotFound(f"{name} is not on the staff")


@action("token.list", Permission.RULE, http=("GET", "/tokens"))
async def tokens(site: Site) -> list[dict[str, Any]]:
    """Tokens of the API; the tokens themselves are known to nobody but their holders."""
    return [
        {
            "id": one.id, "staff": one.staff, "label": one.label, "created": one.created.isoformat(),
            "used": one.used.isoformat() if one.used else None, "until": one.until.isoformat() if one.until else None,
        }
        for one in await site.staff.tokens()
    ]


@action("token.add", Permission.RULE, about="")
async def add_token(site: Site, name: str, label: str, days: int = 0) -> dict[str, str]:
    """For a program that acts as somebody of the staff; `days` 0 for ever. The token is shown this once."""
    if await site.staff.member(name.casefold()) is None:
        raise NotFound(f"{name} is not on the staff")
    token, now = TOKEN_PREFIX + secrets.token_urlsafe(32), datetime.now(UTC)
    made = ApiToken(
        token=hashed(token), id=secrets.token_hex(4), label=label[:200], staff=name.casefold(), created=now,
        until=now + timedelta(days=days) if days else None,
    )
    await site.staff.add_token(made)
    return {"id": made.id, "token": token}


@action("token.remove", Permission.RULE, http=("DELETE", "/tokens/{id}"), about="")
async def remove_token(site: Site, id: str) -> None:
    if not await site.staff.remove_token(id):
        raise NotFound(f"there is no token {id}")


def _role(role: Role) -> Role:
    if role not in STAFF:
        raise Invalid(f"a role is one of {', '.join(STAFF)}")
    return Role(role)


async def _hash(password: str) -> str:
    if len(password) < SHORTEST:
        raise Invalid(f"a password of at least {SHORTEST} characters is wanted")
    return await asyncio.to_thread(hash_password, password)


async def _keep_an_admin(site: Site, name: str, role: Role | None) -> None:
    """Raises Refused where nobody would be left who may put things right."""
    admins = {one.name for one in await site.staff.members() if one.role == Role.ADMIN.value}
    if role is not Role.ADMIN and admins == {name.casefold()}:
        raise Refused(f"{name} is the only admin")

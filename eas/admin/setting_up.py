"""Setting up a phone: its settings for the owner, and a short-lived address from which the phone fetches a profile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from eas.store.links import Link

from . import passwords
from .acting import Permission, Role, action, record
from .errors import NotFound
from .profiles import SetUp, profile, set_up
from .site import Site

#: What the password of a phone is called that came by a profile.
PROFILE_PASSWORD = "Phone set up by a code"
OVER = "This address was used already, or is over. Make a new code on the page “Set up a phone”."


@action("own.settings", Permission.OWN, http=("GET", "/users/{who}/own/settings"))
async def own_settings(site: Site, who: str, *, base_url: str = "") -> dict[str, Any]:
    """What to type into a phone."""
    told = await told_to(site, site.caller.user_id, base_url)
    return {"host": told.host, "address": told.address, "login": told.login, "tls": told.tls}


async def told_to(site: Site, user_id: str, base_url: str) -> SetUp:
    account = await site.people.user(user_id)
    return set_up(base_url, account.address, account.login)


@action("own.profile-link", Permission.OWN, http=("POST", "/users/{who}/own/profile-link"), changes=True)
async def make_link(site: Site, who: str, *, with_password: bool = False) -> dict[str, str]:
    """`token` stands at the end of the address (`/my/get?code=TOKEN`), which is good once, until `until`.

    `with_password`: a device password is made when it is fetched, and stands in the profile."""
    token, until = await site.links.make(
        site.caller.user_id, datetime.now(UTC), PROFILE_PASSWORD if with_password else ""
    )
    return {"token": token, "until": until.isoformat()}


@action("own.profile", Permission.OWN)
async def own_profile(site: Site, who: str, base_url: str) -> bytes:
    """Without a password."""
    told = await told_to(site, site.caller.user_id, base_url)
    return profile(told, site.profiles, user_id=site.caller.user_id)


async def look_at_link(site: Site, token: str) -> Link:
    """For whoever has the address. Raises NotFound for one that is used or over."""
    found = await site.links.look(token, datetime.now(UTC))
    if found is None:
        raise NotFound(OVER)
    return found


async def fetch(site: Site, token: str, base_url: str) -> bytes:
    """The profile, once. Raises NotFound."""
    found = await site.links.take(token, datetime.now(UTC))
    if found is None:
        raise NotFound(OVER)
    account = await site.people.user(found.user_id)
    # In the owner's name, who made the address, whoever has it now.
    own = replace(site, caller=replace(
        site.caller, name=account.login, role=Role.OWNER, user_id=found.user_id, secret=None
    ))
    password = ""
    if found.password_for:
        made = await passwords.add_device_password(own, found.user_id, found.password_for)
        password = str(made["password"])
    await record(own, "profile.fetch", about_user=account.login)
    return profile(
        set_up(base_url, account.address, account.login), site.profiles, user_id=found.user_id, password=password
    )

"""What the pages are handed by whoever puts the gateway together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.requests import Request

from eas.admin.acting import Permission
from eas.admin.site import Site
from eas.engine.model import User

if TYPE_CHECKING:
    from .oidc import SignIn


class Later(Exception):
    """Too many have tried, or the groupware is away; `seconds` until it makes sense to come back."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"try again in {seconds} seconds")
        self.seconds = seconds


#: Checks a login and a password that came from an address; None if they are wrong. Guesses are throttled. Staff with a
#: password of their own are a User without an id. Raises Later.
Enter = Callable[[str, str, str], Awaitable[User | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """`site` has no caller yet. `enter` lets owners in by their mailboxes, `enter_staff` also staff by passwords of
    their own. `address` and `base_url` tell whence a request came and where it went, as trusted proxies say.
    `for_staff`: whether /admin and the API are there for whence it came. `menus`: paths, names and
    permissions by area. `oidc`: an identity provider that people may log in with."""

    site: Site
    enter: Enter
    enter_staff: Enter
    address: Callable[[Request], str]
    base_url: Callable[[Request], str]
    now: Callable[[], datetime]
    for_staff: Callable[[Request], bool] = lambda request: True
    session_hours: int = 12
    idle_minutes: int = 60
    release: str = ""
    oidc: SignIn | None = None
    menus: Mapping[str, tuple[tuple[str, str, Permission], ...]] = field(default_factory=dict)

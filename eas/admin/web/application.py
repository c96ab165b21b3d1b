"""All pages and the API as one ASGI application, for the paths of `PREFIXES`. Pure ASGI middleware."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eas.admin.acting import Permission

from . import api, login
from .areas import MODULES
from .ports import Frame
from .rates import Rates
from .sessions import Area
from .visits import Page, route

#: First steps of the paths that are answered here.
PREFIXES = ("admin", "my", "api", "static")

#: No scripts, styles, frames or pictures but our own, and no form that goes elsewhere.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def pages(frame: Frame) -> ASGIApp:
    listed = {area: _listed(names) for area, names in MODULES.items()}
    frame = replace(frame, menus={area.name: _menu(pages) for area, pages in listed.items()})
    routes: list[BaseRoute] = [
        *(route(page, area, frame) for area in listed for page in (*_logins(area, frame), *listed[area])),
        *api.routes(frame),
        Mount("/static", StaticFiles(packages=[("eas.admin.web", "static")])),
    ]
    return _Guarded(Router(routes, default=_nothing, redirect_slashes=True), frame)


def _listed(names: Sequence[str]) -> list[Page]:
    return [page for name in names for page in import_module(f"{__package__}.{name}").PAGES]


def _logins(area: Area, frame: Frame) -> Sequence[Page]:
    if frame.oidc is None:
        return login.pages_of(area)
    from . import oidc  # only where there is one: its libraries take a tenth of a second to import

    return (*login.pages_of(area), *oidc.pages_of(area, frame.oidc))


def _menu(listed: Sequence[Page]) -> tuple[tuple[str, str, Permission], ...]:
    return tuple((page.path, page.menu, page.permission) for page in listed if page.menu and page.permission)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("There is no such page.", 404)(scope, receive, send)


class _Guarded:
    """Headers that keep a browser from doing more than we mean, and a limit on how often one address asks."""

    def __init__(self, app: ASGIApp, frame: Frame) -> None:
        self._app = app
        self._frame = frame
        self._rates = Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        cached = scope["path"].startswith("/static/")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers(request, cached, message["headers"])]
            await send(message)

        wait = self._rates.wait(self._frame.address(request), time.monotonic())
        try:
            app = self._app if not wait else _too_many(wait)
            await app(scope, receive, guarded)
        except HTTPException as error:  # a method that is not offered, a static file that is not there
            await PlainTextResponse(error.detail, error.status_code)(scope, receive, guarded)

    def _headers(
        self, request: Request, cached: bool, given: Sequence[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        there = {name.lower() for name, _ in given}
        added = {**HEADERS, "Cache-Control": "public, max-age=3600" if cached else "no-store"}
        if self._frame.base_url(request).startswith("https:"):
            added["Strict-Transport-Security"] = "max-age=31536000"
        named = [(name.lower().encode(), value.encode()) for name, value in added.items()]
        return [(name, value) for name, value in named if name not in there]


def _too_many(wait: float) -> Response:
    return PlainTextResponse(
        "Too many requests; wait a moment.", 429, headers={"Retry-After": str(max(1, round(wait)))}
    )

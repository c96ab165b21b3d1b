"""The frame around each page: who asks, what was sent, and that no other site made the browser send it.

A handler gets a `Visit` and gives a response; what permission it takes is said where it is listed (`Page`), and asked
before it is called. Every request that can change something carries the session's token (in the field `csrf`, or the
header X-CSRF-Token of htmx and the API) and comes from a page of ours by what the browser says itself.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from eas.admin.acting import NOBODY, Caller, Permission
from eas.admin.errors import ActionError, Forbidden, Invalid, NotFound, Refused
from eas.admin.site import Site
from eas.engine.errors import BackendError
from eas.store.staff import PageSession

from . import rendering
from .ports import Frame, Later
from .sessions import Area, caller_of, secret_of, session_of

#: Methods that change nothing.
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
#: Octets of a form; a policy document or a list of devices fits.
MAX_FORM = 2 << 20
#: What the next page is to say, kept in a cookie until then.
SAID = "eas-said"

#: What is wrong with an action, as HTTP says it.
HTTP_OF: Mapping[type[Exception], int] = {
    NotFound: 404, Forbidden: 403, Refused: 409, Invalid: 422, ActionError: 400, BackendError: 503, Later: 503,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of somebody. `site` has the caller. `session` is None on pages that are open to all."""

    frame: Frame
    request: Request
    area: Area
    site: Site
    session: PageSession | None = None
    form: FormData = field(default_factory=FormData)

    @property
    def caller(self) -> Caller:
        return self.site.caller

    @property
    def base_url(self) -> str:
        return self.frame.base_url(self.request)

    def may(self, permission: Permission | str) -> bool:
        return self.caller.may(Permission(permission))

    def text(self, name: str, default: str = "") -> str:
        """A field of the form, else of the query; without blanks at its ends."""
        value = self.form.get(name, self.request.query_params.get(name, default))
        return value.strip() if isinstance(value, str) else default

    def texts(self, name: str) -> list[str]:
        """All values of a field, of the form and the query."""
        found = [*self.form.getlist(name), *self.request.query_params.getlist(name)]
        return [value for value in found if isinstance(value, str)]

    def render(self, template: str, status: int = 200, **values: Any) -> Response:
        return rendering.render(self, template, status, values)

    def redirect(self, path: str, said: str = "") -> Response:
        """To a page of ours, after something was done; `said` is shown there once."""
        response = RedirectResponse(path, 303)
        if said:
            response.set_cookie(SAID, quote(said[:500]), max_age=60, path="/", httponly=True, samesite="lax")
        return response


Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`path` with the area's root. `permission` None: open to all, logged in or not. `menu`: as what it stands in the
    menu, "" for not at all."""

    path: str
    handler: Handler
    permission: Permission | None
    methods: tuple[str, ...] = ("GET",)
    menu: str = ""


def route(page: Page, area: Area, frame: Frame) -> Route:
    async def endpoint(request: Request) -> Response:
        visit = Visit(
            frame=frame, request=request, area=area,
            site=replace(frame.site, caller=replace(NOBODY, address=frame.address(request))),
        )
        try:
            return await _answer(page, visit)
        except (ActionError, BackendError, Later) as error:
            return rendering.problem(visit, status_of(error), str(error))

    return Route(page.path, endpoint, methods=list(page.methods))


async def _answer(page: Page, visit: Visit) -> Response:
    frame, request = visit.frame, visit.request
    if visit.area.name == "admin" and not frame.for_staff(request):
        raise NotFound("There is no such page.")
    session = await session_of(frame, request, visit.area)
    if session is not None:
        secret = secret_of(frame, request, visit.area, session)
        caller = caller_of(session, frame.address(request), secret=secret)
        visit = replace(visit, session=session, site=replace(frame.site, caller=caller))
    if page.permission is not None and session is None:
        return _to_login(visit)
    if request.method not in SAFE:
        visit = replace(visit, form=await _form(request))
        check_origin(request, visit.base_url)
        if session is not None:
            check_token(session, str(visit.form.get("csrf", "")) or request.headers.get("x-csrf-token", ""))
    if page.permission is not None and not visit.caller.may(page.permission):
        raise Forbidden("You may not see or do this: it takes another role.")
    try:
        return await page.handler(visit)
    finally:
        await visit.form.close()


def _to_login(visit: Visit) -> Response:
    if visit.request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": f"{visit.area.root}/login"})
    asked = visit.request.url.path + (f"?{visit.request.url.query}" if visit.request.url.query else "")
    onward = f"?next={quote(asked)}" if visit.request.method in SAFE else ""
    return RedirectResponse(f"{visit.area.root}/login{onward}", 303)


async def _form(request: Request) -> FormData:
    """Raises Invalid for one that is too long."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MAX_FORM:
        raise Invalid(f"A form of at most {MAX_FORM >> 20} MB is taken.")
    return await request.form(max_fields=5000, max_files=5, max_part_size=MAX_FORM)


def check_origin(request: Request, base_url: str) -> None:
    """By what the browser says, which no page can change. Programs say nothing, and carry no cookie that was not given
    to them. Raises Forbidden."""
    site, origin = request.headers.get("sec-fetch-site", ""), request.headers.get("origin", "")
    if site not in ("", "same-origin", "none") or (origin and _host(origin) != _host(base_url)):
        raise Forbidden("This was sent by a page of another site; nothing was done.")


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()


def check_token(session: PageSession, given: str) -> None:
    """Raises Forbidden."""
    if not hmac.compare_digest(session.csrf.encode(), given.encode()):
        raise Forbidden("This form is no longer valid; nothing was done. Load the page again and repeat it.")


def status_of(error: Exception) -> int:
    return next(status for kind, status in HTTP_OF.items() if isinstance(error, kind))

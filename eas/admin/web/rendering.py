"""Pages from templates, with what every one of them shows: who is logged in, where one may go, what was just done.

Templates escape what they are given. They have `visit`, `area`, `csrf()` (the hidden field that every form needs),
`may(permission)`, `path(...)` (a path with a query), `said` (what was just done) and the filters of `words.FILTERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response, StreamingResponse

from eas.admin.recordings import Download

from .words import FILTERS

if TYPE_CHECKING:
    from .visits import Visit

SAID = "eas-said"


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("eas.admin.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters.update(FILTERS)
    made.globals["path"] = path
    return made


def render(visit: Visit, template: str, status: int, values: Mapping[str, Any]) -> Response:
    said = unquote(visit.request.cookies.get(SAID, ""))
    text = environment().get_template(template).render(
        visit=visit, area=visit.area, caller=visit.caller, may=visit.may, csrf=lambda: _csrf(visit), said=said,
        here=visit.request.url.path, **{"places": places(visit), **values},
    )
    response = HTMLResponse(text, status)
    if said:
        response.delete_cookie(SAID, path="/", httponly=True)
    return response


def problem(visit: Visit, status: int, message: str) -> Response:
    """A page that says what is wrong, or a line where htmx has asked."""
    headline = HTTPStatus(status).phrase
    return render(visit, "problem.html", status, {"status": status, "headline": headline, "message": message})


def file_of(download: Download) -> Response:
    """To be saved; its pieces are made in threads. A login's name may be in any script."""
    name = "".join(letter if letter.isascii() and letter not in '"\\' else "_" for letter in download.name)
    headers = {
        "Content-Disposition": f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(download.name, safe='')}",
        "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
    }
    if download.elsewhere:
        headers["X-Parts-Elsewhere"] = quote(", ".join(download.elsewhere), safe=", ")
    return StreamingResponse(download.pieces, media_type=download.media_type, headers=headers)


def _csrf(visit: Visit) -> Markup:
    token = visit.session.csrf if visit.session is not None else ""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(token)


def places(visit: Visit) -> list[tuple[str, str]]:
    """Where one may go from anywhere in the area: paths and names."""
    return [
        (at, name) for at, name, permission in visit.frame.menus.get(visit.area.name, ()) if visit.may(permission)
    ]


def path(base: str, /, **query: Any) -> str:
    """With the query's values that are not empty."""
    kept = {name: value for name, value in query.items() if value not in ("", None, [], ())}
    return f"{base}?{urlencode(kept, doseq=True)}" if kept else base

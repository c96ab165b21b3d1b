"""Pages from templates, with what every one of them shows: who is logged in, where one may go, what was just done.

Templates escape what they are given. They have `visit`, `area`, `csrf()` (the hidden field that every form needs),
`may(permission)`, `path(...)` (a path with a query), `said` (what was just done) and the filters of `FILTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

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


#: Seconds -> words, from the largest.
SPANS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))


def ago(moment: str | datetime | None, now: datetime | None = None) -> str:
    """"3 hours ago", "never" for None; of what is to come "in 3 hours"."""
    if not moment:
        return "never"
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    words = span(abs(seconds))
    if not words:
        return "just now"
    return f"{words} ago" if seconds > 0 else f"in {words}"


def span(seconds: float) -> str:
    """"3 hours"; "" under a minute."""
    for length, name in SPANS:
        if count := int(seconds // length):
            return f"{count} {name}{'s' if count > 1 else ''}"
    return ""


def moment(value: str | datetime | None) -> str:
    """"2026-04-15 10:00 UTC", "" for None."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def size(octets: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if octets < 1000 or unit == "GB":
            return f"{octets:.0f} {unit}" if unit == "bytes" or octets >= 100 else f"{octets:.1f} {unit}"
        octets /= 1000
    raise AssertionError


def segment(text: str) -> str:
    """As a step of a path."""
    return quote(text, safe="@")


FILTERS: Mapping[str, Callable[..., str]] = {
    "ago": ago, "moment": moment, "size": size, "span": span, "segment": segment,
}

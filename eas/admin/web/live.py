"""Who is at it just now, as `top` shows it: refreshed every two seconds by htmx, or by the browser itself."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from eas.admin import activity
from eas.admin.acting import Permission
from eas.admin.devices import everyone

from .visits import Page, Visit

PATH = "/admin/live"


async def show(visit: Visit) -> Response:
    """`?by=page` has the browser load the whole page again, `?by=hand` nothing at all."""
    by = visit.text("by") if visit.text("by") in ("page", "hand") else "script"
    return visit.render("live/live.html", by=by, **await _now(visit))


async def fragment(visit: Visit) -> Response:
    return visit.render("live/now.html", **await _now(visit))


async def _now(visit: Visit) -> dict[str, Any]:
    told = await activity.live(visit.site)
    known = {(one.user, one.device): one for one in await everyone(visit.site)} if told["present"] else {}
    known |= {(one.address, device): one for (_, device), one in known.items()}
    return {"told": told, "known": known}


PAGES = (
    Page(path=PATH, handler=show, permission=Permission.SEE, menu="Live"),
    Page(path=f"{PATH}/now", handler=fragment, permission=Permission.SEE),
)

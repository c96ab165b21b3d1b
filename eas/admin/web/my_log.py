"""What happened to the owner's phones."""

from __future__ import annotations

from starlette.responses import Response

from eas.admin import own
from eas.admin.acting import Permission

from .my import me
from .visits import Page, Visit


async def show(visit: Visit) -> Response:
    return visit.render("my/log.html", lines=await own.own_log(visit.site, me(visit)))


PAGES = (Page(path="/my/log", handler=show, permission=Permission.OWN, menu="What happened"),)

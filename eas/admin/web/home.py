"""The first page of /admin."""

from __future__ import annotations

from starlette.responses import Response

from eas.admin import actions
from eas.admin.acting import Permission

from .visits import Page, Visit


async def home(visit: Visit) -> Response:
    return visit.render("admin/home.html", devices=await actions.devices(visit.site))


PAGES = (Page(path="/admin", handler=home, permission=Permission.SEE, menu="Overview"),)

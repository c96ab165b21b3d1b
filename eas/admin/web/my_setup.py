"""Setting up a phone: in words, by a code, by an Apple profile; and the page that the code leads to."""

from __future__ import annotations

from base64 import b64encode

from starlette.responses import Response

from eas.admin import setting_up
from eas.admin.acting import Permission
from eas.admin.profiles import FILE_NAME, MEDIA_TYPE, qr

from .my import me
from .visits import Page, Visit


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def _page(visit: Visit, link: str = "", until: str = "", *, with_password: bool = False) -> Response:
    told = await setting_up.own_settings(visit.site, me(visit), base_url=visit.base_url)
    code = f"data:image/svg+xml;base64,{b64encode(qr(link)).decode()}" if link else ""
    return visit.render(
        "my/setup.html", told=told, link=link, until=until, code=code, with_password=with_password,
        oauth=bool(visit.site.profiles.sign_in),
    )


async def make_code(visit: Visit) -> Response:
    with_password = visit.text("with_password") == "1"
    made = await setting_up.make_link(visit.site, me(visit), with_password=with_password)
    link = f"{visit.base_url}/my/get?code={made['token']}"
    return await _page(visit, link, made["until"], with_password=with_password)


async def download(visit: Visit) -> Response:
    return _profile(await setting_up.own_profile(visit.site, me(visit), visit.base_url))


async def at_link(visit: Visit) -> Response:
    """For whoever has the address. It only asks: what opens addresses to see what is there gets nothing. The code is in
    the query, which no log of ours has."""
    link = await setting_up.look_at_link(visit.site, visit.text("code"))
    told = await setting_up.told_to(visit.site, link.user_id, visit.base_url)
    return visit.render("my/get.html", told=told, code=visit.text("code"), link=link, places=[])


async def fetch(visit: Visit) -> Response:
    return _profile(await setting_up.fetch(visit.site, visit.text("code"), visit.base_url))


def _profile(octets: bytes) -> Response:
    return Response(
        octets, media_type=MEDIA_TYPE, headers={"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    )


PAGES = (
    Page(path="/my/setup", handler=show, permission=Permission.OWN, menu="Set up a phone"),
    Page(path="/my/setup", handler=make_code, permission=Permission.OWN, methods=("POST",)),
    Page(path="/my/setup/profile", handler=download, permission=Permission.OWN, methods=("POST",)),
    Page(path="/my/get", handler=at_link, permission=None),
    Page(path="/my/get", handler=fetch, permission=None, methods=("POST",)),
)

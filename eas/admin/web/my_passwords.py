"""Passwords for one device each: made, shown once, revoked."""

from __future__ import annotations

from starlette.responses import Response

from eas.admin import own, passwords
from eas.admin.acting import Permission
from eas.admin.errors import Invalid, Refused

from .my import me
from .visits import Page, Visit


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def _page(visit: Visit, status: int = 200, *, wrong: str = "", name: str = "", made: str = "") -> Response:
    phones = {one["device"]: one["name"] for one in await own.own_devices(visit.site, me(visit))}
    return visit.render(
        "my/passwords.html", status, wrong=wrong, name=name, made=made, phones=phones,
        passwords=await passwords.device_passwords(visit.site, me(visit)),
    )


async def make(visit: Visit) -> Response:
    name = visit.text("name")
    try:
        made = await passwords.add_device_password(visit.site, me(visit), name)
    except (Invalid, Refused) as error:
        return await _page(visit, 422, wrong=str(error), name=name)
    return await _page(visit, name=str(made["name"]), made=str(made["password"]))


async def revoke(visit: Visit) -> Response:
    given = visit.text("id")
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise Invalid("Which password?")
    await passwords.revoke_device_password(visit.site, me(visit), int(given))
    return visit.redirect("/my/passwords", "The password is revoked. A phone that used it gets nothing any more.")


PAGES = (
    Page(path="/my/passwords", handler=show, permission=Permission.OWN, menu="Device passwords"),
    Page(path="/my/passwords", handler=make, permission=Permission.OWN, methods=("POST",)),
    Page(path="/my/passwords/revoke", handler=revoke, permission=Permission.OWN, methods=("POST",)),
)

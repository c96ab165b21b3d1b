"""The first page of /my: the owner's phones, and a page for each of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from eas.admin import own, recordings, wiping
from eas.admin.acting import Permission
from eas.admin.errors import Invalid, NotFound, Refused
from eas.admin.site import Site
from eas.engine.errors import BackendError

from .visits import Page, Visit
from .words import segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What can be done with a phone once it was asked for a second time. `will` says what happens, `said` what was
    done."""

    label: str
    run: Callable[[Site, str, str], Awaitable[Any]]
    will: str
    said: str
    kind: str = "danger"


async def _wipe_account(site: Site, who: str, device_id: str) -> None:
    await wiping.wipe_device(site, who, device_id, account_only=True)


#: By the last step of the path.
DEEDS: Mapping[str, Deed] = {
    "wipe": Deed(
        label="Erase everything on it", run=wiping.wipe_device,
        will="As soon as this phone connects, it erases itself completely: mail, photos, apps and everything private, "
             "as if it came new from the shop. Nobody can bring that back. Do this if the phone was lost or stolen. It "
             "works only while the phone is switched on and has a network, now or later.",
        said="The phone is told to erase itself as soon as it connects. If you find it before, take that back here. "
             "Change your password as well, and lock the SIM card.",
    ),
    "wipe-account": Deed(
        label="Remove the account from it", run=_wipe_account,
        will="As soon as this phone connects, it removes this account: the mail, calendar and contacts that came from "
             "here. Everything else on the phone stays.",
        said="The phone is told to remove the account as soon as it connects.",
    ),
    "remove": Deed(
        label="Remove it from this list", run=own.remove_own,
        will="It is forgotten here, and the device passwords that only it uses are revoked. Nothing is erased on the "
             "phone: if it still has your password, it comes back by itself and begins anew. For a phone that you gave "
             "away: remove the account on the phone first.",
        said="The phone is removed from your list.",
    ),
}


async def phones(visit: Visit) -> Response:
    mine = await own.own_devices(visit.site, me(visit))
    return visit.render(
        "my/phones.html", phones=mine, names={one["device"]: one["name"] for one in mine},
        recorded=await recordings.own_recordings(visit.site, me(visit)),
    )


async def phone(visit: Visit) -> Response:
    return await _phone(visit)


async def _phone(visit: Visit, status: int = 200, wrong: str = "") -> Response:
    device = visit.request.path_params["device"]
    one = await own.own_device(visit.site, me(visit), device)
    folders, away = [], ""
    try:
        folders = await own.own_folders(visit.site, me(visit), device)
    except (Refused, BackendError) as error:
        away = str(error)
    events = await own.own_events(visit.site, me(visit), device)
    return visit.render(
        "my/phone.html", status, phone=one, folders=folders, away=away, wrong=wrong, events=events,
        names={device: one["name"]}, recorded=[
            found for found in await recordings.own_recordings(visit.site, me(visit))
            if found["device"] in (device, "")
        ],
    )


async def rename(visit: Visit) -> Response:
    device = visit.request.path_params["device"]
    try:
        await own.rename_own(visit.site, me(visit), device, visit.text("label"))
    except Invalid as error:
        return await _phone(visit, 422, str(error))
    return visit.redirect(at(device), "The phone has its name.")


async def choose(visit: Visit) -> Response:
    """The form has the folders that it showed, and of them those that are ticked: what it did not show stays."""
    device = visit.request.path_params["device"]
    shown, ticked = set(visit.texts("shown")), set(visit.texts("folder"))
    one = await own.own_device(visit.site, me(visit), device)
    left_out = (set(one["left_out"]) - shown) | (shown - ticked)
    await own.choose_own_folders(visit.site, me(visit), device, sorted(left_out))
    return visit.redirect(
        at(device), "The phone follows within a minute or so, if it is on and has a network. What is no longer ticked "
        "is removed from the phone only."
    )


async def ask(visit: Visit) -> Response:
    deed, one = _deed(visit), await own.own_device(visit.site, me(visit), visit.request.path_params["device"])
    return visit.render("my/sure.html", deed=deed, phone=one, back=at(one["device"]))


async def do(visit: Visit) -> Response:
    deed, device = _deed(visit), visit.request.path_params["device"]
    await own.own_device(visit.site, me(visit), device)
    await deed.run(visit.site, me(visit), device)
    return visit.redirect("/my" if deed is DEEDS["remove"] else at(device), deed.said)


async def cancel(visit: Visit) -> Response:
    device = visit.request.path_params["device"]
    await wiping.cancel_wipe(visit.site, me(visit), device)
    return visit.redirect(at(device), "The wipe is taken back. If the phone had heard of it already, it may happen all "
                                      "the same.")


async def readmit(visit: Visit) -> Response:
    device = visit.request.path_params["device"]
    await wiping.readmit_device(visit.site, me(visit), device)
    return visit.redirect(at(device), "The phone may be set up again.")


def _deed(visit: Visit) -> Deed:
    name = visit.request.path_params["deed"]
    if name not in DEEDS:
        raise NotFound("There is no such page.")
    return DEEDS[name]


def me(visit: Visit) -> str:
    """Whoever is logged in; every action here is about nobody else."""
    return visit.caller.user_id


def at(device: str) -> str:
    return f"/my/phones/{segment(device)}"


_ONE = "/my/phones/{device}"
PAGES = (
    Page(path="/my", handler=phones, permission=Permission.OWN, menu="My phones"),
    Page(path=_ONE, handler=phone, permission=Permission.OWN),
    Page(path=f"{_ONE}/name", handler=rename, permission=Permission.OWN, methods=("POST",)),
    Page(path=f"{_ONE}/folders", handler=choose, permission=Permission.OWN, methods=("POST",)),
    Page(path=f"{_ONE}/cancel", handler=cancel, permission=Permission.OWN, methods=("POST",)),
    Page(path=f"{_ONE}/readmit", handler=readmit, permission=Permission.OWN, methods=("POST",)),
    Page(path=f"{_ONE}/{{deed}}", handler=ask, permission=Permission.OWN),
    Page(path=f"{_ONE}/{{deed}}", handler=do, permission=Permission.OWN, methods=("POST",)),
)

"""One device: what it is, how it does, what it did, and what mends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response

from eas.admin import actions
from eas.admin.acting import Permission
from eas.admin.activity import repair, report, resync, retry
from eas.admin.devices import of_user
from eas.admin.errors import Invalid, NotFound
from eas.admin.policy_actions import effective
from eas.engine.quirks import TABLE, Quirk

from . import recordings
from .deeds import deeds_for
from .visits import Page, Visit
from .words import counted, segment

PATH = "/admin/devices/{who}/{device_id}"
SWITCHES: Mapping[str, bool | None] = {"on": True, "off": False, "auto": None}
#: What each quirk does, for those that the device is not given by itself.
DOES: Mapping[str, str] = {row.quirk.value: row.does for row in TABLE}


async def _resync(visit: Visit, who: str, device_id: str, folder: str) -> str:
    done = await resync(visit.site, who, device_id, folder=folder)
    return (
        f"The phone fetches {counted(len(done), 'folder')} anew with its next request: it drops what it has of them, "
        "so nothing is there twice. If a folder is stuck again afterwards, look at its last answer below."
    )


async def _repair(visit: Visit, who: str, device_id: str, folder: str) -> str:
    done = await repair(visit.site, who, device_id, folder=folder)
    return (
        f"{counted(len(done), 'folder')} will be compared with what the phone holds, and what differs is sent with its "
        "next request. If something is still missing then, fetch the folder anew."
    )


async def _retry(visit: Visit, who: str, device_id: str, folder: str) -> str:
    count = await retry(visit.site, who, device_id, item=visit.text("item"), folder=folder)
    return (
        f"{counted(count, 'item')} will be sent once more with the phone's next request. What cannot be converted even "
        "then is listed here again."
    )


MENDS: Mapping[str, Callable[[Visit, str, str, str], Awaitable[str]]] = {
    "resync": _resync, "repair": _repair, "retry": _retry,
}


async def show(visit: Visit) -> Response:
    who, device_id = _named(visit)
    told = await report(visit.site, who, device_id)
    device = told["device"]
    found = next((one for one in await of_user(visit.site, who) if one.device == device_id), None)
    if found is None:
        raise NotFound(f"{who} has no device {device_id}")
    return visit.render(
        "devices/device.html", told=told, device=device, found=found, here_path=path_of(who, device_id),
        deeds={name: deed for name, deed in deeds_for(visit).items() if deed.fits(found)},
        policy=await effective(visit.site, who, device_id), quirks=_quirks(device["quirks"]),
        spare=[quirk.value for quirk in Quirk if quirk.value not in device["quirks"]],
        recorded=await recordings.of_device(visit, who, device_id),
    )


async def mend(visit: Visit) -> Response:
    who, device_id = _named(visit)
    what = visit.text("what")
    if what not in MENDS:
        raise Invalid("Choose what is to be done.")
    said = await MENDS[what](visit, who, device_id, visit.text("folder"))
    return visit.redirect(path_of(who, device_id), said)


async def switch(visit: Visit) -> Response:
    """A quirk on, off, or as the table of devices says."""
    who, device_id = _named(visit)
    name, to = visit.text("quirk"), visit.text("switch")
    if to not in SWITCHES:
        raise Invalid("A switch is on, off or auto.")
    await actions.set_quirk(visit.site, who, device_id, name, SWITCHES[to])
    word = {"on": "switched on", "off": "switched off", "auto": "as for all devices of this kind"}[to]
    return visit.redirect(path_of(who, device_id), f"{name} is {word} from the next request on.")


def path_of(who: str, device_id: str) -> str:
    return f"/admin/devices/{segment(who)}/{segment(device_id)}"


def _named(visit: Visit) -> tuple[str, str]:
    return visit.request.path_params["who"], visit.request.path_params["device_id"]


def _quirks(given: Mapping[str, str]) -> list[dict[str, Any]]:
    """With what may be switched: one that was switched by hand goes back to the table, one of the table goes off."""
    return [
        {
            "name": name, "does": DOES.get(name, why) if why.startswith("switched") else why,
            "on": why != "switched off", "by_hand": why.startswith("switched"),
        }
        for name, why in given.items()
    ]


PAGES = (
    Page(path=PATH, handler=show, permission=Permission.SEE),
    Page(path=f"{PATH}/mend", handler=mend, permission=Permission.TEND, methods=("POST",)),
    Page(path=f"{PATH}/quirk", handler=switch, permission=Permission.RULE, methods=("POST",)),
)

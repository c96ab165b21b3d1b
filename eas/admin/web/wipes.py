"""/admin/wipes: wipes that wait for a second person, those under way, and what became of the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from eas.admin import wiping
from eas.admin.acting import Permission
from eas.admin.errors import Invalid
from eas.admin.site import Site

from .visits import Page, Visit

PATH = "/admin/wipes"
#: Wipes that are shown.
SHOWN = 200


async def show(visit: Visit) -> Response:
    found = await wiping.wipes(visit.site, most=SHOWN)
    seen: set[tuple[str, str]] = set()
    for one in found:
        # Only the newest of a device says whether it is still refused.
        one["newest"] = (one["user"], one["device"]) not in seen
        seen.add((one["user"], one["device"]))
    waiting = [one for one in found if one["state"] == "waiting"]
    return visit.render(
        "wipes/wipes.html", waiting=waiting, others=[one for one in found if one["state"] != "waiting"],
        mine=visit.caller.name.casefold(), two_persons=visit.site.wiping.two_persons, shown=SHOWN,
    )


def decision(
    act: Callable[..., Awaitable[Any]], said: str, numbered: bool = False
) -> Callable[[Visit], Awaitable[Response]]:
    """A form that decides about the wipe of one device."""
    async def handler(visit: Visit) -> Response:
        user, device, number = visit.text("user"), visit.text("device"), visit.text("number", "0")
        if not user or not device or not number.isascii() or not number.isdigit() or len(number) > 18:
            raise Invalid("Choose a wipe first.")
        site: Site = visit.site
        await (act(site, user, device, number=int(number)) if numbered else act(site, user, device))
        return visit.redirect(PATH, said.format(device=device, user=user))

    return handler


APPROVED = "You agreed: {device} of {user} is wiped at its next request."
DECLINED = "The wipe of {device} of {user} was declined; the phone goes on as before."
CANCELLED = "The wipe of {device} of {user} was cancelled. If the phone was told before, it may be erased all the same."
READMITTED = "{device} of {user} may be set up again."

PAGES = (
    Page(path=PATH, handler=show, permission=Permission.SEE, menu="Wipes"),
    *(
        Page(path=f"{PATH}/{step}", handler=handler, permission=permission, methods=("POST",))
        for step, permission, handler in (
            ("approve", Permission.WIPE, decision(wiping.approve_wipe, APPROVED, numbered=True)),
            ("decline", Permission.WIPE, decision(wiping.decline_wipe, DECLINED, numbered=True)),
            ("cancel", Permission.WIPE, decision(wiping.cancel_wipe, CANCELLED)),
            ("readmit", Permission.TEND, decision(wiping.readmit_device, READMITTED)),
        )
    ),
)

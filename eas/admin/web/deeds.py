"""What can be done with devices from a page: one of them, or many that were chosen in a list.

Whatever cannot simply be undone asks on a page of its own before it is done, with what will happen to which devices.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.responses import Response

from eas.admin import access, actions, wiping
from eas.admin.acting import Permission
from eas.admin.devices import Found, everyone, found_by
from eas.admin.errors import ActionError, Forbidden, Invalid
from eas.admin.site import Site
from eas.engine.model import Access, Wipe

from .visits import Page, Visit
from .words import counted

#: Of errors of several devices so many are told, by name.
ERRORS_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """`label` is on the button, `will` says what happens to each device, `done` follows "1 device" and "3 devices".
    `kind` is how the button looks. `asks`: only after it was said on a page what will happen.
    `fits`: whether it is offered on the page of a device as it is."""

    label: str
    permission: Permission
    run: Callable[[Site, str, str], Awaitable[Any]]
    will: str
    done: str
    kind: str = ""
    asks: bool = True
    fits: Callable[[Found], bool] = lambda one: True


#: By the word that a form sends, in the order of the menu.
DEEDS: Mapping[str, Deed] = {
    "allow": Deed(
        label="Let in", permission=Permission.TEND, run=actions.allow_device, asks=False, done="let in",
        fits=lambda one: one.access != Access.ALLOWED.value,
        will="The device is let in, whatever the rules say, from its next request on.",
    ),
    "block": Deed(
        label="Block", permission=Permission.TEND, run=actions.block_device, kind="danger", done="blocked",
        fits=lambda one: one.access != Access.BLOCKED.value,
        will="The device is let in no more, at once: a wait that it holds open ends now. What is on it stays on it; to "
             "have that erased, wipe it. It can be let in again.",
    ),
    "quarantine": Deed(
        label="Put into quarantine", permission=Permission.TEND, done="put into quarantine",
        run=partial(access.decide_on, verdict="quarantine"),
        will="The device is shown its folders and one message that says why, and nothing new, until somebody lets it "
             "in. What is on it stays on it.",
    ),
    "rules": Deed(
        label="Leave it to the rules", permission=Permission.TEND, asks=False, done="left to the rules",
        run=partial(access.decide_on, verdict="none"), will="What was decided of the device by name is taken back.",
    ),
    "wipe": Deed(
        label="Wipe", permission=Permission.WIPE, run=wiping.wipe_device, kind="danger", done="to be wiped",
        fits=lambda one: one.wipe == Wipe.NONE.value,
        will="At its next request the device is told to erase itself: everything on it, private things too, as if it "
             "came from the factory. Until it has asked, this can be cancelled.",
    ),
    "wipe-account": Deed(
        label="Wipe the account only", permission=Permission.WIPE, kind="danger", done="to erase the account",
        fits=lambda one: one.wipe == Wipe.NONE.value and one.version == "16.1",
        run=partial(wiping.wipe_device, account_only=True),
        will="At its next request the device is told to erase what it has of this account, and nothing else. Devices "
             "before EAS 16.1 know no such thing; for them it is refused.",
    ),
    "cancel-wipe": Deed(
        label="Cancel the wipe", permission=Permission.WIPE, run=wiping.cancel_wipe, asks=False,
        fits=lambda one: one.wipe not in (Wipe.NONE.value, Wipe.DONE.value),
        done="spared", will="A wipe that has not been carried out is taken back.",
    ),
    "readmit": Deed(
        label="Allow again after the wipe", permission=Permission.TEND, run=wiping.readmit_device,
        fits=lambda one: one.wipe == Wipe.DONE.value, done="allowed again",
        will="The device was wiped and is refused since. It may be set up again, by whoever has it and the password.",
    ),
    "remove": Deed(
        label="Remove", permission=Permission.WIPE, run=actions.remove_device, kind="danger", done="forgotten",
        will="Everything that is known of the device is forgotten; the device itself keeps what it has. If it comes "
             "back, it begins anew. A wipe that it has not carried out yet awaits it then all the same, and one that "
             "was wiped is still refused.",
    ),
}

#: What may wait for a second person.
WIPES = frozenset(("wipe", "wipe-account"))


def deeds_for(visit: Visit) -> dict[str, Deed]:
    return {name: deed for name, deed in DEEDS.items() if visit.may(deed.permission)}


async def do(visit: Visit) -> Response:
    """The form of a list or of a device's page, and that of the page which asks whether it is meant."""
    name = visit.text("do")
    if name not in DEEDS:
        raise Invalid("Choose first what is to be done.")
    deed, back = DEEDS[name], back_of(visit)
    if not visit.may(deed.permission):
        raise Forbidden("You may not do this: it takes another role.")
    devices = await _meant(visit)
    if not devices:
        return visit.redirect(back, "No device was chosen; nothing was done.")
    if deed.asks and visit.text("sure") != "1":
        return visit.render("devices/confirm.html", deed=deed, name=name, devices=devices, back=back)
    failures = await _each(visit.site, deed, devices)
    count = len(devices) - len(failures)
    waits = name in WIPES and visit.site.wiping.two_persons
    done = "to be wiped once somebody else agrees, under Wipes" if waits else deed.done
    said = [f"{counted(count, 'device')} {done}."] if count else []
    said += failures[:ERRORS_TOLD]
    if len(failures) > ERRORS_TOLD:
        said.append(f"{len(failures) - ERRORS_TOLD} more were refused as well.")
    gone = name == "remove" and not failures
    return visit.redirect("/admin/devices" if gone and back.startswith("/admin/devices/") else back, " ".join(said))


async def _each(site: Site, deed: Deed, devices: Sequence[Found]) -> list[str]:
    """What could not be done, in words."""
    failures = []
    for one in devices:
        try:
            await deed.run(site, one.address, one.device)
        except ActionError as error:
            failures.append(f"{one.device} of {one.user}: {error}.")
    return failures


async def _meant(visit: Visit) -> list[Found]:
    """Those that were chosen, or all that the list's filters leave; in the order of users. What is gone meanwhile is
    left out."""
    if visit.text("all") == "1":
        filters = {name: visit.text(name) for name in ("q", "state", "condition", "kind", "version")}
        _, hits = await found_by(visit.site, filters)
    else:
        wanted = set(visit.texts("device"))
        hits = [one for one in await everyone(visit.site) if name_of(one) in wanted]
    return sorted(hits, key=lambda one: (one.user, one.device))


def name_of(one: Found) -> str:
    """As a form says which device is meant."""
    return f"{one.address}/{one.device}"


def back_of(visit: Visit, otherwise: str = "/admin/devices") -> str:
    """Where the form came from: a page of ours, or else the list."""
    back = visit.text("back")
    return back if back.startswith("/admin") and not back.startswith("/admin//") and "\\" not in back else otherwise


PAGES = (Page(path="/admin/devices/do", handler=do, permission=Permission.SEE, methods=("POST",)),)

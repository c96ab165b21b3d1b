"""/admin/access: the queue of phones that wait to be approved, the rules, the default, and what they would do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import quote

from starlette.responses import Response

from eas.admin import access
from eas.admin.acting import Permission
from eas.admin.errors import Invalid
from eas.engine.access import SAYABLE, Characteristic

from .visits import Page, Visit

PATH = "/admin/access"

LEVELS = {"allow": "Let in", "quarantine": "Quarantine", "block": "Block"}
#: What is asked for, in words, with an example of a pattern.
CHARACTERISTICS = {
    Characteristic.TYPE: ("Type", "iPhone|iPad"), Characteristic.MODEL: ("Model", "iPhone15*"),
    Characteristic.OS: ("System", "iOS 17*"), Characteristic.AGENT: ("Program", "Apple-iPhone*"),
    Characteristic.VERSION: ("ActiveSync version", "16.*"), Characteristic.USER: ("User", "*@sales.example.org"),
    Characteristic.GROUP: ("Group", "Sales"), Characteristic.NETWORK: ("Network", "10.0.0.0/8"),
}
#: What can be decided of one phone: what stands on the button, and what was done.
VERDICTS = {
    "allow": ("Let in", "is let in"), "block": ("Block", "is blocked"),
    "quarantine": ("Keep in quarantine", "is in quarantine"), "none": ("Leave it to the rules", "is left to the rules"),
}


async def show(visit: Visit) -> Response:
    kept = await access.rules(visit.site)
    return visit.render(
        "access/access.html", queue=await access.queue(visit.site), rules=kept["rules"], default=kept["default"],
        levels=LEVELS, characteristics=CHARACTERISTICS, tried=await _tried(visit),
        asked={name: visit.text(name) for name in (*_TRIED, "address")}, may_rule=visit.may(Permission.RULE),
        may_tend=visit.may(Permission.TEND), page_of=page_of,
    )


#: The fields of the form that tries out.
_TRIED = ("type", "model", "os", "agent", "version", "who")


async def _tried(visit: Visit) -> dict[str, Any] | None:
    """None if nothing was asked."""
    if not any(visit.text(name) for name in (*_TRIED, "address")):
        return None
    return await access.try_out(
        visit.site, type=visit.text("type"), model=visit.text("model"), os=visit.text("os"), agent=visit.text("agent"),
        version=visit.text("version") or "16.1", who=visit.text("who"), address=visit.text("address"),
    )


def page_of(address: str, device: str) -> str:
    """Where somebody decides about one phone."""
    return f"{PATH}/approve/{quote(address, safe='@')}/{quote(device, safe='')}"


async def approve(visit: Visit) -> Response:
    """One phone, with everything that decides about it. To open this decides nothing."""
    who, device = visit.request.path_params["who"], visit.request.path_params["device"]
    found = await access.explain(visit.site, who, device, visit.text("address"))
    waiting = [one for one in await access.queue(visit.site) if (one["user"], one["device"]) == (found["user"], device)]
    return visit.render(
        "access/approve.html", who=who, found=found, waiting=waiting[0] if waiting else None, verdicts=VERDICTS,
        may_tend=visit.may(Permission.TEND), here_again=page_of(who, device),
    )


async def decide(visit: Visit) -> Response:
    who, device, verdict = visit.text("who"), visit.text("device"), visit.text("verdict")
    if verdict not in VERDICTS:
        raise Invalid("Choose first what is to be done.")
    days = visit.text("days")
    if days and not days.isdigit():
        raise Invalid("Days are a whole number; leave them out for good.")
    until = datetime.now(UTC) + timedelta(days=min(int(days), 36_500)) if days and int(days) else None
    await access.decide_on(
        visit.site, who, device, cast(access.Verdict, verdict), until=until, reason=visit.text("reason")
    )
    back = page_of(who, device) if visit.text("back") == "phone" else PATH
    return visit.redirect(back, f"{device} of {who} {VERDICTS[verdict][1]} now.")


async def set_default(visit: Visit) -> Response:
    level = _level(visit)
    await access.set_default(visit.site, level)
    return visit.redirect(PATH, f"Phones that no rule fits: {LEVELS[level].lower()}.")


async def add_rule(visit: Visit) -> Response:
    match = {name.value: visit.text(f"match-{name.value}") for name in Characteristic}
    rule = await access.add_rule(
        visit.site, _level(visit), {name: pattern for name, pattern in match.items() if pattern},
        priority=_number(visit, "priority"), note=visit.text("note"),
    )
    return visit.redirect(PATH, f"Rule {rule['number']} counts from now on.")


async def move_rule(visit: Visit) -> Response:
    number, priority = _number(visit, "number"), _number(visit, "priority")
    await access.change_rule(visit.site, number, priority=priority)
    return visit.redirect(PATH, f"Rule {number} has priority {priority} now.")


async def remove_rule(visit: Visit) -> Response:
    number = _number(visit, "number")
    await access.remove_rule(visit.site, number)
    return visit.redirect(PATH, f"Rule {number} is gone.")


async def lists(visit: Visit) -> Response:
    held: dict[str, list[str]] = {}
    for line in await access.device_lists(visit.site):
        held.setdefault(line["user"], []).append(line["device"])
    return visit.render(
        "access/lists.html", held=held, limits=await access.limits(visit.site), may_rule=visit.may(Permission.RULE)
    )


async def set_list(visit: Visit) -> Response:
    who, devices = visit.text("who"), visit.text("devices").split()
    await access.set_device_list(visit.site, who, devices)
    said = f"Only {len(devices)} phones of {who} come in now." if devices else f"{who} has no list any more."
    return visit.redirect(f"{PATH}/lists", said)


async def import_lists(visit: Visit) -> Response:
    told = await access.import_lists(visit.site, visit.text("table"))
    return visit.redirect(f"{PATH}/lists", f"{told['devices']} phones of {told['users']} users were added.")


async def set_limit(visit: Visit) -> Response:
    whose, most = visit.text("whose"), visit.text("most")
    await access.set_limit(visit.site, whose, _number(visit, "most") if most else None)
    return visit.redirect(f"{PATH}/lists", f"{whose}: {most or 'as everybody'}.")


def _level(visit: Visit) -> access.Said:
    level = visit.text("level")
    if level not in [one.value for one in SAYABLE]:
        raise Invalid("Choose first whether such phones are let in, kept in quarantine or blocked.")
    return cast(access.Said, level)


def _number(visit: Visit, name: str) -> int:
    text = visit.text(name)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(f"A whole number is wanted as {name}.")
    return int(text)


PAGES = (
    Page(path=PATH, handler=show, permission=Permission.SEE, menu="Access"),
    Page(path=f"{PATH}/approve/{{who}}/{{device}}", handler=approve, permission=Permission.SEE),
    Page(path=f"{PATH}/lists", handler=lists, permission=Permission.SEE),
    Page(path=f"{PATH}/decide", handler=decide, permission=Permission.TEND, methods=("POST",)),
    *(
        Page(path=f"{PATH}/{step}", handler=handler, permission=Permission.RULE, methods=("POST",))
        for step, handler in (
            ("default", set_default), ("rules/add", add_rule), ("rules/move", move_rule),
            ("rules/remove", remove_rule), ("lists/set", set_list), ("lists/import", import_lists),
            ("lists/limit", set_limit),
        )
    ),
)

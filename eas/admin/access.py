"""Which phones come in: rules, the default, the queue of those that wait to be approved, lists and numbers of devices.

What changes here counts with a device's next request; those that wait for news and for whom something changes are
answered, so that this comes now. docs/access.md.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from eas.backends.embedded import admin as embedded
from eas.backends.embedded.roll import Enrolled, addresses, memberships, roll
from eas.engine.access import (
    BadPattern,
    Book,
    Characteristic,
    Decision,
    Facts,
    Rule,
    checked,
    decide,
    facts_of,
    fits,
)
from eas.engine.model import Access, Device, Level, User
from eas.engine.policybook import Assignee
from eas.store.access import is_listed

from .acting import Permission, action
from .actions import _find_device, _people
from .conduct import LEVELS
from .errors import ActionError, Invalid, NotFound
from .kinds import kind_of
from .site import Site

Said = Literal["allow", "quarantine", "block"]
Verdict = Literal["allow", "quarantine", "block", "none"]

_ACCESS: Mapping[str, Access] = {
    "allow": Access.ALLOWED, "quarantine": Access.QUARANTINED, "block": Access.BLOCKED, "none": Access.NONE,
}


# Rules ----------------------------------------------------------------------------------------------------------------


@action("access.rules", Permission.SEE, http=("GET", "/access"))
async def rules(site: Site) -> dict[str, Any]:
    """`default`, and the `rules` in the order in which they are asked."""
    book = await site.access.book()
    return {"default": book.default.value, "rules": [_rule(one) for one in book.rules]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "number": rule.id, "priority": rule.priority, "level": rule.level.value, "note": rule.note,
        "match": {name.value: pattern for name, pattern in rule.match.items()}, "words": rule.words or "every device",
    }


@action("access.rule.add", Permission.RULE, http=("POST", "/access/rules"), about="")
async def add_rule(
    site: Site, level: Said, match: dict[str, str], *, priority: int = 100, note: str = ""
) -> dict[str, Any]:
    """`match`: patterns by characteristic (type, model, os, agent, version, user, group, network), all of which must
    fit; `*` and `?` stand for anything and for one character, `|` is between alternatives."""
    before = await site.access.book()
    rule = Rule(id=0, level=Level(level), match=_checked(match), priority=_priority(priority), note=note.strip()[:200])
    number = await site.access.add_rule(rule)
    rule = replace(rule, id=number)
    await _let_meet(site, before, rule)
    return _rule(rule)


@action("access.rule.change", Permission.RULE, http=("PUT", "/access/rules/{number}"), about="")
async def change_rule(
    site: Site, number: int, *, level: Said | None = None, match: dict[str, str] | None = None,
    priority: int | None = None, note: str | None = None,
) -> dict[str, Any]:
    """What is given is changed, and nothing else."""
    before = await site.access.book()
    old = _of(before, number)
    rule = replace(
        old, level=old.level if level is None else Level(level), match=old.match if match is None else _checked(match),
        priority=old.priority if priority is None else _priority(priority),
        note=old.note if note is None else note.strip()[:200],
    )
    if not await site.access.save_rule(rule):
        raise NotFound(f"there is no rule {number}")
    await _let_meet(site, before, old, rule)
    return _rule(rule)


@action("access.rule.remove", Permission.RULE, http=("DELETE", "/access/rules/{number}"), about="")
async def remove_rule(site: Site, number: int) -> None:
    before = await site.access.book()
    rule = _of(before, number)
    await site.access.remove_rule(number)
    await _let_meet(site, before, rule)


@action("access.default", Permission.RULE, http=("PUT", "/access/default"), about="")
async def set_default(site: Site, level: Said) -> None:
    """What holds for a device that no rule fits."""
    before = await site.access.book()
    await site.access.set_default(Level(level))
    await _let_meet(site, before)


def _of(book: Book, number: int) -> Rule:
    found = next((rule for rule in book.rules if rule.id == number), None)
    if found is None:
        raise NotFound(f"there is no rule {number}")
    return found


def _checked(match: Mapping[str, str]) -> dict[Characteristic, str]:
    try:
        found = checked(match)
    except BadPattern as error:
        raise Invalid(str(error)) from None
    if not found:
        raise Invalid("a rule needs at least one characteristic; what holds for all is the default")
    return found


def _priority(number: int) -> int:
    if not 1 <= number <= 9999:
        raise Invalid("a priority is a number from 1 (asked first) to 9999")
    return number


async def _let_meet(site: Site, before: Book, *changed: Rule) -> None:
    """End the waits of the devices for which the rules say something else now. Where a device is cannot be known from
    here: of rules that ask for it, it is taken for granted. Who was answered for nothing waits again."""
    after, now = await site.access.book(), datetime.now(UTC)
    people, groups = await site.groupware.read(roll), await site.groupware.read(memberships)
    names = await site.groupware.read(addresses)
    anywhere = [_anywhere(rule) for rule in changed if Characteristic.NETWORK in rule.match]
    for device in await site.store.devices(None):
        user = _user(people, device.user_id, names.get(device.user_id, ()))
        facts = facts_of(device, user, groups=groups.get(device.user_id, ()))
        levels = {decide(device, facts, book, site.terms, now).level for book in (before, after)}
        if len(levels) > 1 or any(fits(rule, facts) for rule in anywhere):
            site.tell({"do": "end", "user": device.user_id, "device": device.id})


def _anywhere(rule: Rule) -> Rule:
    return replace(rule, match={name: one for name, one in rule.match.items() if name is not Characteristic.NETWORK})


def _user(people: Mapping[str, Enrolled], user_id: str, names: Sequence[str]) -> User:
    known = people.get(user_id)
    if known is None:
        return User(id=user_id, login=user_id, address=user_id, addresses=(), name="")
    return User(id=user_id, login=known.login, address=known.address, addresses=tuple(names), name=known.name)


# Devices by name ------------------------------------------------------------------------------------------------------


@action("access.queue", Permission.SEE, http=("GET", "/access/queue"))
async def queue(site: Site) -> list[dict[str, Any]]:
    """The devices in quarantine, and those of which nobody decided in time; the longest waiting first."""
    people = await site.groupware.read(roll)
    found = [await site.store.device(*name) for name in await site.access.waiting()]
    devices = [one for one in found if one is not None and one.admission is not None]
    return sorted((_waiting(one, people, site) for one in devices), key=lambda one: str(one["since"]))


def _waiting(device: Device, people: Mapping[str, Enrolled], site: Site) -> dict[str, Any]:
    known, noted, told = people.get(device.user_id), device.admission, device.information
    assert noted is not None
    expires = timedelta(days=site.terms.quarantine_days)
    return {
        "user": known.login if known else device.user_id, "address": known.address if known else device.user_id,
        "name": known.name if known else "", "device": device.id, "type": device.type,
        "kind": kind_of(device.type, device.agent, told.get("OS", "")), "model": told.get("Model", ""),
        "friendly_name": told.get("FriendlyName", ""), "os": told.get("OS", ""), "agent": device.agent,
        "version": device.version, "first_seen": _iso(device.first_seen), "last_seen": _iso(device.last_seen),
        "since": _iso(noted.quarantined), "by": noted.by, "why": noted.why, "expired": noted.level is Level.BLOCK,
        "until": _iso(noted.quarantined + expires) if expires and noted.quarantined is not None else None,
    }


@action("access.decide", Permission.TEND, http=("POST", "/users/{who}/devices/{device_id}/access"))
async def decide_on(
    site: Site, who: str, device_id: str, verdict: Verdict, *, until: datetime | None = None, reason: str = ""
) -> dict[str, Any]:
    """Decide of one device by name: `allow`, `quarantine` or `block`, for good or until a time; `none` leaves it to
    the rules again. A device that waits hears of it at once."""
    if until is not None:
        until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
        if until <= datetime.now(UTC):
            raise Invalid("that time is over already")
    user_id, _ = await _find_device(site, who, device_id)
    await site.store.set_access(user_id, device_id, _ACCESS[verdict], until=until, reason=reason.strip()[:200])
    site.tell({"do": "end", "user": user_id, "device": device_id})
    return await _explained(site, who, device_id, "")


@action("access.test", Permission.SEE, http=("GET", "/users/{who}/devices/{device_id}/access"))
async def explain(site: Site, who: str, device_id: str, address: str = "") -> dict[str, Any]:
    """What would happen to a device now, and why: `level`, `by`, `why`, and every step of the order. `address`: as if
    it came from there; without it no rule on networks fits."""
    return await _explained(site, who, device_id, address)


async def _explained(site: Site, who: str, device_id: str, address: str) -> dict[str, Any]:
    user_id, device = await _find_device(site, who, device_id)
    user, groups = await _user_of(site, user_id)
    facts = facts_of(device, user, groups=groups, address=address)
    found = decide(device, facts, await site.access.book(), site.terms, datetime.now(UTC))
    return {
        "user": user.login, "device": device.id, **_decision(found), "personal": device.access.value,
        "personal_until": _iso(device.access_until), "on_list": device.listed,
        "steps": _steps(await site.access.book(), facts),
    }


@action("access.try", Permission.SEE, http=("GET", "/access/test"), about="")
async def try_out(
    site: Site, *, type: str = "", model: str = "", os: str = "", agent: str = "", version: str = "16.1", who: str = "",
    address: str = "",
) -> dict[str, Any]:
    """What would happen to a device that is not there yet. Without model and system: before it has told them."""
    user = User(id="", login="", address="", addresses=(), name="")
    groups: Sequence[str] = ()
    if who:
        async with _people(site) as people:
            user, groups = await _user_of(site, (await people.user(who)).id)
    listed = await site.access.listed(user.id, "") if who else None
    now = datetime.now(UTC)
    told = {name: value for name, value in (("Model", model), ("OS", os)) if value}
    device = Device(
        user_id=user.id, id="", type=type, agent=agent, version=version, information=told, first_seen=now, listed=listed
    )
    facts = facts_of(device, user, groups=groups, address=address)
    book = await site.access.book()
    return {**_decision(decide(device, facts, book, site.terms, now)), "steps": _steps(book, facts)}


async def _user_of(site: Site, user_id: str) -> tuple[User, Sequence[str]]:
    """With all addresses."""
    async with _people(site) as people:
        account = await people.user(user_id)
    named = (account.address, *account.aliases)
    user = User(id=user_id, login=account.login, address=account.address, addresses=named, name="")
    return user, await site.people.groups_of(user_id)


def _decision(found: Decision) -> dict[str, Any]:
    return {
        "level": found.level.value, "access": LEVELS[found.level], "by": found.by, "why": found.why,
        "until": _iso(found.until),
    }


def _steps(book: Book, facts: Facts) -> list[dict[str, Any]]:
    """The rules in order with whether each fits, and the default."""
    asked = [{**_rule(one), "fits": fits(one, facts)} for one in book.rules]
    return [*asked, {"number": None, "level": book.default.value, "words": "the default", "fits": True}]


# Lists and numbers ----------------------------------------------------------------------------------------------------


@action("access.list", Permission.SEE, http=("GET", "/users/{who}/device-list"))
async def device_list(site: Site, who: str) -> list[str]:
    """The only devices that a user may have; empty: there is no list."""
    async with _people(site) as people:
        user_id = (await people.user(who)).id
    return list((await site.access.lists(user_id)).get(user_id, ()))


@action("access.lists", Permission.SEE, http=("GET", "/access/lists"))
async def device_lists(site: Site) -> list[dict[str, str]]:
    """All lists: a `user` and a `device` in each line."""
    people = await site.groupware.read(roll)
    return [
        {"user": people[user_id].login if user_id in people else user_id, "device": device}
        for user_id, devices in (await site.access.lists()).items() for device in devices
    ]


@action("access.list.set", Permission.RULE, http=("PUT", "/users/{who}/device-list"))
async def set_device_list(site: Site, who: str, devices: list[str]) -> None:
    """Only these devices of the user come in, but for those that are allowed by name; none: no list any more."""
    async with _people(site) as people:
        user_id = (await people.user(who)).id
    await _set_list(site, user_id, devices)


async def _set_list(site: Site, user_id: str, devices: Sequence[str]) -> None:
    wanted = [one for device in devices if (one := device.strip())]
    await site.access.set_list(user_id, wanted)
    for device in await site.store.devices(user_id):
        if not is_listed(device.id, wanted) and wanted:
            site.tell({"do": "end", "user": user_id, "device": device.id})


@action("access.list.import", Permission.RULE, http=("POST", "/access/lists"), secret=("table",), about="")
async def import_lists(site: Site, table: str) -> dict[str, Any]:
    """A table of users and device ids (CSV, one device a line; a first line "user,device" is passed over) is added to
    the lists. All or nothing. How many devices of how many users."""
    wanted: dict[str, list[str]] = {}
    faults: list[str] = []
    for number, row in enumerate(csv.reader(table.replace(";", ",").splitlines()), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and [cell.casefold() for cell in cells[:2]] == ["user", "device"]):
            continue
        try:
            if len(cells) < 2 or not cells[0] or not cells[1]:
                raise Invalid("a user and a device are wanted")
            async with _people(site) as people:
                wanted.setdefault((await people.user(cells[0])).id, []).append(cells[1])
        except ActionError as error:
            faults.append(f"line {number}: {error}")
    if faults:
        raise Invalid("; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else ""))
    known = await site.access.lists()
    for user_id, devices in wanted.items():
        await _set_list(site, user_id, [*known.get(user_id, ()), *devices])
    return {"users": len(wanted), "devices": sum(map(len, wanted.values()))}


@action("access.limits", Permission.SEE, http=("GET", "/access/limits"))
async def limits(site: Site) -> list[dict[str, Any]]:
    """How many devices users and members of groups may have, where that is not `limits.max_devices`; 0: any number."""
    people = await site.groupware.read(roll)
    return [
        {
            "whose": people[subject].login if assignee is Assignee.USER and subject in people else subject,
            "kind": assignee.value, "most": most,
        }
        for (assignee, subject), most in sorted((await site.access.limits()).items())
    ]


@action("access.limit.set", Permission.RULE, http=("PUT", "/access/limits/{whose}"), about="")
async def set_limit(site: Site, whose: str, most: int | None) -> None:
    """For a user (login or address) or a group (name or address): so many devices, 0 for any number; None takes it
    back. Devices that are there stay."""
    if most is not None and most < 0:
        raise Invalid("a number of devices is wanted, 0 for any")
    await site.access.set_limit(*await _subject(site, whose), most)


async def _subject(site: Site, whose: str) -> tuple[Assignee, str]:
    try:
        return Assignee.USER, (await site.people.user(whose)).id
    except embedded.NotThere:
        pass
    wanted = whose.casefold()
    for group in await site.people.groups():
        if wanted in (group.name.casefold(), group.address.casefold()):
            return Assignee.GROUP, group.name
    raise NotFound(f"no user or group {whose}")


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None



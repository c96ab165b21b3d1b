"""Policies that come to devices in stages: begin, go on, pause, take back, finish; and how it stands.

The stages are data (`eas.engine.policybook.Roll`); a running server goes through those that have a time and pauses a
roll-out over which too many devices fail (`eas.app.staging`), by `advance` here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from eas.engine.foresight import FAILING, Standing, standing
from eas.engine.model import Device, Policy
from eas.engine.policybook import Assignment, Book, Roll, Step, changed

from . import policies as files
from .acting import Permission, action
from .errors import Invalid, NotFound, Refused
from .policy_actions import EVERYBODY, changing, subject_of
from .policy_fleet import Fleet, fleet_of
from .site import Site

#: Of the devices that a stage reaches so many percent may fail, where nothing else is said.
FAIL_PERCENT = 10
#: Failures below this number pause nothing: one of two devices is no tenth of a fleet.
FEWEST_FAILING = 2
#: A roll-out that reaches all is finished by itself after so long without having been paused.
FINISHED_AFTER = timedelta(days=7)

_STEP = re.compile(r"(?P<percent>\d{1,3})%?@(?P<at>\S+)")


# What is asked --------------------------------------------------------------------------------------------------------


def reach(told: Sequence[str]) -> tuple[int | None, tuple[str, ...]]:
    """Of "10%" and "group=Sales", in any number. Raises Invalid."""
    percent: int | None = None
    groups: list[str] = []
    for one in told:
        if one.startswith("group="):
            groups.append(one.removeprefix("group=").strip())
        elif (digits := one.removesuffix("%")).isascii() and digits.isdigit() and int(digits) <= 100:
            percent = int(digits)
        else:
            raise Invalid(f"{one} is neither a percentage as 10% nor a group as group=Sales")
    return percent, tuple(groups)


def steps(told: Sequence[str], now: datetime) -> tuple[Step, ...]:
    """Of "50%@2027-01-31T08:00", or "50%@+24h" and "+30m" from now. Raises Invalid."""
    found = []
    for one in told:
        match = _STEP.fullmatch(one)
        if match is None or int(match["percent"]) > 100:
            raise Invalid(f"{one} is no step as 50%@2027-01-31T08:00 or 50%@+24h")
        found.append(Step(at=_at(match["at"], now), percent=int(match["percent"])))
    return tuple(sorted(found, key=lambda step: step.at))


def _at(text: str, now: datetime) -> datetime:
    if match := re.fullmatch(r"\+(\d{1,5})([mhd])", text):
        unit = {"m": "minutes", "h": "hours", "d": "days"}[match[2]]
        return now + timedelta(**{unit: int(match[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text} is no time as 2027-01-31T08:00 or +24h") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


# Acting ---------------------------------------------------------------------------------------------------------------


@action("policy.roll", Permission.RULE, http=("POST", "/policy-rolls/{name}"), about="")
async def roll_policy(
    site: Site, name: str, to: Sequence[str] = (), *, document: dict[str, Any] | None = None, whose: str = "",
    rank: int = 0, then: Sequence[str] = (), fail_percent: int | None = None,
) -> dict[str, Any]:
    """Begin a roll-out, or bring one further. To begin: `document` is what the policy shall say, `whose` the user or
    group who shall have it (one of them, or both). `to` is how far it reaches: "10%" of the devices, "group=Sales", or
    both; `then` what follows by itself: "50%@2027-01-31T08:00", "100%@+48h". It pauses when more than `fail_percent`
    of the devices that it reaches do not take it."""
    now = datetime.now(UTC)
    percent, groups = reach(to)
    for group in groups:
        await _known_group(site, group)
    candidate = None if document is None else replace(files.parse(document, name, name), name=name)
    assignment = await _assignment(site, name, whose, rank)
    if fail_percent is not None and not 0 <= fail_percent <= 100:
        raise Invalid("the percentage of failures is from 0 to 100")
    coming = steps(then, now)

    def change(book: Book, there: Roll | None) -> Roll:
        at = there or _begun(book, name, candidate, assignment, now)
        if there is not None and (candidate is not None or assignment is not None):
            raise Refused(f"a roll-out of {name} is under way: finish it or take it back before another one")
        return replace(
            at, percent=at.percent if percent is None else percent,
            groups=tuple(dict.fromkeys((*at.groups, *groups))), steps=coming or at.steps,
            fail_percent=at.fail_percent if fail_percent is None else fail_percent, paused=False, reason="", moved=now,
        )

    async with changing(site):
        await site.store.policing.roll(name, change)
    return await roll_status(site, name)


def _begun(
    book: Book, name: str, candidate: Policy | None, assignment: Assignment | None, now: datetime
) -> Roll:
    if candidate is None and assignment is None:
        raise NotFound(f"no roll-out of {name} is under way; to begin one say what the policy shall be, or whose")
    if candidate is None and name not in book.documents:
        raise NotFound(f"no policy {name} is stored")
    if assignment is None and name not in book.documents and name != EVERYBODY:
        raise Invalid(f"{name} is new and nobody's: say who shall have it")
    return Roll(policy=name, candidate=candidate, assignment=assignment, started=now, moved=now)


async def _assignment(site: Site, name: str, whose: str, rank: int) -> Assignment | None:
    if not whose:
        return None
    assignee, subject = await subject_of(site, whose)
    return Assignment(assignee=assignee, subject=subject, policy=name, rank=rank)


async def _known_group(site: Site, name: str) -> None:
    if all(group.name != name for group in await site.people.groups()):
        raise NotFound(f"no group is named {name}")


@action("policy.roll-pause", Permission.RULE, http=("POST", "/policy-rolls/{name}/pause"), about="")
async def pause_roll(site: Site, name: str, reason: str = "") -> dict[str, Any]:
    """It goes no further, and who has the new policy keeps it."""
    await _move(site, name, lambda roll: replace(roll, paused=True, reason=reason or "by the administrator"))
    return await roll_status(site, name)


@action("policy.roll-resume", Permission.RULE, http=("POST", "/policy-rolls/{name}/resume"), about="")
async def resume_roll(site: Site, name: str) -> dict[str, Any]:
    """What has failed so far is counted anew from now on."""
    now = datetime.now(UTC)
    await _move(site, name, lambda roll: replace(roll, paused=False, reason="", moved=now))
    return await roll_status(site, name)


@action("policy.roll-back", Permission.RULE, http=("POST", "/policy-rolls/{name}/back"), about="")
async def take_back_roll(site: Site, name: str) -> None:
    """All devices have again what they had before; those that have the new policy are asked again."""
    await _move(site, name, lambda roll: None)


@action("policy.roll-finish", Permission.RULE, http=("POST", "/policy-rolls/{name}/finish"), about="")
async def finish_roll(site: Site, name: str) -> None:
    """For all from now on, as if it had been written at once. There is no way back but another change."""
    async with changing(site):
        if not await site.store.policing.finish(name):
            raise NotFound(f"no roll-out of {name} is under way")


async def _move(site: Site, name: str, change: Callable[[Roll], Roll | None]) -> None:
    def work(book: Book, there: Roll | None) -> Roll | None:
        if there is None:
            raise NotFound(f"no roll-out of {name} is under way")
        return change(there)

    async with changing(site):
        await site.store.policing.roll(name, work)


# How it stands --------------------------------------------------------------------------------------------------------


@action("policy.rolls", Permission.SEE, http=("GET", "/policy-rolls"))
async def rolls(site: Site) -> list[dict[str, Any]]:
    """All that are under way."""
    fleet = await fleet_of(site)
    return [_status(fleet, roll) for roll in fleet.book.rolls]


@action("policy.roll-status", Permission.SEE, http=("GET", "/policy-rolls/{name}"), about="")
async def roll_status(site: Site, name: str) -> dict[str, Any]:
    """How many devices it concerns, reaches, and how they have taken it; with those that fail."""
    fleet = await fleet_of(site)
    for roll in fleet.book.rolls:
        if roll.policy == name:
            return _status(fleet, roll)
    raise NotFound(f"no roll-out of {name} is under way")


def _status(fleet: Fleet, roll: Roll) -> dict[str, Any]:
    concerned, stands = progress(fleet, roll)
    counts = Counter(stand for _, stand in stands)
    failing = [(device, stand) for device, stand in stands if stand in FAILING]
    return {
        "policy": roll.policy, "percent": roll.percent, "groups": list(roll.groups), "paused": roll.paused,
        "reason": roll.reason, "steps": [{"at": step.at.isoformat(), "percent": step.percent} for step in roll.steps],
        "started": roll.started.isoformat(), "moved": roll.moved.isoformat(),
        "fail_percent": FAIL_PERCENT if roll.fail_percent is None else roll.fail_percent,
        "new_document": None if roll.candidate is None else dict(files.as_json(roll.candidate)),
        "given_to": _given(fleet, roll), "devices": concerned, "reached": len(stands), "failing": len(failing),
        "counts": {stand.value: counts[stand] for stand in Standing if counts[stand]},
        "failures": [
            {"user": fleet.login(device.user_id), "address": fleet.address(device.user_id), "device": device.id,
             "standing": stand.value}
            for device, stand in failing[:200]
        ],
    }


def _given(fleet: Fleet, roll: Roll) -> str:
    if roll.assignment is None:
        return ""
    subject = roll.assignment.subject
    return fleet.login(subject) if subject in fleet.people else subject


def progress(fleet: Fleet, roll: Roll) -> tuple[int, list[tuple[Device, Standing]]]:
    """How many devices the roll-out is about, and where each stands that it reaches: about those for which it changes
    what is in force."""
    others = [one for one in fleet.book.rolls if one.policy != roll.policy]
    before, after = changed(fleet.book, others), changed(fleet.book, fleet.book.rolls)
    concerned, stands = 0, []
    for device in fleet.devices:
        new = fleet.policy(device, after)
        old = fleet.policy(device, before)
        if new is old or new == old:
            continue
        concerned += 1
        if roll.reaches(device.user_id, device.id, fleet.groups.get(device.user_id, ())):
            stands.append((device, standing(device, new, roll.moved)))
    return concerned, stands


# By itself ------------------------------------------------------------------------------------------------------------


async def advance(site: Site, fail_percent: int = FAIL_PERCENT) -> list[str]:
    """What a running server does from time to time: the next steps whose time has come, a pause where too many fail,
    the end of what has reached all long ago. What was done, in words."""
    fleet = await fleet_of(site)
    done: list[str] = []
    for roll in fleet.book.rolls:
        if said := await _advance(site, fleet, roll, fail_percent):
            done.append(said)
    return done


async def _advance(site: Site, fleet: Fleet, roll: Roll, fail_percent: int) -> str:
    if roll.paused:
        return ""
    if why := too_many_fail(fleet, roll, fail_percent):
        await pause_roll(site, roll.policy, why)
        return f"{roll.policy} paused: {why}"
    step = roll.due(fleet.now)
    if step is not None:
        left = tuple(one for one in roll.steps if one.at > step.at)
        moved = replace(roll, percent=max(roll.percent, step.percent), steps=left, moved=fleet.now)
        await _move(site, roll.policy, lambda there: moved if there == roll else there)
        return f"{roll.policy} reaches {moved.percent} %"
    if roll.whole and not roll.steps and fleet.now - roll.moved > FINISHED_AFTER:
        await finish_roll(site, roll.policy)
        return f"{roll.policy} finished"
    return ""


def too_many_fail(fleet: Fleet, roll: Roll, fail_percent: int) -> str:
    """Why it has to pause, in words; "" if it has not."""
    most = fail_percent if roll.fail_percent is None else roll.fail_percent
    _, stands = progress(fleet, roll)
    failing = sum(stand in FAILING for _, stand in stands)
    if failing < FEWEST_FAILING or failing * 100 <= most * len(stands):
        return ""
    return f"{failing} of {len(stands)} devices do not take it, more than {most} %"

"""What an admin can do with policies: write them, give them to people, groups and single devices, and see what they
would do. Roll-outs in stages are in `policy_rolls`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from eas.backends.embedded import admin as embedded
from eas.engine.compliance import offered, withheld
from eas.engine.families import family_of, ignoring, refusing
from eas.engine.foresight import Standing, standing, version_of
from eas.engine.model import Device, Policy
from eas.engine.policybook import FLAGS, Assignee, Book, PolicyError, chain, check, in_force
from eas.engine.quirks import quirks_of
from eas.items.policy_settings import BY_NAME, OF_SERVER, SETTINGS, Setting
from eas.store import DEFAULT_POLICY

from . import policies as files
from .acting import Permission, action
from .actions import _find_device, _find_group
from .errors import Invalid, NotFound, Refused
from .policy_fleet import WHY, Fleet, ask_again, fleet_of, trial
from .site import Site

#: The name under which a policy is that of all who have none of their own.
EVERYBODY = DEFAULT_POLICY.name
#: What a scope may be, besides the name of a user or group.
ALL, HOLDERS = "all", "holders"


@asynccontextmanager
async def changing(site: Site) -> AsyncIterator[None]:
    """A change of the policies: what does not fit is said in our words, and whoever has to take what is new is asked
    at once."""
    before = await fleet_of(site)
    try:
        yield
    except PolicyError as error:
        raise Refused(str(error)) from error
    ask_again(site, before, await site.store.policing.book())


# Documents ------------------------------------------------------------------------------------------------------------


@action("policy.list", Permission.SEE, http=("GET", "/policies"))
async def policies(site: Site) -> list[dict[str, Any]]:
    """All as they are written, with those who have them in words and how many devices they are in force for."""
    fleet = await fleet_of(site)
    used: dict[str, int] = {}
    for device in fleet.devices:
        name = fleet.policy(device).name
        used[name] = used.get(name, 0) + 1
    rolling = {roll.policy for roll in fleet.book.rolls}
    return [
        {
            **files.as_json(found), "assigned": assigned(fleet, found.name), "devices": used.get(found.name, 0),
            "rolling_out": found.name in rolling, "stored": found.name in fleet.book.documents,
        }
        for found in await site.store.policies()
    ]


def assigned(fleet: Fleet, name: str) -> list[str]:
    book = fleet.book
    users = [fleet.login(one.subject) for one in book.users.values() if one.policy == name]
    groups = [one.subject for one in book.groups.values() if one.policy == name]
    devices = [f"{fleet.login(one.user_id)}/{one.device_id}" for one in book.devices.values() if one.policy == name]
    return [*sorted(users), *sorted(groups), *sorted(devices)]


@action("policy.show", Permission.SEE, http=("GET", "/policies/{name}"), about="")
async def policy(site: Site, name: str) -> dict[str, Any]:
    """The policy of that name as it is written, with what is in force of it and where each setting comes from; else
    the one of that user or group."""
    book = await site.store.policing.book()
    if name not in book.documents and name != EVERYBODY:
        name = await _policy_of(site, book, name)
    whole = book.policy(name)
    return {
        **files.as_json(book.documents.get(name, DEFAULT_POLICY)),
        "in_force": [_setting(whole, BY_NAME[setting]) for setting in _ordered(whole)],
        "flags": {flag: {"value": getattr(whole, flag), "from": whole.origins.get(flag, name)} for flag in FLAGS},
    }


async def _policy_of(site: Site, book: Book, whose: str) -> str:
    assignee, subject = await subject_of(site, whose)
    if assignee is Assignee.USER:
        return (await site.store.policy(subject)).name
    if subject not in book.groups:
        raise NotFound(f"{whose} has no policy of its own")
    return book.groups[subject].policy


def _ordered(whole: Policy) -> list[str]:
    return [setting.name for setting in (*SETTINGS, *OF_SERVER) if setting.name in whole.settings]


def _setting(whole: Policy, setting: Setting) -> dict[str, Any]:
    text = whole.settings[setting.name]
    return {
        "setting": setting.name, "title": setting.title, "value": text, "words": setting.words(text),
        "from": whole.origins.get(setting.name, whole.name), "insisted": setting.name in whole.insist,
    }


@action("policy.settings", Permission.SEE, http=("GET", "/policy-settings"))
async def settings(site: Site, name: str = "") -> list[dict[str, Any]]:
    """All that a policy can say, or one of it, with its bounds and what it means to the owner of a phone."""
    known = [one for one in (*SETTINGS, *OF_SERVER) if not name or one.name.casefold() == name.casefold()]
    if not known:
        raise NotFound(f"no setting {name}; `eas policy help` lists them")
    return [described(one) for one in known]


def described(setting: Setting) -> dict[str, Any]:
    return {
        "name": setting.name, "group": setting.group.value, "title": setting.title, "bounds": setting.kind.bounds,
        "default": setting.default, "since": "" if setting in OF_SERVER else setting.spoken.since.text,
        "help": setting.help, "kept_by_server": setting.kept, "ignored_by": list(ignoring(setting.name)),
        "refused_by": list(refusing(setting.name)),
    }


@action("policy.put", Permission.RULE, http=("PUT", "/policies/{name}"), about="")
async def put_policy(site: Site, name: str, document: dict[str, Any]) -> str:
    """Write a policy, for all who have it; `document` as in a policy file. The policy's name."""
    read = replace(files.parse(document, name, name), name=name)
    async with changing(site):
        await not_rolling(site, name)
        await site.store.save_policy(read)
    return name


@action("policy.remove", Permission.RULE, http=("DELETE", "/policies/{name}"), about="")
async def remove_policy(site: Site, name: str) -> None:
    """With its assignments, and its roll-out if there is one. Refused where others are based on it."""
    async with changing(site):
        if not await site.store.remove_policy(name):
            raise NotFound(f"no policy {name} is stored")


async def not_rolling(site: Site, name: str) -> None:
    """Raises Refused: what is being brought to devices in stages does not change under way."""
    if any(roll.policy == name for roll in (await site.store.policing.book()).rolls):
        raise Refused(f"a roll-out of {name} is under way: finish it (--finish) or take it back (--back) first")


# Whose ----------------------------------------------------------------------------------------------------------------


@action("policy.set", Permission.RULE, about="whose")
async def set_policy(site: Site, whose: str, document: dict[str, Any], rank: int = 0) -> str:
    """Give a user or group, or everybody else (`default`), the policy that is written down here. The policy's name."""
    read = files.parse(document, whose, "policy")
    if whose == EVERYBODY:
        return await put_policy(site, EVERYBODY, {**document, "name": EVERYBODY})
    if read.name == EVERYBODY:
        raise Invalid(f"the name {EVERYBODY} is that of the policy for everybody else")
    assignee, subject = await subject_of(site, whose)
    async with changing(site):
        await not_rolling(site, read.name)
        await site.store.set_policy(assignee, subject, read, rank)
    return read.name


@action("policy.assign", Permission.RULE, http=("POST", "/policies/{name}/assignments"), about="whose")
async def assign_policy(site: Site, name: str, whose: str, rank: int = 0) -> None:
    """Give a policy that is stored to a user or group. Of several groups of a user the lowest rank counts."""
    assignee, subject = await subject_of(site, whose)
    async with changing(site):
        await site.store.policing.assign(assignee, subject, name, rank)


@action("policy.clear", Permission.RULE, http=("DELETE", "/policy-assignments/{whose}"), about="whose")
async def clear_policy(site: Site, whose: str) -> None:
    """Take a user's or group's own policy away; the next one counts."""
    if whose == EVERYBODY:
        async with changing(site):
            if not await site.store.remove_policy(EVERYBODY):
                raise NotFound("the default policy is the built-in one")
        return
    assignee, subject = await subject_of(site, whose)
    async with changing(site):
        await site.store.clear_policy(assignee, subject)


@action("policy.override", Permission.RULE, http=("PUT", "/users/{who}/devices/{device_id}/policy"))
async def override_policy(site: Site, who: str, device_id: str, policy: str, until: str = "") -> None:
    """Give one device a policy of its own, which comes before its user's and the groups'. `until` is an ISO time, ""
    for ever."""
    user_id, _ = await _find_device(site, who, device_id)
    end = _moment(until) if until else None
    async with changing(site):
        await site.store.policing.override(user_id, device_id, policy, end)


@action("policy.clear-override", Permission.RULE, http=("DELETE", "/users/{who}/devices/{device_id}/policy"))
async def clear_override(site: Site, who: str, device_id: str) -> None:
    """The device has again what its user and the groups have."""
    user_id, _ = await _find_device(site, who, device_id)
    async with changing(site):
        if not await site.store.policing.override(user_id, device_id, None):
            raise NotFound(f"{device_id} has no policy of its own")


def _moment(text: str) -> datetime:
    """Raises Invalid for what is no time, or is over."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text} is no time as 2027-01-31T18:00") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at <= datetime.now(UTC):
        raise Invalid(f"{text} is over already")
    return at


async def subject_of(site: Site, whose: str) -> tuple[Assignee, str]:
    """A user's id or a group's name. Raises NotFound."""
    try:
        return Assignee.USER, (await site.people.user(whose)).id
    except embedded.NotThere:
        pass
    try:
        return Assignee.GROUP, (await _find_group(site, whose)).name
    except NotFound:
        raise NotFound(f"no user or group {whose}") from None


# In force -------------------------------------------------------------------------------------------------------------

#: Where a device stands, for people.
STANDS = {
    Standing.HOLDS: "holds it", Standing.PARTLY: "holds it, and said that it applied a part",
    Standing.ASKED: "has been given it and has not acknowledged it yet", Standing.PENDING: "is asked with its next "
    "request", Standing.OFFERED: "is not asked: the policy is only offered", Standing.STUCK: "was asked and does not "
    "take it", Standing.REFUSED: "said that it does not apply it", Standing.CANNOT: "cannot take all of it, and the "
    "policy allows no less: it is not let in",
}


@action("policy.effective", Permission.SEE, http=("GET", "/users/{who}/devices/{device_id}/policy"))
async def effective(site: Site, who: str, device_id: str) -> dict[str, Any]:
    """What is in force for a device: each setting with the policy that states it, whether the device is told, and
    where the device stands."""
    user_id, device = await _find_device(site, who, device_id)
    book = await site.store.policing.book()
    groups = await site.people.groups_of(user_id)
    found = book.found(user_id, groups, device_id, datetime.now(UTC))
    override = book.devices.get((user_id, device_id))
    stands = standing(device, found.policy)
    return {
        "device": device_id, "policy": found.policy.name, "by": found.by,
        "until": override.until.isoformat() if override and override.until and found.by == "device" else None,
        "standing": stands.value, "stands": STANDS[stands], "enforced": found.policy.enforced,
        "family": family_of(device).name, "settings": _told(device, found.policy),
    }


def _told(device: Device, whole: Policy) -> list[dict[str, Any]]:
    version, quirks = version_of(device), quirks_of(device)
    left, ignored = withheld(whole, version, quirks), family_of(device).ignores
    told = offered(whole, quirks)
    return [
        {
            **_setting(whole, BY_NAME[name]), "told": name in told and name not in left,
            "why_not": WHY.get(left.get(name, ""), ""), "ignored": name in ignored,
        }
        for name in _ordered(whole)
    ]


# Trials ---------------------------------------------------------------------------------------------------------------


@action("policy.try", Permission.SEE, http=("POST", "/policy-trials"), changes=False, about="")
async def try_policy(
    site: Site, document: dict[str, Any], scope: str = "", devices: Sequence[str] = ()
) -> dict[str, Any]:
    """Which devices would take a policy, which would not, and why; nothing is changed. `scope` is `all`, the name of a
    user or group, or `holders` (who has the policy of that name now, or is under one that is based on it: also what
    counts if nothing is said and there is such a policy). `devices` narrows it to those ids."""
    candidate = files.parse(document, "candidate", "policy")
    fleet = await fleet_of(site)
    documents = {**fleet.book.documents, candidate.name: candidate}
    try:
        check(documents, candidate.name)
    except PolicyError as error:
        raise Refused(str(error)) from error
    scope = scope or (HOLDERS if candidate.name in fleet.book.documents or candidate.name == EVERYBODY else ALL)
    chosen = {one.casefold() for one in devices}
    if scope == HOLDERS:
        after = replace(fleet.book.before(), documents=documents)
        names = [name for name in {*documents, EVERYBODY} if candidate.name in _line(documents, name)]
        pairs = [(one, fleet.policy(one, after)) for one in fleet.devices]
        pairs = [(one, policy) for one, policy in pairs if policy.name in names]
    else:
        whole = in_force(candidate.name, documents)
        fits = await _within(site, fleet, scope)
        pairs = [(one, whole) for one in fleet.devices if fits(one)]
    found = [(one, policy) for one, policy in pairs if not chosen or one.id.casefold() in chosen]
    return {"policy": candidate.name, "scope": scope, **trial(fleet, found)}


def _line(documents: Mapping[str, Policy], name: str) -> list[str]:
    return [one.name for one in chain(name, documents)]


async def _within(site: Site, fleet: Fleet, scope: str) -> Callable[[Device], bool]:
    """Whether a device is in the scope. Raises NotFound."""
    if scope == ALL:
        return lambda device: True
    assignee, subject = await subject_of(site, scope)
    if assignee is Assignee.USER:
        return lambda device: device.user_id == subject
    return lambda device: subject in fleet.groups.get(device.user_id, ())

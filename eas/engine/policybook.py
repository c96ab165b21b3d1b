"""Which policy is in force for a device: inheritance, whose policy counts, and staged roll-outs. Pure.

A policy may be based on another: what it does not state is that one's. Of the policies that concern a device one
counts: the device's own (until its end, if it has one), the user's, that of the user's group with the lowest rank, and
the one named "default", which is built in until the admin stores another under that name: there is always one to hand
out, since some clients take "no policy" for an error. Several are not mixed: that is what basing one on another is for.

A roll-out is a change of the book (another document, another assignment) that counts only for the devices which it
reaches so far. A device's place in it follows from a digest of the policy's name and the device, so that it is reached
again by the same percentage, in every process, and stays in while the percentage grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

from .model import Policy

#: Asks for nothing; offered, not enforced.
DEFAULT_POLICY = Policy()
FLAGS = ("enforced", "allow_partial", "allow_external", "allow_password_recovery")
#: Policies that may be based on one another in a row: a chain that nobody can follow any more is a mistake.
MAX_CHAIN = 8


class PolicyError(Exception):
    """The policies do not fit together; the text is for whoever wrote them."""


class Assignee(StrEnum):
    USER = "user"
    GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """`subject` is a user's id or a group's name, `policy` a policy's name. Of several groups of a user the lowest
    `rank` counts; of equal ones the first group by name."""

    assignee: Assignee
    subject: str
    policy: str
    rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A policy for one device alone; `until` None for ever."""

    user_id: str
    device_id: str
    policy: str
    until: datetime | None = None

    def counts(self, now: datetime) -> bool:
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From `at` on, so many percent."""

    at: datetime
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """A change that comes in stages: `candidate` in place of the document `policy` (None: it stays), `assignment`
    beside those that there are (None: none is new). It reaches `percent` of all devices and all those of `groups`;
    `steps` are yet to come. `moved` is when it reached further last. `fail_percent`: it pauses when more of the devices
    that it reaches fail (None: as the settings say). `reason` says why it is paused, for people. One that
    reaches all is kept for a while, so that it can be taken back."""

    policy: str
    candidate: Policy | None = None
    assignment: Assignment | None = None
    percent: int = 0
    groups: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    paused: bool = False
    reason: str = ""
    fail_percent: int | None = None
    started: datetime
    moved: datetime

    def reaches(self, user_id: str, device_id: str, groups: Sequence[str]) -> bool:
        if self.percent >= 100:
            return True
        if any(name in groups for name in self.groups):
            return True
        return self.percent > 0 and place(self.policy, user_id, device_id) < self.percent

    @property
    def whole(self) -> bool:
        return self.percent >= 100

    def due(self, now: datetime) -> Step | None:
        """The furthest step whose time has come; None if there is none, or while it is paused."""
        come = [step for step in self.steps if step.at <= now]
        return None if self.paused or not come else max(come, key=lambda step: (step.percent, step.at))


@lru_cache(65_536)
def place(policy: str, user_id: str, device_id: str) -> float:
    """Where a device stands in roll-outs of this policy: from 0 to below 100, evenly spread, always the same."""
    read = sha256("\0".join((policy, user_id, device_id)).encode()).digest()
    return int.from_bytes(read[:6], "big") * 100 / (1 << 48)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The policy in force, and by what it is the device's: "device", "user", "group NAME" or "default"."""

    policy: Policy
    by: str


@dataclass(slots=True, kw_only=True)
class Book:
    """All policies as they are stored, and whose they are. Not changed once it is made: it is made anew. `documents`
    by name, `users` by id, `groups` by name, `devices` by user's id and device's."""

    revision: int = 0
    documents: Mapping[str, Policy] = field(default_factory=dict)
    users: Mapping[str, Assignment] = field(default_factory=dict)
    groups: Mapping[str, Assignment] = field(default_factory=dict)
    devices: Mapping[tuple[str, str], Override] = field(default_factory=dict)
    rolls: Sequence[Roll] = ()
    _in_force: dict[str, Policy] = field(default_factory=dict)
    _after: dict[tuple[str, ...], Book] = field(default_factory=dict)

    def of(self, user_id: str, groups: Sequence[str], device_id: str, now: datetime) -> Policy:
        """`groups`: the user's, the most important first where their ranks are equal."""
        return self.found(user_id, groups, device_id, now).policy

    def found(self, user_id: str, groups: Sequence[str], device_id: str, now: datetime) -> Found:
        reached = tuple(roll.policy for roll in self.rolls if roll.reaches(user_id, device_id, groups))
        if reached:
            return self.after(reached).found(user_id, groups, device_id, now)
        name, by = self._whose(user_id, groups, device_id, now)
        return Found(policy=self.policy(name), by=by)

    def _whose(self, user_id: str, groups: Sequence[str], device_id: str, now: datetime) -> tuple[str, str]:
        override = self.devices.get((user_id, device_id)) if self.devices else None
        if override is not None and override.counts(now):
            return override.policy, "device"
        own = self.users.get(user_id)
        if own is not None:
            return own.policy, "user"
        theirs = [self.groups[name] for name in groups if name in self.groups] if self.groups else []
        if theirs:
            first = min(theirs, key=lambda one: one.rank)
            return first.policy, f"group {first.subject}"
        return DEFAULT_POLICY.name, "default"

    def policy(self, name: str) -> Policy:
        """As it is in force: with what it is based on. One that is not there restricts nothing."""
        found = self._in_force.get(name)
        if found is None:
            found = self._in_force[name] = in_force(name, self.documents)
        return found

    def after(self, policies: tuple[str, ...]) -> Book:
        """The book in which these roll-outs are over."""
        found = self._after.get(policies)
        if found is None:
            done = [roll for roll in self.rolls if roll.policy in policies]
            found = self._after[policies] = changed(self, done)
        return found

    def before(self) -> Book:
        """The book in which no roll-out has begun."""
        return replace(self, rolls=(), _in_force={}, _after={})


def changed(book: Book, rolls: Iterable[Roll]) -> Book:
    """With what these roll-outs change, for everybody, and without any that is under way."""
    documents, users, groups = dict(book.documents), dict(book.users), dict(book.groups)
    for roll in rolls:
        if roll.candidate is not None:
            documents[roll.policy] = roll.candidate
        if roll.assignment is not None:
            assigned = users if roll.assignment.assignee is Assignee.USER else groups
            assigned[roll.assignment.subject] = roll.assignment
    return Book(revision=book.revision, documents=documents, users=users, groups=groups, devices=book.devices)


# Inheritance ----------------------------------------------------------------------------------------------------------


def merged(parent: Policy, child: Policy) -> Policy:
    """The child over its parent: what it states counts, all else is the parent's. Associative."""
    flags = {name: getattr(parent if name in child.inherits else child, name) for name in FLAGS}
    return Policy(
        name=child.name, settings={**parent.settings, **child.settings}, **flags, based_on=parent.based_on,
        inherits=tuple(name for name in child.inherits if name in parent.inherits),
        insist=tuple(dict.fromkeys((*parent.insist, *child.insist))),
        origins={**_origins(parent), **_origins(child)},
    )


def _origins(policy: Policy) -> Mapping[str, str]:
    """Which policy states each setting and flag; this one, where nothing else is known."""
    stated = (*policy.settings, *(name for name in FLAGS if name not in policy.inherits))
    return {name: policy.origins.get(name, policy.name) for name in stated}


def chain(name: str, documents: Mapping[str, Policy]) -> list[Policy]:
    """The policy and those that it is based on, itself first. What is not there, or would come twice, ends it."""
    found: list[Policy] = []
    at = _named(name, documents)
    while at is not None and at not in found and len(found) < MAX_CHAIN:
        found.append(at)
        at = _named(at.based_on, documents) if at.based_on else None
    return found


def _named(name: str, documents: Mapping[str, Policy]) -> Policy | None:
    return documents.get(name) or (DEFAULT_POLICY if name == DEFAULT_POLICY.name else None)


def in_force(name: str, documents: Mapping[str, Policy]) -> Policy:
    line = chain(name, documents)
    if not line:
        return replace(DEFAULT_POLICY, name=name)
    whole = line[-1]
    for child in reversed(line[:-1]):
        whole = merged(whole, child)
    return replace(whole, based_on="", inherits=(), origins=_origins(whole))


def check(documents: Mapping[str, Policy], name: str) -> None:
    """Raises PolicyError if what the policy is based on is not there, or goes round in a circle."""
    seen = [name]
    while based_on := documents[seen[-1]].based_on:
        if based_on in seen:
            circle = " -> ".join((*seen[seen.index(based_on):], based_on))
            raise PolicyError(f"{name} would be based on itself: {circle}")
        if based_on not in documents and based_on != DEFAULT_POLICY.name:
            raise PolicyError(f"{seen[-1]} is based on {based_on}, which is not there")
        if len(seen) == MAX_CHAIN:
            raise PolicyError(f"{name} is based on more than {MAX_CHAIN - 1} policies in a row")
        if based_on not in documents:
            return
        seen.append(based_on)


def children(documents: Mapping[str, Policy], name: str) -> list[str]:
    """The policies that are based on this one themselves."""
    return sorted(one.name for one in documents.values() if one.based_on == name)

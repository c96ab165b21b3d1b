"""What a policy would do to a device, and where a device stands with the policy that it has: decided as the gate and
Provision decide it, before anything happens. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from eas.protocol.version import Version

from .compliance import answer_to, holds, offer, refresh_due, strict, withheld
from .families import family_of, refused_by
from .model import Device, Policy
from .quirks import Quirk, quirks_of

#: A device that was heard of so long after it was asked, and does not hold the policy, is not about to.
GRACE = timedelta(minutes=10)


class Outcome(StrEnum):
    """Of a policy that a device does not have yet."""

    SAME = "same"
    ASKED = "asked"
    PARTLY = "partly"
    OFFERED = "offered"
    LEGACY = "legacy"
    GIVES_UP = "gives-up"
    REFUSED = "refused"


#: What an outcome means, for people, and whether the device is locked out or may be.
MEANING: Mapping[Outcome, str] = {
    Outcome.SAME: "Nothing changes: the device holds this already.",
    Outcome.ASKED: "The device is asked again and can take all of it.",
    Outcome.PARTLY: "The device is asked again and gets the policy without some settings that it cannot take.",
    Outcome.OFFERED: "The policy is only offered: the device goes on, and takes it when it asks by itself.",
    Outcome.LEGACY: "The device has never asked for a policy. It is let in no more until it does; some never do.",
    Outcome.GIVES_UP: "The policy insists on a setting over which devices of this family give up the account.",
    Outcome.REFUSED: "The device cannot take all of it and the policy allows no less: it is let in no more.",
}
#: Those that lock a device out, or may.
LOCKED_OUT = frozenset({Outcome.LEGACY, Outcome.GIVES_UP, Outcome.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """`withheld` are settings that are not told, with why ("version" or "family"); `ignored` are told, and the family
    is known not to act on them."""

    outcome: Outcome
    withheld: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    family: str = ""
    warning: str = ""


def version_of(device: Device) -> Version:
    """In which it asked last; the newest where it has not asked yet."""
    try:
        return Version.parse(device.version)
    except ValueError:
        return Version.V16_1


class Foresight:
    """One policy against many devices: what does not depend on the single device is decided once."""

    def __init__(self, policy: Policy, now: datetime) -> None:
        self._policy = policy
        self._now = now
        self._offers: dict[tuple[Version, frozenset[Quirk]], tuple[str, Mapping[str, str]]] = {}

    def of(self, device: Device) -> Foreseen:
        quirks, policy, family = quirks_of(device), self._policy, family_of(device)
        digest, left = self._offer(version_of(device), quirks)
        told = [name for name in policy.settings if name not in left]
        return Foreseen(
            outcome=self._outcome(device, digest, left, quirks, family.provisions), withheld=left,
            ignored=tuple(name for name in told if name in family.ignores), family=family.name, warning=family.warning,
        )

    def _outcome(
        self, device: Device, digest: str, left: Mapping[str, str], quirks: Collection[Quirk], provisions: bool
    ) -> Outcome:
        policy = self._policy
        if strict(policy) and left:
            return Outcome.REFUSED
        if policy.enforced and not device.policy_key and not (provisions and device.offered_key):
            return Outcome.LEGACY
        if any(name in policy.insist and name in policy.settings for name in refused_by(quirks)):
            return Outcome.GIVES_UP
        if not policy.enforced:
            return Outcome.SAME if device.policy_key and holds(device, digest) else Outcome.OFFERED
        if device.policy_key and holds(device, digest) and not refresh_due(device, policy, self._now):
            return Outcome.SAME
        return Outcome.PARTLY if left else Outcome.ASKED

    def _offer(self, version: Version, quirks: frozenset[Quirk]) -> tuple[str, Mapping[str, str]]:
        found = self._offers.get((version, quirks))
        if found is None:
            found = offer(self._policy, version, quirks), withheld(self._policy, version, quirks)
            self._offers[version, quirks] = found
        return found


class Standing(StrEnum):
    """Of the policy that a device has."""

    HOLDS = "holds"
    PARTLY = "partly"
    ASKED = "asked"
    PENDING = "pending"
    OFFERED = "offered"
    STUCK = "stuck"
    REFUSED = "refused"
    CANNOT = "cannot"


#: Those in which a policy fails on a device.
FAILING = frozenset({Standing.STUCK, Standing.REFUSED, Standing.CANNOT})


def standing(device: Device, policy: Policy, since: datetime | None = None) -> Standing:
    """`since`: when the policy became the device's, None where that is not known: then nothing is called stuck."""
    quirks, version = quirks_of(device), version_of(device)
    digest = offer(policy, version, quirks)
    if strict(policy) and withheld(policy, version, quirks):
        return Standing.CANNOT
    answer = answer_to(device, digest)
    if answer == "not" or (answer == "partly" and not policy.allow_partial):
        return Standing.REFUSED
    if device.policy_key and holds(device, digest):
        return Standing.PARTLY if answer == "partly" else Standing.HOLDS
    if not policy.enforced:
        return Standing.OFFERED
    if since is not None and device.last_seen is not None and device.last_seen > since + GRACE:
        return Standing.STUCK
    return Standing.ASKED if device.offered_key and device.offered_digest == digest else Standing.PENDING

"""Which devices hold the policy that is in force for them. A handful of statements, whatever the number of devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eas.engine.compliance import holds, offer
from eas.engine.foresight import version_of
from eas.engine.model import Device, Policy
from eas.engine.quirks import Quirk, quirks_of
from eas.protocol.version import Version

from .policy_fleet import fleet_of
from .site import Site

#: What a device has acknowledged: what it would be offered now, something else, nothing.
CURRENT, OLDER, NONE = "current", "older", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A device and the policy that is in force for it (`enforced`: it is refused without); `holds` is one of CURRENT,
    OLDER, NONE."""

    user_id: str
    device_id: str
    version: str
    policy: str
    enforced: bool
    holds: str
    last_seen: datetime | None


async def compliance(site: Site) -> list[Held]:
    """Of all devices, by user and device."""
    fleet, offers = await fleet_of(site), _Offers()
    found = [_held(one, fleet.policy(one), offers) for one in fleet.devices]
    return sorted(found, key=lambda one: (one.user_id, one.device_id))


def counts(found: Sequence[Held]) -> list[dict[str, Any]]:
    """By policy: `devices`, and how many of them hold what; the policy with the most devices first."""
    of = Counter((one.policy, one.holds) for one in found)
    enforced = {one.policy: one.enforced for one in found}
    rows = [
        {"policy": policy, "enforced": enforced[policy], "devices": sum(of[policy, word] for word in _WORDS),
         **{word: of[policy, word] for word in _WORDS}}
        for policy in enforced
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row["devices"], row["policy"]))


_WORDS = (CURRENT, OLDER, NONE)


class _Offers:
    """Digests of what devices are told: the same for all of one policy, version and set of quirks."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Version, frozenset[Quirk]], str] = {}

    def of(self, policy: Policy, version: Version, quirks: frozenset[Quirk]) -> str:
        key = id(policy), version, quirks
        if key not in self._known:
            self._known[key] = offer(policy, version, quirks)
        return self._known[key]


def _held(device: Device, policy: Policy, offers: _Offers) -> Held:
    word = NONE
    if device.policy_key:
        digest = offers.of(policy, version_of(device), quirks_of(device))
        word = CURRENT if holds(device, digest) else OLDER
    return Held(
        user_id=device.user_id, device_id=device.id, version=device.version, policy=policy.name,
        enforced=policy.enforced, holds=word, last_seen=device.last_seen,
    )

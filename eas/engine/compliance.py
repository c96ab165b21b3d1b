"""Which policy a device is offered, and whether what it has acknowledged still holds. Pure.

A policy is filtered to what the device can take before its digest is made: to its version (`eas.items.policy`), and to
its family (`eas.engine.families`), but for the settings on which the administrator insists. Where no half measures are
wanted (`allow_partial` off), a device for which something is left out is refused instead of told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from eas.items.policy import REFRESH_INTERVAL, SETTINGS, beyond, digest
from eas.protocol.version import Version

from .families import refused_by
from .model import Device, Policy
from .quirks import Quirk

#: Between the digest and the time of the acknowledgement in `Device.policy_digest`, and before the digest in
#: `Device.policy_answer`.
_AT = "@"
_DEFAULTS = {setting.name: setting.default for setting in SETTINGS}


def offered(policy: Policy, quirks: Collection[Quirk]) -> Mapping[str, str]:
    """The settings that a device with these quirks is told, as far as its version knows them."""
    refused = refused_by(quirks)
    if not refused:
        return policy.settings
    return {name: text for name, text in policy.settings.items() if name not in refused or name in policy.insist}


def offer(policy: Policy, version: Version, quirks: Collection[Quirk]) -> str:
    """The digest of what the device is told."""
    return digest(offered(policy, quirks), version, policy.insist)


def withheld(policy: Policy, version: Version, quirks: Collection[Quirk]) -> Mapping[str, str]:
    """What restricts something and is not told: setting -> "version" or "family"."""
    found = dict.fromkeys(beyond(policy.settings, version, policy.insist), "version")
    refused = refused_by(quirks)
    for name, text in policy.settings.items() if refused else ():
        if name in refused and name not in policy.insist and text != _DEFAULTS.get(name):
            found.setdefault(name, "family")
    return found


def strict(policy: Policy) -> bool:
    """No half measures: whoever cannot take all of it is refused."""
    return policy.enforced and not policy.allow_partial


def acknowledged(policy: Policy, digest: str, now: datetime) -> str:
    """What is kept as `Device.policy_digest`: with the time where the policy has to be fetched again after a while."""
    return f"{digest}{_AT}{now.isoformat(timespec='seconds')}" if policy.settings.get(REFRESH_INTERVAL) else digest


def holds(device: Device, offer: str) -> bool:
    """Whether the device has acknowledged what it would be offered now."""
    return device.policy_digest.partition(_AT)[0] == offer


def answered(kind: str, offer: str) -> str:
    """What is kept as `Device.policy_answer`."""
    return f"{kind}{_AT}{offer}"


def answer_to(device: Device, offer: str) -> str:
    """What the device said to this offer, if it did not apply it as a whole: "partly", "not", "elsewhere"; else ""."""
    kind, _, to = device.policy_answer.partition(_AT)
    return kind if to == offer else ""


def to_be_asked(device: Device, policy: Policy, version: Version, quirks: Collection[Quirk]) -> bool:
    """Whether a device that has provisioned before has to hear of a changed policy, and has not been offered it yet.

    A Ping states no policy key, so it passes the gate; this one is to come back with a command that does not.
    """
    if not policy.enforced or not device.policy_key:
        return False
    current = offer(policy, version, quirks)
    if holds(device, current) or device.offered_digest == current:
        return False
    return not (strict(policy) and withheld(policy, version, quirks))


def refresh_due(device: Device, policy: Policy, now: datetime) -> bool:
    """Whether the device has to fetch its policy again because time has passed. One that acknowledged it before there
    was an interval has no time; it is due at once. [MS-ASCMD] R4909"""
    hours = policy.settings.get(REFRESH_INTERVAL)
    if not hours:
        return False
    at = device.policy_digest.partition(_AT)[2]
    return not at or now - datetime.fromisoformat(at) >= timedelta(hours=int(hours))

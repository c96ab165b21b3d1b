"""Which policy a device is offered, and whether what it has acknowledged still holds. Pure.

A policy is filtered to what the device can meet before its digest is made: to its version (`eas.items.policy`), and to
its family, unless the administrator wants no half measures (`allow_partial` off, or the quirk switched off for it).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from eas.items.policy import REFRESH_INTERVAL, digest
from eas.protocol.version import Version

from .model import Device, Policy
from .quirks import Quirk

#: What Symbian Anna takes of a policy only with the value that restricts nothing; else it gives up the account.
SYMBIAN_KEEPS_DEFAULT = frozenset((
    "AllowTextMessaging", "RequireManualSyncWhenRoaming", "AllowHTMLEmail", "AllowUnsignedApplications",
    "AllowUnsignedInstallationPackages", "AllowInternetSharing", "AllowPOPIMAPEmail", "AllowConsumerEmail",
    "AllowBrowser", "RequireSignedSMIMEMessages", "RequireEncryptedSMIMEMessages", "RequireSignedSMIMEAlgorithm",
    "RequireEncryptionSMIMEAlgorithm",
))
#: The settings that devices with a quirk cannot meet.
BEYOND_OF_QUIRK: Mapping[Quirk, frozenset[str]] = {Quirk.SYMBIAN_POLICY: SYMBIAN_KEEPS_DEFAULT}

#: Between the digest and the time of the acknowledgement in `Device.policy_digest`.
_AT = "@"


def offered(policy: Policy, quirks: Collection[Quirk]) -> Mapping[str, str]:
    """The settings that a device with these quirks is told."""
    beyond = frozenset().union(*(names for quirk, names in BEYOND_OF_QUIRK.items() if quirk in quirks))
    if not beyond or not policy.allow_partial:
        return policy.settings
    return {name: text for name, text in policy.settings.items() if name not in beyond}


def offer(policy: Policy, version: Version, quirks: Collection[Quirk]) -> str:
    """The digest of what the device is told."""
    return digest(offered(policy, quirks), version)


def acknowledged(policy: Policy, digest: str, now: datetime) -> str:
    """What is kept as `Device.policy_digest`: with the time where the policy has to be fetched again after a while."""
    return f"{digest}{_AT}{now.isoformat(timespec='seconds')}" if policy.settings.get(REFRESH_INTERVAL) else digest


def holds(device: Device, offer: str) -> bool:
    """Whether the device has acknowledged what it would be offered now."""
    return device.policy_digest.partition(_AT)[0] == offer


def refresh_due(device: Device, policy: Policy, now: datetime) -> bool:
    """Whether the device has to fetch its policy again because time has passed. One that acknowledged it before there
    was an interval has no time; it is due at once. [MS-ASCMD] R4909"""
    hours = policy.settings.get(REFRESH_INTERVAL)
    if not hours:
        return False
    at = device.policy_digest.partition(_AT)[2]
    return not at or now - datetime.fromisoformat(at) >= timedelta(hours=int(hours))

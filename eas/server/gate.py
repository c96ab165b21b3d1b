"""Who may do what just now: a pure decision from what is known of the user, the device and the policy.

In Exchange's order: a pending wipe outranks everything but the command that carries it out; then whether the user may
use ActiveSync at all; then the policy; then what was decided of this device (eas.engine.access). A policy that is only
offered refuses nobody, so that clients which never provision work until the administrator wants otherwise. A device
that has said that it is wiped is let in no more before somebody says so: whoever has it now may not be who had it.
[MS-ASPROV] Provision Command R483-R487, R693; [MS-ASCMD] Common Status Codes R4869, R4876, R5280, R4904-R4912.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from eas.engine.compliance import holds, offer, refresh_due, strict, withheld
from eas.engine.model import Device, Level, Policy, User, Wipe
from eas.engine.partnership import PENDING
from eas.engine.quirks import Quirk
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import ACCOUNT_ONLY_WIPE, Version

#: The command through which a device learns of a wipe and of its policy.
PROVISION = "Provision"


def refusal(
    *,
    command: str,
    gated: bool,
    user: User,
    device: Device,
    policy: Policy,
    policy_key: int | None,
    version: Version,
    now: datetime,
    access: Level = Level.ALLOW,
    quirks: Collection[Quirk] = (),
) -> CommonStatus | None:
    """Why the command is refused, or None. `policy_key` is what the device states, None if it states nothing."""
    if device.wipe in PENDING:
        return _wiping(command, device, version)
    if device.wipe is Wipe.DONE:
        # Its report may come again, if our answer was lost: what else it asks for the command itself refuses.
        return None if command == PROVISION else CommonStatus.DEVICE_IS_BLOCKED_FOR_THIS_USER
    if not user.activesync:
        return CommonStatus.USER_DISABLED_FOR_SYNC
    if gated and policy.enforced:
        unmet = _unmet(device, policy, policy_key, version, now, quirks)
        if unmet is not None:
            return unmet
    return CommonStatus.DEVICE_IS_BLOCKED_FOR_THIS_USER if access is Level.BLOCK else None


def _wiping(command: str, device: Device, version: Version) -> CommonStatus | None:
    """A device that has come down to a version without account-only wipes gets nothing: neither data, nor an order to
    erase more than was asked for."""
    if device.wipe_account_only and version not in ACCOUNT_ONLY_WIPE:
        return CommonStatus.DEVICE_IS_BLOCKED_FOR_THIS_USER
    return None if command == PROVISION else CommonStatus.REMOTE_WIPE_REQUESTED


def _unmet(
    device: Device, policy: Policy, policy_key: int | None, version: Version, now: datetime,
    quirks: Collection[Quirk],
) -> CommonStatus | None:
    """What a policy that must be met lacks, by the first of these."""
    whole = strict(policy)
    if whole and withheld(policy, version, quirks):
        return CommonStatus.DEVICE_NOT_FULLY_PROVISIONABLE
    if not policy_key:
        # A key of 0 says that a device has yet to provision; none at all, that it cannot. Many leave it out until they
        # are asked, so only a strict policy takes them for such.
        cannot = whole and policy_key is None
        return CommonStatus.LEGACY_DEVICE_ON_STRICT_POLICY if cannot else CommonStatus.DEVICE_NOT_PROVISIONED
    if device.policy_key != str(policy_key) or not holds(device, offer(policy, version, quirks)):
        return CommonStatus.INVALID_POLICY_KEY
    return CommonStatus.POLICY_REFRESH if refresh_due(device, policy, now) else None

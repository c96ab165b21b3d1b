"""Who may do what just now: a pure decision from what is known of the user, the device and the policy.

In Exchange's order: a pending wipe outranks everything but the command that carries it out; then the user's and the
device's access; then the policy. A policy that is only offered refuses nobody, so that clients which never provision
work until the administrator wants otherwise. [MS-ASPROV] Provision Command R483-R487, R693; [MS-ASCMD] Common Status
Codes R4869, R4876, R5280, R4906-R4912.
"""

from __future__ import annotations

from eas.commands.provision import PENDING
from eas.engine.model import Access, Device, Policy, User
from eas.items.policy import digest
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Version

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
) -> CommonStatus | None:
    """Why the command is refused, or None. `policy_key` is what the device states, None if it states nothing."""
    if device.wipe in PENDING:
        return None if command == PROVISION else CommonStatus.REMOTE_WIPE_REQUESTED
    if not user.activesync:
        return CommonStatus.USER_DISABLED_FOR_SYNC
    if device.access is not Access.ALLOWED:
        return CommonStatus.DEVICE_IS_BLOCKED_FOR_THIS_USER
    if not policy.enforced or not gated:
        return None
    if not policy_key:
        # 141 would be for devices that cannot provision; those that just have not yet must not take themselves for one.
        return CommonStatus.DEVICE_NOT_PROVISIONED
    held = device.policy_key == str(policy_key) and device.policy_digest == digest(policy.settings, version)
    return None if held else CommonStatus.INVALID_POLICY_KEY

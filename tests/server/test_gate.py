"""The gate as a pure decision, over everything that it looks at."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eas.engine.model import Device, Level, Policy, User, Wipe
from eas.engine.partnership import PENDING
from eas.items.policy import digest
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Version
from eas.server.gate import refusal

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
USER = User(id="u1", login="anna", address="anna@example.com", addresses=("anna@example.com",), name="Anna")
POLICY = Policy(settings={"DevicePasswordEnabled": "1"}, enforced=True)
DEVICE = Device(
    user_id="u1", id="D", type="T", policy_key="4711", policy_digest=digest(POLICY.settings, Version.V14_1)
)


def ask(
    command: str = "Sync", gated: bool = True, user: User = USER, device: Device = DEVICE, policy: Policy = POLICY,
    key: int | None = 4711, version: Version = Version.V14_1, access: Level = Level.ALLOW,
) -> CommonStatus | None:
    return refusal(
        command=command, gated=gated, user=user, device=device, policy=policy, policy_key=key, version=version, now=NOW,
        access=access,
    )


def test_a_provisioned_device_passes() -> None:
    assert ask() is None


@pytest.mark.parametrize(
    ("key", "device", "status"),
    [
        (None, DEVICE, CommonStatus.DEVICE_NOT_PROVISIONED),
        (0, DEVICE, CommonStatus.DEVICE_NOT_PROVISIONED),
        (4712, DEVICE, CommonStatus.INVALID_POLICY_KEY),
        (4711, replace(DEVICE, policy_key=""), CommonStatus.INVALID_POLICY_KEY),
        (4711, replace(DEVICE, policy_digest="older"), CommonStatus.INVALID_POLICY_KEY),
        (4711, replace(DEVICE, policy_key="", offered_key="4711"), CommonStatus.INVALID_POLICY_KEY),
    ],
)
def test_an_enforced_policy_wants_the_final_key_of_the_present_policy(
    key: int | None, device: Device, status: CommonStatus
) -> None:
    assert ask(key=key, device=device) is status
    assert ask(key=key, device=device, gated=False) is None
    assert ask(key=key, device=device, policy=replace(POLICY, enforced=False)) is None


def test_the_key_outlives_an_upgrade_of_the_device() -> None:
    """From 12.1 to 14.1 the policy is the same."""
    assert ask(version=Version.V12_1) is None


def test_a_setting_beyond_the_devices_version_does_not_lock_it_out() -> None:
    """A 12.0 device has acknowledged all that it knows of the policy."""
    policy = replace(POLICY, settings={**POLICY.settings, "AllowCamera": "0"})
    old = replace(DEVICE, policy_digest=digest(POLICY.settings, Version.V12_0))
    assert ask(version=Version.V12_0, device=old, policy=policy) is None


def test_a_blocked_device_may_do_nothing() -> None:
    for command, gated in (("Sync", True), ("Ping", False), ("Provision", False)):
        found = ask(command, gated, access=Level.BLOCK)
        assert found is CommonStatus.DEVICE_IS_BLOCKED_FOR_THIS_USER


@pytest.mark.parametrize("access", [level for level in Level if level is not Level.BLOCK])
def test_a_device_that_is_shown_little_is_not_refused(access: Level) -> None:
    """What it is shown is the matter of eas.engine.quarantine; who is told to come back later hears that elsewhere."""
    assert ask(access=access) is None


def test_a_disabled_user_may_do_nothing() -> None:
    for command in ("Sync", "Provision"):
        user = replace(USER, activesync=False)
        assert ask(command, user=user) is CommonStatus.USER_DISABLED_FOR_SYNC


def test_a_pending_wipe_outranks_everything_and_lets_nothing_pass_but_its_own_command() -> None:
    for wipe, access, activesync, enforced in itertools.product(PENDING, Level, (True, False), (True, False)):
        device, user = replace(DEVICE, wipe=wipe), replace(USER, activesync=activesync)
        policy = replace(POLICY, enforced=enforced)
        for command, gated in (("Sync", True), ("Ping", False)):
            found = ask(command, gated, device=device, user=user, policy=policy, access=access)
            assert found is CommonStatus.REMOTE_WIPE_REQUESTED
        assert ask("Provision", False, device=device, user=user, policy=policy, access=access) is None


def test_a_device_that_was_wiped_is_let_in_no_more() -> None:
    """But for the report of the wipe, which may come again."""
    for access, enforced in itertools.product(Level, (True, False)):
        device, policy = replace(DEVICE, wipe=Wipe.DONE), replace(POLICY, enforced=enforced)
        for command in ("Sync", "Ping", "FolderSync", "SendMail", "Settings"):
            found = ask(command=command, device=device, policy=policy, access=access)
            assert found is CommonStatus.DEVICE_IS_BLOCKED_FOR_THIS_USER
        assert ask(command="Provision", gated=False, device=device, policy=policy, access=access) is None
    assert ask(device=replace(DEVICE, wipe=Wipe.NONE)) is None

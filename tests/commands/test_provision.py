"""Provision in both phases, and the way to a wipe. [MS-ASPROV]."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from wire import Got, Wire, e

from eas.engine.model import Access, Policy

Wires = Callable[..., Wire]

WBXML_POLICY, TEXT_POLICY = "MS-EAS-Provisioning-WBXML", "MS-WAP-Provisioning-XML"
FROM_12 = ["12.0", "12.1", "14.0", "14.1", "16.0", "16.1"]
WITH_INFORMATION = ("14.1", "16.0", "16.1")
INFORMATION = e("Settings:DeviceInformation", e("Set", e("Model", "Fold 7"), e("OS", "Wire 1")))


def phase_1(policy_type: str = WBXML_POLICY, information: bool = True) -> Any:
    policies = e("Policies", e("Policy", e("PolicyType", policy_type)))
    return e("Provision:Provision", *((INFORMATION,) if information else ()), policies)


def phase_2(key: str | None, status: str | None = "1", policy_type: str = WBXML_POLICY) -> Any:
    parts = [e("PolicyType", policy_type)]
    parts += [e("PolicyKey", key)] if key is not None else []
    parts += [e("Status", status)] if status is not None else []
    return e("Provision:Provision", e("Policies", e("Policy", *parts)))


async def provisioned(device: Wire) -> Got:
    first = await device.post("Provision", phase_1())
    return await device.post("Provision", phase_2(first.text("Policies", "Policy", "PolicyKey")))


async def enforce(world: Any, **fields: Any) -> None:
    await world.store.save_policy(replace(Policy(), enforced=True, **fields))


FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))


@pytest.mark.parametrize(
    ("version", "body", "http", "status"),
    [
        ("14.1", b"", 200, "101"),
        ("12.1", b"", 400, None),
        ("14.1", b"\x03\x01\x6a\x00\xff", 200, "102"),
        ("12.1", b"\x03\x01\x6a\x00\xff", 400, None),
        ("14.1", FOLDER_SYNC, 200, "2"),
        ("12.1", FOLDER_SYNC, 200, "2"),
        # R395, R450, [MS-ASCMD] R4989: no PolicyType
        ("14.1", e("Provision:Provision", INFORMATION, e("Policies", e("Policy"))), 200, "2"),
        ("12.1", e("Provision:Provision", e("Policies", e("Policy"))), 200, "2"),
        ("14.1", phase_2("123", "many"), 200, "2"),
        ("14.1", phase_2("123", None), 200, "2"),
        ("14.1", phase_2("123", "5"), 200, "2"),
        ("16.1", e("Provision:Provision", e("AccountOnlyRemoteWipe", e("Status", "perhaps"))), 200, "2"),
        # [MS-ASCMD] R4954
        ("14.1", phase_1(information=False), 200, "165"),
        ("14.1", e("Provision:Provision", e("Settings:DeviceInformation"), e("Policies", e("Policy", e(
            "PolicyType", WBXML_POLICY)))), 200, "165"),
        # R458, R682: an acknowledgement without a key
        ("14.1", phase_2(""), 200, "141"),
        # R493: nothing to do
        ("14.1", e("Provision:Provision"), 200, "1"),
    ],
)
async def test_what_does_not_fit(wire: Wires, version: str, body: Any, http: int, status: str | None) -> None:
    got = await wire(version=version).post("Provision", body)
    assert got.http == http
    if status is not None:
        assert got.status == status


@pytest.mark.parametrize("version", FROM_12)
async def test_a_device_gets_the_policy_and_then_its_key(wire: Wires, world: Any, version: str) -> None:
    """R310, R534, R605, R650, R661, R662, R888"""
    await world.store.save_policy(Policy(settings={"DevicePasswordEnabled": "1", "MinDevicePasswordLength": "6"}))
    device = wire(version=version)
    first = await device.post("Provision", phase_1(information=version in WITH_INFORMATION))
    temporary = first.text("Policies", "Policy", "PolicyKey")
    assert first.status == first.text("Policies", "Policy", "Status") == "1"
    document = ("Policies", "Policy", "Data", "EASProvisionDoc")
    assert first.text(*document, "DevicePasswordEnabled") == "1"
    assert first.text(*document, "MinDevicePasswordLength") == "6"
    second = await device.post("Provision", phase_2(temporary))
    final = second.text("Policies", "Policy", "PolicyKey")
    assert second.status == second.text("Policies", "Policy", "Status") == "1"
    assert second.find("Policies", "Policy", "Data") is None  # R601
    assert final.isdigit()
    assert 0 < int(final) < 2**32  # R606
    assert final != temporary
    stored = await world.device()
    assert stored.policy_key == final


async def test_device_information_is_kept_and_answered(wire: Wires, world: Any) -> None:
    """R488, and R368: from 14.1 on."""
    got = await wire().post("Provision", phase_1())
    assert got.text("DeviceInformation", "Status") == "1"
    assert dict((await world.device()).information) == {"Model": "Fold 7", "OS": "Wire 1"}
    old = await wire(version="14.0", device="WIRE2").post("Provision", phase_1())
    assert old.find("DeviceInformation") is None
    assert not (await world.device(device="WIRE2")).information


@pytest.mark.parametrize(
    ("version", "policy_type"), [*((version, TEXT_POLICY) for version in FROM_12), ("2.5", WBXML_POLICY)]
)
async def test_an_unknown_type_of_policy_is_said_so(wire: Wires, version: str, policy_type: str) -> None:
    """R380, R471, R502"""
    got = await wire(version=version).post("Provision", phase_1(policy_type, version in WITH_INFORMATION))
    assert (got.status, got.text("Policies", "Policy", "Status")) == ("1", "3")
    assert got.text("Policies", "Policy", "PolicyType") == policy_type
    assert got.find("Policies", "Policy", "PolicyKey") is None


async def test_2_5_gets_the_policy_as_text(wire: Wires, world: Any) -> None:
    """R965, and the same two phases."""
    await enforce(world, settings={
        "DevicePasswordEnabled": "1", "MinDevicePasswordLength": "6", "MaxInactivityTimeDeviceLock": "301",
        "MaxDevicePasswordFailedAttempts": "8", "AlphanumericDevicePasswordRequired": "1", "AllowCamera": "0",
    })
    device = wire(version="2.5")
    assert (await device.post("FolderSync", FOLDER_SYNC)).http == 449
    first = await device.post("Provision", phase_1(TEXT_POLICY, information=False))
    assert first.text("Policies", "Policy", "PolicyType") == TEXT_POLICY
    settings = re.findall(r'<parm name="(\w+)" value="(\d+)"/>', first.text("Policies", "Policy", "Data"))
    assert dict(settings) == {
        "4131": "0", "AEFrequencyType": "1", "AEFrequencyValue": "6", "DeviceWipeThreshold": "8",
        "CodewordFrequency": "4", "MinimumPasswordLength": "6", "PasswordComplexity": "0",
    }
    second = await device.post(
        "Provision", phase_2(first.text("Policies", "Policy", "PolicyKey"), policy_type=TEXT_POLICY)
    )
    assert second.find("Policies", "Policy", "Data") is None
    device.key = second.text("Policies", "Policy", "PolicyKey")
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"


async def test_a_wrong_key_is_not_acknowledged(wire: Wires) -> None:
    """R382, R475, R657, R658"""
    device = wire()
    key = (await device.post("Provision", phase_1())).text("Policies", "Policy", "PolicyKey")
    got = await device.post("Provision", phase_2(str(int(key) ^ 1)))
    assert (got.status, got.text("Policies", "Policy", "Status")) == ("1", "5")


async def test_a_key_of_an_older_offer_is_not_acknowledged(wire: Wires, world: Any) -> None:
    """Neither after another phase 1 nor after a change of the policy. R475"""
    device = wire()
    older = (await device.post("Provision", phase_1())).text("Policies", "Policy", "PolicyKey")
    newer = (await device.post("Provision", phase_1())).text("Policies", "Policy", "PolicyKey")
    assert (await device.post("Provision", phase_2(older))).text("Policies", "Policy", "Status") == "5"
    await world.store.save_policy(Policy(settings={"AllowCamera": "0"}))
    assert (await device.post("Provision", phase_2(newer))).text("Policies", "Policy", "Status") == "5"


async def test_a_lost_answer_to_the_acknowledgement_is_given_again(wire: Wires) -> None:
    device = wire()
    temporary = (await device.post("Provision", phase_1())).text("Policies", "Policy", "PolicyKey")
    once = await device.post("Provision", phase_2(temporary))
    again = await device.post("Provision", phase_2(temporary))
    assert again.body == once.body


@pytest.mark.parametrize(
    ("status", "policy", "answered"),
    [
        ("2", {}, "1"),
        ("2", {"allow_partial": False}, "139"),  # R455, R681, R684, R1046
        ("3", {}, "1"),
        ("3", {"enforced": True}, "139"),
        ("4", {}, "1"),
        ("4", {"allow_external": False}, "145"),  # R461, R686, R687, R697, [MS-ASCMD] R4917
    ],
)
async def test_what_the_device_made_of_the_policy_counts(
    wire: Wires, world: Any, status: str, policy: dict[str, bool], answered: str
) -> None:
    await world.store.save_policy(replace(Policy(), **policy))
    device = wire()
    key = (await device.post("Provision", phase_1())).text("Policies", "Policy", "PolicyKey")
    got = await device.post("Provision", phase_2(key, status))
    assert got.status == answered


# The gate ----------------------------------------------------------------------------------------------------------


async def test_an_offered_policy_refuses_nobody(wire: Wires) -> None:
    for key in ("", "0", "4711"):
        assert (await wire(key=key).post("FolderSync", FOLDER_SYNC)).status == "1"


@pytest.mark.parametrize(
    ("version", "key", "http", "status"),
    [
        ("14.1", "", 200, "142"), ("14.1", "0", 200, "142"), ("14.1", "4711", 200, "144"), ("14.0", "x", 200, "142"),
        ("12.1", "", 449, None), ("12.1", "0", 449, None), ("12.1", "4711", 449, None),
    ],
)
async def test_an_enforced_policy_asks_for_a_key(
    wire: Wires, world: Any, version: str, key: str, http: int, status: str | None
) -> None:
    """[MS-ASPROV] R537; [MS-ASCMD] R4906, R4912, R4987, R7564, R7566"""
    await enforce(world)
    got = await wire(version=version, key=key).post("FolderSync", FOLDER_SYNC)
    assert got.http == http
    if status is not None:
        assert got.status == status


@pytest.mark.parametrize("version", ["12.1", "14.1"])
async def test_the_final_key_opens_the_gate_and_the_temporary_one_does_not(
    wire: Wires, world: Any, version: str
) -> None:
    """R650, R509, R662"""
    await enforce(world)
    device = wire(version=version)
    first = await device.post("Provision", phase_1(information=version == "14.1"))
    device.key = first.text("Policies", "Policy", "PolicyKey")
    refused = await device.post("FolderSync", FOLDER_SYNC)
    assert refused.http == 449 if version == "12.1" else refused.status == "144"
    device.key = (await device.post("Provision", phase_2(device.key))).text("Policies", "Policy", "PolicyKey")
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"


async def test_a_device_without_any_key_is_taken_for_one_that_cannot_where_the_policy_is_strict(
    wire: Wires, world: Any
) -> None:
    """R685, [MS-ASCMD] R4904. One that states a key of 0 has only yet to provision (R4906)."""
    await enforce(world, allow_partial=False)
    assert (await wire(version="16.1").post("FolderSync", FOLDER_SYNC)).status == "141"
    assert (await wire(version="16.1", key="0").post("FolderSync", FOLDER_SYNC)).status == "142"
    assert (await wire(version="12.1").post("FolderSync", FOLDER_SYNC)).http == 449


async def test_a_version_that_cannot_be_told_all_is_refused_where_the_policy_is_strict(
    wire: Wires, world: Any
) -> None:
    """In the words of HTTP: the versions that lack settings are from before the statuses."""
    settings = {"AllowCamera": "0"}
    await enforce(world, settings=settings, allow_partial=False)
    assert (await wire(version="12.0").post("FolderSync", FOLDER_SYNC)).http == 403
    assert (await wire(version="12.1").post("FolderSync", FOLDER_SYNC)).http == 449
    await enforce(world, settings=settings)
    assert (await wire(version="12.0").post("FolderSync", FOLDER_SYNC)).http == 449


async def test_a_policy_is_refreshed_when_its_time_has_come(wire: Wires, world: Any) -> None:
    """[MS-ASCMD] R4909: Status 143, and 449 before 14.0. The interval is not told to the device."""
    await enforce(world, settings={"DevicePolicyRefreshInterval": "2"})
    device = wire()
    device.key = (await provisioned(device)).text("Policies", "Policy", "PolicyKey")
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"
    await later(world, timedelta(hours=2))
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "143"
    device.version = "12.1"
    assert (await device.post("FolderSync", FOLDER_SYNC)).http == 449
    device.version = "14.1"
    device.key = (await provisioned(device)).text("Policies", "Policy", "PolicyKey")
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"


async def later(world: Any, time: timedelta) -> None:
    """As if the device had acknowledged its policy that much earlier."""
    device = await world.device()
    digest, _, at = device.policy_digest.partition("@")
    earlier = (datetime.fromisoformat(at) - time).isoformat()
    assert await world.store.save_device(replace(device, policy_digest=f"{digest}@{earlier}"))


async def test_a_client_that_sends_no_device_information_is_let_in_by_its_quirk(wire: Wires, world: Any) -> None:
    got = await wire(agent="go-activesync/0.1").post("Provision", phase_1(information=False))
    assert got.status == "1"
    assert got.find("DeviceInformation") is None


@pytest.mark.parametrize("type", ["NokiaE7", "MailforExchange", "IMEI350000000000048"])
async def test_symbian_is_told_only_what_it_can_meet(wire: Wires, world: Any, type: str) -> None:
    """And goes on with the key that it earned thereby, unless the policy allows nothing less than all of it."""
    stated = {"AllowBrowser": "0", "DevicePasswordEnabled": "1", "RequireSignedSMIMEAlgorithm": "1"}
    await enforce(world, settings=stated)
    device = wire(type=type, agent="NokiaE7/3.00(55)MailforExchange")
    first = await device.post("Provision", phase_1())
    document = ("Policies", "Policy", "Data", "EASProvisionDoc")
    assert (first.text(*document, "AllowBrowser"), first.text(*document, "DevicePasswordEnabled")) == ("1", "1")
    assert first.find(*document, "RequireSignedSMIMEAlgorithm") is None
    device.key = first.text("Policies", "Policy", "PolicyKey")
    device.key = (await device.post("Provision", phase_2(device.key))).text("Policies", "Policy", "PolicyKey")
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"
    await enforce(world, settings=stated, allow_partial=False)
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "139"
    assert (await device.post("Provision", phase_1())).text(*document, "AllowBrowser") == "1"
    await enforce(world, settings=stated, insist=("AllowBrowser",))
    assert (await device.post("Provision", phase_1())).text(*document, "AllowBrowser") == "0"


async def test_a_changed_policy_is_asked_for_again(wire: Wires, world: Any) -> None:
    """R693, R487. Once provisioned anew the device goes on."""
    await enforce(world)
    device = wire()
    device.key = (await provisioned(device)).text("Policies", "Policy", "PolicyKey")
    await enforce(world, settings={"AllowCamera": "0"})
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "144"
    device.key = (await provisioned(device)).text("Policies", "Policy", "PolicyKey")
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"


async def test_ping_carries_no_key_and_is_not_asked_for_one(wire: Wires, world: Any) -> None:
    await enforce(world)
    got = await wire().post("Ping", e("Ping:Ping", e("HeartbeatInterval", "60")))
    assert got.status == "3"


async def test_the_key_of_one_device_is_no_other_devices(wire: Wires, world: Any) -> None:
    await enforce(world)
    one = wire()
    key = (await provisioned(one)).text("Policies", "Policy", "PolicyKey")
    other = wire(device="WIRE2", key=key)
    assert (await other.post("FolderSync", FOLDER_SYNC)).status == "144"
    assert (await wire(user="ben", password="ben-secret", key=key).post("FolderSync", FOLDER_SYNC)).status == "144"


async def test_a_blocked_device_is_refused(wire: Wires, world: Any) -> None:
    """[MS-ASCMD] R4876"""
    for version, http in (("14.1", 200), ("12.1", 403)):
        device = wire(version=version)
        await device.post("FolderSync", FOLDER_SYNC)
        await world.store.set_access(world.ids["anna"], device.device, Access.BLOCKED)
        got = await device.post("Provision", phase_1())
        assert got.http == http
        assert http == 403 or got.status == "129"
        await world.store.set_access(world.ids["anna"], device.device, Access.ALLOWED)

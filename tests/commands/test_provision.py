"""Provision in both phases, and the way to a wipe. [MS-ASPROV]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from wire import Got, Wire, e

from eas.engine.model import Access, Policy, Wipe

Wires = Callable[..., Wire]

WBXML_POLICY = "MS-EAS-Provisioning-WBXML"
INFORMATION = e("Settings:DeviceInformation", e("Set", e("Model", "Fold 7"), e("OS", "Wire 1")))


def phase_1(policy_type: str = WBXML_POLICY, information: bool = True) -> Any:
    policies = e("Policies", e("Policy", e("PolicyType", policy_type)))
    return e("Provision:Provision", *((INFORMATION,) if information else ()), policies)


def phase_2(key: str | None, status: str | None = "1") -> Any:
    parts = [e("PolicyType", WBXML_POLICY)]
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


@pytest.mark.parametrize("version", ["12.1", "14.0", "14.1"])
async def test_a_device_gets_the_policy_and_then_its_key(wire: Wires, world: Any, version: str) -> None:
    """R310, R534, R605, R650, R661, R662, R888"""
    await world.store.save_policy(Policy(settings={"DevicePasswordEnabled": "1", "MinDevicePasswordLength": "6"}))
    device = wire(version=version)
    first = await device.post("Provision", phase_1(information=version == "14.1"))
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


async def test_an_unknown_type_of_policy_is_said_so(wire: Wires) -> None:
    """R380, R471, R502"""
    got = await wire().post("Provision", phase_1("MS-WAP-Provisioning-XML"))
    assert (got.status, got.text("Policies", "Policy", "Status")) == ("1", "3")
    assert got.text("Policies", "Policy", "PolicyType") == "MS-WAP-Provisioning-XML"
    assert got.find("Policies", "Policy", "PolicyKey") is None


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
        ("2", {"allow_partial": False}, "139"),  # R455, R684
        ("3", {}, "1"),
        ("3", {"enforced": True}, "139"),
        ("4", {}, "1"),
        ("4", {"allow_external": False}, "145"),  # R461, R687
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
    """[MS-ASCMD] R4906, R4912, R7564, R7566"""
    await enforce(world)
    got = await wire(version=version, key=key).post("FolderSync", FOLDER_SYNC)
    assert got.http == http
    if status is not None:
        assert got.status == status


@pytest.mark.parametrize("version", ["12.1", "14.1"])
async def test_the_final_key_opens_the_gate_and_the_temporary_one_does_not(
    wire: Wires, world: Any, version: str
) -> None:
    await enforce(world)
    device = wire(version=version)
    first = await device.post("Provision", phase_1(information=version == "14.1"))
    device.key = first.text("Policies", "Policy", "PolicyKey")
    refused = await device.post("FolderSync", FOLDER_SYNC)
    assert refused.http == 449 if version == "12.1" else refused.status == "144"
    device.key = (await device.post("Provision", phase_2(device.key))).text("Policies", "Policy", "PolicyKey")
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"


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


# Wiping ------------------------------------------------------------------------------------------------------------

WIPED = e("Provision:Provision", e("RemoteWipe", e("Status", "1")))
NOT_WIPED = e("Provision:Provision", e("RemoteWipe", e("Status", "2")))


@pytest.mark.parametrize(
    ("version", "key", "http", "status"),
    [("14.1", "", 200, "140"), ("14.0", "1", 200, "140"), ("12.1", "0", 449, None), ("12.1", "", 403, None)],
)
@pytest.mark.parametrize("command", ["FolderSync", "Ping", "Sync", "Settings"])
async def test_a_wipe_refuses_every_command(
    wire: Wires, world: Any, version: str, key: str, http: int, status: str | None, command: str
) -> None:
    """[MS-ASCMD] R5280, R7561, R7562"""
    device = wire(version=version, key=key)
    await device.post("FolderSync", FOLDER_SYNC)
    await world.store.request_wipe(world.ids["anna"], device.device)
    got = await device.post(command, {"FolderSync": FOLDER_SYNC, "Settings": e("Settings:Settings")}.get(command, b""))
    assert got.http == http
    if status is not None:
        assert got.status == status


@pytest.mark.parametrize("request_", [e("Provision:Provision"), phase_1()])
async def test_a_wipe_is_told_and_its_end_recorded(wire: Wires, world: Any, request_: Any) -> None:
    """R493, R653, R654, R663, R664"""
    device = wire()
    await device.post("FolderSync", FOLDER_SYNC)
    await world.store.request_wipe(world.ids["anna"], device.device)
    told = await device.post("Provision", request_)
    assert told.status == "1"
    directive = told.find("RemoteWipe")
    assert directive is not None
    assert directive.content == ()  # R322
    assert (await world.device()).wipe is Wipe.SENT
    done = await device.post("Provision", WIPED)
    assert done.status == "1"
    assert done.find("RemoteWipe") is None
    stored = await world.device()
    assert (stored.wipe, stored.policy_key) == (Wipe.DONE, "")
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"


async def test_a_failed_wipe_is_asked_for_again(wire: Wires, world: Any) -> None:
    """R665, R701"""
    device = wire()
    await device.post("FolderSync", FOLDER_SYNC)
    await world.store.request_wipe(world.ids["anna"], device.device)
    failed = await device.post("Provision", NOT_WIPED)
    assert failed.status == "2"
    assert failed.find("RemoteWipe") is not None
    assert (await world.device()).wipe is Wipe.FAILED
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "140"


async def test_a_report_that_nobody_asked_for_changes_nothing(wire: Wires, world: Any) -> None:
    device = wire()
    await provisioned(device)
    before = await world.device()
    assert (await device.post("Provision", WIPED)).status == "1"
    after = await world.device()
    assert (after.wipe, after.policy_key) == (Wipe.NONE, before.policy_key)


async def test_a_wipe_reaches_a_blocked_device(wire: Wires, world: Any) -> None:
    device = wire()
    await device.post("FolderSync", FOLDER_SYNC)
    await world.store.set_access(world.ids["anna"], device.device, Access.BLOCKED)
    await world.store.request_wipe(world.ids["anna"], device.device)
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "140"
    assert (await device.post("Provision", e("Provision:Provision"))).find("RemoteWipe") is not None


@pytest.mark.parametrize("access", [Access.BLOCKED, Access.QUARANTINED])
async def test_a_blocked_device_is_refused(wire: Wires, world: Any, access: Access) -> None:
    """[MS-ASCMD] R4876"""
    for version, http in (("14.1", 200), ("12.1", 403)):
        device = wire(version=version)
        await device.post("FolderSync", FOLDER_SYNC)
        await world.store.set_access(world.ids["anna"], device.device, access)
        got = await device.post("Provision", phase_1())
        assert got.http == http
        assert http == 403 or got.status == "129"
        await world.store.set_access(world.ids["anna"], device.device, Access.ALLOWED)

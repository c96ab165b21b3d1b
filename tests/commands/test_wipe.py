"""Wipes: of the device, and of the account alone. [MS-ASPROV] RemoteWipe, AccountOnlyRemoteWipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from wire import Got, Wire, e, sync

from eas.engine.model import Access, FolderType, Wipe

Wires = Callable[..., Wire]

INFORMATION = e("Settings:DeviceInformation", e("Set", e("Model", "Fold 7")))
WBXML_POLICY = "MS-EAS-Provisioning-WBXML"
FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))


def phase_1() -> Any:
    return e("Provision:Provision", INFORMATION, e("Policies", e("Policy", e("PolicyType", WBXML_POLICY))))


async def provisioned(device: Wire) -> Got:
    first = await device.post("Provision", phase_1())
    key = first.text("Policies", "Policy", "PolicyKey")
    parts = (e("PolicyType", WBXML_POLICY), e("PolicyKey", key), e("Status", "1"))
    return await device.post("Provision", e("Provision:Provision", e("Policies", e("Policy", *parts))))

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
    """R493, R653, R654, R663, R664, R1041, R1047, R758, R321"""
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


async def test_a_failed_wipe_is_asked_for_again(wire: Wires, world: Any) -> None:
    """R665, R701, R702, R1042, R1048, R666"""
    device = wire()
    await device.post("FolderSync", FOLDER_SYNC)
    await world.store.request_wipe(world.ids["anna"], device.device)
    failed = await device.post("Provision", NOT_WIPED)
    assert failed.status == "2"
    assert [child.tag for child in failed.root.elements] == ["Provision:Status", "Provision:RemoteWipe"]
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


@pytest.mark.parametrize(
    ("version", "http", "status"),
    [("2.5", 403, None), ("12.0", 403, None), ("12.1", 403, None), ("14.0", 200, "129"), ("16.1", 200, "129")],
)
async def test_a_wiped_device_is_told_so_whatever_it_asks_for(
    wire: Wires, world: Any, version: str, http: int, status: str | None
) -> None:
    """[MS-ASCMD] R4875, R4876. Its report may come again, for the answer may have been lost."""
    device = wire(version=version)
    await device.post("FolderSync", FOLDER_SYNC)
    await world.store.request_wipe(world.ids["anna"], device.device)
    assert (await device.post("Provision", e("Provision:Provision"))).find("RemoteWipe") is not None
    for _ in range(2):
        assert (await device.post("Provision", WIPED)).status == "1"
    asked: dict[str, Any] = {
        "FolderSync": FOLDER_SYNC, "Ping": b"", "Sync": b"", "Provision": e("Provision:Provision"),
        "Settings": e("Settings:Settings"), "GetItemEstimate": e("GetItemEstimate:GetItemEstimate"),
    }
    for command in asked if version != "2.5" else ("FolderSync", "Ping", "Sync", "Provision"):
        got = await device.post(command, asked[command])
        assert (got.http, command) == (http, command)
        assert status is None or got.status == status
    await world.store.cancel_wipe(world.ids["anna"], device.device)
    assert (await device.post("FolderSync", FOLDER_SYNC)).http == 200


@pytest.mark.parametrize("reported", [False, True])
async def test_a_device_that_is_set_up_again_does_not_escape(wire: Wires, world: Any, reported: bool) -> None:
    """Its partnership was removed and comes back under the same id: the wipe is still due, or it is still kept out."""
    device = wire()
    await device.post("FolderSync", FOLDER_SYNC)
    await world.store.request_wipe(world.ids["anna"], device.device)
    if reported:
        await device.post("Provision", WIPED)
    assert await world.store.remove_device(world.ids["anna"], device.device)
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == ("129" if reported else "140")
    if not reported:
        assert (await device.post("Provision", e("Provision:Provision"))).find("RemoteWipe") is not None
        await device.post("Provision", WIPED)
        assert (await device.post("FolderSync", FOLDER_SYNC)).status == "129"


async def test_a_wipe_that_no_order_tells_of_outlives_the_device_as_well(wire: Wires, world: Any) -> None:
    """As an import leaves it, or an older release."""
    device = wire()
    await device.post("FolderSync", FOLDER_SYNC)
    await world.store.alter_device(world.ids["anna"], device.device, lambda d: replace(d, wipe=Wipe.REQUESTED))
    await world.store.remove_device(world.ids["anna"], device.device)
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "140"


async def test_a_wiped_device_begins_anew_once_it_is_let_in(wire: Wires, world: Any) -> None:
    """Nothing counts that it knew before."""
    device = wire()
    folders = await device.post("FolderSync", FOLDER_SYNC)
    inbox = next(
        add.child("FolderHierarchy:ServerId").text for add in folders.all("Changes", "Add")
        if add.child("FolderHierarchy:Type").text == str(int(FolderType.INBOX))
    )
    key = (await device.post("Sync", sync("0", inbox))).text("Collections", "Collection", "SyncKey")
    await world.store.request_wipe(world.ids["anna"], device.device)
    assert (await device.post("Provision", WIPED)).status == "1"
    await world.store.cancel_wipe(world.ids["anna"], device.device)
    stored = await world.device()
    assert (stored.wipe, stored.policy_key) == (Wipe.NONE, "")
    old = e("FolderHierarchy:FolderSync", e("SyncKey", folders.text("SyncKey")))
    assert (await device.post("FolderSync", old)).status == "9"
    assert (await device.post("Sync", sync(key, inbox))).text("Collections", "Collection", "Status") == "3"
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"


# The account alone --------------------------------------------------------------------------------------------------

ACCOUNT_WIPED = e("Provision:Provision", e("AccountOnlyRemoteWipe", e("Status", "1")))
ACCOUNT_NOT_WIPED = e("Provision:Provision", e("AccountOnlyRemoteWipe", e("Status", "2")))


async def account_wipe(world: Any, device: Wire) -> None:
    await device.post("FolderSync", FOLDER_SYNC)
    await world.store.request_wipe(world.ids["anna"], device.device, account_only=True)


@pytest.mark.parametrize("request_", [e("Provision:Provision"), phase_1()])
async def test_a_wipe_of_the_account_is_told_and_its_end_recorded(wire: Wires, world: Any, request_: Any) -> None:
    """R493, R6901, R6903, R66601, R66609, R66613, R66614"""
    device = wire(version="16.1")
    await account_wipe(world, device)
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "140"
    told = await device.post("Provision", request_)
    directive = told.find("AccountOnlyRemoteWipe")
    assert directive is not None
    assert directive.content == ()
    assert told.find("RemoteWipe") is None
    assert (await world.device()).wipe is Wipe.SENT
    done = await device.post("Provision", ACCOUNT_WIPED)
    assert done.status == "1"
    assert [child.tag for child in done.root.elements] == ["Provision:Status"]
    assert (await world.device()).wipe is Wipe.DONE
    assert (await device.post("Provision", e("Provision:Provision"))).status == "129"


async def test_a_failed_wipe_of_the_account_is_asked_for_again(wire: Wires, world: Any) -> None:
    """R66610, R66611, R66605"""
    device = wire(version="16.1")
    await account_wipe(world, device)
    failed = await device.post("Provision", ACCOUNT_NOT_WIPED)
    assert failed.status == "2"
    assert [child.tag for child in failed.root.elements] == ["Provision:Status", "Provision:AccountOnlyRemoteWipe"]
    assert (await world.device()).wipe is Wipe.FAILED


@pytest.mark.parametrize(("account_only", "report"), [(True, WIPED), (False, ACCOUNT_WIPED)])
async def test_a_report_of_the_other_kind_ends_no_wipe(
    wire: Wires, world: Any, account_only: bool, report: Any
) -> None:
    device = wire(version="16.1")
    await device.post("FolderSync", FOLDER_SYNC)
    await world.store.request_wipe(world.ids["anna"], device.device, account_only=account_only)
    got = await device.post("Provision", report)
    assert got.status == "2"
    assert got.find("AccountOnlyRemoteWipe" if account_only else "RemoteWipe") is not None
    assert (await world.device()).wipe is Wipe.REQUESTED


@pytest.mark.parametrize(("version", "http"), [("14.1", 200), ("16.0", 200), ("12.1", 403)])
async def test_a_device_that_came_down_to_an_older_version_is_not_wiped_whole(
    wire: Wires, world: Any, version: str, http: int
) -> None:
    """R6906. It gets nothing, either."""
    device = wire(version="16.1")
    await account_wipe(world, device)
    device.version = version
    for command, body in (("FolderSync", FOLDER_SYNC), ("Provision", e("Provision:Provision"))):
        got = await device.post(command, body)
        assert got.http == http
        assert http == 403 or got.status == "129"
        assert http == 403 or got.find("RemoteWipe") is None


async def test_the_whole_device_can_still_be_wiped_after_the_account(wire: Wires, world: Any) -> None:
    device = wire(version="16.1")
    await account_wipe(world, device)
    await world.store.request_wipe(world.ids["anna"], device.device)
    assert (await device.post("Provision", e("Provision:Provision"))).find("RemoteWipe") is not None

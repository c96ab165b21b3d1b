"""The middle of the server: versions, faults, devices. [MS-ASCMD] Common Status Codes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from wire import Wire, e

from eas.commands._registry import COMMANDS, CommonFault
from eas.engine.errors import Contended, NoSpace, Unavailable
from eas.protocol import query as queries
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Version

Wires = Callable[..., Wire]

FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
SYNC = e("AirSync:Sync", e("Collections", e("Collection", e("SyncKey", "0"), e("CollectionId", "1"))))
PARAMETERS = "Cmd=FolderSync&User=anna&DeviceId=WIRE1&DeviceType=TestPhone"


@pytest.mark.parametrize(
    ("version", "query", "http", "status"),
    [
        ("", PARAMETERS, 400, None),
        ("1.0", PARAMETERS, 505, None),  # R7560
        ("15.0", PARAMETERS, 400, None),
        ("16.1", PARAMETERS, 200, "1"),
        ("2.5", PARAMETERS, 200, "1"),
        ("14.1", PARAMETERS.replace("FolderSync", "FolderSyncs"), 501, None),
        # What devices had before 2.5.
        ("2.5", PARAMETERS.replace("FolderSync", "CreateCollection"), 501, None),  # R7558
        ("12.0", PARAMETERS.replace("FolderSync", "DeleteCollection"), 501, None),
        ("12.1", PARAMETERS.replace("FolderSync", "MoveCollection"), 501, None),
        ("14.1", PARAMETERS.replace("FolderSync", "CreateCollection"), 501, None),
        # Without a root element of its own: HTTP in the place of 138.
        ("14.1", PARAMETERS.replace("FolderSync", "GetAttachment"), 400, None),
        ("14.0", PARAMETERS.replace("FolderSync", "GetHierarchy"), 400, None),
        ("16.1", PARAMETERS.replace("FolderSync", "GetHierarchy"), 400, None),
        ("12.1", PARAMETERS.replace("FolderSync", "Notify"), 400, None),
        ("14.1", PARAMETERS.replace("FolderSync", "Notify"), 400, None),
        ("2.5", PARAMETERS.replace("FolderSync", "Settings"), 400, None),  # R7559
        ("2.5", PARAMETERS.replace("FolderSync", "ItemOperations"), 400, None),
        ("14.1", PARAMETERS.replace("&DeviceId=WIRE1", ""), 200, "108"),  # R4828
        ("14.0", PARAMETERS.replace("WIRE1", "a%20b"), 200, "108"),
        ("12.1", PARAMETERS.replace("&DeviceId=WIRE1", ""), 400, None),
        ("14.1", PARAMETERS.replace("&DeviceType=TestPhone", ""), 200, "109"),  # R4830
        ("12.1", PARAMETERS.replace("&DeviceType=TestPhone", ""), 400, None),
        ("14.1", "", 400, None),
        ("14.1", "%%%", 400, None),
        ("14.1", PARAMETERS.lower().replace("wire1", "WIRE1"), 200, "1"),
    ],
)
async def test_queries_and_versions(wire: Wires, version: str, query: str, http: int, status: str | None) -> None:
    got = await wire(version=version).post("FolderSync", FOLDER_SYNC, query=query)
    assert got.http == http
    if status is not None:
        assert got.status == status


async def test_a_base64_query_says_it_all(wire: Wires) -> None:
    """Its version and key stand for the headers."""
    asked = queries.Query(
        command="FolderSync", device_id="WIRE1", device_type="TestPhone", version=Version.V14_0, policy_key=4711
    )
    got = await wire(version="").post("FolderSync", FOLDER_SYNC, query=queries.encode_base64(asked))
    assert (got.http, got.status) == (200, "1")
    assert (await wire(version="").post("FolderSync", FOLDER_SYNC, query=b64encode(b"\x8d\x63xx").decode())).http == 501


@pytest.mark.parametrize(
    ("version", "body", "content_type", "http", "status"),
    [
        ("14.1", b"", "", 200, "101"),  # R4811
        ("12.1", b"", "", 400, None),
        ("14.1", FOLDER_SYNC, "text/plain", 200, "101"),
        ("12.1", FOLDER_SYNC, "text/xml", 400, None),
        ("14.1", b"<FolderSync/>", None, 200, "102"),  # R4815
        ("12.1", b"<FolderSync/>", None, 400, None),
        ("14.1", b"\x03\x01\x6a\x00", None, 200, "102"),
        ("14.1", SYNC, None, 200, "10"),  # the command's own status for what does not fit
        ("12.1", SYNC, None, 200, "10"),
    ],
)
async def test_bodies_that_do_not_fit(
    wire: Wires, version: str, body: Any, content_type: str | None, http: int, status: str | None
) -> None:
    got = await wire(version=version).post("FolderSync", body, content_type=content_type)
    assert got.http == http
    if status is not None:
        assert got.status == status


@pytest.mark.parametrize(("version", "http", "status"), [("14.1", 200, "103"), ("12.1", 400, None)])
async def test_what_does_not_fit_a_command_without_a_status_for_that(
    wire: Wires, version: str, http: int, status: str | None
) -> None:
    """R4817, R7547"""
    got = await wire(version=version).post("MoveItems", FOLDER_SYNC)
    assert got.http == http
    if status is not None:
        assert got.status == status
        assert got.root.tag == "Move:MoveItems"


@pytest.mark.parametrize(
    ("error", "status", "http"),
    [
        (Unavailable("imap.internal:143 is away"), 111, 503),  # R7551
        (Contended(), 111, 503),
        (NoSpace(), 113, 507),  # R4838, R7553
        (CommonFault(CommonStatus.ACCESS_DENIED), 130, 403),
        (ZeroDivisionError("imap.internal"), 110, 500),  # R7550
        (KeyError("secret"), 110, 500),
    ],
)
async def test_failures_by_version(
    wire: Wires, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, http: int
) -> None:
    async def fail(request: Any, session: Any) -> None:
        raise error

    monkeypatch.setitem(COMMANDS, "Settings", replace(COMMANDS["Settings"], handle=fail))
    for version in ("14.0", "14.1"):
        got = await wire(version=version).post("Settings", e("Settings:Settings"))
        assert (got.http, got.status, len(got.root.elements)) == (200, str(status), 1)
    old = await wire(version="12.1").post("Settings", e("Settings:Settings"))
    assert old.http == http
    assert (old.headers.get("retry-after") is not None) is (http == 503)
    assert b"internal" not in old.body
    assert b"secret" not in old.body


async def test_a_bug_is_logged_with_its_traceback_and_a_refusal_without(
    wire: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    import structlog

    async def fail(request: Any, session: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(COMMANDS, "Settings", replace(COMMANDS["Settings"], handle=fail))
    with structlog.testing.capture_logs() as lines:
        await wire().post("Settings", e("Settings:Settings"))
        await wire().post("FolderSync", b"\x00")
    failed = [line for line in lines if line["log_level"] == "error"]
    assert len(failed) == 1
    assert isinstance(failed[0]["exc_info"], ZeroDivisionError)


async def test_one_line_a_request_and_no_secret_in_it(wire: Wires) -> None:
    import structlog

    with structlog.testing.capture_logs() as lines:
        await wire().post("FolderSync", FOLDER_SYNC)
        await wire(password="wr0ng-secret").post("FolderSync", FOLDER_SYNC)
    first, second = [line for line in lines if line["event"] == "request"]
    assert {
        "user": "anna@example.com", "device": "WIRE1", "command": "FolderSync", "version": "14.1", "http": 200,
        "status": "1",
    }.items() <= first.items()
    assert first["bytes_in"] > 0
    assert first["bytes_out"] > 0
    assert second["http"] == 401
    assert "user" not in second
    assert "secret" not in repr(lines)


# Devices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.5", "12.0", "12.1"])
async def test_an_old_device_is_known_by_its_id_alone(wire: Wires, world: Any, version: str) -> None:
    """Before 14.0 there is no Status 109: a device that leaves out its type, its name or its user is still itself."""
    whole = wire(version=version, type="SmartPhone", agent="MSFT-SPhone/5.2.1")
    bare = wire(version=version, type="", agent="")
    assert (await bare.post("FolderSync", FOLDER_SYNC)).http == 400, "nobody knows it yet"
    assert await world.device() is None
    assert (await whole.post("FolderSync", FOLDER_SYNC)).status == "1"
    query = "Cmd=FolderSync&DeviceId=WIRE1"
    assert (await bare.post("FolderSync", FOLDER_SYNC, query=query)).status == "1"
    stored = await world.device()
    assert (stored.type, stored.agent) == ("SmartPhone", "MSFT-SPhone/5.2.1")
    bare.version = "14.0"
    assert (await bare.post("FolderSync", FOLDER_SYNC, query=query)).status == "109"


async def test_the_first_command_makes_a_partnership(wire: Wires, world: Any) -> None:
    device = wire(agent="Phone/7", type="Fold")
    await device.ask("OPTIONS", "/Microsoft-Server-ActiveSync?DeviceId=WIRE1&DeviceType=Fold")
    await device.ask("POST", "/autodiscover/autodiscover.xml")
    assert await world.device() is None
    await device.post("FolderSync", FOLDER_SYNC)
    stored = await world.device()
    assert (stored.type, stored.agent, stored.version) == ("Fold", "Phone/7", "14.1")
    assert stored.first_seen is not None
    assert await world.device("ben") is None


async def test_each_request_is_noted(wire: Wires, world: Any) -> None:
    await wire(agent="Phone/7", version="12.1").post("FolderSync", FOLDER_SYNC)
    first = await world.device()
    await wire(agent="Phone/8").post("FolderSync", FOLDER_SYNC)
    second = await world.device()
    assert (second.agent, second.version) == ("Phone/8", "14.1")
    assert second.last_seen > first.last_seen
    assert second.first_seen == first.first_seen


async def test_android_validates_without_leaving_a_trace(wire: Wires, world: Any) -> None:
    """It checks an account under the device id "validate" and comes back under its own."""
    device = wire(device="validate", type="Android")
    provision = e("Provision:Provision", e("Policies", e("Policy", e("PolicyType", "MS-EAS-Provisioning-WBXML"))))
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"
    device.version = "14.0"
    assert (await device.post("Provision", provision)).status == "1"
    assert (await device.post("Settings", e("Settings:Settings", e("DeviceInformation", e("Set", e(
        "Model", "x")))))).status == "1"
    assert await world.device(device="validate") is None


@pytest.mark.parametrize(("version", "http", "status"), [("14.1", 200, "126"), ("12.1", 403, None)])
async def test_a_user_without_activesync(
    wire: Wires, world: Any, version: str, http: int, status: str | None
) -> None:
    """R4869, R7555"""
    await world.admin.change_user("ben@example.com", activesync=False)
    device = wire(user="ben", password="ben-secret", version=version)
    got = await device.post("FolderSync", FOLDER_SYNC)
    assert got.http == http
    if status is not None:
        assert got.status == status
    assert (await device.ask("OPTIONS", "/Microsoft-Server-ActiveSync")).http == 403

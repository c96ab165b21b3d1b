"""Every common status as a device of each version hears it. [MS-ASCMD] Common Status Codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from wire import Wire, e

from eas.commands._registry import COMMANDS, CommonFault
from eas.protocol.statuses import CommonStatus, spoken
from eas.protocol.version import COMMON_STATUS, Version

Wires = Callable[..., Wire]

#: HTTP in the place of a status in 2.5, 12.0 and 12.1 (R7461, R7462), as the specification states it.
STATED = {
    101: 400,  # R7545 R7546
    103: 400,  # R7547
    106: 400,  # R7548
    110: 500,  # R7550
    111: 503,  # R7551 [MS-ASHTTP] R190
    112: 403,  # R7552
    113: 507,  # R7553 [MS-ASHTTP] R192
    125: 403,  # R7554
    126: 403,  # R7555 [MS-ASHTTP] R180
    132: 403,  # R7556
    137: 501,  # R7558
    138: 400,  # R7559
    140: 449,  # R7562
    141: 449,  # R7563
    142: 449,  # R7564
    143: 449,  # R7565
    144: 449,  # R7566
    147: 400,  # R7567
}
#: Where a command has another one than the rest.
OF_COMMAND = {("SendMail", 106): 500, ("Provision", 132): 500}  # R7549, R7557

BODIES = {
    "FolderSync": e("FolderHierarchy:FolderSync", e("SyncKey", "0")),
    "SendMail": e("ComposeMail:SendMail", e("ClientId", "1"), e("Mime", b"To: ben@example.com\r\n\r\nHi")),
    "Provision": e("Provision:Provision"),
}


def failing(monkeypatch: pytest.MonkeyPatch, command: str, status: CommonStatus) -> None:
    async def fail(request: Any, session: Any) -> None:
        raise CommonFault(status)

    monkeypatch.setitem(COMMANDS, command, replace(COMMANDS[command], handle=fail, gated=False))


def asked(command: str, version: Version) -> tuple[Any, dict[str, str]]:
    if command == "SendMail" and version < Version.V14_0:
        return b"To: ben@example.com\r\n\r\nHi", {"content_type": "message/rfc822"}
    return BODIES[command], {}


async def test_each_status_in_each_version(wire: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 14.0 the status alone in the command's root, before that HTTP, with a key in the request."""
    assert {status for status in STATED if status not in set(CommonStatus)} == set()
    for version in Version:
        device = wire(version=version.text, key="1", device=f"V{version.value}")
        for status in CommonStatus:
            failing(monkeypatch, "FolderSync", status)
            body, more = asked("FolderSync", version)
            got = await device.post("FolderSync", body, **more)
            if version not in COMMON_STATUS:
                assert got.http >= 400, status
                assert got.http == STATED.get(status, got.http), status
                assert (got.headers.get("retry-after") is not None) == (got.http == 503)  # [MS-ASHTTP] R287 R288
            elif version in spoken(status):
                assert (got.http, got.root) == (200, e("FolderHierarchy:FolderSync", e("Status", str(int(status)))))


@pytest.mark.parametrize(("command", "status"), OF_COMMAND)
async def test_what_a_command_has_for_itself(
    wire: Wires, monkeypatch: pytest.MonkeyPatch, command: str, status: int
) -> None:
    failing(monkeypatch, command, CommonStatus(status))
    for version in (Version.V2_5, Version.V12_0, Version.V12_1, Version.V14_0):
        body, more = asked(command, version)
        got = await wire(version=version.text).post(command, body, **more)
        expected = OF_COMMAND[command, status] if version < Version.V14_0 else 200
        assert got.http == expected, version


async def test_a_wipe_is_403_for_a_device_without_a_key(wire: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    """R7561; R7562 with one."""
    failing(monkeypatch, "FolderSync", CommonStatus.REMOTE_WIPE_REQUESTED)
    for version in ("2.5", "12.0", "12.1"):
        assert (await wire(version=version).post("FolderSync", BODIES["FolderSync"])).http == 403
        assert (await wire(version=version, key="0").post("FolderSync", BODIES["FolderSync"])).http == 449


@pytest.mark.parametrize("version", ["1.0", "2.0", "2.1"])
async def test_a_device_of_before_2_5_is_told_by_http(wire: Wires, version: str) -> None:
    """R7560"""
    assert (await wire(version=version).post("FolderSync", BODIES["FolderSync"])).http == 505


async def test_a_fault_of_ours_is_500(wire: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    """[MS-ASHTTP] R184; from 14.0 on Status 110 in HTTP 200."""
    async def fail(request: Any, session: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(COMMANDS, "FolderSync", replace(COMMANDS["FolderSync"], handle=fail))
    for version, http in (("2.5", 500), ("12.0", 500), ("12.1", 500), ("14.0", 200), ("16.1", 200)):
        assert (await wire(version=version).post("FolderSync", BODIES["FolderSync"])).http == http

"""In which order a request is refused: the first of several reasons is the one that a device hears. [MS-ASCMD].

Login, a wipe that is pending, the user's right to synchronise, the policy, what was said of the device, the request.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wire import Wire, e

from eas.app import build
from eas.config import load
from eas.engine.model import Access, Policy

Wires = Callable[..., Wire]

FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
MALFORMED = e("FolderHierarchy:FolderSync")
STRICT = Policy(settings={"DevicePasswordEnabled": "1"}, enforced=True, allow_partial=False)


async def wrong_password(world: Any, device: Wire) -> None:
    device.password = "wrong"


async def wipe(world: Any, device: Wire) -> None:
    await world.store.request_wipe(world.ids["anna"], device.device)


async def disable(world: Any, device: Wire) -> None:
    await world.admin.change_user("anna@example.com", activesync=False)


async def enforce(world: Any, device: Wire) -> None:
    await world.store.save_policy(replace(STRICT, allow_partial=True))


async def block(world: Any, device: Wire) -> None:
    await world.store.set_access(world.ids["anna"], device.device, Access.BLOCKED)


async def malform(world: Any, device: Wire) -> None:
    """Nothing but the request itself."""


#: From the first reason to the last, and what a device of 16.1 and of 12.1 hears of it.
REASONS: tuple[tuple[Callable[[Any, Wire], Any], str, int], ...] = (
    (wrong_password, "", 401),
    (wipe, "140", 449),  # R5280, R7562
    (disable, "126", 403),  # R4869, R7555
    (enforce, "142", 449),  # R4906, R7564
    (block, "129", 403),  # R4876
    (malform, "10", 200),
)


@pytest.mark.parametrize("number", range(len(REASONS)))
@pytest.mark.parametrize("version", ["12.1", "14.0", "16.1"])
async def test_the_first_reason_counts(wire: Wires, world: Any, number: int, version: str) -> None:
    """With all that come after it."""
    device = wire(version=version, key="0")
    assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"
    for happen, _, _ in reversed(REASONS[number:]):
        await happen(world, device)
    _, status, http = REASONS[number]
    got = await device.post("FolderSync", MALFORMED)
    in_http = not number or (version == "12.1" and http != 200)
    assert got.http == (http if in_http else 200)
    assert in_http or got.status == status


@pytest.mark.parametrize(("version", "http"), [("16.1", 200), ("14.1", 200), ("12.1", 403), ("2.5", 403)])
async def test_a_user_has_as_many_devices_as_may_be(
    office: tuple[Path, dict[str, str]], tmp_path: Path, version: str, http: int
) -> None:
    """R4980. Those that are known go on, and one that is removed makes room."""
    shutil.copytree(office[0], tmp_path / "data")
    overrides = {"data": tmp_path / "data", "domain": "example.com", "limits.max_devices": 2}
    async with build(load(overrides=overrides, environment={})) as app:
        first, second, third = (Wire(app=app.asgi, device=f"WIRE{n}", version=version) for n in (1, 2, 3))
        for device in (first, second):
            assert (await device.post("FolderSync", FOLDER_SYNC)).status == "1"
        refused = await third.post("FolderSync", FOLDER_SYNC)
        assert refused.http == http
        assert http == 403 or refused.status == "177"
        assert (await first.post("FolderSync", FOLDER_SYNC)).status == "1"
        other = Wire(app=app.asgi, user="ben", password="ben-secret", version=version)
        assert (await other.post("FolderSync", FOLDER_SYNC)).status == "1"
        await app.store.remove_device(office[1]["anna"], "WIRE2")
        assert (await third.post("FolderSync", FOLDER_SYNC)).status == "1"


@pytest.mark.parametrize(("query", "status"), [
    ("Cmd=FolderSync&User=anna&DeviceType=T", "108"),  # R4828
    ("Cmd=FolderSync&User=anna&DeviceId=D1", "109"),  # R4830
])
async def test_a_device_that_does_not_name_itself(wire: Wires, query: str, status: str) -> None:
    got = await wire(version="16.1").post("FolderSync", FOLDER_SYNC, query=query)
    assert (got.http, got.status) == (200, status)
    assert (await wire(version="12.1").post("FolderSync", FOLDER_SYNC, query=query)).http == 400

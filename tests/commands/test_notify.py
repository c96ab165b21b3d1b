"""Notify, which devices of 2.5 may still send: answered so that they do without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wire import Wire, e

Wires = Callable[..., Wire]

ASKED = e("AirNotify:Notify", e("DeviceInfo", e("Enable", "1"), e("DeviceAddress", "+491234567@sms.example")))


@pytest.mark.parametrize("version", ["2.5", "12.0"])
@pytest.mark.parametrize("body", [ASKED, e("AirNotify:Notify"), b""])
async def test_all_is_well_and_no_carrier_is_known(wire: Wires, version: str, body: object) -> None:
    got = await wire(version=version).post("Notify", body)
    assert (got.http, got.root) == (200, e("AirNotify:Notify", e("Status", "1"), e("ValidCarrierProfiles")))


@pytest.mark.parametrize("body", [b"\x03\x01\x6a\x00\x3f", e("Ping:Ping")])
async def test_what_is_no_notify_is_refused(wire: Wires, body: object) -> None:
    assert (await wire(version="2.5").post("Notify", body)).http == 400


async def test_nobody_is_led_to_ask(wire: Wires) -> None:
    got = await wire().ask("OPTIONS", "/Microsoft-Server-ActiveSync")
    offered = got.headers["ms-asprotocolcommands"].split(",")
    assert "GetHierarchy" in offered
    assert {"Notify", "CreateCollection", "DeleteCollection", "MoveCollection"}.isdisjoint(offered)

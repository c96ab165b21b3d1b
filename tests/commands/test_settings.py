"""Settings, property by property. [MS-ASCMD] Settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from wire import Got, Wire, e

from eas.engine.model import Policy

Wires = Callable[..., Wire]


def settings(*properties: Any) -> Any:
    return e("Settings:Settings", *properties)


def oof_get(body_type: str | None = "Text") -> Any:
    return e("Oof", e("Get", *((e("BodyType", body_type),) if body_type is not None else ())))


def oof_set(*parts: Any) -> Any:
    return e("Oof", e("Set", *parts))


def reply(audience: str = "Internal", *parts: Any) -> Any:
    return e("OofMessage", e(f"AppliesTo{audience}"), *parts)


async def ask(device: Wire, *properties: Any) -> Got:
    return await device.post("Settings", settings(*properties))


START, END = e("StartTime", "2026-12-20T08:00:00.000Z"), e("EndTime", "2027-01-04T08:00:00.000Z")
ADDRESSES = e("UserInformation", e("Get"))


@pytest.mark.parametrize(
    ("version", "properties", "status"),
    [
        ("14.1", (), "1"),
        ("14.1", (oof_get(), oof_get()), "2"),
        ("14.1", (ADDRESSES, ADDRESSES), "2"),
        ("12.1", (e("RightsManagementInformation", e("Get")),), "2"),
        ("14.1", (e("Surprise:Surprise"),), None),
    ],
)
async def test_a_request_as_a_whole(wire: Wires, version: str, properties: Any, status: str | None) -> None:
    """R483: then no property is answered."""
    if status is None:
        with pytest.raises(ValueError, match="no code page"):
            await ask(wire(version=version), *properties)
        return
    got = await ask(wire(version=version), *properties)
    assert got.status == status
    assert status == "1" or len(got.root.elements) == 1


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (e("Oof"), "2"),
        (oof_get(None), "2"),
        (oof_get("RTF"), "2"),
        (oof_set(e("OofState", "on")), "2"),  # R5845
        (oof_set(e("OofState", "3")), "5"),  # R5582
        (oof_set(e("OofState", "2"), START), "2"),  # R3992, R2272
        (oof_set(e("OofState", "2"), END), "2"),  # R5827, R5681
        (oof_set(e("OofState", "2"), e("StartTime", "tomorrow"), END), "2"),
        (oof_set(e("OofState", "2")), "5"),
        (oof_set(e("OofState", "2"), e("StartTime", END.text), e("EndTime", START.text)), "6"),  # R5583
        (oof_set(e("OofMessage", e("Enabled", "1"))), "2"),
        (oof_set(e("OofMessage", e("AppliesToInternal"), e("AppliesToExternalKnown"), e("Enabled", "1"))), "2"),
        (oof_set(reply("Internal", e("Enabled", "1"), e("ReplyMessage", "away"))), "2"),  # R3785
        (oof_set(reply("Internal", e("ReplyMessage", "away"), e("BodyType", "RTF"))), "5"),
        (oof_set(reply("Internal", e("Enabled", "1")), reply("Internal", e("Enabled", "0"))), "6"),  # R3526
        (oof_set(reply("Internal", e("ReplyMessage", "x" * 200_000), e("BodyType", "Text"))), "5"),
        (oof_set(), "1"),
        (oof_set(e("OofState", "0"), START, END), "1"),  # R3535
    ],
)
async def test_out_of_office_is_checked(wire: Wires, asked: Any, status: str) -> None:
    got = await ask(wire(), asked)
    assert got.status == "1"
    assert got.text("Oof", "Status") == status


async def test_out_of_office_is_answered_in_full(wire: Wires) -> None:
    """All three audiences, or iOS shows "Loading" for ever. R3505"""
    got = await ask(wire(), oof_get())
    assert got.text("Oof", "Get", "OofState") == "0"
    messages = got.all("Oof", "Get", "OofMessage")
    assert [m.elements[0].tag.removeprefix("Settings:AppliesTo") for m in messages] == [
        "Internal", "ExternalKnown", "ExternalUnknown",
    ]
    assert got.find("Oof", "Get", "StartTime") is None


async def test_out_of_office_is_kept_by_audience(wire: Wires) -> None:
    """R783, R793, R802, R2251, R826, R1106"""
    device = wire()
    set_ = oof_set(
        e("OofState", "2"), START, END,
        reply("Internal", e("Enabled", "1"), e("ReplyMessage", "Back on Monday & well"), e("BodyType", "Text")),
        reply("ExternalKnown", e("Enabled", "1"), e("ReplyMessage", "<p>Away</p>"), e("BodyType", "HTML")),
        reply("ExternalUnknown", e("Enabled", "0")),
    )
    assert (await ask(device, set_)).text("Oof", "Status") == "1"
    got = await ask(wire(device="WIRE2"), oof_get("TEXT"))
    assert got.text("Oof", "Get", "OofState") == "2"
    assert got.text("Oof", "Get", "StartTime") == START.text
    assert got.text("Oof", "Get", "EndTime") == END.text
    first, second, third = ({c.tag.partition(":")[2]: c.text for c in m.elements} for m in got.all(
        "Oof", "Get", "OofMessage"
    ))
    assert (first["Enabled"], first["ReplyMessage"], first["BodyType"]) == ("1", "Back on Monday & well", "Text")
    assert (second["Enabled"], second["ReplyMessage"].strip(), second["BodyType"]) == ("1", "Away", "Text")
    assert third["Enabled"] == "0"
    assert "ReplyMessage" not in third
    html = await ask(device, oof_get("HTML"))
    assert "Back on Monday &amp; well" in html.text("Oof", "Get", "OofMessage", "ReplyMessage")


async def test_what_a_set_leaves_out_stays(wire: Wires) -> None:
    device = wire()
    await ask(device, oof_set(
        e("OofState", "1"), reply("Internal", e("Enabled", "1"), e("ReplyMessage", "Away"), e("BodyType", "Text")),
    ))
    await ask(device, oof_set(e("OofState", "0"), reply("Internal", e("Enabled", "0"))))
    got = await ask(device, oof_get())
    assert got.text("Oof", "Get", "OofState") == "0"
    assert got.text("Oof", "Get", "OofMessage", "Enabled") == "0"
    assert got.text("Oof", "Get", "OofMessage", "ReplyMessage") == "Away"
    await ask(device, oof_set(reply("Internal", e("ReplyMessage", ""), e("BodyType", "Text"))))
    got = await ask(device, oof_get())
    assert got.find("Oof", "Get", "OofMessage", "ReplyMessage") is None


async def test_times_without_the_state_that_they_belong_to_are_not_kept(wire: Wires) -> None:
    """R3535, R7544"""
    device = wire()
    await ask(device, oof_set(e("OofState", "1"), START, END))
    got = await ask(device, oof_get())
    assert got.text("Oof", "Get", "OofState") == "1"
    assert got.find("Oof", "Get", "StartTime") is None


async def test_addresses_up_to_14_0(wire: Wires) -> None:
    """R6672"""
    for version in ("12.1", "14.0"):
        got = await ask(wire(version=version), ADDRESSES)
        assert got.text("UserInformation", "Status") == "1"
        addresses = got.all("UserInformation", "Get", "EmailAddresses", "SMTPAddress")
        assert addresses[0].text == "anna@example.com"
        assert got.find("UserInformation", "Get", "Accounts") is None
        assert got.find("UserInformation", "Get", "EmailAddresses", "PrimarySmtpAddress") is None


async def test_addresses_from_14_1(wire: Wires) -> None:
    """R733, R3679; the primary account has no AccountId (R729)"""
    got = await ask(wire(), ADDRESSES)
    account = ("UserInformation", "Get", "Accounts", "Account")
    assert got.text(*account, "EmailAddresses", "SMTPAddress") == "anna@example.com"
    assert got.text(*account, "EmailAddresses", "PrimarySmtpAddress") == "anna@example.com"
    assert got.text(*account, "UserDisplayName").startswith("Anna")
    assert got.find(*account, "AccountId") is None
    assert got.find("UserInformation", "Get", "EmailAddresses") is None


@pytest.mark.parametrize(
    ("version", "values", "status", "kept"),
    [
        ("14.1", (e("OS", "Wire"), e("EnableOutboundSMS", "1")), "1", {"OS": "Wire", "EnableOutboundSMS": "1"}),
        ("12.1", (e("UserAgent", "Wire"), e("MobileOperator", "Tele")), "1", {"UserAgent": "Wire"}),
        ("14.1", (e("Model", "x" * 1024),), "1", {"Model": "x" * 1024}),
        ("14.1", (e("Model", "x" * 1025),), "5", {}),
        ("14.1", (e("EnableOutboundSMS", "2"),), "5", {}),
        ("14.1", (), "1", {}),
    ],
)
async def test_device_information(
    wire: Wires, world: Any, version: str, values: Any, status: str, kept: dict[str, str]
) -> None:
    got = await ask(wire(version=version), e("DeviceInformation", e("Set", *values)))
    assert got.text("DeviceInformation", "Status") == status
    assert dict((await world.device()).information) == kept


async def test_device_information_is_merged_and_deleted_value_by_value(wire: Wires, world: Any) -> None:
    """R3944, R3947"""
    device = wire()
    await ask(device, e("DeviceInformation", e("Set", e("Model", "Fold 7"), e("IMEI", "123"))))
    await ask(device, e("DeviceInformation", e("Set", e("IMEI"), e("OS", "Wire 1"))))
    assert dict((await world.device()).information) == {"Model": "Fold 7", "OS": "Wire 1"}
    assert (await ask(device, e("DeviceInformation"))).text("DeviceInformation", "Status") == "2"


@pytest.mark.parametrize(
    ("password", "status"), [("1234", "1"), ("x" * 255, "1"), ("x" * 256, "5"), ("", "1"), (None, "2")]
)
async def test_the_recovery_password(wire: Wires, world: Any, password: str | None, status: str) -> None:
    """R3660, R3661, R4400"""
    parts = () if password is None else (e("Password", password),)
    got = await ask(wire(), e("DevicePassword", e("Set", *parts)))
    assert got.text("DevicePassword", "Status") == status
    stored = (await world.device()).recovery_password
    assert stored == (password if status == "1" else "")


async def test_a_policy_may_forbid_recovery_passwords(wire: Wires, world: Any) -> None:
    """R4401, R4402"""
    await world.store.save_policy(replace(Policy(), allow_password_recovery=False))
    got = await ask(wire(), e("DevicePassword", e("Set", e("Password", "1234"))))
    assert got.text("DevicePassword", "Status") == "7"


async def test_rights_management_is_not_there(wire: Wires) -> None:
    """[MS-ASRM] R196"""
    got = await ask(wire(), e("RightsManagementInformation", e("Get")))
    assert got.status == "1"
    assert got.text("RightsManagementInformation", "Status") == "168"


@pytest.mark.parametrize("turn", [1, -1])
async def test_properties_are_answered_in_the_order_of_the_request(wire: Wires, turn: int) -> None:
    """R480, R5713, R486: each with its status first"""
    asked = [ADDRESSES, oof_get(), e("DeviceInformation", e("Set", e("Model", "Fold"))), e(
        "DevicePassword", e("Set", e("Password", "1")))][::turn]
    got = await ask(wire(), *asked)
    answered = got.root.elements[1:]
    assert [a.tag for a in answered] == [f"Settings:{a.tag}" for a in asked]
    assert all(a.elements[0].tag == "Settings:Status" for a in answered)
    assert all(a.elements[0].text == "1" for a in answered)

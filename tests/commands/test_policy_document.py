"""Every setting with every value, as a device of each version is told it. [MS-ASPROV]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from wire import Wire, e

from eas.engine.model import Policy
from eas.items.policy import SETTINGS
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

WITH_INFORMATION = ("14.1", "16.0", "16.1")
FLAG = ("0", "1")
NUMBERS = ("0", "1", "30", "")

#: Setting, the values that it is given one after the other, since when, and what is thereby checked: that it has no
#: children, and which values there are.
ROWS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("DevicePasswordEnabled", FLAG, "12.0", "R212"),
    ("AlphanumericDevicePasswordRequired", FLAG, "12.0", "R183"),
    ("PasswordRecoveryEnabled", FLAG, "12.0", "R292"),
    ("RequireStorageCardEncryption", FLAG, "12.1", "R360"),
    ("AttachmentsEnabled", FLAG, "12.0", "R204 R205"),
    ("MinDevicePasswordLength", ("", "1", "16"), "12.0", "R287 R673 R676"),
    ("MaxInactivityTimeDeviceLock", ("", "60", "9999"), "12.0", "R277 R674 R677"),
    ("MaxDevicePasswordFailedAttempts", ("", "4", "16"), "12.0", "R252 R672"),
    ("MaxAttachmentSize", ("", "0", "1048576"), "12.0", "R242 R241"),
    ("AllowSimpleDevicePassword", FLAG, "12.0", "R137"),
    ("DevicePasswordExpiration", NUMBERS, "12.0", "R218"),
    ("DevicePasswordHistory", ("0", "50"), "12.0", "R225"),
    ("AllowStorageCard", FLAG, "12.1", "R155"),
    ("AllowCamera", FLAG, "12.1", "R86"),
    ("RequireDeviceEncryption", FLAG, "12.1", "R327"),
    ("AllowUnsignedApplications", FLAG, "12.1", "R167"),
    ("AllowUnsignedInstallationPackages", FLAG, "12.1", "R172"),
    ("MinDevicePasswordComplexCharacters", ("1", "2", "3", "4"), "12.1", "R281"),
    ("AllowWiFi", FLAG, "12.1", "R177"),
    ("AllowTextMessaging", FLAG, "12.1", "R161"),
    ("AllowPOPIMAPEmail", FLAG, "12.1", "R124"),
    ("AllowBluetooth", ("0", "1", "2"), "12.1", "R71"),
    ("AllowIrDA", FLAG, "12.1", "R117"),
    ("RequireManualSyncWhenRoaming", FLAG, "12.1", "R345"),
    ("AllowDesktopSync", FLAG, "12.1", "R98"),
    ("MaxCalendarAgeFilter", ("0", "4", "5", "6", "7"), "12.1", "R244 R245"),
    ("AllowHTMLEmail", FLAG, "12.1", "R105 R106"),
    ("MaxEmailAgeFilter", ("0", "1", "2", "3", "4", "5"), "12.1", "R256 R257"),
    ("MaxEmailBodyTruncationSize", ("-1", "0", "4096"), "12.1", "R265 R266"),
    ("MaxEmailHTMLBodyTruncationSize", ("-1", "0", "4096"), "12.1", "R271 R272"),
    ("RequireSignedSMIMEMessages", FLAG, "12.1", "R355 R356"),
    ("RequireEncryptedSMIMEMessages", FLAG, "12.1", "R332 R333"),
    ("RequireSignedSMIMEAlgorithm", FLAG, "12.1", "R350 R351"),
    ("RequireEncryptionSMIMEAlgorithm", ("0", "1", "2", "3", "4"), "12.1", "R337 R338"),
    ("AllowSMIMEEncryptionAlgorithmNegotiation", ("0", "1", "2"), "12.1", "R144"),
    ("AllowSMIMESoftCerts", FLAG, "12.1", "R150"),
    ("AllowBrowser", FLAG, "12.1", "R81"),
    ("AllowConsumerEmail", FLAG, "12.1", "R93"),
    ("AllowRemoteDesktop", FLAG, "12.1", "R129"),
    ("AllowInternetSharing", FLAG, "12.1", "R110"),
)  # fmt: skip
LISTS = {"UnapprovedInROMApplicationList": "ApplicationName", "ApprovedApplicationList": "Hash"}
ROUNDS = max(len(values) for _, values, _, _ in ROWS)


def test_every_setting_has_its_row() -> None:
    assert [name for name, *_ in ROWS] + [*LISTS] == [setting.name for setting in SETTINGS]


async def told(device: Wire) -> list[Element]:
    """The children of the EASProvisionDoc that a device gets, the only child of the Data. R208, R210, R233, R234"""
    stated = e("Settings:DeviceInformation", e("Set", e("OS", "1")))
    information = (stated,) if device.version in WITH_INFORMATION else ()
    asked = e("Policies", e("Policy", e("PolicyType", "MS-EAS-Provisioning-WBXML")))
    got = await device.post("Provision", e("Provision:Provision", *information, asked))
    (data,) = got.all("Policies", "Policy", "Data")
    (document,) = data.elements
    assert document.tag == "Provision:EASProvisionDoc"
    return list(document.elements)


@pytest.mark.parametrize("version", ["12.0", "12.1", "14.0", "14.1", "16.0", "16.1"])
async def test_a_setting_is_told_as_it_is(wire: Wires, world: Any, version: str) -> None:
    """[MS-ASPROV] R232, R235, and those of the rows."""
    for number in range(ROUNDS):
        stated = {name: values[number % len(values)] for name, values, _, _ in ROWS}
        await world.store.save_policy(Policy(settings=stated))
        children = await told(wire(version=version))
        assert len({child.tag for child in children}) == len(children)
        found = {child.tag.removeprefix("Provision:"): child for child in children}
        wanted = {name: stated[name] for name, _, since, _ in ROWS if float(since) <= float(version)}
        assert {name: child.text for name, child in found.items()} == wanted
        assert not any(child.elements for child in children)


@pytest.mark.parametrize("version", ["12.1", "16.1"])
async def test_lists_of_applications(wire: Wires, world: Any, version: str) -> None:
    """[MS-ASPROV] R194, R195, R199, R202, R404, R405, R408, R409"""
    stated = dict.fromkeys(LISTS, "one\ntwo")
    await world.store.save_policy(Policy(settings=stated))
    found = [child for child in await told(wire(version=version)) if child.tag.partition(":")[2] in LISTS]
    assert [child.tag.partition(":")[2] for child in found] == [*LISTS]
    for child in found:
        entry = LISTS[child.tag.partition(":")[2]]
        assert [(inner.tag, inner.text) for inner in child.elements] == [
            (f"Provision:{entry}", "one"), (f"Provision:{entry}", "two"),
        ]


async def test_an_unset_setting_is_told_with_its_default_or_empty(wire: Wires, world: Any) -> None:
    """[MS-ASPROV] R652, R1044, R1045"""
    device = wire()
    await world.store.save_policy(Policy(settings={"AllowCamera": "0", "MinDevicePasswordLength": "6"}))
    before = {child.tag: child.text for child in await told(device)}
    await world.store.save_policy(Policy())
    after = {child.tag: child.text for child in await told(device)}
    assert (before["Provision:AllowCamera"], after["Provision:AllowCamera"]) == ("0", "1")
    assert (before["Provision:MinDevicePasswordLength"], after["Provision:MinDevicePasswordLength"]) == ("6", "")

"""Provision and Settings as a device sends them, for the conformance cases."""

from __future__ import annotations

from typing import Any

from lab import Inapplicable, Talker
from wire import Got, e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

WBXML_POLICY, TEXT_POLICY = "MS-EAS-Provisioning-WBXML", "MS-WAP-Provisioning-XML"


def information(**values: str) -> Element:
    """A DeviceInformation; of a model where nothing is said."""
    stated = values or {"Model": "Conformance"}
    return e("Settings:DeviceInformation", e("Set", *(e(name, text) for name, text in stated.items())))


def policy_type(version: Version) -> str:
    return TEXT_POLICY if version is Version.V2_5 else WBXML_POLICY


def policies(*parts: Element) -> Element:
    return e("Policies", e("Policy", *parts))


def phase_1(version: Version, type: str = "") -> Element:
    """The first request, as this version has to make it."""
    beside = (information(),) if version >= Version.V14_1 else ()
    return e("Provision:Provision", *beside, policies(e("PolicyType", type or policy_type(version))))


def phase_2(version: Version, key: str | None, status: str | None = "1") -> Element:
    parts = [e("PolicyType", policy_type(version))]
    parts += [e("PolicyKey", key)] if key is not None else []
    parts += [e("Status", status)] if status is not None else []
    return e("Provision:Provision", policies(*parts))


async def offered(talker: Talker) -> Got:
    """The answer to a first request that went well."""
    got = await talker.post("Provision", phase_1(talker.version), headers={"X-MS-PolicyKey": "0"})
    assert got.http == 200, got.http
    assert got.status == "1", got.root
    if got.find("Policies", "Policy", "Data") is None:
        raise Inapplicable("the server has no policy for this user")
    return got


async def provisioned(talker: Talker) -> Got:
    """The answer to an acknowledgement; the talker has the final key afterwards."""
    key = (await offered(talker)).text("Policies", "Policy", "PolicyKey")
    got = await talker.post("Provision", phase_2(talker.version, key), headers={"X-MS-PolicyKey": key})
    talker.key = got.text("Policies", "Policy", "PolicyKey")
    return got


def tags(parent: Element) -> list[str]:
    """The names of the children, without their namespace."""
    return [child.tag.partition(":")[2] for child in parent.elements]


def folder_sync() -> Any:
    return e("FolderHierarchy:FolderSync", e("SyncKey", "0"))

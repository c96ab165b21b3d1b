"""DeviceInformation: what a device says of itself, in Settings and (from 14.1) in Provision.

[MS-ASCMD] DeviceInformation R477; Set R3944-R3947; [MS-ASPROV] settings:DeviceInformation R368, R607.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eas.protocol.schema import ELEMENT, element
from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

#: Characters of a value. [MS-ASCMD] Model and the others.
MAX_VALUE = 1024

#: The values, and the versions that have them. [MS-ASCMD] Set (Settings) R2618.
VALUES: Mapping[str, Spoken] = {
    "Model": Spoken(),
    "IMEI": Spoken(),
    "FriendlyName": Spoken(),
    "OS": Spoken(),
    "OSLanguage": Spoken(),
    "PhoneNumber": Spoken(),
    "UserAgent": Spoken(since=Version.V12_1),
    "EnableOutboundSMS": Spoken(since=Version.V14_0),
    "MobileOperator": Spoken(since=Version.V14_0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInformation:
    """`values` is the Set element; None if there is none, which is a fault of the sender."""

    values: Element | None = element("Settings:Set", ELEMENT, default=None)


def stated_values(information: DeviceInformation, version: Version) -> dict[str, str] | None:
    """The values by name, "" for those to be deleted. None if a value is too long or no 0 or 1 where one is due."""
    children = information.values.elements if information.values else ()
    stated: dict[str, str] = {}
    for child in children:
        name = child.tag.removeprefix("Settings:")
        if version not in VALUES.get(name, _NEVER):
            continue
        text = child.text.strip()
        if len(text) > MAX_VALUE or (name == "EnableOutboundSMS" and text not in ("", "0", "1")):
            return None
        stated[name] = text
    return stated


_NEVER = Spoken(since=Version.V16_1, until=Version.V2_5)


def merged(kept: Mapping[str, str], stated: Mapping[str, str]) -> dict[str, str]:
    """What is kept after a Set: values that were not stated stay, empty ones go.

    R3947 would have an empty value deleted by an empty Set element; that it means the value's own element is how
    [MS-ASCMD] Set reads otherwise, and an empty Set changes nothing.
    """
    return {name: text for name, text in {**kept, **stated}.items() if text}

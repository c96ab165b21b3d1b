"""Security policies: the settings of a provisioning document as data. [MS-ASPROV] EASProvisionDoc.

A policy states some settings as text, by element name. The document that a device gets has every setting that its
version knows, the unstated ones with the value that restricts nothing: a setting that was taken back is thereby undone
on the devices ([MS-ASPROV] R652). The digest that says which policy a device has acknowledged is made of what a version
knows and what differs from those values, so that neither a setting beyond a device's version nor a new row in this
table makes a device provision anew.

Up to 2.5 the document is a text, the registry settings of Windows Mobile ([MS-ASPROV] Data (string Data Type) R965).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from .policy_settings import REFRESH_INTERVAL, SETTINGS, Setting, problems

__all__ = ["IN_TEXT", "REFRESH_INTERVAL", "SETTINGS", "beyond", "digest", "document", "problems", "told"]

#: What the text of 2.5 can say.
IN_TEXT = frozenset((
    "DevicePasswordEnabled", "AlphanumericDevicePasswordRequired", "MinDevicePasswordLength",
    "MaxInactivityTimeDeviceLock", "MaxDevicePasswordFailedAttempts",
))
#: Where Windows Mobile keeps them: inactivity, the lock, and the rules for passwords.
_LOCK = r"HKLM\Comm\Security\Policy\LASSD"
_INACTIVITY = _LOCK + r"\AE\{50C13377-C66D-400C-889E-C316FC4AB374}"
_PASSWORD = _LOCK + r"\LAP\lap_pw"
#: Seconds of inactivity from which on there is no lock. [MS-ASPROV] MaxInactivityTimeDeviceLock R278
NO_LOCK = 9999


def document(settings: Mapping[str, str], version: Version, insist: Collection[str] = ()) -> Element:
    """The EASProvisionDoc of a policy without `problems`, for a version from 12.0 on. `insist` names settings that are
    told whatever the version."""
    children = []
    for setting in SETTINGS:
        text = settings.get(setting.name, setting.default)
        if text is not None and told(setting, version, insist):
            children.append(_element(setting, text))
    return Element("Provision:EASProvisionDoc", tuple(children))


def told(setting: Setting, version: Version, insist: Collection[str] = ()) -> bool:
    """Whether a device of this version hears of the setting. The text of 2.5 has no words for most, and insisting does
    not make any."""
    if version is Version.V2_5:
        return setting.name in IN_TEXT
    return version in setting.spoken or setting.name in insist


def text_document(settings: Mapping[str, str]) -> str:
    """The wap-provisioningdoc of a policy without `problems`, for 2.5.

    Parameter 4131 is 0 where a password is required and 1 where none is. An inactivity is in minutes, rounded up. The
    password is 0 of letters and digits, 1 of digits, 2 of anything. After half of the wrong passwords that it may take
    the device asks for a word, to see that it is not in a pocket.
    """
    if settings.get("DevicePasswordEnabled", "0") != "1":
        return _wap(_of("SecurityPolicy", ("4131", 1)))
    seconds = int(settings.get("MaxInactivityTimeDeviceLock") or NO_LOCK)
    locks = 0 < seconds < NO_LOCK
    attempts = int(settings.get("MaxDevicePasswordFailedAttempts") or 0)
    complexity = 0 if settings.get("AlphanumericDevicePasswordRequired") == "1" else 2
    inactivity = (("AEFrequencyType", 1), ("AEFrequencyValue", -(-seconds // 60))) if locks else (
        ("AEFrequencyType", 0),
    )
    wiping = (("DeviceWipeThreshold", attempts), ("CodewordFrequency", attempts // 2)) if attempts else ()
    length = int(settings.get("MinDevicePasswordLength") or 1)
    registry = [
        _of(_INACTIVITY, *inactivity),
        *(_of(_LOCK, parameter) for parameter in wiping),
        _of(_PASSWORD, ("MinimumPasswordLength", length)),
        _of(_PASSWORD, ("PasswordComplexity", complexity)),
    ]
    inside = f'<characteristic type="Registry">{"".join(registry)}</characteristic>'
    return _wap(_of("SecurityPolicy", ("4131", 0)), inside)


def _wap(*characteristics: str) -> str:
    return f"<wap-provisioningdoc>{''.join(characteristics)}</wap-provisioningdoc>"


def _of(kind: str, *parameters: tuple[str, int]) -> str:
    inside = "".join(f'<parm name="{name}" value="{value}"/>' for name, value in parameters)
    return f'<characteristic type="{kind}">{inside}</characteristic>'


def beyond(settings: Mapping[str, str], version: Version, insist: Collection[str] = ()) -> tuple[str, ...]:
    """The settings that restrict something and that a device of this version is not told."""
    return tuple(
        setting.name for setting in SETTINGS
        if not told(setting, version, insist) and settings.get(setting.name, setting.default) != setting.default
    )


def _element(setting: Setting, text: str) -> Element:
    tag = f"Provision:{setting.name}"
    if not setting.entry:
        return Element(tag, text)
    return Element(tag, tuple(Element(f"Provision:{setting.entry}", entry) for entry in text.splitlines() if entry))


def digest(settings: Mapping[str, str], version: Version, insist: Collection[str] = ()) -> str:
    """Equal for policies that a device of this version cannot tell apart: 32 hex digits."""
    stated = [
        f"{setting.name}={text}"
        for setting in SETTINGS
        if told(setting, version, insist) and (text := settings.get(setting.name, setting.default)) != setting.default
    ]
    return sha256("\0".join(stated).encode()).hexdigest()[:32]

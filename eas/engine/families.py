"""What families of devices make of a policy: which settings they refuse, and which they take and do not act on.

Facts with their evidence, joined with the quirks: a refusal that a quirk stands for can be switched off for one device.
What a family is not known to do stands nowhere here, and then everything is told and expected.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from eas.items.policy_settings import SETTINGS

from .model import Device
from .quirks import SYMBIAN, WINDOWS_MAIL, Quirk

#: What Symbian Anna takes of a policy only with the value that restricts nothing; else it gives up the account.
SYMBIAN_KEEPS_DEFAULT = frozenset((
    "AllowTextMessaging", "RequireManualSyncWhenRoaming", "AllowHTMLEmail", "AllowUnsignedApplications",
    "AllowUnsignedInstallationPackages", "AllowInternetSharing", "AllowPOPIMAPEmail", "AllowConsumerEmail",
    "AllowBrowser", "RequireSignedSMIMEMessages", "RequireEncryptedSMIMEMessages", "RequireSignedSMIMEAlgorithm",
    "RequireEncryptionSMIMEAlgorithm",
))
#: The settings that devices with a quirk cannot meet.
REFUSED_OF_QUIRK: Mapping[Quirk, frozenset[str]] = {Quirk.SYMBIAN_POLICY: SYMBIAN_KEEPS_DEFAULT}

_PASSWORDS = frozenset((
    "DevicePasswordEnabled", "AlphanumericDevicePasswordRequired", "MinDevicePasswordLength",
    "MaxInactivityTimeDeviceLock", "MaxDevicePasswordFailedAttempts", "AllowSimpleDevicePassword",
    "DevicePasswordExpiration", "DevicePasswordHistory", "MinDevicePasswordComplexCharacters",
))
_APPLE = _PASSWORDS | {"AllowCamera", "AllowBrowser", "RequireDeviceEncryption", "RequireManualSyncWhenRoaming"}
_ANDROID = (_PASSWORDS - {"AllowSimpleDevicePassword"}) | {
    "AllowCamera", "RequireDeviceEncryption", "RequireStorageCardEncryption", "RequireManualSyncWhenRoaming",
}
_GMAIL = frozenset((
    "DevicePasswordEnabled", "AllowSimpleDevicePassword", "MinDevicePasswordLength",
    "AlphanumericDevicePasswordRequired",
))
#: The server keeps to these itself, so nobody can be said to ignore them.
_KEPT = frozenset(setting.name for setting in SETTINGS if setting.kept)
_ALL = frozenset(setting.name for setting in SETTINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`type` and `agent` are regular expressions as in `quirks.Row`. `follows` are the settings that it acts on, None
    where that is not known. `provisions` False: it never asks for a policy, so an enforced one locks it out. `warning`
    is what else an administrator should know, "" for nothing."""

    name: str
    evidence: str
    type: str = ""
    agent: str = ""
    follows: frozenset[str] | None = None
    provisions: bool = True
    warning: str = ""
    quirk: Quirk | None = None

    @property
    def ignores(self) -> frozenset[str]:
        return frozenset() if self.follows is None else _ALL - self.follows - _KEPT

    @property
    def refuses(self) -> frozenset[str]:
        return frozenset() if self.quirk is None else REFUSED_OF_QUIRK[self.quirk]

    def fits(self, type: str, agent: str) -> bool:
        asked = ((self.type, type), (self.agent, agent))
        return all(re.search(pattern, text, re.IGNORECASE) for pattern, text in asked if pattern)


#: The first that fits counts.
FAMILIES: tuple[Family, ...] = (
    Family(
        name="Symbian", agent=SYMBIAN, quirk=Quirk.SYMBIAN_POLICY,
        evidence="Symbian Anna gives up the account over these (Microsoft FA136114).",
    ),
    Family(
        name="Apple iOS", agent=r"^Apple-(iPhone|iPad|iPod)", follows=_APPLE,
        evidence="Apple's list of the Exchange policies that iOS supports; tried setting by setting by administrators.",
    ),
    Family(
        name="Gmail for Android", agent=r"^(Android-Mail/|Gmail)", follows=_GMAIL,
        warning="Gmail refuses an account whose rules for passwords are weaker than those of another account of "
                "Google's on the phone.",
        evidence="Google's help for administrators: since Android 10 four rules are followed; tine20 issue 7108.",
    ),
    Family(
        name="Android mail", agent=r"^Android/", follows=_ANDROID,
        evidence="Google's list of the Exchange policies that Android's own mail program supports.",
    ),
    Family(
        name="Outlook for Windows", type=WINDOWS_MAIL, agent=r"outlook|windows", provisions=False,
        evidence="Outlook 2013 and later never send Provision (field reports of SOGo and Horde).",
    ),
)
UNKNOWN = Family(name="other", evidence="")


def family_of(device: Device) -> Family:
    return _family(device.type, device.agent)


@lru_cache(256)
def _family(type: str, agent: str) -> Family:
    return next((family for family in FAMILIES if family.fits(type, agent)), UNKNOWN)


def refused_by(quirks: Collection[Quirk]) -> frozenset[str]:
    """What a device with these quirks does not take with any but the value that restricts nothing."""
    if not any(quirk in quirks for quirk in REFUSED_OF_QUIRK):
        return frozenset()
    return frozenset().union(*(names for quirk, names in REFUSED_OF_QUIRK.items() if quirk in quirks))


def ignoring(setting: str) -> tuple[str, ...]:
    """The names of the families that take the setting and do not act on it."""
    return tuple(family.name for family in FAMILIES if setting in family.ignores)


def refusing(setting: str) -> tuple[str, ...]:
    return tuple(family.name for family in FAMILIES if setting in family.refuses)

"""Security policies: the settings of a provisioning document as data. [MS-ASPROV] EASProvisionDoc.

A policy states some settings as text, by element name. The document that a device gets has every setting that its
version knows, the unstated ones with the value that restricts nothing: a setting that was taken back is thereby undone
on the devices ([MS-ASPROV] R652). The digest that says which policy a device has acknowledged is made of what a version
knows and what differs from those values, so that neither a setting beyond a device's version nor a new row in this
table makes a device provision anew.

Up to 2.5 the document is a text, the registry settings of Windows Mobile ([MS-ASPROV] Data (string Data Type) R965).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

#: The largest xs:unsignedInt.
MAX_UNSIGNED = 2**32 - 1
#: Entries of an application list. Devices keep them in small memory, and the document travels with each provisioning.
MAX_ENTRIES = 1000
#: Characters of an entry: a file path, or a SHA-1 as hex or base64.
MAX_ENTRY = 260

FROM_12_0 = Spoken(since=Version.V12_0)
FROM_12_1 = Spoken(since=Version.V12_1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One element of EASProvisionDoc. `wrong` says why a text is no value, "" if it is one.

    `default` restricts nothing; None leaves the element out. `entry` is the child tag of a list, whose text has one
    entry a line.
    """

    name: str
    wrong: Callable[[str], str]
    default: str | None
    spoken: Spoken = FROM_12_1
    entry: str = ""


def _flag(text: str) -> str:
    return "" if text in ("0", "1") else "must be 0 or 1"


def _number(low: int, high: int) -> Callable[[str], str]:
    def wrong(text: str) -> str:
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= 10 and low <= int(text) <= high:
            return ""
        return f"must be a number from {low} to {high}"

    return wrong


def _or_empty(number: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: f"{problem}, or empty" if text and (problem := number(text)) else ""


def _one_of(*values: str) -> Callable[[str], str]:
    return lambda text: "" if text in values else f"must be one of {', '.join(values)}"


def _entries(text: str) -> str:
    entries = text.splitlines()
    if len(entries) > MAX_ENTRIES:
        return f"must have at most {MAX_ENTRIES} entries"
    return f"must have entries of at most {MAX_ENTRY} characters" if any(len(e) > MAX_ENTRY for e in entries) else ""


def _allow(name: str, default: str = "1", spoken: Spoken = FROM_12_1) -> Setting:
    return Setting(name=name, wrong=_flag, default=default, spoken=spoken)


#: In the order of the schema, which is a sequence. [MS-ASPROV] Provision schema; the values by their own sections.
SETTINGS: tuple[Setting, ...] = (
    _allow("DevicePasswordEnabled", "0", FROM_12_0),
    _allow("AlphanumericDevicePasswordRequired", "0", FROM_12_0),
    _allow("PasswordRecoveryEnabled", "0", FROM_12_0),
    _allow("RequireStorageCardEncryption", "0"),
    _allow("AttachmentsEnabled", "1", FROM_12_0),
    Setting(name="MinDevicePasswordLength", wrong=_or_empty(_number(1, 16)), default="", spoken=FROM_12_0),
    Setting(name="MaxInactivityTimeDeviceLock", wrong=_or_empty(_number(0, 9999)), default="", spoken=FROM_12_0),
    Setting(name="MaxDevicePasswordFailedAttempts", wrong=_or_empty(_number(4, 16)), default="", spoken=FROM_12_0),
    Setting(name="MaxAttachmentSize", wrong=_or_empty(_number(0, MAX_UNSIGNED)), default="", spoken=FROM_12_0),
    _allow("AllowSimpleDevicePassword", "1", FROM_12_0),
    Setting(name="DevicePasswordExpiration", wrong=_or_empty(_number(0, 730)), default="", spoken=FROM_12_0),
    Setting(name="DevicePasswordHistory", wrong=_number(0, 50), default="0", spoken=FROM_12_0),
    _allow("AllowStorageCard"),
    _allow("AllowCamera"),
    _allow("RequireDeviceEncryption", "0"),
    _allow("AllowUnsignedApplications"),
    _allow("AllowUnsignedInstallationPackages"),
    Setting(name="MinDevicePasswordComplexCharacters", wrong=_number(1, 4), default="1"),
    _allow("AllowWiFi"),
    _allow("AllowTextMessaging"),
    _allow("AllowPOPIMAPEmail"),
    Setting(name="AllowBluetooth", wrong=_one_of("0", "1", "2"), default="2"),
    _allow("AllowIrDA"),
    _allow("RequireManualSyncWhenRoaming", "0"),
    _allow("AllowDesktopSync"),
    Setting(name="MaxCalendarAgeFilter", wrong=_one_of("0", "4", "5", "6", "7"), default="0"),
    _allow("AllowHTMLEmail"),
    Setting(name="MaxEmailAgeFilter", wrong=_one_of("0", "1", "2", "3", "4", "5"), default="0"),
    Setting(name="MaxEmailBodyTruncationSize", wrong=_number(-1, 2**31 - 1), default="-1"),
    Setting(name="MaxEmailHTMLBodyTruncationSize", wrong=_number(-1, 2**31 - 1), default="-1"),
    _allow("RequireSignedSMIMEMessages", "0"),
    _allow("RequireEncryptedSMIMEMessages", "0"),
    # These two have no value that restricts nothing: they name an algorithm, the old ones of their time.
    Setting(name="RequireSignedSMIMEAlgorithm", wrong=_one_of("0", "1"), default=None),
    Setting(name="RequireEncryptionSMIMEAlgorithm", wrong=_one_of("0", "1", "2", "3", "4"), default=None),
    Setting(name="AllowSMIMEEncryptionAlgorithmNegotiation", wrong=_one_of("0", "1", "2"), default="2"),
    _allow("AllowSMIMESoftCerts"),
    _allow("AllowBrowser"),
    _allow("AllowConsumerEmail"),
    _allow("AllowRemoteDesktop"),
    _allow("AllowInternetSharing"),
    Setting(name="UnapprovedInROMApplicationList", wrong=_entries, default=None, entry="ApplicationName"),
    Setting(name="ApprovedApplicationList", wrong=_entries, default=None, entry="Hash"),
)  # fmt: skip
#: Settings of a policy that no device is told: the server goes by them. The interval is in hours, "" for never.
REFRESH_INTERVAL = "DevicePolicyRefreshInterval"
OF_SERVER: tuple[Setting, ...] = (
    Setting(name=REFRESH_INTERVAL, wrong=_or_empty(_number(1, 8760)), default=""),
)
_OF_NAME = {setting.name: setting for setting in (*SETTINGS, *OF_SERVER)}

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


def problems(settings: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with the settings of a policy, in words for whoever wrote them; () if nothing is."""
    found = []
    for name, text in settings.items():
        setting = _OF_NAME.get(name)
        problem = setting.wrong(text) if setting else "is no setting of EASProvisionDoc"
        if problem:
            found.append(f"{name} {problem}")
    return tuple(found)


def document(settings: Mapping[str, str], version: Version) -> Element:
    """The EASProvisionDoc of a policy without `problems`, for a version from 12.0 on."""
    children = []
    for setting in SETTINGS:
        text = settings.get(setting.name, setting.default)
        if text is not None and _told(setting, version):
            children.append(_element(setting, text))
    return Element("Provision:EASProvisionDoc", tuple(children))


def _told(setting: Setting, version: Version) -> bool:
    return setting.name in IN_TEXT if version is Version.V2_5 else version in setting.spoken


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


def beyond(settings: Mapping[str, str], version: Version) -> tuple[str, ...]:
    """The settings that restrict something and that a device of this version cannot be told."""
    return tuple(
        setting.name for setting in SETTINGS
        if not _told(setting, version) and settings.get(setting.name, setting.default) != setting.default
    )


def _element(setting: Setting, text: str) -> Element:
    tag = f"Provision:{setting.name}"
    if not setting.entry:
        return Element(tag, text)
    return Element(tag, tuple(Element(f"Provision:{setting.entry}", entry) for entry in text.splitlines() if entry))


def digest(settings: Mapping[str, str], version: Version) -> str:
    """Equal for policies that a device of this version cannot tell apart: 32 hex digits."""
    stated = [
        f"{setting.name}={text}"
        for setting in SETTINGS
        if _told(setting, version) and (text := settings.get(setting.name, setting.default)) != setting.default
    ]
    return sha256("\0".join(stated).encode()).hexdigest()[:32]

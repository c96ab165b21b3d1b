"""The settings of a policy as a table: what each may say, what it says where nobody states it, and what it means to the
owner of a phone. [MS-ASPROV] EASProvisionDoc.

Nothing here is sent: `eas.items.policy` makes documents of it. The help is for people who have not read the
specification; which families of devices do not follow a setting stands in `eas.engine.families`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from eas.protocol.version import Spoken, Version

#: The largest xs:unsignedInt, and the largest xs:int.
MAX_UNSIGNED, MAX_INT = 2**32 - 1, 2**31 - 1
#: Entries of an application list. Devices keep them in small memory, and the document travels with each provisioning.
MAX_ENTRIES = 1000
#: Characters of an entry: a file path, or a SHA-1 as hex or base64.
MAX_ENTRY = 260

FROM_12_0 = Spoken(since=Version.V12_0)
FROM_12_1 = Spoken(since=Version.V12_1)


class Group(StrEnum):
    """What belongs together on a page."""

    PASSWORD = "password"
    ENCRYPTION = "encryption"
    DEVICE = "device features"
    MAIL = "mail and calendar"
    APPLICATIONS = "applications"
    SMIME = "S/MIME"
    SERVER = "kept by the server"


@dataclass(frozen=True, slots=True)
class Flag:
    """"0" or "1"."""

    @property
    def bounds(self) -> str:
        return "yes or no"

    def wrong(self, text: str) -> str:
        return "" if text in ("0", "1") else "must be 0 or 1"


@dataclass(frozen=True, slots=True)
class Number:
    """From `low` to `high`, both included; `empty`: or "", for none."""

    low: int
    high: int
    empty: bool = False
    unit: str = ""

    @property
    def bounds(self) -> str:
        return f"{self.low} to {self.high} {self.unit}".rstrip() + (", or empty" if self.empty else "")

    def wrong(self, text: str) -> str:
        if self.empty and not text:
            return ""
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= 10 and self.low <= int(text) <= self.high:
            return ""
        return f"must be a number from {self.low} to {self.high}{', or empty' if self.empty else ''}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values, each with its meaning in words."""

    values: tuple[tuple[str, str], ...]

    @property
    def bounds(self) -> str:
        return ", ".join(f"{value} {label}" for value, label in self.values)

    def wrong(self, text: str) -> str:
        values = [value for value, _ in self.values]
        return "" if text in values else f"must be one of {', '.join(values)}"


@dataclass(frozen=True, slots=True)
class Lines:
    """A list: an entry a line, each an element `tag`."""

    tag: str

    @property
    def bounds(self) -> str:
        return f"one entry a line, at most {MAX_ENTRIES} of {MAX_ENTRY} characters"

    def wrong(self, text: str) -> str:
        entries = text.splitlines()
        if len(entries) > MAX_ENTRIES:
            return f"must have at most {MAX_ENTRIES} entries"
        too_long = any(len(entry) > MAX_ENTRY for entry in entries)
        return f"must have entries of at most {MAX_ENTRY} characters" if too_long else ""


Kind = Flag | Number | Choice | Lines
FLAG = Flag()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One element of EASProvisionDoc, `name`, in the versions `spoken`. `default` restricts nothing; None leaves the
    element out. `title` and `help` are for people; `kept` says that the server itself keeps to it, whatever the
    device does."""

    name: str
    group: Group
    title: str
    help: str
    kind: Kind = FLAG
    default: str | None
    spoken: Spoken = FROM_12_1
    kept: bool = False

    def wrong(self, text: str) -> str:
        """Why a text is no value of it, "" if it is one."""
        return self.kind.wrong(text)

    @property
    def entry(self) -> str:
        """The child tag of a list, "" for what is none."""
        return self.kind.tag if isinstance(self.kind, Lines) else ""

    def words(self, text: str) -> str:
        """A value for people."""
        if isinstance(self.kind, Flag):
            return "yes" if text == "1" else "no"
        if isinstance(self.kind, Choice):
            return dict(self.kind.values).get(text, text)
        if isinstance(self.kind, Lines):
            return f"{len(text.splitlines())} entries"
        return f"{text} {self.kind.unit}".rstrip() if text else "no limit"


_MAIL_AGES = (("0", "all"), ("1", "1 day"), ("2", "3 days"), ("3", "1 week"), ("4", "2 weeks"), ("5", "1 month"))
_CALENDAR_AGES = (("0", "all"), ("4", "2 weeks"), ("5", "1 month"), ("6", "3 months"), ("7", "6 months"))


def _password(name: str, title: str, help: str, kind: Kind = FLAG, default: str = "0", **more: Spoken) -> Setting:
    return Setting(name=name, group=Group.PASSWORD, title=title, help=help, kind=kind, default=default,
                   spoken=more.get("spoken", FROM_12_0))


def _feature(name: str, title: str, help: str, kind: Kind = FLAG, default: str = "1") -> Setting:
    return Setting(name=name, group=Group.DEVICE, title=title, help=help, kind=kind, default=default)


def _mail(
    name: str, title: str, help: str, kind: Kind = FLAG, default: str = "1", *, kept: bool = False,
    spoken: Spoken = FROM_12_1,
) -> Setting:
    return Setting(name=name, group=Group.MAIL, title=title, help=help, kind=kind, default=default, kept=kept,
                   spoken=spoken)


def _program(name: str, title: str, help: str, kind: Kind = FLAG, default: str | None = "1") -> Setting:
    return Setting(name=name, group=Group.APPLICATIONS, title=title, help=help, kind=kind, default=default)


def _smime(name: str, title: str, help: str, kind: Kind = FLAG, default: str | None = "0") -> Setting:
    return Setting(name=name, group=Group.SMIME, title=title, help=help, kind=kind, default=default)


#: In the order of the schema, which is a sequence. [MS-ASPROV] Provision schema; the values by their own sections.
SETTINGS: tuple[Setting, ...] = (
    _password(
        "DevicePasswordEnabled", "Password required",
        "The phone has to be locked with a password, a PIN or what counts as such (a fingerprint over a PIN does). "
        "Without it none of the other rules for passwords count.",
    ),
    _password(
        "AlphanumericDevicePasswordRequired", "Letters and digits",
        "A PIN of digits alone is refused: the password needs letters too. People notice it each time they unlock.",
    ),
    _password(
        "PasswordRecoveryEnabled", "Recovery password",
        "A phone that can do so leaves a second password with the server, with which an administrator can help "
        "somebody who has forgotten the first. Windows Mobile does; phones of today do not.",
    ),
    Setting(
        name="RequireStorageCardEncryption", group=Group.ENCRYPTION, default="0", title="Encrypted storage card",
        help="What is written to a memory card is encrypted; the card cannot be read in another device. Phones without "
             "a slot for cards pass it over.",
    ),
    _mail(
        "AttachmentsEnabled", "Attachments",
        "If no, attachments show with name and size and do not open. The server hands none out either.",
        kept=True, spoken=FROM_12_0,
    ),
    _password(
        "MinDevicePasswordLength", "Shortest password",
        "A shorter password has to be replaced before mail comes again. Empty asks for no length.",
        Number(1, 16, empty=True, unit="characters"), "",
    ),
    _password(
        "MaxInactivityTimeDeviceLock", "Locks after",
        "So many seconds without a touch lock the phone; 300 are five minutes. From 9999 on it never has to lock. The "
        "owner can choose a shorter time, not a longer one.",
        Number(0, 9999, empty=True, unit="seconds"), "",
    ),
    _password(
        "MaxDevicePasswordFailedAttempts", "Erased after wrong passwords",
        "After so many wrong passwords in a row the phone erases itself, private photos included. Small children and "
        "pockets are known to reach four.",
        Number(4, 16, empty=True, unit="tries"), "",
    ),
    _mail(
        "MaxAttachmentSize", "Largest attachment",
        "Attachments beyond this size cannot be opened on the phone; the server hands none out that are larger. Empty "
        "for any size.",
        Number(0, MAX_UNSIGNED, empty=True, unit="bytes"), "", kept=True, spoken=FROM_12_0,
    ),
    _password(
        "AllowSimpleDevicePassword", "Simple passwords",
        "If no, passwords such as 1111 or 1234 are refused.", default="1",
    ),
    _password(
        "DevicePasswordExpiration", "Password expires after",
        "After so many days the phone asks for a new password. Empty or 0: never.",
        Number(0, 730, empty=True, unit="days"), "",
    ),
    _password(
        "DevicePasswordHistory", "Old passwords remembered",
        "A new password must differ from so many before it.", Number(0, 50, unit="passwords"),
    ),
    _feature("AllowStorageCard", "Storage card", "If no, a memory card in the phone cannot be used."),
    _feature(
        "AllowCamera", "Camera",
        "If no, the camera disappears, for private pictures too: what people complain of most.",
    ),
    Setting(
        name="RequireDeviceEncryption", group=Group.ENCRYPTION, default="0", title="Encrypted device",
        help="The phone's memory has to be encrypted. Phones of the last ten years are so anyway; older Android ones "
             "need an hour on the charger for it.",
    ),
    _program(
        "AllowUnsignedApplications", "Unsigned programs", "If no, programs without a signature do not start."
    ),
    _program(
        "AllowUnsignedInstallationPackages", "Unsigned installers",
        "If no, installation packages without a signature are refused.",
    ),
    _password(
        "MinDevicePasswordComplexCharacters", "Kinds of characters",
        "How many of lower case, upper case, digits and signs a password must have. iOS and Android take the number "
        "for that of characters other than letters.",
        Number(1, 4, unit="kinds"), "1", spoken=FROM_12_1,
    ),
    _feature("AllowWiFi", "Wi-Fi", "If no, the phone uses the mobile network alone, also at home."),
    _feature("AllowTextMessaging", "Text messages", "If no, text messages can neither be sent nor read."),
    _program(
        "AllowPOPIMAPEmail", "POP and IMAP accounts",
        "If no, mail accounts by POP3 or IMAP cannot be set up beside this one."
    ),
    _feature(
        "AllowBluetooth", "Bluetooth", "Off takes headsets and car kits along; with 'hands-free' these alone go on.",
        Choice((("0", "off"), ("1", "hands-free only"), ("2", "on"))), "2",
    ),
    _feature("AllowIrDA", "Infrared", "If no, the infrared port is off. Only devices of before 2010 have one."),
    _mail(
        "RequireManualSyncWhenRoaming", "No push abroad",
        "In networks of other countries mail comes only when the owner pulls for it: it saves costs, and looks like a "
        "fault to those who were not told.", default="0",
    ),
    _feature("AllowDesktopSync", "Synchronising with a computer", "If no, the phone does not synchronise by cable."),
    _mail(
        "MaxCalendarAgeFilter", "Calendar goes back",
        "How far back appointments may be kept on the phone. The server sends no older ones.",
        Choice(_CALENDAR_AGES), "0", kept=True,
    ),
    _mail("AllowHTMLEmail", "HTML mail", "If no, the phone shows mail as plain text."),
    _mail(
        "MaxEmailAgeFilter", "Mail goes back",
        "How far back mail may be kept on the phone; older mail is found by searching. The server sends no older mail.",
        Choice(_MAIL_AGES), "0", kept=True,
    ),
    _mail(
        "MaxEmailBodyTruncationSize", "Longest text",
        "Longer plain texts are cut and loaded when the owner asks. -1 for no cut, 0 for headers alone.",
        Number(-1, MAX_INT, unit="KB"), "-1", kept=True,
    ),
    _mail(
        "MaxEmailHTMLBodyTruncationSize", "Longest HTML",
        "The same for HTML mail. Gmail for Android never loads the rest of what was cut.",
        Number(-1, MAX_INT, unit="KB"), "-1", kept=True,
    ),
    _smime(
        "RequireSignedSMIMEMessages", "Sign everything",
        "Each mail from the phone has to be signed; who has no certificate on the phone cannot send.",
    ),
    _smime(
        "RequireEncryptedSMIMEMessages", "Encrypt everything",
        "Each mail from the phone has to be encrypted; nothing can be sent to people without a certificate.",
    ),
    # These two have no value that restricts nothing: they name an algorithm, the old ones of their time.
    _smime(
        "RequireSignedSMIMEAlgorithm", "Algorithm of signatures", "With which algorithm mail is signed. Both are old.",
        Choice((("0", "SHA1"), ("1", "MD5"))), None,
    ),
    _smime(
        "RequireEncryptionSMIMEAlgorithm", "Algorithm of encryption",
        "With which algorithm mail is encrypted. Of these only 3DES is not broken.",
        Choice((("0", "TripleDES"), ("1", "DES"), ("2", "RC2 128 bits"), ("3", "RC2 64 bits"), ("4", "RC2 40 bits"))),
        None,
    ),
    _smime(
        "AllowSMIMEEncryptionAlgorithmNegotiation", "Other algorithms",
        "Whether the phone may take another algorithm where the reader's certificate asks for it.",
        Choice((("0", "none"), ("1", "strong ones"), ("2", "any"))), "2",
    ),
    _smime(
        "AllowSMIMESoftCerts", "Certificates in software",
        "If no, only certificates on a smart card may be used.", default="1",
    ),
    _program("AllowBrowser", "Browser", "If no, the web browser that came with the phone disappears; others stay."),
    _program(
        "AllowConsumerEmail", "Private mail accounts", "If no, private mail accounts cannot be set up on the phone."
    ),
    _feature("AllowRemoteDesktop", "Remote desktop", "If no, the phone cannot show the desktop of another computer."),
    _feature("AllowInternetSharing", "Hotspot", "If no, the phone does not lend its connection to other devices."),
    _program(
        "UnapprovedInROMApplicationList", "Forbidden built-in programs",
        "Programs that came with the phone and must not start, by file name. Known of Windows Mobile only.",
        Lines("ApplicationName"), None,
    ),
    _program(
        "ApprovedApplicationList", "Allowed programs",
        "SHA-1 of the only programs that may start. Known of Windows Mobile only.", Lines("Hash"), None,
    ),
)
#: Settings of a policy that no device is told: the server goes by them.
REFRESH_INTERVAL = "DevicePolicyRefreshInterval"
OF_SERVER: tuple[Setting, ...] = (
    Setting(
        name=REFRESH_INTERVAL, group=Group.SERVER, default="", kept=True, title="Fetched again after",
        help="After so many hours the phone has to fetch its policy again, changed or not. Its owner notices nothing. "
             "Empty: only when it changes.",
        kind=Number(1, 8760, empty=True, unit="hours"),
    ),
)
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in (*SETTINGS, *OF_SERVER)}


def problems(settings: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with the settings of a policy, in words for whoever wrote them; () if nothing is."""
    found = []
    for name, text in settings.items():
        setting = BY_NAME.get(name)
        problem = setting.wrong(text) if setting else "is no setting of EASProvisionDoc"
        if problem:
            found.append(f"{name} {problem}")
    return tuple(found)

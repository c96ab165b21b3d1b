"""What an office consists of. Plain values; how they get into a store is not known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from eas.engine.model import FolderType, OutOfOffice, Right
from eas.items.native import MailFlags

DOMAIN = "example.test"
COMPANY = "Nordhang Joinery"
ZONE = "Europe/Berlin"
#: The password of those who can log in. Known to everybody: such a store is for this machine alone.
PASSWORD = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPerson:
    """`login` is the part before the @. Those without `password` are in the address list only."""

    login: str
    first_name: str
    last_name: str
    title: str
    department: str
    office: str
    phone: str
    mobile_phone: str
    aliases: tuple[str, ...] = ()
    password: str = ""
    picture: bytes = b""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def address(self) -> str:
        return f"{self.login}@{DOMAIN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGroup:
    address: str
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFolder:
    """A folder beside the usual ones, at the root or below `parent` (a name)."""

    owner: str
    name: str
    type: FolderType
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMail:
    """`folder` is one of the usual ones by type, or one of the demo's own by name."""

    owner: str
    folder: FolderType | str
    message: bytes
    received: datetime
    flags: MailFlags


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRecord:
    """A vCard or iCalendar object in the folder of that type, or in one of the demo's own by name."""

    owner: str
    folder: FolderType | str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRight:
    owner: str
    folder: FolderType | str
    grantee: str
    right: Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    people: tuple[DemoPerson, ...]
    groups: tuple[DemoGroup, ...]
    folders: tuple[DemoFolder, ...]
    mails: tuple[DemoMail, ...]
    records: tuple[DemoRecord, ...]
    rights: tuple[DemoRight, ...] = ()
    out_of_office: Mapping[str, OutOfOffice] = field(default_factory=dict)

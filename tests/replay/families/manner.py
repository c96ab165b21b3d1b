"""How a family of devices talks, as data. `device.Device` does what stands here; docs/quirks.md and the notes in each
family's file say how it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eas.engine.model import FolderType
from eas.protocol.version import Version

#: Of files that were not recorded from a device.
WRITTEN = "written from field notes and the specification, not a capture"

#: Headers of a POST in the order of most clients. `{}` names are filled in; one that becomes "" is left out.
HEADERS: tuple[tuple[str, str], ...] = (
    ("Host", "{host}"), ("Authorization", "{authorization}"), ("MS-ASProtocolVersion", "{version}"),
    ("X-MS-PolicyKey", "{policy}"), ("User-Agent", "{agent}"), ("Content-Type", "{type}"), ("Connection", "keep-alive"),
)
#: Of OPTIONS.
ASKING: tuple[tuple[str, str], ...] = (
    ("Host", "{host}"), ("Authorization", "{authorization}"), ("User-Agent", "{agent}"),
)

#: Children of a Sync's Collection in the order in which they are written.
ORDER = (
    "Class", "SyncKey", "CollectionId", "Supported", "DeletesAsMoves", "GetChanges", "WindowSize", "ConversationMode",
    "Options", "Commands",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """`folder` is where the family's sessions lie. XML is that of session files (docs/sessions.md): the fragments stand
    inside of the element that they are named by."""

    folder: str
    name: str
    device_id: str
    device_type: str
    agent: str
    version: Version
    notes: tuple[str, ...]
    origin: str = WRITTEN
    #: As it is typed when the account is set up.
    user: str = "anna@example.com"
    base64: bool = False
    #: Behind the known parameters of a plain query.
    more_query: str = ""
    headers: tuple[tuple[str, str], ...] = HEADERS
    asking: tuple[tuple[str, str], ...] = ASKING
    autodiscovering: tuple[tuple[str, str], ...] = (
        ("Host", "{host}"), ("Authorization", "{authorization}"), ("User-Agent", "{agent}"), ("Content-Type", "{type}"),
    )
    #: Commands whose requests do not say who asks.
    unnamed: frozenset[str] = frozenset()
    content_type: str = "application/vnd.ms-sync.wbxml"

    # Setting up
    options: bool = True
    #: "asked": after Status 142 or HTTP 449; "first": before FolderSync; "never".
    provisions: str = "first"
    #: No X-MS-PolicyKey before there was a policy.
    no_policy_key: bool = False
    #: Children of Settings:Set in DeviceInformation; "" for devices that send none.
    information: str = ""
    #: DeviceInformation stands in Provision (14.1 and later); else it goes with Settings, or nowhere.
    information_in_provision: bool = True

    # Sync
    order: tuple[str, ...] = ORDER
    #: Children of a Collection beside SyncKey and CollectionId, with key 0 and later, as XML inside; None: left out.
    first: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=lambda: {"DeletesAsMoves": "1", "GetChanges": "1"})
    window: int = 50
    #: Children of Options by class.
    wants: Mapping[str, str] = field(default_factory=dict)
    #: Of Options only the class `Email` sends them with a Sync that sends changes.
    options_with_changes: bool = True
    #: Children of Supported by class, with key 0.
    supported: Mapping[str, str] = field(default_factory=dict)
    #: Folders in the order in which they are begun.
    folders: tuple[FolderType, ...] = (
        FolderType.INBOX, FolderType.CONTACTS, FolderType.CALENDAR, FolderType.TASKS,
    )
    #: All collections in one request, or each in its own.
    together: bool = False
    estimates: bool = False

    # Waiting
    #: "ping" or "sync".
    waits: str = "ping"
    heartbeat: int = 900
    #: "HeartbeatInterval" (seconds) or "Wait" (minutes) of a hanging Sync.
    wait_by: str = "HeartbeatInterval"

    # Mail
    #: Children of Options of ItemOperations that fetch a mail; "" where it is fetched by Sync Fetch.
    fetch: str = ""
    #: Fields that its mails have, in this order, as MIME, before the content.
    mime: str = (
        "From: Anna Arnold <anna@example.com>\nTo: {to}\nSubject: {subject}\nDate: {date}\nMessage-ID: {id}\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
    )
    signature: str = ""

    @property
    def hangs(self) -> bool:
        return self.waits == "sync"

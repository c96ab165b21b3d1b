"""The engine's nouns: users, devices, folders, people, policies. Plain values; no I/O, no wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from math import inf

#: Names a collection in every command; at most 64 characters, stable over resyncs, the same for all devices of a user.
CollectionId = str


@dataclass(frozen=True, slots=True)
class Secret:
    """What somebody logged in with, kept in memory as long as it is needed: a password, or (`bearer`) a token."""

    value: str = field(repr=False)
    bearer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePassword:
    """A password that one device logs in with in place of the mailbox's. `device_id` is "" until one has used it;
    `expires` None for never."""

    id: int
    user_id: str
    name: str
    device_id: str
    created: datetime
    expires: datetime | None = None
    first_used: datetime | None = None
    last_used: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who has logged in. `id` is stable for ever; `address` is the primary one and stands first in
    `addresses`.

    `zone` is an IANA name, used where an item does not tell. `secret` is what other servers are entered with on the
    user's behalf; None where none is needed. `revision` counts the changes of the folders and groups that concern the
    user, as it stood when they came in: what a process has kept from before a greater one is old.

    `until` is when what they came in with ends (epoch seconds), as tokens do; `device_password` is the one that they
    came in with.
    """

    id: str
    login: str
    address: str
    addresses: tuple[str, ...]
    name: str
    zone: str = "UTC"
    activesync: bool = True
    secret: Secret | None = field(default=None, repr=False, compare=False)
    revision: int = field(default=0, compare=False)
    until: float = field(default=inf, compare=False)
    device_password: DevicePassword | None = field(default=None, compare=False)

    def is_called(self, login: str) -> bool:
        """Whether that is one of the user's names, without regard to case."""
        return login.casefold() in {name.casefold() for name in (self.login, self.address, *self.addresses)}


class FolderType(IntEnum):
    """[MS-ASCMD] Type (FolderCreate, FolderSync)."""

    GENERIC = 1
    INBOX = 2
    DRAFTS = 3
    DELETED_ITEMS = 4
    SENT_ITEMS = 5
    OUTBOX = 6
    TASKS = 7
    CALENDAR = 8
    CONTACTS = 9
    NOTES = 10
    JOURNAL = 11
    USER_MAIL = 12
    USER_CALENDAR = 13
    USER_CONTACTS = 14
    USER_TASKS = 15
    USER_JOURNAL = 16
    USER_NOTES = 17
    UNKNOWN = 18
    RECIPIENT_CACHE = 19


class Right(IntEnum):
    """What a user may do with a folder; each includes those before it."""

    NONE = 0
    FREE_BUSY = 1
    READ = 2
    EDIT = 3
    DELEGATE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One folder. `parent` is "0" at the root. `item_class` is Email, Calendar, Contacts, Tasks or Notes. `own`: it is
    the user's, not one that others share. `schedules`: the groupware itself tells the others of meetings that are
    written there (RFC 6638), so nobody else may."""

    id: CollectionId
    parent: CollectionId
    name: str
    type: FolderType
    item_class: str
    right: Right = Right.EDIT
    own: bool = True
    schedules: bool = False


class Wipe(StrEnum):
    """Where a remote wipe stands."""

    NONE = "none"
    REQUESTED = "requested"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"


class Access(StrEnum):
    """What was decided of one device by name; NONE leaves it to the rules."""

    NONE = "none"
    ALLOWED = "allowed"
    BLOCKED = "blocked"
    QUARANTINED = "quarantined"


class Level(StrEnum):
    """How far a device is let in. DISCOVERY: nothing is shown to it yet, until it has said what it is. SUSPEND: it is
    told to come back later."""

    ALLOW = "allow"
    QUARANTINE = "quarantine"
    DISCOVERY = "discovery"
    SUSPEND = "suspend"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What was decided of a device last: how far it is let in, what decided it (`eas.engine.access`), why in words, and
    since when. `quarantined`: when its quarantine began, None outside of one; `told`: that somebody was told of it."""

    level: Level
    by: str
    why: str
    since: datetime
    quarantined: datetime | None = None
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """A device that the server keeps out for a while by itself, and why."""

    reason: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitBound:
    """What the way to a device holds: waits were cut off after `cut_seconds`, so they last at most `seconds`. Found
    out at `at`; `told`: how often the device heard of it."""

    seconds: int
    cut_seconds: int
    at: datetime
    told: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """A device that repeats requests without effect too fast: since when, when last, how many of them were held back or
    (`refused`, if any) sent away, and which command it was last."""

    command: str
    since: datetime
    last: datetime
    count: int
    refused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One partnership of a user and a device, as it is kept.

    `policy_key` is the final key that the device holds ("" before provisioning) and `policy_digest` the policy that it
    acknowledged; `offered_key`/`offered_digest` those of a running phase 1. `information` are the elements of
    DeviceInformation by name. `ping_folders` are (collection id, class); `ping_heartbeat` in seconds, 0 for none.
    `remembered_sync` is the last whole Sync request as WBXML, b"" for none. `wipe_account_only` says which kind the
    wipe is. `quirks` are those switched on or off for this device, by name (eas.engine.quirks). `wait_bound` is None
    where nothing cuts its waits, `storm` where it behaves. `policy_answer` is what it made of a policy that it did not
    apply as a whole, and of which (eas.engine.compliance), "" else. `label` is what its owner calls it, `left_out` are
    the folders that it is not to have, with all below them. `row` is the version of the stored row, `policy_revision`
    the state of all policies when it was read, -1 where nobody looked.

    `access` holds until `access_until` (None: for good), for `access_reason`. `listed`: whether it is on the list of
    its user's devices, None where there is no list. `admission` is what was decided last, None: let in as anybody.
    `rules` is the revision of the access rules as it was when this was read, -1 where that is not known.
    """

    user_id: str
    id: str
    type: str
    row: int = 0
    agent: str = ""
    version: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    information: Mapping[str, str] = field(default_factory=dict)
    policy_key: str = ""
    policy_digest: str = ""
    offered_key: str = ""
    offered_digest: str = ""
    recovery_password: str = ""
    wipe: Wipe = Wipe.NONE
    wipe_at: datetime | None = None
    wipe_account_only: bool = False
    access: Access = Access.NONE
    access_until: datetime | None = None
    access_reason: str = ""
    listed: bool | None = None
    suspended: Suspension | None = None
    admission: Admission | None = None
    ping_folders: tuple[tuple[CollectionId, str], ...] = ()
    ping_heartbeat: int = 0
    remembered_sync: bytes = b""
    quirks: Mapping[str, bool] = field(default_factory=dict)
    wait_bound: WaitBound | None = None
    storm: Storm | None = None
    label: str = ""
    left_out: tuple[CollectionId, ...] = ()
    policy_answer: str = ""
    policy_revision: int = field(default=-1, compare=False)
    rules: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A provisioning document: settings by element name of EASProvisionDoc ([MS-ASPROV]), as text. `enforced`: a device
    without its key is refused until it has provisioned; else the policy is only offered.

    As it is stored, `based_on` names the policy whose settings count where this one states none, and `inherits` the
    flags that are that one's. As it is in force (`eas.engine.policybook`) both are empty, and `origins` says of each
    setting and flag which policy states it. `insist`: settings that devices are told although their version or family
    cannot take them.
    """

    name: str = "default"
    settings: Mapping[str, str] = field(default_factory=dict)
    enforced: bool = False
    allow_partial: bool = True
    allow_external: bool = True
    allow_password_recovery: bool = True
    based_on: str = ""
    inherits: tuple[str, ...] = ()
    insist: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An entry of the Global Address List, or of a user's contacts (`contact` true). Absent values are ""."""

    address: str
    name: str = ""
    alias: str = ""
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    company: str = ""
    office: str = ""
    phone: str = ""
    home_phone: str = ""
    mobile_phone: str = ""
    picture: bytes = b""
    certificates: tuple[bytes, ...] = ()
    members: tuple[str, ...] = ()
    contact: bool = False


class Audience(StrEnum):
    """To whom an out-of-office reply goes. [MS-ASCMD] AppliesToInternal and its like."""

    INTERNAL = "internal"
    EXTERNAL_KNOWN = "external-known"
    EXTERNAL_UNKNOWN = "external-unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class OofReply:
    enabled: bool
    text: str = ""
    html: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfOffice:
    """`state` 0 off, 1 on, 2 between `start` and `end` (aware, UTC). [MS-ASCMD] Oof."""

    state: int = 0
    start: datetime | None = None
    end: datetime | None = None
    replies: Mapping[Audience, OofReply] = field(default_factory=dict)

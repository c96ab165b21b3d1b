"""What the server is handed: the ports to everything else, and how it is to behave. Built by `eas.app`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from eas.engine.activity import Event
from eas.engine.heartbeat import Cuts
from eas.engine.insisting import Insisting
from eas.engine.logins import LoginMemory, Shown
from eas.engine.model import Device, DevicePassword, User
from eas.engine.ports import Accounts, Bell, Clock, Documents, Entropy, Leases, RevocationLists, StateStore
from eas.engine.session import Limits, nobody_is_told
from eas.protocol.version import Version

from .admission import Rules
from .certificates import CertificateRules
from .figures import Readers
from .live import Live

#: The versions that clients are offered, ascending: some take the last one of the list.
OFFERED = tuple(Version)


class Way(StrEnum):
    """How somebody may come in with a device."""

    PASSWORD = "password"
    DEVICE_PASSWORD = "device-password"
    TOKEN = "token"


class DevicePasswords(Protocol):
    """Passwords for one device each (`eas.store.device_passwords`). Everything may raise Unavailable."""

    async def find(self, text: str) -> DevicePassword | None:
        """The one that was typed; None for what is none, is over or was revoked."""
        ...

    async def hold(self, found: DevicePassword, device_id: str) -> bool:
        """Whether this device may use it; the first one that does makes it its own."""
        ...


class Tokens(Protocol):
    """Those of an identity provider (`eas.backends.oidc`)."""

    async def verify(self, token: str) -> Shown:
        """Raises TokenRefused, Unavailable."""
        ...

    def challenge(self) -> str:
        """What tells a device where tokens come from, behind `Bearer realm="..."`; "" for nothing."""
        ...


class Hooks(Protocol):
    """Is told by a groupware what has changed; `server.hooks`."""

    def changed(
        self, user: str, folders: Collection[str] | None, *, hierarchy: bool = False, domain: str = "",
        backend: str = "",
    ) -> bool:
        """`user` and `folders` as the servers call them; None for all folders. `hierarchy`: folders were made, renamed
        or removed. `domain` is that of a user without one, `backend` the only one that may be meant, if not "". Nothing
        is done yet when this returns; a user whom nobody knows is nothing special. False: there is no room to note it
        just now."""
        ...


class Activity(Protocol):
    """Is told what devices did, at once and without waiting for anything; `eas.store.activity`."""

    def note(self, user_id: str, device_id: str, event: Event) -> None:
        """`user_id` and `device_id` "" for what is no partnership's."""
        ...

    def refused(self, login: str, device_id: str, at: float) -> None:
        """Somebody with this login stated a wrong password; `device_id` "" where none was named."""
        ...

    def pushed(self, seconds: float, at: float) -> None:
        """A phone that waited was answered so long after a change was seen."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRules:
    """What hooks must send, "" for no hooks, and whence they may come, () for anywhere."""

    token: str = field(default="", repr=False)
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether requests should be sent here, and how each part is that one may ask about, by name ("ok", "away")."""

    ready: bool
    stopping: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)


async def _always() -> Readiness:
    return Readiness(ready=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """`ready` tells whether requests can be answered just now, `readiness` whether they should come here, for health
    checks. `documents` opens those of a user; None if there are none. `figures` gives what `/metrics` tells and its
    media type, by an Accept header; None: nothing is told. `hooks` None: no groupware has any. `logins`: what all
    processes know of them; None where there is one. `access`: how far devices are let in; None: all are. `activity`
    None: nobody keeps what devices did; `live` has who is at it now. `passwords` and `tokens` None: there are none.
    `wipe_turned` is told how a wipe goes (`Session`)."""

    accounts: Accounts
    store: StateStore
    bell: Bell
    clock: Clock
    leases: Leases
    entropy: Entropy
    ready: Callable[[], Awaitable[bool]]
    readiness: Callable[[], Awaitable[Readiness]] = _always
    revocation_lists: RevocationLists | None = None
    documents: Callable[[User], Documents] | None = None
    figures: Callable[[str], Awaitable[tuple[bytes, str]]] | None = None
    cuts: Cuts = field(default_factory=Cuts)
    insisting: Insisting = field(default_factory=Insisting)
    logins: LoginMemory | None = None
    access: Rules | None = None
    hooks: Hooks | None = None
    activity: Activity | None = None
    live: Live = field(default_factory=Live)
    passwords: DevicePasswords | None = None
    tokens: Tokens | None = None
    wipe_turned: Callable[[User, Device], Awaitable[None]] = nobody_is_told


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """`public_url` is where devices reach the server ("https://mail.example.com"), "" to go by the Host header.
    `trusted_proxies` are those whose X-Forwarded-* headers count. `trust_anchors` are for ValidateCert.
    `readers` may read `/metrics`. `ways`: how devices may log in; `certificates`: those that a proxy has seen."""

    realm: str = "ActiveSync"
    public_url: str = ""
    versions: tuple[Version, ...] = OFFERED
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    limits: Limits = field(default_factory=Limits)
    trust_anchors: tuple[bytes, ...] = ()
    readers: Readers = field(default_factory=Readers)
    hooks: HookRules = field(default_factory=HookRules)
    ways: frozenset[Way] = frozenset({Way.PASSWORD, Way.DEVICE_PASSWORD})
    certificates: CertificateRules | None = None

    @property
    def server(self) -> str:
        """MS-Server-ActiveSync: clients take the number as a hint at features, so it is that of the newest version."""
        return max(self.versions).text

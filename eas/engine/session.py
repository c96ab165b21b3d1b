"""Who asks, in which version, and the ports through which everything else is reached: what every handler is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from eas.items.native import Viewer
from eas.protocol.query import Query
from eas.protocol.version import Version

from .access import LET_IN, Decision
from .heartbeat import Cuts
from .insisting import Insisting
from .model import Device, Policy, User
from .ports import Bell, Clock, Directory, Documents, Entropy, Leases, Mailbox, Outbox, RevocationLists, StateStore
from .quirks import HEARTBEATS, Heartbeat, Quirk


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that the server imposes. [MS-ASCMD] 'Limiting Size of Command Requests', and our own."""

    heartbeat_min_seconds: int = 60
    heartbeat_max_seconds: int = 3540
    max_collections: int = 300
    max_ping_folders: int = 300
    max_commands: int = 200
    max_body_bytes: int = 64 << 20
    #: Partnerships of one user; 0 for any number. [MS-ASCMD] R4980
    max_devices: int = 0
    #: So often a device may repeat a request without effect before it is slowed down (eas.server.brake); 0: for ever.
    free_repeats: int = 40
    #: Requests that are worked on at a time (eas.server.turns); 0: any number.
    requests_at_once: int = 100


async def nobody_is_told(user: User, device: Device) -> None:
    """Where nobody wants to hear of wipes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    user: User
    device: Device
    version: Version
    query: Query
    mailbox: Mailbox
    directory: Directory
    outbox: Outbox
    store: StateStore
    bell: Bell
    clock: Clock
    leases: Leases
    entropy: Entropy
    quirks: frozenset[Quirk] = frozenset()
    policy: Policy = field(default_factory=Policy)
    access: Decision = LET_IN
    #: How long the device waits for an answer without hearing of it (eas.engine.quirks).
    patience_seconds: int = 240
    limits: Limits = Limits()
    #: What is done otherwise with the heartbeats of the device (eas.engine.quirks).
    heartbeat: Heartbeat = HEARTBEATS[-1]
    cuts: Cuts = field(default_factory=Cuts)
    insisting: Insisting = field(default_factory=Insisting)
    #: When the request came, by the monotonic clock; None where nobody looked.
    began: float | None = None
    #: Whether the client has gone away while it was waiting for the answer.
    gone: Callable[[], bool] = lambda: False
    #: DER of the certificates that S/MIME chains may end at. [MS-ASCMD] ValidateCert R688.
    trust_anchors: tuple[bytes, ...] = ()
    #: None where no host is allowed.
    revocation_lists: RevocationLists | None = None
    #: None where no documents are opened to devices.
    documents: Documents | None = None
    #: Is told when the device was told of a wipe, or has said what became of it. Never raises.
    wipe_turned: Callable[[User, Device], Awaitable[None]] = nobody_is_told

    @property
    def viewer(self) -> Viewer:
        return Viewer(
            addresses=self.user.addresses, name=self.user.name, zone=self.user.zone, now=self.clock.now()
        )

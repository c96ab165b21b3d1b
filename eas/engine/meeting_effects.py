"""A device's write of a meeting, and what others are told of it: both happen, however often the request comes.

Before the write the state that it ends is written down, so that after a crash the repeated request still knows what the
change was. The messages themselves, and that each goes out once, are `eas.engine.scheduling`'s. [MS-ASCMD] from 16.0;
docs/design.md "Effects outside our database".
"""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import blake2b

from eas.items import enclosed
from eas.items.announce import restated
from eas.items.native import Unreadable
from eas.protocol import wbxml
from eas.protocol.version import SERVER_SCHEDULES
from eas.protocol.wbxml import Element

from .ports import Chosen, Intent, Owner
from .scheduling import announce
from .session import Session

#: The verb of the intent that holds the former state; and what it is settled with.
VERB, TOLD = "Meeting", "told"
#: Octets of a former state, decompressed, that are believed.
_MAX_STATE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What makes a device's command the same one when it is repeated. `client_id` of an Add; `instance` as stated."""

    verb: str
    server_id: str = ""
    client_id: str = ""
    instance: str = ""
    data: Element | None = None

    @property
    def digest(self) -> str:
        digest = blake2b(f"{self.verb}\0{self.instance}\0".encode(), digest_size=16)
        if self.data is not None:
            digest.update(wbxml.encode(self.data))
        return digest.hexdigest()


class MeetingEffects:
    """Those of one collection. Does nothing in versions in which the device mails by itself, and tells nobody where the
    groupware itself does that (`Folder.schedules`)."""

    def __init__(
        self, session: Session, owner: Owner, *, calendar: bool, scheduled: bool = False, proven: str = ""
    ) -> None:
        """`proven`: what was done under that key is over, as in `eas.engine.ports.Store.intend`."""
        self.session, self.owner, self.proven = session, owner, proven
        self.active = calendar and session.version in SERVER_SCHEDULES
        self.tells = self.active and not scheduled

    def restated(self, before: bytes, after: bytes) -> bytes:
        """`after` with the SEQUENCE that invitees tell the states apart by."""
        if not self.active or before == after or not _concerns_others(before, after):
            return after
        try:
            return restated(before, after, self.session.viewer)
        except Unreadable:
            return after

    async def begin(self, command: Command, before: bytes | None, after: bytes | None) -> Intent | None:
        """Write down that `before` is about to become `after`; None if nobody else is concerned."""
        if not self.tells or not _concerns_others(before, after):
            return None
        return await self.session.store.intend(self.owner, self._intent(command, before), proven=self.proven)

    async def begun(self, command: Command, stored: bytes | None) -> Intent | None:
        """What an earlier try of the same command wrote down, if it may have died before it was done."""
        if not self.tells or (stored is not None and not _concerns_others(stored, None)):
            return None
        wanted = self._intent(command, None)
        for held in await self.session.store.intents(self.owner):
            if self.proven and held.settled_key == self.proven:
                continue
            if (held.verb, held.client_id, held.server_id, held.digest) == (
                wanted.verb, wanted.client_id, wanted.server_id, wanted.digest
            ):
                return held
        return None

    async def finish(self, intent: Intent | None, before: bytes | None, after: bytes | None) -> dict[int, str]:
        """Tell the others; what is to be settled with the answer. Raises Unavailable."""
        if intent is None or intent.result:
            return {}
        await announce(self.session, before, after, owner=self.owner, name=intent.chosen.name)
        return {intent.id: TOLD}

    def _intent(self, command: Command, before: bytes | None) -> Intent:
        return Intent(
            verb=VERB, client_id=command.client_id, server_id=command.server_id, digest=command.digest,
            chosen=Chosen(name=self.session.entropy.key(), note=_packed(before)),
        )


def former(intent: Intent) -> bytes | None:
    """The state that was written down."""
    try:
        packed = b64decode(intent.chosen.note, validate=True)
        return zlib.decompressobj().decompress(packed, _MAX_STATE) if packed else None
    except (binascii.Error, ValueError, zlib.error):
        return None


def _packed(state: bytes | None) -> str:
    """Without the attachments, which concern nobody and may be megabytes."""
    return "" if state is None else b64encode(zlib.compress(enclosed.without(state))).decode()


def _concerns_others(*states: bytes | None) -> bool:
    return any(state is not None and b"ATTENDEE" in state.upper() for state in states)

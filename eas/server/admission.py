"""Whether and how far a device is let in, at each of its requests: `engine.access` with what it needs to know.

Costs nothing but the row of the device, which every request reads and which carries the revision of the rules: they
are read again when that is another one. What was decided is written down when it changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import structlog

from eas.engine.access import LET_IN, Book, Decision, Terms, decide, facts_of, recorded
from eas.engine.errors import Contended
from eas.engine.model import Device, Level, User
from eas.engine.partnership import revise
from eas.engine.ports import StateStore
from eas.engine.quarantine import NoDirectory, NoOutbox, Quarantined, Words
from eas.engine.session import Session

from .bounded import BoundedBell

log = structlog.get_logger("eas.admission")

#: By these a device says what it is; before them nobody is told of a new one.
TELLING = frozenset(("Provision", "Settings"))



class Heralds(Protocol):
    """Are told what was decided without anybody asking. Never raise."""

    async def quarantined(self, user: User, device: Device, decision: Decision) -> None:
        """A device waits to be approved: once for each quarantine."""
        ...

    async def suspended(self, device: Device) -> None:
        """A device that misbehaves is kept out for a while."""
        ...


@dataclass(slots=True, kw_only=True)
class Rules:
    """What the decision needs. `read` gives the rules as they are now, `groups` the names of a user's groups, `listed`
    whether a user has a list with the device on it, `most` how many devices a user may have if that was said (None).
    """

    read: Callable[[], Awaitable[Book]]
    groups: Callable[[str], Awaitable[Sequence[str]]]
    listed: Callable[[str, str], Awaitable[bool | None]]
    most: Callable[[str, Sequence[str]], Awaitable[int | None]]
    terms: Terms = field(default_factory=Terms)
    words: Words = field(default_factory=Words)
    heralds: Heralds | None = None
    _book: Book | None = None

    async def book(self, revision: int) -> Book:
        """The rules of that revision, or later ones; -1: as they are now."""
        if self._book is None or self._book.revision != revision:
            self._book = await self.read()
        return self._book

    async def decide(self, user: User, device: Device, address: str, now: datetime) -> Decision:
        """Raises Unavailable."""
        book = await self.book(device.rules)
        groups = await self.groups(user.id) if book.asks_groups else ()
        return decide(device, facts_of(device, user, groups=groups, address=address), book, self.terms, now)

    async def may_have(self, user: User, most: int) -> int:
        """How many devices, where `most` is what holds for all; 0 for any number. Raises Unavailable."""
        said = await self.most(user.id, await self.groups(user.id))
        return most if said is None else said


async def decided(
    rules: Rules | None, store: StateStore, user: User, device: Device, address: str, now: datetime
) -> tuple[Device, Decision]:
    """The device with what was decided noted. Raises Unavailable."""
    if rules is None:
        return device, LET_IN
    decision = await rules.decide(user, device, address, now)
    if recorded(device, decision, now) is not device:
        try:
            kept = await revise(store, device, lambda found: recorded(found, decision, now), lasting=False)
        except Contended:
            kept = device  # noted with the next request
        device = replace(kept, agent=device.agent)
        log.info("access decided", access=decision.level.value, by=decision.by, why=decision.why)
    return device, decision


def restricted(session: Session, words: Words) -> Session:
    """A session that is shown what its device may see, and waits no longer than what was decided holds."""
    decision = session.access
    if decision.until is not None:
        bell = BoundedBell(session.bell, session.clock, decision.until)
        session = replace(session, bell=bell)
    if not decision.restricted:
        return session
    shown = words if decision.level is Level.QUARANTINE else None
    mailbox = Quarantined(
        mailbox=session.mailbox, words=shown, viewer=session.viewer,
        since=decision.quarantined or session.clock.now(),
    )
    return replace(session, mailbox=mailbox, directory=NoDirectory(), outbox=NoOutbox(), documents=None)


async def tell_once(rules: Rules, session: Session, command: str) -> None:
    """Have people told of a device that waits to be approved. Raises Contended, Unavailable."""
    noted = session.device.admission
    if session.access.level is not Level.QUARANTINE or noted is None or noted.told or command in TELLING:
        return
    mine = False

    def change(found: Device) -> Device:
        nonlocal mine
        mine = found.admission is not None and not found.admission.told
        if not mine or found.admission is None:
            return found
        return replace(found, admission=replace(found.admission, told=True))

    device = await revise(session.store, session.device, change)
    if mine and rules.heralds is not None:
        await rules.heralds.quarantined(session.user, device, session.access)

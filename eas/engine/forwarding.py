"""A meeting passed on to others, from 16.0: the server invites them, and tells the organizer.

The organizer who passes on his own meeting has new invitees. An invitee sends his invitation on; the organizer gets a
forward notification, by which his server enters the new ones. [MS-ASCMD] Forwardees, SmartForward R7176-R7177.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from eas.items import calendar_exceptions, itip, itip_build, participants
from eas.items.body import Source
from eas.items.contentline import Component, serialize
from eas.items.event import Event, open_event
from eas.items.headers import Address
from eas.items.itip_build import Notice
from eas.items.native import ItemId, Record, Refused, Viewer
from eas.items.timezone import zone_or_utc

from .errors import ItemGone, NotAllowed, VersionConflict
from .meetings import ATTEMPTS
from .model import Folder, Right
from .ports import Chosen, Intent, Owner
from .scheduling import tell
from .sending import OUTBOX, SENT, Sending
from .session import Session

VERB = "ForwardMeeting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """What is passed on to whom: a whole meeting or the occurrence that begins at `instance`, in the words of `body`
    (None: those of the meeting)."""

    to: tuple[Address, ...]
    instance: datetime | None = None
    body: Source | None = None

    @property
    def digest(self) -> str:
        told = (self.to, self.instance, self.body and (self.body.text, self.body.html))
        return blake2b(repr(told).encode(), digest_size=16).hexdigest()


async def forward_meeting(
    session: Session, folder: Folder, id: ItemId, ics: bytes, forward: Forward, *, client_id: str, named: str
) -> Sending:
    """Pass a meeting on, once for each ClientId. `ics` is the appointment `id` of a calendar, or the invitation in a
    message; `named` is the ServerId of the item.

    Raises Refused for what is no meeting (or has no such occurrence), Unreadable, NotAllowed, ItemGone,
    VersionConflict, Unavailable.
    """
    owner = Owner(user_id=session.user.id, device_id=session.device.id, collection_id=OUTBOX)
    intent = await session.store.intend(owner, Intent(
        verb=VERB, client_id=client_id, server_id=named, digest=forward.digest,
        chosen=Chosen(name=session.entropy.key()),
    ))
    if intent.result == SENT:
        return Sending.BEFORE
    event, component = _forwarded(ics, forward, session.viewer)
    invites = folder.item_class == "Calendar" and participants.is_organizer(component, session.viewer)
    if invites:
        await _invite(session, folder, id, forward)
    # Those who have become invitees hear of it from a groupware that schedules. RFC 6638 3.2.1
    for number in () if invites and folder.schedules else (0, 1):
        def make(viewer: Viewer, number: int = number) -> Notice | None:
            return itip_build.forwarded(event, component, forward.to, viewer)[number]

        await tell(session, make, owner=owner, name=f"{intent.chosen.name} {number}", body=forward.body)
    await session.store.settle(owner, intent, SENT)
    return Sending.DONE


def _forwarded(ics: bytes, forward: Forward, viewer: Viewer) -> tuple[Event, Component]:
    """The meeting, and of it what is passed on. Raises Refused, Unreadable."""
    event = open_event(ics, zone_or_utc(viewer.zone))
    if itip.method_of(event.calendar) not in ("", "REQUEST", "PUBLISH") or itip_build.is_cancelled(event.main):
        raise Refused("not a meeting that can be passed on")
    if event.main.first("ORGANIZER") is None:
        participants.set_organizer(event.main, viewer.name, next(iter(viewer.addresses), None))
    return event, event.main if forward.instance is None else _component(event, forward.instance)


def _component(event: Event, instance: datetime) -> Component:
    original = itip.occurrence(event, instance)
    if event.main.first("RECURRENCE-ID") is not None:
        return event.main
    return event.others.get(original.instant) or calendar_exceptions.make(event, original)


async def _invite(session: Session, folder: Folder, id: ItemId, forward: Forward) -> None:
    """Put them on the list of the user's own meeting."""
    if folder.right < Right.EDIT:
        raise NotAllowed
    feed = session.mailbox.feed(folder)
    for _ in range(ATTEMPTS):
        record = await _stored(session, folder, id)
        event, component = _forwarded(record.data, forward, session.viewer)
        components = [component] if forward.instance is not None else [event.main, *event.others.values()]
        changed = [_add(one, forward.to) for one in components]
        if not any(changed):
            return
        try:
            await feed.update(id, serialize(event.calendar), record.version)
        except VersionConflict:
            continue
        return
    raise VersionConflict


def _add(component: Component, to: Collection[Address]) -> bool:
    held = {participants.address_of(line).lower() for line in component.find("ATTENDEE")}
    new = [box for box in to if box.address.lower() not in held]
    for box in new:
        component.add(participants.invited(box.address, box.name))
    return bool(new)


async def _stored(session: Session, folder: Folder, id: ItemId) -> Record:
    async for record in session.mailbox.feed(folder).fetch([id], None):
        assert isinstance(record, Record)
        return record
    raise ItemGone

"""Meeting messages that arrive by mail, entered into the calendar as Exchange does.

An invitation makes a tentative appointment, unanswered; an update, a cancellation, a reply, a proposal or the news that
somebody passed the invitation on changes the one that is there. Updates and cancellations count from the organizer's
address alone, the others from an invitee's, to the organizer: a stranger who has heard of a UID does not move meetings.
What the mail says besides is for its reader. RFC 5546, RFC 6047.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from eas.engine.errors import VersionConflict
from eas.engine.model import FolderType, User
from eas.items import headers, itip, itip_build, mime, participants
from eas.items.contentline import Component, parse, serialize
from eas.items.event import open_event
from eas.items.ical import read_utc, set_value, utc_value
from eas.items.meeting import organizer_of, uid_of
from eas.items.mime import cut_from, decode_section, layout
from eas.items.native import Viewer
from eas.items.timezone import zone_or_utc

from . import items, prepare
from .accounts import load_user
from .codec import digest, load_structure, millis
from .delivery import Arrived, tells_of_meeting
from .groupware import Groupware, Writing
from .prepare import folded, uid_key
from .tables import ContentRow, DeliveredRow, FolderRow, ItemRow

#: How often a write is tried again when somebody else changes the appointment meanwhile.
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    folder: int
    item: int
    version: str
    data: bytes


class Invitations:
    def __init__(self, groupware: Groupware) -> None:
        self._groupware = groupware

    async def follow(self, arrived: Arrived) -> None:
        """Raises Unreadable for a calendar that cannot be understood, VersionConflict if others keep changing it."""
        message = None if arrived.dropped else _calendar_of(arrived)
        if message is None:
            return
        user = await self._groupware.read(lambda c: load_user(c, arrived.user_id))
        if user is None:
            return
        viewer = Viewer(addresses=user.addresses, name=user.name, zone=user.zone, now=self._groupware.now())
        for attempt in range(_ATTEMPTS):
            try:
                await self._enter(user, viewer, message, _authors(arrived))
                return
            except VersionConflict:
                if attempt == _ATTEMPTS - 1:
                    raise

    async def _enter(self, user: User, viewer: Viewer, message: bytes, authors: frozenset[str]) -> None:
        event = open_event(message, zone_or_utc(viewer.zone))
        method = itip.method_of(event.calendar)
        uid = uid_of(message)
        stored = await self._groupware.read(lambda c: _find(c, user.id, uid))
        if stored is None:
            if method == "REQUEST" and not participants.is_organizer(event.main, viewer):
                content = prepare.record("Calendar", _tentative(message))
                await self._groupware.write(lambda tx: _put(tx, user.id, uid, content, _mark(event.main, uid)))
            elif method == "CANCEL" and folded(organizer_of(message)) in authors:
                await self._groupware.write(lambda tx: _remember(tx, user.id, _mark(event.main, uid)))
            return
        changed = _changed(stored.data, message, method, viewer, authors)
        if changed != stored.data:
            content = prepare.record("Calendar", changed)
            await self._groupware.write(
                lambda tx: items.update_record(tx, stored.folder, stored.item, content, stored.version)
            )


def _changed(stored: bytes, message: bytes, method: str, viewer: Viewer, authors: frozenset[str]) -> bytes:
    """The appointment after a message; unchanged if it does not count, or not from whom it comes."""
    if method in _OF_ORGANIZER:
        if folded(organizer_of(message)) not in authors:
            return stored
        return _OF_ORGANIZER[method](stored, message, viewer)
    if method not in _OF_INVITEE or not participants.is_viewer(organizer_of(stored), viewer):
        return stored
    return _OF_INVITEE[method](stored, message, authors)


_OF_ORGANIZER: Mapping[str, Callable[[bytes, bytes, Viewer], bytes]] = {
    "REQUEST": itip.apply_request, "CANCEL": itip.apply_cancel,
}
_OF_INVITEE: Mapping[str, Callable[[bytes, bytes, Collection[str]], bytes]] = {
    "REPLY": itip.apply_reply, "COUNTER": itip.apply_counter, itip_build.FORWARD: itip.apply_forward,
}


def _calendar_of(arrived: Arrived) -> bytes | None:
    """The calendar object of a meeting message; None for other messages."""
    if arrived.prepared.structure is None or not tells_of_meeting(arrived.prepared):
        return None
    part = layout(load_structure(arrived.prepared.structure)).calendar
    if part is None or part.size > mime.MAX_CALENDAR:
        return None
    return decode_section(part, cut_from(arrived.prepared.octets, part))


def _authors(arrived: Arrived) -> frozenset[str]:
    """Whose message it is: From, and Sender for those who act for somebody."""
    fields = headers.parse(arrived.prepared.header)
    found = [address for name in (b"from", b"sender") for address in headers.addresses(fields.get(name, b""))]
    return frozenset(folded(address.address) for address in found)


def _find(connection: Connection, user_id: str, uid: str) -> _Stored | None:
    row = connection.execute(
        select(ItemRow.folder_id, ItemRow.id, ItemRow.version, ContentRow.data)
        .join(ContentRow, ContentRow.id == ItemRow.content_id)
        .join(FolderRow, FolderRow.id == ItemRow.folder_id)
        .where(ContentRow.user_id == user_id, ContentRow.uid == uid_key(uid), FolderRow.item_class == "Calendar")
        .order_by(ItemRow.folder_id, ItemRow.id).limit(1)
    ).one_or_none()
    return None if row is None else _Stored(folder=row.folder_id, item=row.id, version=row.version, data=row.data)


def _tentative(message: bytes) -> bytes:
    """The event of an invitation as it stands in the calendar until it is answered."""
    calendar = parse(message)
    set_value(calendar, "METHOD", None)
    for event in calendar.components("VEVENT"):
        set_value(event, "X-MICROSOFT-CDO-BUSYSTATUS", "TENTATIVE")
    return serialize(calendar)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A state of a meeting: `state` grows with SEQUENCE and DTSTAMP, and is digits that begin with 0 or 1."""

    meeting: str
    state: str


def _mark(main: Component, uid: str) -> _Mark:
    """Of a message about an occurrence: of that occurrence."""
    line = main.first("RECURRENCE-ID")
    named = "\0".join((uid, folded(participants.organizer(main)[1]), line.value if line else ""))
    at = read_utc(main, "DTSTAMP") or datetime.min.replace(tzinfo=UTC)
    count = min(max(itip_build.sequence(main), 0), 10**9)
    return _Mark("cancelled" + digest(named.encode("utf-8", "replace"))[:24], f"{count:010}{utc_value(at)[:15]}")


def _remember(tx: Writing, user_id: str, mark: _Mark) -> None:
    """That a meeting was called off before its invitation came, which mail may do."""
    key = {"user_id": user_id, "key": mark.meeting + mark.state}
    if tx.connection.execute(select(DeliveredRow.at).filter_by(**key)).first() is None:
        tx.connection.execute(insert(DeliveredRow).values(**key, at=millis(tx.now)))


def _called_off(tx: Writing, user_id: str, mark: _Mark) -> bool:
    """Whether a cancellation of this state, or a later one, has come before."""
    statement = select(DeliveredRow.at).where(
        DeliveredRow.user_id == user_id, DeliveredRow.key >= mark.meeting + mark.state,
        DeliveredRow.key < mark.meeting + "9",
    )
    return tx.connection.execute(statement.limit(1)).first() is not None


def _put(tx: Writing, user_id: str, uid: str, content: prepare.Prepared, mark: _Mark) -> None:
    """The name follows from the UID: of two copies of an invitation, one makes the appointment."""
    statement = select(FolderRow.id).where(FolderRow.owner == user_id, FolderRow.type == int(FolderType.CALENDAR))
    folder = tx.connection.execute(statement).scalar_one_or_none()
    if folder is not None and not _called_off(tx, user_id, mark):
        name = digest(uid.encode("utf-8", "replace"))[:40]
        items.create(tx, folder, content, f"invitation-{name}.ics")

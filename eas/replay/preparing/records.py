"""A contact, appointment, task or note made of what a device was told of it: its elements -> vCard or iCalendar."""

from __future__ import annotations

from typing import Any

from eas.engine.classes import RECORDS
from eas.items import old_bodies
from eas.items.native import Refused, Unreadable, Viewer
from eas.protocol import schema
from eas.protocol.schema import SchemaError
from eas.protocol.version import SERVER_OWNS_MEETINGS, Version
from eas.protocol.wbxml import Element
from eas.replay.playing.learning import text

#: What only a server says, and no device may send.
_TOLD_ONLY = frozenset({
    "AirSyncBase:NativeBodyType", "Calendar:ResponseType", "Calendar:AppointmentReplyTime",
    "Calendar:OnlineMeetingConfLink", "Calendar:OnlineMeetingExternalLink", "AirSyncBase:Attachments",
    "Notes:LastModifiedDate",
})


class NotMade(ValueError):
    """The item cannot be made; the text says why."""


def record_of(
    item_class: str, data: Element, version: Version, viewer: Viewer, uid: str, base: bytes | None = None
) -> bytes:
    """What is to be stored. `uid` is used where the item brings none; `base` is what it changes. Raises NotMade."""
    kind = RECORDS.get(item_class)
    if kind is None:
        raise NotMade(f"no class {item_class!r} is kept")
    told = _sendable(data)
    if version in SERVER_OWNS_MEETINGS and item_class == "Calendar":
        # From 16.0 a device may not say who is invited; what it is told is what it could say before.
        told, version = _before_16(told), Version.V14_1
    if version in old_bodies.OLD_BODIES:
        told = old_bodies.plain(told)
    try:
        item: Any = schema.load(kind.message, told, version)
        given = schema.stated(kind.message, told, version)
        return kind.to_native(
            item, given, base, frozenset(kind.always_kept), viewer, version, uid=text(data, "Calendar:UID") or uid
        )
    except (SchemaError, Refused, Unreadable) as error:
        raise NotMade(str(error)) from error


def _sendable(element: Element) -> Element:
    """As a device would say it: bodies by type and data alone."""
    kept = []
    for child in element.elements:
        if child.tag in _TOLD_ONLY:
            continue
        if child.tag == "AirSyncBase:Body":
            kept.append(Element(child.tag, tuple(
                one for one in child.elements if one.tag in ("AirSyncBase:Type", "AirSyncBase:Data")
            )))
        else:
            kept.append(_sendable(child) if child.elements else child)
    return Element(element.tag, tuple(kept)) if element.elements else element


def _before_16(element: Element) -> Element:
    kept = []
    for child in element.elements:
        if child.tag == "AirSyncBase:Location":
            if place := text(child, "AirSyncBase:DisplayName"):
                kept.append(Element("Calendar:Location", place))
        elif child.tag == "AirSyncBase:InstanceId":
            kept.append(Element("Calendar:ExceptionStartTime", child.text))
        elif child.tag != "Calendar:ClientUid":
            kept.append(_before_16(child) if child.elements else child)
    return Element(element.tag, tuple(kept))

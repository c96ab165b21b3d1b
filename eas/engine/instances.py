"""Change and Delete of one occurrence of a series, by InstanceId, from 16.0.

[MS-ASCAL] Exceptions R2112, R2113; [MS-ASAIRS] InstanceId R1175-R1180; [MS-ASCMD] Change R6238, Delete (Sync) R6420.
Both are changes of the stored series, so that a repeat finds them done, and conflicts are those of the item.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from eas.items import calendar, enclosed
from eas.items.native import ItemId, Record, Refused
from eas.protocol import schema
from eas.protocol.schema import COMPACT
from eas.protocol.version import INSTANCE_COMMANDS
from eas.protocol.wbxml import Element

from .classes import RECORDS
from .model import Right
from .render import Rendered

if TYPE_CHECKING:
    from .apply import Applier, DeviceCommand

CALENDAR = "Calendar"
#: What comes back otherwise than it was sent without being news.
_NOT_COMPARED = frozenset({"body", "attachments", "exception_start_time", "attendees"})


def concerns(applier: Applier, command: DeviceCommand) -> bool:
    """Whether a command is about one occurrence. InstanceId counts for nothing with other items."""
    return bool(
        command.instance is not None and applier.folder.item_class == CALENDAR
        and applier.session.version in INSTANCE_COMMANDS
    )


async def change(applier: Applier, command: DeviceCommand, id: ItemId) -> tuple[Element, ...]:
    """What the answer tells beside the status. Raises what a Change raises, and ItemGone for no such occurrence."""
    at, data = _instant(command), command.data
    assert data is not None
    viewer, version = applier.session.viewer, applier.session.version

    def convert(stored: Record) -> bytes:
        return calendar.instance_to_native(data, stored.data, at, viewer, version)

    def agrees(shown: Rendered) -> bool:
        return _as_said(applier, data, at, shown)

    kind = RECORDS[CALENDAR]
    await applier.rewrite(kind, id, command, convert, agrees, client_wins=applier.options.client_wins)
    sent = schema.load(calendar.Exception_, data, version)
    return applier.attached(id, enclosed.added(sent.attachments))


async def delete(applier: Applier, command: DeviceCommand, id: ItemId) -> None:
    """Raises what a Change raises, and ItemGone for no such occurrence."""
    at = _instant(command)
    viewer, version = applier.session.viewer, applier.session.version

    def convert(stored: Record) -> bytes:
        return calendar.without_instance(stored.data, at, viewer, version)

    if applier.folder.right < Right.EDIT:
        raise Refused("no right to change this folder")
    kind = RECORDS[CALENDAR]
    await applier.rewrite(kind, id, command, convert, lambda shown: True, client_wins=applier.options.client_wins)


def _instant(command: DeviceCommand) -> datetime:
    """InstanceId as an instant. Raises SchemaError, Refused."""
    found = COMPACT.load(Element("AirSyncBase:InstanceId", command.instance or ""), INSTANCE_COMMANDS.since)
    if not isinstance(found, datetime):
        raise Refused("an empty InstanceId")
    return found


def _as_said(applier: Applier, data: Element, at: datetime, shown: Rendered) -> bool:
    """Whether the occurrence looks as the device said; what it did not name it has already."""
    version = applier.session.version
    said: Any = schema.load(calendar.Exception_, data, version)
    item: Any = schema.load(calendar.Appointment, Element(data.tag, shown.content), version)
    occurrence = next((e for e in item.exceptions if e.exception_start_time == at), calendar.Exception_())
    given = schema.stated(calendar.Exception_, data, version) - _NOT_COMPARED
    return all(_value(occurrence, item, name) == getattr(said, name) for name in given)


def _value(occurrence: Any, series: Any, name: str) -> Any:
    """A field of an occurrence, which inherits what it does not say itself."""
    own = getattr(occurrence, name)
    inherits = own in (None, ()) and name not in occurrence.removed and hasattr(series, name)
    return getattr(series, name) if inherits and name not in ("start_time", "end_time") else own

"""The invitation in a mail, made of what a device was told of it: one occurrence, in the zone of the meeting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from email.utils import getaddresses, parseaddr

from eas.items import globalobjid, timezone, vtimezone
from eas.items.contentline import serialize
from eas.protocol.wbxml import Element
from eas.replay.playing.learning import text
from eas.replay.playing.moments import instant

#: MessageClass -> METHOD.
_METHODS = {
    "IPM.Schedule.Meeting.Request": "REQUEST", "IPM.Schedule.Meeting.Canceled": "CANCEL",
    "IPM.Notification.Meeting": "REQUEST",
}


@dataclass(frozen=True, slots=True)
class Invitation:
    """`calendar` is the iCalendar text."""

    method: str
    calendar: str


def invitation(data: Element, meeting: Element, uid: str) -> Invitation | None:
    """`uid` where the meeting brings none; None without times. A device is told rules which it need not keep, so that
    of a series there is the first occurrence."""
    method = _METHODS.get(text(data, "Email:MessageClass"), "REQUEST")
    start, end = (instant(text(meeting, f"Email:{name}")) for name in ("StartTime", "EndTime"))
    if start is None or end is None:
        return None
    uid = text(meeting, "Calendar:UID") or globalobjid.to_uid(text(meeting, "Email:GlobalObjId")) or uid
    organizer = text(meeting, "Email:Organizer") or text(data, "Email:From")
    place = text(meeting, "AirSyncBase:Location", "AirSyncBase:DisplayName") or text(meeting, "Email:Location")
    zone = _zone(text(meeting, "Email:TimeZone"), start.year)
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//eas session//EN", f"METHOD:{method}",
        *_definition(zone, start.year), "BEGIN:VEVENT",
        f"UID:{uid}", f"DTSTAMP:{start:%Y%m%dT%H%M%SZ}", f"DTSTART{_moment(start, zone)}", f"DTEND{_moment(end, zone)}",
        f"SUMMARY:{_escaped(text(data, 'Email:Subject'))}",
        *([f"LOCATION:{_escaped(place)}"] if place else []),
        f"ORGANIZER{_person(parseaddr(organizer), organizer)}",
        *(f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE{_person(one, '')}"
          for one in getaddresses([text(data, "Email:To")]) if "@" in one[1]),
        "SEQUENCE:0", "END:VEVENT", "END:VCALENDAR", "",
    ]
    return Invitation(method, "\r\n".join(lines))


def _zone(blob: str, year: int) -> tzinfo:
    try:
        return timezone.zone_of_blob(timezone.TimeZoneInformation.parse(blob), year)
    except timezone.BadTimeZone:
        return UTC


def _definition(zone: tzinfo, year: int) -> list[str]:
    if timezone.is_utc(zone):
        return []
    return serialize(vtimezone.definition(zone, year)).decode().rstrip("\r\n").split("\r\n")


def _moment(time: datetime, zone: tzinfo) -> str:
    """What follows the name of a property."""
    if timezone.is_utc(zone):
        return f":{time:%Y%m%dT%H%M%SZ}"
    return f";TZID={timezone.key_of(zone)}:{time.astimezone(zone):%Y%m%dT%H%M%S}"


def _person(named: tuple[str, str], value: str) -> str:
    """The end of a line that names somebody."""
    name, address = one_line(named[0]).replace('"', ""), named[1] or one_line(value)
    return (f';CN="{name}"' if name else "") + f":mailto:{address}"


def _escaped(value: str) -> str:
    return one_line(value).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def one_line(value: str) -> str:
    """Without ends of lines, which neither a header nor a property may have."""
    return " ".join(value.split())

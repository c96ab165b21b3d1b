"""Who takes part: ORGANIZER and ATTENDEE lines, and what a device is told of them. RFC 5545 3.8.4.1, 3.8.4.3, 3.2.

The organizer often stands among the attendees of an iCalendar object and does not in ActiveSync, where phones would
invite him again: his line is not shown, and survives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from eas.protocol.version import Version

from .appointment import (
    CANCELLED,
    MEETING,
    RECEIVED,
    Attendee,
    AttendeeStatus,
    AttendeeType,
    ResponseType,
)
from .contentline import Component, Line, clean
from .ical import utc_of, utc_value
from .native import Viewer

#: AttendeeStatus <-> PARTSTAT. No PARTSTAT is "unknown"; words that are not here are shown as unknown and survive.
PARTSTAT = {
    AttendeeStatus.TENTATIVE: "TENTATIVE",
    AttendeeStatus.ACCEPTED: "ACCEPTED",
    AttendeeStatus.DECLINED: "DECLINED",
    AttendeeStatus.NOT_RESPONDED: "NEEDS-ACTION",
}
_STATUS = {word: status for status, word in PARTSTAT.items()}
_RESPONSE = {
    "TENTATIVE": ResponseType.TENTATIVE,
    "ACCEPTED": ResponseType.ACCEPTED,
    "DECLINED": ResponseType.DECLINED,
    "NEEDS-ACTION": ResponseType.NOT_RESPONDED,
    "": ResponseType.NOT_RESPONDED,
}
#: AttendeeType -> ROLE and CUTYPE of a new line.
_ROLES = {
    AttendeeType.REQUIRED: ("REQ-PARTICIPANT", "INDIVIDUAL"),
    AttendeeType.OPTIONAL: ("OPT-PARTICIPANT", "INDIVIDUAL"),
    AttendeeType.RESOURCE: ("NON-PARTICIPANT", "RESOURCE"),
}
_RESOURCES = frozenset({"RESOURCE", "ROOM"})
_OPTIONAL = frozenset({"OPT-PARTICIPANT", "NON-PARTICIPANT"})

#: [MS-ASCAL] Name and Email are strings without a bound; addresses of mail have 254 characters.
MAX_ADDRESS = 320


def address_of(line: Line) -> str:
    """The mail address of an ORGANIZER or ATTENDEE, as written; "" if it names none."""
    value = clean(line.value).strip()
    if value[:7].lower() == "mailto:":
        return value[7:].strip()
    # Calendar servers write their own principals (urn:uuid:..., /principals/...) and the address beside it.
    return (line.param("EMAIL") or "").strip() or (value if "@" in value and ":" not in value else "")


def same(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()


def is_viewer(address: str, viewer: Viewer) -> bool:
    return any(same(address, own) for own in viewer.addresses)


def organizer(component: Component) -> tuple[str, str]:
    """(name, address) of the organizer; empty strings where there is none."""
    line = component.first("ORGANIZER")
    if line is None:
        return "", ""
    address = address_of(line)
    return clean(line.param("CN") or "") or address, address


def own_line(component: Component, viewer: Viewer) -> Line | None:
    """The viewer's ATTENDEE line."""
    return next((line for line in component.find("ATTENDEE") if is_viewer(address_of(line), viewer)), None)


def is_meeting(component: Component) -> bool:
    return component.first("ORGANIZER") is not None or component.first("ATTENDEE") is not None


def is_organizer(component: Component, viewer: Viewer) -> bool:
    """Whether the viewer may change a meeting: its organizer, or nobody is."""
    line = component.first("ORGANIZER")
    return line is None or is_viewer(address_of(line), viewer)


def load_attendees(component: Component) -> tuple[Attendee, ...]:
    """All but the organizer."""
    _, host = organizer(component)
    return tuple(
        _attendee(line) for line in component.find("ATTENDEE") if not (host and same(address_of(line), host))
    )


def dump_attendees(component: Component, wanted: Iterable[Attendee], *, asks: bool | None) -> None:
    """Make the ATTENDEE lines say what `wanted` says. Lines are matched by address; what they say beyond the four
    fields stays, and what did not change stays as it was written. `asks`: RSVP of new lines.

    An attendee without an address is passed over: no iCalendar line can hold one (Outlook sends such).
    """
    _, host = organizer(component)
    wanted = [a for a in wanted if _usable(a.email)]
    seen = set()
    for line in component.find("ATTENDEE"):
        address = _shown_address(line)
        found = next((a for a in wanted if same(a.email or "", address)), None)
        if found is None or address.lower() in seen:
            if not (host and same(address, host)):
                component.remove(line)
            continue
        seen.add(address.lower())
        changed = _changed(line, found)
        if changed is not line:
            component.replace(line, changed)
    for attendee in wanted:
        if (attendee.email or "").strip().lower() not in seen:
            seen.add((attendee.email or "").strip().lower())
            component.add(_line(attendee, asks))


def merged(component: Component, sent: Iterable[Attendee]) -> tuple[Attendee, ...]:
    """The attendees that there are, with what `sent` says of them."""
    said = {(attendee.email or "").lower(): attendee for attendee in sent}
    return tuple(said.get((held.email or "").lower(), held) for held in load_attendees(component))


def set_organizer(component: Component, name: str | None, address: str | None) -> None:
    """Name or address of the organizer; nothing is written for an address that is none."""
    held = component.first("ORGANIZER")
    if not _usable(address):
        return
    line = held or Line("ORGANIZER", "")
    if held is None or not same(address_of(held), address or ""):
        line = replace(line, params=(), head="", raw=b"", value=f"mailto:{(address or '').strip()}")
    if name and name != address and clean(line.param("CN") or "") != name:
        line = with_param(line, "CN", name)
    if held is None:
        component.add(line)
    elif line is not held:
        component.replace(held, line)


def meeting_status(component: Component, viewer: Viewer) -> int:
    """[MS-ASCAL] MeetingStatus R31812-R3181411."""
    status = component.first("STATUS")
    cancelled = status is not None and status.value.strip().upper() == "CANCELLED"
    if not is_meeting(component):
        return MEETING | CANCELLED if cancelled else 0
    return MEETING | (0 if is_organizer(component, viewer) else RECEIVED) | (CANCELLED if cancelled else 0)


def response_type(component: Component, viewer: Viewer) -> ResponseType:
    """[MS-ASCAL] ResponseType. Without meeting none; not on the list: nothing was answered."""
    if not is_meeting(component):
        return ResponseType.NONE
    if is_organizer(component, viewer):
        return ResponseType.ORGANIZER
    line = own_line(component, viewer)
    if line is None:
        return ResponseType.NONE
    return _RESPONSE.get((line.param("PARTSTAT") or "").upper(), ResponseType.NONE)


def response_requested(component: Component, viewer: Viewer) -> bool | None:
    """Whether an answer is wanted: of the viewer, or for the organizer, of anybody. None if there are no attendees."""
    lines = component.find("ATTENDEE")
    own = own_line(component, viewer)
    if own is not None and not is_organizer(component, viewer):
        lines = [own]
    return any((line.param("RSVP") or "").upper() == "TRUE" for line in lines) if lines else None


def set_response_requested(component: Component, asks: bool) -> None:
    for line in component.find("ATTENDEE"):
        if ((line.param("RSVP") or "").upper() == "TRUE") is not asks:
            component.replace(line, with_param(line, "RSVP", "TRUE" if asks else "FALSE"))


def answer(component: Component, viewer: Viewer, partstat: str) -> bool:
    """Set the viewer's PARTSTAT; False if the viewer is not on the list. RSVP goes, since nothing is asked any more."""
    line = own_line(component, viewer)
    if line is None:
        return False
    component.replace(line, without_param(with_param(line, "PARTSTAT", partstat), "RSVP"))
    return True


def with_param(line: Line, name: str, value: str) -> Line:
    """The line with one parameter set, in its place if it has it."""
    if line.param(name) is None:
        return line.with_params((*line.params, (name, (value,))))
    return line.with_params(tuple((key, (value,)) if key == name else (key, held) for key, held in line.params))


def without_param(line: Line, name: str) -> Line:
    kept = tuple(param for param in line.params if param[0] != name)
    return line if kept == line.params else line.with_params(kept)


#: What is noted on an attendee's line beside RFC 5545's: when the last answer was given, and times proposed by it.
_REPLIED, _PROPOSED = "X-EAS-REPLIED", ("X-EAS-PROPOSEDSTART", "X-EAS-PROPOSEDEND")


def noted(line: Line, at: datetime | None, times: tuple[datetime, datetime] | None) -> Line:
    """The line with when it was answered, and the times proposed in the answer, if any."""
    for name, value in zip((_REPLIED, *_PROPOSED), (at, *(times or (None, None))), strict=True):
        line = without_param(line, name) if value is None else with_param(line, name, utc_value(value))
    return line


def replied_at(line: Line) -> datetime | None:
    return utc_of(line.param(_REPLIED) or "")


def proposal(line: Line) -> tuple[datetime | None, datetime | None]:
    """The times that an attendee would like better."""
    start, end = (utc_of(line.param(name) or "") for name in _PROPOSED)
    return (start, end) if start and end else (None, None)


def unnoted(line: Line) -> Line:
    """The line without what is noted for the organizer alone."""
    for name in (_REPLIED, *_PROPOSED):
        line = without_param(line, name)
    return line


def name_of(line: Line) -> str:
    return clean(line.param("CN") or "").strip()


def invited(address: str, name: str) -> Line:
    """The line of somebody who is asked to come."""
    return _line(
        Attendee(email=address, name=name or address, status=AttendeeStatus.NOT_RESPONDED, type=AttendeeType.REQUIRED),
        True,
    )


def for_version(attendees: tuple[Attendee, ...], version: Version) -> tuple[Attendee, ...]:
    """As a device of that version can know them: before 12.0 without status and type."""
    if version >= Version.V12_0:
        return attendees
    return tuple(replace(attendee, status=None, type=None) for attendee in attendees)


def _usable(address: str | None) -> bool:
    """An address that a mailto: can hold. `"Name" <a@b>` is not sent here: devices split it."""
    text = (address or "").strip()
    return 0 < len(text) <= MAX_ADDRESS and not any(char.isspace() or ord(char) < 0x20 for char in text)


def _shown_address(line: Line) -> str:
    """The address, or what stands in its place (`urn:uuid:...`): the device has to name the line by something."""
    return address_of(line) or clean(line.value).strip()


def _attendee(line: Line) -> Attendee:
    address = _shown_address(line)
    partstat = (line.param("PARTSTAT") or "").upper()
    start, end = proposal(line)
    return Attendee(
        email=address,
        name=clean(line.param("CN") or "").strip() or address,
        status=_STATUS.get(partstat, AttendeeStatus.UNKNOWN),
        type=_type(line),
        proposed_start=start,
        proposed_end=end,
    )


def _type(line: Line) -> AttendeeType:
    if (line.param("CUTYPE") or "").upper() in _RESOURCES:
        return AttendeeType.RESOURCE
    return AttendeeType.OPTIONAL if (line.param("ROLE") or "").upper() in _OPTIONAL else AttendeeType.REQUIRED


def _changed(line: Line, wanted: Attendee) -> Line:
    """The line with what `wanted` says otherwise than it does."""
    held = _attendee(line)
    if wanted.name and wanted.name != held.name and not same(wanted.name, wanted.email or ""):
        line = with_param(line, "CN", wanted.name)
    if wanted.status is not None and wanted.status != held.status:
        line = _with_status(line, wanted.status)
    if wanted.type is not None and wanted.type != held.type:
        role, kind = _ROLES[wanted.type]
        line = with_param(line, "ROLE", role)
        if held.type is AttendeeType.RESOURCE or wanted.type is AttendeeType.RESOURCE:
            line = with_param(line, "CUTYPE", kind)
    return line


def _with_status(line: Line, status: AttendeeStatus) -> Line:
    if status is AttendeeStatus.UNKNOWN:
        return without_param(line, "PARTSTAT")
    return with_param(line, "PARTSTAT", PARTSTAT[status])


def _line(attendee: Attendee, asks: bool | None) -> Line:
    role, kind = _ROLES[attendee.type or AttendeeType.REQUIRED]
    line = Line("ATTENDEE", f"mailto:{(attendee.email or '').strip()}")
    if attendee.name and attendee.name.strip() and attendee.name != attendee.email:
        line = with_param(line, "CN", attendee.name.strip())
    line = with_param(with_param(line, "CUTYPE", kind), "ROLE", role)
    line = _with_status(line, attendee.status or AttendeeStatus.UNKNOWN)
    return with_param(line, "RSVP", "TRUE") if asks else line

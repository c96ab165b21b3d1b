"""Attachments of calendar items, from 16.0: base64 in ATTACH lines <-> Attachments. [MS-ASAIRS] Attachments, Add,
Delete, Attachment; RFC 5545 3.8.1.1, RFC 8607 3.2 (FILENAME).

An attachment is named by what it is: `section` is a digest of its octets and name, so that it stays the same whatever
else changes in the item, and equal ones are one. A FileReference of a calendar item is
`<collection>:<item>:<section>` (eas.engine.ids); `find` resolves the section. ATTACH lines with an address instead of
octets are not shown: nothing is fetched from where an item points to. They survive.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b

from eas.protocol.schema import FLAG, INT, PRESENCE, Codec, SchemaError, Spelling, element, spelled
from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

from .attachments import content_type, display_name
from .contentline import Component, Line, serialize
from .ical import open_calendar
from .native import Part, Refused, Unreadable

#: [MS-ASAIRS] Method (Add): the one value for calendar items, R1392.
NORMAL = 1
#: Octets of one attachment, decoded: an object with it has to stay below contentline.MAX_BYTES.
MAX_BYTES = 10 * 1024 * 1024


def _load_content(found: Element, version: Version) -> bytes:
    """Opaque, or text in base64. [MS-ASAIRS] Content R1088."""
    if isinstance(found.content, bytes):
        return found.content
    try:
        return b64decode("".join(found.text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise SchemaError("Content is not base64", found.tag) from None


CONTENT = Codec(_load_content, lambda value, version: value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """[MS-ASAIRS] Attachment, as answered. `client_id` only in the answer to the command that added it."""

    display_name: str | None = element("AirSyncBase:DisplayName", default=None)
    file_reference: str = element("AirSyncBase:FileReference")
    client_id: str | None = element("AirSyncBase:ClientId", default=None)
    method: int | None = element("AirSyncBase:Method", INT, default=None)
    estimated_size: int | None = element("AirSyncBase:EstimatedDataSize", INT, default=None)
    content_id: str | None = element("AirSyncBase:ContentId", default=None)
    content_location: str | None = element("AirSyncBase:ContentLocation", default=None)
    is_inline: bool | None = element("AirSyncBase:IsInline", FLAG, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    """[MS-ASAIRS] Add."""

    client_id: str = element("AirSyncBase:ClientId")
    method: int | None = element("AirSyncBase:Method", INT, default=None)
    content_type: str | None = element("AirSyncBase:ContentType", default=None)
    content: bytes = element("AirSyncBase:Content", CONTENT)
    display_name: str = element("AirSyncBase:DisplayName", default="")
    content_id: str | None = element("AirSyncBase:ContentId", default=None)
    content_location: str | None = element("AirSyncBase:ContentLocation", default=None)
    is_inline: bool | None = element("AirSyncBase:IsInline", PRESENCE, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detach:
    """[MS-ASAIRS] Delete."""

    file_reference: str = element("AirSyncBase:FileReference")


Enclosure = Attached | Attach | Detach


def enclosures() -> tuple[Enclosure, ...]:
    """The field of a message: what is shown of the attachments, or what is to happen to them."""
    classes = {"AirSyncBase:Attachment": Attached, "AirSyncBase:Add": Attach, "AirSyncBase:Delete": Detach}
    held: tuple[Enclosure, ...] = spelled(
        Spelling(
            "", within="AirSyncBase:Attachments", many=True, classes=classes, spoken=Spoken(since=Version.V16_0)
        ),
        default=(),
    )
    return held


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the answer to a command says of what it attached. [MS-ASAIRS] R1082, R1336"""

    attachments: tuple[Enclosure, ...] = enclosures()


def load(component: Component) -> tuple[Attached, ...]:
    """The attachments of one VEVENT; `file_reference` is the section alone, to be completed by who knows the item."""
    found = {section(line): line for line in component.find("ATTACH") if _is_inline_data(line)}
    return tuple(_shown(name, line) for name, line in found.items())


def dump(wanted: Iterable[Enclosure], component: Component) -> None:
    """Do what `wanted` says. An Add of what is there already changes nothing, nor does a Delete of what is gone. Raises
    Refused."""
    for one in wanted:
        if isinstance(one, Attach):
            line = _line(one)
            if section(line) not in {section(held) for held in component.find("ATTACH") if _is_inline_data(held)}:
                component.add(line)
        elif isinstance(one, Detach):
            name = one.file_reference.rpartition(":")[2]
            for held in component.find("ATTACH"):
                if _is_inline_data(held) and section(held) == name:
                    component.remove(held)


def added(wanted: Iterable[Enclosure]) -> tuple[tuple[str, str], ...]:
    """(ClientId, section) of what was added. R1082"""
    return tuple((one.client_id, section(_line(one))) for one in wanted if isinstance(one, Attach))


def completed(shown: Iterable[Enclosure], refer: Callable[[str], str]) -> tuple[Enclosure, ...]:
    """With whole FileReferences in the place of sections."""
    return tuple(
        replace(one, file_reference=refer(one.file_reference)) if isinstance(one, Attached) else one for one in shown
    )


def find(data: bytes, name: str) -> tuple[str, bytes] | None:
    """Content type and octets of the attachment of this section, in the series or in one of its occurrences; None if
    there is none. Raises Unreadable."""
    for component in open_calendar(data, "VEVENT")[1]:
        for line in component.find("ATTACH"):
            if _is_inline_data(line) and section(line) == name:
                return content_type(_part(line)), line.octets() or b""
    return None


def section(line: Line) -> str:
    """What a FileReference ends in: "a" and 16 digits of a digest."""
    digest = blake2b(digest_size=8)
    digest.update(_name(line).encode("utf-8", "replace") + b"\0")
    digest.update(line.octets() or b"")
    return f"a{digest.hexdigest()}"


def _is_inline_data(line: Line) -> bool:
    return (line.param("ENCODING") or "").upper() in ("BASE64", "B") and line.octets() is not None


def _name(line: Line) -> str:
    return line.param("FILENAME") or line.param("X-FILENAME") or ""


def _part(line: Line) -> Part:
    """As attachments of mail are described, so that names and types are treated alike."""
    return Part(section="1", type=(line.param("FMTTYPE") or "").lower(), size=0, filename=_name(line))


def _shown(name: str, line: Line) -> Attached:
    return Attached(
        display_name=display_name(_part(line)), file_reference=name, method=NORMAL,
        estimated_size=len(line.octets() or b""), content_id=line.param("X-CONTENT-ID"),
        content_location=line.param("X-CONTENT-LOCATION"), is_inline=True if line.param("X-INLINE") else None,
    )


def _line(one: Attach) -> Line:
    """Raises Refused."""
    if one.method not in (None, NORMAL):
        raise Refused(f"an attachment of method {one.method}")
    if len(one.content) > MAX_BYTES:
        raise Refused(f"an attachment of {len(one.content)} bytes")
    kind = content_type(Part(section="1", type=(one.content_type or "").lower(), size=0))
    params = [("FMTTYPE", kind), ("ENCODING", "BASE64"), ("VALUE", "BINARY"), ("FILENAME", one.display_name)]
    params += [("X-CONTENT-ID", one.content_id or ""), ("X-CONTENT-LOCATION", one.content_location or "")]
    params += [("X-INLINE", "TRUE" if one.is_inline else "")]
    given = tuple((key, (value,)) for key, value in params if value)
    return Line("ATTACH", b64encode(one.content).decode(), given)


def without(data: bytes) -> bytes:
    """The object without its attachments' octets; as it is if it cannot be read."""
    if b"ATTACH" not in data.upper():
        return data
    try:
        calendar, events = open_calendar(data, "VEVENT")
    except Unreadable:
        return data
    for event in events:
        for line in event.find("ATTACH"):
            event.remove(line)
    return serialize(calendar)

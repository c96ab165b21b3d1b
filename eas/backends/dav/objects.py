"""What is to be known of an object before it is an item: its kind, its name, whether two say the same. Pure.

An object of a calendar collection belongs to a folder by its component: a collection that holds events and tasks
(RFC 4791 4.2) is a calendar and a task list to a device.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

from eas.backends.embedded.codec import digest, record_version
from eas.backends.standards.ports import Place
from eas.items.contentline import Component, Line, glimpse, parse, serialize
from eas.items.ical import utc_of
from eas.items.native import Unreadable

from .hrefs import canonical

#: The component of a class, and how its objects are called.
COMPONENT = {"Calendar": "VEVENT", "Tasks": "VTODO", "Notes": "VJOURNAL", "Contacts": "VCARD"}
SUFFIX = {"Calendar": ".ics", "Tasks": ".ics", "Notes": ".ics", "Contacts": ".vcf"}
KIND = {"Calendar": "calendar", "Tasks": "calendar", "Notes": "calendar", "Contacts": "addressbook"}

_BEGIN = re.compile(rb"^BEGIN:[ \t]*([\w-]+)", re.IGNORECASE | re.MULTILINE)
#: What stands around or beside the component that counts.
_AROUND = frozenset((b"VCALENDAR", b"VTIMEZONE", b"STANDARD", b"DAYLIGHT", b"VALARM"))


def collection_of(place: Place) -> tuple[str, bool]:
    """The href of the place's collection; and whether the place is the one that shows what cannot be told ("#VTODO" in
    a locator marks the others)."""
    href, mark, _ = place.locator.partition("#")
    return href, not mark


def belongs(data: bytes, item_class: str, main: bool) -> bool:
    """Whether an object is an item of a class. Nobody can tell of one that has no component: it is shown, degraded, in
    the main place of its collection. One without that is none of ours (VFREEBUSY, VAVAILABILITY) is not."""
    if item_class == "Contacts":
        return True
    for found in _BEGIN.finditer(data):
        if (name := found[1].upper()) not in _AROUND:
            return name == COMPONENT[item_class].encode()
    return main


# --- Names and versions -----------------------------------------------------------------------------------------------

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def object_name(chosen: str, item_class: str) -> str:
    """The last segment of the href of an object of a chosen name: with nothing in it that servers write in two ways."""
    suffix = SUFFIX[item_class]
    stem = chosen.removesuffix(suffix)
    return (stem if _SAFE.fullmatch(stem) else sha256(chosen.encode("utf-8", "replace")).hexdigest()[:40]) + suffix


def name_in(collection: str, href: str) -> str:
    """What a member is kept by: its last segment, as the server wrote it. The way there may be written in several ways
    (`@`, `%40`); what lies elsewhere keeps its href."""
    above, _, name = href.rstrip("/").rpartition("/")
    collection = collection.rstrip("/")
    return name if above == collection or canonical(above) == canonical(collection) else href


def href_of(collection: str, name: str) -> str:
    return name if "/" in name else f"{collection.rstrip('/')}/{name}"


def tag(etag: str) -> str:
    """An ETag without the mark of a weak one, which some proxies put on and others do not. RFC 9110 8.8.3"""
    return etag.removeprefix("W/")


def version_of(etag: str, data: bytes) -> str:
    """Of the ETag; of the content where there is none."""
    return record_version(digest(tag(etag).encode("utf-8", "replace") if etag else data))


# --- Contents ---------------------------------------------------------------------------------------------------------


def uid_of(data: bytes) -> str:
    """"" for none."""
    try:
        root = parse(data)
    except Unreadable:
        return glimpse(data, "UID") or ""
    for component in (root, *root.components()):
        if component.name != "VTIMEZONE" and (line := component.first("UID")) is not None:
            return line.text(root.version).strip()
    return ""


def with_uid(data: bytes, item_class: str, uid: str) -> bytes:
    """The object with a UID in each component of its class that has none: servers refuse it otherwise."""
    try:
        root = parse(data)
    except Unreadable:
        return data
    name = COMPONENT[item_class]
    lacking = [one for one in (root, *root.components()) if one.name == name and one.first("UID") is None]
    for component in lacking:
        component.add(Line("UID", "").with_text(uid, root.version))
    return serialize(root) if lacking else data


def stamped(data: bytes) -> datetime | None:
    """When an object was made, as far as it says so."""
    for name in ("CREATED", "DTSTAMP", "REV"):
        found = utc_of((glimpse(data, name) or "").replace("-", "").replace(":", ""))
        if found is not None:
            return found
    return None


#: What servers write anew, and what says nothing about the object.
_NOT_MEANT = frozenset(("PRODID", "REV", "DTSTAMP", "LAST-MODIFIED", "CREATED", "CALSCALE"))
_NOT_COMPARED = frozenset(("VTIMEZONE",))


def same_meaning(one: bytes, two: bytes) -> bool:
    """Whether two objects say the same, whatever the order, folding and case in which they do."""
    if one == two:
        return True
    try:
        return _meaning(parse(one)) == _meaning(parse(two))
    except Unreadable:
        return False


def _meaning(root: Component) -> Counter[tuple[str, ...]]:
    return Counter(_said(root, root.version, root.name))


def _said(component: Component, version: str, path: str) -> Iterator[tuple[str, ...]]:
    for line in component.lines:
        if line.name not in _NOT_MEANT:
            params = sorted(f"{name}={','.join(values)}".casefold() for name, values in line.params if name != "TYPE")
            yield (path, line.group.casefold(), line.name, *params, *sorted(line.types), line.text(version).strip())
    # Alike ones of one kind (the exceptions of a series) are told apart by what is in them.
    for child in component.components():
        if child.name not in _NOT_COMPARED:
            inner = Counter(_said(child, version, child.name))
            yield (path, repr(sorted(inner.items())))

"""Notes: the elements of the class, and their places in a VJOURNAL, both ways.

[MS-ASNOTE] Elements; RFC 5545 3.6.3. Notes exist from version 14.0 on; Supported is not for them (R80, R114).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from eas.protocol.schema import COMPACT, element, elements
from eas.protocol.version import Version

from .body import Body, BodyType, Source, Wanted, body_html, body_text, render_source
from .contacts import BODY, PRODID
from .contentline import Component, Line, clean, glimpse, parse, serialize
from .native import Refused, Unreadable, Viewer
from .vcard import Each, Rule, Text, drop, load, put

#: The form of a note where nothing else is said. [MS-ASNOTE] MessageClass R57.
STICKY_NOTE = "IPM.StickyNote"
#: [MS-ASNOTE] R113, R10003: the absence of Body and Subject removes nothing. MessageClass is required and so has no
#: removal, and LastModifiedDate is the server's (R83, R84).
ALWAYS_KEPT = frozenset({"body", "subject", "message_class", "last_modified"})
#: The xsd of Notes allows so many in one Categories.
MAX_CATEGORIES = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One note. `last_modified` is aware, in UTC. [MS-ASNOTE]."""

    body: Body | None = element("AirSyncBase:Body", BODY, since=Version.V14_0, default=None)
    subject: str | None = element("Notes:Subject", since=Version.V14_0, default=None)
    message_class: str | None = element("Notes:MessageClass", since=Version.V14_0, default=None)
    last_modified: datetime | None = element("Notes:LastModifiedDate", COMPACT, since=Version.V14_0, default=None)
    categories: tuple[str, ...] = elements("Notes:Category", within="Notes:Categories", since=Version.V14_0)


#: Note field -> its place in a VJOURNAL. The body (DESCRIPTION and X-ALT-DESC) and the date take more than a rule.
VJOURNAL: Mapping[str, Rule] = {
    "subject": Text(("SUMMARY",)),
    "message_class": Text(("X-EAS-MESSAGE-CLASS",)),
    "categories": Each("CATEGORIES"),
}


def from_native(data: bytes, wanted: Wanted, viewer: Viewer, version: Version) -> Note:
    """The note that an iCalendar object holds. Raises Unreadable. There is always a Body with Data (R123)."""
    journal = _journal(parse(data))
    values = load(VJOURNAL, journal)
    body = render_source(_source(journal), wanted, version)
    if body.data is None and not body.truncated:
        body = replace(body, data="")
    return Note(
        body=body,
        subject=values["subject"],
        message_class=values["message_class"] or STICKY_NOTE,
        last_modified=_modified(journal),
        categories=values["categories"][:MAX_CATEGORIES],
    )


def to_native(
    item: Note,
    given: frozenset[str],
    base: bytes | None,
    kept: frozenset[str],
    viewer: Viewer,
    version: Version,
    uid: str = "",
) -> bytes:
    """The iCalendar object `base` with the note written into its VJOURNAL; a new one under `uid` if it is None.

    `given` and `kept` as in contacts.to_native: what is given and empty is removed, what is neither given nor kept too,
    and all else stays octet for octet. The device's LastModifiedDate is ignored ([MS-ASNOTE] R84): the time of a change
    is now. Raises Refused for another MessageClass than a note's (R119), Unreadable if `base` cannot be read.
    """
    root = new_journal(uid, viewer.now) if base is None else parse(base)
    journal = _journal(root)
    before, stored = list(journal.items), load(VJOURNAL, journal)
    if "message_class" in given and not _STICKY.fullmatch(item.message_class or ""):
        raise Refused(f"not the class of a note: {(item.message_class or '')[:80]!r}")
    for name, rule in VJOURNAL.items():
        if name in given:
            value = _said(name, getattr(item, name), stored[name])
        elif name in kept:
            continue
        else:
            value = None
        if (value or None) != (stored[name] or None):
            rule.dump(value, journal)
    if "body" in given:
        _write_body(item.body, journal)
    elif "body" not in kept:
        _write_body(None, journal)
    if base is not None and list(map(id, before)) == list(map(id, journal.items)):
        return base
    for name in ("LAST-MODIFIED", "DTSTAMP"):
        put(journal, Line(name, _stamp(viewer.now)))
    return serialize(root)


def degraded(data: bytes, reason: str) -> Note:
    """A note of what a look at the lines shows, with a notice of the reason in its body. For Unreadable ones."""
    notice = f"This note could not be read in full: {reason}. The original is unchanged on the server."
    return Note(
        subject=glimpse(data, "SUMMARY") or "(unreadable note)",
        message_class=STICKY_NOTE,
        body=Body(type=BodyType.TEXT, estimated_size=len(notice.encode()), data=notice),
    )


def new_journal(uid: str, now: datetime) -> Component:
    """An empty note in its calendar object."""
    made = Component("VJOURNAL", [Line("UID", "").with_text(uid), Line("CREATED", _stamp(now))])
    return Component("VCALENDAR", [Line("VERSION", "2.0"), Line("PRODID", PRODID), made])


_STICKY = re.compile(r"IPM\.StickyNote(\..+)?", re.IGNORECASE | re.DOTALL)
_STAMP = re.compile(r"([0-9]{8})(?:T([0-9]{6})Z?)?")


def _journal(root: Component) -> Component:
    journals = [root] if root.name == "VJOURNAL" else root.components("VJOURNAL")
    if not journals:
        raise Unreadable("no VJOURNAL in it")
    return next((journal for journal in journals if journal.first("RECURRENCE-ID") is None), journals[0])


def _said(name: str, value: Any, stored: Any) -> Any:
    if isinstance(value, tuple):
        if len(value) > MAX_CATEGORIES:
            raise Refused(f"{len(value)} categories")
        words = tuple(dict.fromkeys(word for text in value if (word := clean(text).strip())))
        return stored if words == stored[:MAX_CATEGORIES] else words
    if name == "message_class" and value.upper() == STICKY_NOTE.upper():
        return None
    return clean(value) if value else None


def _alternative(journal: Component) -> Line | None:
    """The HTML form of the description, as Outlook writes it."""
    lines = journal.find("X-ALT-DESC")
    return next((line for line in lines if (line.param("FMTTYPE") or "").lower() == "text/html"), None)


def _source(journal: Component) -> Source:
    html = _alternative(journal)
    return Source(text=_DESCRIPTION.load(journal) or "", html=html.text() if html else None)


def _write_body(body: Body | None, journal: Component) -> None:
    """Write what the device sent, unless it is what it was shown. [MS-ASNOTE] Body R37; [MS-ASCMD] Change R878."""
    if body and (body.data is None or body.truncated):
        return
    shown, alternative = _source(journal), _alternative(journal)
    html = body_html(body) if body else None
    try:
        text = clean(body_text(body)) if body else ""
    except ValueError as error:  # Unreadable, or base64 that is none
        raise Refused(str(error)) from error
    if html == shown.as_html() if html else text == shown.as_text():
        return
    if alternative:
        drop(journal, alternative)
    if html:
        journal.add(Line("X-ALT-DESC", "", (("FMTTYPE", ("text/html",)),)).with_text(html))
    if text != (_DESCRIPTION.load(journal) or ""):
        _DESCRIPTION.dump(text or None, journal)


def _modified(journal: Component) -> datetime | None:
    """When the note was changed last, in UTC, by the first property that tells. A floating time counts as UTC."""
    for name in ("LAST-MODIFIED", "DTSTAMP", "CREATED", "DTSTART"):
        line = journal.first(name)
        found = _STAMP.fullmatch(line.value.strip()) if line else None
        try:
            if found:
                return datetime.strptime(found[1] + (found[2] or "000000"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


_DESCRIPTION = Text(("DESCRIPTION",))

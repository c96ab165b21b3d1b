"""iCalendar and vCard: properties by their names, folds where they were."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import units
from .prose import Prose

_KEPT_NAMES = """
    BEGIN END VERSION PRODID METHOD CALSCALE CLASS STATUS TRANSP SEQUENCE PRIORITY PERCENT-COMPLETE ACTION TRIGGER
    REPEAT DURATION TZID TZNAME TZOFFSETFROM TZOFFSETTO TZURL REQUEST-STATUS KIND PROFILE
    X-MICROSOFT-CDO-BUSYSTATUS X-MICROSOFT-CDO-ALLDAYEVENT X-MICROSOFT-CDO-INTENDEDSTATUS X-MICROSOFT-CDO-IMPORTANCE
    X-MICROSOFT-CDO-INSTTYPE X-MICROSOFT-DISALLOW-COUNTER X-MICROSOFT-CDO-APPT-SEQUENCE X-WR-TIMEZONE
"""
_DATE_NAMES = """
    DTSTART DTEND DTSTAMP DUE COMPLETED CREATED LAST-MODIFIED RECURRENCE-ID EXDATE RDATE RRULE EXRULE FREEBUSY BDAY REV
    ANNIVERSARY X-ANNIVERSARY X-MS-OLK-ORIGINALSTART X-MICROSOFT-CDO-OWNER-CRITICAL-CHANGE
    X-MICROSOFT-CDO-ATTENDEE-CRITICAL-CHANGE
"""
#: Properties that say how something is meant, and not what: they stay.
_KEPT = frozenset(_KEPT_NAMES.split())
_DATES = frozenset(_DATE_NAMES.split())
_IDS = frozenset({"UID", "RELATED-TO", "X-MICROSOFT-CDO-OWNERAPPTID"})
_BYTES = frozenset({"PHOTO", "LOGO", "KEY", "SOUND"})
#: Parameters with something private in them.
_NAMING = re.compile(
    r"(?i)(;\s*(?:CN|EMAIL|SENT-BY|DIR|DELEGATED-TO|DELEGATED-FROM|MEMBER|ALTREP|X-CN|X-FILENAME|FILENAME|X-TITLE"
    r"|X-ADDRESS)\s*=)(\"[^\"]*\"|[^;:]*)"
)
#: A property's name and parameters, where its value begins.
_LINE = re.compile(r"((?:[\w-]+\.)?([A-Za-z0-9-]+))((?:;[^:;=]*=(?:\"[^\"]*\"|[^:;\"])*)*):", re.DOTALL)
_FOLD = re.compile(r"\r?\n[ \t]")
_UNFOLDED = re.compile(r"(?:[^\r\n]|\r?\n[ \t]|\r(?!\n))+")
_ESCAPED = re.compile(r"\\[nN]")


class Cards:
    def __init__(self, prose: Prose) -> None:
        self._prose = prose

    def text(self, text: str, charset: str = "utf-8") -> str:
        zones: list[str] = []

        def line(found: re.Match[str]) -> str:
            raw = found[0]
            if re.match(r"(?i)(BEGIN|END):VTIMEZONE", raw):
                zones[:] = [raw] if raw[:1] in "bB" else []
            return units.spelt(
                raw, _FOLD, lambda _: "", lambda new, old: old, lambda plain: self._line(plain, bool(zones), charset),
            )

        return _UNFOLDED.sub(line, text)

    def _line(self, line: str, zone: bool, charset: str) -> str:
        found = _LINE.match(line)
        if found is None:
            return self._prose.text(line, charset)
        name, value = found[2].upper(), line[found.end() :]
        parameters = _NAMING.sub(lambda one: one[1] + self._prose.text(one[2], charset), found[3])
        return f"{found[1]}{parameters}:{self._value(name, found[3].upper(), value, zone, charset)}"

    def _value(self, name: str, parameters: str, value: str, zone: bool, charset: str) -> str:
        prose = self._prose
        if name in _KEPT or zone:
            return prose.only_places(value)
        if name in _DATES:
            return prose.shift.text(value)
        if name in _IDS:
            return prose.uid(value)
        if name in _BYTES or "ENCODING=B" in parameters:
            return self._bytes(value)
        if name == "GEO":
            return prose.place(value)
        if "QUOTED-PRINTABLE" in parameters:
            return units.quoted_printable(
                value.encode("utf-8", "surrogateescape"),
                lambda data: units.in_charset(data, "utf-8", lambda said: prose.text(said)),
            ).decode("utf-8", "surrogateescape")
        change: Callable[[str], str] = prose.html if "FMTTYPE=TEXT/HTML" in parameters else (
            lambda said: prose.text(said, charset))
        return units.spelt(value, _ESCAPED, lambda _: "\n", lambda new, old: old, change)

    def _bytes(self, value: str) -> str:
        head, comma, data = value.partition(",") if value.startswith("data:") else ("", "", value)
        made = units.base64(
            data.encode("utf-8", "surrogateescape"), self._prose.blob,
            lambda raw: self._prose.text(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"),
        )
        return head + comma + made.decode("utf-8", "surrogateescape")



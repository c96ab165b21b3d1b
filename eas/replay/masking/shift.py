"""Dates, moved by as many weeks everywhere: weekdays, distances and seasons stay, and the form in which they stand."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

#: Years by which dates go back. Some years of whole weeks: summer stays summer, so that hours in a time zone do.
YEARS = range(3, 13)
_DAYS_OF_YEAR = 365.25
#: Years that stand for "none" or "for ever", outside of these, stay: 1601, 4500, 4501.
_LIVED = range(1800, 2200)

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: `2026-03-02` and `20260302`, with a time behind them or none.
ISO = r"(?<![\w.+-])(?P<year>[1-4]\d{3})(?P<dash>-?)(?P<month>0[1-9]|1[0-2])(?P=dash)(?P<day>0[1-9]|[12]\d|3[01])" \
      r"(?P<clock>[T ]\d{2}(?P<colon>:?)\d{2}(?:(?P=colon)\d{2}(?:\.\d{1,7})?)?Z?)?(?![\w])"
#: RFC 5322, and how HTTP writes it.
MAIL = r"(?P<week>\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),)?(?P<blank>[ \t]?)(?<!\d)(?P<mday>[0-3]?\d)(?P<gap>[ -])" \
       r"(?P<name>" + "|".join(MONTHS) + r")(?P=gap)(?P<myear>[12]\d{3})(?!\d)" \
       + r"(?P<hour> \d{1,2}:\d{2}(?::\d{2})?(?: [+-]\d{4}\b| (?:GMT|UTC?|Z|[ECMP][SD]T)\b)?)?"
_ISO, _MAIL = re.compile(ISO), re.compile(MAIL)
_ISO_VALUE = re.compile(r"\s*" + ISO + r"\s*")


class Shift:
    """`weeks` is how far, backwards being negative."""

    def __init__(self, weeks: int) -> None:
        self.weeks = weeks
        self.delta = timedelta(weeks=weeks)

    @classmethod
    def of(cls, number: int) -> Shift:
        """One of those there are, by any number."""
        return cls(-round(YEARS[number % len(YEARS)] * _DAYS_OF_YEAR / 7))

    def moment(self, time: datetime) -> datetime:
        try:
            return time + self.delta
        except OverflowError:
            return time

    def day(self, year: int, month: int, day: int) -> date | None:
        """The other day; None for what is no date, or one that stands for something else."""
        if year not in _LIVED:
            return None
        try:
            return date(year, month, day) + self.delta
        except (ValueError, OverflowError):
            return None

    def value(self, text: str) -> str | None:
        """A value that is a date, and nothing else. None where it is none."""
        found = _ISO_VALUE.fullmatch(text)
        return None if found is None else _ISO.sub(self.iso, text)

    def text(self, text: str) -> str:
        """All dates in a text."""
        return _MAIL.sub(self.mail, _ISO.sub(self.iso, text))

    def iso(self, found: re.Match[str]) -> str:
        made = self.day(int(found["year"]), int(found["month"]), int(found["day"]))
        if made is None:
            return found[0]
        dash = found["dash"]
        return f"{made.year:04}{dash}{made.month:02}{dash}{made.day:02}" + found[0][len("20260302") + 2 * len(dash) :]

    def mail(self, found: re.Match[str]) -> str:
        made = self.day(int(found["myear"]), MONTHS.index(found["name"]) + 1, int(found["mday"]))
        if made is None:
            return found[0]
        day = str(made.day).zfill(len(found["mday"]))
        blank = found["blank"]
        if len(day) > len(found["mday"]) and blank:  # `, 2 Mar` -> `,12 Mar`: as long as it was
            blank = ""
        gap = found["gap"]
        return f"{found['week'] or ''}{blank}{day}{gap}{MONTHS[made.month - 1]}{gap}{made.year}{found['hour'] or ''}"

"""Series whose first day is another one now: what they say of days of the month follows it.

A series by days of the week needs nothing: dates move by whole weeks. [MS-ASCAL] Type (Recurrence).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from eas.protocol.wbxml import Element

from .shift import Shift

#: Types by a day of the month, and by the n-th of a day of the week.
_BY_DAY, _BY_WEEK = frozenset({"2", "5"}), frozenset({"3", "6"})
#: Elements that say when the first one is, by what they are called on every page, best first.
_STARTS = ("StartTime", "StartDate", "Start", "DueDate", "UtcStartDate")
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")
#: The last week of a month goes by this number.
_LAST = 5


def moved(before: Sequence[Element], after: tuple[Element, ...], shift: Shift) -> tuple[Element, ...]:
    """The children of an element, some of them changed already, with their Recurrence in order."""
    for number, one in enumerate(after):
        if _name(one) == "Recurrence" and isinstance(one.content, tuple):
            made = _recurrence(one.content, before, before[number].content, shift)
            return (*after[:number], Element(one.tag, made), *after[number + 1 :])
    return after


def _recurrence(
    parts: tuple[Element, ...], beside: Sequence[Element], before: object, shift: Shift,
) -> tuple[Element, ...]:
    start = _start([*beside, *(before if isinstance(before, tuple) else ())])
    said = {_name(one): one.content for one in parts if isinstance(one.content, str)}
    new = {} if start is None else _new(said.get("Type", ""), said, start, shift)
    return tuple(Element(one.tag, new[_name(one)]) if _name(one) in new else one for one in parts)


def _new(number: str, said: dict[str, str], start: date, shift: Shift) -> dict[str, str]:
    """Values of the elements that change."""
    if number in _BY_DAY and said.get("DayOfMonth", "").isdecimal():
        month = int(said["MonthOfYear"]) if said.get("MonthOfYear", "").isdecimal() else start.month
        made = shift.day(start.year, month, int(said["DayOfMonth"]))
        found = {} if made is None else {"DayOfMonth": str(made.day), "MonthOfYear": str(made.month)}
    elif number in _BY_WEEK and said.get("WeekOfMonth", "").isdecimal():
        made = shift.day(start.year, start.month, start.day)
        found = {} if made is None else {"MonthOfYear": str(made.month)}
        if made is not None and int(said["WeekOfMonth"]) != _LAST:
            found["WeekOfMonth"] = str(min((made.day - 1) // 7 + 1, _LAST))
    else:
        return {}
    return {name: value for name, value in found.items() if name in said}


def _start(elements: Sequence[Element]) -> date | None:
    said = {_name(one): one.content for one in elements}
    for name in _STARTS:
        text = said.get(name)
        found = _DATE.match(text) if isinstance(text, str) else None
        if found:
            try:
                return date(int(found[1]), int(found[2]), int(found[3]))
            except ValueError:
                pass
    return None


def _name(element: Element) -> str:
    return element.tag.partition(":")[2]

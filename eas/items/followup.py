"""The follow-up flag of a message: wire form <-> native.FollowUp. [MS-ASEMAIL] Flag."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from eas.items.native import FollowUp, Refused
from eas.protocol.schema import DASHED, FLAG, INT, element

CLEARED, COMPLETE, ACTIVE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpFlag:
    """[MS-ASEMAIL] Flag. One without any member is the empty element, which says that there is no flag (R437)."""

    subject: str | None = element("Tasks:Subject", default=None)
    status: int | None = element("Email:Status", INT, default=None)
    flag_type: str | None = element("Email:FlagType", default=None)
    date_completed: datetime | None = element("Tasks:DateCompleted", DASHED, default=None)
    complete_time: datetime | None = element("Email:CompleteTime", DASHED, default=None)
    start: datetime | None = element("Tasks:StartDate", DASHED, default=None)
    due: datetime | None = element("Tasks:DueDate", DASHED, default=None)
    utc_start: datetime | None = element("Tasks:UtcStartDate", DASHED, default=None)
    utc_due: datetime | None = element("Tasks:UtcDueDate", DASHED, default=None)
    reminder_set: bool | None = element("Tasks:ReminderSet", FLAG, default=None)
    reminder_time: datetime | None = element("Tasks:ReminderTime", DASHED, default=None)
    ordinal_date: datetime | None = element("Tasks:OrdinalDate", DASHED, default=None)
    sub_ordinal_date: str | None = element("Tasks:SubOrdinalDate", default=None)


#: The members have the same names and values in both forms.
_MEMBERS = tuple(member.name for member in fields(FollowUpFlag))
NO_FLAG = FollowUpFlag()


def to_wire(follow_up: FollowUp | None) -> FollowUpFlag:
    """The flag as devices see it; the empty one for None."""
    if follow_up is None:
        return NO_FLAG
    return FollowUpFlag(**{name: getattr(follow_up, name) for name in _MEMBERS})


def from_wire(flag: FollowUpFlag | None) -> FollowUp | None:
    """The flag that a device has set, in place of any before; None if it has cleared it.

    Raises Refused where members that belong together are not there together.
    """
    if flag is None or flag == NO_FLAG:
        return None
    status = ACTIVE if flag.status is None else flag.status
    if status == CLEARED:
        return None
    for wrong, reason in _FAULTS:
        if wrong(flag, status):
            raise Refused(reason)
    return FollowUp(**{name: getattr(flag, name) for name in _MEMBERS} | {"status": status})


def _is_unknown(flag: FollowUpFlag, status: int) -> bool:
    return status not in (COMPLETE, ACTIVE)


def _lacks_completion(flag: FollowUpFlag, status: int) -> bool:
    given = (flag.date_completed is not None) + (flag.complete_time is not None)
    return given == 1 or (status == COMPLETE and given == 0)


def _has_some_dates(flag: FollowUpFlag, status: int) -> bool:
    dates = (flag.start, flag.due, flag.utc_start, flag.utc_due)
    return None in dates and dates.count(None) < len(dates)


def _starts_late(flag: FollowUpFlag, status: int) -> bool:
    pairs = ((flag.start, flag.due), (flag.utc_start, flag.utc_due))
    return any(start is not None and due is not None and start > due for start, due in pairs)


def _lacks_reminder_time(flag: FollowUpFlag, status: int) -> bool:
    return flag.reminder_set is True and flag.reminder_time is None


#: [MS-ASEMAIL] Status R757; CompleteTime R334 and DateCompleted R358, R359; DueDate R407, R409; ReminderTime R702.
_FAULTS = (
    (_is_unknown, "the status of a flag is 0, 1 or 2"),
    (_lacks_completion, "a completed flag has DateCompleted and CompleteTime"),
    (_has_some_dates, "a flag has all four of StartDate, DueDate, UtcStartDate, UtcDueDate, or none"),
    (_starts_late, "a flag starts after it is due"),
    (_lacks_reminder_time, "a reminder has a time"),
)

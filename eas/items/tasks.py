"""Tasks: the elements of the class, and their places in a VTODO. [MS-ASTASK]; RFC 5545 3.6.2.

Dates come in pairs: UtcDueDate is the instant, DueDate what the viewer's clock shows, written as if it were UTC. A date
without a time of day is a DATE here. There is no ghosting: what a Change leaves out is removed, but for ALWAYS_KEPT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any

from eas.protocol.schema import DASHED, FLAG, INT, Spelling, element, elements, enum, message, spelled
from eas.protocol.version import Version

from . import alarm, comment
from .appointment import BODY, FROM_12, OLD_BODY, ONLY_2_5, TEXT_OR_NONE, Sensitivity
from .body import Body, BodyType, Wanted, render_source
from .calendar_view import CALENDAR_TYPE, CLASS, MAX_CATEGORIES
from .contentline import Component, Line, glimpse, serialize
from .ical import (
    Each,
    Form,
    Moment,
    Number,
    Rule,
    Stamp,
    Text,
    form_for,
    local,
    moment_line,
    new_calendar,
    open_calendar,
    read_moment,
    read_utc,
    set_line,
    set_value,
    utc,
    utc_value,
)
from .native import Refused, Unreadable, Viewer
from .recurrence import SCALES, TaskRecurrence, as_kind, completed, from_rule, same_rule, to_rule
from .rrule import BadRule
from .rrule import parse as parse_rule
from .rrule import show as show_rule
from .timezone import zone_or_utc
from .vtimezone import Zones

#: What a Change may leave out: [MS-ASTASK] R369 (Importance), R370 (ReminderSet), [MS-ASCMD] Change (Body). Complete is
#: required (R116); a device that forgets it means no change. The others are not a device's to remove.
ALWAYS_KEPT = frozenset({"importance", "reminder_set", "body", "body_size", "body_truncated", "complete"})
LOW, NORMAL, HIGH = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task, its elements in the order of the schema. Times are aware datetimes in UTC; in `start_date`, `due_date`
    and the recurrence's start they stand for local time. `importance`: 0 low, 1 normal, 2 high; others are kept.
    """

    subject: str | None = element("Tasks:Subject", TEXT_OR_NONE, default=None)
    body: Body | None = spelled(
        Spelling("AirSyncBase:Body", BODY, spoken=FROM_12),
        Spelling("Tasks:Body", OLD_BODY, spoken=ONLY_2_5),
        default=None,
    )
    body_size: int | None = element("Tasks:BodySize", INT, until=Version.V2_5, default=None)
    body_truncated: bool | None = element("Tasks:BodyTruncated", FLAG, until=Version.V2_5, default=None)
    importance: int | None = element("Tasks:Importance", INT, default=None)
    utc_start_date: datetime | None = element("Tasks:UtcStartDate", DASHED, default=None)
    start_date: datetime | None = element("Tasks:StartDate", DASHED, default=None)
    utc_due_date: datetime | None = element("Tasks:UtcDueDate", DASHED, default=None)
    due_date: datetime | None = element("Tasks:DueDate", DASHED, default=None)
    categories: tuple[str, ...] = elements("Tasks:Category", within="Tasks:Categories")
    recurrence: TaskRecurrence | None = element("Tasks:Recurrence", message(TaskRecurrence), default=None)
    complete: bool | None = element("Tasks:Complete", FLAG, default=None)
    date_completed: datetime | None = element("Tasks:DateCompleted", DASHED, default=None)
    sensitivity: Sensitivity | None = element("Tasks:Sensitivity", enum(Sensitivity), default=None)
    reminder_time: datetime | None = element("Tasks:ReminderTime", DASHED, default=None)
    reminder_set: int | None = element("Tasks:ReminderSet", INT, default=None)
    ordinal_date: datetime | None = element("Tasks:OrdinalDate", DASHED, since=Version.V12_0, default=None)
    sub_ordinal_date: str | None = element("Tasks:SubOrdinalDate", TEXT_OR_NONE, since=Version.V12_0, default=None)


@dataclass(frozen=True, slots=True)
class Importance:
    """PRIORITY, 1 the highest and 9 the lowest; numbers that are none of EAS's three are returned as sent, R187."""

    def load(self, component: Component) -> int:
        if (other := _OTHER_IMPORTANCE.load(component)) is not None:
            return other
        priority = Number("PRIORITY").load(component) or 5
        return HIGH if priority < 5 else LOW if priority > 5 else NORMAL

    def dump(self, value: int | None, component: Component) -> None:
        value = NORMAL if value is None else value
        if value == self.load(component):
            return
        known = {LOW: "9", NORMAL: "5", HIGH: "1"}.get(value)
        _OTHER_IMPORTANCE.dump(value if known is None else None, component)
        if known:
            set_value(component, "PRIORITY", known)


_OTHER_IMPORTANCE = Number("X-EAS-IMPORTANCE")
#: Task field -> its place in a VTODO, both directions.
VTODO: Mapping[str, Rule] = {
    "subject": Text("SUMMARY"),
    "importance": Importance(),
    "categories": Each("CATEGORIES"),
    "sensitivity": CLASS,
    "ordinal_date": Stamp("X-EAS-ORDINALDATE"),
    "sub_ordinal_date": Text("X-EAS-SUBORDINALDATE"),
}
REGENERATE, DEAD_OCCUR = Number("X-EAS-REGENERATE"), Number("X-EAS-DEADOCCUR")
#: The pattern of an occurrence that was completed and left the series: no RRULE, or it would repeat as done.
DEAD_RULE = "X-EAS-RRULE"
_PAIRS = {"DTSTART": ("start_date", "utc_start_date"), "DUE": ("due_date", "utc_due_date")}


def from_native(data: bytes, wanted: Wanted, viewer: Viewer, version: Version) -> Task:
    """The task as a device of that version sees it. Raises Unreadable."""
    calendar, main = _open(data)
    return _show(main, Zones(calendar, zone_or_utc(viewer.zone)), wanted, version)


def to_native(
    item: Task,
    given: frozenset[str],
    base: bytes | None,
    kept: frozenset[str],
    viewer: Viewer,
    version: Version,
    *,
    uid: str,
) -> bytes:
    """The object to store; parameters as in `calendar.to_native`. Raises Refused."""
    if base is None:
        calendar = new_calendar()
        main = Component("VTODO", [Line("UID", "").with_text(uid), Line("DTSTAMP", utc_value(viewer.now))])
        calendar.items.append(main)
    else:
        try:
            calendar, main = _open(base)
        except Unreadable as error:
            raise Refused(f"the stored task cannot be read: {error}") from error
    zones = Zones(calendar, zone_or_utc(viewer.zone))
    try:
        shown = _show(main, zones, Wanted(), version) if base is not None else Task(complete=False)
    except Unreadable as error:
        raise Refused(f"the stored task cannot be read: {error}") from error
    before = _state(calendar)
    _Edit(item, given, kept | ALWAYS_KEPT, main, zones, shown, base is None, viewer).apply()
    if base is not None and _state(calendar) == before:
        return base
    if base is not None:
        set_value(main, "DTSTAMP", utc_value(viewer.now))
        if main.first("LAST-MODIFIED"):
            set_value(main, "LAST-MODIFIED", utc_value(viewer.now))
    return serialize(calendar)


def horizon(data: bytes) -> datetime | None:
    """When the task was completed; None while it is not, or if that cannot be read. FilterType 8 shows what is None."""
    try:
        _, main = _open(data)
    except Unreadable:
        return None
    return _completed(main) if _is_complete(main) else None


def degraded(data: bytes, reason: str) -> Task:
    """What a look at the lines shows of a task that is Unreadable, with the reason in its body."""
    notice = f"This task could not be read in full: {reason}. The original is unchanged on the server."
    return Task(
        subject=glimpse(data, "SUMMARY") or "(unreadable task)",
        importance=NORMAL,
        complete=False,
        sensitivity=Sensitivity.NORMAL,
        reminder_set=0,
        body=Body(type=BodyType.TEXT, estimated_size=len(notice.encode()), data=notice),
    )


def _open(data: bytes) -> tuple[Component, Component]:
    calendar, found = open_calendar(data, "VTODO")
    return calendar, next((c for c in found if c.first("RECURRENCE-ID") is None), found[0])


def _show(main: Component, zones: Zones, wanted: Wanted, version: Version) -> Task:
    source = comment.source(main)
    told: dict[str, Any] = {}
    for name, (wall_field, utc_field) in _PAIRS.items():
        if (moment := _moment(main, name, zones)) is not None:
            told[wall_field] = _viewed(moment, zones).replace(tzinfo=UTC)
            told[utc_field] = moment.instant
    complete = _is_complete(main)
    reminder = alarm.load_time(main, zones)
    simple = {name: rule.load(main) for name, rule in VTODO.items()}
    simple["categories"] = simple["categories"][:MAX_CATEGORIES]
    return Task(
        **simple,
        **told,
        body=render_source(source, wanted, version) if source else None,
        recurrence=_recurrence(main, zones),
        complete=complete,
        date_completed=_completed(main) if complete else None,
        reminder_set=int(reminder is not None),
        reminder_time=reminder,
    )


def _moment(component: Component, name: str, zones: Zones) -> Moment | None:
    line = component.first(name)
    return read_moment(line, zones) if line else None


def _viewed(moment: Moment, zones: Zones) -> datetime:
    """What the viewer's clock shows at that moment."""
    return moment.wall if moment.form in (Form.DATE, Form.FLOATING) else local(moment.instant, zones.viewer)


def _last_day(until: datetime, start: Moment) -> datetime:
    """Until of a series of days: as Start it stands for local time, which some devices send in UTC; whichever is a
    midnight is meant. The instant at which the day begins."""
    wall = until.replace(tzinfo=None)
    if wall.time() != time.min:
        wall = local(until, start.zone)
    return utc(datetime.combine(wall.date(), time.min), start.zone)


def _is_complete(component: Component) -> bool:
    line = component.first("STATUS")
    if line is not None:
        return line.value.strip().upper() == "COMPLETED"
    return component.first("COMPLETED") is not None or Number("PERCENT-COMPLETE").load(component) == 100


def _completed(component: Component) -> datetime:
    """DateCompleted must be there, R124."""
    names = ("COMPLETED", "LAST-MODIFIED", "DTSTAMP")
    found = (read_utc(component, name) for name in names)
    return next((at for at in found if at), datetime(1970, 1, 1, tzinfo=UTC))


def _anchor(component: Component, zones: Zones) -> Moment | None:
    """Where a series begins: DTSTART, else DUE (programs leave the start out)."""
    return _moment(component, "DTSTART", zones) or _moment(component, "DUE", zones)


def _rule_line(component: Component) -> Line | None:
    lines = component.find("RRULE")
    if not lines and DEAD_OCCUR.load(component):
        return component.first(DEAD_RULE)
    return lines[0] if len(lines) == 1 else None


def _recurrence(component: Component, zones: Zones) -> TaskRecurrence | None:
    line, start = _rule_line(component), _anchor(component, zones)
    if line is None or start is None:
        return None
    try:
        told = from_rule(parse_rule(line.value), start)
    except BadRule:
        return None
    if told is None:
        return None
    if told.calendar_type == 0:
        told = replace(told, calendar_type=CALENDAR_TYPE.load(component) or 0)
    if told.until is not None and start.form is Form.DATE:
        told = replace(told, until=local(told.until, start.zone).replace(tzinfo=UTC))
    return replace(
        as_kind(told, TaskRecurrence),
        start=_viewed(start, zones).replace(tzinfo=UTC),
        regenerate=REGENERATE.load(component),
        dead_occur=DEAD_OCCUR.load(component),
    )


@dataclass(slots=True)
class _Edit:
    """One Add (`new`) or Change at work on a VTODO."""

    item: Task
    given: frozenset[str]
    kept: frozenset[str]
    main: Component
    zones: Zones
    shown: Task
    new: bool
    viewer: Viewer

    def apply(self) -> None:
        if len(self.item.categories) > MAX_CATEGORIES:
            raise Refused(f"{len(self.item.categories)} categories")  # R402
        for name in VTODO:
            if self._changes(name):
                VTODO[name].dump(getattr(self.item, name), self.main)
        if self._changes("body"):
            comment.dump(self.main, self.item.body)
        self._dates()
        self._recur()
        self._complete()
        self._remind()

    def _changes(self, *names: str) -> bool:
        """Whether the device wants one of the fields otherwise than it is; left out is removed, unless kept."""
        for name in names:
            wanted, held = getattr(self.item, name), getattr(self.shown, name)
            if name in self.given and (self.new or wanted != held):
                return True
            if name not in self.given and name not in self.kept and held not in (None, ()) and not self.new:
                return True
        return False

    # -- Dates

    def _dates(self) -> None:
        changed = {name for name, fields in _PAIRS.items() if self._pair_changed(*fields)}
        if not changed:
            return
        held = {name: _moment(self.main, name, self.zones) for name in _PAIRS}
        walls = {name: self._wall(*_PAIRS[name]) for name in changed}
        if "DTSTART" in changed and walls["DTSTART"] is None and self.main.find("RRULE"):
            changed.remove("DTSTART")  # a series needs its start
        # RFC 5545 3.8.2.3: DTSTART and DUE are of one kind.
        times = [wall for name in changed if (wall := walls[name])]
        others = [moment for name in _PAIRS if name not in changed and (moment := held[name])]
        date = all(wall.time() == time.min for wall in times) and all(moment.form is Form.DATE for moment in others)
        for name in changed:
            wall = walls[name]
            if wall is None:
                set_value(self.main, name, None)
            else:
                set_line(self.main, moment_line(name, self._as_moment(wall, held[name], date), self.zones))
        for name in _PAIRS.keys() - changed:
            moment = held[name]
            if moment is not None and moment.form is Form.DATE and times and not date:
                set_line(self.main, moment_line(name, self._as_moment(moment.wall, moment, date), self.zones))

    def _pair_changed(self, wall_field: str, utc_field: str) -> bool:
        """One of the pair is enough, and the one that agrees with what is stored wins nothing."""
        told = [name for name in (wall_field, utc_field) if name in self.given and getattr(self.item, name)]
        if not told:
            return self._changes(wall_field, utc_field)
        return any(self._changes(name) for name in told)

    def _wall(self, wall_field: str, utc_field: str) -> datetime | None:
        """What the viewer's clock shows; where the pair disagrees, a local midnight (a mere date) counts, else UTC."""
        wall: datetime | None = getattr(self.item, wall_field) if wall_field in self.given else None
        instant: datetime | None = getattr(self.item, utc_field) if utc_field in self.given else None
        if wall is not None and (instant is None or wall.time() == time.min):
            return wall.replace(tzinfo=None, microsecond=0)
        return local(instant, self.zones.viewer).replace(microsecond=0) if instant is not None else None

    def _as_moment(self, wall: datetime, held: Moment | None, date: bool) -> Moment:
        zone = self.zones.viewer
        if date:
            return Moment(datetime.combine(wall.date(), time.min), zone, Form.DATE)
        if held is not None and held.form is not Form.DATE:
            stored = Moment(wall, zone, Form.FLOATING).instant
            return held.at(wall) if held.form is Form.FLOATING else held.like(stored)
        return Moment(wall, zone, form_for(zone))

    # -- Recurrence

    def _recur(self) -> None:
        """Raises Refused for patterns that are none, R289, R37011."""
        if not self._changes("recurrence"):
            return
        wanted = self.item.recurrence if "recurrence" in self.given else None
        if wanted is None:
            for name in ("RRULE", "RDATE", "EXDATE", DEAD_RULE):
                set_value(self.main, name, None)
            for place in (REGENERATE, DEAD_OCCUR, CALENDAR_TYPE):
                place.dump(None, self.main)
            return
        start = self._series_start(wanted)
        held = _rule_line(self.main)
        try:
            before = parse_rule(held.value) if held else None
        except BadRule:
            before = None
        shown = self.shown.recurrence
        wanted = completed(wanted, shown)
        if start.form is Form.DATE and wanted.until is not None:
            wanted = replace(wanted, until=_last_day(wanted.until, start))
        rule = to_rule(wanted, start, before)
        dead = bool(wanted.dead_occur)
        target, other = (DEAD_RULE, "RRULE") if dead else ("RRULE", DEAD_RULE)
        set_value(self.main, other, None)
        if shown and start.form is Form.DATE and shown.until is not None:
            shown = replace(shown, until=_last_day(shown.until, start))
        if not (shown and same_rule(rule, to_rule(shown, start, before)) and self.main.first(target)):
            set_line(self.main, Line(target, show_rule(rule)))
        REGENERATE.dump(wanted.regenerate, self.main)
        DEAD_OCCUR.dump(wanted.dead_occur, self.main)
        number = wanted.calendar_type
        CALENDAR_TYPE.dump(number if number and number not in SCALES else None, self.main)

    def _series_start(self, wanted: TaskRecurrence) -> Moment:
        """DTSTART, which a series must have: the task's, else that of the recurrence. Devices send the latter as local
        time or as UTC: whichever is a midnight is meant."""
        if wanted.start is None:
            raise Refused("task recurrence without Start")
        if self.shown.recurrence is not None and self.shown.recurrence.start == wanted.start:
            anchor = _anchor(self.main, self.zones)
            if anchor is not None:
                return anchor
        held = _moment(self.main, "DTSTART", self.zones)
        due = _moment(self.main, "DUE", self.zones)
        wall = wanted.start.replace(tzinfo=None, microsecond=0)
        shifted = local(wanted.start, self.zones.viewer)
        if wall.time() != time.min and shifted.time() == time.min:
            wall = shifted
        if held is not None and {"start_date", "utc_start_date"} & self.given:
            return held
        date = wall.time() == time.min and (due is None or due.form is Form.DATE)
        start = self._as_moment(wall, held, date)
        set_line(self.main, moment_line("DTSTART", start, self.zones))
        return start

    # -- Completion and reminder

    def _complete(self) -> None:
        if self._changes("complete") and self.item.complete is not None:
            done = self.item.complete
            if done is not bool(self.shown.complete) or (self.new and done):
                set_value(self.main, "STATUS", "COMPLETED" if done else "NEEDS-ACTION")
                set_value(self.main, "PERCENT-COMPLETE", "100" if done else None)
                if not done:
                    set_value(self.main, "COMPLETED", None)
        if not _is_complete(self.main):
            return
        at = self.item.date_completed if "date_completed" in self.given else None
        if at is not None and at != self.shown.date_completed:
            set_value(self.main, "COMPLETED", utc_value(at))
        elif self.main.first("COMPLETED") is None and not self.shown.complete:
            set_value(self.main, "COMPLETED", utc_value(self.viewer.now))

    def _remind(self) -> None:
        """ReminderSet decides; without it, it is kept, and ReminderTime with it. R252: other values are refused."""
        wanted = self.item.reminder_set if "reminder_set" in self.given else None
        if wanted not in (None, 0, 1):
            raise Refused(f"ReminderSet {wanted}")
        at = self.item.reminder_time if "reminder_time" in self.given else None
        if wanted == 0:
            alarm.dump_time(self.main, None, self.zones)
        elif at is not None and (wanted == 1 or self.shown.reminder_set) and at != self.shown.reminder_time:
            alarm.dump_time(self.main, at, self.zones)


def _state(component: Component) -> list[object]:
    return [_state(item) if isinstance(item, Component) else item for item in component.items]

"""Time zones: the 172 bytes of a TIME_ZONE_INFORMATION, IANA names, Windows names, and zones made of rules.

[MS-ASDTYPE] TimeZone R103-R122; SYSTEMTIME and its yearly rules as in Windows. VTIMEZONE is in `vtimezone.py`.

A blob says what the clock does in one year, in at most two changes, to the minute. So blob -> IANA is a choice: the 142
zones of Windows have 64 sets of rules. It is made in the order of trust: the zone stored with the item, the viewer's,
any that keeps the same time. IANA -> blob cannot always be said: Morocco puts its clocks back for Ramadan, so that they
change three times in 2029 and 2033. What cannot be said is approximated by the offset that holds longest.
"""

from __future__ import annotations

import binascii
import calendar
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from tzlocal.windows_tz import tz_win, win_tz

from . import rrule
from .rrule import Rule

#: The size of the structure, R104-R120, and of its base64 text with some white space around.
BLOB_BYTES, MAX_TEXT = 172, 400
#: No zone is a day or more from UTC; Python's datetime refuses such offsets.
MAX_OFFSET = timedelta(hours=24)
#: Years for which zone rules are looked at. Before, and long after, nobody has appointments in a zone with rules.
FIRST_YEAR, LAST_YEAR = 1900, 2200
#: Two changes of the clock within a week are not told apart; none are known since 1950.
_STEP = timedelta(days=7)

#: Which of several zones with equal rules to take: the one with the most people. Others follow by Windows name.
_LIKELY = (
    "Europe/Berlin", "Europe/London", "Europe/Kiev", "Europe/Moscow", "America/New_York", "America/Chicago",
    "America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "Asia/Shanghai", "Asia/Tokyo", "Asia/Calcutta",
    "Australia/Sydney",
)  # fmt: skip


class BadTimeZone(ValueError):
    """No TIME_ZONE_INFORMATION."""


@dataclass(frozen=True, slots=True)
class SystemTime:
    """When the clock changes, in the time that it showed until then.

    `year` 0: every year, on occurrence `day` (1-5, 5 the last) of `day_of_week` (0 Sunday) in `month`. Else one date.
    `month` 0: never.
    """

    year: int = 0
    month: int = 0
    day_of_week: int = 0
    day: int = 0
    hour: int = 0
    minute: int = 0
    second: int = 0
    millisecond: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeZoneInformation:
    """The structure itself. Biases in minutes, UTC = local time + bias. Names of at most 32 UTF-16 units, which devices
    translate: two structures are equal if their rules are."""

    bias: int = 0
    standard_name: str = field(default="", compare=False)
    standard_date: SystemTime = SystemTime()
    standard_bias: int = 0
    daylight_name: str = field(default="", compare=False)
    daylight_date: SystemTime = SystemTime()
    daylight_bias: int = 0

    @property
    def has_daylight(self) -> bool:
        return bool(self.standard_date.month and self.daylight_date.month)

    @property
    def unknown(self) -> bool:
        """All zero: UTC, or sent by a client that knows no zone."""
        return self == TimeZoneInformation() and not self.standard_name

    @property
    def standard_offset(self) -> timedelta:
        return timedelta(minutes=-(self.bias + (self.standard_bias if self.has_daylight else 0)))

    @property
    def daylight_offset(self) -> timedelta:
        return timedelta(minutes=-(self.bias + self.daylight_bias))

    @property
    def text(self) -> str:
        """Base64, as it travels."""
        packed = _BLOB.pack(
            self.bias,
            _pack_name(self.standard_name), *_fields(self.standard_date), self.standard_bias,
            _pack_name(self.daylight_name), *_fields(self.daylight_date), self.daylight_bias,
        )  # fmt: skip
        return binascii.b2a_base64(packed, newline=False).decode()

    @classmethod
    def parse(cls, text: str) -> TimeZoneInformation:
        """From base64 text. Raises BadTimeZone, and nothing else, for what is no such structure."""
        try:
            packed = binascii.a2b_base64(text[:MAX_TEXT].encode("ascii"))
        except ValueError:
            raise BadTimeZone("not base64") from None
        # "AAAA..." of 232 letters is two zeros too long, and sent.
        if len(text) > MAX_TEXT or len(packed.rstrip(b"\0")) > BLOB_BYTES or not 0 <= len(packed) - BLOB_BYTES <= 2:
            raise BadTimeZone(f"{len(packed)} bytes")
        read = _BLOB.unpack(packed[:BLOB_BYTES])
        found = cls(
            bias=read[0],
            standard_name=_unpack_name(read[1]),
            standard_date=SystemTime(*read[2:10]),
            standard_bias=read[10],
            daylight_name=_unpack_name(read[11]),
            daylight_date=SystemTime(*read[12:20]),
            daylight_bias=read[20],
        )
        for offset in (found.standard_offset, found.daylight_offset):
            if abs(offset) >= MAX_OFFSET:
                raise BadTimeZone(f"offset {offset}")
        if found.has_daylight:
            _check(found.standard_date)
            _check(found.daylight_date)
        return found


@dataclass(frozen=True, slots=True)
class Observance:
    """A stretch of one offset that begins at `first`, and again by `rule` or on `dates`; wall times of `before`."""

    first: datetime
    before: timedelta
    after: timedelta
    name: str = ""
    rule: Rule | None = None
    dates: tuple[datetime, ...] = ()


class RuleZone(tzinfo):
    """A zone that is known by its rules alone: from a blob, or from a VTIMEZONE whose name nobody knows.

    `key` names it (a TZID). Before its first observance the offset before that holds.
    """

    def __init__(self, key: str, observances: Iterable[Observance]) -> None:
        """Raises ValueError without observances, or with an offset of a day or more."""
        self.key = key
        self.observances = tuple(observances)
        if not self.observances:
            raise ValueError(f"zone {key!r} without observances")
        for observance in self.observances:
            if max(abs(observance.before), abs(observance.after)) >= MAX_OFFSET:
                raise ValueError(f"zone {key!r} with offset {observance.after}")
        self._years: dict[int, list[_Onset]] = {}
        self._earliest = min(self.observances, key=lambda o: o.first)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleZone) and (self.key, self.observances) == (other.key, other.observances)

    def __hash__(self) -> int:
        return hash((self.key, self.observances))

    def __repr__(self) -> str:
        return f"RuleZone({self.key!r})"

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        if moment is None:
            return None
        wall, fold = moment.replace(tzinfo=None), moment.fold
        found = None
        for onset in self._near(wall.year):
            # As in zoneinfo: in the hour that is skipped fold 0 has the old offset, in the one that comes twice too.
            shift = min(onset.before, onset.after) if fold else max(onset.before, onset.after)
            if _plus(onset.utc, shift) > wall:
                break
            found = onset
        return found.after if found else self._earliest.before

    def dst(self, moment: datetime | None) -> timedelta | None:
        """How far the clock is ahead of the lowest offset of the year, which is what a blob calls standard."""
        offset = self.utcoffset(moment)
        if offset is None or moment is None:
            return None
        return offset - min([offset, *(o.after for o in self._near(moment.year) if o.utc.year == moment.year)])

    def tzname(self, moment: datetime | None) -> str | None:
        offset = self.utcoffset(moment)
        return next((o.name for o in self.observances if o.after == offset and o.name), self.key)

    def fromutc(self, moment: datetime) -> datetime:
        utc = moment.replace(tzinfo=None)
        offset, fold = self._earliest.before, 0
        for onset in self._near(utc.year):
            if onset.utc > utc:
                break
            offset = onset.after
            fold = int(utc - onset.utc < onset.before - onset.after)
        return _plus(utc, offset).replace(tzinfo=self, fold=fold)

    def _near(self, year: int) -> list[_Onset]:
        """The changes of three years around, in order, after the last one before them."""
        if year not in self._years:
            if len(self._years) > 400:
                self._years.clear()
            self._years[year] = self._onsets(year)
        return self._years[year]

    def _onsets(self, year: int) -> list[_Onset]:
        low = datetime(max(1, year - 1), 1, 1)
        high = datetime(min(9999, year + 1), 12, 31, 23, 59)
        found = []
        for observance in self.observances:
            before = [observance.first, *observance.dates]
            if observance.rule:
                # Two years back, for a rule that skips years; a rule that has ended tells by `last_of`.
                stretch = max(datetime.min, low - timedelta(days=800)) if low.year > 3 else low
                before += rrule.between(observance.rule, observance.first, stretch, high)
                if last := rrule.last_of(observance.rule, observance.first):
                    before.append(last)
            latest = max((wall for wall in before if wall < low), default=None)
            walls = {wall for wall in before if low <= wall <= high} | ({latest} if latest else set())
            found += [_Onset(_plus(w, -observance.before), observance.before, observance.after) for w in walls]
        return sorted(found, key=lambda onset: onset.utc)


@dataclass(frozen=True, slots=True)
class _Onset:
    utc: datetime
    before: timedelta
    after: timedelta


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a zone's clock: the instant (aware, UTC) and the offsets around it."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def wall(self) -> datetime:
        """What the clock showed when it was changed."""
        return (self.at + self.before).replace(tzinfo=None)


def zone_of(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, a Windows name, or a TZID that ends in one as in `/example.org/x/Europe/Berlin`.

    None for a name that is none of these. Case does not matter.
    """
    return _zone_of(name.strip().lower()[:200])


def key_of(zone: tzinfo) -> str:
    """The name of a zone: the IANA key, the TZID of a RuleZone, "UTC" for UTC."""
    return str(getattr(zone, "key", None) or "UTC")


def is_utc(zone: tzinfo) -> bool:
    return zone is UTC or key_of(zone) in _UTC_KEYS


def zone_or_utc(name: str) -> tzinfo:
    """The viewer's zone, which comes from settings and may be misspelt there."""
    return zone_of(name) or UTC


@lru_cache(maxsize=4096)
def changes(zone: tzinfo, year: int) -> tuple[Change, ...]:
    """The changes of the clock in the local year, in order: those made when it showed that year. Empty outside
    FIRST_YEAR to LAST_YEAR."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return ()
    low = datetime(year, 1, 1, tzinfo=zone).astimezone(UTC) - _STEP
    end = datetime(year + 1, 1, 1, tzinfo=zone).astimezone(UTC)
    found, offset = [], _offset(zone, low)
    while low < end:
        high = min(low + _STEP, end)
        after = _offset(zone, high)
        if after != offset and (change := Change(_boundary(zone, low, high), offset, after)).wall.year == year:
            found.append(change)
        low, offset = high, after
    return tuple(found)


@lru_cache(maxsize=2048)
def blob_of(zone: tzinfo, year: int) -> TimeZoneInformation:
    """What `zone` does in `year`, as yearly rules where the years after agree.

    One change in the year: the other begins on 1 January 00:00, so that an hour around it may be wrong. What cannot be
    said (three changes, three offsets, offsets with seconds) becomes the offset that holds longest, without changes.
    """
    year = min(max(year, FIRST_YEAR), LAST_YEAR)
    found = [change for change in changes(zone, year) if change.wall > datetime(year, 1, 1)]
    offsets = {o for change in found for o in (change.before, change.after)}
    standard_name, daylight_name = _names(zone, year)
    if len(found) not in (1, 2) or len(offsets) != 2 or any(o % timedelta(minutes=1) for o in offsets):
        bias = -(_longest(zone, year) // timedelta(minutes=1))
        return TimeZoneInformation(bias=bias, standard_name=standard_name, daylight_name=daylight_name)
    low, high = sorted(offsets)
    to_standard = next((c for c in found if c.after == low), None)
    to_daylight = next((c for c in found if c.after == high), None)
    return TimeZoneInformation(
        bias=-(low // timedelta(minutes=1)),
        standard_name=standard_name,
        standard_date=_yearly(zone, to_standard, year),
        daylight_name=daylight_name,
        daylight_date=_yearly(zone, to_daylight, year),
        daylight_bias=-((high - low) // timedelta(minutes=1)),
    )


@lru_cache(maxsize=1024)
def zone_of_rules(blob: TimeZoneInformation) -> RuleZone:
    """The zone that does what the blob says, in every year (a blob with absolute dates: in those years)."""
    key = _rules_key(blob)
    standard, daylight = blob.standard_offset, blob.daylight_offset
    if not blob.has_daylight:
        return RuleZone(key, [Observance(datetime(FIRST_YEAR, 1, 1), standard, standard, blob.standard_name)])
    return RuleZone(
        key,
        [
            _observance(blob.standard_date, daylight, standard, blob.standard_name),
            _observance(blob.daylight_date, standard, daylight, blob.daylight_name),
        ],
    )


def zone_of_blob(blob: TimeZoneInformation, year: int, *preferred: tzinfo) -> tzinfo:
    """The zone that a blob means for an item in `year`: the first of `preferred` that keeps its time, else one known to
    Windows (by the name that the blob carries, else the likeliest), else a RuleZone of the blob's own rules.

    A blob of zeros says nothing: the first of `preferred`, or UTC.
    """
    if blob.unknown:
        return preferred[0] if preferred else UTC
    for zone in preferred:
        if keeps(zone, blob, year):
            return zone
    if (named := _zone_of(blob.standard_name.lower())) and keeps(named, blob, year):
        return named
    return _matching(_signature(zone_of_rules(blob), year), year) or zone_of_rules(blob)


def keeps(zone: tzinfo, blob: TimeZoneInformation, year: int) -> bool:
    """Whether `zone` shows the same time as the blob throughout `year`, or the blob is what we would make of `zone`."""
    return _signature(zone, year) == _signature(zone_of_rules(blob), year) or blob == blob_of(zone, year)


_SYSTEMTIME = "8H"
_BLOB = struct.Struct(f"<i64s{_SYSTEMTIME}i64s{_SYSTEMTIME}i")
_UTC_KEYS = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"})


def _fields(when: SystemTime) -> tuple[int, ...]:
    return (
        when.year, when.month, when.day_of_week, when.day, when.hour, when.minute, when.second, when.millisecond,
    )  # fmt: skip


def _pack_name(name: str) -> bytes:
    """31 units, so that a zero ends the name; a surrogate pair is not cut."""
    packed = name.encode("utf-16-le", "replace")[:62]
    return packed.decode("utf-16-le", "ignore").encode("utf-16-le").ljust(64, b"\0")


def _unpack_name(packed: bytes) -> str:
    name = packed.decode("utf-16-le", "replace").partition("\0")[0]
    return "".join(c for c in name if c.isprintable())


def _check(when: SystemTime) -> None:
    """Raises BadTimeZone for a moment that is none."""
    if not 1 <= when.month <= 12 or when.hour > 23 or when.minute > 59 or when.second > 59 or when.millisecond > 999:
        raise BadTimeZone("no such time")
    if when.year:
        try:
            datetime(when.year, when.month, when.day)
        except ValueError:
            raise BadTimeZone("no such date") from None
    elif not (1 <= when.day <= 5 and when.day_of_week <= 6):
        raise BadTimeZone("no such weekday")


@cache
def _known() -> dict[str, str]:
    """Lower-case name -> IANA key. "UTC", "Etc/UTC" and the Windows name "UTC" are one."""
    known = {key.lower(): key for key in available_timezones() if not key.startswith(("posix/", "right/"))}
    return {**{name.lower(): key for name, key in win_tz.items() if key in known.values()}, **known}


@lru_cache(maxsize=4096)
def _zone_of(name: str) -> ZoneInfo | None:
    known = _known()
    for candidate in _candidates(name):
        if candidate in known:
            return ZoneInfo(known[candidate])
    return None


def _candidates(name: str) -> Iterator[str]:
    """The name, then its tails, longest first: `/freeassociation.sourceforge.net/Europe/Berlin`."""
    name = name.strip('"')
    yield name
    parts = [part for part in name.split("/") if part][-4:]
    for at in range(len(parts) - 1):
        yield "/".join(parts[at:])


def _plus(moment: datetime, shift: timedelta) -> datetime:
    try:
        return moment + shift
    except OverflowError:
        return moment


def _offset(zone: tzinfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _boundary(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    """The first second at which the offset is no longer that at `low`."""
    offset = _offset(zone, low)
    seconds = int((high - low).total_seconds())
    first, last = 0, seconds
    while last - first > 1:
        middle = (first + last) // 2
        if _offset(zone, low + timedelta(seconds=middle)) == offset:
            first = middle
        else:
            last = middle
    return low + timedelta(seconds=last)


def _longest(zone: tzinfo, year: int) -> timedelta:
    start = datetime(year, 1, 1, tzinfo=zone).astimezone(UTC)
    end = datetime(year + 1, 1, 1, tzinfo=zone).astimezone(UTC)
    held: dict[timedelta, timedelta] = {}
    marks = [(start, _offset(zone, start)), *((c.at, c.after) for c in changes(zone, year)), (end, timedelta())]
    for (begins, offset), (ends, _) in pairwise(marks):
        held[offset] = held.get(offset, timedelta()) + (ends - begins)
    return max(held, key=lambda offset: held[offset])


def _names(zone: tzinfo, year: int) -> tuple[str, str]:
    """What Windows calls the zone, else its abbreviations (January's and July's, whichever is lower first)."""
    if windows := tz_win.get(key_of(zone)):
        return windows, windows.replace("Standard Time", "Daylight Time")
    seasons = [datetime(year, month, 1, tzinfo=zone) for month in (1, 7)]
    low, high = sorted(seasons, key=lambda m: m.utcoffset() or timedelta())
    return low.tzname() or "", high.tzname() or ""


def _yearly(zone: tzinfo, change: Change | None, year: int) -> SystemTime:
    """The change as a rule for every year; a change that is missing happens on 1 January 00:00."""
    wall = change.wall if change else datetime(year, 1, 1)
    weekday = (wall.weekday() + 1) % 7
    nth = (wall.day - 1) // 7 + 1
    length = calendar.monthrange(wall.year, wall.month)[1]
    if nth == 4 and wall.day + 7 > length and change and _is_last(zone, change, year):
        nth = 5
    return SystemTime(0, wall.month, weekday, nth, wall.hour, wall.minute, wall.second)


def _is_last(zone: tzinfo, change: Change, year: int) -> bool:
    """Whether the same change falls on a last weekday of the month, not on a fourth one, in the years around."""
    for other in (year + 1, year - 1, year + 2, year - 2, year + 3):
        for near in changes(zone, other):
            wall, mine = near.wall, change.wall
            if near.after != change.after or (wall.month, wall.weekday()) != (mine.month, mine.weekday()):
                continue
            if wall.day > 28:
                return True
            if wall.day + 7 <= calendar.monthrange(wall.year, wall.month)[1]:
                return False
    return True


def _rule(when: SystemTime) -> Rule:
    """The yearly rule of a SystemTime, for RRULE. Weekday 5 is the last one."""
    nth = -1 if when.day == 5 else when.day
    return Rule(freq="YEARLY", by_month=(when.month,), by_day=((nth, (when.day_of_week - 1) % 7),))


def _observance(when: SystemTime, before: timedelta, after: timedelta, name: str) -> Observance:
    if when.year:
        date = datetime(when.year, when.month, when.day, when.hour, when.minute, when.second)
        return Observance(date, before, after, name)
    start = datetime(FIRST_YEAR, 1, 1, when.hour, when.minute, when.second)
    rule = _rule(when)
    first = next(rrule.between(rule, start, start, datetime(FIRST_YEAR + 1, 1, 1)))
    return Observance(first, before, after, name, rule)


def _rules_key(blob: TimeZoneInformation) -> str:
    """A TZID that two different sets of rules do not share."""
    sign = "-" if blob.standard_offset < timedelta() else "+"
    minutes = abs(blob.standard_offset) // timedelta(minutes=1)
    key = f"UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    if not blob.has_daylight:
        return key
    rules = (_fields(blob.standard_date), _fields(blob.daylight_date), blob.daylight_bias - blob.standard_bias)
    return f"{key} {binascii.crc32(repr(rules).encode()):08X}"


@lru_cache(maxsize=4096)
def _signature(zone: tzinfo, year: int) -> tuple[object, ...]:
    """What the clock does in `year`, to the minute (Windows writes the end of a day as 23:59:59.999)."""
    year = min(max(year, FIRST_YEAR), LAST_YEAR)
    start = _offset(zone, datetime(year, 1, 2, tzinfo=zone).astimezone(UTC))
    # A change on New Year's Day stands for "in force all along".
    told = [c for c in changes(zone, year) if c.wall >= datetime(year, 1, 2)]
    return (start, *((round(c.at.timestamp() / 60), c.after) for c in told))


@lru_cache(maxsize=64)
def _by_signature(year: int) -> dict[tuple[object, ...], str]:
    keys = [*_LIKELY, *(key for _, key in sorted(win_tz.items()))]
    known = _known()
    found: dict[tuple[object, ...], str] = {}
    for key in keys:
        if key.lower() in known:
            found.setdefault(_signature(ZoneInfo(key), year), key)
    return found


def _matching(signature: tuple[object, ...], year: int) -> ZoneInfo | None:
    key = _by_signature(min(max(year, FIRST_YEAR), LAST_YEAR)).get(signature)
    return ZoneInfo(key) if key else None

"""How far a device is let in, and what decided it: pure, from what is known of the device, its user and the rules.

In Exchange's order, after the login, the user's own switch and the policy, which the gate has looked at
(eas.server.gate): what the server itself keeps out for a while; a personal block; a personal quarantine; a personal
permission; the list of the user's devices; the rules; the default. Among rules the one of the lowest priority number
counts, among equals a block before a quarantine before a permission, then the older one.

Model and operating system come with DeviceInformation, after the first contact. As long as they are missing, a rule
that asks for them cannot fit; if it would decide otherwise, and the device is new, nothing is shown to the device yet
(DISCOVERY). [MS-ASCMD] DeviceInformation R474; docs/access.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from eas.protocol.version import Version

from .model import Access, Admission, Device, Level, Suspension, User


class Characteristic(StrEnum):
    """What a rule can ask for."""

    TYPE = "type"
    MODEL = "model"
    OS = "os"
    AGENT = "agent"
    VERSION = "version"
    USER = "user"
    GROUP = "group"
    NETWORK = "network"


#: Those that a device tells of itself after the first contact.
TOLD_LATER = frozenset((Characteristic.MODEL, Characteristic.OS))
#: Between several patterns of one characteristic, of which one has to fit.
OR = "|"
#: From this version on devices tell what they are. [MS-ASCMD] DeviceInformation R6429
TELLS_FROM = Version.V12_0

#: Among rules of one priority.
_RANK = {Level.BLOCK: 0, Level.QUARANTINE: 1, Level.ALLOW: 2}
#: What a rule, or the default, can say.
SAYABLE = tuple(_RANK)

#: What decided: "rule 12", or one of these.
DEFAULT, PERSONAL, LIST, SUSPENDED, EXPIRED, DISCOVERY = (
    "default", "personal", "list", "suspended", "expired", "discovery"
)


class BadPattern(ValueError):
    """A pattern that cannot be read; the text is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """All of `match` must fit. A pattern is compared as a whole and without regard to case; `*` stands for anything,
    `?` for one character, `|` is between alternatives. Of networks they are addresses or CIDR ranges."""

    id: int
    level: Level
    match: Mapping[Characteristic, str]
    priority: int = 100
    note: str = ""

    @property
    def name(self) -> str:
        return f"rule {self.id}"

    @property
    def words(self) -> str:
        return " and ".join(f"{name} is {pattern}" for name, pattern in self.match.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of who asks. `told` is what the device has said of itself, by element; None: nothing yet.
    `address` "": not known."""

    type: str
    agent: str = ""
    version: str = ""
    told: Mapping[str, str] | None = None
    names: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """`quarantine_days` after which nobody has decided means a block; 0: never. `discovery` is for how long a new
    device may keep back what it is. After `storm_requests` of a storm (0: never) a device is kept out for `storm`."""

    quarantine_days: int = 0
    discovery: timedelta = timedelta(minutes=14)
    storm_requests: int = 0
    storm: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The rules in the order in which they are asked, and what holds where none fits."""

    rules: tuple[Rule, ...] = ()
    default: Level = Level.ALLOW
    revision: int = 0
    asks_groups: bool = field(init=False)

    def __post_init__(self) -> None:
        ordered = sorted(self.rules, key=lambda rule: (rule.priority, _RANK[rule.level], rule.id))
        object.__setattr__(self, "rules", tuple(ordered))
        object.__setattr__(self, "asks_groups", any(Characteristic.GROUP in rule.match for rule in ordered))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`by` names what decided, `why` is for people. `until`: when it is to be asked again, if nothing happens."""

    level: Level
    by: str = DEFAULT
    why: str = ""
    until: datetime | None = None
    #: When the quarantine began of which this is a consequence.
    quarantined: datetime | None = None

    @property
    def restricted(self) -> bool:
        """Let in, and shown nothing."""
        return self.level in (Level.QUARANTINE, Level.DISCOVERY)


LET_IN = Decision(level=Level.ALLOW, why="nothing is said against it")


def facts_of(device: Device, user: User, *, groups: Sequence[str] = (), address: str = "") -> Facts:
    return Facts(
        type=device.type, agent=device.agent, version=device.version, told=device.information or None,
        names=(user.login, *user.addresses), groups=tuple(groups), address=address,
    )


def decide(device: Device, facts: Facts, book: Book, terms: Terms, now: datetime) -> Decision:
    """The first of these that says anything; the default always does."""
    found = _suspended(device, now) or _personal(device, now) or _listed(device) or _ruled(
        device, facts, book, terms, now
    )
    return _aged(found, device, terms, now)


def _suspended(device: Device, now: datetime) -> Decision | None:
    kept_out = device.suspended
    if kept_out is None or kept_out.until <= now:
        return None
    return Decision(level=Level.SUSPEND, by=SUSPENDED, why=kept_out.reason, until=kept_out.until)


_PERSONAL = {
    Access.BLOCKED: (Level.BLOCK, "this device was blocked by name"),
    Access.QUARANTINED: (Level.QUARANTINE, "this device was put into quarantine by name"),
    Access.ALLOWED: (Level.ALLOW, "this device was allowed by name"),
}


def _personal(device: Device, now: datetime) -> Decision | None:
    if device.access is Access.NONE or (device.access_until is not None and device.access_until <= now):
        return None
    level, words = _PERSONAL[device.access]
    why = f"{words}: {device.access_reason}" if device.access_reason else words
    return Decision(level=level, by=PERSONAL, why=why, until=device.access_until)


def _listed(device: Device) -> Decision | None:
    """Where a user has a list, nothing else comes in. [MS-ASCMD] Common Status Codes R4875, R4876"""
    if device.listed is None:
        return None
    if device.listed:
        return Decision(level=Level.ALLOW, by=LIST, why="it is on the list of the user's devices")
    return Decision(level=Level.BLOCK, by=LIST, why="the user has a list of devices, and it is not on it")


def _ruled(device: Device, facts: Facts, book: Book, terms: Terms, now: datetime) -> Decision:
    """By the first rule that fits, or the default."""
    open_until = (device.first_seen or now) + terms.discovery
    waiting = facts.told is None and now < open_until and _tells(facts.version)
    for rule in book.rules:
        if fits(rule, facts):
            return Decision(level=rule.level, by=rule.name, why=_because(rule))
        if waiting and could_fit(rule, facts) and rule.level is not _without(rule, book, facts):
            why = f"it has not said yet what it is, and {rule.name} asks for that"
            return Decision(level=Level.DISCOVERY, by=DISCOVERY, why=why, until=open_until)
    return Decision(level=book.default, by=DEFAULT, why="no rule fits: the default")


def _tells(version: str) -> bool:
    try:
        return Version.parse(version) >= TELLS_FROM
    except ValueError:
        return True


def _without(asking: Rule, book: Book, facts: Facts) -> Level:
    """What would be said if that rule did not fit."""
    rest = book.rules[book.rules.index(asking) + 1 :]
    return next((rule.level for rule in rest if fits(rule, facts)), book.default)


def _because(rule: Rule) -> str:
    words = rule.words or "every device"
    return f"{rule.note} ({words})" if rule.note else words


def _aged(found: Decision, device: Device, terms: Terms, now: datetime) -> Decision:
    """A quarantine with its beginning; a block once nobody has decided for too long."""
    if found.level is not Level.QUARANTINE:
        return found
    began = device.admission.quarantined if device.admission is not None else None
    began = began or now
    found = replace(found, quarantined=began)
    if not terms.quarantine_days:
        return found
    ends = began + timedelta(days=terms.quarantine_days)
    if ends <= now:
        why = f"nobody let it out of quarantine within {terms.quarantine_days} days"
        return replace(found, level=Level.BLOCK, by=EXPIRED, why=why, until=None)
    return replace(found, until=min(ends, found.until) if found.until else ends)


def recorded(device: Device, decision: Decision, now: datetime) -> Device:
    """The device with what was decided noted; the very same where that is noted already, or nothing special."""
    before = device.admission
    if before is None and decision.level is Level.ALLOW and decision.by == DEFAULT:
        return device
    if before is not None and (before.level, before.by, before.why, before.quarantined) == (
        decision.level, decision.by, decision.why, decision.quarantined
    ):
        return device
    same = before is not None and before.level is decision.level
    kept = before is not None and before.quarantined is not None and before.quarantined == decision.quarantined
    return replace(device, admission=Admission(
        level=decision.level, by=decision.by, why=decision.why, quarantined=decision.quarantined,
        since=before.since if same and before is not None else now,
        told=kept and before is not None and before.told,
    ))


def personal(device: Device, access: Access, until: datetime | None, reason: str, now: datetime) -> Device:
    """With a decision by name. Nothing is left of a former quarantine: who puts a device there begins a new one."""
    changed = replace(
        device, access=access, access_until=until, access_reason=reason, suspended=None, admission=None
    )
    said = _personal(changed, now)
    return changed if said is None else recorded(changed, _aged(said, changed, Terms(), now), now)


def kept_out(device: Device, terms: Terms, now: datetime) -> Device:
    """A device whose storm has grown too large is suspended for a while. One that was let in by name is not, and one
    that was suspended once is so again only for what it does after that."""
    storm, before = device.storm, device.suspended
    if not terms.storm_requests or storm is None or storm.count < terms.storm_requests:
        return device
    if device.access is Access.ALLOWED or (before is not None and before.until > now):
        return device
    reason = f"it repeated {storm.command} {storm.count} times without effect since {storm.since:%d %B %H:%M} UTC"
    return replace(
        device, suspended=Suspension(reason=reason, since=now, until=now + terms.storm), storm=replace(storm, count=0)
    )


# Fitting --------------------------------------------------------------------------------------------------------------


def fits(rule: Rule, facts: Facts) -> bool:
    """A characteristic that is not known fits nothing."""
    return all(_fits(name, pattern, facts) for name, pattern in rule.match.items())


def could_fit(rule: Rule, facts: Facts) -> bool:
    """Whether it asks for what the device may yet tell, and all else fits."""
    return any(name in TOLD_LATER for name in rule.match) and all(
        name in TOLD_LATER or _fits(name, pattern, facts) for name, pattern in rule.match.items()
    )


_VALUES: Mapping[Characteristic, Callable[[Facts], Iterable[str]]] = {
    Characteristic.TYPE: lambda facts: (facts.type,),
    Characteristic.AGENT: lambda facts: (facts.agent,),
    Characteristic.VERSION: lambda facts: (facts.version,),
    Characteristic.USER: lambda facts: facts.names,
    Characteristic.GROUP: lambda facts: facts.groups,
    Characteristic.MODEL: lambda facts: _told(facts, "Model"),
    Characteristic.OS: lambda facts: _told(facts, "OS"),
}


def _told(facts: Facts, element: str) -> Iterable[str]:
    return () if facts.told is None else (facts.told.get(element, ""),)


def _fits(name: Characteristic, pattern: str, facts: Facts) -> bool:
    if name is Characteristic.NETWORK:
        return _is_within(facts.address, pattern)
    wanted = _compiled(pattern)
    return any(wanted.fullmatch(value) for value in _VALUES[name](facts))


def _is_within(address: str, pattern: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks(pattern))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    one = "|".join(
        "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in part.strip()) for part in pattern.split(OR)
    )
    return re.compile(one, re.IGNORECASE | re.DOTALL)


@cache
def networks(pattern: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Raises BadPattern."""
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in pattern.split(OR))
    except ValueError as error:
        raise BadPattern(f"network: {error}") from None


def checked(match: Mapping[str, str]) -> dict[Characteristic, str]:
    """The conditions of a rule as people write them. Raises BadPattern."""
    found: dict[Characteristic, str] = {}
    for name, pattern in match.items():
        try:
            characteristic = Characteristic(name)
        except ValueError:
            raise BadPattern(f"no characteristic {name}; there are {', '.join(Characteristic)}") from None
        if not pattern.strip():
            continue
        if characteristic is Characteristic.NETWORK:
            networks(pattern)
        found[characteristic] = pattern.strip()
    return found

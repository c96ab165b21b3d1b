"""Whether something is amiss with a device: the decisions. Pure. `condition_names` says what each means.

A condition is decided from `Facts`, which are summaries kept for each device, never its events, so that a fleet of
thousands is judged in a moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from eas.engine.activity import ANY_GONE, ASK_FOR_POLICY, COMMAND, FOLDER
from eas.engine.heartbeat import counts
from eas.engine.model import Access, Storm, WaitBound, Wipe
from eas.engine.partnership import PENDING, STORM_NOTED
from eas.protocol.statuses import CommonStatus

from .condition_names import ABOUT, Name, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """That a device has a condition: how bad, since when (None: not known), and what exactly."""

    name: Name
    severity: Severity
    since: datetime | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The last answer to a command or of a folder: a row of `device_answer`."""

    kind: str
    name: str
    at: datetime
    ok_at: datetime | None
    http: int
    status: str
    fine: bool
    since: datetime
    times: int
    again: int = 0
    starts: int = 0
    day: str = ""
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Passwords that were wrong, one after the other."""

    since: datetime
    last: datetime
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a device. `requests` to `waits_cut` are those of today and yesterday. `said` need only hold what
    may matter (eas.store.activity_rows.amiss); `synced`: a Sync was ever answered well, `last_good` is when the last
    one was, known where it matters (`asks_for_policy`). `twins` are other ids under which the same phone seems to
    stand, used more lately. `degraded` counts items."""

    user_id: str
    device_id: str
    type: str = ""
    model: str = ""
    imei: str = ""
    friendly_name: str = ""
    agent: str = ""
    version: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    access: Access = Access.ALLOWED
    wipe: Wipe = Wipe.NONE
    wipe_at: datetime | None = None
    storm: Storm | None = None
    wait_bound: WaitBound | None = None
    said: tuple[Said, ...] = ()
    synced: bool = False
    last_good: datetime | None = None
    requests: int = 0
    waits: int = 0
    waits_held: int = 0
    waits_cut: int = 0
    degraded: int = 0
    wrong: Wrong | None = None
    twins: tuple[str, ...] = ()


#: Not heard of for so long.
SILENT = timedelta(days=7)
#: A first fetch should be done by then; and a folder whose next window is not asked for.
FIRST_FETCH = timedelta(hours=1)
#: So many times in a row the same key; the same folder from nothing in one day.
REPEATS, STARTS = 5, 3
#: An error in a row so often, and for so long, is no accident.
ERRORS, ERRORS_FOR = 5, timedelta(minutes=10)
#: Refusals for the policy, in a row.
REFUSALS = 3
#: Waits over two days of which hardly any was held.
WAITS, HELD_SHARE = 10, 0.1
#: Wrong passwords in a row.
WRONG = 3
#: What was amiss with something that was not asked for since is of no interest any more.
FORGOTTEN = timedelta(days=2)
#: A wipe that is not fetched for so long.
WIPE_LATE = timedelta(days=3)
#: Another registration of the same phone is taken for its heir when this one was silent for so long.
REPLACED = timedelta(days=2)

POLICY = frozenset(str(int(status)) for status in (
    CommonStatus.DEVICE_NOT_FULLY_PROVISIONABLE, CommonStatus.LEGACY_DEVICE_ON_STRICT_POLICY,
    CommonStatus.DEVICE_NOT_PROVISIONED, CommonStatus.POLICY_REFRESH, CommonStatus.INVALID_POLICY_KEY,
    CommonStatus.EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED,
))  # fmt: skip
_TROUBLE = frozenset(str(int(status)) for status in (
    CommonStatus.SERVER_ERROR_RETRY_LATER, CommonStatus.MAILBOX_SERVER_OFFLINE,
))  # fmt: skip
#: Statuses that say that what is behind did not answer: of a folder, of commands.
AWAY_OF_FOLDER = frozenset(("5", *_TROUBLE))
AWAY_OF_COMMAND: Mapping[str, frozenset[str]] = {
    "Ping": frozenset(("8", *_TROUBLE)), "FolderSync": frozenset(("6", *_TROUBLE)),
    "Sync": frozenset(("5", *_TROUBLE)),
}

Check = Callable[[Facts, datetime], Finding | None]


def findings(facts: Facts, now: datetime) -> list[Finding]:
    """What is amiss, the worst first."""
    found = [finding for check in CHECKS if (finding := check(facts, now)) is not None]
    return sorted(found, key=lambda finding: _ORDER[finding.severity])


_ORDER = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def worst(found: Iterable[Finding]) -> Severity | None:
    return min((finding.severity for finding in found), key=_ORDER.__getitem__, default=None)


def _found(name: Name, since: datetime | None, detail: str, severity: Severity | None = None) -> Finding:
    return Finding(name=name, severity=severity or ABOUT[name].severity, since=since, detail=detail)


def _silent(facts: Facts, now: datetime) -> Finding | None:
    heard = facts.last_seen or facts.first_seen
    if heard is None or now - heard < SILENT or facts.access is Access.BLOCKED or facts.wipe is not Wipe.NONE:
        return None
    return _found(Name.NO_SYNC_FOR_LONG, heard, f"last heard of {(now - heard).days} days ago")


def _never(facts: Facts, now: datetime) -> Finding | None:
    if facts.first_seen is None or now - facts.first_seen < FIRST_FETCH or facts.access is not Access.ALLOWED:
        return None
    if facts.requests and not facts.synced:
        return _found(Name.NEVER_SYNCED, facts.first_seen, "it has asked, and never fetched a folder")
    open_ones = [said for said in facts.said if said.kind == FOLDER and said.more and now - said.at >= FIRST_FETCH]
    heard = facts.last_seen
    left = [said for said in open_ones if heard is not None and heard - said.at >= FIRST_FETCH]
    if not left:
        return None
    names = ", ".join(said.name for said in left[:5])
    return _found(Name.NEVER_SYNCED, min(said.at for said in left), f"more is to be fetched in folder {names}")


def _stuck(facts: Facts, now: datetime) -> Finding | None:
    stuck = [
        said for said in facts.said if said.kind == FOLDER and said.again >= REPEATS and now - said.at < FORGOTTEN
    ]
    if not stuck:
        return None
    most = max(stuck, key=lambda said: said.again)
    return _found(Name.STUCK_ON_ONE_KEY, most.since, f"folder {most.name}: the same key {most.again} times in a row")


def _loop(facts: Facts, now: datetime) -> Finding | None:
    today = now.date().isoformat()
    looped = [said for said in facts.said if said.kind == FOLDER and said.starts >= STARTS and said.day == today]
    if not looped:
        return None
    most = max(looped, key=lambda said: said.starts)
    return _found(Name.RESYNC_LOOP, None, f"folder {most.name}: begun anew {most.starts} times today")


def _lasting(said: Said, now: datetime) -> bool:
    in_a_row = said.times >= ERRORS and said.at - said.since >= ERRORS_FOR
    return not said.fine and in_a_row and now - said.at < FORGOTTEN


def _is_away(said: Said) -> bool:
    if said.kind == FOLDER:
        return said.status in AWAY_OF_FOLDER
    return said.http in (500, 503) or said.status in AWAY_OF_COMMAND.get(said.name, _TROUBLE)


def _fails(facts: Facts, now: datetime) -> Finding | None:
    failing = [said for said in facts.said if said.kind == FOLDER and _lasting(said, now) and not _is_away(said)]
    if not failing:
        return None
    said = max(failing, key=lambda one: one.times)
    name = "a folder that is gone" if said.name == ANY_GONE else f"folder {said.name}"
    return _found(Name.FOLDER_FAILS, said.since, f"{name}: status {said.status} {said.times} times in a row")


def _away(facts: Facts, now: datetime) -> Finding | None:
    failing = [
        said for said in facts.said
        if not said.fine and said.times >= 2 and now - said.at < FORGOTTEN and _is_away(said)
    ]
    if not failing:
        return None
    first = min(failing, key=lambda said: said.since)
    return _found(Name.BACKEND_AWAY, first.since, f"{first.kind} {first.name}: {sum(s.times for s in failing)} times")


def _storm(facts: Facts, now: datetime) -> Finding | None:
    storm = facts.storm
    if storm is None or now - storm.last >= STORM_NOTED:
        return None
    return _found(
        Name.STORM, storm.since,
        f"{storm.command} repeated: {storm.count} requests held back" + (" or sent away" if storm.refused else ""),
        Severity.CRITICAL if storm.refused else None,
    )


def _unheld(facts: Facts, now: datetime) -> Finding | None:
    if facts.waits_cut < WAITS or facts.waits_held > facts.waits * HELD_SHARE:
        return None
    bound = facts.wait_bound
    known = f"; cut off after {bound.cut_seconds} s" if bound is not None and counts(bound, now) else ""
    return _found(Name.WAITS_NEVER_HELD, None, f"{facts.waits_cut} of {facts.waits} waits were cut off{known}")


def asks_for_policy(said: Said) -> bool:
    return said.kind == COMMAND and (said.status in POLICY or said.http == ASK_FOR_POLICY)


def _unaccepted(facts: Facts, now: datetime) -> Finding | None:
    if facts.wipe in PENDING:
        return None
    # Once it has synchronised after that, the policy was accepted.
    good = facts.last_good
    asked = [
        said for said in facts.said
        if asks_for_policy(said) and said.times >= REFUSALS and now - said.at < FORGOTTEN
        and (good is None or good < said.at)
    ]
    if not asked:
        return None
    first = min(asked, key=lambda said: said.since)
    times = sum(said.times for said in asked)
    return _found(Name.POLICY_NOT_ACCEPTED, first.since, f"refused {times} times until it accepts its policy")


def _password(facts: Facts, now: datetime) -> Finding | None:
    wrong = facts.wrong
    if wrong is None or wrong.times < WRONG or now - wrong.last >= SILENT:
        return None
    if facts.last_seen is not None and facts.last_seen >= wrong.last:
        return None
    return _found(Name.PASSWORD_WRONG, wrong.since, f"{wrong.times} times, last {wrong.last.isoformat('T', 'minutes')}")


def _wipe(facts: Facts, now: datetime) -> Finding | None:
    if facts.wipe not in PENDING:
        return None
    late = facts.wipe is Wipe.FAILED or (facts.wipe_at is not None and now - facts.wipe_at >= WIPE_LATE)
    detail = {Wipe.FAILED: "the device says that it failed", Wipe.SENT: "sent, not confirmed"}.get(
        facts.wipe, "the device has not asked since"
    )
    return _found(Name.WIPE_PENDING, facts.wipe_at, detail, Severity.CRITICAL if late else None)


def _quarantined(facts: Facts, now: datetime) -> Finding | None:
    if facts.access is not Access.QUARANTINED:
        return None
    return _found(Name.QUARANTINED, None, "nobody has decided yet")


def _blocked(facts: Facts, now: datetime) -> Finding | None:
    return _found(Name.BLOCKED, None, "not let in") if facts.access is Access.BLOCKED else None


def _duplicate(facts: Facts, now: datetime) -> Finding | None:
    if not facts.twins:
        return None
    return _found(Name.DUPLICATE, facts.last_seen, f"in use under {', '.join(facts.twins)}")


def _degraded(facts: Facts, now: datetime) -> Finding | None:
    if not facts.degraded:
        return None
    return _found(Name.DEGRADED_ITEMS, None, f"{facts.degraded} item" + ("s" if facts.degraded > 1 else ""))


CHECKS: Sequence[Check] = (
    _silent, _never, _stuck, _loop, _fails, _away, _storm, _unheld, _unaccepted, _password, _wipe, _quarantined,
    _blocked, _duplicate, _degraded,
)


def with_twins(fleet: Sequence[Facts]) -> list[Facts]:
    """Each with the other ids of the same user under which the same phone seems to stand and is used since: the same
    IMEI; or the same model and name, and this one silent since the other came."""
    of_user: dict[str, list[Facts]] = defaultdict(list)
    for facts in fleet:
        of_user[facts.user_id].append(facts)
    return [
        facts if len(mine := of_user[facts.user_id]) < 2 else
        replace(facts, twins=tuple(other.device_id for other in mine if _is_heir(facts, other)))
        for facts in fleet
    ]


def _is_heir(old: Facts, new: Facts) -> bool:
    if old.device_id == new.device_id or old.last_seen is None or new.last_seen is None or new.first_seen is None:
        return False
    if new.last_seen <= old.last_seen:
        return False
    if old.imei and old.imei == new.imei:
        return True
    named = bool(old.model) and (old.model, old.friendly_name, old.type) == (new.model, new.friendly_name, new.type)
    return named and new.first_seen >= old.last_seen and new.last_seen - old.last_seen >= REPLACED

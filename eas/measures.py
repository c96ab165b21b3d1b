"""What is counted and timed: the table of all figures that an administrator can read at `/metrics`.

As global as the log, and for the same reason: a counter belongs to the process, whoever counts, and changes nothing
that anybody decides (docs/decisions/024). It is therefore not handed down but imported, by those who do I/O; protocol,
items, engine and commands are pure, what they count comes out as values.

Labels have few values and never name a user, a device or a folder. Names and meanings: docs/metrics.md. Everything here
is used in the event loop's thread.

prometheus-client decides when it is imported whether its values are kept in memory or, for several processes, in files
(PROMETHEUS_MULTIPROC_DIR, see eas.app.measuring). Finding the child of some label values by its `labels` takes longer
than to count, so bound children are kept here. A gauge is a plain number that is written out when somebody looks.
"""

from __future__ import annotations

from itertools import product
from typing import Generic, Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

disable_created_metrics()  # type: ignore[no-untyped-call]  # when each counter began: twice the lines, and nobody asks

REGISTRY = CollectorRegistry()
PREFIX = "eas_"

#: The value of the only label, the values of several, or () where there is none.
Key = str | tuple[str, ...]
#: Labels with the values that are known before; () if they only show. Where all are known, they are there from the
#: start, as 0: the first step from nothing to one would not count for a rate.
Known = tuple[str, ...]
#: How the numbers of several processes become one. What dead ones have said does not count.
Over = Literal["livesum", "livemax"]

C = TypeVar("C", bound=MetricWrapperBase)


class _Children(dict[Key, C], Generic[C]):
    """Bound children by their labels' values."""

    def __init__(self, name: str, metric: C, labels: dict[str, Known]) -> None:
        super().__init__()
        self._metric = metric
        self.name, self.labels = PREFIX + name, labels
        for values in product(*labels.values()):
            self[values[0] if len(values) == 1 else values]

    def __missing__(self, key: Key) -> C:
        if not self.labels:
            child = self._metric
        else:
            child = self._metric.labels(key) if isinstance(key, str) else self._metric.labels(*key)
        self[key] = child
        return child


class Counts(_Children[Counter]):
    """Only ever more: `COUNTS[values].inc()`."""

    def __init__(self, name: str, meaning: str, **labels: Known) -> None:
        super().__init__(name, Counter(PREFIX + name, meaning, tuple(labels), registry=REGISTRY), labels)


class Times(_Children[Histogram]):
    """How long something takes, in seconds: `TIMES[values].observe(seconds)`."""

    def __init__(self, name: str, meaning: str, bounds: tuple[float, ...], **labels: Known) -> None:
        metric = Histogram(PREFIX + name, meaning, tuple(labels), buckets=bounds, registry=REGISTRY)
        super().__init__(name, metric, labels)


class Levels(dict[Key, float]):
    """How much there is now: `LEVELS[values] += 1`. Told by `write_levels`."""

    def __init__(self, name: str, meaning: str, over: Over = "livesum", **labels: Known) -> None:
        super().__init__()
        gauge = Gauge(PREFIX + name, meaning, tuple(labels), multiprocess_mode=over, registry=REGISTRY)
        self._children = _Children(name, gauge, labels)
        self.name, self.labels = self._children.name, labels
        self.update(dict.fromkeys(self._children, 0.0))
        _LEVELS.append(self)

    def __missing__(self, key: Key) -> float:
        return 0.0

    def write(self) -> None:
        for key, value in self.items():
            self._children[key].set(value)


_LEVELS: list[Levels] = []


def write_levels() -> None:
    """Have the gauges tell what the numbers are now."""
    for levels in _LEVELS:
        levels.write()


class Standing:
    """One thing that is always in one of the states of a gauge, or in none ("")."""

    __slots__ = ("_levels", "_state")

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._state = ""

    def change(self, state: str) -> None:
        if state == self._state:
            return
        if self._state:
            self._levels[self._state] -= 1
        if state:
            self._levels[state] += 1
        self._state = state


#: Upper bounds in seconds: of what is done at once, of what a phone waits for, of waits.
QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
PUSHED = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
WORKED = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
HELD = (1.0, 10.0, 60.0, 120.0, 240.0, 300.0, 480.0, 600.0, 900.0, 1200.0, 1500.0, 1800.0, 2400.0, 3600.0)

WAITING = ("Ping", "Sync")

# -- Requests

REQUESTS = Counts("requests", "Requests answered.", command=(), version=(), http=(), status=())
REQUEST_SECONDS = Times(
    "request_seconds", "Time from the first byte to the last, without the time for which a Ping or Sync was held.",
    WORKED, command=(),
)
REQUESTS_IN_FLIGHT = Levels("requests_in_flight", "Requests that are worked on; held ones are not.")
REQUESTS_QUEUED = Levels("requests_queued", "Requests that wait for their turn (limits.requests_at_once).")
RECEIVED_BYTES = Counts("received_bytes", "Bytes of requests, without headers.", command=())
SENT_BYTES = Counts("sent_bytes", "Bytes of answers, without headers.", command=())
REFUSALS = Counts(
    "refusals", "Requests turned away before a command was carried out.",
    reason=(
        "no_login", "wrong_login", "token_over", "no_entrance", "certificate", "throttled", "unavailable", "storm",
        "gate", "crowd",
    ),
)

# -- Waiting and push

HELD_WAITS = Levels("held_waits", "Phones that wait now.", command=WAITING)
WAITS = Counts(
    "waits", "Waits that ended.", command=WAITING, reason=("news", "time", "replaced", "gone", "stop"),
)
WAIT_SECONDS = Times("wait_seconds", "How long a phone was held.", HELD, command=WAITING)
PUSH_SECONDS = Times(
    "push_seconds", "From a change being seen to the answer of the phone that waited for it being handed over.", PUSHED,
    command=WAITING,
)

# -- Other processes

REDIS_SERVERS = Levels("redis_servers", "Servers of Redis, as this process sees them.", state=("connected", "away"))
REDIS_CONNECTS = Counts("redis_connects", "How often a server of Redis was found, at the start or again.")
REDIS_SECONDS = Times("redis_seconds", "How long Redis takes to answer what is asked together.", QUICK)
NODE_MESSAGES = Counts(
    "node_messages", "Messages between processes: rings, waits that end.", direction=("sent", "heard")
)

# -- Sync

SYNC_ITEMS = Counts(
    "sync_items", "Items that were brought to devices, or by them.", item_class=(), direction=(), change=()
)
SYNC_ITEM_FAILURES = Counts("sync_item_failures", "What devices brought and was not taken.", item_class=(), status=())
SYNC_STARTS = Counts("sync_starts", "Folders that devices began with SyncKey 0.", item_class=(), kind=())
SYNC_FAILURES = Counts(
    "sync_failures", "Folders, or whole Syncs, that were answered with another status than 1.", status=()
)
DEGRADED_ITEMS = Counts("degraded_items", "Items that could not be converted whole, as they were sent.", item_class=())

# -- Groupware on other servers

#: What goes out to which kind of server, in a few words.
BACKENDS = ("imap", "dav", "smtp", "ldap", "sieve")
BACKEND_SECONDS = Times(
    "backend_seconds", "How long servers of the groupware take to answer.", QUICK, backend=(), operation=()
)
BACKEND_FAILURES = Counts(
    "backend_failures", "What servers of the groupware did not do.", backend=BACKENDS,
    reason=("login", "refused", "lost", "timeout"),
)
IMAP_CONNECTIONS = Levels("imap_connections", "Connections to IMAP servers.", state=("used", "listening", "idle"))
WATCHES = Levels("watches", "Users whose mailbox is watched.", how=("notify", "idle", "hook", "poll", "failing"))

HOOKS_MISSED = Counts("hooks_missed", "Changes that a poll found where the server calls a hook.")

# -- State

DATABASE_SECONDS = Times(
    "database_seconds", "How long transactions take, with the time for which they wait to begin.", QUICK,
    kind=("look", "read", "write"),
)
DATABASE_WRITES = Levels("database_writes", "Transactions that write, or wait for that.")
DATABASE_CONNECTIONS = Levels("database_connections", "Connections to the database.", state=("used", "most"))
DATABASE_FAILURES = Counts(
    "database_failures", "Transactions that failed for no fault of theirs.",
    reason=("away", "busy", "overtaken", "full"),
)
LOST_RACES = Counts("lost_races", "Answers that were computed for nothing: another request moved the state meanwhile.")
LEASE_SECONDS = Times(
    "lease_seconds", "How long a request waited for another one of the same folder.", QUICK, held=("here", "elsewhere")
)
LEASES_GIVEN_UP = Counts("leases_given_up", "Requests that did not wait any longer for one in another process.")
NOTED_DEVICES = Levels("noted_devices", "Devices of which the last request is not written down yet.")
ACTIVITY_DROPPED = Counts("activity_dropped", "Notes of what devices did for which there was no room in memory.")
OPEN_EFFECTS = Levels(
    "open_effects", "Effects that were begun and of which nobody knows the end yet.", "livemax",
    kind=("change", "mail"),
)
SPOOL_FILES = Levels("spool_files", "Large requests that lie in files.")
SPOOL_BYTES = Levels("spool_bytes", "What they take of the disk.")
SCHEMA = Levels("schema_revision", "The shape of the tables in the database.", "livemax")

# -- Hooks

HOOKS = Counts(
    "hooks", "Calls of /hooks/dovecot and /hooks/changed.", result=("noted", "refused", "unreadable", "full"),
)
HOOKED_USERS = Counts("hooked_users", "Users of whom hooks have told, once a look-up.", known=("yes", "no"))
HOOKS_PENDING = Levels("hooks_pending", "Users of whom hooks have told and who are not looked up yet.")

# -- What stands still

BUILD = Levels("build_info", "What runs here; always 1.", "livemax", release=(), python=())

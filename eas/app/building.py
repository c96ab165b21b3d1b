"""The composition root: settings -> database, store, groupware, bell, server.

The only module that knows everything. `build` joins the parts without starting anything; `App.start` brings the
database to its present shape and opens the doors besides HTTP (LMTP, the control socket).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version

import structlog
from starlette.types import ASGIApp

from eas.admin.notices import Notices
from eas.admin.own_deeds import WipeTurned
from eas.admin.site import Rings, Site
from eas.backends.crl import HttpRevocationLists
from eas.backends.embedded.backend import Embedded, open_embedded
from eas.backends.embedded.groupware import Limits as GroupwareLimits
from eas.backends.embedded.groupware import Ring
from eas.backends.lmtp import LmtpServer
from eas.config import Settings
from eas.db import Database
from eas.db.migrations import migrate
from eas.db.serving import Serving
from eas.db.transactions import Transactions, transactions
from eas.engine.again import after_upgrade
from eas.engine.errors import Contended, Unavailable
from eas.engine.ports import Clock, Entropy
from eas.push.clock import SystemClock
from eas.push.entropy import SystemEntropy
from eas.push.watch import WatchedBell
from eas.replay.recording.recorder import Recorder
from eas.server import routes
from eas.server.control import SOCKET, ControlServer
from eas.server.live import Live
from eas.server.ports import Ports
from eas.store import ActivityStore, SqlStateStore
from eas.store.access import AccessStore
from eas.store.audit import AuditLog
from eas.store.links import ProfileLinks
from eas.store.recordings import RecordingStore
from eas.store.staff import StaffStore

from .activity import Watch, node_name, whose_logins
from .admitting import rules_of, terms_of
from .doors import Doors, Sockets
from .elsewhere import Elsewhere
from .groups import Groups, Heard
from .hooks import join_hooks
from .logging_in import Identity, identity_of, sign_in_of
from .logins import site_logins
from .looks import looks
from .meanings import documents_of, manner_of, notices_of, relay_of, wiping_of
from .measuring import Measuring
from .monthly import keep_mailing
from .pages import join_pages, told
from .profiles import profiles_of
from .readiness import Ready
from .recorded import Recorded
from .sharing import Sharing, share
from .staging import keep_staging
from .tenants import tenants_of
from .tidying import keep_tidying

log = structlog.get_logger("eas.app")

#: Of the program: what one release could not convert the next one tries again.
RELEASE = version("eas-gateway")


@dataclass(slots=True, kw_only=True)
class App:
    """A server that is built. `asgi` answers once `start` has returned; `close` leaves nothing behind."""

    settings: Settings
    database: Database
    transactions: Transactions
    store: SqlStateStore
    activity: ActivityStore
    watch: Watch
    embedded: Embedded
    elsewhere: Elsewhere
    sharing: Sharing
    identity: Identity
    readiness: Ready
    asgi: ASGIApp
    #: What actions work on, without a caller.
    site: Site
    lmtp: LmtpServer
    measuring: Measuring
    serving: Serving
    recorded: Recorded
    #: Called when the control socket is told to stop; `serve` puts the server's own way to stop here.
    on_stop: Callable[[], None] = lambda: None
    _doors: Doors | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def bell(self) -> WatchedBell:
        return self.sharing.bell

    async def start(self, *, doors: bool = True, given: Sockets | None = None) -> None:
        """`doors`: also open LMTP and the control socket, or those that are given. Raises MigrationError, OSError."""
        self.settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if doors:
            await self.serving.begin()
        await migrate(self.database)
        await self._try_again()
        await self.sharing.start()
        if doors:
            server = ControlServer(self.settings.data / SOCKET, self.bell, self._stop, self.watch)
            self._doors = Doors(control=server, lmtp=self.lmtp, lmtp_listen=self.settings.lmtp.listen)
            await self._doors.open(given)
            if given is None:
                await self.resume()
            self.activity.start(self.watch.look, tell=self.sharing.link is not None)
            self._tasks.add(asyncio.create_task(keep_tidying(self)))
            self._tasks.add(asyncio.create_task(self.identity.look()))
            self._tasks.add(asyncio.create_task(keep_staging(self)))
            self._tasks.add(asyncio.create_task(self.recorded.keep()))
            if self.settings.reports.monthly_to:
                self._tasks.add(asyncio.create_task(keep_mailing(self.site, self.settings.reports.monthly_to)))
            if self.measuring.shared:
                self._tasks.add(asyncio.create_task(self.measuring.keep_writing()))

    async def resume(self) -> None:
        """Take up what a server that died has left: for who holds the control socket, which shows that no other server
        works on this folder, and before there are workers. Nothing is known so of others on a database elsewhere."""
        if self.database.engine.dialect.name == "sqlite":
            await self.embedded.office.resume()

    async def shut(self) -> None:
        """Take nothing new through the doors."""
        if self._doors is not None:
            await self._doors.shut()

    async def _try_again(self) -> None:
        """What another release could not convert may come out whole now."""
        try:
            count = await after_upgrade(self.store, RELEASE)
        except (Contended, Unavailable) as error:
            log.warning("degraded items wait for the next start", reason=str(error))
        else:
            if count:
                log.info("degraded items are sent again", items=count)

    def _stop(self) -> None:
        self.on_stop()

    async def close(self) -> None:
        """End all waits, close the doors, write what is gathered."""
        self.bell.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._doors is not None:
            await self._doors.close(self.settings.stop.grace_seconds)
            self._doors = None
        await self.recorded.close()
        await self.site.notices.settle()
        await self.sharing.close()
        await self.elsewhere.close()
        await self.identity.close()
        await self.store.close()
        await self.activity.close()
        await self.transactions.close()
        await self.serving.end()
        await self.database.close()

    async def __aenter__(self) -> App:
        await self.start(doors=False)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


def build(
    settings: Settings, ring: Ring | None = None, *, clock: Clock | None = None, entropy: Entropy | None = None
) -> App:
    """Join the parts. `ring` is told of changes in place of the bell of this process, for the command line, which has
    them rung in a running server. `clock` and `entropy` are the machine's, unless somebody wants the same answers
    again. Raises ConfigError for what only shows here."""
    database = Database(settings.database_url, settings.database_connections)
    shared, readiness = transactions(database), Ready(database)
    elsewhere = Elsewhere(tenants_of(settings))
    sharing = share(settings, elsewhere.watch_of, elsewhere.heard, alone=ring is not None)
    bell, clock = sharing.bell, clock or SystemClock()
    if (link := sharing.link) is not None:
        readiness.others["redis"] = lambda: "ok" if link.connected else "away"
    domain = settings.domain or "localhost"
    relay = relay_of(settings)
    embedded = open_embedded(
        shared, domain=domain, relay=relay, ring=elsewhere.rung(ring or bell.ring), now=clock.now,
        limits=GroupwareLimits(message=settings.lmtp.max_bytes),
    )
    groups = Groups(embedded.admin.groups_of, clock.monotonic)
    store = SqlStateStore(shared, groups.of, release=RELEASE)
    node = node_name()
    activity = ActivityStore(
        shared, node=node, write_seconds=settings.activity.write_seconds,
        whose=whose_logins(embedded, elsewhere.tenants, settings.domain),
    )
    live = Live(node)
    watch = Watch(live, activity)
    remembered = site_logins(sharing.link, store.site_secret)
    accounts = embedded.accounts if not elsewhere.tenants else elsewhere.join(
        embedded, settings.domain, clock.monotonic, remembered
    )
    hooks = join_hooks(settings, elsewhere, embedded.groupware, sharing, clock.monotonic)
    identity = identity_of(settings, clock.monotonic)
    measuring = Measuring(
        RELEASE, looks(database, shared, store, elsewhere, sharing.link, settings.database_connections)
    )
    mails = Notices(
        office=embedded.office, manner=notices_of(settings), relay=relay, tenants=elsewhere.tenants, now=clock.now
    )
    manner, heard = manner_of(settings), Heard(accounts, groups.heard)
    recorded = Recorded(settings.data, RecordingStore(shared), bell, node=node, release=RELEASE)
    site = Site(
        people=embedded.admin, store=store, activity=activity, ask=watch.ask, audit=AuditLog(shared),
        staff=StaffStore(shared), office=embedded.office, groupware=embedded.groupware, rings=Rings(),
        tell=told(bell), tenants=elsewhere.tenants, domain=settings.domain, wiping=wiping_of(settings),
        notices=mails, access=AccessStore(shared), terms=terms_of(settings),
        links=ProfileLinks(shared), accounts=heard, profiles=profiles_of(settings), recordings=recorded.store,
        shelf=recorded.shelf,
    )
    ports = Ports(
        accounts=heard, store=store, bell=bell, clock=clock, leases=sharing.leases,
        entropy=entropy or SystemEntropy(),
        ready=readiness.can_answer, readiness=readiness.report, documents=documents_of(settings),
        access=rules_of(settings, site, groups.of),
        figures=measuring.expose, activity=activity, live=live, hooks=hooks, logins=remembered.memory,
        passwords=store.passwords, tokens=identity.tokens,
        revocation_lists=HttpRevocationLists(hosts=settings.certificates.crl_hosts, monotonic=clock.monotonic),
        wipe_turned=WipeTurned(site),
    )
    sign_in = sign_in_of(settings, identity, ports.accounts, store.site_secret)
    pages = join_pages(settings, site, ports, manner, RELEASE, sign_in)
    return App(
        settings=settings, database=database, transactions=shared, store=store, activity=activity, watch=watch,
        embedded=embedded,
        elsewhere=elsewhere, sharing=sharing, identity=identity, readiness=readiness, site=site,
        asgi=Recorder(routes.application(ports, manner, pages), recorded.reels),
        lmtp=LmtpServer(embedded.office, limit=settings.lmtp.max_bytes, now=clock.now, hostname=domain),
        measuring=measuring, serving=Serving(database), recorded=recorded,
    )

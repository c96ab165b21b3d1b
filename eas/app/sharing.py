"""What the processes of a site share: the bell and the leases, over Redis where the settings name one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from eas.config import Settings
from eas.engine.ports import Leases
from eas.push.leases import LocalLeases
from eas.push.watch import WatchedBell, WatchOf

if TYPE_CHECKING:
    from eas.push.link import Link
    from eas.push.redis import RedisSite

log = structlog.get_logger("eas.app")


@dataclass(slots=True, kw_only=True)
class Sharing:
    """`link` None: there is one process. Without `started` nothing is shared, and nothing asks Redis."""

    bell: WatchedBell
    leases: Leases
    link: Link | None = None
    _started: bool = field(default=False)

    async def start(self) -> None:
        """Redis need not be there."""
        if self.link is not None:
            self._started = True
            await self.bell.start()
            await self.link.start()

    async def close(self) -> None:
        """After `bell.stop`."""
        await self.bell.close()
        if self.link is not None and self._started:
            await self.link.close()


def share(
    settings: Settings, watch_of: WatchOf, heard: Callable[[str, Collection[str]], None], *, alone: bool
) -> Sharing:
    """`heard` is told of what other processes ring. `alone`: for one that neither waits nor is rung."""
    most = settings.watches
    if not settings.redis.url or alone:
        return Sharing(bell=WatchedBell(watch_of, most=most), leases=LocalLeases())
    # Only where there is one: its library takes a tenth of a second to import.
    from eas.push.link import Link
    from eas.push.presence import Presence
    from eas.push.shared import SharedBell
    from eas.push.shared_leases import SharedLeases

    link = Link(site_of(settings))
    bell = SharedBell(watch_of, link, Presence(link, settings.limits.heartbeat_max_seconds), most=most)
    bell.heard = heard
    return Sharing(bell=bell, leases=SharedLeases(link), link=link)


def site_of(settings: Settings) -> RedisSite:
    from eas.push.redis import RedisSite

    asked = settings.redis
    return RedisSite(
        url=asked.url, cluster=asked.cluster, sentinels=tuple(map(_host_port, asked.sentinels)), service=asked.service,
        user=asked.user, password=asked.password.get_secret_value(),
        ca_file=str(asked.ca_file) if asked.ca_file is not None else "", prefix=asked.prefix,
    )


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


@dataclass(slots=True)
class Herald:
    """For the command line on a machine where no server runs: what the servers elsewhere are to be told, said at the
    end (`say`). `note` takes what the control socket takes."""

    settings: Settings
    _said: list[dict[str, Any]] = field(default_factory=list)

    def note(self, said: Any) -> bool:
        """False if there are no servers elsewhere."""
        if self.settings.redis.url:
            self._said.append(dict(said))
        return bool(self.settings.redis.url)

    async def say(self) -> bool:
        """False if Redis is away; the servers then see at the next look of each device what has changed."""
        if not self._said:
            return True
        from eas.push.calls import Calls
        from eas.push.link import Link
        from eas.push.presence import Presence

        link = Link(site_of(self.settings))
        calls = Calls(link, Presence(link, self.settings.limits.heartbeat_max_seconds))
        try:
            if not await link.find():
                return False
            rings, ends = _sorted(self._said)
            return not await calls.ring(rings, {}) and not await calls.end(ends)
        finally:
            await link.lanes.close()


def _sorted(said: Sequence[dict[str, Any]]) -> tuple[dict[str, set[str]], set[tuple[str, str]]]:
    rings: dict[str, set[str]] = {}
    for one in said:
        if one["do"] == "ring":
            rings.setdefault(one["user"], set()).update(one["collections"])
    return rings, {(one["user"], one["device"]) for one in said if one["do"] == "end"}

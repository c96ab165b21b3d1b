"""Redis as the processes of a site share it: where it is, and commands to it.

One connection for commands to each server that holds a part of the keys (one, unless it is a cluster). What is asked
while an answer is on its way goes out together with the next, in the order in which it was asked. A server that did not
answer in time is *away*: what is asked of it fails at once, so that nobody waits for it twice, until a beat (`.link`)
finds it again. Nothing that is here is needed: who asks goes on without.

https://redis.io/docs/latest/develop/reference/protocol-spec/; https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import structlog
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AskError, ClusterDownError, MovedError, ReadOnlyError, RedisError, TryAgainError

from eas import measures

log = structlog.get_logger("eas.redis")

#: So long an answer may take, connecting included: a phone that is held up by it does not notice.
ANSWER_SECONDS = 2.0
#: By so much later than that a time-out comes only in a process that has too much to do.
LATE_SECONDS = 0.5
#: Commands that go out together at most.
TOGETHER = 500
#: What a library or a socket says when a server cannot be reached.
FAILURES = (RedisError, OSError, TimeoutError)
#: Answers by which a server says that it is another's turn.
ELSEWHERE = (AskError, ClusterDownError, MovedError, ReadOnlyError, TryAgainError)

Command = tuple[str | int | bytes, ...]


class Away(Exception):
    """Redis, or the part of it that has the key, cannot be reached now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSite:
    """`url` as redis-py takes it. With `cluster`, of any of its nodes; with `sentinels` (host, port), only its scheme
    and database count. `ca_file` "": the system's certificates. `prefix`: what all names begin with."""

    url: str
    cluster: bool = False
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = "mymaster"
    user: str = ""
    password: str = ""
    ca_file: str = ""
    prefix: str = "eas"

    @property
    def name(self) -> str:
        """For the log: without what a URL may hide."""
        parts: dict[str, Any] = {**parse_url(self.url)}
        place = parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}"
        return f"master of {self.service}" if self.sentinels else str(place)

    def _options(self) -> dict[str, Any]:
        """Of every connection; what stands in the URL counts where nothing else is said."""
        named: dict[str, Any] = {**parse_url(self.url)}
        options = {name: named[name] for name in named if name in ("username", "password", "db")}
        options |= {name: value for name, value in (("username", self.user), ("password", self.password)) if value}
        # Once more at once, since an idle connection may have been closed. More is up to the caller.
        return options | self._sockets(ANSWER_SECONDS) | {"decode_responses": True, "protocol": 2}

    def _sockets(self, seconds: float) -> dict[str, Any]:
        return {"socket_timeout": seconds, "socket_connect_timeout": seconds, "retry": Retry(NoBackoff(), 1)}

    def _tls(self) -> dict[str, Any]:
        if not self.url.startswith("rediss://"):
            return {}
        return {"ssl": True, **({"ssl_ca_certs": self.ca_file} if self.ca_file else {})}

    def client(self) -> Redis:
        """Of one server, or of the master that sentinels know. Connects when it is first asked."""
        options = self._options() | self._tls()
        if self.sentinels:
            # A sentinel that is away must leave time to ask another one.
            sockets = self._sockets(ANSWER_SECONDS / 4) | self._tls()
            sentinel = Sentinel(self.sentinels, sentinel_kwargs=sockets, **options)  # type: ignore[no-untyped-call]
            master: Redis = sentinel.master_for(self.service)
            return master
        # Whether it is TLS the URL says.
        options.pop("ssl", None)
        return Redis.from_url(self.url, **options)

    def node(self, host: str, port: int) -> Redis:
        """Of one node of the cluster."""
        return Redis(host=host, port=port, **(self._options() | self._tls()))

    def map(self, known: Iterable[tuple[str, int]]) -> RedisCluster:
        """Knows which node of the cluster has which keys, once it has looked. It is asked for nothing else: it closes
        all its connections when one node is away. `known` are nodes that are asked besides that of `url`."""
        parts: dict[str, Any] = {**parse_url(self.url)}
        first = str(parts.get("host", "localhost")), int(parts.get("port", 6379))
        nodes = [ClusterNode(host, port) for host, port in dict.fromkeys((first, *known))]
        return RedisCluster(startup_nodes=nodes, require_full_coverage=False, **(self._options() | self._tls()))


class Lane:
    """The way to one server: a queue, and one connection. `away` until it was found (`found`)."""

    def __init__(self, name: str, client: Redis) -> None:
        self.name, self.client, self.away = name, client, True
        self._queue: deque[tuple[Command, asyncio.Future[Any] | None]] = deque()
        self._sender: asyncio.Task[None] | None = None

    def ask(self, command: Command, *, though_away: bool = False) -> asyncio.Future[Any]:
        """The answer, which may be an exception of ELSEWHERE as a value. Raises Away when awaited."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.away and not though_away:
            future.set_exception(Away(self.name))
        else:
            self._put(command, future)
        return future

    def post(self, command: Command) -> None:
        """Without waiting for an answer; lost if the server is away."""
        if not self.away:
            self._put(command, None)

    def found(self, *, quietly: bool = False) -> None:
        if self.away and not quietly:
            measures.REDIS_CONNECTS[()].inc()
            log.info("Redis is there", server=self.name)
        self.away = False

    async def close(self) -> None:
        """What is under way is said before, if it can be."""
        if self._sender is not None:
            await asyncio.gather(self._sender, return_exceptions=True)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.client.aclose()
                if isinstance(pool := self.client.connection_pool, SentinelConnectionPool):
                    await pool.sentinel_manager.aclose()
        except FAILURES as error:
            log.debug("closing", server=self.name, reason=str(error))

    def _put(self, command: Command, future: asyncio.Future[Any] | None) -> None:
        self._queue.append((command, future))
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._queue:
                some = [self._queue.popleft() for _ in range(min(len(self._queue), TOGETHER))]
                try:
                    answers = await self._in_time([command for command, _ in some])
                except FAILURES as error:
                    self._lost(error, some)
                else:
                    for (_, future), answer in zip(some, answers, strict=True):
                        _settle(future, answer)
        finally:
            self._sender = None

    async def _in_time(self, commands: Sequence[Command]) -> list[Any]:
        """Once more if it was this process that was late: the answers were there, and it did not come to read them.
        All that is asked may be asked twice."""
        began = monotonic()
        try:
            return await self._timed(commands)
        except FAILURES:
            if monotonic() - began < ANSWER_SECONDS + LATE_SECONDS:
                raise
        return await self._timed(commands)

    async def _timed(self, commands: Sequence[Command]) -> list[Any]:
        began = monotonic()
        async with asyncio.timeout(ANSWER_SECONDS):
            answers = await self._together(commands)
        measures.REDIS_SECONDS[()].observe(monotonic() - began)
        return answers

    async def _together(self, commands: Iterable[Command]) -> list[Any]:
        pipeline = self.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return await pipeline.execute(raise_on_error=False)

    def _lost(self, error: Exception, asked: list[tuple[Command, asyncio.Future[Any] | None]]) -> None:
        if not self.away:
            self.away = True
            log.warning("Redis is away", server=self.name, reason=str(error) or type(error).__name__)
        asked.extend(self._queue)
        self._queue.clear()
        for _, future in asked:
            if future is not None and not future.done():
                future.set_exception(Away(str(error) or type(error).__name__))


def _settle(future: asyncio.Future[Any] | None, answer: Any) -> None:
    if future is None or future.done():
        return
    if isinstance(answer, Exception) and not isinstance(answer, ELSEWHERE):
        future.set_exception(Away(str(answer)))
    else:
        future.set_result(answer)


class Lanes:
    """Which server has which key. `names` change when a cluster does."""

    def __init__(self, site: RedisSite) -> None:
        self.site = site
        self._lanes: dict[str, Lane] = {}
        self._map: RedisCluster | None = None
        self._nodes: set[tuple[str, int]] = set()
        self._looking = asyncio.Lock()
        if not site.cluster:
            self._lanes[site.name] = Lane(site.name, site.client())

    @property
    def all(self) -> Mapping[str, Lane]:
        return self._lanes

    def of(self, key: str) -> Lane:
        """Raises Away if nobody is known to have it."""
        if not self.site.cluster:
            return next(iter(self._lanes.values()))
        try:
            node = self._map.get_node_from_key(key) if self._map is not None else None
        except RedisError:
            node = None
        lane = self._lanes.get(node.name) if node is not None else None
        if lane is None:
            raise Away("nobody is known to have this part of the cluster")
        return lane

    async def ask(self, key: str, command: Command) -> Any:
        """Raises Away."""
        answer = await self.of(key).ask(command)
        if isinstance(answer, ELSEWHERE):
            await self.look_up()
            answer = await self.of(key).ask(command)
        if isinstance(answer, ELSEWHERE):
            raise Away(str(answer))
        return answer

    async def look_up(self) -> None:
        """Ask a cluster anew who has what; nothing to do for others. Raises Away."""
        if not self.site.cluster:
            return
        async with self._looking:
            new = self.site.map(self._nodes)
            try:
                async with asyncio.timeout(2 * ANSWER_SECONDS):
                    await new.nodes_manager.initialize()
                primaries = {node.name: (node.host, int(node.port)) for node in new.get_primaries()}
                self._nodes = {(node.host, int(node.port)) for node in new.get_nodes()}
            except FAILURES as error:
                raise Away(str(error)) from error
            finally:
                # Who has what it keeps; of its connections none is needed any more.
                await _disconnect(new)
            self._map = new
            gone = [self._lanes.pop(name) for name in self._lanes.keys() - primaries.keys()]
            for name, (host, port) in primaries.items():
                if name not in self._lanes:
                    self._lanes[name] = Lane(name, self.site.node(host, port))
            for lane in gone:
                lane.away = True
                await lane.close()

    async def close(self) -> None:
        for lane in self._lanes.values():
            await lane.close()


async def _disconnect(map: RedisCluster) -> None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await map.nodes_manager.aclose()
            await map.nodes_manager.aclose("startup_nodes")
    except FAILURES as error:
        log.debug("closing", reason=str(error))

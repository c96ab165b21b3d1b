"""What binds the processes of a site together: who is alive, and messages from one to another.

Every process is a node with a random name. It beats every two seconds: its name in a set of all nodes, with the time by
Redis's clock, and a message to its own channel. So all know who is alive, at a cost that does not grow with users; and
each knows whether its subscription stands, since it hears itself. A node that Redis does not know any more has been
away, or Redis has forgotten everything (a restart, a flush, a fail-over): then what stood there is to be said anew, and
what may have been missed is to be looked at.

docs/decisions/018-bell-over-redis.md
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from redis.asyncio.client import PubSub

from eas import measures

from .redis import ANSWER_SECONDS, FAILURES, Away, Command, Lane, Lanes, RedisSite

log = structlog.get_logger("eas.redis")

#: Between two beats.
BEAT_SECONDS = 2.0
#: A node that was silent for so long is dead: two beats, one of them slow, and some more.
LIFETIME_SECONDS = 7.0
#: A subscription on which not even the own beats come, twice in a row for so long, does not stand. Once may be a
#: process that has too much to do: the time-out comes before it reads what is there.
SILENCE_SECONDS = 2 * BEAT_SECONDS
#: Between two tries to subscribe: the first, and the longest.
RETRY_SECONDS = (0.1, 5.0)

BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], 10 * ARGV[2])
return {known and 1 or 0, redis.call('ZRANGE', KEYS[1], 0, -1)}
"""

#: A message: what it is about, and what belongs to it, for JSON.
Message = Sequence[Any]


class Link:
    """One process's part in the site. `heard` is told each message; `anew` the names of the servers (`server_of`) that
    may have forgotten what was said to them, once they can be talked to and messages come in again. `beat` are called
    after every beat, whether Redis answered or not; `lifetime_seconds` as the constant above."""

    def __init__(self, site: RedisSite, *, rng: random.Random | None = None) -> None:
        self.node = secrets.token_hex(8)
        self.lanes = Lanes(site)
        self.live: frozenset[str] = frozenset()
        self.heard: Callable[[Message], None] = lambda message: None
        self.anew: Callable[[Collection[str]], None] = lambda servers: None
        self.beat: list[Callable[[], None]] = []
        self.lifetime_seconds = LIFETIME_SECONDS
        self._site, self._random = site, rng or random.Random()
        self._stale: set[str] = set()
        #: By server: why it did not answer the last beat.
        self._reasons: dict[str, str] = {}
        self._subscribed = False
        self._sure_at = float("inf")
        self._up = asyncio.Event()
        self._hurry = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    # -- state

    @property
    def connected(self) -> bool:
        """Messages come in, and every server answers."""
        return self._subscribed and bool(self.lanes.all) and not any(lane.away for lane in self.lanes.all.values())

    @property
    def sure(self) -> bool:
        """Whether who is not in `live` is dead; not so shortly after Redis was away, when others come back as well."""
        return asyncio.get_running_loop().time() >= self._sure_at

    def key(self, kind: str, tag: str, rest: str = "") -> str:
        """Keys of one tag are on one server."""
        return f"{self._site.prefix}:{kind}:{{{tag}}}{rest}"

    def reaches(self, key: str) -> bool:
        """Whether what is asked there is likely to be answered, and messages come in."""
        with suppress(Away):
            return self._subscribed and not self.lanes.of(key).away
        return False

    def server_of(self, key: str) -> str:
        """"" if nobody is known to have it."""
        with suppress(Away):
            return self.lanes.of(key).name
        return ""

    # -- commands and messages

    async def ask(self, key: str, *command: str | int) -> Any:
        """Raises Away."""
        return await self.lanes.ask(key, command)

    async def run(self, script: str, keys: Sequence[str], *arguments: str | int) -> Any:
        """A Lua script over keys of one tag. Raises Away."""
        return await self.lanes.ask(keys[0], ("EVAL", script, len(keys), *keys, *arguments))

    def run_later(self, script: str, keys: Sequence[str], *arguments: str | int) -> None:
        """Nobody waits for it; it may be lost. What is asked afterwards is done afterwards."""
        with suppress(Away):
            self.lanes.of(keys[0]).post(("EVAL", script, len(keys), *keys, *arguments))

    async def tell(self, node: str, messages: Sequence[Message]) -> bool:
        """False if that node does not listen. Raises Away."""
        channel = self._channel(node)
        measures.NODE_MESSAGES["sent"].inc(len(messages))
        return bool(await self.lanes.ask(channel, self._publish(channel, json.dumps(messages, separators=(",", ":")))))

    def _channel(self, node: str) -> str:
        return f"{self._site.prefix}:node:{node}"

    def _publish(self, channel: str, text: str) -> Command:
        return ("SPUBLISH" if self._site.cluster else "PUBLISH", channel, text)

    # -- life

    async def start(self) -> None:
        """Returns when all is well, or soon in any case: what cannot be reached now is found later."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._beats()), loop.create_task(self._subscribe())]
        try:
            async with asyncio.timeout(2 * ANSWER_SECONDS):
                await self._up.wait()
        except TimeoutError:
            log.warning("started without Redis")

    async def find(self) -> bool:
        """For who only speaks: find Redis, without being a node. False if it is away."""
        with suppress(Away):
            await self.lanes.look_up()
            answers = await asyncio.gather(*(self._alive(key, lane) for lane, key in self._marks().items()))
            return any(answers)
        return False

    async def _alive(self, key: str, lane: Lane) -> bool:
        with suppress(Away):
            self.live |= frozenset(await lane.ask(("ZRANGE", key, 0, -1), though_away=True))
            lane.found(quietly=True)
        return not lane.away

    async def close(self) -> None:
        """The others know at their next beat."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lane, key in self._marks().items():
            lane.post(("ZREM", key, self.node))
        await self.lanes.close()

    # -- beats

    async def _beats(self) -> None:
        while True:
            try:
                await self._beat()
            except Exception as error:  # whatever it is, the next beat comes
                log.error("a beat failed", exc_info=error)
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS * (0.9 + 0.2 * self._random.random())):
                    await self._hurry.wait()
            self._hurry.clear()

    async def _beat(self) -> None:
        if not self.lanes.all or any(lane.away for lane in self.lanes.all.values()):
            with suppress(Away):
                await self.lanes.look_up()
        answers = await asyncio.gather(*(self._beat_at(lane, key) for lane, key in self._marks().items()))
        told = [nodes for nodes in answers if nodes is not None]
        if told:
            self.live = frozenset[str]().union(*told)
        channel = self._channel(self.node)
        with suppress(Away):
            self.lanes.of(channel).post(self._publish(channel, "[]"))
        if self._stale and self._subscribed:
            servers = {name for name in self._stale if name in self.lanes.all and not self.lanes.all[name].away}
            self._stale -= servers | (self._stale - self.lanes.all.keys())
            if servers:
                self._sure_at = asyncio.get_running_loop().time() + self.lifetime_seconds
                self._up.set()
                self.anew(servers)
        for hook in self.beat:
            hook()

    async def _beat_at(self, lane: Lane, key: str) -> frozenset[str] | None:
        """The nodes that live, as this server knows."""
        command: Command = ("EVAL", BEAT, 1, key, self.node, int(self.lifetime_seconds * 1000))
        try:
            answer = await lane.ask(command, though_away=True)
        except Away as error:
            answer = error
        if isinstance(answer, Exception):
            lane.away = True
            if self._reasons.get(lane.name) != str(answer):
                self._reasons[lane.name] = str(answer)
                log.warning("Redis does not answer", server=lane.name, reason=str(answer))
            return None
        self._reasons.pop(lane.name, None)
        known, nodes = answer
        if lane.away or not known:
            self._stale.add(lane.name)
        lane.found()
        return frozenset(nodes)

    def _marks(self) -> Mapping[Lane, str]:
        """For each server one key of the set of nodes that lies there: each is to be asked whether it still knows us.
        All processes take the same ones."""
        marks: dict[Lane, str] = {}
        for number in range(64 * len(self.lanes.all)):
            key = self.key("nodes", str(number))
            with suppress(Away):
                marks.setdefault(self.lanes.of(key), key)
            if len(marks) == len(self.lanes.all):
                break
        return marks

    # -- messages that come in

    async def _subscribe(self) -> None:
        first, longest = RETRY_SECONDS
        pause = first
        while True:
            try:
                async with self._subscription() as subscription:
                    silent = 0
                    while silent < 2:
                        message = await subscription.get_message(timeout=SILENCE_SECONDS)
                        silent = silent + 1 if message is None else 0
                        if message is not None:
                            self._take(message)
                            pause = first
                reason = "silence"
            except (*FAILURES, Away) as error:
                reason = str(error) or type(error).__name__
            if self._subscribed:
                log.warning("messages of other nodes do not come in", reason=reason)
            self._subscribed = False
            # With jitter, so that a server that comes back is not met by everybody at once.
            await asyncio.sleep(pause * (0.5 + self._random.random()))
            pause = min(2 * pause, longest)

    @asynccontextmanager
    async def _subscription(self) -> AsyncIterator[PubSub]:
        channel = self._channel(self.node)
        subscription = self.lanes.of(channel).client.pubsub()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await (subscription.ssubscribe if self._site.cluster else subscription.subscribe)(channel)
            yield subscription
        finally:
            with suppress(*FAILURES):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await subscription.aclose()  # type: ignore[no-untyped-call]

    def _take(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        if kind in ("subscribe", "ssubscribe"):
            # Also after the library has connected anew by itself: something may have been missed.
            self._subscribed = True
            self._stale.update(self.lanes.all)
            self._hurry.set()
        elif kind in ("message", "smessage"):
            self._pass_on(message["data"])
        elif kind in ("unsubscribe", "sunsubscribe"):
            raise Away("the channel has moved")

    def _pass_on(self, text: str) -> None:
        try:
            for message in json.loads(text):
                measures.NODE_MESSAGES["heard"].inc()
                self.heard(message)
        except (ValueError, TypeError, LookupError) as error:
            # Another release may say what this one does not know.
            log.warning("a message that cannot be read", reason=repr(error))

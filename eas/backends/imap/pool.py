"""ImapPool: connections by user and credentials, opened on demand and kept for a while. Implements `model.Pool`.

Two limits hold at a time: a user's connections in use, and all open ones of a tenant's servers on this node. Whoever
finds one reached waits in turn, for the server's time-out at most. Idle connections give way to those that are needed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field

from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import ImapServer

from .login import Identity, enter, identity
from .model import Bad, ImapError, LoginRefused, Lost
from .session import ImapSession

#: For what is left of an answer that nobody wanted; a new connection takes less.
_SETTLING_SECONDS = 2.0
#: At most until idle connections are looked at: the server may have closed some.
_SWEEP_SECONDS = 10.0
#: The share of all connections to a tenant's servers that listen at most: the others are left for what devices ask.
LISTENING_SHARE = 0.5
#: Tenant and login.
_User = tuple[str, str]


class Gate:
    """So many at a time, the others in the order in which they came."""

    def __init__(self) -> None:
        self.inside = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def crowded(self) -> bool:
        """Somebody waits."""
        return bool(self._queue)

    async def enter(self, limit: int) -> None:
        if self.inside < limit and not self._queue:
            self.inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn  # whoever leaves hands its place over
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.leave()
            else:
                with suppress(ValueError):
                    self._queue.remove(turn)
            raise

    def leave(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.inside -= 1


@dataclass(slots=True)
class _Idle:
    session: ImapSession
    node: Gate
    digest: bytes
    since: float
    seconds: float


@dataclass(slots=True)
class _Connections:
    """Of one user. The most recently used idle one stands last."""

    gate: Gate = field(default_factory=Gate)
    idle: list[_Idle] = field(default_factory=list)

    @property
    def needless(self) -> bool:
        return not self.idle and not self.gate.inside and not self.gate.crowded


class ImapPool:
    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = monotonic
        self._key = secrets.token_bytes(32)
        self._users: dict[_User, _Connections] = {}
        self._nodes: dict[str, Gate] = {}
        self._listening: Counter[str] = Counter()
        self._closing: set[ImapSession] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._home: tuple[int, asyncio.AbstractEventLoop] | None = None

    # --- What Pool promises

    def use(self, account: Account, mailbox: str = "") -> AbstractAsyncContextManager[ImapSession]:
        """See `model.Pool`."""
        return self._use(account, mailbox)

    @asynccontextmanager
    async def listen(self, account: Account) -> AsyncIterator[ImapSession | None]:
        """See `model.Pool`."""
        self._settle_in()
        server, name = _server(account), account.tenant.name
        if server.per_user < 2 or self._listening[name] >= int(server.per_node * LISTENING_SHARE):
            yield None
            return
        self._listening[name] += 1
        try:
            async with self._use(account, "", apart=True) as session:
                session.special = True
                yield session
        finally:
            self._listening[name] -= 1

    @asynccontextmanager
    async def _use(self, account: Account, mailbox: str, *, apart: bool = False) -> AsyncIterator[ImapSession]:
        """`apart`: a new connection rather than an idle one, if there may be one more."""
        self._settle_in()
        server = _server(account)
        who = identity(server, account.login, account.secret)
        user, node = (account.tenant.name, account.login), self._nodes.setdefault(account.tenant.name, Gate())
        mine = self._users.setdefault(user, _Connections())
        try:
            async with _within(server, "all connections of the user are in use"):
                await mine.gate.enter(server.per_user)
            try:
                if apart and mine.gate.inside + len(mine.idle) <= server.per_user:
                    session = await self._open(server, node, who)
                else:
                    session = await self._session(server, node, who, mine, mailbox)
                try:
                    yield session
                finally:
                    await self._give_back(session, server, node, who, mine)
            finally:
                mine.gate.leave()
        finally:
            self._tidy(user, mine)

    async def check(self, account: Account) -> bool:
        """See `model.Pool`. The user's own credentials, even where a master user enters otherwise."""
        self._settle_in()
        server = _server(account)
        node = self._nodes.setdefault(account.tenant.name, Gate())
        try:
            who = identity(server, account.login, account.secret, own=True)
            session = await self._open(server, node, who)
        except LoginRefused:
            return False
        except Bad as error:
            raise Lost(f"{server.host}: {error}") from error
        user = (account.tenant.name, account.login)
        mine = self._users.setdefault(user, _Connections())
        if server.master_user or node.crowded or mine.gate.inside + len(mine.idle) >= server.per_user:
            self._close(session, node)
        else:
            self._keep(session, server, node, who, mine)
        self._tidy(user, mine)
        return True

    async def drop(self, account: Account) -> None:
        """See `model.Pool`."""
        self._settle_in()
        user = (account.tenant.name, account.login)
        mine = self._users.get(user)
        if mine is not None:
            for idle in mine.idle:
                self._close(idle.session, idle.node)
            mine.idle.clear()
            self._tidy(user, mine)

    async def close(self) -> None:
        """Of those in use, each is closed when its block ends."""
        self._settle_in()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for user, mine in list(self._users.items()):
            for idle in mine.idle:
                self._close(idle.session, idle.node)
            mine.idle.clear()
            self._tidy(user, mine)
        await asyncio.gather(*[session.connection.wire.closed() for session in list(self._closing)])
        self._closing.clear()

    def census(self) -> dict[str, int]:
        """How many connections there are: "used", "listening" and "idle"."""
        idle = sum(len(mine.idle) for mine in self._users.values())
        listening = sum(self._listening.values())
        used = sum(node.inside for node in self._nodes.values()) - idle - listening
        return {"used": max(0, used), "listening": listening, "idle": idle}

    # --- Taking and giving back

    async def _session(
        self, server: ImapServer, node: Gate, who: Identity, mine: _Connections, mailbox: str
    ) -> ImapSession:
        """Called by somebody who has a place in the user's gate."""
        digest = self._digest(server, who)
        while (idle := _best(mine.idle, digest, mailbox)) is not None:
            mine.idle.remove(idle)
            # What the server has said meanwhile, its good-bye perhaps, may still stand at the socket.
            try:
                await idle.session.connection.wire.catch_up()
            except BaseException:
                self._close(idle.session, idle.node)
                raise
            if idle.session.catch_up():
                return idle.session
            self._close(idle.session, idle.node)
        while mine.idle and mine.gate.inside + len(mine.idle) > server.per_user:
            # Opened with another password.
            oldest = mine.idle.pop(0)
            self._close(oldest.session, oldest.node)
        return await self._open(server, node, who)

    async def _open(self, server: ImapServer, node: Gate, who: Identity) -> ImapSession:
        if node.inside >= server.per_node:
            self._evict(node)
        async with _within(server, "all connections to the server are in use"):
            await node.enter(server.per_node)
        try:
            return await enter(server, who)
        except BaseException:
            node.leave()
            raise

    def _evict(self, node: Gate) -> None:
        """The connection that has been idle for the longest."""
        found = [
            (idle.since, index, mine, idle)
            for index, mine in enumerate(self._users.values())
            for idle in mine.idle
            if idle.node is node
        ]
        if found:
            _, _, mine, oldest = min(found)
            mine.idle.remove(oldest)
            self._close(oldest.session, oldest.node)

    async def _give_back(
        self, session: ImapSession, server: ImapServer, node: Gate, who: Identity, mine: _Connections
    ) -> None:
        try:
            if session.connection.alive:
                async with asyncio.timeout(_SETTLING_SECONDS):
                    await session.settle()
        except (ImapError, TimeoutError):
            pass
        except BaseException:
            self._close(session, node)
            raise
        if session.clean and not node.crowded:
            self._keep(session, server, node, who, mine)
        else:
            self._close(session, node)

    def _keep(self, session: ImapSession, server: ImapServer, node: Gate, who: Identity, mine: _Connections) -> None:
        mine.idle.append(_Idle(session, node, self._digest(server, who), self._now(), server.idle_seconds))
        self._set_timer(server.idle_seconds)

    def _close(self, session: ImapSession, node: Gate) -> None:
        session.end()
        self._closing.add(session)
        session.connection.wire.when_closed(lambda: self._closing.discard(session))
        node.leave()

    def _tidy(self, user: _User, mine: _Connections) -> None:
        if mine.needless and self._users.get(user) is mine:
            del self._users[user]

    def _digest(self, server: ImapServer, who: Identity) -> bytes:
        """Of everything that a connection is entered with: what differs in it never shares one."""
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        given = (server.host, str(server.port), who.name, who.authorized, who.secret.value, str(who.secret.bearer))
        for part in given:
            digest.update(len(part).to_bytes(4) + part.encode("utf-8", "surrogatepass"))
        return digest.digest()

    # --- Time

    def _set_timer(self, seconds: float) -> None:
        if self._timer is None:
            after = min(max(seconds, 0.01), _SWEEP_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(after, self._sweep)

    def _sweep(self) -> None:
        """Closes what has been idle for long enough, or was closed by the server."""
        self._timer = None
        now, next_at = self._now(), float("inf")
        for user, mine in list(self._users.items()):
            for idle in list(mine.idle):
                if now - idle.since >= idle.seconds or not idle.session.connection.alive:
                    mine.idle.remove(idle)
                    self._close(idle.session, idle.node)
                else:
                    next_at = min(next_at, idle.since + idle.seconds)
            self._tidy(user, mine)
        if next_at < float("inf"):
            self._set_timer(next_at - now)

    def _settle_in(self) -> None:
        """Connections belong to a process and an event loop. In others they are not ours: we forget them."""
        home = (os.getpid(), asyncio.get_running_loop())
        if self._home != home:
            self._users.clear()
            self._nodes.clear()
            self._listening.clear()
            self._closing.clear()
            self._timer = None
            self._home = home


def _server(account: Account) -> ImapServer:
    server = account.tenant.imap
    if server is None:
        raise Bad("no IMAP server is configured")
    return server


def _best(idle: list[_Idle], digest: bytes, mailbox: str) -> _Idle | None:
    """One with the mailbox selected; else one with none, so that what others have selected stays; else the latest."""
    mine = [one for one in reversed(idle) if one.digest == digest]
    for wanted in (mailbox, ""):
        for one in mine:
            selected = one.session.selected
            if (selected.name if selected else "") == wanted:
                return one
    return mine[0] if mine else None


@asynccontextmanager
async def _within(server: ImapServer, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(server.timeout_seconds):
            yield
    except TimeoutError as error:
        raise Lost(f"{server.host}: {what}") from error

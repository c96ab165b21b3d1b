"""Plays a session against a server: each request in the server's own words, each answer compared with the recorded one.

    async with HttpLine(url, user, password) as line:
        with open_session(file) as session:
            async for outcome in play(session.exchanges, line, Manner()):
                ...

Exchanges that overlapped when they were recorded overlap again: one begins when all have ended that had ended by then.
Outcomes come as exchanges end. Of a session no more is held than what is under way.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from eas.client.errors import PROVISIONING
from eas.replay.comparing.outcome import Difference, Outcome
from eas.replay.format import body as bodies
from eas.replay.format.capture import kept, read_body
from eas.replay.format.model import Answer, Exchange, Request, SessionError, header

from .binding import Binding, Who
from .learning import document_of, learn, text
from .line import PATIENCE_SECONDS, Line, Received
from .moments import NONE
from .provisioning import provisioned
from .rewriting import expected_answer, live_request
from .targets import command_of, device_of
from .waits import Waits, ended_by_change, heartbeat, is_wait, longest_told, shortened

#: Exchanges that are looked at ahead, since recordings may write a long one after those that it overlapped.
AHEAD = 32
#: Redirects (451) followed for one request.
REDIRECTS = 3
#: Seconds after which a held request has certainly reached the server, so that what it waits for may happen.
SETTLED_SECONDS = 0.25
#: A shortened wait that something ends which is made to happen lasts so long at most: a slow server may take its time.
CAUSED_SECONDS = 30.0
#: The longest pause between requests where waits are cut.
PAUSE_SECONDS = 1.0
#: [MS-ASHTTP]: provision first.
NEED_PROVISIONING = 449

NOBODY = Who()

Compare = Callable[[Answer, Answer, str], Iterable[Difference]]


class Stage(Protocol):
    """Who makes happen on the server what happened there when the session was recorded."""

    def causes(self, number: int) -> bool:
        """Whether something is made to happen while that exchange waits."""
        ...

    async def before(self, number: int) -> tuple[str, ...]:
        """What had happened before that exchange; what could not be done, in words."""
        ...

    async def during(self, number: int) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a session is played. `wait_seconds`: how long a shortened wait is, the server's least. `fast`: without the
    recorded pauses. `compare` None: answers are not compared. `provision`: where the server wants that at another
    place than recorded, it gets it, so that the rest can go on."""

    who: Who = NOBODY
    shift: timedelta = NONE
    version: str = ""
    waits: Waits = Waits.SHORT
    wait_seconds: float = 60.0
    fast: bool = True
    compare: Compare | None = None
    stage: Stage | None = None
    provision: bool = True


async def play(
    exchanges: Iterable[Exchange], line: Line, manner: Manner, binding: Binding | None = None
) -> AsyncGenerator[Outcome, None]:
    """Raises SessionError from `exchanges`; what goes wrong on the line is told in outcomes."""
    player = Player(line, manner, binding or Binding(who=manner.who, by=manner.shift))
    async with aclosing(player.play(exchanges)) as outcomes:
        async for outcome in outcomes:
            yield outcome


def in_order(exchanges: Iterable[Exchange], ahead: int = AHEAD) -> Iterator[tuple[Exchange, Exchange | None]]:
    """By when they began, each with the one that follows."""
    waiting: list[tuple[datetime, int, int, Exchange]] = []
    before: Exchange | None = None
    for count, exchange in enumerate(exchanges):
        heapq.heappush(waiting, (exchange.time, exchange.number, count, exchange))
        if len(waiting) > ahead:
            following = heapq.heappop(waiting)[-1]
            if before is not None:
                yield before, following
            before = following
    while waiting:
        following = heapq.heappop(waiting)[-1]
        if before is not None:
            yield before, following
        before = following
    if before is not None:
        yield before, None


@dataclass(slots=True)
class Player:
    """One device's session on one line."""

    line: Line
    manner: Manner
    binding: Binding
    _under_way: dict[asyncio.Task[Outcome], Exchange] = field(default_factory=dict)
    _origin: tuple[float, datetime] | None = None
    _bound: float = 0.0

    async def play(self, exchanges: Iterable[Exchange]) -> AsyncGenerator[Outcome, None]:
        try:
            for exchange, following in in_order(exchanges):
                async for outcome in self._ended(exchange.time):
                    yield outcome
                await self._pause(exchange)
                overlapped = following is not None and following.time < _end(exchange)
                task = asyncio.create_task(self.one(exchange, overlapped=overlapped))
                self._under_way[task] = exchange
                if overlapped:
                    await asyncio.wait((task,), timeout=SETTLED_SECONDS)
            async for outcome in self._ended(None):
                yield outcome
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _ended(self, by: datetime | None) -> AsyncIterator[Outcome]:
        """Those that had ended by then when they were recorded; all for None."""
        due = [task for task, exchange in self._under_way.items() if by is None or _end(exchange) <= by]
        for task in due:
            if not task.done() and _broken_off(self._under_way[task]):
                task.cancel()
        for task in due:
            exchange = self._under_way[task]
            await asyncio.wait((task,))  # unlike awaiting it, this does not take our own end for the task's
            del self._under_way[task]
            if task.cancelled():
                yield Outcome(exchange=exchange, notes=("broken off, as recorded",))
            else:
                yield task.result()

    async def _pause(self, exchange: Exchange) -> None:
        if self.manner.fast:
            return
        now = time.monotonic()
        if self._origin is None:
            self._origin = now, exchange.time
        began, first = self._origin
        left = (exchange.time - first).total_seconds() - (now - began)
        if self.manner.waits is not Waits.KEPT and left > PAUSE_SECONDS:
            left = PAUSE_SECONDS
        if left > 0:
            await asyncio.sleep(left)
        self._origin = time.monotonic(), exchange.time

    # -- one exchange

    async def one(self, exchange: Exchange, *, overlapped: bool = False) -> Outcome:
        notes: list[str] = []
        stage = self.manner.stage
        if stage is not None:
            notes += await stage.before(exchange.number)
        caused = stage is not None and stage.causes(exchange.number)
        request, skipped = self._waiting(exchange, caused, overlapped, notes)
        if skipped:
            return self._skip(exchange, skipped, notes)
        try:
            words = live_request(request, self.binding, self.manner.version)
            data = bodies.wire(words.request.body) if words.request is not None else b""
        except SessionError as error:
            return self._skip(exchange, error.message, notes)
        notes += words.notes
        if words.request is None:
            return self._skip(exchange, words.skipped, notes)
        if stage is None or not caused:
            return await self._asked(exchange, request, words.request, data, notes)
        async with asyncio.TaskGroup() as both:
            happening = both.create_task(_later(stage, exchange.number))
            asked = both.create_task(self._asked(exchange, request, words.request, data, notes))
        outcome = asked.result()
        return replace(outcome, notes=(*outcome.notes, *happening.result()))

    def _waiting(self, exchange: Exchange, caused: bool, overlapped: bool, notes: list[str]) -> tuple[Request, str]:
        """The request as it may wait, or why it is not sent."""
        request, waits = exchange.request, self.manner.waits
        by_change = ended_by_change(exchange.answer)
        changed = by_change and not caused and not overlapped
        if not is_wait(request) or (waits is Waits.KEPT and not changed):
            return request, ""
        ping = command_of(request.target) == "Ping"
        if waits is Waits.NONE and ping and exchange.answer.seconds > 0:
            return request, "a wait"
        if changed:
            if ping:
                return request, "the change that ended this wait is not made to happen"
            notes.append("sent without its wait: the change that ended it is not made to happen")
            return replace(request, body=shortened(request.body, 0)), ""
        short = max(self.manner.wait_seconds, CAUSED_SECONDS if by_change and caused else 0.0)
        most = 0.0 if waits is Waits.NONE else min(short, self._bound or short)
        return replace(request, body=shortened(request.body, most)), ""

    def _skip(self, exchange: Exchange, why: str, notes: Iterable[str]) -> Outcome:
        """Keys stay what they are: the recorded ones that follow mean them."""
        self._learn(exchange, None)
        return Outcome(exchange=exchange, skipped=why, notes=tuple(notes))

    async def _asked(
        self, exchange: Exchange, request: Request, sent: Request, data: bytes, notes: list[str]
    ) -> Outcome:
        command = command_of(exchange.request.target)
        received = await self._send(sent, data, notes)
        got = _answer(received)
        if bound := longest_told(document_of(got.body)):
            self._bound = bound
            if not longest_told(document_of(exchange.answer.body)) and heartbeat(document_of(sent.body)) > bound:
                notes.append(f"the server lets wait {bound:.0f} s at most: asked again so")
                sent = replace(sent, body=shortened(sent.body, bound))
                received = await self._send(sent, bodies.wire(sent.body), notes)
                got = _answer(received)
        told: list[Difference] = []
        if self.manner.provision and _wants_provisioning(got) and not _wants_provisioning(exchange.answer):
            told += self._compared(exchange, got, command)
            key = await provisioned(self.line, sent)
            if key:
                notes.append("the server wants provisioning here: done, and asked again")
                self.binding.policy_key = key
                again = live_request(request, self.binding, self.manner.version)
                if again.request is not None:
                    sent = again.request
                    received = await self._send(sent, bodies.wire(sent.body), notes)
                    got = _answer(received)
            else:
                notes.append("the server wants provisioning here, and gives no policy")
        if exchange.answer.status is None:
            notes.append("its answer was lost when it was recorded: thrown away")
            return Outcome(exchange=exchange, sent=sent, got=got, seconds=received.seconds, notes=tuple(notes))
        self._learn(exchange, got)
        told += self._compared(exchange, got, command)
        return Outcome(
            exchange=exchange, sent=sent, got=got if got.status is not None else None, differences=tuple(told),
            seconds=received.seconds, notes=tuple(notes),
        )

    async def _send(self, sent: Request, data: bytes, notes: list[str]) -> Received:
        patience = PATIENCE_SECONDS + heartbeat(document_of(sent.body))
        if is_wait(sent):
            patience = max(patience, 3600.0 if self.manner.waits is Waits.KEPT else 600.0)
        for _ in range(REDIRECTS):
            received = await self.line.send(sent.method, sent.target, sent.headers, data, patience=patience)
            location = header(received.headers, "X-MS-Location") if received.status == 451 else ""
            if not location:
                break
            if not self.line.moved(location):
                notes.append(f"the server names another place, which is not gone to: {location[:80]}")
                break
            notes.append(f"the server has sent us on to {location[:80]}")
        return received

    def _compared(self, exchange: Exchange, got: Answer, command: str) -> Iterable[Difference]:
        if self.manner.compare is None or exchange.answer.status is None:
            return ()
        return self.manner.compare(expected_answer(exchange.answer, self.binding), got, command)

    def _learn(self, exchange: Exchange, got: Answer | None) -> None:
        """Nothing is learned of an exchange that failed when it was recorded: its device did not learn either."""
        if exchange.answer.status != 200:
            return
        live = document_of(got.body) if got is not None and got.status == 200 else None
        learn(self.binding, document_of(exchange.request.body), document_of(exchange.answer.body), live)


# Pure parts ----------------------------------------------------------------------------------------------------------


def _end(exchange: Exchange) -> datetime:
    return exchange.time + timedelta(seconds=exchange.answer.seconds)


def _broken_off(exchange: Exchange) -> bool:
    """A wait that its device gave up."""
    return exchange.answer.status is None and is_wait(exchange.request)


async def _later(stage: Stage, number: int) -> tuple[str, ...]:
    await asyncio.sleep(SETTLED_SECONDS)
    return await stage.during(number)


def _answer(received: Received) -> Answer:
    headers = kept(received.headers)
    return Answer(
        status=received.status, seconds=received.seconds, headers=headers, body=read_body(received.body, headers),
        why=received.why,
    )


def _wants_provisioning(answer: Answer) -> bool:
    if answer.status == NEED_PROVISIONING:
        return True
    root = document_of(answer.body)
    if answer.status != 200 or root is None or root.tag == "Provision:Provision":
        return False
    status = text(root, f"{root.tag.partition(':')[0]}:Status")
    return status.isascii() and status.isdigit() and int(status) in PROVISIONING


def who_of(first: Exchange, user: str = "", address: str = "", device: str = "", recorded_user: str = "") -> Who:
    """Whose session it was, by its first request, and as whom it is to be played."""
    was, _ = device_of(first.request.target)
    was = recorded_user or was
    return Who(
        recorded_user=was, user=user, recorded_address=was if "@" in was else "",
        address=address or (user if "@" in user else ""), device=device,
    )

"""What passed the proxy, into a session file: masked, in the order in which answers ended, up to a size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from eas.protocol import http
from eas.protocol import query as queries
from eas.replay.format.model import (
    CLIENT,
    DEVICE,
    DEVICE_TYPE,
    HEAD,
    ORIGIN,
    PROTOCOL,
    SERVER,
    STARTED,
    USER,
    Answer,
    Exchange,
    LeftOut,
    Meta,
    Request,
    header,
)
from eas.replay.format.writing import STANDARD, Writer, moment, replace_head

from .talk import Talk

#: Exchanges that may wait to be written; beyond it clients wait with them.
BEHIND = 100
#: Different values of one field of the head. A proxy in front of a company would have a head of many pages.
MAX_VALUES = 20


@dataclass(slots=True)
class Seen:
    """What the head says of a session: values in the order in which they came, once each."""

    started: datetime
    values: dict[str, dict[str, None]] = field(default_factory=dict)

    def take(self, exchange: Exchange) -> None:
        self._request(exchange.request)
        self._answer(exchange.answer)

    def _request(self, request: Request) -> None:
        self._add(CLIENT, header(request.headers, "User-Agent"))
        self._add(PROTOCOL, header(request.headers, http.PROTOCOL_VERSION))
        try:
            query = queries.parse(request.query)
        except queries.QueryError:
            return
        self._add(DEVICE, query.device_id)
        self._add(DEVICE_TYPE, query.device_type)
        self._add(USER, query.user)
        self._add(PROTOCOL, query.version.text if query.version else "")

    def _answer(self, answer: Answer) -> None:
        said = [header(answer.headers, "Server")]
        if version := header(answer.headers, http.SERVER_ACTIVESYNC):
            said.append(f"{http.SERVER_ACTIVESYNC} {version}")
        self._add(SERVER, ", ".join(filter(None, said)))

    def _add(self, name: str, value: str) -> None:
        known = self.values.setdefault(name, {})
        if value and len(known) < MAX_VALUES:
            known[value] = None

    def meta(self) -> Meta:
        fields = {
            **{name: list(values) for name, values in self.values.items()},
            STARTED: [moment(self.started)],
            ORIGIN: ["recorded by eas session proxy"],
        }
        return Meta(tuple((name, value) for name in HEAD for value in fields.get(name, ())))


@dataclass(slots=True)
class Figures:
    exchanges: int = 0
    failed: int = 0
    sent: int = 0
    received: int = 0


class Recording:
    """Takes what passed (`add`), and writes it in a thread, so that nobody waits for it.

    `keep` is what may be written of an exchange, `keep_meta` of the head; `told` is called with each one as it was and
    with the bytes that travelled either way. `full` is called when nothing more is written: the file has as many
    characters as it may have.
    """

    def __init__(
        self, writer: Writer, *, keep: Callable[[Exchange], Exchange], keep_meta: Callable[[Meta], Meta],
        told: Callable[[Exchange, int, int], None], max_size: int,
    ) -> None:
        self._writer, self._keep, self._keep_meta, self._told = writer, keep, keep_meta, told
        self.full: Callable[[], object] = lambda: None
        self._max_size = max_size
        self._queue: asyncio.Queue[Talk | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()
        self.seen = Seen(datetime.now(UTC))
        self.figures = Figures()
        #: What kept an exchange from being written: a full disk.
        self.fault: OSError | None = None
        writer.head(self.meta)

    @property
    def meta(self) -> Meta:
        return self._keep_meta(self.seen.meta())

    def add(self, talk: Talk) -> None:
        self._queue.put_nowait(talk)
        if self._queue.qsize() > BEHIND:
            self._room.clear()

    async def room(self) -> None:
        """Returns when what waits to be written is not too much."""
        await self._room.wait()

    async def run(self) -> None:
        """Write what comes, until `finish`."""
        try:
            while (talk := await self._queue.get()) is not None:
                await asyncio.to_thread(self._write, talk)
                if self._queue.qsize() <= BEHIND:
                    self._room.set()
        finally:
            self._room.set()
            self.full()

    async def finish(self, running: asyncio.Task[None]) -> None:
        """Write what still waits."""
        self._queue.put_nowait(None)
        await running

    def _write(self, talk: Talk) -> None:
        if self._writer.written >= self._max_size:
            return
        self.figures.exchanges += 1
        self.figures.sent += talk.asked.size
        self.figures.received += talk.told.size
        self.figures.failed += talk.status is None or talk.status >= 500
        exchange = talk.exchange(self.figures.exchanges)
        self.seen.take(exchange)
        self._told(exchange, talk.asked.size, talk.told.size)
        try:
            self._writer.add(self._kept(exchange))
        except OSError as error:
            self.fault = error
        if self.fault or self._writer.written >= self._max_size:
            self.full()

    def _kept(self, exchange: Exchange) -> Exchange:
        """What may be written. A fault in masking loses the contents, and never lets them through."""
        try:
            return self._keep(exchange)
        except Exception as error:
            lost = LeftOut(-1, f"masking failed: {type(error).__name__}")
            return replace(
                exchange, comments=(), answer=replace(exchange.answer, headers=(), body=lost, why=""),
                request=replace(exchange.request, target=exchange.request.path, headers=(), body=lost),
            )

    def close(self, file: str | Path) -> None:
        """The head with all that is known at the end. The writer has to be closed. Raises OSError."""
        if str(file) != STANDARD:
            replace_head(Path(file), self.meta)

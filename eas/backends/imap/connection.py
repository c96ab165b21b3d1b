"""One connection in IMAP's terms: commands with tags, answers, continuation requests, time-outs.

It knows when a command begins and ends, not what it means. Whatever the server says goes to `hear`, in order, before
anybody waits for more. A command of which the end was not seen leaves the connection `busy`; nothing else can be said
then, except after `abandon`, which has the rest of the answer read and thrown away first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable

from . import commands
from .commands import Literal, Piece
from .decoder import Decoder
from .model import Bad, Lost, No
from .responses import Go, Said, Untagged
from .syntax import NEVER, ImapSyntaxError
from .timing import timed
from .wire import Wire

#: How often the time-out a command may take at most if the server keeps it alive by words ("still searching").
_PATIENCE = 20
#: Octets of an abandoned answer that are read and thrown away; where more is to come, a new connection is cheaper.
MAX_DRAINED = 1 << 20
#: Octets of a literal that are written in one go.
_AT_ONCE = 128 << 10
#: Of the event loop, in which it closes a generator.
_ROUNDS = 4


#: What is said goes there; True if it is what was asked for, as opposed to news.
Hear = Callable[[Untagged], bool]


class Connection:
    def __init__(self, wire: Wire, timeout_seconds: float) -> None:
        self.wire = wire
        self.timeout_seconds = timeout_seconds
        self.capabilities: frozenset[str] = frozenset()
        self._decoder = Decoder()
        self._tags = 0
        self._busy = ""
        self._abandoned = ""
        #: What was read behind the end of the last command.
        self._over: list[Untagged | bytes] = []
        self._farewell = ""
        #: What was read last may hold the end of a command.
        self._tagged = False

    @property
    def alive(self) -> bool:
        return not self.wire.ended

    @property
    def busy(self) -> bool:
        return bool(self._busy)

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        return not self._busy and not self._abandoned

    def lost(self, why: str) -> Lost:
        """Cuts the line; what it is to be raised with."""
        why = self._farewell or why
        self.wire.abort()
        return Lost(why if why.startswith(self.wire.where) else f"{self.wire.where}: {why}")

    # Sending.

    def begin(self, pass_from: int = NEVER) -> str:
        """A tag. Literals of content from `pass_from` on will come in pieces."""
        if self._busy:
            raise Bad("another command is under way on this connection")
        if self._abandoned:
            raise Bad("the rest of an answer has not been read")
        self._tags += 1
        self._busy = f"A{self._tags}"
        self._decoder.framer.pass_from = pass_from
        return self._busy

    def end(self, tag: str) -> None:
        if self._busy == tag:
            self._busy = ""

    def abandon(self, tag: str) -> None:
        """Nobody wants the rest of the answer, if it is still under way: generators are closed late."""
        if self._busy == tag:
            self._abandoned, self._busy = tag, ""

    async def send(self, tag: str, pieces: Iterable[Piece], hear: Hear) -> Said | None:
        """A command; the server's refusal if it refused before the end (a literal that is too large)."""
        line = [tag.encode("ascii"), b" "]
        for piece in commands.merged(pieces):
            if isinstance(piece, bytes):
                line.append(piece)
                continue
            unasked = self._takes_unasked(piece)
            line.append(piece.announced(unasked))
            if not unasked:
                self.wire.write(b"".join(line))
                line.clear()
                refused = await self.until(tag, hear, go=True)
                if refused is not None:
                    return refused
            if len(piece.data) <= _AT_ONCE:
                line.append(piece.data)
            else:
                await self._send_large(piece.data)
        line.append(b"\r\n")
        self.wire.write(b"".join(line) if len(line) > 1 else line[0])
        await self.wire.drain(self.timeout_seconds)
        return None

    async def _send_large(self, data: bytes) -> None:
        """Piece by piece, so that it is not held another time while it waits to be taken."""
        view = memoryview(data)
        for at in range(0, len(data), _AT_ONCE):
            self.wire.write(bytes(view[at : at + _AT_ONCE]))
            await self.wire.drain(self.timeout_seconds)

    def _takes_unasked(self, literal: Literal) -> bool:
        if literal.binary or len(literal.data) > commands.UNASKED:
            return False
        return bool(self.capabilities & {"LITERAL+", "LITERAL-"})

    # Receiving.

    async def read(self, seconds: float | None = None) -> list[Untagged | bytes]:
        """What has come since, at least a piece of it; perhaps nothing that is complete. Raises Lost; TimeoutError if
        nothing comes in `seconds` (without them that is Lost too)."""
        if self._over:
            over, self._over = self._over, []
            self._tagged = True
            return over
        try:
            data = await self.wire.read(self.timeout_seconds if seconds is None else seconds)
        except TimeoutError:
            if seconds is None:
                raise self.lost(f"no answer within {self.timeout_seconds:g} seconds") from None
            raise
        except Lost as error:
            raise self.lost(str(error)) from error
        return self._decode(data)

    def _decode(self, data: bytes) -> list[Untagged | bytes]:
        try:
            found = self._decoder.feed(data)
            self._tagged = self._decoder.tagged
            return found
        except ImapSyntaxError as error:
            raise self.lost(f"makes no sense: {error}") from error

    def put_back(self, responses: list[Untagged | bytes]) -> None:
        self._over = responses + self._over

    def waiting(self) -> list[Untagged | bytes]:
        """What has come without being waited for. Raises Lost."""
        found, self._over = self._over, []
        if self.wire.waiting:
            found += self._decode(self.wire.take())
        return found

    async def until(self, tag: str, hear: Hear, *, go: bool = False) -> Said | None:
        """Reads to the tagged answer; or, with `go`, to a continuation request, which gives None."""
        loop = asyncio.get_running_loop()
        started = last = loop.time()
        while True:
            now = loop.time()
            left = min(last + self.timeout_seconds, started + _PATIENCE * self.timeout_seconds) - now
            try:
                responses = await self.read(max(left, 0.001))
            except TimeoutError:
                raise self.lost(f"no answer within {self.timeout_seconds:g} seconds") from None
            if self._decoder.framer.in_literal:
                last = loop.time()
            for at, response in enumerate(responses):
                if isinstance(response, bytes):
                    continue
                if isinstance(response, Said) and response.tag == tag:
                    self.put_back(responses[at + 1 :])
                    return response
                if go and isinstance(response, Go):
                    self.put_back(responses[at + 1 :])
                    return None
                if self.heard(response, hear):
                    last = loop.time()

    def heard(self, response: Untagged, hear: Hear) -> bool:
        """Hands it on. Raises Lost for the server's farewell."""
        if isinstance(response, Said):
            if response.kind == "BYE":
                self._farewell = f"the server says good-bye: {response.text}"
                raise self.lost("")
            if response.tag != "*":
                raise self.lost("an answer to nothing")
            hear(response)
            return response.kind == "OK"
        return hear(response)

    async def settle(self, hear: Hear) -> None:
        """Reads the rest of an abandoned answer. Raises Lost if there is too much of it."""
        for _ in range(_ROUNDS):
            if not self._busy:
                break
            # A generator that was left with `break` is closed by the event loop, a moment later.
            await asyncio.sleep(0)
        if not self._abandoned:
            return
        tag, read = self._abandoned, 0
        self._decoder.framer.pass_from = 0
        while True:
            responses = await self.read()
            for at, response in enumerate(responses):
                if isinstance(response, bytes):
                    read += len(response)
                elif isinstance(response, Said) and response.tag == tag:
                    self.put_back(responses[at + 1 :])
                    self._abandoned = ""
                    return
                else:
                    self.heard(response, hear)
                    read += 60
            if read > MAX_DRAINED:
                raise self.lost("the rest of an answer is too long")

    # Whole commands.

    async def command(self, *pieces: Piece, hear: Hear) -> Said:
        """Raises No and Bad for what the server refuses, Lost."""
        await self.settle(hear)
        with timed(pieces):
            tag = self.begin()
            said = await self.send(tag, pieces, hear) or await self.until(tag, hear)
            self.end(tag)
            assert said is not None
            return accepted(said)

    async def answers(
        self, *pieces: Piece, hear: Hear, pass_from: int = NEVER
    ) -> AsyncGenerator[list[Untagged | bytes], None]:
        """A command, and what is said to it as it comes; `hear` has what comes before that. Literals of content from
        `pass_from` on come in pieces. Leaving early abandons it. Raises as `command`."""
        await self.settle(hear)
        with timed(pieces) as call:
            tag = self.begin(pass_from)
            try:
                said = await self.send(tag, pieces, hear)
                while said is None:
                    responses = await self.read()
                    call.answered()
                    for at, response in enumerate(responses if self._tagged else ()):
                        if isinstance(response, Said) and response.tag == tag:
                            self.put_back(responses[at + 1 :])
                            said, responses = response, responses[:at]
                            break
                    if said is not None:
                        self.end(tag)
                    if responses:
                        yield responses
            except GeneratorExit:
                self.abandon(tag)
                raise
            self.end(tag)
            accepted(said)


def accepted(said: Said) -> Said:
    """Raises No, Bad."""
    if said.kind == "OK":
        return said
    if said.kind == "NO":
        raise No(said.text or "refused", said.code, said.args)
    raise Bad(said.text or said.kind)

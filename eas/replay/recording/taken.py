"""What is kept of one request and its answer while they pass, and the exchange that is made of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from eas.replay.format.capture import exchange_of
from eas.replay.format.model import Body, Exchange, Headers, LeftOut, header

#: Octets of a body that is kept. To mask a MiB takes a second, in a process of its own (`typist`).
MAX_BODY = 8 << 20
TOO_LARGE = f"larger than {MAX_BODY >> 20} MiB"
NOT_READ = "the server has not read it to its end"


@dataclass(slots=True)
class Gathered:
    """A body as it comes, in pieces; `length` also counts what is not kept. `why`: nothing is kept, and why."""

    length: int = 0
    why: str = ""
    _pieces: list[bytes] = field(default_factory=list)

    def add(self, piece: bytes) -> None:
        self.length += len(piece)
        if self.length > MAX_BODY:
            self.leave_out(TOO_LARGE)
        elif piece and not self.why:
            self._pieces.append(bytes(piece))

    def leave_out(self, why: str) -> None:
        self.why = self.why or why
        self._pieces.clear()

    @property
    def data(self) -> bytes:
        return b"".join(self._pieces)

    @property
    def kept(self) -> int:
        """Octets in memory."""
        return 0 if self.why else self.length

    def copy(self) -> Gathered:
        return Gathered(self.length, self.why, list(self._pieces))

    def or_left_out(self, body: Body) -> Body:
        return LeftOut(self.length, self.why) if self.why and self.length else body


@dataclass(slots=True, kw_only=True)
class Taken:
    """As `capture.exchange_of` wants it; `status` None while there is no answer."""

    time: datetime
    method: str
    target: str
    headers: Headers
    began: float
    asked: Gathered = field(default_factory=Gathered)
    status: int | None = None
    seconds: float = 0.0
    answer_headers: Headers = ()
    told: Gathered = field(default_factory=Gathered)
    why: str = ""

    @property
    def kept(self) -> int:
        return self.asked.kept + self.told.kept

    def leave_out(self, why: str) -> None:
        self.asked.leave_out(why)
        self.told.leave_out(why)

    def copy(self) -> Taken:
        return replace(self, asked=self.asked.copy(), told=self.told.copy())

    def exchange(self, number: int) -> Exchange:
        stated = header(self.headers, "Content-Length")
        if stated.isascii() and stated.isdigit() and len(stated) < 16 and int(stated) > self.asked.length:
            self.asked.leave_out(NOT_READ)
            self.asked.length = int(stated)
        made = exchange_of(
            number=number, time=self.time, method=self.method, target=self.target, headers=self.headers,
            body=self.asked.data, status=self.status, seconds=self.seconds, answer_headers=self.answer_headers,
            answer=self.told.data, why=self.why,
        )
        return replace(
            made, request=replace(made.request, body=self.asked.or_left_out(made.request.body)),
            answer=replace(made.answer, body=self.told.or_left_out(made.answer.body)),
        )

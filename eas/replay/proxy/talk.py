"""One request and its answer while they pass, and what is written down of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic

from eas.replay.format.capture import exchange_of
from eas.replay.format.model import Body, Exchange, Headers, LeftOut, header

#: Bytes of one body that are written down. More pass, and are left out of the file.
MAX_BODY = 32 * 1024 * 1024


@dataclass(slots=True)
class Passed:
    """Bytes that went by: their number, and the bytes themselves while they are not too many."""

    size: int = 0
    pieces: list[bytes] | None = field(default_factory=list)

    def take(self, piece: bytes) -> bytes:
        self.size += len(piece)
        if self.size > MAX_BODY:
            self.pieces = None
        elif self.pieces is not None:
            self.pieces.append(piece)
        return piece

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces or ())


@dataclass(slots=True, kw_only=True)
class Talk:
    """`status` is None until the answer has ended well; `why` says then what became of it."""

    method: str
    target: str
    headers: Headers
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=monotonic)
    asked: Passed = field(default_factory=Passed)
    told: Passed = field(default_factory=Passed)
    status: int | None = None
    answer_headers: Headers = ()
    seconds: float = 0.0
    why: str = ""
    comments: list[str] = field(default_factory=list)
    #: The server has begun to answer, and the client has begun to get it.
    answered: bool = False
    passing: bool = False

    def end(self, status: int | None, why: str = "") -> None:
        self.status, self.why = status, why
        self.seconds = monotonic() - self.began

    def exchange(self, number: int) -> Exchange:
        """What is written down; bodies that were too long, or came in part only, are left out."""
        answered = self.status is not None
        made = exchange_of(
            number=number, time=self.time, method=self.method, target=self.target, headers=self.headers,
            body=self.asked.data, status=self.status, seconds=self.seconds, why=self.why,
            answer_headers=self.answer_headers if answered else (), answer=self.told.data if answered else b"",
        )
        return replace(
            made, comments=tuple(self.comments),
            request=replace(made.request, body=self._request_body(made.request.body)),
            answer=replace(made.answer, body=_kept(made.answer.body, self.told)) if answered else made.answer,
        )

    def _request_body(self, body: Body) -> Body:
        stated = header(self.headers, "Content-Length")
        if stated.isdigit() and int(stated) != self.asked.size:
            return LeftOut(int(stated), "the server answered, or the client left, before all of it had come")
        return _kept(body, self.asked)


def _kept(body: Body, passed: Passed) -> Body:
    return body if passed.pieces is not None else LeftOut(passed.size, f"more than {MAX_BODY} bytes")

"""What became of one exchange that was played or compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eas.replay.format.model import Answer, Exchange, Request


class Kind(StrEnum):
    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"
    ORDER = "order"
    #: HTTP's status, or a Status element.
    STATUS = "status"
    #: Another kind of body, or none.
    BODY = "body"
    HEADER = "header"
    #: No answer, where there was one.
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Difference:
    """`where`: path of elements, `Sync/Collections/Collection[Inbox]/Commands/Add[3]/ApplicationData/email:Subject`,
    or `header/NAME`, `HTTP`, `part[1]/...`. `expected`, `got`: what stands there, cut where it is long, "" for nothing.
    `message`: one line for people."""

    where: str
    kind: Kind
    expected: str
    got: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`sent` and `got` are None where nothing was sent, or nothing came; `skipped` says why nothing was compared.
    `seconds` is how long the answer took. `notes` say what was done otherwise than recorded."""

    exchange: Exchange
    sent: Request | None = None
    got: Answer | None = None
    differences: tuple[Difference, ...] = ()
    skipped: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        return not self.differences and not self.skipped

"""How a wipe goes from being asked for to its end: the states of an order, and what moves it. Pure.

An order is one wish to have one device wiped, whole or of one account. What the device itself is told hangs on the
partnership alone (`eas.engine.model.Wipe`, `eas.server.gate`); the order says in addition who wanted it, who agreed,
and when what happened. [MS-ASPROV] RemoteWipe R663-R666, AccountOnlyRemoteWipe R66601-R66614.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .model import Wipe


class Stage(StrEnum):
    """Where an order stands. WAITING: for a second person. READMITTED: it was done, and the device may come back."""

    WAITING = "waiting"
    REQUESTED = "requested"
    SENT = "sent"
    FAILED = "failed"
    DONE = "done"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    EXPIRED = "expired"
    READMITTED = "readmitted"


class Turn(StrEnum):
    """What happens to an order: by people, by the device, by time."""

    APPROVE = "approve"
    DECLINE = "decline"
    CANCEL = "cancel"
    READMIT = "readmit"
    SEND = "send"
    ACKNOWLEDGE = "acknowledge"
    FAIL = "fail"
    EXPIRE = "expire"


#: What is not in here, cannot be. A device may report what it was never told in so many words: that it has erased
#: itself is true all the same. One that fails is told again at its next request.
NEXT: Mapping[tuple[Stage, Turn], Stage] = {
    (Stage.WAITING, Turn.APPROVE): Stage.REQUESTED,
    (Stage.WAITING, Turn.DECLINE): Stage.DECLINED,
    (Stage.WAITING, Turn.CANCEL): Stage.CANCELLED,
    (Stage.WAITING, Turn.EXPIRE): Stage.EXPIRED,
    (Stage.REQUESTED, Turn.SEND): Stage.SENT,
    (Stage.REQUESTED, Turn.ACKNOWLEDGE): Stage.DONE,
    (Stage.REQUESTED, Turn.FAIL): Stage.FAILED,
    (Stage.REQUESTED, Turn.CANCEL): Stage.CANCELLED,
    (Stage.SENT, Turn.SEND): Stage.SENT,
    (Stage.SENT, Turn.ACKNOWLEDGE): Stage.DONE,
    (Stage.SENT, Turn.FAIL): Stage.FAILED,
    (Stage.SENT, Turn.CANCEL): Stage.CANCELLED,
    (Stage.FAILED, Turn.SEND): Stage.SENT,
    (Stage.FAILED, Turn.ACKNOWLEDGE): Stage.DONE,
    (Stage.FAILED, Turn.FAIL): Stage.FAILED,
    (Stage.FAILED, Turn.CANCEL): Stage.CANCELLED,
    (Stage.DONE, Turn.READMIT): Stage.READMITTED,
}

#: The device has to carry it out yet.
UNDER_WAY = frozenset((Stage.REQUESTED, Stage.SENT, Stage.FAILED))
#: What is still true of the device: a later partnership of the same id is treated so as well.
IN_FORCE = UNDER_WAY | {Stage.DONE}
OPEN = UNDER_WAY | {Stage.WAITING}

#: What the partnership says while an order is in force, and the other way round.
WIPE_OF: Mapping[Stage, Wipe] = {
    Stage.REQUESTED: Wipe.REQUESTED, Stage.SENT: Wipe.SENT, Stage.FAILED: Wipe.FAILED, Stage.DONE: Wipe.DONE,
}
STAGE_OF: Mapping[Wipe, Stage] = {wipe: stage for stage, wipe in WIPE_OF.items()}


class NoSuchTurn(ValueError):
    """An order cannot go that way from where it stands."""


def turned(stage: Stage, turn: Turn) -> Stage:
    """Raises NoSuchTurn."""
    try:
        return NEXT[stage, turn]
    except KeyError:
        raise NoSuchTurn(f"{turn} of a wipe that is {stage}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`asked_by` and the other names are those of people, "" where nobody is known; `asked_role` as in the audit log.
    `decided` is when a second person agreed or declined, `expires` until when that has to be (None: none is needed).
    `ended` is when nothing more was to come of it, `note` what the one who asked had to say."""

    id: int
    user_id: str
    device_id: str
    account_only: bool
    stage: Stage
    asked_by: str
    asked_role: str
    asked: datetime
    note: str = ""
    expires: datetime | None = None
    decided_by: str = ""
    decided: datetime | None = None
    sent: datetime | None = None
    ended_by: str = ""
    ended: datetime | None = None

    def stands(self, now: datetime) -> Stage:
        """The stage, with what time has done to it."""
        over = self.stage is Stage.WAITING and self.expires is not None and self.expires <= now
        return Stage.EXPIRED if over else self.stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`two_persons`: what one of the staff asks for waits for another one, and for no longer than `approval`."""

    two_persons: bool = False
    approval: timedelta = timedelta(hours=24)

    def waits_until(self, now: datetime, *, by_owner: bool) -> datetime | None:
        """For a second person; None where none is needed. One's own phone is one's own."""
        return now + self.approval if self.two_persons and not by_owner else None


def may_approve(order: Order, name: str) -> bool:
    """Nobody agrees with themselves, however they spell their name."""
    return bool(name.strip()) and name.strip().casefold() != order.asked_by.strip().casefold()

"""Which exchanges of a session are meant: by command, folder, status, number and time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from eas.replay.format.model import Exchange

from .seen import Folders, Seen
from .summary import folders_of
from .wording import bad_statuses


class ChoiceError(ValueError):
    """What was asked for cannot be meant."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A number of an exchange, or a time; a time of day counts on the day of the session's first exchange."""

    number: int | None = None
    at: datetime | None = None
    of_day: time | None = None

    @classmethod
    def parse(cls, text: str) -> Bound:
        """Raises ChoiceError."""
        if text.isdecimal() and text.isascii():
            return cls(number=int(text[:18]))
        try:
            return cls(of_day=time.fromisoformat(text))
        except ValueError:
            pass
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ChoiceError(f"{text!r} is no number, and no time as 2026-11-21T10:00:00Z or 10:00 are") from None
        return cls(at=at if at.tzinfo else at.replace(tzinfo=UTC))

    def distance(self, exchange: Exchange, first: datetime) -> float:
        """Below 0 for an exchange before it, above 0 after it."""
        if self.number is not None:
            return exchange.number - self.number
        at = self.at
        if at is None:
            assert self.of_day is not None
            at = datetime.combine(first.date(), self.of_day.replace(tzinfo=UTC))
        return (exchange.time - at) / timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One wanted status: HTTP's or any Status; "ok" what is well, `other` turns it around."""

    status: str
    other: bool = False

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """`3`, `!1` (anything but well), `none`. Raises ChoiceError."""
        other, status = text.startswith("!"), text.removeprefix("!").strip()
        if status != "none" and not (status.isdecimal() and len(status) < 6):
            raise ChoiceError(f"{text!r} is no status: a number, `none`, or either behind `!`")
        return cls(status, other)

    def fits(self, one: Seen) -> bool:
        if self.status == "1":
            return self.other is (one.http != 200 or bool(bad_statuses(one)))
        found = {"none" if one.http is None else str(one.http), *(said.value for said in one.statuses())}
        return (self.status in found) is not self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Empty and None mean all. Commands in lower case."""

    commands: Collection[str] = ()
    folder: str = ""
    status: Wanted | None = None
    begin: Bound | None = None
    end: Bound | None = None

    def fits(self, one: Seen, folders: Folders, first: datetime) -> bool:
        """`first`: the time of the session's first exchange."""
        if self.commands and one.command.lower() not in self.commands:
            return False
        if self.begin is not None and self.begin.distance(one.exchange, first) < 0:
            return False
        if self.end is not None and self.end.distance(one.exchange, first) > 0:
            return False
        if self.status is not None and not self.status.fits(one):
            return False
        return not self.folder or any(folders.fits(folder, self.folder) for folder in folders_of(one))

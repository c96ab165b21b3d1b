"""Commands as calls that are timed: by family, and which refusals are failures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from eas.backends.calls import Call

from .commands import Piece
from .errors import is_trouble
from .model import Bad, LoginRefused, Lost, No

#: By the command, or by what follows UID. What belongs to a login is timed together with it.
_FAMILIES = {
    family: operation
    for operation, commands in {
        "select": b"SELECT EXAMINE UNSELECT CLOSE",
        "list": b"LIST LSUB STATUS NAMESPACE MYRIGHTS",
        "fetch": b"FETCH",
        "search": b"SEARCH SORT THREAD",
        "write": b"APPEND STORE COPY MOVE EXPUNGE CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE",
        "": b"CAPABILITY STARTTLS LOGIN ID ENABLE",
    }.items()
    for family in commands.split()
}


class _Untimed(AbstractContextManager["_Untimed", None]):
    """What a call looks like, and nothing is noted."""

    def answered(self) -> None:
        pass

    def __enter__(self) -> _Untimed:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


_UNTIMED = _Untimed()


def timed(pieces: Sequence[Piece]) -> Call | _Untimed:
    """A command that is about to be sent, to be used in `with`."""
    first = pieces[0]
    words = first.split(b" ", 2) if isinstance(first, bytes) else [b""]
    operation = _FAMILIES.get(words[words[0] == b"UID"], "other")
    return Call("imap", operation, reason_of) if operation else _UNTIMED


def reason_of(error: BaseException) -> str:
    if isinstance(error, LoginRefused):
        return "login"
    if isinstance(error, Bad) or (isinstance(error, No) and is_trouble(error)):
        return "refused"
    return "lost" if isinstance(error, Lost) else ""

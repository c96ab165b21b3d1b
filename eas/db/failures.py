"""What a failure of the database means, whatever driver tells of it.

SQLite's driver has an OperationalError for all of this; PostgreSQL's have a five-letter SQLSTATE, and asyncpg's come
without a kind of their own. PostgreSQL's documentation, appendix A, "PostgreSQL Error Codes".
"""

from __future__ import annotations

from enum import Enum, auto

from sqlalchemy import exc

#: All that goes through here: `failure_of` says what it is.
FAILURES = (exc.DBAPIError, exc.TimeoutError, OSError)


class Failure(Enum):
    """`OVERTAKEN`: another transaction stood in the way; the same again may do. `FULL`: the disk is."""

    AWAY = auto()
    BUSY = auto()
    OVERTAKEN = auto()
    FULL = auto()


#: By SQLSTATE, or by its class (the first two letters): connections, logins, resources, locks, the server's own state.
_STATES = {
    "08": Failure.AWAY, "28": Failure.AWAY, "3D": Failure.AWAY, "57": Failure.AWAY, "58": Failure.AWAY,
    "25006": Failure.AWAY,  # a standby, which only reads
    "53": Failure.BUSY, "53100": Failure.FULL, "55P03": Failure.BUSY,
    "40": Failure.OVERTAKEN,
}
#: A statement that was prepared before another node changed the tables. SQLAlchemy has the driver prepare it anew, and
#: gives an error of this name, without a SQLSTATE.
_OLD_STATEMENT = "InvalidCachedStatementError"


def failure_of(error: BaseException) -> Failure | None:
    """None for what is no failure of the database but a mistake in what it was asked: a constraint, a wrong value."""
    if isinstance(error, exc.TimeoutError):  # no free connection
        return Failure.BUSY
    if isinstance(error, OSError):
        return Failure.AWAY
    if not isinstance(error, exc.DBAPIError):
        return None
    if type(error.orig).__name__ == _OLD_STATEMENT:
        return Failure.OVERTAKEN
    state = sqlstate(error)
    if state:
        return _STATES.get(state) or _STATES.get(state[:2])
    if isinstance(error, exc.OperationalError):
        return Failure.FULL if "full" in str(error.orig) else Failure.AWAY
    return Failure.AWAY if isinstance(error, exc.InterfaceError) or error.connection_invalidated else None


def sqlstate(error: exc.DBAPIError) -> str:
    """"" where the driver has none."""
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""


def reason(error: BaseException) -> str:
    """One line, without the statement and its values."""
    return " ".join(str(getattr(error, "orig", None) or error).split()) or type(error).__name__

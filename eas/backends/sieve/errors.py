"""What can go wrong with a ManageSieve server.

    SieveError
      No              the server said NO; `code` is the response code ("QUOTA/MAXSIZE", "NONEXISTENT", ...)
        LoginRefused  to a login
      Lost            no connection (any more), no answer in time, or one that makes no sense
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eas.engine.errors import NotAllowed, Unavailable


class SieveError(Exception):
    """Base."""


class No(SieveError):
    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text or code or "no reason was given")
        self.code = code


class LoginRefused(No):
    """To a login."""


class Lost(SieveError):
    """There is no connection (any more)."""


#: Response codes of what may go better later. RFC 5804 1.3.
_PASSING = ("TRYLATER", "TRANSITION-NEEDED")


@contextmanager
def translated() -> Iterator[None]:
    """In the words of the engine."""
    try:
        yield
    except LoginRefused as error:
        # Whoever is here was let in before: the filter server has other users, or a password that has changed since.
        raise Unavailable(f"the filter server refuses the login: {error}") from error
    except No as error:
        raise (Unavailable if error.code in _PASSING else NotAllowed)(f"the filter server says: {error}") from error
    except SieveError as error:
        raise Unavailable(f"filter server: {error}") from error

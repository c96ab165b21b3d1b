"""What goes wrong with an IMAP server, in the words of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eas.engine.errors import BackendError, FolderExists, FolderGone, NoSpace, NotAllowed, TooLarge, Unavailable

from .model import Bad, ImapError, LoginRefused, Lost, No

#: By response code. RFC 5530, RFC 5464, RFC 7888.
_OF_CODE: dict[str, type[BackendError]] = {
    "ALREADYEXISTS": FolderExists,
    "NONEXISTENT": FolderGone,
    "TRYCREATE": FolderGone,
    "NOPERM": NotAllowed,
    "CANNOT": NotAllowed,
    "LIMIT": NotAllowed,
    "OVERQUOTA": NoSpace,
    "TOOBIG": TooLarge,
    "UNAVAILABLE": Unavailable,
    "INUSE": Unavailable,
    "SERVERBUG": Unavailable,
    "CONTACTADMIN": Unavailable,
    "EXPIRED": Unavailable,
    "AUTHENTICATIONFAILED": Unavailable,
}


def is_trouble(error: No) -> bool:
    """Whether the server cannot do what it should, as against what it may not, or what is not there."""
    return _OF_CODE.get(error.code) is Unavailable


@contextmanager
def translated(otherwise: type[BackendError] = Unavailable) -> Iterator[None]:
    """ImapError becomes a BackendError: by the response code, else `otherwise` for a NO."""
    try:
        yield
    except LoginRefused as error:
        # Whoever is here was let in before: the password has changed meanwhile, and the next request is refused.
        raise Unavailable(f"the mail server refuses the login: {error}") from error
    except No as error:
        raise _OF_CODE.get(error.code, otherwise)(f"the mail server says: {error}") from error
    except (Lost, Bad, ImapError) as error:
        raise Unavailable(f"mail server: {error}") from error

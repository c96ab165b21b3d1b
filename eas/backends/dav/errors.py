"""What goes wrong with a DAV server, in the words of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eas.engine.errors import BackendError, FolderExists, FolderGone, NoSpace, NotAllowed, TooLarge, Unavailable

from .model import DavError, LoginRefused, Refused

#: By the precondition that failed, whatever the status. RFC 4331 6, RFC 4791 5.3.2.1, RFC 6352 6.3.2.1.
_OF_CONDITION: dict[str, type[BackendError]] = {
    "quota-not-exceeded": NoSpace,
    "sufficient-disk-space": NoSpace,
    "max-resource-size": TooLarge,
}
#: By status. 400, 415 and 422 refuse what was sent, as 403 does. The rest (408, 423, 429, 5xx) may pass.
_OF_STATUS: dict[int, type[BackendError]] = {
    400: NotAllowed,
    403: NotAllowed,
    405: FolderExists,
    409: NotAllowed,
    412: NotAllowed,
    413: TooLarge,
    415: NotAllowed,
    422: NotAllowed,
    507: NoSpace,
}
#: There is nothing (any more) at that address.
GONE = frozenset((404, 410))


@contextmanager
def translated(gone: type[BackendError] = FolderGone) -> Iterator[None]:
    """DavError becomes a BackendError; `gone` says what it means that nothing stands there."""
    try:
        yield
    except LoginRefused as error:
        # Whoever is here was let in before: the password has changed meanwhile, and the next request is refused.
        raise Unavailable(f"the DAV server refuses the login: {error}") from error
    except Refused as error:
        raise refused(error, gone) from error
    except DavError as error:
        raise Unavailable(f"DAV server: {error}") from error


def refused(error: Refused, gone: type[BackendError] = FolderGone) -> BackendError:
    if error.status in GONE:
        return gone(f"the DAV server says: {error}")
    if error.status == 409 and not error.condition:  # the collection of what was to be written; RFC 4918 9.7.1
        return FolderGone(f"the DAV server says: {error}")
    made = _OF_CONDITION.get(error.condition) or _OF_STATUS.get(error.status, Unavailable)
    return made(f"the DAV server says: {error}")

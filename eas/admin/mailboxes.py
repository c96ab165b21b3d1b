"""The mailbox of whoever acts, opened with what they logged in with. Nobody else's is opened from here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eas.backends.embedded.accounts import load_user
from eas.engine.errors import NotAllowed
from eas.engine.logins import NoEntrance
from eas.engine.model import User
from eas.engine.ports import Mailbox

from .errors import Forbidden, Refused
from .site import Site


async def owner_of(site: Site) -> User:
    """Whoever acts, as their servers know them. Raises Forbidden, Refused, Unavailable."""
    caller = site.caller
    if not caller.user_id or site.accounts is None:
        raise Forbidden("only the owner of a mailbox may open it")
    known = await site.groupware.look(lambda c: load_user(c, caller.user_id))
    if known is None:
        raise Refused("this mailbox is no longer there")
    secret = caller.secret
    try:
        if secret is None or not secret.value or secret.bearer:
            found = await site.accounts.vouched(known.address, secret if secret is not None and secret.value else None)
        else:
            found = await site.accounts.verify(known.address, secret.value)
    except NoEntrance as error:
        raise Refused(
            f"this needs the password of the mailbox ({error} take nothing else): log in with it, not otherwise"
        ) from error
    if found is None or found.id != caller.user_id:
        raise Refused("the mailbox cannot be opened any more: log out and in again, with the present password")
    return found


async def own_mailbox(site: Site) -> Mailbox:
    """Raises as `owner_of`."""
    user = await owner_of(site)
    assert site.accounts is not None
    return site.accounts.open(user)[0]


@contextmanager
def allowed() -> Iterator[None]:
    """What a backend does not allow, in our words."""
    try:
        yield
    except NotAllowed as error:
        raise Refused(str(error)) from error

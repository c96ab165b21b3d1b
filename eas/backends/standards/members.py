"""Users whose groupware is on other servers, as rows of ours: made when somebody first logs in.

A member is a user like any other (`gw_user`), without a password here; what the embedded groupware keeps for everybody,
and for classes without a server, hangs on that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from secrets import token_hex

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from eas.backends.embedded import folders
from eas.backends.embedded.codec import millis
from eas.backends.embedded.groupware import Groupware, Writing
from eas.backends.embedded.prepare import folded
from eas.backends.embedded.tables import AddressRow, UserRow
from eas.engine.model import FolderType

from .logins import Named
from .tables import KeptRow, MemberRow

#: Other addresses of a user that are remembered: what a person has, not a machine.
MAX_ADDRESSES = 100
#: Characters of one: RFC 5321 4.5.3.1 has no longer ones, nor has the table.
MAX_ADDRESS = 320
#: Several devices of a new user may come at once, to several processes.
TRIES = 3
#: How a user's names and other addresses are kept (KeptRow).
IDENTITIES = "identities"


def find(connection: Connection, named: Named) -> str | None:
    """The id of a member."""
    return connection.execute(
        select(MemberRow.user_id)
        .where(MemberRow.tenant == named.tenant.name, MemberRow.login == folded(named.login))
    ).scalar_one_or_none()


async def join(ground: Groupware, named: Named, types: Iterable[FolderType]) -> str:
    """The id of a member, made now if there is none. `types` are the folders that are kept here for members."""

    def work(tx: Writing) -> str:
        user_id = find(tx.connection, named)
        if user_id is None:
            user_id = _user(tx, named)
            tx.connection.execute(
                insert(MemberRow).values(user_id=user_id, tenant=named.tenant.name, login=folded(named.login))
            )
        folders.ensure(tx, user_id, frozenset(types))
        return user_id

    for _ in range(TRIES - 1):
        try:
            return await ground.write(work)
        except IntegrityError:
            continue  # another device of the user has just come through another process: now the member is there
    return await ground.write(work)


def _user(tx: Writing, named: Named) -> str:
    """A new user, or the one who had this address here before."""
    address = named.address if "@" in named.address else f"{named.user}@{named.domain or 'localhost'}"
    local, _, domain = address.rpartition("@")
    there = tx.connection.execute(
        select(UserRow.id).where(UserRow.login == folded(local), UserRow.domain == folded(domain))
    ).scalar_one_or_none()
    if there is not None:
        return there
    user_id = token_hex(12)
    tx.connection.execute(insert(UserRow).values(
        id=user_id, login=folded(local), domain=folded(domain), address=address, zone=named.tenant.zone,
        created=millis(tx.now), password="",
    ))
    _take(tx, user_id, [address])
    return user_id


def _take(tx: Writing, user_id: str, addresses: Sequence[str]) -> None:
    """Those that nobody has yet."""
    for address in addresses[:MAX_ADDRESSES]:
        key = folded(address)
        if len(key) > MAX_ADDRESS:
            continue
        if tx.connection.execute(select(AddressRow.address).where(AddressRow.address == key)).first() is None:
            tx.connection.execute(insert(AddressRow).values(address=key, user_id=user_id))


def identities_at(connection: Connection, user_id: str) -> int:
    """When `note_identities` was last called, in epoch milliseconds; 0 for never."""
    at = connection.execute(
        select(KeptRow.at).where(KeptRow.user_id == user_id, KeptRow.name == IDENTITIES)
    ).scalar_one_or_none()
    return at or 0


def note_identities(tx: Writing, user_id: str, name: str, addresses: Sequence[str]) -> None:
    """What the servers say of a user: a name ("" for none), and all addresses. Raises IntegrityError where another
    process gives one of them to somebody in the same moment."""
    tx.one_at_a_time(user_id)
    key = {"user_id": user_id, "name": IDENTITIES}
    values = {"value": json.dumps(list(addresses)), "at": millis(tx.now)}
    changed = tx.connection.execute(update(KeptRow).filter_by(**key).values(**values))
    if not changed.rowcount:
        tx.connection.execute(insert(KeptRow).values(**key, **values))
    if name:
        tx.connection.execute(update(UserRow).where(UserRow.id == user_id, UserRow.name == "").values(name=name[:256]))
    _take(tx, user_id, addresses)

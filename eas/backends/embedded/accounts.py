"""Who may come in: logins in all their forms, against the users of this groupware."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, bindparam, select

from eas.engine.model import Secret, User
from eas.engine.ports import Directory, Mailbox, Outbox
from eas.protocol.http import login

from .groupware import AnyRow, Groupware
from .mailbox import EmbeddedMailbox
from .passwords import Passwords
from .prepare import folded
from .tables import AddressRow, UserRow

_COLUMNS = (
    UserRow.id, UserRow.login, UserRow.domain, UserRow.address, UserRow.name, UserRow.zone, UserRow.activesync,
    UserRow.enabled, UserRow.password, UserRow.hierarchy,
)

#: What every request asks. Made once: to put them together costs more than SQLite takes to answer them.
_BY_LOGIN = select(*_COLUMNS).where(UserRow.login == bindparam("login"))
_BY_ADDRESS = (
    select(*_COLUMNS).join(AddressRow, AddressRow.user_id == UserRow.id).where(AddressRow.address == bindparam("at"))
)
#: A row for each address of the user.
_BY_ID = (
    select(*_COLUMNS, AddressRow.address.label("other"))
    .outerjoin(AddressRow, AddressRow.user_id == UserRow.id).where(UserRow.id == bindparam("user"))
)
_ADDRESSES = select(AddressRow.address).where(AddressRow.user_id == bindparam("user")).order_by(AddressRow.address)


class EmbeddedAccounts:
    """`directory_of` and `outbox_of` make the rest of what a user is given."""

    def __init__(
        self, groupware: Groupware, directory_of: Callable[[User], Directory], outbox_of: Callable[[User], Outbox],
        passwords: Passwords | None = None,
    ) -> None:
        self._groupware = groupware
        self._directory_of, self._outbox_of = directory_of, outbox_of
        self._passwords = passwords or Passwords()

    async def verify(self, login: str, password: str) -> User | None:
        row, addresses = await self._find(login)
        good = await self._passwords.verify(row.password if row is not None else None, password)
        if row is None or not good or not row.enabled:
            return None
        return _user(row, addresses)

    async def vouched(self, login: str, token: Secret | None = None) -> User | None:
        row, addresses = await self._find(login)
        return _user(row, addresses) if row is not None and row.enabled else None

    async def _find(self, login: str) -> tuple[AnyRow | None, tuple[str, ...]]:
        def find(connection: Connection) -> tuple[AnyRow | None, tuple[str, ...]]:
            row = find_login(connection, login, self._groupware.domain)
            return row, addresses_of(connection, row.id, row.address) if row is not None else ()

        return await self._groupware.look(find)

    def open(self, user: User) -> tuple[Mailbox, Directory, Outbox]:
        return EmbeddedMailbox(self._groupware, user), self._directory_of(user), self._outbox_of(user)


def find_login(connection: Connection, text: str, default_domain: str) -> AnyRow | None:
    """The user meant by a login in any of its forms; case does not matter, and an alias is as good as the address."""
    asked = login(text)
    if not asked.name:
        return None
    named = connection.execute(_BY_LOGIN, {"login": folded(asked.name)}).all()
    if asked.is_address:
        there = _by_address(connection, f"{asked.name}@{asked.domain}")
        return there or _only([row for row in named if row.domain == folded(asked.domain)])
    # `DOMAIN\user`: a mail domain, its first label, or (many devices insist on one) a word of their own.
    domain = folded(asked.domain or default_domain)
    fitting = _only([row for row in named if domain in (row.domain, row.domain.partition(".")[0])])
    if fitting is not None:
        return fitting
    in_default = _only([row for row in named if row.domain == folded(default_domain)])
    if in_default is not None or named:
        return in_default or _only(named)
    addressed = _by_address(connection, f"{asked.name}@{asked.domain}") if asked.domain else None
    return addressed or _by_address(connection, f"{asked.name}@{default_domain}")


def _by_address(connection: Connection, address: str) -> AnyRow | None:
    return connection.execute(_BY_ADDRESS, {"at": folded(address)}).one_or_none()


def _only(rows: Sequence[AnyRow]) -> AnyRow | None:
    """A name that several bear is nobody's."""
    return rows[0] if len(rows) == 1 else None


def addresses_of(connection: Connection, user_id: str, primary: str) -> tuple[str, ...]:
    """All addresses of a user, the primary one first."""
    found = connection.execute(_ADDRESSES, {"user": user_id})
    return (primary, *[address for address in found.scalars() if address != folded(primary)])


def load_user(connection: Connection, user_id: str) -> User | None:
    found = load_admitted(connection, user_id)
    return None if found is None else found[0]


def load_admitted(connection: Connection, user_id: str) -> tuple[User, bool] | None:
    """A user, and whether the admin lets in."""
    rows = connection.execute(_BY_ID, {"user": user_id}).all()
    if not rows:
        return None
    row = rows[0]
    others = sorted(one.other for one in rows if one.other is not None and one.other != folded(row.address))
    return _user(row, (row.address, *others)), row.enabled


def _user(row: AnyRow, addresses: tuple[str, ...]) -> User:
    return User(
        id=row.id, login=row.login, address=row.address, addresses=addresses, name=row.name or row.address,
        zone=row.zone, activesync=row.activesync, revision=row.hierarchy,
    )

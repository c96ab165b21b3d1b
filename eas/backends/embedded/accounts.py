"""Who may come in: logins in all their forms, against the users of this groupware."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, bindparam, or_, select
from sqlalchemy.orm import aliased

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

#: A row for each address of a user.
_USERS = (
    select(*_COLUMNS, AddressRow.address.label("other")).outerjoin(AddressRow, AddressRow.user_id == UserRow.id)
)
_BY_ID = _USERS.where(UserRow.id == bindparam("user"))
_AT = aliased(AddressRow)
_ADDRESSED = select(_AT.user_id).where(_AT.address == bindparam("at")).scalar_subquery()
#: What every request asks. Made once: to put it together costs more than SQLite takes to answer it.
_BY_LOGIN = _USERS.where(or_(UserRow.login == bindparam("login"), UserRow.id == _ADDRESSED))


#: Of one user, at least one row.
Rows = Sequence[AnyRow]


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
        rows = await self._find(login)
        good = await self._passwords.verify(rows[0].password if rows else None, password)
        return _user(rows) if rows and good and rows[0].enabled else None

    async def vouched(self, login: str, token: Secret | None = None) -> User | None:
        rows = await self._find(login)
        return _user(rows) if rows and rows[0].enabled else None

    async def _find(self, login: str) -> Rows:
        return await self._groupware.look(lambda c: _entry(c, login, self._groupware.domain))

    def open(self, user: User) -> tuple[Mailbox, Directory, Outbox]:
        return EmbeddedMailbox(self._groupware, user), self._directory_of(user), self._outbox_of(user)


def find_login(connection: Connection, text: str, default_domain: str) -> AnyRow | None:
    """The user meant by a login in any of its forms; case does not matter, and an alias is as good as the address."""
    rows = _entry(connection, text, default_domain)
    return rows[0] if rows else None


def _entry(connection: Connection, text: str, default_domain: str) -> Rows:
    """A row for each address of the user whom `find_login` means."""
    asked = login(text)
    if not asked.name:
        return ()
    named, addressed = _candidates(connection, asked.name, asked.domain or default_domain)
    if asked.is_address:
        return addressed or _only(named, folded(asked.domain))
    # `DOMAIN\user`: a mail domain, its first label, or (many devices insist on one) a word of their own.
    domain = folded(asked.domain or default_domain)
    fitting = _only([rows for rows in named if domain in (rows[0].domain, rows[0].domain.partition(".")[0])])
    if fitting:
        return fitting
    if named:
        return _only(named, folded(default_domain)) or _only(named)
    if addressed or not asked.domain:
        return addressed
    return _candidates(connection, asked.name, default_domain)[1]


def _candidates(connection: Connection, name: str, domain: str) -> tuple[list[Rows], Rows]:
    """Those who have the name as their login, and who has it as an address of the domain."""
    at, users = folded(f"{name}@{domain}"), dict[str, list[AnyRow]]()
    for row in connection.execute(_BY_LOGIN, {"login": folded(name), "at": at}):
        users.setdefault(row.id, []).append(row)
    named: list[Rows] = [rows for rows in users.values() if rows[0].login == folded(name)]
    return named, next((rows for rows in users.values() if any(row.other == at for row in rows)), ())


def _only(users: Sequence[Rows], domain: str | None = None) -> Rows:
    """The one of them, of a domain if that is named: what several bear is nobody's."""
    left = [rows for rows in users if domain is None or rows[0].domain == domain]
    return left[0] if len(left) == 1 else ()


def load_user(connection: Connection, user_id: str) -> User | None:
    found = load_admitted(connection, user_id)
    return None if found is None else found[0]


def load_admitted(connection: Connection, user_id: str) -> tuple[User, bool] | None:
    """A user, and whether the admin lets in."""
    rows = connection.execute(_BY_ID, {"user": user_id}).all()
    return (_user(rows), rows[0].enabled) if rows else None


def _user(rows: Rows) -> User:
    """The primary address is the first of all."""
    row = rows[0]
    others = sorted(one.other for one in rows if one.other is not None and one.other != folded(row.address))
    return User(
        id=row.id, login=row.login, address=row.address, addresses=(row.address, *others), name=row.name or row.address,
        zone=row.zone, activesync=row.activesync, revision=row.hierarchy,
    )

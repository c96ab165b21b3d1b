"""Who may come in where the groupware is on other servers: they check the password, the gateway remembers the verdict.

What is remembered is a keyed digest, for minutes, in this process and, where there are several, in what they share
(`Verdicts`), so that the servers are asked once. The password itself is in memory with the request, and with the
connections that it opened. A server that says no while a verdict is remembered ends that verdict, in all processes.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

import structlog
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from eas.backends.dav.rows import forget_gone
from eas.backends.embedded.accounts import EmbeddedAccounts, load_admitted
from eas.backends.embedded.codec import millis
from eas.backends.embedded.groupware import Groupware, Writing
from eas.engine.errors import Unavailable
from eas.engine.logins import NoEntrance, Verdicts
from eas.engine.model import FolderType, Secret, User
from eas.engine.ports import Directory, Mailbox, Outbox

from . import members
from .entrance import closed_to, enters_by_itself, own_credentials
from .logins import Named, named
from .ports import Account
from .tables import PutRow
from .tenant import Tenant

log = structlog.get_logger("eas.standards")

#: How long a verdict counts: so long may somebody go on whose password was changed on the server.
REMEMBER_SECONDS = 300.0
#: Verdicts and users kept in memory, some hundred octets each.
MAX_REMEMBERED = 20_000
#: How long it is known how to enter the servers for somebody: longer than any wait of a device.
PRESENT_SECONDS = 2 * 3600.0

#: How often a user's names and other addresses are looked up.
IDENTITIES_SECONDS = 86_400.0


#: How long a message that was put into a folder is found again by the name chosen for it: devices give up after hours.
PUTS_KEPT = timedelta(days=30)


class Servers(Protocol):
    """The servers of all tenants, and what is kept open to them (`standards.servers`)."""

    async def check(self, account: Account) -> bool:
        """Whether the credentials are good. Raises Unavailable."""
        ...

    async def admits(self, account: Account) -> bool:
        """Whether they let the gateway in for somebody who has no password to show: as the gateway enters for their
        devices, by a master user or with a token. Raises Unavailable."""
        ...

    async def identities(self, account: Account) -> tuple[str, Sequence[str]] | None:
        """The name ("" for none) and the addresses that the servers know of a user; None if nothing is to be asked
        just now. Raises Unavailable."""
        ...

    def kept(self, tenant: Tenant) -> frozenset[FolderType]:
        """The types of folders that the embedded groupware keeps for these users."""
        ...

    def open(self, account: Account) -> tuple[Mailbox, Directory, Outbox]: ...


@dataclass(frozen=True, slots=True)
class _Verdict:
    until: float
    user_id: str


class StandardAccounts:
    """`embedded` lets in whoever is of no tenant."""

    def __init__(
        self, tenants: Sequence[Tenant], servers: Servers, ground: Groupware, embedded: EmbeddedAccounts, *,
        default_domain: str, monotonic: Callable[[], float], verdicts: Verdicts | None = None,
    ) -> None:
        """`verdicts`: what other processes were told; None where there are none."""
        self._verdicts = verdicts
        self._tenants, self._servers, self._ground, self._embedded = tuple(tenants), servers, ground, embedded
        self._default_domain, self._monotonic = default_domain, monotonic
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, _Verdict] = OrderedDict()
        self._asking: dict[bytes, asyncio.Future[str | None]] = {}
        #: By user: as they last came in, and when.
        self._entered: OrderedDict[str, tuple[float, Account]] = OrderedDict()
        #: Of them, those whom a server has refused since.
        self._refused: set[str] = set()

    async def verify(self, login: str, password: str) -> User | None:
        who = named(login, self._tenants, self._default_domain)
        if who is None:
            return await self._embedded.verify(login, password)
        if not password:  # some servers take that for an anonymous login
            return None
        return await self._admitted(who, Secret(password))

    async def vouched(self, login: str, token: Secret | None = None) -> User | None:
        who = named(login, self._tenants, self._default_domain)
        if who is None:
            return await self._embedded.vouched(login, token)
        closed = closed_to(who.tenant, token)
        if closed:
            raise NoEntrance(f"{', '.join(closed)} of {who.tenant.name}")
        secret = token if token is not None and own_credentials(who.tenant) and who.tenant.tokens else Secret("")
        return await self._admitted(who, secret)

    async def _admitted(self, who: Named, secret: Secret) -> User | None:
        user_id = await self._verified(who, secret)
        if user_id is None:
            return None
        found = await self._ground.look(lambda c: load_admitted(c, user_id))
        if found is None:
            self.forget(user_id)
            return None
        user, enabled = found
        return self._enter(replace(user, login=who.login, secret=secret), who) if enabled else None

    def present(self, user_id: str) -> Account | None:
        """Somebody who came in not long ago; None for others, and for users of the embedded groupware."""
        entered = self._entered.get(user_id)
        return entered[1] if entered is not None else None

    def welcome(self, user_id: str) -> Account | None:
        """As `present`, but None for those whom a server has refused since: they are to come in anew."""
        return None if user_id in self._refused else self.present(user_id)

    def open(self, user: User) -> tuple[Mailbox, Directory, Outbox]:
        account = self.present(user.id)
        if account is None or user.secret is None:
            return self._embedded.open(user)
        return self._servers.open(replace(account, user=user, secret=user.secret))

    async def tidy(self) -> None:
        """Forget what nobody asks for any longer. Once a day is enough."""
        await self._ground.write(_tidy)

    def forget(self, user_id: str) -> None:
        """The verdicts on a user, in all processes: a server has refused what was good before."""
        self.forget_here(user_id)
        if self._verdicts is not None:
            self._verdicts.forget(user_id)

    def forget_here(self, user_id: str) -> None:
        """The same in this process."""
        if user_id in self._entered:
            self._refused.add(user_id)
        for mark in [mark for mark, verdict in self._good.items() if verdict.user_id == user_id]:
            del self._good[mark]

    def _enter(self, user: User, who: Named) -> User:
        assert user.secret is not None
        account = Account(user=user, tenant=who.tenant, login=who.login, secret=user.secret, ground=self._ground)
        if enters_by_itself(who.tenant):  # then nobody's password is kept beyond the request
            account = replace(account, user=replace(user, secret=None), secret=Secret(""))
        now = self._monotonic()
        self._entered[user.id] = (now, account)
        self._entered.move_to_end(user.id)
        self._refused.discard(user.id)
        while len(self._entered) > MAX_REMEMBERED or now - next(iter(self._entered.values()))[0] > PRESENT_SECONDS:
            self._refused.discard(self._entered.popitem(last=False)[0])
        return user

    async def _verified(self, who: Named, secret: Secret) -> str | None:
        """The user's id; None for wrong credentials. Those who ask the same at the same time ask the server once."""
        kind = "token" if secret.bearer else ""
        asked = "\0".join((who.tenant.name, who.login, str(len(secret.value)), secret.value, kind))
        mark = hmac.digest(self._key, asked.encode("utf-8", "surrogatepass"), "sha256")
        verdict = self._good.get(mark)
        if verdict is not None and self._monotonic() < verdict.until:
            return verdict.user_id
        if (asking := self._asking.get(mark)) is not None:
            return await asyncio.shield(asking)
        asking = self._asking[mark] = asyncio.ensure_future(self._find(mark, asked, who, secret))
        asking.add_done_callback(lambda _: self._asking.pop(mark, None))
        return await asyncio.shield(asking)

    async def _find(self, mark: bytes, asked: str, who: Named, secret: Secret) -> str | None:
        """From another process, else from the servers."""
        known = await self._verdicts.known(asked) if self._verdicts is not None else None
        if known is not None:
            user_id, seconds = known
            self._remember(mark, user_id, min(seconds, REMEMBER_SECONDS))
            return user_id
        found = await self._ask(who, secret)
        if found is not None:
            self._remember(mark, found, REMEMBER_SECONDS)
            if self._verdicts is not None:
                await self._verdicts.put(asked, found, REMEMBER_SECONDS)
        return found

    def _remember(self, mark: bytes, user_id: str, seconds: float) -> None:
        self._good[mark] = _Verdict(self._monotonic() + seconds, user_id)
        while len(self._good) > MAX_REMEMBERED:
            self._good.popitem(last=False)

    async def _ask(self, who: Named, secret: Secret) -> str | None:
        account = Account(
            user=User(id="", login=who.login, address=who.address, addresses=(who.address,), name="", secret=secret),
            tenant=who.tenant, login=who.login, secret=secret, ground=self._ground,
        )
        if not await (self._servers.check(account) if _is_password(secret) else self._servers.admits(account)):
            return None
        user_id = await members.join(self._ground, who, self._servers.kept(who.tenant))
        await self._note_identities(user_id, account)
        return user_id

    async def _note_identities(self, user_id: str, account: Account) -> None:
        """Nobody is kept out because a directory is away."""
        at = await self._ground.look(lambda c: members.identities_at(c, user_id))
        now = self._ground.now().timestamp()
        if now - at / 1000 < IDENTITIES_SECONDS:
            return
        try:
            told = await self._servers.identities(account)
        except Unavailable as error:
            log.info("the other addresses of a user are not known yet", user=user_id, reason=str(error))
            return
        if told is not None:
            name, addresses = told
            try:
                await self._ground.write(lambda tx: members.note_identities(tx, user_id, name, addresses))
            except IntegrityError as error:
                log.info("the other addresses of a user are noted later", user=user_id, reason=str(error.orig))


def _is_password(secret: Secret) -> bool:
    return bool(secret.value) and not secret.bearer


def _tidy(tx: Writing) -> None:
    forget_gone(tx)
    tx.connection.execute(delete(PutRow).where(PutRow.at < millis(tx.now - PUTS_KEPT)))

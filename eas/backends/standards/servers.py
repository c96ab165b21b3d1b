"""The servers of all tenants: what is kept open to them, and one user's ports made of it.

What is made for a request is cheap and holds nothing; connections, discoveries, indexes and looks at folders live in
the pools here, for all users together, each with its limits.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from eas.backends.dav.books import CompanyBooks
from eas.backends.dav.client import DavClients
from eas.backends.dav.contacts import DavContacts
from eas.backends.dav.errors import translated as dav_translated
from eas.backends.dav.scheduling import DavFreeBusy
from eas.backends.dav.source import DavSource
from eas.backends.embedded.backend import Embedded
from eas.backends.embedded.directory import EmbeddedContacts, EmbeddedDirectory, EmbeddedPeople
from eas.backends.embedded.mailbox import EmbeddedMailbox
from eas.backends.embedded.outbox import EmbeddedOutbox
from eas.backends.imap.errors import translated
from eas.backends.imap.model import LoginRefused, Pool, Session
from eas.backends.imap.notes import NotesSource
from eas.backends.imap.pool import ImapPool
from eas.backends.imap.source import ImapSource
from eas.backends.ldap.directory import LdapDirectory
from eas.backends.sieve.vacation import SieveVacation
from eas.backends.smtp.outbox import SmtpOutbox
from eas.engine.model import CollectionId, FolderType
from eas.engine.ports import Directory, Outbox

from .directory import GlobalList, StandardDirectory
from .hierarchy import Hierarchies
from .mailbox import CombinedMailbox
from .ports import Account, AddressList, FreeBusy, MailSource, Numbered, Source
from .scheduled import ScheduledOutbox
from .tenant import Provider, Tenant
from .watching import Watching

#: The special folders of a class.
_TYPES_OF = {
    "mail": frozenset({
        FolderType.INBOX, FolderType.DRAFTS, FolderType.SENT_ITEMS, FolderType.DELETED_ITEMS, FolderType.USER_MAIL,
    }),
    "calendar": frozenset({FolderType.CALENDAR}),
    "contacts": frozenset({FolderType.CONTACTS}),
    "tasks": frozenset({FolderType.TASKS}),
    "notes": frozenset({FolderType.NOTES}),
}
#: What no server has: kept here for everybody.
_OURS = frozenset({FolderType.OUTBOX, FolderType.RECIPIENT_CACHE})


#: (setting, class) of what CalDAV and CardDAV may serve.
_DAV_CLASSES = (
    ("calendar", Provider.CALDAV, "Calendar"), ("tasks", Provider.CALDAV, "Tasks"), ("notes", Provider.CALDAV, "Notes"),
    ("contacts", Provider.CARDDAV, "Contacts"),
)


class StandardServers:
    """`refused` is told of a user whose credentials a server does not take any more, `missed` of a tenant whose server
    should have called its hook."""

    def __init__(
        self, embedded: Embedded, *, refused: Callable[[str], None] = lambda user_id: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._embedded = embedded
        self.refused = refused
        self.missed: Callable[[str], None] = lambda tenant: None
        #: One for all requests: what is known of connections and mailboxes is kept by the pool that they came from.
        self._connections = ImapPool(monotonic)
        self._imap: Pool = _Told(self._connections, lambda user_id: self.refused(user_id))
        self._dav = DavClients()
        self._ldap = LdapDirectory()
        self._books = CompanyBooks(self._dav, monotonic)
        self._hierarchies = Hierarchies(monotonic)

    async def close(self) -> None:
        await self._imap.close()
        await self._books.close()
        await self._dav.close()
        await self._ldap.close()

    def connections(self) -> dict[str, int]:
        """Those to IMAP servers, by what they do (`ImapPool.census`)."""
        return self._connections.census()

    # -- who comes in

    async def check(self, account: Account) -> bool:
        match account.tenant.check:
            case "ldap":
                return await self._ldap.check(account)
            case "dav":
                with dav_translated():
                    return await self._dav.of(account).check()
            case _:
                with translated():
                    return await self._imap.check(account)

    async def admits(self, account: Account) -> bool:
        if account.tenant.imap is not None:
            with translated():
                try:
                    async with self._connections.use(account):
                        return True
                except LoginRefused:
                    return False
        if account.tenant.dav is not None:
            with dav_translated():
                return await self._dav.of(account).check()
        return True  # there is nobody to ask

    async def identities(self, account: Account) -> tuple[str, Sequence[str]] | None:
        addresses: list[str] = [account.user.address]
        name = ""
        tenant = account.tenant
        if tenant.directory is Provider.LDAP:
            people = self._ldap.of(account)
            person = await people.by_address(account.user.address)
            name = person.name if person is not None else ""
            addresses += await people.addresses(account.login)
        if tenant.dav is not None:
            with dav_translated():
                addresses += (await self._dav.of(account).discover()).addresses
        return name, list(dict.fromkeys(addresses))

    def kept(self, tenant: Tenant) -> frozenset[FolderType]:
        classes = [name for name in _TYPES_OF if getattr(tenant, name) is Provider.EMBEDDED]
        return _OURS.union(*(_TYPES_OF[name] for name in classes))

    # -- what they are given

    def open(self, account: Account) -> tuple[CombinedMailbox, Directory, Outbox]:
        mailbox = self.mailbox(account)
        return mailbox, self._directory(account), self._outbox(account, mailbox)

    def mailbox(self, account: Account) -> CombinedMailbox:
        tenant = account.tenant
        made: list[CombinedMailbox] = []  # the sources ask the mailbox that is made of them

        def resolving(name: str) -> Callable[[CollectionId], Awaitable[Numbered | None]]:
            async def resolve(id: CollectionId) -> Numbered | None:
                return await made[0].resolve(id, name)

            return resolve

        sources: list[Source] = []
        mail: MailSource | None = None
        pool = self._imap
        if tenant.mail is Provider.IMAP:
            mail = ImapSource(account, pool, resolving("imap"))
            sources.append(mail)
        classes = frozenset(kind for setting, provider, kind in _DAV_CLASSES if getattr(tenant, setting) is provider)
        if classes:
            sources.append(DavSource(account, self._dav.of(account), classes, resolving("dav")))
        if tenant.notes is Provider.IMAP:
            sources.append(NotesSource(account, pool, resolving("notes")))
        made.append(CombinedMailbox(
            account, sources, EmbeddedMailbox(self._embedded.groupware, account.user), self._hierarchies,
            mail=mail, kept=self.kept(tenant), vacation=SieveVacation(account) if tenant.sieve else None,
        ))
        return made[0]

    def watch(self, account: Account) -> Watching:
        mailbox = self.mailbox(account)
        has_imap = Provider.IMAP in (account.tenant.mail, account.tenant.notes)
        return Watching(
            account=account, mailbox=mailbox, sources=mailbox.sources,
            pool=self._imap if has_imap and not account.tenant.hooks else None,
            missed=lambda tenant: self.missed(tenant),
        )

    def forget_folders(self, user_id: str) -> None:
        """They are looked at anew when somebody asks next: somebody has changed them."""
        self._hierarchies.forget(user_id)

    def _directory(self, account: Account) -> Directory:
        tenant, user, ground = account.tenant, account.user, self._embedded.groupware
        lists: list[GlobalList] = []
        match tenant.directory:
            case Provider.LDAP:
                lists.append(self._ldap.of(account))
            case Provider.CARDDAV:
                lists.append(self._books.of(account))
            case Provider.EMBEDDED:
                lists.append(EmbeddedPeople(ground, tenant.domains or (account.domain,)))
        contacts: AddressList | None = None
        if tenant.contacts is Provider.CARDDAV:
            contacts = DavContacts(account, self._dav.of(account), self._own_books(account))
        elif tenant.contacts is Provider.EMBEDDED:
            contacts = EmbeddedContacts(ground, user)
        busy: FreeBusy | None = None
        if tenant.calendar is Provider.CALDAV:
            busy = DavFreeBusy(account, self._dav.of(account))
        elif tenant.calendar is Provider.EMBEDDED:
            busy = EmbeddedDirectory(ground, user)
        return StandardDirectory(account, lists, contacts, busy)

    def _own_books(self, account: Account) -> list[Numbered] | None:
        """None before anybody has looked: then those in which somebody is known already."""
        snapshot = self._hierarchies.present(account.user.id)
        if snapshot is None:
            return None
        return [one for one in snapshot.numbered("dav") if one.place.item_class == "Contacts" and one.place.own]

    def _outbox(self, account: Account, mailbox: CombinedMailbox) -> Outbox:
        if account.tenant.mail is not Provider.IMAP:
            return EmbeddedOutbox(self._embedded.office, account.user)
        pool = self._imap

        async def sent(message_id: str) -> bool:
            return await _stands_in_sent(account, mailbox, pool, message_id)

        return ScheduledOutbox(SmtpOutbox(account, sent), mailbox.schedules)


async def _stands_in_sent(account: Account, mailbox: CombinedMailbox, pool: Pool, message_id: str) -> bool:
    """Whether a message (its id with the angle brackets) stands in the folder of what was sent."""
    for one in (await mailbox.snapshot()).numbered("imap"):
        if one.place.type is FolderType.SENT_ITEMS:
            with translated():
                async with pool.use(account, one.place.locator) as session:
                    await session.select(one.place.locator)
                    return bool(await session.search(["HEADER", "Message-ID", message_id.encode()]))
    return False


class _Told:
    """A pool that tells who is refused."""

    def __init__(self, pool: Pool, refused: Callable[[str], None]) -> None:
        self._pool, self._refused = pool, refused

    def use(self, account: Account, mailbox: str = "") -> AbstractAsyncContextManager[Session]:
        return self._use(account, mailbox)

    @asynccontextmanager
    async def _use(self, account: Account, mailbox: str) -> AsyncIterator[Session]:
        try:
            async with self._pool.use(account, mailbox) as session:
                yield session
        except LoginRefused:
            self._refused(account.user.id)
            raise

    def listen(self, account: Account) -> AbstractAsyncContextManager[Session | None]:
        return self._listen(account)

    @asynccontextmanager
    async def _listen(self, account: Account) -> AsyncIterator[Session | None]:
        try:
            async with self._pool.listen(account) as session:
                yield session
        except LoginRefused:
            self._refused(account.user.id)
            raise

    async def check(self, account: Account) -> bool:
        return await self._pool.check(account)

    async def drop(self, account: Account) -> None:
        await self._pool.drop(account)

    async def close(self) -> None:
        await self._pool.close()

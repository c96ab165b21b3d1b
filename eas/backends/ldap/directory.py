"""The address list out of LDAP trees: typing ahead in an index in memory, photos and certificates from the server.

What a user sees is the trees and the filter of the settings, filled with the user's login and domain; users for whom
these come out alike share an index. Trees with more entries than the settings allow, and those whose index is being
made for the first time, are searched at the server.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from eas.backends.embedded.prepare import folded, searched_terms
from eas.backends.standards.enclosed import Enclosed, EnclosedCache
from eas.backends.standards.people_index import Listed, PeopleIndex, order
from eas.backends.standards.ports import Account
from eas.backends.standards.scopes import Scope, Scopes
from eas.backends.standards.tenant import LdapServer
from eas.engine.errors import Unavailable
from eas.engine.model import Person

from .attributes import (
    MAX_MEMBERS,
    PREFIXES,
    AttributeMap,
    addresses_of,
    enclosed,
    listed,
    locator_key,
    user_key,
)
from .client import Connection, Entry, Servers
from .filters import (
    Who,
    any_of,
    begins,
    both,
    check_filter,
    equals,
    filled_base,
    filled_filter,
    filled_login,
    is_within,
    present,
)

log = structlog.get_logger("eas.ldap")

#: Entries that a search at the server brings: each costs a quarter of a millisecond.
MAX_LIVE = 200
#: Results of searches at the server that are kept, and for how many seconds.
MAX_RESULTS, RESULT_SECONDS = 512, 60.0
#: Members of a group that are looked up at the server one by one, since the index does not have them.
MAX_ASKED_MEMBERS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one user sees. `key` is equal for all who see the same."""

    server: LdapServer
    bases: tuple[str, ...]
    filter: str
    attributes: AttributeMap
    key: tuple[object, ...]

    @classmethod
    def of(cls, tenant: str, server: LdapServer, who: Who) -> View:
        """Raises ValueError for settings that make no sense (see `check_settings`)."""
        bases = tuple(dict.fromkeys(filled_base(base, who) for base in server.bases))
        filter = filled_filter(server.filter, who)
        key = (tenant, server.host, server.port, server.bind_dn, bases, filter)
        return cls(
            server=server, bases=bases, filter=filter, attributes=AttributeMap.of(server.attributes), key=key
        )


def check_settings(server: LdapServer) -> None:
    """Raises ValueError, with what is wrong."""
    AttributeMap.of(server.attributes)
    check_filter(server.filter)
    check_filter(server.user_filter)
    if not server.bases:
        raise ValueError("no base is named to search in")


@dataclass(slots=True)
class LdapDirectory:
    """What lives longer than a request: connections, indexes, photos. Used in one event loop."""

    monotonic: Callable[[], float] = time.monotonic
    _servers: Servers = field(init=False)
    _scopes: Scopes = field(init=False)
    _results: OrderedDict[object, tuple[float, tuple[Listed, ...]]] = field(default_factory=OrderedDict)
    _enclosed: EnclosedCache = field(default_factory=EnclosedCache)
    _views: OrderedDict[object, View] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._servers, self._scopes = Servers(self.monotonic), Scopes(self.monotonic)

    def of(self, account: Account) -> LdapList:
        """The account's tenant has an `ldap`."""
        assert account.tenant.ldap is not None
        who = who_of(account)
        return LdapList(self, self._view(account.tenant.name, account.tenant.ldap, who), who)

    async def check(self, account: Account) -> bool:
        """Whether the account's password is the one of its entry, by a bind. Raises Unavailable."""
        server, password = account.tenant.ldap, account.secret.value
        # With an empty password a bind succeeds as nobody. RFC 4513 5.1.2
        if server is None or account.secret.bearer or not password or not _is_text(password):
            return False
        who = who_of(account)
        if server.user_dn:
            return await self._servers.bind(server, filled_login(server.user_dn, who), password)
        entry = await self.entry_of(server, who, ["1.1"])
        return entry is not None and await self._servers.bind(server, entry.dn, password)

    async def entry_of(self, server: LdapServer, who: Who, attributes: Sequence[str]) -> Entry | None:
        """The one entry that the filter for logins finds; None for none, or several."""
        bases, filter = [filled_base(base, who) for base in server.bases], filled_filter(server.user_filter, who)

        def work(connection: Connection) -> dict[str, Entry]:
            return {e.dn: e for base in bases for e in connection.search(base, filter, attributes, most=2).entries}

        found = await self._servers.work(server, work, seconds=server.timeout_seconds)
        if len(found) > 1:
            log.warning("a login has several entries in the directory", login=who.login, entries=sorted(found))
        return next(iter(found.values())) if len(found) == 1 else None

    async def close(self) -> None:
        await self._scopes.close()
        await self._servers.close()

    # --- For LdapList

    def _view(self, tenant: str, server: LdapServer, who: Who) -> View:
        key = (tenant, server.host, who)
        if (view := self._views.get(key)) is None or view.server is not server:
            try:
                view = self._views[key] = View.of(tenant, server, who)
            except ValueError as error:
                log.error("the settings of the directory are wrong", server=server.host, reason=str(error))
                raise Unavailable(f"the settings of the directory are wrong: {error}") from error
            if len(self._views) > MAX_RESULTS:
                self._views.popitem(last=False)
        return view

    def scope(self, view: View) -> Scope:
        """With no index kept, as the settings can say, always an oversized one."""
        if view.server.cache_seconds <= 0 or view.server.max_entries <= 0:
            return Scope(oversized=True)
        return self._scopes.get(view.key, lambda: self._build(view), view.server.cache_seconds)

    async def _build(self, view: View) -> PeopleIndex | None:
        def work(connection: Connection) -> PeopleIndex | None:
            began = time.perf_counter()
            entries = _all_of(connection, view)
            if entries is None:
                log.info("the directory is searched at the server, it has too many entries for memory",
                         server=view.server.host, bases=view.bases, most=view.server.max_entries)
                return None
            index = PeopleIndex.of(entries)
            log.info("address list read", server=view.server.host, bases=view.bases, entries=len(index),
                     octets=index.size, seconds=round(time.perf_counter() - began, 2))
            return index

        return await self._servers.work(view.server, work)

    async def ask(self, view: View, filter: str, *, most: int) -> tuple[Listed, ...]:
        """A search at the server, by name; answers are kept for a while."""
        key, now = (view.key, filter), self.monotonic()
        kept = self._results.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]

        def work(connection: Connection) -> list[Entry]:
            found: dict[str, Entry] = {}
            for base in view.bases:
                asked = connection.search(base, both(view.filter, filter), view.attributes.listed, most=most)
                found |= {entry.dn: entry for entry in asked.entries}
            return list(found.values())

        entries = await self._servers.work(view.server, work, seconds=view.server.timeout_seconds)
        people = (listed(entry.dn, entry.values, view.attributes) for entry in entries)
        # What may be enclosed is not known here, so it is looked for.
        result = tuple(sorted((replace(one, enclosed=True) for one in people if one is not None), key=order))
        self._results[key] = (now + min(RESULT_SECONDS, view.server.cache_seconds), result)
        self._results.move_to_end(key)
        if len(self._results) > MAX_RESULTS:
            self._results.popitem(last=False)
        return result

    async def enclosed_of(self, view: View, dns: Sequence[str]) -> list[Enclosed]:
        """In the order of the names; what cannot be read is empty."""
        now = self.monotonic()
        kept = {dn: self._enclosed.get((view.key, dn), now) for dn in dns}
        known = {dn: one for dn, one in kept.items() if one is not None}
        missing = [dn for dn in dict.fromkeys(dns) if dn not in known]
        if missing:
            def work(connection: Connection) -> list[Entry]:
                return [e for dn in missing for e in _one(connection, dn, view.filter, view.attributes.enclosed)]

            read = await self._servers.work(view.server, work, seconds=view.server.timeout_seconds)
            by_key = {locator_key(entry.dn): enclosed(entry.values, view.attributes) for entry in read}
            for dn in missing:
                known[dn] = by_key.get(locator_key(dn), Enclosed())
                self._enclosed.keep((view.key, dn), known[dn], now + view.server.cache_seconds)
        return [known[dn] for dn in dns]

    async def entries_at(self, view: View, dns: Sequence[str]) -> list[Listed]:
        """Those of the names that are entries which this user may see."""
        dns = [dn for dn in dns if is_within(dn, view.bases)]

        def work(connection: Connection) -> list[Entry]:
            return [entry for dn in dns for entry in _one(connection, dn, view.filter, view.attributes.listed)]

        read = await self._servers.work(view.server, work, seconds=view.server.timeout_seconds)
        people = (listed(entry.dn, entry.values, view.attributes) for entry in read)
        return [one for one in people if one is not None]


def _is_text(password: str) -> bool:
    """No halves of surrogates, which nobody can have set as a password."""
    return password.encode(errors="ignore").decode() == password


def who_of(account: Account) -> Who:
    return Who(login=account.login, user=account.local, domain=account.domain)


def _one(connection: Connection, dn: str, filter: str, attributes: Sequence[str]) -> Iterable[Entry]:
    return connection.search(dn, filter, attributes, most=1, only_base=True).entries


def _all_of(connection: Connection, view: View) -> list[Listed] | None:
    """Everybody whom the view shows; None if these are too many, or the server does not tell all."""
    found: dict[str, Listed] = {}
    most, attributes = view.server.max_entries, view.attributes
    for base in view.bases:
        everybody = connection.pages(base, view.filter, attributes.listed, most=most)
        if everybody.cut:
            return None
        for entry in everybody.entries:
            person = listed(entry.dn, entry.values, attributes)
            if person is not None:
                found[entry.dn] = person
        if len(found) > most:
            return None
        if attributes.enclosed:
            filter = both(view.filter, present(attributes.enclosed))
            for entry in connection.pages(base, filter, ["1.1"], most=most).entries:
                if entry.dn in found:
                    found[entry.dn] = replace(found[entry.dn], enclosed=True)
    return list(found.values())


# --- For one request --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LdapList:
    """The address list as one user sees it. All raise Unavailable."""

    _directory: LdapDirectory
    _view: View
    _who: Who

    async def search(self, text: str, limit: int) -> Sequence[Person]:
        return (await self.page(text, 0, limit))[0]

    async def page(self, text: str, start: int, count: int) -> tuple[Sequence[Person], int]:
        """Without photos, certificates and members, which `whole` adds."""
        index = self._directory.scope(self._view).index
        if index is not None:
            found, total = index.find(text, start, count)
            return [one.person for one in found], total
        texts = searched_terms(text)
        if not texts:
            return [], 0
        people = await self._directory.ask(self._view, self._beginning(texts), most=MAX_LIVE)
        return [one.person for one in people[start : start + count]], len(people)

    def _beginning(self, texts: Sequence[str]) -> str:
        """A text that looks like a phone number comes as typed and as dialled."""
        attributes = self._view.attributes
        names = attributes.searched + (attributes.phones if texts[0][0] in "+0123456789(" else [])
        return any_of([begins(names, text) for text in texts])

    async def by_address(self, address: str) -> Person | None:
        """With all that is known of it."""
        found = await self._at(address)
        return (await self._whole([found]))[0] if found is not None else None

    async def addresses(self, login: str) -> Sequence[str]:
        """All addresses of the entry of a login, the primary one first; () if there is no such entry, or several."""
        view = self._view
        who = replace(self._who, login=login, user=login.rpartition("@")[0] or login)
        entry = await self._directory.entry_of(view.server, who, view.attributes.addresses)
        return addresses_of(entry.values, view.attributes) if entry is not None else ()

    async def whole(self, people: Sequence[Person]) -> Sequence[Person]:
        """The same people with photos, certificates and members."""
        entries = [await self._at(person.address) if person.address else None for person in people]
        there = await self._whole([entry for entry in entries if entry is not None])
        by_address = {folded(person.address): person for person in there}
        return [by_address.get(folded(person.address), person) for person in people]

    async def _at(self, address: str) -> Listed | None:
        index = self._directory.scope(self._view).index
        if index is not None:
            return index.by_address(address)
        if "@" not in address:
            return None
        filter = equals(self._view.attributes.addresses, address.strip(), PREFIXES)
        found = await self._directory.ask(self._view, filter, most=2)
        exact = [one for one in found if folded(one.person.address) == folded(address.strip())]
        return next(iter(exact or found), None)

    async def _whole(self, entries: Sequence[Listed]) -> list[Person]:
        asked = [entry.locator for entry in entries if entry.enclosed]
        read = dict(zip(asked, await self._directory.enclosed_of(self._view, asked), strict=True)) if asked else {}
        people = []
        for entry in entries:
            more = read.get(entry.locator, Enclosed())
            members = await self._members(more.members) if more.members else ()
            people.append(
                replace(entry.person, picture=more.picture, certificates=more.certificates, members=members)
            )
        return people

    async def _members(self, said: Sequence[str]) -> tuple[str, ...]:
        """The addresses of a group's members, in their order: they are named by distinguished names, user names or
        addresses. Those whom this user may not see are left out, and those beyond MAX_ASKED_MEMBERS of which nothing
        is known."""
        index = self._directory.scope(self._view).index
        known: dict[str, str] = {}
        unknown: list[str] = []
        for member in said:
            if "=" not in member and "@" in member:
                known[member] = member
                continue
            key = locator_key(member) if "=" in member else user_key(member)
            found = index.by_key(key) if index is not None else None
            if found is not None:
                known[member] = found.person.address
            elif "=" in member:
                unknown.append(member)
        if unknown and index is None:
            asked = unknown[:MAX_ASKED_MEMBERS]
            entries = await self._directory.entries_at(self._view, asked)
            there = {locator_key(entry.locator): entry.person.address for entry in entries}
            known |= {dn: there[locator_key(dn)] for dn in asked if locator_key(dn) in there}
        addresses = (known.get(member, "") for member in said)
        return tuple(dict.fromkeys(address for address in addresses if address))[:MAX_MEMBERS]

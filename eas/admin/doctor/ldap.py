"""The address list: bind, search, paging, what its entries tell of people, how fast it answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from eas.backends.ldap import filters
from eas.backends.ldap.attributes import AttributeMap
from eas.backends.ldap.client import Connection, Entry, Result, Servers
from eas.backends.ldap.directory import LdapDirectory, check_settings, who_of
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import LdapServer, Tenant
from eas.engine.errors import Unavailable

from .findings import Notes
from .reach import ldap_greeting, ldap_start_tls, reach

#: What people look for; the others are nice to have.
_SHOWN = ("name", "address", "phone", "mobile_phone", "company", "title", "office")
_SELDOM = ("picture", "certificates")
#: Entries whose photos and certificates are looked at: photos are large.
_SAMPLE = 50
#: A search while somebody types should not take longer.
_SLOW_SECONDS = 0.25


async def look(notes: Notes, server: LdapServer, tenant: Tenant, account: Account | None) -> None:
    """`account` None: without a login."""
    try:
        check_settings(server)
        attributes = AttributeMap.of(server.attributes)
    except ValueError as error:
        notes.fail("settings", str(error), "There is no address list.")
        return
    if not await reach(notes, server, ldap_start_tls, ldap_greeting):
        return
    if account is None and any("{" in text for text in (*server.bases, server.filter)):
        notes.skip("search", "needs --user: the settings name the user's domain or login")
        return
    servers = Servers(time.monotonic)
    try:
        await _searched(notes, server, account, attributes, servers)
    finally:
        await servers.close()
    if tenant.check == "ldap":
        await _login(notes, account)


async def _searched(
    notes: Notes, server: LdapServer, account: Account | None, attributes: AttributeMap, servers: Servers
) -> None:
    who = who_of(account) if account is not None else None
    bases = [filters.filled_base(base, who) if who else base for base in server.bases]
    filter = filters.filled_filter(server.filter, who) if who else server.filter
    looking = _Looking(bases, filter, attributes)
    began = time.monotonic()
    try:
        found = await servers.work(server, lambda c: looking.everybody(c, server.max_entries))
    except Unavailable as error:
        notes.fail("search", str(error), "There is no address list.",
                   "Look at `bind_dn`, `bind_password`, `bases` and `filter`, and at the access rules of the server.")
        return
    took = time.monotonic() - began
    notes.ok("bind", server.bind_dn or "without credentials")
    entries = [entry for result in found for entry in result.entries]
    for base, result in zip(bases, found, strict=True):
        if not result.entries:
            notes.warn("search", f"nobody is found in {base or 'the root'}", "The address list lacks them.",
                       "Look at `bases` and `filter`, and at what `bind_dn` may read.")
    if not entries:
        return
    notes.ok("search", f"{len(entries):,} entries in {took:.1f} seconds")
    if any(result.cut for result in found):
        _cut(notes, server, len(entries))
    else:
        notes.ok("paging", "all entries can be read")
    _coverage(notes, attributes, entries)
    await _sampled(notes, server, servers, looking)


def _cut(notes: Notes, server: LdapServer, count: int) -> None:
    if count >= server.max_entries:
        notes.warn("paging", f"more than max_entries = {server.max_entries:,}",
                   "Each search goes to the server instead of an index in memory.",
                   "Raise `max_entries`, if this machine has some kilobytes for each.")
    else:
        notes.fail("paging", f"the server says no more than {count:,} entries", "People are missing in the list.",
                   "Raise the limit for `bind_dn` (`limits` or olcLimits of OpenLDAP, MaxPageSize elsewhere).")


@dataclass(frozen=True, slots=True)
class _Looking:
    bases: Sequence[str]
    filter: str
    attributes: AttributeMap

    def everybody(self, connection: Connection, most: int) -> list[Result]:
        return [connection.pages(base, self.filter, self.attributes.listed, most=most) for base in self.bases]

    def sample(self, connection: Connection) -> list[Entry]:
        names = self.attributes.enclosed
        return [e for base in self.bases for e in connection.search(base, self.filter, names, most=_SAMPLE).entries]

    def typed(self, connection: Connection) -> float:
        """Seconds of a search as while somebody types; the text is one that few have."""
        began = time.monotonic()
        asked = filters.both(self.filter, filters.begins(self.attributes.searched, "qzx"))
        for base in self.bases:
            connection.search(base, asked, ["1.1"], most=10)
        return time.monotonic() - began


def _coverage(notes: Notes, attributes: AttributeMap, entries: Sequence[Entry]) -> None:
    shares = {field: _share(attributes.fields[field], entries) for field in _SHOWN}
    shown = ", ".join(f"{field.replace('_', ' ')} {share:.0%}" for field, share in shares.items())
    if shares["name"] < 0.5 or shares["address"] < 0.5:
        lacking = " and ".join(field for field in ("name", "address") if shares[field] < 0.5)
        notes.warn("attributes", shown, f"Most entries have no {lacking}: they are hardly found.",
                   "Narrow `filter` to people, or name the right attributes under `attributes`.")
    else:
        notes.ok("attributes", shown)


def _share(names: Sequence[str], entries: Sequence[Entry]) -> float:
    wanted = {name.partition(";")[0].lower() for name in names}
    return sum(1 for entry in entries if wanted & entry.values.keys()) / len(entries)


async def _sampled(notes: Notes, server: LdapServer, servers: Servers, looking: _Looking) -> None:
    async with notes.attempt("photos and certificates", "They are not shown."):
        sample = await servers.work(server, looking.sample)
        if sample:
            told = (f"{field} {_share(looking.attributes.fields[field], sample):.0%}" for field in _SELDOM)
            notes.ok("photos and certificates", f"{', '.join(told)} of {len(sample)} entries looked at")
    async with notes.attempt("index", "Searches may fail."):
        took = await servers.work(server, looking.typed)
        if took > _SLOW_SECONDS:
            notes.warn("index", f"a search by the beginning of a name takes {took * 1000:.0f} ms",
                       "Where the list is too large for memory each key typed takes that long.",
                       f"Let the server index {', '.join(looking.attributes.searched)} for substrings (sub, eq).")
        else:
            notes.ok("index", f"a search by the beginning of a name takes {took * 1000:.0f} ms")


async def _login(notes: Notes, account: Account | None) -> None:
    if account is None or not account.secret.value:
        notes.skip("login", "needs --user")
        return
    directory = LdapDirectory()
    try:
        async with notes.attempt("login", "Nobody can log in.", "Look at `user_dn` and `user_filter`."):
            if await directory.check(account):
                notes.ok("login", f"as {account.login}")
            else:
                notes.fail("login", f"{account.login} is refused", "This user cannot work.",
                           "Is the password right? Do `user_dn` or `user_filter` find exactly one entry?")
    finally:
        await directory.close()

"""CalDAV and CardDAV: discovery, collections, changes, an object put down and taken away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from secrets import token_hex

from eas.backends.dav.client import DavClient, DavClients
from eas.backends.dav.hrefs import split
from eas.backends.dav.model import CollectionInfo, DavError, LoginRefused, Principal, Refused
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import DavServer, Provider, Tenant

from .findings import Notes
from .reach import reach_http

_KINDS = {"calendar": "calendars and tasks", "addressbook": "contacts"}


async def look(notes: Notes, server: DavServer, tenant: Tenant, account: Account | None) -> None:
    """`account` None: without a login."""
    filled = server.url.format(login=account.login, user=account.local, domain=account.domain) if account else (
        server.url.partition("{")[0]
    )
    if not await reach_http(notes, filled, server.ca_file, server.timeout_seconds):
        return
    if account is None or (not server.login and not account.secret.value):
        notes.skip("login", "needs --user")
        return
    clients = DavClients()
    try:
        client = clients.of(account)
        try:
            principal = await client.discover()
        except LoginRefused as error:
            notes.fail("login", f"{server.login or account.login} is refused: {error}", "This user has no calendars "
                       "and contacts.", "Is the password right? Does `login` make the name that the server knows?")
            return
        except DavError as error:
            notes.fail("discovery", str(error), "Calendars and contacts are not found.",
                       "Let `url` point to the root of the server, or to the user's principal ({login}, {user}).")
            return
        notes.ok("login", f"as {server.login or account.login}")
        await _found(notes, server, tenant, client, principal)
        if tenant.directory is Provider.CARDDAV:
            await _company(notes, client)
    finally:
        await clients.close()


async def _found(notes: Notes, server: DavServer, tenant: Tenant, client: DavClient, principal: Principal) -> None:
    notes.ok("principal", principal.href or "none; the homes are those of the settings")
    homes = {"calendar": principal.calendar_homes, "addressbook": principal.addressbook_homes}
    wanted = {
        "calendar": Provider.CALDAV in (tenant.calendar, tenant.tasks, tenant.notes),
        "addressbook": Provider.CARDDAV is tenant.contacts,
    }
    for kind, of in _KINDS.items():
        if not wanted[kind]:
            continue
        if not homes[kind]:
            notes.fail(f"home of {of}", "none is told", f"There are no {of}.",
                       f"Name it in the settings as `{kind}s`, if the server cannot tell.")
            continue
        notes.ok(f"home of {of}", ", ".join(homes[kind]))
        async with notes.attempt(of, f"There are no {of}."):
            await _collections(notes, client, kind, homes[kind])
    if wanted["calendar"]:
        _schedules(notes, server, principal)


async def _company(notes: Notes, client: DavClient) -> None:
    """The company's address book."""
    if not client.company:
        notes.fail("address list", "`addressbook_url` is not set", "There is no address list.",
                   "Name the company's address book as `addressbook_url`.")
        return
    async with notes.attempt(
        "address list", "There is no address list.", "Look at `addressbook_url`, and at who may read that collection."
    ):
        origin, path = split(client.company)
        book = client.company if origin != split(client.start)[0] else path
        cards = (await client.changes(book, "", kind="addressbook")).changed
        if cards:
            notes.ok("address list", f"{len(cards):,} cards")
        else:
            notes.warn("address list", "the address book is empty", "Nobody is found.")


def _schedules(notes: Notes, server: DavServer, principal: Principal) -> None:
    if server.schedules == "yes" or (server.schedules == "auto" and principal.auto_schedule):
        notes.ok("scheduling", "the server sends invitations and answers itself")
    else:
        notes.ok("scheduling", "the gateway mails invitations and answers; the server does not")
    if principal.schedule_outbox:
        notes.ok("free and busy", "the server can be asked")
    else:
        notes.warn("free and busy", "the server has no schedule outbox",
                   "When others are busy is known only of those whose calendars this user may read.")


async def _collections(notes: Notes, client: DavClient, kind: str, homes: tuple[str, ...]) -> None:
    found = [one for one in await client.collections(homes) if one.kind == kind]
    of = _KINDS[kind]
    if not found:
        notes.warn(of, "the user has none", "One is made at the first login.")
    else:
        notes.ok(of, ", ".join(one.name or one.href for one in found))
    unsynced = [one for one in found if not one.syncs]
    if found and not unsynced:
        notes.ok(f"changes of {of}", "sync-collection is offered")
    elif found and all(one.ctag or one.sync_token for one in unsynced):
        notes.warn(f"changes of {of}", "no sync-collection", "A look that finds a new CTag lists the whole collection: "
                   "slow in large ones.")
    elif found:
        notes.warn(f"changes of {of}", "neither sync-collection nor a CTag", "Each look lists the whole collection: "
                   "slow, and hard on the server.")
    await _scratch(notes, client, kind, homes[0], found)


async def _scratch(
    notes: Notes, client: DavClient, kind: str, home: str, found: list[CollectionInfo]
) -> None:
    """In a collection made for this; in one of the user's where none can be made."""
    href = f"{home.rstrip('/')}/eas-doctor-{token_hex(4)}/"
    of = _KINDS[kind]
    made = True
    try:
        await client.make(href, kind=kind, name="eas doctor", component="VEVENT" if kind == "calendar" else "")
        notes.ok(f"folders of {of}", "can be made")
    except Refused as error:
        made = False
        notes.warn(f"folders of {of}", f"cannot be made: {error}", "Phones cannot make any, either.")
        writable = [one for one in found if one.privileges is None or {"write", "bind", "all"} & one.privileges]
        if kind == "calendar":
            writable = [one for one in writable if not one.components or "VEVENT" in one.components]
        if not writable:
            return
        href = writable[0].href
    try:
        async with notes.attempt(f"a write and a delete of {of}", "Phones cannot write there."):
            await _object(notes, client, kind, href)
    finally:
        if made:
            async with notes.attempt(f"folders of {of}", "An empty one is left there.", f"Delete {href} by hand."):
                await client.delete(href)


async def _object(notes: Notes, client: DavClient, kind: str, collection: str) -> None:
    of = _KINDS[kind]
    uid = f"eas-doctor-{token_hex(8)}"
    href, data = f"{collection.rstrip('/')}/{uid}{_ENDING[kind]}", _CONTENT[kind](uid)
    etag = await client.put(href, data, kind=kind, etag=None)
    if etag:
        notes.ok(f"ETag of {of}", "is told with the answer to a write")
    else:
        notes.warn(f"ETag of {of}", "a write does not tell it", "Each write is followed by one read.")
    try:
        stored = await client.get(href)
        if etag and stored.etag != etag:
            notes.warn(f"ETag of {of}", "another one is told afterwards", "What phones write comes back to them.")
        try:
            await client.put(href, data, kind=kind, etag='"surely-not-this-one"')
        except Refused as error:
            if error.status != 412:
                raise
        else:
            notes.fail(f"conditions of {of}", "a write over another version was let through",
                       "What two programs change at the same time may be lost.", "The server does not keep If-Match.")
    finally:
        await client.delete(href)
    notes.ok(f"a write and a delete of {of}", "an object was stored, read and deleted again")


def _event(uid: str) -> bytes:
    start = datetime.now(UTC) - timedelta(days=4000)  # long ago, so that nobody is reminded
    return "\r\n".join((
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//eas//doctor//EN", "BEGIN:VEVENT", f"UID:{uid}",
        f"DTSTAMP:{start:%Y%m%dT%H%M%SZ}", f"DTSTART:{start:%Y%m%dT%H%M%SZ}", "DURATION:PT1H", "SUMMARY:eas doctor",
        "END:VEVENT", "END:VCALENDAR", "",
    )).encode()


def _card(uid: str) -> bytes:
    return "\r\n".join((
        "BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", "FN:eas doctor", "N:doctor;eas;;;", "END:VCARD", "",
    )).encode()


_ENDING = {"calendar": ".ics", "addressbook": ".vcf"}
_CONTENT = {"calendar": _event, "addressbook": _card}

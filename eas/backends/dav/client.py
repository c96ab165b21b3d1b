"""One user's calendars and address books on a server: the operations of `model.Collections`, and little besides.

RFC 4918 (WebDAV), 4791 (CalDAV), 6352 (CardDAV), 6578 (sync-collection), 5689 (extended MKCOL), 6638 (scheduling).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from secrets import token_bytes
from urllib.parse import quote, urlsplit

import structlog

from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import Provider
from eas.items.contentline import parse
from eas.items.native import Unreadable

from . import discovery, vfreebusy, xmlbody
from .hrefs import canonical, is_below
from .model import Changes, CollectionInfo, LoginRefused, Object, Principal, Refused, Unreachable
from .transport import MAX_OBJECT, MAX_OTHER, Entrance, Garbled, Reply, Transport, basic
from .xmlbody import CS, DAV, MultistatusReader, Response

log = structlog.get_logger("eas.dav")

#: Objects of one multiget: a thousand take four requests, and an answer of some kilobytes each stays small.
BATCH = 250
#: How often one multiget is asked for again in halves, since the server cannot give it whole: enough to single out a
#: few broken objects, and no more on a server that always fails.
SPLITS = 40
#: Pages of one sync-collection (Cyrus gives some hundred objects a page), and objects of a collection.
MAX_PAGES, MAX_OBJECTS = 5_000, 500_000
#: Collections of one user: each is a folder on every device.
MAX_COLLECTIONS = 1_000
#: Seconds that a discovery is remembered: homes hardly ever move.
REMEMBERED_SECONDS = 600.0
#: Users whose discovery is remembered, a few hundred octets each; and collections without sync-collection.
MAX_REMEMBERED = 20_000

#: What servers answer to a token that is not valid any more: 403 (RFC 6578 3.2), and others by mistake.
_STALE = frozenset({400, 403, 405, 409, 410, 412, 415, 422, 501, 507})
#: And to sync-collection where they have none.
_NO_SYNC = frozenset({400, 403, 405, 409, 415, 422, 501})
#: Statuses of a server that may do better later; others, to one object, are about this object.
_LATER = frozenset({401, 407, 408, 423, 429, 502, 503, 504})
#: Statuses of a whole multiget that may be due to one object in it.
_OF_ONE = frozenset({400, 403, 500, 507})

_CONTENT_TYPES = {"calendar": "text/calendar; charset=utf-8", "addressbook": "text/vcard; charset=utf-8"}
_XML = {"Content-Type": "application/xml; charset=utf-8"}
_CTAG, _SYNC_TOKEN, _ETAG = f"{CS}getctag", f"{DAV}sync-token", f"{DAV}getetag"


@dataclass(slots=True)
class _Memory:
    """What outlives a request: bounded, and of no worth but speed. Users are known by digests of their credentials,
    which are no use to anybody else."""

    salt: bytes = field(default_factory=lambda: token_bytes(32))
    principals: OrderedDict[bytes, tuple[float, Principal]] = field(default_factory=OrderedDict)
    unsynced: OrderedDict[str, None] = field(default_factory=OrderedDict)
    tagless: set[str] = field(default_factory=set)  # origins without CTags
    refused: OrderedDict[tuple[bytes, str], float] = field(default_factory=OrderedDict)


class DavClients:
    """All DAV servers of the gateway."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._transport = Transport()
        self._memory = _Memory()
        self._monotonic = monotonic

    def of(self, account: Account) -> DavClient:
        return DavClient(account, self._transport, self._memory, self._monotonic)

    async def close(self) -> None:
        await self._transport.close()


class DavClient:
    """`model.Collections` of one user. Cheap; holds nothing."""

    def __init__(
        self, account: Account, transport: Transport, memory: _Memory, monotonic: Callable[[], float]
    ) -> None:
        self._transport, self._memory, self._monotonic = transport, memory, monotonic
        server = account.tenant.dav
        if server is None:
            raise Unreachable("no DAV server is configured")
        self.start = _filled(server.url, account)
        books = _filled(server.addressbook_url, account)
        #: The company's address book, if that is its directory: no place where a user's own books are looked for.
        self.company = books if account.tenant.directory is Provider.CARDDAV else ""
        self.start_addressbooks = "" if self.company else books
        self.homes = (_filled(server.calendars, account), _filled(server.addressbooks, account))
        own = bool(server.login)
        # Whoever enters as somebody else is not the principal that the server would tell.
        self.as_other = own and "{" not in server.login
        if own:
            authorization = basic(_filled(server.login, account, quoted=False), server.password)
        elif account.secret.bearer:
            authorization = f"Bearer {account.secret.value}"
        else:
            authorization = basic(account.login, account.secret.value)
        origin, other = _origin(self.start), _origin(books)
        self._entrance = Entrance(
            origin=origin, other="" if other == origin else other, authorization=authorization,
            ca_file=server.ca_file, timeout_seconds=server.timeout_seconds,
        )
        told = "\0".join((self.start, self.start_addressbooks, *self.homes, authorization))
        self._who = blake2b(told.encode(), key=memory.salt, digest_size=32).digest()

    # --- Finding ------------------------------------------------------------------------------------------------------

    async def discover(self) -> Principal:
        now = self._monotonic()
        held = self._memory.principals.get(self._who)
        if held is not None and now - held[0] < REMEMBERED_SECONDS:
            return held[1]
        found = await discovery.discover(self)
        self._memory.principals[self._who] = (now, found)
        self._memory.principals.move_to_end(self._who)
        while len(self._memory.principals) > MAX_REMEMBERED:
            self._memory.principals.popitem(last=False)
        return found

    def known(self) -> Principal | None:
        """What was last discovered, without asking."""
        held = self._memory.principals.get(self._who)
        return held[1] if held is not None else None

    def refused(self, what: str) -> None:
        """The server does not take this from this user: not worth asking for a while."""
        self._memory.refused[self._who, what] = self._monotonic()
        while len(self._memory.refused) > MAX_REMEMBERED:
            self._memory.refused.popitem(last=False)

    def refuses(self, what: str) -> bool:
        at = self._memory.refused.get((self._who, what))
        return at is not None and self._monotonic() - at < REMEMBERED_SECONDS

    async def check(self) -> bool:
        """Whether the server takes the credentials, asked anew. Raises Unreachable."""
        self._memory.principals.pop(self._who, None)
        try:
            await self.discover()
        except LoginRefused:
            return False
        except Refused as error:
            raise Unreachable(str(error)) from error
        return True

    async def collections(self, homes: Sequence[str]) -> Sequence[CollectionInfo]:
        found: dict[str, CollectionInfo] = {}
        for home in homes:
            try:
                listed = [one async for one in self.propfind(home, "1", *discovery.COLLECTION)]
            except Refused:
                self._memory.principals.pop(self._who, None)
                raise
            for href, response in listed:
                info = discovery.collection(href, response)
                if info is not None and len(found) < MAX_COLLECTIONS:
                    found.setdefault(canonical(href), info)
        return list(found.values())

    async def states(self, homes: Sequence[str]) -> Mapping[str, str]:
        """As `state`, of all collections in these home sets, by canonical href."""
        return {
            canonical(href): _state(response)
            for home in homes
            async for href, response in self.propfind(home, "1", *self._stating(home))
        }

    async def state(self, href: str) -> str:
        properties = self._stating(href)
        found = ""
        async for _, response in self.propfind(href, "0", *properties):
            found = found or _state(response)
        if not found and properties == (_CTAG,):
            self._memory.tagless.add(self._entrance.origin_of(href))
            return await self.state(href)
        return found

    def _stating(self, href: str) -> tuple[str, ...]:
        """Sync-tokens are dear on some servers: they are asked for only where there are no CTags."""
        return (_CTAG, _SYNC_TOKEN) if self._entrance.origin_of(href) in self._memory.tagless else (_CTAG,)

    # --- What has changed ---------------------------------------------------------------------------------------------

    async def changes(self, href: str, since: str, *, kind: str) -> Changes:
        if since.startswith("sync:"):
            try:
                return await self._synced(href, since.removeprefix("sync:"))
            except Refused as error:
                if error.condition != "valid-sync-token" and error.status not in _STALE:
                    raise
        elif since and await self.state(href) == since:
            return Changes(token=since)
        known = f"{self._entrance.origin_of(href)} {canonical(href)}"
        if known not in self._memory.unsynced:
            try:
                return await self._synced(href, "")
            except Refused as error:
                if error.status in _NO_SYNC:
                    self._memory.unsynced[known] = None
                    while len(self._memory.unsynced) > MAX_REMEMBERED:
                        self._memory.unsynced.popitem(last=False)
                elif error.status != 507:  # more than it will tell at once
                    raise
        return await self._listed(href)

    async def _synced(self, href: str, token: str) -> Changes:
        """All pages. Raises Unreachable if they lead nowhere, or tell of another collection alone: after a redirect,
        say, which must not pass for one where nothing is any more."""
        complete = not token
        changed: dict[str, tuple[str, str]] = {}
        gone: dict[str, str] = {}
        seen, strange = {token}, False
        for _ in range(MAX_PAGES):
            reader, more = MultistatusReader(), False
            async for found, response in self._report(href, xmlbody.sync_collection(token), "0", reader):
                name = canonical(found)
                if name == canonical(href):
                    more = more or response.status == 507
                elif not is_below(found, href):
                    strange = True
                elif _is_collection(response):
                    continue
                elif response.status in (404, 410):
                    changed.pop(name, None)
                    gone[name] = found
                else:
                    gone.pop(name, None)
                    changed[name] = (found, response.text(_ETAG))
            token = reader.sync_token
            if not token or len(changed) > MAX_OBJECTS or (strange and not changed and not gone):
                raise Unreachable("a sync-collection without a token, without measure, or of another collection")
            if not more:
                # A first listing names what was deleted long ago, too (Radicale).
                return Changes(
                    token=f"sync:{token}", changed=dict(changed.values()), complete=complete,
                    gone=frozenset() if complete else frozenset(gone.values()),
                )
            if token in seen:
                break
            seen.add(token)
        raise Unreachable("a sync-collection that does not get on")

    async def _listed(self, href: str) -> Changes:
        """Raises Unreachable if the listing is not whole."""
        token = await self.state(href)
        changed: dict[str, tuple[str, str]] = {}
        itself = cut = False
        async for found, response in self.propfind(href, "1", _ETAG, f"{DAV}resourcetype"):
            if canonical(found) == canonical(href):
                itself, cut = True, response.status == 507
            elif is_below(found, href) and response.status not in (404, 410) and not _is_collection(response):
                changed[canonical(found)] = (found, response.text(_ETAG))
        if cut or not itself or len(changed) > MAX_OBJECTS:
            raise Unreachable("a listing that was cut short, is another's, or is without measure")
        return Changes(token=token, changed=dict(changed.values()), complete=True)

    # --- Objects ------------------------------------------------------------------------------------------------------

    async def multiget(self, href: str, hrefs: Sequence[str], *, kind: str) -> Sequence[Object]:
        splits = [SPLITS]
        return [
            one for batch in _batches(hrefs, BATCH) for one in await self._batch(href, batch, kind, splits)
        ]

    async def _batch(self, href: str, batch: Sequence[str], kind: str, splits: list[int]) -> list[Object]:
        """One that the server cannot give is left out, and does not keep the others from coming: a control character in
        one object makes the XML of all of them unreadable."""
        if len(batch) == 1:
            return await self._single(batch[0])
        got: dict[str, Object] = {}
        settled: set[str] = set()
        try:
            async for found, response in self._report(href, xmlbody.multiget(kind, batch), "1", MultistatusReader()):
                node = response.found.get(xmlbody.data_property(kind))
                if node is not None and node.text:
                    got[canonical(found)] = Object(href=found, etag=response.text(_ETAG), data=_octets(node.text))
                elif response.status in (404, 410):
                    settled.add(canonical(found))
        except (Garbled, Refused) as error:
            if (isinstance(error, Refused) and error.status not in _OF_ONE) or not splits[0]:
                raise
            splits[0] -= 1
            half = len(batch) // 2
            first = await self._batch(href, batch[:half], kind, splits)
            return first + await self._batch(href, batch[half:], kind, splits)
        objects = []
        for one in batch:
            if (held := got.get(canonical(one))) is not None:
                objects.append(Object(href=one, etag=held.etag, data=held.data))
            elif canonical(one) not in settled:
                objects += await self._single(one)
        return objects

    async def _single(self, href: str) -> list[Object]:
        try:
            return [await self.get(href)]
        except Refused as error:
            if error.status in _LATER:
                raise
            if error.status not in (404, 410):
                log.warning("an object that cannot be had", href=href, status=error.status)
            return []
        except Garbled as error:
            log.warning("an object that cannot be had", href=href, reason=str(error))
            return []

    async def get(self, href: str) -> Object:
        reply = await self._send("GET", href, most=MAX_OBJECT)
        return Object(href=href, etag=reply.headers.get("ETag", ""), data=reply.body)

    async def put(self, href: str, data: bytes, *, kind: str, etag: str | None) -> str:
        headers = {"Content-Type": _CONTENT_TYPES[kind], **_condition(etag)}
        return (await self._send("PUT", href, data, headers)).headers.get("ETag", "")

    async def delete(self, href: str, *, etag: str = "") -> None:
        await self._send("DELETE", href, headers=_condition(etag))

    async def move(self, href: str, to: str) -> None:
        origin = self._entrance.origin_of(to)
        if origin != self._entrance.origin_of(href):
            raise Refused(502, "another server")
        target = to if to.startswith(origin) else origin + to
        await self._send("MOVE", href, headers={"Destination": target, "Overwrite": "F"})

    async def query_uid(self, href: str, uid: str, *, kind: str) -> Sequence[str]:
        components = ("VEVENT", "VTODO", "VJOURNAL") if kind == "calendar" else ("",)
        for component in components:
            body = xmlbody.query_uid(kind, uid, component)
            hrefs = [found async for found, response in self._report(href, body, "1", MultistatusReader())
                     if is_below(found, href) and response.status == 200]
            # The filter is one for texts that contain the UID, and some servers know it no better.
            found = [one.href for one in await self.multiget(href, hrefs, kind=kind) if _uid(one.data) == uid]
            if found:
                return found
        return []

    async def holds(self, href: str, component: str) -> Mapping[str, str]:
        """The objects of a calendar that have this component, with their ETags."""
        reader = MultistatusReader()
        return {
            found: response.text(_ETAG)
            async for found, response in self._report(href, xmlbody.query_component(component), "1", reader)
            if is_below(found, href) and response.status == 200
        }

    async def query_between(self, href: str, start: datetime, end: datetime) -> Sequence[str]:
        """The hrefs of the events that touch a span."""
        body = xmlbody.query_between(vfreebusy.moment(start), vfreebusy.moment(end))
        return [found async for found, response in self._report(href, body, "1", MultistatusReader())
                if is_below(found, href) and response.status == 200]

    # --- Collections --------------------------------------------------------------------------------------------------

    async def make(self, href: str, *, kind: str, name: str, component: str = "") -> None:
        method = "MKCOL" if kind == "addressbook" else "MKCALENDAR"
        try:
            await self._send(method, href.rstrip("/") + "/", xmlbody.make(kind, name, component), _XML)
        except Refused as error:
            if error.condition != "resource-must-be-null":
                raise
            raise Refused(405, "", error.condition) from error

    async def rename(self, href: str, name: str) -> None:
        reader = MultistatusReader()
        responses = self._transport.multistatus(
            self._entrance, "PROPPATCH", href, xmlbody.proppatch_name(name), "0", reader
        )
        for response in [one async for one in responses]:
            if f"{DAV}displayname" not in response.found:
                raise Refused(response.status if response.status >= 400 else 403, "", response.condition)

    async def free_busy(
        self, outbox: str, organizer: str, address: str, start: datetime, end: datetime
    ) -> bytes | None:
        uid = blake2b(f"{organizer} {address} {start} {end}".encode(), digest_size=16).hexdigest()
        body = vfreebusy.request(uid=uid, organizer=organizer, attendee=address, start=start, end=end)
        reply = await self._send("POST", outbox, body, {"Content-Type": "text/calendar; charset=utf-8; method=REQUEST"})
        try:
            return vfreebusy.answer(xmlbody.document(reply.body), address)
        except (xmlbody.BadXml, Unreadable) as error:
            raise Garbled(str(error)) from error

    async def close(self) -> None:
        """Nothing is held here."""

    # --- What discovery needs -----------------------------------------------------------------------------------------

    async def propfind(self, href: str, depth: str, *properties: str) -> AsyncIterator[tuple[str, Response]]:
        """The resources that lie on this server, with their resolved hrefs."""
        responses = self._transport.multistatus(
            self._entrance, "PROPFIND", href, xmlbody.propfind(*properties), depth, MultistatusReader()
        )
        async for response in responses:
            if (found := self._entrance.resolved(response.href, href)) is not None:
                yield found, response

    async def options(self, href: str) -> frozenset[str]:
        """The compliance classes of the DAV header. RFC 4918 10.1"""
        told = (await self._send("OPTIONS", href)).headers.get("DAV", "")
        return frozenset(word.strip().lower() for word in told.split(","))

    async def _report(
        self, href: str, body: bytes, depth: str, reader: MultistatusReader
    ) -> AsyncIterator[tuple[str, Response]]:
        """All that is told, with resolved hrefs; "/" for what lies on another server."""
        async for response in self._transport.multistatus(self._entrance, "REPORT", href, body, depth, reader):
            yield self._entrance.resolved(response.href, href) or "/", response

    async def _send(
        self, method: str, href: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *,
        most: int = MAX_OTHER,
    ) -> Reply:
        return await self._transport.send(self._entrance, method, href, body, headers, most=most)


def _filled(template: str, account: Account, *, quoted: bool = True) -> str:
    values = {"{login}": account.login, "{user}": account.local, "{domain}": account.domain}
    for mark, value in values.items():
        template = template.replace(mark, quote(value, safe="@") if quoted else value)
    return template


def _origin(url: str) -> str:
    """"" for none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""


def _condition(etag: str | None) -> dict[str, str]:
    """Weak ETags are sent as strong ones: If-Match compares strongly (RFC 9110 13.1.1), and where a proxy made them
    weak the server knows its own again."""
    if etag is None:
        return {"If-None-Match": "*"}
    return {"If-Match": etag.removeprefix("W/")} if etag else {}


def _state(response: Response) -> str:
    for kind, name in (("ctag", _CTAG), ("token", _SYNC_TOKEN)):
        if value := response.text(name):
            return f"{kind}:{value}"
    return ""


def _is_collection(response: Response) -> bool:
    types = response.found.get(f"{DAV}resourcetype")
    return types is not None and types.child(f"{DAV}collection") is not None


def _uid(data: bytes) -> str:
    """Of an iCalendar object or a vCard; "" for none."""
    try:
        root = parse(data)
    except Unreadable:
        return ""
    lines = (one.first("UID") for one in (root, *root.components()) if one.name != "VTIMEZONE")
    return next((line.value.strip() for line in lines if line), "")


def _octets(text: str) -> bytes:
    """XML makes every line end a line feed (XML 1.0 2.11); stored objects have both. RFC 5545 3.1"""
    return (text if "\r" in text else text.replace("\n", "\r\n")).encode()


def _batches(hrefs: Iterable[str], size: int) -> Iterable[list[str]]:
    rest = iter(hrefs)
    while batch := list(islice(rest, size)):
        yield batch

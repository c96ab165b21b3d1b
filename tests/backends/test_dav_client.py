"""The DAV client on real servers, and on one that misbehaves. RFC 4918, RFC 6578, RFC 4791, RFC 6352."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from groupware.authority import authority
from groupware.dav import DavHost
from worlds import card, event

from eas.backends.dav import client as dav
from eas.backends.dav.client import DavClient, DavClients
from eas.backends.dav.hrefs import canonical, resolved, sendable
from eas.backends.dav.model import Changes, DavError, LoginRefused, Refused, Unreachable
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import DavServer, Tenant
from eas.engine.model import Secret, User

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
NOTHING: Any = None  # the client needs no database


def account(url: str, login: str = "anna@example.com", secret: str | Secret = "secret", **settings: Any) -> Account:
    return Account(
        user=User(id="u", login=login, address=login, addresses=(login,), name="Anna"),
        tenant=Tenant(name="t", dav=DavServer(url=url, **{"timeout_seconds": 20.0, **settings})), login=login,
        secret=secret if isinstance(secret, Secret) else Secret(secret), ground=NOTHING,
    )


@pytest.fixture
async def clients() -> AsyncIterator[DavClients]:
    made = DavClients()
    yield made
    await made.close()


@dataclass
class Books:
    """One user's collections on a real server, and the other side."""

    host: DavHost
    client: DavClient
    login: str
    calendar: str = ""
    book: str = ""

    async def find(self) -> Books:
        principal = await self.client.discover()
        for info in await self.client.collections([*principal.calendar_homes, *principal.addressbook_homes]):
            if info.kind == "addressbook":
                self.book = self.book or info.href
            elif not info.components or "VEVENT" in info.components:
                self.calendar = self.calendar or info.href
        return self

    def put(self, href: str, data: bytes) -> None:
        self.host.put(href, self.login, data)

    def delete(self, href: str) -> None:
        assert self.host.request("DELETE", href, self.login).status in (200, 204)


@pytest.fixture(params=["radicale", "xandikos", "cyrus"])
async def books(request: pytest.FixtureRequest, clients: DavClients) -> Books:
    server: Any = request.getfixturevalue(request.param)
    login, password = server.new_user()
    client = clients.of(account(server.url, login, password, ca_file=getattr(server, "ca_file", "")))
    return await Books(getattr(server, "dav", server), client, login).find()


def names(changes: Changes) -> set[str]:
    return {href.rpartition("/")[2] for href in changes.changed}


# --- Real servers -----------------------------------------------------------------------------------------------------


@pytest.mark.server
async def test_what_others_write_is_seen(books: Books) -> None:
    href, client = books.calendar, books.client
    first = await client.changes(href, "", kind="calendar")
    assert (first.changed, first.gone, first.complete) == ({}, frozenset(), True)
    for name in ("a", "b", "c d"):
        books.put(f"{href}{name}.ics".replace(" ", "%20"), event(name, NOW))
    second = await client.changes(href, first.token, kind="calendar")
    assert names(second) == {"a.ics", "b.ics", "c%20d.ics"}
    assert not second.complete
    assert all(second.changed.values())
    assert await client.changes(href, second.token, kind="calendar") == Changes(token=second.token)
    books.put(f"{href}a.ics", event("a", NOW, summary="Another"))
    books.delete(f"{href}b.ics")
    third = await client.changes(href, second.token, kind="calendar")
    assert names(third) == {"a.ics"}
    assert {one.rpartition("/")[2] for one in third.gone} == {"b.ics"}
    assert set(third.changed.values()).isdisjoint(second.changed.values())
    listing = await client.changes(href, "", kind="calendar")
    assert names(listing) == {"a.ics", "c%20d.ics"}
    assert (listing.complete, listing.gone) == (True, frozenset())


@pytest.mark.server
async def test_a_token_that_is_no_good_gives_the_whole_listing(books: Books) -> None:
    href, client = books.calendar, books.client
    books.put(f"{href}a.ics", event("a", NOW))
    for token in ("sync:http://example.com/no-such-token", "sync:data:,1-99999999", "ctag:none", "token:none"):
        found = await client.changes(href, token, kind="calendar")
        assert (names(found), found.complete) == ({"a.ics"}, True), token


@pytest.mark.server
async def test_without_sync_collection_a_listing_is_compared(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    href, client = books.calendar, books.client
    monkeypatch.setattr(DavClient, "_synced", _none)
    books.put(f"{href}a.ics", event("a", NOW))
    first = await client.changes(href, "", kind="calendar")
    assert (names(first), first.complete) == ({"a.ics"}, True)
    assert first.token.partition(":")[0] in ("ctag", "token")
    assert await client.changes(href, first.token, kind="calendar") == Changes(token=first.token)
    books.delete(f"{href}a.ics")
    second = await client.changes(href, first.token, kind="calendar")
    assert (second.changed, second.complete) == ({}, True)
    assert second.token != first.token


async def _none(*_: Any, **__: Any) -> Changes:
    raise Refused(403, "", "supported-report")


@pytest.mark.server
async def test_the_state_differs_when_something_has_changed(books: Books) -> None:
    before = await books.client.state(books.calendar)
    assert before
    assert await books.client.state(books.calendar) == before
    books.put(f"{books.calendar}a.ics", event("a", NOW))
    after = await books.client.state(books.calendar)
    assert after != before
    books.delete(f"{books.calendar}a.ics")
    # Where it is made of the contents (Radicale, Xandikos) it is that of before again: so are those.
    assert await books.client.state(books.calendar) != after


@pytest.mark.server
async def test_objects_are_read_many_at_a_time(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dav, "BATCH", 10)
    hrefs = [f"{books.book}c{n}.vcf" for n in range(23)]
    for n, href in enumerate(hrefs):
        books.put(href, card(f"Bén {n}", f"ben{n}@example.com"))
    asked = [*hrefs[:5], f"{books.book}nobody.vcf", *hrefs[5:]]
    found = await books.client.multiget(books.book, asked, kind="addressbook")
    assert [one.href for one in found] == hrefs
    assert all(f"Bén {n}".encode() in one.data and one.etag for n, one in enumerate(found))
    assert all(b"\r\n" in one.data and b"\n" not in one.data.replace(b"\r\n", b"") for one in found)
    alone = await books.client.get(hrefs[3])
    assert (alone.etag, alone.data) == (found[3].etag, found[3].data)


@pytest.mark.server
async def test_writes_are_conditional(books: Books) -> None:
    client, href = books.client, f"{books.calendar}a.ics"
    etag = await client.put(href, event("a", NOW), kind="calendar", etag=None)
    stored = await client.get(href)
    assert etag in ("", stored.etag)
    for condition in (None, '"another"', 'W/"another"'):
        with pytest.raises(Refused) as refused:
            await client.put(href, event("a", NOW, summary="No"), kind="calendar", etag=condition)
        assert refused.value.status == 412
    with pytest.raises(Refused) as refused:
        await client.delete(href, etag='"another"')
    assert refused.value.status == 412
    assert (await client.get(href)).data == stored.data
    await client.put(href, event("a", NOW, summary="Yes"), kind="calendar", etag=stored.etag)
    now = await client.get(href)
    assert b"SUMMARY:Yes" in now.data
    await client.put(href, event("a", NOW, summary="Whatever"), kind="calendar", etag="")
    await client.delete(href, etag=(await client.get(href)).etag)
    with pytest.raises(Refused) as refused:
        await client.delete(href)
    assert refused.value.status == 404


@pytest.mark.server
async def test_a_uid_is_found_and_not_taken_twice(books: Books) -> None:
    client = books.client
    await client.put(f"{books.calendar}a.ics", event("uid-1", NOW), kind="calendar", etag=None)
    await client.put(f"{books.calendar}b.ics", event("uid-12", NOW), kind="calendar", etag=None)
    await client.put(f"{books.book}a.vcf", card("Ben Berger"), kind="addressbook", etag=None)
    (found,) = await client.query_uid(books.calendar, "uid-1", kind="calendar")
    assert canonical(found) == canonical(f"{books.calendar}a.ics")
    assert await client.query_uid(books.calendar, "uid-", kind="calendar") == []
    (found,) = await client.query_uid(books.book, "Ben Berger", kind="addressbook")
    assert canonical(found) == canonical(f"{books.book}a.vcf")
    with pytest.raises(Refused) as refused:
        await client.put(f"{books.calendar}c.ics", event("uid-1", NOW), kind="calendar", etag=None)
    assert refused.value.condition in ("no-uid-conflict", "unique-scheduling-object-resource")


@pytest.mark.server
async def test_an_object_is_moved_but_not_over_another(books: Books, request: pytest.FixtureRequest) -> None:
    client, home = books.client, books.calendar.rstrip("/").rpartition("/")[0]
    await client.make(f"{home}/other", kind="calendar", name="Other", component="VEVENT")
    await client.put(f"{books.calendar}a.ics", event("a", NOW), kind="calendar", etag=None)
    try:
        await client.move(f"{books.calendar}a.ics", f"{home}/other/b.ics")
    except Refused as refused:
        if "xandikos" in request.node.name and refused.status in (405, 501):
            pytest.skip("Xandikos does not move")
        raise
    assert b"UID:a" in (await client.get(f"{home}/other/b.ics")).data
    await client.put(f"{books.calendar}c.ics", event("c", NOW), kind="calendar", etag=None)
    with pytest.raises(Refused) as error:
        await client.move(f"{books.calendar}c.ics", f"{home}/other/b.ics")
    assert error.value.status == 412
    assert b"UID:c" in (await client.get(f"{books.calendar}c.ics")).data


@pytest.mark.server
async def test_a_collection_is_made_once(books: Books) -> None:
    principal = await books.client.discover()
    for home, kind in ((principal.calendar_homes[0], "calendar"), (principal.addressbook_homes[0], "addressbook")):
        await books.client.make(f"{home}made-{kind}/", kind=kind, name="Ä & <ö>\x01")
        with pytest.raises(Refused) as refused:
            await books.client.make(f"{home}made-{kind}/", kind=kind, name="Again")
        assert refused.value.status == 405
        (info,) = [one for one in await books.client.collections([home]) if f"made-{kind}" in one.href]
        assert (info.kind, info.name) == (kind, "Ä & <ö>")


@pytest.mark.server
async def test_a_wrong_password_is_told_from_a_server_that_is_away(
    radicale: Any, xandikos: Any, cyrus: Any, clients: DavClients
) -> None:
    for server in (radicale, xandikos, cyrus):
        login, password = server.new_user()
        settings = {"ca_file": getattr(server, "ca_file", "")}
        assert await clients.of(account(server.url, login, password, **settings)).check()
        wrong = clients.of(account(server.url, login, "wrong", **settings))
        assert not await wrong.check()
        with pytest.raises(LoginRefused):
            await wrong.discover()
    with pytest.raises(Unreachable):
        await clients.of(account("http://127.0.0.1:9/")).check()


@pytest.mark.server
async def test_a_certificate_must_be_trusted_and_be_the_hosts(cyrus: Any, clients: DavClients) -> None:
    login, password = cyrus.new_user()
    good = {"ca_file": authority().ca_file}
    assert await clients.of(account(cyrus.https_url, login, password, **good)).check()
    for url, settings in ((cyrus.https_url, {}), (cyrus.https_url.replace("localhost", "127.0.0.1"), good)):
        with pytest.raises(Unreachable):
            await clients.of(account(url, login, password, **settings)).check()


@pytest.mark.server
async def test_a_listing_of_many_pages_is_read_to_its_end(cyrus: Any, clients: DavClients) -> None:
    """Cyrus says 507 for the collection when there is more. RFC 6578 3.6"""
    login, password = cyrus.new_user()
    books = await Books(cyrus.dav, clients.of(account(cyrus.url, login, password)), login).find()
    for n in range(25):
        books.put(f"{books.book}c{n}.vcf", card(f"Ben {n}"))
    kept = dav.xmlbody.sync_collection

    def limited(token: str) -> bytes:
        limit = b"<d:limit><d:nresults>10</d:nresults></d:limit><d:prop>"
        return kept(token).replace(b"<d:prop>", limit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dav.xmlbody, "sync_collection", limited)
        found = await books.client.changes(books.book, "", kind="addressbook")
    assert names(found) == {f"c{n}.vcf" for n in range(25)}
    assert found.complete
    assert (await books.client.changes(books.book, found.token, kind="addressbook")).changed == {}


# --- A server that misbehaves -----------------------------------------------------------------------------------------


@dataclass
class Line:
    """Gives the answers it is told, in order (the last one again and again), one connection each."""

    answers: list[bytes]
    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    hang_seconds: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/dav/anna/"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(one.lower().partition(b":")[::2] for one in head.split(b"\r\n"))
            self.asked.append(head + await reader.readexactly(int(fields.get(b"content-length", b"0"))))
            answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
            writer.write(answer)
            await writer.drain()
            if self.hang_seconds:
                await asyncio.sleep(self.hang_seconds)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def line(*answers: bytes, hang_seconds: float = 0.0) -> AsyncIterator[Line]:
    made = Line(list(answers), hang_seconds=hang_seconds)
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def multistatus(*inside: str) -> bytes:
    body = f'<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">{"".join(inside)}</d:multistatus>'
    return answer("207 Multi-Status", body.encode())


def member(href: str, etag: str = '"1"', status: str = "200 OK") -> str:
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:getetag>{etag}</d:getetag></d:prop>"
        f"<d:status>HTTP/1.1 {status}</d:status></d:propstat></d:response>"
    )


def cut(href: str, status: int = 507) -> str:
    return f"<d:response><d:href>{href}</d:href><d:status>HTTP/1.1 {status} X</d:status></d:response>"


def token(text: str) -> str:
    return f"<d:sync-token>{text}</d:sync-token>"


HERE = "/dav/anna/cal/"
BOMB = (
    '<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]>'
    '<d:multistatus xmlns:d="DAV:"><d:response><d:href>&c;</d:href></d:response></d:multistatus>'
)
OUTSIDE = '<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]><d:multistatus xmlns:d="DAV:">&x;</d:multistatus>'


def changes(client: DavClient, since: str = "") -> Any:
    return client.changes(HERE, since, kind="calendar")


@pytest.mark.parametrize("given", [
    b"", b"garbage\r\n\r\n", b"HTTP/1.1 207 X\r\nContent-Length: 99999\r\n\r\n<d:multi", answer("207 X"),
    answer("207 X", b"<html/>"), answer("207 X", BOMB.encode()), answer("207 X", OUTSIDE.encode()),
    answer("207 X", b"<a>" * 100_000), answer("200 OK", b"<d:multistatus xmlns:d='DAV:'/>"),
    multistatus(member(f"{HERE}a.ics")), answer("500 Broken"), answer("503 Busy"),
    answer("207 X", b"<d:multistatus xmlns:d='DAV:'/>", "Content-Encoding: gzip"),
    answer("302 Found", b"", "Location: http://evil.example.com/"), answer("304 Not Modified"),
    answer("302 Found", b"", "Location: /dav/anna/cal/"), answer("301 Moved"), answer("307 X", b"", "Location: http://["),
    b"HTTP/1.1 207 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<d:mu\r\n",
    multistatus(cut(HERE), token("t1")), multistatus(cut(HERE), member(f"{HERE}a.ics"), token("")),
], ids=lambda value: repr(value[:40]))
async def test_only_dav_errors_come_out(given: bytes, clients: DavClients) -> None:
    """Of listings without an end as well."""
    async with line(given) as server:
        with pytest.raises(DavError):
            await changes(clients.of(account(server.url, timeout_seconds=2.0)))
        assert len(server.asked) < 10


@pytest.mark.parametrize(("location", "followed"), [
    ("/dav/anna/other/", True), ("other/", True), ("http://127.0.0.1:{port}/dav/anna/other/", True),
    ("http://127.0.0.2:{port}/dav/anna/other/", False), ("https://evil.example.com/", False),
    ("//evil.example.com/", False),
    ("ftp:/x", False),
])
async def test_redirects_lead_to_the_same_host_only(clients: DavClients, location: str, followed: bool) -> None:
    """Whoever could send us elsewhere would get the password. A path is always asked of the configured origin."""
    body = multistatus(member(f"{HERE}a.ics"), token("t"))
    async with line(answer("307 Go")) as server:
        moved = answer("307 Go", b"", f"Location: {location.format(port=server.port)}")
        server.answers[:] = [moved, body]
        if followed:
            await changes(clients.of(account(server.url)))
            assert b"authorization: basic" in server.asked[1].lower()
            assert server.asked[1].startswith(b"REPORT /")
        else:
            with pytest.raises(Unreachable, match="another server"):
                await changes(clients.of(account(server.url)))
            assert len(server.asked) == 1


async def test_pages_are_joined_and_the_last_word_on_an_object_counts(clients: DavClients) -> None:
    pages = [
        multistatus(member(f"{HERE}a.ics"), member(f"{HERE}b.ics"), cut(HERE), token("t1")),
        multistatus(cut(f"{HERE}b.ics", 404), member(f"{HERE}a%2Eics", '"2"'), cut(HERE), token("t2")),
        multistatus(member(f"{HERE}c.ics"), cut(f"{HERE}old.ics", 404), token("t3")),
    ]
    async with line(*pages) as server:
        found = await changes(clients.of(account(server.url)))
        assert found == Changes(
            token="sync:t3", changed={f"{HERE}a%2Eics": '"2"', f"{HERE}c.ics": '"1"'}, complete=True
        )
    async with line(*pages) as server:
        found = await changes(clients.of(account(server.url)), "sync:t0")
        assert found.gone == {f"{HERE}b.ics", f"{HERE}old.ics"}
        assert (set(found.changed), found.complete) == ({f"{HERE}a%2Eics", f"{HERE}c.ics"}, False)
        assert b"t0" in server.asked[0]
        assert b">t1<" in server.asked[1]
        assert b">t2<" in server.asked[2]


async def test_a_last_page_that_does_not_come_leaves_nothing(clients: DavClients) -> None:
    """Half a listing would delete the other half on devices."""
    async with line(multistatus(member(f"{HERE}a.ics"), cut(HERE), token("t1")), answer("500 No")) as server:
        with pytest.raises(Refused):
            await changes(clients.of(account(server.url)))


@pytest.mark.parametrize("status", [400, 403, 405, 501])
async def test_a_listing_that_is_cut_short_or_anothers_is_none(clients: DavClients, status: int) -> None:
    ctag = (
        f'<d:response><d:href>{HERE}</d:href><d:propstat><d:prop><s:getctag xmlns:s="http://calendarserver.org/ns/">c1'
        "</s:getctag></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )
    refused, state = answer(f"{status} No"), multistatus(ctag)
    for listing in (multistatus(member(f"{HERE}a.ics"), cut(HERE)), multistatus(member("/else/a.ics"))):
        async with line(refused, state, listing) as server:
            with pytest.raises(Unreachable):
                await changes(clients.of(account(server.url)))
    whole = multistatus(member(HERE, ""), member(f"{HERE}a.ics"), member("http://evil.example.com/x.ics"))
    async with line(refused, state, whole, state) as server:
        client = clients.of(account(server.url))
        found = await changes(client)
        assert found == Changes(token="ctag:c1", changed={f"{HERE}a.ics": '"1"'}, complete=True)
        # That this collection has no sync-collection is remembered, and an equal CTag is all that is asked for.
        assert await changes(client, "ctag:c1") == Changes(token="ctag:c1")
        assert [one.split()[0] for one in server.asked] == [b"REPORT", b"PROPFIND", b"PROPFIND", b"PROPFIND"]


@pytest.mark.parametrize("href", ["/dav/moved/a.ics", "http://elsewhere.example.com/dav/anna/cal/a.ics", "/"])
async def test_another_collection_is_not_an_empty_one(clients: DavClients, href: str) -> None:
    """All would be deleted on devices."""
    async with line(multistatus(member(href), token("t"))) as server:
        with pytest.raises(Unreachable):
            await changes(clients.of(account(server.url)))
    async with line(multistatus(member(href), member(f"{HERE}a.ics"), token("t"))) as server:
        assert set((await changes(clients.of(account(server.url)))).changed) == {f"{HERE}a.ics"}


async def test_an_object_whose_etag_is_not_told_is_there(clients: DavClients) -> None:
    """Left out it would be deleted on devices."""
    body = multistatus(member(f"{HERE}a.ics", "", "403 Forbidden"), cut(f"{HERE}b.ics", 500), token("t"))
    async with line(body) as server:
        assert (await changes(clients.of(account(server.url)))).changed == {f"{HERE}a.ics": "", f"{HERE}b.ics": ""}


def held(name: str, data: str) -> str:
    return (
        f'<d:response><d:href>{HERE}{name}</d:href><d:propstat><d:prop><d:getetag>"{name}"</d:getetag><c:calendar-data>'
        f"{data}</c:calendar-data></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


async def test_one_broken_object_does_not_hold_up_the_others(clients: DavClients) -> None:
    """A control character makes no XML of the whole answer."""
    hrefs = [f"{HERE}{name}" for name in "abcd"]
    good, broken = (held("a", "x"), held("b", "x")), (held("c", "x\x0by"), held("d", "x"))
    plain = answer("200 OK", b"x\x0by", 'ETag: "c"'), answer("200 OK", b"x", 'ETag: "d"')
    async with line(multistatus(*good, *broken), multistatus(*good), multistatus(*broken), *plain) as server:
        found = await clients.of(account(server.url)).multiget(HERE, hrefs, kind="calendar")
    assert [(one.href, one.etag, one.data) for one in found] == [
        (href, f'"{href[-1]}"', b"x\x0by" if href.endswith("c") else b"x") for href in hrefs
    ]


async def test_what_a_multiget_is_silent_about_is_asked_for(clients: DavClients) -> None:
    hrefs = [f"{HERE}{name}" for name in "abc"]
    told = multistatus(held("a", "x"), cut(f"{HERE}b", 404))
    async with line(told, answer("200 OK", b"y")) as server:
        found = await clients.of(account(server.url)).multiget(HERE, hrefs, kind="calendar")
        assert [(one.href, one.data) for one in found] == [(f"{HERE}a", b"x"), (f"{HERE}c", b"y")]
        assert [one.split()[0] for one in server.asked] == [b"REPORT", b"GET"]


async def test_a_server_that_always_fails_is_not_asked_for_ever(clients: DavClients) -> None:
    hrefs = [f"{HERE}{n}.ics" for n in range(1000)]
    async with line(answer("500 No")) as server:
        with pytest.raises(Refused):
            await clients.of(account(server.url)).multiget(HERE, hrefs, kind="calendar")
        assert len(server.asked) < 200


@pytest.mark.parametrize("given", [b"", b"HTTP/1.1 207 X\r\nContent-Length: 500\r\n\r\n<d:multistatus"])
async def test_who_does_not_answer_in_time_is_away(clients: DavClients, given: bytes) -> None:
    async with line(given, hang_seconds=120.0) as server:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await changes(clients.of(account(server.url, timeout_seconds=0.5)))
        assert time.monotonic() - began < 60


@pytest.mark.parametrize(("status", "body", "condition"), [
    ("403 No", b'<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>', "valid-sync-token"),
    ("409 No", b'<?xml version="1.0"?><error xmlns="DAV:"><x:y xmlns:x="u"/><no-uid-conflict xmlns="urn:ietf:params'
               b':xml:ns:caldav"><href xmlns="DAV:">/a</href></no-uid-conflict></error>', "no-uid-conflict"),
    ("403 No", b"<html>no</html>", ""), ("403 No", b"<d:error", ""), ("413 Large", b"", ""),
    ("507 Full", b'<d:error xmlns:d="DAV:"><d:quota-not-exceeded/></d:error>', "quota-not-exceeded"),
    ("403 No", b"<" + b"x" * 200_000, ""), ("403 No", BOMB.replace("multistatus", "error").encode(), ""),
])
async def test_the_precondition_that_failed(clients: DavClients, status: str, body: bytes, condition: str) -> None:
    async with line(answer(status, body)) as server:
        with pytest.raises(Refused) as refused:
            await clients.of(account(server.url)).put(f"{HERE}a.ics", b"x", kind="calendar", etag=None)
    assert (refused.value.status, refused.value.condition) == (int(status[:3]), condition)


async def test_what_is_sent_says_whose_it_is_and_nothing_of_others(clients: DavClients) -> None:
    ok = answer("204 No Content", b"", "Set-Cookie: session=anna; Path=/")
    async with line(ok) as server:
        for login, secret in (("anna", "ä:b"), ("ben", Secret("tok", bearer=True))):
            await clients.of(account(server.url, login, secret)).delete(f"{HERE}a%20b.ics", etag='W/"1"')
        first, second = (one.lower() for one in server.asked)
    assert f"Basic {b64encode('anna:ä:b'.encode()).decode()}".lower().encode() in first
    assert b"authorization: bearer tok\r\n" in second
    assert b"cookie" not in second
    assert first.startswith(b"delete /dav/anna/cal/a%20b.ics http/1.1")
    assert b'if-match: "1"\r\n' in first


async def test_a_line_end_in_an_href_ends_no_line(clients: DavClients) -> None:
    async with line(answer("204 No Content")) as server:
        await clients.of(account(server.url)).delete("/dav/a\r\nX-Evil: 1\r\n/ü 100%.ics")
        assert b"\r\nX-Evil" not in server.asked[0]
        assert server.asked[0].startswith(b"DELETE /dav/a%0D%0AX-Evil:%201%0D%0A/%C3%BC%20100%25.ics HTTP/1.1")


async def test_another_users_discovery_is_not_given_out(clients: DavClients) -> None:
    """What is remembered goes by the credentials."""
    prop = "<d:current-user-principal><d:href>/p/{}/</d:href></d:current-user-principal>"
    homes = '<c:calendar-home-set><d:href>/dav/{}/</d:href></c:calendar-home-set>'

    def told(inside: str) -> bytes:
        return multistatus(
            f"<d:response><d:href>/</d:href><d:propstat><d:prop>{inside}</d:prop><d:status>HTTP/1.1 200 OK</d:status>"
            "</d:propstat></d:response>"
        )

    answers: list[bytes] = []
    for who in ("anna", "ben"):
        answers += [told(prop.format(who)), told(homes.format(who)), answer("404 No")]
    async with line(*answers, answer("401 No")) as server:
        one = clients.of(account(server.url, "anna", "a", addressbooks="/books/{user}/"))
        assert (await one.discover()).calendar_homes == ("/dav/anna/",)
        assert (await one.discover()).addressbook_homes == ("/books/anna/",)
        assert len(server.asked) == 2
        assert one.known() is not None
        server.answers[:] = server.answers[1:]
        other = clients.of(account(server.url, "ben", "b", addressbooks="/books/{user}/"))
        assert other.known() is None
        assert (await other.discover()).calendar_homes == ("/dav/ben/",)
        server.answers[:] = [answer("401 No")]
        with pytest.raises(LoginRefused):
            await clients.of(account(server.url, "anna", "wrong")).discover()


async def test_a_discovery_is_remembered_for_a_while() -> None:
    at = [0.0]
    clients = DavClients(lambda: at[0])
    homes = {"calendars": "/cal/", "addressbooks": "/card/"}
    async with line(answer("404 No")) as server:
        for seconds, asked in ((0.0, 2), (0.0, 2), (dav.REMEMBERED_SECONDS - 1, 2), (dav.REMEMBERED_SECONDS, 4)):
            at[0] = seconds
            await clients.of(account(server.url, **homes)).discover()
            assert len(server.asked) == asked
        assert await clients.of(account(server.url, **homes)).check()
        assert len(server.asked) == 6
    await clients.close()


@pytest.mark.parametrize(("one", "other", "same"), [
    ("/a@b/c", "/a%40b/c/", True), ("/a%2fb", "/a/b", False), ("/A", "/a", False), ("/%c3%bc", "/ü", True),
    ("HTTPS://Host/a", "https://host/a/", True), ("/a+b", "/a%2Bb", True), ("/a b", "/a%20b", True),
])
def test_hrefs_are_compared_by_what_they_name(one: str, other: str, same: bool) -> None:
    expected = canonical(one) == canonical(other)
    # An encoded slash is one of a name's.
    assert expected is same or "%2f" in one


@pytest.mark.parametrize(("href", "found"), [
    ("/x/y", "/x/y"), ("y.ics", "/dav/y.ics"), ("http://host/x", "/x"), ("https://host:8443/x", "/x"),
    ("http://other/x", None), ("//other/x", None), ("http://[", None), ("", "/dav/"), ("/" + "x" * 2000, None),
    ("mailto:a@b", None),
])
def test_hrefs_of_answers(href: str, found: str | None) -> None:
    assert resolved(href, "/dav/", "https://host") == found
    if found:
        assert sendable(found) == found


def test_a_login_of_the_gateways_own_is_not_the_users(clients: DavClients) -> None:
    user = account("http://h/")
    own = Tenant(name="t", dav=DavServer(url="http://h/{login}/", login="gateway", password="p"))
    client = clients.of(replace(user, tenant=own))
    assert client.as_other
    assert client.start == "http://h/anna@example.com/"
    assert not clients.of(user).as_other



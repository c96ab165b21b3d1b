"""Finding calendars and address books as the usual servers lay them out. RFC 6764 6, RFC 5397, RFC 6638 2.4."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest

from eas.backends.dav.discovery import collection, discover
from eas.backends.dav.model import DavError, LoginRefused, Principal, Refused, Unreachable
from eas.backends.dav.xmlbody import CAL, CARD, DAV, Node, Response, multistatus

PRINCIPAL, HOME, BOOKS = f"{DAV}current-user-principal", f"{CAL}calendar-home-set", f"{CARD}addressbook-home-set"
ADDRESSES, INBOX, OUTBOX = (f"{CAL}{name}" for name in (
    "calendar-user-address-set", "schedule-inbox-URL", "schedule-outbox-URL"
))
DEFAULT = f"{CAL}schedule-default-calendar-URL"


@dataclass
class Server:
    """What a server answers by href: properties with their hrefs, or an error. `moved` are redirects."""

    resources: Mapping[str, Mapping[str, tuple[str, ...]] | DavError]
    start: str = "https://dav.example.com/"
    start_addressbooks: str = ""
    homes: tuple[str, str] = ("", "")
    as_other: bool = False
    classes: frozenset[str] = frozenset()
    moved: Mapping[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def propfind(self, href: str, depth: str, *properties: str) -> AsyncIterator[tuple[str, Response]]:
        self.asked.append(href)
        place = self.moved.get(href, href)
        held = self.resources.get(place, Refused(404))
        if isinstance(held, DavError):
            raise held
        found = {
            name: Node(name=name, children=tuple(Node(name=f"{DAV}href", text=one) for one in hrefs))
            for name, hrefs in held.items() if name in properties
        }
        yield place, Response(href=place, status=200, found=found)

    async def options(self, href: str) -> frozenset[str]:
        return self.classes


NEXTCLOUD = Server(
    {
        "/remote.php/dav/": {PRINCIPAL: ("/remote.php/dav/principals/users/anna/",)},
        "/remote.php/dav/principals/users/anna/": {
            HOME: ("/remote.php/dav/calendars/anna/",), BOOKS: ("/remote.php/dav/addressbooks/users/anna/",),
            ADDRESSES: ("mailto:Anna@Example.com", "/remote.php/dav/principals/users/anna/", "urn:uuid:1"),
            INBOX: ("/remote.php/dav/calendars/anna/inbox/",), OUTBOX: ("/remote.php/dav/calendars/anna/outbox/",),
        },
        "/remote.php/dav/calendars/anna/inbox/": {DEFAULT: ("/remote.php/dav/calendars/anna/personal/",)},
    },
    moved={"/.well-known/caldav": "/remote.php/dav/"}, classes=frozenset({"1", "calendar-auto-schedule"}),
)
#: Calendars and address books under services of their own, each with its principal.
APART = Server(
    {
        "/caldav/": {PRINCIPAL: ("/caldav/p/",)}, "/caldav/p/": {HOME: ("https://other.example.net/caldav/anna",)},
        "/carddav/": {PRINCIPAL: ("p/",)}, "/carddav/p/": {BOOKS: ("../anna/",)},
    },
    moved={"/.well-known/caldav": "/caldav/", "/.well-known/carddav": "/carddav/"},
)
TWO_HOSTS = Server(
    {
        "/": {PRINCIPAL: ("/1/p/",)}, "/1/p/": {HOME: ("/1/cal/",)},
        "https://contacts.example.com/": {PRINCIPAL: ("/1/p/",)},
        "https://contacts.example.com/1/p/": {BOOKS: ("/1/card/",)},
    },
    start_addressbooks="https://contacts.example.com/",
)


async def test_one_that_has_everything() -> None:
    assert await discover(NEXTCLOUD) == Principal(
        href="/remote.php/dav/principals/users/anna/", calendar_homes=("/remote.php/dav/calendars/anna/",),
        addressbook_homes=("/remote.php/dav/addressbooks/users/anna/",), addresses=("anna@example.com",),
        schedule_inbox="/remote.php/dav/calendars/anna/inbox/",
        schedule_outbox="/remote.php/dav/calendars/anna/outbox/",
        default_calendar="/remote.php/dav/calendars/anna/personal/", auto_schedule=True,
    )


async def test_calendars_and_contacts_apart() -> None:
    """What is told of another host is a path of ours: nothing is ever asked elsewhere."""
    found = await discover(APART)
    assert found.calendar_homes == ("/caldav/anna",)
    assert found.addressbook_homes == ("/carddav/anna/",)


async def test_contacts_on_a_server_of_their_own() -> None:
    found = await discover(TWO_HOSTS)
    assert (found.href, found.calendar_homes) == ("/1/p/", ("/1/cal/",))
    assert found.addressbook_homes == ("https://contacts.example.com/1/card/",)


async def test_the_address_of_the_settings_is_asked_first() -> None:
    server = Server({
        "/dav.php/": {PRINCIPAL: ("/dav.php/p/anna/",)}, "/dav.php/p/anna/": {HOME: ("/h/",), BOOKS: ("/b/",)},
    }, start="https://h/dav.php/")
    assert (await discover(server)).calendar_homes == ("/h/",)
    assert server.asked == ["/dav.php/", "/dav.php/p/anna/"]


async def test_a_login_of_the_gateways_own_takes_the_address_for_the_principal() -> None:
    """The server would say who the gateway is."""
    server = Server({
        "/p/anna/": {PRINCIPAL: ("/p/gateway/",), HOME: ("/h/anna/",), BOOKS: ("/b/anna/",)},
        "/p/gateway/": {HOME: ("/h/gateway/",)},
    }, start="https://h/p/anna/", as_other=True)
    assert (await discover(server)).calendar_homes == ("/h/anna/",)


async def test_what_the_settings_name_where_nothing_is_found() -> None:
    server = Server({}, homes=("/cal/anna/", "https://h/card/anna/"))
    found = await discover(server)
    assert (found.calendar_homes, found.addressbook_homes) == (("/cal/anna/",), ("/card/anna/",))


@pytest.mark.parametrize(("resources", "failure"), [
    ({}, Refused), ({"/": {}}, Refused), ({"/": {PRINCIPAL: ()}}, Refused),
    ({"/": {PRINCIPAL: ("/p/",)}, "/p/": {}}, Refused), ({"/": {PRINCIPAL: ("/p/",)}}, Refused),
    ({"/.well-known/caldav": LoginRefused(401)}, LoginRefused), ({"/": Unreachable("away")}, Unreachable),
    ({"/": {PRINCIPAL: ("http://[",)}}, Refused),
])
async def test_nothing_to_be_found(resources: Mapping[str, Mapping[str, tuple[str, ...]]], failure: type) -> None:
    with pytest.raises(failure):
        await discover(Server(resources))


def told(inside: str) -> Response:
    (response,), _ = multistatus(
        '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:s="http://calendarserver.org/ns/" '
        f'xmlns:a="urn:ietf:params:xml:ns:carddav"><d:response><d:href>/x/</d:href><d:propstat><d:prop>{inside}</d:prop>'
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>".encode()
    )
    return response


@pytest.mark.parametrize("types", [
    "", "<d:collection/>", "<d:collection/><d:principal/>", "<d:collection/><c:schedule-inbox/>",
    "<d:collection/><c:calendar/><c:schedule-inbox/>", "<d:collection/><s:notification/>",
    '<d:collection/><n:trash-bin xmlns:n="http://nextcloud.com/ns"/>', "<d:collection/><s:subscribed/>",
    '<d:collection/><c:calendar/><n:deleted-calendar xmlns:n="http://nextcloud.com/ns"/>',
])
def test_collections_that_are_no_folders(types: str) -> None:
    assert collection("/x/", told(f"<d:resourcetype>{types}</d:resourcetype>")) is None


def test_what_a_collection_says_of_itself() -> None:
    info = collection("/u/Z%C3%BC/", told(
        "<d:resourcetype><d:collection/><a:addressbook/></d:resourcetype><d:displayname> </d:displayname>"
        "<d:owner><d:href>https://elsewhere/p/ben/</d:href></d:owner><a:max-resource-size>1e9</a:max-resource-size>"
        "<d:current-user-privilege-set><d:privilege><d:read/></d:privilege></d:current-user-privilege-set>"
        "<d:supported-report-set><d:supported-report><d:report><d:sync-collection/></d:report></d:supported-report>"
        "</d:supported-report-set>"
    ))
    assert info is not None
    assert (info.kind, info.name, info.owner, info.max_size) == ("addressbook", "Zü", "/p/ben/", 0)
    assert (info.privileges, info.syncs) == (frozenset({"read"}), True)

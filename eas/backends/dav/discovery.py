"""Where a user's calendars and address books are, and what a collection says of itself.

RFC 6764 6 (Client "Bootstrapping" Procedures), RFC 5397 (current-user-principal), RFC 4791 6.2, RFC 6352 7.1, RFC 6638
2.4 and 9.2. What the settings name is taken where the server does not tell.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from .hrefs import last_segment, path_of, split
from .model import CollectionInfo, LoginRefused, Principal, Refused, Unreachable
from .xmlbody import CAL, CARD, CS, DAV, ICAL, Node, Response

#: What a home set is asked of its collections.
COLLECTION = (
    f"{DAV}resourcetype", f"{DAV}displayname", f"{DAV}owner", f"{DAV}current-user-privilege-set",
    f"{DAV}supported-report-set", f"{CAL}supported-calendar-component-set", f"{CAL}max-resource-size",
    f"{CARD}max-resource-size", f"{ICAL}calendar-color", f"{CS}getctag",
)
_CALENDAR_HOME, _ADDRESSBOOK_HOME = f"{CAL}calendar-home-set", f"{CARD}addressbook-home-set"
_WHO = (f"{DAV}current-user-principal", f"{DAV}resourcetype", _CALENDAR_HOME, _ADDRESSBOOK_HOME)
_PRINCIPAL = (
    _CALENDAR_HOME, _ADDRESSBOOK_HOME, f"{CAL}calendar-user-address-set", f"{CAL}schedule-inbox-URL",
    f"{CAL}schedule-outbox-URL",
)
_DEFAULT = f"{CAL}schedule-default-calendar-URL"
#: What marks a collection that is none of a user's folders, whatever else it is.
_NO_FOLDERS = frozenset({
    "schedule-inbox", "schedule-outbox", "notification", "notifications", "trash-bin", "deleted-calendar",
    "dropbox-home", "freebusy-url",
})
AUTO_SCHEDULE = "calendar-auto-schedule"


class Asking(Protocol):
    """What discovery needs of the client."""

    start: str
    start_addressbooks: str
    homes: tuple[str, str]
    as_other: bool

    def propfind(self, href: str, depth: str, *properties: str) -> AsyncIterator[tuple[str, Response]]: ...

    async def options(self, href: str) -> frozenset[str]: ...


@dataclass(slots=True, kw_only=True)
class _Found:
    """What one principal says."""

    href: str = ""
    homes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    response: Response | None = None


async def discover(client: Asking) -> Principal:
    """Raises DavError; Refused 404 if the server has neither calendars nor address books for this user."""
    start, books = urlsplit(client.start).path, urlsplit(client.start_addressbooks)
    found = await _principal(client, _ways(start, "caldav"))
    calendar_homes = found.homes.get(_CALENDAR_HOME, ())
    book_homes = found.homes.get(_ADDRESSBOOK_HOME, ())
    if client.start_addressbooks:
        origin = f"{books.scheme}://{books.netloc}".lower()
        same = origin == f"{urlsplit(client.start).scheme}://{urlsplit(client.start).netloc}".lower()
        ways = [way if same else origin + way for way in _ways(books.path, "carddav")]
        book_homes = (await _principal(client, ways)).homes.get(_ADDRESSBOOK_HOME, ()) or book_homes
    elif not book_homes and not client.homes[1]:
        try:
            book_homes = (await _principal(client, ["/.well-known/carddav"])).homes.get(_ADDRESSBOOK_HOME, ())
        except Refused:
            book_homes = ()  # no CardDAV here, then
    principal = Principal(
        href=found.href,
        calendar_homes=calendar_homes or _configured(client.homes[0]),
        addressbook_homes=book_homes or _configured(client.homes[1]),
    )
    if not principal.calendar_homes and not principal.addressbook_homes:
        raise Refused(404, "neither calendars nor address books are found here")
    return await _scheduling(client, principal, found)


def _ways(path: str, service: str) -> list[str]:
    """Where to ask, in order: what the settings name if it is more than the root, else the well-known address first."""
    known = f"/.well-known/{service}"
    return [path, known] if path.strip("/") else [known, "/"]


def _configured(home: str) -> tuple[str, ...]:
    return (urlsplit(home).path,) if home else ()


async def _principal(client: Asking, ways: Sequence[str]) -> _Found:
    """The first way that leads to a principal. Raises what the last one failed with."""
    failure: Refused | Unreachable | None = None
    for way in ways:
        try:
            found = await _asked(client, way)
        except LoginRefused:
            raise
        except (Refused, Unreachable) as error:
            failure = error
            if isinstance(error, Unreachable) and way == ways[-1]:
                raise
            continue
        if found.href or found.homes:
            return found
    if failure is not None and not any(client.homes):
        raise failure
    return _Found()


async def _asked(client: Asking, way: str) -> _Found:
    found = _Found()
    for href, response in [one async for one in client.propfind(way, "0", *_WHO)][:1]:
        who = response.found.get(f"{DAV}current-user-principal")
        if who is not None and who.child(f"{DAV}unauthenticated") is not None:
            raise LoginRefused(401, "the server takes us for nobody")
        if client.as_other or not (told := response.hrefs(f"{DAV}current-user-principal")):
            # The address of the settings is the principal itself, or what lies in its place.
            found.href = href
        else:
            found.href = _placed(told[0], href, way)
    if not found.href:
        return found
    for href, response in [one async for one in client.propfind(found.href, "0", *_PRINCIPAL)][:1]:
        found.response = response
        for name in (_CALENDAR_HOME, _ADDRESSBOOK_HOME):
            if homes := tuple(_placed(one, href, way) for one in response.hrefs(name)):
                found.homes[name] = homes
    if not found.homes and found.href == way:
        found.href = ""
    return found


def _placed(told: str, href: str, way: str) -> str:
    """A path that a property tells, on the server that was asked."""
    return split(way)[0] + urljoin(split(href)[1], path_of(told))


async def _scheduling(client: Asking, principal: Principal, found: _Found) -> Principal:
    """The same with what RFC 6638 asks of the principal and of its inbox. A server without it says nothing here."""
    if found.response is None or not principal.calendar_homes:
        return principal
    inbox, outbox = (_one(found.response, f"{CAL}schedule-{box}-URL") for box in ("inbox", "outbox"))
    told = found.response.hrefs(f"{CAL}calendar-user-address-set")
    addresses = tuple(one[7:].lower() for one in told if one.lower().startswith("mailto:") and "@" in one)
    default, auto = "", False
    if inbox and outbox:
        auto = AUTO_SCHEDULE in await client.options(principal.calendar_homes[0])
        told_of = [response async for _, response in client.propfind(inbox, "0", _DEFAULT)]
        default = _one(told_of[0], _DEFAULT) if told_of else ""
    return Principal(
        href=principal.href, calendar_homes=principal.calendar_homes, addressbook_homes=principal.addressbook_homes,
        addresses=addresses, schedule_inbox=inbox, schedule_outbox=outbox, default_calendar=default, auto_schedule=auto,
    )


def _one(response: Response, name: str) -> str:
    told = response.hrefs(name)
    return path_of(told[0]) if told else ""


# --- Collections ------------------------------------------------------------------------------------------------------


def collection(href: str, response: Response) -> CollectionInfo | None:
    """None for what is neither calendar nor address book, or serves another end."""
    types = response.found.get(f"{DAV}resourcetype")
    names = {node.local for node in types.children} if types is not None else set()
    if types is None or names & _NO_FOLDERS:
        return None
    kind = "calendar" if types.child(f"{CAL}calendar") else "addressbook" if types.child(f"{CARD}addressbook") else ""
    if not kind:
        return None
    owner = response.hrefs(f"{DAV}owner")
    reports = response.found.get(f"{DAV}supported-report-set")
    return CollectionInfo(
        href=href, kind=kind, name=response.text(f"{DAV}displayname") or last_segment(href),
        components=_components(response.found.get(f"{CAL}supported-calendar-component-set")),
        privileges=_privileges(response.found.get(f"{DAV}current-user-privilege-set")),
        owner=path_of(owner[0]) if owner else "", ctag=response.text(f"{CS}getctag"),
        syncs=reports is not None and any(node.name == f"{DAV}sync-collection" for node in reports.walk()),
        colour=response.text(f"{ICAL}calendar-color"),
        max_size=_number(response.text(f"{CARD if kind == 'addressbook' else CAL}max-resource-size")),
    )


def _components(stated: Node | None) -> tuple[str, ...]:
    if stated is None:
        return ()
    return tuple(node.attributes.get("name", "").upper() for node in stated.children if node.local == "comp")


def _privileges(stated: Node | None) -> frozenset[str] | None:
    if stated is None:
        return None
    return frozenset(
        inner.local for node in stated.children if node.local == "privilege" for inner in node.children
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0

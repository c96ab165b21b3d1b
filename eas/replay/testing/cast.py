"""Who was there when a session was recorded, read off it: the user with name and zone, and others of their domain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from eas.items.timezone import BadTimeZone, TimeZoneInformation, key_of, zone_of, zone_of_blob
from eas.protocol.wbxml import Element
from eas.replay.format.body import wire
from eas.replay.format.model import USER, Body, Document, Exchange, LeftOut, Meta, SessionError
from eas.replay.playing.targets import device_of

#: Where nothing says it.
DOMAIN, SOMEBODY = "example.com", "somebody"
#: Others of the user's domain; a session that writes to more of them writes to a list.
MOST_PEOPLE = 50
#: Exchanges that are looked at.
LOOKED_AT = 2000

_ADDRESS = r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,200}[A-Za-z0-9]"
_PLAIN = re.compile(_ADDRESS)
_NAMED = re.compile(rf'(?:"([^"<>\x00-\x1f]{{1,80}})"|([A-Z][^"<>,;:=\x00-\x1f]{{1,80}}?)) ?<({_ADDRESS})>')
_AUTODISCOVERED = re.compile(rf"<DisplayName>([^<>]{{1,80}})</DisplayName>\s*<EMailAddress>({_ADDRESS})<")

#: Elements of an address and of the name that belongs to it, beside each other.
NAMES = (
    ("Calendar:OrganizerEmail", "Calendar:OrganizerName"), ("Calendar:Email", "Calendar:Name"),
    ("GAL:EmailAddress", "GAL:DisplayName"), ("ResolveRecipients:EmailAddress", "ResolveRecipients:DisplayName"),
)


@dataclass(frozen=True, slots=True)
class Person:
    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Cast:
    """`zone` is an IANA name. All addresses are of one domain."""

    user: Person
    zone: str
    others: tuple[Person, ...] = ()

    @property
    def domain(self) -> str:
        return self.user.address.rpartition("@")[2]


def cast(meta: Meta, exchanges: Iterable[Exchange]) -> Cast:
    """Whoever it was, they get an address."""
    login, seen, zones = "", dict[str, str](), Counter[str]()
    for exchange in islice(exchanges, LOOKED_AT):
        login = login or device_of(exchange.request.target)[0]
        for body in (exchange.request.body, exchange.answer.body):
            _people(_text(body), seen)
            if isinstance(body, Document):
                zones.update(_zones(body.root, exchange.time.year))
                _named(body.root, seen)
    address = _address(meta.get(USER) or login)
    ending = address[address.index("@"):]
    others = [Person(one, name) for one, name in seen.items() if one.endswith(ending) and one != address]
    zone = next((name for name, _ in zones.most_common(1)), "UTC")
    return Cast(Person(address, seen.get(address, "")), zone, tuple(others[:MOST_PEOPLE]))


def _address(user: str) -> str:
    login = (user.rpartition("\\")[2] or SOMEBODY).lower()
    address = login if "@" in login else f"{login}@{DOMAIN}"
    return address if _PLAIN.fullmatch(address) else f"{SOMEBODY}@{DOMAIN}"


def _people(text: str, seen: dict[str, str]) -> None:
    for found in _PLAIN.findall(text):
        seen.setdefault(found.lower(), "")
    for name, address in _AUTODISCOVERED.findall(text):
        if name != address:
            seen[address.lower()] = seen.get(address.lower()) or name.strip()
    for quoted, bare, address in _NAMED.findall(text):
        seen[address.lower()] = seen.get(address.lower()) or (quoted or bare).strip()


def _named(element: Element, seen: dict[str, str]) -> None:
    """Names that stand beside addresses."""
    for address, name in NAMES:
        who, called = element.child(address), element.child(name)
        if who is not None and called is not None and called.text != who.text:
            seen[who.text.lower()] = seen.get(who.text.lower()) or called.text
    for child in element.elements:
        _named(child, seen)


def _text(body: Body) -> str:
    if isinstance(body, LeftOut):
        return ""
    try:
        return wire(body).decode("utf-8", "ignore")
    except SessionError:  # a part that was left out
        return ""


def _zones(element: Element, year: int) -> Iterator[str]:
    for child in element.elements:
        if child.tag == "Calendar:Timezone":
            if (name := _zone(child.text, year)) is not None:
                yield name
        else:
            yield from _zones(child, year)


def _zone(text: str, year: int) -> str | None:
    """None for a blob that no named zone keeps."""
    try:
        name = key_of(zone_of_blob(TimeZoneInformation.parse(text), year))
    except BadTimeZone:
        return None
    return name if zone_of(name) is not None else None

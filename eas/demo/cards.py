"""Address books as vCards: customers, suppliers, family; with properties that EAS has no element for."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from eas.engine.model import FolderType

from .model import DemoRecord
from .people import OUTSIDERS, Outsider
from .pictures import portrait

#: Who keeps whom, by category.
KEPT_BY: dict[str, tuple[str, ...]] = {
    "Customers": ("anna", "ben", "carla"),
    "Suppliers": ("anna", "carla"),
    "Family": ("anna",),
    "Friends": ("ben",),
}
BIRTHDAYS = {"rosa": "1951-03-08", "sam": "1989-11-30", "lena": "1980-06-17"}
NICKNAMES = {"rosa": "Oma", "sam": "Sammy"}


def contacts() -> Iterator[DemoRecord]:
    for outsider in OUTSIDERS:
        for owner in KEPT_BY[outsider.category]:
            yield DemoRecord(owner=owner, folder=FolderType.CONTACTS, data=card(outsider, owner))
    yield DemoRecord(owner="ben", folder=FolderType.CONTACTS, data=_distribution_list())


def card(outsider: Outsider, owner: str) -> bytes:
    """A vCard 3.0 as several programs left it. What stands in X- properties, in groups (`item1.`) or as a third number
    is not EAS's to know, and is to be there still after a phone has edited the rest."""
    o = outsider
    lines = [
        "BEGIN:VCARD", "VERSION:3.0", "PRODID:-//Nordhang Joinery//Address Book//EN",
        f"UID:{o.key}-{owner}@example.test", f"N:{text_value(o.last_name)};{text_value(o.first_name)};;;",
        f"FN:{text_value(o.name)}", f"EMAIL;TYPE=INTERNET,WORK:{o.address}", f"CATEGORIES:{o.category}",
    ]
    optional = (
        (o.company, f"ORG:{text_value(o.company)}"),
        (o.title, f"TITLE:{text_value(o.title)}"),
        (o.phone, f"TEL;TYPE=WORK,VOICE:{o.phone}"),
        (o.mobile, f"TEL;TYPE=CELL:{o.mobile}"),
        (o.city, f"ADR;TYPE=WORK:;;{text_value(o.street)};{text_value(o.city)};;{o.postal_code};{o.country}"),
        (o.number, f"X-CUSTOMER-NUMBER;X-SYSTEM=orders:{o.number}"),
        (o.number, f"item1.URL:https://orders.example.test/customers/{o.number}"),
        (o.number, "item1.X-ABLabel:Customer file"),
        (BIRTHDAYS.get(o.key), f"BDAY;VALUE=date:{BIRTHDAYS.get(o.key)}"),
        (NICKNAMES.get(o.key), f"NICKNAME:{NICKNAMES.get(o.key)}"),
        (o.category == "Suppliers", "X-PAYMENT-TERMS:30 days net\\, 2 % within 10"),
        (o.category == "Suppliers", "TEL;TYPE=WORK,MSG:+49 30 23125 999"),
        (o.category in ("Family", "Friends"), f"X-SOCIALPROFILE;TYPE=board:https://board.example/{o.key}"),
        (o.key == "ines", "NOTE:Opens at seven. Ask for the side door.\\nSpeaks Portuguese\\, German and English."),
    )
    lines += [line for there, line in optional if there]
    if o.key in ("ines", "kim", "rosa"):
        lines.append(f"PHOTO;ENCODING=b;TYPE=PNG:{base64.b64encode(portrait(o.name)).decode()}")
    lines += ["REV:2026-01-07T09:30:00Z", "END:VCARD"]
    return folded(lines)


def _distribution_list() -> bytes:
    """A list of addresses, which a phone can see as a contact at most."""
    members = [f"X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:{o.key}-ben" for o in OUTSIDERS if o.number]
    return folded([
        "BEGIN:VCARD", "VERSION:3.0", "UID:customers-list-ben@example.test", "N:All customers;;;;", "FN:All customers",
        "X-ADDRESSBOOKSERVER-KIND:group", *members, "END:VCARD",
    ])


def text_value(value: str) -> str:
    """Escaped as vCard and iCalendar want it in values of type TEXT."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;").replace("\n", "\\n")


def folded(lines: list[str]) -> bytes:
    """Content lines as octets, none longer than 75, no character cut. RFC 5545, RFC 2426 folding."""
    out = bytearray()
    for line in lines:
        width = 0
        for character in line:
            raw = character.encode()
            if width + len(raw) > 75:
                out += b"\r\n "
                width = 1
            out += raw
            width += len(raw)
        out += b"\r\n"
    return bytes(out)

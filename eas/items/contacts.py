"""Contacts: the elements of the class, and their places in a vCard, both ways from one table.

[MS-ASCNTC] Elements; RFC 6350, RFC 2426. Not here: the recipient information cache, which only shares the class.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date
from typing import Any

from eas.protocol.schema import FLAG, INT, Codec, Spelling, element, elements, load, plain, spelled
from eas.protocol.schema import content as schema_content
from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

from .body import Body, BodyType, Source, Wanted, body_html, body_text, render_text
from .contentline import Component, Line, clean, glimpse, parse, serialize
from .native import Refused, Unreadable, Viewer
from .vcard import (
    Day,
    Each,
    EachRelated,
    FileAs,
    Im,
    Nth,
    Part,
    Photo,
    Related,
    Rule,
    Text,
    inline_octets,
    rename,
    tidy,
)
from .vcard import load as load_card

#: [MS-ASCNTC] Picture R381, R384: more than 48 KB of base64 is answered with Status 6.
MAX_PICTURE_ENCODED = 48 * 1024
#: [MS-ASCNTC] Category R183, Child R194.
MAX_LIST = 300
#: What a Change may leave out without removing it, whatever Supported says. [MS-ASCMD] Change R878;
#: [MS-ASCNTC] Truncating the Contact Notes Field R461.
ALWAYS_KEPT = frozenset({"body", "picture"})
PRODID = "-//eas-gateway//NONSGML ActiveSync gateway//EN"


def _read_day(text: str) -> date | None:
    found = re.match(r"\s*([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:T|\s*$)", text)
    if found:
        return date(*map(int, found.groups()))
    if text.strip():
        raise ValueError(text)
    return None


def _read_picture(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True) or None
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _load_body(body: Element, version: Version) -> Body | None:
    return load(Body, body, version) if body.elements else None


#: A day <-> `2000-12-25T00:00:00.000Z`. The time is to be ignored, devices send many: [MS-ASCNTC] Birthday R999.
DAY = plain(_read_day, lambda day: f"{day.year:04d}-{day:%m-%d}T00:00:00.000Z")
#: The octets of an image <-> base64.
PICTURE = plain(_read_picture, lambda octets: base64.b64encode(octets).decode())
#: A Body that may be empty, which stands for none.
BODY = Codec(_load_body, lambda body, version: schema_content(body, version))
#: The element of 2.5 is the text itself.
OLD_BODY = Codec(
    lambda e, version: Body(type=BodyType.TEXT, data=e.text) if e.text else None,
    lambda body, version: body.data or "",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One contact, its elements in the order of the schemas. All are text but for days, octets of the picture, and
    the body. `title` is what stands before a name; a birthday without a year has the year vcard.NO_YEAR.

    `alias` and `weighted_rank` occur in the recipient information cache alone ([MS-ASCNTC] Alias R105).
    """

    anniversary: date | None = element("Contacts:Anniversary", DAY, default=None)
    assistant_name: str | None = element("Contacts:AssistantName", default=None)
    assistant_phone: str | None = element("Contacts:AssistantPhoneNumber", default=None)
    birthday: date | None = element("Contacts:Birthday", DAY, default=None)
    body: Body | None = spelled(
        Spelling("AirSyncBase:Body", BODY, spoken=Spoken(since=Version.V12_0)),
        Spelling("Contacts:Body", OLD_BODY, spoken=Spoken(until=Version.V2_5)),
        default=None,
    )
    body_size: int | None = element("Contacts:BodySize", INT, until=Version.V2_5, default=None)
    body_truncated: bool | None = element("Contacts:BodyTruncated", FLAG, until=Version.V2_5, default=None)
    business2_phone: str | None = element("Contacts:Business2PhoneNumber", default=None)
    business_city: str | None = element("Contacts:BusinessAddressCity", default=None)
    business_phone: str | None = element("Contacts:BusinessPhoneNumber", default=None)
    web_page: str | None = element("Contacts:WebPage", default=None)
    business_country: str | None = element("Contacts:BusinessAddressCountry", default=None)
    department: str | None = element("Contacts:Department", default=None)
    email1: str | None = element("Contacts:Email1Address", default=None)
    email2: str | None = element("Contacts:Email2Address", default=None)
    email3: str | None = element("Contacts:Email3Address", default=None)
    business_fax: str | None = element("Contacts:BusinessFaxNumber", default=None)
    file_as: str | None = element("Contacts:FileAs", default=None)
    alias: str | None = element("Contacts:Alias", since=Version.V14_0, default=None)
    weighted_rank: int | None = element("Contacts:WeightedRank", INT, since=Version.V14_0, default=None)
    first_name: str | None = element("Contacts:FirstName", default=None)
    middle_name: str | None = element("Contacts:MiddleName", default=None)
    home_city: str | None = element("Contacts:HomeAddressCity", default=None)
    home_country: str | None = element("Contacts:HomeAddressCountry", default=None)
    home_fax: str | None = element("Contacts:HomeFaxNumber", default=None)
    home_phone: str | None = element("Contacts:HomePhoneNumber", default=None)
    home2_phone: str | None = element("Contacts:Home2PhoneNumber", default=None)
    home_postal_code: str | None = element("Contacts:HomeAddressPostalCode", default=None)
    home_state: str | None = element("Contacts:HomeAddressState", default=None)
    home_street: str | None = element("Contacts:HomeAddressStreet", default=None)
    mobile_phone: str | None = element("Contacts:MobilePhoneNumber", default=None)
    suffix: str | None = element("Contacts:Suffix", default=None)
    company: str | None = element("Contacts:CompanyName", default=None)
    other_city: str | None = element("Contacts:OtherAddressCity", default=None)
    other_country: str | None = element("Contacts:OtherAddressCountry", default=None)
    car_phone: str | None = element("Contacts:CarPhoneNumber", default=None)
    other_postal_code: str | None = element("Contacts:OtherAddressPostalCode", default=None)
    other_state: str | None = element("Contacts:OtherAddressState", default=None)
    other_street: str | None = element("Contacts:OtherAddressStreet", default=None)
    pager: str | None = element("Contacts:PagerNumber", default=None)
    title: str | None = element("Contacts:Title", default=None)
    business_postal_code: str | None = element("Contacts:BusinessAddressPostalCode", default=None)
    last_name: str | None = element("Contacts:LastName", default=None)
    spouse: str | None = element("Contacts:Spouse", default=None)
    business_state: str | None = element("Contacts:BusinessAddressState", default=None)
    business_street: str | None = element("Contacts:BusinessAddressStreet", default=None)
    job_title: str | None = element("Contacts:JobTitle", default=None)
    yomi_first_name: str | None = element("Contacts:YomiFirstName", default=None)
    yomi_last_name: str | None = element("Contacts:YomiLastName", default=None)
    yomi_company: str | None = element("Contacts:YomiCompanyName", default=None)
    office: str | None = element("Contacts:OfficeLocation", default=None)
    radio_phone: str | None = element("Contacts:RadioPhoneNumber", default=None)
    picture: bytes | None = element("Contacts:Picture", PICTURE, default=None)
    categories: tuple[str, ...] = elements("Contacts:Category", within="Contacts:Categories")
    children: tuple[str, ...] = elements("Contacts:Child", within="Contacts:Children")
    customer_id: str | None = element("Contacts2:CustomerId", default=None)
    government_id: str | None = element("Contacts2:GovernmentId", default=None)
    im1: str | None = element("Contacts2:IMAddress", default=None)
    im2: str | None = element("Contacts2:IMAddress2", default=None)
    im3: str | None = element("Contacts2:IMAddress3", default=None)
    manager: str | None = element("Contacts2:ManagerName", default=None)
    company_main_phone: str | None = element("Contacts2:CompanyMainPhone", default=None)
    account_name: str | None = element("Contacts2:AccountName", default=None)
    nickname: str | None = element("Contacts2:NickName", default=None)
    mms: str | None = element("Contacts2:MMS", default=None)


def _tel(kind: str, n: int = 0, of: int = 1) -> Nth:
    return Nth(("TEL", "X-MS-TEL"), n, of, kind)


def _address(prefix: str, kind: str) -> dict[str, Rule]:
    parts = {"street": 2, "city": 3, "state": 4, "postal_code": 5, "country": 6}
    return {f"{prefix}_{part}": Part("ADR", index, kind) for part, index in parts.items()}


#: Contact field -> where it stands in a vCard; the body as text. `file_as` is last, since it depends on FN.
VCARD: Mapping[str, Rule] = {
    "last_name": Part("N", 0),
    "first_name": Part("N", 1),
    "middle_name": Part("N", 2),
    "title": Part("N", 3),
    "suffix": Part("N", 4),
    "nickname": Text(("NICKNAME", "X-NICKNAME")),
    "yomi_first_name": Text(("X-PHONETIC-FIRST-NAME",)),
    "yomi_last_name": Text(("X-PHONETIC-LAST-NAME",)),
    "yomi_company": Text(("X-PHONETIC-ORG",)),
    "company": Part("ORG", 0),
    "department": Part("ORG", 1),
    "job_title": Text(("TITLE",)),
    "office": Text(("X-OFFICE-LOCATION", "X-EVOLUTION-OFFICE", "X-KADDRESSBOOK-X-OFFICE", "X-MS-OFFICE-LOCATION")),
    "email1": Nth(("EMAIL",), 0, 3),
    "email2": Nth(("EMAIL",), 1, 3),
    "email3": Nth(("EMAIL",), 2, 3),
    "mobile_phone": _tel("CELL"),
    "business_phone": _tel("WORK", 0, 2),
    "business2_phone": _tel("WORK", 1, 2),
    "home_phone": _tel("HOME", 0, 2),
    "home2_phone": _tel("HOME", 1, 2),
    "business_fax": _tel("WORK FAX"),
    "home_fax": _tel("HOME FAX"),
    "car_phone": _tel("CAR"),
    "pager": _tel("PAGER"),
    "radio_phone": _tel("X-RADIO"),
    "assistant_phone": _tel("X-ASSISTANT"),
    "company_main_phone": _tel("X-COMPANY"),
    **_address("business", "WORK"),
    **_address("home", "HOME"),
    **_address("other", "OTHER"),
    "im1": Im(n=0, of=3),
    "im2": Im(n=1, of=3),
    "im3": Im(n=2, of=3),
    "web_page": Text(("URL",), uri=True),
    "birthday": Day(("BDAY",), "BDAY"),
    "anniversary": Day(
        ("X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "X-MS-ANNIVERSARY", "X-KADDRESSBOOK-X-ANNIVERSARY"),
        "ANNIVERSARY",
        "ANNIVERSARY",
    ),
    "spouse": Related(
        ("X-SPOUSE", "X-MS-SPOUSE", "X-EVOLUTION-SPOUSE", "X-KADDRESSBOOK-X-SPOUSESNAME"), "SPOUSE", standard=True
    ),
    "children": EachRelated(Related(("X-MS-CHILD", "X-CHILD"), "CHILD", standard=True)),
    "manager": Related(
        ("X-MANAGER", "X-MS-MANAGER", "X-EVOLUTION-MANAGER", "X-KADDRESSBOOK-X-MANAGERSNAME"), "MANAGER"
    ),
    "assistant_name": Related(
        ("X-ASSISTANT", "X-MS-ASSISTANT", "X-EVOLUTION-ASSISTANT", "X-KADDRESSBOOK-X-ASSISTANTSNAME"), "ASSISTANT"
    ),
    "categories": Each("CATEGORIES"),
    "picture": Photo(),
    "body": Text(("NOTE",)),
    "account_name": Text(("X-EAS-ACCOUNT-NAME",)),
    "customer_id": Text(("X-EAS-CUSTOMER-ID",)),
    "government_id": Text(("X-EAS-GOVERNMENT-ID",)),
    "mms": Text(("X-EAS-MMS",)),
    "file_as": FileAs(),
}


def from_native(data: bytes, wanted: Wanted, viewer: Viewer, version: Version) -> Contact:
    """The contact that a vCard holds. Raises Unreadable. A picture beyond the limit is not shown, but stays stored."""
    values = load_card(VCARD, _card(data))
    note = values.pop("body")
    body = render_text(note, wanted, version) if note else None
    if values["picture"] and _encoded_size(values["picture"]) > MAX_PICTURE_ENCODED:
        values["picture"] = None
    values["categories"] = values["categories"][:MAX_LIST]
    values["children"] = values["children"][:MAX_LIST]
    contact = Contact(body=body, **values)
    if contact == Contact():
        # ApplicationData may not be empty, nor may a contact be missing because nothing is known of it.
        return Contact(file_as="")
    return contact


def to_native(
    item: Contact,
    given: frozenset[str],
    base: bytes | None,
    kept: frozenset[str],
    viewer: Viewer,
    version: Version,
    uid: str = "",
) -> bytes:
    """The vCard `base` with the contact written into it; a new one of version 3.0 under `uid` if it is None.

    `given` names the fields whose element the device sent: empty ones are removed. Of the others those in `kept` stay
    and the rest is removed. What did not change keeps its line octet for octet, as do properties that no rule names;
    if nothing changed, the answer is `base`.

    Raises Refused for what cannot be stored, Unreadable if `base` cannot be read.
    """
    card = new_card(uid) if base is None else _card(base)
    before, stored = list(card.items), load_card(VCARD, card)
    said = {name: _said(name, getattr(item, name), stored[name]) for name in VCARD.keys() & given}
    wanted = {name: value for name, value in said.items() if value is not _KEEP}
    for name, rule in VCARD.items():
        if name not in wanted and name not in kept and name not in given:
            wanted[name] = None
        if name == "file_as":
            _name_it(card, stored, wanted.get("file_as"))
            if name in wanted and rule.load(card) != (wanted[name] or None):
                rule.dump(wanted[name], card)
        elif name in wanted and (wanted[name] or None) != (_shown(name, stored[name]) or None):
            rule.dump(wanted[name], card)
    tidy(card)
    if base is not None and list(map(id, before)) == list(map(id, card.items)):
        return base
    stamp = viewer.now.astimezone(UTC)
    revised = Line("REV", f"{stamp:%Y%m%dT%H%M%SZ}" if card.version == "4.0" else f"{stamp:%Y-%m-%dT%H:%M:%SZ}")
    old = card.first("REV")
    if old:
        card.replace(old, revised)
    else:
        card.add(revised)
    return serialize(card)


def degraded(data: bytes, reason: str) -> Contact:
    """A contact of what a look at the lines shows, with a notice of the reason in its body. For Unreadable ones."""
    name, email = glimpse(data, "FN"), glimpse(data, "EMAIL")
    notice = f"This contact could not be read in full: {reason}. The original is unchanged on the server."
    return Contact(
        last_name=name or email or "(unreadable contact)",
        file_as=name or email or "(unreadable contact)",
        email1=email,
        body=Body(type=BodyType.TEXT, estimated_size=len(notice.encode()), data=notice),
    )


def enclosed(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The photo of a contact, and its keys as others store them (DER of certificates among them); of one that cannot be
    read nothing."""
    try:
        card = _card(data)
        return next(inline_octets(card, "PHOTO"), b""), tuple(inline_octets(card, "KEY"))
    except Unreadable:
        return b"", ()


def is_group(data: bytes) -> bool:
    """Whether a vCard is a distribution list, which ActiveSync has no class for. RFC 6350 6.1.4; Apple's."""
    return _GROUP.search(data) is not None


def new_card(uid: str) -> Component:
    """An empty card of version 3.0, which every address book reads."""
    lines = [Line("VERSION", "3.0"), Line("PRODID", PRODID), Line("UID", ""), Line("FN", ""), Line("N", ";;;;")]
    return Component("VCARD", [line.with_text(uid) if line.name == "UID" else line for line in lines])


_GROUP = re.compile(
    rb"^(?:[\w-]+\.)?(?:X-ADDRESSBOOKSERVER-)?KIND(?:;[^:\r\n]*)?:[ \t]*group[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)
#: "Ann Example" <ann@example.com>, as Exchange writes it and devices send it back.
_ADDRESS = re.compile(r"[^<>]*<\s*([^<>\s]+@[^<>\s]+)\s*>\s*")
_KEEP = object()


def _card(data: bytes) -> Component:
    card = parse(data)
    if card.name != "VCARD":
        raise Unreadable(f"not a vCard but {card.name[:40]!r}")
    return card


def _said(name: str, value: Any, stored: Any) -> Any:
    """What a given field is to be: None or () to remove it, _KEEP where it stays as it is.

    Such is what it was shown, a Body without Data ([MS-ASCMD] Change R878), and one that is said to be cut off. The
    FileAs that it was shown is said all the same: it may have been the formatted name, which is about to change.
    """
    if name not in ("body", "file_as") and value == _shown(name, stored):
        return _KEEP
    if name == "body" and value is not None:
        if value.data is None or value.truncated:
            return _KEEP
        source = Source(text=stored or "")
        try:
            text = clean(body_text(value))
        except ValueError as error:  # Unreadable, or base64 that is none
            raise Refused(str(error)) from error
        return _KEEP if text == source.as_text() or body_html(value) == source.as_html() else text
    if name == "picture" and value and _encoded_size(value) > MAX_PICTURE_ENCODED:
        raise Refused(f"picture of more than {MAX_PICTURE_ENCODED} characters")
    if isinstance(value, tuple) and len(value) > MAX_LIST:
        raise Refused(f"{len(value)} in {name}")
    if isinstance(value, str):
        value = clean(value)
        found = _ADDRESS.fullmatch(value) if name.startswith("email") else None
        return found[1] if found else value
    return value


def _shown(name: str, stored: Any) -> Any:
    """What the device was shown of a stored value: of too large a picture nothing, so that it cannot remove it."""
    if name == "picture" and stored and _encoded_size(stored) > MAX_PICTURE_ENCODED:
        return None
    return stored[:MAX_LIST] if isinstance(stored, tuple) else stored


def _name_it(card: Component, stored: Mapping[str, Any], file_as: str | None) -> None:
    """FN follows the names when they change; a name that others gave it stays as long as they do not."""
    before, after = _formatted(stored), _formatted(load_card(_NAMING, card))
    if card.first("FN") is None or before != after or not stored["file_as"]:
        rename(card, after or file_as or VCARD["email1"].load(card) or "")


_NAMING = {name: VCARD[name] for name in ("title", "first_name", "middle_name", "last_name", "suffix", "company")}


def _formatted(values: Mapping[str, Any]) -> str:
    """A name as it is read: all its parts, else the company. RFC 6350 6.2.1."""
    names = [values[name] for name in _NAMING if name != "company" and values[name]]
    return " ".join(names) or values["company"] or ""


def _encoded_size(octets: bytes) -> int:
    return (len(octets) + 2) // 3 * 4


#: The fields that no rule names: old body elements, and the recipient information cache's.
UNMAPPED = frozenset(f.name for f in fields(Contact)) - VCARD.keys()

"""Everything that is derived from an item's octets when it is stored: once, outside of any transaction.

Pure, and up to some ten milliseconds for a large message: callers put those into a thread. What cannot be parsed is
stored all the same, with less derived.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice

from eas.items import calendar, contacts, headers, markup, mime, tasks, vcard
from eas.items.contentline import Component, glimpse, parse
from eas.items.conversation import conversation_of
from eas.items.native import Part, Unreadable

from .codec import FOREVER, digest, dump_structure, millis

#: Characters of a message or record that a search looks at: a long mail thread, a few pages of notes.
MAX_SEARCH = 16_000
#: Encoded octets of one text part that are read for the search.
_SEARCH_OCTETS = 64 << 10
#: Addresses of a contact in the directory: ActiveSync has three.
_CONTACT_ADDRESSES = 3

_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactEntry:
    """What the directory shows of one address of a contact."""

    address: str
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    mobile_phone: str = ""
    home_phone: str = ""
    company: str = ""
    title: str = ""
    office: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A content row and what hangs on it. `mail`: the octets go into chunks, else into the row. `until` is where the
    item ends, in epoch milliseconds."""

    octets: bytes
    digest: str
    until: int
    search: str
    mail: bool = False
    header: bytes = b""
    structure: str | None = None
    message_id: str | None = None
    conversation: str | None = None
    uid: str | None = None
    entries: tuple[ContactEntry, ...] = ()
    terms: frozenset[str] = frozenset()


# --- Mail -------------------------------------------------------------------------------------------------------------


def message(raw: bytes, received: datetime) -> Prepared:
    try:
        root: Part | None = mime.structure(raw)
        header = raw[: mime.header_end(raw)]
    except Unreadable:
        root, header = None, raw[: headers.MAX_BLOCK].partition(b"\r\n\r\n")[0]
    fields = headers.parse(header)
    return Prepared(
        mail=True, octets=raw, digest=digest(raw), until=millis(received), header=header,
        structure=dump_structure(root) if root is not None else None,
        message_id=message_key(fields), conversation=conversation_of(fields, received).id.hex(),
        search=_squeezed(_mail_words(raw, fields, root)),
    )


def message_key(fields: Mapping[bytes, bytes]) -> str | None:
    """What a Message-ID is looked up by; long ones by their digest. None where there is none."""
    for found in headers.message_ids(fields.get(b"message-id", b"")):
        text = found.decode("ascii", "backslashreplace").replace("\0", "")
        return text if len(text) <= 255 else sha256(found).hexdigest()
    return None


_ADDRESS_FIELDS = (b"from", b"to", b"cc", b"bcc", b"sender", b"reply-to")
#: Addresses of one field that are searched: a newsletter's list of thousands is nobody's search.
_SEARCHED_ADDRESSES = 100


def _address_words(fields: Mapping[bytes, bytes], names: Iterable[bytes]) -> Iterator[str]:
    for name in names:
        for address in islice(headers.addresses(fields.get(name, b"")), _SEARCHED_ADDRESSES):
            yield f"{address.name} {address.address}"


def _header_words(fields: Mapping[bytes, bytes]) -> Iterator[str]:
    yield headers.text(fields.get(b"subject", b""))
    yield from _address_words(fields, _ADDRESS_FIELDS)


def searched_header(fields: Mapping[bytes, bytes]) -> str:
    """What the search text of a message has of its header: its beginning."""
    return _squeezed(_header_words(fields))


def searched_addresses(fields: Mapping[bytes, bytes], names: Iterable[bytes]) -> str:
    """The addresses of some fields, as the search text has them."""
    return _squeezed(_address_words(fields, names))


def searched_text(text: str) -> str:
    """A text as the search text has it."""
    return _squeezed([text])


def written(raw: bytes, root: Part | None) -> str:
    """What people read of a message below its header, folded; the names of what is attached too."""
    return _squeezed(_body_words(raw, root))


def _mail_words(raw: bytes, fields: Mapping[bytes, bytes], root: Part | None) -> Iterator[str]:
    yield from _header_words(fields)
    yield from _body_words(raw, root)


def _body_words(raw: bytes, root: Part | None) -> Iterator[str]:
    if root is None:
        return
    plan = mime.layout(root)
    for segment in plan.segments:
        said = "".join(_part_text(raw, part) for part in segment.plain)
        # Some write nothing into the plain alternative, or that one needs a better program.
        yield said if len(said) > _NO_TEXT or not segment.rich else "".join(_part_text(raw, p) for p in segment.rich)
    for attached in plan.attached:
        yield attached.part.filename


#: Less than that in the plain alternative says nothing.
_NO_TEXT = 80


def _part_text(raw: bytes, part: Part) -> str:
    text = mime.text_of(part, mime.cut_from(raw, part, _SEARCH_OCTETS))
    return markup.text_of_html(text, MAX_SEARCH) if part.type == "text/html" else text


def _squeezed(words: Iterable[str]) -> str:
    """Folded, on one line, at most MAX_SEARCH characters; no more is read of `words` than needed."""
    out, size = list[str](), 0
    for text in words:
        text = _BLANKS.sub(" ", text[: 2 * MAX_SEARCH]).strip()
        if text:
            out.append(text)
            size += len(text) + 1
        if size >= MAX_SEARCH:
            break
    return folded("\n".join(out)[:MAX_SEARCH])


def folded(text: str) -> str:
    """As it is compared: without regard to case, in every script; without what databases refuse (NUL, halves of
    surrogates)."""
    return markup.clean(text).casefold()


# --- Records ----------------------------------------------------------------------------------------------------------

#: How far an object of a class reaches; contacts and notes are always wanted.
_HORIZON = {"Calendar": calendar.horizon, "Tasks": tasks.horizon}


def record(item_class: str, data: bytes) -> Prepared:
    until = FOREVER
    if item_class in _HORIZON:
        try:
            reach = _HORIZON[item_class](data)
        except Unreadable:
            reach = None  # shown degraded, for ever, rather than not at all
        until = FOREVER if reach is None else millis(reach)
    try:
        root = parse(data)
    except Unreadable:
        root = None
    entries = _contact_entries(root) if root is not None and item_class == "Contacts" else ()
    return Prepared(
        octets=data, digest=digest(data), until=until, search=_squeezed(_record_words(root, data)),
        uid=_uid(root) if item_class == "Calendar" else None,
        entries=entries, terms=frozenset(term for entry in entries for term in contact_terms(entry)),
    )


def _uid(root: Component | None) -> str | None:
    """The UID of an appointment, by which answers to its invitation find it."""
    if root is None:
        return None
    for component in (root, *root.components()):
        if (line := component.first("UID")) is not None:
            return uid_key(line.text(root.version))
    return None


def uid_key(uid: str) -> str:
    """What a UID is looked up by; long ones by their digest."""
    uid = markup.clean(uid)
    return uid if len(uid) <= 255 else sha256(uid.encode()).hexdigest()


_SEARCHED = frozenset((
    "SUMMARY", "DESCRIPTION", "LOCATION", "ATTENDEE", "ORGANIZER", "CATEGORIES", "COMMENT",
    "FN", "N", "NICKNAME", "EMAIL", "TEL", "ORG", "TITLE", "NOTE", "ADR",
))


def _record_words(root: Component | None, data: bytes) -> Iterator[str]:
    if root is None:
        for name in ("SUMMARY", "FN", "EMAIL"):
            yield glimpse(data, name) or ""
        return
    for component in (root, *root.components()):
        for item in component.items:
            if not isinstance(item, Component) and item.name in _SEARCHED:
                yield item.text(root.version).removeprefix("mailto:")


_ENTRY_FIELDS = {
    "first_name": "first_name", "last_name": "last_name", "business_phone": "phone", "mobile_phone": "mobile_phone",
    "home_phone": "home_phone", "company": "company", "job_title": "title", "office": "office",
}
_ENTRY_RULES = {
    name: contacts.VCARD[name] for name in (*_ENTRY_FIELDS, "email1", "email2", "email3", "file_as", "nickname")
}
#: Longer values are cut: they are for finding and showing in a list. Numbers are shorter in the table, too.
_ENTRY_LENGTH, _PHONE_LENGTH = 120, 64


def _contact_entries(card: Component) -> tuple[ContactEntry, ...]:
    values = vcard.load(_ENTRY_RULES, card)
    line = card.first("FN")
    name = (line.text(card.version) if line is not None else "") or values["file_as"] or ""
    shown = {
        target: (values[source] or "")[: _PHONE_LENGTH if target.endswith("phone") else _ENTRY_LENGTH]
        for source, target in _ENTRY_FIELDS.items()
    }
    addresses = [values[f"email{n}"] for n in range(1, _CONTACT_ADDRESSES + 1) if values[f"email{n}"]]
    return tuple(
        ContactEntry(address=address[:320], name=name[:256], **shown) for address in addresses or [""]
    )


def contact_terms(entry: ContactEntry) -> set[str]:
    return terms(entry.name, entry.first_name, entry.last_name, entry.address, entry.company, entry.title,
                 entry.office, phones=(entry.phone, entry.mobile_phone, entry.home_phone))


#: Longest beginning by which somebody can be found.
_TERM_LENGTH = 100
_NOT_DIALLED = re.compile(r"[^0-9+]")


def terms(*texts: str, phones: Iterable[str] = ()) -> set[str]:
    """What somebody is found by: each text, folded, and each of its words with what follows. Phone numbers also as
    they are dialled."""
    out: set[str] = set()
    for text in texts:
        text = _BLANKS.sub(" ", folded(text)).strip()
        while text:
            out.add(text[:_TERM_LENGTH])
            text = text.partition(" ")[2]
    for phone in phones:
        if phone.strip():
            out.add(_BLANKS.sub(" ", folded(phone)).strip()[:_TERM_LENGTH])
            out.add(_NOT_DIALLED.sub("", phone)[:_TERM_LENGTH])
    return out - {""}


def searched_terms(text: str) -> list[str]:
    """The beginnings to look for, folded: the text as typed, and as a phone number if it looks like one."""
    text = _BLANKS.sub(" ", folded(text)).strip()[:_TERM_LENGTH]
    if not text:
        return []
    dialled = _NOT_DIALLED.sub("", text)
    is_phone = len(dialled) >= 3 and not any(c.isalpha() for c in text)
    return [text, dialled] if is_phone and dialled != text else [text]

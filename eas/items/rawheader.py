"""Header blocks as lists of raw fields: taken apart, changed field by field, put together with all else as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from email.header import Header
from email.utils import encode_rfc2231

from eas.items import headers

CRLF = b"\r\n"
_NAME = re.compile(rb"[!-9;-~]{1,200}\Z")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
#: Names and values of ours hold none of these; what others sent is taken apart before.
_BREAKS = re.compile(r"[\r\n\0]+")
#: Fields that are lists of addresses.
ADDRESS_FIELDS = frozenset((b"from", b"sender", b"to", b"cc", b"bcc", b"reply-to", b"disposition-notification-to"))


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `name` as it was written, `value` still folded, with CRLF and without the last line end."""

    name: bytes
    value: bytes

    @property
    def key(self) -> bytes:
        return self.name.lower()


def fields_of(block: bytes) -> list[Field]:
    """The fields of a block in their order. Lines that are none are dropped: they could end the header for others."""
    found: list[Field] = []
    for line in crlf(block.replace(b"\0", b"")).split(CRLF):
        if line[:1] in (b" ", b"\t"):
            if found and line.strip():
                found[-1] = Field(found[-1].name, found[-1].value + CRLF + line)
            continue
        name, colon, value = line.partition(b":")
        name = name.rstrip()
        if colon and _NAME.match(name):
            found.append(Field(name, value.strip(b" \t")))
    return found


def crlf(data: bytes) -> bytes:
    """With CRLF for every line end, which SMTP asks for."""
    return _BARE.sub(CRLF, data) if _BARE.search(data) else data


def field(name: str, value: str) -> Field:
    """A field of unstructured text, encoded if need be. Line ends in the value become spaces: it stays one field."""
    plain = _BREAKS.sub(" ", value)
    if plain.isascii() and len(plain) < 200:
        return Field(name.encode("ascii"), plain.encode("ascii"))
    encoded = Header(plain, None if plain.isascii() else "utf-8", maxlinelen=76, header_name=name)
    return Field(name.encode("ascii"), encoded.encode(linesep="\r\n").encode("ascii", "replace"))


def mailbox(box: headers.Address) -> str:
    """`"Name" <address>`, the name as encoded words if need be; it can bring neither lines nor further addresses."""
    name = _BREAKS.sub(" ", box.name).strip()
    if not name:
        return box.address
    if not name.isascii():
        return f"{Header(name, 'utf-8', maxlinelen=10_000).encode()} <{box.address}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{box.address}>'


def address_field(name: str, boxes: Iterable[headers.Address]) -> Field:
    """A field with a list of addresses, one on each line."""
    return Field(name.encode("ascii"), b",\r\n ".join(mailbox(box).encode("utf-8") for box in boxes))


def in_ascii(given: Field) -> Field:
    """The field without raw 8-bit octets, which many servers refuse: as encoded words instead."""
    if given.value.isascii():
        return given
    name = given.name.decode("ascii")
    if given.key in ADDRESS_FIELDS:
        return address_field(name, headers.addresses(given.value.replace(CRLF, b"")))
    return field(name, headers.text(given.value.replace(CRLF, b"")))


def without(fields: Iterable[Field], names: Collection[bytes]) -> list[Field]:
    return [f for f in fields if f.key not in names]


def matching(fields: Iterable[Field], test: Callable[[bytes], bool]) -> list[Field]:
    return [f for f in fields if test(f.key)]


def joined(fields: Iterable[Field]) -> bytes:
    """The block, with the blank line that ends it."""
    return b"".join(b"%s: %s\r\n" % (f.name, f.value) for f in fields) + CRLF


def params(value: str, given: Iterable[tuple[str, str]]) -> str:
    """`value; name="..."`, names and text beyond ASCII as RFC 2231 has it."""
    out = [value]
    for name, text in given:
        plain = _BREAKS.sub(" ", text)
        if plain.isascii():
            quoted = plain.replace("\\", "\\\\").replace('"', '\\"')
            out.append(f'{name}="{quoted}"')
        else:
            out.append(f"{name}*={encode_rfc2231(plain, 'utf-8')}")
    return ";\r\n\t".join(out)

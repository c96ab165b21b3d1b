"""Which LDAP attributes say what about a person: a table over the usual schemas, which the settings override. Pure.

inetOrgPerson (RFC 2798, RFC 4519), Active Directory, and what groupware adds to them (Open-Xchange, Kopano and Zarafa,
Exchange, Kolab, mail server schemas).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

from eas.backends.standards.enclosed import Enclosed
from eas.backends.standards.people_index import MAX_ADDRESS, Listed, shortened
from eas.engine.model import Person

from .filters import dn_key

#: Field -> attributes, the first that has a value counts. `addresses`, `certificates`, `members` and `hidden` take all.
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "address": ("mail", "rfc822Mailbox", "proxyAddresses"),
    "addresses": (
        "mail", "proxyAddresses", "mailAlternateAddress", "mailLocalAddress", "alias", "mailAlias", "zarafaAliases",
        "kopanoAliases", "gosaMailAlternateAddress",
    ),
    "name": ("displayName", "cn"),
    "alias": ("mailNickname", "uid", "sAMAccountName"),
    "first_name": ("givenName",),
    "last_name": ("sn",),
    "title": ("title", "personalTitle"),
    "company": ("company", "o", "organizationName"),
    "office": ("physicalDeliveryOfficeName", "roomNumber"),
    "phone": ("telephoneNumber",),
    "home_phone": ("homePhone",),
    "mobile_phone": ("mobile", "mobileTelephoneNumber"),
    "picture": ("thumbnailPhoto", "jpegPhoto", "photo"),
    "certificates": ("userCertificate", "userCertificate;binary", "userSMIMECertificate",
                     "userSMIMECertificate;binary"),
    "members": ("member", "uniqueMember", "memberUid", "rfc822MailMember", "mgrpRFC822MailMember"),
    "hidden": ("msExchHideFromAddressLists", "zarafaHidden", "kopanoHidden"),
}

#: What stands before an address in the values of an attribute. Of several the primary one is in capitals (SMTP:).
PREFIXES: Mapping[str, str] = {"proxyaddresses": "smtp:"}

#: Fields that are kept in memory of everybody, and those that are read when somebody is shown.
_LISTED = ("address", "addresses", "name", "alias", "first_name", "last_name", "title", "company", "office", "phone",
           "home_phone", "mobile_phone", "hidden")
_ENCLOSED = ("picture", "certificates", "members")
_SINGLE = ("name", "alias", "first_name", "last_name", "title", "company", "office", "phone", "home_phone",
           "mobile_phone")
#: Fields that a search at the server looks into: names, addresses, the short name. Servers have indexes for these.
_SEARCHED = ("name", "first_name", "last_name", "alias", "address")

#: Octets of a photo: what one answer may hold ([MS-ASCMD] MaxSize R3309), and what is kept at all.
SHOWN_PICTURE, MAX_PICTURE = 102_400, 1 << 20
#: Values of an attribute that are looked at: aliases, certificates.
MAX_VALUES = 50
#: Members of a group that are named.
MAX_MEMBERS = 500

#: Lower-case attribute names without options -> values.
Values = Mapping[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeMap:
    fields: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> AttributeMap:
        """`settings`: field -> attributes, separated by commas or blanks; "" for none. Raises ValueError for fields
        that there are not, and for what is no name of an attribute."""
        fields = dict(ATTRIBUTES)
        for field, text in settings.items():
            names = tuple(re.split(r"[\s,]+", text.strip())) if text.strip() else ()
            if field not in fields:
                raise ValueError(f"{field!r} is no field of a person; there are {', '.join(sorted(fields))}")
            if not all(_NAME.fullmatch(name) for name in names):
                raise ValueError(f"{text!r} is no list of LDAP attributes")
            fields[field] = names
            if field == "address" and "addresses" not in settings:
                fields["addresses"] = (*names, *(n for n in fields["addresses"] if n not in names))
        return cls(fields=fields)

    def _names(self, fields: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(name for field in fields for name in self.fields[field]))

    @property
    def listed(self) -> list[str]:
        """Attributes to read of everybody."""
        return ["objectClass", *self._names(_LISTED)]

    @property
    def enclosed(self) -> list[str]:
        return self._names(_ENCLOSED)

    @property
    def searched(self) -> list[str]:
        return self._names(_SEARCHED)

    @property
    def phones(self) -> list[str]:
        return self._names(("phone", "mobile_phone", "home_phone"))

    @property
    def addresses(self) -> list[str]:
        return self._names(("address", "addresses"))


_NAME = re.compile(r"[A-Za-z0-9.-]+(?:;[A-Za-z0-9-]+)*")


@lru_cache(1024)
def base_name(attribute: str) -> str:
    """Without options (";binary", ";lang-de", ";range=0-1499"), in lower case."""
    return attribute.partition(";")[0].lower()


def gathered(attributes: Mapping[str, Sequence[bytes]]) -> dict[str, list[bytes]]:
    """The values of an entry under their base names, those without options first."""
    out: dict[str, list[bytes]] = {}
    for name in sorted(attributes, key=lambda name: (";" in name, name)):
        out.setdefault(base_name(name), []).extend(attributes[name])
    return out


# --- Entries ----------------------------------------------------------------------------------------------------------


def listed(dn: str, values: Values, attributes: AttributeMap) -> Listed | None:
    """An entry of the address list; None for those that are hidden, or have neither an address nor a phone number.
    `enclosed` is not known from this."""
    fields = attributes.fields
    if any(text.lower() in ("true", "1") for text in _texts(values, fields["hidden"])):
        return None
    address = next(_addresses(values, fields["address"]), "")
    found: dict[str, Any] = {
        field: next((shortened(text) for text in _texts(values, fields[field]) if text.strip()), "")
        for field in _SINGLE
    }
    if not address and not (found["phone"] or found["mobile_phone"]):
        return None
    found["name"] = found["name"] or " ".join(filter(None, (found["first_name"], found["last_name"]))) or address
    found["alias"] = found["alias"] or address.partition("@")[0]
    names = [text for text in _texts(values, ("uid", "sAMAccountName")) if text]
    return Listed(
        locator=dn, person=Person(address=address, **found), addresses=addresses_of(values, attributes),
        keys=(locator_key(dn), *(user_key(name) for name in names[:MAX_VALUES])),
    )


def addresses_of(values: Values, attributes: AttributeMap) -> tuple[str, ...]:
    """All addresses of an entry, the primary one first."""
    names = (*attributes.fields["address"], *attributes.fields["addresses"])
    return tuple(dict.fromkeys(_addresses(values, names)))[:MAX_VALUES]


def locator_key(dn: str) -> str:
    return "dn:" + dn_key(dn)


def user_key(name: str) -> str:
    return "uid:" + shortened(name).casefold()


def _texts(values: Values, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        for value in values.get(base_name(name), ())[:MAX_VALUES]:
            yield value.decode(errors="replace")


def _addresses(values: Values, names: Iterable[str]) -> Iterator[str]:
    """Without their prefixes; those with a prefix in capitals first, and those with another one ("X500:") not at all.
    """
    for name in names:
        texts = [shortened(text, MAX_ADDRESS + 8) for text in _texts(values, (name,))]
        prefix = PREFIXES.get(base_name(name), "")
        if prefix:
            texts = [text for text in texts if text.lower().startswith(prefix)]
            texts.sort(key=lambda text: not text[: len(prefix)].isupper())
        for text in texts:
            address = text[len(prefix):]
            if "@" in address and " " not in address and len(address) <= MAX_ADDRESS:
                yield address


# --- What is read when somebody is shown ------------------------------------------------------------------------------


def enclosed(values: Values, attributes: AttributeMap) -> Enclosed:
    fields = attributes.fields
    members = [value.decode(errors="replace") for name in _bases(fields["members"]) for value in values.get(name, ())]
    return Enclosed(
        picture=_picture([value for name in _bases(fields["picture"]) for value in values.get(name, ())]),
        certificates=tuple(_certificates(values, _bases(fields["certificates"]))),
        members=tuple(dict.fromkeys(members[: 2 * MAX_MEMBERS]))[:MAX_MEMBERS],
    )


def _bases(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(map(base_name, names)))


def _picture(photos: Sequence[bytes]) -> bytes:
    """The first that fits into an answer, else the smallest."""
    photos = [photo for photo in photos if 0 < len(photo) <= MAX_PICTURE]
    small = [photo for photo in photos if len(photo) <= SHOWN_PICTURE]
    return small[0] if small else min(photos, key=len, default=b"")


def _certificates(values: Values, names: Iterable[str]) -> list[bytes]:
    """DER of each. userSMIMECertificate is a PKCS #7 SignedData with the certificates inside, RFC 2798 2.8."""
    out: dict[bytes, None] = {}
    for name in names:
        for value in values.get(name, ())[:MAX_VALUES]:
            if name != "usersmimecertificate":
                out[bytes(value)] = None
                continue
            try:
                inside = load_der_pkcs7_certificates(bytes(value))
            except Exception:  # whatever somebody once put there: the library has no one error for it
                continue
            out |= {certificate.public_bytes(Encoding.DER): None for certificate in inside}
    return list(out)[:MAX_VALUES]

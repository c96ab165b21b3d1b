"""TLS client certificates that a proxy has asked for, checked, and tells of in a header.

The header counts from trusted proxies only: anybody else could write it. A proxy must replace what a client sends under
that name; one that adds its own beside it is found out, and the request refused. [MS-ASHTTP] Authorization: a client
with a certificate need not send anything else.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import unquote

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier
from starlette.types import Scope

from .reading import is_trusted

#: The user principal name of a smart card or of a device that a directory enrolled.
_UPN = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_DER_UTF8 = 0x0C
#: Characters of a header: a certificate with a large key and many names.
MAX_HEADER = 32 * 1024
_SUBJECT = {"cn": NameOID.COMMON_NAME, "uid": NameOID.USER_ID, "mail": NameOID.EMAIL_ADDRESS}
#: What a login can be made of.
NAMES = (*_SUBJECT, "upn")


class BadCertificate(Exception):
    """The header cannot be taken for what it should be; the text is for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRules:
    """`header` is its name in lower case; its value a certificate (PEM, also percent-encoded, or base64 of DER) or,
    with `subject`, the subject alone (RFC 4514). `login` makes the login out of {cn}, {uid}, {mail} and {upn}.
    `enough`: nothing else need be shown; else a password or a token as well, by the same person."""

    header: str
    login: str = "{mail}"
    subject: bool = False
    enough: bool = True


@dataclass(frozen=True, slots=True)
class _Named:
    names: Mapping[str, str] = field(default_factory=dict)
    ends: datetime | None = None


def certified(
    scope: Scope, headers: Mapping[str, str], rules: CertificateRules,
    trusted: Sequence[IPv4Network | IPv6Network], now: datetime,
) -> str:
    """The login that the request's certificate names; "" without one. Raises BadCertificate."""
    peer = scope["client"][0] if scope.get("client") else ""
    text = headers.get(rules.header, "").strip()
    if not text or text == "-" or not is_trusted(peer, trusted):
        return ""
    if sum(name.lower() == rules.header.encode() for name, _ in scope["headers"]) > 1:
        raise BadCertificate("the header comes more than once: the proxy must replace what clients send")
    if len(text) > MAX_HEADER:
        raise BadCertificate("the header is too long")
    named = _of_subject(text) if rules.subject else _of_certificate(text)
    if named.ends is not None and named.ends <= now:
        raise BadCertificate("the certificate is over")
    missing = [name for name in NAMES if f"{{{name}}}" in rules.login and not named.names.get(name)]
    if missing:
        raise BadCertificate(f"the certificate has no {' and no '.join(missing)}")
    return rules.login.format(**dict.fromkeys(NAMES, "") | dict(named.names))


@lru_cache(maxsize=2000)
def _of_subject(text: str) -> _Named:
    try:
        return _Named(_subject(x509.Name.from_rfc4514_string(
            text.replace("emailAddress=", "1.2.840.113549.1.9.1=")
        )))
    except ValueError as error:
        raise BadCertificate(f"the subject cannot be read: {error}") from error


@lru_cache(maxsize=2000)
def _of_certificate(text: str) -> _Named:
    """A phone sends the same one with each request, so it is read once."""
    try:
        certificate = _read(text)
        names = _subject(certificate.subject) | _alternatives(certificate)
        return _Named(names, certificate.not_valid_after_utc.astimezone(UTC))
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise BadCertificate(f"the certificate cannot be read: {error}") from error


def _read(text: str) -> x509.Certificate:
    """Raises ValueError."""
    plain = unquote(text) if "%" in text else text
    if not plain.startswith("-----BEGIN"):
        try:
            return x509.load_der_x509_certificate(b64decode(plain, validate=True))
        except binascii.Error as error:
            raise ValueError("neither PEM nor base64") from error
    # Proxies put spaces or tabs where a header cannot have the ends of lines.
    body = plain.removeprefix("-----BEGIN CERTIFICATE-----").partition("-----END")[0]
    return x509.load_der_x509_certificate(b64decode("".join(body.split())))


def _subject(name: x509.Name) -> dict[str, str]:
    found = {key: name.get_attributes_for_oid(oid) for key, oid in _SUBJECT.items()}
    return {key: str(values[0].value) for key, values in found.items() if values}


def _alternatives(certificate: x509.Certificate) -> dict[str, str]:
    """Those of SubjectAlternativeName, which go before the subject's."""
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return {}
    assert isinstance(extension, x509.SubjectAlternativeName)
    mails = extension.get_values_for_type(x509.RFC822Name)
    principals = [
        other.value for other in extension.get_values_for_type(x509.OtherName) if other.type_id == _UPN
    ]
    found = {"mail": mails[0]} if mails else {}
    if principals and principals[0][:1] == bytes([_DER_UTF8]) and len(principals[0]) == 2 + principals[0][1]:
        found["upn"] = principals[0][2:].decode("utf-8", "replace")
    return found

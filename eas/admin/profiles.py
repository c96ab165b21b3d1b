"""How a phone is set up: the settings in words, an Apple configuration profile, a QR code. Pure.

[Apple, Device Management: ExchangeActiveSync (com.apple.eas.account)]; RFC 5652 for the signature.
"""

from __future__ import annotations

import io
import plistlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import segno
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from cryptography.x509 import Certificate

MEDIA_TYPE = "application/x-apple-aspen-config"
FILE_NAME = "mail.mobileconfig"

#: The names of profiles are made of this and of what they are for, so that a newer one takes the place of an older.
_NAMESPACE = UUID("8f3c1c1e-9a4d-5c52-9d7b-3c6b6a0e2f11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """`chain` are the certificates between that of the key and one that phones know."""

    certificate: Certificate
    key: RSAPrivateKey | EllipticCurvePrivateKey = field(repr=False)
    chain: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """What the site says in all of them. `organisation` "" for the host's name. `sign_in` and `token` are the addresses
    of an identity provider where phones log in with it, "" where they do not."""

    organisation: str = ""
    sign_in: str = ""
    token: str = ""
    signer: Signer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """What somebody types into a phone. `host` with a port if it is not the usual one; `domain` is what some phones
    insist on, and may stay empty."""

    host: str
    address: str
    login: str
    tls: bool = True
    domain: str = ""


def set_up(base_url: str, address: str, login: str) -> SetUp:
    """Of a server at this URL. Everybody can log in with the address, so that is what is said where it is one."""
    parts = urlsplit(base_url)
    return SetUp(
        host=parts.netloc, address=address, login=address if "@" in address else login, tls=parts.scheme != "http"
    )


def profile(told: SetUp, site: Profiles, *, user_id: str, password: str = "") -> bytes:
    """A configuration profile, signed where the site can. `password` stands in it only if somebody asked for that."""
    organisation = site.organisation or told.host
    account: dict[str, Any] = {
        "PayloadType": "com.apple.eas.account", "PayloadVersion": 1,
        "PayloadIdentifier": f"{_reversed(told.host)}.eas.account", "PayloadUUID": _uuid("account", told, user_id),
        "PayloadDisplayName": f"{organisation} (Exchange)", "PayloadOrganization": organisation,
        "EmailAddress": told.address, "UserName": told.login, "Host": told.host, "SSL": told.tls,
        "MailNumberOfPastDaysToSync": 0,
    }
    if password:
        account["Password"] = password
    elif site.sign_in:
        account |= {"OAuth": True, "OAuthSignInURL": site.sign_in, "OAuthTokenRequestURL": site.token}
    whole = {
        "PayloadType": "Configuration", "PayloadVersion": 1, "PayloadIdentifier": f"{_reversed(told.host)}.eas",
        "PayloadUUID": _uuid("profile", told, user_id), "PayloadDisplayName": f"{organisation}: {told.address}",
        "PayloadDescription": "Mail, calendar, contacts, reminders and notes of this mailbox.",
        "PayloadOrganization": organisation, "PayloadScope": "User", "PayloadRemovalDisallowed": False,
        "PayloadContent": [account],
    }
    octets = plistlib.dumps(whole)
    return _signed(octets, site.signer) if site.signer is not None else octets


def _reversed(host: str) -> str:
    """"com.example.mail" of "mail.example.com:8443"."""
    return ".".join(reversed(host.rpartition("@")[2].partition(":")[0].strip("[]").split(".")))


def _uuid(what: str, told: SetUp, user_id: str) -> str:
    return str(uuid5(_NAMESPACE, f"{what} {told.host} {user_id}")).upper()


def _signed(octets: bytes, signer: Signer) -> bytes:
    builder = PKCS7SignatureBuilder().set_data(octets).add_signer(signer.certificate, signer.key, SHA256())
    for certificate in signer.chain:
        builder = builder.add_certificate(certificate)
    return builder.sign(Encoding.DER, [PKCS7Options.Binary])


def qr(text: str) -> bytes:
    """As SVG."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", scale=8, border=4, dark="#000", light="#fff", title="QR code", omitsize=True
    )
    return out.getvalue()

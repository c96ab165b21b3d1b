"""Certificates, keys and revocation lists, made as a test wants them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
MAIL = (ExtendedKeyUsageOID.EMAIL_PROTECTION,)


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def usage(**yes: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )
    return x509.KeyUsage(**{name: yes.get(name, False) for name in names})


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(
    subject: str,
    issuer: str,
    *,
    authority: bool = False,
    signer: str = "",
    start: datetime = NOW - YEAR,
    end: datetime = NOW + YEAR,
    extended: Any = MAIL,
    allowed: x509.KeyUsage | None = None,
    path_length: int | None = None,
    crl: tuple[str, ...] = (),
    permitted: str = "",
) -> x509.Certificate:
    """`signer`: whose key signs, if it is not the issuer's; `crl`: where its list is."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject)).issuer_name(named(issuer)).public_key(key(subject).public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
    )
    if allowed or authority:
        builder = builder.add_extension(allowed or usage(key_cert_sign=True, crl_sign=True), critical=True)
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name("anna@example.com")]), False)
        if extended is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if crl:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(url) for url in crl], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    if permitted:
        constraints = x509.NameConstraints([x509.RFC822Name(permitted)], None)
        builder = builder.add_extension(constraints, critical=True)
    return builder.sign(key(signer or issuer), hashes.SHA256())


def revocations(
    issuer: str,
    *revoked: x509.Certificate,
    signer: str = "",
    start: datetime = NOW - timedelta(days=1),
    end: datetime = NOW + timedelta(days=1),
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A list in DER. `extensions` come with whether they are critical."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(named(issuer)).last_update(start).next_update(end)
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number).revocation_date(start)
        builder = builder.add_revoked_certificate(entry.build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key(signer or issuer), hashes.SHA256()).public_bytes(Encoding.DER)


def base64(made: x509.Certificate) -> str:
    return b64encode(made.public_bytes(Encoding.DER)).decode()


def living(name: str, issuer: str, **values: Any) -> x509.Certificate:
    """In force now, whenever the test runs."""
    return certificate(name, issuer, start=datetime.now(UTC) - YEAR, end=datetime.now(UTC) + YEAR, **values)

"""Chains of certificates, each wrong in one way. [MS-ASCMD] Status (ValidateCert)."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from eas.commands.validate_cert import MAX_DER, Status, parse, parse_der, validate

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
    crl: bool = False,
    permitted: str = "",
) -> x509.Certificate:
    """`signer`: whose key signs, if it is not the issuer's."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject)).issuer_name(name(issuer)).public_key(key(subject).public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
    )
    if allowed or authority:
        builder = builder.add_extension(allowed or usage(key_cert_sign=True), critical=True)
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name("anna@example.com")]), False)
        if extended is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if crl:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl.example/x.crl")], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    if permitted:
        constraints = x509.NameConstraints([x509.RFC822Name(permitted)], None)
        builder = builder.add_extension(constraints, critical=True)
    return builder.sign(key(signer or issuer), hashes.SHA256())


ROOT = certificate("root", "root", authority=True)
BETWEEN = certificate("between", "root", authority=True)


def check(
    leaf: x509.Certificate | None,
    *between: x509.Certificate,
    anchors: tuple[x509.Certificate, ...] = (ROOT,),
    revocation: bool = False,
) -> Status:
    return validate(leaf, between, anchors, NOW, check_revocation=revocation)


def test_a_chain_to_a_configured_root_is_valid() -> None:
    assert check(certificate("anna", "root")) is Status.SUCCESS
    assert check(certificate("anna", "between"), BETWEEN) is Status.SUCCESS
    assert check(certificate("anna", "between"), ROOT, BETWEEN) is Status.SUCCESS


@pytest.mark.parametrize(
    ("status", "leaf", "between"),
    [
        (Status.BAD_SIGNATURE, certificate("anna", "root", signer="mallory"), ()),
        (Status.BAD_SIGNATURE, certificate("anna", "anna", signer="mallory"), ()),
        (Status.UNTRUSTED, certificate("anna", "anna"), ()),
        (Status.UNTRUSTED, certificate("anna", "between"), ()),  # the issuer is missing
        (Status.UNTRUSTED, certificate("anna", "other"), (certificate("other", "other", authority=True),)),
        (Status.EXPIRED, certificate("anna", "root", end=NOW - timedelta(seconds=1)), ()),
        (Status.EXPIRED, certificate("anna", "root", start=NOW + timedelta(seconds=1)), ()),
        (
            Status.CHAIN_EXPIRED, certificate("anna", "between"),
            (certificate("between", "root", authority=True, end=NOW - timedelta(days=1)),),
        ),
        (Status.NOT_FOR_MAIL, certificate("anna", "root", extended=(ExtendedKeyUsageOID.SERVER_AUTH,)), ()),
        (Status.NOT_FOR_MAIL, certificate("anna", "root", allowed=usage(crl_sign=True)), ()),
        (Status.NOT_END_ENTITY, BETWEEN, ()),
        (Status.NOT_END_ENTITY, certificate("anna", "between"), (certificate("between", "root"),)),
        (
            Status.WRONG_USAGE_IN_CHAIN, certificate("anna", "between"),
            (certificate("between", "root", authority=True, allowed=usage(crl_sign=True)),),
        ),
        (
            Status.WRONG_USAGE_IN_CHAIN, certificate("anna", "lower"),
            (
                certificate("between", "root", authority=True, path_length=0),
                certificate("lower", "between", authority=True),
            ),
        ),
        (
            Status.BAD_CHAIN, certificate("anna", "between"),
            (certificate("between", "root", authority=True, permitted="other.example"),),
        ),
        (Status.BAD_FORMAT, None, ()),
    ],
)
def test_what_is_wrong_is_said(
    status: Status, leaf: x509.Certificate | None, between: tuple[x509.Certificate, ...]
) -> None:
    """R4479, R4482, R4491, R4494, R4488, R5847, R4504, R4497, R4484, R4500"""
    assert check(leaf, *between) is status


@pytest.mark.parametrize("extended", [MAIL, None, (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)])
def test_mail_may_be_allowed_in_three_ways(extended: Any) -> None:
    assert check(certificate("anna", "root", extended=extended)) is Status.SUCCESS


def test_without_anchors_nothing_is_trusted() -> None:
    assert check(certificate("anna", "root"), ROOT, anchors=()) is Status.UNTRUSTED


def test_revocation_cannot_be_told_and_is_said_when_asked() -> None:
    """Nothing is fetched. R893, R895, R4512, R4517"""
    with_list, without = certificate("anna", "root", crl=True), certificate("anna", "root")
    assert check(with_list) is check(without) is Status.SUCCESS
    assert check(with_list, revocation=True) is Status.REVOCATION_OFFLINE
    assert check(without, revocation=True) is Status.REVOCATION_UNKNOWN


def test_a_ring_of_issuers_ends() -> None:
    one = certificate("one", "two", authority=True)
    two = certificate("two", "one", authority=True)
    assert check(certificate("anna", "one"), one, two) is Status.UNTRUSTED


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "A" * 3 * MAX_DER, "MIIB"])
def test_what_is_no_certificate_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_certificate_is_read_from_base64() -> None:
    assert parse(b64encode(ROOT.public_bytes(Encoding.DER)).decode()) == ROOT
    assert parse_der(ROOT.public_bytes(Encoding.DER)[:-3]) is None

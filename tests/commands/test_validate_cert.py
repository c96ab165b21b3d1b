"""Chains of certificates, each wrong in one way. [MS-ASCMD] Status (ValidateCert)."""

from __future__ import annotations

import shutil
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from wire import Wire, e

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


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "ä", "A" * 3 * MAX_DER, "MIIB"])
def test_what_is_no_certificate_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_certificate_is_read_from_base64() -> None:
    assert parse(b64encode(ROOT.public_bytes(Encoding.DER)).decode()) == ROOT
    assert parse_der(ROOT.public_bytes(Encoding.DER)[:-3]) is None


# Over the line -------------------------------------------------------------------------------------------------------


def request(*certificates: str, chain: tuple[str, ...] = (), crl: str | None = None) -> Any:
    parts = [e("CertificateChain", *(e("Certificate", c) for c in chain))] if chain else []
    parts += [e("Certificates", *(e("Certificate", c) for c in certificates))]
    parts += [e("CheckCRL", crl)] if crl is not None else []
    return e("ValidateCert:ValidateCert", *parts)


def base64(made: x509.Certificate) -> str:
    return b64encode(made.public_bytes(Encoding.DER)).decode()


def living(name: str, issuer: str, **values: Any) -> str:
    """In force now, whenever the test runs."""
    return base64(certificate(name, issuer, start=datetime.now(UTC) - YEAR, end=datetime.now(UTC) + YEAR, **values))


@pytest.fixture
async def trusting(office: Any, tmp_path: Path) -> AsyncIterator[Wire]:
    """A device of a server whose administrator trusts the root."""
    from eas.app import ANCHORS, build
    from eas.config import load

    shutil.copytree(office[0], tmp_path / "data")
    root = x509.load_der_x509_certificate(b64decode(living("root", "root", authority=True)))
    (tmp_path / "data" / ANCHORS).write_bytes(root.public_bytes(Encoding.PEM))
    settings = load(overrides={"data": tmp_path / "data", "domain": "example.com"}, environment={})
    async with build(settings) as app:
        yield Wire(app=app.asgi)


async def test_one_verdict_a_certificate_in_order(trusting: Wire) -> None:
    """R4474, R5387"""
    between = living("between", "root", authority=True)
    got = await trusting.post("ValidateCert", request(
        living("anna", "between"), "rubbish", living("anna", "anna"), chain=(between,)
    ))
    assert got.status == "1"
    assert [s.text for s in got.all("Certificate", "Status")] == ["1", "10", "4"]


async def test_revocation_over_the_line(trusting: Wire) -> None:
    """R893, R895, R898"""
    for crl, status in ((None, "1"), ("0", "1"), ("1", "16"), ("", "16")):
        got = await trusting.post("ValidateCert", request(living("anna", "root"), crl=crl))
        assert got.text("Certificate", "Status") == status


@pytest.mark.parametrize("body", [request(), request(*["x"] * 101), e("ValidateCert:ValidateCert"), e("Ping:Ping")])
async def test_what_is_no_request(wire: Callable[..., Wire], body: Any) -> None:
    """R4476, R5662"""
    got = await wire().post("ValidateCert", body)
    assert (got.status, len(got.root.elements)) == ("2", 1)


async def test_without_configured_anchors_nothing_is_trusted(wire: Callable[..., Wire]) -> None:
    root = living("root", "root", authority=True)
    got = await wire().post("ValidateCert", request(living("anna", "root"), chain=(root,)))
    assert got.text("Certificate", "Status") == "4"

"""Certificates for S/MIME: reading them, and the chain from one to an anchor.

The chain is built and checked here step by step, because a device wants to know what is wrong and not only that
something is. What passes is then put before the verifier of the cryptography library, whose word is final: it also
knows name constraints and weak algorithms. Its own rules for the end of a chain are those of web servers, and refuse
S/MIME certificates; they are switched off.

[MS-ASCMD] ValidateCert R686-R688; Status (ValidateCert) R4470-R4521; [RFC 5280] 6.1; [RFC 8550].
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

T = TypeVar("T", bound=x509.ExtensionType)


class Status(IntEnum):
    """Of one certificate, but for PROTOCOL_ERROR. 12 (R4506) is not given: a request names no recipient whose address
    could be compared. 17 is for what went wrong here."""

    SUCCESS = 1                # R4474
    PROTOCOL_ERROR = 2         # R4476
    BAD_SIGNATURE = 3          # R4479
    UNTRUSTED = 4              # R4482
    BAD_CHAIN = 5              # R4484
    NOT_FOR_MAIL = 6           # R4488
    EXPIRED = 7                # R4491
    CHAIN_EXPIRED = 8          # R4494
    WRONG_USAGE_IN_CHAIN = 9   # R4497
    BAD_FORMAT = 10            # R4500
    NOT_END_ENTITY = 11        # R4504, R5847
    REVOKED = 13               # R4509
    REVOCATION_OFFLINE = 14    # R4511, R4512
    REVOKED_IN_CHAIN = 15      # R4515
    REVOCATION_UNKNOWN = 16    # R4517
    UNKNOWN_ERROR = 17         # R5864


#: Bytes of DER. Real ones have one to three thousand; the limit keeps absurd keys from costing seconds.
MAX_DER = 16 * 1024
#: Certificates from end to root. Public ones have three or four.
MAX_DEPTH = 8


def parse(text: str) -> x509.Certificate | None:
    """A certificate from base64 of DER; None if it is none."""
    if len(text) > 2 * MAX_DER:
        return None
    try:
        return parse_der(b64decode(text))
    except ValueError:  # not base64, or not even ASCII
        return None


def parse_der(der: bytes) -> x509.Certificate | None:
    if len(der) > MAX_DER:
        return None
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.extensions  # noqa: B018 - read now, so that no fault shows later
        certificate.public_key()
        certificate.issuer, certificate.subject  # noqa: B018
    except (ValueError, UnsupportedAlgorithm, TypeError, x509.DuplicateExtension, x509.InvalidVersion):
        return None
    return certificate


@lru_cache(maxsize=4)
def parsed_anchors(ders: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_der_x509_certificate(der) for der in ders)


def judge(
    certificate: x509.Certificate | None,
    between: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    now: datetime,
) -> tuple[x509.Certificate, ...] | Status:
    """The chain from the certificate to an anchor, both included, or the first thing that is wrong. Whether any of it
    has been revoked is not looked at. `certificate` None stands for one that could not be read."""
    if certificate is None:
        return Status.BAD_FORMAT
    path = _path(certificate, between, anchors)
    found = path if isinstance(path, Status) else _fault_of_path(path, now)
    found = _fault_of_end(certificate, now) or found
    if found is not None:
        return found
    assert not isinstance(path, Status)
    return tuple(path) if _accepted(certificate, between, anchors, now) else Status.BAD_CHAIN


def _path(
    certificate: x509.Certificate, between: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]
) -> list[x509.Certificate] | Status:
    """The certificate, its issuer, and so on to an anchor; or why there is no such path."""
    path = [certificate]
    while path[-1] not in anchors:
        issuers = [c for c in (*anchors, *between) if c.subject == path[-1].issuer and c not in path]
        if path[-1].issuer == path[-1].subject and not issuers:
            return Status.UNTRUSTED if _issued(path[-1], path[-1]) else Status.BAD_SIGNATURE
        if not issuers:
            return Status.UNTRUSTED
        issuer = next((c for c in issuers if _issued(path[-1], c)), None)
        if issuer is None:
            return Status.BAD_SIGNATURE
        path.append(issuer)
        if len(path) > MAX_DEPTH:
            return Status.BAD_CHAIN
    return path


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _fault_of_end(certificate: x509.Certificate, now: datetime) -> Status | None:
    if not _in_force(certificate, now):
        return Status.EXPIRED
    if _is_authority(certificate):
        return Status.NOT_END_ENTITY
    return None if _for_mail(certificate) else Status.NOT_FOR_MAIL


def _fault_of_path(path: Sequence[x509.Certificate], now: datetime) -> Status | None:
    issuers = path[1:]
    if not all(_in_force(issuer, now) for issuer in issuers):
        return Status.CHAIN_EXPIRED
    if not all(_is_authority(issuer) for issuer in issuers):
        return Status.NOT_END_ENTITY
    return None if all(_may_issue(issuer, below) for below, issuer in enumerate(issuers)) else (
        Status.WRONG_USAGE_IN_CHAIN
    )


def _in_force(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def extension_of(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_authority(certificate: x509.Certificate) -> bool:
    constraints = extension_of(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _may_issue(issuer: x509.Certificate, below: int) -> bool:
    """Whether it may sign certificates, with so many other authorities below it."""
    usage, constraints = extension_of(issuer, x509.KeyUsage), extension_of(issuer, x509.BasicConstraints)
    longest = constraints.path_length if constraints else None
    return (usage is None or usage.key_cert_sign) and (longest is None or below <= longest)


def _for_mail(certificate: x509.Certificate) -> bool:
    """[RFC 8550] Extended Key Usage, Key Usage: what is absent allows everything. Signing or encrypting will do."""
    extended, usage = extension_of(certificate, x509.ExtendedKeyUsage), extension_of(certificate, x509.KeyUsage)
    if extended is not None and not _FOR_MAIL & set(extended):
        return False
    return usage is None or (
        usage.digital_signature or usage.content_commitment or usage.key_encipherment or usage.key_agreement
    )


_FOR_MAIL = {ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


def _accepted(
    certificate: x509.Certificate,
    between: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    now: datetime,
) -> bool:
    anything = ExtensionPolicy.permit_all()
    authorities = anything.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    verifier = (
        PolicyBuilder()
        .store(Store(list(anchors)))
        .time(now)
        .max_chain_depth(MAX_DEPTH)
        .extension_policies(ca_policy=authorities, ee_policy=anything)
        .build_client_verifier()
    )
    try:
        verifier.verify(certificate, list(between))
    except VerificationError:
        return False
    return True

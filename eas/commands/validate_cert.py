"""ValidateCert: is this S/MIME certificate to be trusted?

The chain is built and checked here step by step, because a device wants to know what is wrong and not only that
something is. What passes is then put before the verifier of the cryptography library, whose word is final: it also
knows name constraints and weak algorithms. Its own rules for the end of a chain are those of web servers, and refuse
S/MIME certificates; they are switched off.

Trust anchors are those that the administrator configured. Revocation lists are not fetched: a certificate names the
address, and the gateway goes to no address that a message names. With CheckCRL 1 the answer is therefore that the
status cannot be determined (R893), with 0 that is passed over (R895).

[MS-ASCMD] ValidateCert R686-R688; Status (ValidateCert) R4470-R4521; CheckCRL R892-R898.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from eas.engine.session import Session
from eas.protocol.schema import FLAG, element, elements, enum

from ._registry import command


class Status(IntEnum):
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
    REVOCATION_OFFLINE = 14    # R4512
    REVOCATION_UNKNOWN = 16    # R4517
    UNKNOWN_ERROR = 17         # R5864


#: [MS-ASCMD] Limiting Size of Command Requests R5662.
MAX_CERTIFICATES = 100
#: Bytes of DER. Real ones have one to three thousand; the limit keeps absurd keys from costing seconds.
MAX_DER = 16 * 1024
#: Certificates from end to root. Public ones have three or four.
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Certificates are base64 of DER; `chain` has what may stand between them and a root."""

    chain: tuple[str, ...] = elements("ValidateCert:Certificate", within="ValidateCert:CertificateChain")
    certificates: tuple[str, ...] = elements("ValidateCert:Certificate", within="ValidateCert:Certificates")
    check_crl: bool | None = element("ValidateCert:CheckCRL", FLAG, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One status for each certificate, in the order of the request."""

    status: Status = element("ValidateCert:Status", enum(Status))
    certificates: tuple[Status, ...] = elements(
        "ValidateCert:Status", enum(Status), within="ValidateCert:Certificate"
    )

"""ValidateCert: is this S/MIME certificate to be trusted?

Trust anchors are those that the administrator configured. Revocation lists are fetched from hosts alone that the
administrator allowed: a certificate names the address, and the gateway goes to no address that a message names. What
is known to be revoked is told in any case; that nobody can tell, only with CheckCRL (R893, R895).

[MS-ASCMD] ValidateCert R686-R688; Status (ValidateCert) R4470-R4521; CheckCRL R892-R898.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from cryptography import x509

from eas.engine.session import Session
from eas.protocol.schema import FLAG, element, elements, enum, message

from ._certificates import Status, judge, parse, parsed_anchors
from ._registry import command
from ._revocation import Revocation

log = structlog.get_logger("eas.validate_cert")

#: [MS-ASCMD] Limiting Size of Command Requests R5662.
MAX_CERTIFICATES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Certificates are base64 of DER; `chain` has what may stand between them and a root."""

    chain: tuple[str, ...] = elements("ValidateCert:Certificate", within="ValidateCert:CertificateChain")
    certificates: tuple[str, ...] = elements("ValidateCert:Certificate", within="ValidateCert:Certificates")
    check_crl: bool | None = element("ValidateCert:CheckCRL", FLAG, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    status: Status = element("ValidateCert:Status", enum(Status))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One verdict for each certificate, in the order of the request."""

    status: Status = element("ValidateCert:Status", enum(Status))
    verdicts: tuple[Verdict, ...] = elements("ValidateCert:Certificate", message(Verdict))


@command("ValidateCert", "ValidateCert:ValidateCert", Request, malformed=Status.PROTOCOL_ERROR)
async def validate_cert(request: Request, session: Session) -> Response:
    if not request.certificates or len(request.certificates) + len(request.chain) > MAX_CERTIFICATES:
        return Response(status=Status.PROTOCOL_ERROR)
    between = [parse(text) for text in request.chain]
    revocation = Revocation(session.revocation_lists, session.clock.now())
    statuses = [
        await _status(text, between, revocation, session, strict=request.check_crl is True)
        for text in request.certificates
    ]
    return Response(status=Status.SUCCESS, verdicts=tuple(Verdict(status=status) for status in statuses))


async def _status(
    text: str, between: Sequence[x509.Certificate | None], revocation: Revocation, session: Session, *, strict: bool
) -> Status:
    """One certificate that nobody has foreseen does not take the answer about the others with it. `between` has None
    for what could not be read: it may be just what the chain lacks (R4484, R4485)."""
    try:
        anchors, chain = parsed_anchors(session.trust_anchors), [one for one in between if one is not None]
        found = judge(parse(text), chain, anchors, session.clock.now())
        if found is Status.UNTRUSTED and len(chain) < len(between):
            return Status.BAD_CHAIN
        return found if isinstance(found, Status) else await revocation.of_chain(found, strict=strict)
    except Exception as error:  # whatever a certificate does to the verifier, the others are judged
        log.error("certificate not judged", exc_info=error)
        return Status.UNKNOWN_ERROR

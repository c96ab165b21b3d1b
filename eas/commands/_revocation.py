"""Whether a certificate has been revoked, by the list that its issuer publishes.

A certificate names the addresses of that list. The port fetches from hosts alone that the administrator has allowed;
what it brings is believed only if the issuer signed it, is in force, and speaks about all certificates of the issuer.

[MS-ASCMD] CheckCRL R892-R895, Status (ValidateCert) R4509-R4517; [RFC 5280] 4.2.1.13, 5, 6.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import IntEnum
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from eas.engine.errors import Unavailable
from eas.engine.ports import RevocationLists

from ._certificates import Status, extension_of

#: Lists that one request may have fetched; a request names 100 certificates at most, most of one issuer.
MAX_LISTS = 20
#: Extensions of a list, and of its entries, that change nothing about what is read here.
_HARMLESS = (
    x509.AuthorityKeyIdentifier, x509.CRLNumber, x509.IssuerAlternativeName, x509.AuthorityInformationAccess,
    x509.FreshestCRL,
)


class Standing(IntEnum):
    """What is known of one certificate; the larger, the worse."""

    GOOD = 0
    #: Nobody can be asked, or what is said cannot be believed.
    UNKNOWN = 1
    #: The server that could be asked does not answer.
    OFFLINE = 2
    REVOKED = 3


class Revocation:
    """Looks certificates up for one request; each list is read once."""

    def __init__(self, lists: RevocationLists | None, now: datetime) -> None:
        self._lists = lists
        self._now = now
        self._read: dict[str, x509.CertificateRevocationList | Standing] = {}

    async def of_chain(self, chain: Sequence[x509.Certificate], *, strict: bool) -> Status:
        """`chain` runs from the certificate to the anchor, which is trusted as it is. Not `strict` passes over what
        cannot be told (R893, R895)."""
        found = [await self._of_one(one, issuer) for one, issuer in pairwise(chain)]
        if Standing.REVOKED in found:
            return Status.REVOKED if found[0] is Standing.REVOKED else Status.REVOKED_IN_CHAIN
        if not strict or all(one is Standing.GOOD for one in found):
            return Status.SUCCESS
        return Status.REVOCATION_OFFLINE if Standing.OFFLINE in found else Status.REVOCATION_UNKNOWN

    async def _of_one(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Standing:
        worst = Standing.UNKNOWN
        for url in _addresses(certificate):
            found = await self._list(url)
            standing = found if isinstance(found, Standing) else _said(found, certificate, issuer, self._now)
            if standing in (Standing.GOOD, Standing.REVOKED):
                return standing
            worst = max(worst, standing)
        return worst

    async def _list(self, url: str) -> x509.CertificateRevocationList | Standing:
        if url not in self._read:
            if len(self._read) >= MAX_LISTS:
                return Standing.UNKNOWN
            self._read[url] = await self._fetch(url)
        return self._read[url]

    async def _fetch(self, url: str) -> x509.CertificateRevocationList | Standing:
        if self._lists is None:
            return Standing.UNKNOWN
        try:
            content = await self._lists.fetch(url)
        except Unavailable:
            return Standing.OFFLINE
        found = None if content is None else parse(content)
        return Standing.UNKNOWN if found is None else found


def parse(content: bytes) -> x509.CertificateRevocationList | None:
    """A list from DER, or from PEM, which some publish; None for what is none."""
    load = x509.load_pem_x509_crl if content.lstrip().startswith(b"-----BEGIN") else x509.load_der_x509_crl
    try:
        found = load(content)
        found.extensions, found.issuer, found.last_update_utc  # noqa: B018 - read now, so that no fault shows later
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion):
        return None
    return found


def _addresses(certificate: x509.Certificate) -> Iterator[str]:
    """Where the issuer's own list is. Lists of somebody else (cRLIssuer) are not for us."""
    named = extension_of(certificate, x509.CRLDistributionPoints)
    for point in named or ():
        if point.crl_issuer is None:
            for name in point.full_name or ():
                if isinstance(name, x509.UniformResourceIdentifier):
                    yield name.value


def _said(
    found: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> Standing:
    if not _believed(found, issuer, now) or not _covers(found, certificate):
        return Standing.UNKNOWN
    try:
        entry = found.get_revoked_certificate_by_serial_number(certificate.serial_number)
    except ValueError:
        return Standing.UNKNOWN
    return Standing.GOOD if entry is None else Standing.REVOKED


def _believed(found: x509.CertificateRevocationList, issuer: x509.Certificate, now: datetime) -> bool:
    usage = extension_of(issuer, x509.KeyUsage)
    if found.issuer != issuer.subject or (usage is not None and not usage.crl_sign):
        return False
    if found.next_update_utc is None or not found.last_update_utc <= now <= found.next_update_utc:
        return False
    try:
        return found.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # other keys raise TypeError
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _covers(found: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    """Whether the list would name the certificate if it were revoked: it is a whole one, of this kind of certificate,
    for every reason."""
    for one in found.extensions:
        if isinstance(one.value, x509.IssuingDistributionPoint):
            if not _of_kind(one.value, certificate):
                return False
        elif one.critical and not isinstance(one.value, _HARMLESS):
            return False
    return True


def _of_kind(point: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> bool:
    constraints = extension_of(certificate, x509.BasicConstraints)
    authority = constraints is not None and constraints.ca
    return not (
        point.indirect_crl
        or point.only_contains_attribute_certs
        or point.only_some_reasons
        or (point.only_contains_ca_certs and not authority)
        or (point.only_contains_user_certs and authority)
    )

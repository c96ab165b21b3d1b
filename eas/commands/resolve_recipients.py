"""ResolveRecipients: who is meant by what was typed; with certificates, free/busy times and photos on request.

A recipient that cannot be told apart from others gets suggestions, and then neither certificates nor free/busy times.
Every recipient has a status in every part that was asked for.

[MS-ASCMD] ResolveRecipients; To (ResolveRecipients) R4611-R4626; Status (ResolveRecipients) R4265-R4313;
MergedFreeBusy R3315-R3339; MaxCertificates R3255; MaxAmbiguousRecipients R3246-R3250; MiniCertificate R3433-R3435;
EndTime (ResolveRecipients) R2264-R2266; RecipientCount R3765-R3769; Limiting Size of Command Requests R5656.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from cryptography import x509

from eas.engine.errors import Unavailable
from eas.engine.model import Person
from eas.engine.session import Session
from eas.items.freebusy import SLOT, merged_free_busy
from eas.protocol.schema import DASHED, INT, OPAQUE, element, elements, enum, message
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from ._certificates import parse_der
from ._people import Pictures, PictureStatus
from ._registry import Counted, command


class Status(IntEnum):
    SUCCESS = 1         # R4268
    PROTOCOL_ERROR = 5  # R4270
    SERVER_ERROR = 6    # R4271


class ResponseStatus(IntEnum):
    RESOLVED = 1      # R4275
    AMBIGUOUS = 2     # R4277: all suggestions are there
    PARTIAL = 3       # R4281: more than were asked for
    NOT_RESOLVED = 4  # R4286


class AvailabilityStatus(IntEnum):
    SUCCESS = 1           # R4291
    TOO_MANY = 160        # R4293, R4622
    LIST_TOO_LONG = 161   # R4294
    TRY_LATER = 162       # R4295
    FAILED = 163          # R4298


class CertificatesStatus(IntEnum):
    SUCCESS = 1        # R4302
    NONE = 7           # R4303
    LIMIT_REACHED = 8  # R4305


class Retrieval(IntEnum):
    """CertificateRetrieval. R856-R858"""

    NONE = 1
    FULL = 2
    MINI = 3


class Type(IntEnum):
    """R4686"""

    DIRECTORY = 1
    CONTACT = 2


#: To elements in a request (R5656), and characters of one (R4611).
MAX_TO, MAX_LENGTH = 100, 256
#: Suggestions for one recipient that are looked up at all. Nobody picks from more.
MAX_SUGGESTIONS = 200
#: MaxCertificates and MaxAmbiguousRecipients end here. R3248, R3253
MAX_LIMIT = 9999
#: Recipients whose free/busy times one request gets; each costs a calendar.
MAX_AVAILABILITY = 100
#: Members of a distribution list up to which merged times mean anything. R4626
MAX_MEMBERS = 20

#: The longest span that free/busy times can be asked for; the shortest is one digit's. R2266
LONGEST = timedelta(days=42)
#: The span without an EndTime. R2265
DEFAULT_SPAN = timedelta(days=7)


# Messages -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Dashed times in UTC, as text: what is no time is Status 5 and not a malformed request."""

    start: str | None = element("ResolveRecipients:StartTime", default=None)
    end: str | None = element("ResolveRecipients:EndTime", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    max_size: int | None = element("ResolveRecipients:MaxSize", INT, default=None)
    max_pictures: int | None = element("ResolveRecipients:MaxPictures", INT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    retrieval: int | None = element("ResolveRecipients:CertificateRetrieval", INT, default=None)
    max_certificates: int | None = element("ResolveRecipients:MaxCertificates", INT, default=None)
    max_ambiguous: int | None = element("ResolveRecipients:MaxAmbiguousRecipients", INT, default=None)
    availability: Span | None = element(
        "ResolveRecipients:Availability", message(Span), since=Version.V14_0, default=None
    )
    picture: PictureOptions | None = element(
        "ResolveRecipients:Picture", message(PictureOptions), since=Version.V14_1, default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    to: tuple[str, ...] = elements("ResolveRecipients:To")
    options: Options = element("ResolveRecipients:Options", message(Options), default=Options())


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    status: AvailabilityStatus = element("ResolveRecipients:Status", enum(AvailabilityStatus))
    merged: str | None = element("ResolveRecipients:MergedFreeBusy", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """`recipients` counts the members of a distribution list, 1 for one person."""

    status: CertificatesStatus = element("ResolveRecipients:Status", enum(CertificatesStatus))
    count: int | None = element("ResolveRecipients:CertificateCount", INT, default=None)
    recipients: int | None = element("ResolveRecipients:RecipientCount", INT, default=None)
    certificates: tuple[str, ...] = elements("ResolveRecipients:Certificate")
    mini: str | None = element("ResolveRecipients:MiniCertificate", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    status: PictureStatus = element("ResolveRecipients:Status", enum(PictureStatus))
    data: bytes | None = element("ResolveRecipients:Data", OPAQUE, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    type: Type = element("ResolveRecipients:Type", enum(Type))
    name: str = element("ResolveRecipients:DisplayName")
    address: str = element("ResolveRecipients:EmailAddress")
    availability: Availability | None = element(
        "ResolveRecipients:Availability", message(Availability), since=Version.V14_0, default=None
    )
    certificates: Certificates | None = element(
        "ResolveRecipients:Certificates", message(Certificates), default=None
    )
    picture: Picture | None = element(
        "ResolveRecipients:Picture", message(Picture), since=Version.V14_1, default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What one To stands for. `count` is how many there are, also where not all are listed (R4283)."""

    to: str = element("ResolveRecipients:To")
    status: ResponseStatus = element("ResolveRecipients:Status", enum(ResponseStatus))
    count: int = element("ResolveRecipients:RecipientCount", INT)
    recipients: tuple[Recipient, ...] = elements("ResolveRecipients:Recipient", message(Recipient))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status = element("ResolveRecipients:Status", enum(Status))
    resolved: tuple[Resolved, ...] = elements("ResolveRecipients:Response", message(Resolved))


# Handler --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Work:
    """What is counted over the whole request. `span` is None unless free/busy times are wanted; `certificates_left`
    None for no limit."""

    options: Options
    span: tuple[datetime, datetime] | None
    certificates_left: int | None
    availability_left: int = MAX_AVAILABILITY


@command("ResolveRecipients", "ResolveRecipients:ResolveRecipients", Request, malformed=Status.PROTOCOL_ERROR)
async def resolve_recipients(request: Request, session: Session) -> Response | Counted:
    options = request.options
    try:
        span = _span(options.availability) if options.availability else None
    except ValueError:
        return Response(status=Status.PROTOCOL_ERROR)
    if not _within_limits(request):
        return Response(status=Status.PROTOCOL_ERROR)
    work = _Work(options, span, options.max_certificates)
    try:
        resolved = tuple([await _resolved(to, work, session) for to in request.to])
    except Unavailable:
        return Response(status=Status.SERVER_ERROR)
    return Counted(Response(status=Status.SUCCESS, resolved=resolved), len(resolved))


def _within_limits(request: Request) -> bool:
    options = request.options
    limits = (options.max_certificates, options.max_ambiguous)
    return (
        0 < len(request.to) <= MAX_TO
        and all(len(to) <= MAX_LENGTH for to in request.to)
        and all(limit is None or 0 <= limit <= MAX_LIMIT for limit in limits)
        and options.retrieval in (None, *Retrieval)
    )


def _span(asked: Span) -> tuple[datetime, datetime]:
    """Raises ValueError (SchemaError is one) for what is no span that can be asked for."""
    start = _time(asked.start)
    end = _time(asked.end) if asked.end is not None else None if start is None else start + DEFAULT_SPAN
    if start is None or end is None or not SLOT <= end - start <= LONGEST:
        raise ValueError("not a span of time")
    return start, end


def _time(text: str | None) -> datetime | None:
    """To the millisecond, for which the last digit may stand (R3330)."""
    if text is None:
        return None
    moment: datetime | None = DASHED.load(Element("ResolveRecipients:StartTime", text), Version.V14_0)
    fraction = _FRACTION.search(text)
    if moment is None or fraction is None:
        return moment
    return moment + timedelta(milliseconds=int(fraction[1].ljust(3, "0")[:3]))


_FRACTION = re.compile(r"\.([0-9]+)")


async def _resolved(to: str, work: _Work, session: Session) -> Resolved:
    asked = work.options.picture
    people: Sequence[Person] = ()
    if to.strip():
        people = await session.directory.resolve(to.strip(), MAX_SUGGESTIONS, pictures=asked is not None)
    if not people:
        return Resolved(to=to, status=ResponseStatus.NOT_RESOLVED, count=0)
    pictures = Pictures(asked.max_size, asked.max_pictures) if asked else None
    if len(people) == 1:
        availability = await _availability(people[0], work, session)
        certificates = await _certificates(people[0], work, session)
        recipient = _recipient(people[0], pictures, availability, certificates)
        return Resolved(to=to, status=ResponseStatus.RESOLVED, count=1, recipients=(recipient,))
    limit = work.options.max_ambiguous
    shown = people if limit is None else people[:limit]
    return Resolved(
        to=to, status=ResponseStatus.AMBIGUOUS if len(shown) == len(people) else ResponseStatus.PARTIAL,
        count=len(people), recipients=tuple(_recipient(person, pictures) for person in shown),
    )


def _recipient(
    person: Person,
    pictures: Pictures | None,
    availability: Availability | None = None,
    certificates: Certificates | None = None,
) -> Recipient:
    picture = None
    if pictures is not None:
        status, data = pictures.of(person)
        picture = Picture(status=status, data=data)
    return Recipient(
        type=Type.CONTACT if person.contact else Type.DIRECTORY, name=person.name or person.address,
        address=person.address, availability=availability, certificates=certificates, picture=picture,
    )


async def _availability(person: Person, work: _Work, session: Session) -> Availability | None:
    if work.span is None:
        return None
    members = person.members or (person.address,)
    if len(members) > MAX_MEMBERS:
        return Availability(status=AvailabilityStatus.LIST_TOO_LONG)
    if work.availability_left < len(members):
        return Availability(status=AvailabilityStatus.TOO_MANY)
    work.availability_left -= len(members)
    start, end = work.span
    try:
        known = [await session.directory.busy(member, start, end) for member in members]
    except Unavailable:
        return Availability(status=AvailabilityStatus.TRY_LATER)
    periods = [period for of_one in known if of_one is not None for period in of_one]
    if all(of_one is None for of_one in known):
        return Availability(status=AvailabilityStatus.FAILED)
    return Availability(status=AvailabilityStatus.SUCCESS, merged=merged_free_busy(periods, start, end))


async def _certificates(person: Person, work: _Work, session: Session) -> Certificates | None:
    retrieval = work.options.retrieval
    if retrieval not in (Retrieval.FULL, Retrieval.MINI):
        return None
    owners = [person] if not person.members else await _members(person, session)
    now = session.clock.now()
    found = [der for owner in owners for der in owner.certificates if _is_valid(der, now)]
    recipients = len(person.members) or 1
    if not found:
        return Certificates(status=CertificatesStatus.NONE, count=0, recipients=recipients)
    if work.certificates_left is not None:
        if len(found) > work.certificates_left:
            # None at all: no recipient gets an incomplete set. R3254, R3255, R851
            return Certificates(status=CertificatesStatus.LIMIT_REACHED, count=len(found), recipients=recipients)
        work.certificates_left -= len(found)
    status, count = CertificatesStatus.SUCCESS, len(found)
    if retrieval == Retrieval.MINI:
        return Certificates(status=status, count=count, recipients=recipients, mini=_mini(found[0]))
    full = tuple(b64encode(der).decode() for der in found)
    return Certificates(status=status, count=count, recipients=recipients, certificates=full)


async def _members(person: Person, session: Session) -> list[Person]:
    found: dict[str, Person] = {}
    for address in person.members[:MAX_SUGGESTIONS]:
        for member in await session.directory.resolve(address, 1):
            found[member.address.lower()] = member
    return list(found.values())


def _is_valid(der: bytes, now: datetime) -> bool:
    certificate = parse_der(der)
    return certificate is not None and certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _mini(der: bytes) -> str:
    """Base64 of issuer and serial number (IssuerAndSerialNumber of RFC 5652 10.2.4), by which a device that has the
    certificate finds it. The specification does not say what a mini-certificate is made of; no client is known that
    asks for one."""
    certificate = x509.load_der_x509_certificate(der)
    serial = certificate.serial_number
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return b64encode(_der(0x30, certificate.issuer.public_bytes() + _der(0x02, number))).decode()


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content

"""People in answers: entries of the address list for Search and Find, and contact photos, for ResolveRecipients too.

[MS-ASCMD] Properties (Search) R3691, Properties (Find);
[MS-ASCMD] Picture (Search), Picture (ResolveRecipients); MaxSize R3310; MaxPictures R3286-R3297;
Status (Search) R4371-R4375.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.engine.model import Person
from eas.protocol.schema import OPAQUE, element, enum, message
from eas.protocol.version import Version


class PictureStatus(IntEnum):
    SUCCESS = 1          # R4372
    NONE = 173           # R4373
    TOO_LARGE = 174      # R4374
    LIMIT_REACHED = 175  # R4375


#: Bytes: the largest MaxSize there is. R3309, R5349
MAX_PICTURE = 102400


@dataclass(slots=True)
class Pictures:
    """Hands out photos until `max_count` have been; None for no limit. One for each query of a request."""

    max_size: int | None = None
    max_count: int | None = None
    given: int = 0

    def of(self, person: Person) -> tuple[PictureStatus, bytes | None]:
        """The status, and the photo if it is given. Without a photo or with one too large it is said so, whether or not
        the limit has been reached (R3287-R3289, R3295-R3297)."""
        if not person.picture:
            return PictureStatus.NONE, None
        if len(person.picture) > min(MAX_PICTURE, MAX_PICTURE if self.max_size is None else self.max_size):
            return PictureStatus.TOO_LARGE, None
        if self.max_count is not None and self.given >= self.max_count:
            return PictureStatus.LIMIT_REACHED, None
        self.given += 1
        return PictureStatus.SUCCESS, person.picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    status: PictureStatus = element("GAL:Status", enum(PictureStatus))
    data: bytes | None = element("GAL:Data", OPAQUE, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the address list; what is not known is left out, name and alias are always told (R5711)."""

    name: str = element("GAL:DisplayName")
    phone: str | None = element("GAL:Phone", default=None)
    office: str | None = element("GAL:Office", default=None)
    title: str | None = element("GAL:Title", default=None)
    company: str | None = element("GAL:Company", default=None)
    alias: str = element("GAL:Alias")
    first_name: str | None = element("GAL:FirstName", default=None)
    last_name: str | None = element("GAL:LastName", default=None)
    home_phone: str | None = element("GAL:HomePhone", default=None)
    mobile_phone: str | None = element("GAL:MobilePhone", default=None)
    address: str | None = element("GAL:EmailAddress", default=None)
    picture: Picture | None = element("GAL:Picture", message(Picture), since=Version.V14_1, default=None)


def entry_of(person: Person, pictures: Pictures | None) -> Entry:
    """With a picture, or why there is none, if there are `pictures` to hand out."""
    picture = None
    if pictures is not None:
        status, data = pictures.of(person)
        picture = Picture(status=status, data=data)
    return Entry(
        name=person.name or person.address, phone=person.phone or None, office=person.office or None,
        title=person.title or None, company=person.company or None,
        alias=person.alias or person.address.partition("@")[0], first_name=person.first_name or None,
        last_name=person.last_name or None, home_phone=person.home_phone or None,
        mobile_phone=person.mobile_phone or None, address=person.address or None, picture=picture,
    )

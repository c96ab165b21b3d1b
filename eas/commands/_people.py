"""Contact photos in answers about people, for Search and ResolveRecipients (and Find, which shares the form of Search).

[MS-ASCMD] Picture (Search), Picture (ResolveRecipients); MaxSize R3310; MaxPictures R3286-R3297;
Status (Search) R4371-R4375.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.engine.model import Person


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

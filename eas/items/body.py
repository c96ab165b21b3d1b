"""Bodies: what the device prefers, and what it gets. [MS-ASAIRS] BodyPreference, Body, BodyPart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.protocol.schema import FLAG, INT, element, enum
from eas.protocol.version import Version


class BodyType(IntEnum):
    """[MS-ASAIRS] Type."""

    TEXT = 1
    HTML = 2
    RTF = 3
    MIME = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPreference:
    """[MS-ASAIRS] BodyPreference, BodyPartPreference. `truncation_size` in bytes, None for the whole."""

    type: BodyType = element("AirSyncBase:Type", enum(BodyType))
    truncation_size: int | None = element("AirSyncBase:TruncationSize", INT, default=None)
    all_or_none: bool | None = element("AirSyncBase:AllOrNone", FLAG, default=None)
    preview: int | None = element("AirSyncBase:Preview", INT, since=Version.V14_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """[MS-ASAIRS] Body, as answered and as sent by devices. `data` is text; None where there is none (yet).

    `part` is the index of a multipart answer's part that holds the data instead.
    """

    type: BodyType = element("AirSyncBase:Type", enum(BodyType))
    estimated_size: int | None = element("AirSyncBase:EstimatedDataSize", INT, default=None)
    truncated: bool | None = element("AirSyncBase:Truncated", FLAG, default=None)
    data: str | None = element("AirSyncBase:Data", default=None)
    part: int | None = element("ItemOperations:Part", INT, default=None)
    preview: str | None = element("AirSyncBase:Preview", since=Version.V14_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a device wants of the items of a class: its Options, in our words.

    `mime_support`: 0 never, 1 only S/MIME messages, 2 all. `mime_truncation` in characters, None for no limit.
    No preferences at all mean plain text. `whole` overrides every truncation (Sync's Fetch).
    `limit_text` and `limit_html` are the policy's limits in bytes, None for none.
    """

    preferences: tuple[BodyPreference, ...] = ()
    part_preference: BodyPreference | None = None
    mime_support: int = 0
    mime_truncation: int | None = None
    whole: bool = False
    limit_text: int | None = None
    limit_html: int | None = None

"""What Search asks and answers, and its statuses. [MS-ASCMD] Search; Status (Search) R4316-R4376."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from eas.items.body import BodyPreference
from eas.protocol.schema import ELEMENT, INT, PRESENCE, element, elements, enum, message
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from ._sync_messages import PREFERENCE


class Status(IntEnum):
    """Of the whole request."""

    SUCCESS = 1       # R4322
    SERVER_ERROR = 3  # R4323


class StoreStatus(IntEnum):
    SUCCESS = 1                # R4327
    INVALID_REQUEST = 2        # R4329
    SERVER_ERROR = 3           # R4332
    BAD_LINK = 4               # R4336
    ACCESS_DENIED = 5          # R4339
    NOT_FOUND = 6              # R4342
    UNREACHABLE = 7            # R4345
    TOO_COMPLEX = 8            # R4350
    TIMED_OUT = 10             # R4354
    FOLDER_SYNC_REQUIRED = 11  # R4358
    END_OF_RANGE = 12          # R4361, R3736
    ACCESS_BLOCKED = 13        # R4364
    CREDENTIALS_REQUIRED = 14  # R4367


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    max_size: int | None = element("Search:MaxSize", INT, default=None)
    max_pictures: int | None = element("Search:MaxPictures", INT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Of any store; what does not belong to a store is passed over. Of what stands twice the first counts."""

    range: str | None = element("Search:Range", default=None)
    user: str | None = element("Search:UserName", since=Version.V12_0, default=None)
    password: str | None = element("Search:Password", since=Version.V12_0, default=None)
    deep: bool | None = element("Search:DeepTraversal", PRESENCE, default=None)
    mime_support: int | None = element("AirSync:MIMESupport", INT, default=None)
    preferences: tuple[BodyPreference, ...] = elements("AirSyncBase:BodyPreference", PREFERENCE)
    part_preference: BodyPreference | None = element(
        "AirSyncBase:BodyPartPreference", PREFERENCE, since=Version.V14_1, default=None
    )
    picture: PictureOptions | None = element(
        "Search:Picture", message(PictureOptions), since=Version.V14_1, default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """`query` is text for the address list, and elements for the others."""

    name: str = element("Search:Name", default="")
    query: Element = element("Search:Query", ELEMENT, default=Element("Search:Query"))
    options: Options = element("Search:Options", message(Options), default=Options())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    store: Store = element("Search:Store", message(Store), default=Store())


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An item, entry or document; all absent where nothing in the mailbox matches (R3850)."""

    item_class: str | None = element("AirSync:Class", default=None)
    long_id: str | None = element("Search:LongId", default=None)
    collection_id: str | None = element("AirSync:CollectionId", default=None)
    properties: Element | None = element("Search:Properties", ELEMENT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreResponse:
    status: StoreStatus = element("Search:Status", enum(StoreStatus))
    results: tuple[Result, ...] = elements("Search:Result", message(Result))
    range: str | None = element("Search:Range", default=None)
    total: int | None = element("Search:Total", INT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status = element("Search:Status", enum(Status))
    store: StoreResponse | None = element(
        "Search:Store", message(StoreResponse), within="Search:Response", default=None
    )


class Refused(Exception):
    """The search fails with this status of the store."""

    def __init__(self, status: StoreStatus) -> None:
        super().__init__(status.name)
        self.status = status


_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


def window(text: str | None, most: int) -> tuple[int, int]:
    """Where to begin, and how many to give, `most` without a Range. Raises Refused. [MS-ASCMD] Range (Search)"""
    if text is None:
        return 0, most
    found = _RANGE.fullmatch(text.strip())
    if not found or int(found[2]) < int(found[1]):
        raise Refused(StoreStatus.INVALID_REQUEST)
    start, count = int(found[1]), int(found[2]) - int(found[1]) + 1
    if count > most:
        raise Refused(StoreStatus.END_OF_RANGE)  # R3736
    return start, count


def shown(results: Sequence[Result], start: int, total: int, nothing: tuple[Result, ...] = ()) -> StoreResponse:
    """Results with their range; `nothing` stands where there are none. A start beyond the last is Status 12 (R4361)."""
    if not results:
        status = StoreStatus.END_OF_RANGE if total and start >= total else StoreStatus.SUCCESS
        return StoreResponse(status=status, results=nothing, total=total)
    span = f"{start}-{start + len(results) - 1}"
    return StoreResponse(status=StoreStatus.SUCCESS, results=tuple(results), range=span, total=total)

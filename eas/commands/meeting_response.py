"""MeetingResponse: accept, accept tentatively or decline an invitation.

[MS-ASCMD] MeetingResponse; Status (MeetingResponse); InstanceId (MeetingResponse). Up to 14.1 the device itself mails
its answer to the organizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from eas.engine import errors
from eas.engine.classes import EMAIL
from eas.engine.ids import parse_server_id
from eas.engine.meetings import respond
from eas.engine.session import Session
from eas.items.native import Refused, Unreadable
from eas.protocol.schema import DASHED, INT, SchemaError, element, elements, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from ._registry import CommonFault, command

#: Requests in one command. [MS-ASCMD] Limiting Size of Command Requests R5650.
MAX_REQUESTS = 100


class Status(IntEnum):
    """Beside these, 104 and 146 of the common ones."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    MAILBOX_ERROR = 3
    SERVER_ERROR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    response: int | None = element("MeetingResponse:UserResponse", INT)
    collection_id: str | None = element("MeetingResponse:CollectionId", default=None)
    request_id: str | None = element("MeetingResponse:RequestId", default=None)
    long_id: str | None = element("Search:LongId", default=None)
    instance_id: str | None = element("MeetingResponse:InstanceId", since=Version.V14_1, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    requests: tuple[Asked, ...] = elements("MeetingResponse:Request", message(Asked))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    request_id: str | None = element("MeetingResponse:RequestId", default=None)
    status: int = element("MeetingResponse:Status", INT)
    calendar_id: str | None = element("MeetingResponse:CalendarId", default=None)
    instance_id: str | None = element("MeetingResponse:InstanceId", since=Version.V14_1, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    results: tuple[Result, ...] = elements("MeetingResponse:Result", message(Result))


@command("MeetingResponse", "MeetingResponse:MeetingResponse", Request)
async def meeting_response(request: Request, session: Session) -> Response:
    if not 0 < len(request.requests) <= MAX_REQUESTS:
        raise CommonFault(CommonStatus.INVALID_XML)
    return Response(results=tuple([await _respond(asked, session) for asked in request.requests]))


async def _respond(asked: Asked, session: Session) -> Result:
    named = asked.long_id or asked.request_id
    try:
        calendar_id = await _appointment(asked, session)
    except _Failed as failed:
        return Result(request_id=named, status=failed.status)
    return Result(
        request_id=named, status=Status.SUCCESS, calendar_id=calendar_id or None, instance_id=asked.instance_id
    )


class _Failed(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


async def _appointment(asked: Asked, session: Session) -> str:
    if asked.response not in (1, 2, 3) or (asked.long_id and (asked.request_id or asked.collection_id)):
        raise _Failed(Status.INVALID_REQUEST)
    parsed = parse_server_id(asked.long_id or asked.request_id or "")
    if parsed is None or (asked.collection_id or parsed[0]) != parsed[0]:
        raise _Failed(Status.INVALID_REQUEST)
    folder = await session.mailbox.folder(parsed[0])
    # A calendar item may be named from 14.1 on; iOS does so before, too, and there is no harm in it.
    if folder is None or folder.item_class not in (EMAIL, "Calendar"):
        raise _Failed(Status.INVALID_REQUEST)
    instance = _instance(asked.instance_id)
    try:
        return await respond(session, folder, parsed[1], asked.response, instance)
    except errors.NoRecurrence:
        raise _Failed(CommonStatus.NO_RECURRENCE_IN_CALENDAR) from None
    except (errors.ItemGone, Refused, Unreadable):
        raise _Failed(Status.INVALID_REQUEST) from None
    except errors.BackendError as error:
        if isinstance(error, errors.Unavailable):
            raise
        raise _Failed(Status.MAILBOX_ERROR) from error


def _instance(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = DASHED.load(Element("MeetingResponse:InstanceId", text), Version.V14_1)
    except SchemaError:
        raise _Failed(CommonStatus.INVALID_DATE_TIME) from None
    if not isinstance(moment, datetime):
        raise _Failed(CommonStatus.INVALID_DATE_TIME)
    return moment

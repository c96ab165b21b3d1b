"""MeetingResponse: accept, accept tentatively or decline an invitation.

[MS-ASCMD] MeetingResponse; Status (MeetingResponse); InstanceId (MeetingResponse); SendResponse. Up to 14.1 the device
itself mails its answer to the organizer (R268), but for those that leave it to the server; from 16.0 the server does if
the device asks for it (R6062).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from eas.engine import errors
from eas.engine.classes import EMAIL
from eas.engine.ids import MAX_LENGTH, parse_server_id
from eas.engine.meetings import Answer, respond
from eas.engine.quirks import Quirk
from eas.engine.session import Session
from eas.items.body import Body, BodyType, Source, body_html, body_text
from eas.items.native import Refused, Unreadable
from eas.protocol.schema import COMPACT, DASHED, INT, element, elements, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Spoken, Version

from ._instance import instance_moment
from ._registry import CommonFault, command

#: Requests in one command. [MS-ASCMD] Limiting Size of Command Requests R5650.
MAX_REQUESTS = 100

#: UserResponse: accept, tentative, decline.
RESPONSES = (1, 2, 3)

#: In these versions one occurrence can be answered. [MS-ASCMD] InstanceId (MeetingResponse) R6714-R6716.
INSTANCES = Spoken(since=Version.V14_1)


#: In these versions the appointment can be named instead of the message. [MS-ASCMD] MeetingResponse R6068, R7508-R7510.
IN_CALENDAR = Spoken(since=Version.V14_1)

#: In these versions the device says whether its answer is to be mailed. [MS-ASCMD] SendResponse R7113-R7118.
SEND_RESPONSE = Spoken(since=Version.V16_0)


class Status(IntEnum):
    """Beside these, 104 and 146 of the common ones."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    MAILBOX_ERROR = 3
    SERVER_ERROR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResponse:
    """`body` are the words for the organizer; the times are those that the user proposes instead, both or none
    (R69901704, R69901725)."""

    body: Body | None = element("AirSyncBase:Body", message(Body), default=None)
    proposed_start: datetime | None = element(
        "MeetingResponse:ProposedStartTime", COMPACT, since=Version.V16_1, default=None
    )
    proposed_end: datetime | None = element(
        "MeetingResponse:ProposedEndTime", COMPACT, since=Version.V16_1, default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`instance_id` is read in all versions, to be refused in those that do not have it (R6712): to answer the series
    instead would be something else."""

    response: int | None = element("MeetingResponse:UserResponse", INT, default=None)
    collection_id: str | None = element("MeetingResponse:CollectionId", default=None)
    request_id: str | None = element("MeetingResponse:RequestId", default=None)
    long_id: str | None = element("Search:LongId", default=None)
    instance_id: str | None = element("MeetingResponse:InstanceId", default=None)
    send_response: SendResponse | None = element(
        "MeetingResponse:SendResponse", message(SendResponse), since=SEND_RESPONSE.since, default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    requests: tuple[Asked, ...] = elements("MeetingResponse:Request", message(Asked))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    request_id: str | None = element("MeetingResponse:RequestId", default=None)
    status: int = element("MeetingResponse:Status", INT)
    calendar_id: str | None = element("MeetingResponse:CalendarId", default=None)
    instance_id: datetime | None = element("MeetingResponse:InstanceId", DASHED, since=Version.V14_1, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    results: tuple[Result, ...] = elements("MeetingResponse:Result", message(Result))


@command("MeetingResponse", "MeetingResponse:MeetingResponse", Request)
async def meeting_response(request: Request, session: Session) -> Response:
    if not 0 < len(request.requests) <= MAX_REQUESTS:
        raise CommonFault(CommonStatus.INVALID_XML)
    return Response(results=tuple([await _respond(asked, session) for asked in request.requests]))


async def _respond(asked: Asked, session: Session) -> Result:
    # What is longer than any id was not given out, and may not stand in an answer either.
    named = asked.request_id if len(asked.request_id or "") <= MAX_LENGTH else None
    try:
        instance = _instance(asked, session)
        calendar_id = await _appointment(asked, instance, session)
    except _Failed as failed:
        return Result(request_id=named, status=failed.status)
    return Result(request_id=named, status=Status.SUCCESS, calendar_id=calendar_id or None, instance_id=instance)


class _Failed(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _instance(asked: Asked, session: Session) -> datetime | None:
    if asked.instance_id is None:
        return None
    if session.version not in INSTANCES or not asked.instance_id:
        raise _Failed(Status.INVALID_REQUEST)  # R6712, R4186
    moment = instance_moment(asked.instance_id)
    if moment is None:
        raise _Failed(CommonStatus.INVALID_DATE_TIME)  # R3195
    return moment


async def _appointment(asked: Asked, instance: datetime | None, session: Session) -> str:
    """The ServerId of the appointment, "" if there is none now."""
    if asked.response not in RESPONSES or (asked.long_id and (asked.request_id or asked.collection_id)):
        raise _Failed(Status.INVALID_REQUEST)
    parsed = parse_server_id(asked.long_id or asked.request_id or "")
    if parsed is None or (asked.collection_id or parsed[0]) != parsed[0]:
        raise _Failed(Status.INVALID_REQUEST)
    folder = await session.mailbox.folder(parsed[0])
    if folder is None or folder.item_class not in (EMAIL, "Calendar"):
        raise _Failed(Status.INVALID_REQUEST)
    in_calendar = session.version in IN_CALENDAR or Quirk.ANSWERS_IN_THE_CALENDAR in session.quirks
    if folder.item_class == "Calendar" and not in_calendar:
        raise _Failed(Status.INVALID_REQUEST)
    if instance is not None and folder.item_class == EMAIL:
        raise _Failed(Status.INVALID_REQUEST)  # R4185
    try:
        return await respond(session, folder, parsed[1], _answer(asked, asked.response, instance, session))
    except errors.NoRecurrence:
        raise _Failed(CommonStatus.NO_RECURRENCE_IN_CALENDAR) from None  # R3196
    except (errors.ItemGone, Refused, Unreadable):
        raise _Failed(Status.INVALID_REQUEST) from None
    except errors.Unavailable:
        raise
    except errors.BackendError as error:
        raise _Failed(Status.MAILBOX_ERROR) from error


def _answer(asked: Asked, response: int, instance: datetime | None, session: Session) -> Answer:
    sent = asked.send_response
    if sent is None:
        # R7113: no mail; before 16.0 the device sends it.
        left_to_us = session.version not in SEND_RESPONSE and Quirk.REPLY_IS_MAILED_FOR_IT in session.quirks
        return Answer(response=response, instance=instance, send=left_to_us)
    times = (sent.proposed_start, sent.proposed_end)
    proposed = None
    if times != (None, None):
        if times[0] is None or times[1] is None or times[1] <= times[0]:
            raise _Failed(Status.INVALID_REQUEST)
        proposed = (times[0], times[1])
    return Answer(response=response, instance=instance, send=True, body=_source(sent.body), proposed=proposed)


def _source(body: Body | None) -> Source | None:
    if body is None or not body.data:
        return None
    try:
        return Source(text=body_text(body), html=body_html(body) if body.type is not BodyType.TEXT else None)
    except ValueError:  # RTF that is none
        raise _Failed(Status.INVALID_REQUEST) from None

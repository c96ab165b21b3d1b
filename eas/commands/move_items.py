"""MoveItems: items from one folder to another. [MS-ASCMD] MoveItems; Status (MoveItems) R4207-R4229."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eas.engine import errors
from eas.engine.ids import MAX_LENGTH, parse_server_id, server_id
from eas.engine.model import FolderType, Right
from eas.engine.moves import Moves
from eas.engine.session import Session
from eas.protocol.schema import element, elements, enum, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import COMMON_STATUS

from ._registry import CommonFault, command

#: Moves in one request. [MS-ASCMD] Limiting Size of Command Requests.
MAX_MOVES = 1000


class Status(IntEnum):
    INVALID_SOURCE = 1
    INVALID_DESTINATION = 2
    SUCCESS = 3
    SAME = 4
    FAILED = 5
    LOCKED = 7
    INVALID_COMBINATION = 105  # R4821: into the recipient information cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    item: str = element("Move:SrcMsgId")
    source: str = element("Move:SrcFldId")
    destination: tuple[str, ...] = elements("Move:DstFldId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    moves: tuple[Move, ...] = elements("Move:Move", message(Move))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    item: str = element("Move:SrcMsgId")
    status: Status = element("Move:Status", enum(Status))
    moved_to: str | None = element("Move:DstMsgId", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    responses: tuple[Moved, ...] = elements("Move:Response", message(Moved))


@command("MoveItems", "Move:MoveItems", Request)
async def move_items(request: Request, session: Session) -> Response:
    # An id that the answer could not repeat is malformed: the schema bounds SrcMsgId in both.
    unspeakable = any(not 0 < len(move.item) <= MAX_LENGTH for move in request.moves)
    if unspeakable or not 0 < len(request.moves) <= MAX_MOVES:
        raise CommonFault(CommonStatus.INVALID_XML)
    torn, moves = _torn(request.moves), Moves(session)
    async with moves.hold({to for move in request.moves for to in move.destination}):
        responses = [
            Moved(item=move.item, status=Status.FAILED) if move in torn else await _move(move, session, moves)
            for move in request.moves
        ]
        await moves.note()
    return Response(responses=tuple(responses))


def _torn(moves: tuple[Move, ...]) -> set[Move]:
    """The moves that would take an item elsewhere than an earlier one of the request does. R4222"""
    first: dict[str, tuple[str, ...]] = {}
    return {move for move in moves if first.setdefault(move.item, move.destination) != move.destination}


async def _move(move: Move, session: Session, moves: Moves) -> Moved:
    if len(move.destination) != 1:
        return Moved(item=move.item, status=Status.FAILED)
    parsed = parse_server_id(move.item)
    source = await session.mailbox.folder(move.source)
    if source is None or parsed is None or parsed[0] != move.source:
        return Moved(item=move.item, status=Status.INVALID_SOURCE)
    destination = await session.mailbox.folder(move.destination[0])
    if destination is not None and destination.type is FolderType.RECIPIENT_CACHE:
        told = Status.INVALID_COMBINATION if session.version in COMMON_STATUS else Status.INVALID_DESTINATION
        return Moved(item=move.item, status=told)
    if destination is None or destination.item_class != source.item_class:
        return Moved(item=move.item, status=Status.INVALID_DESTINATION)
    if source.id == destination.id:
        return Moved(item=move.item, status=Status.SAME)
    if min(source.right, destination.right) < Right.EDIT:
        return Moved(item=move.item, status=Status.FAILED)
    try:
        moved = await moves.move(source, parsed[1], destination)
    except errors.ItemGone:
        return Moved(item=move.item, status=Status.INVALID_SOURCE)
    except errors.FolderGone:
        return Moved(item=move.item, status=Status.INVALID_DESTINATION)
    except (errors.NotAllowed, errors.NoSpace):
        return Moved(item=move.item, status=Status.FAILED)
    return Moved(item=move.item, status=Status.SUCCESS, moved_to=server_id(destination.id, moved))

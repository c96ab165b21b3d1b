"""Ping: wait until something happens in some folders, or the time is up.

[MS-ASCMD] Ping; Status (Ping) R4230-R4267. A waiting Ping holds a subscription and nothing else (eas.engine.waiting).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import structlog

from eas.engine import errors
from eas.engine.collection import open_folders
from eas.engine.compliance import to_be_asked
from eas.engine.model import CollectionId
from eas.engine.partnership import revise
from eas.engine.session import Session
from eas.engine.waiting import granted, longest, wait_for_news
from eas.protocol.schema import INT, element, elements, enum, message

from ._registry import Counted, command

log = structlog.get_logger("eas.ping")


class Status(IntEnum):
    EXPIRED = 1
    CHANGES = 2
    MISSING_PARAMETERS = 3
    SYNTAX_ERROR = 4
    INVALID_HEARTBEAT = 5
    TOO_MANY_FOLDERS = 6
    HIERARCHY_CHANGED = 7
    SERVER_ERROR = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    id: str = element("Ping:Id")
    item_class: str = element("Ping:Class")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`heartbeat` in seconds. What is left out is as in the Ping before."""

    heartbeat: int | None = element("Ping:HeartbeatInterval", INT, default=None)
    folders: tuple[Folder, ...] = elements("Ping:Folder", message(Folder), within="Ping:Folders")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status = element("Ping:Status", enum(Status))
    folders: tuple[str, ...] = elements("Ping:Folder", within="Ping:Folders")
    max_folders: int | None = element("Ping:MaxFolders", INT, default=None)
    heartbeat: int | None = element("Ping:HeartbeatInterval", INT, default=None)


@command("Ping", "Ping:Ping", Request, malformed=Status.SYNTAX_ERROR, when_empty=Request, gated=False)
async def ping(request: Request, session: Session) -> Response | Counted:
    refused, folders, heartbeat = _parameters(request, session)
    if refused is not None:
        return refused
    collections = tuple(dict.fromkeys(id for id, _ in folders))
    if to_be_asked(session.device, session.policy, session.version, session.quirks):
        # A Ping has no policy key and passes the gate: the Sync that follows news does not.
        return Response(status=Status.CHANGES, folders=collections[:1])
    try:
        await _remember(session, folders, heartbeat)
        del request, folders  # nothing of the request is kept while it waits
        if not (await open_folders(session, collections)).keys() >= set(collections):
            raise errors.CollectionGone
        seconds, bound = await granted(session, heartbeat)
        if bound is not None:
            return Response(status=Status.INVALID_HEARTBEAT, heartbeat=bound)
        waited = await wait_for_news(session, collections, seconds)
    except errors.CollectionGone:
        return Response(status=Status.HIERARCHY_CHANGED)
    except (errors.Unavailable, errors.Contended) as error:
        log.warning("ping failed", reason=str(error))
        return Response(status=Status.SERVER_ERROR)
    if waited.hierarchy:
        return Response(status=Status.HIERARCHY_CHANGED)
    if waited.changed:
        return Counted(Response(status=Status.CHANGES, folders=waited.changed), len(waited.changed))
    return Response(status=Status.EXPIRED)


def _parameters(
    request: Request, session: Session
) -> tuple[Response | None, tuple[tuple[CollectionId, str], ...], int]:
    """The folders and the heartbeat in force, or the refusal."""
    folders = tuple((f.id, f.item_class) for f in request.folders) or session.device.ping_folders
    heartbeat = session.device.ping_heartbeat if request.heartbeat is None else request.heartbeat
    limits = session.limits
    ids = [id for id, _ in folders]
    if not folders or (request.heartbeat is None and not heartbeat):
        return Response(status=Status.MISSING_PARAMETERS), (), 0
    if len(set(ids)) < len(ids):
        return Response(status=Status.SYNTAX_ERROR), (), 0
    if not limits.heartbeat_min_seconds <= heartbeat <= limits.heartbeat_max_seconds:
        bound = min(max(heartbeat, limits.heartbeat_min_seconds), longest(session))
        return Response(status=Status.INVALID_HEARTBEAT, heartbeat=bound), (), 0
    if len(folders) > limits.max_ping_folders:
        return Response(status=Status.TOO_MANY_FOLDERS, max_folders=limits.max_ping_folders), (), 0
    return None, folders, heartbeat


async def _remember(session: Session, folders: tuple[tuple[CollectionId, str], ...], heartbeat: int) -> None:
    """Written only when it differs. Raises Contended."""
    await revise(
        session.store, session.device,
        lambda device: replace(device, ping_folders=folders, ping_heartbeat=heartbeat),
    )

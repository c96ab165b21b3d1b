"""Notify: how devices of 2.5 asked to be told of news by SMS, before there was Ping (AirNotify).

No specification of it is left, and no carrier takes such messages any more. The answer says that all is well and that
there are no carriers, upon which a device falls back on Ping or on its schedule. OPTIONS does not name the command.
"""

from __future__ import annotations

from dataclasses import dataclass

from eas.engine.session import Session
from eas.protocol.schema import INT, PRESENCE, element
from eas.protocol.version import Spoken, Version

from ._registry import command

#: Devices of 12.0 that were brought up on 2.5 may still ask; their page of tags is that of 2.5.
LAST = Version.V12_0
SUCCESS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Whatever it says, nothing follows from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: int = element("AirNotify:Status", INT, until=LAST)
    carriers: bool = element("AirNotify:ValidCarrierProfiles", PRESENCE, until=LAST)


@command("Notify", "AirNotify:Notify", Request, spoken=Spoken(until=LAST), when_empty=Request)
async def notify(request: Request, session: Session) -> Response:
    return Response(status=SUCCESS, carriers=True)

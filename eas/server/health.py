"""What monitors, load balancers and orchestrators ask, without a login.

    /health         200 "ok", or 503: can requests be answered?
    /health/live    200: the process runs, and its event loop turns; restarting it helps against anything else
    /health/ready   200 or 503, and how the parts are, as JSON: should requests be sent here? Not while it stops.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.types import Receive, Scope

from . import faults
from .ports import Ports
from .reply import Reply, plain

PATH, LIVE, READY = "/health", "/health/live", "/health/ready"
_UNCACHED = {"Cache-Control": "no-store"}


class Health:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def health(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        return plain(200, "ok") if await self._ports.ready() else faults.http_only(503)

    async def live(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        return plain(200, "ok", _UNCACHED)

    async def ready(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        found = await self._ports.readiness()
        said = {"ready": found.ready, "stopping": found.stopping, "parts": dict(found.parts)}
        return Reply(
            http=200 if found.ready else 503, body=json.dumps(said).encode() + b"\n", content_type="application/json",
            headers=_UNCACHED,
        )

"""What is watched of a process, and what its notes of devices are joined with."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from eas.backends.embedded.admin import NotThere
from eas.backends.embedded.backend import Embedded
from eas.backends.embedded.prepare import folded
from eas.backends.standards.logins import named
from eas.backends.standards.tables import MemberRow
from eas.backends.standards.tenant import Tenant
from eas.server.live import Live
from eas.store import ActivityStore
from eas.store.activity import WhoseLogin


def node_name() -> str:
    """Of this process, for people: the machine and the process id."""
    return f"{socket.gethostname()[:60]}/{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Watch:
    """`Watched` of eas.server.control."""

    live: Live
    activity: ActivityStore

    def look(self) -> Mapping[str, Any]:
        return self.live.look()

    def ask(self, said: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """`Ask` of eas.admin.site, within the process itself."""
        return {"look": self.look()} if said.get("do") == "look" else None

    async def note(self) -> None:
        await self.activity.flush()


def whose_logins(embedded: Embedded, tenants: Sequence[Tenant], domain: str) -> WhoseLogin:
    """The id of the user whom a login names, in whatever form; "" for nobody."""

    async def whose(login: str) -> str:
        meant = named(login, tenants, domain) if tenants else None
        if meant is not None:
            statement = select(MemberRow.user_id).where(
                MemberRow.tenant == meant.tenant.name, MemberRow.login == folded(meant.login)
            )
            return await embedded.groupware.read(lambda c: c.execute(statement).scalar_one_or_none()) or ""
        try:
            return (await embedded.admin.user(login)).id
        except NotThere:
            return ""

    return whose

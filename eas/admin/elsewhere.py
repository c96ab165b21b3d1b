"""What an admin can see of users whose groupware is on other servers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from eas.backends.smtp.outbox import possible_doubles
from eas.backends.standards.tables import MemberRow

from .site import Site


async def backends(site: Site) -> dict[str, str]:
    """User id -> the name of the backend; of those who have one."""
    statement = select(MemberRow.user_id, MemberRow.tenant)
    return dict(await site.groupware.read(lambda c: c.execute(statement).all()))


async def doubtful(site: Site) -> list[dict[str, Any]]:
    """Messages that may have gone out twice, since the answer to the first try was lost, or of which a backup that was
    put back does not know whether they went out at all; newest first."""
    found = await site.groupware.read(possible_doubles)
    addresses = {account.id: account.address for account in await site.people.users()} if found else {}
    return [
        {"user": addresses.get(one.user_id, one.user_id), "subject": one.subject, "message_id": one.message_id,
         "at": one.at.isoformat(timespec="seconds"),
         "doubt": "under way when a backup was made" if one.restored else "may have gone out twice"}
        for one in found
    ]

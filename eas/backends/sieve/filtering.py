"""A user's mail filters on a ManageSieve server: in a script of ours, beside what the user has made elsewhere.

A script of another program is never changed and never deleted. Where one is active the user chooses: ours includes it,
ours runs alone (it is kept and can be put back), or it runs alone (ours is kept). The out-of-office reply
(`vacation`) stands in whichever is active, by its own marks, and is carried from one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog

from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import SieveServer
from eas.engine.errors import NotAllowed
from eas.engine.model import OutOfOffice
from eas.engine.ports import Beside, FilterState, OtherScript
from eas.items.mail_filters import Filter

from . import rules, script
from .client import SieveSession, connected, credentials_of
from .errors import No, translated
from .vacation import SieveVacation

log = structlog.get_logger("eas.sieve")

NAME = "eas-filters"
#: How a script of ours is called that somebody has changed by hand, before it is written anew.
_CHANGED = "eas-filters-changed-by-hand"
#: Octets of another program's script that are shown.
_SHOWN = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Present:
    """`own` is our script, None if there is none; `read` what it says. `active` is "" for none. `others` are the names
    of all that is neither this nor the out-of-office reply's."""

    active: str
    own: bytes | None
    read: rules.Read
    others: tuple[str, ...]

    @property
    def other(self) -> str:
        """The script of the user's that runs, or would run beside ours; "" for none."""
        if self.active in self.others:
            return self.active
        return self.read.beside if self.read.beside in self.others else ""

    @property
    def beside(self) -> Beside:
        if self.active in self.others:
            return Beside.INSTEAD
        return Beside.BOTH if self.other else Beside.ONLY


class SieveFilters:
    """`eas.engine.ports.Filters` for one user. `targets` are the mailboxes by their names on the server."""

    def __init__(self, account: Account, server: SieveServer, targets: Mapping[str, str]) -> None:
        self._account, self._server, self._targets = account, server, targets

    async def read(self) -> FilterState:
        with translated():
            async with self._connected() as session:
                present = await self._look(session)
                other = None
                if present.other:
                    content = await session.get(present.other)
                    text = script.without_blocks(content)[:_SHOWN].decode("utf-8", "replace")
                    other = OtherScript(name=present.other, text=text)
                return FilterState(
                    filters=present.read.filters, intact=present.read.intact, beside=present.beside, other=other,
                    others=present.others, targets=dict(self._targets),
                    fields=rules.fields_offered(session.extensions), actions=rules.actions_offered(session.extensions),
                    both="include" in session.extensions,
                )

    async def write(self, filters: Sequence[Filter], beside: Beside = Beside.ONLY, other: str = "") -> None:
        vacation = SieveVacation(self._account)
        with translated():
            async with self._connected() as session:
                present = await self._look(session)
                away = await vacation.in_force(session)
                if beside is not Beside.ONLY and other not in present.others:
                    raise NotAllowed(f"there is no script {other}")
                await self._keep_changed(session, present)
                if filters:
                    included = other if beside is Beside.BOTH else ""
                    await self._put(session, present, filters, included, replying=away is not None)
                active = _to_be_active(present, filters, beside, other)
                if active != present.active:
                    await session.activate(active)
                if not filters and present.own is not None and active != NAME:
                    await session.delete(NAME)
                if away is not None:
                    await self._reply_again(vacation, session, away)

    # -- steps of a write

    async def _put(
        self, session: SieveSession, present: _Present, filters: Sequence[Filter], included: str, *, replying: bool
    ) -> None:
        """Write ours. An out-of-office reply goes along, so that no message comes in between."""
        try:
            content = rules.script_of(filters, session.extensions, included)
        except (script.Inexpressible, ValueError) as error:
            raise NotAllowed(str(error)) from error
        if replying and present.own is not None:
            content = script.with_blocks_of(present.own, content)
        await session.have_space(NAME, len(content))
        await session.put(NAME, content)
        if included:
            await _without_reply(session, included)

    async def _reply_again(self, vacation: SieveVacation, session: SieveSession, away: OutOfOffice) -> None:
        try:
            await vacation.again(session, away)
        except (No, NotAllowed) as error:
            # Reading tries again; the filters stand all the same.
            log.warning("an out-of-office reply was not put back", user=self._account.user.id, reason=str(error))

    async def _keep_changed(self, session: SieveSession, present: _Present) -> None:
        """What somebody has written into our script is not lost with it."""
        if present.own is not None and not present.read.intact:
            await session.put(_CHANGED, script.without_blocks(present.own))

    async def _look(self, session: SieveSession) -> _Present:
        scripts = await session.list_scripts()
        names = [one.name for one in scripts]
        own = await session.get(NAME) if NAME in names else None
        read = rules.read(own) if own is not None else rules.Read(filters=())
        return _Present(
            active=next((one.name for one in scripts if one.active), ""), own=own,
            read=read or rules.Read(filters=(), intact=False),
            others=tuple(name for name in names if name not in (NAME, self._server.script)),
        )

    def _connected(self) -> AbstractAsyncContextManager[SieveSession]:
        account = self._account
        return connected(self._server, credentials_of(self._server, account.login, account.secret))


def _to_be_active(present: _Present, filters: Sequence[Filter], beside: Beside, other: str) -> str:
    """"" for none."""
    if beside is Beside.INSTEAD or (beside is Beside.BOTH and not filters):
        return other
    if filters:
        return NAME
    # An out-of-office reply that was alone stays so.
    return present.active if present.active not in (NAME, *present.others) else ""


async def _without_reply(session: SieveSession, name: str) -> None:
    """Out of a script that ours includes our out-of-office reply is taken: it stands in ours, and two make it fail."""
    content = await session.get(name)
    if script.has_block(content):
        await session.put(name, script.without_blocks(content))

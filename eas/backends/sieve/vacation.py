"""The out-of-office reply on a ManageSieve server, beside the user's own rules.

Where no script is active, ours becomes it. Where one is, ours is included by it (or, without `include`, stands in it)
in marked blocks, which are taken out again without a trace. What the server has is the truth, whoever changed it; texts
of replies that are off are kept in a row of our own, from which ours is also put back when another program has written
the user's script anew, or made another one active.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection, insert, select, update

from eas.backends.embedded.codec import dump_out_of_office, load_out_of_office, millis
from eas.backends.embedded.groupware import Writing
from eas.backends.embedded.prepare import folded
from eas.backends.embedded.tables import ContactRow
from eas.backends.standards.ports import Account
from eas.backends.standards.tables import KeptRow, ObjectRow, PlaceRow
from eas.backends.standards.tenant import SieveServer
from eas.engine.errors import NotAllowed
from eas.engine.model import Audience, OofReply, OutOfOffice

from . import reading, script
from .client import Credentials, SieveSession, connected, credentials_of
from .errors import No, translated
from .grammar import ScriptError, included, parse
from .script import without_blocks

log = structlog.get_logger("eas.sieve")

_KEPT = "out-of-office"
#: Scripts of a user that are looked through for blocks of ours; servers allow some tens.
_MAX_SCRIPTS = 100
#: Scripts that another one includes, in which replies are looked for.
_MAX_INCLUDED = 5
#: Addresses of known people that are written into a script; where there are more, some of them count as strangers.
MAX_KNOWN = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Present:
    """The user's scripts: their names, the active one ("" for none), ours if there is one, and `users`, the active one
    if it is not ours. `included` are those that `users` runs as well."""

    names: tuple[str, ...]
    active: str
    own: bytes | None
    users: bytes | None
    included: tuple[bytes, ...] = ()

    @property
    def others(self) -> tuple[bytes, ...]:
        """What runs, and is not ours."""
        return (self.users, *self.included) if self.users is not None else ()

    def in_force(self) -> OutOfOffice | None:
        """What our rules say, if they are run."""
        if self.users is None:
            return script.settings_of(self.own) if self.own is not None and self.active else None
        if not script.has_block(self.users):
            return None
        own = script.settings_of(self.own) if self.own is not None else None
        return script.block_settings(self.users) or own


class SieveVacation:
    """For one user."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def read(self) -> OutOfOffice:
        """Raises Unavailable, NotAllowed. Puts our rules back if they have fallen out."""
        server = self._server()
        kept = await self._account.ground.read(lambda c: _kept(c, self._account.user.id))
        with translated():
            async with connected(server, self._credentials(server)) as session:
                present = await _look(session, server.script)
                value = present.in_force()
                if value is not None:
                    return _with_texts(value, kept)
                if kept.state and await self._put_back(session, present, kept):
                    return kept
        return _with_texts(_of_others(present, self._account.ground.now()), kept)

    async def write(self, value: OutOfOffice) -> None:
        """Raises Unavailable, NotAllowed."""
        server = self._server()
        user_id = self._account.user.id
        if not value.state:
            # First, so that nobody puts it back.
            await self._account.ground.write(lambda tx: _keep(tx, user_id, value))
        with translated():
            async with connected(server, self._credentials(server)) as session:
                present = await _look(session, server.script)
                if value.state:
                    await self._apply(session, present, value)
                else:
                    await _remove(session, present, server.script)
        if value.state:
            await self._account.ground.write(lambda tx: _keep(tx, user_id, value))

    async def in_force(self, session: SieveSession) -> OutOfOffice | None:
        """What our rules say, None if they are not run. Raises SieveError."""
        return (await _look(session, self._server().script)).in_force()

    async def again(self, session: SieveSession, value: OutOfOffice) -> None:
        """Into whichever script is active now. Raises NotAllowed, SieveError."""
        await self._apply(session, await _look(session, self._server().script), value)

    def _server(self) -> SieveServer:
        server = self._account.tenant.sieve
        if server is None:
            raise NotAllowed("no filter server is set up")
        return server

    def _credentials(self, server: SieveServer) -> Credentials:
        return credentials_of(server, self._account.login, self._account.secret)

    async def _put_back(self, session: SieveSession, present: _Present, kept: OutOfOffice) -> bool:
        """If another program has written the user's script anew, or has made another one active: who wants no reply
        any more removes our script, or makes none active."""
        if present.users is None or ("include" in session.extensions and present.own is None):
            return False
        if kept.state == 2 and kept.end is not None and kept.end <= self._account.ground.now():
            return False
        try:
            await self._apply(session, present, kept)
        except (No, NotAllowed) as error:
            log.warning("an out-of-office reply was not put back", user=self._account.user.id, reason=str(error))
            return False
        log.info("an out-of-office reply was put back", user=self._account.user.id, script=present.active)
        return True

    async def _apply(self, session: SieveSession, present: _Present, value: OutOfOffice) -> None:
        """Raises NotAllowed, SieveError."""
        offered = session.extensions
        whose = await self._whose(value)
        try:
            if present.users is None:
                await self._put_own(session, value, whose)
                if not present.active:
                    await session.activate(self._server().script)
                return
            _examine(present, self._account.ground.now())
            if "include" in offered:
                await self._put_own(session, value, whose)
                changed = script.included(present.users, self._server().script)
            else:
                changed = script.inlined(present.users, value, whose, offered)
        except script.Inexpressible as error:
            raise NotAllowed(str(error)) from error
        if changed != present.users:
            await _put(session, present.active, changed)

    async def _put_own(self, session: SieveSession, value: OutOfOffice, whose: script.Whose) -> None:
        await _put(session, self._server().script, script.own_script(value, whose, session.extensions))

    async def _whose(self, value: OutOfOffice) -> script.Whose:
        user, tenant = self._account.user, self._account.tenant
        domains = (self._account.domain, *tenant.domains, *(a.rpartition("@")[2] for a in user.addresses))
        known: Sequence[str] = ()
        if value.replies.get(Audience.EXTERNAL_KNOWN) != value.replies.get(Audience.EXTERNAL_UNKNOWN):
            known = await self._account.ground.read(lambda c: _known(c, user.id))
        return script.Whose(
            addresses=user.addresses, domains=tuple(dict.fromkeys(folded(d) for d in domains if d)), known=known,
        )


async def _look(session: SieveSession, own: str) -> _Present:
    scripts = await session.list_scripts()
    names = tuple(one.name for one in scripts)
    active = next((one.name for one in scripts if one.active), "")
    users = await session.get(active) if active not in ("", own) else None
    called = included(without_blocks(users)) if users is not None else []
    return _Present(
        names=names, active=active, own=await session.get(own) if own in names else None, users=users,
        included=tuple([await session.get(name) for name in called[:_MAX_INCLUDED] if name in names and name != own]),
    )


async def _put(session: SieveSession, name: str, content: bytes) -> None:
    await session.have_space(name, len(content))
    await session.put(name, content)


async def _remove(session: SieveSession, present: _Present, own: str) -> None:
    """From the user's scripts first, also from those that have been active before."""
    if present.active == own:
        await session.activate("")
    for name in present.names[:_MAX_SCRIPTS]:
        if name == own:
            continue
        content = present.users if name == present.active and present.users is not None else await session.get(name)
        if script.has_block(content):
            await session.put(name, script.without_blocks(content))
    if own in present.names:
        await session.delete(own)


def _examine(present: _Present, now: datetime) -> None:
    """A message is answered once: a second vacation makes the whole script fail. RFC 5230 4.7. Raises NotAllowed."""
    if _others_replies(present, now):
        raise NotAllowed("the user's own filter script answers already")


def _others_replies(present: _Present, now: datetime) -> list[reading.Reply]:
    """What the user's own rules answer, unless that is over."""
    found: list[reading.Reply] = []
    for one in present.others:
        with suppress(ScriptError):
            found += reading.replies(parse(script.without_blocks(one)))
    return [one for one in found if one.end is None or one.end > now]


def _of_others(present: _Present, now: datetime) -> OutOfOffice:
    """What the user set elsewhere, in a script that is not ours."""
    return script.as_settings(_others_replies(present, now))


def _with_texts(value: OutOfOffice, kept: OutOfOffice) -> OutOfOffice:
    """With the texts of replies that are off."""
    off = {
        audience: OofReply(enabled=reply.enabled and not value.state, text=reply.text, html=reply.html)
        for audience, reply in kept.replies.items()
    }
    return replace(value, replies={**off, **value.replies})


# --- Our own rows -----------------------------------------------------------------------------------------------------


def _kept(connection: Connection, user_id: str) -> OutOfOffice:
    stored = connection.execute(
        select(KeptRow.value).where(KeptRow.user_id == user_id, KeptRow.name == _KEPT)
    ).scalar_one_or_none()
    return load_out_of_office(stored or "")


def _keep(tx: Writing, user_id: str, value: OutOfOffice) -> None:
    tx.one_at_a_time(user_id)
    values = {"value": dump_out_of_office(value), "at": millis(tx.now)}
    change = update(KeptRow).where(KeptRow.user_id == user_id, KeptRow.name == _KEPT).values(**values)
    if tx.connection.execute(change).rowcount == 0:
        tx.connection.execute(insert(KeptRow).values(user_id=user_id, name=_KEPT, **values))


def _known(connection: Connection, user_id: str) -> list[str]:
    """The addresses in the user's contacts, wherever those are kept, as they are now."""
    here = connection.execute(
        select(ContactRow.address_key).where(ContactRow.user_id == user_id, ContactRow.address_key != "")
        .distinct().order_by(ContactRow.address_key).limit(MAX_KNOWN)
    )
    found = dict.fromkeys(here.scalars())
    elsewhere = connection.execute(
        select(ObjectRow.entries).join(PlaceRow, PlaceRow.number == ObjectRow.number)
        .where(PlaceRow.user_id == user_id, PlaceRow.present.is_(True), ObjectRow.entries != "")
        .order_by(ObjectRow.number, ObjectRow.id).limit(MAX_KNOWN)
    )
    for entries in elsewhere.scalars():
        found |= dict.fromkeys(folded(one["address"]) for one in json.loads(entries)["shown"] if one.get("address"))
    return list(found)[:MAX_KNOWN]

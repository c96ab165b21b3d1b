"""What has happened in a mailbox since a token, at the least cost that the server allows.

    no change    STATUS, or NOOP where the mailbox is selected anyway, and a look at our own counter
    QRESYNC      SELECT (QRESYNC ...); where it is selected, NOOP, what was told since then, and UID FETCH of what came
    CONDSTORE    UID FETCH (CHANGEDSINCE n). If then some must be missing, UID SEARCH tells which are there: what is not
                 and could have been known is gone. So neither a kept set nor a whole listing is needed.
    neither      all flags, each time; an unchanged digest of them is an unchanged token. Else the listing of last time
                 (`listing`) tells what has changed, or the new one is told as a whole

RFC 7162 3.1.2, 3.1.4, 3.2.5, 3.2.6; docs/design.md "The change feed".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from eas.engine.ports import Delta, Horizon, ItemVersion, Look, Token
from eas.items.native import ItemId

from . import days, drawn, kept, listing, puts, rows, spans, tokens
from .epochs import EVERY
from .flags import Versions
from .model import Fetched, Resync, Session, Spans, Status
from .reach import Reach
from .rows import Names, State
from .tokens import Stand

#: UIDs that are told as gone although nobody may have known them: more, and the whole listing costs less.
_MOST_GONE = 5000


@dataclass(slots=True, kw_only=True)
class Changes:
    """By UID. `whole`: `flags` are all messages within the horizon."""

    flags: dict[int, frozenset[str]] = field(default_factory=dict)
    received: dict[int, datetime] = field(default_factory=dict)
    gone: Spans = ()
    whole: bool = False

    def add(self, fetched: Fetched) -> None:
        if fetched.flags is None:
            return
        self.flags[fetched.uid] = fetched.flags
        if fetched.internal_date is not None:
            self.received[fetched.uid] = fetched.internal_date


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A delta, and what it says of its items as a look would."""

    delta: Delta
    look: Look
    horizon: Horizon


class DeltaReader:
    def __init__(self, reach: Reach, session: Session, state: State, horizon: Horizon) -> None:
        self._reach, self._session, self._state, self._horizon = reach, session, state, horizon

    async def read(self, since: Token | None) -> Heard:
        before = tokens.parse(since)
        session = self._session
        if self._state.open:
            await puts.finish(self._reach, session)
            self._state = await self._reach.state()
        if before is None or not before.modseq or not session.can_condstore:
            return await self._listed(before)
        if self._reach.is_selected(session):
            # Of a selected mailbox STATUS may tell what the connection has heard so far, which is old.
            return await self._since(before, await self._listened(before) or await self._opened(before))
        now = _stand(self._state, await self._status())
        if before == now:
            return self._nothing(str(now))
        if before.can_follow(now) and _same_on_server(before, now):
            return await self._since(before, (Changes(), now))
        return await self._since(before, await self._opened(before))

    async def _since(self, before: Stand, found: tuple[Changes, Stand] | None) -> Heard:
        if found is None:
            return await self._listed(before)
        changes, now = found
        return self._nothing(str(now)) if before == now else await self._told(changes, before, now)

    def _nothing(self, token: Token) -> Heard:
        return Heard(delta=Delta(token=token), look=Look(versions={}), horizon=self._horizon)

    async def _status(self) -> Status:
        return await self._reach.existing(self._session, self._session.status(self._reach.mailbox))

    # -- since a token

    async def _listened(self, before: Stand) -> tuple[Changes, Stand] | None:
        """NOOP, and what the server has told since the mailbox was selected. None: that is not enough to know.

        Without it a server looks at each message for its MODSEQ: four milliseconds at 50,000 in Dovecot."""
        session, selected = self._session, self._session.selected
        if session.journal is None or selected is None or selected.uid_validity != before.validity:
            return None
        if (before.epoch, before.validity) != (self._state.epoch, self._state.validity):
            return None
        await self._reach.sync(session)
        journal, selected = session.journal, session.selected
        if journal is None or selected is None or journal.vanished or not journal.complete:
            return None
        new = selected.messages - before.messages
        if not journal.since <= before.modseq or new < 0 or self._state.counter < before.counter:
            return None
        changes, modseq = Changes(), before.modseq
        for one in list(journal.changed.values()):
            if one.modseq > before.modseq and one.uid < before.uid_next:
                changes.add(one)
                modseq = max(modseq, one.modseq)
        if new:
            arrived = await self._arrived(before.uid_next)
            if len(arrived) < new:
                return None
            for one in arrived:
                changes.add(one)
                modseq = max(modseq, one.modseq)
            before = replace(
                before, uid_next=max(one.uid for one in arrived) + 1, messages=before.messages + len(arrived)
            )
        return changes, replace(before, modseq=modseq, counter=self._state.counter)

    async def _arrived(self, first: int) -> list[Fetched]:
        items = ["FLAGS", "MODSEQ"] + (["INTERNALDATE"] if self._horizon.edge is not None else [])
        found = {
            one.uid: one async for one in self._session.fetch(((first, EVERY[0][1]),), items)
            if one.uid >= first and one.flags is not None and one.modseq
        }
        return list(found.values())

    async def _opened(self, before: Stand) -> tuple[Changes, Stand] | None:
        """SELECT, and what has changed. None: only a listing can tell."""
        session = self._session
        if session.can_resync:
            return await self._resynced(before)
        await self._reach.select(session)
        now = await self._selected_stand()
        if not now.modseq or not before.can_follow(now):
            return None
        if _same_on_server(before, now):
            return Changes(), now
        return await self._without_missing(await self._changed_since(before), before, now)

    async def _changed_since(self, before: Stand) -> Changes:
        changes = Changes()
        session = self._session
        items = ("FLAGS", "INTERNALDATE") if self._horizon.edge is not None else ("FLAGS",)
        async for one in session.fetch(EVERY, items, changed_since=before.modseq):
            changes.add(one)
        return changes

    async def _resynced(self, before: Stand) -> tuple[Changes, Stand] | None:
        resync = Resync(uid_validity=before.validity, modseq=before.modseq)
        selected = await self._reach.select(
            self._session, lambda: self._session.select(self._reach.mailbox, resync)
        )
        now = await self._selected_stand()
        if not selected.resynced or not before.can_follow(now):
            return None
        changes = Changes(gone=selected.vanished)
        for one in selected.changed:
            changes.add(one)
        return await self._without_missing(changes, before, now)

    async def _selected_stand(self) -> Stand:
        self._state = await self._reach.known(self._session, self._state)
        selected = self._session.selected
        assert selected is not None
        return _stand(self._state, Status(
            messages=selected.messages, uid_next=selected.uid_next, uid_validity=selected.uid_validity,
            highest_modseq=selected.highest_modseq,
        ))

    async def _without_missing(
        self, changes: Changes, before: Stand, now: Stand
    ) -> tuple[Changes, Stand] | None:
        """With those that are gone. Of a server without QRESYNC, as many as the counts do not explain."""
        if not self._session.can_resync:
            new = sum(1 for uid in changes.flags if uid >= before.uid_next)
            if before.messages + new != now.messages:
                present = await self._session.search(["ALL"])
                changes.gone = spans.without(((1, before.uid_next - 1),) if before.uid_next > 1 else (), present)
        if spans.count(changes.gone) > max(now.messages, _MOST_GONE):
            return None
        return changes, now

    async def _told(self, changes: Changes, before: Stand, now: Stand) -> Heard:
        number, state = self._reach.number, self._state
        noted: list[ItemId] = []
        aliased: list[tuple[ItemId, int]] = []
        if before.counter < state.counter:
            noted, aliased = await self._reach.account.ground.read(lambda c: (
                rows.changed_notes(c, number, before.counter), rows.changed_aliases(c, number, before.counter)
            ))
        uids = [*changes.flags, *spans.numbers(changes.gone)]
        names = await self._names(uids, [*noted, *(id for id, _ in aliased)])
        others = {uid for id in noted if (uid := names.uid(id)) is not None}
        others |= {uid for _, uid in aliased if uid}
        gone = {id for uid in spans.numbers(changes.gone) if (id := names.id(uid)) is not None}
        # Somebody may have been told of a message under the id of its own, before it took the place of another.
        gone |= {state.natural(uid) for id, uid in aliased if uid and state.natural(uid) != id}
        gone |= {id for id, uid in aliased if not uid}
        if missing := others - changes.flags.keys():
            await self._fetch_flags(spans.of(missing), changes)
        return await self._heard(changes, names, now, gone=gone)

    async def _names(self, uids: Collection[int], ids: Collection[ItemId] = ()) -> Names:
        if not self._state.aliased and not self._state.open:
            return Names(epoch=self._state.epoch)
        number, state = self._reach.number, self._state
        return await self._reach.account.ground.read(lambda c: rows.names(c, number, state, ids, uids))

    async def _fetch_flags(self, which: Spans, changes: Changes) -> None:
        if not self._reach.is_selected(self._session):
            await self._reach.select(self._session)
        items = ("FLAGS", "INTERNALDATE") if self._horizon.edge is not None else ("FLAGS",)
        async for one in self._session.fetch(which, items):
            changes.add(one)

    # -- as a whole

    async def _listed(self, before: Stand | None) -> Heard:
        session = self._session
        await self._reach.select(session)
        now = await self._selected_stand()
        if not now.modseq:
            return await self._compared(before, now)
        changes = Changes(whole=True)
        edge = self._horizon.edge
        if now.messages:
            within = await days.beyond(session, edge) if edge is not None else EVERY
            await self._list_flags(within, changes)
        return await self._all_told(changes, now)

    async def _compared(self, before: Stand | None, now: Stand) -> Heard:
        """Where the server counts no changes. With the listing of last time it is known what they are."""
        changes = Changes(whole=True)
        if now.messages:
            await self._list_flags(EVERY, changes)
        digest, text = listing.dump(changes.flags)
        now = replace(now, digest=digest)
        if before == now:
            return self._nothing(str(now))
        kept_text = await self._keep_listing(digest, text)
        if before is not None and before.can_follow(now) and listing.digest_of(kept_text) == before.digest:
            touched, gone = listing.changes(kept_text, changes.flags)
            some = Changes(flags={uid: changes.flags[uid] for uid in touched}, gone=gone)
            return await self._told(some, before, now)
        if self._horizon.edge is not None:
            within = await days.beyond(self._session, self._horizon.edge)
            changes.flags = {uid: some for uid, some in changes.flags.items() if spans.holds(within, uid)}
        return await self._all_told(changes, now)

    async def _keep_listing(self, digest: str, text: str) -> str:
        """The one that was kept before."""
        ground, number = self._reach.account.ground, self._reach.number
        before = await ground.read(lambda c: rows.listing(c, number))
        if text and listing.digest_of(before) != digest:
            await ground.transactions.write(lambda c: rows.keep_listing(c, number, text), lasting=False)
        return before

    async def _list_flags(self, within: Spans, changes: Changes) -> None:
        if within:
            async for one in self._session.fetch(within, ("FLAGS",)):
                # What a server tells by itself meanwhile may lie outside.
                if one.flags is not None and (within is EVERY or spans.holds(within, one.uid)):
                    changes.flags[one.uid] = one.flags

    async def _all_told(self, changes: Changes, now: Stand) -> Heard:
        few = len(changes.flags) <= rows.BATCH
        names = await self._names(changes.flags) if few else await self._every_name()
        return await self._heard(changes, names, now, gone=())

    async def _every_name(self) -> Names:
        number, state = self._reach.number, self._state
        return await self._reach.account.ground.read(lambda c: rows.names(c, number, state))

    # -- in the words of the port

    async def _heard(self, changes: Changes, names: Names, now: Stand, *, gone: Iterable[ItemId]) -> Heard:
        id_of = {uid: id for uid in changes.flags if (id := names.id(uid)) is not None}
        outside: frozenset[ItemId] = frozenset()
        edge = self._horizon.edge
        if edge is not None and not changes.whole:
            if undated := changes.flags.keys() - changes.received.keys():
                await self._fetch_flags(spans.of(undated), changes)
            # What has no date even now is gone.
            beyond = {uid for uid, at in changes.received.items() if at > edge}
            outside = frozenset(id for uid, id in id_of.items() if uid not in beyond)
        versions = await self._versions(changes, id_of, names)
        within = {id: version for id, version in versions.items() if id not in outside}
        drawn_ids: frozenset[ItemId] = frozenset()
        if edge is not None and self._horizon.conversations:
            more = await self._drawn(edge, {uid for uid, id in id_of.items() if id in within}, changes)
            within |= more
            drawn_ids = frozenset(more)
        outside -= within.keys()
        gone = frozenset(gone) - versions.keys()
        delta = Delta(
            token=str(now), touched=within, outside=outside, gone=() if changes.whole else gone,
            complete=changes.whole,
        )
        self._reach.heard(self._session)
        return Heard(
            delta=delta, look=Look(versions=within, outside=outside, drawn=drawn_ids), horizon=self._horizon
        )

    async def _drawn(self, edge: datetime, touched: set[int], changes: Changes) -> dict[ItemId, ItemVersion]:
        """Messages outside that are wanted for the sake of those touched within; and of those touched outside the ones
        that are wanted for any's."""
        found = await drawn.siblings(
            self._reach, self._session, self._state, edge, touched=touched,
            asked=frozenset(changes.flags.keys() - touched),
        )
        if not found:
            return {}
        more = Changes()
        await self._fetch_flags(spans.of(found), more)
        names = await self._names(more.flags)
        id_of = {uid: id for uid in more.flags if (id := names.id(uid)) is not None}
        return await self._versions(more, id_of, names)

    async def _versions(
        self, changes: Changes, id_of: Mapping[int, ItemId], names: Names
    ) -> dict[ItemId, ItemVersion]:
        flags = {id: changes.flags[uid] for uid, id in id_of.items()}
        found = await kept.notes(
            self._reach, self._session, flags, {id: uid for uid, id in id_of.items()}, noted=self._state.noted
        )
        versions = Versions(found)
        return {id: versions.of(id, some, names.content(id)) for id, some in flags.items()}


def unchanged(state: State, status: Status, since: Token | None, horizon: Horizon) -> Heard | None:
    """The delta if a status says that there is nothing in it; else it does not say enough."""
    before = tokens.parse(since)
    if before is None or not before.modseq or state.open or before != _stand(state, status):
        return None
    return Heard(delta=Delta(token=str(before)), look=Look(versions={}), horizon=horizon)


def _stand(state: State, status: Status) -> Stand:
    return Stand(
        epoch=state.epoch, validity=status.uid_validity or 0, modseq=status.highest_modseq or 0,
        uid_next=status.uid_next or 0, messages=status.messages or 0, counter=state.counter,
    )


def _same_on_server(before: Stand, now: Stand) -> bool:
    return (before.modseq, before.uid_next, before.messages) == (now.modseq, now.uid_next, now.messages)


__all__ = ["Changes", "DeltaReader", "Heard", "unchanged"]

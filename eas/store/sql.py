"""The state store: what the engine asks for and what an admin does, each as one transaction.

Whatever the database refuses for the moment (locked for too long, full, out of reach) leaves here as `Unavailable`;
a race that was lost is an answer, not an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from eas import measures
from eas.db.serving import alone_at_tidying
from eas.db.transactions import Transactions
from eas.engine.access import personal
from eas.engine.errors import Contended, Unavailable
from eas.engine.keys import Held
from eas.engine.model import Access, CollectionId, Device, Policy
from eas.engine.policybook import Assignee, Assignment
from eas.engine.ports import DegradedItem, Intent, Owner, Step, StoredBody
from eas.engine.wipes import Turn
from eas.items.native import ItemId

from . import activity_rows, degraded, device_passwords, devices, intents, moved_in, policies, states, wipes
from . import fleet as fleets
from .device_passwords import DevicePasswords
from .devices import Seen
from .errands import Errands
from .policy_store import Groups, PolicyStore
from .reaching import reachable
from .secrets import site_secret
from .tidying import Cleaning, Keep, cleanings

#: How long notes of requests are gathered before they are written: a page that shows "last seen" may be this old.
SEEN_SECONDS = 5.0

#: How long the results of effects are kept that no generation reports (a mail sent, an item moved), and open ones: a
#: device asks again within minutes; a week is a holiday without a network.
INTENT_DAYS = 7

#: How often a change that others undercut is tried again. Each loss means that another one got through.
TRIES = 8

log = structlog.get_logger("eas.store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """How many rows a clean-up has removed."""

    devices: int
    states: int
    intents: int
    notes: int = 0


async def no_groups(user_id: str) -> Sequence[str]:
    return ()


def _now() -> datetime:
    return datetime.now(UTC)


class SqlStateStore:
    """`StateStore` of eas.engine.ports. Close it before the transactions, so that what is gathered gets written."""

    def __init__(
        self,
        run: Transactions,
        groups: Groups = no_groups,
        *,
        now: Callable[[], datetime] = _now,
        seen_seconds: float = SEEN_SECONDS,
        release: str = "",
    ) -> None:
        """`release` of the program stands with what it could not convert."""
        self._run = run
        self._groups = groups
        self._now = now
        self._seen_seconds = seen_seconds
        self._release = release
        self.policing = PolicyStore(run, groups, now)
        self.passwords = DevicePasswords(run, now, lambda: site_secret(run, device_passwords.SECRET))
        self.wipes = wipes.WipeStore(run, now)
        self.errands = Errands(run)
        self._seen: dict[tuple[str, str], Seen] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None

    # -- devices

    async def device(self, user_id: str, device_id: str) -> Device | None:
        with reachable():
            found = await self._run.look(lambda c: devices.one(c, user_id, device_id))
        return None if found is None else self._observed(found)

    async def add_device(self, device: Device) -> Device:
        with reachable():
            for _ in range(TRIES):
                try:
                    return await self._run.write(lambda c: devices.add(c, wipes.inherited(c, device)))
                except IntegrityError:
                    if there := await self.device(device.user_id, device.id):
                        return there
        raise Contended(f"device {device.id} comes and goes")

    async def add_devices(self, new: Sequence[Device]) -> Sequence[Device]:
        """All in one transaction; those that were not there already."""
        with reachable():
            for _ in range(TRIES):
                with suppress(IntegrityError):
                    return await self._run.write(lambda c: moved_in.add(c, new))
        raise Contended("devices come while they are added")

    async def claim_device(self, user_id: str, device_id: str, type: str) -> Device | None:
        with reachable():
            return await self._run.write(lambda c: moved_in.claim(c, user_id, device_id, type))

    async def save_device(self, device: Device, *, lasting: bool = True) -> bool:
        """Agent, version and last seen are left as they are if a later request has been noted meanwhile."""
        with reachable():
            return await self._run.write(lambda c: wipes.saved(c, device), lasting=lasting)

    async def devices(self, user_id: str | None = None) -> Sequence[Device]:
        """All, or one user's, by user and id."""
        with reachable():
            found = await self._run.read(lambda c: devices.everyone(c, user_id))
        return [self._observed(device) for device in found]

    async def fleet(self) -> Sequence[fleets.FleetRow]:
        """All partnerships as far as lists need them; what was seen in the last seconds may be missing."""
        with reachable():
            return await self._run.read(fleets.fleet)

    async def remove_device(self, user_id: str, device_id: str) -> bool:
        """With all that is kept of it, but for a wipe: one that is not carried out yet is, if it comes back, and one
        that was wiped is still kept out. False if there is none."""
        def work(connection: Connection) -> bool:
            due = wipes.left_behind(connection, user_id, device_id, self._now())
            states.forget(connection, user_id, device_id, None)
            intents.forget_device(connection, user_id, device_id)
            activity_rows.forget(connection, user_id, device_id)
            policies.forget_device(connection, user_id, device_id)
            if not due:  # else it has to come in once more
                device_passwords.forget_device(connection, user_id, device_id)
            return devices.remove(connection, user_id, device_id)

        with reachable():
            removed = await self._run.write(work)
        self._seen.pop((user_id, device_id), None)
        return removed

    async def alter_device(
        self, user_id: str, device_id: str, change: Callable[[Device], Device]
    ) -> Device | None:
        """Store what `change` makes of the device, whoever else changes it at the same time, and give what is stored.

        `change` is asked again with the newer state after a lost race. None if there is no such device.
        """
        for _ in range(TRIES):
            found = await self.device(user_id, device_id)
            if found is None:
                return None
            changed = change(found)
            if changed == found:
                return found
            if await self.save_device(changed):
                return replace(changed, row=found.row + 1)
        raise Contended(f"device {device_id} is changed by too many requests at once")

    async def request_wipe(
        self, user_id: str, device_id: str, *, account_only: bool = False
    ) -> Device | None:
        """Have the device, or what it has of the account, wiped at its next request. A wipe of the same kind that is
        under way goes on as it is."""
        if await self.device(user_id, device_id) is None:
            return None
        with reachable():
            await self.wipes.ask(wipes.wanted(user_id, device_id, account_only, self._now()))
        return await self.device(user_id, device_id)

    async def cancel_wipe(self, user_id: str, device_id: str) -> Device | None:
        """Also lets a device in again whose wipe is done or has failed."""
        with reachable():
            for turn in (Turn.CANCEL, Turn.READMIT):
                await self.wipes.release(user_id, device_id, turn, "")
        return await self.device(user_id, device_id)

    async def set_access(
        self, user_id: str, device_id: str, access: Access, *, until: datetime | None = None, reason: str = ""
    ) -> Device | None:
        """What was decided of a device by name. What the server itself kept it out for is over."""
        return await self.alter_device(
            user_id, device_id, lambda d: personal(d, access, until, reason, self._now())
        )

    # -- requests, noted together

    async def seen(self, user_id: str, device_id: str, agent: str, version: str, at: datetime) -> None:
        """Costs no write now: they are gathered for some seconds. A crash loses the notes of these seconds."""
        self._note((user_id, device_id), Seen(agent=agent, version=version, at=at))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seen_seconds, self._start_flush)

    def _note(self, key: tuple[str, str], seen: Seen) -> None:
        there = self._seen.get(key)
        if there is None or there.at <= seen.at:
            self._seen[key] = seen

    def _observed(self, device: Device) -> Device:
        seen = self._seen.get((device.user_id, device.id))
        if seen is None or (device.last_seen is not None and seen.at < device.last_seen):
            return device
        return replace(device, agent=seen.agent, version=seen.version, last_seen=seen.at)

    def _start_flush(self) -> None:
        self._timer = None
        self._flushing = asyncio.get_running_loop().create_task(self._flush_later())

    async def _flush_later(self) -> None:
        try:
            await self.flush()
        except Unavailable as error:
            log.warning("requests could not be noted, trying again", reason=str(error), devices=len(self._seen))
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self._seen_seconds, self._start_flush)

    async def flush(self) -> None:
        """Write what has been noted of requests. Raises Unavailable, and then keeps it."""
        noted, self._seen = self._seen, {}
        if not noted:
            return
        try:
            with reachable():
                await self._run.write(lambda c: devices.see(c, noted.items()), lasting=False)
        except BaseException:
            for key, seen in noted.items():
                self._note(key, seen)
            raise

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            if self._flushing is not None:
                await self._flushing
            await self.flush()
        except Unavailable as error:
            log.warning("requests could not be noted", reason=str(error), devices=len(self._seen))

    # -- policies; `policing` has the rest

    async def policy(self, user_id: str, device: Device | None = None) -> Policy:
        return await self.policing.of(user_id, device)

    async def policies(self) -> Sequence[Policy]:
        return await self.policing.documents()

    async def assignments(self) -> Sequence[Assignment]:
        return await self.policing.assignments()

    async def save_policy(self, policy: Policy) -> None:
        await self.policing.save(policy)

    async def set_policy(self, assignee: Assignee, subject: str, policy: Policy, rank: int = 0) -> None:
        await self.policing.give(assignee, subject, policy, rank)

    async def clear_policy(self, assignee: Assignee, subject: str) -> None:
        await self.policing.assign(assignee, subject, None)

    async def remove_policy(self, name: str) -> bool:
        return await self.policing.remove(name)

    # -- collections

    async def load(self, owner: Owner) -> Held | None:
        with reachable():
            return await self._run.look(lambda c: states.load(c, owner))

    async def load_several(
        self, user_id: str, device_id: str, collections: Collection[CollectionId]
    ) -> Mapping[CollectionId, Held]:
        with reachable():
            return await self._run.look(lambda c: states.several(c, user_id, device_id, collections))

    async def held(self, user_id: str, device_id: str) -> Mapping[CollectionId, Held]:
        """What a device holds, by collection."""
        with reachable():
            return await self._run.read(lambda c: states.of_device(c, user_id, device_id))

    async def body(self, owner: Owner, key: str, base: int, listing: int) -> StoredBody:
        with reachable():
            return await self._run.read(lambda c: states.body(c, owner, key, base, listing))

    async def commit(self, owner: Owner, row: int, step: Step) -> bool:
        try:
            with reachable():
                await self._run.write(lambda c: states.commit(c, owner, row, step, self._release, self._now()))
        except states.Lost:
            measures.LOST_RACES[()].inc()
            return False
        return True

    async def forget(self, user_id: str, device_id: str, collection_id: CollectionId | None = None) -> None:
        """The effects that were written down stay, so that a device that begins again doubles nothing."""
        with reachable():
            await self._run.write(lambda c: states.forget(c, user_id, device_id, collection_id))

    # -- items that could not be converted

    async def degraded(self, user_id: str | None = None, device_id: str | None = None) -> Sequence[DegradedItem]:
        with reachable():
            return await self._run.read(lambda c: degraded.everything(c, user_id, device_id))

    async def drop_degraded(self, owner: Owner, ids: Collection[ItemId]) -> None:
        with reachable():
            await self._run.write(lambda c: degraded.drop(c, owner, ids))

    # -- effects

    async def intents(self, owner: Owner) -> Sequence[Intent]:
        """Oldest first."""
        with reachable():
            return await self._run.read(lambda c: intents.of_owner(c, owner))

    async def intend(self, owner: Owner, intent: Intent, *, proven: str = "") -> Intent:
        with reachable():
            for _ in range(TRIES):
                there = await self._run.look(lambda c: intents.same(c, owner, intent))
                if there is not None and not (proven and there.settled_key == proven):
                    return there
                over = there

                def write(connection: Connection, over: Intent | None = over) -> int:
                    if over is not None:
                        intents.forget(connection, owner, [over.id])
                    return intents.add(connection, owner, intent, self._now())

                try:
                    id = await self._run.write(write)
                except IntegrityError:
                    continue
                return replace(intent, id=id)
        raise Contended(f"{intent.verb} comes and goes")

    async def settle(self, owner: Owner, intent: Intent, result: str) -> None:
        with reachable():
            await self._run.write(lambda c: intents.settle(c, owner, intent.id, result))

    async def open_intents(self) -> int:
        """How many effects were begun, and nobody has told yet how they ended. Looks at all: not often."""
        with reachable():
            return await self._run.read(intents.count_open)

    @property
    def noted(self) -> int:
        """Devices of which a request is noted that is not written yet."""
        return len(self._seen)

    # -- what all processes of a site know

    async def site_secret(self, name: str) -> bytes:
        """The one of that name, which nobody sees who sees only Redis. Made by whoever asks first."""
        with reachable():
            return await site_secret(self._run, name)

    # -- clean-up

    async def tidy(self, keep: Keep | None = None, *, dry_run: bool = False) -> Tidied:
        """Drop devices that were not heard of for as long as `keep` says, what devices held that were silent for so
        long, effects that no generation reports any more, and what belongs to removed devices.

        Meant for once an hour or so; any number of processes may do it: one does, in small transactions. `dry_run`:
        nothing is dropped, only counted.
        """
        found = dict.fromkeys(("devices", "states", "intents", "notes"), 0)
        for step in cleanings(keep or Keep(intent_days=INTENT_DAYS), self._now()):
            with reachable():
                found[step.name] += await (self._run.read(step.count) if dry_run else self._carry_out(step))
        return Tidied(**found)

    async def _carry_out(self, step: Cleaning) -> int:
        """All of one, as far as nobody else is at it; requests come in between."""
        total, done = 0, step.some
        while done == step.some:
            done = await self._run.write(lambda c: step.do(c) if alone_at_tidying(c) else 0)
            total += done
            await asyncio.sleep(0)
        return total

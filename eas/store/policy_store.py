"""The policies as a process has them: in memory, and read again when a device's row says that they have changed.

A request reads its device's row anyway, which brings the revision of the policies along: which policy is in force then
costs no statement, and a change counts everywhere from the next request on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from eas.db.transactions import Transactions
from eas.engine.errors import Contended
from eas.engine.model import Device, Policy
from eas.engine.policybook import Assignee, Assignment, Book, PolicyError, Roll, check

from . import policies
from .reaching import reachable

R = TypeVar("R")

#: The names of a user's groups by the user's id, the most important first.
Groups = Callable[[str], Awaitable[Sequence[str]]]

#: How often a change that others undercut is tried again. Each loss means that another one got through.
TRIES = 8


class PolicyStore:
    """What may be done with policies. Every change is one transaction; PolicyError says why one does not fit."""

    def __init__(self, run: Transactions, groups: Groups, now: Callable[[], datetime]) -> None:
        self._run = run
        self._groups = groups
        self._now = now
        self._book: Book | None = None

    async def of(self, user_id: str, device: Device | None = None) -> Policy:
        groups = await self._groups(user_id)
        book = await self.book(-1 if device is None else device.policy_revision)
        return book.of(user_id, groups, "" if device is None else device.id, self._now())

    async def book(self, revision: int = -1) -> Book:
        """As it is at this revision or a later one; of now without one."""
        known = self._book
        if known is not None:
            if revision < 0:
                with reachable():
                    revision = await self._run.look(policies.revision)
            if known.revision >= revision:
                return known
        with reachable():
            found = await self._run.read(policies.book)
        if self._book is None or self._book.revision < found.revision:
            self._book = found
        return found

    async def documents(self) -> Sequence[Policy]:
        """As they are stored, by name; the default one is always among them."""
        with reachable():
            return await self._run.read(policies.everything)

    async def assignments(self) -> Sequence[Assignment]:
        with reachable():
            return await self._run.read(policies.assignments)

    async def save(self, policy: Policy) -> None:
        """Add it, or replace the one of its name for all who have it. The name "default" is for those who have none."""
        await self._change(lambda c: policies.save(c, policy))

    async def give(self, assignee: Assignee, subject: str, policy: Policy, rank: int = 0) -> None:
        """Save the policy and give it to a user (by id) or a group (by name)."""
        def work(connection: Connection) -> None:
            policies.save(connection, policy)
            policies.assign(connection, assignee, subject, policy.name, rank)

        await self._change(work)

    async def assign(self, assignee: Assignee, subject: str, name: str | None, rank: int = 0) -> None:
        """One that is stored; None takes the assignment back, the policy stays. Raises PolicyError."""
        def work(connection: Connection) -> None:
            _named(connection, name)
            policies.assign(connection, assignee, subject, name, rank)

        await self._change(work)

    async def remove(self, name: str) -> bool:
        """With its assignments and its roll-out. False if there is none of that name."""
        return await self._change(lambda c: policies.remove(c, name))

    async def override(
        self, user_id: str, device_id: str, name: str | None, until: datetime | None = None
    ) -> bool:
        """False if it was to be taken back and there was none. Raises PolicyError."""
        def work(connection: Connection) -> bool:
            _named(connection, name)
            return policies.override(connection, user_id, device_id, name, until)

        return await self._change(work)

    async def roll(self, name: str, change: Callable[[Book, Roll | None], Roll | None]) -> Roll | None:
        """Store what `change` makes of the roll-out of a policy (None: there is none, or it ends and all is as before),
        alone with the book as it is. What `change` raises goes through."""
        def work(connection: Connection) -> Roll | None:
            book = policies.book(connection)
            there = next((roll for roll in book.rolls if roll.policy == name), None)
            wanted = change(book, there)
            if wanted is None:
                policies.drop_roll(connection, name)
                return None
            if wanted.candidate is not None:
                check({**book.documents, name: wanted.candidate}, name)
            policies.put_roll(connection, wanted)
            return wanted

        return await self._change(work)

    async def finish(self, name: str) -> bool:
        """What a roll-out brings counts for all from now on, as if it had been stored at once. False if none is under
        way."""
        def work(connection: Connection) -> bool:
            book = policies.book(connection)
            found = next((roll for roll in book.rolls if roll.policy == name), None)
            if found is None:
                return False
            policies.drop_roll(connection, name)
            if found.candidate is not None:
                policies.save(connection, found.candidate)
            if found.assignment is not None:
                one = found.assignment
                policies.assign(connection, one.assignee, one.subject, one.policy, one.rank)
            return True

        return await self._change(work)

    async def claim(self, seconds: float) -> bool:
        """Whether this process is to look after the roll-outs now, and no other one within so many seconds."""
        with reachable():
            return await self._run.write(lambda c: policies.claim(c, self._now(), seconds), lasting=False)

    async def fleet(self) -> Sequence[Device]:
        """All devices as far as policies are concerned."""
        with reachable():
            return await self._run.read(policies.fleet)

    async def _change(self, work: Callable[[Connection], R]) -> R:
        def whole(connection: Connection) -> R:
            policies.raise_revision(connection)
            return work(connection)

        with reachable():
            for _ in range(TRIES):
                try:
                    return await self._run.write(whole)
                except IntegrityError:
                    continue  # somebody made the first change ever at the same time: now there is a row
        raise Contended("policies are changed by too many at once")


def _named(connection: Connection, name: str | None) -> None:
    if name is not None and all(found.name != name for found in policies.everything(connection)):
        raise PolicyError(f"no policy {name} is stored")

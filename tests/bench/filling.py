"""Mailboxes with much in them, and a server over them; filled through the embedded groupware, before the server starts.

A folder of 50,000 messages takes half a minute to fill; EAS_BENCH_DATA names a folder in which it is kept for the next
run (by what is in it), else all is made anew in a temporary one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from types import MappingProxyType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from letters import letter, received
from premises import BEN, Person, Premises
from serving import Server, cores

from eas.backends.embedded import items, prepare
from eas.backends.embedded.codec import millis
from eas.backends.embedded.groupware import Writing
from eas.backends.embedded.prepare import Prepared
from eas.engine.model import FolderType
from eas.items.native import MailFlags

__all__ = ["BEN", "Filled", "letter"]

#: Messages that are written in one transaction.
AT_ONCE = 500
#: Every third message is unread, as in a mailbox that somebody reads.
UNREAD = 3

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

Fill = Callable[[Premises, Sequence[Person]], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Filled:
    """A server on a core of its own, over a filled folder; the load runs on the others."""

    premises: Premises
    server: Server
    users: Sequence[Person]

    @classmethod
    @asynccontextmanager
    async def folder_of(cls, messages: int, *, bodies: bool = False) -> AsyncIterator[Filled]:
        """Ben's inbox with so many messages."""
        name = f"folder-{messages}{'-bodies' if bodies else ''}"
        async with cls._made(name, [BEN], partial(_fill_inbox, messages=messages, bodies=bodies)) as filled:
            yield filled

    @classmethod
    @asynccontextmanager
    async def users_with(cls, users: int, messages: int, **settings: str) -> AsyncIterator[Filled]:
        """So many users, each with so many messages. `settings` are those of the server, environment variables."""
        people = [Person(login=f"user{number}", password="secret") for number in range(users)]
        fill = partial(_fill_all, messages=messages)
        async with cls._made(f"users-{users}-{messages}", people, fill, settings) as filled:
            yield filled

    @classmethod
    @asynccontextmanager
    async def _made(
        cls, name: str, people: Sequence[Person], fill: Fill, settings: Mapping[str, str] = NO_SETTINGS
    ) -> AsyncIterator[Filled]:
        home = Path(tempfile.mkdtemp(prefix="eas-bench-"))
        alone, others = cores()
        os.sched_setaffinity(0, others)
        try:
            await _provide(home / "data", name, people, fill)
            async with Premises.opened(home / "data") as premises:
                server = Server(data=home / "data", settings={"EAS_DOMAIN": "example.test", **settings}, core=alone)
                with server:
                    yield cls(premises=premises, server=server, users=people)
        finally:
            await asyncio.to_thread(shutil.rmtree, home)

    async def deliver(self, person: Person, message: bytes) -> None:
        """Into the inbox; the server is told."""
        await self.premises.deliver(person.login, message)


async def _provide(data: Path, name: str, people: Sequence[Person], fill: Fill) -> None:
    kept = os.environ.get("EAS_BENCH_DATA")
    if kept and (Path(kept) / name).is_dir():
        await asyncio.to_thread(shutil.copytree, Path(kept) / name, data)
        return
    await asyncio.to_thread(data.mkdir, parents=True)
    began = perf_counter()
    async with Premises.opened(data) as premises:
        for person in people:
            await premises.add(person)
        await fill(premises, people)
    print(f"filled {name} in {perf_counter() - began:.0f} s")
    if kept:
        await asyncio.to_thread(shutil.copytree, data, Path(kept) / name)


async def _fill_inbox(premises: Premises, people: Sequence[Person], messages: int, bodies: bool) -> None:
    folder = int((await premises.folder(people[0].login, FolderType.INBOX)).id)
    for first in range(0, messages, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, messages))
        prepared = [prepare.message(letter(number, bodies=bodies), received(number)) for number in numbers]
        await premises.embedded.groupware.write(partial(_store, folder=folder, first=first, prepared=prepared))


async def _fill_all(premises: Premises, people: Sequence[Person], messages: int) -> None:
    prepared = [prepare.message(letter(number), received(number)) for number in range(messages)]
    for person in people:
        folder = int((await premises.folder(person.login, FolderType.INBOX)).id)
        await premises.embedded.groupware.write(partial(_store, folder=folder, first=0, prepared=prepared))


def _store(tx: Writing, folder: int, first: int, prepared: Sequence[Prepared]) -> None:
    for number, one in enumerate(prepared, first):
        flags = MailFlags(read=number % UNREAD != 0)
        items.create(tx, folder, one, None, flags, millis(received(number)))

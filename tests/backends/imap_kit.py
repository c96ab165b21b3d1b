"""What tests of the IMAP client share: accounts at the real servers, sessions, a server that says what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from groupware.mail import MailServer

from eas.backends.embedded.groupware import Groupware
from eas.backends.imap.login import enter, identity
from eas.backends.imap.model import Fetched
from eas.backends.imap.session import ImapSession
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import ImapServer, Security, Tenant
from eas.engine.model import Secret, User

FLAVOURS = ("dovecot", "dovecot_condstore", "dovecot_plain", "cyrus")


def server_of(server: MailServer, **more: Any) -> ImapServer:
    """With TLS, as configured by whoever takes care."""
    return ImapServer(**{"host": server.host, "port": server.imaps_port, "ca_file": server.ca_file, **more})


def account_of(server: ImapServer, login: str, password: str, *, bearer: bool = False, tenant: str = "t") -> Account:
    """Without a ground: the client has nothing in the database."""
    return Account(
        user=User(id=login, login=login, address=login, addresses=(login,), name=""),
        tenant=Tenant(name=tenant, imap=server), login=login, secret=Secret(value=password, bearer=bearer),
        ground=cast(Groupware, None),
    )  # fmt: skip


@asynccontextmanager
async def entered(server: MailServer, login: str, **more: Any) -> AsyncIterator[ImapSession]:
    where = server_of(server, **more)
    session = await enter(where, identity(where, login, Secret(value=server.password(login))))
    try:
        yield session
    finally:
        await session.close()


async def fetched(session: ImapSession, *items: str, spans: Any = ((1, 2**31),), **more: Any) -> list[Fetched]:
    return [one async for one in session.fetch(spans, items, **more)]


class Script:
    """A server on loopback of which a test writes the lines. `said` is what clients have said, without tags."""

    def __init__(self, talk: Callable[[Script, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.talk = talk
        self.said: list[bytes] = []
        self.connections = 0
        self.greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n"

    @asynccontextmanager
    async def running(self, *, timeout_seconds: float = 60.0, **more: Any) -> AsyncIterator[ImapServer]:
        """A test that wants a time-out has it later, by `impatient` or a server's copy: nobody is to lose a connection
        for a machine that stands still."""
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = cast("asyncio.Task[None]", asyncio.current_task())
            tasks.add(task)
            self.connections += 1
            try:
                writer.write(self.greeting)
                await self.talk(self, reader, writer)
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 20)
        port = server.sockets[0].getsockname()[1]
        try:
            yield ImapServer(
                host="127.0.0.1", port=port, security=Security.NONE, timeout_seconds=timeout_seconds, **more
            )
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


#: Seconds until somebody who is to give up does.
BRIEFLY = 0.5


def impatient(session: ImapSession) -> None:
    """From now on."""
    session.connection.timeout_seconds = BRIEFLY


Answer = bytes | Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


def answering(answers: dict[bytes, Answer]) -> Script:
    """Says OK to everything, after `answers` by the command's first word (UID commands: the second); `%s` in octets is
    the tag, and with it nothing is added. A function is given the writer and the tag."""

    async def talk(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            tag, _, rest = line.strip().partition(b" ")
            script.said.append(rest)
            words = rest.upper().split()
            word = words[1] if words[0] == b"UID" else words[0]
            answer = answers.get(word, b"")
            if callable(answer):
                await answer(writer, tag)
                continue
            whole = b"%s" in answer
            writer.write(answer.replace(b"%s", tag) if whole else answer + tag + b" OK done\r\n")
            await writer.drain()

    return Script(talk)

"""ImapSession: a logged-in connection with all of `model.Session`, and waiting for news. RFC 2177 (IDLE), 5465."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from .connection import accepted
from .mailboxes import Mailboxes
from .messages import Messages
from .model import Fetched, Listed, No
from .responses import Counted, Exists, Expunged, Go, Other, Said, Untagged, Vanished

#: Seconds in one IDLE: servers end a connection after 30 minutes without a command, NAT routers often sooner.
_IDLE_SECONDS = 9 * 60.0
#: Seconds between two NOOPs where IDLE is not offered.
_NOOP_SECONDS = 30.0
_EVENTS = b"MessageNew MessageExpunge FlagChange"
#: Folders made, renamed and removed. A server need not know these events (RFC 5465, 5.5).
_OF_FOLDERS = b" MailboxName"


class ImapSession(Mailboxes, Messages):
    """What `login.enter` makes; one task at a time uses it."""

    @property
    def clean(self) -> bool:
        """Somebody else may have it: it lives, nothing is under way, and it is as it was after the login."""
        return self.connection.alive and self.connection.idle and not self.special

    def catch_up(self) -> bool:
        """Takes what came while nobody listened; False if the connection has ended."""
        try:
            for response in self.connection.waiting():
                if not isinstance(response, bytes):
                    self.connection.heard(response, self.news)
        except Exception:  # whatever it sent that cannot be read: nobody asked, so the connection is given up
            self.connection.wire.abort()
        return self.connection.alive

    def end(self) -> None:
        """Says good-bye, if nothing is under way, and closes in the background."""
        wire = self.connection.wire
        if self.connection.alive and self.connection.idle:
            wire.write(b"ZZ LOGOUT\r\n")
            wire.close()
        else:
            wire.abort()

    async def close(self) -> None:
        self.end()
        await self.connection.wire.closed()

    # Waiting.

    async def notify(self, selected: str = "") -> bool:
        """See `model.Session`. `selected` is opened, and told of as well."""
        if not self.offers("NOTIFY"):
            return False
        if selected:
            await self.select(selected)
        self.special = True
        here = b"(selected (" + _EVENTS + b")) " if selected else b""
        for more in (_OF_FOLDERS, b""):
            with suppress(No):
                await self.ask(b"NOTIFY SET ", here, b"(personal (", _EVENTS, more, b"))")
                return True
        return False

    async def idle(self, seconds: float) -> AsyncGenerator[frozenset[str], None]:
        """See `model.Session`. What is told of the selected mailbox counts as news of it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        wait = self._idle if self.offers("IDLE") else self._poll
        while (left := until - loop.time()) > 0:
            async with aclosing(wait(left)) as news:
                async for names in news:
                    yield names

    async def _poll(self, seconds: float) -> AsyncGenerator[frozenset[str], None]:
        await asyncio.sleep(min(seconds, _NOOP_SECONDS))
        heard: set[str] = set()

        def hear(response: Untagged) -> bool:
            heard.update(self._news_of(response))
            return self.news(response)

        self.done(await self.connection.command(b"NOOP", hear=hear))
        if heard:
            yield frozenset(heard)

    async def _idle(self, seconds: float) -> AsyncGenerator[frozenset[str], None]:
        """What is told while IDLE begins and ends counts as well."""
        connection, loop = self.connection, asyncio.get_running_loop()
        until = loop.time() + min(seconds, _IDLE_SECONDS)
        heard: set[str] = set()

        def hear(response: Untagged) -> bool:
            heard.update(self._news_of(response))
            return self.news(response)

        await connection.settle(hear)
        tag, said = connection.begin(), None
        try:
            said = await connection.send(tag, [b"IDLE"], hear)
            said = said or await connection.until(tag, hear, go=True)
            while said is None and (left := until - loop.time()) > 0:
                if heard:
                    names = frozenset(heard)
                    heard.clear()
                    yield names
                try:
                    responses = await connection.read(left)
                except TimeoutError:
                    break
                for response in responses:
                    if isinstance(response, Said) and response.tag == tag:
                        said = response
                    elif not isinstance(response, bytes | Go):
                        connection.heard(response, hear)
        except (GeneratorExit, asyncio.CancelledError):
            if connection.alive and said is None:
                connection.wire.write(b"DONE\r\n")
                connection.abandon(tag)
            raise
        if said is None:
            connection.wire.write(b"DONE\r\n")
            said = await connection.until(tag, hear)
        connection.end(tag)
        assert said is not None
        self.done(accepted(said))
        if heard:
            yield frozenset(heard)

    def _news_of(self, response: Untagged) -> set[str]:
        if isinstance(response, Counted | Listed):
            return {response.name}
        if self.selected is not None and (
            isinstance(response, Exists | Expunged | Vanished | Fetched)
            or (isinstance(response, Other) and response.kind == "FETCH")
        ):
            return {self.selected.name}
        return set()

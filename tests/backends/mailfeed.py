"""The feed of a mailbox on a real server, and another mail program at work in it: what tests of the mail feed share."""

from __future__ import annotations

import imaplib
from typing import Any

from mailhome import MailHome

from eas.backends.imap.feed import ImapFeed
from eas.engine.model import FolderType
from eas.engine.ports import Chosen, Delta, Horizon
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.native import ItemId, Mail

ALL = Horizon()
TEXT = Wanted(preferences=(BodyPreference(type=BodyType.TEXT, truncation_size=500),))
SERVERS = ("dovecot", "dovecot_condstore", "dovecot_plain", "cyrus")


async def feed_of(home: MailHome, which: str | FolderType = FolderType.INBOX) -> ImapFeed:
    return ImapFeed(home.account, home.pool, await home.at(which), home.resolve)


def chosen(name: str) -> Chosen:
    return Chosen(name=name)


async def one(feed: ImapFeed, id: ItemId, wanted: Wanted | None = None) -> Mail:
    [mail] = [mail async for mail in feed.fetch([id], wanted)]
    assert isinstance(mail, Mail)
    return mail


class Other:
    """Another mail program, in one folder."""

    def __init__(self, home: MailHome, folder: str = "INBOX") -> None:
        self._home, self._folder = home, folder

    def do(self, *commands: str, folder: str = "") -> list[Any]:
        """UID commands: "STORE 1 +FLAGS (\\Seen)"; others as they are after "!"."""
        said = []
        with self._home.server.imap(self._home.login, folder or self._folder) as client:
            for text in commands:
                if text.startswith("!"):
                    name, *rest = text[1:].split(" ")
                    status, data = getattr(client, name.lower())(*rest)
                else:
                    name, rest_text = text.split(" ", 1)
                    status, data = client.uid(name, rest_text)
                assert status == "OK", (text, data)
                said.append(data)
        return said

    def flags(self, uid: int) -> set[str]:
        [[line]] = self.do(f"FETCH {uid} (FLAGS)")
        return {flag.decode() for flag in imaplib.ParseFlags(line)} - {"\\Recent"}


def uid(id: ItemId) -> int:
    return id & 0xFFFF_FFFF


async def changes(feed: ImapFeed, since: Delta, horizon: Horizon = ALL) -> Delta:
    delta = await feed.delta(since.token, horizon)
    again = await feed.delta(delta.token, horizon)
    assert (again.token, dict(again.touched), list(again.gone), again.complete) == (delta.token, {}, [], False)
    return delta

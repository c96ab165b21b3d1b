"""Groupwares on real servers, for the tests of the contract: one factory a set of servers.

Each test has users of its own; the servers, which all tests share, keep them apart.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from groupware.cyrus import Cyrus
from groupware.dovecot import Dovecot
from groupware.gateway import backend
from groupware.radicale import Radicale
from groupware.smtp import Sink
from groupware.xandikos import Xandikos
from worlds import NAMES, EmbeddedWorld, Factory

from eas.app.tenants import tenants_of
from eas.backends.standards.accounts import StandardAccounts
from eas.config import load
from eas.engine.model import Folder, Right, User
from eas.engine.ports import Directory, Mailbox, Outbox

if TYPE_CHECKING:
    from eas.backends.standards.servers import StandardServers

NO_SHARING = "who may see a folder is for the server to say, and each user has ids of their own"
NO_LOCK = "there is no store of ours that could be locked"


@dataclass
class StandardWorld:
    """`ground` is our own database; `logins` are the servers' users by their name here."""

    ground: EmbeddedWorld
    servers: StandardServers
    accounts: StandardAccounts
    logins: dict[str, tuple[str, str]]
    users: dict[str, User] = field(default_factory=dict)

    @classmethod
    async def make(
        cls, template: Path, folder: Path, mail: Dovecot | Cyrus, dav: Radicale | Xandikos | Cyrus, sink: Sink,
        **more: Any,
    ) -> StandardWorld:
        # As the gateway does: its libraries take as long to import as all the rest.
        from eas.backends.standards.servers import StandardServers

        backends = {"tests": backend(mail, sink, dav=dav, **more)}
        settings = load(overrides={"data": folder, "domain": "example.com", "backends": backends}, environment={})
        ground = await EmbeddedWorld.make(template, folder)
        servers = StandardServers(ground.embedded)
        accounts = StandardAccounts(
            tenants_of(settings), servers, ground.embedded.groupware, ground.embedded.accounts,
            default_domain="example.com", monotonic=asyncio.get_running_loop().time,
        )
        servers.refused = accounts.forget
        world = cls(ground, servers, accounts, {name: new_user(name, mail, dav, sink) for name in NAMES})
        try:
            await asyncio.gather(*(world._enter(name) for name in NAMES))
        except BaseException:
            await world.close()
            raise
        return world

    async def _enter(self, name: str) -> None:
        user = await self.accounts.verify(*self.logins[name])
        assert user is not None, name
        self.users[name] = user

    def ports(self, name: str) -> tuple[Mailbox, Directory, Outbox]:
        return self.accounts.open(self.users[name])

    def mailbox(self, name: str) -> Mailbox:
        return self.ports(name)[0]

    async def share(self, owner: str, folder: Folder, to: str, right: Right) -> None:
        pytest.skip(NO_SHARING)

    def locked(self) -> AbstractAsyncContextManager[None]:
        pytest.skip(NO_LOCK)

    async def close(self) -> None:
        await self.servers.close()
        await self.ground.close()


def new_user(name: str, mail: Dovecot | Cyrus, dav: Radicale | Xandikos | Cyrus, sink: Sink) -> tuple[str, str]:
    """Known to all of them."""
    login, password = mail.new_user(name)
    if isinstance(dav, Radicale | Xandikos):
        dav.adopt(login, password)
    sink.users.passwords[login] = password
    return login, password


async def _one_server(template: Path, folder: Path, cyrus: Cyrus, sink: Sink) -> StandardWorld:
    return await StandardWorld.make(template, folder, cyrus, cyrus, sink)


FACTORIES: dict[str, Factory] = {
    "dovecot+radicale": Factory(make=StandardWorld.make, servers=("dovecot", "radicale", "mail_sink")),
    "cyrus": Factory(make=_one_server, servers=("cyrus", "mail_sink")),
    "dovecot plain+xandikos": Factory(make=StandardWorld.make, servers=("dovecot_plain", "xandikos", "mail_sink")),
}

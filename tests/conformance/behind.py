"""A gateway in memory in front of real servers, with anna and ben, for the cases and for stories with two sides.

What somebody submits is delivered: the submission server hands it to the mail server of those recipients that it knows.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from groupware.cyrus import Cyrus
from groupware.dav import DavHost
from groupware.dovecot import Dovecot
from groupware.gateway import backend
from groupware.radicale import Radicale
from groupware.slapd import Slapd
from groupware.smtp import Sink, Taken
from groupware.xandikos import Xandikos
from lab import Login
from library_kit import furnish

from eas import app as composition
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.config import load
from eas.protocol.version import Version

DOMAIN = "example.com"
HOST = "http://mail.example.com"
DOCUMENTS = "\\\\documents\\library"
#: What the address list has of everybody beside their names.
PERSON: Mapping[str, Any] = {
    "title": "Cook", "o": "Example", "physicalDeliveryOfficeName": "B 2", "telephoneNumber": "+49 30 1234",
    "homePhone": "+49 30 5678", "mobile": "+49 170 9012", "jpegPhoto": b"\xff\xd8\xff" + b"photo" * 100,
}


@dataclass(kw_only=True)
class Behind:
    """`dav` is None where calendars and contacts are kept in the gateway. `more` are settings over the usual ones."""

    mail: Dovecot | Cyrus
    sink: Sink
    dav: Radicale | Xandikos | Cyrus | None = None
    directory: Slapd | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def person(self, name: str, **entry: Any) -> Login:
        """Somebody new whom all the servers know. `entry`: what the address list has, over PERSON, None for not."""
        login, password = self.mail.new_user(name)
        if isinstance(self.dav, Radicale | Xandikos):
            self.dav.adopt(login, password)
        if self.directory is not None:
            told = {**PERSON, **entry}
            self.directory.adopt(login, password, **{name: value for name, value in told.items() if value})
        self.sink.users.passwords[login] = password
        return Login(user=login, password=password, address=login)

    def settings(self, data: Path) -> dict[str, Any]:
        made = {**backend(self.mail, self.sink, dav=self.dav, directory=self.directory), **self.more}
        return {"data": data, "domain": DOMAIN, "backends": {"tests": made}}

    def dav_side(self) -> DavHost:
        """Another client's access to the calendars and contacts."""
        assert self.dav is not None
        return self.dav.dav if isinstance(self.dav, Cyrus) else self.dav

    def home(self, login: str, kind: str) -> str:
        """The path of somebody's calendar, tasks or contacts."""
        match self.dav:
            case Cyrus():
                return f"/dav/{'addressbooks' if kind == 'contacts' else 'calendars'}/user/{login}/Default/"
            case Xandikos():
                return f"/{login}/contacts/addressbook/" if kind == "contacts" else f"/{login}/calendars/calendar/"
            case _:
                return f"/{login}/{kind}/"

    def _deliver(self, taken: Taken) -> None:
        for recipient in dict.fromkeys(taken.recipients):
            if recipient in self.mail.users.passwords:
                with _noted():
                    self.mail.deliver(recipient, taken.octets, taken.sender)

    @asynccontextmanager
    async def gateway(self, folder: Path) -> AsyncIterator[Gateway]:
        (folder / "data").mkdir(parents=True)
        library = folder / "library"
        library.mkdir()
        furnish(library)
        self.sink.route = self._deliver
        settings = {**self.settings(folder / "data"), "documents.shares": [f"library={library}"]}
        async with composition.build(load(overrides=settings, environment={})) as app:
            gateway = Gateway(behind=self, app=app)
            try:
                yield gateway
            finally:
                await gateway.close()


class _noted:
    """A mail server that refuses somebody's mail is no trouble of the one who sent it: a bounce would follow."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        return isinstance(error, smtplib.SMTPException)


@dataclass(kw_only=True)
class Gateway:
    behind: Behind
    app: composition.App
    open: list[Connection] = field(default_factory=list)

    def line(self) -> httpx.AsyncClient:
        """For requests that are said element by element."""
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app.asgi), base_url=HOST)
        client.headers.clear()
        return client

    def phone(self, login: Login, device: str = "PHONE1", version: Version = Version.V16_1) -> Phone:
        """A device that is not set up yet."""
        line = Connection(
            HOST, Credentials(user=login.user, password=login.password), Identity(device_id=device), version=version,
            transport=httpx.ASGITransport(self.app.asgi),
        )
        self.open.append(line)
        return Phone(DeviceState(url=HOST, user=login.user, device_id=device), line)

    async def close(self) -> None:
        await asyncio.gather(*(line.close() for line in self.open))

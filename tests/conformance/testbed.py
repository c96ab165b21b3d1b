"""A data folder with two people, a real server on it, and devices: what the tests that kill and disturb it stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from secrets import token_hex

from ledger import Listing, in_store
from premises import ANNA, BEN, Person, Premises
from serving import Server

from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.protocol.version import Version


def message(subject: str, to: Person = ANNA) -> bytes:
    """Plain text; the Message-ID is made of the subject."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = "Carla <carla@elsewhere.test>", to.address, subject
    made["Date"], made["Message-ID"] = "Mon, 2 Mar 2026 09:00:00 +0000", f"<{subject.replace(' ', '.')}@elsewhere.test>"
    made.set_content(f"About {subject}.\n")
    return made.as_bytes()


@dataclass(slots=True, kw_only=True)
class Testbed:
    """The server is not started yet."""

    __test__ = False

    premises: Premises
    server: Server
    anna: Person = ANNA
    ben: Person = BEN

    @classmethod
    @asynccontextmanager
    async def made(cls, folder: Path, **settings: str) -> AsyncIterator[Testbed]:
        """In `folder`, an empty one. `settings` are the server's, as environment variables."""
        data = folder / "data"
        data.mkdir()
        async with Premises.opened(data) as premises:
            for person in (ANNA, BEN):
                await premises.add(person)
            server = Server(data=data, settings={"EAS_DOMAIN": "example.test", **settings})
            try:
                yield cls(premises=premises, server=server)
            finally:
                server.stop()

    @classmethod
    @asynccontextmanager
    async def beside(cls, server: Server, number: int) -> AsyncIterator[Testbed]:
        """On a server that others use, too, with two people of one's own."""
        anna, ben = (Person(login=f"{person.login}{number}", password=person.password) for person in (ANNA, BEN))
        async with Premises.opened(server.data) as premises:
            for person in (anna, ben):
                await premises.add(person)
            yield cls(premises=premises, server=server, anna=anna, ben=ben)

    @asynccontextmanager
    async def phone(self, person: Person, *, version: Version = Version.V14_1) -> AsyncIterator[Phone]:
        """A device with no past, under a name of its own."""
        identity = Identity(device_id=f"phone{token_hex(6)}")
        credentials = Credentials(user=person.login, password=person.password)
        async with Connection(self.server.url, credentials, identity, version=version) as connection:
            yield Phone(DeviceState.new(identity.device_id), connection)

    async def deliver(self, person: Person, subject: str) -> None:
        await self.premises.deliver(person.login, message(subject, person))

    async def stored(self, person: Person) -> Listing:
        """What lies in the store."""
        user = await self.premises.user(person.login)
        return await in_store(await self.premises.mailbox(person.login), user)

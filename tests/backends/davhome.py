"""One user of a DAV server, with feeds over the collections that the server has, and the other side as plain HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from groupware.dav import Answer, DavHost
from sqlalchemy import insert, update
from worlds import EmbeddedWorld

from eas.backends.dav import cache
from eas.backends.dav.client import DavClients
from eas.backends.dav.feed import DavFeed
from eas.backends.dav.model import Changes, CollectionInfo, Collections, Object
from eas.backends.dav.objects import COMPONENT
from eas.backends.standards.ports import Account, Numbered, Place
from eas.backends.standards.tables import PlaceRow
from eas.backends.standards.tenant import DavServer, Tenant
from eas.engine.model import FolderType, Right, Secret

TYPE_OF = {
    "Calendar": FolderType.CALENDAR, "Tasks": FolderType.TASKS, "Contacts": FolderType.CONTACTS,
    "Notes": FolderType.NOTES,
}


@dataclass
class Counting:
    """The client, counting what is asked of it; what `faults` holds for a call is raised before it, or (a pair with
    "after") once it is done."""

    client: Any
    calls: list[str] = field(default_factory=list)
    faults: dict[int, tuple[str, BaseException]] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.client, name)

        async def call(*args: Any, **named: Any) -> Any:
            when, fault = self.faults.get(len(self.calls), ("", None))
            self.calls.append(name)
            if fault is not None and when == "before":
                raise fault
            result = await real(*args, **named)
            if fault is not None:
                raise fault
            return result

        return call


@dataclass
class Home:
    world: EmbeddedWorld
    server: DavHost
    login: str
    account: Account
    clients: DavClients
    client: Counting
    places: dict[str, Numbered] = field(default_factory=dict)

    @classmethod
    async def make(cls, server: Any, template: Path, folder: Path, *, who: str = "anna") -> Home:
        world = await EmbeddedWorld.make(template, folder)
        login, password = server.new_user()
        server = getattr(server, "dav", server)  # of a server that has mail as well
        clients = DavClients()
        tenant = Tenant(name="t", dav=DavServer(url=server.url, ca_file=getattr(server, "ca_file", "")))
        account = Account(
            user=world.users[who], tenant=tenant, login=login, secret=Secret(password), ground=world.embedded.groupware
        )
        home = cls(world, server, login, account, clients, Counting(clients.of(account)))
        await home.find()
        return home

    async def find(self) -> None:
        """Number the first collection of each class. One that is for several is a place for each."""
        client = self.clients.of(self.account)
        principal = await client.discover()
        for info in await client.collections([*principal.calendar_homes, *principal.addressbook_homes]):
            main = True
            for item_class in _classes_of(info):
                if item_class not in self.places:
                    mark = "" if main else f"#{COMPONENT[item_class]}"
                    await self.number(item_class, info.href + mark, item_class)
                main = False

    async def number(self, name: str, locator: str, item_class: str, **more: Any) -> Numbered:
        """Make a place known under `name`."""
        place = Place(locator=locator, parent="", name=name, type=TYPE_OF[item_class], item_class=item_class, **more)
        values = {"user_id": self.account.user.id, "source": "dav", "locator": locator, "chosen": None}
        number = await self.account.ground.write(
            lambda tx: tx.connection.execute(insert(PlaceRow).values(**values).returning(PlaceRow.number)).scalar_one()
        )
        self.places[name] = Numbered(number=number, place=place)
        return self.places[name]

    async def another(self, item_class: str, name: str, **more: Any) -> Numbered:
        """A second collection of a class, made on the server."""
        above = self.path(item_class).rstrip("/").rpartition("/")[0]
        href = f"{above}/{name}/"
        kind = "addressbook" if item_class == "Contacts" else "calendar"
        component = "" if item_class == "Contacts" else COMPONENT[item_class]
        await self.clients.of(self.account).make(href, kind=kind, name=name, component=component)
        return await self.number(name, href, item_class, **more)

    async def forget(self, name: str) -> None:
        number = self.places[name].number
        await self.account.ground.write(lambda tx: tx.connection.execute(
            update(PlaceRow).where(PlaceRow.number == number).values(present=False)
        ))

    async def resolve(self, id: str) -> Numbered | None:
        return next((one for one in self.places.values() if str(one.number) == id), None)

    def feed(self, name: str, *, right: Right | None = None, client: Collections | None = None) -> DavFeed:
        at = self.places[name]
        if right is not None:
            at = replace(at, place=replace(at.place, right=right))
        return DavFeed(self.account, client or self.client, at, self.resolve)

    def another_process(self) -> None:
        """Feeds that are made from now on remember nothing of what others have read."""
        cache._SHARED.clear()

    def id(self, name: str) -> str:
        return str(self.places[name].number)

    # -- the other side

    def path(self, name: str, file: str = "") -> str:
        return self.places[name].place.locator.partition("#")[0] + file

    def put(self, name: str, file: str, data: bytes, **headers: str) -> Answer:
        return self.server.put(self.path(name, file), self.login, data, **headers)

    def delete(self, name: str, file: str = "") -> None:
        answer = self.server.request("DELETE", self.path(name, file), self.login)
        assert answer.status in (200, 204), answer

    def get(self, name: str, file: str) -> bytes:
        answer = self.server.request("GET", self.path(name, file), self.login)
        assert answer.status == 200, answer
        return answer.body

    async def files(self, name: str) -> dict[str, bytes]:
        """What lies in a collection, by last segment."""
        client, href = self.clients.of(self.account), self.path(name)
        kind = "addressbook" if self.places[name].place.item_class == "Contacts" else "calendar"
        listed = await client.changes(href, "", kind=kind)
        objects = await client.multiget(href, list(listed.changed), kind=kind)
        return {one.href.rpartition("/")[2]: one.data for one in objects}

    async def close(self) -> None:
        await self.clients.close()
        await self.world.close()


def _classes_of(info: CollectionInfo) -> list[str]:
    if info.kind == "addressbook":
        return ["Contacts"]
    classes = ("Calendar", "Tasks", "Notes")
    return [one for one in classes if not info.components or COMPONENT[one] in info.components]


@dataclass
class Scripted:
    """A server in memory that says what a test lets it say, for what no real one says on demand."""

    objects: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    token: int = 1
    states: bool = True
    listing: Mapping[str, str] | None = None
    calls: list[str] = field(default_factory=list)

    async def state(self, href: str) -> str:
        self.calls.append("state")
        return f"ctag:{self.token}" if self.states else ""

    async def changes(self, href: str, since: str, *, kind: str) -> Changes:
        self.calls.append("changes")
        listed = {name: etag for name, (etag, _) in self.objects.items()} if self.listing is None else self.listing
        self.listing = None
        return Changes(token=f"ctag:{self.token}", changed=dict(listed), complete=True)

    async def multiget(self, href: str, hrefs: Sequence[str], *, kind: str) -> Sequence[Object]:
        self.calls.append("multiget")
        return [
            Object(href=name, etag=self.objects[name][0], data=self.objects[name][1])
            for name in hrefs if name in self.objects
        ]


def todo(uid: str, summary: str, *more: str) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VTODO", f"UID:{uid}"]
    lines += ["DTSTAMP:20261101T000000Z", f"SUMMARY:{summary}", *more, "END:VTODO", "END:VCALENDAR", ""]
    return "\r\n".join(lines).encode()


def journal(uid: str, summary: str, at: datetime) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VJOURNAL", f"UID:{uid}"]
    lines += [f"DTSTAMP:{at:%Y%m%dT%H%M%SZ}", f"SUMMARY:{summary}", "END:VJOURNAL", "END:VCALENDAR", ""]
    return "\r\n".join(lines).encode()

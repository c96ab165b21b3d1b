"""A user's calendars, task lists, notes and address books on a DAV server, as a source of folders.

`places` says which folders there are and how their locators are made. An object is made for each request and holds
nothing; what is remembered is the client's, and in a row of ours which folders are the default ones.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256

import structlog
from sqlalchemy import Connection, insert, select, update

from eas.backends.embedded.codec import millis
from eas.backends.embedded.groupware import Writing
from eas.backends.standards.ports import Account, Hit, Numbered, Place
from eas.backends.standards.tables import KeptRow
from eas.engine.errors import FolderExists, FolderGone, NotAllowed, Unavailable
from eas.engine.model import CollectionId, FolderType, Right
from eas.engine.ports import Chosen, Feed, MailQuery

from . import searching
from .client import DavClient
from .errors import GONE, translated
from .feed import DavFeed
from .hrefs import canonical, is_below, member
from .model import CollectionInfo, LoginRefused, Principal, Refused
from .places import CLASS_OF_TYPE, CLASSES, collection_of, components, laid_out, locator_of

log = structlog.get_logger("eas.dav")

Resolve = Callable[[CollectionId], Awaitable[Numbered | None]]

#: Under which the locators of the default folders are kept, by class.
_DEFAULTS = "dav.defaults"
#: Requests at a time that empty a folder: more would keep other users from the server.
_AT_A_TIME = 4
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class DavSource:
    """`places`, of this object or of another one with the same clients, comes before `planned`."""

    name = "dav"

    def __init__(self, account: Account, client: DavClient, classes: frozenset[str], resolve: Resolve) -> None:
        self._account, self._client, self._classes, self._resolve = account, client, classes, resolve

    # --- Folders ------------------------------------------------------------------------------------------------------

    async def places(self) -> Sequence[Place]:
        with translated():
            principal = await self._client.discover()
            infos = await self._infos(principal)
            remembered = await self._account.ground.look(self._remembered)
            places = self._laid_out(infos, principal, remembered)
            if await self._make_missing(places, infos, principal):
                places = self._laid_out(await self._infos(principal), principal, remembered)
        defaults = {one.item_class: one.locator for one in places if one.type is CLASSES[one.item_class].default}
        if any(remembered.get(name) != locator for name, locator in defaults.items()):
            await self._account.ground.write(lambda tx: self._remember(tx, {**remembered, **defaults}))
        return places

    def _laid_out(
        self, infos: Sequence[CollectionInfo], principal: Principal, remembered: Mapping[str, str]
    ) -> list[Place]:
        return laid_out(
            infos, principal, self._classes, schedules=schedules(self._account, principal), remembered=remembered
        )

    async def _infos(self, principal: Principal) -> Sequence[CollectionInfo]:
        return await self._client.collections(self._homes(principal))

    def _homes(self, principal: Principal) -> list[str]:
        """Of the classes that are served; each once."""
        kinds = {CLASSES[name].kind for name in self._classes}
        homes = (principal.calendar_homes if "calendar" in kinds else ()) + (
            principal.addressbook_homes if "addressbook" in kinds else ()
        )
        return list({canonical(home): home for home in homes}.values())

    async def _make_missing(
        self, places: Sequence[Place], infos: Sequence[CollectionInfo], principal: Principal
    ) -> bool:
        """Default folders where there is none; whether there are new ones. What a server does not take (VJOURNAL, say)
        is not asked for again until it is discovered anew."""
        made = False
        here = {canonical(info.href) for info in infos}
        for item_class in sorted(self._classes):
            known = CLASSES[item_class]
            home = _home(principal, known.kind)
            if not home or any(one.type is known.default for one in places) or self._client.refuses(item_class):
                continue
            names = (known.make, f"eas-{known.make}")
            href = next((one for name in names if canonical(one := member(home, name)) not in here), "")
            try:
                if href:
                    await self._client.make(href, kind=known.kind, name=known.name, component=known.component)
                    made = True
            except LoginRefused:
                raise
            except Refused as error:
                if error.status == 405:  # somebody else was faster
                    made = True
                else:
                    log.warning("a default folder cannot be made", item_class=item_class, reason=str(error))
                    self._client.refused(item_class)
        return made

    def makes(self, type: FolderType) -> bool:
        return CLASS_OF_TYPE.get(type) in self._classes

    def planned(self, parent: Place | None, name: str, type: FolderType, chosen: Chosen) -> str:
        item_class = self._class(parent, type)
        principal = self._client.known()
        if principal is None:
            raise Unavailable("the DAV server has not been asked yet")
        home = _home(principal, CLASSES[item_class].kind)
        if not home:
            raise NotAllowed(f"no home for {item_class}")
        stem = chosen.name if _SAFE.fullmatch(chosen.name) else sha256(chosen.name.encode()).hexdigest()[:40]
        return locator_of(member(home, stem))

    async def create(
        self, parent: Place | None, name: str, type: FolderType, locator: str, *, again: bool
    ) -> Place:
        item_class = self._class(parent, type)
        known = CLASSES[item_class]
        places = await self.places()
        held = next((one for one in places if one.locator == locator), None)
        if held is not None:
            if again:
                return held
            raise FolderExists(locator)
        _check_name(places, name, locator)
        with translated(gone=FolderGone):
            try:
                await self._client.make(locator, kind=known.kind, name=name, component=known.component)
            except Refused as error:
                if error.status != 405 or not again:
                    raise
        made = next((one for one in await self.places() if one.locator == locator), None)
        if made is None:
            raise NotAllowed("the DAV server made another kind of folder")
        return made

    def _class(self, parent: Place | None, type: FolderType) -> str:
        item_class = CLASS_OF_TYPE.get(type, "")
        if parent is not None or item_class not in self._classes:
            raise NotAllowed("collections do not lie in each other")
        return item_class

    async def rename(self, place: Place, parent: Place | None, name: str) -> Sequence[tuple[str, str]]:
        """What is shown of a collection for another class has that behind its name."""
        _check_writable(place)
        if parent is not None:
            raise NotAllowed("collections do not lie in each other")
        _check_name(await self.places(), name, place.locator)
        shown = f" ({CLASSES[place.item_class].name})" if "#" in place.locator else ""
        with translated():
            await self._client.rename(collection_of(place.locator), name.removesuffix(shown) or name)
        return []

    async def delete(self, place: Place) -> None:
        """A collection that has things of other classes in it stays: they are not what was meant."""
        _check_writable(place)
        href = collection_of(place.locator)
        with translated():
            infos = await self._infos(await self._client.discover())
            info = next((one for one in infos if canonical(one.href) == canonical(href)), None)
            if info is None:
                raise FolderGone(href)
            for component in components(info):
                if component != CLASSES[place.item_class].component and await self._client.holds(href, component):
                    raise NotAllowed(f"there are {component} objects in it")
            await self._client.delete(info.href)

    async def empty(self, place: Place) -> None:
        """Just those objects that were there when it began, and as they were."""
        _check_writable(place)
        href, known = collection_of(place.locator), CLASSES[place.item_class]
        with translated():
            if known.component:
                objects = await self._client.holds(href, known.component)
            else:
                objects = (await self._client.changes(href, "", kind=known.kind)).changed
            gate = asyncio.Semaphore(_AT_A_TIME)

            async def remove(one: str, etag: str) -> None:
                async with gate:
                    try:
                        await self._client.delete(one, etag=etag)
                    except Refused as error:
                        if error.status not in (*GONE, 412):
                            raise

            await asyncio.gather(*[remove(one, etag) for one, etag in objects.items()])

    # --- Items --------------------------------------------------------------------------------------------------------

    def feed(self, at: Numbered) -> Feed:
        return DavFeed(self._account, self._client, at, self._resolve)

    async def foresee(self, at: Sequence[Numbered]) -> None:
        """There is nothing to be saved."""

    async def search(self, query: MailQuery, within: Sequence[Numbered]) -> Sequence[Hit]:
        return await searching.search(self._account, self._client, query, within)

    async def probe(self, at: Sequence[Numbered]) -> Mapping[int, str]:
        """The CTags, by one request for each home set."""
        hrefs = {one.number: canonical(collection_of(one.place.locator)) for one in at}
        with translated():
            homes = [
                home for home in self._homes(await self._client.discover())
                if any(is_below(href, home) for href in hrefs.values())
            ]
            states = await self._client.states(homes)
            untold = next((href for href in hrefs.values() if states.get(href) == ""), None)
            # It may be that the server has no CTags; the client sees that when it asks for one collection.
            if untold is not None and await self._client.state(untold):
                states = await self._client.states(homes)
        return {number: str(states.get(href)) for number, href in hrefs.items()}

    async def close(self) -> None:
        """Nothing is held for one user."""

    # --- Our own row --------------------------------------------------------------------------------------------------

    def _remembered(self, connection: Connection) -> dict[str, str]:
        value = connection.execute(
            select(KeptRow.value).where(KeptRow.user_id == self._account.user.id, KeptRow.name == _DEFAULTS)
        ).scalar_one_or_none()
        return {str(name): str(locator) for name, locator in json.loads(value).items()} if value else {}

    def _remember(self, tx: Writing, defaults: Mapping[str, str]) -> None:
        key = {"user_id": self._account.user.id, "name": _DEFAULTS}
        value = json.dumps(defaults, sort_keys=True)
        tx.one_at_a_time(self._account.user.id)
        held = (KeptRow.user_id == key["user_id"], KeptRow.name == _DEFAULTS)
        if tx.connection.execute(update(KeptRow).where(*held).values(value=value, at=millis(tx.now))).rowcount == 0:
            tx.connection.execute(insert(KeptRow).values(**key, value=value, at=millis(tx.now)))


def schedules(account: Account, principal: Principal) -> bool:
    """Whether the server tells others of the meetings in the user's calendars (RFC 6638 2), as the settings or the
    server say."""
    server = account.tenant.dav
    if server is not None and server.schedules != "auto":
        return server.schedules == "yes"
    return principal.auto_schedule and bool(principal.schedule_outbox)


def _home(principal: Principal, kind: str) -> str:
    """Where new ones are made; "" for nowhere."""
    homes = principal.calendar_homes if kind == "calendar" else principal.addressbook_homes
    return homes[0] if homes else ""


def _check_writable(place: Place) -> None:
    if not place.own or place.right < Right.EDIT:
        raise NotAllowed(place.name)


def _check_name(places: Sequence[Place], name: str, locator: str) -> None:
    if any(one.name.casefold() == name.casefold() and one.locator != locator for one in places):
        raise FolderExists(name)

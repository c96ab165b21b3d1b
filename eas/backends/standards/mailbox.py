"""One user's folders from all sources together: the Mailbox port over IMAP, DAV and what the embedded groupware keeps.

Whatever id comes in is looked up among the user's own folders. Items are not moved from one source to another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from eas.backends.dav.rows import stood
from eas.backends.embedded.access import CLASS_OF_TYPE, USER_TYPES
from eas.backends.embedded.mailbox import EmbeddedMailbox
from eas.backends.sieve.filtering import SieveFilters
from eas.engine.errors import FolderExists, FolderGone, NotAllowed
from eas.engine.model import CollectionId, Folder, FolderType, OutOfOffice, Right
from eas.engine.ports import Chosen, Feed, Filters, Found, MailQuery, Token
from eas.items.markup import clean

from . import registry
from .hierarchy import ROOT, Hierarchies, Snapshot, Standing
from .kept import KeptFeed, inner, outer
from .nowhere import Nowhere
from .ports import Account, Hit, MailSource, Numbered, Source, Vacation

#: Characters of a folder's name. [MS-ASCMD] DisplayName (FolderCreate)
MAX_NAME = 256
#: Folders within each other: beyond this only a program run wild.
MAX_DEPTH = 32
#: How long after an appointment was deleted a message about it is taken for the cancellation that its server has sent:
#: a device that was off the line meanwhile sends it when it is back.
LATELY = timedelta(days=7)
#: Hits of a search that are put in order: nobody pages further.
MAX_HITS = 10_000


class CombinedMailbox:
    """`sources` in the order in which their folders are shown. `mail` is the one of them that has the mail, None if it
    is embedded. `kept` are the types of folders that come from the embedded groupware. `vacation` None: nobody answers
    automatically, unless the mail is embedded."""

    def __init__(
        self, account: Account, sources: Sequence[Source], embedded: EmbeddedMailbox, hierarchies: Hierarchies, *,
        mail: MailSource | None, kept: frozenset[FolderType], vacation: Vacation | None,
    ) -> None:
        self._account, self._sources, self._embedded = account, sources, embedded
        self._hierarchies, self._mail, self._kept, self._vacation = hierarchies, mail, kept, vacation

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(self._sources)

    # -- folders

    async def hierarchy_token(self, *, fresh: bool = False) -> Token:
        """A device may have waited for long: what it came in with is not asked."""
        user_id = self._account.user.id
        revision = await self._account.ground.look(lambda c: registry.revision(c, user_id))
        return (await self.snapshot(fresh=fresh, revision=revision)).token

    async def folders(self) -> Sequence[Folder]:
        return [one.folder for one in (await self.snapshot()).standing.values()]

    async def folder(self, id: CollectionId) -> Folder | None:
        standing = (await self.snapshot()).standing.get(id)
        return standing.folder if standing is not None else None

    async def some(self, ids: Collection[CollectionId]) -> Mapping[CollectionId, Folder]:
        standing = (await self.snapshot()).standing
        return {id: standing[id].folder for id in ids if id in standing}

    async def snapshot(self, *, fresh: bool = False, revision: int = 0) -> Snapshot:
        user = self._account.user
        return await self._hierarchies.get(
            self._account.ground, user.id, self._sources, self._embedded_folders, fresh=fresh,
            revision=max(revision, user.revision),
        )

    async def _embedded_folders(self) -> Sequence[Folder]:
        return [
            outer(folder) for folder in await self._embedded.folders()
            if folder.type in self._kept or (folder.type in USER_TYPES and self._keeps(folder.item_class))
        ]

    def _keeps(self, item_class: str) -> bool:
        return any(CLASS_OF_TYPE[type] == item_class and type not in _OF_SERVER for type in self._kept)

    async def resolve(self, id: CollectionId, source: str) -> Numbered | None:
        """The place of a folder, if it is one of this source."""
        standing = (await self.snapshot()).standing.get(id)
        return standing.numbered if standing is not None and standing.source == source else None

    def feed(self, folder: Folder) -> Feed:
        """Of a folder that this mailbox has handed out; of another one every method raises FolderGone."""
        snapshot = self._hierarchies.present(self._account.user.id)
        standing = snapshot.standing.get(folder.id) if snapshot is not None else None
        if standing is None:
            return Nowhere(folder.id)
        if standing.numbered is None:
            return KeptFeed(self._embedded.feed(inner(standing.folder)))
        return self._source(standing).feed(standing.numbered)

    async def foresee(self, ids: Collection[CollectionId]) -> None:
        standing = (await self.snapshot()).standing
        for source in self._sources:
            numbered = [
                one.numbered for id in ids if (one := standing.get(id)) and one.numbered and one.source == source.name
            ]
            if len(numbered) > 1:
                await source.foresee(numbered)

    # -- changing them

    async def create_folder(self, parent: CollectionId, name: str, type: FolderType, chosen: Chosen) -> Folder:
        async with self._hierarchies.making(self._account.user.id):
            return await self._create(parent, name, type, chosen)

    async def _create(self, parent: CollectionId, name: str, type: FolderType, chosen: Chosen) -> Folder:
        user_id = self._account.user.id
        if type not in USER_TYPES:
            raise NotAllowed(f"folders of type {type} are not made")
        there = await self._account.ground.read(lambda c: registry.begun(c, user_id, chosen.name))
        if there is not None and there.done:
            return await self._made(str(there.number))
        snapshot = await self.snapshot(fresh=True)
        above = self._above(snapshot, parent)
        name = _name(name)
        again = there is not None
        if not again:
            _check_free(snapshot, parent, name)
        source = next((source for source in self._sources if source.makes(type)), None)
        if source is None:
            return await self._create_kept(parent, name, type, chosen)
        if above is not None and above.source != source.name:
            raise NotAllowed("the folder above is on another server")
        place = above.numbered.place if above is not None and above.numbered is not None else None
        locator = there.locator if there is not None else source.planned(place, name, type, chosen)
        begun = await self._account.ground.write(
            lambda tx: registry.begin(tx, user_id, source.name, locator, chosen.name)
        )
        try:
            made = await source.create(place, name, type, begun.locator, again=again)
        except (FolderExists, FolderGone, NotAllowed):
            await self._account.ground.write(lambda tx: registry.give_up(tx, begun.number))
            raise
        number = await self._account.ground.write(
            lambda tx: registry.made(tx, user_id, begun, chosen.name, made)
        )
        return await self._made(str(number))

    async def _made(self, id: CollectionId) -> Folder:
        self._changed()
        folder = await self.folder(id)
        if folder is None:
            raise FolderGone(id)
        return folder

    async def _create_kept(self, parent: CollectionId, name: str, type: FolderType, chosen: Chosen) -> Folder:
        if not self._keeps(CLASS_OF_TYPE[type]):
            raise NotAllowed(f"there are no folders for {CLASS_OF_TYPE[type]}")
        made = await self._embedded.create_folder(_inner_parent(parent), name, type, chosen)
        self._changed()
        return outer(made)

    async def update_folder(self, id: CollectionId, parent: CollectionId, name: str) -> None:
        snapshot = await self.snapshot(fresh=True)
        standing = self._changeable(snapshot, id)
        above = self._above(snapshot, parent)
        path = _path(snapshot, parent)
        if id in path or len(path) >= MAX_DEPTH:
            raise NotAllowed("a folder cannot be put into itself")
        name = _name(name)
        _check_free(snapshot, parent, name, but=id)
        if above is not None and above.source != standing.source:
            raise NotAllowed("the folder above is on another server")
        if standing.numbered is None:
            await self._embedded.update_folder(inner(standing.folder).id, _inner_parent(parent), name)
        else:
            place = above.numbered.place if above is not None and above.numbered is not None else None
            source = self._source(standing)
            locators = await source.rename(standing.numbered.place, place, name)
            await self._account.ground.write(
                lambda tx: registry.renamed(tx, self._account.user.id, source.name, locators)
            )
        self._changed()

    async def delete_folder(self, id: CollectionId) -> None:
        snapshot = await self.snapshot(fresh=True)
        await self._delete(snapshot, self._changeable(snapshot, id))
        self._changed()

    async def _delete(self, snapshot: Snapshot, standing: Standing) -> None:
        if standing.numbered is None:
            await self._embedded.delete_folder(inner(standing.folder).id)
            return
        below = [one.numbered.number for one in _below(snapshot, standing.folder.id) if one.numbered is not None]
        numbers = [standing.numbered.number, *below]
        await self._source(standing).delete(standing.numbered.place)
        await self._account.ground.write(lambda tx: registry.forget(tx, self._account.user.id, numbers))
        self._account.ground.ring(self._account.user.id, {str(number) for number in numbers})

    async def empty_folder(self, id: CollectionId, subfolders: bool) -> None:
        snapshot = await self.snapshot()
        standing = snapshot.standing.get(id)
        if standing is None:
            raise FolderGone(id)
        if standing.folder.right < Right.EDIT:
            raise NotAllowed(f"folder {id}")
        if standing.numbered is None:
            await self._embedded.empty_folder(inner(standing.folder).id, subfolders)
        else:
            below = [one for one in _below(snapshot, id) if one.folder.parent == id] if subfolders else []
            for one in below:
                await self._delete(snapshot, one)
            await self._source(standing).empty(standing.numbered.place)
            self._account.ground.ring(self._account.user.id, {id})
        if subfolders:
            self._changed()

    def _changed(self) -> None:
        self._hierarchies.forget(self._account.user.id)
        self._account.ground.ring(self._account.user.id, {ROOT})

    def _source(self, standing: Standing) -> Source:
        return next(source for source in self._sources if source.name == standing.source)

    def _changeable(self, snapshot: Snapshot, id: CollectionId) -> Standing:
        """A folder that the user may rename or delete. Raises FolderGone, NotAllowed."""
        standing = snapshot.standing.get(id)
        if standing is None:
            raise FolderGone(id)
        if not standing.folder.own or standing.folder.type not in USER_TYPES:
            raise NotAllowed(f"folder {id}")
        return standing

    def _above(self, snapshot: Snapshot, id: CollectionId) -> Standing | None:
        """None for the root. Raises FolderGone, NotAllowed under a folder of somebody else."""
        if id == ROOT:
            return None
        standing = snapshot.standing.get(id)
        if standing is None:
            raise FolderGone(id)
        if not standing.folder.own:
            raise NotAllowed(f"folder {id} belongs to somebody else")
        return standing

    async def schedules(self, uid: str) -> bool:
        """Whether the appointment of a UID stands in a calendar whose server tells the others of it, or stood there
        lately: of one that was deleted a cancellation follows."""
        standing = [one for one in (await self.snapshot()).standing.values() if one.folder.schedules]
        for one in standing:
            if await self.feed(one.folder).by_uid(uid) is not None:
                return True
        numbers = [one.numbered.number for one in standing if one.numbered is not None]
        since = self._account.ground.now() - LATELY
        return bool(numbers) and await self._account.ground.read(lambda c: stood(c, numbers, uid, since))

    # -- conversations, searches, absence

    async def move_conversation(self, conversation: bytes, to: CollectionId, always: bool) -> int:
        if self._mail is None:
            return await self._embedded.move_conversation(conversation, inner_id(to), always)
        snapshot = await self.snapshot()
        standing = snapshot.standing.get(to)
        if standing is None:
            raise FolderGone(to)
        if standing.numbered is None or standing.source != self._mail.name:
            raise NotAllowed(f"folder {to} is for other items")
        if standing.folder.right < Right.EDIT:
            raise NotAllowed(f"folder {to}")
        return await self._mail.move_conversation(
            conversation, standing.numbered, always, snapshot.numbered(self._mail.name)
        )

    async def search(self, query: MailQuery, start: int, count: int) -> Found:
        snapshot = await self.snapshot()
        wanted = _searched(snapshot, query)
        hits: list[Hit] = []
        for source in self._sources:
            within = [one.numbered for one in wanted if one.source == source.name and one.numbered is not None]
            if within:
                hits += await source.search(query, within)
        kept = [one.folder for one in wanted if one.numbered is None]
        if kept:
            hits += await self._search_kept(query, kept)
        hits.sort(key=lambda hit: (hit.received, hit.collection, hit.id), reverse=True)
        page = tuple((hit.collection, hit.id) for hit in hits[start : start + count])
        return Found(hits=page, total=len(hits))

    async def _search_kept(self, query: MailQuery, kept: Sequence[Folder]) -> list[Hit]:
        found = await self._embedded.hits(query, [inner(folder).id for folder in kept], MAX_HITS)
        return [Hit(received=received, collection=f"e{folder}", id=id) for received, folder, id in found]

    async def out_of_office(self) -> OutOfOffice:
        if self._vacation is not None:
            return await self._vacation.read()
        return await self._embedded.out_of_office() if self._mail is None else OutOfOffice()

    async def set_out_of_office(self, value: OutOfOffice) -> None:
        if self._vacation is not None:
            await self._vacation.write(value)
        elif self._mail is None:
            await self._embedded.set_out_of_office(value)
        else:
            raise NotAllowed("no server here answers automatically")

    async def filters(self) -> Filters:
        if self._mail is None:
            return await self._embedded.filters()
        server = self._account.tenant.sieve
        if server is None:
            raise NotAllowed("no filter server is set up")
        return SieveFilters(self._account, server, _mail_folders(await self.snapshot(), self._mail.name))


def _mail_folders(snapshot: Snapshot, source: str) -> dict[str, str]:
    """The user's own, by their names on the server: with slashes between those above and below."""
    found = {}
    for one in snapshot.standing.values():
        if one.numbered is not None and one.source == source and one.folder.own and one.folder.item_class == "Email":
            path = [snapshot.standing[id].folder.name for id in reversed(_path(snapshot, one.folder.id))]
            found[one.numbered.place.locator] = " / ".join(path)
    return found


#: Types that the embedded groupware keeps for every user, whatever class of items they are said to hold.
_OF_SERVER = frozenset({FolderType.RECIPIENT_CACHE, FolderType.OUTBOX})


def inner_id(id: CollectionId) -> CollectionId:
    return id[1:] if id.startswith("e") else ""


def _inner_parent(id: CollectionId) -> CollectionId:
    return ROOT if id == ROOT else inner_id(id)


def _name(name: str) -> str:
    name = clean(name).strip()
    if not name or len(name) > MAX_NAME:
        raise NotAllowed("a folder's name has 1 to 256 characters")
    return name


def _check_free(snapshot: Snapshot, parent: CollectionId, name: str, but: CollectionId = "") -> None:
    for one in snapshot.standing.values():
        folder = one.folder
        if folder.parent == parent and folder.id != but and folder.name.casefold() == name.casefold():
            raise FolderExists(name)


def _path(snapshot: Snapshot, id: CollectionId) -> list[CollectionId]:
    """A folder and all above it; [] for the root."""
    path: list[CollectionId] = []
    while id in snapshot.standing and id not in path:
        path.append(id)
        id = snapshot.standing[id].folder.parent
    return path


def _below(snapshot: Snapshot, id: CollectionId) -> list[Standing]:
    return [one for other, one in snapshot.standing.items() if other != id and id in _path(snapshot, other)]


def _searched(snapshot: Snapshot, query: MailQuery) -> list[Standing]:
    """The folders to look into."""
    wanted = set(query.collections)
    if query.deep:
        wanted |= {one.folder.id for id in query.collections for one in _below(snapshot, id)}
    return [
        one for one in snapshot.standing.values()
        if one.folder.type not in _OF_SERVER
        and (not query.collections or one.folder.id in wanted)
        and (not query.classes or one.folder.item_class in query.classes)
    ]

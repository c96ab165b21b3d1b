"""One collection of one device: load what it holds, decide, apply, commit, answer.

The order is: judge the key; apply the device's commands; read the feed; choose and render a window; commit the new
generation by compare-and-swap; only then answer. A loser of the swap throws its answer away and judges again: what its
commands did is found again through their intents.

[MS-ASCMD] Sync, GetItemEstimate, Ping; docs/design.md section 2. The decisions are in keys, diff, conflict and known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from eas.items.body import Wanted
from eas.items.native import ItemId
from eas.protocol.wbxml import Element

from . import sms
from .apply import Applied, Applier, DeviceCommand, Done, ItemStatus, Result
from .choose import Chooser, Said, Window
from .classes import EMAIL, shown_folder
from .diff import Verb, absorb, classify_all, doubtful
from .errors import CollectionGone, Contended, NotRemembered, StaleKey, SyncError
from .flags import content_mark
from .ids import NOTICE_ID, parse_server_id
from .instances import CALENDAR
from .keys import ALL_TOLD, ZERO, Asked, Head, Held, Hint, Verdict, advance, judge, line_of, millis, revise, told_key
from .known import Answers, Known, Pending, dump_base, dump_generation, load_generation
from .model import CollectionId, Folder
from .options import NO_BOUNDS, CollectionOptions, bounds_of, dump_options, in_force, load_options
from .ports import Feed, Horizon, Owner, Step, Token
from .render import LAID_OUT, UNLIKE, digest_part, preview_only, render_items, unlike, without_body_limits
from .repair import repair
from .session import Session

#: How often a request is judged again after somebody else moved the state meanwhile.
ATTEMPTS = 6

#: How long a listing that lacks most of the known items is doubted before it is believed.
DOUBT = timedelta(minutes=1)

#: What a device asks that has got what it was answered.
_ONWARD = frozenset((Asked.START, Asked.NEXT))

#: Ids looked at in one question while counting.
COUNT_AT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRequest:
    """What a device asks of one collection. `digest` tells requests apart that name the same key.

    `options` None: those kept are in force; `conversations` is the ConversationMode, None for none. `supported` counts
    with key 0 only. `remembered`: the key is not the device's own word of now, but that of a request that it refers to.
    """

    collection_id: CollectionId
    key: str
    digest: str
    options: CollectionOptions | None = None
    conversations: bool | None = None
    supported: tuple[str, ...] | None = None
    get_changes: bool = True
    deletes_as_moves: bool = True
    window: int = 100
    commands: tuple[DeviceCommand, ...] = ()
    remembered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionAnswer:
    """`news` False: nothing to say, the key stays. `results` carry the item's content for a Fetch. `begun`: the device
    began, for the "first" time or "again", or "repeated" its beginning. `degraded`: so many of what is said could not
    be converted whole. `again`: it asked with a key after which it had been answered already."""

    collection_id: CollectionId
    item_class: str
    key: str
    said: tuple[Said, ...] = ()
    results: tuple[tuple[Result, tuple[Element, ...]], ...] = ()
    more: bool = False
    news: bool = True
    begun: str = ""
    degraded: int = 0
    again: bool = False


def owner_of(session: Session, collection_id: CollectionId) -> Owner:
    return Owner(user_id=session.user.id, device_id=session.device.id, collection_id=collection_id)


async def open_folder(session: Session, collection_id: CollectionId) -> Folder:
    """Raises CollectionGone, also for a folder whose class the device's version does not know."""
    folder = await session.mailbox.folder(collection_id)
    if folder is None or not shown_folder(folder, session.version):
        raise CollectionGone(collection_id)
    return folder


async def open_folders(session: Session, collections: Collection[CollectionId]) -> Mapping[CollectionId, Folder]:
    """Those of them that `open_folder` gives, by one question."""
    found = await session.mailbox.some(collections)
    return {id: folder for id, folder in found.items() if shown_folder(folder, session.version)}


async def synchronise(
    session: Session, request: CollectionRequest, *, folder: Folder | None = None, held: Held | None = None
) -> CollectionAnswer:
    """`folder` and `held`: the folder and what the device holds of it, as they were read for this request; None: they
    are read here.

    Raises CollectionGone, NotPrimed, StaleKey, Contended, NotRemembered if a remembered key has been superseded, and
    Unavailable if the groupware fails."""
    folder = folder or await open_folder(session, request.collection_id)
    owner = owner_of(session, request.collection_id)
    if held is not None and not _goes_on(held, request):
        held = None  # only what goes on is guarded by its commit; of anything else the state is read just before
    for _ in range(ATTEMPTS):
        present, held = held or await session.store.load(owner), None
        try:
            verdict = judge(present, request.key, request.digest)
        except StaleKey:
            await repair(session, folder, owner, present or Held(), request.key)
            continue
        if request.remembered and any(head.parent == request.key for head in (present or Held()).issued):
            raise NotRemembered
        turn = Turn(session, folder, owner, present or Held(), verdict)
        match verdict.asked:
            case Asked.START:
                answer = await turn.start(request)
            case Asked.REPEAT:
                answer = await turn.repeat()
            case _:
                answer = await turn.decide(request)
        if answer is not None:
            return answer if verdict.asked in _ONWARD else replace(answer, again=True)
    raise Contended


def _goes_on(held: Held, request: CollectionRequest) -> bool:
    try:
        return judge(held, request.key, request.digest).asked is Asked.NEXT
    except SyncError:
        return False


async def estimate(
    session: Session, collection_id: CollectionId, key: str, options: CollectionOptions | None,
    conversations: bool | None = None,
) -> int:
    """How many commands a Sync with this key would bring, of all windows; `options` and `conversations` as in a
    request. Raises as `synchronise`."""
    folder = await open_folder(session, collection_id)
    owner = owner_of(session, collection_id)
    for _ in range(ATTEMPTS):
        held = await session.store.load(owner)
        try:
            verdict = judge(held, key, "")
        except StaleKey:
            await repair(session, folder, owner, held or Held(), key)
            continue
        return await Turn(session, folder, owner, held or Held(), verdict).count(options, conversations)
    raise Contended


async def has_news(
    session: Session, collection_id: CollectionId, folder: Folder | None = None, held: Held | None = None
) -> bool:
    """Whether a Sync with the key that the device holds, or will hold, would bring something now. `folder` and `held`
    as for `synchronise`.

    False for a collection that was never primed. Raises CollectionGone.
    """
    folder = folder or await open_folder(session, collection_id)
    owner = owner_of(session, collection_id)
    held = held or await session.store.load(owner)
    if held is None or held.present is None:
        return False
    if held.lost is not None:
        return True  # what the device holds shows only when it asks with its key
    return await Turn(session, folder, owner, held, Verdict(Asked.NEXT, held.present)).peek()


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """How far a feed has been read, and with which edge. `doubt` and `month` as in a head, None: as it was."""

    token: Token
    edge: datetime | None
    doubt: str
    month: str | None = None

    def put_into(self, head: Head) -> Head:
        month = head.month if self.month is None else self.month
        return replace(head, token=self.token, edge=_text(self.edge), doubt=self.doubt, month=month)


class Turn:
    """One attempt to answer: from one generation, over one state of the stored row."""

    def __init__(self, session: Session, folder: Folder, owner: Owner, held: Held, verdict: Verdict) -> None:
        self.session, self.folder, self.owner, self.held, self.verdict = session, folder, owner, held, verdict
        self.base: Head = verdict.base
        self.feed: Feed = session.mailbox.feed(folder)
        self.now: datetime = session.clock.now()
        self.known, self.pending, self.answers = Known(), Pending(), Answers()
        # A policy limits what is mail or calendar; the bodies it means are those of mail.
        self._bounds = bounds_of(session.policy)
        self._body_bounds = self._bounds if folder.item_class == EMAIL else NO_BOUNDS
        self._loaded = self._relisted = False
        self._stored = (self.known, self.pending)

    # -- the three kinds of answers; None means that somebody else moved the row

    async def start(self, request: CollectionRequest) -> CollectionAnswer | None:
        stated = in_force(CollectionOptions(), request.options, request.conversations)
        options = replace(stated, supported=request.supported)
        random = self.session.entropy.key()
        hint = Hint(at=millis(self.now), top=0, line=line_of(random), more="")
        new = Head(
            key=told_key(random, hint), line=hint.line, parent=ZERO, request=request.digest,
            options=dump_options(options), edge=_text(self._edge(options)),
        )
        step = Step(held=advance(self.held, self.verdict, new))
        if not await self.session.store.commit(self.owner, self.held.row, step):
            return None
        begun = "first" if self.held.present is None else "again"
        return replace(self._answer(new.key), begun=begun)

    async def repeat(self) -> CollectionAnswer | None:
        """The answer that was lost, made again from the kept decision. The commands are not executed again."""
        if self.base.parent == ZERO:
            return replace(self._answer(self.base.key), begun="repeated")
        await self._load()
        options = load_options(self.base.options)
        said, differing = await self._said_again(options)
        if differing and not await self._doubt_both_copies(differing):
            return None
        results = tuple(Result.load(stored) for stored in self.answers.results)
        return self._answer(
            self.base.key, said=said, results=await self._with_contents(results, options), more=self.answers.more
        )

    async def decide(self, request: CollectionRequest) -> CollectionAnswer | None:
        kept = load_options(self.base.options)
        options = in_force(kept, request.options, request.conversations)
        applied = await self._apply(request, options)
        read = Read(token=self.base.token, edge=_parse(self.base.edge), doubt=self.base.doubt)
        if request.get_changes:
            read = await self._read(options, options.selection != kept.selection)
        elif options.selection != kept.selection:
            # The whole listing is read when changes are asked for again: by then the filters look alike.
            read = Read(token="", edge=self._edge(options), doubt="")
            self._relisted = True
        window = Window()
        if applied.altered:
            self.pending = self.pending.with_news(applied.altered, ())
        if request.get_changes and self.pending:
            chooser = Chooser(
                self.session, self.folder, self.feed, self.known, _horizon(options, read.edge), self._wanted(options),
                frozenset(applied.added),
            )
            window = await chooser.fill(self.pending, request.window)
        head = read.put_into(replace(self.base, options=dump_options(options)))
        if self._relisted:
            head = replace(head, line=line_of(self.session.entropy.key()))
        if not window.said and not request.commands:
            if not await self._settle_quietly(head, window):
                return None
            return self._answer(self.base.key, more=bool(self.pending) and request.get_changes, news=False)
        return await self._issue(request, head, applied, window, options)

    async def _issue(
        self, request: CollectionRequest, head: Head, applied: Applied, window: Window, options: CollectionOptions
    ) -> CollectionAnswer | None:
        rest = window.remaining(self.pending)
        more = bool(rest) and request.get_changes
        answers = Answers(
            said=tuple((said.verb, said.id) for said in window.said),
            results=tuple(result.dump() for result in applied.results),
            more=more,
        )
        top = self._top({**applied.known, **window.known})
        hint = Hint(at=millis(self.now), top=top, line=head.line, more="" if rest else ALL_TOLD)
        head = replace(
            head, key=told_key(self.session.entropy.key(), hint), parent=self.base.key, request=request.digest,
            pending=bool(rest), answers=bool(applied.results), top=top,
        )
        head, step = self._step(head, self.known.edited(window.known), rest, answers)
        step = replace(
            step, held=advance(self.held, self.verdict, head),
            settled={id: (result, head.key) for id, result in applied.settled.items()}, degraded=window.degraded,
        )
        step = replace(step, forgotten=await self._proven_intents())
        if not await self.session.store.commit(self.owner, self.held.row, step):
            return None
        results = await self._with_contents(tuple(applied.results), options)
        answer = self._answer(head.key, said=tuple(window.said), results=results, more=more)
        return replace(answer, degraded=sum(map(bool, window.degraded.values()))) if window.degraded else answer

    # -- the parts of a decision

    async def _apply(self, request: CollectionRequest, options: CollectionOptions) -> Applied:
        if not request.commands:
            return Applied()
        await self._load()
        applier = Applier(
            self.session, self.folder, self.owner, self.known, options, key=self.base.key,
            fresh=self.base.parent == ZERO, deletes_as_moves=request.deletes_as_moves,
            proven=self.base.key if self.base.answers and self.verdict.asked is Asked.NEXT else "",
        )
        swallowed = [sms.swallowed(command, self.folder, self.session.version) for command in request.commands]
        applied = await applier.run([c for c, done in zip(request.commands, swallowed, strict=True) if done is None])
        others = iter(applied.results)
        applied.results = [next(others) if done is None else done for done in swallowed]
        self.known = self.known.edited(applied.known)
        return applied

    def _edge(self, options: CollectionOptions) -> datetime | None:
        return options.edge(self.folder.item_class, self.now, self._bounds)

    def _wanted(self, options: CollectionOptions) -> Wanted:
        return options.wanted(self._body_bounds)

    async def _read(self, options: CollectionOptions, relist: bool) -> Read:
        """Take in what has happened since the generation's token. Loads the body only if something has."""
        edge, old = self._edge(options), _parse(self.base.edge)
        # An edge goes back, comes or vanishes only where another filter or policy is in force.
        listed_anew = relist or not self.base.token or _widened(old, edge)
        self._relisted = listed_anew and bool(self.base.token)
        delta = await self.feed.delta(None if listed_anew else self.base.token, _horizon(options, edge))
        crossed: Sequence[ItemId] = ()
        if not listed_anew and old is not None and edge is not None and old < edge:
            crossed = await self._aged(old, edge, options)
        month = f"{self.now:%Y-%m}" if self.folder.item_class == CALENDAR else ""
        read = Read(token=delta.token, edge=edge, doubt="", month=month)
        rolled = month != self.base.month
        if not (
            self.base.pending or delta.complete or delta.touched or delta.outside or delta.gone or crossed or rolled
        ):
            return read
        await self._load()
        if not listed_anew and doubtful(self.known, delta):
            since = _parse(self.base.doubt)
            if since is None or self.now - since < DOUBT:
                return Read(token=self.base.token, edge=old, doubt=_text(since or self.now))
        pending = Pending() if listed_anew else self.pending
        self.pending = absorb(self.known, pending, delta, self.folder.item_class == EMAIL)
        if held := [id for id in crossed if self.known.version(id) is not None]:
            self.pending = self.pending.with_news(held, ())
        if rolled and (laid_out := [id for id, version in self.known.items() if version.endswith(LAID_OUT)]):
            self.pending = self.pending.with_news(laid_out, ())
        return read

    async def _aged(self, old: datetime, edge: datetime, options: CollectionOptions) -> Sequence[ItemId]:
        """What may be outside now that the edge has moved, as it does once a day. A conversation leaves with its last
        message within the filter, be that aged or long deleted; so with conversations all is looked at that the device
        holds. [MS-ASCON] Filtering R223"""
        if not options.conversations:
            return list(await self.feed.crossed(old, edge))
        await self._load()
        return list(self.known.ids())

    async def _settle_quietly(self, head: Head, window: Window) -> bool:
        """Nothing visible happened: move the token without a new key, so that the same delta is not read for ever."""
        step = Step(held=self.held)
        if self._loaded:
            known, rest = self.known.edited(window.known), window.remaining(self.pending)
            head = replace(head, pending=bool(rest))
            if (known, rest) != self._stored:
                head, step = self._step(head, known, rest, self.answers)
            self.pending = rest
        held = revise(self.held, head)
        if held == self.held and not step.generations:
            return True
        return await self.session.store.commit(self.owner, self.held.row, replace(step, held=held))

    def _top(self, learnt: Mapping[ItemId, str | None]) -> ItemId:
        """The highest id that the device was ever told, with what it learns now."""
        before = self.base.top or max((high for _, high in self.known.ids().pairs() if high < NOTICE_ID), default=0)
        return max([before, *(id for id, version in learnt.items() if version is not None and id < NOTICE_ID)])

    def _step(self, head: Head, known: Known, rest: Pending, answers: Answers) -> tuple[Head, Step]:
        """The head with the numbers of its blobs, and what is to be written. Numbers grow with the row's version."""
        blobs: dict[int, bytes] = {}
        if known.outgrown(listing=bool(rest.cursor)):
            known = known.folded()
            head = replace(head, base=2 * (self.held.row + 1))
            blobs[head.base] = dump_base(known.base)
        if not rest.cursor:
            head = replace(head, listing=0, cursor=0)
        elif rest.listing is self._stored[1].listing and head.listing:
            head = replace(head, cursor=rest.cursor)
        else:
            head = replace(head, listing=2 * (self.held.row + 1) + 1, cursor=rest.cursor)
            blobs[head.listing] = str(rest.listing).encode()
        generations = {head.key: dump_generation(known, rest, answers)}
        return head, Step(held=self.held, generations=generations, blobs=blobs)

    async def _proven_intents(self) -> tuple[int, ...]:
        """Intents whose answer has arrived: those that were settled with the key that the device has now named. Those
        of answers that never arrived stay for a while, since the device may send the same again: under another key, or
        after key 0 under another name."""
        if not self.base.answers or self.verdict.asked is not Asked.NEXT:
            return ()
        intents = await self.session.store.intents(self.owner)
        return tuple(i.id for i in intents if i.settled_key == self.base.key)

    # -- counting and peeking

    async def count(self, asked: CollectionOptions | None, conversations: bool | None) -> int:
        kept = load_options(self.base.options)
        options = in_force(kept, asked, conversations)
        read = await self._read(options, options.selection != kept.selection)
        total = sum(1 for id in self.pending.gone if self.known.version(id) is not None)
        ids = list(self.pending.newest())
        if not self.known.ids():
            return total + len(ids)
        is_mail = self.folder.item_class == EMAIL
        for at in range(0, len(ids), COUNT_AT):
            some = ids[at : at + COUNT_AT]
            look = await self.feed.look(some, _horizon(options, read.edge))
            total += len(classify_all(some, self.known, look, is_mail))
        return total

    async def peek(self) -> bool:
        if self.base.pending:
            return True
        options = load_options(self.base.options)
        read = await self._read(options, relist=False)
        window = Window()
        if self.pending:
            chooser = Chooser(
                self.session, self.folder, self.feed, self.known, _horizon(options, read.edge), self._wanted(options)
            )
            window = await chooser.fill(self.pending, 1)
        if window.said:
            return True
        # A lost race is no matter here: whoever won has read at least as far.
        await self._settle_quietly(read.put_into(self.base), window)
        return False

    # -- making answers

    async def _load(self) -> None:
        if self._loaded:
            return
        body = await self.session.store.body(self.owner, self.base.key, self.base.base, self.base.listing)
        self.known, self.pending, self.answers = load_generation(
            body.base, body.listing, self.base.cursor, body.generation
        )
        self._loaded = True
        self._stored = (self.known, self.pending)

    def _answer(
        self, key: str, *, said: tuple[Said, ...] = (),
        results: tuple[tuple[Result, tuple[Element, ...]], ...] = (), more: bool = False, news: bool = True,
    ) -> CollectionAnswer:
        return CollectionAnswer(
            collection_id=self.folder.id, item_class=self.folder.item_class, key=key, said=said, results=results,
            more=more, news=news,
        )

    async def _said_again(self, options: CollectionOptions) -> tuple[tuple[Said, ...], tuple[ItemId, ...]]:
        """The commands to the device, and which of them bring another state of the item than they did at first."""
        contents: dict[tuple[str, ItemId], tuple[Element, ...]] = {}
        differing: list[ItemId] = []
        added, changed = ([id for v, id in self.answers.said if v == verb] for verb in (Verb.ADD, Verb.CHANGE))
        wanted, horizon = self._wanted(options), _horizon(options, _parse(self.base.edge))
        drawn = (await self.feed.look(added, horizon)).drawn if added and horizon.conversations else frozenset()
        is_mail = self.folder.item_class == EMAIL
        flags_only = [id for id in changed if is_mail and not content_mark(self.known.version(id) or "")]
        for verb, ids, how in (
            (Verb.ADD, [id for id in added if id not in drawn], wanted),
            (Verb.ADD, [id for id in added if id in drawn], preview_only(wanted)),
            (Verb.CHANGE, [id for id in changed if id not in flags_only], wanted),
            (Verb.CHANGE, flags_only, None),
        ):
            async for item in render_items(self.session, self.folder, ids, how):
                contents[verb, item.id] = item.content
                if item.version != self.known.version(item.id):
                    differing.append(item.id)
        said = tuple(
            Said(verb=Verb(verb), id=id, content=contents.get((verb, id), ()))
            for verb, id in self.answers.said
            if (verb, id) in contents or verb in (Verb.DELETE, Verb.SOFT_DELETE)
        )
        return said, tuple(differing)

    async def _doubt_both_copies(self, differing: Sequence[ItemId]) -> bool:
        """Which of two copies of an answer the device took cannot be known: what differs between them it gets again.
        Without this an item that is changed and changed back would stay with the device as it was in between."""
        versions = {id: self.known.version(id) for id in differing}
        # What is not known (any more) is to be sent whole anyway.
        fresh = [id for id, version in versions.items() if version is not None and digest_part(version) != UNLIKE]
        if not fresh:
            return True
        known = self.known.edited({id: unlike("?") for id in fresh})
        rest = self.pending.with_news(fresh, ())
        head, step = self._step(replace(self.base, pending=True), known, rest, self.answers)
        held = replace(self.held, issued=tuple(head if h.key == head.key else h for h in self.held.issued))
        return await self.session.store.commit(self.owner, self.held.row, replace(step, held=held))

    async def _with_contents(
        self, results: tuple[Result, ...], options: CollectionOptions
    ) -> tuple[tuple[Result, tuple[Element, ...]], ...]:
        """The results, those of a Fetch with the whole item."""
        fetched: dict[ItemId, tuple[Element, ...]] = {}
        ids = [
            parsed[1] for r in results
            if r.verb is Done.FETCH and r.server_id and (parsed := parse_server_id(r.server_id))
        ]
        if ids:
            whole = without_body_limits(self._wanted(replace(options, truncation=None)))
            async for item in render_items(self.session, self.folder, ids, whole):
                fetched[item.id] = item.content
        found = []
        for result in results:
            parsed = parse_server_id(result.server_id) if result.verb is Done.FETCH else None
            content = fetched.get(parsed[1], ()) if parsed else result.content
            if result.verb is Done.FETCH and not content:
                result = replace(result, status=ItemStatus.NOT_FOUND, server_id=result.named)
            found.append((result, content))
        return tuple(found)


def _horizon(options: CollectionOptions, edge: datetime | None) -> Horizon:
    return Horizon(edge=edge, conversations=options.conversations and edge is not None, most=options.max_items)


def _widened(old: datetime | None, new: datetime | None) -> bool:
    return (old is None) != (new is None) or (old is not None and new is not None and new < old)


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _parse(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

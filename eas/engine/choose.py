"""The next window of a collection: which items, as which verbs, newest first; and what then remains.

Deletions come first (they are cheap and make room), then the items to be looked at, newest first, so that today's mail
is there at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import islice

from eas.items.body import Wanted
from eas.items.native import ItemId
from eas.protocol.wbxml import Element

from .classes import EMAIL
from .diff import Verb, classify_all
from .flags import content_mark, told_changes
from .known import Known, Pending
from .model import Folder
from .ports import Feed, Horizon
from .render import Rendered, digest_part, preview_only, render_items
from .session import Session

#: The part of a device's patience that one window may take to be made; the rest is for the line, and for other
#: collections of the same request.
SHARE_OF_PATIENCE = 1 / 4

#: Ids looked at in one question to the backend.
LOOK_AT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One command to the device; `content` is empty for deletions."""

    verb: Verb
    id: ItemId
    content: tuple[Element, ...] = ()


@dataclass(slots=True, kw_only=True)
class Window:
    """What goes into one answer. `known` are changes to what the device holds, those of a quiet change among them."""

    said: list[Said] = field(default_factory=list)
    known: dict[ItemId, str | None] = field(default_factory=dict)
    looked: list[ItemId] = field(default_factory=list)
    gone: list[ItemId] = field(default_factory=list)
    #: Why an item that is told goes out degraded; "" for those that do not.
    degraded: dict[ItemId, str] = field(default_factory=dict)
    #: Looked at, but to be told only with a later key.
    back: list[ItemId] = field(default_factory=list)

    def delete(self, verb: Verb, id: ItemId) -> None:
        self.said.append(Said(verb=verb, id=id))
        self.known[id], self.degraded[id] = None, ""

    def remaining(self, pending: Pending) -> Pending:
        rest = pending.without(self.looked, self.gone)
        return rest.with_news(self.back, ()) if self.back else rest


class Chooser:
    def __init__(
        self, session: Session, folder: Folder, feed: Feed, known: Known, horizon: Horizon, wanted: Wanted,
        held_back: frozenset[ItemId] = frozenset(),
    ) -> None:
        """`held_back` are items that this very request added: the device learns their ids with the same answer, so that
        what there is to be told of them waits for the next."""
        self.session, self.folder, self.feed = session, folder, feed
        self.known, self.horizon, self.wanted, self.held_back = known, horizon, wanted, held_back
        self.is_mail = folder.item_class == EMAIL
        self.deadline = session.clock.monotonic() + session.patience_seconds * SHARE_OF_PATIENCE

    async def fill(self, pending: Pending, size: int) -> Window:
        """At most `size` commands; 0 gives an empty window. Fewer, but one at least, where they take longer than the
        device waits: it would ask the same again, and hear as little."""
        window = Window()
        for id in pending.gone:
            if len(window.said) >= size:
                return window
            if id in self.held_back:
                continue
            window.gone.append(id)
            if self.known.version(id) is not None:
                window.delete(Verb.DELETE, id)
        newest = pending.newest()
        while (room := size - len(window.said)) > 0 and not self._late(window):
            ids = list(islice(newest, min(room, LOOK_AT)))
            if not ids:
                break
            await self._look(ids, window)
        return window

    async def _look(self, ids: Sequence[ItemId], window: Window) -> None:
        window.looked += ids
        ids = [id for id in ids if id not in window.known]  # told as gone already
        look = await self.feed.look(ids, self.horizon)
        verbs = dict(classify_all(ids, self.known, look, self.is_mail))
        for id in self.held_back & verbs.keys():
            window.back.append(id)
            del verbs[id]
        for id, verb in verbs.items():
            if verb in (Verb.DELETE, Verb.SOFT_DELETE):
                window.delete(verb, id)
                if id in look.versions:
                    window.back.append(id)  # doubted: that it is gone is to arrive before it comes as new
        adds = [id for id, verb in verbs.items() if verb is Verb.ADD and id not in look.drawn]
        drawn = [id for id, verb in verbs.items() if verb is Verb.ADD and id in look.drawn]
        changes = [id for id, verb in verbs.items() if verb is Verb.CHANGE]
        flags_only = [id for id in changes if self.is_mail and not content_mark(look.versions[id])]
        await self._render(adds, Verb.ADD, self.wanted, window)
        await self._render(drawn, Verb.ADD, preview_only(self.wanted), window)
        # A message's content never changes, unless it is a draft: its flags are all that a Change brings.
        await self._render(flags_only, Verb.CHANGE, None, window)
        whole = [id for id in changes if id not in set(flags_only)]
        await self._render(whole, Verb.CHANGE, self.wanted, window)

    async def _render(self, ids: Sequence[ItemId], verb: Verb, wanted: Wanted | None, window: Window) -> None:
        if not ids or self._late(window):
            window.back += ids
            return
        async with aclosing(render_items(self.session, self.folder, ids, wanted)) as rendered:
            async for item in rendered:
                self._tell(item, verb, wanted, window)
                if self._late(window):
                    window.back += ids[ids.index(item.id) + 1 :]
                    break

    def _late(self, window: Window) -> bool:
        return bool(window.said) and self.session.clock.monotonic() > self.deadline

    def _tell(self, item: Rendered, verb: Verb, wanted: Wanted | None, window: Window) -> None:
        before = self.known.version(item.id)
        window.known[item.id] = item.version
        if not self.is_mail and before is not None and digest_part(before) == digest_part(item.version):
            return  # changed, but not in anything that this device sees
        content = item.content
        if wanted is None:
            told = told_changes(before, item.version)
            content = tuple(element for element in content if element.tag in told)
        window.said.append(Said(verb=verb, id=item.id, content=content))
        if wanted is not None:
            window.degraded[item.id] = item.reason

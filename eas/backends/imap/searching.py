"""Searches in a user's mailboxes: the server is asked by `criteria`, and what it cannot say is looked at in what it
found, the newest first. Some mailboxes are searched at the same time, each over a connection of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from functools import partial

import structlog
from sqlalchemy import Connection

from eas.backends.standards.ports import Account, Hit, Numbered
from eas.engine.errors import FolderGone
from eas.engine.ports import MailQuery
from eas.items import kql
from eas.items.kql import Node, Property

from . import criteria, rows, spans
from .conversations import members, newest
from .criteria import Known, charset_of
from .model import No, Pool, Session, Spans
from .reach import Reach, twice
from .rows import State

log = structlog.get_logger("eas.imap")

#: Mailboxes that are searched at the same time: what is left of a user's connections is for those who wait for mail.
AT_ONCE = 2
#: Messages of one mailbox that a search gives, or looks at, the newest by arrival: nobody pages further.
MAX_HITS = 10_000
#: Messages whose bodies are looked through in one command, which a server without an index reads from its disk: at 5 ms
#: each, a third of the time after which it counts as lost.
WINDOW = 2000
#: Seconds after which no further bodies are looked through: phones do not wait much longer. Older mail is not found.
PATIENCE_SECONDS = 20.0


async def search(account: Account, pool: Pool, query: MailQuery, within: Sequence[Numbered]) -> list[Hit]:
    """In no order. Mailboxes that are gone meanwhile have nothing. Raises Unavailable."""
    return await search_node(account, pool, criteria.node_of(query), query.conversation, within)


async def search_node(
    account: Account, pool: Pool, node: Node, conversation: bytes | None, within: Sequence[Numbered]
) -> list[Hit]:
    if criteria.possible(node, Known()) == criteria.NONE and not _asks_categories(node):
        return []
    hits: list[Hit] = []
    pending = iter(within)
    deadline = time.monotonic() + PATIENCE_SECONDS

    async def work() -> None:
        for at in pending:
            reach = Reach(account=account, pool=pool, at=at)
            try:
                hits.extend(await twice(partial(_in_mailbox, reach, node, conversation, deadline)))
            except FolderGone:
                continue

    server = account.tenant.imap
    workers = max(1, min(AT_ONCE, len(within), (server.per_user if server is not None else AT_ONCE) - 1))
    await together([asyncio.ensure_future(work()) for _ in range(workers)])
    return hits


async def together(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Until all are done, or one has failed; then the others are ended first."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _in_mailbox(reach: Reach, node: Node, conversation: bytes | None, deadline: float) -> list[Hit]:
    async with reach.selected() as (session, state):
        if not session.selected or not session.selected.messages:
            return []
        known = await _known(reach, session, state, node)
        plan = criteria.plan(node, known)
        only = conversation is not None and plan.key == criteria.ALL
        found = None if only else await _asked(session, plan.key, deadline)
        if conversation is not None:
            talk = await members(reach, session, state, conversation)
            found = talk if found is None else spans.common(found, talk)
        candidates = newest(found or (), MAX_HITS)
        if not candidates:
            return []
        answers = {one: await _asked(session, criteria.possible(one, known), deadline) for one in plan.asked}
        dated = [
            (one.uid, one.internal_date) async for one in session.fetch(candidates, plan.items)
            if one.internal_date is not None and (plan.left is None or criteria.holds(plan.left, one, answers))
        ]
    uids = [uid for uid, _ in dated]
    names = await reach.account.ground.read(lambda c: rows.names(c, reach.number, state, uids=uids))
    collection = str(reach.number)
    return [
        Hit(received=at, collection=collection, id=id) for uid, at in dated if (id := names.id(uid)) is not None
    ]


async def _asked(session: Session, key: criteria.Key, deadline: float) -> Spans:
    """What the server finds; of bodies, in the newest messages first."""
    assert session.selected is not None
    try:
        if session.selected.messages <= WINDOW or not criteria.reads_bodies(key):
            return await session.search(list(key), charset=charset_of(key))
        return await _in_windows(session, key, deadline)
    except No as error:
        if error.code != "BADCHARSET":
            raise
        return ()  # a server of the last century finds words of its own letters only


async def _in_windows(session: Session, key: criteria.Key, deadline: float) -> Spans:
    left = await session.search(["ALL"])
    found: Spans = ()
    while left:
        if time.monotonic() > deadline:
            log.info("a search ends before it has seen all", left=spans.count(left))
            break
        window = newest(left, WINDOW)
        left = spans.without(left, window)
        within = f"{window[0][0]}:{window[-1][1]}"
        found = spans.union(found, await session.search(["UID", within, *key], charset=charset_of(key)))
    return found


async def _known(reach: Reach, session: Session, state: State, node: Node) -> Known:
    if not _asks_categories(node):
        return Known()

    def noted(connection: Connection) -> dict[str, Spans]:
        notes = rows.notes(connection, reach.number)
        names = rows.names(connection, reach.number, state, ids=list(notes))
        found: dict[str, list[int]] = {}
        for id, text in notes.items():
            uid = names.uid(id)
            for category in rows.note_of(text).categories if uid else ():
                found.setdefault(category, []).append(uid or 0)
        return {category: spans.of(uids) for category, uids in found.items()}

    keywords = session.selected.flags if session.selected is not None else ()
    return Known(keywords=keywords, noted=await reach.account.ground.read(noted))


def _asks_categories(node: Node) -> bool:
    return any(isinstance(one, kql.Text) and one.property is Property.CATEGORY for one in _every_leaf(node))


def _every_leaf(node: Node) -> Iterator[Node]:
    match node:
        case kql.Every(nodes) | kql.Some(nodes):
            for one in nodes:
                yield from _every_leaf(one)
        case kql.Not(inner):
            yield from _every_leaf(inner)
        case _:
            yield node

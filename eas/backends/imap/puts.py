"""Putting messages into a mailbox so that each is there once, whatever breaks off in between.

Before anything is sent it is written down what is put under which name, and from which UID on to look for it. Whoever
comes again with that name finds the answer, or looks for the message before putting it there again. RFC 4315 (UIDPLUS)
tells the UID; without it, and after a crash, it is found by Message-ID and size among those that came since, and among
equal ones by nobody having claimed it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b

from sqlalchemy.exc import IntegrityError

from eas.backends.embedded.codec import millis
from eas.backends.embedded.groupware import Writing
from eas.engine.errors import Unavailable
from eas.items import headers, mime
from eas.items.native import ItemId, Unreadable
from eas.items.rawheader import crlf

from . import prints, rows
from .model import Placed, Session
from .reach import Reach
from .rows import Put, State

#: A replacement that is not at its end after so long was cut off; until then somebody may be at it.
_CUT_OFF_MILLISECONDS = 60_000
_CANDIDATE = ("RFC822.SIZE", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]")
_MAX_UID = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What a message that was put somewhere is known by. `validity` and `uid_next` are those of the mailbox before;
    `message` is a digest of the Message-ID, "" for none; `content` one of all octets, "" where they are not at hand.

    Of a draft that takes the place of another: `id`, and its `note` as JSON.
    """

    validity: int
    uid_next: int
    message: str
    size: int
    content: str = ""
    id: ItemId = 0
    note: str = ""

    def dump(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Sought:
        return cls(**json.loads(text))


#: Octets that are looked at together: a large message may lie in a file.
_PIECE = 1 << 20
_NO_NUL = bytes.maketrans(b"\0", b"\x80")


def content_digest(content: bytes) -> str:
    """Servers end lines as they like, and have no NUL (RFC 3501 4.3)."""
    mark, ended = blake2b(digest_size=16), memoryview(crlf(content))
    for at in range(0, len(ended), _PIECE):
        mark.update(bytes(ended[at : at + _PIECE]).translate(_NO_NUL))
    return mark.hexdigest()


def message_digest(content: bytes) -> str:
    try:
        block = content[: mime.header_end(content)]
    except Unreadable:
        return ""
    return rows.message_digest(prints.message_id(headers.parse(block)))


# --- Marks ------------------------------------------------------------------------------------------------------------


async def mark(reach: Reach, session: Session) -> str:
    """UIDVALIDITY and UIDNEXT of now."""
    status = await reach.existing(session, session.status(reach.mailbox))
    return f"{status.uid_validity or 0}:{status.uid_next or 0}"


def marked(text: str) -> tuple[int, int] | None:
    validity, _, uid_next = text.partition(":")
    if text.isascii() and validity.isdigit() and uid_next.isdigit() and len(text) < 40:
        return int(validity), int(uid_next)
    return None


# --- Looking for what was put -----------------------------------------------------------------------------------------


async def find(reach: Reach, session: Session, state: State, sought: Sought) -> int | None:
    """The UID of a message that was put here and that nobody has claimed; the mailbox is selected and up to date."""
    first = sought.uid_next if sought.validity == state.validity else 1
    found: list[int] = []
    async for one in session.fetch(((max(1, first), _MAX_UID),), _CANDIDATE):
        if one.uid >= first and one.size is not None and _is_like(sought, one.size, one.sections.values()):
            found.append(one.uid)
    taken = await reach.account.ground.read(
        lambda c: rows.claimed(c, reach.number, [state.natural(uid) for uid in found])
    )
    free = [uid for uid in sorted(found) if state.natural(uid) not in taken]
    if sought.content and (len(free) > 1 or not sought.message):
        exact = [uid for uid in free if await _digest(session, uid) == sought.content]
        # Some servers change a little of what they store.
        free = exact or (free if sought.message else [])
    return free[0] if free else None


def _is_like(sought: Sought, size: int, blocks: Iterable[bytes]) -> bool:
    if not sought.message:
        return size == sought.size
    told = [rows.message_digest(prints.message_id(headers.parse(block))) for block in blocks]
    return sought.message in told and (bool(sought.content) or size == sought.size)


async def _digest(session: Session, uid: int) -> str:
    return content_digest(b"".join([piece async for piece in session.stream(uid, "")]))


# --- Putting ----------------------------------------------------------------------------------------------------------


def claiming(reach: Reach, session: Session, *, again: bool) -> AbstractAsyncContextManager[None]:
    """Around looking for what was put and claiming it: of equal messages each is found once. Where the server tells
    the UIDs nothing has to be looked for."""
    if "UIDPLUS" in session.capabilities and not again:
        return nullcontext()
    return _locked(reach.lock("put"))


@asynccontextmanager
async def _locked(lock: asyncio.Lock) -> AsyncIterator[None]:
    async with lock:
        yield


async def begin(reach: Reach, name: str, sought: Sought, old: int = 0) -> None:
    """Raises Unavailable if another node has begun the same just now."""
    try:
        await reach.account.ground.write(lambda tx: rows.begin_put(tx, reach.number, name, sought.dump(), old))
    except IntegrityError as error:
        raise Unavailable("somebody else is putting the same message there") from error


async def settle(reach: Reach, name: str, id: ItemId) -> ItemId:
    """As `rows.settle_put`. Not worth waiting for the disk: if it is lost, the message is found again."""
    return await reach.account.ground.transactions.write(
        lambda c: rows.settle_put(c, reach.number, name, id), lasting=False
    )


async def uid_of(reach: Reach, session: Session, placed: Placed, key: int, sought: Sought) -> tuple[int, State]:
    """Where a message was put, as told or found, and the state of the mailbox. Raises Unavailable if it cannot be
    found: then it may be there or not, and the same name finds out."""
    state = await reach.state()
    uid = placed.uids.get(key)
    if uid is not None and placed.uid_validity == state.validity:
        return uid, state
    await _select_fresh(reach, session)
    state = await reach.known(session, state)
    if uid is None or placed.uid_validity != state.validity:
        uid = await find(reach, session, state, sought)
    if uid is None:
        raise Unavailable("what was put into the mailbox is not to be found there")
    return uid, state


async def _select_fresh(reach: Reach, session: Session) -> None:
    if reach.is_selected(session):
        await reach.sync(session)
    else:
        await reach.select(session)


async def find_again(reach: Reach, session: Session, sought: Sought) -> tuple[int | None, State]:
    """After a try that may have been cut off."""
    await _select_fresh(reach, session)
    state = await reach.known(session, await reach.state())
    return await find(reach, session, state, sought), state


# --- Drafts that take the place of others -----------------------------------------------------------------------------


def replaced(
    tx: Writing, reach: Reach, name: str, state: State, uid: int, sought: Sought, old: int, *, message: str
) -> bool:
    """The message of `uid` stands behind the id of `sought` from now on; `old` is still to be removed. False if
    another node has done the same meanwhile: its message stands there."""
    id = sought.id
    counter = rows.raise_counter(tx, reach.user_id, reach.number)
    there = rows.put(tx.connection, reach.number, name)
    if there is None or there.id:
        return False
    before = rows.names(tx.connection, reach.number, rows.state(tx.connection, reach.user_id, reach.number), ids=[id])
    rows.set_alias(tx, reach.number, id, state.epoch, uid, counter, before.content(id) + 1)
    rows.set_note(tx, reach.user_id, reach.number, id, rows.note_of(sought.note), message, counter)
    rows.settle_put(tx.connection, reach.number, name, id, old=old)
    return True


async def remove_old(reach: Reach, session: Session, name: str, old: int) -> None:
    await session.expunge(((old, old),))
    await reach.account.ground.transactions.write(lambda c: rows.end_put(c, reach.number, name), lasting=False)


async def finish(reach: Reach, session: Session) -> None:
    """Bring to an end what others have begun and not finished: nobody may come again for it."""
    now = millis(reach.account.ground.now())
    for put in await reach.account.ground.read(lambda c: rows.open_puts(c, reach.number)):
        if put.at < now - _CUT_OFF_MILLISECONDS:
            async with reach.lock(put.name):
                await _finish(reach, session, put)


async def _finish(reach: Reach, session: Session, put: Put) -> None:
    again = await reach.account.ground.read(lambda c: rows.put(c, reach.number, put.name))
    if again is None or not again.old:
        return
    sought = Sought.load(put.sought)
    uid, state = await find_again(reach, session, sought) if not again.id else (0, await reach.state())
    if uid is None:
        # It was never put there: the old one stays what it was.
        await reach.account.ground.write(lambda tx: rows.end_put(tx.connection, reach.number, put.name))
        return
    if sought.validity != state.validity:
        return
    if uid:
        do: Callable[[Writing], bool] = partial(
            replaced, reach=reach, name=put.name, state=state, uid=uid, sought=sought, old=again.old,
            message=sought.message,
        )
        await reach.account.ground.write(do)
    await _select_fresh(reach, session)
    await remove_old(reach, session, put.name, again.old)


async def finish_of(reach: Reach, session: Session, id: ItemId) -> None:
    """The same for what replaces one item, at once: its writer has come again, or another one that waited for it."""
    for put in await reach.account.ground.read(lambda c: rows.open_puts(c, reach.number)):
        if Sought.load(put.sought).id == id:
            async with reach.lock(put.name):
                await _finish(reach, session, put)

"""Contents: writing what was prepared, and reading octets back, whole or by ranges, a few chunks at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, or_, select

from eas.engine.errors import ItemGone, NoSpace

from .groupware import Groupware
from .prepare import Prepared, folded
from .tables import CHUNK_BYTES, ChunkRow, ContactRow, ContactTermRow, ContentRow, UserRow

#: Chunks read in one statement while streaming: what a stream holds in memory.
STREAM_CHUNKS = 8

#: Values in one statement. SQLite takes 32,766 and PostgreSQL as many.
BATCH = 500


_INSERT = insert(ContentRow).returning(ContentRow.id)
_INSERT_CHUNKS = insert(ChunkRow)
_QUOTA = select(UserRow.quota).where(UserRow.id == bindparam("user"))


def insert_content(connection: Connection, user_id: str, prepared: Prepared) -> int:
    """Raises NoSpace if the user's quota is reached."""
    _check_quota(connection, user_id, len(prepared.octets))
    content_id: int = connection.execute(_INSERT, _columns(user_id, prepared)).scalar_one()
    _insert_rest(connection, user_id, content_id, prepared)
    return content_id


def replace_content(connection: Connection, user_id: str, content_id: int, prepared: Prepared) -> None:
    """Of a record, or of a draft. Raises NoSpace."""
    _check_quota(connection, user_id, len(prepared.octets))
    table = ContentRow.__table__
    statement = table.update().where(ContentRow.id == content_id)  # type: ignore[attr-defined]
    connection.execute(statement, _columns(user_id, prepared))
    for kind in (ContactRow, ContactTermRow, ChunkRow):
        connection.execute(delete(kind).where(kind.content_id == content_id))
    _insert_rest(connection, user_id, content_id, prepared)


def _check_quota(connection: Connection, user_id: str, more: int) -> None:
    quota = connection.execute(_QUOTA, {"user": user_id}).scalar_one_or_none()
    if quota:
        used = connection.execute(select(func.sum(ContentRow.size)).where(ContentRow.user_id == user_id))
        if int(used.scalar_one() or 0) + more > quota:
            raise NoSpace("the mailbox is full")


def _columns(user_id: str, prepared: Prepared) -> dict[str, object]:
    return {
        "user_id": user_id,
        "size": len(prepared.octets),
        "digest": prepared.digest,
        "message_id": prepared.message_id,
        "conversation": prepared.conversation,
        "uid": prepared.uid,
        "header": prepared.header,
        "structure": prepared.structure,
        "data": None if prepared.mail else prepared.octets,
        "search": prepared.search,
    }


def _insert_rest(connection: Connection, user_id: str, content_id: int, prepared: Prepared) -> None:
    if prepared.mail:
        raw = memoryview(prepared.octets)
        pieces = range(0, len(raw), CHUNK_BYTES)
        # One statement a batch, so that no more than some MiB are copied at a time.
        for first in range(0, len(pieces), STREAM_CHUNKS):
            rows = [
                {"content_id": content_id, "seq": at // CHUNK_BYTES, "data": bytes(raw[at : at + CHUNK_BYTES])}
                for at in pieces[first : first + STREAM_CHUNKS]
            ]
            connection.execute(_INSERT_CHUNKS, rows)
    if prepared.entries:
        common = {"content_id": content_id, "user_id": user_id}
        entries = [
            common | asdict(entry) | {"n": n, "address_key": folded(entry.address)[:320]}
            for n, entry in enumerate(prepared.entries)
        ]
        connection.execute(insert(ContactRow), entries)
    if prepared.terms:
        terms = [{"content_id": content_id, "user_id": user_id, "term": term} for term in prepared.terms]
        connection.execute(insert(ContactTermRow), terms)


# --- Reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """Octets of a content: from `start`, `length` of them."""

    content_id: int
    start: int
    length: int

    @property
    def chunks(self) -> range:
        """The numbers of the chunks that hold it."""
        return range(self.start // CHUNK_BYTES, -(-(self.start + self.length) // CHUNK_BYTES))

    def cut(self, chunks: Mapping[tuple[int, int], bytes]) -> bytes:
        """The octets out of the chunks; fewer where chunks are missing."""
        numbers = self.chunks
        if not numbers:
            return b""
        first = self.start - numbers[0] * CHUNK_BYTES
        if len(numbers) == 1:
            return chunks.get((self.content_id, numbers[0]), b"")[first : first + self.length]
        joined = b"".join([chunks.get((self.content_id, number), b"") for number in numbers])
        return joined[first : first + self.length]


def load_chunks(connection: Connection, spans: Iterable[Span]) -> dict[tuple[int, int], bytes]:
    """(content, number) -> octets of all chunks in which the spans lie."""
    wanted = sorted({(span.content_id, number) for span in spans for number in span.chunks})
    firsts = [content_id for content_id, number in wanted if number == 0]
    others: dict[int, list[int]] = {}
    for content_id, number in wanted:
        if number:
            others.setdefault(content_id, []).append(number)
    found: dict[tuple[int, int], bytes] = {}
    for condition in (*_of_firsts(firsts), *_of_others(others)):
        statement = select(ChunkRow.content_id, ChunkRow.seq, ChunkRow.data).where(condition)
        for content_id, number, data in connection.execute(statement):
            found[content_id, number] = data
    return found


def _of_firsts(content_ids: list[int]) -> list[ColumnElement[bool]]:
    """Most messages lie in one chunk: those of many messages in one statement."""
    batches = [content_ids[at : at + BATCH] for at in range(0, len(content_ids), BATCH)]
    return [and_(ChunkRow.content_id.in_(batch), ChunkRow.seq == 0) for batch in batches]


def _of_others(numbers: Mapping[int, list[int]]) -> list[ColumnElement[bool]]:
    conditions = [
        and_(ChunkRow.content_id == content_id, ChunkRow.seq.between(some[0], some[-1]))
        for content_id, some in numbers.items()
    ]
    return [or_(*conditions[at : at + 50]) for at in range(0, len(conditions), 50)]


async def stream(groupware: Groupware, content_id: int, start: int, length: int) -> AsyncIterator[bytes]:
    """Octets in pieces. No connection is held between them: a slow reader costs nobody anything.

    Raises ItemGone if the content is deleted meanwhile.
    """
    end = start + length
    while start < end:
        number = start // CHUNK_BYTES
        until = min(end, (number + STREAM_CHUNKS) * CHUNK_BYTES)
        span = Span(content_id, start, until - start)
        piece = span.cut(await groupware.read(partial(load_chunks, spans=[span])))
        if not piece:
            raise ItemGone(f"content {content_id}")
        yield piece
        start = until

"""By what messages are recognised under a new UIDVALIDITY, and to which conversation they belong.

Records of a fixed length, in ascending order of their UIDs, many to a row; the rows of a mailbox divide its UIDs among
them: each holds those from its `first_uid` up to the next row's. One more message writes one row again, of at most some
kilobytes.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from eas.backends.standards.tables import PlaceRow, PrintsRow
from eas.items import headers
from eas.items.conversation import conversation_of

_RECORD = struct.Struct(">I16s16s")
#: Records of one row: 9 KiB.
MAX_RECORDS = 256
#: What a print is made of, beside INTERNALDATE and RFC822.SIZE.
FIELDS = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID REFERENCES IN-REPLY-TO THREAD-INDEX SUBJECT)]"
FETCHED = ("INTERNALDATE", "RFC822.SIZE", FIELDS)


class Print(NamedTuple):
    """`mark` tells messages apart, by Message-ID, size and INTERNALDATE. `conversation` is its id. 16 octets each."""

    uid: int
    mark: bytes
    conversation: bytes


def print_of(uid: int, header: bytes, size: int, received: datetime) -> Print:
    fields = headers.parse(header)
    mark = mark_of(message_id(fields), size, received)
    return Print(uid, mark, conversation_of(fields, received).id)


def message_id(fields: Mapping[bytes, bytes]) -> bytes:
    """b"" for none."""
    return next(iter(headers.message_ids(fields.get(b"message-id", b""))), b"")


def mark_of(message_id: bytes, size: int, received: datetime) -> bytes:
    return blake2b(b"%d %d " % (size, int(received.timestamp())) + message_id, digest_size=16).digest()


# --- Records ----------------------------------------------------------------------------------------------------------


def pack(prints: Iterable[Print]) -> bytes:
    return b"".join([_RECORD.pack(*one) for one in prints])


def unpack(data: bytes) -> Iterator[Print]:
    """A record that was cut off is left out."""
    whole = len(data) - len(data) % _RECORD.size
    return (Print(*found) for found in _RECORD.iter_unpack(data[:whole]))


def merged(data: bytes, more: Iterable[Print]) -> list[bytes]:
    """Rows that hold what `data` held and what is new in `more`, none with more than MAX_RECORDS; [data] if nothing
    is."""
    held = {one.uid: one for one in unpack(data)}
    new = {one.uid: one for one in more if one.uid not in held}
    if not new:
        return [data]
    every = [one for _, one in sorted({**held, **new}.items())]
    if len(every) <= MAX_RECORDS:
        return [pack(every)]
    # At the end, where new messages come, the full row stays full; elsewhere halves leave room on both sides.
    size = MAX_RECORDS if min(new) > max(held, default=0) else MAX_RECORDS // 2
    return [pack(every[at : at + size]) for at in range(0, len(every), size)]


def first_uid(data: bytes) -> int:
    return int.from_bytes(data[:4], "big")


def divided(firsts: Sequence[int], prints: Iterable[Print]) -> dict[int | None, list[Print]]:
    """Which row (by its first UID, ascending in `firsts`) each print belongs to; None: before all of them."""
    found: dict[int | None, list[Print]] = {}
    for one in prints:
        at = bisect_left(firsts, one.uid + 1) - 1
        found.setdefault(firsts[at] if at >= 0 else None, []).append(one)
    return found


# --- Rows -------------------------------------------------------------------------------------------------------------


def load(connection: Connection, number: int, epoch: int) -> dict[int, Print]:
    """All of a mailbox, by UID."""
    statement = select(PrintsRow.data).where(PrintsRow.number == number, PrintsRow.epoch == epoch)
    return {one.uid: one for data in connection.execute(statement).scalars() for one in unpack(data)}


def missing(connection: Connection, number: int, epoch: int, uids: Collection[int]) -> set[int]:
    """Those of some UIDs of which there is no print."""
    left = set(uids)
    for row in _rows(connection, number, epoch, left).values():
        left.difference_update(one.uid for one in unpack(row))
    return left


_INSERT = insert(PrintsRow)
_UPDATE = (
    update(PrintsRow).where(
        PrintsRow.number == bindparam("in_number"), PrintsRow.epoch == bindparam("in_epoch"),
        PrintsRow.first_uid == bindparam("first"),
    )
    .values(data=bindparam("records"))
)


def keep(connection: Connection, number: int, epoch: int, prints: Collection[Print]) -> None:
    """In a transaction that writes. What is kept already is left as it is. One at a time writes those of a mailbox."""
    connection.execute(select(PlaceRow.number).where(PlaceRow.number == number).with_for_update(key_share=True))
    rows = _rows(connection, number, epoch, [one.uid for one in prints])
    for first, some in divided(sorted(rows), prints).items():
        data = rows[first] if first is not None else b""
        fresh = merged(data, some)
        if fresh == [data]:
            continue
        if first is not None:
            values = {"in_number": number, "in_epoch": epoch, "first": first, "records": fresh[0]}
            connection.execute(_UPDATE, values)
            fresh = fresh[1:]
        for more in fresh:
            values = {"number": number, "epoch": epoch, "first_uid": first_uid(more), "data": more}
            connection.execute(_INSERT, values)


def drop(connection: Connection, number: int, epoch: int) -> None:
    connection.execute(delete(PrintsRow).where(PrintsRow.number == number, PrintsRow.epoch == epoch))


#: Made once, as every message that is handed out asks this: to put it together costs more than the database takes.
_MINE = (PrintsRow.number == bindparam("number"), PrintsRow.epoch == bindparam("epoch"))
_LOWEST = select(func.max(PrintsRow.first_uid)).where(*_MINE, PrintsRow.first_uid <= bindparam("low")).scalar_subquery()
_BETWEEN = select(PrintsRow.first_uid, PrintsRow.data).where(
    *_MINE, PrintsRow.first_uid >= func.coalesce(_LOWEST, 0), PrintsRow.first_uid <= bindparam("high")
)


def _rows(connection: Connection, number: int, epoch: int, uids: Collection[int]) -> dict[int, bytes]:
    """First UID -> records, of the rows that these UIDs belong to."""
    if not uids:
        return {}
    values = {"number": number, "epoch": epoch, "low": min(uids), "high": max(uids)}
    return dict(connection.execute(_BETWEEN, values).all())

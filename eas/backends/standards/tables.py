"""What the gateway itself must know of folders and items that stand on other servers.

Numbers for folders and for the objects of CalDAV and CardDAV, which have names only; what is to be kept of messages
that IMAP has no place for; fingerprints by which messages are recognised under a new UIDVALIDITY. Contents are not
kept. Moments are epoch milliseconds, as in `embedded.tables`. Counters are raised by UPDATE in the writing transaction.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from eas.backends.embedded.tables import Counted, Folded
from eas.db import Base


class MemberRow(Base):
    """A user of the gateway (`gw_user`) whose groupware is that of a tenant; `login` is what its servers are entered
    with, folded."""

    __tablename__ = "std_member"
    __table_args__ = (Index("uq_std_member_login", "tenant", "login", unique=True), {"sqlite_with_rowid": False})

    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    login: Mapped[str] = mapped_column(Folded)


class PlaceRow(Base):
    """A folder of one user on one server. `present` False: it is gone, or about to be made under the `chosen` name.

    `epoch` counts the UIDVALIDITY values (`validity`) that the folder has had, from 1. `counter` counts changes in our
    own rows of the folder, `next_item` is the next id of an object; deletions up to `floor` have been forgotten.
    `token` is how far our rows have followed the server (`dav.rows`: what a probe said, and what changes are asked for
    with; there the counter goes with the clock).
    """

    __tablename__ = "std_place"
    __table_args__ = (
        Index("uq_std_place_locator", "user_id", "source", "locator", unique=True),
        Index("uq_std_place_chosen", "user_id", "chosen", unique=True),
        {"sqlite_autoincrement": True},  # numbers are never used again
    )

    number: Mapped[int] = mapped_column(Counted, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"))
    source: Mapped[str] = mapped_column(String(16))
    locator: Mapped[str] = mapped_column(String(1024))
    mark: Mapped[str] = mapped_column(String(255), default="")
    chosen: Mapped[str | None] = mapped_column(String(255))
    present: Mapped[bool] = mapped_column(Boolean, default=True)
    epoch: Mapped[int] = mapped_column(BigInteger, default=1)
    validity: Mapped[int] = mapped_column(BigInteger, default=0)
    counter: Mapped[int] = mapped_column(BigInteger, default=1)
    next_item: Mapped[int] = mapped_column(BigInteger, default=1)
    floor: Mapped[int] = mapped_column(BigInteger, default=0)
    token: Mapped[str] = mapped_column(Text, default="")


class ObjectRow(Base):
    """One object of a DAV collection: its href, ETag, and what listings need of it (`until` as in `ports.Horizon`).

    `href` is the last segment of it, unless it lies elsewhere. `version` is that of the feed: equal for equal ETags;
    "" for what is no item of this place (a task in a collection that is shown as a calendar, too).
    `search` is folded text; `entries` is JSON of what the directory shows of a contact.
    """

    __tablename__ = "std_object"
    __table_args__ = (
        Index("uq_std_object_href", "number", "href", unique=True),
        Index("ix_std_object_modseq", "number", "modseq"),
        Index("ix_std_object_uid", "number", "uid"),
        {"sqlite_with_rowid": False},
    )

    number: Mapped[int] = mapped_column(
        Counted, ForeignKey("std_place.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    href: Mapped[str] = mapped_column(String(1024))
    etag: Mapped[str] = mapped_column(String(255))
    version: Mapped[str] = mapped_column(String(64))
    modseq: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger)
    uid: Mapped[str | None] = mapped_column(String(255))
    search: Mapped[str] = mapped_column(Text, default="")
    entries: Mapped[str] = mapped_column(Text, default="")


class GoneRow(Base):
    """An object that is no longer in its collection, and when (by the place's counter, and by the clock) it went. `uid`
    is that of an appointment, as in `ObjectRow`."""

    __tablename__ = "std_gone"
    __table_args__ = (
        Index("ix_std_gone_modseq", "number", "modseq"),
        Index("ix_std_gone_uid", "number", "uid"),
        {"sqlite_with_rowid": False},
    )

    number: Mapped[int] = mapped_column(
        Counted, ForeignKey("std_place.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    modseq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[int] = mapped_column(BigInteger, index=True)
    uid: Mapped[str | None] = mapped_column(String(255))


class AliasRow(Base):
    """A message that devices know under an id which is not that of its UID: a draft that was written anew, or one from
    before a new UIDVALIDITY. `uid` 0: it is gone. `epoch` is that of the UID. `content` counts how often the message
    was replaced by another."""

    __tablename__ = "std_alias"
    __table_args__ = (Index("ix_std_alias_uid", "number", "epoch", "uid"), {"sqlite_with_rowid": False})

    number: Mapped[int] = mapped_column(
        Counted, ForeignKey("std_place.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(BigInteger)
    uid: Mapped[int] = mapped_column(BigInteger)
    modseq: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[int] = mapped_column(BigInteger, default=0)


class PutRow(Base):
    """A message that is put into a folder under a chosen name (of which `name` is a digest), or that replaces another
    there: written down before, so that it is found after a crash. `id` 0: under way. `sought` is JSON of what to look
    for; `old` is the UID that is still to be removed from this folder, 0 for none."""

    __tablename__ = "std_put"
    __table_args__ = ({"sqlite_with_rowid": False},)

    number: Mapped[int] = mapped_column(
        Counted, ForeignKey("std_place.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, default=0)
    old: Mapped[int] = mapped_column(BigInteger, default=0)
    sought: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[int] = mapped_column(BigInteger, index=True)


class NoteRow(Base):
    """What IMAP has no place for: the dates and names of a follow-up flag, the time of a reply, categories for which
    the server has no keyword left. `message` is a digest of the Message-ID, by which it is found again after a move;
    `data` is JSON as in `embedded.codec.dump_flags`, "" for nothing."""

    __tablename__ = "std_note"
    __table_args__ = (
        Index("ix_std_note_modseq", "number", "modseq"),
        Index("ix_std_note_message", "user_id", "message"),
        {"sqlite_with_rowid": False},
    )

    number: Mapped[int] = mapped_column(
        Counted, ForeignKey("std_place.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"))
    message: Mapped[str] = mapped_column(String(64), default="")
    data: Mapped[str] = mapped_column(Text, default="")
    modseq: Mapped[int] = mapped_column(BigInteger)


class PrintsRow(Base):
    """Fingerprints of messages that were handed out: records of fixed length (`imap.prints`), many to a row."""

    __tablename__ = "std_prints"
    __table_args__ = ({"sqlite_with_rowid": False},)

    number: Mapped[int] = mapped_column(
        Counted, ForeignKey("std_place.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    first_uid: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class MovedConversationRow(Base):
    """Where later messages of a conversation go instead of the inbox. `conversation` is its id in hex."""

    __tablename__ = "std_moved_conversation"
    __table_args__ = ({"sqlite_with_rowid": False},)

    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), primary_key=True)
    conversation: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(
        Counted, ForeignKey("std_place.number", ondelete="CASCADE"), index=True, autoincrement=False
    )


class KeptRow(Base):
    """Small things that are kept for a user under a name, as JSON: the last out-of-office settings as a device said
    them, say."""

    __tablename__ = "std_kept"
    __table_args__ = ({"sqlite_with_rowid": False},)

    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[int] = mapped_column(BigInteger, default=0)

"""The tables of the embedded groupware.

An item is a narrow row (what listings and change feeds read) that points to a content (header, structure, search text),
whose octets stand in chunks; a move makes a new item row and leaves the content alone. Moments are epoch milliseconds,
UTC: they compare alike on every database. Change counters are columns raised by UPDATE in the writing transaction,
never sequences, which commit out of order. Names that are compared without regard to case are kept folded.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from eas.db import Base

#: A 64-bit number that the database counts up; SQLite does that for the type INTEGER alone.
Counted = BigInteger().with_variant(Integer(), "sqlite")
#: Text compared octet by octet, so that a prefix is a range in the index.
Folded = String(320).with_variant(String(320, collation="C"), "postgresql")
#: Ids of users and groups: random, never used again.
Id = String(40)


class UserRow(Base):
    """A person with a mailbox. `login` and `domain` are folded; `hierarchy` counts changes of the visible folders."""

    __tablename__ = "gw_user"
    __table_args__ = (UniqueConstraint("login", "domain"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    login: Mapped[str] = mapped_column(Folded)
    domain: Mapped[str] = mapped_column(Folded, default="")
    address: Mapped[str] = mapped_column(String(320))
    password: Mapped[str] = mapped_column(String(255), default="")
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    activesync: Mapped[bool] = mapped_column(Boolean, default=True)
    hidden: Mapped[bool] = mapped_column(Boolean, default=False)
    zone: Mapped[str] = mapped_column(String(64), default="UTC")
    name: Mapped[str] = mapped_column(String(256), default="")
    alias: Mapped[str] = mapped_column(String(256), default="")
    first_name: Mapped[str] = mapped_column(String(128), default="")
    last_name: Mapped[str] = mapped_column(String(128), default="")
    title: Mapped[str] = mapped_column(String(128), default="")
    company: Mapped[str] = mapped_column(String(128), default="")
    department: Mapped[str] = mapped_column(String(128), default="")
    office: Mapped[str] = mapped_column(String(128), default="")
    phone: Mapped[str] = mapped_column(String(64), default="")
    home_phone: Mapped[str] = mapped_column(String(64), default="")
    mobile_phone: Mapped[str] = mapped_column(String(64), default="")
    certificates: Mapped[str] = mapped_column(Text, default="[]")  # JSON: base64 of DER, each
    out_of_office: Mapped[str] = mapped_column(Text, default="")  # JSON, "" for off
    hierarchy: Mapped[int] = mapped_column(BigInteger, default=1)
    created: Mapped[int] = mapped_column(BigInteger, default=0)
    quota: Mapped[int] = mapped_column(BigInteger, default=0)  # octets, 0 for none
    picture: Mapped[bytes] = mapped_column(LargeBinary, default=b"")


class GroupRow(Base):
    """A distribution list, and a bearer of rights."""

    __tablename__ = "gw_group"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    address: Mapped[str] = mapped_column(String(320))
    name: Mapped[str] = mapped_column(String(256), default="")
    hidden: Mapped[bool] = mapped_column(Boolean, default=False)


class GroupMemberRow(Base):
    """`member` is a user's id, or an address elsewhere (then `user_id` is null)."""

    __tablename__ = "gw_group_member"

    group_id: Mapped[str] = mapped_column(ForeignKey("gw_group.id", ondelete="CASCADE"), primary_key=True)
    member: Mapped[str] = mapped_column(String(320), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), index=True)


class AddressRow(Base):
    """Every address at which somebody is reached here, folded: primary ones, aliases, groups."""

    __tablename__ = "gw_address"

    address: Mapped[str] = mapped_column(Folded, primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), index=True)
    group_id: Mapped[str | None] = mapped_column(ForeignKey("gw_group.id", ondelete="CASCADE"), index=True)


class TermRow(Base):
    """What an entry of the address list is found by: folded beginnings. `entry` is a user's or a group's id."""

    __tablename__ = "gw_term"

    term: Mapped[str] = mapped_column(Folded, primary_key=True)
    entry: Mapped[str] = mapped_column(Id, primary_key=True, index=True)


class FolderRow(Base):
    """`parent` is 0 at the root. `chosen` is the name under which its creation is found again. `modseq` counts changes
    of the items, `next_item` is the next id; deletions up to `floor` have been forgotten."""

    __tablename__ = "gw_folder"
    __table_args__ = (
        UniqueConstraint("owner", "parent", "name_key"),
        Index("uq_gw_folder_chosen", "owner", "chosen", unique=True),
        {"sqlite_autoincrement": True},  # ids are never used again
    )

    id: Mapped[int] = mapped_column(Counted, primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"))
    parent: Mapped[int] = mapped_column(BigInteger, default=0)
    name: Mapped[str] = mapped_column(String(256))
    name_key: Mapped[str] = mapped_column(String(512))
    type: Mapped[int] = mapped_column(Integer)
    item_class: Mapped[str] = mapped_column(String(16))
    chosen: Mapped[str | None] = mapped_column(String(255))
    modseq: Mapped[int] = mapped_column(BigInteger, default=1)
    next_item: Mapped[int] = mapped_column(BigInteger, default=1)
    floor: Mapped[int] = mapped_column(BigInteger, default=0)


class RightRow(Base):
    """What somebody other than the owner may do. `principal` is a user's or a group's id."""

    __tablename__ = "gw_right"

    folder_id: Mapped[int] = mapped_column(ForeignKey("gw_folder.id", ondelete="CASCADE"), primary_key=True)
    principal: Mapped[str] = mapped_column(Id, primary_key=True, index=True)
    right: Mapped[int] = mapped_column(Integer)


class ContentRow(Base):
    """What an item holds. For mail `header`, `structure` (JSON, null if unreadable), the search text, and chunks; for
    records `data`. `digest` is SHA-256 in hex of all octets. `uid` is that of an iCalendar object."""

    __tablename__ = "gw_content"
    __table_args__ = (
        Index("ix_gw_content_message_id", "user_id", "message_id"),
        Index("ix_gw_content_conversation", "user_id", "conversation"),
        Index("ix_gw_content_uid", "user_id", "uid"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Counted, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"))
    size: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    message_id: Mapped[str | None] = mapped_column(String(255))
    conversation: Mapped[str | None] = mapped_column(String(64))  # hex
    uid: Mapped[str | None] = mapped_column(String(255))
    header: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    structure: Mapped[str | None] = mapped_column(Text)
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    search: Mapped[str] = mapped_column(Text, default="")


class ItemRow(Base):
    """One item of a folder. `name` is what was chosen for it, unique in the folder. `version` names the visible state.
    `until`: how far it reaches (`ports.Horizon`). `flags` is JSON of MailFlags, "" for none set."""

    __tablename__ = "gw_item"
    __table_args__ = (
        Index("uq_gw_item_name", "folder_id", "name", unique=True),
        Index("ix_gw_item_modseq", "folder_id", "modseq"),
        # Holds all that a listing needs.
        Index("ix_gw_item_until", "folder_id", "until", "id", "version"),
        Index("ix_gw_item_received", "folder_id", "received"),
        {"sqlite_with_rowid": False},
    )

    folder_id: Mapped[int] = mapped_column(ForeignKey("gw_folder.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    modseq: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[str] = mapped_column(String(64))
    until: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str | None] = mapped_column(String(255))
    flags: Mapped[str] = mapped_column(Text, default="")
    content_id: Mapped[int] = mapped_column(ForeignKey("gw_content.id", ondelete="CASCADE"), index=True)


class ChunkRow(Base):
    """The octets of a message in pieces of CHUNK_BYTES (the last one shorter), counted from 0."""

    __tablename__ = "gw_chunk"

    content_id: Mapped[int] = mapped_column(ForeignKey("gw_content.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


#: Small enough that a dozen streams cost nothing, large enough that 30 MB are 480 rows.
CHUNK_BYTES = 64 << 10


class TombstoneRow(Base):
    """An item that is no longer in the folder, and when (by the folder's counter, and by the clock) it went."""

    __tablename__ = "gw_tombstone"
    __table_args__ = (Index("ix_gw_tombstone_modseq", "folder_id", "modseq"), {"sqlite_with_rowid": False})

    folder_id: Mapped[int] = mapped_column(ForeignKey("gw_folder.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    modseq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[int] = mapped_column(BigInteger, index=True)


class ContactRow(Base):
    """What the directory shows of a contact: one row an e-mail address (or one without), `n` counts them from 0."""

    __tablename__ = "gw_contact"
    __table_args__ = (Index("ix_gw_contact_address_key", "user_id", "address_key"),)

    content_id: Mapped[int] = mapped_column(ForeignKey("gw_content.id", ondelete="CASCADE"), primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"))
    address: Mapped[str] = mapped_column(String(320))
    address_key: Mapped[str] = mapped_column(Folded)
    name: Mapped[str] = mapped_column(String(256), default="")
    first_name: Mapped[str] = mapped_column(String(128), default="")
    last_name: Mapped[str] = mapped_column(String(128), default="")
    phone: Mapped[str] = mapped_column(String(64), default="")
    mobile_phone: Mapped[str] = mapped_column(String(64), default="")
    home_phone: Mapped[str] = mapped_column(String(64), default="")
    company: Mapped[str] = mapped_column(String(128), default="")
    title: Mapped[str] = mapped_column(String(128), default="")
    office: Mapped[str] = mapped_column(String(128), default="")


class ContactTermRow(Base):
    """What a user's contact is found by."""

    __tablename__ = "gw_contact_term"

    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), primary_key=True)
    term: Mapped[str] = mapped_column(Folded, primary_key=True)
    content_id: Mapped[int] = mapped_column(
        ForeignKey("gw_content.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class ConversationRuleRow(Base):
    """Where later messages of a conversation go instead of the inbox. `conversation` is its id in hex."""

    __tablename__ = "gw_conversation_rule"
    __table_args__ = ({"sqlite_with_rowid": False},)

    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), primary_key=True)
    conversation: Mapped[str] = mapped_column(String(64), primary_key=True)
    folder_id: Mapped[int] = mapped_column(
        Counted, ForeignKey("gw_folder.id", ondelete="CASCADE"), index=True, autoincrement=False
    )


class FilterRow(Base):
    """A user's mail filters, JSON of `eas.items.mail_filters`; none for users without."""

    __tablename__ = "gw_filter"

    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class DeliveredRow(Base):
    """A message that was put into somebody's mailbox; `key` is a digest of the Message-ID (and of the envelope)."""

    __tablename__ = "gw_delivered"
    __table_args__ = ({"sqlite_with_rowid": False},)

    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger, index=True)


class SubmittedRow(Base):
    """A message that a user sent. `done` 0 while it is on its way, taken up by the one who wrote `holder`. What it was
    stands beside for people."""

    __tablename__ = "gw_submitted"
    __table_args__ = ({"sqlite_with_rowid": False},)

    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(40))
    at: Mapped[int] = mapped_column(BigInteger, index=True)
    done: Mapped[int] = mapped_column(Integer, default=0)
    message_id: Mapped[str] = mapped_column(String(255), default="", server_default=text("''"))
    subject: Mapped[str] = mapped_column(String(255), default="", server_default=text("''"))


class AutoRepliedRow(Base):
    """An out-of-office reply that was sent, once a sender and day."""

    __tablename__ = "gw_auto_replied"

    user_id: Mapped[str] = mapped_column(ForeignKey("gw_user.id", ondelete="CASCADE"), primary_key=True)
    sender: Mapped[str] = mapped_column(Folded, primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)

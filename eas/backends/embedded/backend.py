"""The embedded groupware, joined: what `eas.app` makes of a database, and hands to the server, the mail server in front
and the admin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update

from eas.db.transactions import Transactions
from eas.engine.model import User

from .accounts import EmbeddedAccounts
from .admin import Admin
from .auto_reply import AutoReplies
from .codec import millis
from .directory import EmbeddedDirectory
from .forwarding import Forwarding
from .groupware import Groupware, Limits, Ring, Writing, silent, utc_now
from .invitations import Invitations
from .outbox import EmbeddedOutbox, PostOffice, Relay
from .submissions import forget_submissions
from .tables import AutoRepliedRow, DeliveredRow, FolderRow, TombstoneRow

#: How long it is remembered what was deleted. A device that was silent for longer gets a whole listing and is repaired
#: from it.
TOMBSTONES_KEPT = timedelta(days=90)
#: How long a message that comes again is recognised: mail servers give up after days, devices after hours.
MESSAGE_IDS_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """`accounts` is the port; `office` takes mail from outside (`eas.backends.lmtp.Office`); `admin` is for people."""

    groupware: Groupware
    accounts: EmbeddedAccounts
    office: PostOffice
    admin: Admin

    async def tidy(self) -> None:
        """Forget what nobody asks for any longer. Once a day is enough."""
        await self.groupware.write(_tidy)


def open_embedded(
    transactions: Transactions, *, domain: str = "localhost", relay: Relay | None = None, ring: Ring = silent,
    now: Callable[[], datetime] = utc_now, limits: Limits | None = None,
) -> Embedded:
    """Over a database whose tables are there. `domain` is meant where a login has none; `relay` is the way out."""
    groupware = Groupware(transactions=transactions, domain=domain, ring=ring, now=now, limits=limits or Limits())
    office = PostOffice(groupware, relay)
    office.follow += [
        Invitations(groupware).follow, AutoReplies(groupware, office.send_reply).follow,
        Forwarding(groupware, office.send_on).follow,
    ]

    def directory_of(user: User) -> EmbeddedDirectory:
        return EmbeddedDirectory(groupware, user)

    def outbox_of(user: User) -> EmbeddedOutbox:
        return EmbeddedOutbox(office, user)

    accounts = EmbeddedAccounts(groupware, directory_of, outbox_of)
    return Embedded(groupware=groupware, accounts=accounts, office=office, admin=Admin(groupware))


def _tidy(tx: Writing) -> None:
    old = millis(tx.now - TOMBSTONES_KEPT)
    last = (
        select(TombstoneRow.folder_id, func.max(TombstoneRow.modseq))
        .where(TombstoneRow.at < old).group_by(TombstoneRow.folder_id)
    )
    for folder, modseq in tx.connection.execute(last).all():
        # A token from before these deletions now gives the whole listing.
        tx.connection.execute(update(FolderRow).where(FolderRow.id == folder).values(floor=modseq))
    tx.connection.execute(delete(TombstoneRow).where(TombstoneRow.at < old))
    tx.connection.execute(delete(DeliveredRow).where(DeliveredRow.at < millis(tx.now - MESSAGE_IDS_KEPT)))
    forget_submissions(tx, millis(tx.now - MESSAGE_IDS_KEPT))
    yesterday = f"{tx.now - timedelta(days=1):%Y-%m-%d}"
    tx.connection.execute(delete(AutoRepliedRow).where(AutoRepliedRow.day < yesterday))
